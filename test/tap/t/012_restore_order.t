# The order of a restore: constraints in parts, materialized views, what runs beside what.
use strict;
use warnings;
use PgarkTest;
use Test::More;

needs_version(15, 'no NULLS NOT DISTINCT');

my $source = make_server('source');
my $target = make_server('target', conf => "log_statement = ddl\nlog_line_prefix = ''\n");

$_->safe_psql('postgres', 'CREATE ROLE viewer; CREATE ROLE reporter') for $source, $target;

# seen TEXT - how often the target's log has a statement since the last look.
my $log_from = 0;

sub new_log
{
    my $log = PostgreSQL::Test::Utils::slurp_file($target->logfile, $log_from);
    $log_from = -s $target->logfile;
    return $log;
}

sub count_in
{
    my ($log, $pattern) = @_;
    my $count = () = $log =~ /$pattern/g;
    return $count;
}

# ---- constraints: tables that are large enough for their parts to be worth it, and small ones --------

$source->safe_psql('postgres', 'CREATE DATABASE keys');
$source->safe_psql('keys', <<'SQL');
CREATE TABLE parent (id int, code text NOT NULL, a int NOT NULL, b int NOT NULL, note text, n int);
INSERT INTO parent SELECT i, 'c' || i, i / 1000, i % 1000, 'x', CASE WHEN i % 2 = 0 THEN NULL ELSE i END
  FROM generate_series(1, 120000) i;
INSERT INTO parent (id, code, a, b, n) VALUES (-1, 'c-1', -1, -1, -1);
ALTER TABLE parent ADD CONSTRAINT "parent ""key""" PRIMARY KEY (id) INCLUDE (note) WITH (fillfactor = 80);
ALTER TABLE parent ADD CONSTRAINT later UNIQUE (code) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE parent ADD CONSTRAINT sometimes UNIQUE (a, b) INCLUDE (note, n) WITH (fillfactor = 70) DEFERRABLE;
ALTER TABLE parent ADD CONSTRAINT plain UNIQUE (b, a);
ALTER TABLE parent ADD CONSTRAINT "nulls, too" UNIQUE NULLS NOT DISTINCT (code);
ALTER TABLE parent ADD CONSTRAINT no_overlap EXCLUDE USING btree (id WITH =);
ALTER TABLE parent ADD CONSTRAINT unchecked CHECK (id > 0) NOT VALID;
COMMENT ON CONSTRAINT plain ON parent IS 'a comment; ALTER TABLE parent';
CREATE UNIQUE INDEX by_note ON parent ((id + 1));
CREATE INDEX by_b ON parent (b DESC NULLS LAST) WHERE a > 5;
ALTER INDEX by_note ALTER COLUMN 1 SET STATISTICS 77;
CREATE STATISTICS both_of (ndistinct) ON a, b FROM parent;
ALTER TABLE parent CLUSTER ON sometimes;
ALTER TABLE parent REPLICA IDENTITY USING INDEX plain;
CREATE SCHEMA "odd schema";
CREATE TABLE "odd schema"."Child; x" (id int PRIMARY KEY, "p id" int, a int, b int, self int, code text);
INSERT INTO "odd schema"."Child; x" SELECT i, i, i / 1000, i % 1000, nullif(i - 1, 0), 'c' || i
  FROM generate_series(1, 120000) i;
CREATE INDEX marked ON "odd schema"."Child; x" (a);
CREATE UNIQUE INDEX ON "odd schema"."Child; x" (id, code);
ALTER TABLE "odd schema"."Child; x" CLUSTER ON marked;
ALTER TABLE "odd schema"."Child; x"
  ADD CONSTRAINT "to; parent" FOREIGN KEY ("p id") REFERENCES parent ON DELETE CASCADE ON UPDATE SET NULL,
  ADD CONSTRAINT composite FOREIGN KEY (a, b) REFERENCES parent (a, b) MATCH FULL ON DELETE SET DEFAULT,
  ADD CONSTRAINT myself FOREIGN KEY (self) REFERENCES "odd schema"."Child; x" (id) DEFERRABLE INITIALLY DEFERRED,
  ADD CONSTRAINT by_code FOREIGN KEY (code) REFERENCES parent (code) DEFERRABLE;
