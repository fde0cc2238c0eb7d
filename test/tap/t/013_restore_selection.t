# What a restore brings of a set, and how definitions are changed on their way: against pg_dump with the
# same options, where it has them.
use strict;
use warnings;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_version(14, 'its pg_dump attaches a partition in the definition of the table');

my $source = make_server('source');
my $target = make_server('target');
my $repo   = new_repo();
$_->safe_psql('postgres', 'CREATE ROLE keeper; CREATE ROLE reader') for $source, $target;

$source->safe_psql('postgres', 'CREATE DATABASE shop');
$source->safe_psql('shop', <<'SQL');
CREATE SCHEMA sales; CREATE SCHEMA other; CREATE SCHEMA parts;
CREATE EXTENSION hstore SCHEMA other;
CREATE TYPE sales.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN sales.positive AS int CHECK (value > 0);
CREATE FUNCTION sales.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION sales.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE sales.region (id int PRIMARY KEY, name text);
CREATE TABLE sales.customer (id serial PRIMARY KEY, m sales.mood, region int REFERENCES sales.region);
CREATE TABLE sales.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer int REFERENCES sales.customer, n sales.positive DEFAULT sales.twice(2), note text,
    parent bigint REFERENCES sales.orders);
CREATE INDEX by_twice ON sales.orders (sales.twice(n));
CREATE STATISTICS sales.both_columns ON customer, n FROM sales.orders;
CREATE TRIGGER stamp BEFORE INSERT ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.stamp();
CREATE RULE keep AS ON DELETE TO sales.orders DO INSTEAD NOTHING;
ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sales.orders USING (n < 1000);
CREATE TABLE parts.p (a int PRIMARY KEY, b text) PARTITION BY RANGE (a);
CREATE TABLE parts.p1 PARTITION OF parts.p FOR VALUES FROM (0) TO (500);
CREATE TABLE parts.p2 PARTITION OF parts.p FOR VALUES FROM (500) TO (5000);
CREATE INDEX ON parts.p (b);
CREATE TABLE other.base (x int); CREATE TABLE other.derived (y int) INHERITS (other.base);
CREATE SEQUENCE other.free START 7; SELECT nextval('other.free');
CREATE VIEW sales.v AS SELECT o.id, c.m FROM sales.orders o JOIN sales.customer c ON c.id = o.customer;
CREATE MATERIALIZED VIEW other.mv AS SELECT m, count(*) FROM sales.v GROUP BY m;
CREATE UNIQUE INDEX mv_m ON other.mv (m);
CREATE UNLOGGED TABLE other.scratch AS SELECT generate_series(1, 10) AS s;
COMMENT ON TABLE sales.orders IS 'it''s orders'; COMMENT ON COLUMN sales.orders.n IS 'how many';
COMMENT ON INDEX sales.by_twice IS 'an index'; COMMENT ON CONSTRAINT orders_pkey ON sales.orders IS 'key';
GRANT SELECT ON sales.orders TO reader; GRANT UPDATE (note) ON sales.orders TO reader; GRANT USAGE ON SCHEMA sales TO reader, keeper;
ALTER TABLE sales.customer OWNER TO keeper; ALTER FUNCTION sales.twice(int) OWNER TO keeper;
ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO reader;
CREATE PUBLICATION pub FOR TABLE sales.orders, sales.region;
CREATE TABLE public.log (at timestamptz DEFAULT now(), what text);
INSERT INTO sales.region SELECT i, 'r' || i FROM generate_series(1, 5) i;
INSERT INTO sales.customer (m, region) SELECT 'ok', i % 5 + 1 FROM generate_series(1, 100) i;
INSERT INTO sales.orders (customer, note) SELECT i % 100 + 1, 'n' || i FROM generate_series(1, 2000) i;
INSERT INTO parts.p SELECT i, 'b' || i FROM generate_series(0, 999) i;
INSERT INTO other.base VALUES (1); INSERT INTO other.derived VALUES (1, 2);
INSERT INTO public.log (what) VALUES ('one');
REFRESH MATERIALIZED VIEW other.mv;
SELECT lo_from_bytea(4711, 'large');
SQL
my $key = backup($repo, '-d', conninfo($source, 'shop'));

my $dbs = 0;

