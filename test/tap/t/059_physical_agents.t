# A physical set is restored on several hosts by one run: through agents of small servers there, which see copies of the
# repository, and here. Nothing is written anywhere before all is checked everywhere; whoever fails, ends or dies in the
# middle, nothing that a server starts from is left by anybody.
use strict;
use warnings;
use File::Path qw(make_path rmtree);
use PgarkTest;
use PhysicalRestoreTest;
use PhysicalTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_agents();

my @shards = map { physical_server("shard$_") } 0 .. 2;
my $space  = PostgreSQL::Test::Utils::tempdir_short();
$shards[1]->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
for my $i (0 .. 2)
{
    my $away = $i == 1 ? 'TABLESPACE elsewhere' : '';
    $shards[$i]->safe_psql('postgres', "CREATE TABLE t $away AS SELECT i, md5((i * ($i + 1))::text) FROM generate_series(1, 5000) i");
}
my $dir     = PostgreSQL::Test::Utils::tempdir('places');
my $pattern = "$dir/repo-%c";
my $home    = "$dir/repo-home";
my $key     = backup($pattern, '--physical', map { ('--node', conninfo($_)) } @shards);
my $point   = (physical_records($home, $key, 'physical', 0))[0]{restore_point};
PostgreSQL::Test::Utils::system_or_bail('cp', '-r', $home, "$dir/repo-$_") for 0, 1;

# Two hosts, as far as an agent can see. What lets an agent go on from a phase can be withheld there.
my ($east, $west) = my @agents = map { agent_server($_, 'postgres') } qw(east west);
$_->safe_psql('postgres', <<'SQL') for @agents;
CREATE TABLE held (phase text);
CREATE OR REPLACE FUNCTION pgark.proceed(key text, kind text, node integer) RETURNS void
    LANGUAGE sql SECURITY DEFINER AS $$
    UPDATE pgark.task t SET proceed = true WHERE t.key = $1 AND t.kind = $2 AND t.node = $3
        AND NOT EXISTS (SELECT FROM public.held h WHERE h.phase = t.phase) $$;
CREATE ROLE keeper LOGIN IN ROLE pgark_backup, pg_write_server_files;
CREATE ROLE member LOGIN IN ROLE pgark_backup;
CREATE ROLE stranger LOGIN;
SQL
my @to = ('restore', $key, '--physical', '--no-sync');

sub agent_map { my ($content, $server, @more) = @_; return ('--agent-map', "$content=" . conninfo($server, @more)) }

sub pids
{
    my ($pattern) = @_;
    return grep { /\A\d+\z/ && slurp_cmdline($_) =~ $pattern } map { s{.*/}{}r } glob '/proc/[0-9]*';
}

