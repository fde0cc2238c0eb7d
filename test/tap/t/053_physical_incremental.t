# Incremental base backups: what has changed since an earlier set, for one server and for a fleet; a chain of them
# comes back as pg_combinebackup would make it; what cannot be built on, and what a chain lacks, is said.
use strict;
use warnings;
use File::Find;
use IPC::Run;
use PgarkTest;
use PhysicalRestoreTest;
use PhysicalTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_version(17, 'incremental base backups came with 17');

my $repo  = new_repo();
my $conf  = "summarize_wal = on\n";
my $node  = physical_server('one', conf => $conf);
my $space = PostgreSQL::Test::Utils::tempdir_short();
my $gone  = PostgreSQL::Test::Utils::tempdir_short();
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$space'");
$node->safe_psql('postgres', "CREATE TABLESPACE gone LOCATION '$gone'");
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(still bench dropped);
$node->safe_psql('still', <<'SQL');
CREATE TABLE big AS SELECT i, md5(i::text) AS text FROM generate_series(1, 60000) i;
CREATE INDEX ON big (text) TABLESPACE elsewhere;
CREATE TABLE away TABLESPACE elsewhere AS SELECT i FROM generate_series(1, 20000) i;
ALTER TABLE away ADD PRIMARY KEY (i);
CREATE TABLE shrinks AS SELECT i, repeat('x', 100) AS text FROM generate_series(1, 20000) i;
CREATE TABLE emptied AS SELECT i FROM generate_series(1, 20000) i;
CREATE TABLE leaves AS SELECT 1 AS i;
CREATE TABLE left_there TABLESPACE gone AS SELECT 1 AS i;
CREATE UNLOGGED TABLE fleeting AS SELECT i FROM generate_series(1, 1000) i;
CREATE UNLOGGED TABLE fleeting_away TABLESPACE elsewhere AS SELECT 1 AS i;
SELECT lo_from_bytea(4711, '\xcafe');
SQL
my $made = '';
IPC::Run::run([ 'pgbench', '-iq', '-s1', conninfo($node, 'bench') ], '>&', \$made) or die "pgbench: $made";
$node->safe_psql('postgres', 'CHECKPOINT');

my @backup = ('--physical', '-d', conninfo($node), '--part-size=4MB');

# show KEY - of the set, as JSON.
sub show { my ($key) = @_; return pgark_json([ 'show', $key, '--repo', $repo, '--tables=0' ], "show $key") }

# stored SHOW - bytes of the parts of all nodes.
sub stored { my ($show) = @_; my $sum = 0; $sum += $_->{stored} for @{ $show->{physical} }; return $sum }

# ---- nothing to build on
pgark_fails([ 'backup', '--repo', $repo, @backup, '--incremental-from', '20200101000000' ],
    qr/there is no set 20200101000000|20200101000000.*(?:not|no)/, 'a set that is not there');
my $rows = backup($repo, '-d', conninfo($node));
my ($code, $out, $err) = pgark('backup', '--repo', $repo, @backup, '--incremental', '--no-sync');
is($code, 0, 'without an earlier set: exit code') or diag($err);
like($err, qr/no set that this one could be built on: it will be a full one/, 'without an earlier set: it is whole, which is said');
my ($full) = grep { $_ ne $rows } repo_sets($repo);
is(show($full)->{base}, undef, 'without an earlier set: no base');
pgark_fails([ 'backup', '--repo', $repo, @backup, '--incremental-from', $rows ],
    qr/--incremental-from: set $rows holds rows, no base backups/, 'a set of rows as the base');
pgark_fails([ 'backup', '--repo', $repo, '-d', conninfo($node), '--incremental-from', $full ],
    qr/--incremental-from: set $full holds base backups, no rows/, 'base backups as the base of rows');
no_set_added('refused bases', $repo, sort $rows, $full);

