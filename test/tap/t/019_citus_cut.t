# The cut of a Citus cluster while money moves in it, through the coordinator and through the workers:
# whole in every backup, and torn when no cut is asked for, so that this test is known to bite.
#
# The sums are read out of the sets (text, not compressed) by the documented format, by code that is not
# pgark's.
use strict;
use warnings;
use CitusTest;
use File::Path qw(rmtree);
use IPC::Run;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_citus();
my $cluster = make_cluster('bank', 2, 'bank');
my ($coordinator, @workers) = nodes($cluster);
my $repo    = new_repo();
my $from    = conninfo($coordinator, 'bank');
my $backups = $ENV{PGARK_TEST_FULL} ? 50 : 20;
my $total   = make_bank($cluster, 'bank');

sql($cluster, 'bank', <<'SQL');
INSERT INTO rate VALUES (1, 0);
CREATE TABLE note (id bigserial, n bigint);
SELECT create_distributed_table('note', 'id', colocate_with := 'none', shard_count := 4);
CREATE TABLE plain (id int PRIMARY KEY, n bigint NOT NULL);
INSERT INTO plain VALUES (1, 0);
SQL

# ---- writers: clients of pgbench, four through the coordinator and two through each worker
my $dir = PostgreSQL::Test::Utils::tempdir('writers');
spew_bytes("$dir/transfer", bank_transfer());
spew_bytes("$dir/single", "INSERT INTO note (n) VALUES (1);\n");
spew_bytes("$dir/reference", "UPDATE rate SET n = n + 1 WHERE id = 1;\n");
# One shard and a table that Citus does not know: two plain commits.
spew_bytes("$dir/mixed", <<'SQL');
\set a random(1, 400)
BEGIN;
UPDATE plain SET n = n + 1 WHERE id = 1;
UPDATE account SET amount = amount - 1 WHERE id = :a;
COMMIT;
\sleep 5 ms
SQL

sub write_to
{
    my ($node, $clients, @scripts) = @_;
    my ($out, $pgbench) = ('');
    local %ENV = pgark_env();
    return IPC::Run::start([ 'pgbench', '-n', '-c', $clients, '-T', 600, '--max-tries=0', (map { ('-f', "$dir/$_") } @scripts),
            conninfo($node, 'bank', 'application_name=citus_internal_writer') ], '<', \undef, '>&', \$out);
}

# start_writers SCRIPT... [, { waits => SQL }] - and waits until they have written something.
sub start_writers
{
    my (@scripts) = @_;
    my %how = ref $scripts[-1] ? %{ pop @scripts } : ();
    my $mixed = grep { $_ eq 'mixed' } @scripts;
    my @writers = (write_to($coordinator, $mixed ? 2 : 4, @scripts), map { write_to($_, 2, @scripts) } grep { !$mixed } @workers);
    my $waits = $how{waits} // ($mixed ? 'SELECT n > 0 FROM plain' : 'SELECT sum(abs(amount - 100)) > 20 FROM account');
    $coordinator->poll_query_until('bank', $waits) or die 'nobody writes';
    return @writers;
}

sub stop_writers
{
    my (@writers) = @_;
    # INT is ignored by what a shell starts in the background, and by all below it.
    $_->signal('TERM') for @writers;
    $_->finish for @writers;
    return;
}

# rows_of_parts KEY, TABLE - the rows of all parts of a table in a set; of a table without parts its own.
sub rows_of_parts
{
    my ($key, $name) = @_;
    my $manifest = manifest($repo, $key);
    my ($table) = grep { $_->{name} eq $name && $_->{content} == -1 } @{ $manifest->{table} };
    my @rows;
    my @parts = grep { $_->{table_oid} == $table->{oid} } @{ $manifest->{shard} };
    for my $part (@parts)
    {
        my ($relation) = grep { $_->{content} == $part->{content} && $_->{oid} == $part->{oid} } @{ $manifest->{table} };
        push @rows, set_rows($repo, $key, $part->{content}, $relation->{name});
    }
    return @parts ? @rows : set_rows($repo, $key, -1, $name);
}

# total KEY, TABLE, FIELD - the sum of a column in a set.
sub total
{
    my ($key, $name, $field) = @_;
    my $sum = 0;
    $sum += $_->[$field] for rows_of_parts($key, $name);
    return $sum;
}

