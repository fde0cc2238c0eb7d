# Incremental sets: what is unchanged is referred to and not stored again, what a restore gives is the
# source all the same; which sets can go, and what becomes of those that are damaged or missing.
use strict;
use warnings;
use Digest::SHA ();
use File::Path qw(rmtree);
use FindBin;
use JSON::PP ();
use Test::More;
use lib "$FindBin::Bin/../../lib", "$FindBin::Bin/..";
use PgarkTest;

my $source = make_server('source');
my $repo   = new_repo();
my $copies = 0;

sub sql { my ($db, $text) = @_; return $source->safe_psql($db, $text) }

# A set of database shop; with the options that the chain has in common.
sub set_of { my (@args) = @_; return backup($repo, '-d', conninfo($source, 'shop'), @args) }
sub incremental { return set_of('--incremental', @_) }

sub show { my ($key) = @_; return pgark_json([ 'show', $key, '--repo', $repo, '--tables=0' ], "show $key") }

# The stored and the referenced bytes of a table.
sub table_bytes
{
    my ($show, $name) = @_;
    my ($t) = grep { $_->{name} eq $name } @{ $show->{tables} };
    return ($t->{stored}, $t->{referenced});
}

sub is_stored     { my ($show, $table) = @_; my ($s, $r) = table_bytes($show, $table); ok($s > 0 && $r == 0, "$table is stored") or diag("$s, $r"); return }
sub is_referenced { my ($show, $table) = @_; my ($s, $r) = table_bytes($show, $table); ok($s == 0 && $r > 0, "$table is referred to") or diag("$s, $r"); return }

# A set is good, and a restore of it is the source as it is now.
sub restores
{
    my ($key, $name) = @_;
    my $copy = 'copy' . ++$copies;
    pgark_ok([ 'verify', $key, '--repo', $repo ], "$name: verify");
    pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($source, $copy), '--create' ], "$name: restore");
    same_database($source, 'shop', $source, $copy, $name);
    sql('postgres', "DROP DATABASE $copy");
    return;
}

sql('postgres', 'CREATE DATABASE shop');
sql('shop', <<'SQL');
CREATE TABLE still (id int PRIMARY KEY, t text);
INSERT INTO still SELECT i, repeat('still ', 5) || i FROM generate_series(1, 20000) i;
CREATE TABLE updated AS SELECT i AS id, md5(i::text) AS t FROM generate_series(1, 40000) i;
CREATE TABLE appended (id bigserial, t text);
INSERT INTO appended (t) SELECT 'row ' || i FROM generate_series(1, 1000) i;
CREATE TABLE rewritten AS SELECT i AS id, 'x'::text AS t FROM generate_series(1, 5000) i;
CREATE TABLE emptied AS SELECT i AS id FROM generate_series(1, 5000) i;
CREATE TABLE dropped AS SELECT 1 AS id;
CREATE TABLE empty (id int);
CREATE TABLE "odd ""name
" AS SELECT 1 AS "a b";
CREATE TABLE large (id int, noise text);
INSERT INTO large SELECT i, string_agg(md5(i::text || j), '') FROM generate_series(1, 4000) i, generate_series(1, 30) j GROUP BY i ORDER BY i;
CREATE TABLE part (id int, t text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1000);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (1000) TO (2000);
INSERT INTO part SELECT i, 'part ' || i FROM generate_series(0, 1999) i;
CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM part;
SELECT lo_from_bytea(0, decode(repeat(md5(i::text), 200), 'hex')) FROM generate_series(1, 20) i;
VACUUM;
SQL

# ---- a full one, and one of nothing new -----------------------------------------------------------

my @small = ('--chunk-size=64kB', '-j2');
my $first = incremental(@small);
unlike($PgarkTest::last_err, qr/warning/, 'the first of a chain is a full one, which is no reason to warn');
my $set = show($first);
is($set->{base}, undef, 'a full set has no base');
is_deeply($set->{depends_on}, [], 'and depends on none');
is($set->{totals}{referenced}, 0, 'all of it is its own');
my $full_bytes = $set->{totals}{stored};

