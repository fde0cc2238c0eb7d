# pgark basebackup: pg_basebackup's options for one server; pg_verifybackup and servers judge the results.
use strict;
use warnings;
use IPC::Run;
use PhysicalTest;
use PgarkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node  = physical_server('one');
$node->safe_psql('postgres', $_) for 'ALTER SYSTEM SET full_page_writes = on', 'SELECT pg_reload_conf()'; # as backups of standbys want it
my $space = PostgreSQL::Test::Utils::tempdir_short();
my $dir   = PostgreSQL::Test::Utils::tempdir('basebackup');
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE big AS SELECT i, md5(i::text) AS text FROM generate_series(1, 30000) i;
CREATE TABLE away TABLESPACE elsewhere AS SELECT i FROM generate_series(1, 1000) i;
SQL
my $sum   = q{SELECT concat((SELECT sum(hashtext(b::text)) FROM big b), ' ', (SELECT sum(i) FROM away))};
my $want  = $node->safe_psql('postgres', $sum);
# One of them is made to last.
my @last  = ('basebackup', '-d', conninfo($node), '-c', 'fast');
my @base  = (@last, '-N');
my $count = 0;

# fresh - the names of two directories that are not there: of the backup, and of its tablespace.
sub fresh
{
    $count++;
    return ("$dir/b$count", "$dir/space$count");
}

# is_sound NAME, DIR - pg_verifybackup finds nothing.
sub is_sound
{
    my ($name, $place) = @_;
    return command_ok([ 'pg_verifybackup', $place ], "$name: pg_verifybackup");
}

# starts NAME, DIR - a server of it, which has the rows. More lines go into its configuration.
sub starts
{
    my ($name, $place, $standby, @conf) = @_;
    my $copy = PostgreSQL::Test::Cluster->new("copy$count", own_host => 1);
    rmdir $copy->data_dir;
    symlink $place, $copy->data_dir or die "symlink: $!";
    $copy->append_conf('postgresql.conf',
        join '', map { "$_\n" } 'port = ' . $copy->port, "unix_socket_directories = '" . $copy->host . "'", @conf);
    $copy->start;
    is($copy->safe_psql('postgres', $sum), $want, "$name: the rows are there");
    is($copy->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), $standby ? 't' : 'f', "$name: standby or not");
    return $copy;
}

# ---- plain
my ($place, $elsewhere) = fresh();
my $out = pgark_ok([ @last, '-D', $place, '-T', "$space=$elsewhere", '-P', '-l', 'a \'label' ], 'plain');
like($out, qr/^base backup in .*WAL from/, 'plain: says what it made');
is_sound('plain', $place);
like(slurp_bytes("$place/backup_label"), qr/^LABEL: a 'label$/m, 'plain: its label');
ok(-e "$place/pg_wal/archive_status/$_.done", "plain: $_ counts as archived")
  for map { /(\w{24})$/ ? $1 : () } glob "$place/pg_wal/*";
starts('plain', $place)->stop;
no_slots('plain', $node);

# ---- a standby
($place, $elsewhere) = fresh();
pgark_ok([ @base, '-D', $place, '-T', "$space=$elsewhere", '-R', '-C', '-S', 'standby1' ], 'standby');
is_sound('standby', $place);
my $standby = starts('standby', $place, 1);
$node->safe_psql('postgres', 'CREATE TABLE later AS SELECT 1 AS i');
wait_for_query($standby, 'postgres', q{SELECT to_regclass('later') IS NOT NULL}, 'standby: it follows the server');
is($node->safe_psql('postgres', 'SELECT active FROM pg_replication_slots'), 't', 'standby: by its slot');
my @of_standby = ('basebackup', '-d', conninfo($standby), '-c', 'fast', '-N');
my $space_there = $elsewhere;
($place, $elsewhere) = fresh();
pgark_ok([ @of_standby, '-D', $place, '-T', "$space_there=$elsewhere" ], 'of a standby');
is_sound('of a standby', $place);
starts('of a standby', $place)->stop;

# ---- a standby that is promoted in the middle
my $slow = pgark_start(@of_standby, '-D', "$dir/promoted", '-T', "$space_there=$dir/promoted_space", '-r', '1M');
wait_for_query($standby, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'pgark basebackup'
    AND wait_event = 'BaseBackupThrottle'}, 'promoted: files are on their way');
