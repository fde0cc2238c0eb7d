# PhysicalTest.pm - servers for base backups, and sets taken apart by zstd and tar alone.
package PhysicalTest;

use strict;
use warnings;
use Digest::SHA;
use Exporter 'import';
use File::Path qw(make_path);
use IPC::Run;
use PgarkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(forge physical_server physical_records unpack_streams unpack_node start_unpacked tar_names no_slots);

# physical_server NAME [, OPTION => ...] - a server with data checksums that walsenders can be had of.
sub physical_server
{
    my ($name, %opt) = @_;
    my $conf = "wal_level = replica\nmax_wal_senders = 10\nmax_replication_slots = 10\n"
      . "hot_standby = on\nwal_log_hints = off\nmin_wal_size = 32MB\nmax_wal_size = 64MB\n";
    my $node = make_server($name, %opt,
        extra => [ '-k', '--wal-segsize=1', @{ $opt{extra} // [] } ],
        conf  => $conf . ($opt{conf} // ''),
        start => 0);
    open my $hba, '>>', $node->data_dir . '/pg_hba.conf' or die "pg_hba.conf: $!";
    print $hba "local replication all trust\n";
    close $hba or die "pg_hba.conf: $!";
    $node->start unless defined $opt{start} && !$opt{start};
    return $node;
}

# physical_records REPO, KEY, TYPE, CONTENT - the records of that type of one node.
sub physical_records
{
    my ($repo, $key, $type, $content) = @_;
    return grep { $_->{content} == $content } @{ manifest($repo, $key)->{$type} // [] };
}

# unpacked REPO, KEY, FILE... - programs for IPC::Run that write the files, one behind the other, as they were.
sub unpacked
{
    my ($repo, $key, @files) = @_;
    my ($method) = (manifest($repo, $key)->{set}[0]{compress} // 'none') =~ /^(\w+)/;
    return ([ 'cat', @files ], $method eq 'none' ? () : ('|', [ $method, '-dcq' ]));
}

# unpack_stream REPO, KEY, CONTENT, STREAM, DIR - the parts of a stream, one behind the other, to tar.
sub unpack_stream
{
    my ($repo, $key, $content, $stream, $dir) = @_;
    my @files = map { set_dir($repo, $key) . "/$_->{object}" }
      grep { $_->{stream} eq $stream } physical_records($repo, $key, 'part', $content);
    make_path($dir, { mode => 0700 });
    IPC::Run::run(unpacked($repo, $key, @files), '|', [ 'tar', '-x', '-C', $dir ])
      or die "could not unpack $stream";
    return;
}

# unpack_streams REPO, KEY, CONTENT, DIR - all streams of a node: the tablespaces go to DIR.<oid>.
sub unpack_streams
{
    my ($repo, $key, $content, $dir) = @_;
    unpack_stream($repo, $key, $content, 'base', $dir);
    for my $space (physical_records($repo, $key, 'tablespace', $content))
    {
        unpack_stream($repo, $key, $content, $space->{oid}, "$dir.$space->{oid}");
        unlink "$dir/pg_tblspc/$space->{oid}";
    }
    my ($physical) = physical_records($repo, $key, 'physical', $content);
    IPC::Run::run(unpacked($repo, $key, set_dir($repo, $key) . "/$physical->{manifest}{path}"), '>', "$dir/backup_manifest")
      or die 'could not unpack the manifest';
    return;
}

# unpack_node REPO, KEY, CONTENT, DIR - a node of a zstd set as a data directory with its WAL; tablespaces go to
# DIR.<oid>.
sub unpack_node
{
    my ($repo, $key, $content, $dir) = @_;
    my $set = set_dir($repo, $key);
    unpack_stream($repo, $key, $content, 'base', $dir);
    open my $map, '>', "$dir/tablespace_map.new" or die "tablespace_map: $!";
    for my $space (physical_records($repo, $key, 'tablespace', $content))
    {
        unpack_stream($repo, $key, $content, $space->{oid}, "$dir.$space->{oid}");
        print $map "$space->{oid} $dir.$space->{oid}\n";
        unlink "$dir/pg_tblspc/$space->{oid}";
    }
    close $map or die "tablespace_map: $!";
    rename "$dir/tablespace_map.new", "$dir/tablespace_map" or die "tablespace_map: $!"
      if -e "$dir/tablespace_map";
    unlink "$dir/tablespace_map.new";
    for my $wal (physical_records($repo, $key, 'wal', $content))
    {
        IPC::Run::run([ 'zstd', '-dcq', "$set/$wal->{object}" ], '>', "$dir/pg_wal/$wal->{name}")
          or die "could not unpack $wal->{name}";
    }
    return;
}

# start_unpacked NAME, REPO, KEY, CONTENT - a server of it, recovered up to the restore point.
sub start_unpacked
{
    my ($name, $repo, $key, $content) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name, own_host => 1);
    my ($record) = physical_records($repo, $key, 'physical', $content);
    unpack_node($repo, $key, $content, $node->data_dir);
    $node->append_conf('postgresql.conf', sprintf <<'CONF', $node->port, $node->host, $record->{restore_point});
port = %d
unix_socket_directories = '%s'
restore_command = 'false'
recovery_target_name = '%s'
recovery_target_action = 'promote'
CONF
    $node->append_conf('recovery.signal', '');
    chmod 0700, $node->data_dir;
    $node->start;
    $node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
      or die "$name does not come out of recovery";
    return $node;
}

# tar_names REPO, KEY, CONTENT, STREAM - the names of the members of a stream, sorted.
sub tar_names
{
    my ($repo, $key, $content, $stream) = @_;
    my $out   = '';
    my @files = map { set_dir($repo, $key) . "/$_->{object}" }
      grep { $_->{stream} eq $stream } physical_records($repo, $key, 'part', $content);
    IPC::Run::run(unpacked($repo, $key, @files), '|', [ 'tar', '-t' ], '>', \$out)
      or die "could not list $stream";
    return sort split /\n/, $out;
}

# forge DIR, EDIT - the set's manifest says something else, with the right hash: what a clumsy hand may do.
sub forge
{
    my ($dir, $edit) = @_;
    my @lines = split /^/, slurp_bytes("$dir/manifest.jsonl");
    pop @lines;
    @lines = $edit->(@lines);
    my $text = join '', @lines;
    spew_bytes("$dir/manifest.jsonl",
        $text . sprintf(qq({"type":"end","sha256":"%s"}\n), Digest::SHA::sha256_hex($text)));
    return;
}

# no_slots NAME, NODE... - nothing is kept for a run that has ended.
sub no_slots
{
    my ($name, @nodes) = @_;
    for my $node (@nodes)
    {
        my $left;
        wait_for(sub {
                ($left = $node->safe_psql('postgres',
                        "SELECT (SELECT count(*) FROM pg_replication_slots) || ' slots, '"
                      . " || (SELECT count(*) FROM pg_stat_replication) || ' walsenders'")) eq
                  '0 slots, 0 walsenders';
            }, "$name: slots and walsenders of " . $node->name . ' go away');
        is($left, '0 slots, 0 walsenders', "$name: no slot and no walsender is left on " . $node->name);
    }
    return;
}

1;