my $second = incremental(@small);
my $again  = show($second);
is($again->{base}, $first, 'the second is compared with the first');
is_deeply($again->{depends_on}, [$first], 'and depends on it');
is($again->{totals}{rows}, $set->{totals}{rows}, 'it has all rows');
my ($data) = map { my $s = 0; $s += $_->{stored} for @{ manifest($repo, $second)->{table} }; $s } 1;
is($data, 0, 'of the rows nothing is stored');
is($again->{totals}{referenced}, eval { my $s = 0; $s += $_->{stored} for @{ manifest($repo, $first)->{table} }; $s }, 'all is referred to');
is_deeply([ grep { /node0\/(?!schema)/ } set_files($repo, $second) ], [], 'there are no files of chunks');
# Of older servers a table is one chunk, and stored anew when it grows.
my $cuts = $source->pg_version >= 14;
cmp_ok(scalar(grep { $_->{table_oid} == [ grep { $_->{name} eq 'large' } @{ manifest($repo, $second)->{table} } ]->[0]{oid} } chunks($repo, $second, 0)), '>', 4, 'large was cut as before')
  if $cuts;
restores($second, 'nothing new');

# What is shown of how far it is, is never more than all.
sub progress_is_sound
{
    my ($args, $name) = @_;
    my ($code, $out, $err) = pgark(@$args, '--progress=json');
    my @shown = map { JSON::PP::decode_json($_) } grep { /"progress":/ } split /\n/, $err;
    is($code, 0, "$name: progress is shown") or diag($err);
    is_deeply([ grep { $_->{bytes_done} > $_->{bytes_total} } @shown ], [], "$name: never more than all");
    cmp_ok($shown[-1]{bytes_done}, '>', 0, "$name: and there is some");
    return;
}
progress_is_sound([ 'verify', $second, '--repo', $repo ], 'verify');
progress_is_sound([ 'restore', $second, '--repo', $repo, '-d', conninfo($source, 'shown'), '--create' ], 'restore');
sql('postgres', 'DROP DATABASE shown');
progress_is_sound([ 'backup', '--repo', $repo, '-d', conninfo($source, 'shop'), '--incremental', '--prefix=shown', '-t', 'still', @small ], "backup, $_") for 1, 2;

# ---- changes ------------------------------------------------------------------------------------

sql('shop', <<'SQL');
UPDATE updated SET t = 'changed' WHERE id = 17;
INSERT INTO appended (t) SELECT 'more ' || i FROM generate_series(1, 5000) i;
DROP TABLE dropped;
CREATE TABLE fresh AS SELECT i AS id FROM generate_series(1, 100) i;
UPDATE part SET t = 'other' WHERE id = 1500;
INSERT INTO empty VALUES (1);
ALTER TABLE still RENAME t TO u;
SELECT lo_from_bytea(0, 'another');
SQL
sql('shop', 'VACUUM FULL rewritten');
sql('shop', 'BEGIN; TRUNCATE emptied; INSERT INTO emptied SELECT i FROM generate_series(1, 5000) i; COMMIT');
my $third = incremental(@small);
my $now   = show($third);
is($now->{base}, $second, 'the base is the newest set');
is_deeply($now->{depends_on}, [$first], 'references lead to where things are stored, not to another reference');
is_referenced($now, $_) for qw(still large part_1);
is_stored($now, $_) for qw(appended rewritten emptied fresh part_2 empty);
ok(!grep({ $_->{name} eq 'dropped' } @{ $now->{tables} }), 'a dropped table is not there');
restores($third, 'changes');

