# Citus: every kind of table, to clusters of other sizes, to a plain server and from one.
use strict;
use warnings;
use CitusTest;
use File::Basename;
use PgarkTest;
use Test::More;

needs_citus();
my $source = make_cluster('src', 2, 'app');
my $bigger = make_cluster('big', 3, qw(app postgres));
my $small  = make_cluster('one', 1, 'app');
my $plain  = make_server('plain');
my ($coordinator, @workers) = nodes($source);
my $sql = slurp_bytes(dirname(__FILE__) . '/../sql/citus.sql');
$sql .= "CREATE EXTENSION citus_columnar; CREATE TABLE columns (a int, b text) USING columnar; SELECT create_distributed_table('columns', 'a'); "
  . "INSERT INTO columns SELECT g, 'x' FROM generate_series(1, 1000) g;"
  if has_columnar();
sql($source, 'app', $sql);
# Numbers that a worker gives out are its own.
my @given = map { $_->safe_psql('app', "INSERT INTO customers (name) VALUES ('from a worker') RETURNING id") } @workers;

my $repo = new_repo();
my $from = conninfo($coordinator, 'app');
my $key  = backup($repo, '-d', $from, '-j2');
pgark_ok([ 'verify', $key, '--repo', $repo ], 'verify');

# ---- what it is said to be
my $show  = pgark_json([ 'show', $key, '--repo', $repo, '--tables=0' ], 'show');
my %table = map { ("$_->{schema}.$_->{name}" => $_) } @{ $show->{tables} };
is($show->{topology}, 'citus', 'show: the topology');
is_deeply([ map { $_->{content} } @{ $show->{nodes} } ], [ -1, 0, 1 ], 'show: the coordinator and its workers');
is($table{'public.orders'}{rows}, 5000, 'show: the rows of all shards are its table\'s');
is($table{'public.orders'}{distribution}{method}, 'hash', 'show: how it is spread');
is($table{'public.orders'}{distribution}{column}, 'customer', 'show: by what');
is($table{"public.$_->[0]"}{distribution}{method}, $_->[1], "show: $_->[0] is $_->[1]")
  for [ country => 'reference' ], [ known => 'local' ], [ alone => 'single' ], [ ranged => 'range' ];
is($table{'public.plain'}{distribution}, undef, 'show: an ordinary table is not spread');
is($table{'tenant1.t'}{distribution}{schema}, 'tenant1', 'show: a distributed schema');
is(scalar(grep { $_->{name} =~ /_\d{6}\z/ } values %table), 0, 'show: shards are no tables');
my $check = pgark_ok([ 'check', '-d', $from ], 'check');
like($check, qr/^node -1 +ok +metadata .*synced/m, 'check: metadata');
like($check, qr/^node 1 +ok +server/m, 'check: finds the workers');

# ---- to a cluster with one worker more, with one less, to new databases, in all ways
my $into = sub {
    my ($cluster, $db, $name, @args) = @_;
    pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($cluster->{nodes}[0], $db), '-j2', @args ], "$name: restore");
    same_cluster($source, 'app', $cluster->{nodes}[0], $db, $name);
    return is(distribution($cluster, $db), distribution($source, 'app'), "$name: the same distribution");
};
$into->($bigger, 'app', '2 to 3 workers');
is(sql($bigger, 'app', "SELECT count(*) FROM customers c JOIN orders o ON o.customer = c.id WHERE c.id = 77"),
    sql($source, 'app', "SELECT count(*) FROM customers c JOIN orders o ON o.customer = c.id WHERE c.id = 77"), '2 to 3: rows are found by their key');
