# gpdbrestore: every command line of its users' notes, what of a dump is restored, and into what.
use strict;
use warnings;
use CronTest;
use PgarkTest;
use Test::More;

my $server = make_server('db');
my $home   = cron_setup($server);
my $dir    = PostgreSQL::Test::Utils::tempdir('cron');
$server->safe_psql('postgres', 'CREATE DATABASE databases');
$server->safe_psql('databases', <<'SQL');
CREATE SCHEMA schemaname;
CREATE TABLE schemaname.tablename (id int PRIMARY KEY, t text);
CREATE INDEX by_text ON schemaname.tablename (t);
INSERT INTO schemaname.tablename SELECT i, 'row ' || i FROM generate_series(1, 1000) i;
CREATE TABLE schemaname.other AS SELECT generate_series(1, 10) AS x;
CREATE TABLE public.outside (a serial, b int DEFAULT 7);
INSERT INTO outside (b) SELECT 1 FROM generate_series(1, 5);
CREATE FUNCTION public.twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1';
CREATE VIEW public.v AS SELECT count(*) FROM schemaname.tablename;
SQL

sub query { my ($sql, $db) = @_; return $server->safe_psql($db // 'databases', $sql) }
my $counts = 'SELECT (SELECT count(*) FROM schemaname.tablename), (SELECT count(*) FROM schemaname.other), (SELECT count(*) FROM outside)';

my $whole  = cron_key([qw(-a -x databases)], 'a whole dump');
my $second = cron_key([qw(-a -x databases -G)], 'another one, which has the history');
my $series = cron_key([qw(-a -x databases --prefix prefixname)], 'one with a prefix');

# ---- 4.1: everything
restore_fails([ qw(-a -s databases -t), $second ], qr/\[ERROR\]:-.*not empty: .*schemaname\.tablename.*hint: .*--truncate.*--append/s, '4.1: rows are never added to others');
is(query($counts), '1000|10|5', '4.1: nothing was changed');
query('TRUNCATE schemaname.tablename, schemaname.other, outside');
restore_ok([ qw(-a -s databases -t), $second ], '4.1: into tables that were emptied');
is(query($counts), '1000|10|5', '4.1: all rows');
query('DROP SCHEMA schemaname CASCADE; DROP TABLE outside');
my $out = restore_ok([ qw(-a -s databases -t), $second ], '4.1: into a database without them');
is(query($counts), '1000|10|5', '4.1: all rows, again');
is(query(q{SELECT count(*) FROM pg_indexes WHERE schemaname = 'schemaname'}), 2, '4.1: with what belongs to them');
is(query('SELECT count FROM v'), 1000, '4.1: and what was dropped with them');
is(query('SELECT count(*) FROM gpcrondump_history'), 3, '4.1: the history is not taken back');
like($out, qr/^\S+ gpdbrestore:[^:]+:\w+-\[INFO\]:-Starting gpdbrestore with args: -a -s databases -t $second$/m, '4.1: the log begins as ever');
like($out, qr/Database name +  ?= databases/, '4.1: parameters');
my $day = cron_dir($second);
like(slurp_bytes("$day/gp_restore_$second.rpt"), qr/^gpdbrestore finished successfully\.$/m, '4.1: a report');
like(slurp_bytes("$day/gp_restore_status_-1_1_$second"), qr/Finished successfully$/m, '4.1: a status file');

# ---- 4.2: a schema
query('UPDATE outside SET b = 99; TRUNCATE schemaname.tablename; DROP TABLE schemaname.other');
restore_ok([ qw(-a -S schemaname --prefix prefixname -t), $series ], '4.2: a schema');
is(query($counts), '1000|10|5', '4.2: its tables have their rows');
is(query('SELECT sum(b) FROM outside'), 5 * 99, '4.2: others are as they were');

# ---- 4.3: tables
query('DROP VIEW v; DROP TABLE schemaname.tablename; DELETE FROM schemaname.other WHERE x > 5');
restore_ok([ qw(-a -S schemaname --prefix prefixname -T schemaname.tablename -t), $series ], '4.3.1: a table');
is(query($counts), '1000|5|5', '4.3.1: it alone');
is(query(q{SELECT count(*) FROM pg_indexes WHERE schemaname = 'schemaname'}), 2, '4.3.1: with its indexes');
query(q{UPDATE schemaname.tablename SET t = 'changed'; INSERT INTO schemaname.tablename VALUES (5000, 'new')});
restore_fails([ qw(-a -T schemaname.tablename -t), $whole ], qr/not empty/, '4.3.1: not into its rows');
restore_ok([ qw(-a -S schemaname --truncate -T schemaname.tablename -t), $series ], '4.3.2: emptied first');
is(query($counts), '1000|5|5', '4.3.2: it alone');
is(query(q{SELECT count(*) FROM schemaname.tablename WHERE t = 'changed'}), 0, '4.3.2: what had been there is gone');
spew_bytes("$dir/filename", "schemaname.other\r\npublic.outside\r\n\r\n");
restore_ok([ qw(-a --truncate), "--table-file=$dir/filename", qw(--prefix prefixname -t), $series ], '4.3.3: tables of a file');
is(query($counts), '1000|10|5', '4.3.3: they have their rows');
is(query('SELECT sum(b) FROM outside'), 5, '4.3.3: of the dump');
is(query("SELECT nextval('outside_a_seq')"), 6, '4.3.3: and their sequences their values');
restore_ok([ qw(-a --append -T schemaname.other -t), $whole ], '--append');
is(query($counts), '1000|20|5', '--append: added, when that is asked for');
query('TRUNCATE schemaname.other, schemaname.tablename');
restore_ok([ '-a', '-T', 'schemaname.*', '-t', $whole ], 'all tables of a schema');
is(query($counts), '1000|10|5', 'all tables of a schema: they have their rows');
restore_fails([ qw(-a -T schemaname.nothing -t), $whole ], qr/nothing/, 'a table that the dump does not have');
restore_fails([ qw(-a -S public -T schemaname.other -t), $whole ], qr/-T names table schemaname\.other, which is in no schema of -S/, 'a table of another schema');

# ---- databases, the schema of what is chosen
restore_ok([ qw(-a -t), $whole, qw(--redirect copy) ], '--redirect makes a database');
is(query($counts, 'copy'), '1000|10|5', '--redirect: all rows');
my $table = cron_key([qw(-a -x databases --prefix apart -t schemaname.tablename)], 'a dump of a table');
restore_ok([ qw(-a -t), $table, qw(--redirect made) ], '--redirect: a table, into a database that has no such schema');
is(query('SELECT count(*) FROM schemaname.tablename', 'made'), 1000, '--redirect: the schema is made');
query('DROP SCHEMA schemaname CASCADE', 'made');
restore_ok([ qw(-a -T schemaname.other -t), $whole, qw(--redirect made) ], '-T: into one that lacks the schema');
is(query('SELECT count(*) FROM schemaname.other', 'made'), 10, '-T: the schema is made');
query('TRUNCATE outside', 'copy');
restore_ok([ qw(-a -t), $whole, qw(--redirect copy -T public.outside) ], '--redirect into one that is there');
is(query($counts, 'copy'), '1000|10|5', '--redirect: a table');
query(q{DELETE FROM outside; CREATE TABLE mine AS SELECT 1 AS a}, 'copy');
restore_ok([ qw(-a -e -t), $whole, qw(--redirect copy) ], '-e');
is(query($counts, 'copy'), '1000|10|5', '-e: all rows');
is(query(q{SELECT to_regclass('mine') IS NULL}, 'copy'), 't', '-e: made anew');
$server->safe_psql('postgres', 'DROP DATABASE copy');
restore_ok([ qw(-a -e -s databases --redirect copy) ], '-s: the newest dump of a database, which is made by -e');
is(query('SELECT count(*) FROM gpcrondump_history', 'copy'), 1, '-s: that without a prefix');
$server->safe_psql('postgres', 'ALTER DATABASE databases RENAME TO gone');
restore_fails([ qw(-a -t), $whole ], qr/there is no database "databases" to restore into.*-e makes it/s, 'a database that is not there');
$server->safe_psql('postgres', 'ALTER DATABASE gone RENAME TO databases');
query('CREATE SCHEMA beside');
restore_ok([ qw(-a -T schemaname.other --change-schema beside -t), $whole ], '--change-schema');
is(query('SELECT count(*) FROM beside.other'), 10, '--change-schema: the table is there');
restore_fails([ qw(-a -T schemaname.other --change-schema not_there -t), $whole ], qr/--change-schema: database "databases" has no schema "not_there"/, '--change-schema: it must be there');
query('CREATE DATABASE empty', 'postgres');
restore_ok([ qw(-a -m --noanalyze -t), $whole, qw(--redirect empty) ], '-m, --noanalyze');
is(query($counts, 'empty'), '0|0|0', '-m: definitions only');

# ---- how it was dumped
my $owned = cron_key([qw(-a -x databases -C --no-owner)], 'a dump with -C and --no-owner');
query('CREATE ROLE somebody', 'postgres');
query('ALTER TABLE schemaname.other OWNER TO somebody; INSERT INTO schemaname.other VALUES (1)');
restore_ok([ qw(-a -S schemaname -t), $owned ], 'what a dump with -C has is dropped first');
is(query($counts), '1000|10|5', '-C: rows are those of the dump');
is(query(q{SELECT tableowner FROM pg_tables WHERE tablename = 'other' AND schemaname = 'schemaname'}), $server->safe_psql('postgres', 'SELECT current_user'), '--no-owner: it is the restoring role\'s');
query('DROP TABLE beside.other; DROP ROLE somebody');

# ---- globals
query('CREATE ROLE kept', 'postgres');
my $globals = cron_key([qw(-a -x databases -G)], 'a dump with roles');
query('DROP ROLE kept', 'postgres');
restore_ok([ qw(-a -G only -t), $globals ], '-G only');
is(query(q{SELECT count(*) FROM pg_roles WHERE rolname = 'kept'}, 'postgres'), 1, '-G only: roles');
query('DROP ROLE kept', 'postgres');
restore_ok([ qw(-a -e -G -t), $globals, qw(--redirect copy) ], '-G');
is(query(q{SELECT count(*) FROM pg_roles WHERE rolname = 'kept'}, 'postgres'), 1, '-G: roles, too');
restore_fails([ qw(-a -e -G -t), $whole, qw(--redirect copy) ], qr/holds no roles/, '-G: the dump has none');

# ---- statistics of the planner
query('CREATE DATABASE known', 'postgres');
query(<<'SQL', 'known');
CREATE SCHEMA s;
CREATE SCHEMA t;
CREATE TYPE s.mood AS ENUM ('sad', 'it''s', E'two\nlines');
CREATE DOMAIN s.small AS int CHECK (VALUE < 100);
CREATE TABLE s."odd ""name
" (id int, gone int, m s.mood, d s.small, a text[], v tsvector, r int4range, f float8, "Col umn" text COLLATE "C", b bytea, n numeric, wide text);
INSERT INTO s."odd ""name
" SELECT i, 0, (enum_range(NULL::s.mood))[1 + i % 3], i % 90, ARRAY['e' || i % 7, E'\\\\ "quo''te"'], to_tsvector('simple', 'word' || i % 5 || ' other'), int4range(i, i + 10),
    CASE WHEN i % 50 = 0 THEN 'NaN' ELSE i / 3.0 END, CASE WHEN i % 4 = 0 THEN NULL ELSE E'line\n' || i % 9 END, decode(md5(i::text), 'hex'), i * 1.10, repeat('w', i % 200)
    FROM generate_series(1, 3000) i;
ALTER TABLE s."odd ""name
" DROP COLUMN gone;
CREATE TABLE s.part (i int, k text) PARTITION BY RANGE (i);
CREATE TABLE s.part_1 PARTITION OF s.part FOR VALUES FROM (0) TO (500);
CREATE TABLE s.part_2 PARTITION OF s.part FOR VALUES FROM (500) TO (1000);
INSERT INTO s.part SELECT i % 1000, i % 3 FROM generate_series(1, 2000) i;
CREATE TABLE s.never AS SELECT 1 AS x;
CREATE MATERIALIZED VIEW s.mat AS SELECT i % 10 AS i FROM s.part;
ANALYZE s."odd ""name
", s.part, s.mat;
SQL
my $stats = q{SELECT schemaname, quote_ident(tablename)::bytea, attname, inherited, md5(ROW(null_frac, avg_width, n_distinct, most_common_vals, most_common_freqs,
    histogram_bounds, correlation, most_common_elems, most_common_elem_freqs, elem_count_histogram)::text) FROM pg_stats WHERE schemaname IN ('s', 't') ORDER BY 1, 2, 3, 4};
my $sizes = q{SELECT relname, relpages, reltuples FROM pg_class WHERE relnamespace = 's'::regnamespace AND relkind IN ('r', 'p', 'm') AND relname <> 'never' ORDER BY 1};
my %known = (stats => query($stats, 'known'), sizes => query($sizes, 'known'));
cmp_ok(scalar(split /^/, $known{stats}), '>', 15, 'statistics: there are some');
my $with = cron_key([qw(-a -x known --dump-stats -H)], '--dump-stats');
my $script = cron_dir($with) . "/gp_statistics_-1_1_$with";
like(slurp_bytes($script), qr/^-- Schema: 's', Table: E'odd "name\\n'\n.*^UPDATE pg_catalog\.pg_class .*^INSERT INTO pg_catalog\.pg_statistic .*^-- End of the statistics of 6 tables$/ms, '--dump-stats: a script');
$out = restore_ok([ qw(-a --restore-stats -t), $with, qw(--redirect again) ], '--restore-stats');
like($out, qr/Restored the statistics of 6 tables$/m, '--restore-stats: it is said');
is(query($stats, 'again'), $known{stats}, '--restore-stats: statistics are those of the source');
is(query($sizes, 'again'), $known{sizes}, '--restore-stats: and so are the sizes');
is(query(q{EXPLAIN SELECT FROM s.part WHERE k = '1' AND i < 300}, 'again'), query(q{EXPLAIN SELECT FROM s.part WHERE k = '1' AND i < 300}, 'known'), '--restore-stats: the planner goes by them');
restore_ok([ qw(-a --noanalyze -t), $with, qw(--redirect by_psql) ], 'without statistics');
is(query($stats, 'by_psql'), '', 'there are none');
run_script($server, 'by_psql', $script);
is(query($stats, 'by_psql'), $known{stats}, 'psql puts them back, too');
query('DELETE FROM pg_statistic WHERE starelid::regclass::text LIKE \'s.%\'', 'by_psql');
$out = restore_ok([ qw(-a --restore-stats only -T s.part -t), $with, qw(--redirect by_psql) ], '--restore-stats only');
is(query($stats, 'by_psql'), join("\n", grep { /^s\|\\x70617274/ } split /\n/, $known{stats}), '--restore-stats only: of the tables that are named, and their partitions');
is(query('SELECT count(*) FROM s.part', 'by_psql'), 2000, '--restore-stats only: no rows');
query('CREATE TABLE t.mat (i bigint)', 'by_psql');
query('CREATE TABLE t.part_2 (i int, k text)', 'by_psql');
restore_fails([ qw(-a --restore-stats only -T s.mat -T s.part_2 --change-schema t -t), $with, qw(--redirect by_psql) ],
    qr/\[WARNING\]:-no statistics of table t\.mat: its columns are not those.*\[WARNING\]:-1 tables have no statistics: run ANALYZE/s, '--restore-stats with --change-schema', 1);
is(query($stats, 'by_psql') =~ tr/\n// + 1, (grep { /^s\|\\x70617274/ } split /\n/, $known{stats}) + 2, 'other columns: none; the same: theirs');
restore_fails([ qw(-a --restore-stats -t), $whole, qw(--redirect nowhere) ], qr/--restore-stats: cannot read .*gp_statistics_-1_1_$whole.*hint: gpcrondump writes it with --dump-stats/s, '--restore-stats of a dump without');
is(query(q{SELECT count(*) FROM pg_database WHERE datname = 'nowhere'}, 'postgres'), 0, 'nothing was begun');
restore_fails([ qw(-a --restore-stats only -t), $with, qw(--redirect nowhere) ], qr/there is no database "nowhere"/, '--restore-stats only needs the database');
query('CREATE ROLE plain CREATEDB', 'postgres');
{
    local $ENV{PGOPTIONS} = '-c role=plain';
    restore_fails([ qw(-a --restore-stats -t), $with, qw(--redirect nowhere) ], qr/--restore-stats needs a superuser/, '--restore-stats by another role');
    cron_fails([qw(-a -x known --dump-stats -H)], qr/--dump-stats needs a role that may read pg_statistic/, '--dump-stats by another role');
}
spew_bytes($script, substr slurp_bytes($script), 0, -30);
restore_fails([ qw(-a --restore-stats only -t), $with, qw(--redirect again) ], qr/--restore-stats: .*line \d+: .*end/, 'a script that is cut off');
query("DROP DATABASE $_", 'postgres') for qw(known again by_psql);
query('DROP ROLE plain', 'postgres');

# ---- lists
$out = restore_ok([ '-L', '-t', $whole ], '-L');
is(join(' ', $out =~ /-Table (\S+)$/mg), 'public.outside schemaname.other schemaname.tablename', '-L: the tables');
restore_fails([ '--list-backup', '-t', $whole ], qr/whole one/, '--list-backup of a whole dump');

# ---- which dump
query('SELECT 1');
my $today = substr($whole, 0, 8);
{
    my ($said, $err) = ('', '');
    local $ENV{PGARK} = $ENV{PGARK} =~ s{[^/]*\z}{gpdbrestore}r;
    delete local @ENV{qw(PGHOST PGPORT PGDATABASE)};
    query('TRUNCATE outside');
    IPC::Run::run([ $ENV{PGARK}, qw(-T public.outside -b), $today ], '<', \"1\ny\n", '>', \$said, '2>', \$err);
    is($? >> 8, 0, '-b: of several dumps, one is asked for') or diag("$said$err");
    like($said, qr/^\[1\] $whole$/m, '-b: they are listed');
    is(query($counts), '1000|10|5', '-b: it is restored');
}
restore_fails([ '-b', $today ], qr/is none of the numbers 1 to/, '-b: no answer');
restore_fails([ '-b', '20200101' ], qr/there is no dump of day 20200101 without a prefix/, '-b: a day without');
restore_fails([ qw(-a -s nothing) ], qr/there is no dump of database nothing/, '-s: a database without');
restore_fails([ qw(-a -s other -t), $whole ], qr/is of database "databases", and not of "other"/, '-s with -t of another database');
restore_fails([ qw(-a --prefix other -t), $series ], qr/has the prefix "prefixname", and not "other"/, 'another prefix');
restore_fails([ qw(-a -t 20200101000000) ], qr/there is no set 20200101000000/, 'a key that is not there');
restore_fails([ qw(-t), $whole ], qr/User canceled/, 'no answer is no', 4);
restore_fails([ qw(-a -t), $whole, '--report-status-dir', "$dir/not_there" ], qr/--report-status-dir: cannot write/, '--report-status-dir that is not there');
query('TRUNCATE outside');
restore_ok([ qw(-a -T public.outside -t), $whole, '--report-status-dir', $dir ], '--report-status-dir');
ok(-e "$dir/gp_restore_$whole.rpt", '--report-status-dir: the report is there');

# ---- an error of SQL is one
query(q{TRUNCATE outside; ALTER TABLE outside ADD CHECK (b > 100)});
restore_fails([ qw(-a -T public.outside -t), $whole ], qr/\[ERROR\]:-.*check.*hint: The restore is not complete/s, 'rows that the table does not take');
like(slurp_bytes("$day/gp_restore_$whole.rpt"), qr/unsuccessfully/, 'the report says so, too');
is(query('SELECT count(*) FROM outside'), 0, 'and there is no part of them');

no_traces('end', undef, $server);
done_testing();