# By the documented format alone: what is elsewhere is where the record says.
my @wrong = grep {
    my $bytes = slurp_bytes(set_dir($repo, $_->{set} // $third) . "/$_->{object}");
    Digest::SHA::sha256_hex(substr $bytes, $_->{offset}, $_->{stored}) ne $_->{sha256}
} grep { defined $_->{object} } chunks($repo, $third, 0);
is_deeply(\@wrong, [], 'every chunk is where its record says');

is_deeply($now->{chain}, [ $third, $second, $first ], 'show tells the chain');
like(pgark_ok([ 'show', $third, '--repo', $repo ], 'show'),
    qr/^chain +$third -> $second -> $first \(full\)\n +in $first +\d+ chunks/m, 'in words, too');
my %listed = map { $_->{key} => $_ } @{ pgark_json([ 'list', '--repo', $repo ], 'list')->{sets} };
is($listed{$third}{base}, $second, 'list has the base');
is_deeply($listed{$third}{depends_on}, [$first], 'and what a set depends on');
like(slurp_bytes(set_dir($repo, $third) . '/report.txt'), qr/^base +$second\ndepends on +$first$/m, 'so has the report');
my $text = pgark_ok([ 'export', $third, '--repo', $repo, '-q' ], 'export');
my ($rows) = $text =~ /^COPY "public"\."large" [^\n]*\n(.*?)^\\\.$/ms;
is(($rows // '') =~ tr/\n//, 4000, 'an export has the rows that are elsewhere');

# ---- a table that grows ----------------------------------------------------------------------------

# Its chunks are as they were, but for the last; what is behind them is cut by size, so that the chunks of a table that
# grows each night stay as large as ever.
my @grows = (@small, '--prefix=grows', '-t', 'grows');
sql('shop', 'CREATE TABLE grows AS SELECT i AS id, md5(i::text) AS t FROM generate_series(1, 20000) i');
set_of(@grows);
for my $night ($cuts ? (1, 2) : ())
{
    sql('shop', "INSERT INTO grows SELECT i, md5(i::text) FROM generate_series($night * 100000, $night * 100000 + 1500) i");
    my $key = incremental(@grows);
    my ($stored, $referenced) = table_bytes(show($key), 'grows');
    cmp_ok($stored, '>', 0, "grows, night $night: its end is stored");
    cmp_ok($referenced, '>', 4 * $stored, "grows, night $night: the rest is referred to");
    my ($grows) = @{ manifest($repo, $key)->{table} };
    my @sizes = map { ($_->{to_block} || $grows->{blocks}) - $_->{from_block} } chunks($repo, $key, 0);
    is_deeply([ grep { $_ > 8 } @sizes ], [], "grows, night $night: no chunk is larger than 64 kB");
    pgark_ok([ 'verify', $key, '--repo', $repo ], "grows, night $night: verify");
    next if $night == 1;
    pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($source, 'grown'), '--create' ], 'grows: restore');
    my $sum = q{SELECT count(*), sum(id), sum(hashtext(t)) FROM grows};
    is(sql('grown', $sum), sql('shop', $sum), 'grows: restored');
    sql('postgres', 'DROP DATABASE grown');
}
sql('shop', 'DROP TABLE grows');

# ---- chunks that do not fit into memory ----------------------------------------------------------

# Whether a large chunk has probably changed is guessed from the server's counters, and depends on nothing:
# guesses that are right and wrong, for one that has changed and one that has not.
sub touch_large
{
    sql('shop', q{UPDATE large SET noise = reverse(noise) WHERE id = 2000});
    return;
}
sub forget { sql('shop', q{SELECT pg_stat_reset_single_table_counters('large'::regclass)}); return }

# With room in its blocks: a row that changes needs no new one.
sql('shop', q{ALTER TABLE large SET (fillfactor = 50); VACUUM FULL large});
forget();
my @large = ('--prefix=large', '-t', 'large', '-t', 'still');
set_of(@large);
for my $case ([ 'as it was', sub { }, 0 ], [ 'changed', \&touch_large, 1 ], [ 'as it was, with other counters', \&forget, 0 ],
    [ 'changed, with the same counters', sub { touch_large(); forget() }, 1 ])
{
    my ($name, $act, $stored) = @$case;
    $act->();
    my $key = incremental(@large);
    $now = show($key);
    is_referenced($now, 'still');
    if ($stored) { is_stored($now, 'large') }
    else { is_referenced($now, 'large') }
    cmp_ok((table_bytes($now, 'large'))[$stored ? 0 : 1], '>', 1024 * 1024, "$name: it is larger than what is kept in memory");
    is(scalar(grep { /\/\d+\.\d+\.\w+(\.zst)?$/ } set_files($repo, $key)), $stored, "$name: and leaves a file or none");
    pgark_ok([ 'verify', $key, '--repo', $repo ], "$name: verify");
}

# ---- which set is built on ------------------------------------------------------------------------

sub from { return ('backup', '--repo', $repo, '-d', conninfo($source, 'shop')) }
sub base_of { my (@args) = @_; return pgark_json([ from(), '--dry-run', '--incremental', @args ], "dry run @args")->{base} }

is(base_of(), $third, 'the newest of those without a prefix');
is(base_of('--prefix=none'), undef, 'none of another series');
is(base_of('-t', 'still'), undef, 'none with another selection');
is(base_of('--format=text'), undef, 'none with another format');
is(base_of('-Z', 'zstd:2'), undef, 'none that is compressed in another way');
is(base_of('--section=data'), undef, 'none with other sections');
is(base_of("--incremental-from=$first"), $first, 'one that is named');
like(pgark_ok([ from(), '--dry-run', '--incremental' ], 'dry run'),
    qr/^base +$third, with which .* can be compared$/m, 'in words, too');
pgark_fails([ from(), "--incremental-from=$first", '--prefix=x' ], qr/set $first has another prefix/, 'a set of another series');
pgark_fails([ from(), "--incremental-from=$first", '-Z', 'lz4' ], qr/compressed in another way/, 'another compression');
pgark_fails([ from(), '--incremental-from=20010101000000' ], qr/no set 20010101000000/, 'a set that is not there');
pgark_fails([ from(), '--incremental-from=latest' ], qr/malformed --incremental-from/, 'no key');
pgark_fails([ from(), "--incremental-from=$third", "--key=20010101000000" ], qr/set $third is not older/, 'a base that is newer');
pgark_fails([ from(), '--incremental', '--agent=yes' ], qr/--agent.* and --incremental exclude each other/, 'agents');

# ---- sets that are needed, and sets that are not there --------------------------------------------

# A copy of the repository, in which something is missing.
sub in_copy
{
    my ($act) = @_;
    my ($real, $copy) = ($repo, new_repo());
    system('cp', '-a', $repo, $copy) == 0 or die;
    $repo = $copy;
    $act->();
    $repo = $real;
    rmtree($copy);
    return;
}

sub expire
{
    my (@args) = @_;
    my $json = pgark_json([ 'expire', '--repo', $repo, @args ], "expire @args");
    return [ sort map { $_->{key} } @{ $json->{removed} } ];
}

in_copy(sub {
    my $json = pgark_json([ 'expire', '--repo', $repo, '--keep=1', '--dry-run' ], 'expire, dry');
    my %why = map { $_->{key} => $_->{why} } @{ $json->{kept} };
    is($why{$third}, 'newest, --keep', 'the newest stays');
    is($why{$first}, 'needed by others', 'and what it depends on');
    is_deeply([ grep { $_ eq $second } map { $_->{key} } @{ $json->{removed} } ], [$second], 'what it was only compared with may go');
    expire('--keep=1');
    ok(!-e set_dir($repo, $second), 'and goes');
    like(pgark_ok([ 'show', $third, '--repo', $repo ], 'show'), qr/^chain +$third -> $second \(gone\)$/m, 'show knows');
    pgark_ok([ 'verify', $third, '--repo', $repo ], 'without the base: verify');
    my $full = set_of(@small);
    expire('--keep=1');
    ok(!-e set_dir($repo, $_), "$_ goes when nothing depends on it") for $first, $third;
});

# Damage that is seen when a set is to be built on it.
in_copy(sub {
    # One of a table that is as it was.
    my ($still) = grep { $_->{name} eq 'still' } @{ manifest($repo, $first)->{table} };
    my ($chunk) = grep { $_->{table_oid} == $still->{oid} } chunks($repo, $first, 0);
    my $file = set_dir($repo, $first) . "/$chunk->{object}";
    my $bytes = slurp_bytes($file);
    spew_bytes($file, substr $bytes, 0, $chunk->{offset} + $chunk->{stored} - 1);
    my $json = pgark_json([ from(), '--incremental', @small ], 'on a set that is too short', 2);
    like($PgarkTest::last_err, qr/warning: set $third is damaged, what is missing of it is stored again: .*too short/, 'which is warned about');
    cmp_ok($json->{totals}{referenced}, '>', 0, 'the rest is referred to');
    pgark_ok([ 'verify', $json->{key}, '--repo', $repo ], 'and the new set is good');
    spew_bytes($file, $bytes);
    substr($bytes, $chunk->{offset} + 10, 1) ^= "\x01";
    spew_bytes($file, $bytes);
    pgark_fails([ 'verify', $third, '--repo', $repo ], qr/is damaged/, 'damage in the other set');
    like($PgarkTest::last_out, qr/^problem: object $chunk->{object} of set $first /m, 'is named');
    spew_bytes(set_dir($repo, $third) . '/node0.jsonl', "{}\n");
    $json = pgark_json([ from(), "--incremental-from=$third", @small ], 'on a damaged list', 2);
    is($json->{totals}{referenced}, 0, 'all is stored');
});

in_copy(sub {
    rename set_dir($repo, $first), "$repo/elsewhere" or die;
    my $missing = qr/set $third depends on set $first, which is not in repository/;
    pgark_fails([ 'restore', $third, '--repo', $repo, '-d', conninfo($source, 'never'), '--create' ], $missing, 'restore without a set');
    is(sql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'never'}), 0, 'nothing was begun');
    pgark_fails([ 'export', $third, '--repo', $repo ], $missing, 'export without it');
    pgark_fails([ 'verify', $third, '--repo', $repo ], qr/is damaged/, 'verify without it');
    like($PgarkTest::last_out, qr/^problem: $missing/m, 'says what is missing');
    like(pgark_ok([ 'show', $third, '--repo', $repo ], 'show'), qr/^ +in $first .*\(missing\)$/m, 'so does show');
    my ($code, $out, $err) = pgark(from(), '--incremental', @small);
    is($code, 2, 'a backup warns');
    like($err, qr/set $third cannot be built on: .*$first/, 'and does not build on what is not there');
});

