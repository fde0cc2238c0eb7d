# Targets that are not empty, or lack something; failures that are passed over.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $target = make_server('target', conf => "max_prepared_transactions = 0\n");
my $repo   = new_repo();
$_->safe_psql('postgres', 'CREATE ROLE keeper LOGIN') for $source, $target;
$source->safe_psql('postgres', 'CREATE DATABASE shop');
$source->safe_psql('shop', <<'SQL');
CREATE TABLE customer (id serial PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customer, n int CHECK (n > 0));
CREATE TABLE line (o int REFERENCES orders, what text);
CREATE TABLE p (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (500);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (500) TO (5000);
CREATE INDEX ON orders (n);
CREATE VIEW v AS SELECT count(*) FROM orders;
INSERT INTO customer (name) SELECT 'c' || i FROM generate_series(1, 100) i;
INSERT INTO orders SELECT i, i % 100 + 1, i FROM generate_series(1, 1000) i;
INSERT INTO line SELECT i % 1000 + 1, 'l' || i FROM generate_series(1, 3000) i;
INSERT INTO p SELECT i, i FROM generate_series(0, 999) i;
SQL
my $key = backup($repo, '-d', conninfo($source, 'shop'));
my $dbs = 0;

# copy - a database of the target with all of the set.
sub copy
{
    my $db = 'db' . ++$dbs;
    my ($code, $out, $err) =
      pgark('restore', $key, '--repo', $repo, '-d', conninfo($target, $db), '--create', '-j2');
    is($code, 0, "$db: restored") or diag($err);
    return $db;
}

sub arguments
{
    my ($db, @args) = @_;
    return [ 'restore', $key, '--repo', $repo, '-d', conninfo($target, $db), '-j2', @args ];
}

sub query { my ($db, $sql) = @_; return $target->safe_psql($db, $sql) }

sub unchanged
{
    my ($db, $name, $pattern, @args) = @_;
    my $before = dump_text($target, $db);
    my $err = pgark_fails(arguments($db, @args), $pattern, $name);
    is(dump_text($target, $db), $before, "$name: nothing was changed");
    return $err;
}

# ---- what is there is not touched
my $db = copy();
unchanged($db, 'a whole set into a full database', qr/not empty/);
unchanged($db, 'a table that is there', qr/orders/, '-t', 'orders');
unchanged($db, 'rows into a table with rows', qr/not empty: .*orders/, '-a', '-t', 'orders');
like($PgarkTest::last_err, qr/hint: .*--truncate.*--append/, 'and the hint tells the ways');
unchanged($db, 'rows of everything', qr/not empty: .*customer/, '-a');

# ---- --clean
query($db, "DELETE FROM line; UPDATE orders SET n = 1; ALTER TABLE customer ADD more int; DROP VIEW v; CREATE VIEW v AS SELECT 1");
pgark_ok(arguments($db, '--clean', '--if-exists'), 'clean');
same_database($source, 'shop', $target, $db, 'clean');
pgark_ok(arguments($db, '--clean', '-t', 'line'), 'clean: one table');
same_database($source, 'shop', $target, $db, 'clean: one table');
query($db, 'CREATE TABLE mine AS SELECT 1 AS a; CREATE VIEW of_mine AS SELECT * FROM p1');
unchanged($db, 'clean: a view of somebody else depends on it', qr/p1.*depend|depend.*p1/s, '--clean', '--if-exists');
like($PgarkTest::last_err, qr/Nothing was dropped/, 'and that nothing was dropped is said');
query($db, 'DROP VIEW of_mine; DROP TABLE p1');
unchanged($db, 'clean: something is missing', qr/p1/, '--clean');
pgark_ok(arguments($db, '--clean', '--if-exists'), 'clean: what is missing is passed over');
is(query($db, 'SELECT a FROM mine'), 1, 'clean: what is not in the set stays');
query($db, 'DROP TABLE mine');
same_database($source, 'shop', $target, $db, 'clean: again');
query($db, 'CREATE TABLE mine AS SELECT 1 AS a');
pgark_ok(arguments($db, '--clean', '--create'), 'clean: the whole database');
same_database($source, 'shop', $target, $db, 'clean: the whole database');
pgark_fails(arguments('not_there', '--clean', '--create'), qr/not_there/, 'clean: a database that is not there');
pgark_ok(arguments('not_there', '--clean', '--create', '--if-exists'), 'clean: made all the same');

# ---- --truncate
query($db, "UPDATE customer SET name = 'changed'; DELETE FROM line; INSERT INTO orders VALUES (5000, 1, 1); SELECT setval('customer_id_seq', 7)");
pgark_ok(arguments($db, '--truncate'), 'truncate');
same_database($source, 'shop', $target, $db, 'truncate');
query($db, 'UPDATE p SET b = 0; INSERT INTO p1 VALUES (7, 7)');
pgark_ok(arguments($db, '--truncate', '-t', 'p1'), 'truncate: one partition');
is(query($db, 'SELECT (SELECT sum(b) FROM p1), (SELECT sum(b) FROM p2)'), '124750|0', 'truncate: the other one is as it was');
unchanged($db, 'truncate: foreign keys of others', qr/line \(to public\.orders\)/, '--truncate', '-t', 'orders', '-t', 'customer');
query($db, 'CREATE TABLE refers (c int REFERENCES customer)');
unchanged($db, 'truncate: a foreign key of a table that is not in the set', qr/public\.refers/, '--truncate');
query($db, 'DROP TABLE refers');

# A table that cannot be emptied is not loaded.
my $blocked = session($target, $db);
$blocked->query_safe('BEGIN; SELECT 1 FROM line LIMIT 1');
$target->safe_psql('postgres', "ALTER ROLE postgres IN DATABASE $db SET lock_timeout = '100ms'");
query($db, q{CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not to be emptied'; END $$;
    CREATE TRIGGER no BEFORE TRUNCATE ON line FOR EACH STATEMENT EXECUTE FUNCTION no()});
$blocked->quit;
unchanged($db, 'truncate: it fails', qr/not to be emptied/, '--truncate');
query($db, 'DROP TRIGGER no ON line; DROP FUNCTION no()');

# ---- --append
query($db, "DELETE FROM customer WHERE id > 9000; SELECT setval('customer_id_seq', 5000)");
$db = copy();
query($db, "UPDATE customer SET id = id + 1000; UPDATE customer SET name = 'old'") if query($db, 'TRUNCATE customer, orders, line; SELECT 1');
query($db, "INSERT INTO customer SELECT i + 1000, 'old' FROM generate_series(1, 50) i; SELECT setval('customer_id_seq', 5000)");
pgark_ok(arguments($db, '--append', '-t', 'customer', '-t', 'orders', '-t', 'line'), 'append');
is(query($db, 'SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM line)'), '150|3000', 'append: rows were added');
is(query($db, "SELECT nextval('customer_id_seq')"), 5001, 'append: a sequence does not go back');
pgark_fails(arguments($db, '--append', '-t', 'customer'), qr/duplicate key|23505/, 'append: a key is there already');
is(query($db, 'SELECT count(*) FROM customer'), 150, 'append: nothing of what failed is left');

# ---- --keep-existing
$db = copy();
$source->safe_psql('shop', 'CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS $$ SELECT 2 * $1 $$');
my $first_key = $key;
$key = backup($repo, '-d', conninfo($source, 'shop'));
query($db, q{DROP TABLE line; DROP VIEW v; TRUNCATE customer, orders, p; DROP INDEX orders_n_idx; ALTER TABLE p1 ADD CHECK (b >= 0);
    SELECT setval('customer_id_seq', 7); CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS $$ SELECT 3 * $1 $$});
pgark_ok(arguments($db, '--keep-existing'), 'keep existing');
same_rows($source, 'shop', $target, $db, 'keep existing');
is(query($db, 'SELECT twice(2)'), 6, 'keep existing: a function stays as it is');
is(query($db, 'SELECT count FROM v'), 1000, 'keep existing: what is missing is made');
is(query($db, q{SELECT count(*) FROM pg_constraint WHERE conrelid = 'line'::regclass AND contype = 'f'}), 1, 'keep existing: with its keys');
is(query($db, q{SELECT count(*) FROM pg_indexes WHERE indexname = 'orders_n_idx'}), 0, 'keep existing: what belongs to a table that stays does not');
unchanged($db, 'keep existing: tables with rows', qr/not empty: .*customer/, '--keep-existing');
query($db, 'DROP TABLE line, p1');
pgark_ok(arguments($db, '--keep-existing', '--truncate'), 'keep existing: emptied first');
same_rows($source, 'shop', $target, $db, 'keep existing: emptied first');
is(query($db, 'SELECT count(*) FROM p'), 1000, 'keep existing: a partition that was missing is one');
query($db, 'DROP TABLE line; TRUNCATE p');
pgark_ok(arguments($db, '--keep-existing', '--append', '-t', 'line', '-t', 'p', '-t', 'p1', '-t', 'p2'), 'keep existing: a part, added to');
pgark_ok(arguments($db, '--keep-existing', '--append', '-t', 'p1'), 'keep existing: added to');
is(query($db, 'SELECT (SELECT count(*) FROM line), (SELECT count(*) FROM p)'), '3000|1500', 'keep existing: rows were added');
pgark_fails(arguments($db, '--keep-existing', $_), qr/--keep-existing/, "keep existing excludes $_") for '--clean', '--create';
$source->safe_psql('shop', 'DROP FUNCTION twice(int)');
$key = $first_key;

# ---- rows into tables that are there and empty: in the order of foreign keys
$db = copy();
query($db, 'TRUNCATE customer, orders, line, p');
pgark_ok(arguments($db, '-a'), 'rows');
same_database($source, 'shop', $target, $db, 'rows');
query($db, 'TRUNCATE customer, orders, line, p; ALTER TABLE customer ADD first_order int REFERENCES orders');
unchanged($db, 'rows: foreign keys in a circle', qr/circle/, '-a');
like($PgarkTest::last_err, qr/--disable-triggers/, 'rows: the way around is told');
query($db, q{CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trigger fired'; END $$;
    CREATE TRIGGER normal BEFORE INSERT ON line FOR EACH ROW EXECUTE FUNCTION fired();
    CREATE TRIGGER off BEFORE INSERT ON line FOR EACH ROW EXECUTE FUNCTION fired(); ALTER TABLE line DISABLE TRIGGER off;
    CREATE TRIGGER always BEFORE INSERT ON line FOR EACH ROW EXECUTE FUNCTION fired(); ALTER TABLE line ENABLE ALWAYS TRIGGER always});
pgark_ok(arguments($db, '-a', '--disable-triggers'), 'rows: without triggers');
is(query($db, 'SELECT count(*) FROM line'), 3000, 'rows: without triggers: they are there');
is(query($db, q{SELECT string_agg(tgname || '' || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'line'::regclass AND NOT tgisinternal}),
    'alwaysA normalO offD', 'rows: without triggers: they are as they were');
pgark_fails(arguments($db, '--truncate', '-t', 'line'), qr/a trigger fired/, 'rows: a trigger fires');
is(query($db, 'SELECT count(*) FROM line'), 0, 'rows: a trigger fires: no row came');
like($PgarkTest::last_err, qr/--resume goes on/, 'rows: a trigger fires: the way on is told');
query($db, 'DROP SCHEMA pgark_restore CASCADE; TRUNCATE p; ALTER TABLE p DROP b');
unchanged($db, 'rows: a column is missing', qr/b public\.p1/, '-a', '-t', 'p1', '-t', 'p2');
query($db, 'DROP TABLE p');
unchanged($db, 'rows: a table is missing', qr/public\.p1, public\.p2/, '-a', '-t', 'p1', '-t', 'p2');

# ---- --on-error=continue
$source->safe_psql('shop', <<'SQL');
CREATE FUNCTION positive(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
CREATE TABLE broken (a int CHECK (positive(a)), b int);
CREATE INDEX on_broken ON broken (b);
CREATE VIEW of_broken AS SELECT * FROM broken;
CREATE TABLE bad_rows (a int CHECK (positive(a)));
INSERT INTO bad_rows VALUES (1), (2); INSERT INTO broken VALUES (1);
CREATE OR REPLACE FUNCTION positive(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 100';
CREATE TABLE parent (a int PRIMARY KEY); CREATE TABLE child (a int REFERENCES parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);
SET session_replication_role = replica; INSERT INTO child VALUES (2);
SQL
$key = backup($repo, '-d', conninfo($source, 'shop'));
pgark_fails(arguments('stopped', '--create'), qr/bad_rows|broken|child_a_fkey/, 'on error: the default is to stop');
my $json = pgark_json(arguments('passed', '--create', '--on-error=continue'), 'on error: continue', 2);
my %failed = map { $_->{object} => $_ } @{ $json->{nodes}[0]{failures} };
is(join(',', sort grep { !$failed{$_}{skipped} } keys %failed),
    'FK CONSTRAINT public.child child_a_fkey,rows of "public"."bad_rows",rows of "public"."broken"', 'on error: what failed is listed');
is($failed{'rows of "public"."bad_rows"'}{sqlstate}, '23514', 'on error: with its SQLSTATE');
is($failed{'FK CONSTRAINT public.child child_a_fkey'}{sqlstate}, '23503', 'on error: a foreign key that does not hold');
is(query('passed', 'SELECT (SELECT count(*) FROM bad_rows), (SELECT count(*) FROM child), (SELECT count(*) FROM orders)'), '0|2|1000',
    'on error: of a failed table there is nothing, of the rest everything');
is(query('passed', q{SELECT count(*) FROM pg_constraint WHERE conname = 'child_a_fkey' AND convalidated}), 0, 'on error: a key that fails does not pass as good');

# What depends on what failed is skipped.
$target->safe_psql('postgres', 'CREATE DATABASE half');
query('half', 'CREATE TYPE broken AS ENUM ()');
my ($code, $out, $err) = pgark(@{ arguments('half', '--on-error=continue', '-N', 'nothing') });
is($code, 2, 'skipped: exit code') or diag("$out$err");
like($err, qr/warning: .*TABLE public\.broken failed: SQLSTATE 42710/, 'skipped: the cause is named');
like($err, qr/warning: .*$_ was skipped/, "skipped: $_") for 'INDEX public\.on_broken', 'VIEW public\.of_broken', 'rows of "public"."broken"';
is(query('half', 'SELECT count(*) FROM orders'), 1000, 'skipped: the rest is there');

# ---- what the target lacks is said at once, before anything is made
my $tablespace = PostgreSQL::Test::Utils::tempdir_short();
$source->safe_psql('postgres', "CREATE TABLESPACE fast LOCATION '$tablespace'");
$source->safe_psql('postgres', "CREATE ROLE $_") for qw(absent granted polled);
$source->safe_psql('postgres', 'CREATE DATABASE lacking');
$source->safe_psql('lacking', <<'SQL');
CREATE TABLE t (a int) TABLESPACE fast; ALTER TABLE t OWNER TO absent; GRANT SELECT ON t TO granted;
CREATE POLICY polled_only ON t TO polled USING (true);
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE SCHEMA plain; CREATE TABLE plain.t (a int); CREATE TABLE plain.am (a int) USING heap2;
INSERT INTO t VALUES (1); INSERT INTO plain.am VALUES (2);
SQL
my $lacking = backup($repo, '-d', conninfo($source, 'lacking'));
my @lacking = ('restore', $lacking, '--repo', $repo, '-d', conninfo($target, 'lacks'));
my $text = pgark_fails([ @lacking, '--create' ], qr/roles "absent", "granted", "polled"; tablespace "fast"/, 'lacking');
like($text, qr/hint: .*-O -x --no-policies.*--no-tablespaces/s, 'lacking: the hint has the options');
is(query('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'lacks'"), 0, 'lacking: nothing was made');
pgark_ok([ @lacking, '--create', '-O', '-x', '--no-policies', '--no-tablespaces' ], 'lacking: with the options');
is(query('lacks', 'SELECT a FROM t'), 1, 'lacking: and the rows are there');
my $slow = PostgreSQL::Test::Utils::tempdir_short();
$target->safe_psql('postgres', "CREATE TABLESPACE slow LOCATION '$slow'");
pgark_ok([ @lacking, '--create', '--clean', '-O', '-x', '--no-policies', '--tablespace-map=fast=slow' ], 'lacking: another tablespace');
is(query('lacks', q{SELECT spcname FROM pg_class c JOIN pg_tablespace s ON s.oid = reltablespace WHERE relname = 't' AND relnamespace = 'public'::regnamespace}),
    'slow', 'lacking: the table is there');
$target->safe_psql('postgres', 'CREATE DATABASE one_schema');
@lacking[-1] = conninfo($target, 'one_schema');
pgark_fails([ @lacking, '-t', 'plain.am' ], qr/access method "heap2"|schema "plain"/, 'lacking: an access method');
query('one_schema', 'CREATE SCHEMA plain');
pgark_fails([ @lacking, '-t', 'plain.am' ], qr/access method "heap2"/, 'lacking: an access method');
pgark_ok([ @lacking, '-t', 'plain.am', '--no-table-access-method', '-O' ], 'lacking: the default one');
is(query('one_schema', 'SELECT a FROM plain.am'), 2, 'lacking: the default one: rows');

# All of a kind that only another installation could have: an extension, a collation of the operating system.
$source->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$source->safe_psql('elsewhere', <<'SQL');
SET allow_system_table_mods = on;
UPDATE pg_collation SET collname = 'nowhere_NO' WHERE collname = 'ucs_basic';
CREATE TABLE t (a text COLLATE pg_catalog."nowhere_NO");
CREATE ACCESS METHOD heap3 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE am (a int) USING heap3;
ALTER TABLE am OWNER TO absent;
DROP EXTENSION plpgsql;
CREATE EXTENSION plpgsql;
UPDATE pg_extension SET extname = 'not_installed';
SQL
my $elsewhere = backup($repo, '-d', conninfo($source, 'elsewhere'));
$text = pgark_fails([ 'restore', $elsewhere, '--repo', $repo, '-d', conninfo($target, 'elsewhere'), '--create' ],
    qr/extension "not_installed"/, 'lacking: of another installation');
like($text, qr/$_/, "lacking: $_") for 'collation "nowhere_NO"', 'role "absent"';
like($text, qr/hint: .*--exclude-extension/s, 'lacking: the hint names the way around an extension');
is(query('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'elsewhere'"), 0, 'lacking: nothing was made');

# ---- a target that is older: the set says that it comes from a newer server
{
    my $newer = backup($repo, '-d', conninfo($source, 'shop'), '-n', 'public', '-t', 'orders', '-t', 'customer');
    my $file = set_dir($repo, $newer) . '/manifest.jsonl';
    my @lines = split /^/, slurp_bytes($file);
    pop @lines;
    s/"server_version_num":\d+/"server_version_num":990001/ for @lines;
    my $body = join '', @lines;
    spew_bytes($file, $body . sprintf(qq({"type":"end","sha256":"%s"}\n), Digest::SHA::sha256_hex($body)));
    my @older = ('restore', $newer, '--repo', $repo, '-d', conninfo($target, 'older'));
    pgark_fails([ @older, '--create' ], qr/target is PostgreSQL \d+, older than the source \(99\)/, 'older');
    like($PgarkTest::last_err, qr/hint: .*--on-error=continue/, 'older: the ways are told');
    my ($ended, $said, $warned) = pgark(@older, '--create', '--on-error=continue');
    is($ended, 2, 'older: --on-error=continue takes it') or diag($warned);
    like($warned, qr/warning: .*older than the source/, 'older: with a warning');
    is(query('older', 'SELECT count(*) FROM orders'), 1000, 'older: and the rows are there');
    query('older', 'TRUNCATE orders, customer');
    pgark_ok([ @older, '-a' ], 'older: rows alone');
}

# ---- a foreign key that what was chosen violates
{
    my $chosen = backup($repo, '-d', conninfo($source, 'shop'), '-t', 'parent', '-t', 'customer', '-t', 'orders',
        '--exclude-table-data=customer');
    my @chosen = ('restore', $chosen, '--repo', $repo, '-d', conninfo($target, 'chosen'));
    pgark_fails([ @chosen, '--create' ], qr/orders_customer_fkey/, 'rows that are left out');
    my $report = pgark_json([ @chosen, '--create', '--clean', '--on-error=continue' ], 'rows that are left out: go on', 2);
    is_deeply([ map { "$_->{object} $_->{sqlstate}" } @{ $report->{nodes}[0]{failures} } ],
        ['FK CONSTRAINT public.orders orders_customer_fkey 23503'], 'rows that are left out: the key is listed');
    is(query('chosen', q{SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated)}),
        '1000|0', 'rows that are left out: it does not pass as good');
}

# ---- options that contradict each other
pgark_fails(arguments($db, @$_), qr/exclude each other|needs/, "contradiction: @$_")
  for [qw(--clean --truncate)], [qw(--truncate --append)], [qw(--create --append)], ['--if-exists'];

no_traces('end', undef, $source, $target);
done_testing();
