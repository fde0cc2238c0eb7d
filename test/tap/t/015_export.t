# A set becomes SQL text or an archive of pg_dump, without a server; psql and pg_restore make the same
# database of it again.
use strict;
use warnings;
use PgarkTest;
use Test::More;

needs_version(14, 'its archives do not tell which table is a partition');

my $source = make_server('source', conf => "wal_level = logical\n");
my $target = make_server('target', conf => "wal_level = logical\n");
my $dir    = PostgreSQL::Test::Utils::tempdir('export');
my $count  = 0;

# Every pg_restore that is installed reads the archives.
my @restorers = grep { -x } map { "$_/pg_restore" } glob '/usr/lib/postgresql/*/bin';

# output NAME - a path that is new.
sub output { return "$dir/" . ++$count . $_[0] }

sub run_sql
{
    my ($db, $file, $name) = @_;
    my %unpack = (zst => [qw(zstd -dcq)], gz => [qw(gzip -dc)], lz4 => [qw(lz4 -dcq)]);
    my ($end)  = $file =~ /\.(\w+)\z/;
    my $err    = '';
    my @psql   = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null',
        '-d', conninfo($target, $db));
    my $ok = $unpack{$end // ''}
      ? IPC::Run::run([ @{ $unpack{$end} }, $file ], '|', \@psql, '2>', \$err)
      : IPC::Run::run([ @psql, '-f', $file ], '2>', \$err);
    ok($ok, $name) or diag($err);
    return;
}

