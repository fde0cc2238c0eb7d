# What a backup leaves behind for those who were not there: the reports in its set, the history, metrics, and
# log files.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $server = make_server('db');
$server->safe_psql('postgres', 'CREATE DATABASE shop');
$server->safe_psql('shop', 'CREATE TABLE a AS SELECT generate_series(1, 1000) AS x; CREATE TABLE empty (x int)');
my $shop = conninfo($server, 'shop');
my $repo = new_repo();
my $dir  = PostgreSQL::Test::Utils::tempdir('reports');
my @base = ('backup', '--no-sync', '-q', '--repo', $repo);

# ---- reports
my $key = backup($repo, '-d', $shop, '--prefix=nightly');
my $set = set_dir($repo, $key);
my ($json) = eval { JSON::PP->new->utf8->decode(slurp_bytes("$set/report.json")) };
is($json->{key}, $key, 'report.json tells of its set');
is($json->{totals}{rows}, 1000, 'and its rows');
is_deeply([ map { "$_->{name} $_->{rows}" } @{ $json->{tables} } ], [ 'a 1000', 'empty 0' ], 'and its tables');
like($json->{options}, qr/prefix=nightly \(--prefix\)/, 'and what was asked for');
like($json->{options}, qr/dbname=\*\*\*/, 'but not what may hold a password');
my $text = slurp_bytes("$set/report.txt");
like($text, qr/^set         $key\n.*^prefix      nightly\n.*public\.a .*1000.*^options     /ms, 'report.txt likewise');
pgark_ok([ 'verify', $key, '--repo', $repo ], 'the set is whole with its reports');
unlink "$set/report.txt", "$set/report.json";
pgark_ok([ 'verify', $key, '--repo', $repo ], 'and without them');

# ---- history and metrics of a run that is done
sub history
{
    return [ json_lines("$repo/history.jsonl") ];
}

sub rows
{
    return $server->safe_psql('shop', "SELECT string_agg(concat_ws(' ', outcome, rows, warnings, code), '; '"
          . ' ORDER BY started_at) FROM (SELECT *, sqlstate AS code FROM pgark.history) h');
}
my @where  = ('--history=repository', '--history=database', "--metrics-file=$dir/shop.prom");
my @status = pgark(@base, '-d', $shop, @where);
is($status[0], 0, 'a run with history and metrics');
my $lines = history();
is(scalar @$lines, 1, 'one line of history');
is($lines->[0]{outcome}, 'done', 'tells how it ended');
like($lines->[0]{key}, qr/\A\d{14}\z/, 'and of which set');
is($lines->[0]{rows}, 1000, 'and its rows');
is(rows(), 'done 1000 0', 'one row of history');
is($server->safe_psql('shop', q{SELECT finished_at >= started_at AND finished_at > now() - interval '1 hour'
 FROM pgark.history}), 't', 'with its times');

