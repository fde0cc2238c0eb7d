# The configuration files of servers, as an archive in the set.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $server = make_server('db');
my $data   = $server->data_dir;
$server->safe_psql('postgres', 'CREATE DATABASE shop');
$server->safe_psql('shop', 'CREATE TABLE a AS SELECT 1 AS x');
mkdir "$data/conf d" or die $!;
spew_bytes("$data/conf d/50-own.conf", "# latin1: \xe4\nwork_mem = 7MB\n");
spew_bytes("$data/pg_ident.conf", "ops  admin  postgres\n");
$server->append_conf('postgresql.conf', "include_dir = 'conf d'\ninclude_if_exists = 'nowhere.conf'\n");
my ($major) = $server->safe_psql('postgres', 'SHOW server_version_num') / 10000;
if ($major >= 16)
{
    spew_bytes("$data/more_hba.conf", "local shop all trust\n");
    $server->append_conf('pg_hba.conf', 'include more_hba.conf');
}
$server->restart;
$server->safe_psql('postgres', q{ALTER SYSTEM SET maintenance_work_mem = '33MB'});
my $repo = new_repo();
my $shop = conninfo($server, 'shop');

# unpacked KEY, NODE, CAT... - { name => content } of a node's archive, by stock tools.
sub unpacked
{
    my ($key, $node, @cat) = @_;
    my ($file) = glob set_dir($repo, $key) . "/node$node.config.tar*";
    my $dir = PostgreSQL::Test::Utils::tempdir('config');
    my %found;
    IPC::Run::run([ @cat, $file ], '|', [ 'tar', '-x', '-C', $dir ]) or return {};
    File::Find::find({ wanted => sub { $found{ $_ =~ s/\A\Q$dir\E//r } = slurp_bytes($_) if -f }, no_chdir => 1 }, $dir);
    return \%found;
}

# ---- everything that there is, and as it is
my $key = backup($repo, '-d', $shop, '--config-files');
my @want = map { "$data/$_" } 'postgresql.conf', 'postgresql.auto.conf', 'pg_hba.conf', 'pg_ident.conf', 'conf d/50-own.conf',
  $major >= 16 ? 'more_hba.conf' : ();
my $found = unpacked($key, 0, 'zstd', '-dc');
is_deeply([ sort keys %$found ], [ sort @want ], 'all files are there');
is_deeply([ grep { ($found->{$_} // '') ne slurp_bytes($_) } @want ], [], 'byte by byte');
my $record = manifest($repo, $key)->{node}[0]{config};
is($record->{path}, 'node0.config.tar.zst', 'the manifest has the archive');
is($record->{bytes}, -s set_dir($repo, $key) . "/$record->{path}", 'with its length');
pgark_ok([ 'verify', $key, '--repo', $repo ], 'verify');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($server, 'copy'), '--create' ], 'restore');
my $file = set_dir($repo, $key) . "/$record->{path}";
my $bytes = slurp_bytes($file);
substr($bytes, 20, 1) ^= "\x01";
spew_bytes($file, $bytes);
pgark_fails([ 'verify', $key, '--repo', $repo ], qr/set $key is damaged/, 'one that was altered');
unlink $file;
pgark_fails([ 'verify', $key, '--repo', $repo, '--quick' ], qr/is damaged/, 'one that is gone');

$key = backup($repo, '-d', $shop);
is(manifest($repo, $key)->{node}[0]{config}{path}, undef, 'nothing, where nobody asks');
is_deeply([ grep { /config/ } set_files($repo, $key) ], [], 'and no file');

# ---- all databases of two servers: each server once
my $second = make_server('second');
$second->safe_psql('postgres', 'CREATE DATABASE shop');
$key = backup($repo, '--node', $shop, '--node', conninfo($second, 'shop'), '--all-databases', '--config-files', '-Z', 'none');
is_deeply([ grep { /config/ } set_files($repo, $key) ], [ map { "node$_.config.tar" } 0, 1 ], 'once for each server');
is(unpacked($key, 1, 'cat')->{ $second->data_dir . '/postgresql.conf' }, slurp_bytes($second->data_dir . '/postgresql.conf'),
    'with its own');
pgark_ok([ 'verify', $key, '--repo', $repo ], 'verify');

# ---- rights
$server->safe_psql('shop', 'CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader') if $major >= 14;
$server->safe_psql('shop', 'CREATE ROLE reader LOGIN; GRANT SELECT ON a TO reader') if $major < 14;
my @reader = ('backup', '--repo', $repo, '-d', conninfo($server, 'shop', 'user=reader'), '--config-files', '--no-sync', '-q');
my $sets = () = repo_sets($repo);
my $err = pgark_fails(\@reader, qr/could not read the configuration files: .*permission denied/, 'a role without rights');
like($err, qr/^pgark: hint: .*pg_read_server_files/m, 'is told which');
is(scalar(() = repo_sets($repo)), $sets, 'no set');
$server->safe_psql('shop', <<'SQL');
GRANT pg_read_server_files, pg_read_all_settings TO reader;
GRANT SELECT ON pg_file_settings, pg_hba_file_rules TO reader;
GRANT EXECUTE ON FUNCTION pg_show_all_file_settings(), pg_hba_file_rules() TO reader;
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean), pg_stat_file(text, boolean) TO reader;
SQL
$server->safe_psql('shop', 'GRANT SELECT ON pg_ident_file_mappings TO reader;'
      . ' GRANT EXECUTE ON FUNCTION pg_ident_file_mappings() TO reader') if $major >= 16;
pgark_ok(\@reader, 'with these rights it can');
no_traces('configuration files', [ $repo, repo_sets($repo) ], $server, $second);

done_testing();
