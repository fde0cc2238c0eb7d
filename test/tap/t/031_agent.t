# Backups whose nodes are stored by agents on their own hosts: what lies where, verify, restore, expire;
# the same with one repository for all; that the cut is the one of backups without agents.
use strict;
use warnings;
use File::Path qw(rmtree);
use POSIX ();
use PgarkTest;
use PostgreSQL::Test::Utils;
use Sys::Hostname;
use Test::More;

needs_agents();

my @servers = map { agent_server("node$_", 'shop') } 0 .. 2;
$_->safe_psql('postgres', 'CREATE EXTENSION pgark') for @servers;
for my $i (0 .. 2)
{
    $servers[$i]->safe_psql('shop', <<"SQL");
CREATE TABLE big (id int PRIMARY KEY, t text);
INSERT INTO big SELECT i, md5((i * ($i + 1))::text) FROM generate_series(1, 30000) i;
CREATE TABLE "odd ; \$(name) ""x""" (a serial, b numeric);
INSERT INTO "odd ; \$(name) ""x""" (b) SELECT i / 7.0 FROM generate_series(1, 100) i;
CREATE TABLE nothing (a int);
CREATE MATERIALIZED VIEW thousands AS SELECT * FROM big WHERE id % 1000 = 0;
SELECT lo_from_bytea(0, decode(repeat(md5('$i'), 100), 'hex')) FROM generate_series(1, 20);
SQL
}
my $dir   = PostgreSQL::Test::Utils::tempdir('parts');
my $apart = "$dir/repo-%c";
my @nodes = map { ('--node', conninfo($_, 'shop')) } @servers;
my @map   = map { ('--map', "$_=" . conninfo($servers[$_], 'copy')) } 0 .. 2;

sub homes { return [ repo_sets("$dir/repo-home") ] }

# tasks - what the rows of all servers say, as "node kind outcome".
sub tasks
{
    my ($key) = @_;
    return map { $_->safe_psql('shop', "SELECT node, kind, phase, outcome FROM pgark.task "
              . "WHERE key = '$key' ORDER BY kind") } @servers;
}

sub check_copies
{
    my ($name) = @_;
    for my $i (0 .. 2)
    {
        same_database($servers[$i], 'shop', $servers[$i], 'copy', "$name, node $i");
        $servers[$i]->safe_psql('postgres', 'DROP DATABASE copy');
    }
    return;
}

# ---- each node's part in a repository of its own -------------------------------------------------

my $json = pgark_json([ 'backup', @nodes, '--repo', $apart, '--agent', '-j2' ], 'backup by agents');
my $key  = $json->{key};
is_deeply([ sort map { s{.*/}{}r } glob("$dir/*") ], [qw(repo-0 repo-1 repo-2 repo-home)],
    'every node has a repository, and the set a home');
is_deeply([ set_files("$dir/repo-home", $key) ], [qw(manifest.jsonl report.json report.txt run.lock)],
    'the home has the manifest and the reports');
my $manifest = slurp_bytes(set_dir("$dir/repo-home", $key) . '/manifest.jsonl');
for my $i (0 .. 2)
{
    my $part = set_dir("$dir/repo-$i", $key);
    is(slurp_bytes("$part/manifest.jsonl"), $manifest, "node $i has a copy of it");
    my @files = set_files("$dir/repo-$i", $key);
    is(scalar(grep { m{^db/shop/node\Q$i\E/} } @files),
        scalar(grep { m{^db/} } @files), "node $i has its own files only");
    ok(-e "$part/node$i.jsonl", "node $i has its list of chunks");
}
my $records = manifest("$dir/repo-home", $key);
is_deeply([ map { $_->{repo} } @{ $records->{node} } ], [ map { "$dir/repo-$_" } 0 .. 2 ],
    'the manifest says what lies where');
is_deeply([ tasks($key) ],
    [ map { "$_|backup|ended|finished\n$_|publish|ended|finished" } 0 .. 2 ],
    'the tasks are there afterwards');
no_traces('backup by agents', undef, @servers);

# verify: through agents, quick as well, and it bites.
like(pgark_ok([ 'verify', 'latest', '--repo', $apart, @nodes ], 'verify by agents'),
    qr/set $key is good: \d+ objects/, 'verify reads all parts');