# new_database [SQL] - an empty database of the target.
sub new_database
{
    my ($sql) = @_;
    my $db = 'db' . ++$dbs;
    $target->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
    $target->safe_psql($db, $sql) if defined $sql;
    return $db;
}

# restored NAME, SQL, ARG... - a new database with what the options bring.
sub restored
{
    my ($name, $sql, @args) = @_;
    my $db = new_database($sql);
    my ($code, $out, $err) =
      pgark('restore', $key, '--repo', $repo, '-d', conninfo($target, $db), '-j2', @args);
    ok($code == 0 || $code == 2, "$name: restore") or diag("exit $code\n$out$err");
    return $db;
}

# as_pg_dump NAME, SQL, PG-DUMP-OPTIONS, RESTORE-OPTIONS - both ways to the same end. What is made by SQL is in the
# database before.
sub as_pg_dump
{
    my ($name, $sql, $dump, $restore, $statistics) = @_;
    my $archive = PostgreSQL::Test::Utils::tempdir() . '/archive';
    my $expected = new_database($sql);
    command_ok([ 'pg_dump', '-Fc', '-f', $archive, @$dump, '-d', conninfo($source, 'shop') ],
        "$name: pg_dump");
    command_ok([ 'pg_restore', '-e', '-d', conninfo($target, $expected), @$restore, $archive ],
        "$name: pg_restore");
    my $got = restored($name, $sql, @$dump, @$restore);
    my @texts = map { PgarkTest::sort_rows(dump_text($target, $_)) } $got, $expected;
    # pg_dump leaves statistics out of what -t selects; here they belong to their table.
    if ($statistics)
    {
        s/^--\n-- Name: both_columns;.*?(?=^--\n-- Name)//ms for @texts;
    }
    PgarkTest::same_text(@texts, "$name: as pg_dump");
    $target->safe_psql('postgres', "DROP DATABASE $_") for $got, $expected;
    return;
}

