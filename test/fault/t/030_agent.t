# Agents and what can happen to them: every process that takes part is killed in every state; a node's
# server is stopped, restarted, frozen; a disk is full; somebody cancels, forges, or has no right. The run fails
# with an error that names the node, nothing goes on anywhere, and nothing is left but what expire finds.
use strict;
use warnings;
use File::Path qw(rmtree);
use NetworkTest;
use POSIX ();
use PgarkTest;
use PostgreSQL::Test::Utils;
use Sys::Hostname;
use Test::More;
use Time::HiRes qw(time usleep);

needs_agents();

# A program of this suite's own: its agents are told from those of suites that run at the same time.
my $program = PostgreSQL::Test::Utils::tempdir('program') . '/pgark';
system('cp', $ENV{PGARK}, $program) == 0 or die;
my @servers = map { agent_server("node$_", 'shop', conf => "pgark.program = '$program'\n") } 0 .. 2;
for my $node (@servers)
{
    $node->safe_psql('shop', <<'SQL');
CREATE TABLE big (id int PRIMARY KEY, t text);
INSERT INTO big SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 150000) i;
CREATE TABLE small AS SELECT 1 AS a;
SQL
}
my $dir   = PostgreSQL::Test::Utils::tempdir('parts');
my $repo  = "$dir/repo-%c";
my @nodes = map { ('--node', conninfo($_, 'shop')) } @servers;
# Small chunks, one behind the other: there is time to do something in between.
my @how = ('backup', '--repo', $repo, '--agent', '-j1', '-Zzstd:1', '--rate-limit=1MB', '--chunk-size=128kB', @nodes);

# agents [KIND] - pids of the agents that live, of this test's servers.
sub agents
{
    my ($kind) = @_;
    $kind //= '[a-z]+';
    my @found;
    for my $proc (glob '/proc/[0-9]*')
    {
        my $argv = eval { slurp_bytes("$proc/cmdline") } // next;
        my $state = (eval { slurp_bytes("$proc/stat") } // '') =~ /\) Z/;
        push @found, $proc =~ /(\d+)\z/ if !$state && $argv =~ /\A\Q$program\E\0agent\0$kind\0/;
    }
    return @found;
}

sub sets { return map { my $r = $_; map { "$r $_" } repo_sets("$dir/repo-$r") } 'home', 0 .. 2 }

# backend SERVER, APPLICATION - the pid of its session.
sub backend
{
    my ($i, $name) = @_;
    return $servers[$i]->safe_psql('postgres',
        "SELECT pid FROM pg_stat_activity WHERE application_name = '$name' LIMIT 1");
}

# phase SERVER - of the agent of the backup that was begun last.
sub phase
{
    my ($i) = @_;
    my $key = (repo_sets("$dir/repo-home"))[-1] // return '';
    return $servers[$i]->safe_psql('shop',
        "SELECT phase FROM pgark.task WHERE key = '$key' AND kind = 'backup' AND outcome IS NULL");
}

# started WHEN - a backup that has come to that state.
my %state = (
    started => sub {
        my $key   = (repo_sets("$dir/repo-home"))[-1] // return 0;
        my @parts = glob "$dir/repo-?/sets/*/$key/part.home";
        return @parts == 3;
    },
    running => sub { !grep { phase($_) ne 'running' } 0 .. 2 },
);

sub started
{
    my ($when, @more) = @_;
    my $run = pgark_start(@how, @more);
    wait_for(sub { $run->{harness}->pump_nb; $state{$when}->() || !$run->{harness}->pumpable },
        "the backup is $when");
    return $run;
}

# over RUN, NAME, PATTERN - it fails with an error that matches; nothing of it goes on.
sub over
{
    my ($run, $name, $pattern) = @_;
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, "$name: the backup fails") or diag($err);
    like($err, $pattern, "$name: the error says why");
    nothing_goes_on($name);
    return;
}

sub nothing_goes_on
{
    my ($name) = @_;
    wait_for(sub { !agents() }, "$name: agents end");
    is(scalar(agents()), 0, "$name: no agent is left");
    no_traces($name, undef, @servers);
    return;
}

# swept NAME - expire removes what was left.
sub swept
{
    my ($name) = @_;
    # What was begun in the very second in which expire begins could be a run that it does not know.
    my ($newest) = sort { $b cmp $a } map { (split)[1] } sets();
    wait_for(sub { POSIX::strftime('%Y%m%d%H%M%S', gmtime) gt $newest }, 'the next second') if defined $newest;
    pgark('expire', '--keep=5', '--repo', $repo, @nodes) if -d "$dir/repo-home";
    is_deeply([ sets() ], [], "$name: expire leaves nothing");
    return;
}

