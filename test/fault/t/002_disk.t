# Disks that are full, read-only, or go away; directories with wrong permissions.
use strict;
use warnings;
use File::Path qw(mkpath rmtree);
use PgarkTest;
use Test::More;

my $source = make_server('source');
$source->safe_psql('postgres', 'CREATE DATABASE shop');
# About 40 MB that do not compress.
$source->safe_psql('shop', <<'SQL');
CREATE TABLE big (id int, b bytea);
INSERT INTO big SELECT i, decode(string_agg(md5((i * 100 + j)::text), ''), 'hex') FROM generate_series(1, 12000) i, generate_series(1, 200) j GROUP BY i;
CREATE TABLE small AS SELECT generate_series(1, 10) AS id;
SQL
my $shop = conninfo($source, 'shop');
my $base = "$ENV{TESTDIR}/disks_$$";
mkpath($base);
my $ours = q{application_name NOT LIKE '%.t' AND backend_type = 'client backend' AND pid <> pg_backend_pid()};
my $taking_rows = "(SELECT count(*) FROM pg_stat_activity WHERE query ~ 'COPY' AND $ours) > 0";

# ---- a full disk
with_small_disk(sub {
    my ($small) = @_;
    my $repo = "$small/repo";
    my $key  = backup($repo, '-d', conninfo($source, 'postgres'));
    for my $run ([ 'zstd:1', '1MB' ], [ 'none', '64MB' ], [ 'lz4', '64kB' ])
    {
        my ($compress, $size) = @$run;
        my $err = pgark_fails([ 'backup', '-d', $shop, '--repo', $repo, '-Z', $compress, '--chunk-size', $size, '-j2' ],
            qr/No space left|free|space/i, "full disk, $compress $size");
        no_traces("full disk, $compress $size", [ $repo, $key ], $source);
    }
    # So full that not even the directory of a set can be written to.
    my $left = 1;
    open my $fh, '>', "$small/filler" or die;
    $fh->autoflush(1);
    $left = syswrite($fh, 'x' x 65536) while $left;
    close $fh;
    open $fh, '>>', "$small/filler2" or die;
    $fh->autoflush(1);
    $left = 1;
    $left = syswrite($fh, 'x' x 512) while $left;
    close $fh;
    pgark_fails([ 'backup', '-d', conninfo($source, 'postgres'), '--repo', $repo ], qr/No space left|free|space/i, 'no byte left');
    unlink "$small/filler", "$small/filler2";
    no_traces('no byte left', [ $repo, $key ], $source);
    pgark_ok([ 'verify', $key, '--repo', $repo ], 'full disk: the older set is whole');
    my ($code, $out, $err) = pgark('check', '-d', $shop, '--repo', $repo);
    isnt($code, 0, 'full disk: check foresees it');
    ok(backup($repo, '-d', conninfo($source, 'postgres')), 'full disk: the next run works');
});

# ---- no permission to write, somewhere in the repository
my $repo = "$base/repo";
my $key  = backup($repo, '-d', $shop);
for my $dir ('sets', 'locks', '.', 'sets/' . substr($key, 0, 8))
{
    next unless -d "$repo/$dir";
    chmod 0500, "$repo/$dir" or die $!;
    # A given key makes it certain that the directory of its day is used.
    my ($code, $out, $err) = pgark('backup', '-d', $shop, '--repo', $repo);
    chmod 0700, "$repo/$dir" or die $!;
    if ($code)
    {
        is($code, 1, "read-only $dir: exit code");
        like($err, qr/denied/, "read-only $dir: the error says why");
        no_traces("read-only $dir", [ $repo, $key ], $source);
    }
    else
    {
        my ($made) = grep { $_ ne $key } repo_sets($repo);
        ok(defined $made, "read-only $dir: was not in the way");
        rmtree(set_dir($repo, $made));
    }
}
chmod 0, "$repo/pgark.repo" or die $!;
pgark_fails([ 'list', '--repo', $repo ], qr/denied/, 'unreadable marker');
chmod 0600, "$repo/pgark.repo" or die $!;
chmod 0, set_dir($repo, $key) or die $!;
my ($code, $out, $err) = pgark('verify', $key, '--repo', $repo);
is($code, 1, 'unreadable set: verify');
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($source, 'x'), '--create' ], qr/denied/, 'unreadable set: restore');
chmod 0700, set_dir($repo, $key) or die $!;
pgark_ok([ 'verify', $key, '--repo', $repo ], 'readable again');

# ---- the repository, or the set, vanishes during the run
for my $what ('repository', 'set', 'data')
{
    my $gone = "$base/gone_$what";
    backup($gone, '-d', conninfo($source, 'postgres'));
    my @before = repo_sets($gone);
    my $watch = watch($source, 'shop', $taking_rows);
    my $run = pgark_start('backup', '-d', $shop, '--repo', $gone, '-j1', '-Z', 'zstd:9', '--chunk-size=64kB');
    ok(watch_end($watch), "$what vanishes: rows are being copied");
    if ($what eq 'repository')
    {
        rename $gone, "$gone.moved" or die $!;
    }
    else
    {
        my ($new) = grep { my $k = $_; !grep { $_ eq $k } @before } repo_sets($gone);
        my $dir = set_dir($gone, $new) . ($what eq 'data' ? '/db' : '');
        rename $dir, "$base/moved_$what" or die "$dir: $!";
    }
    my ($rc, $stdout, $stderr) = pgark_finish($run);
    if ($what eq 'repository' && $rc == 0)
    {
        # It held on to the open directory: then the set is there, where that went.
        ok(-d "$gone.moved", "$what vanishes: the run went on in the moved directory");
        pgark_ok([ 'verify', 'latest', '--repo', "$gone.moved" ], "$what vanishes: and its set is whole");
    }
    else
    {
        is($rc, 1, "$what vanishes: exit code") or diag("$stdout$stderr");
        like($stderr, qr/^pgark: error: /m, "$what vanishes: an error");
    }
    unlike($stderr, qr/Sanitizer/, "$what vanishes: no crash");
    no_traces("$what vanishes", undef, $source);
    rename "$gone.moved", $gone if -d "$gone.moved";
    my $list = pgark_json([ 'list', '--repo', $gone ], "$what vanishes: list");
    is(scalar(@{ $list->{sets} }), $rc == 0 ? 2 : 1, "$what vanishes: no set but whole ones is visible");
    ok(backup($gone, '-d', conninfo($source, 'postgres')), "$what vanishes: the next run works");
}

# ---- files of the set are taken away while it is restored or verified
my @files = grep { m{/big|bundle|\.\d+\.(txt|bin)} } set_files($repo, $key);
@files = grep { /\.(bin|txt)/ } set_files($repo, $key) unless @files;
chmod 0, set_dir($repo, $key) . "/$files[0]" or die $!;
($code, $out, $err) = pgark('verify', $key, '--repo', $repo);
is($code, 1, 'an unreadable object: verify');
like("$out$err", qr/denied/, 'an unreadable object: verify says why');
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($source, 'unreadable'), '--create' ], qr/denied/, 'an unreadable object: restore');
chmod 0600, set_dir($repo, $key) . "/$files[0]" or die $!;
no_traces('end', [ $repo, $key ], $source);

done_testing();
