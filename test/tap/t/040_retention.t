# Series of sets that know nothing of each other, and which sets expire lets go: by age, by number, by days,
# weeks and months, for each fleet, database and series, whole sets apart from parts.
use strict;
use warnings;
use PgarkTest;
use POSIX qw(strftime);
use Test::More;

my $server = make_server('db');
my $repo   = new_repo();
$server->safe_psql('postgres', "CREATE DATABASE $_") for qw(shop other);
$server->safe_psql('shop', 'CREATE TABLE a AS SELECT 1 AS x; CREATE TABLE b AS SELECT 2 AS x');
my $shop = conninfo($server, 'shop');

# key DAYS_AGO [, SECONDS] - a key of that day.
sub key
{
    my ($days, $more) = @_;
    return strftime('%Y%m%d%H%M%S', gmtime(time - $days * 86400 + ($more // 0)));
}

# made KEY, ARG... - a set of that key.
sub made
{
    my ($key, @args) = @_;
    pgark_ok([ 'backup', '--repo', $repo, '--no-sync', '-q', '--key', $key, @args ], "set $key");
    return $key;
}

sub expire
{
    my (@args) = @_;
    my $result = pgark_json([ 'expire', '--repo', $repo, @args ], "expire @args");
    return [ sort map { $_->{key} } @{ $result->{removed} } ];
}

# ---- series
my $plain   = made(key(50), '-d', $shop);
my @nightly = map { made(key($_), '-d', $shop, '--prefix', 'nightly') } 49, 48;
my $weekly  = made(key(47), '-d', $shop, '--prefix=weekly');

my $set = pgark_json([ 'show', 'latest', '--repo', $repo ], 'latest without a prefix');
is($set->{key}, $plain, 'is the newest set without one');
is($set->{prefix}, undef, 'which is said');
$set = pgark_json([ 'show', 'latest', '--repo', $repo, '--prefix=nightly' ], 'latest of a series');
is($set->{key}, $nightly[1], 'is its newest');
is($set->{prefix}, 'nightly', 'which is said');
pgark_ok([ 'verify', 'latest', '--repo', $repo, '--prefix=weekly' ], 'verify of a series');
like(pgark_ok([ 'export', 'latest', '--repo', $repo, '--prefix=weekly', '-q' ], 'export of a series'),
    qr/CREATE TABLE public\.a/, 'is that of its newest');
pgark_ok([ 'restore', 'latest', '--repo', $repo, '--prefix=nightly', '-d', conninfo($server, 'copy'), '--create' ],
    'restore of a series');
pgark_fails([ 'show', $plain, '--repo', $repo, '--prefix=nightly' ],
    qr/set $plain has no prefix, and not "nightly"/, 'a key of no series');
pgark_fails([ 'show', $weekly, '--repo', $repo, '--prefix=nightly' ],
    qr/has the prefix "weekly"/, 'a key of another series');
pgark_fails([ 'show', 'latest', '--repo', $repo, '--prefix=month' ],
    qr/no finished set with the prefix "month"/, 'a series that is not there');
pgark_fails([ 'backup', '--repo', $repo, '-d', $shop, '--prefix=a/b' ], qr/--prefix must be/, 'no name');

my $list = pgark_json([ 'list', '--repo', $repo ], 'list');
is(scalar @{ $list->{sets} }, 4, 'list shows all series');
$list = pgark_json([ 'list', '--repo', $repo, '--prefix=nightly' ], 'list of a series');
is_deeply([ map { $_->{key} } @{ $list->{sets} } ], \@nightly, 'shows that');
like(pgark_ok([ 'list', '--repo', $repo ], 'list as text'), qr/^$weekly .*  prefix weekly$/m,
    'names the series');

# ---- one series, then all
is_deeply(expire('--keep=1', '--prefix=weekly'), [], 'a series with one set keeps it');
is_deeply(expire('--keep=1', '--prefix=nightly'), [ $nightly[0] ], 'only sets of the series go');
is_deeply(expire('--older-than=1'), [], 'the newest of every series stays, however old');

# ---- databases, and parts
my $other = made(key(46), '-d', conninfo($server, 'other'));
my $part  = made(key(45), '-d', $shop, '-t', 'a');
is_deeply(expire('--keep=1'), [], 'a part takes no whole set\'s place, nor does another database');
my $newer = made(key(44), '-d', $shop, '-t', 'b');
is_deeply(expire('--keep=1'), [$part], 'parts are counted among themselves');

# ---- periods: noon of the last days, so that no run of this suite crosses midnight
my $noon = 43200 - time % 86400;
my @days = map { made(key($_, $noon), '-d', $shop) } reverse 1 .. 5;
my $evening = made(key(1, $noon + 3600), '-d', $shop);
my ($code, $out) = pgark('expire', '--repo', $repo, '--keep-daily', 3, '--keep', 1, '--dry-run');
is($code, 0, 'dry run');
like($out, qr/^would keep $evening \(newest, --keep, --keep-daily\)$/m, 'tells what keeps a set');
like($out, qr/^would remove $days[4] \(kept by no rule\)$/m, 'and what goes');
is_deeply(expire('--keep-daily=3', '--keep=1', '--prefix=none'), [], 'a series without sets');
is_deeply(
    expire('--keep-daily=3', '--keep=1'),
    [ sort $plain, @days[ 0, 1, 4 ] ],
    'the newest of each of three days stays');
is_deeply(expire('--keep-daily=3', '--keep=1'), [], 'once more: nothing');
is_deeply(
    expire('--keep=1', '--older-than=30'),
    [],
    'a set stays if any rule keeps it: all are younger or the newest');
is_deeply(expire('--keep-weekly=1', '--keep-monthly=1'), [ @days[ 2, 3 ] ], 'weeks and months')
  if strftime('%V', gmtime(time - 86400 * 3)) eq strftime('%V', gmtime(time - 86400))
  && strftime('%m', gmtime(time - 86400 * 3)) eq strftime('%m', gmtime(time - 86400));
pgark_ok([ 'verify', 'latest', '--repo', $repo ], 'what is left is whole');

# ---- bad input
for my $bad ([ 'nothing', [], qr/expire needs --keep/ ], [ 'none of them', ['--keep-daily=0'], qr/--keep-daily must be/ ],
    [ 'no number', ['--keep-monthly=x'], qr/--keep-monthly must be/ ])
{
    my ($name, $args, $why) = @$bad;
    pgark_fails([ 'expire', '--repo', $repo, @$args ], $why, $name);
}

done_testing();
