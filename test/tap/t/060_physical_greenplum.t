# A Greenplum 6 cluster comes back from base backups, on other ports, while money moved in it: to one instant, with a
# catalogue that knows the new places, and without the servers that it was.
use strict;
use warnings;
use File::Basename;
use GreenplumTest;
use IPC::Run;
use JSON::PP;
use PgarkTest;
use PhysicalRestoreTest;
use PhysicalTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

needs_greenplum();
$ENV{GPHOME} = dirname(greenplum_bin());
my $source   = make_greenplum('bank', 2, 'bank', 'postgres');
my $repo     = new_repo();
my @physical = ('--physical', '-d', greenplum_conninfo($source, 'bank'));
my @contents = (-1, 0, 1);
my $sums     = 'SELECT (SELECT sum(amount) FROM account), (SELECT sum(n) FROM journal), (SELECT sum(n) FROM journal_columns),'
  . ' (SELECT count(*) - max(n) FROM step)';
gp_bank($source, 'bank');

# everywhere SQL - on each node of a cluster alone.
sub everywhere
{
    my ($cluster, $sql) = @_;
    return join ' ', map { gp_segment_sql($cluster, 'bank', $_, $sql) } @contents;
}

# nothing_left NAME, CLUSTER - no session, walsender or slot of a run that has ended.
sub nothing_left
{
    my ($name, $cluster) = @_;
    my $left = 'SELECT (SELECT count(*) FROM pg_stat_replication) + (SELECT count(*) FROM pg_replication_slots)';
    gp_no_traces($name, $cluster, 'bank');
    wait_for(sub { everywhere($cluster, $left) eq '0 0 0' }, "$name: no walsender and no slot is left");
    return;
}

# ---- what is refused before anything is done
my @backup = ('backup', @physical, '--repo', $repo);
pgark_fails([@backup], qr/node -1 .*no gp_create_restore_point.*\n.*CREATE EXTENSION gp_pitr/, 'refused: without the extension');
gp_sql($source, 'bank', 'CREATE SCHEMA elsewhere; CREATE EXTENSION gp_pitr SCHEMA elsewhere; CREATE ROLE weak LOGIN REPLICATION');
pgark_fails([ @backup, '-U', 'weak' ],      qr/the role is no superuser/,                          'refused: no superuser');
pgark_fails([ @backup, '--bad-pages=warn' ], qr/append-optimized tables have none/,                  'refused: checksums of pages');
pgark_fails([ @backup, '--incremental' ],   qr/incremental ones are made by PostgreSQL 17/,        'refused: an incremental set');
my $space = PostgreSQL::Test::Utils::tempdir('space');
gp_sql($source, 'bank', "CREATE TABLESPACE fast LOCATION '$space'");
pgark_fails([@backup], qr/there is a tablespace \("fast"\)/, 'refused: a tablespace');
gp_sql($source, 'bank', 'DROP TABLESPACE fast');
for my $command ([ 'receive-wal', '--no-loop' ], [ 'restore-point', 'here' ])
{
    pgark_fails([ @$command, '--repo', $repo, '-d', greenplum_conninfo($source, 'bank') . ' user=weak' ],
        qr/the role is no superuser/, "refused: $command->[0]");
}
pgark_fails([ 'basebackup', '-d', greenplum_conninfo($source, 'bank'), '-D', "$repo.base" ],
    qr/server version 9\.4 is too old.*\n.*pgark backup --physical/, 'refused: basebackup');
is_deeply([ repo_sets($repo) ], [], 'refused: no set');
ok(!-e "$repo/wal", 'refused: no WAL');
nothing_left('refused', $source);

# ---- a killed run
my $run = pgark_start(@backup, '--rate-limit=2MB', '--checkpoint=fast');
wait_for(sub { everywhere($source, q{SELECT count(*) FROM pg_stat_replication WHERE state = 'backup'}) eq '1 1 1' }, 'killed: base backups are taken');
gp_sql($source, 'bank', 'UPDATE account SET amount = amount');
pass('killed: nobody who commits waits for it');
kill 'KILL', $run->{pid};
pgark_finish($run);
nothing_left('killed', $source);
is(scalar(grep { -e set_dir($repo, $_) . '/manifest.jsonl' } repo_sets($repo)), 0, 'killed: no set');

