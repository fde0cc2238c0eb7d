# The cut over three servers while money moves between them: whole in every one of a hundred backups,
# and torn when no cut is asked for, so that this test is known to bite.
#
# The sums are read out of the sets (text, not compressed) by the documented format, by code that is not
# pgark's; some sets are restored as well.
use strict;
use warnings;
use File::Path qw(rmtree);
use PgarkTest;
use Test::More;

my @servers  = map { make_server("shard$_") } 0 .. 2;
my $accounts = 50;
my $repo     = new_repo();
our $backups = $ENV{PGARK_TEST_FULL} ? 500 : 50;

# cut_backup DB, ARG... - (key, sum, causal violations, cut record) of one more set.
sub cut_backup
{
    my ($db, @args) = @_;
    return cut_finish(cut_start($repo, [ map { conninfo($_, $db) } @servers ], @args));
}

# many_backups NAME, DB, TOTAL, ARG... - so many backups under load; every one must be whole.
sub many_backups
{
    my ($name, $db, $total, @args) = @_;
    my (%method, @torn, @backwards, $last);
    my $made = 0;
    for (1 .. $backups)
    {
        my ($key, $sum, $backwards, $cut) = cut_backup($db, @args) or return;
        $made++;
        push @torn,      "$key: $sum" if $sum != $total;
        push @backwards, $key         if $backwards;
        $method{ $cut->{method} }++;
        $last = $key;
        # The next key is the next second: what is counted need not be kept.
        rmtree(set_dir($repo, $key)) if $_ < $backups;
    }
    is($made, $backups, "$name: $backups backups");
    is_deeply(\@torn, [], "$name: the sum is right in every one");
    is_deeply(\@backwards, [], "$name: no chain of commits is seen backwards");
    note explain \%method;
    return ($last, \%method);
}

# restore_fleet KEY, DB - to the same servers under another name; returns the sum over them.
sub restore_fleet
{
    my ($key, $db) = @_;
    pgark_ok([ 'restore', $key, '--repo', $repo, '--create', '-j2',
            map { ('--map', "$_=" . conninfo($servers[$_], $db)) } 0 .. $#servers ], "restore as $db");
    my $sum = 0;
    $sum += $_->safe_psql($db, 'SELECT sum(amount) FROM account') for @servers;
    return $sum;
}

sub drop_databases
{
    my (@dbs) = @_;
    for my $node (@servers)
    {
        $node->safe_psql('postgres', "DROP DATABASE $_") for @dbs;
    }
    return;
}

# ---- two-phase transfers and a chain of commits, with the default cut
my $total = money_setup(\@servers, 'twophase', $accounts, 2);
my $money = money_start(\@servers, 'twophase', '--accounts', $accounts, '--prepared', 2, '--chain', 1);
my ($key, $method) = many_backups('strict', 'twophase', $total);
money_stop($money);
cmp_ok($money->{done}{prepared}, '>', $backups, 'strict: money did move');
cmp_ok($money->{done}{chain}, '>', $backups, 'strict: the chain did grow');
is_deeply([ grep { !/\A(double-collect|barrier)\z/ } keys %$method ], [],
    'strict: every cut was proven or held');
no_traces('strict', undef, @servers);
my $show = pgark_json([ 'show', $key, '--repo', $repo ], 'show of a fleet');
is(restore_fleet($key, 'twophase_copy'), $total, 'strict: the last one, restored, has the sum');

# ---- plain commits one after the other, with a barrier
my $total_plain = money_setup(\@servers, 'plain', $accounts, 2);
$money = money_start(\@servers, 'plain', '--accounts', $accounts, '--plain', 2, '--chain', 1);
($key, $method) = many_backups('barrier', 'plain', $total_plain, '--cut=barrier');
money_stop($money);
cmp_ok($money->{done}{plain}, '>', $backups, 'barrier: money did move');
is_deeply([ keys %$method ], ['barrier'], 'barrier: every cut was held');
no_traces('barrier', undef, @servers);
is(restore_fleet($key, 'plain_copy'), $total_plain, 'barrier: the last one, restored, has the sum');

# ---- both kinds and the chain, with a barrier
$money = money_start(\@servers, 'plain', '--accounts', $accounts, '--plain', 2, '--prepared', 2, '--chain', 2);
{
    local $backups = 10;
    many_backups('barrier, all writers', 'plain', $total_plain, '--cut=barrier');
}

# ---- no cut: the same test must find it torn, else it proves nothing
my $violations = 0;
my $tries = 0;
while (!$violations && $tries++ < 300)
{
    my ($none_key, $sum, $backwards, $cut) = cut_backup('plain', '--cut=none') or last;
    is($cut->{method}, 'none', 'none: recorded as such') if $tries == 1;
    $violations++ if $sum != $total_plain || $backwards;
    rmtree(set_dir($repo, $none_key));
}
money_stop($money);
cmp_ok($violations, '>', 0, "none: a violation is caught (try $tries)");
no_traces('none', undef, @servers);

# ---- a transaction that stays prepared: never half of it
my $before = money_setup(\@servers, 'held', 10, 1);
my @change = ('- 100', '+ 60', '+ 40');
for my $i (0 .. 2)
{
    $servers[$i]->safe_psql('held',
        "BEGIN; UPDATE account SET amount = amount $change[$i] WHERE id = 1; PREPARE TRANSACTION 'money-held'");
}
my (undef, $sum) = cut_backup('held');
is($sum, $before, 'prepared everywhere: nowhere in the set');
$servers[0]->safe_psql('held', "COMMIT PREPARED 'money-held'");
for my $cut ('strict', 'barrier')
{
    pgark_fails([ 'backup', '--repo', $repo, '--no-sync', "--cut=$cut", '--cut-timeout', '2s',
            map { ('--node', conninfo($_, 'held')) } @servers ],
        qr/money-held/, "half committed, $cut: refused, and the transaction is named");
}
$servers[$_]->safe_psql('held', "COMMIT PREPARED 'money-held'") for 1, 2;
(undef, $sum) = cut_backup('held');
is($sum, $before, 'committed everywhere: everywhere in the set');

# ---- fleet files, and nodes that are not what they should be
my $file = "$ENV{TESTDIR}/fleet_$$.conf";
spew_bytes($file, "[fleet]\nname = bank\ntopology = shards\n"
      . join('', map { "[node $_]\nconninfo = " . conninfo($servers[$_], 'held') . "\n" } 0 .. 2));
my $fleet_key = backup($repo, '--fleet', $file);
my $list = pgark_json([ 'list', '--repo', $repo ], 'list after a backup by fleet file');
my ($entry) = grep { $_->{key} eq $fleet_key } @{ $list->{sets} };
is($entry->{fleet}, 'bank', 'the fleet has its name');
is($entry->{topology}, 'shards', 'and its topology');
pgark_ok([ 'check', '--fleet', $file ], 'check of a fleet');
my $check = pgark_json([ 'check', '--fleet', $file ], 'check of a fleet as JSON');
my %told = map { $_->{node} => 1 } grep { defined $_->{node} } @{ $check->{checks} };
is(scalar keys %told, 3, 'tells of every node');

drop_databases(qw(twophase_copy plain_copy));
done_testing();