# ---- the matrix ----------------------------------------------------------------------------------

for my $when (qw(started running))
{
    {
        my $run = started($when);
        kill 'KILL', (agents('backup'))[0];
        over($run, "agent killed, $when", qr/node \d.*was ended by signal 9/);
        swept("agent killed, $when");
    }
    {
        my $run = started($when);
        my $t   = time;
        kill 'KILL', $run->{pid};
        pgark_finish($run);
        wait_for(sub { !agents() }, 'agents end');
        cmp_ok(time - $t, '<', 5, "coordinator killed, $when: agents are gone within 5 seconds");
        nothing_goes_on("coordinator killed, $when");
        swept("coordinator killed, $when");
    }
    {
        my $run = started($when);
        $servers[1]->safe_psql('postgres', 'SELECT pg_terminate_backend('
              . backend(1, 'pgark launch') . ')');
        over($run, "launch terminated, $when", qr/node 1.*(terminat|lost)/);
        swept("launch terminated, $when");
    }
    {
        my $run = started($when);
        my $pid = backend(1, 'pgark agent status');
        $servers[1]->safe_psql('postgres', "SELECT pg_terminate_backend($pid)") if $pid;
        over($run, "status session of an agent terminated, $when", qr/node 1.*(status connection|report|terminat)/)
          if $pid;
        pgark_finish($run) if !$pid;
        swept("status session of an agent terminated, $when");
    }
    {
        my $run = started($when);
        $servers[1]->safe_psql('postgres', 'SELECT pg_terminate_backend('
              . backend(1, 'pgark agents') . ')');
        over($run, "status session of the coordinator terminated, $when", qr/node 1.*(lost|terminat)/);
        swept("status session of the coordinator terminated, $when");
    }
    {
        my $run = started($when);
        kill 'KILL', backend(1, 'pgark launch');
        my ($code, $out, $err) = pgark_finish($run);
        is($code, 1, "server process killed, $when: the backup fails");
        like($err, qr/node 1/, "server process killed, $when: the node is named");
        wait_until_up($servers[1], 'the server is up again');
        nothing_goes_on("server process killed, $when");
        swept("server process killed, $when");
    }
    {
        my $run = started($when);
        $servers[1]->stop('immediate');
        my ($code, $out, $err) = pgark_finish($run);
        is($code, 1, "server stopped, $when: the backup fails");
        like($err, qr/node 1/, "server stopped, $when: the node is named");
        $servers[1]->start;
        nothing_goes_on("server stopped, $when");
        swept("server stopped, $when");
    }
}

# ---- cancel --------------------------------------------------------------------------------------

{
    my $run = started('running');
    my $key = (repo_sets("$dir/repo-home"))[0];
    my $t   = time;
    is($servers[2]->safe_psql('shop', "SELECT pgark.cancel('$key')"), 1, 'pgark.cancel finds the agent');
    over($run, 'pgark.cancel', qr/node 2.*cancelled by pgark.cancel/);
    is_deeply([ sets() ], [], 'pgark.cancel: everything is removed');
    is(join(',', sort map { $_->safe_psql('shop', "SELECT outcome FROM pgark.task WHERE key = '$key' AND kind = 'backup'") } @servers),
        'cancelled,cancelled,cancelled', 'pgark.cancel: the tasks say so');
}
# A node that is done takes its part back when another one fails.
{
    $servers[0]->safe_psql('postgres', 'CREATE DATABASE tiny');
    $servers[0]->safe_psql('tiny', 'CREATE EXTENSION pgark; CREATE TABLE t AS SELECT 1 AS a');
    my $run = pgark_start(@how[ 0 .. 7 ], '--node', conninfo($servers[0], 'tiny'), @nodes[ 2, 3 ]);
    wait_for(sub {
            $run->{harness}->pump_nb;
            $servers[0]->safe_psql('tiny', 'SELECT outcome FROM pgark.task') eq 'finished'
        }, 'one node is done');
    is(scalar(grep { /^0 / } sets()), 1, 'its part is there');
    $servers[1]->safe_psql('shop', "SELECT pgark.cancel('" . (repo_sets("$dir/repo-home"))[0] . "')");
    over($run, 'another node fails', qr/node 1.*cancelled by pgark.cancel/);
    is_deeply([ sets() ], [], 'another node fails: the part of the one that was done is removed');
    $servers[0]->safe_psql('postgres', 'DROP DATABASE tiny');
}
{
    my $run = started('running');
    my $t   = time;
    kill 'INT', $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, 130, 'a signal cancels the run');
    nothing_goes_on('a signal');
    is_deeply([ sets() ], [], 'a signal: everything is removed');
}

