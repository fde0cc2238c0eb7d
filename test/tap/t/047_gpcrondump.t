# gpcrondump: every command line of its users' notes, its files, log lines, history, exit codes.
use strict;
use warnings;
use CronTest;
use PgarkTest;
use Test::More;

my $server = make_server('db');
my $home   = cron_setup($server);
my $dir    = PostgreSQL::Test::Utils::tempdir('cron');
$server->safe_psql('postgres', 'CREATE DATABASE databases');
$server->safe_psql('databases', <<'SQL');
CREATE SCHEMA schemaname;
CREATE TABLE schemaname.tablename (id int PRIMARY KEY, t text);
INSERT INTO schemaname.tablename SELECT i, 'row ' || i FROM generate_series(1, 1000) i;
CREATE TABLE schemaname.other AS SELECT generate_series(1, 10) AS x;
CREATE TABLE schemaname.parted (i int) PARTITION BY RANGE (i);
CREATE TABLE schemaname.part1 PARTITION OF schemaname.parted FOR VALUES FROM (0) TO (100);
INSERT INTO schemaname.parted SELECT 5;
CREATE TABLE public.outside AS SELECT 1 AS a;
SQL

sub in_set
{
    my ($key, $base) = @_;
    my $repo = ($base // $server->data_dir) . '/db_dumps';
    my $json = pgark_json([ 'show', $key, '--repo', $repo, '--tables=0' ], "pgark show reads $key");
    return join ' ', sort map { "$_->{schema}.$_->{name}" } @{ $json->{tables} // [] };
}

# ---- 3.1: everything
my $out = cron_ok([qw(-a -x databases)], '3.1: a database');
my ($key) = $out =~ /Timestamp key = (\d{14})/;
is(in_set($key), 'public.outside schemaname.other schemaname.part1 schemaname.tablename', '3.1: all tables');
is(join(' ', cron_files($key)),
    'gp_cdatabase_-1_1_KEY gp_dump_KEY.rpt gp_dump_KEY_ao_state_file gp_dump_KEY_co_state_file gp_dump_KEY_last_operation gp_dump_status_-1_1_KEY',
    '3.1: the files beside it');
my $day = substr($key, 0, 8);
my $at  = $server->data_dir . '/db_dumps';

# The log, in its layout and order.
my @lines = split /\n/, $out;
my $bad   = grep { !/\A\d{8}:\d\d:\d\d:\d\d:\d{6} gpcrondump:[^:]+:\w+-\[(INFO|WARNING)\]:-/ } @lines;
is($bad, 0, 'log: every line has the old layout');
my @order = (
    'Starting gpcrondump with args: -a -x databases',
    "Directory $at/$day not found, will try to create",
    "Created $at/$day",
    'Checked ' . $server->data_dir . ' on master',
    'Configuring for single-database, full dump',
    'Validating disk space',
    'Adding compression parameter',
    'Dump process command line pgark backup ',
    'Starting Dump process',
    'Dump process returned exit code 0',
    "Timestamp key = $key",
    'Checked master status file and master dump file.',
    'Inserted dump record into public.gpcrondump_history in databases database',
    'Dump status report',
    '---------------------------------------------------',
    'Target database                          = databases',
    "Dump subdirectory                        = $day",
    'Dump type                                = Full database',
    'Clear old dump directories               = Off',
    'Dump start time                          = ',
    'Dump end time                            = ',
    'Status                                   = COMPLETED',
    "Dump key                                 = $key",
    'Dump file compression                    = On',
    'Vacuum mode type                         = Off',
    'Exit code zero, no warnings generated',
    '---------------------------------------------------',
    "Found neither \$GPHOME/bin/mail_contacts nor $home/mail_contacts",
    'Unable to send dump email notification',
    'To enable email notification, create ',
);
s/\A\S+ [^\]]+\]:-// for @lines;
is(scalar @lines, scalar @order, 'log: as many lines as ever') or diag($out);
is(substr($lines[$_], 0, length $order[$_]), $order[$_], "log: line $_") for 0 .. $#order;
my ($log) = glob("$home/gpAdminLogs/gpcrondump_*.log");
is(slurp_bytes($log), $out, 'log: the file has the same');

