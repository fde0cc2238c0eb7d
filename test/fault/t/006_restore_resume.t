# A restore that ends by force goes on with --resume: killed at many points, by a crash of the server, by
# a lost connection. The result is the source, no row is there twice, and no journal is left.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $source = make_server('source');
# What a crash of the server must not lose has to be on its way to the disk.
my $target = make_server('target', conf => "restart_after_crash = on\nsynchronous_commit = on\n");
my $repo   = new_repo();
my $points = $ENV{PGARK_TEST_FULL} ? 60 : 20;

$source->safe_psql('postgres', 'CREATE DATABASE shop');
$source->safe_psql('shop', <<'SQL');
CREATE SCHEMA app;
COMMENT ON SCHEMA app IS 'of the shop';
CREATE FUNCTION app.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
CREATE TABLE app.wide (id int PRIMARY KEY, t text);
INSERT INTO app.wide SELECT i, repeat(md5(i::text), 300) FROM generate_series(1, 8000) i;
CREATE INDEX wide_twice ON app.wide (app.twice(id));
CREATE INDEX ON app.wide (left(t, 10));
CREATE TABLE app.plain (id int, wide int REFERENCES app.wide, t text);
INSERT INTO app.plain SELECT i, i, md5(i::text) FROM generate_series(1, 8000) i;
CREATE UNLOGGED TABLE app.fast AS SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
CREATE INDEX ON app.fast (i);
CREATE TABLE app.parts (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE SEQUENCE app.numbers;
SELECT setval('app.numbers', 4711);
DO $$ BEGIN
    FOR i IN 1..8 LOOP
        EXECUTE format('CREATE TABLE app.parts%s PARTITION OF app.parts FOR VALUES IN (%s)', i, i);
        EXECUTE format('CREATE TABLE app.t%s (id serial PRIMARY KEY, other int UNIQUE, t text)', i);
        EXECUTE format('INSERT INTO app.t%s (other, t) SELECT i, md5(i::text) FROM generate_series(1, 500) i', i);
        EXECUTE format('ALTER TABLE app.t%s ADD FOREIGN KEY (other) REFERENCES app.wide', i);
    END LOOP;
END $$;
INSERT INTO app.parts SELECT i, 1 + i % 8 FROM generate_series(1, 4000) i;
CREATE MATERIALIZED VIEW app.sums AS SELECT count(*), sum(other) FROM app.t1 JOIN app.wide w ON w.id = other;
CREATE MATERIALIZED VIEW app.sums_of AS SELECT * FROM app.sums;
CREATE INDEX ON app.sums (sum);
CREATE VIEW app.seen AS SELECT id FROM app.plain;
GRANT SELECT ON app.seen, app.sums TO PUBLIC;
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER note BEFORE INSERT ON app.plain FOR EACH ROW EXECUTE FUNCTION app.note();
CREATE FUNCTION app.forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'nothing is dropped here'; END$$;
CREATE EVENT TRIGGER forbid ON sql_drop EXECUTE FUNCTION app.forbid();
CREATE PUBLICATION everything FOR ALL TABLES;
SELECT lo_from_bytea(20000 + i, convert_to(repeat('lo' || i, 500), 'UTF8')) FROM generate_series(1, 300) i;
COMMENT ON LARGE OBJECT 20001 IS 'the first';
GRANT SELECT ON LARGE OBJECT 20002 TO PUBLIC;
SQL
my $key = backup($repo, '-d', conninfo($source, 'shop'), '-j2', '--chunk-size=256kB');
my $other = backup($repo, '-d', conninfo($source, 'shop'), '-j2');

my $objects = 'SELECT count(*), sum(length(lo_get(oid))) FROM pg_largeobject_metadata';
my $databases = 0;

sub new_database
{
    my $db = 'copy' . ++$databases;
    $target->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
    return $db;
}

sub command
{
    my ($db, @more) = @_;
    return ('restore', $key, '--repo', $repo, '-d', conninfo($target, $db), '-j2', @more);
}

# equal DB, NAME - the source is there, each row once, and nothing else.
sub equal
{
    my ($db, $name) = @_;
    is($target->safe_psql($db, "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgark_restore'"),
        0, "$name: no journal is left");
    same_database($source, 'shop', $target, $db, $name, '--exclude-table-data=app.wide');
    is($target->safe_psql($db, $objects), $source->safe_psql('shop', $objects), "$name: large objects");
    $target->safe_psql('postgres', "DROP DATABASE $db");
    return;
}

# freeze DB, COUNT - a session that waits for so many items, and then lets nothing more be noted.
sub freeze
{
    my ($db, $count, $lock) = @_;
    my $session = session($target, $db);
    $lock = $lock ? "EXECUTE 'LOCK TABLE pgark_restore.done, pgark_restore.done_unlogged IN SHARE MODE';" : '';
    $session->{stdin} .= <<"SQL";
BEGIN;
DO \$\$ DECLARE c int; BEGIN
    LOOP
        IF EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'pgark_restore' AND c.relname = 'done') THEN
            EXECUTE 'SELECT count(*) FROM pgark_restore.done' INTO c;
            IF c >= $count THEN $lock RETURN; END IF;
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
END \$\$;
\\echo seen
SQL
    $session->{run}->pump_nb;
    return $session;
}