# ---- forgeries -------------------------------------------------------------------------------------

{
    $servers[2]->safe_psql('shop', 'CREATE ROLE stranger LOGIN; CREATE ROLE member LOGIN IN ROLE pgark_backup');
    my $run = started('running');
    my $key = (repo_sets("$dir/repo-home"))[0];
    for my $role (qw(stranger member))
    {
        $servers[2]->psql('shop', "NOTIFY pgark_$key; SELECT pg_notify('pgark_$key', 'cancel')",
            extra_params => [ '-U', $role ]);
        my ($code, $out, $err) = $servers[2]->psql('shop',
            "SELECT pgark.report('$key', 'backup', 2, 'ended', NULL, NULL, 'finished', true)",
            extra_params => [ '-U', $role ]);
        like($err, qr/permission denied|has no task/, "role $role reports nothing for the agent");
    }
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'notifications of others have no effect') or diag($err);
    pgark_ok([ 'verify', 'latest', '--repo', $repo, @nodes ], 'the set is good');
    pgark_fails([ 'backup', '--repo', $repo, '--agent', '--node', conninfo($servers[2], 'shop', 'user=stranger') ],
        qr/role "stranger" may not start agents|permission denied/, 'a role without the right');
    rmtree("$dir/repo-$_") for 'home', 0 .. 2;
}

# ---- a full queue of notifications ---------------------------------------------------------------

# What the server says then, said by a function in the place of the real one: to fill the queue takes 8 GB.
{
    $_->safe_psql('shop', <<'SQL') for @servers;
CREATE TABLE before AS SELECT pg_get_functiondef('pgark.report'::regproc) AS def;
DO $$ BEGIN
    EXECUTE (SELECT regexp_replace(def, 'PERFORM pg_notify[^;]*;',
        'RAISE program_limit_exceeded USING MESSAGE = ''too many notifications in the NOTIFY queue'';') FROM before);
END $$;
SQL
    my $full = new_repo();
    my $key  = backup($full, '--agent', @nodes);
    pgark_ok([ 'verify', $key, '--repo', $full ], 'with a full queue of notifications agents work all the same');
    is($servers[1]->safe_psql('shop', "SELECT phase, outcome FROM pgark.task WHERE key = '$key'"),
        'ended|finished', 'and their tasks are kept');
    $_->safe_psql('shop', 'DO $$ BEGIN EXECUTE (SELECT def FROM before); END $$; DROP TABLE before')
      for @servers;
}

# ---- programs and versions -------------------------------------------------------------------------

{
    my @one = ('backup', '--repo', new_repo(), '--agent', '--node', conninfo($servers[2], 'shop'));
    for my $case ([ '', qr/pgark.program is not set/ ], [ '/nonexistent', qr/cannot be found/ ],
        [ '/etc/passwd', qr/cannot be executed/ ], [ '/bin/true', qr/invalid input syntax|no JSON/ ])
    {
        $servers[2]->safe_psql('postgres', "ALTER SYSTEM SET pgark.program = '$case->[0]'");
        $servers[2]->reload;
        $servers[2]->poll_query_until('shop', "SELECT pgark.cancel('20200101000000') = 0 AND current_setting('pgark.program') = '$case->[0]'");
        pgark_fails(\@one, $case->[1], "program \"$case->[0]\"");
    }
    $servers[2]->safe_psql('postgres', 'ALTER SYSTEM RESET pgark.program');
    $servers[2]->reload;
    $servers[2]->safe_psql('shop', "UPDATE pg_extension SET extversion = '2.0' WHERE extname = 'pgark'");
    pgark_fails(\@one, qr/extension pgark 2.0 in database "shop" is not of this release/, 'extension of another version');
    $servers[2]->safe_psql('shop', "UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'pgark'");
    my ($code, $out, $err) = $servers[2]->psql('shop', "SELECT pgark.launch('backup', '20261125120000', '{}')");
    like($err, qr/the job cannot be understood: it has no version/, 'a job without anything');
    ($code, $out, $err) = $servers[2]->psql('shop', "SELECT pgark.launch('rm', '20261125120000', '{\"version\": \"0\"}')");
    like($err, qr/is pgark \S+, the coordinator is 0/, 'a job of another version');
    # Two agents with one set of files.
    my $shared = "$dir/one";
    pgark_fails([ 'backup', '--repo', "$dir/one/", '--agent', @nodes, '--compress=zstd', '--node', 'host=/nonexistent' ],
        qr/node 3/, 'a node that is not there');
}

