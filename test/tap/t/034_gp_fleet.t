# gp_dump of a fleet of shards: one instant for all scripts while money moves, and a restore to other servers.
use strict;
use warnings;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my @servers = map { make_server("shard$_") } 0 .. 1;
my @targets = map { make_server("target$_") } 0 .. 1;
my $base    = PostgreSQL::Test::Utils::tempdir('dumps');
my @from    = map { ('--node', conninfo($_, 'bank')) } @servers;
my @into    = map { ('--node', conninfo($_, 'bank')) } @targets;
my $total   = money_setup(\@servers, 'bank', 50, 10);
my $rounds  = $ENV{PGARK_TEST_FULL} ? 40 : 6;

# Not --plain: between two commits of a program of its own is an instant, too, which only --cut=barrier leaves out.
my $money = money_start(\@servers, 'bank', '--accounts', 50, '--prepared', 2, '--chain', 2);
my ($key, $torn, $backwards) = (20260101000000, 0, 0);
for (1 .. $rounds)
{
    $key++;
    gp_tool_ok('gp_dump', [ '--gp-d', $base, '--gp-k', $key, '--gp-c=none', '-j1', @from ], "gp_dump $_");
    my ($sum, $early) = money_of_scripts(map { "$base/gp_dump_${_}_" . ($_ + 1) . "_$key" } 0, 1);
    $torn++ if $sum != $total;
    $backwards += $early;
}
money_stop($money);
is("$torn $backwards", '0 0', 'no script of a dump is of another instant');
is(join(' ', grep { /$key/ } gp_files($base)),
    join(' ', map({ "gp_cdatabase_$_" . "_$key" } '0_1', '1_2'), map({ ("gp_dump_$_" . "_$key", "gp_dump_$_" . "_${key}_post_data") } '0_1', '1_2'),
        "gp_dump_$key.rpt", map { "gp_dump_status_$_" . "_$key" } '0_1', '1_2'), 'the files of both nodes');
no_traces('dumps', undef, @servers);

$_->safe_psql('postgres', 'CREATE DATABASE bank') for @targets;
gp_tool_ok('gp_restore', [ '--gp-d', $base, '--gp-k', $key, @into ], 'gp_restore');
my @sums = map { $_->safe_psql('bank', 'SELECT sum(amount) FROM account') } @targets;
is($sums[0] + $sums[1], $total, 'all money is there');
is($targets[$_]->safe_psql('bank', 'SELECT count(*) FROM pg_constraint'), $servers[$_]->safe_psql('bank', 'SELECT count(*) FROM pg_constraint'), "node $_: its keys, too")
  for 0, 1;
gp_tool_fails('gp_restore', [ '--gp-d', $base, '--gp-k', $key, '-d', conninfo($targets[0], 'bank') ], qr/no server is named for it/, 'two nodes and one server');

# A server that fails ends the whole dump, and nothing of it stays.
$servers[1]->stop('immediate');
gp_tool_fails('gp_dump', [ '--gp-d', "$base/failed", '--gp-k', '20260102000000', @from ], qr/node 1/, 'a node is not there');
is(join(' ', grep { !/status/ } gp_files("$base/failed")), 'gp_dump_20260102000000.rpt', 'nothing but the report and status files');
like(slurp_bytes("$base/failed/gp_dump_20260102000000.rpt"), qr/finished unsuccessfully with 4 failures\.\n\z/, 'which says so');
no_traces('a dump that failed', undef, $servers[0]);
done_testing();
