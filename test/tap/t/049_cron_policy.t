# gpcrondump over days: chains of incremental dumps, old dumps removed, mail, scripts, and what else has an option.
use strict;
use warnings;
use CronTest;
use IO::Socket::INET;
use PgarkTest;
use Test::More;

my $server = make_server('db');
my $home   = cron_setup($server);
my $dir    = PostgreSQL::Test::Utils::tempdir('cron');
$server->safe_psql('postgres', 'CREATE DATABASE shop');
$server->safe_psql('shop', <<'SQL');
CREATE TABLE never AS SELECT 0 AS x;
CREATE TABLE one AS SELECT i AS x FROM generate_series(1, 1000) i;
CREATE TABLE two AS SELECT i AS x FROM generate_series(1, 1000) i;
CREATE TABLE three AS SELECT i AS x FROM generate_series(1, 10) i;
CREATE SCHEMA other;
CREATE TABLE other.four AS SELECT 4 AS x;
SQL
my @here = ('-u', $dir, '-H');

sub query { my ($sql, $db) = @_; return $server->safe_psql($db // 'shop', $sql) }
sub sets  { return join ' ', map { substr($_, length("$dir/db_dumps/") + 9) } sort glob("$dir/db_dumps/2*/2*[0-9]") }

# file KEY, NAME - what is beside a set; KEY in NAME is the key.
sub file { my ($key, $name) = @_; (my $n = $name) =~ s/KEY/$key/; my $f = cron_dir($key, $dir) . "/$n"; return -e $f ? slurp_bytes($f) : undef }
sub dump_at { my ($key, @args) = @_; return cron_key([ qw(-a -x shop -K), $key, @here, @args ], "a dump of $key") }

# ---- a chain
cron_fails([ qw(-a -x shop --incremental --prefix nightly), @here ], qr/there is no whole dump of database "shop" with the prefix "nightly".*hint: .*without --incremental/s, 'nothing to build on');
dump_at('20250101030000', qw(--prefix nightly));
query('UPDATE two SET x = -x; TRUNCATE three');
dump_at('20250102030000', qw(--prefix nightly --incremental));
query('UPDATE one SET x = x + 1 WHERE x = 5; DROP TABLE other.four; CREATE TABLE five AS SELECT 5 AS x');
dump_at('20250103030000', qw(--prefix nightly --incremental));
is(file('20250102030000', 'nightly_gp_dump_KEY_dirty_list'), "public.three\npublic.two\n", 'chain: what the first one stores');
is(file('20250103030000', 'nightly_gp_dump_KEY_dirty_list'), "public.five\npublic.one\n", 'chain: what the second one stores');
is(file('20250103030000', 'nightly_gp_dump_KEY_table_list'), "public.five\npublic.never\npublic.one\npublic.three\npublic.two\n", 'chain: what it has');
is(file('20250101030000', 'nightly_gp_dump_KEY_increments'), "20250102030000\n20250103030000\n", 'chain: the full dump knows of both');
my $out = restore_ok([ qw(--list-backup -t 20250103030000 --prefix nightly -u), $dir ], '--list-backup');
is(join(' ', $out =~ /-(\d{14})$/mg), '20250101030000 20250102030000 20250103030000', '--list-backup: the chain');
restore_ok([ qw(-a -e -t 20250103030000 --prefix nightly --redirect copy -u), $dir ], 'chain: restored');
same_database($server, 'shop', $server, 'copy', 'chain: all is as it was');
restore_ok([ qw(-a -e -t 20250102030000 --prefix nightly --redirect copy -u), $dir ], 'chain: from its middle');
is(query('SELECT (SELECT count(*) FROM one WHERE x = 6), (SELECT count(*) FROM other.four), (SELECT count(*) FROM three)', 'copy'), '1|1|0', 'chain: as it was then');
query('TRUNCATE one, two, three', 'copy');
query('CREATE TABLE five (x int)', 'copy');
restore_ok([ qw(-a --noplan -t 20250103030000 --prefix nightly --redirect copy -u), $dir ], '--noplan');
is(query('SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two), (SELECT count(*) FROM five)', 'copy'), '1000|0|1', '--noplan: only what that dump stores');

# A filter of the full dump is that of those that build on it.
spew_bytes("$dir/list", "public.one\n");
dump_at('20250101040000', qw(--prefix filtered), "--exclude-table-file=$dir/list");
$out = cron_ok([ qw(-x shop --prefix filtered --incremental --list-filter-tables), @here ], '--list-filter-tables');
like($out, qr/All but these tables of dump 20250101040000:\npublic\.one$/m, '--list-filter-tables: it is told');
dump_at('20250102040000', qw(--prefix filtered --incremental));
is(file('20250102040000', 'filtered_gp_dump_KEY_table_list'), "public.five\npublic.never\npublic.three\npublic.two\n", 'an incremental dump has the filter of its base');
is(file('20250102040000', 'filtered_gp_dump_KEY_dirty_list'), '', 'and nothing of it has changed');
spew_bytes("$dir/schemas", "public\n");
query('CREATE SCHEMA more; CREATE TABLE more.six AS SELECT 6 AS x');
my $key = dump_at('20250104030000', "--exclude-schema-file=$dir/schemas", '--prefix', 'schemas');
is(file($key, 'schemas_gp_dump_KEY_exclude_schema'), "public\n", '--exclude-schema-file');

# ---- old dumps go, day by day
is(sets(), '20250101030000 20250101040000 20250102030000 20250102040000 20250103030000 20250104030000', 'what is there');

# A dump of a chain of which nothing is needed may go, and the chain goes on.
my $many = PostgreSQL::Test::Utils::tempdir('cron');
my @many = ('-u', $many, '-H', '--prefix', 'many');
cron_ok([ qw(-a -x shop -K), $_, @many, $_ eq '20250101030000' ? () : '--incremental' ], "a long chain, $_")
  for '20250101030000', '20250102030000', '20250103030000';
cron_ok([ '-o', @many, '--cleanup-date', '20250102' ], 'a long chain: one between goes');
cron_ok([ qw(-a -x shop -K 20250104030000 --incremental), @many ], 'a long chain goes on');
is(slurp_bytes(cron_dir('20250101030000', $many) . '/many_gp_dump_20250101030000_increments'),
    join('', map { "$_\n" } qw(20250102030000 20250103030000 20250104030000)), 'a long chain: the full dump knows of all');

$out = cron_fails(['-o', @here ], qr/\[WARNING\]:-Dump 20250101030000 stays: needed by others/, '-o: the oldest day, but not what others need', 1);
is(sets(), '20250101030000 20250101040000 20250102030000 20250102040000 20250103030000 20250104030000', '-o: all of it is needed');
like($out, qr/Removed the dumps of these days: none/, '-o: and that is said');
dump_at('20250105030000', qw(--prefix nightly));
dump_at('20250105040000', qw(--prefix filtered), "--exclude-table-file=$dir/list");
spew_bytes("$dir/db_dumps/20250101/gp_dump_-1_1_20250101050000.gz", 'of gp_dump');
spew_bytes("$dir/db_dumps/20250101/notes", 'somebody\'s');
cron_fails(['-o', @here, '--cleanup-date', '20250103' ], qr/a^|Removed dump 20250103030000 \(of that day\)/, '-o --cleanup-date', 0);
is(sets(), '20250101030000 20250101040000 20250102030000 20250102040000 20250104030000 20250105030000 20250105040000', '--cleanup-date: the end of a chain goes');
cron_fails(['-o', @here, '--cleanup-date', '20250103' ], qr/There is no day 20250103 with dumps/, '--cleanup-date: it is gone', 1);
cron_fails(['-o', @here, '--cleanup-total', '9' ], qr/There are only \d days with dumps before today, and not 9: none is removed/, '--cleanup-total: not so many', 1);
cron_ok([ '-o', @here, '--cleanup-total', '2' ], '--cleanup-total');
is(sets(), '20250104030000 20250105030000 20250105040000', '--cleanup-total: two days are gone');
is(join(' ', gp_files("$dir/db_dumps/20250101")), 'notes', 'with the files of other dumps of that day, but not with what is no dump\'s');
$out = cron_fails([ qw(-a -x shop -c), @here ], qr/Dump 20250104030000 stays: newest|Removed the dumps|Backup sets deleted/, '-c', 0);
like($out, qr/Clear old dump directories +   ?= On/, '-c: the report says so');
unlink "$dir/db_dumps/20250101/notes";
rmdir "$dir/db_dumps/20250101";
$out = cron_fails([ qw(-a -x shop -c --cleanup-date 20250104), @here ], qr/Dump 20250104030000 stays: newest/, '-c: the newest dump of a series stays', 1);
like(sets(), qr/^20250104030000 20250105030000 20250105040000 2/, '-c: nothing but old dumps goes');

# Several databases are one dump of the day.
my $two = PostgreSQL::Test::Utils::tempdir('cron');
query('CREATE DATABASE second');
cron_ok([ qw(-a -x shop -H -u), $two, '-K', $_ ], "two databases: $_") for qw(20250101030000 20250102030000 20250103030000);
cron_ok([ qw(-a -c -H -x), 'shop,second', '-u', $two ], 'two databases: -c');
is(join(' ', grep { /^2025/ } gp_files("$two/db_dumps")), '20250102 20250103', 'two databases: one day goes');
query('DROP DATABASE second');

# ---- mail
sub serve
{
    my ($client, $file) = @_;
    open my $log, '>>', $file or die $!;
    $log->autoflush(1);
    my $data = 0;
    print $client "220 here\r\n";
    while (defined(my $line = <$client>))
    {
        $line =~ s/\r?\n\z//;
        print $log "$line\n";
        if ($data) { $data = 0 if $line eq '.'; print $client "250 taken\r\n" if !$data }
        elsif ($line eq 'DATA') { $data = 1; print $client "354 go on\r\n" }
        elsif ($line eq 'QUIT') { print $client "221 bye\r\n"; last }
        else { print $client "250 yes\r\n" }
    }
    close $client;
    return;
}
my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die $!;
my $pid    = fork() // die $!;
if (!$pid)
{
    local $SIG{TERM} = sub { POSIX::_exit(0) };
    while (my $client = $listen->accept) { serve($client, "$dir/mail") }
    POSIX::_exit(0);
}
END { local $?; kill 'TERM', $pid if $pid; waitpid $pid, 0 if $pid }
sub mail { my $text = -e "$dir/mail" ? slurp_bytes("$dir/mail") : ''; unlink "$dir/mail"; $text =~ s/=\n//g; $text =~ s/=([0-9A-F]{2})/chr hex $1/ge; return $text }

spew_bytes("$home/mail_contacts", "# who is told\ndba\@example.org\n\nops\@example.org\r\n");
spew_bytes("$dir/mail.yaml", "EMAIL_DETAILS:\n  - DBNAME: shop\n    FROM: cron\@example.org\n    SUBJECT: the shop's dump\n");
{
    spew_bytes("$dir/conf", "[backup]\nmail-server = smtp://127.0.0.1:" . $listen->sockport . "\nmail-tls = none\n");
    local $ENV{PGARK_CONFIG} = "$dir/conf";
    $out = cron_ok([ qw(-a -x shop), @here ], 'with contacts');
    like($out, qr/Sent dump email notification to 2 addresses/, 'mail is sent');
    my $text = mail();
    like($text, qr/^RCPT TO:<$_\@example\.org>/m, "to $_") for qw(dba ops);
    like($text, qr/^Subject: gpcrondump of shop on \S+ \[COMPLETED\]$/m, 'the subject');
    like($text, qr/^Database       shop$/m, 'what it is about');
    cron_fails([ qw(-a -x shop -t public.nothing), @here, '--email-file', "$dir/mail.yaml" ], qr/no table public\.nothing/, 'with --email-file');
    $text = mail();
    like($text, qr/^MAIL FROM:<cron\@example\.org>/m, '--email-file: the sender');
    like($text, qr/^Subject: the shop's dump \[FAILED\]$/m, '--email-file: the subject');
    like($text, qr/^Error          .*public\.nothing/m, 'the error');
    spew_bytes("$dir/conf", "[backup]\nmail-server = smtp://127.0.0.1:1\n");
    cron_fails([ qw(-a -x shop), @here ], qr/Unable to send dump email notification: could not send mail/, 'a server that is down: a warning, and the dump is there', 1);
}
spew_bytes("$home/mail_contacts", "nobody at all\n");
cron_fails([ qw(-a -x shop), @here ], qr/line 1: .*"nobody" is no address/, 'a contact that is no address', 1);
unlink "$home/mail_contacts";
cron_fails([ qw(-a -x shop), @here, '--email-file', "$dir/list" ], qr/--email-file: the name of .* does not end in \.yaml/, '--email-file of another name');
spew_bytes("$dir/bad.yaml", "EMAIL_DETAILS: 1\n");
cron_fails([ qw(-a -x shop), @here, '--email-file', "$dir/bad.yaml" ], qr/bad\.yaml, line 1: EMAIL_DETAILS has no list/, '--email-file that is wrong');

# ---- scripts
for my $option ('--inserts', '--column-inserts')
{
    my @more = $option eq '--inserts' ? () : ('-z', '--clean', '--use-set-session-authorization');
    $key = cron_key([ qw(-a -x shop), $option, @more, @here ], $option);
    my $script = cron_dir($key, $dir) . "/gp_dump_-1_1_$key" . (@more ? '' : '.gz');
    query('DROP DATABASE copy', 'postgres');
    query('CREATE DATABASE copy', 'postgres');
    run_script($server, 'copy', $script);
    same_rows($server, 'shop', $server, 'copy', "$option: the script");
    my ($text, $err) = ('', '');
    IPC::Run::run([ @more ? 'cat' : 'zcat', $script ], '>', \$text, '2>', \$err);
    like($text, qr/^INSERT INTO "public"\."one" \("x"\) VALUES \(1\);$/m, "$option: it has INSERT commands");
    like($text, qr/^DROP TABLE IF EXISTS/m, "$option: -C") if @more;
}

# ---- what stays of a dump that failed
my $before = sets();
{
    local $ENV{PGARK_JOBS} = 'nonsense';
    cron_fails([ qw(-a -x shop), @here ], qr/\[ERROR\]:-.*PGARK_JOBS/, 'the environment of pgark is heard');
}
my $blocked = session($server, 'shop');
$blocked->query_safe('BEGIN; LOCK TABLE one IN ACCESS EXCLUSIVE MODE');
{
    spew_bytes("$dir/conf", "[backup]\nlock-wait-timeout = 100ms\n");
    local $ENV{PGARK_CONFIG} = "$dir/conf";
    $out = cron_fails([ qw(-a -x shop), @here ], qr/\[ERROR\]:-.*public\.one/s, 'a table that is locked');
    like($out, qr/Status +   ?= FAILED/, 'the report says so');
    is(sets(), $before, 'nothing is left of it');
    my ($failed) = $out =~ /Dump key +   ?= (\d{14})/;
    like(file($failed, 'gp_dump_KEY.rpt'), qr/Failed \{.*\}\n.*gp_dump utility finished unsuccessfully/s, 'but its report');
    $out = cron_fails([ qw(-a -x shop -r), @here ], qr/\[ERROR\]:-/, '-r');
    ($failed) = $out =~ /Dump key +   ?= (\d{14})/;
    ok(-d cron_dir($failed, $dir) . "/$failed", '-r: what was stored stays');
    pgark_fails([ 'show', $failed, '--repo', "$dir/db_dumps" ], qr/not finished/, '-r: and is no dump');
}
$blocked->query_safe('COMMIT');
$blocked->quit;

# ---- how it is called
mkdir "$dir/logs";
($out) = (cron(qw(-a -x shop -q -y somewhere -B 60), @here, '-l', "$dir/logs"))[1];
is($out, '', '-q: nothing is said');
my ($log) = glob("$dir/logs/gpcrondump_*.log");
like(slurp_bytes($log), qr/-y does nothing: .*Exit code zero/s, '-l: but to the log file');
like((cron(qw(-v)))[1], qr/\Agpcrondump \(pgark\) \d/, '-v alone: the version');
like((restore(qw(-v)))[1], qr/\Agpdbrestore \(pgark\) \d/, 'of gpdbrestore, too');
like((cron('--help'))[1], qr/^Usage:\n  gpcrondump -x DB/, '--help');
$key = cron_key([ qw(-a -x shop -v -D), @here ], '-v and -D');
restore_fails([ qw(-a -v -q -t), $key, '-u', $dir, '-l', "$dir/logs" ], qr/\A\z/, 'gpdbrestore -q -l');
like(slurp_bytes((glob("$dir/logs/gpdbrestore_*.log"))[0]), qr/\[ERROR\]:-.*not empty/, 'its log file');
delete $ENV{MASTER_DATA_DIRECTORY};
cron_fails([qw(-a -x shop)], qr/where do the dumps lie\?/, 'without a directory');
cron_ok([ qw(-a -x shop -h -d), $server->data_dir ], '-d, -h');
is(query('SELECT count(*) FROM gpcrondump_history'), 1, '-h: a row');
query('DROP TABLE three');
restore_ok([ qw(-a -s shop -T public.three -d), $server->data_dir ], 'gpdbrestore -d');
is(query('SELECT count(*) FROM three'), 0, 'gpdbrestore -d: the table is there');

no_traces('end', undef, $server);
done_testing();