sub slurp_cmdline
{
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/cmdline" or return '';
    local $/;
    return (<$fh> // '') =~ tr/\0/ /r;
}

# The agents of this run's servers: those that are children of theirs.
sub agents
{
    my (@servers) = @_;
    my %mine = map { $_ => 1 } map { tree_of(slurp_bytes($_->data_dir . '/postmaster.pid') =~ /\A(\d+)/) } @servers;
    return grep { $mine{$_} } pids(qr/ agent restore_physical /);
}

# fleet NAME - places for three servers; the options that send the first to the east, the second to the west, the
# third to where pgark runs.
sub fleet
{
    my ($name) = @_;
    my @places = map { new_place("$name$_") } 0 .. 2;
    my $other  = PostgreSQL::Test::Utils::tempdir_short();
    return (\@places, '--repo', $pattern, '--tablespace-map', "$space=$other",
        (map { ('--map', "$_=" . $places[$_]->data_dir) } 0 .. 2), agent_map(0, $east), agent_map(1, $west));
}

sub nothing_left
{
    my ($places, $name) = @_;
    wait_for(sub { !agents(@agents) }, "$name: agents end");
    is(scalar agents(@agents), 0, "$name: no agent is left");
    is_deeply([ map { -e $_->data_dir ? $_->name : () } @$places ], [], "$name: no directory is left");
    return;
}

# ---- the fleet comes back
{
    my ($places, @how) = fleet('all');
    my $json = pgark_json([ 'restore', 'latest', '--physical', @how, '-j3', '--no-sync' ], 'all: restore');
    is($json->{key}, $key, 'all: latest is the set');
    is($json->{restore_point}, $point, 'all: to its restore point');
    is_deeply([ map { $_->{agent} } @{ $json->{nodes} } ], [ (map { $_->host . ':' . $_->port } @agents), undef ], 'all: who made what is told');
    is_deeply([ map { $_->{directory} } @{ $json->{nodes} } ], [ map { $_->data_dir } @$places ], 'all: and where');
    my @files = map { (physical_records($home, $key, 'physical', $_))[0]{files} } 0 .. 2;
    is_deeply([ map { $_->{files} } @{ $json->{nodes} } ], \@files, 'all: all files have come');
    for my $i (0 .. 2)
    {
        my $repo = $i < 2 ? "$dir/repo-$i" : $home;
        like(slurp_bytes($places->[$i]->data_dir . '/postgresql.auto.conf'), qr/^restore_command = '.*get-wal ''\Q$repo\E'' ''$key'' $i /m,
            "all: node $i gets its WAL from the repository that its host sees");
        start_restored($places->[$i], "all, node $i");
        same_database($shards[$i], 'postgres', $places->[$i], 'postgres', "all, node $i");
        drop_server($places->[$i]);
    }
    for my $i (0, 1)
    {
        like($agents[$i]->safe_psql('postgres', "SELECT node, phase, outcome, bytes = bytes_total, bytes > 1000000 FROM pgark.task WHERE key = '$key' AND kind = 'restore_physical'"),
            qr/\A$i\|ended\|finished\|t\|t\z/, "all: the task of node $i is there");
    }
}

# ---- two nodes through one server, whose agent is told of a target and of a tablespace; nothing is here
{
    my @places = map { new_place("pair$_") } 0 .. 1;
    my $other  = PostgreSQL::Test::Utils::tempdir_short();
    my @pair   = (map { ('--map', "$_=" . $places[$_]->data_dir), agent_map($_, $east, 'postgres', 'user=keeper') } 0, 1);
    my @how    = (@to, '--repo', $home, '--tablespace-map', "1:$space=$other");
    my ($code, $out, $err) = pgark(@how, @pair, '--target-time', '2199-01-01 00:00:00+00', '--progress=json');
    is($code, 0, 'pair: restore by a role that may write files') or diag($err);
    like($out, qr/^node 1 .* in \Q${\ $places[1]->data_dir}\E, by the agent of \Q${\ $east->host}\E:\d+$/m, 'pair: what was done is told');
    like($err, qr/node 2 of the set is not restored/, 'pair: and what was not');
    like($err, qr/"nodes 0, 1 \(/, 'pair: progress names them');
    for my $i (0, 1)
    {
        like(slurp_bytes($places[$i]->data_dir . '/postgresql.auto.conf'), qr/^recovery_target_name = '\Q$point\E'$/m,
            "pair: the time is a common restore point to node $i, which its agent would not know by itself");
        start_restored($places[$i], "pair, node $i");
        same_rows($shards[$i], 'postgres', $places[$i], 'postgres', "pair, node $i");
    }
    is($places[1]->safe_psql('postgres', q{SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'elsewhere'}), $other,
        'pair: the tablespace is where it was sent');
    drop_server($_) for @places;

    # What one agent works for it sees together.
    my $fresh = "$dir/fresh";
    my @where = (@to, '--repo', $home, '--tablespace-map', "1:$space=$dir/space", agent_map(0, $east), agent_map(1, $east), '--map', "0=$fresh");
    my $apart = qr/nodes 0, 1 \(.*agent: \S+ and \S+ would both be written to, and one lies in the other/;
    pgark_fails([ @where, '--map', "1=$dir/../" . ($dir =~ s{.*/}{}r) . '/fresh' ], $apart, 'pair: one directory by two names');
    pgark_fails([ @where, '--map', "1=$dir/space" ], $apart, 'pair: a directory and a tablespace');
    pgark_fails([ @to, '--repo', $pattern, @pair ], qr/nodes 0 and 1 have one server in --agent-map, and --repo leads.*hint: Leave %c out/s, 'pair: two repositories');
    is_deeply([ grep { -e } $fresh, "$dir/space" ], [], 'pair: nothing is made');
}

# ---- how servers are to recover is told to agents
{
    my $place = new_place('one')->data_dir;
    my @one   = (@to, '--repo', $home, '--map', "0=$place", agent_map(0, $west));
    pgark_ok([ @one, '--standby', '--no-space-check' ], 'standby: restore');
    ok(-e "$place/standby.signal", 'standby: it is one');
    rmtree($place);
    pgark_ok([ @one, '--target-name', "pgark_$key" ], 'target: restore');
    like(slurp_bytes("$place/postgresql.auto.conf"), qr/^recovery_target_name = '\Q$point\E'$/m, 'target: it is told');
    pgark_fails([ @one, '--target-name', 'nowhere' ], qr/has no restore point "nowhere"/, 'target: another one');
    rmtree($place);
}

# ---- new addresses: the agent's host has the server's programs, and recovers (these servers have no Citus)
{
    my ($places, @how) = fleet('hosts');
    my %whole = map { $_ => slurp_bytes(set_dir($_, $key) . '/manifest.jsonl') } map { "$dir/repo-$_" } 'home', 0, 1;
    forge(set_dir($_, $key), sub { map { s/("topology":)"shards"/$1"citus"/r } @_ }) for keys %whole;
    my ($code, $out, $err) = pgark(@to, @how, '--host-map', 'a=b');
    is($code, 2, 'hosts: restore, with a warning') or diag($err);
    like($err, qr/warning: no node that is restored has a table of the cluster's nodes/, 'hosts: which says what is odd');
    is_deeply([ map { -e $_->data_dir . '/recovery.signal' ? 1 : 0 } @$places ], [ 0, 0, 0 ], 'hosts: all are recovered');
    unlike(slurp_bytes($_->data_dir . '/postgresql.auto.conf'), qr/not_finished/, 'hosts: and may be started') for @$places;
    start_restored($places->[1], 'hosts');
    same_rows($shards[1], 'postgres', $places->[1], 'postgres', 'hosts');
    drop_server($_) for @$places;
    pgark_fails([ @to, @how, '--host-map', 'a=b:x' ], qr/"x" is no port/, 'hosts: a wrong one');
    spew_bytes("$_/sets/" . substr($key, 0, 8) . "/$key/manifest.jsonl", $whole{$_}) for keys %whole;
    nothing_left($places, 'hosts');
}

# ---- what is refused, anywhere, leaves nothing anywhere
{
    my ($places, @how) = fleet('refused');
    my @data = map { $_->data_dir } @$places;
    make_path("$data[1]/full");
    pgark_fails([ @to, @how ], qr/^pgark: error: node 1 \(.*: agent: --map 1: \Q$data[1]\E is not empty: there is "full".*hint: A restore writes to empty/ms,
        'refused: a directory in the west');
    ok(!-e $data[$_], "refused: nothing is made for node $_") for 0, 2;
    rmtree($data[1]);
    make_path("$data[2]/full");
    pgark_fails([ @to, @how ], qr/^pgark: error: --map 2: \Q$data[2]\E is not empty/m, 'refused: a directory here');
    rmtree($data[2]);
    nothing_left($places, 'refused: a directory');

    my $manifest = set_dir("$dir/repo-1", $key) . '/manifest.jsonl';
    my $bytes    = slurp_bytes($manifest);
    forge(set_dir("$dir/repo-1", $key), sub { map { s/("fleet":")/$1x/r } @_ });
    pgark_fails([ @to, @how ], qr/node 1 .*set $key in repository \Q$dir\E\/repo-1 is not the one that the coordinator sees/, 'refused: another set of that key');
    spew_bytes($manifest, $bytes);
    my $wal = object_of("$dir/repo-1", $key, qr{node1/wal/});
    rename $wal, "$dir/wal" or die "$wal: $!";
    pgark_fails([ @to, @how ], qr/node 1 .*object physical\/node1\/wal\/\S+: it is missing/, 'refused: WAL that is missing where the agent is');
    rename "$dir/wal", $wal or die "$wal: $!";
    nothing_left($places, 'refused: sets');

    # The servers.
    my @map = map { ('--map', "$_=$data[$_]") } 0, 2;
    $west->safe_psql('postgres', 'CREATE DATABASE bare');
    my @one = (@to, '--repo', $pattern, @map);
    pgark_fails([ @one, '--agent-map', "0=host=$dir port=1" ], qr/^pgark: error: node 0: --agent-map: could not connect: .*\Q$dir\E/m, 'refused: no server there');
    pgark_fails([ @one, agent_map(0, $west, 'bare') ], qr/node 0 .*the database has no extension pgark.*hint: CREATE EXTENSION/s, 'refused: no extension');
    pgark_fails([ @one, agent_map(0, $west, 'postgres', 'user=stranger') ], qr/role "stranger" may not start agents|permission denied/, 'refused: a stranger');
    pgark_fails([ @one, agent_map(0, $west, 'postgres', 'user=member') ],
        qr/node 0 .*role "member" may not write files on this server's host.*hint: .*pg_write_server_files/s, 'refused: a role that may back up only');
    $west->safe_psql('postgres', q{UPDATE pg_extension SET extversion = '2.0' WHERE extname = 'pgark'});
    pgark_fails([ @one, agent_map(0, $west) ], qr/extension pgark 2.0 in database "postgres" is not of this release/, 'refused: another version');
    $west->safe_psql('postgres', q{UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'pgark'});

    # The options.
    pgark_fails([ @one, '--agent-map', '0=hosts=x password=y' ], qr/--agent-map 0: not a valid connection string: its text is not shown/, 'refused: no conninfo');
    pgark_fails([ @to, '--repo', $pattern, '--map', '0=data', agent_map(0, $west) ], qr/--map 0: with agents a directory is an absolute path, not "data"/, 'refused: a relative directory');
    pgark_fails([ @one, agent_map(0, $west), '--tablespace-map', '/a=b' ], qr/--tablespace-map: with agents a directory is an absolute path, not "b"/, 'refused: a relative tablespace');
    pgark_fails([ @one, agent_map(0, $west), '--map', "7=$dir/seven" ], qr/--map names content id 7, which set $key does not have/, 'refused: a node too many');
    nothing_left($places, 'refused: servers and options');
}

# ---- in the middle: the west is held when it has checked, the others have written all but what lets servers start

# held PHASE - a restore that has come so far, and stays there.
sub held
{
    my ($phase, $name) = @_;
    my ($places, @how) = fleet($name);
    $west->safe_psql('postgres', "TRUNCATE held; INSERT INTO held VALUES ('$phase')");
    my $run  = pgark_start(@to, @how);
    my $then = $phase eq 'checked' ? 'written' : 'whole';
    my $look = "SELECT phase FROM pgark.task WHERE key = '$key' AND kind = 'restore_physical' AND outcome IS NULL";
    wait_for(sub {
            $run->{harness}->pump_nb;
            $east->safe_psql('postgres', $look) eq $then && $west->safe_psql('postgres', $look) eq $phase;
        }, "$name: the restore is in the middle");
    wait_for(sub { -e $places->[2]->data_dir . ($phase eq 'checked' ? '/recovery.signal' : '/global/pg_control') }, "$name: here, too");
    return ($places, $run);
}

sub over
{
    my ($run, $name, $want, $pattern) = @_;
    my ($code, $out, $err) = pgark_finish($run);
    is($code, $want, "$name: exit code") or diag($err);
    like($err, $pattern, "$name: the error says why");
    return;
}

sub control { my ($place) = @_; return -e $place->data_dir . '/global/pg_control' ? 1 : 0 }

{
    my ($places, $run) = held('checked', 'agent killed');
    ok(-e $places->[0]->data_dir . '/base' && !-e $places->[1]->data_dir, 'agent killed: one has written, one has not');
    my @pids = agents($east);
    is(scalar @pids, 1, 'agent killed: it is there');
    kill 'KILL', @pids;
    over($run, 'agent killed', 1, qr/error: node 0 \(.*was ended by signal 9.*hint: What it has written may be there still/s);
    ok(-e $places->[0]->data_dir . '/base', 'agent killed: what it wrote is left');
    is(control($places->[0]), 0, 'agent killed: and is nothing that starts');
    pgark_fails([ @to, '--repo', $home, '--map', '0=' . $places->[0]->data_dir, agent_map(0, $east) ], qr/is not empty/, 'agent killed: nor is it written into');
    rmtree($places->[0]->data_dir);
    nothing_left($places, 'agent killed');
    is($west->safe_psql('postgres', "SELECT outcome FROM pgark.task WHERE kind = 'restore_physical' AND node = 1"), 'cancelled', 'agent killed: the other was cancelled');
}
{
    my ($places, $run) = held('checked', 'run killed');
    kill 'KILL', $run->{pid};
    pgark_finish($run);
    wait_for(sub { !agents(@agents) }, 'run killed: agents end');
    is(control($places->[2]), 0, 'run killed: what is left here is nothing that starts');
    rmtree($places->[2]->data_dir);
    nothing_left($places, 'run killed');
}
{
    # The other agent is given the time that it takes to remove what it has written.
    my ($places, $run) = held('checked', 'cancelled');
    my @slow = agents($east);
    kill 'STOP', @slow;
    is($west->safe_psql('postgres', "SELECT pgark.cancel('$key')"), 1, 'cancelled: the agent is found');
    wait_for_query($east, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgark agents'}, 'cancelled: the run leaves');
    kill 'CONT', @slow;
    over($run, 'cancelled', 1, qr/node 1 .*cancelled by pgark.cancel\n(?!.*hint)/);
    nothing_left($places, 'cancelled');
}
{
    my ($places, $run) = held('checked', 'server stopped');
    $west->stop('immediate');
    over($run, 'server stopped', 1, qr/error: node 1 /);
    $west->start;
    nothing_left($places, 'server stopped');
}
{
    my ($places, $run) = held('written', 'interrupted');
    is(control($places->[0]) . control($places->[1]) . control($places->[2]), '101', 'interrupted: all but one could be started');
    kill 'INT', $run->{pid};
    over($run, 'interrupted', 130, qr/cancelled/);
    nothing_left($places, 'interrupted');
}
# What cannot be removed is told, but for pg_control, which goes first.
SKIP:
{
    skip 'root may remove everything', 1 unless $>;
    my ($places, $run) = held('written', 'stuck');
    my $data = $places->[0]->data_dir;
    chmod 0500, "$data/base" or die "$data/base: $!";
    $west->safe_psql('postgres', "SELECT pgark.cancel('$key')");
    over($run, 'stuck', 1, qr/warning: node 0 \(.*\): what the agent has written is not all removed\n.*node 1 .*cancelled by pgark.cancel/s);
    is_deeply([ -d "$data/base", control($places->[0]) ], [ 1, 0 ], 'stuck: it is nothing that starts');
    chmod 0700, "$data/base";
    rmtree($data);
    nothing_left($places, 'stuck');
}
{
    my ($places, @how) = fleet('again');
    $west->safe_psql('postgres', 'TRUNCATE held');
    pgark_ok([ @to, @how ], 'again: after all that it works');
    is_deeply([ map { control($_) } @$places ], [ 1, 1, 1 ], 'again: all could be started');
}

$_->stop('immediate') for @shards;
drop_server($_) for @agents;
done_testing();