my $report = slurp_bytes(cron_dir($key) . "/gp_dump_$key.rpt");
like($report, qr/^Timestamp Key: $key$/m, 'report: key');
like($report, qr/^gp_dump Command Line: gpcrondump -a -x databases$/m, 'report: command line');
like($report, qr/^Backup Type: Full$/m, 'report: type');
like($report, qr{^\tMaster \(dbid 1\) Host \S+ Port \d+ Database databases BackupFile \Q$at/$day/$key\E: Succeeded$}m, 'report: node');
like($report, qr/^gp_dump utility finished successfully\.\s*\z/m, 'report: how it ended');
like(slurp_bytes(cron_dir($key) . "/gp_dump_status_-1_1_$key"), qr/Finished successfully$/m, 'status: how it ended');
like(slurp_bytes(cron_dir($key) . "/gp_cdatabase_-1_1_$key"), qr/^CREATE DATABASE databases WITH TEMPLATE = template0/m, 'how the database is made');
is($server->safe_psql('databases', 'SELECT options, dump_key, dump_exit_status, script_exit_status, exit_text FROM public.gpcrondump_history'),
    "gpcrondump -a -x databases|$key|0|0|COMPLETED", 'history');

# ---- 3.2: a schema
$key = cron_key([qw(-a -x databases -s schemaname)], '3.2.1: a schema');
is(in_set($key), 'schemaname.other schemaname.part1 schemaname.tablename', '3.2.1: its tables');
$key = cron_key([qw(-a -x databases -s schemaname --prefix prefixname)], '3.2.2: with a prefix');
is(in_set($key), 'schemaname.other schemaname.part1 schemaname.tablename', '3.2.2: its tables');
is(join(' ', grep { /prefixname/ } cron_files($key)), join(' ', cron_files($key)), '3.2.2: every file has the prefix');
is(slurp_bytes(cron_dir($key) . "/prefixname_gp_dump_${key}_schema"), "schemaname\n", '3.2.2: the filter is kept for incremental dumps');
my $full = $key;
$server->safe_psql('databases', 'UPDATE schemaname.other SET x = x + 1; INSERT INTO outside VALUES (2)');
$key = cron_key([qw(-a -x databases --prefix prefixname --incremental)], '3.2.3: incremental');
is(in_set($key), 'schemaname.other schemaname.part1 schemaname.tablename', '3.2.3: the same tables');
is(slurp_bytes(cron_dir($key) . "/prefixname_gp_dump_${key}_dirty_list"), "schemaname.other\n", '3.2.3: what has changed');
is(slurp_bytes(cron_dir($key) . "/prefixname_gp_dump_${key}_table_list"), "schemaname.other\nschemaname.part1\nschemaname.tablename\n", '3.2.3: all tables');
is(slurp_bytes(cron_dir($full) . "/prefixname_gp_dump_${full}_increments"), "$key\n", '3.2.3: noted beside the full dump');
like(slurp_bytes(cron_dir($key) . "/prefixname_gp_dump_$key.rpt"), qr/^Backup Type: Incremental$/m, '3.2.3: report');

# ---- 3.3: tables
$key = cron_key([qw(-a -x databases --prefix prefixname -t schemaname.tablename)], '3.3.1: a table');
is(in_set($key), 'schemaname.tablename', '3.3.1: it alone');
is(slurp_bytes(cron_dir($key) . "/prefixname_gp_dump_${key}_table"), "schemaname.tablename\n", '3.3.1: the list');
spew_bytes("$dir/filename", "schemaname.other\r\n\r\n  schemaname.parted\t\r\nschemaname.other\n");
$key = cron_key([ qw(-a -x databases --prefix prefixname), "--table-file=$dir/filename" ], '3.3.2: tables of a file');
is(in_set($key), 'schemaname.other schemaname.part1', '3.3.2: CRLF, blanks, empty lines, duplicates; partitions with their table');
is(slurp_bytes(cron_dir($key) . "/prefixname_gp_dump_${key}_table"), "schemaname.other\nschemaname.parted\n", '3.3.2: the list');

# ---- 5.1: the log that the notes explain
spew_bytes("$dir/tablename.txt", "public.outside\n");
$out = cron_ok([ '-a', '-x', 'databases', "--table-file=$dir/tablename.txt" ], '5.1');
like($out, qr/Configuring for single-database, include-table dump\n.*Validating disk space\n.*Creating filter file: \S+_table\n.*Adding compression/, '5.1: in its order');