# The text format, as its description has it: each family once, its HELP and TYPE before its samples, no sample
# twice.
sub metrics
{
    my ($name) = @_;
    my $data = slurp_bytes("$dir/shop.prom");
    my (%value, %seen, $family, @wrong);
    my $label = qr/[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"/;
    push @wrong, 'no newline at the end' if $data !~ /\n\z/;
    for my $line (split /\n/, $data)
    {
        if ($line =~ /\A# HELP ([a-zA-Z_:][\w:]*) \S/)
        {
            push @wrong, "$1 twice" if $seen{$1}++;
            $family = $1;
        }
        elsif ($line =~ /\A# TYPE ([a-zA-Z_:][\w:]*) gauge\z/) { push @wrong, $line if $1 ne $family }
        elsif ($line =~ /\A([a-zA-Z_:][\w:]*)(\{$label(?:,$label)*\}) ([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\z/)
        {
            push @wrong, "$line outside its family" if $1 ne $family;
            push @wrong, "$1$2 twice" if exists $value{"$1$2"};
            $value{"$1$2"} = $3;
        }
        else { push @wrong, $line }
    }
    is_deeply(\@wrong, [], "$name: the grammar of the text format");
    return \%value;
}
my $own     = 'fleet="shop",prefix=""';
my $metrics = metrics('done');
is($metrics->{"pgark_backup_last_run_outcome{$own,outcome=\"done\"}"}, 1, 'done');
is($metrics->{"pgark_backup_last_run_outcome{$own,outcome=\"failed\"}"}, 0, 'not failed');
is($metrics->{"pgark_backup_last_success_rows{$own}"}, 1000, 'rows');
is($metrics->{"pgark_backup_node_rows{$own,node=\"0\",database=\"shop\"}"}, 1000, 'rows of the node');
is($metrics->{"pgark_backup_node_outcome{$own,node=\"0\",database=\"shop\",outcome=\"done\"}"}, 1, 'its outcome');
cmp_ok($metrics->{"pgark_backup_last_success_timestamp_seconds{$own}"}, '>', time - 3600, 'when');
is((stat "$dir/shop.prom")[2] & 0777, 0644, 'others can read the file');
SKIP:
{
    my $promtool = (grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH})[0] or skip 'no promtool', 1;
    ok(IPC::Run::run([ $promtool, 'check', 'metrics' ], '<', "$dir/shop.prom"), 'promtool agrees');
}

# ---- of one that fails: the last success stays
my $success = $metrics->{"pgark_backup_last_success_timestamp_seconds{$own}"};
$server->safe_psql('postgres', 'CREATE ROLE reader LOGIN');
my @failing = (@base, '-d', conninfo($server, 'shop', 'user=reader'), @where);
pgark_fails(\@failing, qr/permission denied/, 'a run that fails');
like($PgarkTest::last_err, qr/no row in pgark\.history: .*permission denied/, 'a row that cannot be made is a warning');
$lines = history();
is($lines->[1]{outcome}, 'failed', 'history has the failure');
is($lines->[1]{error}{sqlstate}, '42501', 'with its SQLSTATE');
like($lines->[1]{error}{message}, qr/permission denied/, 'and its message');
ok(!exists $lines->[1]{key}, 'and no key');
$metrics = metrics('failed');
is($metrics->{"pgark_backup_last_run_outcome{$own,outcome=\"failed\"}"}, 1, 'failed');
is($metrics->{"pgark_backup_last_success_timestamp_seconds{$own}"}, $success, 'the last success is the one before');
is($metrics->{"pgark_backup_last_success_rows{$own}"}, 1000, 'and its rows');
is($metrics->{"pgark_backup_node_outcome{$own,node=\"0\",database=\"shop\",outcome=\"failed\"}"}, 1, 'the node failed');
ok(!exists $metrics->{"pgark_backup_node_rows{$own,node=\"0\",database=\"shop\"}"}, 'no rows of a set that is not there');

$server->safe_psql('shop', 'GRANT USAGE ON SCHEMA pgark TO reader; GRANT INSERT ON pgark.history TO reader');
pgark_fails(\@failing, qr/permission denied/, 'once more, with the right to add a row');
unlike($PgarkTest::last_err, qr/no row/, 'which is enough');
is(rows(), 'done 1000 0; failed 0 42501', 'the database has the failure');

# ---- a server that is not there: known by the name that was given
my $nowhere = PostgreSQL::Test::Utils::tempdir_short();
unlink "$dir/shop.prom";
pgark_fails([ @base, '-d', "host=$nowhere dbname=shop", @where ], qr/could not connect/, 'no server');
$metrics = metrics('no server');
is($metrics->{"pgark_backup_last_run_outcome{$own,outcome=\"failed\"}"}, 1, 'metrics tell');
ok(!exists $metrics->{"pgark_backup_last_success_timestamp_seconds{$own}"}, 'there is no last success');
is(history()->[-1]{fleet}, 'shop', 'history has the name');

my $user = $server->safe_psql('postgres', 'SELECT current_user');
pgark_ok([ @base, '-h', $server->host, '-p', $server->port, "--metrics-file=$dir/shop.prom" ], 'no database is named');
is(metrics('by default')->{"pgark_backup_last_run_outcome{fleet=\"$user\",prefix=\"\",outcome=\"done\"}"}, 1,
    'it has the name that libpq gives it');

# ---- warnings, and labels with every kind of character
$server->safe_psql('postgres', 'CREATE DATABASE "a \\""b"');
$server->safe_psql('a \\"b', 'CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;'
      . ' CREATE FOREIGN TABLE f (x int) SERVER s');
is((pgark(@base, '-d', conninfo($server, 'a \\"b'), '--history=repository', "--metrics-file=$dir/shop.prom"))[0], 2,
    'a run with a warning');
$metrics = metrics('warnings');
is($metrics->{'pgark_backup_last_run_outcome{fleet="a \\\\\\"b",prefix="",outcome="warnings"}'}, 1, 'metrics tell');
is(history()->[-1]{outcome}, 'warnings', 'history tells');
is(history()->[-1]{warnings}, 1, 'how many');

# ---- a history that is damaged or in the way
my $old = slurp_bytes("$repo/history.jsonl");
spew_bytes("$repo/history.jsonl", substr $old, 0, -1);
pgark_ok([ @base, '-d', $shop, '--history=repository' ], 'a history whose last line has no end');
is(scalar(@{ history() }), 1 + ($old =~ tr/\n//), 'the new line is one of its own');
unlink "$repo/history.jsonl";
mkdir "$repo/history.jsonl" or die $!;
my ($code, $out, $err) = pgark(@base, '-d', $shop, '--history=repository');
is($code, 2, 'a history that cannot be written is a warning');
like($err, qr/no line in the history/, 'which is said');
rmdir "$repo/history.jsonl";

# ---- refused before any work
for my $bad ([ 'no directory', "$dir/none/x.prom", qr/cannot write to directory/ ], [ 'a directory', $dir, qr/is not a file/ ])
{
    pgark_fails([ @base, '-d', $shop, '--metrics-file', $bad->[1] ], $bad->[2], "metrics: $bad->[0]");
}
pgark_fails([ @base, '-d', $shop, '--history=there' ], qr/--history must be repository or database/, 'history nowhere');

# ---- log files
my $logs = "$dir/logs";
mkdir $logs or die $!;
my @old = ('pgark-backup-20200101000000-1.log', 'pgark-list-20200101000000-77.log');
my @stay = ('pgark-backup-20200101000000-1.log.gz', 'pgark-backup-20200101000000-.log', 'other.log',
    'pgark-backup-20209901000000-1.log', 'pgark--20200101000000-1.log');
spew_bytes("$logs/$_", "x\n") for @old, @stay;
pgark_ok([ @base, '-d', $shop, '--log-dir', $logs ], 'a run with a log file');
is_deeply([ grep { -e "$logs/$_" } @old ], [], 'old log files are gone');
is_deeply([ grep { !-e "$logs/$_" } @stay ], [], 'other files are not');
my ($log) = grep { !/2020/ } glob "$logs/pgark-backup-*.log";
my $time = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[\d+\]/m;
like(slurp_bytes($log), qr/$time info: pgark \S+, backup: .*dbname=\*\*\*.*$time info: backup of shop done .*$time info: exit code 0$/ms,
    'tells what was asked for and how it ended');
is((stat $log)[2] & 0777, 0600, 'it is for its owner only');
($code, $out, $err) = pgark(@base, '-d', "host=$nowhere dbname=x", '--log-dir', $logs, '--log-format=json');
($log) = sort { -M $a <=> -M $b } grep { $_ ne $log && !/2020/ } glob "$logs/pgark-backup-*.log";
my @entries = json_lines($log);
is($entries[-1]{message}, 'exit code 1', 'as JSON');
is((grep { $_->{level} eq 'error' } @entries)[0]{code}, 'connect', 'the error is in it');
like($err, qr/^\{.*could not connect/m, 'and on stderr');
unlike($err, qr/exit code/, 'where what is of no use there is not');
pgark_ok([ 'list', '--repo', $repo, '--log-dir', $logs, '--log-keep=100' ], 'every command can');
is(scalar(() = glob "$logs/pgark-list-*.log"), 1, 'and has a file of its own');
pgark_fails([ 'list', '--repo', $repo, '--log-dir', "$logs/none" ], qr/--log-dir/, 'no directory');
pgark_fails([ 'list', '--repo', $repo, '--log-dir', $log ], qr/is not a directory/, 'a file');
pgark_fails([ 'list', '--repo', $repo, '--log-keep=3' ], qr/--log-keep needs --log-dir/, 'no directory to keep');
pgark_fails([ 'list', '--repo', $repo, '--syslog=mail' ], qr/--syslog must be user/, 'no such facility');

# ---- the schema of the history is that of the extension, too
SKIP:
{
    skip 'the extension is not built', 6 if !defined $ENV{PGARK_PG_AGENTS};
    my $agents = agent_server('agents', 'first');
    $agents->safe_psql('postgres', "CREATE DATABASE $_") for 'second';
    for my $db ('first', 'second')
    {
        pgark_ok([ @base, '-d', conninfo($agents, $db), '--history=database' ], "$db: a history");
        $agents->safe_psql($db, 'CREATE EXTENSION pgark') if $db eq 'second';
        pgark_ok([ @base, '-d', conninfo($agents, $db), '--history=database', '--agent' ], "$db: beside the extension, by an agent");
        is($agents->safe_psql($db, 'SELECT count(*) FROM pgark.history'), 2, "$db: two rows");
    }
}

done_testing();
