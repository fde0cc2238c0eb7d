# What goes on around a backup: programs before and after it, VACUUM, room in the repository, a limit on the rate, the
# priority of the process, and what a failed run may leave.
use strict;
use warnings;
use PgarkTest;
use Test::More;
use Time::HiRes qw(time);

my $server = make_server('db');
$server->safe_psql('postgres', 'CREATE DATABASE shop');
$server->safe_psql('shop', 'CREATE TABLE a AS SELECT i AS x, repeat(md5(i::text), 10) AS t FROM generate_series(1, 5000) i');
my $shop = conninfo($server, 'shop');
my $repo = new_repo();
my $dir  = PostgreSQL::Test::Utils::tempdir('around');
my @base = ('backup', '--no-sync', '-q', '--repo', $repo, '-d', $shop);

# A program that writes down its arguments and what pgark tells it.
my $hook = "$dir/the hook";
spew_bytes($hook, <<'SH');
#!/bin/sh
out=$1; shift
{
    for arg; do echo "arg:$arg"; done
    env | grep -E '^PGARK_(HOOK|REPO|PREFIX|FLEET_NAME|OUTCOME|SECONDS|KEY|ROWS|BYTES|STORED|ERROR)' | sort
} >>"$out"
echo "the hook says hello"
if read line; then echo "stdin is not empty" >>"$out"; fi
SH
chmod 0755, $hook;

# ran FILE - what the hook has written there, and nothing any more.
sub ran
{
    my ($name) = @_;
    my $text = -e "$dir/$name" ? slurp_bytes("$dir/$name") : '';
    unlink "$dir/$name";
    return $text;
}

# ---- a run that succeeds
my @hooks = (
    '--before', qq{'$hook' $dir/before "a b" 'c"d' e\\ f '' \$HOME `id` *;},
    '--after', qq{"$hook" $dir/after}, '--on-failure', qq{"$hook" $dir/failure});
pgark_ok([ @base, @hooks, '--prefix=nightly', '--log-dir', $dir ], 'a run with programs');
my ($key) = repo_sets($repo);
is(ran('before'), <<"TEXT", 'before: words as they are, nobody expands them; what is known');
arg:a b
arg:c"d
arg:e f
arg:
arg:\$HOME
arg:`id`
arg:*;
PGARK_FLEET_NAME=shop
PGARK_HOOK=before
PGARK_PREFIX=nightly
PGARK_REPO=$repo
TEXT
my $after = ran('after');
like($after, qr/^PGARK_HOOK=after$/m, 'after');
like($after, qr/^PGARK_OUTCOME=done$/m, 'how it ended');
like($after, qr/^PGARK_KEY=$key$/m, 'the set');
like($after, qr/^PGARK_ROWS=5000$/m, 'its rows');
unlike($after, qr/ERROR/, 'no error');
is(ran('failure'), '', 'nothing has failed');
my ($log) = glob "$dir/*.log";
like(slurp_bytes($log), qr/info: --before: the hook says hello$/m, 'what it prints is in the log');
unlink $log;

# ---- a run that fails
my $none = PostgreSQL::Test::Utils::tempdir_short();
pgark_fails([ 'backup', '-q', '--repo', $repo, '-d', "host=$none dbname=shop", @hooks ], qr/could not connect/, 'no server');
isnt(ran('before'), '', 'before was run');
is(ran('after'), '', 'after was not');
my $failure = ran('failure');
like($failure, qr/^PGARK_OUTCOME=failed$/m, 'on failure: the outcome');
like($failure, qr/^PGARK_ERROR=.*could not connect/m, 'the error');
unlike($failure, qr/^PGARK_KEY/m, 'no set');

# ---- programs that fail
pgark_fails([ @base, '--before', 'sh -c "echo this is why >&2; exit 3"', '--on-failure', "'$hook' $dir/failure",
        '--history=repository' ], qr/--before: program "sh" failed with exit code 3: this is why/, 'before fails');
like(ran('failure'), qr/^PGARK_OUTCOME=failed$/m, 'which is a failure of the run');
is((json_lines("$repo/history.jsonl"))[0]{outcome}, 'failed', 'and recorded');
is(scalar(my @s = repo_sets($repo)), 1, 'no set was made');
pgark_fails([ @base, '--before', "$dir/nothing" ], qr/--before: could not run program/, 'no program');
my ($code, $out, $err) = pgark(@base, '--after', 'false', '--history=repository', "--metrics-file=$dir/x.prom");
is($code, 2, 'after fails: a warning');
like($err, qr/--after: program "false" failed/, 'which is said');
is((json_lines("$repo/history.jsonl"))[-1]{outcome}, 'warnings', 'and recorded');
is(scalar(@s = repo_sets($repo)), 2, 'the set is there');

# ---- programs that hang, and their children
my $start = time;
pgark_fails([ @base, '--before', "sh -c 'sleep 1000 & echo \$! >$dir/pid; wait'", '--hook-timeout=300ms' ],
    qr/did not end within 0.30 s/, 'before hangs');