pgark_ok([ 'verify', $key, '--repo', $apart, '--quick', @nodes ], 'quick verify by agents');
my $verified = pgark_json([ 'verify', 'latest', '--repo', $apart, @nodes ], 'verify, as JSON');
is($verified->{rows}, 3 * (30000 + 100 + 20 + 20), 'all rows were read');
is($verified->{objects}, $records->{totals}[0]{objects}, 'and all objects');
pgark_fails([ 'verify', 'latest', '--repo', $apart ], qr/3 nodes of set $key lie in repositories/,
    'verify without nodes');
pgark_fails([ 'verify', 'latest', '--repo', $apart, @nodes[ 0 .. 3 ] ],
    qr/node 2 of the set is not among the nodes/, 'verify with a node missing');
{
    my ($file) = grep { m{/bundle-} } map { set_dir("$dir/repo-1", $key) . "/$_" } set_files("$dir/repo-1", $key);
    my $bytes = slurp_bytes($file);
    my $other = $bytes;
    substr($other, length($bytes) / 2, 1) ^= "\x01";
    spew_bytes($file, $other);
    my ($code, $out) = pgark('verify', $key, '--repo', $apart, @nodes);
    is($code, 1, 'a damaged part is found');
    like($out, qr/^problem: node 1 \(.*SHA-256/m, 'and the node is named');
    spew_bytes($file, $bytes);
    spew_bytes(set_dir("$dir/repo-2", $key) . '/manifest.jsonl', substr($manifest, 0, -2));
    ($code, $out) = pgark('verify', $key, '--repo', $apart, @nodes);
    is($code, 1, 'a manifest that is another one is found');
    like($out, qr/^problem: node 2 \(/m, 'and the node is named');
    spew_bytes(set_dir("$dir/repo-2", $key) . '/manifest.jsonl', $manifest);
}

# A part by itself.
my ($code, $out, $err) = pgark('list', '--repo', "$dir/repo-1");
like($out, qr/$key/, "the part's own repository shows the set");
pgark_ok([ 'expire', '--keep=1', '--older-than=1', '--repo', "$dir/repo-1" ], 'expire of a part by itself');
ok(-d set_dir("$dir/repo-1", $key), 'it is not expired there');

# restore: by agents, each from its own.
pgark_ok([ 'restore', 'latest', '--repo', $apart, '--create', '-j2', @map ], 'restore by agents');
check_copies('restored by agents');
no_traces('restore by agents', undef, @servers);
pgark_fails([ 'restore', 'latest', '--repo', $apart, '--create', @map[ 0 .. 3 ] ],
    qr/--map leaves out content id 2/, 'restore with a node missing');
pgark_fails([ 'restore', 'latest', '--repo', $apart, '--create', '--resume', @map ],
    qr/--resume is not for a set whose nodes lie apart/, 'restore --resume');
# Nothing is changed anywhere when one node's check fails.
$servers[1]->safe_psql('postgres', 'CREATE DATABASE copy');
$servers[1]->safe_psql('copy', 'CREATE TABLE big (a int)');
pgark_fails([ 'restore', 'latest', '--repo', $apart, '--create', @map ], qr/node 1.*copy/s,
    'restore where a target is not empty');
is($servers[0]->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'copy'"),
    0, 'no other target was made');
$servers[1]->safe_psql('postgres', 'DROP DATABASE copy');
# A part of the set.
pgark_ok([ 'restore', 'latest', '--repo', $apart, '--create', '-t', 'big', @map ], 'restore one table');
is($servers[2]->safe_psql('copy', 'SELECT count(*) FROM big'), 30000, 'it is there');
$_->safe_psql('postgres', 'DROP DATABASE copy') for @servers;

# Two nodes become databases of one server: their agents are started from the same database there, and told apart
# by their nodes.
{
    my @one = ('--map', '0=' . conninfo($servers[0], 'copy'), '--map', '1=' . conninfo($servers[0], 'copy1'), @map[ 4, 5 ]);
    pgark_ok([ 'restore', $key, '--repo', $apart, '--create', '-j2', @one ], 'two nodes into one server');
    is($servers[0]->safe_psql('postgres', "SELECT count(DISTINCT node) FROM pgark.task WHERE key = '$key' AND kind = 'restore' AND outcome = 'finished'"),
        2, 'by two agents');
    same_database($servers[$_], 'shop', $servers[0], $_ ? 'copy1' : 'copy', "two nodes into one server, node $_") for 0, 1;
    pgark_fails([ 'restore', $key, '--repo', $apart, '--create', @one ], qr/node \d: agent: database "copy1?" exists already/, 'again, over what is there');
    no_traces('two nodes into one server', undef, $servers[0]);
    $servers[0]->safe_psql('postgres', "DROP DATABASE $_") for qw(copy copy1);
    $servers[2]->safe_psql('postgres', 'DROP DATABASE copy');
    # Both have the same roles, which the server has not: they are made once.
    my $roles = sub { my ($do) = @_; return join ';', map { "$do ROLE worker$_" } 1 .. 200 };
    $_->safe_psql('postgres', $roles->('CREATE')) for @servers[ 0, 1 ];
    my $k = backup("$dir/roles-%c", '--agent', '--globals', '--table=nothing', @nodes[ 0 .. 3 ]);
    $_->safe_psql('postgres', $roles->('DROP')) for @servers[ 0, 1 ];
    pgark_ok([ 'restore', $k, '--repo', "$dir/roles-%c", '--create', '--globals', @one[ 0 .. 3 ] ], 'two nodes with roles into one server');
    is($servers[0]->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolname ~ '^worker'}), 200, 'all roles are there');
    $servers[0]->safe_psql('postgres', "DROP DATABASE $_") for qw(copy copy1);
    $servers[0]->safe_psql('postgres', $roles->('DROP'));
    pgark_fails([ 'backup', '--repo', "$dir/one-%c", '--agent', @nodes[ 0, 1 ], '--node', conninfo($servers[0], 'postgres') ],
        qr/are the same server/, 'two nodes of one server are no fleet');
}

