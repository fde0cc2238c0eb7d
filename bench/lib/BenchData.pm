# BenchData.pm - the databases that are backed up.
#
#   balanced   t1..t8, of millions of rows as below, times the scale
#   skewed     the same tables and number of rows, nine tenths of them in t1
#   empty      many tables without a row
#   large      a million large objects of 100 bytes, times the scale
package BenchData;

use strict;
use warnings;

my @millions     = (2, 1.5, 1, 3, 4, 1, 1, 5);
my $empty_tables = 20_000;

sub new
{
    my ($class, $server, $scale) = @_;
    my @balanced = map { whole($_ * 1e6 * $scale) } @millions;
    my $total    = 0;
    $total += $_ for @balanced;
    my $each   = whole($total * 0.1 / $#balanced);
    my @skewed = ($total - $each * $#balanced, ($each) x $#balanced);
    return bless {
        server => $server,
        scale  => $scale,
        total  => $total,
        rows   => { balanced => \@balanced, skewed => \@skewed },
    }, $class;
}

sub whole
{
    my ($number) = @_;
    my $whole = int($number + 0.5);
    return $whole > 0 ? $whole : 1;
}

sub large_objects { return whole(1e6 * $_[0]{scale}); }
sub empty_tables { return $empty_tables; }
sub total        { return $_[0]{total}; }

# space_needed - bytes on disk at the worst time: both databases, a restored one, archives of one of
# them, and WAL, of which the server keeps as much as it wrote since the last checkpoint but one.
sub space_needed
{
    my ($self) = @_;
    my $database = $self->{total} * 75;
    my $wal      = 4 * $database;
    $wal = 9e9 if $wal > 9e9;
    return 6 * $database + $wal + 1.5e9;
}

sub load
{
    my ($self) = @_;
    for my $db (sort keys %{ $self->{rows} })
    {
        $self->load_tables($db);
    }
    $self->load_empty;
    $self->load_large_objects;
    $self->{server}->checkpoint;
    return;
}

sub load_tables
{
    my ($self, $db) = @_;
    my $server = $self->{server};
    my $number = 0;
    $server->create_database($db);
    for my $rows (@{ $self->{rows}{$db} })
    {
        my $table = 't' . ++$number;
        print STDERR "bench: $db: $table with $rows rows\n";
        $server->sql($db,
            "CREATE TABLE $table (id int, info text, crt_time timestamp)",
            "INSERT INTO $table SELECT generate_series(1, $rows), md5(random()::text), "
              . 'clock_timestamp()');
    }
    $server->sql($db, 'VACUUM ANALYZE');
    $server->checkpoint;
    $self->{bytes}{$db} = $server->sql($db, 'SELECT pg_database_size(current_database())');
    return;
}

sub load_empty
{
    my ($self) = @_;
    my $server = $self->{server};
    print STDERR "bench: empty: $empty_tables tables\n";
    $server->create_database('empty');
    # In portions, so that the locks of one transaction stay few.
    my $portion = 2000;
    for (my $first = 1; $first <= $empty_tables; $first += $portion)
    {
        my $last = $first + $portion - 1;
        $server->sql('empty', <<"SQL");
DO \$\$ BEGIN
    FOR i IN $first..$last LOOP
        EXECUTE format('CREATE TABLE e%s (id int, info text)', i);
    END LOOP;
END \$\$
SQL
    }
    $server->sql('empty', 'VACUUM ANALYZE');
    return;
}

sub load_large_objects
{
    my ($self) = @_;
    my $server = $self->{server};
    my $count  = $self->large_objects;
    print STDERR "bench: large: $count large objects\n";
    $server->create_database('large');
    $server->sql('large', "SELECT count(lo_from_bytea(0, convert_to(rpad(md5(i::text), 100, 'x'), "
          . "'UTF8'))) FROM generate_series(1, $count) i", 'VACUUM ANALYZE');
    return;
}

# check_rows DB, LIKE - dies unless DB has as many rows in each table as LIKE was given.
sub check_rows
{
    my ($self, $db, $like) = @_;
    my $number = 0;
    if ($like eq 'large')
    {
        my $query = 'SELECT (SELECT count(*) FROM pg_largeobject_metadata), count(*), '
          . 'sum(length(data)) FROM pg_largeobject';
        my $count = $self->large_objects;
        my $got   = $self->{server}->sql($db, $query);
        die "the restored database is wrong: $got large objects, pages and bytes\n"
          if $got ne join('|', $count, $count, 100 * $count);
        return;
    }
    my @counts = map { '(SELECT count(*) FROM t' . ++$number . ')' } @{ $self->{rows}{$like} };
    my $got    = $self->{server}->sql($db, 'SELECT ' . join(', ', @counts));
    my $want   = join('|', @{ $self->{rows}{$like} });
    die "the restored database is wrong: it has $got rows in its tables, not $want\n"
      if $got ne $want;
    return;
}

# description - one line per database, and what the report's JSON says of them.
sub description
{
    my ($self) = @_;
    my @databases = map { {
            name   => $_,
            tables => scalar @{ $self->{rows}{$_} },
            rows   => $self->{rows}{$_},
            total  => $self->{total},
            bytes  => $self->{bytes}{$_} + 0,
    } } sort keys %{ $self->{rows} };
    return [
        @databases,
        { name => 'empty', tables => $empty_tables, rows => [], total => 0 },
        { name => 'large', tables => 0, rows => [], total => 0,
            text => $self->large_objects . ' large objects of 100 bytes' },
    ];
}

1;
