# WAL that is received all the time: through restarts of both sides and a new timeline, without a gap; servers come
# back to points and times behind their base backup; what is missing is told; what no set needs goes.
use strict;
use warnings;
use PgarkTest;
use PhysicalRestoreTest;
use PhysicalTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $repo = new_repo();
my @node = map { physical_server("node$_") } 0, 1;
$_->safe_psql('postgres', 'CREATE TABLE state (n int); INSERT INTO state VALUES (0)') for @node;
my @both = map { ('--node', conninfo($_)) } @node;
my @one  = ('-d', conninfo($node[0]));

sub set_state
{
    my ($n) = @_;
    $_->safe_psql('postgres', "SET synchronous_commit = on; UPDATE state SET n = $n") for @node;
    return;
}

sub state_of
{
    return join ' ', map { $_->safe_psql('postgres', 'SELECT n FROM state') } @_;
}

sub fill_segments
{
    my ($node, $count) = @_;
    $node->safe_psql('postgres', join '', map { "SELECT pg_logical_emit_message(false, 'fill', 'x'); SELECT pg_switch_wal();" } 1 .. $count);
    return;
}

# ---- two servers, a point between two states
my $run = receive_start($repo, @both);
wait_for_query($_, 'postgres', 'SELECT active FROM pg_replication_slots WHERE slot_name = \'pgark\'', 'its slot is used')
  for @node;
pgark_fails([ 'receive-wal', '--repo', $repo, @one, '--slot', 'other' ], qr/is being received by pid \d+/, 'a second receiver');
is($node[0]->safe_psql('postgres', q{SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'other'}), '0', 'makes no slot');
my $key = backup($repo, '--physical', @both);
set_state(1);
my $point = pgark_json([ 'restore-point', 'before change', '--repo', $repo, @both ], 'restore-point');
is($point->{method}, 'barrier', 'the point is made behind a barrier');
is(scalar @{ $point->{nodes} }, 2, 'on both');
set_state(2);
pgark_ok([ 'restore-point', 'second', '--repo', $repo, @both ], 'another point');
set_state(3);
pgark_fails([ 'restore-point', 'second', '--repo', $repo, @both ], qr/has a restore point "second" already/, 'its name again');
pgark_fails([ 'restore-point', 'pgark_x', '--repo', $repo, @both ], qr/does not begin with pgark_/, 'a name of sets');
pgark_fails([ 'restore-point', '--repo', $repo, @both ], qr/needs the NAME/, 'no name');

# A name that one server may have in its WAL is not used again: it would come back to the first point, and another to the second.
$node[0]->safe_psql('postgres', 'CREATE ROLE half LOGIN SUPERUSER');
$node[1]->safe_psql('postgres', 'CREATE ROLE half LOGIN');
my @half = map { ('--node', conninfo($_, 'postgres', 'user=half')) } @node;
pgark_fails([ 'restore-point', 'torn', '--repo', $repo, '--cut=none', @half ], qr/could not make a restore point/, 'a point of one of two');
pgark_fails([ 'restore-point', 'torn', '--repo', $repo, @both ], qr/begun to make restore point "torn".*hint: .*another name/s, 'its name again');
pgark_fails([ 'restore-point', 'whole', '--repo', $repo, @half ], qr/could not take the barrier's locks/, 'a point that is not begun');
pgark_ok([ 'restore-point', 'whole', '--repo', $repo, @both ], 'its name is free');
is(join(' ', map { m{([^/]+)\.begun\z} } glob("$repo/points/*/.*.begun")), '.torn', 'no other one is left');
received($repo, $_, 'points') for @node;

my @place = map { new_place("point$_") } 0, 1;
restored($repo, $key, 'point', \@place, '--target-name=before change') and is(state_of(@place), '1 1', 'both are at the point');
drop_server($_) for @place;

# A time between the two points means the first one, as the servers do not share their clocks.
my ($first, $second) = sort { $a <=> $b } map { (json_lines($_))[0]{at_us} } glob("$repo/points/*/*.jsonl");
my $middle = int(($first + $second) / 2);
my $time   = POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime($middle / 1_000_000)) . sprintf('.%06dZ', $middle % 1_000_000);
my $fresh  = PostgreSQL::Test::Utils::tempdir();
my $json   = pgark_json([ 'restore', $key, '--physical', '--repo', $repo, '--no-sync', '--map', "0=$fresh/0", '--map', "1=$fresh/1",
        "--target-time=$time" ], 'a time between two points');