# Brought together, it is a set as any other.
{
    my $together = "$dir/together";
    PostgreSQL::Test::Utils::system_or_bail('cp', '-r', "$dir/repo-home", $together);
    for my $i (0 .. 2)
    {
        PostgreSQL::Test::Utils::system_or_bail('cp', '-rn', set_dir("$dir/repo-$i", $key) . '/.',
            set_dir($together, $key));
    }
    unlink set_dir($together, $key) . '/part.home';
    pgark_ok([ 'verify', $key, '--repo', $together ], 'parts brought together verify as one set');
    pgark_ok([ 'restore', $key, '--repo', $together, '--create', @map ], 'and are restored');
    check_copies('brought together');
    rmtree($together);
}

# expire: what goes at home goes with the nodes.
my $second = pgark_json([ 'backup', @nodes, '--repo', $apart, '--agent=auto', '--no-sync' ],
    'backup by agents where there are')->{key};
ok(-d set_dir("$dir/repo-2", $second), 'auto uses them');
($code, $out, $err) = pgark('expire', '--keep=1', '--repo', $apart);
is($code, 2, 'expire without nodes leaves the set, with a warning');
like($err, qr/set $key stays: nodes of it/, 'it says why');
like(pgark_ok([ 'expire', '--keep=1', '--repo', $apart, @nodes, '--dry-run' ], 'expire, dry'),
    qr/would remove $key on node 2/, 'a dry run lists the parts');
ok(-d set_dir("$dir/repo-2", $key), 'and leaves them');
my $expired = pgark_json([ 'expire', '--keep=1', '--repo', $apart, @nodes ], 'expire by agents');
is_deeply($expired->{parts}, [ map { { key => $key, node => $_ } } 0 .. 2 ], 'all parts are listed');
is_deeply([ map { [ repo_sets("$dir/repo-$_") ] } 'home', 0 .. 2 ], [ ([$second]) x 4 ],
    'the set is gone everywhere, the other one is not');
# What a coordinator that died has left at the nodes goes, too.
rmtree(set_dir("$dir/repo-home", $second));
wait_for(sub { POSIX::strftime('%Y%m%d%H%M%S', gmtime) gt $second }, 'the next second');
pgark_ok([ 'expire', '--keep=1', '--repo', $apart, @nodes ], 'expire of orphans');
is_deeply([ map { repo_sets("$dir/repo-$_") } 'home', 0 .. 2 ], [], 'parts without a set are swept');

# ---- one repository for all ----------------------------------------------------------------------

