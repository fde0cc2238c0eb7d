# Incremental backups that die: the set that they were built on is as it was, and the next one is good. With
# --hold they are resumed, on the set that the dead run had chosen, or without it when it is gone.
use strict;
use warnings;
use File::Path qw(rmtree);
use PgarkTest;
use Test::More;

needs_version(14, 'a table is one chunk, there is no middle of a backup');

my $source = make_server('source');
my $repo   = new_repo();
$source->safe_psql('postgres', 'CREATE DATABASE shop');
$source->safe_psql('shop', <<'SQL');
CREATE TABLE big (id int, t text);
INSERT INTO big SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 60000) i;
CREATE TABLE moved (id int, t text);
INSERT INTO moved SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
SQL
my @what = ('-d', conninfo($source, 'shop'), '-j2', '--chunk-size=128kB');
my @how  = ('--repo', $repo, @what);

sub killed
{
    my ($name, @args) = @_;
    my %before = map { $_ => 1 } repo_sets($repo);
    # So slow that it does not end by itself.
    my $run = pgark_start('backup', @how, '--incremental', '--rate-limit=512kB', @args);
    my $key;
    wait_for(sub {
        $run->{harness}->pump_nb;
        ($key) = grep { !$before{$_} } repo_sets($repo);
        # Without --hold lines are kept back: the directory has to do.
        return defined $key && -e set_dir($repo, $key) . '/node0.jsonl'
          && (!grep { /^--hold/ } @args or slurp_bytes(set_dir($repo, $key) . '/node0.jsonl') =~ tr/\n// >= 6);
    }, "$name: it has begun");
    kill 'KILL', $run->{pid};
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 128 + 9, "$name: it is dead") or diag($err);
    return $key;
}

sub change
{
    $source->safe_psql('shop', "TRUNCATE moved; INSERT INTO moved SELECT i, '$_[0]' FROM generate_series(1, 20000) i");
    return;
}

sub show { return pgark_json([ 'show', $_[0], '--repo', $repo ], "show $_[0]") }
sub verify { return pgark_ok([ 'verify', $_[0], '--repo', $repo ], "$_[1]: verify") }

sub restores
{
    my ($key, $name) = @_;
    verify($key, $name);
    pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($source, 'copy'), '--create' ], "$name: restore");
    same_rows($source, 'shop', $source, 'copy', $name);
    $source->safe_psql('postgres', 'DROP DATABASE copy');
    return;
}

# ---- killed, and another one
my $first = backup($repo, @what);
change('changed');
my $dead = killed('kill -9');
pgark_ok([ 'expire', '--repo', $repo, '--keep=9' ], 'expire');
ok(!-e set_dir($repo, $dead), 'what is left of it goes');
verify($first, 'the base');
my $second = backup($repo, @what, '--incremental');
is(show($second)->{base}, $first, 'the next one is built on the same');
restores($second, 'after a kill');

# ---- killed with a hold, and resumed
my $held = killed('hold', '--hold=1h');
# Neither of these is what is resumed: another newest set, and what changes now.
my $full = backup($repo, @what);
pgark_ok([ 'backup', @how, '--incremental', '--resume', '--key', $held ], 'resume');
my $set = show($held);
is($set->{base}, $second, 'the base is that of the run that died');
is($set->{totals}{referenced}, show($full)->{totals}{stored} - do { my $n = 0; $n += $_->{schema}{bytes} + $_->{chunks}{bytes} for @{ manifest($repo, $full)->{node} }; $n },
    'all chunks are referred to, before the kill and after it');
is_deeply($set->{depends_on}, [ $first, $second ], 'in the sets that store them');
restores($held, 'resumed');

# ---- resumed when the base is gone
change('changed again');
my $orphan = killed('hold, the base goes', '--hold=1h', "--incremental-from=$second");
for my $gone ($held, $second, $full) { rmtree(set_dir($repo, $gone)) }
my ($code, $out, $err) = pgark('backup', @how, '--incremental', "--incremental-from=$second", '--resume', '--key', $orphan);
is($code, 2, 'resume without the base: a warning') or diag($err);
like($err, qr/the rest of set $orphan is stored in full: .*$second/, 'says why');
$set = show($orphan);
is($set->{base}, undef, 'it is a full one now');
is($set->{totals}{referenced}, 0, 'and refers to nothing');
restores($orphan, 'resumed without the base');
wait_for(sub { !grep { -e "$_/hold.lock" } glob "$repo/sets/*/*" }, 'no hold is left');
no_traces('in the end', undef, $source);
done_testing();
