# Ends by force: of pgark, of a backend, of the server, and by the user's signals, in backup and in
# restore. No set becomes visible, nothing stays on the servers, and the next run works.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $second = make_server('second');
my $target = make_server('target');
my $repo   = new_repo();

for my $node ($source, $second)
{
    $node->safe_psql('postgres', 'CREATE DATABASE shop');
    $node->safe_psql('shop', <<'SQL');
CREATE TABLE big (id int PRIMARY KEY, t text);
INSERT INTO big SELECT i, md5(i::text) || md5(i::text) FROM generate_series(1, 150000) i;
CREATE TABLE other (id int, t text);
INSERT INTO other SELECT i, md5(i::text) FROM generate_series(1, 300000) i;
CREATE INDEX ON other (t);
CREATE TABLE small AS SELECT generate_series(1, 10) AS id;
SQL
}
my @nodes  = ('--node', conninfo($source, 'shop'), '--node', conninfo($second, 'shop'));
# There is time to do something while it copies.
my @backup = ('backup', '--repo', $repo, '--no-sync', '-j2', '--rate-limit=8MB', '--chunk-size=256kB', @nodes);

# A set that is there before, and must be there after, whole.
my $good  = backup($repo, @nodes);
my $ours  = q{application_name NOT LIKE '%.t' AND backend_type = 'client backend' AND pid <> pg_backend_pid()};
my $busy  = "(SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ 'COPY|LOCK TABLE ONLY' AND $ours) > 0";
my $taking_rows = "(SELECT count(*) FROM pg_stat_activity WHERE query ~ 'COPY' AND $ours) > 0";

# usable NAME - after it all the repository works: the good set is whole, and a new backup is made.
sub usable
{
    my ($name) = @_;
    pgark_ok([ 'verify', $good, '--repo', $repo ], "$name: the older set is whole");
    my ($code, $out, $err) = pgark(@backup, '--output=json');
    is($code, 0, "$name: the next run works") or diag($err);
    my ($key) = $out =~ /"key": ?"(\d{14})"/;
    pgark_ok([ 'verify', $key, '--repo', $repo ], "$name: its set is whole");
    pgark_ok([ 'expire', '--repo', $repo, '--keep', 5 ], "$name: expire");
    my $list = pgark_json([ 'list', '--all', '--repo', $repo ], "$name: list --all");
    is_deeply([ sort map { $_->{key} } @{ $list->{sets} } ], [ $good, $key ], "$name: nothing unfinished is left");
    system('rm', '-rf', set_dir($repo, $key)) == 0 or die;
    return;
}

# only_good NAME - no other set is visible.
sub only_good
{
    my ($name) = @_;
    my $list = pgark_json([ 'list', '--repo', $repo ], "$name: list");
    is_deeply([ map { $_->{key} } @{ $list->{sets} } ], [$good], "$name: no other set is visible");
    return;
}

# ---- kill -9 of pgark, at several points of a run
my %point = (
    'while it connects'   => "(SELECT count(*) FROM pg_stat_activity WHERE $ours) > 0",
    'while it takes locks' => "(SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.relation = 'big'::regclass AND $ours) > 0",
    'while it copies'     => $taking_rows,
    'with pg_dump'        => "(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump') > 0",
);
for my $when (sort keys %point)
{
    my $watch = watch($source, 'shop', $point{$when});
    my $run   = pgark_start(@backup);
    ok(watch_end($watch), "kill -9 $when: it got there");
    kill 'KILL', $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, 128 + 9, "kill -9 $when: it is dead");
    no_traces("kill -9 $when", undef, $source, $second);
    only_good("kill -9 $when");
}
my $list = pgark_json([ 'list', '--all', '--repo', $repo ], 'list --all after kill -9');
cmp_ok(scalar @{ $list->{sets} }, '>', 1, 'kill -9: the unfinished ones are shown by list --all');
usable('kill -9');

# ---- the user's signals
for my $signal (qw(INT TERM))
{
    for my $when (sort keys %point)
    {
        my $watch = watch($source, 'shop', $point{$when});
        my $run   = pgark_start(@backup);
        ok(watch_end($watch), "SIG$signal $when: it got there");
        kill $signal, $run->{pid};
        my ($code, $out, $err) = pgark_finish($run);
        is($code, 130, "SIG$signal $when: exit code") or diag("$out$err");
        like($err, qr/cancel/, "SIG$signal $when: says so");
        no_traces("SIG$signal $when", [ $repo, $good ], $source, $second);
    }
}
# While it waits for a lock that somebody else holds.
{
    my $blocker = session($source, 'shop');
    $blocker->query_safe('BEGIN; LOCK TABLE small IN ACCESS EXCLUSIVE MODE');
    my $run = pgark_start(@backup);
    wait_for_query($source, 'shop', 'SELECT count(*) > 0 FROM pg_locks WHERE NOT granted', 'SIGINT, waiting for a lock: it got there');
    kill 'INT', $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, 130, 'SIGINT, waiting for a lock: exit code');
    no_traces_but_blocker($blocker);
}

sub no_traces_but_blocker
{
    my ($blocker) = @_;
    $blocker->query_safe('ROLLBACK');
    $blocker->quit;
    no_traces('SIGINT, waiting for a lock', [ $repo, $good ], $source, $second);
    return;
}
usable('signals');

