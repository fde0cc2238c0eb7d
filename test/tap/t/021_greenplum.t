# Greenplum 6: every kind of table, to a cluster of the same size, of another one, in all ways.
use strict;
use warnings;
use CronTest;
use File::Basename;
use GreenplumTest;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_greenplum();
my $source = make_greenplum('two', 2, qw(app copy rows));
my $bigger = make_greenplum('three', 3, 'app');
my $plain  = make_server('plain');
my $bin    = greenplum_bin();
my $repo   = new_repo();
my $from   = greenplum_conninfo($source, 'app');
my @dump   = ('--pg-dump', "$bin/pg_dump");
my $sql    = PostgreSQL::Test::Utils::tempdir('sql') . '/greenplum.sql';
spew_bytes($sql, slurp_bytes(dirname(__FILE__) . '/../sql/greenplum.sql'));
{
    my ($out, $err) = ('', '');
    IPC::Run::run([ "$bin/psql", '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $from, '-f', $sql ], '<', \undef, '>', \$out, '2>', \$err)
      or die $err;
}
my $rows     = gp_rows($source, 'app');
my $policies = gp_policies($source, 'app');
my $schema   = gp_schema($source, 'app');

my $key = backup($repo, '-d', $from, '-j2', @dump);
pgark_ok([ 'verify', $key, '--repo', $repo ], 'verify');

# ---- what it is said to be
my $show  = pgark_json([ 'show', $key, '--repo', $repo, '--tables=0' ], 'show');
my %table = map { ("$_->{schema}.$_->{name}" => $_) } @{ $show->{tables} };
is($show->{topology}, 'greenplum', 'show: the topology');
is_deeply([ map { $_->{content} } @{ $show->{nodes} } ], [ -1, 0, 1 ], 'show: the coordinator and its segments');
is($show->{cut}{method}, 'barrier', 'show: the cut');
cmp_ok($show->{cut}{stall_us}, '>', 0, 'show: writers waited for a moment');
is($table{'public.heap_hash'}{rows}, 5000, 'show: the rows of all segments are the table\'s');
is($table{'public.heap_rep'}{rows}, 200, 'show: of a replicated table one copy is there');
is($table{'sales.part'}{rows}, 6000, 'show: the rows of all partitions are the table\'s');
is_deeply($table{'public.heap_multi'}{distribution}{columns}, [ 'c', 'a' ], 'show: the key, in its order');
is($table{"public.$_->[0]"}{distribution}{method}, $_->[1], "show: $_->[0] is $_->[1]")
  for [ heap_hash => 'hash' ], [ heap_random => 'random' ], [ heap_rep => 'replicated' ], [ aoco => 'hash' ];
is(scalar(grep { /_prt_/ } keys %table), 0, 'show: partitions are no tables');
is($table{'public.ext_read'}{rows}, 0, 'show: an external table has no rows');
my $text = pgark_ok([ 'show', $key, '--repo', $repo, '--tables=0' ], 'show');
like($text, qr/public\.heap_multi .*  hash \(c, a\)$/m, 'show: in words');
my ($d) = grep { $_->{table_oid} == (grep { $_->{name} eq 'legacy' && $_->{content} == -1 } @{ manifest($repo, $key)->{table} })[0]{oid} }
  @{ manifest($repo, $key)->{distribution} };
is_deeply($d->{opclasses}, [ 'pg_catalog.cdbhash_int4_ops', 'pg_catalog.cdbhash_text_ops' ], 'the operator classes of a key are in the set');
my $check = pgark_ok([ 'check', '-d', $from, @dump ], 'check');
like($check, qr/^node -1 +ok +segments +2 primary segments/m, 'check: segments');
like($check, qr/^node 1 +ok +server .*Greenplum 6\./m, 'check: finds the segments, and what they are');
gp_no_traces('a backup', $source, 'app');

# ---- as many connections to the coordinator as it says that it needs, beside that which asks
my @narrow = ('-d', greenplum_conninfo($source, 'rows') . ' user=narrow', '-j2', @dump);
my $limit  = sub {
    my ($count) = @_;
    gp_sql($source, 'rows', "ALTER ROLE narrow CONNECTION LIMIT $count");
    gp_segment_sql($source, 'rows', $_, 'ALTER ROLE narrow CONNECTION LIMIT -1') for 0, 1;
    my @said = (pgark('check', @narrow))[1] =~ /^node -1 +(\w+) +connections +(\d+) free, (\d+) needed for -j 2/m;
    gp_no_traces("at most $count connections", $source, 'rows');
    return @said;
};
gp_sql($source, 'rows', 'CREATE ROLE narrow LOGIN');
my (undef, undef, $needed) = $limit->(50);
is(join(' ', $limit->($needed + 1)), "ok $needed $needed", 'few connections: check says that they are enough');
backup($repo, @narrow);
gp_no_traces('few connections', $source, 'rows');
is(join(' ', $limit->($needed)), 'failed ' . ($needed - 1) . " $needed", 'one less: check says that they are not');
pgark_fails([ 'backup', @narrow, '--repo', $repo ], qr/too many connections/, 'one less: and so it is');

# ---- back, in all ways
sub equal
{
    my ($cluster, $db, $name) = @_;
    is_deeply(gp_rows($cluster, $db), $rows, "$name: the rows of all tables are equal");
    is(gp_policies($cluster, $db), $policies, "$name: the policies are equal");
    same_text(gp_schema($cluster, $db), $schema, "$name: pg_dump of both sides is equal");
    # By their keys rows are looked for on one segment alone.
    is(gp_sql($cluster, $db, q{SELECT count(*) FROM heap_hash a JOIN heap_hash b USING (id) WHERE a.id IN (1, 77, 4242)}), 3, "$name: rows are found by their key");
    is(gp_sql($cluster, $db, q{SELECT count(*) FROM legacy a JOIN legacy b ON a.id = b.id AND a.t = b.t}), 1000, "$name: and joined by it");
    is(gp_sql($cluster, $db, q{SELECT count(*) FROM by_mood a JOIN (SELECT DISTINCT m FROM by_mood) b ON a.m = b.m}), 900, "$name: also by an enum");
    is(gp_sql($cluster, $db, q{SELECT nextval('ser_id_seq'), nextval('sales.counter')}), gp_sql($source, 'app', q{SELECT last_value + 1, 1010 FROM ser_id_seq}),
        "$name: sequences go on");
    return;
}

sub restored
{
    my ($cluster, $db, $name, @args) = @_;
    my $json = pgark_json([ 'restore', $key, '--repo', $repo, '-d', greenplum_conninfo($cluster, $db), '-j2', @args ], "$name: restore");
    equal($cluster, $db, $name);
    return $json->{nodes}[0]{definitions};
}
my $items = restored($source, 'copy', 'same size');
is(gp_sql($source, 'copy', q{SELECT count(*) FROM pg_stats WHERE schemaname = 'public' AND tablename = 'heap_hash'}), 4, 'same size: statistics are there');
restored($source, 'copy', 'a new database in its place', '--create', '--clean', '--no-direct');
restored($bigger, 'app', '2 to 3 segments');
is(gp_segment_sql($bigger, 'app', $_, 'SELECT count(*) > 0 FROM heap_hash'), 't', "2 to 3 segments: segment $_ has its share") for 0 .. 2;
is(gp_segment_sql($bigger, 'app', $_, 'SELECT count(*) FROM heap_rep'), 200, "2 to 3 segments: segment $_ has the replicated table") for 0 .. 2;
gp_no_traces('restores', $source, 'copy');

# ---- ended by force, and gone on with: anywhere on the way, with what was loaded into a segment and is not noted yet
$items += scalar(map { chunks($repo, $key, $_) } 0, 1);
my $points = $ENV{PGARK_TEST_FULL} ? 12 : 3;
for my $i (0 .. $points - 1)
{
    my $count = 2 + int(($i + rand) * ($items - 4) / $points);
    my $name  = "kill -9 at $count";
    my @into  = ('restore', $key, '--repo', $repo, '-d', greenplum_conninfo($source, "killed$i"), '-j2', $i % 3 == 0 ? '--no-direct' : ());
    gp_sql($source, 'postgres', "CREATE DATABASE killed$i");
    my $frozen = gp_freeze($source, "killed$i", $count);
    my $run    = pgark_start(@into);
    ok(gp_frozen($frozen), "$name: it got there");
    kill 'KILL', $run->{pid};
    is((pgark_finish($run))[0], 128 + 9, "$name: it was killed");
    gp_thaw($frozen);
    gp_no_traces($name, $source, "killed$i");
    pgark_fails([@into], qr/not empty: it holds a restore of set $key.*--resume/s, "$name: not without --resume");
    pgark_ok([ @into, '--resume' ], "$name: --resume");
    equal($source, "killed$i", $name);
    is(gp_sql($source, "killed$i", q{SELECT count(*) FROM pg_namespace WHERE nspname = 'pgark_restore'}), 0, "$name: no journal is left");
    gp_sql($source, 'postgres', "DROP DATABASE killed$i");
}

# ---- --direct
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', greenplum_conninfo($bigger, 'fresh'), '--create', '--direct' ],
    qr/--direct: the set is of 2 segments, the target has 3/, '--direct: another size');
is(gp_sql($bigger, 'postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'fresh'}), 0, '--direct: nothing was made');
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', greenplum_conninfo($source, 'fresh'), '--create', '--direct' ],
    qr/--direct: table "public\.by_mood" cannot be loaded so: its key has a type/, '--direct: a key that hashes by database');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', greenplum_conninfo($source, 'direct'), '--create', '--direct', '-T', 'by_mood', '-T', 'parent', '-T', 'child' ],
    '--direct: the others');
is(gp_sql($source, 'direct', 'SELECT count(*) FROM heap_multi a JOIN heap_multi b ON a.c = b.c AND a.a = b.a'), 4000, '--direct: rows are where they belong');

# ---- rows that are not where they belong: of a source that somebody has written by hand, segment for segment
gp_sql($source, 'rows', 'CREATE TABLE misplaced (id int) DISTRIBUTED BY (id); CREATE TABLE fine (id int) DISTRIBUTED BY (id); INSERT INTO fine SELECT generate_series(1, 50)');
gp_segment_sql($source, 'rows', 0, q{COPY misplaced FROM PROGRAM 'seq 1 100'});
my $crooked = backup($repo, '-d', greenplum_conninfo($source, 'rows'), @dump);
pgark_fails([ 'restore', $crooked, '--repo', $repo, '-d', greenplum_conninfo($source, 'crooked'), '--create' ],
    qr/rows of table "public"\."misplaced" are not on the segments that they belong to.*\n.*--no-direct/, 'misplaced rows: the proof fails');
pgark_ok([ 'restore', $crooked, '--repo', $repo, '-d', greenplum_conninfo($source, 'straight'), '--create', '--no-direct' ], 'misplaced rows: through the coordinator');
is(gp_sql($source, 'straight', 'SELECT count(*) FROM misplaced a JOIN misplaced b USING (id)'), 100, 'misplaced rows: then they are where they belong');

# ---- parts of it
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', greenplum_conninfo($source, 'one'), '--create', '-t', 'sales.part', '--with-dependencies' ], 'one table: restore');
is(gp_sql($source, 'one', 'SELECT count(*) FROM sales.part'), 6000, 'one table: with its partitions');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', greenplum_conninfo($source, 'one'), '-a', '-t', 'sales.part', '--truncate' ], 'rows anew: restore');
is(gp_sql($source, 'one', 'SELECT count(*) FROM sales.part'), 6000, 'rows anew: no row twice');
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', greenplum_conninfo($source, 'one'), '-a', '-t', 'sales.part' ], qr/not empty: sales\.part/, 'rows on top: refused');
my $part = backup($repo, '-d', $from, @dump, '-t', 'heap_rep', '-t', 'sales.part_ao');
is(pgark_json([ 'show', $part, '--repo', $repo ], 'a part: show')->{totals}{rows}, 3200, 'a part: what was chosen');

# ---- roles, resource queues
gp_sql($source, 'postgres', $_)
  for 'CREATE RESOURCE QUEUE pgark_queue WITH (ACTIVE_STATEMENTS = 3)', 'CREATE ROLE pgark_reader LOGIN RESOURCE QUEUE pgark_queue';
my $globals = backup($repo, '-d', $from, @dump, '--globals', '-s');
pgark_ok([ 'restore', $globals, '--repo', $repo, '-d', greenplum_conninfo($bigger, 'globals'), '--create', '--globals' ], 'globals: restore');
is(gp_sql($bigger, 'postgres', q{SELECT rsqname FROM pg_authid JOIN pg_resqueue q ON q.oid = rolresqueue WHERE rolname = 'pgark_reader'}), 'pgark_queue', 'globals: a role and its queue');

# ---- rows to a plain server, and what cannot be
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($plain, 'gp'), '--create' ], qr/the set is of a Greenplum cluster, and the target is none/, 'plain: definitions');
is($plain->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'gp'}), 0, 'plain: nothing was made');
$plain->safe_psql('postgres', 'CREATE DATABASE gp');
$plain->safe_psql('gp', 'CREATE TABLE heap_hash (id int, name text, at timestamptz, amount numeric); CREATE SCHEMA sales; CREATE TABLE sales.part (id int, at date, region text, amount int)');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($plain, 'gp'), '-a', '-t', 'heap_hash', '-t', 'sales.part' ], 'plain: rows');
is($plain->safe_psql('gp', 'SELECT (SELECT count(*) || $$ $$ || sum(amount) FROM heap_hash), (SELECT count(*) FROM sales.part)'),
    gp_sql($source, 'app', q{SELECT count(*) || ' ' || sum(amount) || '|6000' FROM heap_hash}), 'plain: all of them');