my $shared = new_repo();
$key = backup($shared, @nodes, '--agent', '--exclude-table=nothing', '--compress=lz4');
my $one = manifest($shared, $key);
is_deeply([ grep { defined $_->{repo} } @{ $one->{node} } ], [], 'in one repository nothing lies apart');
is_deeply($one->{set}[0]{selection}, ['--exclude-table=nothing'], 'the agents get the selection');
is(scalar(grep { $_->{name} eq 'nothing' } @{ $one->{table} }), 0, 'and keep to it');
pgark_ok([ 'verify', $key, '--repo', $shared ], 'it is verified without agents');
pgark_ok([ 'restore', $key, '--repo', $shared, '--create', @map ], 'and restored without');
is($servers[1]->safe_psql('copy', 'SELECT count(*), max(id) FROM big'), '30000|30000', 'the rows are there');
$_->safe_psql('postgres', 'DROP DATABASE copy') for @servers;

# ---- the cut --------------------------------------------------------------------------------------

{
    my $total = money_setup(\@servers, 'bank', 50, 2);
    $_->safe_psql('bank', 'CREATE EXTENSION pgark') for @servers;
    my @conninfos = map { conninfo($_, 'bank') } @servers;
    my $repo      = new_repo();
    my $money     = money_start(\@servers, 'bank', '--prepared', 2, '--chain', 2, '--accounts', 50);
    my (@torn, @backwards);
    for (1 .. ($ENV{PGARK_TEST_FULL} ? 100 : 10))
    {
        my ($k, $sum, $back) = cut_finish(cut_start($repo, \@conninfos, '--agent')) or last;
        push @torn, "$k: $sum" if $sum != $total;
        push @backwards, $k if $back;
    }
    ok(money_stop($money), 'money was moved meanwhile');
    is_deeply(\@torn, [], 'the sum is right in every backup by agents');
    is_deeply(\@backwards, [], 'no chain of commits is seen backwards');
}

# ---- encodings, roles, passwords -------------------------------------------------------------------

{
    my $node = $servers[0];
    # A pattern is in the database's encoding.
    for my $case ([ 'latin', 'LATIN1', "caf\xe9" ], [ 'ascii', 'SQL_ASCII', "caf\xc3\xa9" ])
    {
        my ($db, $encoding, $pattern) = @$case;
        $node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
        $node->safe_psql($db, qq{CREATE EXTENSION pgark; CREATE TABLE "$pattern" AS SELECT i FROM generate_series(1, 1000) i; CREATE TABLE other (a int)});
        my $repo = "$dir/$db-%c";
        my @node = ('--node', conninfo($node, $db));
        pgark_ok([ 'backup', @node, '--repo', $repo, '--agent', '--table', $pattern ], "$encoding: backup by agents");
        pgark_ok([ 'verify', 'latest', '--repo', $repo, @node ], "$encoding: verify");
        pgark_ok([ 'restore', 'latest', '--repo', $repo, '--create', '--map', '0=' . conninfo($node, "${db}_copy") ],
            "$encoding: restore by agents");
        is($node->safe_psql("${db}_copy", qq{SELECT count(*) FROM "$pattern"}), 1000, "$encoding: the rows are there");
    }
    # A role that is no superuser, whose password the server wants everywhere.
    my $reads = $node->pg_version < 14 ? 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO keeper; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO keeper'
      : 'GRANT pg_read_all_data TO keeper';
    $node->safe_psql('shop', <<"SQL");
SET password_encryption = 'scram-sha-256';
CREATE ROLE keeper LOGIN PASSWORD 'geh/eim' IN ROLE pgark_backup;
$reads;
GRANT SELECT ON pg_largeobject, pg_largeobject_metadata TO keeper;
SQL
    my $hba = $node->data_dir . '/pg_hba.conf';
    my $was = slurp_bytes($hba);
    spew_bytes($hba, "local all keeper scram-sha-256\n$was");
    $node->reload;
    my $keeper = conninfo($node, 'shop', "user=keeper password='geh/eim'");
    wait_for(sub { ($node->psql('shop', 'SELECT 1', extra_params => [ '-U', 'keeper', '-w' ]))[0] != 0 }, 'passwords are wanted');
    pgark_ok([ 'backup', '--node', $keeper, '--repo', "$dir/keeper", '--agent', '--no-sync' ],
        'a role that is no superuser, with a password');
    unlike(slurp_bytes($node->logfile), qr{geh/eim.*agent backup}s, 'the password is not in the log of the launch');
    my ($code, $out, $err) = pgark('backup', '--node', conninfo($node, 'shop', 'user=postgres'), '--repo', "$dir/keeper2", '--agent', '--role=keeper', '--no-sync');
    is($code, 0, 'with --role the agent works as that role') or diag($err);
    spew_bytes($hba, $was);
    $node->reload;
}