# ---- a backend is killed or told to end, of each kind that pgark has
for my $kind ('worker', 'holder', 'pg_dump', 'probe')
{
    my $which = $kind eq 'pg_dump' ? "application_name = 'pg_dump'" : "$ours AND application_name LIKE '%$kind%'";
    next if $kind =~ /holder|probe/ && !seen_kind($kind);
    # pg_dump may be done before the first rows are taken.
    my $when  = $kind eq 'pg_dump' ? 'true' : $taking_rows;
    my $watch = watch($second, 'shop', "(SELECT count(*) FROM pg_stat_activity WHERE $which) > 0 AND $when",
        "pg_terminate_backend(pid) FROM pg_stat_activity WHERE $which");
    my $run   = pgark_start(@backup);
    ok(watch_end($watch), "end of a $kind: it got there");
    my ($code, $out, $err) = pgark_finish($run);
    if ($kind eq 'pg_dump' && $code == 0)
    {
        # It had written its last byte already.
        my ($made) = grep { $_ ne $good } repo_sets($repo);
        pgark_ok([ 'verify', $made, '--repo', $repo ], "end of a $kind: too late, the set is whole");
        system('rm', '-rf', set_dir($repo, $made)) == 0 or die;
    }
    else
    {
        is($code, 1, "end of a $kind: exit code") or diag("$out$err");
        like($err, qr/^pgark: error: /m, "end of a $kind: an error");
        like($err, qr/node 1|second/, "end of a $kind: which names the node");
    }
    no_traces("end of a $kind", [ $repo, $good ], $source, $second);
}
usable('ended backends');

# The application names of pgark's connections are not part of its contract: look which there are.
sub seen_kind
{
    my ($kind) = @_;
    my $watch = watch($second, 'shop', $taking_rows);
    my $run   = pgark_start(@backup);
    watch_end($watch);
    my $seen = $second->safe_psql('shop', "SELECT count(*) FROM pg_stat_activity WHERE $ours AND application_name LIKE '%$kind%'");
    kill 'INT', $run->{pid};
    pgark_finish($run);
    return $seen;
}

# ---- the server of one node stops at once
{
    my $watch = watch($second, 'shop', $taking_rows);
    my $run   = pgark_start(@backup);
    ok(watch_end($watch), 'server stop: it got there');
    $second->stop('immediate');
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, 'server stop: exit code') or diag("$out$err");
    like($err, qr/node 1|second/, 'server stop: the node is named');
    $second->start;
    no_traces('server stop', [ $repo, $good ], $source, $second);
    usable('server stop');
}

# ---- kill -9 of a worker's backend: the server restarts as a whole
{
    $second->append_conf('postgresql.conf', 'restart_after_crash = on');
    $second->reload;
    my $watch = watch($second, 'shop', $taking_rows);
    my $run   = pgark_start(@backup);
    ok(watch_end($watch), 'crash: it got there');
    my ($pid) = split /\n/, $second->safe_psql('shop', "SELECT pid FROM pg_stat_activity WHERE $ours LIMIT 1");
    kill 'KILL', $pid if $pid;
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, 'crash: exit code') or diag("$out$err");
    wait_until_up($second, 'crash: the server is back');
    no_traces('crash', [ $repo, $good ], $source, $second);
    usable('crash');
}

# ---- restore
my $copies = 0;
sub restore_args
{
    my $db = 'copy' . ++$copies;
    return ($db, 'restore', $good, '--repo', $repo, '--create', '-j2', '--map', '0=' . conninfo($target, $db),
        '--map', '1=' . conninfo($target, "${db}b"));
}

# restored_again NAME - into new databases it works, whatever the failed one has left behind.
sub restored_again
{
    my ($name) = @_;
    my ($db, @args) = restore_args();
    pgark_ok(\@args, "$name: the next restore works");
    same_rows($source, 'shop', $target, $db, $name);
    $target->safe_psql('postgres', "DROP DATABASE $_") for $db, "${db}b";
    return;
}

my %restore_point = (
    'while it copies' => "(SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%COPY%' AND $ours) > 0",
    'while it makes indexes' => "(SELECT count(*) FROM pg_stat_activity WHERE query ~ 'CREATE INDEX|PRIMARY KEY' AND $ours) > 0",
);
for my $signal (qw(KILL INT TERM))
{
    for my $when (sort keys %restore_point)
    {
        my $name = "restore, SIG$signal $when";
        my ($db, @args) = restore_args();
        my $watch = watch($target, 'postgres', $restore_point{$when});
        my $run   = pgark_start(@args);
        ok(watch_end($watch), "$name: it got there");
        kill $signal, $run->{pid};
        my ($code, $out, $err) = pgark_finish($run);
        is($code, $signal eq 'KILL' ? 128 + 9 : 130, "$name: exit code") or diag("$out$err");
        no_traces($name, [ $repo, $good ], $target);
    }
}
restored_again('restore, killed');
{
    my ($db, @args) = restore_args();
    my $watch = watch($target, 'postgres', $restore_point{'while it copies'});
    my $run   = pgark_start(@args);
    ok(watch_end($watch), 'restore, server stop: it got there');
    $target->stop('immediate');
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, 'restore, server stop: exit code') or diag("$out$err");
    $target->start;
    no_traces('restore, server stop', [ $repo, $good ], $target);
    restored_again('restore, server stop');
}

# ---- two runs at once: one writer for a fleet, readers beside it
{
    my $watch = watch($source, 'shop', $taking_rows);
    my $run   = pgark_start(@backup);
    ok(watch_end($watch), 'two at once: the first is running');
    pgark_fails([@backup], qr/lock|running|another|pid/, 'two at once: the second is refused');
    pgark_ok([ 'verify', $good, '--repo', $repo ], 'two at once: a reader is let in');
    pgark_ok([ 'expire', '--repo', $repo, '--keep', 5 ], 'two at once: expire');
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'two at once: the first is not disturbed') or diag($err);
    is(scalar(my @keys = repo_sets($repo)), 2, 'two at once: and its set is there');
}

done_testing();
