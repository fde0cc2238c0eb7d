# gp_dump and gp_restore through agents: each node's files on its own host, one instant for all, the first failure
# ends all; the same for a fleet with a coordinator.
use strict;
use warnings;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_agents();

my @servers = map { agent_server("shard$_", 'postgres') } 0 .. 1;
my $base   = PostgreSQL::Test::Utils::tempdir('dumps');
my @from   = map { ('--node', conninfo($_, 'bank')) } @servers;
my @into   = map { ('--node', conninfo($_, 'copy')) } @servers;
my $total  = money_setup(\@servers, 'bank', 50, 10);
$_->safe_psql('bank', 'CREATE EXTENSION pgark') for @servers;
my $rounds = $ENV{PGARK_TEST_FULL} ? 40 : 4;
my @data   = map { $_->data_dir } @servers;

# ---- one instant, while money moves; a relative directory is below each data directory ------------------------

# Not --plain: between two commits of a program of its own is an instant, too, which only --cut=barrier leaves out.
my $money = money_start(\@servers, 'bank', '--accounts', 50, '--prepared', 2, '--chain', 2);
my ($key, $torn, $backwards) = (20260101000000, 0, 0);
for (1 .. $rounds)
{
    $key++;
    gp_tool_ok('gp_dump', [ '--gp-d', 'db_dumps/today', '--gp-r', "$base/reports", '--gp-k', $key, '--gp-c=none', '-j1', @from ], "gp_dump $_");
    my ($sum, $early) = money_of_scripts(map { "$data[$_]/db_dumps/today/gp_dump_${_}_" . ($_ + 1) . "_$key" } 0, 1);
    $torn++ if $sum != $total;
    $backwards += $early;
}
money_stop($money);
is("$torn $backwards", '0 0', 'no script of a dump is of another instant');