sub backup_once
{
    my (@args) = @_;
    my $json = pgark_json([ 'backup', '-d', $from, '--repo', $repo, '--no-sync', '--format=text', '-Z', 'none', '-j1', @args ], 'backup');
    return ($json->{key}, $json->{cut}{method});
}

# many NAME, COUNT, CHECK, ARG... - so many backups; those of which CHECK says that they are wrong. An ARG that is
# code is run before each.
sub many
{
    my ($name, $count, $check, @args) = @_;
    my (@wrong, %methods);
    my @before = grep { ref } @args;
    @args = grep { !ref } @args;
    for (1 .. $count)
    {
        $_->() for @before;
        my ($key, $method) = backup_once(@args);
        last unless defined $key;
        my $wrong = $check->($key);
        push @wrong, "$key: $wrong" if defined $wrong;
        $methods{$method}++;
        rmtree(set_dir($repo, $key));
    }
    note explain \%methods;
    return (\@wrong, \%methods);
}

my $whole = sub { my $sum = total($_[0], 'account', 1); return $sum == $total ? undef : $sum; };

my @writers = start_writers(qw(transfer transfer transfer single reference));
my ($wrong, $methods) = many('strict', $backups, $whole);
is_deeply($wrong, [], "strict: the sum is right in each of $backups backups");
cmp_ok($methods->{barrier} // 0, '>', 0, 'strict: the barrier is had beside eight writers');
($wrong, $methods) = many('barrier', $backups / 2, $whole, '--cut=barrier');
is_deeply($wrong, [], 'barrier: the sum is right');
is_deeply([ keys %$methods ], ['barrier'], 'barrier: every cut was held');
my $torn = 0;
for (1 .. 200)
{
    my ($key) = backup_once('--cut=none');
    $torn = total($key, 'account', 1) != $total;
    rmtree(set_dir($repo, $key));
    last if $torn;
}
ok($torn, 'none: a torn cut is seen, so this test bites');

# ---- shards that move
# An UPDATE that waits for a move may find no row when it goes on (seen with Citus 13.2.2 and nobody else at
# work), which would look like a torn cut. So here money is a pair of lines in a ledger.
sql($cluster, 'bank', q{CREATE TABLE ledger (account int, transfer bigint, amount int);
SELECT create_distributed_table('ledger', 'account', colocate_with := 'account')});
spew_bytes("$dir/pair", <<'SQL');
\set a random(1, 400)
\set b random(1, 400)
\set t random(1, 1000000000000000)
BEGIN;
INSERT INTO ledger VALUES (:a, :t, -1);
INSERT INTO ledger VALUES (:b, :t, 1);
COMMIT;
SQL
stop_writers(@writers);
@writers = start_writers(qw(pair pair single reference), { waits => 'SELECT count(*) > 20 FROM ledger' });

# shard_place OFFSET - a shard of account: its id, the port of the worker that has it, that of the other one.
sub shard_place
{
    my ($offset) = @_;
    my ($shard, $port) = split /\|/, sql($cluster, 'bank',
        'SELECT shardid, nodeport FROM pg_dist_shard JOIN pg_dist_placement USING (shardid) JOIN pg_dist_node USING (groupid) '
          . "WHERE logicalrelid = 'account'::regclass ORDER BY shardid OFFSET $offset LIMIT 1");
    return ($shard, $port, grep { $_ != $port } map { $_->port } @workers);
}

sub move_sql { return sprintf "SELECT citus_move_shard_placement(%s, '127.0.0.1', %s, '127.0.0.1', %s, 'block_writes');\n", @_; }

# Lines of the ledger whose pair is not in the set.
my $pairs = sub {
    my ($key) = @_;
    my %lines;
    $lines{ $_->[1] } += $_->[2] for rows_of_parts($key, 'ledger');
    my @half = grep { $lines{$_} != 0 } keys %lines;
    return @half ? scalar(@half) . ' of ' . scalar(keys %lines) . ' pairs' : undef;
};
my @moved;
($wrong, $methods) = many('moves', $backups / 4, sub {
        my ($key) = @_;
        $moved[-1]{run}->finish;
        return $pairs->($key);
    }, sub {
        my $mover = session($coordinator, 'bank');
        $mover->{stdin} .= move_sql(shard_place(@moved % 8)) . "\\q\n";
        $mover->{run}->pump_nb;
        push @moved, $mover;
    });
is_deeply($wrong, [], 'moves: every transfer is whole in backups that begin while a shard is moved');
is_deeply([ grep { $_->{stderr} =~ /ERROR/ } @moved ], [], 'moves: and every shard is moved');

# A writer keeps a move from going on.
my ($shard, @ports) = shard_place(0);
my $open  = session($coordinator, 'bank');
my $row   = sql($cluster, 'bank', "SELECT min(id) FROM account WHERE get_shard_id_for_distribution_column('account', id) = $shard");
$open->query_safe("BEGIN; INSERT INTO ledger VALUES ($row, 0, 0)");
my $mover = session($coordinator, 'bank');
$mover->{stdin} .= move_sql($shard, @ports);
$mover->{run}->pump_nb;
wait_for_query($coordinator, 'bank', 'SELECT count(*) > 0 FROM get_rebalance_progress()', 'a move that waits: it runs');
my ($code, $out, $err) = pgark('check', '-d', $from);
like($out, qr/shards are being moved/, 'a move that waits: check tells');
my ($key, $method) = backup_once('--cut-timeout=8s');
is($method, 'double-collect', 'a move that waits: the cut is proven without a barrier');
is($pairs->($key), undef, 'a move that waits: every transfer is whole');
rmtree(set_dir($repo, $key));
$open->query_safe('COMMIT');
$open->quit;
$mover->quit;
stop_writers(@writers);
@writers = start_writers(qw(transfer transfer transfer single reference));

# ---- a worker is killed
my $watch = watch($workers[1], 'bank', "(SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'pgark holder' AND query ~ 'LOCK TABLE') > 0");
my $run   = pgark_start('backup', '-d', $from, '--repo', $repo, '-j1', '-Z', 'zstd:19');
ok(watch_end($watch), 'a worker is killed: it got there');
$workers[1]->stop('immediate');
($code, $out, $err) = pgark_finish($run);
is($code, 1, 'a worker is killed: exit code') or diag("$out$err");
like($err, qr/^pgark: error: .*node 1/m, 'a worker is killed: it is named');
stop_writers(@writers);
$workers[1]->start;
# Each node decides those that it began.
$_->safe_psql('bank', 'SELECT recover_prepared_transactions()') for $coordinator, @workers;
is_deeply([ repo_sets($repo) ], [], 'a worker is killed: no set');

# ---- two plain commits, which --cut=barrier has whole
my $before = sql($cluster, 'bank', 'SELECT (SELECT sum(amount) FROM account) + (SELECT n FROM plain)');
@writers = start_writers('mixed');
($wrong) = many('mixed', $backups / 2, sub {
        my $sum = total($_[0], 'account', 1) + total($_[0], 'plain', 1);
        return $sum == $before ? undef : $sum;
    }, '--cut=barrier');
is_deeply($wrong, [], 'barrier: also what Citus commits without two phases');
stop_writers(@writers);

# ---- transactions that a crash has left
my $group = $workers[0]->safe_psql('bank', 'SELECT groupid FROM pg_dist_local_group');
$shard = sql($cluster, 'bank', "SELECT 'account_' || min(shardid) FROM pg_dist_shard JOIN pg_dist_placement USING (shardid) WHERE logicalrelid = 'account'::regclass AND groupid = $group");
my $prepare = sub {
    my ($gid, $amount) = @_;
    $workers[0]->safe_psql('bank', "SET citus.enable_manual_changes_to_shards = on; BEGIN; "
          . "UPDATE $shard SET amount = amount + $amount WHERE id = (SELECT min(id) FROM $shard); PREPARE TRANSACTION '$gid'");
    return;
};
$before = sql($cluster, 'bank', 'SELECT sum(amount) FROM account');
$prepare->('citus_0_1_999999_0', 1000);
($key) = backup_once();
is(total($key, 'account', 1), $before, 'left and not committed: not in the set');
rmtree(set_dir($repo, $key));
$workers[0]->psql('bank', q{ROLLBACK PREPARED 'citus_0_1_999999_0'});
$prepare->('citus_0_1_999998_0', 1000);
sql($cluster, 'bank', "INSERT INTO pg_dist_transaction (groupid, gid) VALUES ($group, 'citus_0_1_999998_0')");
($key) = backup_once();
is(total($key, 'account', 1), $before + 1000, 'left and committed where it began: finished first, and in the set');
no_traces('left transactions', undef, nodes($cluster));
done_testing();