is($json->{restore_point}, 'before change', 'becomes the point before it');
my @to = ('restore', $key, '--physical', '--repo', $repo, '--no-sync', '--map', "0=$fresh/2", '--map', "1=$fresh/3");
pgark_fails([ @to, '--target-name=never' ], qr/no restore point "never"/, 'a point that is none');
pgark_fails([ @to, '--target-time=2020-01-01 00:00:00Z' ], qr/no common restore point|older set/, 'a time before the set');
pgark_fails([ @to, '--target-time=2020-01-01 00:00:00' ], qr/no time with a time zone/, 'a time without a zone');
ok(!-e "$fresh/2", 'nothing is made then');

# ---- one server, to a time
my $later = $node[0]->safe_psql('postgres', 'SELECT clock_timestamp()');
$node[0]->safe_psql('postgres', 'SET synchronous_commit = on; UPDATE state SET n = 4');
receive_stop($run, 'two servers');
my $single = backup($repo, '--physical', @one);
$run = receive_start($repo, @one);
$node[0]->safe_psql('postgres', 'SET synchronous_commit = on; UPDATE state SET n = 5');
$later = $node[0]->safe_psql('postgres', 'SELECT clock_timestamp()');
$node[0]->safe_psql('postgres', 'SET synchronous_commit = on; UPDATE state SET n = 6');
received($repo, $node[0], 'time');
my $timed = new_place('timed');
restored($repo, $single, 'time', [$timed], "--target-time=$later") and is(state_of($timed), '5', 'it is at that time');
drop_server($timed);

# ---- a key that is used again: servers have both points in their WAL, and stop at the first one of a name
my $again = '20200101000000';
backup($repo, '--physical', @one, '--key', $again);
$node[0]->safe_psql('postgres', 'SET synchronous_commit = on; UPDATE state SET n = 61');
pgark_ok([ 'expire', '--repo', $repo, '--keep', 2 ], 'key: the set with the oldest one goes');
is_deeply([ repo_sets($repo) ], [ sort $key, $single ], 'key: and no other');
backup($repo, '--physical', @one, '--key', $again);
$node[0]->safe_psql('postgres', 'SET synchronous_commit = on; UPDATE state SET n = 62');
received($repo, $node[0], 'key');
my $keyed = new_place('keyed');
restored($repo, $single, 'key', [$keyed], "--target-name=pgark_$again") and is(state_of($keyed), '61', 'key: it is at the point of the set that is there');
drop_server($keyed);
pgark_ok([ 'expire', '--repo', $repo, '--keep', 2 ], 'key: the second one goes as well');

# ---- the server restarts, pgark does not
$node[0]->restart;
fill_segments($node[0], 3);
received($repo, $node[0], 'restart of the server');
my $log = receive_stop($run, 'restart of the server');
like($log, qr/node 0: .*; trying again/, 'the restart was seen');
my $dir = archive_dir($repo, $node[0]);
cmp_ok(wal_is_whole($dir, 'restart of the server'), '>', 3, 'there are some segments');

# ---- a new timeline: a standby takes over
my $standby = new_place('standby');
pgark_ok([ 'restore', $single, '--physical', '--repo', $repo, '--no-sync', '--standby', '--map', '0=' . $standby->data_dir ],
    'timeline: a standby');
own_settings($standby);
$standby->append_conf('postgresql.conf', sprintf "primary_conninfo = 'host=''%s'' port=%d'\n", $node[0]->host, $node[0]->port);
$standby->start;
$run = receive_start($repo, '-d', sprintf q{host='%s,%s' port=%d,%d dbname=postgres target_session_attrs=read-write},
    $node[0]->host, $standby->host, $node[0]->port, $standby->port);
received($repo, $node[0], 'timeline');
$node[0]->safe_psql('postgres', 'SET synchronous_commit = on; UPDATE state SET n = 7');
ok($standby->poll_query_until('postgres', 'SELECT n = 7 FROM state'), 'timeline: the standby follows');
$node[0]->stop;
$standby->promote;
ok($standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'timeline: it takes over');
$standby->safe_psql('postgres', 'UPDATE state SET n = 8');
pgark_ok([ 'restore-point', 'taken over', '--repo', $repo, '-d', conninfo($standby) ], 'timeline: a point');
$standby->safe_psql('postgres', 'UPDATE state SET n = 9');
received($repo, $standby, 'timeline');
receive_stop($run, 'timeline');
ok(-e "$dir/00000002.history.json", 'timeline: its history file is there');
my $over = new_place('over');
restored($repo, $single, 'timeline', [$over], '--target-name=taken over')
  and is(state_of($over), '8', 'timeline: the older set reaches the point on the new timeline');