# ---- a chain of three, with writers
my $said   = '';
my $writer = IPC::Run::start([ 'pgbench', '-n', '-c2', '-T3600', conninfo($node, 'bench') ], '>', \$said, '2>', \$said);
wait_for_query($node, 'bench', 'SELECT count(*) > 10 FROM pgbench_history');
$node->safe_psql('still', <<'SQL');
UPDATE big SET text = 'changed' WHERE i % 20000 = 0;
INSERT INTO away SELECT i FROM generate_series(20001, 30000) i;
DELETE FROM shrinks WHERE i > 5000;
CREATE TABLE comes AS SELECT i FROM generate_series(1, 5000) i;
DROP TABLE leaves;
SQL
$node->safe_psql('still', 'VACUUM shrinks');
$node->safe_psql('postgres', 'DROP DATABASE dropped');
my $second = backup($repo, @backup, '--incremental');
no_traces('incremental', undef, $node);
no_slots('incremental', $node);
is(show($second)->{base}, $full, 'the newest set is the base');
is_deeply(show($second)->{depends_on}, [$full], 'and what it depends on');
is(show($second)->{physical}[0]{base}, $full, 'of each node');
cmp_ok(stored(show($second)), '<', stored(show($full)) / 3, 'it is much smaller than a whole one');
ok((grep { /(?:^|\/)INCREMENTAL\.\d+/ } tar_names($repo, $second, 0, 'base')), 'it has files of changed blocks');
like(pgark_ok([ 'list', '--repo', $repo ], 'list'), qr/^$second .* physical .* base $full$/m, 'list tells the base');
like(pgark_ok([ 'show', $second, '--repo', $repo ], 'show'), qr/^chain +$second -> $full \(full\)\n  needs $full$/m,
    'show tells the chain');
$node->safe_psql('still', <<'SQL');
TRUNCATE emptied;
INSERT INTO shrinks SELECT i, 'back' FROM generate_series(1, 30000) i;
DROP TABLE left_there;
UPDATE away SET i = -i WHERE i % 1000 = 0;
CREATE TABLE empty_to_here (i int);
SQL
$node->safe_psql('postgres', 'DROP TABLESPACE gone');
my $third = backup($repo, @backup, '--incremental-from', $second, '-Z', 'lz4');
my $before = $node->safe_psql('bench', 'SELECT count(*) FROM pgbench_history');
$writer->signal('TERM');
eval { $writer->finish };
is_deeply(show($third)->{depends_on}, [ $full, $second ], 'the third depends on both');
like(pgark_ok([ 'show', $third, '--repo', $repo ], 'show'), qr/^chain +$third -> $second -> $full \(full\)$/m, 'show tells all of them');
my $verified = pgark_json([ 'verify', $third, '--repo', $repo ], 'verify of a chain');
is($verified->{physical}{sets}, 3, 'verify reads all three');
ok($verified->{physical}{wal_records_read}, 'and the WAL of each');

# ---- by pgark, and by pg_combinebackup: the same files
my $place = new_place('restored');
my $other = PostgreSQL::Test::Utils::tempdir_short() . '/space';
my @to    = ('restore', $third, '--physical', '--repo', $repo, '--no-sync');
my $json  = pgark_json([ @to, '--map', '0=' . $place->data_dir, '--tablespace-map', "$space=$other", '-j3' ], 'restore');
is($json->{nodes}[0]{files}, (physical_records($repo, $third, 'physical', 0))[0]{files}, 'all files of the newest set are there');
my $dir = PostgreSQL::Test::Utils::tempdir();
my @unpacked;
for my $key ($full, $second, $third)
{
    my $to = "$dir/$key";
    unpack_streams($repo, $key, 0, $to);
    for my $spc (physical_records($repo, $key, 'tablespace', 0))
    {
        symlink "$to.$spc->{oid}", "$to/pg_tblspc/$spc->{oid}" or die "symlink: $!";
    }
    unlink "$to/tablespace_map";
    push @unpacked, $to;
}
my ($oid) = map { $_->{oid} } physical_records($repo, $third, 'tablespace', 0);
($out, $err) = ('', '');
ok(IPC::Run::run([ 'pg_combinebackup', '-N', '-o', "$dir/combined", '-T', "$dir/$third.$oid=$dir/combined.$oid", @unpacked ],
        '>', \$out, '2>', \$err), 'pg_combinebackup takes the sets') or diag($err);

# tree DIR - what every file of a directory is, by its name.
sub tree
{
    my ($top) = @_;
    my %found;
    find({ no_chdir => 1, wanted => sub {
                my $name = substr $_, length $top;
                return if $name eq '' || -l;
                $found{$name} = -d $_ ? 'directory' : Digest::SHA->new(256)->addfile($_)->hexdigest;
            } }, $top);
    return \%found;
}
my ($ours, $theirs) = (tree($place->data_dir), tree("$dir/combined"));
# What a restore adds, and a manifest of the result.
delete @$ours{qw(/postgresql.auto.conf /recovery.signal /tablespace_map)};
delete @$theirs{qw(/postgresql.auto.conf /backup_manifest)};
is_deeply($ours, $theirs, 'the data directory is what pg_combinebackup makes');
is_deeply(tree($other), tree("$dir/combined.$oid"), 'the tablespace, too');
cmp_ok(scalar keys %$ours, '>', 900, 'which are not few');

