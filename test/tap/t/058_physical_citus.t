# A Citus cluster comes back from base backups on other ports, while money moved in it: to one instant, with a table of
# nodes that knows the new places, and without the servers that it was.
use strict;
use warnings;
use CitusTest;
use IPC::Run;
use PgarkTest;
use PhysicalRestoreTest;
use PhysicalTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_citus();
my $cluster = make_cluster('bank', 2, 'bank', 'second');
my ($coordinator, @workers) = nodes($cluster);
for my $node (nodes($cluster))
{
    $node->append_conf('pg_hba.conf', "local replication all trust\nhost replication all 127.0.0.1/32 trust");
    $node->reload;
}
my $repo   = new_repo();
my $from   = conninfo($coordinator, 'bank');
my $rounds = $ENV{PGARK_TEST_FULL} ? 10 : 1;
my $total  = make_bank($cluster, 'bank');
my $nodes  = 'SELECT string_agg(nodeport::text, \' \' ORDER BY groupid) FROM pg_dist_node';

sql($cluster, 'bank', 'INSERT INTO rate VALUES (1, 5)');
sql($cluster, 'second', "CREATE TABLE t (i int); SELECT create_distributed_table('t', 'i'); INSERT INTO t SELECT generate_series(1, 50)");
# What somebody has prepared elsewhere on a server comes back prepared.
$workers[0]->safe_psql('postgres', q{CREATE TABLE mine (i int); BEGIN; INSERT INTO mine VALUES (42); PREPARE TRANSACTION 'mine'});

my $script = PostgreSQL::Test::Utils::tempdir('writers') . '/transfer';
spew_bytes($script, bank_transfer());

sub write_to
{
    my ($node) = @_;
    my ($out) = ('');
    local %ENV = pgark_env();
    return IPC::Run::start([ 'pgbench', '-n', '-c', 2, '-T', 600, '--max-tries=0', '-f', $script, conninfo($node, 'bank') ],
        '<', \undef, '>&', \$out);
}

# map_options PLACES - where each node goes, and what it is called there.
sub map_options
{
    my (@places) = @_;
    my @from = nodes($cluster);
    return map { ('--map', ($_ - 1) . '=' . $places[$_]->data_dir,
            '--host-map', '127.0.0.1:' . $from[$_]->port . '=127.0.0.1:' . $places[$_]->port) } 0 .. $#places;
}

# ---- backups while money moves
my @writers = map { write_to($_) } $coordinator, $workers[0];
my @keys;
wait_for_query($coordinator, 'bank', 'SELECT sum(abs(amount - 100)) > 20 FROM account');
push @keys, backup($repo, '--physical', '-d', $from) for 1 .. $rounds;
is(scalar @keys, $rounds, 'all backups were made');
$_->signal('TERM') for @writers;
$_->finish for @writers;
is_deeply([ sort { $a <=> $b } map { $_->{content} } @{ manifest($repo, $keys[0])->{physical} } ], [ -1, 0, 1 ], 'the set has the coordinator and its workers');
is(manifest($repo, $keys[0])->{cut}[0]{method}, 'barrier', 'their restore points were made inside of a barrier');
pgark_ok([ 'verify', $keys[0], '--repo', $repo ], 'verify');
no_slots('cluster', nodes($cluster));
my @ports = map { $_->port } nodes($cluster);

# ---- what is refused leaves nothing
my @places = map { new_place("refused$_") } 0 .. 2;
my @to     = ('restore', $keys[0], '--physical', '--repo', $repo, '--no-sync');
for my $case (
    [ [ '--host-map', '127.0.0.9=127.0.0.1' ], qr/--host-map=127\.0\.0\.9=127\.0\.0\.1: the cluster knows no node by that address/ ],
    [ [ '--host-map', "127.0.0.1:$ports[1]=127.0.0.1:$ports[2]" ], qr/gives two nodes the address 127\.0\.0\.1:$ports[2]/ ],
    [ [ '--host-map', "127.0.0.1:$ports[1]=127.0.0.1:99999" ],     qr/"99999" is no port/ ])
{
    my ($args, $pattern) = @$case;
    pgark_fails([ @to, '--map', '-1=' . $places[0]->data_dir, @$args ], $pattern, "refused: @$args");
    ok(!-e $places[0]->data_dir, "refused: @$args: nothing is left");
}
pgark_fails([ @to, map_options(@places), '--standby' ], qr/--standby and --host-map exclude each other/, 'refused: a standby');

# ---- restores, one after the other; the servers that were backed up are not there any more
$_->stop('immediate') for nodes($cluster);
for my $round (1 .. $rounds)
{
    my @new = map { new_place("round${round}_$_") } 0 .. 2;
    pgark_ok([ 'restore', $keys[ $round - 1 ], '--physical', '--repo', $repo, '--no-sync', map_options(@new) ], "round $round: restore") or last;
    is_deeply([ map { -e $_->data_dir . '/recovery.signal' ? 1 : 0 } @new ], [ 0, 0, 0 ], "round $round: all are recovered");
    unlike(slurp_bytes($_->data_dir . '/postgresql.auto.conf'), qr/not_finished/, "round $round: and may be started") for @new;
    start_restored($_, "round $round") for @new;
    my $want = join ' ', map { $_->port } @new;
    for my $db (qw(bank second))
    {
        is($_->safe_psql($db, $nodes), $want, "round $round: " . $_->name . " knows the new places in $db") for @new;
    }
    $_->safe_psql('bank', 'SELECT recover_prepared_transactions()') for @new;
    is($_->safe_psql('postgres', "SELECT count(*) FROM pg_prepared_xacts WHERE gid <> 'mine'"), '0', "round $round: nothing is undecided on " . $_->name)
      for @new;
    is($new[0]->safe_psql('bank', 'SELECT sum(amount), count(*) FROM account'), "$total|400", "round $round: the money is all there");
    is($new[2]->safe_psql('bank', 'SELECT sum(amount) FROM account'), $total, "round $round: a worker says so, too");
    is($new[0]->safe_psql('second', 'SELECT count(*) FROM t'), 50, "round $round: the other database");
    $new[0]->safe_psql('bank', 'BEGIN; UPDATE account SET amount = amount + 1; UPDATE rate SET n = n + 1; COMMIT');
    is($new[1]->safe_psql('bank', 'SELECT sum(amount) FROM account'), $total + 400, "round $round: all shards can be written");
    is($new[1]->safe_psql('bank', 'SELECT n FROM rate'), 6, "round $round: and the reference table");
    $new[0]->safe_psql('bank', q{CREATE TABLE later (i int); SELECT create_distributed_table('later', 'i')});
    $new[1]->safe_psql('postgres', q{COMMIT PREPARED 'mine'});
    is($new[1]->safe_psql('postgres', 'SELECT i FROM mine'), 42, "round $round: what was prepared can be finished");
    drop_server($_) for @new;
}
done_testing();
