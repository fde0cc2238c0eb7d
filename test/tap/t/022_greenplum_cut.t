# The cut of a Greenplum cluster while money moves in it, in heap and in append-optimized tables: whole in
# every backup, and torn when no cut is asked for, so that this test is known to bite.
#
# The sums are read out of the sets (text, not compressed) by the documented format, by code that is not
# pgark's.
use strict;
use warnings;
use File::Path qw(rmtree);
use GreenplumTest;
use IPC::Run;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_greenplum();
my $cluster = make_greenplum('bank', 3, 'bank');
my $bin     = greenplum_bin();
my $repo    = new_repo();
my $from    = greenplum_conninfo($cluster, 'bank');
my $user    = getpwuid($>);
my $backups = $ENV{PGARK_TEST_FULL} ? 50 : 15;

# An append-optimized table is a journal: two rows by one transaction, that sum up to 0.
gp_sql($cluster, 'bank', <<'SQL');
CREATE TABLE account (id int, amount bigint NOT NULL) DISTRIBUTED BY (id);
INSERT INTO account SELECT g, 100 FROM generate_series(1, 60) g;
CREATE TABLE journal (id int, n int) WITH (appendonly = true) DISTRIBUTED BY (id);
CREATE TABLE journal_columns (id int, n int) WITH (appendonly = true, orientation = column) DISTRIBUTED RANDOMLY;
CREATE TABLE rate (id int, n bigint) DISTRIBUTED REPLICATED;
INSERT INTO rate VALUES (1, 0);
SQL

# ---- writers: clients of pgbench
my $dir = PostgreSQL::Test::Utils::tempdir('writers');

# UPDATE locks a whole table against other UPDATEs here, so one client moves money.
spew_bytes("$dir/transfer", <<'SQL');
\set a random(1, 60)
\set b random(1, 60)
BEGIN;
UPDATE account SET amount = amount - 1 WHERE id = :a;
UPDATE account SET amount = amount + 1 WHERE id = :b;
COMMIT;
SQL
spew_bytes("$dir/book", <<'SQL');
\set a random(1, 1000)
\set b random(1, 1000)
BEGIN;
INSERT INTO journal VALUES (:a, 1);
INSERT INTO journal VALUES (:b, -1);
COMMIT;
SQL
spew_bytes("$dir/calm", slurp_bytes("$dir/book") . "\\sleep 500 ms\n");
spew_bytes("$dir/columns", <<'SQL');
BEGIN;
INSERT INTO journal_columns SELECT g, 1 FROM generate_series(1, 5) g;
INSERT INTO journal_columns SELECT g, -1 FROM generate_series(1, 5) g;
COMMIT;
SQL
spew_bytes("$dir/rate", "UPDATE rate SET n = n + 1 WHERE id = 1;\n");
spew_bytes("$dir/ddl", "CREATE TABLE come (a int) DISTRIBUTED BY (a);\nDROP TABLE come;\n");

sub start_writers
{
    local %ENV = pgark_env();
    return map {
        my $out = '';
        IPC::Run::start([ 'pgbench', '-n', '-c', 1, '-T', 900, '-f', "$dir/$_", "$from user=$user application_name=writer" ], '<', \undef, '>&', \$out)
    } @_;
}

sub stop_writers
{
    $_->signal('TERM') for @_;
    $_->finish for @_;
    return;
}

# total KEY, TABLE, FIELD - its sum over the segments, from the set.
sub total
{
    my ($key, $name, $field) = @_;
    my $manifest = manifest($repo, $key);
    my ($table) = grep { $_->{name} eq $name && $_->{content} == -1 } @{ $manifest->{table} };
    my $sum = 0;
    for my $part (grep { $_->{table_oid} == $table->{oid} } @{ $manifest->{shard} })
    {
        $sum += $_->[$field] for set_rows($repo, $key, $part->{content}, $name);
    }
    return $sum;
}