# What the room for a restore is told by: files, each with a header, in blocks of 512 bytes.
my ($noted) = physical_records($repo, $third, 'physical', 0);
my $there = 0;
find({ no_chdir => 1, wanted => sub { $there += 512 + (-f $_ ? int(((-s $_) + 511) / 512) * 512 : 0) } }, $place->data_dir);
cmp_ok(abs($noted->{restored_bytes} - $there), '<', $there / 50, 'how large it becomes was noted');
cmp_ok($noted->{added_bytes}, '<', $there / 2, 'and that most of it was there before');
is((physical_records($repo, $full, 'physical', 0))[0]{restored_bytes}, undef, 'but not of a whole set');

start_restored($place, 'restored');
$node->safe_psql('still', 'TRUNCATE fleeting, fleeting_away');
same_database($node, 'still', $place, 'still', 'restored');
is($place->safe_psql('still', "SELECT encode(lo_get(4711), 'hex')"), 'cafe', 'the large object is there');
is($place->safe_psql('bench', sprintf <<'SQL', $before), 't', 'what was being written is whole');
SELECT sum(abalance) = (SELECT sum(delta) FROM pgbench_history) AND sum(abalance) = (SELECT sum(bbalance)
  FROM pgbench_branches) AND (SELECT count(*) FROM pgbench_history) BETWEEN 10 AND %d FROM pgbench_accounts
SQL
amcheck($place, $_, "restored, $_") for qw(still bench);
$place->stop;
($out, $err) = ('', '');
IPC::Run::run([ 'pg_checksums', '--check', '-D', $place->data_dir ], '>', \$out, '2>', \$err);
like($out, qr/^Bad checksums: +0$/m, 'checksums of all pages are right') or diag($err);

# ---- basebackup --incremental: a copy that is no set
my @copies = map { { data => "$dir/copy$_", space => "$dir/copy$_.space" } } 0 .. 1;
my @copy   = ('basebackup', '-d', conninfo($node), '-c', 'fast', '-N');
pgark_ok([ @copy, '-D', $copies[0]{data}, '-T', "$space=$copies[0]{space}" ], 'basebackup');
$node->safe_psql('still', q{UPDATE big SET text = 'since then' WHERE i % 1000 = 0});
pgark_ok([ @copy, '-D', $copies[1]{data}, '-T', "$space=$copies[1]{space}", '-i', "$copies[0]{data}/backup_manifest" ],
    'basebackup --incremental');
like(slurp_bytes("$copies[1]{data}/backup_label"), qr/^INCREMENTAL FROM LSN/m, 'basebackup --incremental: it is');
command_ok([ 'pg_verifybackup', $copies[1]{data} ], 'basebackup --incremental: pg_verifybackup');
my $joined = new_place('joined');
rmdir $joined->data_dir;
command_ok([ 'pg_combinebackup', '-N', '-o', $joined->data_dir, '-T', "$copies[1]{space}=$dir/joined.space", map { $_->{data} } @copies ],
    'basebackup --incremental: pg_combinebackup');
own_settings($joined);
$joined->start;
same_database($node, 'still', $joined, 'still', 'basebackup --incremental');
drop_server($joined);
spew_bytes("$dir/other_manifest", slurp_bytes("$copies[0]{data}/backup_manifest") =~ s/"System-Identifier": \d+/"System-Identifier": 1/r);
pgark_fails([ @copy, '-D', "$dir/none", '-T', "$space=$dir/none.space", '-i', "$dir/other_manifest" ], qr/manifest/,
    'basebackup --incremental: a manifest that is not right');
ok(!-e "$dir/none", 'basebackup --incremental: nothing is left');
$node->safe_psql('postgres', 'ALTER SYSTEM SET summarize_wal = off');
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
pgark_fails([ @copy, '-D', "$dir/none", '-T', "$space=$dir/none.space", '-i', "$copies[0]{data}/backup_manifest" ],
    qr/summar.*hint: A backup without --incremental/s, 'basebackup --incremental: without summaries');
$node->safe_psql('postgres', $_) for 'ALTER SYSTEM RESET summarize_wal', 'SELECT pg_reload_conf()';

