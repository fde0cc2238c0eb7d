# Connections that are cut: a proxy between pgark and a server that closes after a number of bytes, or
# goes silent and is then cut.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $second = make_server('second');
my $target = make_server('target');
my $repo   = new_repo();
for my $node ($source, $second)
{
    $node->safe_psql('postgres', 'CREATE DATABASE shop');
    $node->safe_psql('shop', <<'SQL');
CREATE TABLE big (id int, t text);
INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, 200000) i;
CREATE TABLE small AS SELECT generate_series(1, 10) AS id;
SQL
}
my $good = backup($repo, '--node', conninfo($source, 'shop'), '--node', conninfo($second, 'shop'));

# ---- backup: cut early (log-in), in the catalogue, in the data
my %seen;
for my $limit (100, 500, 2000, 5000, 20_000, 100_000, 1_000_000, 3_000_000, -50, -1000, -4000, -8000)
{
    my $proxy = proxy_start($second, limit => $limit);
    my $name = $limit > 0 ? "cut after $limit bytes" : 'cut after ' . -$limit . ' bytes to the server';
    my ($code, $out, $err) = pgark('backup', '--repo', $repo, '--no-sync', '-j2', '--chunk-size=512kB',
        '--node', conninfo($source, 'shop'), '--node', proxied($proxy, 'shop'));
    proxy_stop($proxy);
    $seen{$code}++;
    is($code, 1, "$name: exit code") or diag("$out$err");
    like($err, qr/^pgark: error: /m, "$name: an error");
    like($err, qr/node 1|\Q$proxy->{dir}\E/, "$name: which names the node");
    no_traces($name, [ $repo, $good ], $source, $second);
}
is($seen{1}, 12, 'every one was cut');
my $key = backup($repo, '--node', conninfo($source, 'shop'), '--node', conninfo($second, 'shop'));
pgark_ok([ 'verify', $key, '--repo', $repo ], 'the next run works');

# ---- restore
my $copies = 0;
for my $limit (100, 1000, 3000, -500, -5000, -100_000, -1_000_000)
{
    my $proxy = proxy_start($target, limit => $limit);
    my $name = $limit > 0 ? "restore, cut after $limit bytes" : 'restore, cut after ' . -$limit . ' bytes to the server';
    my $db = 'copy' . ++$copies;
    my ($code, $out, $err) = pgark('restore', $good, '--repo', $repo, '--create',
        '--map', "0=" . proxied($proxy, $db), '--map', "1=" . conninfo($target, "${db}b"));
    proxy_stop($proxy);
    is($code, 1, "$name: exit code") or diag("$out$err");
    like($err, qr/^pgark: error: /m, "$name: an error");
    no_traces($name, [ $repo, $good, $key ], $target);
}
pgark_ok([ 'restore', $good, '--repo', $repo, '--create', '--map', '0=' . conninfo($target, 'whole'),
        '--map', '1=' . conninfo($target, 'wholeb') ], 'the next restore works');
same_rows($source, 'shop', $target, 'whole', 'the next restore');

# ---- through the whole proxy it works, so that it was the cuts that failed
my $proxy = proxy_start($second);
ok(backup($repo, '--node', conninfo($source, 'shop'), '--node', proxied($proxy, 'shop')), 'through a proxy that does not cut');
proxy_stop($proxy);

done_testing();