CREATE TABLE unproven (id int, p int);
INSERT INTO unproven SELECT i, -i FROM generate_series(2, 120000) i;
ALTER TABLE unproven ADD CONSTRAINT nobody_looked FOREIGN KEY (p) REFERENCES parent NOT VALID;
COMMENT ON CONSTRAINT nobody_looked ON unproven IS 'stays so';
ALTER TABLE parent ADD last_child int;
ALTER TABLE parent ADD CONSTRAINT circle FOREIGN KEY (last_child) REFERENCES "odd schema"."Child; x" (id);
CREATE TABLE small (id int PRIMARY KEY, p int REFERENCES parent, up int REFERENCES small);
INSERT INTO small SELECT i, i, i FROM generate_series(1, 10) i;
SQL

round_trip($source, 'keys', $target, 'constraints',
    restore => [ '-j', '3' ],
    keep    => 1,
    check   => sub {
        my ($copy) = @_;
        my $log = new_log();
        is(count_in($log, qr/ADD CONSTRAINT .* (?:PRIMARY KEY|UNIQUE) USING INDEX/),
            6, 'constraints: the large keys got an index first');
        is(count_in($log, qr/FOREIGN KEY .* NOT VALID/),
            6, 'constraints: the large foreign keys were added without a look, and one was so');
        is(count_in($log, qr/VALIDATE CONSTRAINT/), 5, 'constraints: and looked at then, but for that one');
        unlike($log, qr/VALIDATE CONSTRAINT nobody_looked/, 'constraints: not valid stays so');
        my $sql = q{SELECT string_agg(conname || convalidated || condeferrable || condeferred, ' ' ORDER BY conname)
            FROM pg_constraint WHERE connamespace IN ('public'::regnamespace, '"odd schema"'::regnamespace)};
        is($target->safe_psql($copy, $sql), $source->safe_psql('keys', $sql), 'constraints: all as they were');
        $sql = q{SELECT string_agg(concat_ws(',', indexrelid::regclass, indisvalid, indisclustered, indisreplident,
            indimmediate, indisprimary), ' ' ORDER BY indexrelid::regclass::text) FROM pg_index
            WHERE indrelid >= 16384 AND indrelid::regclass::text NOT LIKE 'pg_toast%'};
        is($target->safe_psql($copy, $sql), $source->safe_psql('keys', $sql), 'constraints: indexes, too');
        is( $target->safe_psql($copy,
                q{SELECT string_agg(stxname || (d.stxdndistinct IS NOT NULL), ' ') FROM pg_statistic_ext s
                JOIN pg_statistic_ext_data d ON d.stxoid = s.oid}),
            'both_oftrue', 'constraints: ANALYZE came when statistics objects were there');
    });

# One worker: nobody waits for a lock, so nothing is taken apart.
round_trip($source, 'keys', $target, 'one worker', restore => [ '-j', '1' ], check => sub {
    is(count_in(new_log(), qr/(?:KEY|UNIQUE) USING INDEX|VALIDATE CONSTRAINT/), 0, 'one worker: statements as they are');
});

# ---- partitioned tables ------------------------------------------------------------------------------

$source->safe_psql('postgres', 'CREATE DATABASE parts');
$source->safe_psql('parts', <<'SQL');
CREATE TABLE customer (id int PRIMARY KEY, name text);
INSERT INTO customer SELECT i, 'n' FROM generate_series(1, 100000) i;
CREATE TABLE orders (at int, id int, customer int, note text) PARTITION BY RANGE (at);
CREATE TABLE o1 (note text, customer int, id int NOT NULL, at int NOT NULL);
ALTER TABLE orders ATTACH PARTITION o1 FOR VALUES FROM (0) TO (50000);
CREATE TABLE o2 PARTITION OF orders FOR VALUES FROM (50000) TO (100000) PARTITION BY LIST (customer);
CREATE TABLE o2a PARTITION OF o2 FOR VALUES IN (1, 2, 3);
CREATE TABLE o2b PARTITION OF o2 DEFAULT;
CREATE TABLE o3 PARTITION OF orders FOR VALUES FROM (100000) TO (200000);
CREATE TABLE o4 (at int, id int, customer int, note text, CONSTRAINT to_customer CHECK (customer > 0));
ALTER TABLE orders ATTACH PARTITION o4 FOR VALUES FROM (200000) TO (300000);
INSERT INTO orders SELECT i, i, CASE WHEN i % 5 < 3 THEN i % 5 + 1 ELSE i % 90000 + 1 END, 'x'
  FROM generate_series(0, 299999) i;
