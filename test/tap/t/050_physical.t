# Base backups: what is in a set, that zstd and tar alone make servers of it, and that these are of one instant.
use strict;
use warnings;
use PhysicalTest;
use IPC::Run;
use File::Path qw(rmtree);
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $repo = new_repo();

# ---- one server: tablespaces, unlogged tables, writers
my $node  = physical_server('one');
my $space = PostgreSQL::Test::Utils::tempdir_short();
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
$node->safe_psql('postgres', 'CREATE DATABASE still');
$node->safe_psql('still', <<'SQL');
CREATE TABLE big AS SELECT i, md5(i::text) AS text FROM generate_series(1, 60000) i;
CREATE INDEX ON big (text) TABLESPACE elsewhere;
CREATE TABLE away TABLESPACE elsewhere AS SELECT i FROM generate_series(1, 1000) i;
CREATE UNLOGGED TABLE fleeting AS SELECT i FROM generate_series(1, 1000) i;
CREATE UNLOGGED TABLE fleeting_away TABLESPACE elsewhere AS SELECT 1 AS i;
SELECT lo_from_bytea(4711, '\xcafe');
SQL
my $unlogged = $node->safe_psql('still', q{SELECT pg_relation_filepath('fleeting')});
my @bench    = ('-h', $node->host, '-p', $node->port, '-U', $node->safe_psql('postgres', 'SELECT user'));
$node->safe_psql('postgres', 'CREATE DATABASE bench');
$node->command_ok([ 'pgbench', '-i', '-q', @bench, 'bench' ], 'pgbench has its tables');
my ($out, $err) = ('', '');
my $writer = IPC::Run::start([ 'pgbench', '-n', '-c2', '-T', 3600, @bench, 'bench' ],
    '<', \undef, '>', \$out, '2>', \$err);
wait_for_query($node, 'bench', 'SELECT count(*) > 0 FROM pgbench_history', 'pgbench writes');
my $key = backup($repo, '--physical', '-d', conninfo($node), '--part-size=1MB');
$writer->kill_kill;
no_traces('one server', [ $repo, $key ], $node);
no_slots('one server', $node);

my $verified = pgark_json([ 'verify', $key, '--repo', $repo ], 'verify');
ok($verified->{physical}{wal_records_read}, 'pg_waldump has read the WAL up to the restore point');
pgark_ok([ 'verify', $key, '--repo', $repo, '--quick' ], 'verify --quick');
my $manifest = manifest($repo, $key);
is($manifest->{set}[0]{format}, 3, 'its format is one that programs for rows refuse');
my ($physical) = @{ $manifest->{physical} };
like($physical->{restore_point}, qr/^pgark_${key}_[0-9a-f]{8}$/, 'the restore point has the key in its name');
is($physical->{data_checksums}, JSON::PP::true(), 'data checksums are recorded');
is(scalar @{ $manifest->{tablespace} }, 1, 'the tablespace is recorded');
is($manifest->{tablespace}[0]{location}, $space, 'with its place');
my @parts = grep { $_->{stream} eq 'base' } @{ $manifest->{part} };
cmp_ok(scalar @parts, '>', 5, 'the data directory is in several parts');
cmp_ok((sort { $b <=> $a } map { $_->{logical} } @parts)[0], '<=', 4 * 1024 * 1024,
    'none of them is larger than four times what was asked for');
ok((grep { $_->{first_member} > 0 } @parts), 'some begin inside of a file');
like(pgark_ok([ 'show', $key, '--repo', $repo ], 'show'), qr/^point +\Q$physical->{restore_point}\E$/m,
    'show tells the restore point');
my $show = pgark_json([ 'show', $key, '--repo', $repo ], 'show as JSON');
is($show->{kind}, 'physical', 'and the kind');
is($show->{physical}[0]{files}, $verified->{physical}{files}, 'and how many files there are');
like(pgark_ok([ 'list', '--repo', $repo ], 'list'), qr/^$key .* physical /m, 'list tells the kind');

# ---- what is not copied
my @names  = tar_names($repo, $key, 0, 'base');
my %is     = map { $_ => 1 } @names;
my $inside = join '|', qw(pg_dynshmem pg_notify pg_replslot pg_serial pg_snapshots pg_stat_tmp pg_subtrans
  pg_wal);
is_deeply([ grep { m{^(?:$inside)/.} && $_ ne 'pg_wal/archive_status/' } @names ], [],
    'of these directories only the names are in it');
ok($is{"$_/"}, "$_ is there") for split /\|/, $inside;
is_deeply([ grep { m{^(?:postmaster\.(?:pid|opts)|.*/pgsql_tmp|.*pg_internal\.init)} } @names ], [],
    'nor files that the next start makes anew');
ok(!$is{$unlogged} && $is{"${unlogged}_init"}, 'of an unlogged table only the initial fork is there');
ok($is{'backup_label'} && $is{'tablespace_map'} && $is{'global/pg_control'}, 'labels and pg_control are');

