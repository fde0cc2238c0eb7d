# Where a set can be restored to, where not, and what comes along besides rows.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $target = make_server('target');
my $repo   = new_repo();

for my $node ($source, $target)
{
    $node->safe_psql('postgres', 'CREATE ROLE reader; CREATE ROLE keeper LOGIN; CREATE ROLE owner_of_it');
}
$source->safe_psql('postgres', <<'SQL');
CREATE DATABASE shop ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0 OWNER owner_of_it;
ALTER DATABASE shop SET work_mem = '7MB';
ALTER DATABASE shop SET search_path = 'odd "one"', public;
ALTER ROLE reader IN DATABASE shop SET statement_timeout = '5min';
COMMENT ON DATABASE shop IS 'what''s in it';
GRANT CONNECT ON DATABASE shop TO reader;
REVOKE TEMP ON DATABASE shop FROM public;
SQL
$source->safe_psql('shop', <<'SQL');
CREATE EXTENSION IF NOT EXISTS plpgsql;
CREATE SCHEMA "odd ""one""" AUTHORIZATION owner_of_it;
SET search_path = public;
CREATE TABLE a (id serial PRIMARY KEY, t text UNIQUE, v int);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a DEFERRABLE INITIALLY DEFERRED, self int REFERENCES b);
ALTER TABLE a ADD b int REFERENCES b;
CREATE TABLE c (at date NOT NULL, n int CHECK (n > 0), PRIMARY KEY (at, n)) PARTITION BY RANGE (at);
CREATE TABLE c1 PARTITION OF c FOR VALUES FROM ('2000-01-01') TO ('2010-01-01');
CREATE TABLE c2 PARTITION OF c DEFAULT;
CREATE INDEX ON c (n);
CREATE TABLE refers (at date, n int, FOREIGN KEY (at, n) REFERENCES c);
CREATE INDEX by_expression ON a ((v * 2), lower(t)) WHERE v > 3;
ALTER TABLE a CLUSTER ON a_pkey;
CREATE STATISTICS both_ways (dependencies) ON id, v FROM a;
CREATE RULE keep AS ON DELETE TO b DO INSTEAD NOTHING;
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trigger ran'; END $$;
CREATE TRIGGER never BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION never();
ALTER TABLE a DISABLE TRIGGER never;
INSERT INTO a (t, v) SELECT 'a' || i, i % 10 FROM generate_series(1, 3000) i;
INSERT INTO b SELECT i, i, CASE WHEN i > 1 THEN i - 1 END FROM generate_series(1, 3000) i;
UPDATE a SET b = id;
ALTER TABLE a ENABLE TRIGGER never;
INSERT INTO c SELECT date '2005-01-01' + i * 10, i FROM generate_series(1, 1000) i;
INSERT INTO refers SELECT at, n FROM c;
CREATE VIEW "odd ""one""".v AS SELECT * FROM public.a;
GRANT SELECT ON a TO reader; GRANT UPDATE (v) ON a TO reader WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE a_id_seq TO reader;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;
ALTER TABLE b OWNER TO keeper;
ALTER TABLE b ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON b USING (id < 10);
ALTER TABLE a REPLICA IDENTITY FULL;
CREATE PUBLICATION pub FOR TABLE a;
CREATE FUNCTION counted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'an event trigger ran'; END $$;
CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION counted();
ALTER EVENT TRIGGER watch ENABLE ALWAYS;
SQL
my $shop = conninfo($source, 'shop');
my $key  = backup($repo, '-d', $shop);

# ---- --create: the database with all that belongs to it
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($target), '--create', '-j4' ], 'create');
same_database($source, 'shop', $target, 'shop', 'create');
my $properties = q{SELECT pg_encoding_to_char(encoding), datcollate, datctype, pg_get_userbyid(datdba),
    shobj_description(oid, 'pg_database'), (SELECT string_agg(a::text, $$,$$ ORDER BY a::text) FROM unnest(datacl) a),
    (SELECT string_agg(setrole::regrole || ': ' || setconfig::text, '; ' ORDER BY setrole) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid)
    FROM pg_database d WHERE datname = 'shop'};