# ---- a damaged page among the changed blocks
my $table = $node->safe_psql('still', q{SELECT pg_relation_filepath('big')});
$node->safe_psql('still', q{UPDATE big SET text = 'again' WHERE ctid = '(5,1)'; CHECKPOINT});
my $path = $node->data_dir . "/$table";
$node->stop;
my $bytes = slurp_bytes($path);
my $wrong = $bytes;
substr($wrong, 5 * 8192 + 8000, 4) ^= "\xde\xad\xbe\xef";
spew_bytes($path, $wrong);
$node->start;
pgark_fails([ 'backup', '--repo', $repo, @backup, '--incremental' ],
    qr/1 page with wrong checksums.*block 5 of file "\Q$table\E"/, 'a bad page among changed blocks');
$node->stop;
spew_bytes($path, $bytes);
$node->start;

# ---- what is missing or damaged in the chain
my $fresh = PostgreSQL::Test::Utils::tempdir() . '/new';
my @there = ('--map', "0=$fresh", '--tablespace-map', "$space=" . PostgreSQL::Test::Utils::tempdir_short());
my $set   = set_dir($repo, $second);
rename $set, "$set.away" or die "rename: $!";
pgark_fails([ @to, @there ], qr/set $third depends on set $second, which is not in repository/, 'a set of the chain is gone');
ok(!-e $fresh, 'a set of the chain is gone: nothing is made');
$json = pgark_json([ 'verify', $third, '--repo', $repo, '--quick' ], 'a set of the chain is gone: verify', 1);
like("@{ $json->{problems} }", qr/depends on set $second, which is not/, 'a set of the chain is gone: verify says so');
pgark_fails([ 'backup', '--repo', $repo, @backup, '--incremental-from', $third ], qr/--incremental-from: set $third: .*$second/,
    'a set of the chain is gone: nothing can be built on it');
rename "$set.away", $set or die "rename: $!";
my $part = object_of($repo, $second, qr/base\.0000/);
$bytes = slurp_bytes($part);
$wrong = $bytes;
substr($wrong, length($wrong) / 2, 1) ^= "\x01";
chmod 0600, $part;
spew_bytes($part, $wrong);
pgark_fails([ @to, @there ], qr/node 0: object .*base\.0000/, 'an older set is damaged');
ok(!-e $fresh, 'an older set is damaged: nothing stays');
$json = pgark_json([ 'verify', $third, '--repo', $repo ], 'an older set is damaged: verify', 1);
like("@{ $json->{problems} }", qr/set $second: object .*base\.0000/, 'an older set is damaged: verify says which');
spew_bytes($part, $bytes);

