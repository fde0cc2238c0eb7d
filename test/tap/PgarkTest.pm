# PgarkTest.pm - what the suites share: servers, pgark, oracles, and the search for leftovers.
#
# Built on PostgreSQL::Test::Cluster. tools/as_user.sh sets the environment:
#   PGARK        the program under test            PGARK_TOOLS   directory of money and runstat
#   PGARK_TEST_TMPFS   a mount point of 16 MB, where root could make one
#   PGARK_TEST_FOREIGN a program of a user who is neither root nor we, where root could make one
#   PGARK_PG_AGENTS    a server that has the extension, where that is built
package PgarkTest;

use strict;
use warnings;
use Exporter 'import';
use Digest::SHA;
use Fcntl ':flock';
use File::Basename;
use File::Find;
use File::Path qw(rmtree);
use IO::Select;
use IO::Socket::UNIX;
use IPC::Run;
use JSON::PP ();
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  needs_version make_server drop_server conninfo session
  proxy_start proxy_stop proxied
  pgark pgark_ok pgark_fails pgark_json pgark_start pgark_finish pgark_env
  new_repo backup set_dir set_files repo_sets manifest chunks slurp_bytes spew_bytes
  dump_text digests same_database same_rows round_trip
  no_traces no_set_added wait_for wait_for_query wait_until_up watch watch_end tree_of
  money_setup money_start money_stop money_total money_of_scripts set_rows json_lines same_text
  cut_start cut_finish globals_text
  needs_agents agent_server
  gp_tool gp_tool_ok gp_tool_fails gp_files run_script
  with_small_disk
);

our $last_out = '';
our $last_err = '';

# ---- servers -------------------------------------------------------------------------------------

# needs_version MAJOR, WHY - skips the whole suite with an older PostgreSQL.
sub needs_version
{
    my ($major, $why) = @_;
    my ($have) = `pg_config --version` =~ /(\d+)/;
    plan skip_all => "PostgreSQL $have: $why" if $have < $major;
    return;
}

