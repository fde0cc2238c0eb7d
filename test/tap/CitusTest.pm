# CitusTest.pm - Citus clusters for the suites, where Citus is installed.
package CitusTest;

use strict;
use warnings;
use Exporter 'import';
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(needs_citus has_columnar make_cluster drop_cluster make_cluster_database nodes sql same_cluster distribution
  make_bank bank_transfer);

sub extension_dir
{
    chomp(my $dir = `pg_config --sharedir`);
    return "$dir/extension";
}

# needs_citus - skips the whole suite where there is none.
sub needs_citus
{
    plan skip_all => 'Citus is not installed' unless -e extension_dir() . '/citus.control';
    return;
}

sub has_columnar { return -e extension_dir() . '/citus_columnar.control'; }

# make_cluster NAME, WORKERS [, DB...] - a coordinator and so many workers, with these databases.
sub make_cluster
{
    my ($name, $workers, @databases) = @_;
    my $conf = <<'CONF';
shared_preload_libraries = 'citus'
listen_addresses = '127.0.0.1'
wal_level = logical
max_connections = 150
max_locks_per_transaction = 256
max_worker_processes = 20
max_wal_senders = 10
max_replication_slots = 10
citus.node_conninfo = 'sslmode=disable'
citus.enable_statistics_collection = off
CONF
    my $cluster = { name => $name, nodes => [ map { make_server("$name$_", conf => $conf) } 0 .. $workers ] };
    make_cluster_database($cluster, $_) for @databases;
    return $cluster;
}

sub nodes { return @{ $_[0]{nodes} }; }

sub drop_cluster
{
    my ($cluster) = @_;
    drop_server($_) for nodes($cluster);
    return;
}

sub make_cluster_database
{
    my ($cluster, $db) = @_;
    my ($coordinator, @workers) = nodes($cluster);
    for my $node ($coordinator, @workers)
    {
        $node->safe_psql('postgres', "CREATE DATABASE $db") if $db ne 'postgres';
        $node->safe_psql($db, 'CREATE EXTENSION citus');
    }
    $coordinator->safe_psql($db, join '', "SELECT citus_set_coordinator_host('127.0.0.1', " . $coordinator->port . ');',
        map { "SELECT citus_add_node('127.0.0.1', " . $_->port . ');' } @workers);
    return;
}

# sql CLUSTER, DB, TEXT - on the coordinator.
sub sql
{
    my ($cluster, $db, $text) = @_;
    return $cluster->{nodes}[0]->safe_psql($db, $text);
}

# distribution CLUSTER, DB - how every table is spread, as the catalogues say.
sub distribution
{
    my ($cluster, $db) = @_;
    return sql($cluster, $db, <<'SQL');
SELECT logicalrelid, partmethod, column_to_column_name(logicalrelid, partkey), repmodel,
       (SELECT min(q.logicalrelid::text) FROM pg_dist_partition q WHERE q.colocationid = p.colocationid AND p.colocationid > 0),
       (SELECT count(*) FROM pg_dist_shard s WHERE s.logicalrelid = p.logicalrelid)
FROM pg_dist_partition p ORDER BY logicalrelid::text;
SQL
}

# Tables of a database that has them all, whoever keeps their rows; partitions through their roots.
sub tables
{
    my ($node, $db) = @_;
    return split /\n/, $node->safe_psql($db, <<'SQL');
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
AND n.nspname NOT IN ('information_schema', 'citus', 'columnar', 'columnar_internal')
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1;
SQL
}

sub rows_of
{
    my ($node, $db) = @_;
    return { map { $_ => $node->safe_psql($db, "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM $_ t") }
          tables($node, $db) };
}

# same_cluster CLUSTER, DB, NODE, DB, NAME [, pg_dump's OPTION...] - rows through the coordinator, and definitions.
sub same_cluster
{
    my ($cluster, $db, $node, $copy, $name, @more) = @_;
    my $source = $cluster->{nodes}[0];
    my $want   = rows_of($source, $db);
    cmp_ok(scalar keys %$want, '>', 0, "$name: there is something to compare");
    is_deeply(rows_of($node, $copy), $want, "$name: the rows of all tables are equal");
    same_text(dump_text($node, $copy, '-s', @more), dump_text($source, $db, '-s', @more), "$name: pg_dump of both sides is equal");
    return;
}

# make_bank CLUSTER, DB - accounts in shards, and a reference table; the money that there is.
sub make_bank
{
    my ($cluster, $db) = @_;
    sql($cluster, $db, <<'SQL');
CREATE TABLE account (id int PRIMARY KEY, amount bigint NOT NULL);
SELECT create_distributed_table('account', 'id', shard_count := 8);
INSERT INTO account SELECT g, 100 FROM generate_series(1, 400) g;
CREATE TABLE rate (id int PRIMARY KEY, n bigint NOT NULL);
SELECT create_reference_table('rate');
SQL
    return 400 * 100;
}

# bank_transfer - a script for pgbench: money goes from one account to another, mostly of another node.
sub bank_transfer
{
    return <<'SQL';
\set a random(1, 400)
\set b random(1, 400)
BEGIN;
UPDATE account SET amount = amount - 1 WHERE id = least(:a, :b);
UPDATE account SET amount = amount + 1 WHERE id = greatest(:a, :b);
COMMIT;
SQL
}

1;