# ---- a full disk -----------------------------------------------------------------------------------

with_small_disk(sub {
    my ($small) = @_;
    my $full = "$small/full-%c";
    my $run = pgark_start('backup', '--repo', $full, '--agent', '-j1', '-Z', 'none', @nodes);
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, 'a full disk ends the run');
    like($err, qr/node \d .*No space left/, 'and is told');
    nothing_goes_on('full disk');
});

# ---- a server and a network that do not answer -----------------------------------------------------

# One host with one server, the others here; every host's repository is called after it.
my $why_not;
my $network = network_start(\$why_not);
my @apart   = ($nodes[0], conninfo($servers[0], 'tiny'), '--node', conninfo($servers[2], 'shop'));
sub near_run { my (@args) = @_; local $ENV{PGARK} = network_wrap($network); return pgark_start(@args) }
sub near_ok { my (@args) = @_; my ($code, $out, $err) = pgark_finish(near_run(@args)); is($code, 0, "over a network: $args[0]") or diag($err); return $out }

SKIP:
{
    skip $why_not, 1 if !defined $network;
    $servers[0]->safe_psql('postgres', 'CREATE DATABASE tiny');
    $servers[0]->safe_psql('tiny', 'CREATE EXTENSION pgark; CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i');
    $_->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS pgark') for @servers[ 0, 2 ];
    network_move($network, $servers[2]);
    my $far = sub { my ($db) = @_; return "host=$network->{address} port=" . $servers[2]->port . " dbname=$db" };
    $apart[3] = $far->('shop');
    my $at = "$dir/at-%h";
    near_ok('backup', '--repo', $at, '--agent', @apart);
    my @hosts = ('near', hostname(), 'far');
    my @keys = map { repo_sets("$dir/at-$_") } @hosts;
    is(scalar @keys, 3, '%h: each host has a repository of its own');
    is_deeply([ map { $_->{repo} } @{ manifest("$dir/at-near", $keys[0])->{node} } ], [ "$dir/at-$hosts[1]", "$dir/at-far" ],
        'which the manifest names');
    near_ok('verify', 'latest', '--repo', $at, @apart);
    near_ok('restore', 'latest', '--repo', $at, '--create', '--map', '0=' . conninfo($servers[0], 'copy'), '--map', '1=' . $far->('copy'));
    same_database($servers[2], 'shop', $servers[2], 'copy', 'over a network');
    $_->safe_psql('postgres', 'DROP DATABASE copy') for @servers[ 0, 2 ];
    rmtree(set_dir("$dir/at-near", $keys[0]));
    wait_for(sub { POSIX::strftime('%Y%m%d%H%M%S', gmtime) gt $keys[0] }, 'the next second');
    near_ok('expire', '--repo', $at, '--keep=1', @apart);
    is_deeply([ map { repo_sets("$dir/at-$_") } @hosts ], [], '%h: expire finds all parts');
    for my $name ('../at-odd', '.', 'a/b', "two\nlines", 'a b', '$(reboot)', '%h')
    {
        network_name($network, 'far', $name);
        my ($code, undef, $err) = pgark_finish(near_run('backup', '--repo', $at, '--agent', @apart));
        is($code, 1, 'a host with an odd name fails');
        like($err, qr/error: node 1 .* as this host calls itself, is no name for %h/, 'and is told');
    }
    network_name($network, 'near', '../at-odd');
    my ($code, undef, $err) = pgark_finish(near_run('backup', '--repo', $at, '--agent', @apart));
    like($err, qr/error: repository "\S+": "..\/at-odd", as this host calls itself/, 'so is the name of the host where pgark runs');
    network_name($network, $_, $_) for qw(near far);
    is_deeply([ map { s{.*/}{}r } glob "$dir/at-* $dir/at-*/sets/*/*" ], [ sort map { "at-$_" } @hosts ], 'nothing was made for odd names');
    no_traces('over a network', undef, @servers[ 0, 2 ]);
}

