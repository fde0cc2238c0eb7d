# kill -9 of receive-wal and of restore --physical: WAL goes on without a gap and without leftovers; what a restore leaves
# is nothing that a server starts from.
use strict;
use warnings;
use PgarkTest;
use PhysicalRestoreTest;
use PhysicalTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $repo   = new_repo();
my $node   = physical_server('source');
my @one    = ('-d', conninfo($node));
my $rounds = $ENV{PGARK_TEST_FULL} ? 20 : 3;
$node->safe_psql('postgres', 'CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 20000) i');
my $key = backup($repo, '--physical', @one, '--part-size=1MB');

# ---- receive-wal, while WAL comes
for my $round (1 .. $rounds)
{
    my $run = receive_start($repo, @one);
    my $dir = archive_dir($repo, $node);
    my $had = () = archived($dir);
    wait_for(sub {
            $node->safe_psql('postgres', 'INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 5000) i');
            (() = archived($dir)) > $had;
        }, "round $round: segments are coming");
    kill 'KILL', $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, 128 + 9, "round $round: receive-wal is killed");
    $node->safe_psql('postgres', 'INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 5000) i; CHECKPOINT');
}
my $run = receive_start($repo, @one);
pgark_ok([ 'restore-point', 'end', '--repo', $repo, @one ], 'a point at the end');
received($repo, $node, 'end');
receive_stop($run, 'end');
my $dir = archive_dir($repo, $node);
cmp_ok(wal_is_whole($dir, 'received'), '>=', $rounds, 'received: some segments');
is_deeply([ glob("$dir/*/.*.tmp") ], [], 'received: nothing unfinished is left');
my @names = map { hex substr $_, 16 } archived($dir);
is_deeply(\@names, [ $names[0] .. $names[-1] ], 'received: without a gap');
my $place = new_place('end');
restored($repo, $key, 'end', [$place], '--target-name=end')
  and is($place->safe_psql('postgres', 'SELECT count(*) FROM t'), $node->safe_psql('postgres', 'SELECT count(*) FROM t'),
    'end: all rows are there');
amcheck($place, 'postgres', 'end');
$place->stop;

# ---- restore: killed when some files are there
my $killed = new_place('killed');
my $to     = $killed->data_dir;
my @to     = ('restore', $key, '--physical', '--repo', $repo, '--map', "0=$to", '-j1');
my $restore = pgark_start(@to);
wait_for(sub { -d "$to/base" || !kill 0, $restore->{pid} }, 'killed: files are being written');
kill 'KILL', $restore->{pid};
my ($code) = pgark_finish($restore);
SKIP:
{
    skip 'the restore was done before it could be killed', 4 if $code == 0;
    is($code, 128 + 9, 'killed: it is');
    ok(!-e "$to/global/pg_control", 'killed: no pg_control is there');
    my ($out, $err) = ('', '');
    ok(!IPC::Run::run([ 'pg_ctl', '-D', $to, '-s', '-w', 'start' ], '>', \$out, '2>', \$err), 'killed: no server starts from it');
    pgark_fails([@to], qr/is not empty.*hint: A restore writes to empty directories only/s, 'killed: the next one does not touch it');
}

# ---- restore: ended by the user; what was written goes
my $ended = PostgreSQL::Test::Utils::tempdir();
$restore = pgark_start('restore', $key, '--physical', '--repo', $repo, '--map', "0=$ended", '-j1');
wait_for(sub { -d "$ended/base" || !kill 0, $restore->{pid} }, 'ended: files are being written');
kill 'INT', $restore->{pid};
($code) = pgark_finish($restore);
SKIP:
{
    skip 'the restore was done before it could be ended', 1 if $code == 0;
    is($code, 130, 'ended: it is');
    is_deeply([ glob("$ended/*") ], [], 'ended: nothing is left in the directory that was there');
}

# ---- restore: the disk of a tablespace is full
my $space = PostgreSQL::Test::Utils::tempdir_short();
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
$node->safe_psql('postgres', 'CREATE TABLE away TABLESPACE elsewhere AS SELECT i, md5(i::text) AS text FROM generate_series(1, 60000) i');
my $spread = backup($repo, '--physical', @one, '--part-size=1MB');
with_small_disk(sub {
    my ($small) = @_;
    my $full = new_place('full');
    @to = ('restore', $spread, '--physical', '--repo', $repo, '--map', '0=' . $full->data_dir, '--tablespace-map', "$space=$small/space");
    mkdir "$small/space" or die "$small/space: $!";
    spew_bytes("$small/others", 'x' x 14_000_000);
    pgark_fails([@to], qr{^pgark: error: \Q$small\E/space: there is room for .*, and .* are to be written there}m, 'full disk: it is seen');
    ok(!-e $full->data_dir, 'full disk: nothing is made');
    pgark_fails([ @to, '--no-space-check' ], qr{^pgark: error: node 0: .*\Q$small\E/space/PG_\S+.*: No space left on device}m, 'full disk: node and file are named');
    ok(!-e $full->data_dir, 'full disk: no data directory is left');
    is_deeply([ -d "$small/space", glob "$small/space/*" ], [1], 'full disk: the directory that was there is, and is empty');
    unlink "$small/others" or die "$small/others: $!";
    pgark_ok([@to], 'full disk: with room again it works');
    start_restored($full, 'full disk');
    is($full->safe_psql('postgres', 'SELECT count(*), sum(hashtext(text)) FROM away'),
        $node->safe_psql('postgres', 'SELECT count(*), sum(hashtext(text)) FROM away'), 'full disk: the rows are there');
    $full->stop;
});

# ---- restore: a disk that cannot take it
SKIP:
{
    my $small = $ENV{PGARK_TEST_TMPFS};
    skip 'no small file system: not root', 5 if !defined $small;
    pgark_fails([ 'restore', $key, '--physical', '--repo', $repo, '--map', "0=$small/data" ],
        qr{^pgark: error: \Q$small\E/data: there is room for .*, and .* are to be written there}m, 'small disk');
    ok(!-e "$small/data", 'small disk: nothing is made');
}
done_testing();
