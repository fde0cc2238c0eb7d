# gp_dump, gp_dump_agent, gp_restore and gp_restore_agent on one server: the command lines of their old
# documentation, their files, what gunzip and psql make of them, options, and what goes wrong.
use strict;
use warnings;
use IPC::Run;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = make_server('node');
my $base = PostgreSQL::Test::Utils::tempdir('dumps');
my ($host, $port, $user) = ($node->host, $node->port, $node->safe_psql('postgres', 'SELECT current_user'));
$node->safe_psql('postgres', 'CREATE DATABASE test');
$node->safe_psql('test', <<'SQL');
CREATE TABLE a (id int PRIMARY KEY, v text);
CREATE TABLE b (id serial, a int REFERENCES a);
CREATE TABLE p (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
CREATE SCHEMA s;
CREATE TABLE s."x y" (t text);
INSERT INTO a SELECT g, 'row ' || g FROM generate_series(1, 300) g;
INSERT INTO b (a) SELECT g FROM generate_series(1, 50) g;
INSERT INTO p SELECT g, 'part' FROM generate_series(0, 199) g;
INSERT INTO s."x y" VALUES (E'-- 0123456789abcdef0123456789abcdef rows\n\\.\n-- rows'), (NULL), ('');
CREATE INDEX ON a (v);
CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM a;
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $f$
SELECT 'x'
-- rows
$f$;
SQL
my @at  = ('-h', $host);
my $new = sub { my ($db) = @_; $node->safe_psql('postgres', "DROP DATABASE IF EXISTS $db"); $node->safe_psql('postgres', "CREATE DATABASE $db"); };
my $key_of = sub { my ($dir) = @_; my ($name) = grep { /\Agp_dump_\d{14}\.rpt\z/ } gp_files($dir); return ($name // '') =~ /(\d{14})/ ? $1 : ''; };

# ---- gp_dump --gp-d /tmp/dump <databaseName>-------------------------------

my $dir = "$base/dump";
my $out = gp_tool_ok('gp_dump', [ '--gp-d', $dir, '-p', $port, '-U', $user, @at, 'test' ], 'gp_dump');
my $key = $key_of->($dir);
is(join(' ', gp_files($dir)),
    "gp_cdatabase_-1_1_$key gp_dump_-1_1_$key.gz gp_dump_-1_1_${key}_post_data.gz gp_dump_$key.rpt gp_dump_status_-1_1_$key",
    'its files, and nothing besides');
$new->('copy');
run_script($node, 'copy', glob("$dir/gp_dump_-1_1_*.gz"));
same_database($node, 'test', $node, 'copy', 'gunzip and psql');
no_traces('gp_dump', undef, $node);

my $report = slurp_bytes("$dir/gp_dump_$key.rpt");
is($out, $report, 'the report is also printed');
like($report, qr/^Timestamp Key: $key$/m, 'report: the key');
like($report, qr/^gp_dump Command Line: gp_dump --gp-d \Q$dir\E -p $port/m, 'report: the command line');
like($report, qr/^Compression Program: gzip$/m, 'report: how it is compressed');
like($report, qr/^Backup Type: Full$/m, 'report: of what type it is');
like($report, qr/^\tMaster \(dbid 1\) Host \S+ Port $port Database test BackupFile \Q$dir\E\/gp_dump_-1_1_$key\.gz: Succeeded$/m, 'report: a line for the script');
like($report, qr/_post_data\.gz: Succeeded$/m, 'report: and for its second half');
like($report, qr/\ngp_dump utility finished successfully\.\n\z/, 'report: the last line');
like(slurp_bytes("$dir/gp_dump_status_-1_1_$key"), qr/-\[INFO\]:-Finished successfully$/m, 'the status file says how it ended');
like(slurp_bytes("$dir/gp_cdatabase_-1_1_$key"), qr/^CREATE DATABASE "?test"? WITH TEMPLATE = template0 /m, 'gp_cdatabase makes the database');
is((stat $_)[2] & 07777, -d $_ ? 0700 : 0600, "$_ is for nobody else") for $dir, glob("$dir/*");

# ---- the other command lines of the seeds -----------------------------------------------------------

# gp_dump -p %d -U %s --gp-d=%s --gp-r=%s --gp-s=p --gp-k=%s --no-lock, as gpcrondump called it
gp_tool_ok('gp_dump', [ '-p', $port, '-U', $user, "--gp-d=$base/cron", "--gp-r=$base/report", '--gp-s=p', '--gp-k=20160903170320', '--no-lock', @at, 'test' ], 'as gpcrondump called it');
ok(-e "$base/report/gp_dump_20160903170320.rpt", 'the report goes where --gp-r says');
ok(-e "$base/cron/gp_dump_-1_1_20160903170320.gz", 'the files where --gp-d does');
# gp_dump --gp-k 20161103091726_0_2_ --gp-d /tmp/dump -p 25432 -U gpadmin test
gp_tool_ok('gp_dump', [ '--gp-k', '20161103091726_0_2_', '--gp-d', "$base/two", '-p', $port, '-U', $user, @at, 'test' ], 'a key of four parts');
ok(-e "$base/two/gp_dump_0_2_20161103091726.gz", 'names the files');
# gp_dump_agent --gp-k 20161103233926_1_1_ --gp-d /tmp/dump -p 15432 -U test --pre-and-post-data-schema-only test
my $text = gp_tool_ok('gp_dump_agent', [ '--gp-k', '20161103233926_1_1_', '--gp-d', "$base/agent", '-p', $port, '-U', $user, '--pre-and-post-data-schema-only', @at, 'test' ], 'gp_dump_agent');
is(join(' ', gp_files("$base/agent")), 'gp_cdatabase_1_1_20161103233926 gp_dump_1_1_20161103233926_post_data gp_dump_status_1_1_20161103233926', 'its files');
spew_bytes("$base/agent/gp_dump_1_1_20161103233926", $text);
$new->('copy');
run_script($node, 'copy', "$base/agent/gp_dump_1_1_20161103233926", "$base/agent/gp_dump_1_1_20161103233926_post_data");
same_text(dump_text($node, 'copy', '-s'), dump_text($node, 'test', '-s'), 'the definitions restore');
is($node->safe_psql('copy', 'SELECT count(*) FROM a'), 0, 'and are all there is');

# A database may be called as a command of pgark is.
$new->('agent');
gp_tool_ok('gp_dump', [ 'agent', '--gp-d', "$base/named", '-p', $port, @at ], 'a database named agent');

# ---- gp_restore --------------------------------------------------------------------------------------

$new->('copy');
my @restore = ('--gp-d', "$base/cron", '--gp-k', '20160903170320', '-p', $port, @at, '-d', 'copy');
$out = gp_tool_ok('gp_restore', [@restore], 'gp_restore');
same_database($node, 'test', $node, 'copy', 'gp_restore');
like($out, qr/gp_restore utility finished successfully\.\n\z/, 'its report says so');
is(slurp_bytes("$base/cron/gp_restore_20160903170320.rpt"), $out, 'which is also a file');
gp_tool_fails('gp_restore', [@restore], qr/already exists/, 'into what is there');
like(slurp_bytes("$base/cron/gp_restore_20160903170320.rpt"), qr/: Failed\n.*: Not run\n.*\ngp_restore utility finished unsuccessfully with 2 failures\.\n\z/s, 'its report says that, too');
my $counts = 'SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM p), (SELECT count(*) FROM s."x y"), (SELECT count(*) FROM pg_constraint WHERE contype = $$f$$), (SELECT last_value FROM b_id_seq)';
$new->('copy');
gp_tool_ok('gp_restore', [ @restore, '-s', '-P' ], 'gp_restore -s -P');
is($node->safe_psql('copy', $counts), '0|0|0|0|1', 'the definitions before the rows');
gp_tool_ok('gp_restore', [ @restore, '-a' ], 'gp_restore -a');
is($node->safe_psql('copy', $counts), '300|200|3|0|50', 'the rows');
gp_tool_ok('gp_restore', [ @restore, '-P' ], 'gp_restore -P');
same_database($node, 'test', $node, 'copy', 'the three together');
$new->('copy');
gp_tool_ok('gp_restore', [ @restore, '-s' ], 'gp_restore -s');
same_text(dump_text($node, 'copy', '-s'), dump_text($node, 'test', '-s'), 'all definitions');
is($node->safe_psql('copy', $counts), '0|0|0|1|1', 'and no row');
# --gp-i goes on, and is not content.
$new->('copy');
$node->safe_psql('copy', "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT NULL'");
gp_tool_fails('gp_restore', [ @restore, '--gp-i', '--status', "$base/status" ], qr/statements of \d scripts? failed/, 'gp_restore --gp-i');
is($node->safe_psql('copy', 'SELECT count(*) FROM p'), 200, 'it went on');
like(slurp_bytes("$base/status/gp_restore_status_-1_1_20160903170320"), qr/ERROR: .*function "f" already exists/, 'and says what failed');
# --gp-f: of some tables, all that is theirs, and nothing else.
my $listed = sub { my (@lines) = @_; spew_bytes("$base/tables", join '', map { "$_\n" } @lines); return ('--gp-f', "$base/tables"); };
my $relations = q{SELECT string_agg(n.nspname || '.' || relname, ' ' ORDER BY n.nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE n.nspname IN ('public', 's') AND relkind <> 't'};
$new->('copy');
gp_tool_ok('gp_restore', [ @restore, $listed->('public.b', 's."x y"') ], 'gp_restore --gp-f');
is($node->safe_psql('copy', $relations), 'public.b public.b_id_seq s.x y', 'these tables, and the sequence of one');
is($node->safe_psql('copy', 'SELECT count(*), nextval($$b_id_seq$$), (SELECT count(*) FROM s."x y") FROM b'), '50|51|3', 'with their rows and values');
is($node->safe_psql('copy', 'SELECT count(*) FROM pg_constraint WHERE contype = $$f$$'), '0', 'a foreign key to another table stays away');
gp_tool_ok('gp_restore', [ @restore, '-s', $listed->('public.a') ], 'gp_restore -s --gp-f');
is($node->safe_psql('copy', 'SELECT (SELECT count(*) FROM a), (SELECT string_agg(indexname, $$ $$ ORDER BY 1) FROM pg_indexes WHERE tablename = $$a$$)'), '0|a_pkey a_v_idx', 'its indexes, and no row');
gp_tool_ok('gp_restore', [ @restore, '-a', $listed->('public.a', 'public.a') ], 'gp_restore -a --gp-f');
is($node->safe_psql('copy', 'SELECT count(*) FROM a'), '300', 'its rows');
same_text(dump_text($node, 'copy', '-t', 'a'), dump_text($node, 'test', '-t', 'a'), 'the table is as it was');
is($node->safe_psql('copy', "SELECT count(*) FROM pg_proc WHERE proname = 'f'"), '0', 'a function is no table');
$new->('copy');
gp_tool_ok('gp_restore', [ @restore, $listed->('public.*') ], 'gp_restore --gp-f with a whole schema');
is($node->safe_psql('copy', "$relations AND n.nspname = 's'"), '', 'only it');
same_text(dump_text($node, 'copy', '-t', 'public.*'), dump_text($node, 'test', '-t', 'public.*'), 'and all of it, with keys, partitions and views');
$new->('copy');
gp_tool_fails('gp_restore', [ @restore, $listed->('public.a', 'public.nosuch') ], qr/the script has no public\.nosuch\n/, 'a table that is not there');
gp_tool_fails('gp_restore', [ '--gp-d', "$base/named", '--gp-k', $key_of->("$base/named"), '-p', $port, @at, '-d', 'copy', $listed->('public.a') ],
    qr/the script has no public\.a\n/, 'a dump without any table');
gp_tool_fails('gp_restore', [ @restore, $listed->('public.a', 'pg_catalog.pg_class') ], qr/schema pg_catalog is the system's/, 'a table of the system');
gp_tool_fails('gp_restore', [ @restore, $listed->('a') ], qr/--gp-f: .*tables, line 1: expected "schema\.table"/, 'no schema');
gp_tool_fails('gp_restore', [ @restore, $listed->() ], qr/there is no name in/, 'an empty list');
gp_tool_fails('gp_restore', [ @restore, '--gp-f', "$base/none" ], qr/--gp-f: .*none/, 'no list');
is($node->safe_psql('copy', $relations), '', 'nothing was restored by these');
# gp_restore_agent runs one script, or what gp_dump_agent has made.
$new->('copy');
gp_tool_ok('gp_restore_agent', [ '--gp-k', '20161103091726_0_2_', '--gp-d', "$base/two", '--gp-c', 'gunzip', '--gp-e', '-p', $port, '-U', $user, @at, '-d', 'copy', "$base/two/gp_dump_0_2_20161103091726.gz" ], 'gp_restore_agent FILE');
is($node->safe_psql('copy', $counts), '300|200|3|0|50', 'the script');
gp_tool_ok('gp_restore_agent', [ '--gp-k', '20161103091726_0_2_', '--gp-d', "$base/two", '--post-data-schema-only', '-p', $port, @at, '-d', 'copy' ], 'gp_restore_agent --post-data-schema-only');
same_database($node, 'test', $node, 'copy', 'both');

# ---- what is dumped ------------------------------------------------------------------------------------

my $try = 0;
my $dumped = sub {
    my (@options) = @_;
    my $to = "$base/try" . ++$try;
    gp_tool_ok('gp_dump', [ '--gp-d', $to, '-p', $port, @at, '--gp-c=none', @options, 'test' ], "gp_dump @options");
    my ($file) = glob("$to/*gp_dump_-1_1_*[0-9]");
    my $all = join '', map { slurp_bytes($_) } grep { !/status|rpt|cdatabase/ } glob("$to/*");
    return $all;
};
my $all = $dumped->('-t', 'p');
like($all, qr/^COPY "public"\."p2" /m, '-t of a partitioned table means its partitions');
unlike($all, qr/public\.a |\"public\"\.\"a\"/, 'and no other table');
unlike($dumped->('-t', 'p', '--no-expand-children'), qr/^COPY "public"\."p2" /m, '--no-expand-children does not');
$all = $dumped->('-n', 's', '-O', '-x');
like($all, qr/^COPY "s"\."x y" /m, '-n: a schema');
unlike($all, qr/OWNER TO|public\"?\.\"?a/, 'without owners, and no other');
like($dumped->('--inserts', '-T', 'p*'), qr/^INSERT INTO "public"\."a" .*VALUES/m, '--inserts gets where it should');
like($dumped->('-a', '--disable-triggers', '-t', 'a'), qr/ALTER TABLE "public"\."a" DISABLE TRIGGER ALL;.*COPY "public"\."a"/s, '-a --disable-triggers');
unlike($dumped->('-s'), qr/^COPY /m, '-s: no row');
spew_bytes("$base/list", "public.a\r\ns.\"x y\"\n");
$all = $dumped->("--table-file=$base/list");
like($all, qr/^COPY "s"\."x y" /m, '--table-file');
unlike($all, qr/public\"?\.\"?b/, 'and nothing else');
$all = $dumped->('-c', '--prefix', 'nightly_');
like($all, qr/^DROP TABLE IF EXISTS public\.a;/m, '-c drops first');
is(scalar(grep { !/\Anightly_gp_/ } gp_files("$base/try$try")), 0, '--prefix is before every name');
spew_bytes("$base/clean.sql", $all);
run_script($node, 'copy', "$base/clean.sql");
same_database($node, 'test', $node, 'copy', '-c over a database that is full');
gp_tool_ok('gp_dump', [ '--help' ], '--help');
like($PgarkTest::last_out, qr/^Usage:\n  gp_dump /, 'says what there is');
is((gp_tool('gp_restore', '--version'))[1] =~ /\Agp_restore \(pgark\) \d/ ? 1 : 0, 1, '--version');

# ---- what is refused -------------------------------------------------------------------------------------

my @dump = ('--gp-d', "$base/refused", '-p', $port, @at);
for my $case (
    [ qr/exclude each other/,       '-a', '-s' ],
    [ qr/exclude each other/,       '-a', '-c' ],
    [ qr/exclude each other/,       '-s', '--inserts' ],
    [ qr/Did you mean --exclude-table/, '--exlude-table=a' ],
    [ qr/--oids is not taken/,      '--oids' ],
    [ qr/--ddboost is not taken/,   '--ddboost' ],
    [ qr/netbackup-policy is not taken/, '--netbackup-policy', 'x' ],
    [ qr/--incremental is not taken/, '--incremental' ],
    [ qr/not the key of a set/,     '--gp-k', '2016110323392' ],
    [ qr/not the key of a set/,     '--gp-k', '20161303233926' ],
    [ qr/not 14 digits/,            '--gp-k', '20161103233926_1' ],
    [ qr/password in the key/,      '--gp-k', '20161103233926_1_1_c2VjcmV0' ],
    [ qr/not the key of a set/,     '--gp-k', '$(reboot);00000' ],
    [ qr/no plain name/,            '--prefix', '../x' ],
    [ qr/neither p nor i/,          '--gp-s', 'i[]' ],
    [ qr/no node has the dbid 7/,   '--gp-s=i[1,7]' ],
    [ qr/neither gzip nor none/,    '--gp-c=rm' ],
    [ qr/nosuch/,                   '-t', 'nosuch' ],
    [ qr/no name is in/,            '--table-file', '/dev/null' ],
    [ qr/-X: "gp-catalog-skip"/,    '-X', 'gp-catalog-skip' ])
{
    my ($pattern, @options) = @$case;
    gp_tool_fails('gp_dump', [ @dump, @options, 'test' ], $pattern, "gp_dump @options");
}
gp_tool_fails('gp_dump', [ @dump, 'nosuch' ], qr/database "nosuch" does not exist/, 'no such database');
gp_tool_fails('gp_dump', [ @dump, 'a', 'b' ], qr/takes no argument "b"/, 'two databases');
gp_tool_fails('gp_dump', [ '--gp-d', '/dev/null/x', '-p', $port, @at, 'test' ], qr/could not|no directory/, 'a directory that cannot be made');
is(scalar(grep { !/status|\.rpt/ } gp_files("$base/refused")), 0, 'nothing of what was refused is left');
my ($failed) = glob("$base/refused/*.rpt");
like(slurp_bytes($failed), qr/: Failed \{.*nosuch.*\}\n.*\ngp_dump utility finished unsuccessfully with 2 failures\.\n\z/s, 'a report says what failed');
gp_tool_fails('gp_dump', [ '--gp-d', $dir, '--gp-k', $key, '-p', $port, @at, 'test' ], qr/has files with the key $key/, 'no file is ever replaced');
gp_tool_fails('gp_restore', [ '--gp-d', $dir, '-d', 'copy', '-p', $port, @at ], qr/--gp-k names the dump/, 'gp_restore: no key');
gp_tool_fails('gp_restore', [ '--gp-d', $dir, '--gp-k', '20200101000000', '-d', 'copy', '-p', $port, @at ], qr/has no scripts of key/, 'gp_restore: nothing of that key');
gp_tool_fails('gp_restore', [ @restore, '-a', '-P' ], qr/exclude each other/, 'gp_restore -a -P');

# ---- scripts that are damaged -------------------------------------------------------------------------------

my $damaged = sub {
    my ($name, $bytes, $pattern, @options) = @_;
    my $to = "$base/damaged" . ++$try;
    mkdir $to;
    spew_bytes("$to/$name", $bytes);
    $new->('copy');
    gp_tool_fails('gp_restore', [ '--gp-d', $to, '--gp-k', '20160903170320', '-p', $port, @at, '-d', 'copy', @options ], $pattern, "damaged: $name @options");
};
my $good = slurp_bytes("$base/cron/gp_dump_-1_1_20160903170320.gz");
$damaged->('gp_dump_-1_1_20160903170320.gz', substr($good, 0, length($good) / 2), qr/gp_dump_-1_1_20160903170320\.gz/);
$damaged->('gp_dump_-1_1_20160903170320', "CREATE TABLE t (a text);\nCOPY t FROM stdin;\nx\n", qr/./);
$damaged->('gp_dump_-1_1_20160903170320', "SELECT 'open", qr/./);
$damaged->('gp_dump_-1_1_20160903170320', "SELECT 1;\n", qr/does not mark its parts/, '-a');
my ($code, undef, $err) = gp_tool('gp_restore', '--gp-d', "$base/damaged$try", '--gp-k', '20160903170320', '-p', $port, @at, '-d', 'copy');
is($code, 0, 'a script by another hand runs as a whole') or diag $err;
# What the report tells of and is not there any more.
system('cp', '-r', $dir, "$base/lost") == 0 or die;
unlink "$base/lost/gp_dump_-1_1_${key}_post_data.gz" or die;
my @lost = ('--gp-d', "$base/lost", '--gp-k', $key, '-p', $port, @at, '-d', 'copy');
$new->('copy');
gp_tool_fails('gp_restore', [@lost], qr/"gp_dump_-1_1_${key}_post_data\.gz" is not in .*, and the dump wrote it/, 'a script is lost');
is($node->safe_psql('copy', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace}), 0, 'a script is lost: nothing is begun');
gp_tool_ok('gp_restore', [ @lost, '-s', '-P' ], 'a script is lost: what needs it not is restored');
gp_tool_ok('gp_restore', [ @lost, '-a' ], 'a script is lost: so are rows');
system('gunzip', "$base/lost/gp_dump_-1_1_$key.gz") == 0 or die;
unlink "$base/lost/gp_dump_$key.rpt" or die;
$new->('copy');
gp_tool_ok('gp_restore', [@lost], 'a script is lost: without the report, too');
unlink "$base/two/gp_dump_0_2_20161103091726";
system('sh', '-c', 'gunzip -c "$1.gz" > "$1"', 'sh', "$base/two/gp_dump_0_2_20161103091726");
gp_tool_fails('gp_restore', [ '--gp-d', "$base/two", '--gp-k', '20161103091726', '-p', $port, @at, '-d', 'copy' ], qr/two forms of one script/, 'a script that is there twice');

done_testing();
