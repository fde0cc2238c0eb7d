# A base backup comes back as a server: files, tablespaces, modes, WAL served by pgark itself; and what is refused,
# missing or damaged never becomes one that starts.
use strict;
use warnings;
use Fcntl ':flock';
use File::Path qw(rmtree);
use IPC::Run;
use PgarkTest;
use PhysicalRestoreTest;
use PhysicalTest;
use PostgreSQL::Test::Utils;
use Test::More;

# What a shell, a configuration file and restore_command each give a meaning to.
my $repo = new_repo() . q{ it's "50%" $HOME \\ `x`};
(my $uri = $repo) =~ s/%/%%/g;
my $node  = physical_server('source');
my $space = PostgreSQL::Test::Utils::tempdir_short();
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
$node->safe_psql('postgres', 'CREATE DATABASE still');
$node->safe_psql('still', <<'SQL');
CREATE TABLE big AS SELECT i, md5(i::text) AS text FROM generate_series(1, 60000) i;
CREATE INDEX ON big (text) TABLESPACE elsewhere;
CREATE TABLE away TABLESPACE elsewhere AS SELECT i FROM generate_series(1, 5000) i;
ALTER TABLE away ADD PRIMARY KEY (i);
CREATE UNLOGGED TABLE fleeting AS SELECT i FROM generate_series(1, 1000) i;
CREATE UNLOGGED TABLE fleeting_away TABLESPACE elsewhere AS SELECT 1 AS i;
CREATE SEQUENCE s;
SELECT nextval('s') FROM generate_series(1, 17);
SELECT lo_from_bytea(4711, '\xcafe');
SQL
$node->safe_psql('postgres', 'CREATE DATABASE bench');
my $made = '';
IPC::Run::run([ 'pgbench', '-iq', '-s1', conninfo($node, 'bench') ], '>&', \$made) or die "pgbench: $made";

# Directories whose contents belong to a running server, files that only it may have.
my $data   = $node->data_dir;
my @inside = qw(pg_dynshmem pg_notify pg_replslot pg_serial pg_snapshots pg_stat_tmp pg_subtrans);
spew_bytes("$data/$_/left_over", 'x') for grep { $_ ne 'pg_replslot' } @inside;
$node->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('somebodys', true)");
mkdir "$data/base/pgsql_tmp";
spew_bytes("$data/base/pgsql_tmp/pgsql_tmp1.2", 'x');

my $said   = '';
my $writer = IPC::Run::start([ 'pgbench', '-n', '-c2', '-T600', conninfo($node, 'bench') ], '>', \$said, '2>', \$said);
wait_for_query($node, 'bench', 'SELECT count(*) > 10 FROM pgbench_history');
my $key   = pgark_json([ 'backup', '--physical', '--repo', $uri, '--no-sync', '-d', conninfo($node),
        '--part-size=1MB' ], 'backup')->{key};
my $before = $node->safe_psql('bench', 'SELECT count(*) FROM pgbench_history');
$writer->signal('TERM');
eval { $writer->finish };
$node->safe_psql('still', 'CREATE TABLE later AS SELECT 1 AS i');

# ---- to another directory, with its tablespace
my $place = new_place('restored');
my $other = PostgreSQL::Test::Utils::tempdir_short() . '/deep';
my $json  = pgark_json([ 'restore', $key, '--physical', '--repo', $uri, '--map', '0=' . $place->data_dir,
        '--tablespace-map', "$space=$other", '-j3' ], 'restore');
my ($physical) = @{ manifest($repo, $key)->{physical} };
is($json->{nodes}[0]{files}, $physical->{files}, 'all files of the set have come');
is($json->{nodes}[0]{directory}, $place->data_dir, 'to where they should');
is($json->{restore_point}, $physical->{restore_point}, 'the restore point is told');
my $major = int $node->pg_version;
is($json->{nodes}[0]{postgresql}, $major, 'and the version of PostgreSQL that starts it');
like(pgark_ok([ 'show', $key, '--repo', $uri ], 'show'), qr/PostgreSQL $major\b/, 'which show tells, too');
my $to = $place->data_dir;
is(mode_of($to), '0700', 'the data directory is its owner\'s');
is(mode_of("$to/PG_VERSION"), mode_of("$data/PG_VERSION"), 'files have the mode that they had');
is(mode_of("$to/base"), mode_of("$data/base"), 'directories, too');
for my $dir (@inside)
{
    ok(-d "$to/$dir", "$dir is there");
    is_deeply([ map { s{.*/}{}r } glob("$to/$dir/*") ], [], "and $dir is empty");
}
is_deeply([ grep { $_ ne 'summaries' } map { s{.*/}{}r } glob("$to/pg_wal/*") ], ['archive_status'],
    'of WAL the directories only');
is_deeply([ glob("$to/pg_wal/*/*") ], [], 'which are empty');
is_deeply([ grep { -e "$to/$_" } qw(postmaster.pid postmaster.opts standby.signal base/pgsql_tmp/pgsql_tmp1.2) ],
    [], 'files of a running server are not there');
is_deeply([ glob("$to/base/*/pg_internal.init") ], [], 'nor are caches');
ok(-e "$to/$_", "$_ is there") for qw(backup_label backup_manifest recovery.signal global/pg_control);
is(slurp_bytes("$to/backup_manifest") =~ tr/{//, slurp_bytes("$to/backup_manifest") =~ tr/}//, 'the manifest is whole');
my ($oid) = map { $_->{oid} } physical_records($repo, $key, 'tablespace', 0);
is(slurp_bytes("$to/tablespace_map"), "$oid $other\n", 'tablespace_map names the new directory');
unlike(slurp_bytes("$to/postgresql.auto.conf"), qr/password|host=/, 'no way to the source is written down');
start_restored($place, 'restored');
$node->safe_psql('still', 'DROP TABLE later; TRUNCATE fleeting, fleeting_away');
same_database($node, 'still', $place, 'still', 'restored');
is($place->safe_psql('still', 'SELECT (SELECT count(*) FROM fleeting) + (SELECT count(*) FROM fleeting_away)'),
    '0', 'unlogged tables are empty');
is($place->safe_psql('still', "SELECT encode(lo_get(4711), 'hex')"), 'cafe', 'the large object is there');
my $sums = 'SELECT sum(abalance) = (SELECT sum(delta) FROM pgbench_history) AND sum(abalance) = (SELECT sum(bbalance)
  FROM pgbench_branches) AND (SELECT count(*) FROM pgbench_history) BETWEEN 10 AND %d FROM pgbench_accounts';
is($place->safe_psql('bench', sprintf $sums, $before), 't', 'what was being written is whole');
is($place->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '0', 'nobody\'s slot is there');
is($place->safe_psql('postgres', "SELECT pg_tablespace_location($oid)"), $other, 'the tablespace is where it was sent');
amcheck($place, $_, "restored, $_") for qw(still bench);
$place->stop;
my ($out, $err) = ('', '');
IPC::Run::run([ 'pg_checksums', '--check', '-D', $to ], '>', \$out, '2>', \$err);
like($out, qr/^Bad checksums: +0$/m, 'checksums of all pages are right') or diag($err);

# ---- what the user gets wrong; nothing is made then
my $fresh = PostgreSQL::Test::Utils::tempdir() . '/new';
my @to    = ('restore', $key, '--physical', '--repo', $uri, '--no-sync');
sub refused
{
    my ($args, $pattern, $name) = @_;
    pgark_fails([ @to, @$args ], $pattern, $name);
    ok(!-e $fresh, "$name: nothing is made");
    return;
}
my $spaces = "$space=" . PostgreSQL::Test::Utils::tempdir_short();
refused([ '--map', "0=$to", '--tablespace-map', $spaces ], qr/is not empty: there is "/, 'not empty');
refused([ '--map', "0=$fresh" ], qr/tablespace $oid: \Q$space\E is not empty.*hint: .*tablespace-map/s,
    'the tablespace where the source has it');
refused([ '--map', "0=$fresh", '--tablespace-map', "$space=$fresh/in" ], qr/parent of/, 'no parent');
refused([ '--map', '0=' . PostgreSQL::Test::Utils::tempdir_short(), '--tablespace-map', "$space=$fresh", '--map', "1=$fresh" ],
    qr/content id 1, which set $key does not have/, 'a node too many');
my $both = PostgreSQL::Test::Utils::tempdir();
refused([ '--map', "0=$both", '--tablespace-map', "$space=$both" ], qr/one lies in the other/, 'both in one');
refused([ '--map', "0=$both", '--tablespace-map', "$space=$both/x" ], qr/one lies in the other/, 'one in the other');
is_deeply([ glob("$both/*") ], [], 'nothing is in the directory that was there');
refused([ '--map', '0=/' ], qr/belongs to user 0, not to who runs this/, 'somebody else\'s directory') if $>;
refused([ '--map', "0=$data/PG_VERSION" ], qr/is no directory/, 'a file');
refused([ '--map', "0=$data/PG_VERSION/x" ], qr/^pgark: error: --map 0: .*Not a directory/m, 'a file as the parent');
refused([ '--map', "0=$fresh", '--tablespace-map', "$space=$data/PG_VERSION" ], qr/node 0, tablespace $oid: .* is no directory/,
    'a file for a tablespace');
refused([ '--map', "0=$fresh", '--tablespace-map', "$space=$other" ], qr/node 0, tablespace $oid: \Q$other\E is not empty/,
    'a tablespace that is not empty');
my $links = PostgreSQL::Test::Utils::tempdir_short();
mkdir "$links/$_" for qw(real closed sealed);
symlink "$links/nothing", "$links/nowhere" or die "symlink: $!";
symlink $to, "$links/full" or die "symlink: $!";
symlink "$links/real", "$links/link" or die "symlink: $!";
refused([ '--map', "0=$links/nowhere", '--tablespace-map', $spaces ], qr/--map 0: .* is a symbolic link to what is not there/, 'a link to nowhere');
refused([ '--map', "0=$links/full", '--tablespace-map', $spaces ], qr/--map 0: \Q$to\E is not empty/, 'a link to what is not empty');
SKIP:
{
    skip 'root may write everywhere', 1 unless $>;
    chmod 0500, "$links/closed";
    chmod 0000, "$links/sealed";
    refused([ '--map', "0=$links/closed/data", '--tablespace-map', $spaces ],
        qr/--map 0: cannot create \S+ in \Q$links\E\/closed: Permission denied.*hint: Check the owner and the permissions/s, 'a parent that is closed');
    refused([ '--map', "0=$fresh", '--tablespace-map', "$space=$links/closed/space" ],
        qr/node 0, tablespace $oid: cannot create \S+ in \Q$links\E\/closed: Permission denied/, 'a parent that is closed, of a tablespace');
    refused([ '--map', "0=$links/sealed", '--tablespace-map', $spaces ], qr/--map 0: .*\Q$links\E\/sealed.*Permission denied/, 'a directory that is closed');
    chmod 0700, "$links/closed", "$links/sealed";
}
{
    open my $taken, '<', "$links/real" or die "$links/real: $!";
    flock($taken, LOCK_EX) or die "flock: $!";
    refused([ '--map', "0=$links/real", '--tablespace-map', $spaces ], qr/\Q$links\E\/real is being written to by somebody else/, 'one that another restore has taken');
}
is_deeply([ map { glob "$links/$_/*" } qw(real closed sealed) ], [], 'nothing is in directories that were refused');
refused([], qr/needs the directories to be named/, 'no directory');
refused([ '--map', "0=$fresh", '--table', 'big' ], qr/--physical and --table exclude each other/, 'a table');
refused([ '--map', "0=$fresh", '--clean' ], qr/--physical and --clean exclude each other/, 'clean');
pgark_fails([ 'restore', $key, '--repo', $uri, '-d', conninfo($node), '--standby' ], qr/--standby needs --physical/,
    'standby of rows');
pgark_fails([ 'restore', $key, '--repo', $uri, '-d', conninfo($node) ], qr/physical/, 'rows of a physical set');
my $rows = backup($uri, '-d', conninfo($node, 'still'));
pgark_fails([ 'restore', $rows, '--physical', '--repo', $uri, '--map', "0=$fresh" ], qr/no base backups/,
    'files of a set of rows');

# ---- what is stored is not what it was
my @there = ('--map', "0=$fresh", '--tablespace-map', $spaces);
sub damaged
{
    my ($file, $change, $pattern, $name) = @_;
    my $bytes = slurp_bytes($file);
    $change->($bytes);
    chmod 0600, $file;
    if (defined $change->()) { unlink $file }
    else
    {
        my $altered = $bytes;
        substr($altered, length($altered) / 2, 1) ^= "\x01";
        spew_bytes($file, $altered);
    }
    my $err = pgark_fails([ @to, @there ], $pattern, $name);
    ok(!-e $fresh, "$name: nothing stays");
    spew_bytes($file, $bytes);
    return $err;
}
my $alter  = sub { return };
my $remove = sub { return @_ ? undef : 1 };
damaged(object_of($repo, $key, qr/base\.0003/), $alter, qr/node 0: object .*base\.0003\S*: .*(SHA-256|frame|corrupt)/i, 'an altered part');
damaged(object_of($repo, $key, qr/base\.0002/), $remove, qr/base\.0002\S*: it is missing/, 'a missing part');
damaged(object_of($repo, $key, qr/$oid\.0000/), $alter, qr/object .*$oid\.0000/, 'an altered part of a tablespace');
damaged(object_of($repo, $key, qr{/wal/}), $remove, qr{/wal/\S+: it is missing}, 'missing WAL');
damaged(object_of($repo, $key, qr{/wal/}), $alter, qr{object .*/wal/}, 'altered WAL');
damaged(object_of($repo, $key, qr{backup_manifest}), $alter, qr{object .*backup_manifest}, 'an altered list of the server');
damaged(object_of($repo, $key, qr{^manifest.jsonl}), $alter, qr{manifest.jsonl|line \d+}, 'an altered manifest');
pgark_ok([ @to, @there ], 'what was put right can be restored');
rmtree($fresh);

# ---- WAL that goes missing before the server asks for it: it does not start on less
my $late = new_place('late');
$out = pgark_ok([ @to, '--map', '0=' . $late->data_dir, '--tablespace-map', "$space=$links/link", '--target-name', "pgark_$key" ],
    'late: restore, with a link to an empty directory, up to the point that goes by the key');
like($out, qr/^next +start the servers by PostgreSQL $major: each recovers up to restore point \Q$physical->{restore_point}\E$/m,
    'late: what starts it is told');
is(slurp_bytes($late->data_dir . '/tablespace_map'), "$oid $links/real\n", 'late: links are followed once');
my $wal   = object_of($repo, $key, qr{/wal/});
my $bytes = slurp_bytes($wal);
substr($bytes, length($bytes) / 2, 1) ^= "\x01";
chmod 0600, $wal;
rename $wal, "$wal.good" or die;
spew_bytes($wal, $bytes);
own_settings($late);
ok(!$late->start(fail_ok => 1), 'late: altered WAL stops the recovery');
like(slurp_bytes($late->logfile), qr{pgark: error: object physical/node0/wal/}, 'late: and the log says which');
rename "$wal.good", $wal or die;
ok($late->start, 'late: with the right one it goes on');
ok($late->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'late: to its end');
is($late->safe_psql('bench', sprintf $sums, $before), 't', 'late: which is whole');
$late->stop;

# ---- a standby of its source
my $standby = new_place('standby');
$out = pgark_ok([ @to, '--map', '0=' . $standby->data_dir, '--standby', '--tablespace-map',
        "0:$space=" . PostgreSQL::Test::Utils::tempdir_short(), '--tablespace-map', "$space=/nowhere" ],
    'standby: restore, with the map of one node before that of all');
like($out, qr/^next +start the servers by PostgreSQL $major: they are standbys/m, 'standby: of the version that its primary must have');
ok(-e $standby->data_dir . '/standby.signal' && !-e $standby->data_dir . '/recovery.signal', 'standby: it is one');
own_settings($standby);
$standby->append_conf('postgresql.conf',
    sprintf("primary_conninfo = 'host=''%s'' port=%d'\n", $node->host, $node->port));
$standby->start;
$node->safe_psql('still', 'CREATE TABLE newer AS SELECT 42 AS i');
ok($standby->poll_query_until('still', q{SELECT to_regclass('newer') IS NOT NULL}), 'standby: it follows');
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'standby: and stays one');

# Its restore_command is run whenever the primary is away, whatever has become of the repository.
rename $repo, "$repo.away" or die;
$node->stop;
ok($standby->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_wal_receiver'), 'standby: its primary is away');
ok(wait_for(sub { slurp_bytes($standby->logfile) =~ /pgark: error: there is no repository/ }, 'standby: it looks in the repository'),
    'standby: which is not there');
$node->start;
$node->safe_psql('still', 'CREATE TABLE newest AS SELECT 43 AS i');
ok($standby->poll_query_until('still', q{SELECT to_regclass('newest') IS NOT NULL}), 'standby: it goes on');
rename "$repo.away", $repo or die;
$standby->stop;

# ---- another major version, and a chain: the records of two whole sets are made to say so
my $newer = backup($uri, '--physical', '-d', conninfo($node));
my %whole = map { $_ => slurp_bytes(set_dir($repo, $_) . '/manifest.jsonl') } $key, $newer;
sub forged
{
    my ($set, @edit) = @_;
    forge(set_dir($repo, $set), sub { map { my $line = $_; $line = $_->($line) for @edit; $line } @_ });
    return;
}
sub as_before
{
    spew_bytes(set_dir($repo, $_) . '/manifest.jsonl', $whole{$_}) for $key, $newer;
    return;
}
my $version30 = sub { $_[0] =~ s/("server_version_num":)\d+/${1}300001/r };
$spaces = "$space=" . PostgreSQL::Test::Utils::tempdir_short();
@there = ('--map', "0=$fresh", '--tablespace-map', $spaces);
forged($key, $version30, sub { $_[0] =~ s/("topology":)"\w+"/$1"citus"/r });
refused([ @there, '--host-map', 'a=b' ], qr/postgres" is version $major, the servers of the set are 30\n.*hint: .*PostgreSQL 30/s, 'a server program of another version');
as_before();
my $chain = sub { $_[0] =~ s/^(\{"type":"set".*)\}$/$1,"base":"$key","depends_on":["$key"]}/r =~ s/^(\{"type":"physical".*"base":)null/$1"$key"/r };
my @newer = ('restore', $newer, '--physical', '--repo', $uri, '--no-sync');
forged($newer, $chain);
forged($key, $version30);
pgark_fails([ @newer, @there ], qr/set $newer cannot be built on set $key.*: node 0 has another major version there/, 'a chain of two versions');
ok(!-e $fresh, 'a chain of two versions: nothing is made');
as_before();

# ---- room for a chain: what is there at any time, not the sum of all sets
with_small_disk(sub {
    my ($small) = @_;
    my %sum;
    for my $set ($key, $newer)
    {
        $sum{$set} += $_->{logical} for grep { $_->{stream} eq 'base' } physical_records($repo, $set, 'part', 0);
    }
    my $need = sub {
        my ($name) = @_;
        my $err = pgark_fails([ @newer, '--map', "0=$small/data", '--tablespace-map', $spaces ], qr/there is room for/, $name);
        my ($number) = $err =~ /and ([\d.]+) MB are to be written there/;
        return $number;
    };
    forged($newer, $chain);
    my $all = ($sum{$key} + $sum{$newer}) / 1024 / 1024;
    cmp_ok(abs($need->('room: nothing is noted') - $all), '<=', 0.1, 'room: at most what all sets have');
    forged($newer, sub { $_[0] =~ s/^(\{"type":"physical".*)\}$/$1,"restored_bytes":$sum{$key},"added_bytes":2097152}/r });
    cmp_ok(abs($need->('room: what is new is noted') - $sum{$key} / 1024 / 1024 - 2), '<=', 0.1, 'room: what is there, and what is new');
    ok(!-e "$small/data", 'room: nothing is made');
    as_before();
});

# ---- the command that servers run
pgark_fails([ 'get-wal', $uri, $key, '0', '000000010000000000000001' ], qr/get-wal needs/, 'get-wal, wrong', 200);
my ($code) = pgark('get-wal', $uri, $key, '0', '00000009.history', "$both/x");
is($code, 1, 'get-wal: what the set does not have is told by the exit code alone');
done_testing();