sub frozen
{
    my ($session) = @_;
    $session->{run}->pump until $session->{stdout} =~ /seen/ || $session->{stderr} =~ /ERROR/;
    $session->{stdout} = '';
    return $session->{stderr} !~ /ERROR/;
}

# killed DB, COUNT, LOCK, ARG... - starts a restore and kills it when so many items are done; true when
# it was not over by then.
sub killed
{
    my ($db, $count, $lock, @args) = @_;
    my $session = freeze($db, $count, $lock);
    my $run     = pgark_start(command($db, @args));
    my $seen    = frozen($session);
    kill 'KILL', $run->{pid};
    my ($code) = pgark_finish($run);
    $session->quit;
    ok($seen, "$db: $count items were seen");
    no_traces($db, undef, $target);
    return $code == 128 + 9;
}

# ---- what there is to do
my $whole = new_database();
my $json  = pgark_json([ command($whole) ], 'in one go');
equal($whole, 'in one go');
my $items = $json->{nodes}[0]{definitions};
cmp_ok($items, '>', 60, 'there is something to do');

# ---- kill -9
my $hit = 0;
for my $i (0 .. $points - 1)
{
    # Anywhere within its part of the way; the names of the tests tell where.
    my $count = 1 + int(($i + rand) * ($items - 2) / $points);
    my $db    = new_database();
    my $lock  = $i % 3 != 2;
    my $dead  = killed($db, $count, $lock);
    $hit += $dead;
    ok($dead, "kill at $count: it was killed") if $lock;
    if ($dead && $i % 4 == 1)
    {
        killed($db, $count + 5, 1, '--resume');
    }
    if (!$dead)
    {
        equal($db, "kill at $count: too late");
        next;
    }
    pgark_ok([ command($db, '--resume') ], "kill at $count: --resume");
    equal($db, "kill at $count");
}
# ---- what was there before, and what is done now
for my $share (0.5, 0.8)
{
    my $db = new_database();
    ok(killed($db, $items * $share, 1), 'before: it was killed');
    my $tables = $target->safe_psql($db, q{SELECT count(*) FROM pgark_restore.done WHERE kind IN ('t', 'c', 'o')});
    my ($code, $out, $err) = pgark(command($db, '--resume', '--output=json', '--progress=json'));
    is($code, 0, 'before: --resume') or diag("$out$err");
    my $now = JSON::PP->new->utf8->decode($out)->{nodes}[0];
    my $all = $json->{nodes}[0];
    is_deeply([ @$now{qw(rows bytes definitions)} ], [ @$all{qw(rows bytes definitions)} ], 'before: the whole is what it is in one go');
    my $before = $now->{before};
    cmp_ok($before->{definitions}, '>', 10, 'before: definitions');
    cmp_ok($before->{definitions}, '<', $all->{definitions}, 'before: not all of them');
    $tables > 0
      ? (cmp_ok($before->{rows}, '>', 0, 'before: rows'), cmp_ok($before->{bytes}, '>', 0, 'before: bytes'))
      : is($before->{rows}, 0, 'before: no rows');
    my @lines = map { JSON::PP->new->utf8->decode($_) } grep { /^\{"/ } split /\n/, $err;
    is($lines[-1]{bytes_before} > 0, $before->{bytes} > 0, 'before: the progress knows');
    cmp_ok($lines[-1]{bytes_done}, '>=', 0.99 * $lines[-1]{bytes_total}, 'before: and comes to its end');
    equal($db, 'before');
}
is_deeply($json->{nodes}[0]{before}, { rows => 0, bytes => 0, definitions => 0 }, 'in one go nothing was there before');

cmp_ok($hit, '>=', $points * 2 / 3, 'most were killed');

# ---- what is refused
{
    my $db = new_database();
    ok(killed($db, $items / 2, 1), 'refused: it was killed');
    pgark_fails([ command($db) ], qr/not empty: it holds a restore of set $key.*--resume/s, 'without --resume');
    my @args = command($db, '--resume');
    $args[1] = $other;
    pgark_fails(\@args, qr/its set is not the same.*$key/s, 'another set');
    pgark_fails([ command($db, '--resume', '-n', 'app') ], qr/its choice of objects is not the same/, 'another choice');
    pgark_fails([ command($db, '--resume', '--no-owner') ], qr/its --no-owner is not the same/, 'another option');
    pgark_fails([ command($db, '--resume', '--schema-map=app=b') ], qr/its --schema-map is not the same/, 'another map');
    my $text = pgark_ok([ command($db, '--resume', '-j4') ], 'with more workers it goes on');
    like($text, qr/^ +of them there before: \d+ rows \(.*\) and \d+ definitions$/m, 'and says what was there');
    pgark_fails([ command($db, '--resume') ], qr/holds no restore that could go on.*without --resume/s, 'nothing to resume');
    equal($db, 'refused');
}

# ---- --create
{
    my $watch = watch($target, 'postgres', q{(SELECT count(*) FROM pg_stat_activity WHERE datname = 'made' AND query ~ 'COPY') > 0});
    my @args = command('made', '--create');
    my $run  = pgark_start(@args);
    ok(watch_end($watch), '--create: it got there');
    kill 'KILL', $run->{pid};
    is((pgark_finish($run))[0], 128 + 9, '--create: it was killed');
    no_traces('--create', undef, $target);
    pgark_fails(\@args, qr/exists already/, '--create: not without --resume');
    pgark_ok([ @args, '--resume' ], '--create --resume');
    equal('made', '--create');
}

# ---- crash of the server, which loses unlogged rows
for my $count ($items * 0.5, $items * 0.75)
{
    my $db      = new_database();
    my $session = freeze($db, $count, 1);
    my $run     = pgark_start(command($db));
    ok(frozen($session), 'crash: it got there');
    $target->stop('immediate');
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, 'crash: exit code') or diag("$out$err");
    like($err, qr/hint: The restore is not complete: the same command with --resume goes on\./, 'crash: the hint');
    eval { $session->quit };
    $target->start;
    pgark_ok([ command($db, '--resume') ], 'crash: --resume');
    equal($db, 'crash');
}

# ---- a worker's backend is ended
{
    my $db = new_database();
    my $watch = watch($target, $db, q{(SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'worker' AND query ~ 'COPY') > 0},
        q{pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ 'worker'});
    my $run = pgark_start(command($db));
    ok(watch_end($watch), 'ended: it got there');
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, 'ended: exit code') or diag("$out$err");
    pgark_ok([ command($db, '--resume') ], 'ended: --resume');
    equal($db, 'ended');
}