chomp(my $pid = ran('pid'));
wait_for(sub { !kill 0, $pid }, 'its child is ended, too');
my $run = pgark_start(@base, '--before', "sh -c 'touch $dir/begun; exec sleep 1000'");
wait_for(sub { -e "$dir/begun" }, 'before has begun');
kill 'INT', $run->{pid};
($code) = pgark_finish($run);
is($code, 130, 'a run can be cancelled while it waits for a program');
unlink "$dir/begun";
$run = pgark_start(@base, '--after', "sh -c 'touch $dir/begun; exec sleep 1000'");
wait_for(sub { -e "$dir/begun" }, 'after has begun');
kill 'INT', $run->{pid};
($code, $out, $err) = pgark_finish($run);
is($code, 2, 'cancelled behind the set: it is there');
like($err, qr/--after: cancelled/, 'and the program was not');

# ---- refused
pgark_fails([ @base, '--before', q{sh -c 'open} ], qr/--before: a quote is not closed/, 'a quote');
pgark_fails([ @base, '--after', '  ' ], qr/--after names no program/, 'blanks');
pgark_fails([ @base, '--hook-timeout=3s' ], qr/--hook-timeout needs --before/, 'a time for nothing');
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', $shop, '--before', 'true' ], qr/--before is not an option of restore/,
    'not for a restore');

# ---- VACUUM
sub vacuumed { return $server->safe_psql('shop', q{SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'a'}) }
is(vacuumed(), 0, 'nobody vacuums by himself');
pgark_ok([ @base, '--vacuum=before', '--vacuum=after' ], 'VACUUM before and after');
wait_for(sub { vacuumed() == 2 }, 'it was done twice');
pgark_fails([ @base, '--vacuum=during' ], qr/--vacuum must be before or after/, 'nor at another time');

# ---- room
my ($free) = map { (split)[4] } (split /\n/, `df -P $dir`)[1];
SKIP:
{
    $free =~ /(\d+)%/ && $1 >= 2 or skip 'the disk is empty', 3;
    pgark_fails([ @base, '--min-free=99' ], qr/has only .* free: about .* will be needed, and 99 %/, 'too little would stay free');
    is(scalar(@s = repo_sets($repo)), scalar(my @t = repo_sets($repo)), 'no set');
    pgark_ok([ @base, '--no-space-check' ], 'unless that is not looked at');
}
pgark_fails([ @base, '--min-free=3', '--no-space-check' ], qr/exclude each other/, 'both');

# ---- the rate: 2 MB of rows at 1 MB in a second
$server->safe_psql('shop', 'CREATE TABLE b AS SELECT repeat(md5(i::text), 32) AS t FROM generate_series(1, 2048) i');
$start = time;
pgark_ok([ @base, '-t', 'b', '--rate-limit=1MB', '-j4', '--chunk-size=512kB', '--compress=none' ], 'a limit on the rate');
cmp_ok(time - $start, '>', 1.8, 'takes its time');
$run = pgark_start(@base, '--rate-limit=64kB');
wait_for_query($server, 'shop', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%COPY%a%' AND pid <> pg_backend_pid()});
kill 'INT', $run->{pid};
$start = time;
is((pgark_finish($run))[0], 130, 'a run that waits for its turn can be cancelled');
pgark_fails([ @base, '--rate-limit=50' ], qr/--rate-limit must be a size from 64kB/, 'without a unit');

# ---- priority, as a child of pgark has it
pgark_ok([ @base, '--nice=7', '--io-idle', '--before', "sh -c 'nice >$dir/nice; ionice -p \$\$ >>$dir/nice'" ], 'priority');
like(ran('nice'), qr/^7\nidle/, 'is handed on');
pgark_ok([ 'verify', 'latest', '--repo', $repo, '-q', '--nice=3' ], 'verify with a priority');

# ---- what a failed run has stored
$server->safe_psql('shop', 'CREATE TABLE broken (x int); INSERT INTO broken VALUES (1);'
      . ' CREATE FUNCTION fail(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE $x$no$x$; END $$;');
$run = pgark_start('backup', '--no-sync', '--repo', $repo, '-d', $shop, '--keep-partial', '--rate-limit=64kB', '-j1', '--chunk-size=64kB');
my @unfinished;
wait_for(sub { @unfinished = grep { !-e "$_/manifest.jsonl" && glob "$_/db/*/*/bundle-*" } glob "$repo/sets/*/*"; @unfinished },
    'something is stored');
kill 'INT', $run->{pid};
($code, $out, $err) = pgark_finish($run);
is($code, 130, 'a run that is cancelled');
like($err, qr/stays as the unfinished set \d{14}/, 'says what it leaves');
ok(-e "$unfinished[0]/node0.jsonl", 'it is there');
like(pgark_ok([ 'list', '--repo', $repo, '--all' ], 'list'), qr/\(unfinished\)/, 'list shows it');
pgark_ok([ 'expire', '--repo', $repo, '--keep=100' ], 'expire');
ok(!-e $unfinished[0], 'removes it');

done_testing();