CREATE INDEX ON orders (customer);
CREATE INDEX ON orders (id);
ALTER TABLE orders ADD CONSTRAINT to_customer FOREIGN KEY (customer) REFERENCES customer ON DELETE CASCADE;
COMMENT ON CONSTRAINT to_customer ON orders IS 'of all';
CREATE TABLE region (id int, part int, PRIMARY KEY (id, part)) PARTITION BY HASH (id);
CREATE TABLE r1 PARTITION OF region FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE r2 PARTITION OF region FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO region SELECT i, i FROM generate_series(1, 100000) i;
CREATE TABLE located (id int PRIMARY KEY, region int, part int);
INSERT INTO located SELECT i, i, i FROM generate_series(1, 100000) i;
ALTER TABLE located ADD CONSTRAINT to_region FOREIGN KEY (region, part) REFERENCES region;
ALTER TABLE orders ADD region int, ADD part int;
ALTER TABLE orders ADD CONSTRAINT to_parts FOREIGN KEY (region, part) REFERENCES region;
CREATE TABLE heir (extra int) INHERITS (located);
INSERT INTO heir SELECT i, i, i, i FROM generate_series(200000, 300000) i;
ALTER TABLE heir ADD PRIMARY KEY (id), ADD UNIQUE (extra);
SQL
round_trip($source, 'parts', $target, 'partitions', restore => [ '-j', '4', '--memory', '64MB' ], keep => 1, check => sub {
    my ($copy) = @_;
    my $log = new_log();
    is(count_in($log, qr/FOREIGN KEY .* NOT VALID/), 3, 'partitions: of the large leaves one by one');
    unlike($log, qr/o4"? ADD CONSTRAINT to_customer/, 'partitions: not where the name is taken');
    my $sql = q{SELECT string_agg(concat_ws(',', conrelid::regclass, confrelid::regclass, conname, convalidated, conislocal,
        coninhcount, conparentid <> 0), ' ' ORDER BY conrelid::regclass::text, confrelid::regclass::text, conname)
        FROM pg_constraint WHERE contype = 'f'};
    is($target->safe_psql($copy, $sql), $source->safe_psql('parts', $sql),
        'partitions: their constraints belong to the whole');
    $sql = q{SELECT string_agg(concat_ws(',', tgrelid::regclass, tgconstrrelid::regclass, tgtype, tgenabled, tgparentid <> 0),
        ' ' ORDER BY tgrelid::regclass::text, tgconstrrelid::regclass::text, tgtype, tgparentid <> 0) FROM pg_trigger};
    is($target->safe_psql($copy, $sql), $source->safe_psql('parts', $sql), 'partitions: and so do the triggers');
});

# ---- what a foreign key finds ------------------------------------------------------------------------

for my $case (
    [ 'large', 'CREATE TABLE c (p int) ', 150000, 'c' ],
    [ 'small', 'CREATE TABLE c (p int)', 5, 'c' ],
    [ 'partitioned', 'CREATE TABLE c (p int) PARTITION BY RANGE (p); '
          . 'CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (1000000)', 150000, 'c' ])
{
    my ($name, $ddl, $rows) = @$case;
    my $repo = new_repo();
    $source->safe_psql('postgres', 'CREATE DATABASE broken');
    $source->safe_psql('broken', <<"SQL");
CREATE TABLE p (id int PRIMARY KEY);
INSERT INTO p SELECT generate_series(1, $rows);
$ddl;
INSERT INTO c SELECT id FROM p;
ALTER TABLE c ADD CONSTRAINT "must; hold" FOREIGN KEY (p) REFERENCES p;
SET session_replication_role = replica;
INSERT INTO c VALUES (999999);
SQL
    my $key = backup($repo, '-d', conninfo($source, 'broken'));
    for my $jobs (1, 4)
    {
        pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, "broken_${name}_$jobs"), '--create',
                '-j', $jobs ],
            qr/must; hold/, "$name foreign key that does not hold, $jobs workers");
    }
    my ($code, undef, $err) = pgark('restore', $key, '--repo', $repo, '-d', conninfo($target, "broken_${name}_go"),
        '--create', '-j', 4, '--on-error=continue');
    is($code, 2, "$name: one that is passed over") or diag($err);
    is(count_in($err, qr/FK CONSTRAINT public\.c must; hold/), 1, "$name: is told once");
    $source->safe_psql('postgres', 'DROP DATABASE broken');
}
new_log();

# ---- many locks at once ------------------------------------------------------------------------------

# Two restores of one set into two databases: locks are of a database each, and so is their order.
my $web = join '',
  map { my $i = $_; "CREATE TABLE t$i (id int PRIMARY KEY, u int UNIQUE, "
      . join(', ', map { "r$_ int" } 0 .. 3) . ");\n"
      . "INSERT INTO t$i SELECT i, i, i, i, i, i FROM generate_series(1, 20) i;\n" } 0 .. 39;