# ---- other choices
$key = cron_key([qw(-a -x databases -S schemaname -H)], '-S');
is(in_set($key), 'public.gpcrondump_history public.outside', '-S: all but a schema');
$key = cron_key([ qw(-a -x databases -T schemaname.parted -T schemaname.other -u), "$dir/new/place" ], '-T, -u');
is(in_set($key, "$dir/new/place"), 'public.gpcrondump_history public.outside schemaname.tablename', '-T: all but tables and their partitions; -u: made where it is missing');
my ($code, $said) = cron(qw(-a -x databases -T schemaname.nothing -u), "$dir/new/place");
is($code, 1, '-T of what is not there: exit code');
like($said, qr/\[WARNING\]:-table schemaname\.nothing, which is to be left out, is not in database "databases"/, '-T of what is not there: a warning');
like($said, qr/Exit code one/, '-T of what is not there: the report says so');
is($server->safe_psql('databases', 'SELECT exit_text FROM public.gpcrondump_history ORDER BY rec_date DESC LIMIT 1'), 'WARNING', '-T of what is not there: history');
spew_bytes("$dir/schemas", "# all of it\nschemaname\n");
$key = cron_key([ qw(-a -x databases -z -g -G --no-privileges --rsyncable -k -j -u), $dir, "--schema-file=$dir/schemas" ], 'everything that is taken along');
is(in_set($key, $dir), 'schemaname.other schemaname.part1 schemaname.tablename', '--schema-file');
is(join(' ', grep { /global|config/ } cron_files($key, $dir)), 'gp_global_-1_1_KEY gp_master_config_files_KEY.tar', '-g, -G: the files');
like(slurp_bytes(cron_dir($key, $dir) . "/gp_global_-1_1_$key"), qr/CREATE ROLE|ALTER ROLE/, '-G: roles');
like(slurp_bytes(cron_dir($key, $dir) . "/gp_master_config_files_$key.tar"), qr/postgresql\.conf/, '-g: a tar archive');
is(pgark_json([ 'show', $key, '--repo', "$dir/db_dumps" ], '-z')->{compress}, 'none', '-z: not compressed');

