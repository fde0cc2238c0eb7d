# Bad input of every kind: a clear error, exit 1, and nothing touched.
use strict;
use warnings;
use File::Path qw(mkpath rmtree);
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $other  = make_server('other');
my $repo   = new_repo();
$source->safe_psql('postgres', 'CREATE DATABASE shop');
$source->safe_psql('shop', 'CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 100)');
my $shop = conninfo($source, 'shop');
my $key  = backup($repo, '-d', $shop);
my @files = set_files($repo, $key);

# ---- the command line
my @usage = (
    [ 'unknown command',       ['bakup'] ],
    [ 'unknown option',        [ 'backup', '-d', $shop, '--repo', $repo, '--nonsense' ] ],
    [ 'unknown short option',  [ 'backup', '-d', $shop, '--repo', $repo, '-9' ] ],
    [ 'option of another command', [ 'backup', '-d', $shop, '--repo', $repo, '--keep', '3' ] ],
    [ 'option without value',  [ 'backup', '-d', $shop, '--repo' ] ],
    [ 'flag with value',       [ 'backup', '-d', $shop, '--repo', $repo, '--dry-run=3' ] ],
    [ 'no repository',         [ 'backup', '-d', $shop ] ],
    [ 'no repository to list', ['list'] ],
    [ 'no key to restore',     [ 'restore', '--repo', $repo, '-d', $shop ] ],
    [ 'no key to show',        [ 'show', '--repo', $repo ] ],
    [ 'too many words',        [ 'show', $key, $key, '--repo', $repo ] ],
    [ 'no jobs',               [ 'backup', '-d', $shop, '--repo', $repo, '-j', '0' ] ],
    [ 'too many jobs',         [ 'backup', '-d', $shop, '--repo', $repo, '-j', '257' ] ],
    [ 'negative jobs',         [ 'backup', '-d', $shop, '--repo', $repo, '-j', '-1' ] ],
    [ 'jobs no number',        [ 'backup', '-d', $shop, '--repo', $repo, '-j', '2x' ] ],
    [ 'jobs overflow',         [ 'backup', '-d', $shop, '--repo', $repo, '-j', '99999999999999999999' ] ],
    [ 'jobs empty',            [ 'backup', '-d', $shop, '--repo', $repo, '-j', '' ] ],
    [ 'chunk below a block',   [ 'backup', '-d', $shop, '--repo', $repo, '--chunk-size', '4kB' ] ],
    [ 'chunk of nonsense',     [ 'backup', '-d', $shop, '--repo', $repo, '--chunk-size', '8 bananas' ] ],
    [ 'chunk overflow',        [ 'backup', '-d', $shop, '--repo', $repo, '--chunk-size', '99999999999GB' ] ],
    [ 'unknown compression',   [ 'backup', '-d', $shop, '--repo', $repo, '-Z', 'rar' ] ],
    [ 'compression level',     [ 'backup', '-d', $shop, '--repo', $repo, '-Z', 'gzip:10' ] ],
    [ 'compression level 2',   [ 'backup', '-d', $shop, '--repo', $repo, '-Z', 'zstd:99' ] ],
    [ 'compression level 3',   [ 'backup', '-d', $shop, '--repo', $repo, '-Z', 'zstd:x' ] ],
    [ 'unknown format',        [ 'backup', '-d', $shop, '--repo', $repo, '--format=csv' ] ],
    [ 'unknown cut',           [ 'backup', '-d', $shop, '--repo', $repo, '--cut=deep' ] ],
    [ 'cut timeout',           [ 'backup', '-d', $shop, '--repo', $repo, '--cut-timeout=soon' ] ],
    [ 'negative timeout',      [ 'backup', '-d', $shop, '--repo', $repo, '--lock-wait-timeout=-5' ] ],
    [ 'unknown output',        [ 'list', '--repo', $repo, '--output=xml' ] ],
    [ 'unknown progress',      [ 'backup', '-d', $shop, '--repo', $repo, '--progress=dots' ] ],
    [ '-d and --node',         [ 'backup', '-d', $shop, '--node', $shop, '--repo', $repo ] ],
    [ '-d and --fleet',        [ 'backup', '-d', $shop, '--fleet', '/dev/null', '--repo', $repo ] ],
    [ '-d and --map',          [ 'restore', $key, '-d', $shop, '--map', "0=$shop", '--repo', $repo ] ],
    [ 'expire without either', [ 'expire', '--repo', $repo ] ],
    [ 'keep nothing',          [ 'expire', '--repo', $repo, '--keep', '-1' ] ],
    [ 'no config file',        [ 'list', '--repo', $repo, '--config', '/nonexistent/pgark.conf' ] ],
    [ 'unknown scheme',        [ 'list', '--repo', 'gopher://x/y' ] ],
);
for my $case (@usage)
{
    my ($name, $args) = @$case;
    my ($code, $out, $err) = pgark(@$args);
    is($code, 1, "usage: $name") or diag("$out$err");
    like($err, qr/^pgark: error: [a-z"\-]/m, "usage: $name: says what is wrong");
    is($out, '', "usage: $name: nothing on stdout");
}
like((pgark('backup', '-d', $shop, '--repo', $repo, '--jbos', 3))[2], qr/--jobs/,
    'usage: a near name is suggested');
{
    local $ENV{PGARK_JOBS} = 'many';
    pgark_fails([ 'backup', '-d', $shop, '--repo', $repo ], qr/PGARK_JOBS/, 'a wrong value in the environment');
}
my $config = "$ENV{TESTDIR}/config_$$";
for my $text ("[pgark]\nnonsense = 1\n", "jobs = many\n", "[\n", "jobs 3\n", "\0\1\2\n")
{
    spew_bytes($config, $text);
    pgark_fails([ 'list', '--repo', $repo, '--config', $config ], qr/\Q$config\E/, 'a wrong configuration file');
}

# ---- servers
pgark_fails([ 'backup', '-d', conninfo($source, 'nowhere'), '--repo', $repo ], qr/nowhere/, 'no such database');
pgark_fails([ 'backup', '-d', conninfo($source, 'shop', 'user=nobody_here'), '--repo', $repo ],
    qr/nobody_here/, 'no such role');
$source->safe_psql('postgres', q{SET password_encryption = 'scram-sha-256'; CREATE ROLE secret LOGIN PASSWORD 'hush'});
{
    my $hba = $source->data_dir . '/pg_hba.conf';
    my $before = slurp_bytes($hba);
    spew_bytes($hba, "local all secret scram-sha-256\nlocal all all trust\n");
    $source->reload;
    pgark_fails([ 'backup', '-w', '-d', conninfo($source, 'shop', 'user=secret'), '--repo', $repo ],
        qr/password/, 'no password');
    my $err = pgark_fails([ 'backup', '-d', conninfo($source, 'shop', 'user=secret password=wrong7word'), '--repo', $repo ],
        qr/authentication failed/, 'a wrong password');
    unlike($err, qr/wrong7word/, 'which is not printed');
    my ($code, $out, $text) = pgark('backup', '-v', '--dry-run', '-d', conninfo($source, 'postgres', 'user=secret password=hush'), '--repo', $repo);
    is($code, 0, 'the right password') or diag($text);
    unlike("$out$text", qr/hush/, 'which is not printed either');
    spew_bytes($hba, $before);
    $source->reload;
}
pgark_fails([ 'backup', '--repo', $repo, '--node', $shop, '--node', "host=/nonexistent dbname=x" ],
    qr{/nonexistent}, 'a node that cannot be reached is named');
pgark_fails([ 'backup', '--repo', $repo, '-d', 'host=127.0.0.1 port=1 dbname=x connect_timeout=5' ],
    qr/127\.0\.0\.1/, 'a server that is not there');
pgark_fails([ 'backup', '--repo', $repo, '-d', 'nonsense=1 dbname=x' ], qr/nonsense/, 'a wrong conninfo');
pgark_fails([ 'backup', '--repo', $repo, '--node', $shop, '--node', $shop ], qr/same/, 'the same node twice');
$other->safe_psql('postgres', 'CREATE DATABASE shop');
pgark_fails([ 'backup', '--repo', $repo, '--node', $shop, '--node', conninfo($other, 'shop'), '--node',
        conninfo($source, 'shop', 'application_name=y') ], qr/same/, 'the same node by another conninfo');
my ($code, $out, $err) = pgark('check', '-d', conninfo($source, 'nowhere'));
is($code, 1, 'check of a database that is not there: not ready');
($code, $out, $err) = pgark('check', '--node', $shop, '--node', 'host=/nonexistent dbname=x');
is($code, 1, 'check with a node that is not there: not ready');
like("$out$err", qr{/nonexistent}, 'and it is named');
($code, $out, $err) = pgark('check', '-d', $shop, '-j', 256);
isnt($code, 0, 'check: more jobs than free connections');
like("$out$err", qr/connection/, 'check: says so');
pgark_fails([ 'backup', '-d', $shop, '--repo', $repo, '-j', 256 ], qr/connection/, 'more jobs than free connections');

# ---- pg_dump
my $dir = "$ENV{TESTDIR}/pg_dump_$$";
mkdir $dir or die $!;
spew_bytes("$dir/old", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n");
spew_bytes("$dir/fails", "#!/bin/sh\n[ \"\$1\" = --version ] && exec pg_dump --version\necho broken pipe organ >&2\nexit 3\n");
spew_bytes("$dir/plain", "no program\n");
chmod 0755, "$dir/old", "$dir/fails" or die $!;
pgark_fails([ 'backup', '-d', $shop, '--repo', $repo, '--pg-dump', "$dir/old" ], qr/9\.6|older|version/,
    'the server is newer than pg_dump');
pgark_fails([ 'backup', '-d', $shop, '--repo', $repo, '--pg-dump', "$dir/fails" ], qr/broken pipe organ/,
    'pg_dump fails');
pgark_fails([ 'backup', '-d', $shop, '--repo', $repo, '--pg-dump', "$dir/plain" ], qr/\Q$dir\E/, 'pg_dump is no program');
pgark_fails([ 'backup', '-d', $shop, '--repo', $repo, '--pg-dump', "$dir/none" ], qr/\Q$dir\E/, 'no pg_dump');
no_traces('pg_dump', [ $repo, $key ], $source, $other);

# ---- fleet files
my $fleet = "$ENV{TESTDIR}/fleet_$$.conf";
my %files = (
    'empty'              => '',
    'no node'            => "[fleet]\nname = x\n",
    'a gap'              => "[node 0]\nconninfo = $shop\n[node 2]\nconninfo = $shop\n",
    'unknown section'    => "[fleet]\n[nude 0]\nconninfo = $shop\n",
    'unknown key'        => "[node 0]\nconninfo = $shop\ncolour = red\n",
    'a node twice'       => "[node 0]\nconninfo = $shop\n[node 0]\nconninfo = $shop\n",
    'an empty conninfo'  => "[node 0]\nconninfo =\n",
    'a wrong topology'   => "[fleet]\ntopology = ring\n[node 0]\nconninfo = $shop\n",
    'a name for a path'  => "[fleet]\nname = ../../x\n[node 0]\nconninfo = $shop\n",
    'nonsense'           => "\0\xff\xfe[[[[",
);
for my $name (sort keys %files)
{
    spew_bytes($fleet, $files{$name});
    pgark_fails([ 'backup', '--fleet', $fleet, '--repo', $repo ], qr/\Q$fleet\E/, "fleet file: $name");
}
pgark_fails([ 'backup', '--fleet', "$fleet.none", '--repo', $repo ], qr/\Q$fleet\E/, 'fleet file: not there');

# ---- repositories
my $base = "$ENV{TESTDIR}/repos_$$";
mkpath($base);
spew_bytes("$base/file", "x\n");
pgark_fails([ 'backup', '-d', $shop, '--repo', "$base/file" ], qr{\Q$base/file\E}, 'repository: a file');
pgark_fails([ 'list', '--repo', "$base/file" ], qr{\Q$base/file\E}, 'repository: a file, for list');
pgark_fails([ 'backup', '-d', $shop, '--repo', "$base/a/b/c" ], qr{\Q$base/a/b\E}, 'repository: no parent');
ok(!-e "$base/a", 'and none is made');
mkpath("$base/full/of/other");
pgark_fails([ 'backup', '-d', $shop, '--repo', "$base/full" ], qr{\Q$base/full\E}, 'repository: a directory of something else');
is_deeply([ glob("$base/full/*") ], ["$base/full/of"], 'which is left alone');
mkpath("$base/closed");
chmod 0500, "$base/closed" or die $!;
pgark_fails([ 'backup', '-d', $shop, '--repo', "$base/closed" ], qr{denied}, 'repository: not writable');
pgark_fails([ 'backup', '-d', $shop, '--repo', "$base/closed/new" ], qr{denied}, 'repository: its parent is not writable');
my $marker = slurp_bytes("$repo/pgark.repo");
for my $case ([ 'a newer format', $marker =~ s/("format": ?)1/${1}99/r ], [ 'no JSON', "hello\n" ], [ 'empty', '' ],
    [ 'half', substr($marker, 0, length($marker) / 2) ], [ 'another thing', "[1]\n" ])
{
    my ($name, $text) = @$case;
    spew_bytes("$repo/pgark.repo", $text);
    pgark_fails([ 'backup', '-d', $shop, '--repo', $repo ], qr/format|repo/, "repository: $name");
    pgark_fails([ 'list', '--repo', $repo ], qr/format|repo/, "repository: $name, for list");
    pgark_fails([ 'expire', '--repo', $repo, '--keep', 1 ], qr/format|repo/, "repository: $name, for expire");
}
spew_bytes("$repo/pgark.repo", $marker);
no_traces('repositories', [ $repo, $key ], $source, $other);

# ---- keys
for my $bad ('', 'x', '2020010203040', '202001020304055', '20201301000000', '20200230000000', '20200101240000',
    '20200101006000', '20200101000060', '2020010100000x', '00000000000000', '99991231235959', '-1', '../../../etc')
{
    pgark_fails([ 'backup', '-d', $shop, '--repo', $repo, "--key=$bad" ], qr/key|date|future|year/i, "backup --key=$bad");
    pgark_fails([ 'show', '--repo', $repo, '--', $bad ], qr/key|date|future|year/i, "show $bad");
}
pgark_fails([ 'backup', '-d', $shop, '--repo', $repo, '--key', '21980101000000' ], qr/future/, 'a key in the future');
pgark_fails([ 'backup', '-d', $shop, '--repo', $repo, '--key', $key ], qr/exist/, 'a key that exists');
for my $command (qw(show verify restore))
{
    my @more = $command eq 'restore' ? ('-d', conninfo($other, 'x'), '--create') : ();
    pgark_fails([ $command, '20200101000000', '--repo', $repo, @more ], qr/20200101000000/, "$command: no such set");
}
is_deeply([ set_files($repo, $key) ], \@files, 'the set that was there is untouched');
pgark_ok([ 'verify', $key, '--repo', $repo ], 'and whole');

# ---- unfinished sets
my $unfinished = '20240101000000';
mkpath(set_dir($repo, $unfinished) . '/db/shop/node0');
spew_bytes(set_dir($repo, $unfinished) . '/db/shop/node0/1.0.bin', 'x');
# One without a lock could be about to begin, so that it is left alone for a while: this one is not new.
spew_bytes(set_dir($repo, $unfinished) . '/run.lock', '');
my $list = pgark_json([ 'list', '--repo', $repo ], 'list with an unfinished set');
is_deeply([ map { $_->{key} } @{ $list->{sets} } ], [$key], 'does not show it');
$list = pgark_json([ 'list', '--all', '--repo', $repo ], 'list --all');
is_deeply([ sort map { $_->{key} } @{ $list->{sets} } ], [ $unfinished, $key ], 'shows it');
for my $command (qw(show verify restore))
{
    my @more = $command eq 'restore' ? ('-d', conninfo($other, 'x'), '--create') : ();
    pgark_fails([ $command, $unfinished, '--repo', $repo, @more ], qr/unfinished|not finished|no manifest/, "$command: unfinished");
}
pgark_ok([ 'expire', '--repo', $repo, '--keep', 5 ], 'expire');
is_deeply([ repo_sets($repo) ], [$key], 'clears it away');

# ---- an empty repository
my $empty = new_repo();
mkdir $empty or die $!;
backup($empty, '-d', $shop);
rmtree("$empty/sets");
$list = pgark_json([ 'list', '--repo', $empty ], 'list of an empty repository');
is_deeply($list->{sets}, [], 'is empty');
pgark_fails([ 'restore', 'latest', '--repo', $empty, '-d', conninfo($other, 'x'), '--create' ], qr/no .*set/, 'latest of none');

# ---- standbys
my $primary = make_server('primary', allows_streaming => 1);
$primary->safe_psql('postgres', 'CREATE TABLE t AS SELECT generate_series(1, 100) AS id');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
my $standby_repo = new_repo();
($code, $out, $err) = pgark('backup', '-d', conninfo($standby), '--repo', $standby_repo, '--output=json');
if ($code == 0)
{
    my ($standby_key) = $out =~ /"key": ?"(\d{14})"/;
    pgark_ok([ 'restore', $standby_key, '--repo', $standby_repo, '-d', conninfo($other, 'standby'), '--create' ], 'a standby, restored');
    is($other->safe_psql('standby', 'SELECT count(*) FROM t'), 100, 'has its rows');
}
else
{
    is($code, 1, 'a standby: refused');
    like($err, qr/standby|recovery/, 'and it says why');
    ok(!-e $standby_repo || !repo_sets($standby_repo), 'nothing is made');
}
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($standby, 'x'), '--create' ], qr/standby|recovery|read-only/,
    'a standby cannot be restored to');
($code, $out, $err) = pgark('check', '-d', conninfo($standby));
like("$out$err", qr/standby|recovery/, 'check tells that it is a standby');

# ---- lock table
my $tight = make_server('tight', conf => "max_locks_per_transaction = 10\nmax_connections = 10\nmax_prepared_transactions = 0\n");
$tight->safe_psql('postgres', join(';', map { "CREATE TABLE t$_ (id int)" } 1 .. 40));
$tight->safe_psql('postgres', join(';', map { "CREATE TABLE t$_ (id int)" } $_ * 40 + 1 .. $_ * 40 + 40)) for 1 .. 11;
($code, $out, $err) = pgark('backup', '-d', conninfo($tight), '--repo', $repo, '-j1');
isnt($code, 0, 'a lock table that is too small') if $code;
like($err, qr/max_locks_per_transaction/, 'names the setting') if $code;
pass('a lock table that was large enough') unless $code;
no_traces('end', undef, $source, $other, $tight, $standby);

done_testing();