is(sql($bigger, 'app', q{SELECT count(*) FROM pg_dist_object WHERE distribution_argument_index = 0}), 1, '2 to 3: the distributed function');
is(sql($bigger, 'app', 'SELECT sum(count) FROM kept'), 3000, '2 to 3: the materialized view is filled');
for my $node (nodes($bigger))
{
    my $id = $node->safe_psql('app', "INSERT INTO customers (name) VALUES ('new') RETURNING id");
    is(scalar(grep { $_ == $id } @given), 0, "2 to 3: $id was not given out before");
}
my $three = backup($repo, '-d', conninfo($bigger->{nodes}[0], 'app'));
pgark_ok([ 'restore', $three, '--repo', $repo, '-d', conninfo($small->{nodes}[0], 'app'), '-j2' ], '3 to 1 worker: restore');
same_cluster($bigger, 'app', $small->{nodes}[0], 'app', '3 to 1 worker');
is(distribution($small, 'app'), distribution($bigger, 'app'), '3 to 1 worker: the same distribution');
$into->($bigger, 'made', 'a new database of a cluster', '--create');
is(sql($bigger, 'made', 'SELECT count(*) FROM pg_dist_node'), 4, 'a new database: on all nodes of the cluster');
$into->($bigger, 'made', 'another in its place', '--create', '--clean', '--no-direct');
sql($bigger, 'postgres', 'SELECT 1');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($bigger->{nodes}[0], 'eight'), '--create', '--shard-count=8' ], '--shard-count: restore');
same_cluster($source, 'app', $bigger->{nodes}[0], 'eight', '--shard-count');
is(sql($bigger, 'eight', "SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = 'orders'::regclass"), 8, '--shard-count: so many shards');
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($bigger->{nodes}[0], 'direct'), '--create', '--direct' ],
    qr/--direct: table "public\.by_mood" cannot be loaded so/, '--direct: a key that hashes by database');
is(sql($bigger, 'postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'direct'}), 0, '--direct: nothing was made');

# ---- tables whose shards are on several nodes each
make_cluster_database($source, 'twice');
sql($source, 'twice', <<'SQL');
CREATE TABLE twice (id int PRIMARY KEY, t text);
CREATE TABLE beside (id int, n int);
CREATE TABLE once (id int);
CREATE SCHEMA tenant;
SET citus.shard_replication_factor = 2;
SELECT create_distributed_table('twice', 'id', shard_count := 4), create_distributed_table('beside', 'id', colocate_with := 'twice');
SET citus.shard_replication_factor = 1;
SELECT create_distributed_table('once', 'id', shard_count := 3, colocate_with := 'none');
INSERT INTO twice SELECT g, 't' || g FROM generate_series(1, 500) g;
INSERT INTO beside SELECT g, g FROM generate_series(1, 500) g;
INSERT INTO once SELECT generate_series(1, 100);
SQL
my $copies = q{SELECT logicalrelid, repmodel, count(*), count(DISTINCT shardid), count(DISTINCT colocationid)
    FROM pg_dist_partition JOIN pg_dist_shard USING (logicalrelid) JOIN pg_dist_placement USING (shardid) GROUP BY 1, 2 ORDER BY logicalrelid::text};
is(sql($source, 'twice', $copies), "beside|c|8|4|1\nonce|s|3|3|1\ntwice|c|8|4|1", 'several placements: of the source');
my $twice = backup($repo, '-d', conninfo($coordinator, 'twice'), '-j2', '--chunk-size=8kB');
is(pgark_json([ 'show', $twice, '--repo', $repo ], 'several placements: show')->{totals}{rows}, 1100, 'several placements: one of each is in the set');
my @twice = ('restore', $twice, '--repo', $repo, '-j2', '--create', '-d');
# What the servers would do by themselves is something else.
sql($bigger, 'app', "ALTER ROLE CURRENT_USER SET citus.shard_replication_factor = 3");
pgark_ok([ @twice, conninfo($bigger->{nodes}[0], 'twice') ], 'several placements: restore');
sql($bigger, 'app', "ALTER ROLE CURRENT_USER RESET citus.shard_replication_factor");
same_cluster($source, 'twice', $bigger->{nodes}[0], 'twice', 'several placements');
is(sql($bigger, 'twice', $copies), sql($source, 'twice', $copies), 'several placements: as many again');
is(sql($bigger, 'twice', q{SELECT count(*), sum(result::int) FROM run_command_on_placements('twice', 'SELECT count(*) FROM %s')}), '8|1000', 'several placements: with all rows in each');
pgark_fails([ @twice, conninfo($bigger->{nodes}[0], 'direct'), '--direct' ], qr/--direct: table "public\.\w+" cannot be loaded so: its shards are on several nodes each/, 'several placements: --direct');
my ($warned, undef, $warning) = pgark(@twice, conninfo($small->{nodes}[0], 'twice'));
is($warned, 2, 'more placements than nodes: a warning');
like($warning, qr/too few nodes for the copies that 2 tables had of each shard; "public\.\w+" gets 1 in the place of 2/, 'more placements than nodes: is said');
same_cluster($source, 'twice', $small->{nodes}[0], 'twice', 'more placements than nodes');
no_traces('clusters', undef, nodes($source), nodes($bigger), nodes($small));

# ---- one table
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($bigger->{nodes}[0], 'one'), '--create', '-t', 'public.orders', '--with-dependencies' ],
    'one table: restore');