# make_server NAME [, conf => TEXT, extra => [initdb options], start => 0] makes and starts a server
# that is small, careless about crashes, and open for two-phase commit. It has a socket directory of
# its own (but for primaries of standbys), so that replacing it disturbs nobody.
sub make_server
{
    my ($name, %opt) = @_;
    my @where = defined $opt{install_path} ? (install_path => $opt{install_path}) : ();
    my $node =
      PostgreSQL::Test::Cluster->new($name, own_host => !$opt{allows_streaming}, @where);
    $node->init(
        extra => [ '-E', 'UTF8', '--locale=C.UTF-8', @{ $opt{extra} // [] } ],
        allows_streaming => $opt{allows_streaming} // 0);
    $node->append_conf('postgresql.conf', <<'CONF');
shared_buffers = 16MB
max_connections = 100
max_prepared_transactions = 50
max_locks_per_transaction = 128
full_page_writes = off
synchronous_commit = off
autovacuum = off
log_statement = none
CONF
    $node->append_conf('postgresql.conf', $opt{conf}) if defined $opt{conf};
    $node->start unless defined $opt{start} && !$opt{start};
    return $node;
}

# needs_agents - skips the whole suite where the extension is not built.
sub needs_agents
{
    plan skip_all => 'the extension is not built: no headers of the server'
      if !defined $ENV{PGARK_PG_AGENTS};
    return;
}

# agent_server NAME, DB [, conf => TEXT ...] - a server whose database DB, made here unless it is postgres,
# can start agents.
sub agent_server
{
    my ($name, $db, %opt) = @_;
    my $conf = "pgark.program = '$ENV{PGARK}'\nrestart_after_crash = on\n" . ($opt{conf} // '');
    my $node = make_server($name, %opt, install_path => $ENV{PGARK_PG_AGENTS}, conf => $conf);
    $node->safe_psql('postgres', "CREATE DATABASE $db") if $db ne 'postgres';
    $node->safe_psql($db, 'CREATE EXTENSION pgark');
    return $node;
}

# drop_server stops a server and deletes its files.
sub drop_server
{
    my ($node) = @_;
    $node->stop('immediate', fail_ok => 1);
    $node->clean_node;
    return;
}

sub conninfo
{
    my ($node, $db, $more) = @_;
    $db = 'postgres' unless defined $db;
    (my $quoted = $db) =~ s/([\\'])/\\$1/g;
    return sprintf(q{host='%s' port=%d dbname='%s'%s},
        $node->host, $node->port, $quoted, defined $more ? " $more" : '');
}

# session NODE [, DB] - a psql that stays open. Its application name is the test's, so that no_traces
# does not take it for one of pgark's.
sub session
{
    my ($node, $db) = @_;
    return $node->background_psql($db // 'postgres', on_error_stop => 0);
}

# with_small_disk CODE - calls it with a directory of an empty file system of 16 MB, which suites that run at the
# same time wait for; skips it where there is none.
sub with_small_disk
{
    my ($code) = @_;
    my $small = $ENV{PGARK_TEST_TMPFS};
  SKIP:
    {
        skip 'no small file system: only root can mount one (see tools/as_user.sh -m)', 1 unless defined $small;
        open my $lock, '>', "$small.lock" or die "$small.lock: $!";
        flock($lock, LOCK_EX) or die "$small.lock: $!";
        rmtree($small, { keep_root => 1 });
        $code->($small);
        rmtree($small, { keep_root => 1 });
        close $lock;
    }
    return;
}

# ---- proxies -------------------------------------------------------------------------------------

my %proxies;

# pass_all FH, DATA - false when the other side is gone. The sockets block: partial writes are not lost.
sub pass_all
{
    my ($fh, $data) = @_;
    my $at = 0;
    while ($at < length $data)
    {
        my $n = syswrite($fh, $data, length($data) - $at, $at) or return 0;
        $at += $n;
    }
    return 1;
}

# The loop of a proxy's process; it ends by a signal or by the limit.
sub proxy_serve
{
    my ($listen, $to, %opt) = @_;
    my (%peer, %to_client, %delay, @held);
    my $select = IO::Select->new($listen);
    my $passed = 0;
    my $pass   = sub {
        my ($fh, $data) = @_;
        my $other = $peer{$fh} or return;
        if ($data eq '')
        {
            $select->remove($fh, $other);
            delete @peer{ $fh, $other };
            close $fh;
            close $other;
            return;
        }
        pass_all($other, $data);
        return if !defined $opt{limit};
        $passed += length $data if $to_client{$fh} ? $opt{limit} > 0 : $opt{limit} < 0;
        POSIX::_exit(0) if $passed >= abs $opt{limit};
        return;
    };
    local $SIG{TERM} = sub { POSIX::_exit(0) };
    local $SIG{PIPE} = 'IGNORE';
    while (1)
    {
        my $wait = @held ? $held[0][0] - time : undef;
        for my $fh ($select->can_read(defined $wait && $wait < 0 ? 0 : $wait))
        {
            if ($fh == $listen)
            {
                my $client = $listen->accept or next;
                my $server = IO::Socket::UNIX->new(Peer => $to) or do { close $client; next };
                @peer{ $client, $server } = ($server, $client);
                delete @to_client{ $client, $server };
                delete @delay{ $client, $server };
                $to_client{$server} = 1;
                $select->add($client, $server);
                next;
            }
            next unless $peer{$fh};
            my $data;
            sysread($fh, $data, 65536) or $data = '';
            $opt{seen}->($data) if defined $opt{seen} && !$to_client{$fh};
            $delay{$fh} //= $opt{delay} && !$to_client{$fh} && !($opt{near} && $data =~ $opt{near});
            if ($delay{$fh})
            {
                push @held, [ time + $opt{delay}, $fh, $data ];
                # Its end is passed on when its turn comes; until then it would be readable for ever.
                $select->remove($fh) if $data eq '';
            }
            else { $pass->($fh, $data) }
        }
        $pass->(@{ shift @held }[ 1, 2 ]) while @held && $held[0][0] <= time;
    }
    return;
}

# proxy_start NODE [, limit => BYTES, delay => SECONDS, near => PATTERN, seen => SUB] - a process that
# passes connections on to NODE's socket.
#   limit   until so many bytes have gone from the server to clients (or to the server, when negative),
#           over all connections; then it closes all of them at once and refuses new ones
#   delay   what goes to the server arrives there so much later, as it would far away
#   near    connections whose first message matches are not delayed
#   seen    called in the proxy's process with what clients send, before it is passed on or held back
sub proxy_start
{
    my ($node, %opt) = @_;
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $name = '/.s.PGSQL.' . $node->port;
    my $listen = IO::Socket::UNIX->new(Local => "$dir$name", Listen => 64) or die "$dir$name: $!";
    my $pid = fork() // die $!;
    proxy_serve($listen, $node->host . $name, %opt) if !$pid;
    close $listen;
    $proxies{$pid} = 1;
    return { pid => $pid, dir => $dir, port => $node->port };
}

sub proxy_stop
{
    my ($proxy) = @_;
    kill 'TERM', $proxy->{pid};
    waitpid $proxy->{pid}, 0;
    delete $proxies{ $proxy->{pid} };
    unlink glob("$proxy->{dir}/.s*");
    return;
}

# A proxy that outlives a suite that died would keep its output open, and prove waiting for more.
END { kill 'TERM', keys %proxies }

# proxied PROXY, DB - the conninfo of a database behind a proxy.
sub proxied
{
    my ($proxy, $db) = @_;
    return "host='$proxy->{dir}' port=$proxy->{port} dbname='$db'";
}

# ---- pgark ---------------------------------------------------------------------------------------

# The environment of pgark: the test's without what would name the server or the application.
sub pgark_env
{
    my %env = %ENV;
    delete @env{qw(PGHOST PGPORT PGDATABASE PGAPPNAME PGUSER)};
    return %env;
}

# pgark ARG... - run to the end; (exit code, stdout, stderr). A death by signal N is 128 + N.
sub pgark
{
    my (@args) = @_;
    my ($out, $err) = ('', '');
    local %ENV = pgark_env();
    note('pgark ' . join(' ', map { length > 200 ? substr($_, 0, 200) . '...' : $_ } @args));
    IPC::Run::run([ $ENV{PGARK}, @args ], '<', \undef, '>', \$out, '2>', \$err);
    my $code = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    ($last_out, $last_err) = ($out, $err);
    note("exit $code\n$out$err") if length("$out$err") < 4000;
    return ($code, $out, $err);
}

sub pgark_ok
{
    my ($args, $name) = @_;
    my ($code, $out, $err) = pgark(@$args);
    is($code, 0, $name) or diag("stdout: $out\nstderr: $err");
    return $out;
}

# pgark_fails ARGS, PATTERN, NAME [, CODE = 1] - the exit code, an error in the agreed form whose text
# matches, and nothing that looks like a crash.
sub pgark_fails
{
    my ($args, $pattern, $name, $want) = @_;
    my ($code, $out, $err) = pgark(@$args);
    is($code, $want // 1, "$name: exit code") or diag("stdout: $out\nstderr: $err");
    like($err, qr/^pgark: error: \S/m, "$name: an error is printed");
    like($err, $pattern, "$name: the error says why");
    unlike($err, qr/AddressSanitizer|runtime error:|ThreadSanitizer|Segmentation/,
        "$name: no crash");
    return $err;
}

# pgark_json ARGS - run with --output=json; the decoded document, or undef with a failed test.
sub pgark_json
{
    my ($args, $name, $want) = @_;
    my ($code, $out, $err) = pgark(@$args, '--output=json');
    is($code, $want // 0, $name) or diag("stdout: $out\nstderr: $err");
    my $json = eval { JSON::PP->new->utf8->decode($out) };
    ok(defined $json, "$name: one JSON document") or diag("$@\nstdout: $out");
    return $json;
}

# pgark_start ARGS - run beside the test; pgark_finish waits and gives what pgark() does.
sub pgark_start
{
    my (@args) = @_;
    my $run = { out => '', err => '', args => [@args] };
    local %ENV = pgark_env();
    note("start: pgark @args");
    $run->{harness} = IPC::Run::start([ $ENV{PGARK}, @args ],
        '<', \undef, '>', \$run->{out}, '2>', \$run->{err});
    $run->{pid} = $run->{harness}{KIDS}[0]{PID};
    return $run;
}

sub pgark_finish
{
    my ($run) = @_;
    $run->{harness}->finish;
    my $status = $run->{harness}{KIDS}[0]{RESULT} // $?;
    $status = $? if !defined $status;
    my $code = $status & 127 ? 128 + ($status & 127) : $status >> 8;
    note("finished: exit $code\n$run->{out}$run->{err}") if length("$run->{out}$run->{err}") < 4000;
    return ($code, $run->{out}, $run->{err});
}

# ---- pgark by other names ------------------------------------------------------------------------

# gp_tool NAME, ARG..., gp_tool_ok NAME, ARGS, TEXT, gp_tool_fails NAME, ARGS, PATTERN, TEXT [, CODE] - as pgark,
# pgark_ok and pgark_fails.
sub gp_tool
{
    my ($name, @args) = @_;
    local $ENV{PGARK} = dirname($ENV{PGARK}) . "/$name";
    return pgark(@args);
}

sub gp_tool_ok
{
    my ($name, @rest) = @_;
    local $ENV{PGARK} = dirname($ENV{PGARK}) . "/$name";
    return pgark_ok(@rest);
}

sub gp_tool_fails
{
    my ($name, @rest) = @_;
    local $ENV{PGARK} = dirname($ENV{PGARK}) . "/$name";
    return pgark_fails(@rest);
}

# gp_files DIR - the names in it, hidden ones, too.
sub gp_files
{
    my ($dir) = @_;
    opendir my $dh, $dir or return ();
    return sort grep { !/\A\.\.?\z/ } readdir $dh;
}

# run_script NODE, DB, FILE... - decompressed where that is needed, by psql alone, as one script; dies where a
# statement fails.
sub run_script
{
    my ($node, $db, @files) = @_;
    my ($text, $out, $err) = ('', '', '');
    for my $file (@files)
    {
        my @cat = $file =~ /\.gz\z/ ? ('gunzip', '-c', $file) : ('cat', $file);
        IPC::Run::run([@cat], '>', \my $part) or die "@cat";
        $text .= $part;
    }
    IPC::Run::run([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', conninfo($node, $db), '-f', '-' ],
        '<', \$text, '>', \$out, '2>', \$err)
      or die "psql: $err";
    return;
}

# tree_of PID - the pids of its children, grandchildren, ...
sub tree_of
{
    my ($root) = @_;
    my %parent;
    for my $dir (glob '/proc/[0-9]*')
    {
        open my $fh, '<', "$dir/stat" or next;
        my $line = <$fh> // next;
        my ($pid) = $dir =~ /(\d+)\z/;
        $parent{$pid} = $1 if $line =~ /\)\s+\S\s+(\d+)/;
    }
    my @found = ();
    my @look  = ($root);
    while (defined(my $pid = shift @look))
    {
        my @children = grep { $parent{$_} == $pid } keys %parent;
        push @found, @children;
        push @look,  @children;
    }
    return @found;
}

# globals_text NODE - what pg_dumpall says of roles and tablespaces, without the tablespaces' directories.
sub globals_text
{
    my ($node) = @_;
    my ($out, $err) = ('', '');
    IPC::Run::run([ 'pg_dumpall', '--globals-only', '-d', conninfo($node) ], '>', \$out, '2>', \$err)
      or die "pg_dumpall: $err";
    $out =~ s/^\\(un)?restrict .*\n//mg;
    $out =~ s/ LOCATION '[^']*'//g;
    return $out;
}

# ---- waiting -------------------------------------------------------------------------------------

# wait_for SUB, WHAT - until it returns true; the limit is there only so that a broken run ends.
sub wait_for
{
    my ($condition, $what) = @_;
    for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
    {
        return 1 if $condition->();
        usleep(100_000);
    }
    fail("waiting: $what");
    return 0;
}

# watch NODE, DB, CONDITION - a session that waits until the SQL condition holds, looked at every
# millisecond by the server itself: for states that do not last as long as it takes to start a psql.
# An action, given as the select list of a query, is done at once then. To be begun before what it waits for; watch_end waits for it.
sub watch
{
    my ($node, $db, $condition, $action) = @_;
    $action = defined $action ? "PERFORM $action;" : '';
    my $session = session($node, $db);
    $session->{stdin} .= <<"SQL";
DO \$\$ BEGIN
    FOR i IN 1..180000 LOOP
        PERFORM pg_stat_clear_snapshot();
        IF ($condition) THEN $action RETURN; END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
    RAISE 'did not happen';
END \$\$;
\\echo seen
SQL
    $session->{run}->pump_nb;
    return $session;
}

# watch_end - true when the condition came true.
sub watch_end
{
    my ($session) = @_;
    $session->{run}->pump until $session->{stdout} =~ /seen/ || $session->{stderr} =~ /ERROR/;
    my $seen = $session->{stderr} !~ /ERROR/;
    diag($session->{stderr}) unless $seen;
    $session->{stdout} = '';
    $session->quit;
    return $seen;
}

# wait_until_up NODE, WHAT - until it takes connections, after a crash. (A psql that is told its statements by a pipe
# may end before it has read them.)
sub wait_until_up
{
    my ($node, $what) = @_;
    return wait_for(sub { system('pg_isready', '-q', '-h', $node->host, '-p', $node->port) == 0 }, $what);
}

sub wait_for_query
{
    my ($node, $db, $query, $what) = @_;
    my $ok = $node->poll_query_until($db, $query);
    ok($ok, $what) if defined $what;
    return $ok;
}

# ---- repositories --------------------------------------------------------------------------------

my $repo_count = 0;

# new_repo - the name of a directory that does not exist yet; its parent does.
sub new_repo
{
    my $dir = PostgreSQL::Test::Utils::tempdir('repo');
    return "$dir/r" . ++$repo_count;
}

# backup REPO, ARGS - make a set and return its key (undef, with a failed test, when it does not work).
sub backup
{
    my ($repo, @args) = @_;
    my $json = pgark_json([ 'backup', '--repo', $repo, '--no-sync', @args ], 'backup');
    like($json->{key} // '', qr/\A\d{14}\z/, 'backup tells its key');
    return $json->{key};
}

sub set_dir
{
    my ($repo, $key) = @_;
    return "$repo/sets/" . substr($key, 0, 8) . "/$key";
}

# set_files REPO, KEY - the set's files, relative to its directory, sorted.
sub set_files
{
    my ($repo, $key) = @_;
    my $dir = set_dir($repo, $key);
    my @files;
    find({ no_chdir => 1, wanted => sub { push @files, substr($_, length($dir) + 1) if -f } }, $dir);
    @files = sort @files;
    return @files;
}

# repo_sets REPO - every directory that could be a set, finished or not.
sub repo_sets
{
    my ($repo) = @_;
    my @keys = sort map { basename($_) } glob("$repo/sets/*/*");
    return @keys;
}

sub slurp_bytes
{
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!";
    local $/;
    my $bytes = <$fh>;
    return $bytes // '';
}

sub spew_bytes
{
    my ($file, $bytes) = @_;
    open my $fh, '>:raw', $file or die "$file: $!";
    print $fh $bytes;
    close $fh or die "$file: $!";
    return;
}

sub json_lines
{
    my ($file) = @_;
    my $decoder = JSON::PP->new->utf8;
    return map { $decoder->decode($_) } split /\n/, slurp_bytes($file);
}

# manifest REPO, KEY - its records by type: { table => [...], node => [...], ... }.
sub manifest
{
    my ($repo, $key) = @_;
    my %by_type;
    push @{ $by_type{ $_->{type} } }, $_ for json_lines(set_dir($repo, $key) . '/manifest.jsonl');
    return \%by_type;
}

# chunks REPO, KEY, CONTENT - the chunk records of one node.
sub chunks
{
    my ($repo, $key, $content) = @_;
    return grep { $_->{type} eq 'chunk' }
      json_lines(set_dir($repo, $key) . "/node$content.jsonl");
}

# set_rows REPO, KEY, CONTENT, TABLE - the rows of a table as they lie in a set made with
# --format=text -Z none, each an array of COPY's fields: a reader of the documented format that shares
# no code with pgark.
sub set_rows
{
    my ($repo, $key, $content, $table) = @_;
    my $dir      = set_dir($repo, $key);
    my $manifest = manifest($repo, $key);
    my ($record) =
      grep { $_->{content} == $content && $_->{name} eq $table } @{ $manifest->{table} };
    die "set $key has no table $table on node $content" unless defined $record;
    my @rows;
    for my $chunk (chunks($repo, $key, $content))
    {
        next if $chunk->{table_oid} != $record->{oid} || !defined $chunk->{object};
        open my $fh, '<:raw', "$dir/$chunk->{object}" or die "$chunk->{object}: $!";
        seek $fh, $chunk->{offset} // 0, 0;
        read($fh, my $bytes, $chunk->{stored}) == $chunk->{stored} or die "$chunk->{object}: short";
        push @rows, map { [ split /\t/, $_, -1 ] } split /\n/, $bytes;
    }
    return @rows;
}

# ---- oracles -------------------------------------------------------------------------------------

# dump_text NODE, DB - what pg_dump says about a database, without what differs from run to run: the
# random token of \restrict that newer minor versions print.
sub dump_text
{
    my ($node, $db, @more) = @_;
    my ($out, $err) = ('', '');
    IPC::Run::run([ 'pg_dump', '--no-sync', @more, '-d', conninfo($node, $db) ],
        '>', \$out, '2>', \$err)
      or die "pg_dump of $db failed: $err";
    $out =~ s/^\\(un)?restrict .*\n//mg;
    return $out;
}

# The rows of COPY lie in the order in which they were loaded, which is not what is compared: the lines
# of each COPY block are sorted.
sub sort_rows
{
    my ($text) = @_;
    $text =~ s{^(COPY [^\n]* FROM stdin;\n)(.*?)^(\\\.\n)}
              {my ($a, $b, $c) = ($1, $2, $3); $a . join('', sort split(/^/m, $b)) . $c}gmse;
    return $text;
}

# digests NODE, DB - { 'schema.table' => 'count sum' }, independent of row order, made by the server.
sub digests
{
    my ($node, $db) = @_;
    my $queries = $node->safe_psql($db, <<'SQL');
SELECT format('SELECT %L, count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM ONLY %I.%I t;',
              quote_ident(n.nspname) || '.' || quote_ident(c.relname), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind = 'r' OR c.relkind = 'm' AND c.relispopulated) AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgark')
ORDER BY 1;
SQL
    # Every float to its last digit, every value independent of the session's settings.
    my $rows = $node->safe_psql($db,
        "SET extra_float_digits = 3; SET datestyle = iso; SET intervalstyle = postgres; "
          . "SET timezone = 'UTC'; SET bytea_output = hex;\n$queries");
    my %digest;
    for my $line (split /\n(?=[^\n]*\|\d+\|-?\d+)/, $rows)
    {
        $digest{$1} = "$2 $3" if $line =~ /\A(.*)\|(\d+)\|(-?\d+)\z/s;
    }
    return \%digest;
}

sub sequences
{
    my ($node, $db) = @_;
    return $node->safe_psql($db, <<'SQL');
SELECT schemaname, sequencename, start_value, increment_by, last_value FROM pg_sequences ORDER BY 1, 2;
SQL
}

sub same_text
{
    my ($got, $want, $name) = @_;
    return pass($name) if $got eq $want;
    fail($name);
    my ($dir, $diff) = (PostgreSQL::Test::Utils::tempdir('diff'), '');
    spew_bytes("$dir/want", $want);
    spew_bytes("$dir/got",  $got);
    IPC::Run::run([ 'diff', '-U2', "$dir/want", "$dir/got" ], '>', \$diff, '2>&1');
    my @lines = split /\n/, $diff;
    diag(join "\n", map { substr $_, 0, 300 } @lines > 40 ? @lines[ 0 .. 39 ] : @lines);
    return 0;
}

# same_database NODE, DB, NODE, DB, NAME [, OPTION...] - both oracles: pg_dump's text (with more options
# of pg_dump), and every table's digest.
sub same_database
{
    my ($node, $db, $copy_node, $copy_db, $name, @more) = @_;
    my $want = sort_rows(dump_text($node, $db, @more));
    my $got  = sort_rows(dump_text($copy_node, $copy_db, @more));
    my $ok   = same_text($got, $want, "$name: pg_dump of both sides is equal");
    return same_rows($node, $db, $copy_node, $copy_db, $name) && $ok;
}

# same_rows - the second oracle alone, for values that pg_dump's text would hold in memory too often.
sub same_rows
{
    my ($node, $db, $copy_node, $copy_db, $name) = @_;
    my $want = digests($node, $db);
    my $ok   = cmp_ok(scalar keys %$want, '>', 0, "$name: there is something to compare");
    $ok &= is_deeply(digests($copy_node, $copy_db), $want, "$name: digests of all tables are equal");
    $ok &= is(sequences($copy_node, $copy_db), sequences($node, $db), "$name: sequences are equal");
    return $ok;
}

my $copy_count = 0;

# round_trip NODE, DB, TARGET, NAME [, backup => [..], restore => [..], check => sub] - back up, verify,
# restore with --create, compare by both oracles, drop the copy and the repository.
sub round_trip
{
    my ($node, $db, $target, $name, %opt) = @_;
    my $repo = $opt{repo} // new_repo();
    my $copy = 'copy' . ++$copy_count;
    my $key  = backup($repo, '-d', conninfo($node, $db), @{ $opt{backup} // [] });
    return unless defined $key;
    pgark_ok([ 'verify', $key, '--repo', $repo ], "$name: verify");
    pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, $copy), '--create',
            @{ $opt{restore} // [] } ], "$name: restore");
    my $ok = same_database($node, $db, $target, $copy, $name);
    $opt{check}->($copy, $repo, $key) if defined $opt{check};
    no_traces($name, undef, $node, $target);
    $target->safe_psql('postgres', "DROP DATABASE IF EXISTS $copy") unless $opt{keep};
    rmtree($repo) unless defined $opt{repo};
    return $ok;
}

# ---- leftovers -----------------------------------------------------------------------------------

# Backends that are not the test's own sessions, and what could outlive them.
my $traces_query = <<'SQL';
SELECT string_agg(what, '; ' ORDER BY what) FROM (
    SELECT format('backend %s "%s" %s: %s', pid, application_name, state, left(query, 100)) AS what
    FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND application_name NOT LIKE '%.t' AND application_name NOT LIKE 'money%'
    AND application_name NOT LIKE 'citus\_internal%'
    UNION ALL
    SELECT format('prepared transaction %s', gid) FROM pg_prepared_xacts WHERE gid NOT LIKE 'money-%'
    UNION ALL
    SELECT format('lock of pid %s on %s', l.pid, l.relation)
    FROM pg_locks l WHERE l.locktype = 'relation' AND l.pid <> pg_backend_pid()
    AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid)
) x
SQL

# no_traces NAME, SETS-BEFORE | undef, NODE... - nothing of pgark is left on the servers (a backend
# whose client died is given the time it needs to notice), no pg_dump runs, and when the list of sets
# [REPO, KEY...] is given, no other is there.
sub no_traces
{
    my ($name, $sets, @nodes) = @_;
    for my $node (@nodes)
    {
        my $left;
        wait_for(sub { ($left = $node->safe_psql('postgres', $traces_query)) eq '' },
            "$name: traces on " . $node->name . ' go away');
        is($left, '', "$name: nothing is left on " . $node->name);
    }
    my $socket_dirs = join('|', map { quotemeta $_->host } @nodes);
    is(join(' ', grep { /$socket_dirs/ } running('pg_dump')), '', "$name: no pg_dump is left")
      if @nodes;
    no_set_added($name, @$sets) if defined $sets;
    return;
}

# running PROGRAM - the command lines (and environments, where a connection may be named) of the
# processes of that name that have not ended.
sub running
{
    my ($program) = @_;
    my @found;
    for my $dir (glob '/proc/[0-9]*')
    {
        my $argv = eval { slurp_bytes("$dir/cmdline") } // next;
        my ($argv0) = split /\0/, $argv;
        next unless defined $argv0 && basename($argv0) eq $program;
        $argv .= ' ' . (eval { slurp_bytes("$dir/environ") } // '');
        $argv =~ tr/\0/ /;
        push @found, $argv;
    }
    return @found;
}

# no_set_added NAME, REPO, KEY... - the repository shows exactly these sets, and has no files of others.
sub no_set_added
{
    my ($name, $repo, @keys) = @_;
    if (-d $repo && -e "$repo/pgark.repo")
    {
        my $list = pgark_json([ 'list', '--repo', $repo ], "$name: list works");
        is_deeply([ sort map { $_->{key} } @{ $list->{sets} // [] } ],
            [ sort @keys ], "$name: no other set is visible");
    }
    is_deeply([ repo_sets($repo) ], [ sort @keys ], "$name: no files of the failed run are left");
    return;
}

# ---- money ---------------------------------------------------------------------------------------

my $initial = 1000;

# money_setup NODES, DB, ACCOUNTS, CHAINS - the tables that test/tools/money.c works on.
sub money_setup
{
    my ($nodes, $db, $accounts, $chains) = @_;
    for my $node (@$nodes)
    {
        $node->safe_psql('postgres', "CREATE DATABASE $db") if $db ne 'postgres';
        $node->safe_psql($db, <<"SQL");
CREATE TABLE account (id int PRIMARY KEY, amount bigint NOT NULL) WITH (fillfactor = 20);
CREATE TABLE chain (id int PRIMARY KEY, value bigint NOT NULL) WITH (fillfactor = 20);
INSERT INTO account SELECT i, $initial FROM generate_series(1, $accounts) i;
INSERT INTO chain SELECT i, 0 FROM generate_series(1, $chains) i;
SQL
    }
    return $initial * $accounts * @$nodes;
}

# copied FILE, TABLE - the rows of a script.
sub copied
{
    my ($file, $table) = @_;
    return slurp_bytes($file) =~ /^COPY "public"\."$table" [^\n]*;\n(.*?)^\\\.\n/ms ? map { [ split /\t/ ] } split /\n/, $1 : ();
}

# money_of_scripts FILE, FILE - the sum over the scripts of two nodes, and how many chains are seen backwards in them.
sub money_of_scripts
{
    my ($sum, @chain) = (0);
    for my $file (@_)
    {
        $sum += $_->[1] for copied($file, 'account');
        push @chain, { map { $_->[0] => $_->[1] } copied($file, 'chain') };
    }
    return ($sum, scalar grep { $chain[1]{$_} > $chain[0]{$_} } keys %{ $chain[0] });
}

# money_start NODES, DB, ARG... - writers that run until money_stop. Between their transactions they leave the
# processors to what is tested: hundreds in each second are enough for any cut to fall between two of them.
sub money_start
{
    my ($nodes, $db, @args) = @_;
    my $money = { out => '', err => '' };
    $money->{harness} = IPC::Run::start(
        [ "$ENV{PGARK_TOOLS}/money", '--pause-us', 2000, @args,
            map { conninfo($_, $db, 'application_name=money') } @$nodes ],
        '<', \undef, '>', \$money->{out}, '2>', \$money->{err});
    wait_for(sub { $money->{harness}->pump_nb; $money->{out} =~ /ready/ || $money->{err} ne '' },
        'writers are connected');
    return $money;
}

# money_stop - true when no writer failed, and they were at work; how many transactions each kind made is in ->{done}.
sub money_stop
{
    my ($money) = @_;
    $money->{harness}->signal('TERM');
    $money->{harness}->finish;
    my $ok = is($?, 0, 'no writer failed') || diag($money->{err});
    $money->{done} = { $money->{out} =~ /^(\w+) (\d+)$/mg };
    $ok &&= cmp_ok(eval { my $sum = 0; $sum += $_ for values %{ $money->{done} }; $sum }, '>', 0, 'writers were at work');
    return $ok;
}

# money_total REPO, KEY, NODE-COUNT - (sum of all amounts, number of causal violations) in a set.
sub money_total
{
    my ($repo, $key, $count) = @_;
    my ($sum, $backwards) = (0, 0);
    my %before;
    for my $content (0 .. $count - 1)
    {
        $sum += $_->[1] for set_rows($repo, $key, $content, 'account');
        my %value = map { $_->[0] => $_->[1] } set_rows($repo, $key, $content, 'chain');
        for my $id (keys %before)
        {
            $backwards++ if $value{$id} > $before{$id};
        }
        %before = %value;
    }
    return ($sum, $backwards);
}

# cut_start REPO, CONNINFOS, ARG... - begin a backup of money's fleet in the form that set_rows reads.
sub cut_start
{
    my ($repo, $conninfos, @args) = @_;
    my $run = pgark_start('backup', '--repo', $repo, '--no-sync', '--output=json',
        '--format=text', '-Z', 'none', '-j1', @args, map { ('--node', $_) } @$conninfos);
    @$run{qw(repo nodes)} = ($repo, scalar @$conninfos);
    return $run;
}

# cut_finish RUN - (key, sum, causal violations, cut record) of the new set; nothing, with a failed test,
# when there is none.
sub cut_finish
{
    my ($run) = @_;
    my ($code, $out, $err) = pgark_finish($run);
    if ($code != 0 || $out !~ /"key": ?"(\d{14})"/)
    {
        fail("backup @{ $run->{args} }");
        diag("exit $code\nstdout: $out\nstderr: $err");
        return;
    }
    my $key = $1;
    return ($key, money_total($run->{repo}, $key, $run->{nodes}),
        manifest($run->{repo}, $key)->{cut}[0]);
}

1;