my $types = q{CREATE SCHEMA sales; CREATE TYPE sales.mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN sales.positive AS int CHECK (value > 0);
    CREATE FUNCTION sales.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
    CREATE FUNCTION sales.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'};

as_pg_dump('everything', undef, [], []);
as_pg_dump('one schema', undef, [qw(-n parts)], []);
as_pg_dump('a pattern of schemas', undef, [ '-n', 'pa*' ], []);
# (newer pg_dumps add the tables of schemas left out to publications, which then fails)
as_pg_dump('without a schema', 'CREATE SCHEMA other', [qw(-N other -N parts -N sales --no-publications)], []);
as_pg_dump('a table', $types, [qw(-t sales.region)], []);
as_pg_dump('two tables and their key', $types, [qw(-t sales.region -t sales.customer)], []);
as_pg_dump('all tables of a schema but one', $types, [ '-t', 'sales.*', '-T', 'sales.v' ], [], 1);
as_pg_dump('a sequence', 'CREATE SCHEMA other', [qw(-t other.free)], []);
as_pg_dump('no data of a table', undef, [qw(-n parts --exclude-table-data=parts.p1)], []);
as_pg_dump('no unlogged data', 'CREATE SCHEMA other', [qw(-t other.scratch -t other.base --no-unlogged-table-data)], []);
as_pg_dump('definitions', undef, ['-s'], []);
# for pg_dump large objects are pre-data, without their contents; here they are data
as_pg_dump('pre-data', undef, [qw(--section=pre-data -B)], []);
as_pg_dump('no privileges', undef, ['-x'], []);
as_pg_dump('no comments', undef, ['--no-comments'], []);
as_pg_dump('no publications', undef, ['--no-publications'], []);
as_pg_dump('no large objects', undef, ['-B'], []);
as_pg_dump('no owner', undef, [], ['-O']);
$target->safe_psql('postgres', 'ALTER ROLE keeper SUPERUSER');
as_pg_dump('session authorization', undef, [], ['--use-set-session-authorization']);
$target->safe_psql('postgres', 'ALTER ROLE keeper NOSUPERUSER');
as_pg_dump('another role', undef, [], [ '--role=keeper_of_all', '-O' ])
  if $target->safe_psql('postgres', 'CREATE ROLE keeper_of_all SUPERUSER; SELECT 1');

# ---- one table
my $db = restored('a table alone', $types, '-t', 'sales.orders');
is($target->safe_psql($db, 'SELECT count(*) FROM sales.orders'), 2000, 'a table alone: rows');
is($target->safe_psql($db, q{SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'sales.orders'::regclass AND contype <> 'n'}),
    'orders_parent_fkey orders_pkey', 'a table alone: its own constraints, no foreign key to what is not there');
is($target->safe_psql($db, q{SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('sales', 'parts', 'other') AND relkind IN ('r', 'v', 'm', 'p')}),
    1, 'a table alone: nothing else');
my ($code, $out, $err) = pgark('restore', $key, '--repo', $repo, '-d', conninfo($target, new_database($types)),
    '-t', 'sales.orders', '--output=json');
is($code, 2, 'a foreign key that is left out is a warning');
like($err, qr/warning: .*orders_customer_fkey/, 'and is named');
like($out, qr/"left_out": \[\s*"sales.orders orders_customer_fkey"/, 'in JSON, too');
my $json = pgark_json([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, new_database($types)), '-t', 'sales.region' ],
    'a table without foreign keys');
is($json->{nodes}[0]{rows}, 5, 'only its rows are counted');

# ---- with dependencies
$db = restored('with dependencies', undef, '-t', 'sales.orders', '--with-dependencies');
is($target->safe_psql($db, 'SELECT (SELECT count(*) FROM sales.orders), (SELECT count(*) FROM sales.customer), (SELECT count(*) FROM sales.region)'),
    '2000|100|5', 'with dependencies: rows of the tables that foreign keys refer to');
is($target->safe_psql($db, q{SELECT count(*) FROM pg_constraint WHERE contype = 'f'}), 3, 'with dependencies: all three foreign keys');
is($target->safe_psql($db, "INSERT INTO sales.customer (m) VALUES ('sad') RETURNING id"), 101, 'with dependencies: the sequence goes on');
is($target->safe_psql($db, "SELECT to_regclass('sales.v') IS NULL AND to_regclass('other.mv') IS NULL"), 't', 'with dependencies: not what depends on it');
is($target->safe_psql($db, q{SELECT has_schema_privilege('reader', 'sales', 'USAGE')}), 't', 'with dependencies: the schema has its privileges');

# What is there already stays as it is.
$db = restored('dependencies that are there', "$types; COMMENT ON TYPE sales.mood IS 'mine';
    CREATE TABLE sales.region (id int PRIMARY KEY, name text, more int); INSERT INTO sales.region SELECT generate_series(1, 9)",
    '-t', 'sales.orders', '--with-dependencies');
is($target->safe_psql($db, 'SELECT count(*), count(more) FROM sales.region'), '9|0', 'dependencies that are there: a table stays as it is');
is($target->safe_psql($db, q{SELECT count(*) FROM pg_constraint WHERE conname = 'customer_region_fkey'}), 1, 'dependencies that are there: foreign keys refer to it');
is($target->safe_psql($db, q{SELECT obj_description('sales.mood'::regtype)}), 'mine', 'dependencies that are there: a type stays as it is');

$db = restored('a materialized view', undef, '-t', 'other.mv', '--with-dependencies');
is($target->safe_psql($db, 'SELECT count FROM other.mv'), 2000, 'a materialized view is filled');
$db = restored('a partition', undef, '-t', 'parts.p1', '--with-dependencies');
is($target->safe_psql($db, 'SELECT count(*) FROM parts.p'), 500, 'a partition is attached to its parent');
$db = restored('a partition alone', 'CREATE SCHEMA parts', '-t', 'parts.p1');
is($target->safe_psql($db, "SELECT count(*), to_regclass('parts.p') IS NULL FROM parts.p1"), '500|t', 'a partition alone is a table');

# Without them the server misses something; the hint tells the option.
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, new_database('CREATE SCHEMA sales')), '-t', 'sales.orders' ],
    qr/sales\.twice|sales\.positive/, 'without dependencies');
like($PgarkTest::last_err, qr/hint: .*--with-dependencies/, 'without dependencies: the hint');

# ---- single objects
$db = restored('an index and a function', "$types; DROP FUNCTION sales.stamp(); CREATE TABLE sales.orders (customer int, n int)",
    '-I', 'by_twice', '-P', 'stamp()');