is(sql($bigger, 'one', "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM customers), (SELECT count(*) FROM pg_dist_partition)"),
    '5000|2002|2', 'one table: with what its keys refer to, both distributed');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($bigger->{nodes}[0], 'one'), '-a', '-t', 'public.orders', '--truncate' ], 'rows anew: restore');
is(sql($bigger, 'one', 'SELECT count(*) FROM orders'), 5000, 'rows anew: no row twice');
my $part = backup($repo, '-d', $from, '-t', 'orders', '--exclude-table-data', 'country');
is(pgark_json([ 'show', $part, '--repo', $repo ], 'a part: show')->{totals}{rows}, 5000, 'a part: the shards of what was chosen');

# ---- to a plain server, and from it to a cluster again
my @without = ('--no-comments');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($plain, 'app'), '--create', '-j2' ], 'plain: restore');
is($plain->safe_psql('app', "SELECT count(*), sum(hashtextextended(o::text, 0)::numeric) FROM orders o"),
    sql($source, 'app', "SELECT count(*), sum(hashtextextended(o::text, 0)::numeric) FROM orders o"), 'plain: the rows of a distributed table');
is($plain->safe_psql('app', q{SELECT count(*) FROM pg_extension WHERE extname ~ 'citus'}), 0, 'plain: no extension of a cluster');
my $file = PostgreSQL::Test::Utils::tempdir('ini') . '/distribute.ini';
spew_bytes($file, "[public.customers]\ncolumn = id\nshard_count = 7\n[public.orders]\ncolumn = customer\ncolocate_with = public.customers\n[public.country]\nreference = yes\n");
my $back = backup($repo, '-d', conninfo($plain, 'app'));
pgark_ok([ 'restore', $back, '--repo', $repo, '-d', conninfo($bigger->{nodes}[0], 'spread'), '--create', '--distribute', $file ], '--distribute: restore');
is(sql($bigger, 'spread', q{SELECT string_agg(logicalrelid::text || partmethod::text, ' ' ORDER BY logicalrelid::text) FROM pg_dist_partition
    WHERE logicalrelid::text IN ('customers', 'orders', 'country')}), 'countryn customersh ordersh', '--distribute: as the file says');
is(sql($bigger, 'spread', 'SELECT count(*), sum(hashtextextended(o::text, 0)::numeric) FROM orders o'),
    sql($source, 'app', 'SELECT count(*), sum(hashtextextended(o::text, 0)::numeric) FROM orders o'), '--distribute: the rows');
pgark_fails([ 'restore', $back, '--repo', $repo, '-d', conninfo($plain, 'no'), '--create', '--distribute', $file ], qr/no coordinator of a Citus cluster/,
    '--distribute: to a plain server');
my $script = PostgreSQL::Test::Utils::tempdir('export') . '/out.sql';
pgark_ok([ 'export', $key, '--repo', $repo, '-f', $script, '--exclude-extension=citus*', '--no-table-access-method' ], 'export');
$plain->safe_psql('postgres', 'CREATE DATABASE exported');
$plain->psql('exported', slurp_bytes($script));
is($plain->safe_psql('exported', 'SELECT count(*) FROM orders'), 5000, 'export: psql takes it');

