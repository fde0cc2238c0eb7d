# Base backups that end by force in the phases that the others do not reach: while the checkpoint is waited for, when a
# server has removed WAL, when a primary dies and its standby, of which one is taken as well, is promoted; and, from 17 on, while summaries of WAL are waited for, and while a
# chain of sets is restored.
use strict;
use warnings;
use IPC::Run;
use PhysicalRestoreTest;
use PhysicalTest;
use PgarkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $repo = new_repo();
my $node = physical_server('node', conf => "checkpoint_timeout = 1h\nfull_page_writes = on\n", allows_streaming => 1);
$node->safe_psql('postgres', 'CREATE TABLE t AS SELECT i, md5(i::text) AS text FROM generate_series(1, 50000) i');
my @backup = ('backup', '--physical', '--repo', $repo, '--no-sync', '-d', conninfo($node));
my $good   = backup($repo, '--physical', '-d', conninfo($node));

# phase_is TEXT - what a base backup is doing.
sub phase_is { my ($phase) = @_; return "EXISTS (SELECT FROM pg_stat_progress_basebackup WHERE phase = '$phase')" }

my $streams = "EXISTS (SELECT FROM pg_stat_progress_basebackup WHERE backup_streamed > 1000000)"
  . " AND EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming' AND application_name = 'pgark wal')";

# nothing_left NAME - of a run that has ended by force.
sub nothing_left
{
    my ($name) = @_;
    no_traces($name, undef, $node);
    no_slots($name, $node);
    no_set_added($name, $repo, $good);
    return;
}

# failed RUN, PATTERN, NAME - it has ended with an error, which names the node.
sub failed
{
    my ($run, $pattern, $name) = @_;
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, "$name: exit code");
    like($err, qr/^pgark: error: node 0 .*(?:$pattern)/m, "$name: the node is named, and why");
    return;
}

# ---- the checkpoint, which takes its time
for my $how ('kill -9', 'a server stops')
{
    $node->safe_psql('postgres', q{UPDATE t SET text = text || 'x'});
    my $watch = watch($node, 'postgres', phase_is('waiting for checkpoint to finish'));
    my $run   = pgark_start(@backup, '--checkpoint=spread');
    ok(watch_end($watch), "$how at the checkpoint: it got there");
    if ($how eq 'kill -9')
    {
        kill 'KILL', $run->{pid};
        my ($code) = pgark_finish($run);
        is($code, 128 + 9, "$how at the checkpoint: exit code");
        # The walsender sees it when there is something to send.
        $node->safe_psql('postgres', 'CHECKPOINT');
    }
    else
    {
        $node->stop('immediate');
        failed($run, qr/base backup|connection|shutting|terminat|server/, "$how at the checkpoint");
        $node->start;
    }
    no_traces("$how at the checkpoint", undef, $node);
    no_slots("$how at the checkpoint", $node);
}
pgark_ok([ 'expire', '--repo', $repo, '--keep', 5 ], 'expire removes what was killed');
nothing_left('the checkpoint');

# ---- WAL is removed before it was received
$node->append_conf('postgresql.conf', "max_slot_wal_keep_size = 1MB\nwal_keep_size = 0\n");
$node->reload;
my $watch = watch($node, 'postgres', $streams);
my $run   = pgark_start(@backup, '--rate-limit=4MB');
ok(watch_end($watch), 'WAL is removed: it got there');
kill 'STOP', $run->{pid};
$node->safe_psql('postgres', 'INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 40000) i');
# It ends when the slot is free: the walsender may have something to say to pgark first.
my $checkpoint = IPC::Run::start([ 'psql', '-X', '-q', '-d', conninfo($node), '-c', 'CHECKPOINT' ], '<', \undef);
wait_for(sub {
        slurp_bytes($node->logfile) =~ /terminating (?:process|walsender) \d+ (?:to release|because) replication slot "pgark_/;
    }, 'WAL is removed: the server ends the walsender');
kill 'CONT', $run->{pid};
failed($run, qr/WAL|replication|slot|connection/, 'WAL is removed');
$checkpoint->finish;
nothing_left('WAL is removed');
$node->append_conf('postgresql.conf', "max_slot_wal_keep_size = -1\n");
$node->reload;

# ---- a primary dies while it is backed up; its standby is promoted, while it is copied
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
$watch = watch($standby, 'postgres', 'EXISTS (SELECT FROM pg_stat_progress_basebackup WHERE backup_streamed > 1000000)');
my @either = ('-d', sprintf q{host='%s,%s' port=%d,%d dbname=postgres target_session_attrs=read-write},
    $node->host, $standby->host, $node->port, $standby->port);