# ---- the host's name in the repository's -----------------------------------------------------------------

{
    my $pattern = "$dir/at-%h/of-%c";
    my @one     = @nodes[ 0, 1 ];
    my $host    = hostname();
    mkdir "$dir/at-$host" or die $!;
    my $k = backup($pattern, @one, '--agent');
    is_deeply([ map { s{.*/}{}r } glob "$dir/at-$host/*" ], [qw(of-0 of-home)], '%h is the name of the host');
    is(manifest("$dir/at-$host/of-home", $k)->{node}[0]{repo}, "$dir/at-$host/of-0", 'and so the manifest has it');
    pgark_ok([ 'verify', 'latest', '--repo', $pattern, @one ], '%h: verify');
    pgark_ok([ 'restore', 'latest', '--repo', $pattern, '--create', '--map', $map[1] ], '%h: restore');
    same_database($servers[0], 'shop', $servers[0], 'copy', '%h');
    $servers[0]->safe_psql('postgres', 'DROP DATABASE copy');
    my $next = backup($pattern, @one, '--agent');
    is_deeply(pgark_json([ 'expire', '--keep=1', '--repo', $pattern, @one ], '%h: expire')->{parts}, [ { key => $k, node => 0 } ], '%h: its part is found');
    is_deeply([ map { repo_sets("$dir/at-$host/of-$_") } 'home', 0 ], [ $next, $next ], '%h: and goes');
}

# ---- where there are none -------------------------------------------------------------------------

$servers[2]->safe_psql('postgres', 'CREATE DATABASE bare');
my @bare = ('--node', conninfo($servers[0], 'shop'), '--node', conninfo($servers[2], 'bare'));
pgark_fails([ 'backup', @bare, '--repo', $apart, '--agent' ], qr/node 1.*has no extension pgark/,
    'agents where the extension is not');
($code, $out, $err) = pgark('backup', @bare, '--repo', new_repo(), '--agent=auto', '--no-sync');
is($code, 0, 'auto goes without agents then');
like($err, qr/has no extension pgark.*goes without agents/, 'and says so');
for my $option ([ '--hold', '1h' ], ['--all-databases'], ['--keep-partial'], [ '--pg-dump', '/bin/true' ])
{
    pgark_fails([ 'backup', @nodes, '--repo', $apart, '--agent', @$option ],
        qr/--agent and $option->[0] exclude each other/, "--agent $option->[0]");
}
pgark_fails([ 'backup', @nodes, '--repo', 'relative', '--agent' ], qr/must be an absolute path, not "relative"/,
    'a repository that is elsewhere for every process');
pgark_fails([ 'backup', @nodes, '--repo', "$dir/r-%x", '--agent' ],
    qr/% is followed by none of c, h and %/, 'a pattern that means nothing');
is_deeply([ map { repo_sets("$dir/repo-$_") } 'home', 0 .. 2 ], [], 'nothing was stored by any of these');

# ---- configuration files, a limit on the rate and a series
my $conf = "$dir/conf-%c";
$json = pgark_json([ 'backup', @nodes, '--repo', $conf, '--agent', '--config-files', '--rate-limit=100MB', '--prefix=nightly' ],
    'configuration files, a rate and a series by agents');
ok(-s set_dir("$dir/conf-$_", $json->{key}) . "/node$_.config.tar.zst", "node $_ has those of its server") for 0 .. 2;
pgark_ok([ 'verify', 'latest', '--repo', $conf, '--prefix=nightly', @nodes ], 'they are verified there');
pgark_fails([ 'verify', 'latest', '--repo', $conf, @nodes ], qr/no finished set without a prefix/, 'it is of its series');

drop_server($_) for @servers;
done_testing();