# ---- ended by force, and gone on with
for my $case ([ 'create_distributed_table' ], ['COPY'], ['ADD CONSTRAINT'], [ 'COPY', '--no-direct' ], [ 'ADD CONSTRAINT', '--no-direct' ])
{
    my ($when, @through) = @$case;
    $_->safe_psql('postgres', 'DROP DATABASE IF EXISTS killed WITH (FORCE)') for nodes($bigger);
    my @restore = ('restore', $key, '--repo', $repo, '-d', conninfo($bigger->{nodes}[0], 'killed'), '--create', '-j2', @through);
    my $watch = watch($bigger->{nodes}[0], 'postgres', "(SELECT count(*) FROM pg_stat_activity WHERE query ~ '$when' AND datname = 'killed') > 0");
    my $run   = pgark_start(@restore);
    my $seen  = watch_end($watch);
    kill 'KILL', $run->{pid};
    pgark_finish($run);
    ok($seen, "kill -9 at $when: it got there");
    no_traces("kill -9 at $when", undef, nodes($bigger));
    cmp_ok(sql($bigger, 'killed', 'SELECT count(*) FROM pgark_restore.done_elsewhere'), '>', 0, "kill -9 at $when: rows went through the workers, too")
      if @through && $when eq 'ADD CONSTRAINT';
    my ($code, $out, $err) = pgark(@restore, '--resume');
    is($code, 0, "kill -9 at $when: --resume @through") or diag($err);
    same_cluster($source, 'app', $bigger->{nodes}[0], 'killed', "kill -9 at $when @through");
    is(distribution($bigger, 'killed'), distribution($source, 'app'), "kill -9 at $when @through: the same distribution");
}

# ---- what cannot be
my $worker = conninfo($workers[0], 'app');
pgark_fails([ 'backup', '-d', $worker, '--repo', $repo ], qr/that of a worker of a Citus cluster.*\n.*Name the coordinator \(127\.0\.0\.1:/, 'a worker');
pgark_fails([ 'backup', '--node', $from, '--node', conninfo($plain, 'app'), '--repo', $repo ], qr/rows are on other servers/, 'a coordinator among nodes');
pgark_fails([ 'backup', '-d', $from, '--all-databases', '--repo', $repo ], qr/that of a coordinator/, '--all-databases');
pgark_fails([ 'backup', '-d', conninfo($coordinator, 'postgres'), '--all-databases', '--repo', $repo ], qr/rows are on other servers/, '--all-databases beside one');
my $port = $workers[1]->port;
pgark_fails([ 'backup', '-d', $from, '--repo', $repo, '--host-map', "127.0.0.1:$port=127.0.0.1:" . $workers[0]->port ],
    qr/are the same server/, '--host-map to another node');
$workers[1]->stop;
pgark_fails([ 'backup', '-d', $from, '--repo', $repo ], qr/node 1.*$port|$port.*refused/s, 'a worker is down');
no_traces('a worker is down', undef, $coordinator, $workers[0]);
$workers[1]->start;
$_->safe_psql('app', 'ALTER EXTENSION citus UPDATE') for nodes($source);
# ---- a role that may only read
sql($source, 'app', 'CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader');
my $read = backup($repo, '-d', conninfo($coordinator, 'app', 'user=reader'));
is(pgark_json([ 'show', $read, '--repo', $repo ], 'a reader: show')->{totals}{rows}, $show->{totals}{rows}, 'a reader: everything');

# ---- tables that somebody made on a worker
$workers[0]->safe_psql('app', 'CREATE TABLE stray (a int)');
my ($code, $out, $err) = pgark('backup', '-d', $from, '--repo', $repo);
is($code, 2, 'a stray table: exit code');
like($err, qr/node 0, .*"public\.stray"/, 'a stray table: is named');
done_testing();
