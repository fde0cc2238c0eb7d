# Base backups that end by force, in every phase: kill -9, signals, a server that stops, a stream of WAL that
# breaks, a disk that is full. No set becomes visible, no slot and no walsender stays, and the next run works.
use strict;
use warnings;
use IPC::Run;
use PhysicalTest;
use PgarkTest;
use Test::More;

my @servers = map { physical_server("node$_") } 0 .. 1;
my ($first, $second) = @servers;
for my $node (@servers)
{
    $node->safe_psql('postgres', <<'SQL');
CREATE TABLE t AS SELECT i, md5(i::text) AS text FROM generate_series(1, 50000) i;
CREATE TABLE w (i int);
SQL
}
my $repo   = new_repo();
my @nodes  = map { ('--node', conninfo($_)) } @servers;
my @backup = ('backup', '--physical', '--repo', $repo, '--no-sync', @nodes);
my @slow   = (@backup, '--rate-limit=4MB');
my $good   = backup($repo, '--physical', @nodes);

my $streams = "(SELECT count(*) FROM pg_stat_progress_basebackup WHERE phase = 'streaming database files' AND backup_streamed > 1000000) > 0"
  . " AND (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming') > 0";
my $barrier = "(SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE%SHARE MODE%' AND application_name LIKE 'pgark%') > 0";

# nothing_left NAME - of a run that has ended by force.
sub nothing_left
{
    my ($name, @up) = @_;
    @up = @servers unless @up;
    no_traces($name, undef, @up);
    no_slots($name, @up);
    my $list = pgark_json([ 'list', '--repo', $repo ], "$name: list");
    is_deeply([ map { $_->{key} } @{ $list->{sets} } ], [$good], "$name: no other set is visible");
    return;
}

# with_writer CODE - while a transaction that has written is open, so that the barrier is not to be had.
sub with_writer
{
    my ($code) = @_;
    my $session = session($second);
    $session->query_safe('BEGIN; INSERT INTO w VALUES (1)');
    $code->();
    $session->quit;
    return;
}

# ended RUN, WATCH, SIGNAL, CODE, NAME - it got there, gets the signal, and ends so.
sub ended
{
    my ($run, $watch, $signal, $want, $name) = @_;
    ok(watch_end($watch), "$name: it got there");
    kill $signal, $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, $want, "$name: exit code");
    return;
}

# ---- kill -9 of pgark
my $watch = watch($first, 'postgres', $streams);
my $run   = pgark_start(@slow);
ended($run, $watch, 'KILL', 128 + 9, 'kill -9 in the stream');
nothing_left('kill -9 in the stream');
with_writer(sub {
    $watch = watch($first, 'postgres', $barrier);
    $run   = pgark_start(@backup);
    ended($run, $watch, 'KILL', 128 + 9, 'kill -9 at the barrier');
});
nothing_left('kill -9 at the barrier');
for my $i (1 .. ($ENV{PGARK_TEST_FULL} ? 40 : 3))
{
    # Anywhere: as long as it takes for so many backends to have come and gone.
    my $lines = 0;
    $run = pgark_start(@backup, '--progress=json', '--rate-limit=40MB');
    my $wanted = int(rand(4000)) + 1;
    while ($lines++ < $wanted && $run->{harness}->pumpable)
    {
        $run->{harness}->pump_nb;
        select undef, undef, undef, 0.001;
    }
    kill 'KILL', $run->{pid};
    my ($code) = pgark_finish($run);
    if ($code == 0)
    {
        my ($key) = grep { $_ ne $good } map { $_->{key} } @{ pgark_json([ 'list', '--repo', $repo ], 'list')->{sets} };
        pgark_ok([ 'verify', $key, '--repo', $repo ], 'it had ended: its set is whole');
        system('rm', '-rf', set_dir($repo, $key)) == 0 or die;
    }
    nothing_left("kill -9 anywhere, $i");
}
pgark_ok([ 'expire', '--repo', $repo, '--keep', 5 ], 'expire removes what is unfinished');
is_deeply([ repo_sets($repo) ], [$good], 'nothing else is left of them');

# ---- the user's signal
$watch = watch($first, 'postgres', $streams);
$run   = pgark_start(@slow);
ended($run, $watch, 'INT', 130, 'Ctrl-C in the stream');
nothing_left('Ctrl-C in the stream');
is_deeply([ repo_sets($repo) ], [$good], 'Ctrl-C: no files are left');

# ---- the barrier is not to be had
with_writer(sub {
    my $err = pgark_fails([ @backup, '--cut-timeout=1s' ], qr/no consistent cut.*has been writing table "w"/s,
        'an open transaction');
    is_deeply([ repo_sets($repo) ], [$good], 'an open transaction: no files are left');
});
nothing_left('an open transaction');

# ---- the stream of WAL breaks
$watch = watch($second, 'postgres', $streams);
$run   = pgark_start(@slow);
ok(watch_end($watch), 'WAL breaks: it got there');
$second->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE state = 'streaming'");
my ($code, $out, $err) = pgark_finish($run);
is($code, 1, 'WAL breaks: exit code');
like($err, qr/^pgark: error: node 1 /m, 'WAL breaks: the node is named');
nothing_left('WAL breaks');

# ---- a server stops
for my $when ('in the stream', 'at the barrier')
{
    my $session;
    if ($when eq 'at the barrier')
    {
        $session = session($first);
        $session->query_safe('BEGIN; INSERT INTO w VALUES (1)');
    }
    $watch = watch($first, 'postgres', $session ? $barrier : $streams);
    $run   = pgark_start($session ? @backup : @slow);
    ok(watch_end($watch), "a server stops $when: it got there");
    $second->stop('immediate');
    ($code, $out, $err) = pgark_finish($run);
    is($code, 1, "a server stops $when: exit code");
    like($err, qr/^pgark: error: node [01] /m, "a server stops $when: a node is named");
    $session->quit if $session;
    $second->start;
    nothing_left("a server stops $when");
    is_deeply([ repo_sets($repo) ], [$good], "a server stops $when: no files are left");
}

# ---- a full disk
with_small_disk(sub {
    my ($small) = @_;
    pgark_fails([ 'backup', '--physical', '--repo', "$small/physical", '-Z', 'none', '--no-space-check', @nodes ],
        qr/No space left/, 'a full disk');
    is_deeply([ repo_sets("$small/physical") ], [], 'a full disk: no files are left');
    nothing_left('a full disk');
    system('rm', '-rf', "$small/physical") == 0 or die;
});

# ---- all is well after it
pgark_ok([ 'verify', $good, '--repo', $repo ], 'the older set is whole');
my $key = backup($repo, '--physical', @nodes);
pgark_ok([ 'verify', $key, '--repo', $repo ], 'the next run works');

done_testing();