# While a set is being built on, it stays. A lock on a table keeps the backup from going on.
in_copy(sub {
    my $full = set_of(@small);
    my $locker = session($source, 'shop');
    $locker->query_safe('BEGIN; LOCK TABLE empty');
    my $run = pgark_start(from(), "--incremental-from=$third", @small);
    wait_for_query($source, 'shop', q{SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE NOT l.granted AND a.application_name LIKE 'pgark%'}, 'the backup waits for a lock');
    my ($code, $out, $err) = pgark('expire', '--repo', $repo, '--keep=1');
    is($code, 2, 'expire meanwhile');
    like($err, qr/set $third is in use and stays/, 'leaves what is being built on');
    ok(-e set_dir($repo, $_) . '/manifest.jsonl', "$_ is there") for $first, $third;
    $locker->query_safe('COMMIT');
    $locker->quit;
    ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'the backup ends well') or diag($err);
    my $key = (repo_sets($repo))[-1];
    is_deeply(show($key)->{depends_on}, [ $first, $third ], 'and depends on both');
    expire('--keep=1');
    ok(-e set_dir($repo, $_) . '/manifest.jsonl', "$_ stays as long") for $first, $third;
    pgark_ok([ 'verify', $key, '--repo', $repo ], 'it is good');
});

# ---- a set of an older format ---------------------------------------------------------------------

