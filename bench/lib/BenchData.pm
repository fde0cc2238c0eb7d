# BenchData.pm - the databases that are backed up.
#
#   balanced   t1..t8, of millions of rows as below, times the scale
#   skewed     the same tables and number of rows, nine tenths of them in t1
#   empty      many tables without a row
#   indexed    200 tables with indexes and foreign keys, 60 % of the rows in one of them
#   large      a million large objects of 100 bytes, times the scale
#   catalogue  100,000 tables without a row, times the scale, each with a primary key
#   wide       10,000 tables of 100 rows, times the scale, each with a sequence, a key and an index
package BenchData;

use strict;
use warnings;

my @millions     = (2, 1.5, 1, 3, 4, 1, 1, 5);
my $empty_tables = 20_000;

# Tables, and foreign keys among them; 5 million rows times the scale.
my $indexed_tables = 200;
my $indexed_keys   = 150;
my $indexed_rows   = 5e6;

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
        big    => whole($indexed_rows * 0.6 * $scale),
        small  => whole($indexed_rows * 0.4 / ($indexed_tables - 1) * $scale),
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
sub catalogue_tables { return whole(1e5 * $_[0]{scale}); }
sub wide_tables { return whole(1e4 * $_[0]{scale}); }
sub total        { return $_[0]{total}; }

# space_needed - bytes on disk at the worst time: all databases, a restored one, archives of one of
# them, and WAL, of which the server keeps as much as it wrote since the last checkpoint but one.
sub space_needed
{
    my ($self) = @_;
    my $database = $self->{total} * 75;
    my $wal      = 4 * $database;
    $wal = 9e9 if $wal > 9e9;
    my $indexed = $self->{big} * 600;
    my $many = $self->catalogue_tables * 35_000 + $self->wide_tables * 130_000;
    return 6 * $database + 2 * $indexed + $wal + $many + 1.5e9;
}

