# DDL beside a backup: what is queued, open, or comes during the run.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $target = make_server('target');
my $repo   = new_repo();

sub load
{
    my ($db) = @_;
    $source->safe_psql('postgres', "CREATE DATABASE $db");
    # "slow" is by far the largest, so it is dumped first and keeps the only worker busy.
    $source->safe_psql($db, <<'SQL');
CREATE TABLE slow (id int, t text);
INSERT INTO slow SELECT i, md5(i::text) FROM generate_series(1, 60000) i;
CREATE TABLE later (id int PRIMARY KEY, t text);
INSERT INTO later SELECT i, 'old ' || i FROM generate_series(1, 1000) i;
CREATE TABLE small (id int);
INSERT INTO small SELECT generate_series(1, 10);
SQL
    return conninfo($source, $db);
}

sub restored
{
    my ($key, $db, $query) = @_;
    my $copy = "${db}_copy";
    pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, $copy), '--create' ],
        "$db: restore");
    return $target->safe_psql($copy, $query);
}

# The pids of pgark's backends in a database.
my $ours = q{application_name NOT LIKE '%.t' AND backend_type = 'client backend' AND pid <> pg_backend_pid()};

# ---- TRUNCATE of a table that is not dumped yet. It is in the queue before any worker reaches the
# table, because the dump is stopped in its tracks while it comes
{
    my $conninfo = load('stopped');
    my $holders = q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted AND l.relation = 'later'::regclass};
    my $seen = 0;
    for my $try (1 .. 20)
    {
        # pg_dump, which writes the schema, has its locks too: from here on nothing can make the run
        # start over. Stop the process, with all its threads.
        my $watch = watch($source, 'stopped', "($holders AND application_name = 'pg_dump') > 0");
        my $run = pgark_start('backup', '--repo', $repo, '--no-sync', '-d', $conninfo, '-j1',
            '--output=json', '--chunk-size=64kB', '--rate-limit=1MB');
        ok(watch_end($watch), 'stopped: pg_dump has its locks');
        kill 'STOP', $run->{pid};
        my $reached = $source->safe_psql('stopped', "$holders AND application_name <> 'pg_dump' AND $ours");
        my $ddl = session($source, 'stopped');
        $ddl->{stdin} .= "TRUNCATE later;\n\\echo truncated\n";
        wait_for(sub {
                $ddl->{run}->pump_nb;
                $source->safe_psql('stopped', "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'later'::regclass AND mode = 'AccessExclusiveLock'") == 1;
            }, 'stopped: the TRUNCATE is queued');
        kill 'CONT', $run->{pid};
        my ($code, $out, $err) = pgark_finish($run);
        is($code, 0, 'stopped: the dump succeeds') or diag($err);
        $ddl->{run}->pump until $ddl->{stdout} =~ /truncated/;
        $ddl->quit;
        is($source->safe_psql('stopped', 'SELECT count(*) FROM later'), 0, 'stopped: the TRUNCATE completed');
        my ($key) = $out =~ /"key": ?"(\d{14})"/;
        my ($table) = grep { $_->{name} eq 'later' } @{ manifest($repo, $key)->{table} };
        is($table->{rows}, 1000, 'stopped: the set has the old rows');
        # Only the holder had a lock on it: so its rows came by way of the holder's connection.
        $seen++ if $reached == 1;
        $source->safe_psql('stopped', "INSERT INTO later SELECT i, 'old ' || i FROM generate_series(1, 1000) i");
        last if $seen;
    }
    cmp_ok($seen, '>', 0, 'stopped: the TRUNCATE came before any worker reached the table');
    no_traces('stopped', undef, $source);
}

# ---- the TRUNCATE comes before pg_dump has its locks: whichever rows the set has, they are of one
# instant, and nobody waits for ever
{
    my $conninfo = load('early');
    my $watch = watch($source, 'early', "(SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.granted AND l.relation = 'later'::regclass AND $ours) > 0");
    my $ddl = session($source, 'early');
    my $run = pgark_start('backup', '--repo', $repo, '--no-sync', '-d', $conninfo, '--output=json');
    ok(watch_end($watch), 'early: the holder has its locks');
    $ddl->query_safe('BEGIN; TRUNCATE later; DELETE FROM small; COMMIT');
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'early: the dump succeeds') or diag($err);
    $ddl->quit;
    my ($key) = $out =~ /"key": ?"(\d{14})"/;
    like(restored($key, 'early', "SELECT (SELECT count(*) FROM later) || ' ' || (SELECT count(*) FROM small)"),
        qr/\A(1000 10|0 0)\z/, 'early: the set shows one instant');
}