my $set15 = backup($repo, '-d', conninfo($plain, 'gp'));
pgark_fails([ 'restore', $set15, '--repo', $repo, '-d', greenplum_conninfo($source, 'rows') ], qr/older than the source/, 'a plain set: definitions');

# ---- what cannot be backed up
pgark_fails([ 'backup', '-d', greenplum_conninfo($source, 'app', 1), '--repo', $repo, @dump ], qr/This is a segment of a Greenplum cluster: name the coordinator/, 'a segment');
pgark_fails([ 'backup', '-d', greenplum_conninfo($source, 'app', 1) . " options='-c gp_session_role=utility'", '--repo', $repo, @dump ],
    qr/that of a segment of a Greenplum cluster \(content id 1\)/, 'a segment in utility mode');
pgark_fails([ 'backup', '-d', "$from options='-c gp_session_role=utility'", '--repo', $repo, @dump ], qr/in utility mode/, 'the coordinator in utility mode');
pgark_fails([ 'backup', '--node', $from, '--node', conninfo($plain, 'gp'), '--repo', $repo ], qr/rows are on other servers \(greenplum\)/, 'a coordinator among nodes');
pgark_fails([ 'backup', '--node', $from, '--node', greenplum_conninfo($bigger, 'app'), '--repo', $repo ], qr/rows are on other servers \(greenplum\)/, 'two coordinators');
pgark_fails([ 'backup', '-d', $from, '--all-databases', '--repo', $repo, @dump ], qr/that of a coordinator/, '--all-databases');
pgark_fails([ 'backup', '-d', $from, '--hold=1min', '--repo', $repo, @dump ], qr/--hold: a backup of this kind of cluster \(greenplum\) cannot be gone on with/, '--hold');
chomp(my $own = `which pg_dump`);
pgark_fails([ 'backup', '-d', $from, '--repo', $repo, '--pg-dump', $own ], qr/PostgreSQL's own, which loses how tables are distributed/, 'another pg_dump');
my ($p0, $p1) = @{ $source->{ports} }[ 1, 2 ];
pgark_fails([ 'backup', '-d', $from, '--repo', $repo, @dump, '--host-map', "127.0.0.1:$p0=127.0.0.1:$p1" ], qr/are the same server|this is segment 1 .*, the coordinator has 0/, '--host-map to another segment');
$source->stop_instance(1);
pgark_fails([ 'backup', '-d', $from, '--repo', $repo, @dump ], qr/port $p1|marked as down/, 'a segment is down');
$source->start_instance(1);
is(scalar(grep { !-e set_dir($repo, $_) . '/manifest.jsonl' } repo_sets($repo)), 0, 'no unfinished set is left');

# ---- gpcrondump and gpdbrestore
my $home = cron_setup($source);
spew_bytes("$home/pgark.conf", "[backup]\nno-sync = true\npg-dump = $bin/pg_dump\n");
gp_sql($source, 'postgres', 'CREATE DATABASE cron');
gp_sql($source, 'cron', <<'SQL');
CREATE TABLE heap (id int, t text) DISTRIBUTED BY (id);
CREATE TABLE by_rows (id int, t text) WITH (appendonly = true) DISTRIBUTED BY (id);
CREATE TABLE by_columns (id int, t text) WITH (appendonly = true, orientation = column) DISTRIBUTED BY (id);
CREATE SCHEMA "s,x";
CREATE TABLE "s,x".still (id int) WITH (appendonly = true) DISTRIBUTED BY (id);
CREATE TABLE part (id int, k int) WITH (appendonly = true) DISTRIBUTED BY (id) PARTITION BY RANGE (k) (START (0) END (20) EVERY (10));
INSERT INTO heap SELECT i, 'row ' || i % 7 FROM generate_series(1, 1000) i;
INSERT INTO by_rows SELECT * FROM heap;
INSERT INTO by_columns SELECT * FROM heap;
INSERT INTO part SELECT i, i % 20 FROM generate_series(1, 1000) i;
ANALYZE;
SQL

# beside KEY, SUFFIX - the lines of a file.
sub beside { my ($key, $suffix) = @_; return split /\n/, slurp_bytes(cron_dir($key) . "/gp_dump_${key}_$suffix") }
my $cron = cron_key([qw(-a -x cron --dump-stats -g -G)], 'gpcrondump');
is(join(' ', map { s/, \d+\z//r } beside($cron, 'ao_state_file')),
    'public, by_rows public, part_1_prt_1 public, part_1_prt_2 "s,x", still', 'gpcrondump: counters of tables by rows, and of leaves of partitioned ones');
like(join(' ', beside($cron, 'co_state_file')), qr/\Apublic, by_columns, [1-9]\d*\z/, 'gpcrondump: of tables by columns');
my @operations = beside($cron, 'last_operation');
my ($oid) = gp_sql($source, 'cron', q{SELECT 'by_rows'::regclass::oid}) =~ /(\d+)/;
like(join("\n", @operations), qr/^public,by_rows,$oid,CREATE,TABLE,\d{4}-\d\d-\d\d /m, 'gpcrondump: last operations');
is((grep { /heap/ } @operations), 0, 'gpcrondump: of append-only tables only');
is(join(' ', cron_files($cron)), 'gp_cdatabase_-1_1_KEY gp_dump_KEY.rpt gp_dump_KEY_ao_state_file gp_dump_KEY_co_state_file gp_dump_KEY_last_operation'
      . ' gp_dump_status_-1_1_KEY gp_dump_status_0_2_KEY gp_dump_status_1_3_KEY gp_global_-1_1_KEY gp_master_config_files_KEY.tar'
      . ' gp_segment_config_files_0_2_KEY.tar gp_segment_config_files_1_3_KEY.tar gp_statistics_-1_1_KEY', 'gpcrondump: the files');
like(slurp_bytes(cron_dir($cron) . "/gp_cdatabase_-1_1_$cron"), qr/^CREATE DATABASE "?cron"? WITH TEMPLATE = template0/m, 'gpcrondump: how the database is made');
my ($listed, $unlisted) = ('', '');
IPC::Run::run([ 'tar', '-tf', cron_dir($cron) . "/gp_segment_config_files_0_2_$cron.tar" ], '>', \$listed, '2>', \$unlisted);
like($listed, qr{/gpseg0/pg_hba\.conf\n.*/gpseg0/postgresql\.conf$}ms, 'gpcrondump -g: files of a segment');
gp_sql($source, 'cron', q{INSERT INTO by_rows VALUES (0, 'new'); INSERT INTO part SELECT 1, 15; ALTER TABLE by_columns ADD COLUMN n int DEFAULT 7});
my $later = cron_key([qw(-a -x cron --incremental)], 'gpcrondump --incremental');
my %before = map { $_ => 1 } map { beside($cron, $_) } qw(ao_state_file co_state_file);
my @changed = sort map { s/, \d+\z//r } grep { !$before{$_} } map { beside($later, $_) } qw(ao_state_file co_state_file);
is(join(' | ', grep { !/by_columns/ } @changed), 'public, by_rows | public, part_1_prt_2', 'counters: those of changed tables');
is(scalar(grep { /^public,by_columns,\d+,ALTER,/ } beside($later, 'last_operation')), 1, 'last operations: a table that was altered');
my $known = q{SELECT tablename, attname, inherited, null_frac, n_distinct, most_common_vals, most_common_freqs, histogram_bounds, correlation
    FROM pg_stats WHERE schemaname IN ('public', 's,x') AND tablename <> 'gpcrondump_history' ORDER BY 1, 2, 3};
my $stats = gp_sql($source, 'cron', $known);
like(restore_ok([ qw(-a --restore-stats -t), $cron, qw(--redirect cron_back) ], 'gpdbrestore --restore-stats'), qr/Restored the statistics of \d+ tables/, 'gpdbrestore: it is said');
is(gp_sql($source, 'cron_back', 'SELECT (SELECT count(*) FROM heap), (SELECT count(*) FROM by_rows), (SELECT count(*) FROM by_columns), (SELECT count(*) FROM part)'),
    "1000|1000|1000|1000", 'gpdbrestore: rows');
is(gp_sql($source, 'cron_back', $known), $stats, 'gpdbrestore: statistics');
restore_ok([ qw(-a -t), $later, qw(--redirect cron_later) ], 'gpdbrestore of an incremental dump');
is(gp_sql($source, 'cron_later', q{SELECT (SELECT count(*) FROM by_rows), (SELECT sum(n) FROM by_columns), (SELECT count(*) FROM part)}), "1001|7000|1001", 'gpdbrestore: as it was later');
drop_greenplum($_) for $source, $bigger;
done_testing();