# forged WHAT, PATTERN, EDIT - a set of the chain is not what the others were built on, whatever its hash says.
sub forged
{
    my ($what, $pattern, $edit) = @_;
    my $whole = slurp_bytes(set_dir($repo, $second) . '/manifest.jsonl');
    forge(set_dir($repo, $second), sub { map { $edit->($_) } @_ });
    pgark_fails([ @to, @there ], $pattern, "$what: restore");
    ok(!-e $fresh, "$what: nothing is made");
    my $found = pgark_json([ 'verify', $third, '--repo', $repo, '--quick' ], "$what: verify", 1);
    like("@{ $found->{problems} }", $pattern, "$what: verify says so");
    spew_bytes(set_dir($repo, $second) . '/manifest.jsonl', $whole);
    return;
}
forged('another system identifier', qr/cannot be built on set .*: node 0 is another server there/,
    sub { $_[0] =~ s/("system_identifier":")\d/${1}9/r });
forged('another major version', qr/node 0 has another major version there/,
    sub { $_[0] =~ s/("server_version_num":)\d\d/${1}16/r });
forged('a set that is built on another one', qr/set $second cannot be built on set|is incremental to another set/,
    sub { $_[0] =~ s/("base":")\d{14}/${1}20200101000000/r });

# ---- what can go
my $alone = backup($repo, @backup);
my $expire = pgark_json([ 'expire', '--repo', $repo, '--keep=2' ], 'expire');
is_deeply([ grep { $_ ne $rows } repo_sets($repo) ], [ sort $full, $second, $third, $alone ], 'expire keeps what a kept set is built on');
pgark_ok([ 'verify', $third, '--repo', $repo ], 'the chain is whole');
pgark_ok([ 'expire', '--repo', $repo, '--keep=1' ], 'expire');
is_deeply([ grep { $_ ne $rows } repo_sets($repo) ], [$alone], 'and removes the chain as a whole');

# ---- the server cannot tell what has changed
$node->append_conf('postgresql.conf', "summarize_wal = off\n");
$node->reload;
wait_for_query($node, 'postgres', q{SELECT current_setting('summarize_wal') = 'off'});
$err = pgark_fails([ 'backup', '--repo', $repo, @backup, '--incremental' ], qr/node 0 .*summarize_wal is off/, 'no summaries are made');
like($err, qr/hint: Set summarize_wal/, 'no summaries are made: the hint');
$node->safe_psql('still', 'CREATE TABLE unseen AS SELECT i FROM generate_series(1, 1000) i; CHECKPOINT');
$node->stop;
unlink glob $node->data_dir . '/pg_wal/summaries/*';
$node->append_conf('postgresql.conf', "summarize_wal = on\n");
$node->start;
$node->safe_psql('postgres', 'SELECT pg_switch_wal(); CHECKPOINT') for 1 .. 3;
$err = pgark_fails([ 'backup', '--repo', $repo, @backup, '--incremental' ], qr/summaries are required.*incomplete/s, 'summaries are missing');
like($err, qr/hint: A backup without --incremental/, 'summaries are missing: the hint');
no_set_added('summaries are missing', $repo, sort $rows, $alone);
no_slots('summaries are missing', $node);

# ---- the servers are no more what they were
my $again = backup($repo, @backup);
$node->stop;
$node->append_conf('standby.signal', '');
$node->start;
$node->promote;
$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'no promotion';
wait_for_query($node, 'postgres', q{SELECT timeline_id = 2 FROM pg_control_checkpoint()}, 'a new timeline');
pgark_fails([ 'backup', '--repo', $repo, @backup, '--incremental-from', $again ],
    qr/--incremental-from: set $again is of timeline 1 at node 0, which is on timeline 2 now/, 'another timeline');
($code, $out, $err) = pgark('backup', '--repo', $repo, @backup, '--incremental', '--no-sync');
is($code, 0, 'another timeline: exit code') or diag($err);
like($err, qr/set $again is of timeline 1 .*\n.*it will be a full one/, 'another timeline: the set is whole, and why');
drop_server($node);

# ---- a fleet
my @servers = map { physical_server("shard$_", conf => $conf) } 0 .. 1;
$repo = new_repo();
my @fleet = map { ('--node', conninfo($_, 'bank')) } @servers;
my $total = money_setup(\@servers, 'bank', 50, 1);
my $money = money_start(\@servers, 'bank', '--accounts', 50, '--plain', 2, '--prepared', 1, '--chain', 1);
my $whole = backup($repo, '--physical', @fleet);
my $added = backup($repo, '--physical', @fleet, '--incremental');
money_stop($money);
no_traces('a fleet', undef, @servers);
no_slots('a fleet', @servers);
is(show($added)->{physical}[1]{base}, $whole, 'a fleet: each node has its part of the base');
my @places = map { new_place("bank$_") } 0 .. 1;
restored($repo, $added, 'a fleet', \@places) or die 'no restore';
my $sum = 0;
for my $one (@places)
{
    $one->safe_psql('bank', "ROLLBACK PREPARED '$_'")
      for split /\n/, $one->safe_psql('bank', 'SELECT gid FROM pg_prepared_xacts');
    $sum += $one->safe_psql('bank', 'SELECT sum(amount) FROM account');
    drop_server($one);
}
is($sum, $total, 'a fleet: money between its servers is whole');

# The same fleet, by its name, of other servers.
my $file = PostgreSQL::Test::Utils::tempdir() . '/fleet.conf';
for my $order ([ 0, 1 ], [ 1, 0 ])
{
    spew_bytes($file, "[fleet]\nname = banks\n" . join '',
        map { "[node $_]\nconninfo = " . conninfo($servers[ $order->[$_] ], 'bank') . "\n" } 0 .. 1);
    $whole = backup($repo, '--physical', '--fleet', $file) if $order->[0] == 0;
}
pgark_fails([ 'backup', '--repo', $repo, '--physical', '--fleet', $file, '--incremental-from', $whole ],
    qr/--incremental-from: set $whole is of another server at node 0/, 'servers in another order are other nodes');
pgark_fails([ 'backup', '--repo', $repo, '--physical', @fleet, '--incremental-from', $whole ],
    qr/--incremental-from: set $whole is of another fleet/, 'another fleet');

done_testing();
