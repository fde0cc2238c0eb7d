# Values of 200 MB: text whole, bytea, and what does not compress, by small chunks and large.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $source = make_server('source', conf => "wal_level = minimal\nmax_wal_senders = 0\nmax_wal_size = 2GB\n");
$source->safe_psql('postgres', 'CREATE DATABASE large');
$source->safe_psql('large', <<'SQL');
CREATE TABLE t (id int, x text, b bytea);
INSERT INTO t VALUES (1, repeat(E'a line\tof text\\ with \n things to escape', 5400000), NULL);
INSERT INTO t VALUES (2, NULL, decode(repeat('00ff5c0a0d09', 35000000), 'hex'));
INSERT INTO t VALUES (3, 'small', '\x00');
SQL
my $digest = 'SELECT id, length(x), md5(x), length(b), md5(b) FROM t ORDER BY id';
my $want = $source->safe_psql('large', $digest);
like($want, qr/^1\|2\d{8}\|/m, 'a text of more than 200 MB');
like($want, qr/^2\|\|\|2\d{8}\|/m, 'and a bytea');

for my $run ([ 'binary', 'lz4', '8kB' ], [ 'text', 'zstd:1', '256MB' ])
{
    my ($format, $compress, $size) = @$run;
    my $repo = new_repo();
    my $key = backup($repo, '-d', conninfo($source, 'large'), "--format=$format", '-Z', $compress, '--chunk-size', $size);
    pgark_ok([ 'verify', $key, '--repo', $repo ], "$format: verify");
    pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($source, "copy_$format"), '--create' ], "$format: restore");
    is($source->safe_psql("copy_$format", $digest), $want, "$format: the values are equal");
    $source->safe_psql('postgres', "DROP DATABASE copy_$format");
}
no_traces('end', undef, $source);

done_testing();