# ---- WAL that the server has removed before it could be read
my $log = "$source->{dir}/gpseg0";
GreenplumCluster::append("$log/postgresql.conf", "wal_keep_segments = 0\n");
gp_segment_sql($source, 'bank', 0, 'SELECT pg_reload_conf()');
$run = pgark_start(@backup, '--rate-limit=2MB', '--checkpoint=fast');
wait_for(sub { everywhere($source, q{SELECT count(*) FROM pg_stat_replication WHERE state = 'backup'}) eq '1 1 1' }, 'removed: base backups are taken');
kill 'STOP', $run->{pid};
my $first = gp_segment_sql($source, 'bank', 0, 'SELECT pg_xlogfile_name(pg_current_xlog_location())');
for (1 .. 8)
{
    gp_segment_sql($source, 'bank', 0, $_) for 'SELECT txid_current()', 'SELECT pg_switch_xlog()', 'CHECKPOINT';
    last unless -e "$log/pg_xlog/$first";
}
ok(!-e "$log/pg_xlog/$first", 'removed: it is');
kill 'CONT', $run->{pid};
my ($code, $out, $err) = pgark_finish($run);
isnt($code, 0, 'removed: the backup fails');
like($err, qr/node 0 .*$first.*No such file.*\n.*wal_keep_segments/, 'removed: and says why');
nothing_left('removed', $source);

# ---- the end is behind a barrier: somebody who has written, and does not commit, is waited for
my ($in, $said) = ("BEGIN; UPDATE account SET amount = amount WHERE id = 1;\n\\echo written\n", '');
my $writer = IPC::Run::start([ greenplum_bin() . '/psql', '-XAtq', '-d', greenplum_conninfo($source, 'bank') ], '<', \$in, '>&', \$said);
$writer->pump until $said =~ /written|ERROR/;
pgark_fails([ @backup, '--checkpoint=fast', '--cut-timeout=1s' ], qr/no consistent cut in \d+ tries .*account/, 'open: a writer is waited for');
$in .= "ROLLBACK;\n\\q\n";
$writer->finish;
nothing_left('open', $source);

# ---- the backup, while money moves. The cluster had mirrors: rows that tell of them, and settings that wait for one.
gp_segment_sql($source, 'bank', -1, <<'SQL');
SET allow_system_table_mods = true;
INSERT INTO gp_segment_configuration VALUES (8, 0, 'm', 'm', 'n', 'd', 7, 'localhost', '127.0.0.1', '/gone');
SQL
GreenplumCluster::append("$source->{dir}/gpseg$_/postgresql.auto.conf", "synchronous_standby_names = '*'\n") for 0, 1;
my @all     = ('-d', greenplum_conninfo($source, 'bank'));
my $receive = receive_start($repo, @all);
wait_for(sub { 3 == (() = glob("$repo/wal/*/receive.lock")) }, 'WAL of all nodes is received');
my @writers = gp_write($source, 'bank', qw(transfer book columns rate step));
wait_for(sub { gp_sql($source, 'bank', 'SELECT (SELECT count(*) FROM journal) > 20 AND (SELECT count(*) FROM step) > 20') eq 't' }, 'somebody writes');
my $key = backup($repo, @physical);
my $rows_then = gp_sql($source, 'bank', 'SELECT count(*) FROM step');
wait_for(sub { gp_sql($source, 'bank', 'SELECT count(*) FROM step') > $rows_then }, 'the writers go on');
like(pgark_ok([ 'restore-point', 'later', '--repo', $repo, @all ], 'a later point'), qr/\(barrier\)\nnode -1 .*\nnode 0 .*\nnode 1 /, 'a later point: on all nodes');
my $rows_later = gp_sql($source, 'bank', 'SELECT count(*) FROM step');
gp_stop_writers(@writers);

