# gp_dump and gp_restore: kills, full disks, servers that go away. What stays is named, or removed by the next.
use strict;
use warnings;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = make_server('node', conf => "restart_after_crash = on\n");
my $base = PostgreSQL::Test::Utils::tempdir('dumps');
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', <<'SQL');
CREATE TABLE first (id int PRIMARY KEY, b bytea);
INSERT INTO first SELECT i, decode(string_agg(md5((i * 100 + j)::text), ''), 'hex') FROM generate_series(1, 100) i, generate_series(1, 200) j GROUP BY i;
CREATE TABLE second (id int PRIMARY KEY);
INSERT INTO second SELECT generate_series(1, 1000);
SQL
my $shop  = conninfo($node, 'shop');
my $start = sub {
    my ($name, @args) = @_;
    local $ENV{PGARK} = ($ENV{PGARK} =~ s{[^/]+\z}{$name}r);
    return pgark_start(@args);
};
my $waiting = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation IS NOT NULL";

# ---- a dump is killed while it waits for a table: the server is rid of it, and the next one removes its place

my $session = $node->background_psql('shop');
for my $signal ('KILL', 'TERM')
{
    $session->query_safe('BEGIN; LOCK TABLE second');
    my $run = $start->('gp_dump', '--gp-d', "$base/killed", $shop);
    wait_for_query($node, 'shop', $waiting, "$signal: the dump waits");
    kill $signal, $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, $signal eq 'KILL' ? 137 : 130, "$signal: its exit code");
    $session->query_safe('ROLLBACK');
    no_traces("gp_dump, SIG$signal", undef, $node);
    my @left = grep { !/status|\.rpt\z/ } gp_files("$base/killed");
    is(scalar(grep { !/\A\.gp_dump_\d{14}\.set\z/ } @left), 0, "$signal: no script is there");
    is(scalar @left, $signal eq 'KILL' ? 1 : 0, "$signal: who was asked to end takes its place along; who was killed cannot, and the next does");
}
gp_tool_ok('gp_dump', [ '--gp-d', "$base/killed", $shop ], 'the next dump');
is(scalar(grep { /\A\./ } gp_files("$base/killed")), 0, 'no place is left');
# The place of one that lives is left alone.
$session->query_safe('BEGIN; LOCK TABLE second');
my $alive = $start->('gp_dump', '--gp-d', "$base/alive", '--gp-k', '20260101000000', $shop);
wait_for_query($node, 'shop', $waiting, 'a dump waits');
gp_tool_fails('gp_dump', [ '--gp-d', "$base/alive", '--gp-k', '20260101000000', $shop ], qr/has files with the key/, 'its key is taken');
gp_tool_ok('gp_dump', [ '--gp-d', "$base/alive", conninfo($node, 'postgres') ], 'another dump into that directory');
ok(-d "$base/alive/.gp_dump_20260101000000.set", 'does not touch it');
$session->query_safe('ROLLBACK');
is((pgark_finish($alive))[0], 0, 'and it ends well');

# ---- a full disk

with_small_disk(sub {
    my ($small) = @_;
    # The set, which is compressed, fits; the script does not.
    $node->safe_psql('postgres', 'CREATE DATABASE thin');
    $node->safe_psql('thin', q{CREATE TABLE t AS SELECT repeat('0123456789', 2000) AS t FROM generate_series(1, 2000)});
    gp_tool_fails('gp_dump', [ '--gp-d', "$small/dump", '--gp-c=none', conninfo($node, 'thin') ], qr/No space left|free|space/i, 'a full disk');
    is(scalar(grep { !/status|\.rpt\z/ } gp_files("$small/dump")), 0, 'a full disk: nothing that looks like a dump is left');
    # One node is done long before the other one fails.
    my $other = make_server('other');
    gp_tool_fails('gp_dump', [ '--gp-d', "$small/two", '--gp-c=none', '--node', conninfo($other, 'postgres'), '--node', conninfo($node, 'thin') ],
        qr/No space left|free|space/i, 'a full disk, two nodes');
    is(scalar(grep { !/status|\.rpt\z/ } gp_files("$small/two")), 0, 'a full disk: what was complete goes, too');
    drop_server($other);
    like(slurp_bytes((glob "$small/dump/*.rpt")[0]), qr/: Failed \{.*No space left.*\}\n.*finished unsuccessfully/s, 'a full disk: the report says so');
    gp_tool_ok('gp_dump', [ '--gp-d', "$small/dump", conninfo($node, 'thin') ], 'a full disk: compressed, it fits');
    no_traces('a full disk', undef, $node);
});