# ---- TRUNCATE + INSERT open before the dump starts
{
    my $conninfo = load('refill');
    my $writer = session($source, 'refill');
    $writer->query_safe("BEGIN; TRUNCATE later; INSERT INTO later SELECT i, 'new ' || i FROM generate_series(1, 777) i");
    my $run = pgark_start('backup', '--repo', $repo, '--no-sync', '-d', $conninfo, '--output=json');
    wait_for_query($source, 'refill', "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'later'::regclass",
        'refill: the dump waits');
    $writer->query_safe('COMMIT');
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'refill: the dump succeeds') or diag($err);
    my ($key) = $out =~ /"key": ?"(\d{14})"/;
    is(restored($key, 'refill', "SELECT count(*) || ' ' || min(left(t, 3)) FROM later"), '777 new',
        'refill: the set has the new rows, not none');
    $writer->quit;
}

# ---- ... that rolls back
{
    my $conninfo = load('rollback');
    my $writer = session($source, 'rollback');
    $writer->query_safe("BEGIN; DROP TABLE small; TRUNCATE later");
    my $run = pgark_start('backup', '--repo', $repo, '--no-sync', '-d', $conninfo, '--output=json');
    wait_for_query($source, 'rollback', 'SELECT count(*) > 0 FROM pg_locks WHERE NOT granted',
        'rollback: the dump waits');
    $writer->query_safe('ROLLBACK');
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'rollback: the dump succeeds') or diag($err);
    my ($key) = $out =~ /"key": ?"(\d{14})"/;
    is(restored($key, 'rollback', 'SELECT (SELECT count(*) FROM later) + (SELECT count(*) FROM small)'), 1010,
        'rollback: the set has what was there');
    $writer->quit;
}

# ---- tables that are dropped, created, rewritten or renamed while the dump waits for its locks
{
    my $conninfo = load('change');
    my $writer = session($source, 'change');
    $writer->query_safe(<<'SQL');
BEGIN;
DROP TABLE small;
CREATE TABLE created (id int);
INSERT INTO created VALUES (1), (2), (3);
ALTER TABLE later ADD COLUMN more int DEFAULT 5, ALTER COLUMN id TYPE bigint;
SQL
    my $run = pgark_start('backup', '--repo', $repo, '--no-sync', '-d', $conninfo, '--output=json');
    wait_for_query($source, 'change', 'SELECT count(*) > 0 FROM pg_locks WHERE NOT granted',
        'change: the dump waits');
    $writer->query_safe('COMMIT');
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'change: the dump starts over and succeeds') or diag($err);
    my ($key) = $out =~ /"key": ?"(\d{14})"/;
    restored($key, 'change', 'SELECT 1');
    same_database($source, 'change', $target, 'change_copy', 'change: the set shows what was committed');
    $writer->quit;
}

# ---- a table created, and one filled, during the run: not in the set, and no trouble
{
    my $conninfo = load('during');
    my $watch = watch($source, 'during', "(SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%COPY%' AND $ours) > 0");
    my $run = pgark_start('backup', '--repo', $repo, '--no-sync', '-d', $conninfo, '-j1', '--output=json',
        '--chunk-size=64kB', '--rate-limit=1MB');
    ok(watch_end($watch), 'during: rows are being copied');
    $source->safe_psql('during', "CREATE TABLE created (id int); INSERT INTO small SELECT generate_series(11, 20); DELETE FROM later");
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'during: the dump succeeds') or diag($err);
    my ($key) = $out =~ /"key": ?"(\d{14})"/;
    is(restored($key, 'during', "SELECT (SELECT count(*) FROM small) || ' ' || (SELECT count(*) FROM later) || ' ' || coalesce(to_regclass('created')::text, 'no')"),
        '10 1000 no', 'during: the set shows one instant');
}

# ---- --lock-wait-timeout names who is in the way
{
    my $conninfo = load('timeout');
    my $blocker = session($source, 'timeout');
    $blocker->query_safe('BEGIN; LOCK TABLE later IN ACCESS EXCLUSIVE MODE');
    my $pid = $blocker->query_safe('SELECT pg_backend_pid()');
    my @before = repo_sets($repo);
    pgark_fails([ 'backup', '--repo', $repo, '-d', $conninfo, '--lock-wait-timeout=300ms' ],
        qr/\b$pid\b/, 'timeout: the pid in the way is named');
    pgark_fails([ 'backup', '--repo', $repo, '-d', $conninfo, '--lock-wait-timeout=200' ],
        qr/later/, 'timeout: so is the table');
    no_traces('timeout', [ $repo, @before ], $source);
    $blocker->query_safe('ROLLBACK');
    $blocker->quit;
    ok(backup($repo, '-d', $conninfo, '--lock-wait-timeout=300ms'), 'timeout: the next run works');
}

done_testing();