# received CLUSTER - all that was written by now is in the repository, in complete segments.
sub received_all
{
    my ($cluster) = @_;
    for my $content (@contents)
    {
        my $segment = gp_segment_sql($cluster, 'bank', $content, 'SELECT pg_xlogfile_name(pg_current_xlog_location())');
        gp_segment_sql($cluster, 'bank', $content, $_) for 'SELECT txid_current()', 'SELECT pg_switch_xlog()';
        my ($identifier) = map { $_->{system_identifier} } grep { $_->{content} == $content } @{ manifest($repo, $key)->{node} };
        wait_for(sub { -e "$repo/wal/$identifier/" . substr($segment, 0, 16) . "/$segment.json" }, "received: $segment of node $content");
    }
    return;
}
received_all($source);
everywhere($source, 'SELECT txid_current()');
wait_for(sub { 3 == (() = glob("$repo/wal/*/*/*.partial")) }, 'received: of the segments at hand what there is');
unlike(receive_stop($receive, 'received'), qr/warning|error/, 'received: without a word');
pgark_ok([ 'restore-point', 'last', '--repo', $repo, @all ], 'a point that is not received');
nothing_left('backup', $source);
my $m = manifest($repo, $key);
is_deeply([ map { $_->{content} } @{ $m->{physical} } ], \@contents, 'the set has the coordinator and its segments');
is($m->{cut}[0]{method},                'barrier', 'their restore points were made inside of a barrier');
is($m->{physical}[0]{wal_segment_size}, 67108864,  'WAL comes in segments of 64 MB');
like(pgark_ok([ 'verify', $key, '--repo', $repo ], 'verify'), qr/^the records of WAL can be read up to the restore point$/m,
    'verify: reads the records, too');
like(pgark_ok([ 'list', '--repo', $repo ], 'list'), qr/^$key .*greenplum +3 nodes physical/m, 'list: it is there');

# The manifest is what PostgreSQL's own program takes for one, and right.
my $unpacked = PostgreSQL::Test::Utils::tempdir('unpacked') . '/node0';
unpack_streams($repo, $key, 0, $unpacked);
PostgreSQL::Test::Utils::command_ok([ 'pg_verifybackup', '-n', $unpacked ], 'pg_verifybackup finds all files as the manifest of our own says');

# ---- what a restore refuses
my @ports = @{ $source->{ports} };
my $new   = PostgreSQL::Test::Utils::tempdir('restored');
my @new   = map { PostgreSQL::Test::Cluster::get_free_port() } @contents;

# places DIR, FROM, TO - the options for a restore of all nodes there, from ports to ports.
sub places
{
    my ($dir, $from, $to) = @_;
    return map { ('--map', "$contents[$_]=$dir/gpseg$contents[$_]", '--host-map', "127.0.0.1:$from->[$_]=127.0.0.1:$to->[$_]") } 0 .. $#contents;
}

my @to = ('restore', '--physical', '--repo', $repo, '--no-sync');
for my $case (
    [ [ places($new, \@ports, \@new), '--standby' ],                 qr/--standby/ ],
    [ [ '--map', "-1=$new/gpseg-1", '--agent-map', '-1=host=127.0.0.1' ], qr/--agent-map: not of a Greenplum cluster/ ],
    [ [ places($new, \@ports, [ @new[ 0, 1, 1 ] ]) ],                qr/gives two nodes the address 127\.0\.0\.1:$new[1]/ ],
    [ [ places($new, [ 1, 2, 3 ], \@new) ],                          qr/the cluster knows no node by that address/ ],
    [ [ '--map', "-1=$new/gpseg-1", '--target-name=last' ],           qr/WAL is missing at the target: segment \w+ is not complete/ ])
{
    my ($args, $pattern) = @$case;
    pgark_fails([ @to, $key, @$args ], $pattern, "refused: $pattern");
    is_deeply([ glob "$new/*" ], [], "refused: $pattern: nothing is left");
}
{
    local $ENV{GPHOME} = '/nowhere';
    pgark_fails([ @to, $key, places($new, \@ports, \@new) ], qr/postgres.*\n.*Set GPHOME/, "refused: without Greenplum's programs");
    is_deeply([ glob "$new/*" ], [], "refused: without Greenplum's programs: nothing is left");

    # A segment comes back without them.
    my $alone = PostgreSQL::Test::Utils::tempdir('alone') . '/seg';
    like((pgark(@to, $key, '--map', "1=$alone"))[2], qr/node -1 of the set is not restored/, 'one segment: the others are told');
    is(slurp_bytes("$alone/internal.auto.conf"), "gp_dbid=3\n", 'one segment: it is who it was');
}

# ---- whoever receives again goes on where the last one was
$receive = receive_start($repo, @all);
received_all($source);
receive_stop($receive, 'received again');
for my $dir (glob "$repo/wal/*")
{
    my @names = map { hex substr $_, 16 } archived($dir);
    is_deeply(\@names, [ $names[0] .. $names[-1] ], 'received again: without a gap');
}