# ---- a restore: psql is killed, gp_restore is killed, the server goes away

gp_tool_ok('gp_dump', [ '--gp-d', "$base/good", '--gp-k', '20260102000000', $shop ], 'a dump');
my @restore = ('--gp-d', "$base/good", '--gp-k', '20260102000000', '-d', conninfo($node, 'copy'));
# held: the restore stands still at its last table, which is there and locked.
my $held = sub {
    $node->safe_psql('postgres', 'DROP DATABASE IF EXISTS copy (FORCE)') if $node->pg_version >= 13;
    $node->safe_psql('postgres', 'CREATE DATABASE copy');
    $node->safe_psql('copy', <<'SQL');
CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN IF tg_tag = 'CREATE TABLE' THEN PERFORM pg_advisory_lock(1); END IF; END $$;
CREATE EVENT TRIGGER slow ON ddl_command_start EXECUTE FUNCTION slow();
SQL
    my $lock = $node->background_psql('copy');
    $lock->query_safe('SELECT pg_advisory_lock(1)');
    my $run = $start->('gp_restore', @restore);
    wait_for_query($node, 'copy', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}, 'the restore stands still');
    return ($lock, $run);
};
my ($lock, $run) = $held->();
my ($psql) = grep { readlink("/proc/$_/exe") =~ m{/psql\z} } tree_of($run->{pid});
ok($psql, 'psql is its child');
kill 'KILL', $psql;
my ($code, $out, $err) = pgark_finish($run);
is($code, 1, 'psql is killed: the restore fails');
like($err, qr/ended by signal 9/, 'and says how');
like($out, qr/finished unsuccessfully/, 'its report, too');
$lock->quit;
no_traces('psql was killed', undef, $node);

($lock, $run) = $held->();
($psql) = grep { readlink("/proc/$_/exe") =~ m{/psql\z} } tree_of($run->{pid});
kill 'KILL', $run->{pid};
pgark_finish($run);
wait_for(sub { !kill(0, $psql) || (eval { slurp_bytes("/proc/$psql/stat") } // ") Z ") =~ /\) Z / }, 'gp_restore is killed: psql ends, too');
$lock->quit;
no_traces('gp_restore was killed', undef, $node);

($lock, $run) = $held->();
$node->stop('immediate');
($code, $out, $err) = pgark_finish($run);
is($code, 1, 'the server goes away: the restore fails');
$node->start;
eval { $lock->quit };
eval { $session->quit };

# ---- the agent behind gp_backup_launch is killed

SKIP:
{
    skip 'the extension is not built', 1 if !defined $ENV{PGARK_PG_AGENTS};
    my $agents = agent_server('agents', 'shop');
    $agents->safe_psql('shop', 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)');
    my $holder = $agents->background_psql('shop');
    $holder->query_safe('BEGIN; LOCK TABLE t');
    my ($stdout, $stderr) = ('', '');
    my $client = IPC::Run::start([ 'psql', '-XAtq', '-d', conninfo($agents, 'shop'), '-c', "SELECT gp_backup_launch('$base/launched', '20260103000000', '', '', '')" ],
        '<', \undef, '>', \$stdout, '2>', \$stderr);
    wait_for_query($agents, 'shop', $waiting, 'a launched dump waits');
    my ($agent) = grep { (eval { slurp_bytes("/proc/$_/cmdline") } // q()) =~ /\0agent\0gp_dump\0/ } tree_of(($agents->{_pid}));
    kill 'KILL', $agent;
    $client->finish;
    like($stderr, qr/was ended by signal 9/, 'the agent is killed: its caller hears of it');
    $holder->query_safe('ROLLBACK');
    $holder->quit;
    no_traces('an agent was killed', undef, $agents);
    is($agents->safe_psql('shop', "SELECT gp_backup_launch('$base/launched', '20260103000001', '', '', '')"), "$base/launched/gp_dump_1_1_20260103000001", 'the next works');
    is(scalar(grep { /\A\.|20260103000000/ } gp_files("$base/launched")), 0, 'and nothing of the dead one is left');
}

done_testing();
