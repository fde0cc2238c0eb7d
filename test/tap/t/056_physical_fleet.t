# Three servers, while money moves between them, come back from base backups to one instant: the sum is right in every
# round, and no chain of commits is seen backwards; restored alone, a server is at the same instant.
use strict;
use warnings;
use File::Path qw(rmtree);
use PgarkTest;
use PhysicalRestoreTest;
use PhysicalTest;
use PostgreSQL::Test::Utils;
use Test::More;

my @servers  = map { physical_server("shard$_") } 0 .. 2;
my @nodes    = map { ('--node', conninfo($_, 'money')) } @servers;
my $accounts = 50;
my $rounds   = $ENV{PGARK_TEST_FULL} ? 20 : 2;
my $repo     = new_repo();
my $total    = money_setup(\@servers, 'money', $accounts, 2);
my $money    = money_start(\@servers, 'money', '--accounts', $accounts, '--plain', 2, '--prepared', 2, '--chain', 2);
my (@keys, @seen);

# state PLACES - what is seen of the money: the sum, how often a counter is above the one of the server before.
sub state
{
    my ($places) = @_;
    my ($sum, $backwards, %before) = (0, 0);
    for my $place (@$places)
    {
        $sum += $place->safe_psql('money', 'SELECT sum(amount) FROM account');
        my %value = map { split /\|/ } split /\n/, $place->safe_psql('money', 'SELECT id, value FROM chain');
        $backwards += grep { defined $before{$_} && $value{$_} > $before{$_} } keys %value;
        %before = %value;
    }
    return "$sum $backwards";
}

for my $round (1 .. $rounds)
{
    my $key = backup($repo, '--physical', '--cut=barrier', @nodes) // last;
    push @keys, $key;
    my @places = map { new_place("round${round}_$_") } 0 .. 2;
    restored($repo, $key, "round $round", \@places) or last;
    is(state(\@places), "$total 0", "round $round: the money is all there");
    push @seen, [ map { $_->safe_psql('money', 'SELECT sum(value) FROM chain') } @places ];
    is($_->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), '0', "round $round: nothing is undecided on " . $_->name)
      for @places;
    amcheck($places[0], 'money', "round $round") if $round == $rounds;
    drop_server($_) for @places;
}
money_stop($money);
is(scalar @seen, $rounds, 'all rounds were made');
cmp_ok($money->{done}{plain} + $money->{done}{prepared}, '>', $rounds, 'money did move');
cmp_ok($seen[-1][0], '>', $seen[0][0], 'and went on between the rounds') if $rounds > 1;
no_slots('fleet', @servers);

# ---- servers of several major versions: as the records say
my $manifest = set_dir($repo, $keys[0]) . '/manifest.jsonl';
my $whole    = slurp_bytes($manifest);
forge(set_dir($repo, $keys[0]), sub { map {
            s/("topology":)"shards"/$1"citus"/r =~ s/^(\{"type":"node","content":1,.*"server_version_num":)\d+/${1}990001/r } @_ });
my $nowhere = PostgreSQL::Test::Utils::tempdir();
pgark_fails([ 'restore', $keys[0], '--physical', '--repo', $repo, '--host-map', 'a=b', map { ('--map', "$_=$nowhere/$_") } 0 .. 2 ],
    qr/one major version, and node 1 is of PostgreSQL 99, others of \d+\n.*hint: /s, 'versions: one server program does not do for all');
ok(!-e "$nowhere/$_", "versions: nothing is made for node $_") for 0 .. 2;
like(pgark_ok([ 'restore', $keys[0], '--physical', '--repo', $repo, '--no-sync', map { ('--map', "$_=$nowhere/$_") } 0, 1 ],
        'versions: restore'),
    qr/^next +start the servers by PostgreSQL \d+ \(node 0\), 99 \(node 1\): /m, 'versions: what starts each is told');
rmtree($nowhere);
spew_bytes($manifest, $whole);

# ---- one of them alone
my $alone = new_place('alone');
my (undef, undef, $err) = (pgark('restore', $keys[0], '--physical', '--repo', $repo, '--no-sync', '--map', '1=' . $alone->data_dir));
like($err, qr/node 0 of the set is not restored.*node 2 of the set is not restored/s, 'alone: what is not restored is told');
start_restored($alone, 'alone');
is($alone->safe_psql('money', 'SELECT sum(value) FROM chain'), $seen[0][1], 'alone: at the same instant as with the others');
done_testing();