# ---- rows added to tables that are there
{
    my $db = new_database();
    pgark_ok([ command($db) ], '--append: the first time');
    $target->safe_psql($db, 'DROP EVENT TRIGGER forbid; ALTER TABLE app.plain DROP CONSTRAINT plain_wide_fkey; ALTER TABLE app.parts DROP CONSTRAINT parts_pkey');
    my @append = ('-a', '--append', '-B', '-t', 'app.plain', '-t', 'app.parts*', '-t', 'app.fast');
    ok(killed($db, 5, 1, @append), '--append: it was killed');
    pgark_ok([ command($db, @append, '--resume') ], '--append --resume');
    my $rows = 'SELECT (SELECT count(*) FROM app.plain), (SELECT count(*) FROM app.parts), (SELECT count(*) FROM app.fast)';
    is($target->safe_psql($db, $rows), '16000|8000|10000', '--append: each row is there once more');

    # What fails before anything was restored leaves nothing.
    $target->safe_psql($db, 'ALTER TABLE app.plain ADD CONSTRAINT no CHECK (id < 0) NOT VALID');
    pgark_fails([ command($db, '-a', '--append', '-B', '-t', 'app.plain') ], qr/violates check/, 'a table that fails');
    is($target->safe_psql($db, "SELECT to_regnamespace('pgark_restore') IS NULL"), 't', 'a table that fails: no journal is left');
}

# ---- a role that may not make a schema
{
    my $db = new_database();
    $target->safe_psql($db, 'CREATE ROLE guest LOGIN; CREATE TABLE public.there (id int); GRANT ALL ON public.there TO guest');
    $source->safe_psql('postgres', 'CREATE DATABASE small');
    $source->safe_psql('small', 'CREATE TABLE there AS SELECT generate_series(1, 10) AS id');
    my $small = backup($repo, '-d', conninfo($source, 'small'));
    pgark_ok([ 'restore', $small, '--repo', $repo, '-d', conninfo($target, $db), '-U', 'guest', '-a', '--no-analyze' ], 'without a journal');
    is($target->safe_psql($db, 'SELECT count(*) FROM public.there'), 10, 'without a journal: the rows are there');
}

done_testing();