$standby->promote;
my ($code, undef, $said) = pgark_finish($slow);
is($code, 1, 'promoted: the backup fails');
# Whoever is first: the stream of WAL, whose timeline ends, or the server's base backup, which looks now and then.
like($said, qr/timeline \d+ of the server ended at \S+: it was promoted|the standby was promoted during online backup/, 'promoted: and says why');
ok(!-e "$dir/$_", "promoted: no $_ is left") for qw(promoted promoted_space);
no_slots('promoted', $standby);
($place, $elsewhere) = fresh();
pgark_ok([ @of_standby, '-D', $place, '-T', "$space_there=$elsewhere" ], 'of who was promoted');
is_sound('of who was promoted', $place);
$standby->stop;
pgark_fails([ @base, '-D', "$dir/none", '-C', '-S', 'standby1' ], qr/slot.*standby1.*already exists/, 'a slot that is there');
ok(!-e "$dir/none", 'a slot that is there: no directory is left');
($place, $elsewhere) = fresh();
pgark_ok([ @base, '-D', $place, '-T', "$space=$elsewhere", '-S', 'standby1' ], 'by a slot that is there');
is_sound('by a slot that is there', $place);
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('standby1')});

# ---- WAL at the end, WAL elsewhere, no WAL
($place, $elsewhere) = fresh();
pgark_ok([ @base, '-D', $place, '-T', "$space=$elsewhere", '-X', 'fetch', '--manifest-checksums', 'SHA256' ], 'fetch');
is_sound('fetch', $place);
like(slurp_bytes("$place/backup_manifest"), qr/SHA256/, 'fetch: the manifest has the checksums that were wanted');
starts('fetch', $place)->stop;
($place, $elsewhere) = fresh();
pgark_ok([ @base, '-D', $place, '-T', "$space=$elsewhere", '--waldir', "$dir/wal", '--no-manifest', '--no-slot' ], 'waldir');
is(readlink("$place/pg_wal"), "$dir/wal", 'waldir: pg_wal is a link');
ok(!-e "$place/backup_manifest", 'no manifest');
starts('waldir', $place)->stop;
($place, $elsewhere) = fresh();
pgark_ok([ @base, '-D', $place, '-T', "$space=$elsewhere", '-X', 'none' ], 'no WAL');
is_deeply([ grep { /\w{24}$/ } glob "$place/pg_wal/*" ], [], 'no WAL: there is none');
command_ok([ 'pg_verifybackup', '-n', $place ], 'no WAL: pg_verifybackup -n');