$web .= join '',
  map { my $i = $_; map { "ALTER TABLE t$i ADD FOREIGN KEY (r$_) REFERENCES t" . (($i * 7 + $_ * 11) % 40) . ";\n" } 0 .. 3 }
  0 .. 39;
$web .= join '', map { "CREATE RULE r AS ON DELETE TO t$_ DO INSTEAD NOTHING;\n" } 0 .. 9;
$source->safe_psql('postgres', 'CREATE DATABASE web');
$source->safe_psql('web',      $web);
round_trip($source, 'web', $target, 'many foreign keys', restore => [ '-j', '8' ]);
unlike(new_log(), qr/deadlock detected/, 'many foreign keys: no deadlock');

# ---- materialized views ------------------------------------------------------------------------------

$source->safe_psql('postgres', 'CREATE DATABASE views');
$source->safe_psql('views', <<'SQL');
CREATE TABLE base (id int PRIMARY KEY, v int);
INSERT INTO base SELECT i, i % 10 FROM generate_series(1, 1000) i;
CREATE MATERIALIZED VIEW z_first AS SELECT v, count(*) AS n FROM base GROUP BY v;
CREATE UNIQUE INDEX ON z_first (v);
CREATE VIEW over_first AS SELECT v, n * 2 AS n FROM z_first;
CREATE FUNCTION through(int) RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT n FROM over_first WHERE v = $1; END;
CREATE MATERIALIZED VIEW y_second AS SELECT v, n FROM over_first WHERE v < 5;
CREATE VIEW over_both AS SELECT v, through(v) AS n FROM y_second;
CREATE MATERIALIZED VIEW a_third AS SELECT v, sum(n) AS n FROM over_both GROUP BY v;
CREATE INDEX ON a_third (n);
CREATE MATERIALIZED VIEW empty_one AS SELECT * FROM base WITH NO DATA;
CREATE MATERIALIZED VIEW "Odd; ""view""" AS SELECT * FROM a_third;
CREATE MATERIALIZED VIEW grouped AS SELECT id, v FROM base GROUP BY id;
CREATE MATERIALIZED VIEW left_alone AS SELECT id FROM base;
CREATE MATERIALIZED VIEW of_left_alone AS SELECT id FROM left_alone;
REFRESH MATERIALIZED VIEW left_alone WITH NO DATA;
GRANT ALL ON SCHEMA public TO reporter;
CREATE TABLE guarded (id int);
INSERT INTO guarded VALUES (7);
GRANT SELECT ON guarded TO reporter;
CREATE MATERIALIZED VIEW of_reporter AS SELECT * FROM guarded;
ALTER MATERIALIZED VIEW of_reporter OWNER TO reporter;
GRANT SELECT ON of_reporter TO viewer;
CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'an event trigger ran'; END $$;
CREATE EVENT TRIGGER no_ddl ON ddl_command_start EXECUTE FUNCTION forbid();
SQL
my $filled = q{SELECT string_agg(matviewname || ispopulated, ' ' ORDER BY matviewname) FROM pg_matviews};
my $views_repo = new_repo();
my $views_key  = backup($views_repo, '-d', conninfo($source, 'views'));
my ($views_code, $views_out, $views_err) =
  pgark('restore', $views_key, '--repo', $views_repo, '-d', conninfo($target, 'views'), '--create', '-j', '4');
is($views_code, 2, 'views: a warning') or diag($views_err);
like($views_err, qr/warning: .*of_left_alone.*left_alone/, 'views: names the one that cannot be filled, and why');
is( $target->safe_psql('views', $filled),
    'Odd; "view"true a_thirdtrue empty_onefalse groupedtrue left_alonefalse of_left_alonefalse of_reportertrue '
      . 'y_secondtrue z_firsttrue',
    'views: filled in their order');
for my $view ('z_first', 'y_second', 'a_third', '"Odd; ""view"""', 'grouped', 'of_reporter')
{
    my $sql = "SELECT md5(string_agg(x::text, ' ' ORDER BY x::text)) FROM $view x";
    is($target->safe_psql('views', $sql), $source->safe_psql('views', $sql), "views: rows of $view");
}
is( $target->safe_psql('views',
        q{SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'a_third'}), 't', 'views: and analyzed');
PgarkTest::same_text(
    (map { PgarkTest::sort_rows(PgarkTest::dump_text($_, 'views')) } $target, $source),
    'views: pg_dump of both sides is equal');

no_traces('end', undef, $source, $target);
done_testing();