# ---- several databases, one after the other; names with everything in them
$server->safe_psql('postgres', qq{CREATE DATABASE "a,b"});
$server->safe_psql('a,b', qq{CREATE SCHEMA "s.x"; CREATE TABLE "s.x"."t,1:2" AS SELECT 1 AS x; CREATE TABLE "s.x"."line\nend" AS SELECT 1 AS x; CREATE TABLE public."quo""te" AS SELECT 1 AS x});
$out = cron_ok([ '-a', '-x', 'databases,"a,b"', '-x', 'databases', '-u', $dir ], 'several databases');
my @keys = $out =~ /Timestamp key = (\d{14})/g;
is(scalar @keys, 2, 'several databases: each once');
isnt($keys[0], $keys[1], 'several databases: keys of their own');
is(in_set($keys[1], $dir), qq{public.quo"te s.x.line\nend s.x.t,1:2}, 'names with comma, colon, newline, quote and dot');
spew_bytes("$dir/names", qq{"s.x"."line\nend"\n"s.x".t,1:2\npublic.quo"te\n});
$key = cron_key([ '-a', '-x', '"a,b"', "--table-file=$dir/names", '-u', $dir ], 'such names in a file');
is(in_set($key, $dir), qq{public.quo"te s.x.line\nend s.x.t,1:2}, 'such names in a file');
is(slurp_bytes(cron_dir($key, $dir) . "/gp_dump_${key}_table"), qq{"public"."quo""te"\n} =~ s/"public"/public/r . qq{"s.x"."line\nend"\n"s.x"."t,1:2"\n}, 'and they are written so that they can be read');
$key = cron_key([ '-a', '-x', '"a,b"', '-t', qq{"s.x"."t,1:2"}, '-u', $dir ], 'such a name as an option');
is(in_set($key, $dir), 's.x.t,1:2', 'such a name as an option');

# ---- the question
($code, $said) = cron(qw(-x databases -u), $dir);
is($code, 4, 'no answer is no: exit code');
like($said, qr/User canceled/, 'no answer is no');

# ---- keys
my @all = sort grep { /\A\d{14}\z/ } gp_files(cron_dir($key, $dir));
my $before = slurp_bytes(cron_dir($all[-1], $dir) . "/gp_dump_$all[-1].rpt");
cron_fails([ qw(-a -x databases -u), $dir, '-K', $all[-1] ], qr/there is a dump of the same day with the key/, 'a key that is there');
is(slurp_bytes(cron_dir($all[-1], $dir) . "/gp_dump_$all[-1].rpt"), $before, 'a key that is there: its report stays');
cron_fails([ qw(-a -x databases -u), $dir, '-K', '20991231235959' ], qr/future/, 'a key of the future');
cron_fails([ qw(-a -x databases -u), $dir, '-K', '20201399000000' ], qr/-K/, 'a key that is no date');
$key = cron_key([ qw(-a -x databases -u), $dir, '-K', '20200102030405' ], 'a key that is given');
is($key, '20200102030405', 'a key that is given is taken');
$out = cron_ok([ qw(-x databases -K 20200102030406 --list-backup-files -u), $dir ], '--list-backup-files');
is(slurp_bytes("$dir/db_dumps/20200102/gp_dump_20200102030406_pipes"), '', '--list-backup-files: nothing can be a pipe');
like(slurp_bytes("$dir/db_dumps/20200102/gp_dump_20200102030406_regular_files"), qr{:\Q$dir\E/db_dumps/20200102/20200102030406$}m, '--list-backup-files: what is written');
ok(!-e "$dir/db_dumps/20200102/20200102030406", '--list-backup-files: nothing is dumped');

# ---- -R
spew_bytes("$dir/script", "#!/bin/sh\necho said \$PGARK_KEY\nexit \${SCRIPT_EXIT:-0}\n");
chmod 0755, "$dir/script";
$out = cron_ok([ qw(-a -x databases -u), $dir, '-R', "$dir/script" ], '-R');
like($out, qr/said \d{14}$/m, '-R: it is run, and told the key');
{
    local $ENV{SCRIPT_EXIT} = 3;
    cron_fails([ qw(-a -x databases -u), $dir, '-R', "$dir/script" ], qr/\[WARNING\]:-.*exit code 3|\[WARNING\]:-.*3/, '-R: it fails', 1);
}
is($server->safe_psql('databases', 'SELECT script_exit_status FROM public.gpcrondump_history ORDER BY rec_date DESC LIMIT 1'), 1, '-R: history says so');
cron_fails([ qw(-a -x databases -u), $dir, '-R', "$dir/no_script" ], qr/no program that can be run/, '-R: it is missing', 1);

# ---- failures
$out = cron_fails([ qw(-a -x nothing -u), $dir ], qr/\[ERROR\]:-.*nothing/, 'a database that is not there');
cron_fails([ qw(-a -x databases -t schemaname.nothing -u), $dir ], qr/has no table schemaname\.nothing/, 'a table that is not there');
cron_fails([ qw(-a -x databases -s nothing -u), $dir ], qr/has no schema nothing/, 'a schema that is not there');
cron_fails([ qw(-a -x databases -s pg_catalog -u), $dir ], qr/-s: pg_catalog is a schema of the system/, 'a schema of the system');
spew_bytes("$dir/catalog", "schemaname\ngp_toolkit\n");
cron_fails([ qw(-a -x databases -u), $dir, "--exclude-schema-file=$dir/catalog" ], qr/--exclude-schema-file: gp_toolkit is a schema of the system/, 'such a schema in a file');
cron_fails([ qw(-a -x databases -E KLINGON -u), $dir ], qr/no encoding "KLINGON"/, 'an encoding that is not there');
cron_ok([ qw(-a -x databases -E LATIN1 -H -u), $dir ], 'an encoding that a restore can have');
my ($blocked_key) = (cron('-a', '-x', 'nothing,databases', '-H', '-u', $dir))[1] =~ /Timestamp key = (\d{14})/;
ok(defined $blocked_key, 'of two databases the other one is dumped');
spew_bytes("$dir/file", '');
cron_fails([ qw(-a -x databases -u), "$dir/file" ], qr/\[ERROR\]:-/, '-u is a file');
cron_fails([ qw(-a -x databases -f 99 -u), $dir ], qr/\[ERROR\]:-.*free/s, '-f: no room');
cron_ok([ qw(-a -x databases -b -u), $dir ], '-b: not looked at');

# ---- what waits, and what must not
my $waiting = session($server, 'databases');
$waiting->query_safe('BEGIN; LOCK TABLE schemaname.tablename IN ACCESS EXCLUSIVE MODE');
my $run;
{
    local $ENV{PGARK} = $ENV{PGARK} =~ s{[^/]*\z}{gpcrondump}r;
    $run = pgark_start(qw(-a -x databases -u), $dir);
}
wait_for_query($server, 'postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name ~ 'pgark' AND wait_event_type = 'Lock')}, 'a dump waits for a lock');
cron_fails([ qw(-a -x databases -u), $dir ], qr/another gpcrondump of the same server is running/, 'a second one meanwhile');
$waiting->query_safe('COMMIT');
$waiting->quit;
is((pgark_finish($run))[0], 0, 'the first one ends as if nothing had been');

# ---- no trace of passwords, nothing left
is(-e "$dir/db_dumps/sets" ? 1 : 0, 0, 'days lie at the root');
pgark_ok([ 'list', '--repo', "$dir/db_dumps" ], 'pgark list reads it');
like($PgarkTest::last_out, qr/^$key /m, 'and lists the sets');
pgark_ok([ 'verify', $key, '--repo', "$dir/db_dumps" ], 'pgark verify, too');
no_traces('end', undef, $server);
done_testing();
