# Backups that are killed with --hold, and resumed: the result is the state at the cut of the run that
# died, whatever others did since; what was finished is not copied again; a keeper that is gone, other
# options and another database are refused; and nothing is left anywhere when all is over.
use strict;
use warnings;
use File::stat ();
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'usleep';

needs_version(14, 'a table is one chunk, there is no middle of a backup');

my $source = make_server('source');
my $second = make_server('second');
my $target = make_server('target');
my $repo   = new_repo();

for my $node ($source, $second)
{
    $node->safe_psql('postgres', 'CREATE DATABASE shop');
    $node->safe_psql('shop', <<'SQL');
CREATE TABLE big (id int PRIMARY KEY, t text);
INSERT INTO big SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 120000) i;
CREATE TABLE small AS SELECT i, md5(i::text) AS t FROM generate_series(1, 2000) i;
CREATE TABLE other (id serial, t text);
INSERT INTO other (t) SELECT md5(i::text) FROM generate_series(1, 40000) i;
CREATE TABLE nothing (a int);
CREATE TABLE nobody ();
SELECT lo_from_bytea(i, decode(repeat(md5(i::text), 100), 'hex')) FROM generate_series(1, 300) i;
SQL
}
my @one  = ('-d', conninfo($source, 'shop'));
my @both = ('--node', conninfo($source, 'shop'), '--node', conninfo($second, 'shop'));
my @how = ('backup', '--repo', $repo, '-j2', '-Z', 'zstd:3', '--chunk-size=128kB');
# Small chunks, one behind the other: there is time to kill between them.
my $slow = '--rate-limit=4MB';

sub key_of_last { return (repo_sets($repo))[-1] }

# lines_of FILE - 0 where it is not there, which a run that goes on makes so for a moment.
sub lines_of
{
    my ($file) = @_;
    return (eval { slurp_bytes($file) } // '') =~ tr/\n//;
}

sub stored_lines { my ($key) = @_; return lines_of(set_dir($repo, $key) . '/node0.jsonl') }

# keepers - pids of the processes that hold, of this test's repository.
sub keepers
{
    my @found;
    for my $dir (glob '/proc/[0-9]*')
    {
        my $argv = eval { slurp_bytes("$dir/cmdline") } // next;
        my $state = (eval { slurp_bytes("$dir/stat") } // '') =~ /\) Z/;
        push @found, $dir =~ /(\d+)\z/
          if !$state && $argv =~ /\A[^\0]*\0hold-snapshots\0(\d+)/ && -d set_dir($repo, $1);
    }
    return @found;
}

# A suite that dies leaves none.
END { kill 'TERM', keepers() }

# killed NAME, WHEN, ARGS - a backup that is killed once WHEN->(key of its set) holds; the set's key.
sub killed
{
    my ($name, $when, @args) = @_;
    my %before = map { $_ => 1 } repo_sets($repo);
    my $run    = pgark_start(@how, $slow, @args);
    my $key;
    while (!defined $key || !$when->($key))
    {
        ($key) = grep { !$before{$_} } repo_sets($repo);
        $run->{harness}->pump_nb;
        die "$name: it ended: $run->{err}" if !$run->{harness}->pumpable;
        usleep(1000);
    }
    kill 'KILL', $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, 128 + 9, "$name: it is dead");
    return $key;
}

sub at_least { my ($n) = @_; return sub { stored_lines($_[0]) >= $n } }

sub list_entry
{
    my ($key) = @_;
    my $list = pgark_json([ 'list', '--all', '--repo', $repo ], 'list --all');
    return (grep { $_->{key} eq $key } @{ $list->{sets} })[0];
}

# all_gone NAME, NODE... - when it is over.
sub all_gone
{
    my ($name, @nodes) = @_;
    # It has let go of everything before it ends, and a sanitizer looks for leaks then.
    wait_for(sub { !keepers() }, "$name: no keeper is left");
    is(join(' ', glob "$repo/sets/*/*/hold*"), '', "$name: nor its files");
    no_traces($name, undef, @nodes);
    return;
}

# others_work NODE - what others may do while the tables are locked as readers lock them.
sub others_work
{
    my ($node) = @_;
    $node->safe_psql('shop', <<'SQL');
DELETE FROM big WHERE id % 3 = 0;
UPDATE big SET t = 'changed' WHERE id % 7 = 1;
INSERT INTO big SELECT i, 'new' FROM generate_series(1000001, 1100000) i;
DELETE FROM small;
INSERT INTO other (t) SELECT 'new' FROM generate_series(1, 1000);
INSERT INTO nothing VALUES (1);
CREATE TABLE later (a int);
SELECT lo_unlink(100), lo_from_bytea(100000, 'new');
SQL
    $node->safe_psql('shop', 'VACUUM big, small, other');
    return;
}

sub put_back
{
    my ($node) = @_;
    $node->safe_psql('shop', <<'SQL');
TRUNCATE big, small, nothing;
INSERT INTO big SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 120000) i;
INSERT INTO small SELECT i, md5(i::text) FROM generate_series(1, 2000) i;
DELETE FROM other WHERE t = 'new';
DROP TABLE later;
SELECT lo_unlink(100000), lo_from_bytea(100, decode(repeat(md5('100'), 100), 'hex'));
SQL
    return;
}