# One node's server is frozen; what goes to and from another one is held back, as where a cable is cut: the
# coordinator loses the first, and the agent of the second, whose server is well, loses the coordinator. And where
# there is a network that can be cut, it is, in the middle of a second backup.
{
    my $proxy = proxy_start($servers[2]);
    my @cut   = (@nodes[ 0 .. 3 ], '--node', proxied($proxy, 'shop'));
    my $far;
    if (defined $network)
    {
        $servers[0]->safe_psql('tiny', 'CREATE TABLE more AS SELECT i FROM generate_series(1, 1000000) i');
        $far = near_run('backup', '--repo', "$dir/cut-%c", '--agent', '-j1', '-Znone', '--rate-limit=100kB', '--chunk-size=128kB', @apart);
        wait_for(sub {
                $far->{harness}->pump_nb;
                my ($key) = repo_sets("$dir/cut-home");
                $far->{key} = $key;
                defined $key && $servers[2]->safe_psql('shop', "SELECT count(*) FROM pgark.task WHERE key = '$key' AND phase = 'running'") == 1
                  && $servers[0]->safe_psql('tiny', "SELECT count(*) FROM pgark.task WHERE key = '$key' AND phase = 'running'") == 1;
            }, 'the backup over a network is running');
        wait_for(sub { POSIX::strftime('%Y%m%d%H%M%S', gmtime) gt $far->{key} }, 'the next second');
    }
    my $run = pgark_start(@how[ 0 .. 7 ], @cut);
    wait_for(sub { $run->{harness}->pump_nb; $state{running}->() }, 'the backup is running');
    my $postmaster = slurp_bytes($servers[1]->data_dir . '/postmaster.pid') =~ /\A(\d+)/ ? $1 : die;
    my @frozen     = ($postmaster, tree_of($postmaster));
    # The second agent must not be done before it misses the coordinator.
    my $slow = $servers[2]->safe_psql('postgres',
        q{SELECT pid FROM pg_stat_activity WHERE application_name = 'pgark worker' ORDER BY backend_start DESC LIMIT 1});
    if (defined $network)
    {
        my ($ok, $sockets) = network_far($network, 'ss -tnoH state established sport = :' . $servers[2]->port);
        ok($ok && $sockets =~ /keepalive,\d+sec/ && $sockets !~ /keepalive,\d+min/, 'a server asks whether pgark is still there') or diag($sockets);
    }
    kill 'STOP', @frozen, $proxy->{pid}, $slow;
    network_cut($network) if defined $network;
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, 'a frozen server ends the run');
    like($err, qr/node [12] .*(has not been heard of|did not answer|lost)/, 'and is told');
    wait_for_query($servers[2], 'shop', <<'SQL', 'the agent of a coordinator that is cut off ends by itself');
SELECT message ~ 'coordinator' FROM pgark.task ORDER BY started DESC LIMIT 1
SQL
  SKIP:
    {
        skip $why_not, 1 if !defined $network;
        ($code, $out, $err) = pgark_finish($far);
        is($code, 1, 'a cut network ends the run');
        like($err, qr/error: node 1 \(10\.77\.0\.2:\d+\): the agent has not been heard of for [3-9]\d/, 'and the node is named');
        wait_for_query($servers[2], 'shop', "SELECT outcome = 'cancelled' AND message ~ 'coordinator has not been heard of' FROM pgark.task WHERE key = '$far->{key}' AND kind = 'backup'",
            'the agent that is cut off ends, too');
        is($servers[0]->safe_psql('tiny', "SELECT outcome FROM pgark.task WHERE key = '$far->{key}'"), 'cancelled', 'and so did the other one');
        is(join(' ', map { repo_sets("$dir/cut-$_") } 'home', 0, 1), '', 'nothing is left of the set');
        is($servers[2]->safe_psql('shop', q{SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname IN ('big', 'small')}), 0,
            'no lock is left on the node');
    }
    kill 'CONT', $slow, $proxy->{pid}, reverse @frozen;
    proxy_stop($proxy);
    wait_for(sub { !agents() }, 'frozen server: agents end');
    is(scalar(agents()), 0, 'frozen server: no agent is left');
    # A server that is cut off learns of it later: see the sockets above.
    no_traces('frozen server', undef, @servers[ 0, 1 ], defined $network ? () : $servers[2]);
    swept('frozen server');
}

drop_server($_) for @servers;
done_testing();
