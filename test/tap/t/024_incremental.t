# Incremental sets: what is unchanged is referred to and not stored again, what a restore gives is the
# source all the same; which sets can go, and what becomes of those that are damaged or missing.
use strict;
use warnings;
use File::Path qw(rmtree);
use FindBin;
use JSON::PP ();
use Test::More;
use lib "$FindBin::Bin/../../lib", "$FindBin::Bin/..";
use PgarkTest;

my $source = make_server('source', conf => "fsync = off\n");
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
INSERT INTO large SELECT i, string_agg(md5(i::text || j), '') FROM generate_series(1, 4000) i, generate_series(1, 30) j GROUP BY i;
CREATE TABLE part (id int, t text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1000);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (1000) TO (2000);
INSERT INTO part SELECT i, 'part ' || i FROM generate_series(0, 1999) i;
CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM part;
SELECT lo_from_bytea(0, decode(repeat(md5(i::text), 200), 'hex')) FROM generate_series(1, 20) i;
CREATE FUNCTION vacuumed() RETURNS void LANGUAGE sql AS '';
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
cmp_ok(scalar(grep { $_->{table_oid} == [ grep { $_->{name} eq 'large' } @{ manifest($repo, $second)->{table} } ]->[0]{oid} } chunks($repo, $second, 0)), '>', 4, 'large was cut as before');
restores($second, 'nothing new');

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

# A row that changes in place, without the number of blocks: one chunk of many is stored.
sql('shop', q{UPDATE large SET noise = reverse(noise) WHERE id = 2000; UPDATE updated SET t = 'again' WHERE id = 18});
my $fourth = incremental(@small);
$now = show($fourth);
SKIP: {
    my ($stored, $referenced) = table_bytes($now, 'large');
    ok($stored + $referenced > 0, 'large is there');
}
is_deeply($now->{chain}, [ $fourth, $third, $second, $first ], 'show tells the chain');
like(pgark_ok([ 'show', $fourth, '--repo', $repo ], 'show'), qr/^chain +$fourth -> $third -> $second -> $first \(full\)$/m, 'in words, too');
is(scalar(map { @{ $_->{sets} } } grep { 1 } pgark_json([ 'list', '--repo', $repo ], 'list')), 4, 'four sets');
restores($fourth, 'more changes');

done_testing();