# load GROUP... - the databases of these groups of contests (%groups in BenchContests.pm).
sub load
{
    my ($self, @groups) = @_;
    my %loads = (
        tables => sub { $self->load_tables($_) for sort keys %{ $self->{rows} } },
        empty  => sub { $self->load_empty },
        indexes         => sub { $self->load_indexed },
        'large-objects' => sub { $self->load_large_objects },
        catalogue       => sub { $self->load_catalogue },
        'one-table'     => sub { $self->load_wide },
        agents => sub { $self->load_tables('balanced') unless exists $self->{bytes}{balanced} },
    );
    $loads{$_}->() for grep { exists $loads{$_} } @groups;
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

# for_each DB, COUNT, FORMAT, ARGUMENTS - runs a statement for each number i, made by format(); in
# portions, so that the locks of one transaction stay few.
sub for_each
{
    my ($self, $db, $count, $format, $arguments) = @_;
    my $portion = 2000;
    for (my $first = 1; $first <= $count; $first += $portion)
    {
        my $last = $first + $portion - 1 < $count ? $first + $portion - 1 : $count;
        $self->{server}->sql($db, <<"SQL");
DO \$\$ BEGIN
    FOR i IN $first..$last LOOP
        EXECUTE format('$format', $arguments);
    END LOOP;
END \$\$
SQL
    }
    return;
}

sub load_empty
{
    my ($self) = @_;
    my $server = $self->{server};
    print STDERR "bench: empty: $empty_tables tables\n";
    $server->create_database('empty');
    $self->for_each('empty', $empty_tables, 'CREATE TABLE e%s (id int, info text)', 'i');
    $server->sql('empty', 'VACUUM ANALYZE');
    return;
}

sub load_catalogue
{
    my ($self) = @_;
    my $server = $self->{server};
    my $count  = $self->catalogue_tables;
    print STDERR "bench: catalogue: $count tables\n";
    $server->create_database('catalogue');
    $self->for_each('catalogue', $count, 'CREATE TABLE c%s (id int PRIMARY KEY, info text)', 'i');
    $server->sql('catalogue', 'VACUUM ANALYZE');
    return;
}

sub load_wide
{
    my ($self) = @_;
    my $server = $self->{server};
    my $count  = $self->wide_tables;
    print STDERR "bench: wide: $count tables\n";
    $server->create_database('wide');
    $self->for_each('wide', $count,
        'CREATE TABLE w%1$s (id serial PRIMARY KEY, info text); '
          . 'INSERT INTO w%1$s (info) SELECT md5(x::text) FROM generate_series(1, 100) x; '
          . 'CREATE INDEX ON w%1$s (info)', 'i');
    $server->sql('wide', 'VACUUM ANALYZE');
    $self->{bytes}{wide} = $server->sql('wide', 'SELECT pg_database_size(current_database())');
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

# i0 is the big one. Each table refers to rows that every table has.
sub load_indexed
{
    my ($self) = @_;
    my $server = $self->{server};
    print STDERR "bench: indexed: $indexed_tables tables, $self->{big} rows in one of them\n";
    $server->create_database('indexed');
    for my $number (0 .. $indexed_tables - 1)
    {
        my $table = "i$number";
        my $rows  = $number == 0 ? $self->{big} : $self->{small};
        my @index = ('a', 'b', $number == 0 ? ('at', 'a, at', 'n') : ());
        $server->sql('indexed',
            "CREATE TABLE $table (id int, a int, b text, at timestamp, ref int, n bigint)",
            "INSERT INTO $table SELECT i, (random() * 1e6)::int, md5(random()::text), "
              . "timestamp '2020-01-01' + i * interval '1 s', 1 + i % $self->{small}, "
              . "(random() * 1e9)::bigint FROM generate_series(1, $rows) i",
            "ALTER TABLE $table ADD PRIMARY KEY (id)",
            map { "CREATE INDEX ON $table ($_)" } @index);
    }
    for my $number (0 .. $indexed_keys - 1)
    {
        my $to = $number % 10 == 1 ? 0 : 1 + $number * 7 % ($indexed_tables - 1);
        $server->sql('indexed', "ALTER TABLE i$number ADD FOREIGN KEY (ref) REFERENCES i$to");
    }
    $server->sql('indexed', 'VACUUM ANALYZE');
    $self->{bytes}{indexed} = $server->sql('indexed', 'SELECT pg_database_size(current_database())');
    return;
}

# check_indexed DB - dies unless DB has all rows, indexes and proven foreign keys of "indexed".
sub check_indexed
{
    my ($self, $db) = @_;
    my $got = $self->{server}->sql($db,
        'SELECT (SELECT count(*) FROM i0), (SELECT count(*) FROM i199), '
          . "(SELECT count(*) FROM pg_index WHERE indisvalid AND indrelid >= 16384 "
          . "AND indrelid::regclass::text ~ '^i'), "
          . "(SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated)");
    my $want = join '|', $self->{big}, $self->{small}, 3 * $indexed_tables + 3, $indexed_keys;
    die "the restored database is wrong: it has $got, not $want\n" if $got ne $want;
    return;
}

# check_one DB, NUMBER - dies unless DB has that table of "wide", with all that is its own, and no other.
sub check_one
{
    my ($self, $db, $number) = @_;
    my $got = $self->{server}->sql($db,
        "SELECT (SELECT count(*) FROM w$number), (SELECT last_value FROM w${number}_id_seq), "
          . "(SELECT count(*) FROM pg_index WHERE indrelid = 'w$number'::regclass), "
          . "(SELECT count(*) FROM pg_class WHERE relkind = 'r' AND oid >= 16384)");
    die "the restored table is wrong: $got\n" if $got ne '100|100|2|1';
    return;
}

# check_rows DB, LIKE - dies unless DB has as many rows in each table as LIKE was given.
sub check_rows
{
    my ($self, $db, $like) = @_;
    return $self->check_indexed($db) if $like eq 'indexed';
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
            bytes  => ($self->{bytes}{$_} // 0) + 0,
    } } sort keys %{ $self->{rows} };
    my $indexed = {
        name   => 'indexed',
        tables => $indexed_tables,
        rows   => [ $self->{big}, ($self->{small}) x ($indexed_tables - 1) ],
        total  => $self->{big} + $self->{small} * ($indexed_tables - 1),
        bytes  => ($self->{bytes}{indexed} // 0) + 0,
    };
    return [
        @databases,
        $indexed,
        { name => 'empty', tables => $empty_tables, rows => [], total => 0 },
        { name => 'catalogue', tables => $self->catalogue_tables, rows => [], total => 0 },
        { name => 'wide', tables => $self->wide_tables, rows => [], total => 100 * $self->wide_tables,
            bytes => ($self->{bytes}{wide} // 0) + 0 },
        { name => 'large', tables => 0, rows => [], total => 0,
            text => $self->large_objects . ' large objects of 100 bytes' },
    ];
}

1;