drop_server($over);

# ---- what expire leaves
my $newest = backup($repo, '--physical', '-d', conninfo($standby));
my @before = archived($dir);
pgark_ok([ 'expire', '--repo', $repo, '--keep', 5 ], 'expire that removes no set');
my @kept = archived($dir);
my ($start) = map { $_->{start_lsn} } @{ manifest($repo, $key)->{physical} };
is_deeply(\@kept, [ grep { $_ ge $kept[0] } @before ], 'removes nothing in the middle');
my $dry = pgark_json([ 'expire', '--repo', $repo, '--keep', 1, '--dry-run' ], 'expire, dry run');
is_deeply([ archived($dir) ], \@kept, 'a dry run removes nothing');
my $gone = pgark_json([ 'expire', '--repo', $repo, '--keep', 1 ], 'expire');
is($gone->{wal}{segments}, $dry->{wal}{segments}, 'and tells what would go');
cmp_ok($gone->{wal}{segments}, '>', 0, 'WAL that no set needs is gone');
my @left = archived($dir);
is(@kept - @left, $gone->{wal}{segments}, 'as many as are told');
is(scalar(() = glob("$dir/00000002*/*.partial")), 1, 'the newest stays, behind which receiving goes on');

# ---- a gap is told, and not passed by
fill_segments($standby, 2);
$standby->safe_psql('postgres', q{SELECT pg_drop_replication_slot('pgark')});
my @now = ('-d', conninfo($standby));
my $base = backup($repo, '--physical', @now);
for (1 .. 3) { fill_segments($standby, 20); $standby->safe_psql('postgres', 'CHECKPOINT') }
pgark_fails([ 'receive-wal', '--repo', $repo, @now, '--no-loop' ], qr/removed.*hint: --skip-gap/s, 'a gap');
# Others do not suffer from it.
my @with = ('--node', conninfo($node[1]), '--node', conninfo($standby));
$run = receive_start($repo, @with);
wait_for_query($node[1], 'postgres', q{SELECT active FROM pg_replication_slots WHERE slot_name = 'pgark'}, 'gap: the other node');
wait_for(sub { $run->{harness}->pump_nb; $run->{err} =~ /node 1: .*the other nodes go on/ }, "gap: it is told");
fill_segments($node[1], 2);
received($repo, $node[1], 'gap: the other node goes on');
kill 'TERM', $run->{pid};
my ($ended, undef, $told) = pgark_finish($run);
is($ended, 2, 'gap: with a warning');
like($told, qr/error: .*removed.*hint: --skip-gap/s, 'gap: and the error');
$run = receive_start($repo, @now, '--skip-gap');
pgark_ok([ 'restore-point', 'behind', '--repo', $repo, @now ], 'gap: a point behind it');
fill_segments($standby, 2);
received($repo, $standby, 'gap');

# The next one, of the same process, is told as well.
kill 'STOP', $run->{pid};
$standby->safe_psql('postgres', q{SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'pgark'});
wait_for_query($standby, 'postgres', q{SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'pgark'}, 'gap: the slot is free');
$standby->safe_psql('postgres', q{SELECT pg_drop_replication_slot('pgark')});
for (1 .. 3) { fill_segments($standby, 20); $standby->safe_psql('postgres', 'CHECKPOINT') }
kill 'CONT', $run->{pid};
wait_for_query($standby, 'postgres', q{SELECT active FROM pg_replication_slots WHERE slot_name = 'pgark'}, 'gap: it is back');
received($repo, $standby, 'second gap');
kill 'TERM', $run->{pid};
my ($code, undef, $err) = pgark_finish($run);
is($code, 2, 'gap: who skips it is warned');
is(scalar(() = $err =~ /there is a gap in its WAL/g), 2, 'gap: each time');
pgark_fails([ 'restore', $base, '--physical', '--repo', $repo, '--map', "0=$fresh/4", '--target-name=behind' ],
    qr/WAL is missing between the set and the target/, 'gap: nothing is restored over it');
ok(!-e "$fresh/4", 'gap: nothing is made');
done_testing();