sub backup_once
{
    my (@args) = @_;
    my $json = pgark_json([ 'backup', '-d', $from, '--repo', $repo, '--no-sync', '--format=text', '-Z', 'none', '-j1', '--pg-dump', "$bin/pg_dump", @args ], 'backup');
    return ($json->{key}, $json->{cut});
}

sub wrong
{
    my ($key) = @_;
    my @sums = (total($key, 'account', 1), total($key, 'journal', 1), total($key, 'journal_columns', 1));
    return "@sums" eq '6000 0 0' ? undef : "$key: @sums";
}

sub many
{
    my ($name, $count, @args) = @_;
    my (@wrong, %methods);
    my $stall = 0;
    for (1 .. $count)
    {
        my ($key, $cut) = backup_once(@args);
        last unless defined $key;
        push @wrong, wrong($key) // ();
        $methods{ $cut->{method} }++;
        $stall = $cut->{stall_us} if $cut->{stall_us} > $stall;
        rmtree(set_dir($repo, $key));
    }
    note "$name: ", join(', ', map { "$_ $methods{$_}" } sort keys %methods), sprintf ', writers stalled %.1f ms at most', $stall / 1000;
    is_deeply(\@wrong, [], "$name: the sums are right in each of $count backups");
    return \%methods;
}

my @writers = start_writers(qw(transfer book book columns rate));
wait_for(sub { gp_sql($cluster, 'bank', 'SELECT count(*) > 20 FROM journal') eq 't' }, 'somebody writes');
my $methods = many('strict', $backups);
cmp_ok($methods->{barrier} // 0, '>', 0, 'strict: the barrier is had beside the writers');
many('barrier', 5, '--cut=barrier');
my $torn;
for (1 .. 200)
{
    my ($key) = backup_once('--cut=none');
    $torn = wrong($key);
    rmtree(set_dir($repo, $key));
    last if $torn;
}
ok($torn, 'none: a torn cut is seen, so this test bites') and note $torn;

# ---- the proof without locks, for a role that may only read: it needs a moment without commits
stop_writers(@writers);
@writers = start_writers('calm');
gp_sql($cluster, 'bank', 'CREATE ROLE reader LOGIN; GRANT SELECT ON account, journal, journal_columns, rate TO reader');
my ($key, $cut) = backup_once('-U', 'reader', '--cut-timeout=60s');
is($cut->{method}, 'double-collect', 'a reader: looks twice');
is(wrong($key), undef, 'a reader: the sums are right');
stop_writers(@writers);

# ---- definitions that change while pg_dump reads them: another try, and never what is not of the cut
my @ddl = start_writers('ddl');
wait_for(sub { gp_sql($cluster, 'bank', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'writer' AND query ~ 'TABLE come'}) > 0 }, 'somebody makes tables');
pgark_fails([ 'backup', '-d', $from, '--repo', $repo, '--pg-dump', "$bin/pg_dump", '--retries=1' ],
    qr/gave up after 1 restarts: .*(definitions changed while pg_dump read them|come|a new table).*\n.*leave out what is made and dropped.* --retries/, 'DDL beside a backup');
stop_writers(@ddl);

# ---- a segment is killed
@writers = start_writers('book');
my $run = pgark_start('backup', '-d', $from, '--repo', $repo, '-j1', '-Z', 'zstd:19', '--pg-dump', "$bin/pg_dump");
wait_for(sub { gp_sql($cluster, 'bank', q{SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pgark holder'}) > 0 }, 'a segment is killed: it got there');
$cluster->stop_instance(1);
my ($code, $out, $err) = pgark_finish($run);
if ($code == 0) { pass('a segment is killed: too late'); }
else { like($err, qr/^pgark: error: .*node|seg1/m, 'a segment is killed: it is said'); }
stop_writers(@writers);
is(scalar(grep { !-e set_dir($repo, $_) . '/manifest.jsonl' } repo_sets($repo)), 0, 'no unfinished set is left');
drop_greenplum($cluster);
done_testing();