# ---- by hand to a server
my $copy = start_unpacked('copy', $repo, $key, 0);
is($copy->safe_psql('still', 'SELECT count(*) FROM fleeting'), 0, 'unlogged tables are empty');
is($copy->safe_psql('still', 'SELECT count(*), sum(hashtext(b::text)) FROM big b'),
    $node->safe_psql('still', 'SELECT count(*), sum(hashtext(b::text)) FROM big b'), 'rows are the same');
is($copy->safe_psql('still', 'SELECT sum(i) FROM away'), 500500, 'also in the tablespace');
same_text(dump_text($copy, 'still', '--schema-only', '--no-tablespaces'),
    dump_text($node, 'still', '--schema-only', '--no-tablespaces'), 'definitions are the same');
is($copy->safe_psql('bench', <<'SQL'), 't', 'what pgbench has written is whole');
SELECT count(DISTINCT s) = 1 FROM (
    SELECT sum(abalance) AS s FROM pgbench_accounts UNION ALL SELECT sum(bbalance) FROM pgbench_branches
    UNION ALL SELECT sum(tbalance) FROM pgbench_tellers UNION ALL SELECT sum(delta) FROM pgbench_history) x
SQL
SKIP:
{
    skip 'pg_amcheck came with PostgreSQL 14', 1 if $copy->pg_version < 14;
    $copy->command_ok([ 'pg_amcheck', '-a', '--install-missing', '--heapallindexed', '-h', $copy->host, '-p', $copy->port ],
        'pg_amcheck finds nothing');
}
drop_server($copy);
drop_server($node);

# ---- three servers, money between them: one instant
my @servers = map { physical_server("shard$_") } 0 .. 2;
my $total = money_setup(\@servers, 'bank', 50, 1);
my $money = money_start(\@servers, 'bank', '--accounts', 50, '--plain', 2, '--prepared', 1, '--chain', 1);
$key = backup($repo, '--physical', map { ('--node', conninfo($_, 'bank')) } @servers);
money_stop($money);
is(manifest($repo, $key)->{cut}[0]{method}, 'barrier', 'the restore points are made behind the barrier');
no_traces('three servers', undef, @servers);
no_slots('three servers', @servers);
pgark_ok([ 'verify', $key, '--repo', $repo ], 'verify of three servers');
my $sum  = 0;
my $last;
my $backwards = 0;
for my $i (0 .. 2)
{
    my $one = start_unpacked("bank$i", $repo, $key, $i);
    # What was prepared at the instant is undecided on all.
    $one->safe_psql('bank', "ROLLBACK PREPARED '$_'")
      for split /\n/, $one->safe_psql('bank', 'SELECT gid FROM pg_prepared_xacts');
    $sum += $one->safe_psql('bank', 'SELECT sum(amount) FROM account');
    my $value = $one->safe_psql('bank', 'SELECT value FROM chain');
    $backwards++ if defined $last && $value > $last;
    $last = $value;
    drop_server($one);
}
is($sum, $total, 'money between three servers is whole');
is($backwards, 0, 'no chain of commits is seen backwards');

# ---- what does not go together
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($servers[0], 'other'), '--create' ],
    qr/is a physical one/, 'rows of a physical set');
pgark_fails([ 'export', $key, '--repo', $repo ], qr/is a physical one/, 'export of a physical set');

# ---- each command takes the newest set of its form
{
    my $both = new_repo();
    my @rows = map { backup($both, '-d', conninfo($servers[0])) } 1 .. 2;
    my $place = PostgreSQL::Test::Utils::tempdir('latest') . '/data';
    pgark_fails([ qw(restore latest --physical --repo), $both, '--map', "0=$place" ], qr/holds no finished physical set/,
        'the newest physical set, where there is none');
    my $files = pgark_json([ qw(backup --physical --no-sync --repo), $both, '-d', conninfo($servers[0]) ], 'files behind rows')->{key};
    is(pgark_json([ qw(show latest --repo), $both ], 'show latest')->{key}, $files, 'show takes the newest of all');
    my $out = PostgreSQL::Test::Utils::tempdir('latest') . '/rows.sql';
    like(pgark_ok([ qw(export latest -s --repo), $both, '-f', $out ], 'export latest'), qr/\Q$rows[1]\E/, 'export takes the newest of rows');
    rmtree(set_dir($both, $_)) for @rows;
    pgark_fails([ qw(export latest -s --repo), $both, '-f', "$out.2" ], qr/holds no finished set but physical ones.*restore --physical/s,
        'the newest of rows, where there is none');
}
pgark_fails([ 'backup', '--repo', $repo, '--physical', '-d', conninfo($servers[0]), @$_ ],
    qr/exclude/, "--physical with @$_")
  for [ '-t', 'x' ], ['--schema-only'], ['--all-databases'], ['--agent'];
pgark_fails([ 'backup', '--repo', $repo, '-d', conninfo($servers[0]), '--part-size=1MB' ],
    qr/needs --physical/, '--part-size without --physical');

done_testing();