# The state at the cut, as pg_dump's text with the rows of each table sorted; values of sequences are
# those of the time when the set was made, not of the cut.
sub state_of
{
    my ($node, $db) = @_;
    my $text = PgarkTest::sort_rows(dump_text($node, $db));
    $text =~ s/^SELECT pg_catalog\.setval\(.*\n//mg;
    return $text;
}

my %want = map { $_->name => state_of($_, 'shop') } $source, $second;

# equal_at_cut KEY, NAME, NODE...
my $copies = 0;
sub equal_at_cut
{
    my ($key, $name, @nodes) = @_;
    pgark_ok([ 'verify', $key, '--repo', $repo ], "$name: verify");
    my @map;
    my $db = 'copy' . ++$copies;
    push @map, '--map', "$_=" . conninfo($target, "${db}_$_") for 0 .. $#nodes;
    pgark_ok([ 'restore', $key, '--repo', $repo, '--create', @map ], "$name: restore");
    for my $i (0 .. $#nodes)
    {
        PgarkTest::same_text(state_of($target, "${db}_$i"), $want{ $nodes[$i]->name },
            "$name: node $i is as at the cut of the run that died");
        $target->safe_psql('postgres', "DROP DATABASE ${db}_$i");
    }
    return;
}

# objects KEY - inode and time of every chunk object, by name.
sub objects
{
    my ($key) = @_;
    my $dir = set_dir($repo, $key);
    return { map { my $s = File::stat::stat("$dir/$_"); ($_ => $s->ino . ' ' . $s->mtime) }
          grep { m{/\d+\.\d+\.} } set_files($repo, $key) };
}

# ---- a run that comes to its end
{
    my $key = backup($repo, '--hold=1min', @one);
    all_gone('a run that is not killed', $source);
    pgark_fails([ @how, @one, '--resume', '--key', $key ], qr/is finished/, 'a finished set');
    pgark_fails([ @how, @one, '--resume' ], qr/needs --key/, 'without a key');
    pgark_fails([ @how, @one, '--resume', '--key', '20200101000000' ], qr/there is no set/, 'no such set');
}

# ---- killed at several points, on one server
my %point = (
    'with the first chunks' => at_least(3),
    'in the middle'         => at_least(25),
    'later'                 => at_least(60),
);
for my $when (sort keys %point)
{
    my $key = killed($when, $point{$when}, '--hold=10min', @one);
    is(scalar(my @live = keepers()), 1, "$when: the keeper lives");
    wait_for(sub { (list_entry($key)->{held_until} // '') =~ /^20/ }, 'held until');
    ok(list_entry($key)->{held}, "$when: list shows it");
    others_work($source);
    pgark_ok([ 'expire', '--repo', $repo, '--keep=5' ], "$when: expire");
    my $lines = stored_lines($key);
    cmp_ok($lines, '>', 0, "$when: expire leaves it alone");
    my ($code, $out, $err) = pgark(@how, @one, '--resume', '--key', $key);
    is($code, 0, "$when: resumed") or diag("$out$err");
    my ($there) = $err =~ /(\d+) chunks are there already/;
    is($there, $lines, "$when: all that was finished is used");
    all_gone($when, $source);
    equal_at_cut($key, $when, $source);
    put_back($source);
}

# ---- in own objects (large chunks): not touched again; a torn line, a damaged and a half object
{
    my @large = ('-d', conninfo($source, 'shop'), '-Z', 'none', '--chunk-size=2MB', '--format=text', '-j1');
    my $key   = killed('large chunks', at_least(4), '--hold=10min', @large);
    my $dir   = set_dir($repo, $key);
    my $before = objects($key);
    my ($damaged) = grep { exists $before->{ $_->{object} // '' } } chunks($repo, $key, 0);
    open my $fh, '+<:raw', "$dir/$damaged->{object}" or die;
    seek $fh, 1000, 0;
    print $fh 'X';
    close $fh;
    open $fh, '>>:raw', "$dir/node0.jsonl" or die;
    print $fh '{"type":"chunk","table_oid":16';
    close $fh;
    spew_bytes("$dir/db/shop/node0/16385.999.txt", 'half');
    others_work($source);
    my $lines = stored_lines($key);
    my ($code, $out, $err) = pgark(@how, @large, '--resume', '--key', $key);
    is($code, 0, 'large chunks: resumed') or diag("$out$err");
    my ($there) = $err =~ /(\d+) chunks are there already/;
    is($there, $lines - 1, 'large chunks: all but the damaged one are used');
    like($err, qr/\Q$damaged->{object}\E is not what it should be/, 'large chunks: which is named');
    my $after = objects($key);
    my %recorded = map { ($_->{object} // '') => 1 } chunks($repo, $key, 0);
    my @same = grep { $recorded{$_} && ($after->{$_} // '') eq $before->{$_} } keys %$before;
    cmp_ok(scalar @same, '>=', scalar(keys %$before) - 2, 'large chunks: objects were not written again');
    all_gone('large chunks', $source);
    equal_at_cut($key, 'large chunks', $source);
    put_back($source);
}

# ---- a fleet of two; killed, resumed, killed, resumed with other jobs
{
    my $key = killed('fleet', sub {
            my $dir = set_dir($repo, $_[0]);
            return lines_of("$dir/node0.jsonl") > 10 && lines_of("$dir/node1.jsonl") > 10;
        }, '--hold=10min', @both);
    others_work($_) for $source, $second;
    my $run  = pgark_start(@how, $slow, @both, '--resume', '--key', $key);
    my $seen = stored_lines($key);
    # Begun anew with what was there, and some more.
    while (stored_lines($key) < $seen + 8)
    {
        $run->{harness}->pump_nb;
        die "it ended: $run->{err}" if !$run->{harness}->pumpable;
        usleep(1000);
    }
    my $alive = list_entry($key);
    ok($alive->{in_progress} && $alive->{held}, 'fleet: in progress again');
    pgark_fails([ @how, @both, '--resume', '--key', $key ], qr/its run lives/, 'fleet: only one at a time');
    kill 'KILL', $run->{pid};
    pgark_finish($run);
    is(scalar(my @left = keepers()), 1, 'fleet: the keeper still lives');
    my ($code, $out, $err) = pgark(@how, @both, '-j3', '--resume', '--key', $key, '--hold=5min');
    is($code, 0, 'fleet: resumed twice') or diag("$out$err");
    my @there = $err =~ /(\d+) chunks are there already/g;
    cmp_ok($there[0], '>=', $seen + 8, 'fleet: with the chunks of both runs') or diag("@there, $seen");
    all_gone('fleet', $source, $second);
    equal_at_cut($key, 'fleet', $source, $second);
    put_back($_) for $source, $second;
}

# ---- what is refused, and leaves all as it is
{
    my $key = killed('refused', at_least(20), '--hold=10min', @one);
    my %other = (
        'another compression'     => [ [ '-Z', 'zstd:1' ], qr/--compress=zstd:3.*--compress=zstd:1\b/ ],
        'another chunk size'      => [ ['--chunk-size=1MB'], qr/--chunk-size=131072.*--chunk-size=1048576/ ],
        'another format'          => [ ['--format=text'], qr/--copy-format=auto.*--copy-format=text/ ],
        'a selection'             => [ [ '-t', 'big' ], qr/nothing of the kind.*--table=/ ],
        'another section'         => [ ['--schema-only'], qr/--sections=7/ ],
    );
    for my $name (sort keys %other)
    {
        my ($args, $pattern) = @{ $other{$name} };
        pgark_fails([ @how, @one, '--resume', '--key', $key, @$args ], $pattern, $name);
    }
    pgark_fails([ @how, @both, '--resume', '--key', $key ], qr/has 1 databases/, 'another fleet');
    pgark_fails([ @how, '-d', conninfo($second, 'shop'), '--resume', '--key', $key ],
        qr/not of this database/, 'another server');
    # Somebody who waits for the keeper to end is in the way of any new lock.
    my $waiter = session($source, 'shop');
    $waiter->{stdin} .= "ALTER TABLE small ADD COLUMN x int;\n";
    $waiter->{run}->pump_nb;
    wait_for_query($source, 'shop', 'SELECT count(*) > 0 FROM pg_locks WHERE NOT granted', 'a queued ALTER TABLE');
    pgark_fails([ @how, @one, '--resume', '--key', $key, '--lock-wait-timeout=200ms' ],
        qr/waits to hold it exclusively/, 'a queued ALTER TABLE');
    $source->safe_psql('shop', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE%' AND pid <> pg_backend_pid()});
    $waiter->quit;
    is(scalar(my @left = keepers()), 1, 'refused: the keeper still lives');
    my ($code, $out, $err) = pgark(@how, @one, '--resume', '--key', $key);
    is($code, 0, 'after all of that it can be resumed') or diag("$out$err");
    all_gone('refused', $source);
    equal_at_cut($key, 'refused', $source);
}

# ---- a keeper that is gone: kill -9, its time, its session, the server
sub gone_for
{
    my ($name, $key) = @_;
    wait_for(sub { !keepers() }, "$name: the keeper ends");
    pgark_fails([ @how, @one, '--resume', '--key', $key ], qr/snapshot of set $key is gone: nothing of it can be used/, $name);
    no_traces($name, undef, $source);
    my $again = backup($repo, @one);
    pgark_ok([ 'expire', '--repo', $repo, '--keep=9' ], "$name: expire");
    ok(!-e set_dir($repo, $key), "$name: expire removes the set");
    pgark_ok([ 'verify', $again, '--repo', $repo ], "$name: the next run works");
    return;
}
{
    my $key = killed('kill -9 of the keeper', at_least(20), '--hold=10min', @one);
    kill 'KILL', keepers();
    gone_for('kill -9 of the keeper', $key);
    $key = killed('SIGTERM', at_least(20), '--hold=10min', @one);
    kill 'TERM', keepers();
    gone_for('SIGTERM', $key);
    $key = killed('its time is over', at_least(20), '--hold=1s', @one);
    gone_for('its time is over', $key);
    $key = killed('its session', at_least(20), '--hold=10min', @one);
    $source->safe_psql('shop', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgark hold'});
    gone_for('its session', $key);
    $key = killed('the set is removed', at_least(20), '--hold=10min', @one);
    system('rm', '-rf', set_dir($repo, $key)) == 0 or die;
    wait_for(sub { $source->safe_psql('shop', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgark hold'}) eq '0' },
        'the set is removed: the keeper ends');
    $key = killed('the server was restarted', at_least(20), '--hold=10min', @one);
    $source->restart;
    gone_for('the server was restarted', $key);
}

# ---- runs that fail or are ended by their user
{
    my $before = join ' ', repo_sets($repo);
    my $run    = pgark_start(@how, $slow, '--hold=10min', @one);
    wait_for(sub { key_of_last() ne (split / /, $before)[-1] && stored_lines(key_of_last()) > 10 }, 'cancelled: it got there');
    kill 'INT', $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, 130, 'cancelled: exit code');
    is(join(' ', repo_sets($repo)), $before, 'cancelled: nothing stays');
    all_gone('cancelled', $source);

    # A lost connection: all that is needed is another try.
    $run = pgark_start(@how, '--rate-limit=1MB', '--hold=10min', @one);
    wait_for(sub { key_of_last() ne (split / /, $before)[-1] && stored_lines(key_of_last()) > 10 }, 'lost: it got there');
    my $key = key_of_last();
    $source->safe_psql('shop', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgark worker' LIMIT 1});
    ($code, my $out, my $err) = pgark_finish($run);
    is($code, 1, 'lost: exit code');
    like($err, qr/backup --resume --key=$key/, 'lost: it says how to go on');
    # The one of the cancelled run may be looking for leaks still, and have had the same key.
    wait_for(sub { keepers() == 1 }, 'lost: the keeper lives');
    cmp_ok(stored_lines($key), '>', 10, 'lost: what is finished is there');
    my $lines = stored_lines($key);
    ($code, $out, $err) = pgark(@how, @one, '--resume', '--key', $key);
    is($code, 0, 'lost: resumed') or diag("$out$err");
    like($err, qr/\b$lines chunks are there already/, 'lost: with all that was finished');
    all_gone('lost', $source);
    equal_at_cut($key, 'lost', $source);
}

# ---- several databases of a server, one more of them since
{
    $source->safe_psql('postgres', 'CREATE DATABASE second_db');
    $source->safe_psql('second_db', 'CREATE TABLE t AS SELECT generate_series(1, 10) AS a');
    my @all = ('-d', conninfo($source, 'postgres'), '--all-databases', '--globals');
    my $key = killed('all databases', sub { lines_of(set_dir($repo, $_[0]) . '/db/shop/node0/node0.jsonl') > 20 },
        '--hold=10min', @all);
    $source->safe_psql('postgres', 'CREATE DATABASE third_db');
    others_work($source);
    my ($code, $out, $err) = pgark(@how, @all, '--resume', '--key', $key);
    is($code, 0, 'all databases: resumed') or diag("$out$err");
    all_gone('all databases', $source);
    pgark_ok([ 'verify', $key, '--repo', $repo ], 'all databases: verify');
    my $manifest = manifest($repo, $key);
    is(join(' ', map { $_->{database} } @{ $manifest->{node} }), 'postgres second_db shop',
        'all databases: those of the cut');
    my ($big) = grep { $_->{name} eq 'big' } @{ $manifest->{table} };
    is($big->{rows}, 120000, 'all databases: rows of the cut');
    put_back($source);
}

# ---- no keeper to be had, as somebody queues up for a table between the run's locks and its own: the
# run goes on without one (and starts over when pg_dump meets the same)
{
    $source->safe_psql('shop', <<'SQL');
CREATE FUNCTION lock_small() RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN LOCK TABLE small IN ACCESS EXCLUSIVE MODE; END $$;
SQL
    my $queue = watch($source, 'shop',
        "EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE application_name = 'pgark holder'"
          . " AND relation = 'small'::regclass)", 'lock_small()');
    my ($code, $out, $err) = pgark('backup', '--repo', $repo, '--hold=10min', @one);
    is($code, 2, 'no keeper: the run is done, with a warning') or diag($err);
    like($err, qr/snapshots are not held, this run cannot be resumed.*small/, 'no keeper: which says so');
    ok(watch_end($queue), 'no keeper: somebody was in the way');
    all_gone('no keeper', $source);
}

done_testing();
