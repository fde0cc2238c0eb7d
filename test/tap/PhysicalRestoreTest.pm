# PhysicalRestoreTest.pm - servers that pgark has restored from physical sets.
package PhysicalRestoreTest;

use strict;
use warnings;
use Exporter 'import';
use File::Basename;
use IPC::Run;
use PgarkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_place own_settings start_restored restored amcheck mode_of object_of);

# new_place NAME - a server that is not there yet: its data directory does not exist.
sub new_place
{
    my ($name) = @_;
    return PostgreSQL::Test::Cluster->new($name, own_host => 1);
}

# own_settings NODE - the port and socket of the test's, behind what the source had.
sub own_settings
{
    my ($node) = @_;
    $node->append_conf('postgresql.conf',
        sprintf("port = %d\nunix_socket_directories = '%s'\n", $node->port, $node->host));
    return;
}

# start_restored NODE, NAME - starts it, and waits until it has come to its restore point.
sub start_restored
{
    my ($node, $name) = @_;
    own_settings($node);
    $node->start;
    ok($node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), "$name: it recovers");
    return $node;
}

# restored REPO, KEY, NAME, PLACES, ARG... - restores the set to the places, node 0 to the first, and starts all.
sub restored
{
    my ($repo, $key, $name, $places, @args) = @_;
    pgark_ok([ 'restore', $key, '--physical', '--repo', $repo, '--no-sync',
            (map { ('--map', "$_=" . $places->[$_]->data_dir) } 0 .. $#$places), @args ],
        "$name: restore")
      or return 0;
    start_restored($_, $name) for @$places;
    return 1;
}

# amcheck NODE, DB, NAME - every index against its table, every page of every table.
sub amcheck
{
    my ($node, $db, $name) = @_;
    $node->safe_psql($db, 'CREATE EXTENSION IF NOT EXISTS amcheck');
    my $found = $node->safe_psql($db, <<'SQL');
SELECT bt_index_check(c.oid, heapallindexed => true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND i.indisvalid AND c.relpersistence = 'p';
SQL
    unlike($found, qr/\S/, "$name: indexes are as their tables");
    return if $node->safe_psql($db, "SELECT to_regprocedure('verify_heapam(regclass,boolean,boolean,text,bigint,bigint)')") eq '';
    is($node->safe_psql($db, <<'SQL'), '0', "$name: pages of tables are sound");
SELECT count(*) FROM pg_class c, verify_heapam(c.oid) v WHERE c.relkind = 'r' AND c.relpersistence = 'p';
SQL
    return;
}

sub mode_of
{
    my ($file) = @_;
    return sprintf '%04o', (stat $file)[2] & 07777;
}

# object_of REPO, KEY, PATTERN - the first file of a set whose name matches.
sub object_of
{
    my ($repo, $key, $pattern) = @_;
    my ($name) = grep { $_ =~ $pattern } set_files($repo, $key) or die "no file like $pattern";
    return set_dir($repo, $key) . "/$name";
}

1;