# copy_by FORMAT, REPO, DB, ARGS... - export the newest set and load it into a new database, whose name
# is returned.
sub copy_by
{
    my ($format, $repo, $more, @args) = @_;
    my $db   = 'copy_' . ++$count;
    my $file = output($format eq 'plain' ? $more->{suffix} // '.sql' : '.dir');
    $target->safe_psql('postgres', "CREATE DATABASE $db");
    pgark_ok([ 'export', 'latest', '--repo', $repo, "--format=$format", '-f', $file, '--no-sync', @args ],
        "export $format @args");
    if ($format eq 'plain')
    {
        run_sql($db, $file, "psql takes it: @args");
    }
    else
    {
        $target->command_ok(
            [ $more->{restorer} // 'pg_restore', '-j2', '--exit-on-error', '-d', conninfo($target, $db), $file ],
            "pg_restore takes it: @args");
    }
    return ($db, $file);
}

# same_dump DB, COPY, NAME - by pg_dump's text alone: the digests of same_database hash enums by their
# oids, which differ.
sub same_dump
{
    my ($db, $copy, $name) = @_;
    my ($want, $got) = map { PgarkTest::sort_rows($_) } dump_text($source, $db), dump_text($target, $copy);
    PgarkTest::same_text($got, $want, "$name: pg_dump of both sides is equal");
    return;
}

sub drop_copy
{
    my ($db) = @_;
    $target->psql($db, 'DROP EVENT TRIGGER ev_refuse');
    $target->psql($db, 'ALTER SUBSCRIPTION ev_subscription DISABLE');
    $target->psql($db, 'DROP SUBSCRIPTION ev_subscription');
    $target->safe_psql('postgres', "DROP DATABASE $db");
    return;
}

# ---- every kind of object, both formats, stored as text and as binary ------------------------------

for my $node ($source, $target)
{
    my $space = "$ENV{TESTDIR}/export_space_$$." . $node->name;
    mkdir $space or die "$space: $!";
    $node->safe_psql('postgres', <<"SQL");
CREATE ROLE ev_owner;
CREATE ROLE ev_reader;
CREATE ROLE "Ev Writer";
CREATE ROLE ev_super SUPERUSER;
CREATE TABLESPACE ev_space LOCATION '$space';
SQL
}
$source->safe_psql('postgres', 'CREATE DATABASE everything');
$source->command_ok(
    [ 'psql', '-X', '-q', '-o', '/dev/null', '-f', "$ENV{PGARK_SCRATCH}/test/tap/sql/everything.sql",
        '-d', conninfo($source, 'everything') ],
    'everything can be made');
for my $stored ('text', 'auto')
{
    my $repo = new_repo();
    pgark('backup', '--repo', $repo, '--no-sync', '--chunk-size=8kB', "--format=$stored",
        '-d', conninfo($source, 'everything'));
    my ($db) = copy_by('plain', $repo, {});
    same_dump('everything', $db, "$stored as a script");
    drop_copy($db);
    for my $restorer (@restorers)
    {
        ($db) = copy_by('directory', $repo, { restorer => $restorer });
        same_dump('everything', $db, "$stored by $restorer");
        drop_copy($db);
    }
}

$source->safe_psql('postgres', 'CREATE DATABASE by_oid');
$source->safe_psql('by_oid', <<'SQL');
CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
CREATE TABLE by_enum (m mood, n int) PARTITION BY HASH (m);
CREATE TABLE by_enum_0 PARTITION OF by_enum FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE by_enum_1 PARTITION OF by_enum FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE by_enum_2 PARTITION OF by_enum FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO by_enum SELECT (enum_range(NULL::mood))[1 + i % 8], i FROM generate_series(1, 1000) i;
SQL
{
    my $repo = new_repo();
    backup($repo, '-d', conninfo($source, 'by_oid'));
    for my $format (qw(plain directory plain))
    {
        my ($db) = copy_by($format, $repo, {});
        my $query = 'SELECT m, count(*), sum(n) FROM by_enum GROUP BY m ORDER BY m';
        is($target->safe_psql($db, $query), $source->safe_psql('by_oid', $query), 'hash partitions by enum');
        is($target->safe_psql($db, "SELECT count(*) FROM by_enum WHERE m = 'c'"), 125,
            'each row is found where the server looks for it');
    }
}

# ---- values of every type: a script has what the server itself writes ------------------------------

my $rows  = $ENV{PGARK_TEST_FULL} ? 20000 : 2000;
my %types = (
    bool   => 'random() < 0.5',
    int2   => '(random() * 65535 - 32768)::int::int2',
    int4   => '(random() * 4294967295 - 2147483648)::int8::int4',
    int8   => q{('x' || left(md5(random()::text), 16))::bit(64)::int8},
    oid    => '(random() * 4294967295)::int8::oid',
    xid    => q{((random() * 4294967295)::int8::text)::xid},
    cid    => q{((random() * 4294967295)::int8::text)::cid},
    xid8   => q{((random() * 1e18)::int8::text)::xid8},
    tid    => q{format('(%s,%s)', (random() * 4294967295)::int8, (random() * 65535)::int)::tid},
    pg_lsn => q{format('%s/%s', to_hex((random() * 2147483647)::int), to_hex((random() * 2147483647)::int))::pg_lsn},
    numeric => q{(CASE i % 8 WHEN 0 THEN round((random() * 10 ^ (random() * 30))::numeric, (random() * 20)::int)
        WHEN 1 THEN -random()::numeric * 10::numeric ^ (random() * 40 - 20)::int
        WHEN 2 THEN (repeat((random() * 1e9)::int::text, 1 + i % 5) || '.' || repeat('0', i % 7) || (random() * 1e9)::int)::numeric
        WHEN 3 THEN (random() * 20000)::int * 10000::numeric ^ (i % 9 - 4)
        WHEN 4 THEN ('0.' || repeat('0', i % 50) || 1)::numeric WHEN 5 THEN (i % 3 - 1)::numeric
        WHEN 6 THEN (ARRAY['NaN', 'Infinity', '-Infinity', '0', '0.00'])[1 + i % 5]::numeric
        ELSE trunc((random() * 1e12)::numeric, -(i % 9)) END)::numeric},
    date => q{CASE i % 3 WHEN 0 THEN '2000-01-01'::date + (random() * 20000 - 10000)::int
        WHEN 1 THEN '0001-01-01'::date + (random() * 1000000 - 500000)::int
        ELSE (ARRAY['infinity', '-infinity', '4714-11-24 BC', '5874897-12-31', '0001-01-01 BC'])[1 + i % 5]::date END},
    time   => q{(random() * 86400 * (i % 2) || ' s')::interval::time},
    timetz => q{(((i % 86400) || ' s')::interval::time::text || (ARRAY['+', '-'])[1 + i % 2]
        || to_char((i * 37 * (i % 3) % 57500 || ' s')::interval, 'HH24:MI:SS'))::timetz},
    timestamp => q{CASE i % 3 WHEN 0 THEN '2000-01-01'::timestamp + (random() * 1e9 - 5e8) * interval '1 s'
        WHEN 1 THEN '0001-01-01'::timestamp + (random() * 1000000 - 500000)::int * interval '1 day'
        ELSE (ARRAY['infinity', '-infinity', '4713-01-01 BC', '294276-12-31 23:59:59.999999'])[1 + i % 4]::timestamp END},
    timestamptz => q{CASE i % 3 WHEN 0 THEN '2000-01-01'::timestamptz + (random() * 1e9 - 5e8) * interval '1 s'
        WHEN 1 THEN '0001-01-01'::timestamptz + (random() * 1000000 - 500000)::int * interval '1 day'
        ELSE (ARRAY['infinity', '-infinity', '4713-01-01 BC', 'epoch'])[1 + i % 4]::timestamptz END},
    interval => q{make_interval(months => ((random() * 100 - 50) * (i % 2))::int, days => ((random() * 100 - 50) * (i / 2 % 2))::int,
        secs => round(((random() * 1e6 - 5e5) * (i / 4 % 2))::numeric, i % 7)::float8)
        * CASE WHEN i % 50 = 0 THEN 10000 ELSE 1 END},
    uuid => 'md5(random()::text)::uuid',
    text => q{(SELECT string_agg(chr(1 + (random() * (ARRAY[30, 126, 55000, 10])[1 + (i + g) % 4])::int), '') FROM generate_series(1, i % 20) g)},
    varchar => q{md5(random()::text)::varchar(7)},
    bpchar  => q{left(md5(random()::text), i % 5)::char(6)},
    name    => q{md5(random()::text)::name},
    '"char"' => q{chr(1 + i % 127)::"char"},
    bytea   => q{substr(sha512(random()::text::bytea), 1, i % 65)},
    json    => q{json_build_object('a' || E'\n"\\\\', random(), 'b', ARRAY[i, NULL])},
    jsonb   => q{jsonb_build_object('a' || E'\n"\\\\', random(), 'b', ARRAY[i, NULL], 'c', NULL)},
    jsonpath => q{format('$.a%s[*] ? (@ > %s)', i, round(random()::numeric, 5))::jsonpath},
    'bit(10)' => q{(i * 37 % 1024)::bit(10)},
    varbit => q{left(('x' || md5(random()::text))::bit(128)::text, i % 129)::varbit},
    inet => q{CASE i % 3 WHEN 0 THEN format('%s.%s.%s.%s/%s', i % 256, i / 7 % 256, i / 3 % 256, (random() * 255)::int, i % 33)
        WHEN 1 THEN (SELECT string_agg(to_hex((random() * 70000 * (random() - 0.5))::int & 65535), ':') FROM generate_series(i, i + 7)) || '/' || i % 129
        ELSE (ARRAY['::', '::1', '::ffff:1.2.3.4', '::1.2.3.4', '1::', '0:0:1::', '::2:0', 'fe80::/10', '1:0:0:2:0:0:0:3', '::ffff:0:1'])[1 + i % 10] END::inet},
    cidr => q{network((format('%s.%s.%s.%s/%s', i % 256, i / 7 % 256, i / 3 % 256, (random() * 255)::int, i % 33))::inet)},
    macaddr  => q{left(md5(random()::text), 12)::macaddr},
    macaddr8 => q{left(md5(random()::text), 16)::macaddr8},
    point    => q{point(random() * 10 ^ (i % 40 - 20), -i)},
    line     => q{line(point(random(), i), point(i + 1, random()))},
    lseg     => q{lseg(point(random(), i), point(-random(), 1e300))},
    box      => q{box(point(random(), i), point(-random(), 1e-300))},
    path     => q{(CASE WHEN i % 2 = 0 THEN '[' ELSE '(' END || repeat(point(random(), i)::text || ',', i % 4) || '(1,2)'
        || CASE WHEN i % 2 = 0 THEN ']' ELSE ')' END)::path},
    polygon  => q{('(' || repeat(point(random(), i)::text || ',', i % 4) || '(1,2))')::polygon},
    circle   => q{circle(point(random(), i), random())},
    tsvector => q{(SELECT string_agg(quote_literal(left(md5(g::text), 1 + g % 4) || (ARRAY['', '''', '\', ' é', ':1A'])[1 + g % 5])
        || (ARRAY['', ':1', ':2A,3', ':4B,5C,16383D'])[1 + g % 4], ' ') FROM generate_series(i, i + i % 6) g)::tsvector},
    tsquery  => q{random_query(i % 6)},
    'int4[]' => q{CASE i % 4 WHEN 0 THEN ARRAY[i, NULL, -i] WHEN 1 THEN '{}' WHEN 2 THEN ARRAY[[i, 1], [2, NULL]]
        ELSE format('[%s:%s][-1:0]={{1,2},{3,NULL}}', i, i + 1)::int4[] END},
    'text[]' => q{ARRAY[md5(i::text), NULL, 'null', 'nUlL', '', 'a b', E'\t', ',', '"', '\', '{}', 'é;', E'x\x0b']},
    'box[]'  => q{ARRAY[box(point(i, 1), point(2, 3)), NULL, box(point(1, 1), point(0, 0))]},
    'date[]' => q{ARRAY['infinity', '0044-03-15 BC', '2000-01-01'::date + i]},
    'timestamptz[]' => q{ARRAY['epoch'::timestamptz + (i || ' days')::interval, NULL]},
    int4range => q{int4range(CASE WHEN i % 3 > 0 THEN i END, CASE WHEN i % 5 > 0 THEN i + i % 7 END)},
    numrange  => q{numrange(i / 7.0, i + 1, (ARRAY['[]', '(]', '[)', '()'])[1 + i % 4])},
    tstzrange => q{tstzrange('epoch'::timestamptz + (i || ' s')::interval, NULL)},
    daterange => q{daterange('-infinity', '2000-01-01'::date + i)},
    'int4range[]' => q{ARRAY[int4range(i, i + 5), 'empty', NULL]},
    words     => q{(ARRAY['[a,b]', '(,")")', '["","\\\\"]', '[" x",)', 'empty', '["a,b","c""d"]'])[1 + i % 6]::words},
    moods     => q{ROW((ARRAY['sad', 'it''s', 'a b'])[1 + i % 3], i, CASE WHEN i % 2 = 0 THEN '"x\ ,' END, ARRAY[i, NULL], NULL)::moods},
    mood      => q{(ARRAY['sad', 'it''s', 'a b'])[1 + i % 3]::mood},
    positive  => 'i',
    'int2vector' => q{(SELECT string_agg(g::text, ' ') FROM generate_series(1, i % 5) g)::int2vector},
    'oidvector'  => q{coalesce((SELECT string_agg(g::text, ' ') FROM generate_series(1, i % 5) g), '')::oidvector},
    refcursor => q{md5(i::text)::refcursor},
    txid_snapshot => q{format('%s:%s:%s', i, i + 10, CASE WHEN i % 2 = 0 THEN (i + 2) || ',' || (i + 5) ELSE '' END)::txid_snapshot},
    xml => q{('<a b="' || i || '">&lt;</a>')::xml},
);
$types{int4multirange} = q{int4multirange(int4range(i, i + 2), int4range(i + 5, NULL))}
  if $source->pg_version >= 14;
$types{'words_multi'} = q{'{["a b",c), [x,]}'::words_multi} if $source->pg_version >= 14;

$source->safe_psql('postgres', 'CREATE DATABASE types');
$source->safe_psql('types', <<'SQL');
CREATE TYPE mood AS ENUM ('sad', 'it''s', 'a b');
CREATE TYPE moods AS (m mood, n int, t text, a int[], nothing text);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TYPE words AS RANGE (subtype = text, collation = "C");
CREATE FUNCTION random_query(depth int) RETURNS tsquery LANGUAGE plpgsql AS $$
DECLARE
    word text := quote_literal(left(md5(random()::text), 3) || (ARRAY['', '''', '\', ' '])[1 + floor(random() * 4)])
        || (ARRAY['', ':*', ':A', ':*BD'])[1 + floor(random() * 4)];
    op text := (ARRAY[' & ', ' | ', ' <-> ', ' <7> ', ' & !'])[1 + floor(random() * 5)];
BEGIN
    RETURN CASE WHEN depth = 0 THEN word::tsquery
        ELSE ('(' || random_query(depth - 1)::text || ')' || op || '(' || random_query((random() * (depth - 1))::int)::text || ')')::tsquery END;
END $$;
SQL
$source->safe_psql('types', "ALTER TYPE words_multirange RENAME TO words_multi") if $source->pg_version >= 14;
for my $type (sort keys %types)
{
    (my $table = "v_$type") =~ s/\W/_/g;
    $source->safe_psql('types', <<"SQL");
CREATE TABLE $table (v $type, id int);
SELECT setseed(0.5);
INSERT INTO $table SELECT $types{$type}, i FROM generate_series(1, $rows) i;
INSERT INTO $table VALUES (NULL, 0);
SQL
}

# Every bit of a number may be set: what SQL cannot write comes by COPY BINARY.
sub load_bits
{
    my ($table, $type, $size, @bits) = @_;
    my $file = output('.bin');
    spew_bytes($file, "PGCOPY\n\xff\r\n\0" . pack('NN', 0, 0)
          . join('', map { pack('nN', 1, $size) . $_ } @bits) . pack('n', 0xffff));
    $source->safe_psql('types', "CREATE TABLE $table (v $type); COPY $table FROM '$file' (FORMAT binary)");
    return;
}
srand(42);
my @bits8 = map { pack('Q>', $_) } map { my $e = $_ << 52; ($e, $e + 1, $e - 1 & ~(1 << 63), $e | 1 << 63) } 1 .. 2046;
push @bits8, map { pack('Q>', int(rand(1 << 32)) << 32 | int(rand(1 << 32))) } 1 .. 5 * $rows;
push @bits8, map { pack('d>', $_) } map { (1 * $_, $_ . 'e22', $_ . 'e-5', $_ / 100, 2**53 + $_, 2**60 + 128 * $_) } 1 .. 500;
push @bits8, map { pack('d>', "1e$_") } -323 .. 308;
push @bits8, map { pack('Q>', $_) } 0, 1 << 63, 1, 2, 3, 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48;
load_bits('v_float8', 'float8', 8, grep { (unpack('Q>', $_) >> 48 & 0x7ff8) != 0x7ff8 || unpack('Q>', $_) == 0x7ff8 << 48 } @bits8);
my @bits4 = map { pack('N', $_) } map { my $e = $_ << 23; ($e, $e + 1, $e - 1, $e | 1 << 31) } 1 .. 254;
push @bits4, map { pack('N', int(rand(1 << 32))) } 1 .. 5 * $rows;
push @bits4, map { pack('f>', $_) } map { ($_, $_ / 100, $_ * 1e10, $_ * 1e-10, $_ * 1000) } 1 .. 500;
push @bits4, map { pack('N', $_) } 0, 1 << 31, 1, 2, 0x7f800000, 0xff800000, 0x7fc00000;
load_bits('v_float4', 'float4', 4, @bits4);

sub by_table
{
    my ($sql) = @_;
    my %rows;
    while ($sql =~ /^COPY "public"\."(\w+)" [^\n]*FROM stdin;\n(.*?)^\\\.$/gms)
    {
        $rows{$1} = join '', sort split /^/m, $2;
    }
    return \%rows;
}

{
    my $repo = new_repo();
    backup($repo, '-d', conninfo($source, 'types'), '--format=binary', '--chunk-size=64kB');
    my $file = output('.sql');
    pgark_ok([ 'export', 'latest', '--repo', $repo, '-f', $file ], 'types: export');
    my $got = by_table(slurp_bytes($file));
    $source->append_conf('postgresql.conf', "timezone = 'UTC'");
    $source->reload;
    for my $table (sort keys %$got)
    {
        my $want = output('.txt');
        $source->safe_psql('types', "COPY $table TO '$want'");
        my $text = join '', sort split /^/m, slurp_bytes($want);
        ok($got->{$table} eq $text, "$table: as the server writes it") or do
        {
            my @g = split /^/m, $got->{$table};
            my @w = split /^/m, $text;
            my %w = map { $_ => 1 } @w;
            my %g = map { $_ => 1 } @g;
            diag('got:  ', (grep { !$w{$_} } @g)[0] // '');
            diag('want: ', (grep { !$g{$_} } @w)[0] // '');
        };
    }
    is(scalar keys %$got, 2 + keys %types, 'types: all were compared');

    # What no converter knows is named before anything is written.
    $source->safe_psql('types', 'CREATE TABLE odd (id int, what money); INSERT INTO odd VALUES (1, 2)');
    backup($repo, '-d', conninfo($source, 'types'), '--format=binary', '-t', 'odd');
    $file = output('.sql');
    pgark_fails([ 'export', 'latest', '--repo', $repo, '-f', $file ],
        qr/"public\.odd".*column "what".*hint: .*--format=text/s, 'an unknown binary form');
    ok(!-e $file, 'an unknown binary form: nothing is there');
    my $key = backup($repo, '-d', conninfo($source, 'types'), '-t', 'odd');
    is(manifest($repo, $key)->{table}[0]{binary} ? 1 : 0, 0, 'auto stores money as text');
}

# ---- outputs ---------------------------------------------------------------------------------------

$source->safe_psql('postgres', 'CREATE DATABASE shop');
$source->safe_psql('shop', <<'SQL');
CREATE SCHEMA app;
CREATE TABLE app.customer (id int PRIMARY KEY, name text);
INSERT INTO app.customer SELECT i, 'it''s \ customer ' || i || E'\n\t' FROM generate_series(1, 500) i;
CREATE TABLE app.bill (id int GENERATED ALWAYS AS IDENTITY, customer int REFERENCES app.customer, amount numeric,
    paid bool, flags bit(3), twice numeric GENERATED ALWAYS AS (amount * 2) STORED, at timestamptz);
INSERT INTO app.bill (customer, amount, paid, flags, at)
    SELECT i, i / 3.0, i % 2 = 0, '101', CASE WHEN i % 3 > 0 THEN to_timestamp(i) END FROM generate_series(1, 500) i;
CREATE TABLE public.other (a int, b float8);
INSERT INTO other VALUES (-1, 'NaN'), (1, '-Infinity'), (NULL, 1e300);
CREATE TABLE public.no_columns ();
INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
CREATE VIEW app.open_bills AS SELECT * FROM app.bill WHERE NOT paid;
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;
CREATE TRIGGER note BEFORE INSERT ON app.bill FOR EACH ROW EXECUTE FUNCTION app.note();
ALTER TABLE app.bill OWNER TO ev_owner;
CREATE MATERIALIZED VIEW app.z_first AS SELECT count(*) FROM app.bill;
CREATE VIEW app.between AS SELECT * FROM app.z_first;
CREATE MATERIALIZED VIEW app.a_second AS SELECT * FROM app.between;
CREATE MATERIALIZED VIEW app.never AS SELECT 1 AS one WITH NO DATA;
CREATE EXTENSION hstore SCHEMA app;
ALTER DATABASE shop SET work_mem = '5MB';
SQL
my $repo = new_repo();
my $key  = backup($repo, '-d', conninfo($source, 'shop'));

for my $suffix (qw(.sql.zst .sql.gz .sql.lz4))
{
    my ($db, $file) = copy_by('plain', $repo, { suffix => $suffix });
    my %magic = ('.sql.zst' => "\x28\xb5\x2f\xfd", '.sql.gz' => "\x1f\x8b", '.sql.lz4' => "\x04\x22\x4d\x18");
    is(substr(slurp_bytes($file), 0, length $magic{$suffix}), $magic{$suffix}, "$suffix is compressed");
    same_database($source, 'shop', $target, $db, $suffix);
}
for my $compress (qw(none gzip:9))
{
    my ($db) = copy_by('directory', $repo, {}, '-Z', $compress);
    same_database($source, 'shop', $target, $db, "directory, $compress");
}
for my $rows ([], ['--column-inserts'], [ '--rows-per-insert=7', '--on-conflict-do-nothing' ])
{
    for my $format (qw(plain directory))
    {
        my ($db) = copy_by($format, $repo, {}, '--inserts', @$rows);
        same_database($source, 'shop', $target, $db, "$format as INSERTs @$rows");
    }
}
{
    my ($out, $err) = ('', '');
    my $ok = IPC::Run::run([ $ENV{PGARK}, 'export', $key, '--repo', $repo ], '>', \$out, '2>', \$err);
    ok($ok && $out =~ /^COPY "app"\."customer"/m, 'a script on standard output');
    like($err, qr/^exported /m, 'what was done is said on standard error then');
    my $file = output('.sql');
    pgark_ok([ 'export', $key, '--repo', $repo, '-f', $file ], 'the same as a file');
    ok($out eq slurp_bytes($file), 'and it is the same');
}

# ---- a database of its own, again and again --------------------------------------------------------

for my $try (1, 2)
{
    my $file = output('.sql');
    pgark_ok([ 'export', $key, '--repo', $repo, '-f', $file, '-C', $try > 1 ? ('-c', '--if-exists') : () ],
        "with its database, $try");
    run_sql('postgres', $file, "psql makes the database, $try");
    same_database($source, 'shop', $target, 'shop', "with its database, $try", '--create');
}
{
    my $file = output('.sql');
    pgark_ok([ 'export', $key, '--repo', $repo, '-f', $file, '-c', '--if-exists' ], 'with DROPs');
    run_sql('shop', $file, 'psql drops and makes all objects');
    same_database($source, 'shop', $target, 'shop', 'with DROPs');
    $target->safe_psql('postgres', 'CREATE DATABASE void');
    run_sql('void', $file, 'and where there are none');
    same_database($source, 'shop', $target, 'void', 'with DROPs of nothing');
}

# ---- selection, owners, triggers -------------------------------------------------------------------

{
    my $file = output('.sql');
    pgark_ok([ 'export', $key, '--repo', $repo, '-f', $file, '-t', 'app.customer' ], 'one table');
    is(join(' ', slurp_bytes($file) =~ /^-- (?:Data for )?Name: ([^;\n]+; Type: [A-Z ]+);/mg),
        'customer; Type: TABLE customer; Type: TABLE DATA customer customer_pkey; Type: CONSTRAINT',
        'one table with what belongs to it');
    my ($one) = copy_by('directory', $repo, {}, '-n', 'public');
    is($target->safe_psql($one, q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND oid >= 16384}),
        'no_columns other', 'one schema only');
    $file = output('.sql');
    pgark_ok([ 'export', $key, '--repo', $repo, '-f', $file, '-n', 'app', '-O', '-x', '--no-comments' ],
        'without owners');
    unlike(slurp_bytes($file), qr/OWNER TO|ev_owner/, 'no owner is named');
    $file = output('.sql');
    pgark_ok([ 'export', $key, '--repo', $repo, '-f', $file, '--use-set-session-authorization' ],
        'with session authorization');
    unlike(slurp_bytes($file), qr/OWNER TO ev_owner/, 'no ALTER ... OWNER');
    $target->safe_psql('postgres', 'CREATE DATABASE by_session');
    $target->safe_psql('postgres', 'GRANT ALL ON DATABASE by_session TO ev_owner');
    like(slurp_bytes($file), qr/^SET SESSION AUTHORIZATION "ev_owner";/m, 'but the session of the owner');

    $file = output('.sql');
    pgark_ok([ 'export', $key, '--repo', $repo, '-f', $file, '-s' ], 'definitions only');
    unlike(slurp_bytes($file), qr/^COPY|setval/m, 'no rows, no values');
    $target->safe_psql('postgres', 'CREATE DATABASE in_two');
    run_sql('in_two', $file, 'definitions first');
    $file = output('.sql');
    pgark_ok([ 'export', $key, '--repo', $repo, '-f', $file, '-a', '--disable-triggers' ], 'rows only');
    unlike(slurp_bytes($file), qr/^CREATE/m, 'no definitions');
    run_sql('in_two', $file, 'then rows, past the trigger and the foreign key');
    same_database($source, 'shop', $target, 'in_two', 'in two steps');
}

# ---- what goes wrong -------------------------------------------------------------------------------

{
    my $file = output('.sql');
    spew_bytes($file, 'mine');
    pgark_fails([ 'export', $key, '--repo', $repo, '-f', $file ], qr/exists already/, 'an existing file');
    is(slurp_bytes($file), 'mine', 'an existing file is as it was');
    my $there = output('.dir');
    mkdir $there;
    pgark_fails([ 'export', $key, '--repo', $repo, '-F', 'directory', '-f', $there ], qr/exists already/,
        'an existing directory');
    pgark_fails([ 'export', $key, '--repo', $repo, '-F', 'directory' ], qr/--file/, 'a directory without name');
    pgark_fails([ 'export', $key, '--repo', $repo, '-F', 'directory', '-f', output('.dir'), $_ ],
        qr/$_ is for --format=plain.*hint: .*pg_restore/s, "a directory archive with $_")
      for qw(--create --clean --no-owner --disable-triggers);
    pgark_fails([ 'export', $key, '--repo', $repo, '-f', "$dir/none/x.sql" ], qr/No such file/,
        'no directory to put it');
    pgark_fails([ 'export', $key, '--repo', $repo, '-f', output('.sql'), '--content=7' ], qr/no such node/,
        'a node that the set does not have');
    pgark_fails([ 'export', $key, '--repo', $repo, '-F', 'directory', '-Z', 'zstd', '-f', output('.dir') ],
        qr/cannot be compressed with zstd/, 'a compression that its pg_restore does not know')
      if $source->pg_version < 16;

    opendir my $list, $dir or die $!;
    is(join(' ', grep { /tmp/ } readdir $list), '', 'nothing temporary is left');
    closedir $list;
}
with_small_disk(sub {
    my ($small) = @_;
    $source->safe_psql('shop', q{CREATE TABLE large AS SELECT repeat(md5(i::text), 30) t FROM generate_series(1, 30000) i});
    my $full = new_repo();
    backup($full, '-d', conninfo($source, 'shop'), '-t', 'large');
    for my $args ([ '-f', "$small/x.sql" ],
        [ '-Z', 'none', '-F', 'directory', '-f', "$small/x.dir" ])
    {
        pgark_fails([ 'export', 'latest', '--repo', $full, @$args ], qr/No space left/, "a full disk: @$args");
    }
    my @left = grep { !/\/\.\.?\z/ } glob "$small/* $small/.*";
    is("@left", '', 'a full disk: nothing is left');
});

# One wrong byte in a chunk: no output, whatever was written before it was found.
{
    my ($object) = map { $_->{object} } grep { $_->{object} } chunks($repo, $key, 0);
    my $path = set_dir($repo, $key) . "/$object";
    my $good = slurp_bytes($path);
    my $bad  = $good;
    substr($bad, -20, 1) ^= "\x01";
    spew_bytes($path, $bad);
    my $file = output('.sql');
    pgark_fails([ 'export', $key, '--repo', $repo, '-f', $file ], qr/\Q$object\E/, 'a damaged chunk');
    my $directory = output('.dir');
    pgark_fails([ 'export', $key, '--repo', $repo, '-F', 'directory', '-f', $directory ], qr/\Q$object\E/,
        'a damaged chunk, directory');
    pgark_fails([ 'export', $key, '--repo', $repo ], qr/\Q$object\E/, 'a damaged chunk, standard output');
    opendir my $list, $dir or die $!;
    is(join(' ', grep { /tmp/ } readdir $list), '', 'a damaged chunk leaves nothing temporary');
    ok(!-e $file && !-e $directory, 'nor anything else');
    spew_bytes($path, $good);
}

no_traces('at the end', undef, $source, $target);
done_testing();