# ---- the restore; the servers that were backed up are not there any more
$source->stop;
my $text = pgark_ok([ @to, $key, places($new, \@ports, \@new), '--target-name=later' ], 'restore');
like($text, qr/ up to restore point later$/m, 'restore: to the later point');
like($text, qr/^next  +start the segments .* 9\.4, then the coordinator/m, 'restore: says what is next');
ok(-e "$new/gpseg-1/recovery.done" && -e "$new/gpseg0/recovery.conf", 'restore: the coordinator has recovered');
unlike(slurp_bytes("$new/gpseg$_/postgresql.auto.conf"), qr/not_finished/, "restore: node $_ may be started") for @contents;
my $restored = start_restored_greenplum($new, @new);
is(gp_sql($restored, 'bank', "SELECT string_agg(dbid || ' ' || content || ' ' || port || ' ' || hostname || ' ' || address || ' ' || datadir, ', ' ORDER BY content) FROM gp_segment_configuration"),
    join(', ', map { $_ + 2 . " $_ $new[$_ + 1] localhost 127.0.0.1 $new/gpseg$_" } @contents), 'restored: the cluster knows where it is, and no mirrors');
is(gp_sql($restored, 'bank', $sums), '6000|0|0|0', 'restored: the money is all there, and no step is missing');
my $rows_now = gp_sql($restored, 'bank', 'SELECT count(*) FROM step');
cmp_ok($rows_now, '>',  $rows_then,  'restored: it is later than the set');
cmp_ok($rows_now, '<=', $rows_later, 'restored: it is as of the restore point');
is(everywhere($restored, 'SELECT count(*) FROM pg_prepared_xacts'), '0 0 0', 'restored: nothing is undecided');
gp_sql($restored, 'bank', <<'SQL');
BEGIN; UPDATE account SET amount = amount + 1; INSERT INTO journal SELECT g, 0 FROM generate_series(1, 100) g; COMMIT;
CREATE TABLE later AS SELECT * FROM account DISTRIBUTED BY (id);
SQL
is(gp_sql($restored, 'bank', $sums), '6060|0|0|0', 'restored: it can be written');

# ---- once more, of what was restored: another timeline, and nobody writes, so that all can be compared
@physical = ('--physical', '-d', greenplum_conninfo($restored, 'bank'));
my $second = backup($repo, @physical, '-Z', 'none', '--part-size=10MB');
is(manifest($repo, $second)->{physical}[1]{timeline}, 2, 'again: it is of the new timeline');
my ($rows, $dump) = (gp_rows($restored, 'bank'), gp_dump($restored, 'bank'));
drop_greenplum($restored);
my $third = PostgreSQL::Test::Utils::tempdir('again');
pgark_ok([ @to, $second, places($third, \@new, \@ports) ], 'again: restore');
my $again = start_restored_greenplum($third, @ports);
is_deeply(gp_rows($again, 'bank'), $rows, 'again: the rows of all tables are equal');
is_deeply([ sort split /^/, gp_dump($again, 'bank') ], [ sort split /^/, $dump ], 'again: what pg_dump writes is equal');
drop_greenplum($again);

# ---- a part that is damaged
my ($part) = physical_records($repo, $second, 'part', 0);
my $file  = set_dir($repo, $second) . "/$part->{object}";
my $good  = slurp_bytes($file);
my $bytes = $good;
substr($bytes, length($bytes) / 2, 1) ^= "\x01";
spew_bytes($file, $bytes);
pgark_fails([ 'verify', $second, '--repo', $repo ], qr/set $second is damaged/, 'damaged: verify finds it');
my $damaged = PostgreSQL::Test::Utils::tempdir('damaged');
pgark_fails([ @to, $second, places($damaged, \@new, \@ports) ], qr/\Q$part->{object}\E/, 'damaged: no restore of it');
is_deeply([ glob "$damaged/*" ], [], 'damaged: nothing is left');

# ---- a restore point that is not in its WAL, where the server would start all the same
spew_bytes($file, $good);
forge(set_dir($repo, $second), sub { return map { s/("restore_point":"pgark_\w+)"/$1x"/r } @_ });
pgark_fails([ 'verify', $second, '--repo', $repo ], qr/set $second is damaged/, 'no point: verify finds it');
pgark_fails([ @to, $second, places($damaged, \@new, \@ports) ], qr/gpseg-1: recovery has ended before restore point pgark_\w+x/, 'no point: no restore');
is_deeply([ glob "$damaged/*" ], [], 'no point: nothing is left');
pgark_ok([ 'expire', '--repo', $repo, '--keep=1' ], 'expire');
ok(!-e set_dir($repo, $key) && -e set_dir($repo, $second), 'expire: the older one is gone');
done_testing();
