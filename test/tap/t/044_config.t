# The configuration file: sections for commands and fleets, what is wrong in one, and what config show says.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my @servers = map { make_server("db$_") } 0 .. 1;
$_->safe_psql('postgres', 'CREATE DATABASE shop; CREATE DATABASE crm') for @servers;
$_->safe_psql('shop', 'CREATE TABLE a AS SELECT generate_series(1, 10) AS x') for @servers;
my $repo = new_repo();
my $dir  = PostgreSQL::Test::Utils::tempdir('config');
my $conf = "$dir/pgark.conf";
my ($node0, $node1, $crm) = (conninfo($servers[0], 'shop'), conninfo($servers[1], 'shop'), conninfo($servers[0], 'crm'));
spew_bytes($conf, <<"CONF");
; for all commands
[pgark]
repo = $repo

[backup]
jobs = 3
compress = lz4
quiet = true
no-sync = true

[expire]
keep = 14

[fleet shop]
node = $node0
node = $node1
jobs = 4

[fleet shop backup]
compress = none

[fleet crm]
dbname = $crm password='secret'
CONF
my @config = ('--config', $conf);

# ---- fleets
pgark_ok([ 'backup', @config, '--fleet', 'shop' ], 'a fleet by its section');
my $set = pgark_json([ 'show', 'latest', '--repo', $repo ], 'its set');
is($set->{fleet}, 'shop', 'has its name');
is(scalar @{ $set->{nodes} }, 2, 'and its nodes');
is_deeply([ @$set{qw(jobs compress)} ], [ 4, 'none' ], 'the sections of the fleet win');
pgark_ok([ 'backup', @config, '--fleet', 'crm', '-j1' ], 'another one');
$set = pgark_json([ 'show', 'latest', '--repo', $repo ], 'its set');
is_deeply([ @$set{qw(fleet jobs compress)} ], [ 'crm', 1, 'lz4' ], 'with the command line over all');
like(pgark_ok([ 'check', @config, '--fleet', 'shop' ], 'check'), qr/^node 1 .*ready$/ms, 'of the fleet');
pgark_fails([ 'backup', @config, '--fleet', 'other' ], qr/fleet file "other"/, 'neither a section nor a file');
pgark_fails([ 'backup', @config, '--fleet', 'shop', '-d', 'x' ], qr/--dbname and --fleet exclude each other/, 'and a database');
pgark_fails([ 'backup', @config, '--fleet', 'shop', '-h', 'x' ], qr/--host and --fleet exclude each other/, 'and a host');
{
    local $ENV{PGARK_CONFIG} = $conf;
    local $ENV{PGARK_FLEET}  = 'crm';
    pgark_ok(['backup'], 'both from the environment');
    pgark_ok([ 'backup', '--fleet', 'shop' ], 'the command line wins');
    is(pgark_json([ 'show', 'latest' ], 'show')->{fleet}, 'shop', 'over the environment');
}
pgark_ok([ 'expire', @config, '--dry-run' ], 'a command without fleets');

# ---- config show
my $shown = pgark_ok([ 'config', 'show', @config ], 'config show');
like($shown, qr/^\[backup\]$/m, 'has backup');
like($shown, qr/^jobs +3 +\Q$conf\E, line 6$/m, 'a value and its line');
like($shown, qr/^format +auto +default$/m, 'a default');
like($shown, qr/^\[expire\]$/m, 'and every other command');
my $json = pgark_json([ 'config', 'show', 'backup', @config, '--fleet', 'crm' ], 'config show of one command and fleet');
is_deeply([ keys %$json ], ['backup'], 'shows that one');
is_deeply($json->{backup}{jobs}, { value => '3', source => "$conf, line 6" }, 'a value');
is_deeply($json->{backup}{dbname}{value}, '***', 'no password');
is($json->{backup}{'no-sync'}{value}, 'true', 'a flag');
{
    local $ENV{PGARK_JOBS} = 5;
    $json = pgark_json([ 'config', 'show', 'backup', @config, '--fleet', 'shop' ], 'with the environment');
    is_deeply($json->{backup}{jobs}, { value => '5', source => 'PGARK_JOBS' }, 'which wins');
    is($json->{backup}{compress}{source}, "$conf, line 20", 'a section of fleet and command');
    is($json->{backup}{fleet}, undef, 'the name has become servers');
}
unlike(join('', pgark('config', 'show', @config, '--fleet', 'crm')), qr/secret/, 'nor as text');
pgark_fails(['config'], qr/config needs the word show/, 'no word');
pgark_fails([ 'config', 'set' ], qr/takes "show"/, 'another word');
pgark_fails([ 'config', 'show', 'bakup' ], qr/name of a command, not "bakup"/, 'no command');
pgark_fails([ 'config', 'show', 'backup', 'list' ], qr/no second argument/, 'two commands');

# ---- what is wrong in a file
for my $bad (
    [ 'an unknown key', "[backup]\njosb = 3\n", qr/line 2: unknown key "josb"/, qr/Did you mean jobs\?/ ],
    [ 'an unknown key of a fleet', "[fleet a]\nndoe = x\n", qr/line 2: unknown key "ndoe"/, qr/node/ ],
    [ 'an unknown section', "[bakup]\n", qr/line 1: unknown section \[bakup\]/, qr/fleet NAME/ ],
    [ 'a fleet without a name', "[fleet ]\n", qr/line 1: unknown section/, undef ],
    [ 'a fleet of that name', "[fleet a/b]\n", qr/line 1: unknown section/, undef ],
    [ 'no command', "[fleet a bakup]\n", qr/line 1: unknown section/, undef ],
    [ 'a fleet in a fleet', "[fleet a]\nfleet = b\n", qr/line 2: fleet does not belong/, undef ],
    [ 'a value of another fleet', "[fleet b]\njobs = 0\n", qr/line 2: jobs must be/, undef ],
    [ 'a key twice', "[fleet a]\ndbname = x\njobs = 1\njobs = 2\n", qr/line 4: jobs again, after line 3/, undef ],
    [ 'no servers', "[fleet a]\njobs = 1\n", qr/\[fleet a\] names no server/, qr/node = CONNINFO/ ],
    [ 'two kinds of servers', "[fleet a]\ndbname = x\nnode = y\n", qr/exclude each other/, undef ])
{
    my ($name, $text, $why, $hint) = @$bad;
    spew_bytes("$dir/bad.conf", $text);
    my $err = pgark_fails([ 'backup', '--config', "$dir/bad.conf", '--repo', $repo, '--fleet', 'a' ], $why, $name);
    like($err, qr/^pgark: hint: .*$hint/m, "$name: hint") if defined $hint;
}

# ---- a nightly line of cron: what is stored here needs no server, whatever the fleet's section names
$_->stop for @servers;
pgark_ok([ 'expire', @config, '--fleet', 'shop', '--keep-daily', 7, '--keep-weekly', 4, '--dry-run' ], 'expire of a fleet by its section');
pgark_ok([ 'verify', 'latest', @config, '--fleet', 'shop' ], 'verify of it');

done_testing();