is($target->safe_psql('postgres', $properties), $source->safe_psql('postgres', $properties),
    'create: encoding, locale, owner, comment, privileges and settings');
is($target->safe_psql('shop', "SELECT nextval('public.a_id_seq')"), 3001, 'create: the sequence goes on');
is($target->safe_psql('shop', "SELECT count(*) FROM pg_constraint WHERE NOT convalidated"), 0,
    'create: every constraint is validated');
my $invalid = $target->safe_psql('shop', 'SELECT count(*) FROM pg_index WHERE NOT indisvalid');
is($invalid, 0, 'create: every index is valid');
isnt($target->psql('shop', q{SET session_replication_role = DEFAULT; ALTER EVENT TRIGGER watch DISABLE; INSERT INTO public.refers VALUES ('1900-01-01', 1)}),
    0, 'create: a foreign key holds');
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target), '--create' ],
    qr/shop/, 'create: the database exists');
my ($code, $out, $err);

# ---- ANALYZE
my $analyzed = q{SELECT count(*) > 0 FROM pg_stats WHERE schemaname = 'public'};
is($target->safe_psql('shop', $analyzed), 't', 'tables were analyzed');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, 'quick'), '--create', '--no-analyze' ],
    'no-analyze');
is($target->safe_psql('quick', $analyzed), 'f', 'no-analyze: they were not');
same_database($source, 'shop', $target, 'quick', 'no-analyze');

# ---- into an empty database
$target->safe_psql('postgres', "CREATE DATABASE ready TEMPLATE template0 LOCALE 'C'");
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, 'ready') ], 'into an empty database');
same_database($source, 'shop', $target, 'ready', 'into an empty database');

# ---- refused, and nothing touched
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, 'ready') ],
    qr/not empty/, 'a full database');
for my $object ('CREATE TABLE x (a int)', 'CREATE VIEW x AS SELECT 1', 'CREATE SEQUENCE x',
    'CREATE FUNCTION x() RETURNS int LANGUAGE sql AS $$SELECT 1$$', 'CREATE TYPE x AS ENUM ()', 'CREATE SCHEMA x')
{
    $target->safe_psql('postgres', 'DROP DATABASE IF EXISTS used');
    $target->safe_psql('postgres', 'CREATE DATABASE used TEMPLATE template0');
    $target->safe_psql('used', $object);
    my $before = dump_text($target, 'used');
    pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, 'used') ],
        qr/not empty/, "not empty: $object");
    is(dump_text($target, 'used'), $before, "not empty: $object: it is as it was");
}
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, 'nowhere') ],
    qr/nowhere/, 'a database that does not exist');
no_traces('refused', [ $repo, $key ], $source, $target);

# ---- a fleet
my @shards = ($source, make_server('shard1'), make_server('shard2'));
for my $i (0 .. 2)
{
    $shards[$i]->safe_psql('postgres', 'CREATE DATABASE shard');
    $shards[$i]->safe_psql('shard', "CREATE TABLE t (id int, shard int); INSERT INTO t SELECT g, $i FROM generate_series(1, 10 + $i) g");
}
my $fleet = backup($repo, map { ('--node', conninfo($_, 'shard')) } @shards);
cmp_ok(scalar @{ manifest($repo, $fleet)->{node} }, '==', 3, 'fleet: three nodes');

my @map = map { ('--map', "$_=" . conninfo($target, "moved$_")) } 0 .. 2;
pgark_ok([ 'restore', $fleet, '--repo', $repo, '--create', @map ], 'fleet: all nodes onto one server');
is($target->safe_psql("moved$_", 'SELECT count(*), min(shard) FROM t'), (10 + $_) . "|$_",
    "fleet: node $_ is where it was sent") for 0 .. 2;