# What follows is compared with what stands still.
$key++;
gp_tool_ok('gp_dump', [ '--gp-d', 'db_dumps/today', '--gp-r', "$base/reports", '--gp-k', $key, '--gp-c=none', '-j1', @from ], 'gp_dump behind them');
for my $i (0, 1)
{
    my $who = $i . '_' . ($i + 1);
    is(join(' ', grep { /$key/ } gp_files("$data[$i]/db_dumps/today")),
        "gp_cdatabase_${who}_$key gp_dump_${who}_$key gp_dump_${who}_${key}_post_data gp_dump_status_${who}_$key", "the files of node $i, on its host");
    like(slurp_bytes("$data[$i]/db_dumps/today/gp_dump_status_${who}_$key"), qr/Finished successfully\n\z/, 'and its status');
}
is(join(' ', grep { /$key/ } gp_files("$base/reports")), "gp_dump_$key.rpt", 'the report is where gp_dump runs');
my $report = slurp_bytes("$base/reports/gp_dump_$key.rpt");
like($report, qr/^Files: on each node's host, written by agents$/m, 'it says who wrote what');
like($report, qr/segment 1 \(dbid 2\).* BackupFile \Q$data[1]\E\/db_dumps\/today\/gp_dump_1_2_$key: Succeeded/, 'and where it is');
is($_->safe_psql('bank', "SELECT kind, outcome FROM pgark.task WHERE key = '$key'"), 'gp_dump_node|finished', 'pgark.task knows') for @servers;
no_traces('dumps', undef, @servers);

# ---- restored by agents, each from its own host ----------------------------------------------------------------

my @where = ('--gp-d', 'db_dumps/today', '--gp-r', "$base/reports", '--gp-k', $key);
$_->safe_psql('postgres', 'CREATE DATABASE copy') for @servers;
my $out = gp_tool_ok('gp_restore', [ @where, @into ], 'gp_restore');
same_database($servers[$_], 'bank', $servers[$_], 'copy', "node $_") for 0, 1;
like($out, qr/segment 1 \(dbid 2\).* Database copy BackupFile \Q$data[1]\E\/db_dumps\/today\/gp_dump_1_2_${key}_post_data: Succeeded/, 'the report names files of the hosts');
ok(-s "$base/reports/gp_restore_$key.rpt", 'and is where gp_restore runs');
like(slurp_bytes("$data[1]/db_dumps/today/gp_restore_status_1_2_$key"), qr/Finished successfully/, 'status files are beside the scripts');
gp_tool_fails('gp_restore', [ @where, @into ], qr/gp_dump_\d_\d_$key.*psql|already exists/s, 'over what is there');
gp_tool_fails('gp_restore', [ @where, '--gp-i', '-s', @into ], qr/statements of \d scripts? failed/, 'going on over errors is a failure at the end');
gp_tool_fails('gp_restore', [ '--gp-d', 'elsewhere', '--gp-r', "$base/reports", '--gp-k', $key, @into ], qr/elsewhere/, 'where no dump is');
# Some tables only: the list is read here.
spew_bytes("$base/tables", "public.account\n");
$_->safe_psql('postgres', 'DROP DATABASE copy') for @servers;
$_->safe_psql('postgres', 'CREATE DATABASE copy') for @servers;
gp_tool_ok('gp_restore', [ @where, '--gp-f', "$base/tables", @into ], 'gp_restore --gp-f');
same_text(dump_text($servers[$_], 'copy'), dump_text($servers[$_], 'bank', '-t', 'public.account'), "node $_ has this table") for 0, 1;
spew_bytes("$base/tables", "public.nosuch\n");
gp_tool_fails('gp_restore', [ @where, '--gp-f', "$base/tables", @into ], qr/the script has no public\.nosuch/, 'a table that is in no script');
# A host's name that means another server where the agent is.
{
    my $version = $servers[0]->safe_psql('postgres', q{SELECT substring(version FROM '[0-9.]+') FROM (SELECT '} . (pgark('--version'))[1] =~ s/\s+\z//r . q{'::text) v(version)});
    my ($code, undef, $err) = $servers[0]->psql('postgres', sprintf(<<'SQL', $key, $version, $servers[1]->host, $servers[1]->port));
SELECT pgark.launch('gp_restore_node', '%s', jsonb_build_object('version', '%s', 'content', 0, 'repo', '/',
    'watch', jsonb_build_object('pid', pg_backend_pid(), 'started', extract(epoch FROM backend_start)::text), 'arguments', '[]'::jsonb,
    'more', jsonb_build_object('dir', 'db_dumps/today', 'number', 0, 'dbid', 1, 'segment', true, 'definitions', false, 'rows', false,
        'post_data', false, 'go_on', false, 'database', 'copy', 'host', '%s', 'port', %d, 'identity', '1 2')))
    FROM pg_stat_activity WHERE pid = pg_backend_pid()
SQL
    like($err, qr/is another server here than where gp_restore runs/, 'an agent writes into no server that nobody meant');
}
$_->safe_psql('postgres', 'DROP DATABASE copy') for @servers;
no_traces('restores', undef, @servers);

# ---- options on their way; two nodes of one host and one directory --------------------------------------------

gp_tool_ok('gp_dump', [ '--agent', '--gp-d', "$base/shared", '--gp-k', '20260102000001', '--prefix', 'x', '-D', '-t', 'account', @from ],
    'one directory for two nodes');
is(join(' ', gp_files("$base/shared")),
    join(' ', sort map({ ("xgp_cdatabase_${_}_20260102000001", "xgp_dump_${_}_20260102000001.gz", "xgp_dump_${_}_20260102000001_post_data.gz", "xgp_dump_status_${_}_20260102000001") } '0_1', '1_2'),
        'xgp_dump_20260102000001.rpt'), 'files and report');
like(`gunzip -c $base/shared/xgp_dump_1_2_20260102000001.gz`, qr/^INSERT INTO "?public"?\."?account"? \(/m, '--column-inserts');
unlike(`gunzip -c $base/shared/xgp_dump_1_2_20260102000001.gz`, qr/chain/, 'and -t');
gp_tool_fails('gp_dump', [ '--gp-d', "$base/shared", '--gp-k', '20260102000001', '--prefix', 'x', @from ], qr/has files with the key/, 'no file is replaced');
# Both nodes become databases of one server.
$servers[0]->safe_psql('postgres', "CREATE DATABASE $_") for qw(copy copy1);
gp_tool_ok('gp_restore', [ '--gp-d', "$base/shared", '--gp-k', '20260102000001', '--prefix', 'x', map { ('--node', conninfo($servers[0], $_)) } qw(copy copy1) ],
    'gp_restore of two nodes into one server');
same_text(dump_text($servers[0], $_ ? 'copy1' : 'copy'), dump_text($servers[$_], 'bank', '-t', 'account'), "two nodes into one server, node $_") for 0, 1;
is($servers[0]->safe_psql('postgres', q{SELECT count(DISTINCT node) FROM pgark.task WHERE key = '20260102000001' AND kind = 'gp_restore_node' AND outcome = 'finished'}),
    2, 'by an agent each');
$servers[0]->safe_psql('postgres', "DROP DATABASE $_") for qw(copy copy1);
gp_tool_ok('gp_dump', [ '--gp-d', 'db_dumps/part', '--gp-r', "$base/reports", '--gp-k', '20260102000002', '--gp-s=i[2]', '-a', @from ], 'one node, rows only');
ok(!-e "$data[0]/db_dumps/part" || !gp_files("$data[0]/db_dumps/part"), 'the other one has no files');
is(join(' ', gp_files("$data[1]/db_dumps/part")), 'gp_dump_1_2_20260102000002.gz gp_dump_status_1_2_20260102000002', 'its own');

# ---- a single server; a key of four parts; without a directory --------------------------------------------------

my @one = ('-h', $servers[0]->host, '-p', $servers[0]->port, '--gp-r', "$base/reports");
gp_tool_ok('gp_dump', [ @one, '--gp-k', '20260103000001_0_2_', 'bank' ], 'a key of four parts');
is(join(' ', grep { /20260103/ } gp_files($data[0])), join(' ', sort map { "${_}20260103000001" . (/^gp_dump_0/ ? '.gz' : '') } qw(gp_cdatabase_0_2_ gp_dump_0_2_ gp_dump_status_0_2_))
      =~ s/(gp_dump_0_2_20260103000001)\.gz/$1.gz $1_post_data.gz/r, 'in the data directory');

$servers[0]->safe_psql('postgres', 'CREATE DATABASE plain');

# ---- with or without ----------------------------------------------------------------------------------------------

gp_tool_ok('gp_dump', [ @one, '--agent=no', '--gp-d', "$base/here", '--gp-k', '20260103000002', 'bank' ], '--agent=no');
like(slurp_bytes("$base/reports/gp_dump_20260103000002.rpt"), qr/^Files: where gp_dump runs, without agents$/m, 'which the report says');
is($servers[0]->safe_psql('bank', q{SELECT count(*) FROM pgark.task WHERE key = '20260103000002'}), 0, 'no agent was there');
gp_tool_fails('gp_dump', [ @one, '--agent', '--gp-d', './x', 'bank' ], qr/has \. or \.\. in it/, 'a directory that says nothing elsewhere');
gp_tool_fails('gp_dump', [ @one, '--agent', '--gp-d', "$base/none", 'plain' ], qr/has no extension pgark/, 'agents, and no extension');
gp_tool_ok('gp_dump', [ @one, '--gp-d', "$base/none", '--gp-k', '20260103000003', 'plain' ], 'where there is none it goes without');
like(slurp_bytes("$base/reports/gp_dump_20260103000003.rpt"), qr/^Files: where gp_dump runs, without agents$/m, 'and writes here');

# ---- the first failure ends all, and leaves no script ------------------------------------------------------------

spew_bytes("$data[1]/blocked", 'a file');
gp_tool_fails('gp_dump', [ '--gp-d', 'blocked', '--gp-r', "$base/reports", '--gp-k', '20260104000001', @from ], qr/node 1.*blocked" is no directory/s, 'a node cannot write');
is(join(' ', grep { !/status/ } gp_files("$data[0]/blocked")), '', 'the other node has nothing');
like(slurp_bytes("$base/reports/gp_dump_20260104000001.rpt"), qr/finished unsuccessfully with 4 failures\.\n\z/, 'the report says so');
is(join(' ', glob("$data[0]/blocked/.gp_dump*"), glob("$base/reports/.gp_dump*")), '', 'no place is left');
no_traces('a dump that failed', undef, @servers);

# ---- a full disk on one host ---------------------------------------------------------------------------------------

with_small_disk(sub {
    my ($small) = @_;
    # The directory is a link on one of the hosts, a plain one on the other.
    symlink $small, "$data[1]/small" or die $!;
    mkdir "$data[0]/small" or die $!;
    my @thin = ('--gp-r', "$base/reports", map { ('--node', conninfo($_, 'thin')) } @servers);
    for my $node (@servers)
    {
        $node->safe_psql('postgres', 'CREATE DATABASE thin');
        $node->safe_psql('thin', q{CREATE EXTENSION pgark; CREATE TABLE t AS SELECT i, repeat('0123456789', 2000) AS t FROM generate_series(1, 1000) i});
    }
    $servers[1]->safe_psql('thin', <<'SQL');
INSERT INTO t SELECT i, repeat('0123456789', 2000) FROM generate_series(1, 1000) i;
CREATE TABLE random AS SELECT i, md5(i::text) || md5((-i)::text) AS t FROM generate_series(1, 60000) i;
SQL
    # The node's own set, which is compressed, fits, and its script does not; not even the set fits; nothing does.
    my $key = 20260107000000;
    for my $case ([ 'no room for a script', 0, '--gp-c=none' ], [ 'no room for the set', 15 ], [ 'no room at all', 17 ])
    {
        my ($name, $filled, @how) = @$case;
        $key++;
        open my $fh, '>:raw', "$small/filler" or die $!;
        for (1 .. 256 * $filled) { last unless syswrite $fh, 'x' x 4096 }
        close $fh;
        gp_tool_fails('gp_dump', [ '--gp-d', 'small', '--gp-k', $key, @how, @thin ],
            qr{error: node 1 \([^)]*\):.*(/small|\Q$small\E)/.*No space left on device}, $name);
        unlink "$small/filler";
        is(join(' ', grep { !/status/ } map { gp_files($_) } "$data[0]/small", $small), '', "$name: no script is there, on any host");
        like(slurp_bytes("$base/reports/gp_dump_$key.rpt"), qr/: Failed \{.*node 1 .*No space left.*\}\n.*finished unsuccessfully with 4 failures\.\n\z/s,
            "$name: the report says why");
        like(slurp_bytes("$small/gp_dump_status_1_2_$key"), qr/No space left on device/, "$name: the status of the node, too") if $filled < 16;
        like(slurp_bytes("$data[0]/small/gp_dump_status_0_1_$key"), qr/\[ERROR\]:-(cancelled|the agent was asked to end)\n\z/, "$name: the other one was ended") if $filled == 0;
        no_traces($name, undef, @servers);
    }
    gp_tool_ok('gp_dump', [ '--gp-d', 'small', '--gp-k', '20260107000009', @thin ], 'a full disk: the next dump fits');
    is(join(' ', grep { /20260107000009/ } gp_files($small)),
        join(' ', sort map { $_ . '_1_2_20260107000009' } qw(gp_cdatabase gp_dump gp_dump_status)) =~ s/(gp_dump_1_2_\d+)/$1.gz $1_post_data.gz/r, 'and all its files are there');
    unlink "$data[1]/small";
    $_->safe_psql('postgres', 'DROP DATABASE thin') for @servers;
});

# ---- kills: node 0 has its scripts, and waits for node 1, whose report is held back -------------------------------

# agent SERVER - the pid of the agent that its session has started.
sub agent
{
    my ($i) = @_;
    my $backend = $servers[$i]->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'pgark launch'});
    return $backend eq '' ? undef : (grep { (eval { slurp_bytes("/proc/$_/cmdline") } // '') =~ /\0agent\0gp_dump_node\0/ } tree_of($backend))[0];
}

$servers[1]->safe_psql('bank', <<'SQL');
DO $$ BEGIN
    EXECUTE (SELECT regexp_replace(pg_get_functiondef('pgark.report'::regproc), 'BEGIN',
        'BEGIN IF report.phase <> ''starting'' AND report.outcome IS NULL THEN PERFORM pg_advisory_xact_lock_shared(7); END IF;'));
END $$;
SQL
my $holder = $servers[1]->background_psql('bank');
$holder->query_safe('SELECT pg_advisory_lock(7)');
my $second = 20260105000000;
# Before 14 a session that waits for a lock does not notice that nobody is there any more; here the test has the lock.
for my $case ($servers[1]->pg_version < 14 ? () : ([ 'gp_dump is killed', 'KILL', sub { $_[0]{pid} }, 137, undef ], [ 'gp_dump is interrupted', 'INT', sub { $_[0]{pid} }, 130, undef ],
    [ 'an agent that waits is killed', 'KILL', sub { agent(0) }, 1, qr/node 0.*was ended by signal 9/ ],
    [ 'an agent that is slow is killed', 'KILL', sub { agent(1) }, 1, qr/node 1.*was ended by signal 9/ ]))
{
    my ($name, $signal, $whom, $wanted, $pattern) = @$case;
    $second++;
    local $ENV{PGARK} = ($ENV{PGARK} =~ s{[^/]+\z}{gp_dump}r);
    my $run = pgark_start('--gp-d', 'killed', '--gp-r', "$base/reports", '--gp-k', $second, @from);
    wait_for_query($servers[0], 'bank', "SELECT phase = 'checked' FROM pgark.task WHERE key = '$second'", "$name: node 0 waits");
    kill $signal, $whom->($run);
    my ($code, undef, $err) = pgark_finish($run);
    is($code, $wanted, "$name: exit code");
    like($err, $pattern, "$name: the node is named") if defined $pattern;
    no_traces($name, undef, @servers);
    is(join(' ', grep { !/status/ && !/\A\.gp_dump_\d+_\d_\d\.set\z/ } map { gp_files("$_/killed") } @data), '', "$name: no script is there");
}
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$holder->quit;

# The last node fails when all have begun to name their files: those of the others are taken back.
$servers[1]->safe_psql('bank', <<'SQL');
DO $$ BEGIN
    EXECUTE (SELECT regexp_replace(pg_get_functiondef('pgark.report'::regproc), 'BEGIN IF.*?END IF;',
        'BEGIN IF report.kind = ''gp_dump_node'' AND report.phase IN (''naming'', ''ended'') THEN
            PERFORM pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE a.application_name = ''pgark launch''; END IF;'));
END $$;
SQL
gp_tool_fails('gp_dump', [ '--gp-d', 'late', '--gp-r', "$base/reports", '--gp-k', '20260106000000', @from ], qr/node 1.*(terminat|lost)/, 'a failure at the very end');
no_traces('a failure at the very end', undef, @servers);
is(join(' ', grep { !/status/ } map { gp_files("$_/late") } @data), '', 'no script of it stays, on any host');
$servers[1]->safe_psql('bank', <<'SQL');
DO $$ BEGIN
    EXECUTE (SELECT regexp_replace(pg_get_functiondef('pgark.report'::regproc), 'BEGIN IF.*?END IF;', 'BEGIN'));
END $$;
SQL
gp_tool_ok('gp_dump', [ '--gp-d', 'killed', '--gp-r', "$base/reports", @from ], 'the next dump');
is(join(' ', map { glob "$_/.gp_dump*" } map({ "$_/killed" } @data), "$base/reports"), '', 'no place is left');
done_testing();
