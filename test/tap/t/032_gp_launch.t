# gp_backup_launch, gp_restore_launch and gp_read_backup_file: dumps and restores that the server starts.
use strict;
use warnings;
use IPC::Run;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_agents();

my $node = agent_server('node', 'shop');
my $dir  = PostgreSQL::Test::Utils::tempdir('dump');
my $data = $node->data_dir;
$node->safe_psql('shop', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 5000) g;
CREATE TABLE "odd ; $(name)" (a serial, b int REFERENCES t);
INSERT INTO "odd ; $(name)" (b) VALUES (1), (2);
CREATE INDEX ON t (v);
SQL
$node->safe_psql('postgres', 'CREATE ROLE clerk LOGIN IN ROLE pgark_backup; GRANT pg_read_all_data TO clerk')
  if $node->pg_version >= 14;

# launch SQL [, DB] - (exit code, stdout, stderr)
sub launch
{
    my ($what, $db) = @_;
    return $node->psql($db // 'shop', "SELECT * FROM $what");
}

# ---- the command of the old documentation --------------------------------------------------------

my $key = '20161103233926';
my ($code, $out, $err) = launch("gp_backup_launch('$dir/a/b', '$key', '', \$\$\$\$, '')");
is($code, 0,                          'gp_backup_launch') or diag $err;
is($out,  "$dir/a/b/gp_dump_1_1_$key", 'it gives the path');
is(join(' ', gp_files("$dir/a/b")),
    "gp_cdatabase_1_1_$key gp_dump_1_1_$key gp_dump_1_1_${key}_post_data gp_dump_status_1_1_$key",
    'the files, and nothing besides');
is((stat "$dir/a/b")[2] & 07777,      0700, 'the directory is for nobody else');
is((stat "$dir/a/b/gp_dump_1_1_$key")[2] & 07777, 0600, 'nor is a file');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
run_script($node, 'copy', $out, "${out}_post_data");
is($node->safe_psql('copy', q{SELECT count(*) FROM pg_extension WHERE extname = 'pgark'}), 0, 'the extension itself is not in it');
$node->safe_psql('copy', 'CREATE EXTENSION pgark');
same_database($node, 'shop', $node, 'copy', 'the file restores by psql');
like(slurp_bytes($node->logfile), qr/starts "\S+" agent gp_dump $key.*\n.*Job: \{.*"dir": "\Q$dir\E\/a\/b"/, 'the launch is in the log');
is($node->safe_psql('shop', "SELECT kind, outcome FROM pgark.task WHERE key = '$key'"), 'gp_dump|finished', 'and in pgark.task');

# The empty directory is the data directory, a relative one lies in it.
($code, $out, $err) = launch("gp_backup_launch('', '20161103232955', '', \$\$\$\$, '')");
is($out, "$data/gp_dump_1_1_20161103232955", 'no directory: the data directory');
unlink map { "$data/$_" } grep { /20161103232955/ } gp_files($data);
($code, $out, $err) = launch("gp_backup_launch('db_dumps/today', '20161103232956', 'gzip', '-t t', NULL)");
is($out, "$data/db_dumps/today/gp_dump_1_1_20161103232956.gz", 'a relative one is below it; gzip');
IPC::Run::run([ 'gunzip', '-c', $out ], '>', \my $text);
like($text,   qr/^CREATE TABLE public\.t /m, 'an option that is passed through chooses');
unlike($text, qr/odd ;/,                     'and leaves out');

# ---- options ---------------------------------------------------------------------------------------

my $n = 20200101000000;
for my $case (
    [ '--nonsense',              qr/no option --nonsense/ ],
    [ '-f /etc/passwd',          qr/no option -f/ ],
    [ '--table-file=/etc/passwd', qr/no option --table-file/ ],
    [ '--host=elsewhere',        qr/no option --host/ ],
    [ '-h elsewhere',            qr/no option -h/ ],
    [ '--gp-d=/etc',             qr/no option --gp-d/ ],
    [ '--help',                  qr/no such option/ ],
    [ '-aV',                     qr/no such option/ ],
    [ '-o',                      qr/no supported server has tables with oids/ ],
    [ '--ddboost',               qr/directories only/ ],
    [ '-a -s',                   qr/exclude each other/ ],
    [ '--prefix=../x',           qr/no plain name/ ],
    [ 'another',                 qr/takes no argument "another"/ ],
    [ '-t nosuch',               qr/nosuch/ ])
{
    my ($words, $pattern) = @$case;
    $n++;
    ($code, $out, $err) = launch("gp_backup_launch('$dir/refused', '$n', '', '$words', '')");
    isnt($code, 0, "passed through: $words");
    like($err, $pattern, "$words: the error says why");
}
is(scalar(grep { !/status/ } gp_files("$dir/refused")), 0, 'nothing is left of what was refused');

($code, $out, $err) = launch("gp_backup_launch('$dir/a/b', '$key', '', '', '')");
like($err, qr/has files with the key $key/, 'a key that is there is not taken again');
spew_bytes("$dir/file", '');
($code, $out, $err) = launch("gp_backup_launch('$dir/file', '$key', '', '', '')");
like($err, qr/is no directory/, 'a file is no directory');
($code, $out, $err) = launch("gp_backup_launch('/proc/x', '$key', '', '', '')");
like($err, qr/could not make the directory/, 'a directory that cannot be made');

# ---- who ---------------------------------------------------------------------------------------------

SKIP:
{
    skip 'roles that may read everything are newer', 1 if $node->pg_version < 14;
    ($code, $out, $err) = $node->psql('shop', "SET SESSION AUTHORIZATION clerk; SELECT gp_backup_launch('$dir/clerk', '$key', '', '-t t', '')");
    is($code, 0, 'a member of pgark_backup may') or diag $err;
    is($node->safe_psql('shop', "SELECT role FROM pgark.task WHERE key = '$key' AND kind = 'gp_dump'"), 'clerk', 'and works as itself');
}

# ---- restores --------------------------------------------------------------------------------------

# Started from the database that is restored.
$node->safe_psql('postgres', 'CREATE DATABASE back');
$node->safe_psql('back',     'CREATE EXTENSION pgark');
($code, $out, $err) = launch("gp_backup_launch('$dir/r', '$key', 'gzip', '', '')");
is($code, 0, 'a dump to restore') or diag $err;
my $restore = sub {
    my ($words, $stop) = @_;
    return launch("gp_restore_launch('$dir/r', '$key', 'gunzip', '$words', '', '--target-host x --target-dbid 1', 1, " . ($stop // 'true') . ')', 'back');
};
($code, $out, $err) = $restore->('');
is($code, 0, 'gp_restore_launch') or diag $err;
is($out, "$dir/r/gp_dump_1_1_$key.gz", 'it gives the path of the script');
is($node->safe_psql('back', "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM pg_indexes WHERE tablename = 't')"), '5000|0', 'the rows are there, nothing behind them');
($code, $out, $err) = $restore->('--post-data-schema-only');
is($code, 0, 'what comes behind the rows') or diag $err;
same_rows($node, 'shop', $node, 'back', 'a restore by SQL');
($code, $out, $err) = $restore->('');
isnt($code, 0, 'a statement that fails, fails the restore');
like($err, qr/already exists/, 'which says why');
($code, $out, $err) = $restore->('-s', 'false');
isnt($code, 0, 'without stopping at the first, too');
like($node->safe_psql('back', "SELECT gp_read_backup_file('$dir/r', '$key', 2)"), qr/\A\S*.*ERROR:.*already exists/, 'gp_read_backup_file gives the errors of a restore');
is($node->safe_psql('back', "SELECT gp_read_backup_file('$dir/r', '$key', 1)"), 'There is no further information.', 'or that there is none');
($code, $out, $err) = $restore->('-T x');
like($err, qr/no option -T/, 'an option that no restore has');

# Psql misses nothing where a statement ends.
system('gunzip', "$dir/r/gp_dump_1_1_$key.gz");
spew_bytes("$dir/r/gp_dump_1_1_$key", slurp_bytes("$dir/r/gp_dump_1_1_$key") =~ s/^-- [0-9a-f]{32} .*//msr);
($code, $out, $err) = $restore->('');
like("$code $err", qr/\A[1-9].*script ends too early/s, 'a script without its end');
spew_bytes("$dir/r/gp_dump_1_1_$key", '');
($code, $out, $err) = $restore->('');
like("$code $err", qr/\A[1-9].*script is empty/s, 'an empty script');

# A script runs statements, never commands of psql.
spew_bytes("$dir/r/gp_dump_1_1_$key", "\\! touch $dir/harm\nSELECT 1;\n");
($code, $out, $err) = $restore->('');
isnt($code, 0, 'a script with a command of psql is refused');
ok(!-e "$dir/harm", 'and the command is not run');
spew_bytes("$dir/r/gp_dump_1_1_$key", "COPY t FROM stdin;\n1\tx\n");
($code, $out, $err) = $restore->('');
isnt($code, 0, 'a script that ends within its rows');
symlink '/etc/passwd', "$dir/r/gp_dump_status_1_1_20200101000000";
($code, $out, $err) = launch("gp_read_backup_file('$dir/r', '20200101000000', 1)");
like($err, qr/could not open/, 'a status file that is a symbolic link is not read');

# ---- the end of the session is the end of the dump ----------------------------------------------------

my $session = $node->background_psql('shop');
$session->query_safe('BEGIN; LOCK TABLE t');
my $client = IPC::Run::start([ 'psql', '-XAtq', '-d', conninfo($node, 'shop'), '-c', "SELECT gp_backup_launch('$dir/c', '20200202000000', '', '', '')" ],
    '<', \undef, '>', \$out, '2>', \$err);
wait_for_query($node, 'postgres', "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted", 'the dump waits for the table');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%gp_backup_launch%' AND pid <> pg_backend_pid()");
eval { $client->finish };
$session->query_safe('ROLLBACK');
$session->quit;
no_traces('a session that ended', undef, $node);
is(scalar(grep { !/status/ } gp_files("$dir/c")), 0, 'and nothing of the dump is left');

done_testing();
