# The cut of a Greenplum cluster while money moves in it, in heap and in append-optimized tables: whole in
# every backup, and torn when no cut is asked for, so that this test is known to bite.
#
# The sums are read out of the sets (text, not compressed) by the documented format, by code that is not
# pgark's.
use strict;
use warnings;
use File::Path qw(rmtree);
use GreenplumTest;
use PgarkTest;
use Test::More;

needs_greenplum();
my $cluster = make_greenplum('bank', 3, 'bank');
my $bin     = greenplum_bin();
my $repo    = new_repo();
my $from    = greenplum_conninfo($cluster, 'bank');
my $backups = $ENV{PGARK_TEST_FULL} ? 50 : 15;

gp_bank($cluster, 'bank');

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

my @writers = gp_write($cluster, 'bank', qw(transfer book book columns rate));
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
gp_stop_writers(@writers);
@writers = gp_write($cluster, 'bank', 'calm');
gp_sql($cluster, 'bank', 'CREATE ROLE reader LOGIN; GRANT SELECT ON account, journal, journal_columns, rate, step TO reader');
my ($key, $cut) = backup_once('-U', 'reader', '--cut-timeout=60s');
is($cut->{method}, 'double-collect', 'a reader: looks twice');
is(wrong($key), undef, 'a reader: the sums are right');
gp_stop_writers(@writers);

# ---- definitions that change while pg_dump reads them: another try, and never what is not of the cut
my @ddl = gp_write($cluster, 'bank', 'ddl');
wait_for(sub { gp_sql($cluster, 'bank', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'writer' AND query ~ 'TABLE come'}) > 0 }, 'somebody makes tables');
pgark_fails([ 'backup', '-d', $from, '--repo', $repo, '--pg-dump', "$bin/pg_dump", '--retries=1' ],
    qr/gave up after 1 restarts: .*(definitions changed while pg_dump read them|come|a new table).*\n.*leave out what is made and dropped.* --retries/, 'DDL beside a backup');
gp_stop_writers(@ddl);

# ---- a segment is killed
@writers = gp_write($cluster, 'bank', 'book');
my $run = pgark_start('backup', '-d', $from, '--repo', $repo, '-j1', '-Z', 'zstd:19', '--pg-dump', "$bin/pg_dump");
wait_for(sub { gp_sql($cluster, 'bank', q{SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pgark holder'}) > 0 }, 'a segment is killed: it got there');
$cluster->stop_instance(1);
my ($code, $out, $err) = pgark_finish($run);
if ($code == 0) { pass('a segment is killed: too late'); }
else { like($err, qr/^pgark: error: .*node|seg1/m, 'a segment is killed: it is said'); }
gp_stop_writers(@writers);
is(scalar(grep { !-e set_dir($repo, $_) . '/manifest.jsonl' } repo_sets($repo)), 0, 'no unfinished set is left');
drop_greenplum($cluster);
done_testing();