my %wrong = (
    'one is left out'       => [ @map[ 0 .. 3 ] ],
    'one that it has not'   => [ @map, '--map', '3=' . conninfo($target, 'moved3') ],
    'one twice'             => [ @map, '--map', '1=' . conninfo($target, 'moved4') ],
    'no number'             => [ @map[ 0 .. 3 ], '--map', 'x=' . conninfo($target, 'moved5') ],
    'no conninfo'           => [ @map[ 0 .. 3 ], '--map', '2=' ],
    'a number too large'    => [ @map[ 0 .. 3 ], '--map', '99999999999=' . conninfo($target, 'moved5') ],
    'none at all'           => [ '-d', conninfo($target, 'moved6') ],
    'the same target twice' => [ @map[ 0 .. 3 ], '--map', '2=' . conninfo($target, 'moved0') ],
);
$target->safe_psql('postgres', "DROP DATABASE moved$_") for 0 .. 2;
for my $name (sort keys %wrong)
{
    pgark_fails([ 'restore', $fleet, '--repo', $repo, '--create', @{ $wrong{$name} } ], qr/./, "map: $name");
    is($target->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname LIKE 'moved%'"), 0,
        "map: $name: nothing was made");
}
pgark_fails([ 'restore', $fleet, '--repo', $repo, '--create', @map[ 0 .. 3 ] ], qr/\b2\b/,
    'map: what is left out is named');
pgark_fails([ 'restore', $fleet, '--repo', $repo, '--create', @map, '--map', '7=' . conninfo($target, 'x') ],
    qr/\b7\b/, 'map: what the set does not have is named');
pgark_ok([ 'restore', $key, '--repo', $repo, '--create', '--map', '0=' . conninfo($target, 'mapped') ],
    'map: also for a single server');

# ---- a role that may not do everything: it owns its database and restores into it
$target->safe_psql('postgres', 'CREATE DATABASE modest OWNER keeper');
$source->safe_psql('postgres', 'CREATE DATABASE modest');
$source->safe_psql('modest', 'CREATE TABLE t (id serial, x text); INSERT INTO t (x) VALUES ($$one$$); ALTER TABLE t OWNER TO keeper; GRANT CREATE ON SCHEMA public TO keeper');
$target->safe_psql('modest', 'ALTER SCHEMA public OWNER TO keeper');
$source->safe_psql('modest', 'ALTER SCHEMA public OWNER TO keeper');
my $modest = backup($repo, '-d', conninfo($source, 'modest', 'user=keeper'));
pgark_ok([ 'restore', $modest, '--repo', $repo, '-d', conninfo($target, 'modest', 'user=keeper') ],
    'a role without superuser backs up and restores what is its own');
is($target->safe_psql('modest', 'SELECT x FROM t'), 'one', 'and the row is there');
pgark_fails([ 'backup', '--repo', $repo, '-d', conninfo($source, 'shop', 'user=keeper') ],
    qr/permission denied|privilege/, 'a role that may not read a table');

# ---- what a set does not hold is said, by exit code 2 and in the manifest
$source->safe_psql('postgres', 'CREATE DATABASE more');
$source->safe_psql('more', <<'SQL');
CREATE TABLE t AS SELECT generate_series(1, 10) AS id;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE f (id int) SERVER far;
SQL
($code, $out, $err) = pgark('backup', '--repo', $repo, '--no-sync', '-d', conninfo($source, 'more'), '--output=json');
is($code, 2, 'left out: exit code') or diag("$out$err");
like($err, qr/warning: .*1 foreign tables.*--include-foreign-data/, 'left out: the rows of foreign tables are named');
my ($more) = $out =~ /"key": ?"(\d{14})"/;
is(scalar @{ manifest($repo, $more)->{node}[0]{warnings} }, 1, 'left out: the manifest has it');
($code, $out, $err) = pgark('restore', $more, '--repo', $repo, '-d', conninfo($target, 'more'), '--create');
ok($code == 0 || $code == 2, 'left out: the rest can be restored') or diag("$out$err");
is($target->safe_psql('more', 'SELECT count(*) FROM t'), 10, 'left out: with its rows');
no_traces('end', undef, @shards, $target);

done_testing();