in_copy(sub {
    my $old = set_of(@small);
    my $file = set_dir($repo, $old) . '/manifest.jsonl';
    my $json = JSON::PP->new->utf8->canonical;
    my @lines = json_lines($file);
    pop @lines;
    for my $line (@lines)
    {
        delete @$line{qw(relfilenode blocks changes)} if $line->{type} eq 'table';
        $line->{format} = 1 if $line->{type} eq 'set';
    }
    my $body = join '', map { $json->encode($_) . "\n" } @lines;
    spew_bytes($file, $body . '{"type":"end","sha256":"' . Digest::SHA::sha256_hex($body) . "\"}\n");
    pgark_ok([ 'verify', $old, '--repo', $repo ], 'format 1: verify');
    is(base_of(), $third, 'it is not built on');
    pgark_fails([ from(), "--incremental-from=$old" ], qr/set $old is of format 1/, 'which is said');
});

# ---- several servers, several databases -----------------------------------------------------------

my $other = make_server('other');
$other->safe_psql('postgres', 'CREATE DATABASE shop');
$other->safe_psql('shop', 'CREATE TABLE a AS SELECT generate_series(1, 1000) AS x; CREATE TABLE b AS SELECT 1 AS x');
my @fleet = ('--node', conninfo($source, 'shop'), '--node', conninfo($other, 'shop'));
my $fleet_first = backup($repo, @fleet);
$other->safe_psql('shop', 'UPDATE b SET x = 2');
my $fleet_second = backup($repo, @fleet, '--incremental');
$now = show($fleet_second);
is_referenced($now, $_) for qw(a still);
is_stored($now, 'b');
pgark_ok([ 'verify', $fleet_second, '--repo', $repo ], 'a fleet: verify');

$other->safe_psql('postgres', 'CREATE DATABASE one');
$other->safe_psql('one', 'CREATE TABLE a AS SELECT generate_series(1, 2000) AS x');
my @all = ('-d', conninfo($other), '--all-databases', '--globals');
backup($repo, @all, '--incremental');
$other->safe_psql('postgres', 'CREATE DATABASE two TEMPLATE one');
my $all_second = backup($repo, @all, '--incremental');
my %of = map { $_->{database} => $_ } grep { $_->{name} eq 'a' } @{ show($all_second)->{tables} };
is($of{$_}{stored}, 0, "all databases: $_ is referred to") for qw(shop one);
cmp_ok($of{two}{stored}, '>', 0, 'a new database is stored');
pgark_ok([ 'verify', $all_second, '--repo', $repo ], 'all databases: verify');
pgark_ok([ 'restore', $all_second, '--repo', $repo, '-d', conninfo($source, 'copied'), '--create', '--from-database=one' ], 'one of them is restored');
same_rows($other, 'one', $source, 'copied', 'one of them');

no_traces('in the end', undef, $source, $other);
done_testing();