my $over = pgark_start('backup', '--physical', '--repo', $repo, '--no-sync', '--rate-limit=1MB', @either);
wait_for_query($node, 'postgres', "SELECT $streams", 'a failover: the primary is being backed up');
my $place = PostgreSQL::Test::Utils::tempdir() . '/promoted';
$run = pgark_start('basebackup', '-d', conninfo($standby), '-D', $place, '-N', '-c', 'fast', '-r', '2M');
ok(watch_end($watch), 'a promotion: it got there');
$node->stop('immediate');
$standby->promote;
failed($over, 'timeline 1: ', 'a failover');
my ($code, $out, $err) = pgark_finish($run);
is($code, 1, 'a promotion: exit code');
like($err, qr/promoted during|timeline/, 'a promotion: the reason');
ok(!-e $place, 'a promotion: no directory is left');
no_slots('a promotion', $standby);
no_traces('a failover', undef, $standby);
no_set_added('a failover', $repo, $good);
my $taken = new_repo();
my $first = backup($taken, '--physical', @either);
is((physical_records($taken, $first, 'physical', 0))[0]{timeline}, 2, 'a failover: the next run takes the server that has taken over');
pgark_ok([ 'verify', $first, '--repo', $taken ], 'a failover: which is whole');
drop_server($standby);
$node->start;
nothing_left('a failover');

# ---- a disk that is too small for a restore
with_small_disk(sub {
    my ($small) = @_;
    my @to = ('restore', $good, '--physical', '--repo', $repo, '--map', "0=$small/data");
    pgark_fails([@to], qr/there is room for .* and .* are to be written there/, 'a small disk');
    ok(!-e "$small/data", 'a small disk: nothing is made');
    pgark_fails([ @to, '--no-space-check' ], qr/No space left/, 'a full disk');
    ok(!-e "$small/data", 'a full disk: nothing is left');
});

SKIP:
{
    skip 'incremental base backups came with 17', 1 if $node->pg_version < 17;

    # ---- summaries are waited for
    $node->append_conf('postgresql.conf', "summarize_wal = on\n");
    $node->reload;
    $good = backup($repo, '--physical', '-d', conninfo($node), '--part-size=1MB');
    my @sets = repo_sets($repo);
    wait_for_query($node, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'walsummarizer'});
    my $summarizer = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsummarizer'});
    for my $signal ('KILL', 'INT')
    {
        kill 'STOP', $summarizer;
        $node->safe_psql('postgres', 'INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 1000) i');
        $watch = watch($node, 'postgres', q{EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'WalSummaryReady')});
        $run   = pgark_start(@backup, '--incremental');
        ok(watch_end($watch), "summaries, $signal: it got there");
        kill $signal, $run->{pid};
        ($code) = pgark_finish($run);
        is($code, $signal eq 'KILL' ? 128 + 9 : 130, "summaries, $signal: exit code");
        kill 'CONT', $summarizer;
        no_traces("summaries, $signal", undef, $node);
        no_slots("summaries, $signal", $node);
    }
    pgark_ok([ 'expire', '--repo', $repo, '--keep', 5 ], 'expire removes what was killed');
    is_deeply([ repo_sets($repo) ], \@sets, 'summaries: nothing else is left');

    # ---- a chain is restored, and killed
    $node->safe_psql('postgres', q{UPDATE t SET text = 'changed' WHERE i % 10 = 0});
    my $key  = backup($repo, '--physical', '-d', conninfo($node), '--incremental', '--part-size=1MB');
    my $last = new_place('last');
    for my $round (1 .. ($ENV{PGARK_TEST_FULL} ? 20 : 3))
    {
        my $to = new_place("killed$round")->data_dir;
        $run = pgark_start('restore', $key, '--physical', '--repo', $repo, '--map', "0=$to", '-j1', '--no-sync');
        my $after = int rand 900;
        my $ended = sub { $run->{harness}->pumpable && $run->{harness}->pump_nb; return !$run->{harness}->pumpable };
        wait_for(sub { $ended->() || (() = glob "$to/base/*/*") > $after }, "killed, $round: files are being written");
        kill 'KILL', $run->{pid};
        ($code) = pgark_finish($run);
        ok($code == 0 || !-e "$to/global/pg_control", "killed, $round: no server starts from what is left");
    }
    restored($repo, $key, 'a chain', [$last]);
    is($last->safe_psql('postgres', 'SELECT sum(hashtext(t::text)) FROM t'),
        $node->safe_psql('postgres', 'SELECT sum(hashtext(t::text)) FROM t'), 'a chain: the rows are there');
    $last->stop;
}

# ---- all is well after it
pgark_ok([ 'verify', $good, '--repo', $repo ], 'the older set is whole');
my $key = backup($repo, '--physical', '-d', conninfo($node));
pgark_ok([ 'verify', $key, '--repo', $repo ], 'the next run works');

done_testing();