# ---- archives
for my $compress ([ 'none', '', 'cat' ], [ 'zstd:1', '.zst', 'zstd', '-dcq' ], [ 'gzip:1', '.gz', 'gzip', '-dc' ])
{
    my ($method, $suffix, @program) = @$compress;
    ($place, $elsewhere) = fresh();
    pgark_ok([ @base, '-D', $place, '-F', 'tar', '-Z', $method, '-R', '-r', '100M' ], "tar, $method");
    my $oid = $node->safe_psql('postgres', q{SELECT oid FROM pg_tablespace WHERE spcname = 'elsewhere'});
    is_deeply([ sort map { s{.*/}{}r } glob "$place/*" ],
        [ sort "$oid.tar$suffix", 'backup_manifest', "base.tar$suffix", "pg_wal.tar$suffix" ], "tar, $method: the files");
    my ($copy, $there) = fresh();
    mkdir $_, 0700 for $copy, $there;
    for my $pair ([ 'base', $copy ], [ 'pg_wal', "$copy/pg_wal" ], [ $oid, $there ])
    {
        ok(IPC::Run::run([ @program, "$place/$pair->[0].tar$suffix" ], '|', [ 'tar', '-x', '-C', $pair->[1] ]),
            "tar, $method: $pair->[0] can be unpacked");
    }
    spew_bytes("$copy/tablespace_map", "$oid $there\n");
    next if $method ne 'zstd:1';
    like(slurp_bytes("$copy/postgresql.auto.conf"), qr/primary_conninfo = '.*port/, "tar, $method: it is a standby");
    starts("tar, $method", $copy, 1)->stop;
}

# ---- one archive to standard output
my $lone = physical_server('lone');
$lone->safe_psql('postgres', 'CREATE TABLE big AS SELECT i, md5(i::text) AS text FROM generate_series(1, 30000) i; CREATE TABLE away AS SELECT i FROM generate_series(1, 1000) i');
for my $case ([ ['-X', 'fetch', '-z', '-R'], [ 'gzip', '-dc' ] ], [ [ '-X', 'none', '--no-estimate-size', '--manifest-force-encode' ], ['cat'] ])
{
    my ($args, $program) = @$case;
    my ($copy) = fresh();
    mkdir $copy, 0700;
    my ($said, $unpacked) = ('', '');
    local %ENV = pgark_env();
    ok(IPC::Run::run([ $ENV{PGARK}, 'basebackup', '-d', conninfo($lone), '-c', 'fast', '-N', '-F', 'tar', '-D', '-', @$args ], '2>', \$said,
            '|', $program, '|', [ 'tar', '-xv', '-C', $copy ], '>', \$unpacked), "stdout, @$args: it is an archive") or diag($said);
    like($said, qr/^base backup in standard output: .*WAL from/m, "stdout, @$args: what was made is told elsewhere");
    is((split /\n/, $unpacked)[-1], 'backup_manifest', "stdout, @$args: its manifest stands at the end");
    my $files = slurp_bytes("$copy/backup_manifest");
    "@$args" =~ /encode/
      ? ok($files =~ /"Encoded-Path"/ && $files !~ /"Path"/, "stdout, @$args: all names are encoded")
      : starts("stdout, @$args", $copy, 1)->stop;
}
pgark_fails([ @base, '-F', 'tar', '-X', 'fetch', '-D', '-' ], qr/has tablespaces.*hint: -D DIRECTORY/s, 'stdout: a server with tablespaces');

# ---- what pg_basebackup has: all of it is taken, or refused by name
my ($help, $refusals) = ('', 0);
IPC::Run::run([ 'pg_basebackup', '--help' ], '>', \$help) or die 'pg_basebackup --help';
my %seen = map { $_ => 1 } $help =~ /^ +(?:-\w, )?--([a-z-]+)/mg;
cmp_ok(scalar keys %seen, '>', 25, 'pg_basebackup has options');
my $own = pgark_ok([ 'basebackup', '--help' ], 'help');
for my $option (sort keys %seen)
{
    next if $own =~ /--\Q$option\E\b/;
    pgark_fails([ 'basebackup', '-D', 'x', "--$option=x" ], qr/--\Q$option\E is not taken: /, "--$option");
    $refusals++;
}
cmp_ok($refusals, '<=', 2, 'few are refused');

# ---- the server compresses
for my $compress ([ 'server-zstd:level=3', '.zst', 'zstd' ], [ 'server-lz4', '.lz4', 'lz4' ], [ 'server-gzip:1', '.gz', 'gzip' ])
{
    my ($method, $suffix, $program) = @$compress;
    ($place, $elsewhere) = fresh();
    if ($node->pg_version < 15)
    {
        pgark_fails([ @base, '-D', $place, '-F', 'tar', '-Z', $method ], qr/servers compress from PostgreSQL 15 on/, "$method: an old server");
        last;
    }
    pgark_ok([ @base, '-D', $place, '-Z', $method, '-T', "$space=$elsewhere", '-R', '-P' ], "$method, plain");
    is_sound("$method, plain", $place);
    starts("$method, plain", $place, 1)->stop if $method =~ /zstd/;
    ($place, $elsewhere) = fresh();
    pgark_ok([ @base, '-D', $place, '-F', 'tar', '-Z', $method ], "$method, tar");
    my $oid = $node->safe_psql('postgres', q{SELECT oid FROM pg_tablespace WHERE spcname = 'elsewhere'});
    is_deeply([ sort map { s{.*/}{}r } glob "$place/*" ],
        [ sort "$oid.tar$suffix", 'backup_manifest', "base.tar$suffix", 'pg_wal.tar' ], "$method, tar: the files");
    my ($copy, $there) = fresh();
    mkdir $_, 0700 for $copy, $there;
    ok(IPC::Run::run([ 'cat', "$place/$_->[0].tar$suffix" ], '|', [ $program, '-dcq' ], '|', [ 'tar', '-x', '-C', $_->[1] ]),
        "$method, tar: $_->[0] can be unpacked")
      for [ 'base', $copy ], [ $oid, $there ];
    system('tar', '-x', '-C', "$copy/pg_wal", '-f', "$place/pg_wal.tar") == 0 or die 'tar';
    spew_bytes("$copy/tablespace_map", "$oid $there\n");
    starts("$method, tar", $copy)->stop if $method =~ /zstd/;
}
my ($unmade) = fresh();
my $refusal = pgark_fails([ @base, '-D', $unmade, '-F', 'tar', '-Z', 'server-zstd:99' ], qr/./, 'a level that there is not');
like($refusal, qr/compression level|compress from/, 'a level that there is not: the server says so');
ok(!-e $unmade, 'a level that there is not: no directory is left');

# ---- what is refused, and what stays after a failure
my ($full) = fresh();
mkdir $full;
spew_bytes("$full/precious", 'x');
pgark_fails([ @base, '-D', $full ], qr/not empty/, 'a directory that is not empty');
is(slurp_bytes("$full/precious"), 'x', 'a directory that is not empty: nothing is touched');
($place) = fresh();
pgark_fails([ @base, '-D', $place ], qr/tablespace \d+: .*not empty/, 'a tablespace without a mapping');
ok(!-e $place, 'a tablespace without a mapping: no directory is left');
for my $case (
    [ qr/are for --format=plain/, '-D', $place, '-F', 'tar', '-T', "$space=$elsewhere" ],
    [ qr/is for --format=tar/,    '-D', $place, '-Z', 'zstd' ],
    [ qr/needs --slot/,           '-D', $place, '-C' ],
    [ qr/wal-method=stream/,      '-D', $place, '-X', 'fetch', '-S', 'x' ],
    [ qr/32k to 1024M/,           '-D', $place, '-r', '1k' ],
    [ qr/takes --format=tar only/,   '-D', '-' ],
    [ qr/takes --wal-method=fetch/,  '-D', '-', '-F', 'tar' ],
    [ qr/cannot both go to standard/, '-D', '-', '-F', 'tar', '-X', 'none', '--output=json' ],
    [ qr/--gzip and --compress exclude/, '-D', $place, '-F', 'tar', '-z', '-Z', 'zstd' ],
    [ qr/--target is not taken/,     '-D', $place, '-t', 'server:/x' ],
    [ qr/cannot be added to an archive/, '-D', '-', '-F', 'tar', '-X', 'none', '-Z', 'server-gzip' ],
    [ qr/is no method/,           '-D', $place, '-F', 'tar', '-Z', 'server-pglz' ],
    [ qr/cannot add files/,       '-D', $place, '-F', 'tar', '-Z', 'server-gzip', '-R' ],
    [ qr/--incremental: cannot open .*no_manifest/, '-D', $place, '-i', "$dir/no_manifest" ],
    [ qr/--incremental: .* is not the manifest of a backup/, '-D', $place, '-i', $dir ],
    [ qr/needs -D/ ])
{
    my ($pattern, @args) = @$case;
    pgark_fails([ @base, @args ], $pattern, "refused: @args");
}
pgark_fails([ @base, '-D', $place, '--incremental', "$full/precious" ],
    $node->pg_version < 17 ? qr/from PostgreSQL 17 on, this is \d/ : qr/backup manifest/, 'incremental');
ok(!-e $place, 'nothing was made of these');

# A signal in the middle of it.
for my $format (qw(plain tar))
{
    my $run = pgark_start(@base, '-D', $place, '-F', $format, '-r', '2M',
        $format eq 'plain' ? ('-T', "$space=$elsewhere.$format") : ());
    my $watch = watch($node, 'postgres',
        "(SELECT count(*) FROM pg_stat_progress_basebackup WHERE phase = 'streaming database files' AND backup_streamed > 100000) > 0");
    ok(watch_end($watch), "signal, $format: it got there");
    kill 'INT', $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, 130, "signal, $format: exit code");
    ok(!-e $place && !-e "$elsewhere.$format", "signal, $format: no directory is left");
    no_slots("signal, $format", $node);
}

done_testing();
