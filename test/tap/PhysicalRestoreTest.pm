# PhysicalRestoreTest.pm - servers that pgark has restored from physical sets.
package PhysicalRestoreTest;

use strict;
use warnings;
use Exporter 'import';
use Digest::SHA;
use File::Basename;
use IPC::Run;
use PgarkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_place own_settings start_restored restored amcheck mode_of object_of
  receive_start receive_stop received archive_dir archived wal_is_whole);

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

# ---- WAL that is received all the time ------------------------------------------------------------

# receive_start REPO, ARG... - pgark receive-wal beside the test; receive_stop ends it as an administrator would.
sub receive_start
{
    my ($repo, @args) = @_;
    return pgark_start('receive-wal', '--repo', $repo, @args);
}

sub receive_stop
{
    my ($run, $name) = @_;
    kill 'TERM', $run->{pid};
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, "$name: receive-wal ends when it is told to") or diag($err);
    return $err;
}

# archive_dir REPO, NODE - where the server's WAL is.
sub archive_dir
{
    my ($repo, $node) = @_;
    my $identifier = $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()');
    return "$repo/wal/$identifier";
}

# archived DIR - the names of the complete segments, sorted.
sub archived
{
    my ($dir) = @_;
    return sort map { m{/([0-9A-F]{24})\.json\z} ? $1 : () } glob("$dir/*/*.json");
}

# received REPO, NODE, NAME [, LSN] - waits until all that the server has written by now (or LSN) is in the repository.
sub received
{
    my ($repo, $node, $name, $lsn) = @_;
    my $dir = archive_dir($repo, $node);
    $node->safe_psql('postgres', 'SET synchronous_commit = on; SELECT txid_current()');
    $lsn //= $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
    my ($segment, $offset) = split /\|/, $node->safe_psql('postgres',
        "SELECT file_name, file_offset FROM pg_walfile_name_offset('$lsn')");
    my $file = "$dir/" . substr($segment, 0, 16) . "/$segment";
    return wait_for(sub { -e "$file.json" || (-e "$file.partial" && -s "$file.partial" >= $offset) },
        "$name: WAL up to $lsn is received");
}

# wal_is_whole DIR, NAME - pg_waldump reads all that is there, from the first segment to the last.
sub wal_is_whole
{
    my ($dir, $name) = @_;
    my $to       = PostgreSQL::Test::Utils::tempdir();
    my @segments = archived($dir);
    for my $segment (@segments)
    {
        my ($json) = json_lines("$dir/" . substr($segment, 0, 16) . "/$segment.json");
        my $stored = "$dir/" . substr($segment, 0, 16) . "/$json->{object}";
        is(Digest::SHA->new(256)->addfile($stored)->hexdigest, $json->{sha256}, "$name: $segment is what its record says")
          if $segment eq $segments[0] || $segment eq $segments[-1];
        IPC::Run::run([ 'zstd', '-dcq', $stored ], '>', "$to/$segment") or die "zstd: $segment";
    }
    my ($out, $err) = ('', '');
    IPC::Run::run([ 'pg_waldump', '-q', '-p', $to, $segments[0], $segments[-1] ], '>', \$out, '2>', \$err);
    $err =~ s/^pg_waldump: error: could not find a valid record after .*\n//m;
    ok($? == 0 || $err =~ /invalid record length|invalid magic number 0000|could not find file|^\s*\z/,
        "$name: pg_waldump reads it") or diag($err);
    return scalar @segments;
}

1;
