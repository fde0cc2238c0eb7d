# Clocks that go backwards: keys stay in order all the same.
use strict;
use warnings;
use PgarkTest;
use POSIX qw(strftime);
use Test::More;

my $source = make_server('source');
$source->safe_psql('postgres', 'CREATE DATABASE shop');
$source->safe_psql('shop', 'CREATE TABLE t AS SELECT generate_series(1, 10) AS id');
my @shop = ('-d', conninfo($source, 'shop'));

my $repo = new_repo();
my $ahead = strftime('%Y%m%d%H%M%S', gmtime(time + 3600));
is(backup($repo, @shop, '--key', $ahead), $ahead, 'a set from an hour ahead');
my $list = pgark_json([ 'list', '--repo', $repo ], 'list');
is($list->{sets}[0]{key}, $ahead, 'is listed');

my @keys = ($ahead);
for my $i (1 .. 3)
{
    my $key = backup($repo, @shop);
    cmp_ok($key, '>', $keys[-1], "backup $i: its key is newer than the one before");
    push @keys, $key;
}
my $show = pgark_json([ 'show', 'latest', '--repo', $repo ], 'show latest');
is($show->{key} // $show->{set}{key}, $keys[-1], 'latest is the last one made');
pgark_ok([ 'expire', '--repo', $repo, '--keep', 2 ], 'expire');
is_deeply([ repo_sets($repo) ], [ @keys[ 2, 3 ] ], 'keeps the last two that were made');
pgark_ok([ 'verify', $_, '--repo', $repo ], 'verify') for @keys[ 2, 3 ];
pgark_ok([ 'expire', '--repo', $repo, '--older-than', 1 ], 'expire by age with sets from the future');
is_deeply([ repo_sets($repo) ], [ @keys[ 2, 3 ] ], 'removes none of them');

# ---- sets of the same second, from runs side by side on two fleets
my $other = make_server('other');
$other->safe_psql('postgres', 'CREATE DATABASE shop');
my $both = new_repo();
backup($both, @shop);
my @runs = map { pgark_start('backup', '--repo', $both, '--no-sync', '-d', $_) }
  (conninfo($source, 'shop'), conninfo($other, 'shop'), conninfo($source, 'postgres'), conninfo($other, 'postgres'));
for my $run (@runs)
{
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'side by side') or diag($err);
}
is(scalar(my @made = repo_sets($both)), 5, 'each has a key of its own');
pgark_ok([ 'verify', $_, '--repo', $both ], "and is whole: $_") for @made;
pgark_ok([ 'expire', '--repo', $both, '--keep', 1 ], 'expire counts by fleet');
is(scalar(@made = repo_sets($both)), 4, 'one of each is kept');

done_testing();