is($target->safe_psql($db, "SELECT to_regclass('sales.by_twice') IS NOT NULL, to_regprocedure('sales.stamp()') IS NOT NULL"), 't|t',
    'an index and a function: both are there');
$db = restored('a trigger', "$types; CREATE TABLE sales.orders (id int)", '--trigger', 'stamp');
is($target->safe_psql($db, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"), 'stamp', 'a trigger');

# ---- sections one after another
$db = restored('pre-data', undef, '--section=pre-data');
restored_into($db, 'data', '--section=data');
restored_into($db, 'post-data', '--section=post-data');
same_database($source, 'shop', $target, $db, 'section by section');

sub restored_into
{
    my ($into, $name, @args) = @_;
    return pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, $into), '-j2', @args ], $name);
}

# ---- through the root
$db = restored('through the root', 'CREATE SCHEMA parts; CREATE TABLE parts.p (a int, b text) PARTITION BY RANGE (a);
    CREATE TABLE parts.p1 PARTITION OF parts.p FOR VALUES FROM (0) TO (100); CREATE TABLE parts.p2 PARTITION OF parts.p DEFAULT',
    '-n', 'parts', '-a', '--load-via-partition-root');
is($target->safe_psql($db, 'SELECT (SELECT count(*) FROM parts.p1), (SELECT count(*) FROM parts.p2)'), '100|900',
    'through the root: rows go where the target wants them');

# ---- another schema
$db = restored('another schema', undef, '-t', 'parts.*', '--schema-map=parts=archive');
is($target->safe_psql($db, "SELECT count(*), to_regnamespace('parts') IS NULL FROM archive.p"), '1000|t', 'another schema: rows, and no old schema');
is($target->safe_psql($db, "SELECT count(*) FROM pg_index WHERE indrelid IN ('archive.p'::regclass, 'archive.p1'::regclass, 'archive.p2'::regclass) AND indisvalid"), 6,
    'another schema: indexes are attached and valid');
$db = restored('another schema with keys', $types, '-t', 'sales.customer', '-t', 'sales.region', '--schema-map=sales=moved');
is($target->safe_psql($db, q{SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'customer_region_fkey'}),
    'FOREIGN KEY (region) REFERENCES moved.region(id)', 'another schema with keys: they refer to the moved table');
is($target->safe_psql($db, "INSERT INTO moved.customer (m) VALUES ('sad') RETURNING id"), 101, 'another schema with keys: the sequence moved, with its value');
is($target->safe_psql($db, q{SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'moved.customer'::regclass}),
    q{nextval('moved.customer_id_seq'::regclass)}, 'another schema with keys: the default names the moved sequence');
my $into = conninfo($target, new_database($types));
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', $into, @{ $_->[1] } ], $_->[2], "refused: $_->[0]")
  for [ 'a function', [ '-n', 'sales', '--schema-map=sales=moved' ], qr/FUNCTION sales\.|VIEW sales\./ ],
  [ 'two into one', [ '-n', 'sales', '-n', 'parts', '--schema-map=sales=x', '--schema-map=parts=x' ], qr/both/ ],
  [ 'the name is taken', [ '-t', 'parts.*', '-t', 'other.base', '--schema-map=parts=other' ], qr/objects of its own/ ],
  [ 'no such schema', [ '-t', 'parts.p', '--schema-map=nowhere=x' ], qr/nowhere/ ],
  [ 'onto itself', [ '-t', 'parts.p', '--schema-map=parts=parts' ], qr/itself/ ],
  [ 'a view of it', [ '-t', 'sales.orders', '-t', 'other.mv', '-t', 'sales.v', '--schema-map=sales=x' ], qr/VIEW/ ];
is($target->safe_psql($into =~ /dbname='(\w+)'/, 'SELECT count(*) FROM pg_class WHERE relnamespace > 16384'), 0, 'refused: nothing was made');

# ---- names that match nothing
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', $into, @$_ ], qr/matches nothing/, "nothing: @$_")
  for [qw(-t nothing)], [qw(-n nothing)], [qw(-t sales.region -t nothing --strict-names)],
  [qw(-n sales -n nothing --strict-names)], [qw(-I nothing)], [qw(-P nothing)], [qw(--trigger nothing)];

no_traces('end', [ $repo, $key ], $source, $target);
done_testing();
