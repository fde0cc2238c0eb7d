# All databases of a server in one set, by one cut, with the roles and tablespaces that they need.
use strict;
use warnings;
use File::Path qw(rmtree);
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $target = make_server('target');
my $repo   = new_repo();

# ---- one instant for all of them: money moves between three databases of one server
my @banks = map { "bank$_" } 0 .. 2;
for my $db (@banks)
{
    $source->safe_psql('postgres', "CREATE DATABASE $db");
    $source->safe_psql($db, <<'SQL');
CREATE TABLE account (id int PRIMARY KEY, amount bigint NOT NULL) WITH (fillfactor = 20);
CREATE TABLE chain (id int PRIMARY KEY, value bigint NOT NULL) WITH (fillfactor = 20);
INSERT INTO account SELECT i, 1000 FROM generate_series(1, 20) i;
INSERT INTO chain SELECT i, 0 FROM generate_series(1, 2) i;
SQL
}

# stored KEY, TABLE - { database => [values] } out of the set, by the documented format.
sub stored
{
    my ($key, $table) = @_;
    my $manifest = manifest($repo, $key);
    my %values;
    for my $t (grep { $_->{name} eq $table } @{ $manifest->{table} })
    {
        my ($node) = grep { $_->{database} eq $t->{database} } @{ $manifest->{node} };
        for my $chunk (json_lines(set_dir($repo, $key) . "/$node->{chunks}{path}"))
        {
            next if $chunk->{table_oid} != $t->{oid} || !defined $chunk->{object};
            my $bytes = slurp_bytes(set_dir($repo, $key) . "/$chunk->{object}");
            my $rows  = substr $bytes, $chunk->{offset}, $chunk->{stored};
            push @{ $values{ $t->{database} } }, map { (split /\t/)[1] } split /\n/, $rows;
        }
    }
    return \%values;
}

# banking NAME, WRITERS, ARG... - sets that are made while money moves: how often the sum was wrong, and
# the chain of commits backwards.
sub banking
{
    my ($name, $writers, @args) = @_;
    my %money   = (out => '', err => '');
    my $harness = IPC::Run::start(
        [ "$ENV{PGARK_TOOLS}/money", '--pause-us', 2000, '--accounts', 20, @$writers,
            map { conninfo($source, $_, 'application_name=money') } @banks ],
        '<', \undef, '>', \$money{out}, '2>', \$money{err});
    wait_for(sub { $harness->pump_nb; $money{out} =~ /ready/ || $money{err} ne '' },
        'writers are connected');
    my (@torn, @backwards);
    for my $round (1 .. 8)
    {
        my $key = backup($repo, '-d', conninfo($source), '--all-databases', '--format=text', '-Z', 'none',
            '-j1', '--no-sync', @args);
        my $sum = 0;
        my ($accounts, $chains) = (stored($key, 'account'), stored($key, 'chain'));
        $sum += $_ for map { @$_ } values %$accounts;
        push @torn, "$key: $sum" if $sum != 60_000;
        my @tops = map { (sort { $b <=> $a } @{ $chains->{$_} })[0] } @banks;
        push @backwards, "$key: @tops" if $tops[1] > $tops[0] || $tops[2] > $tops[1];
        rmtree(set_dir($repo, $key));
    }
    $harness->signal('TERM');
    $harness->finish;
    is($?, 0, "$name: no writer failed") or diag($money{err});
    is_deeply(\@torn, [], "$name: the sum over all databases is right in every set");
    is_deeply(\@backwards, [], "$name: no chain of commits is seen backwards");
    return;
}

# Two databases of a server are never committed to at once, so the sum needs the barrier.
banking('strict',  [ '--chain', 2 ]);
banking('barrier', [ '--plain', 2, '--chain', 1 ], '--cut=barrier');
$source->safe_psql('postgres', "DROP DATABASE $_") for @banks;

# ---- roles, a tablespace, databases that use them
my $space = PostgreSQL::Test::Utils::tempdir('space');
my $there = PostgreSQL::Test::Utils::tempdir('there');
$source->safe_psql('postgres', <<'SQL');
CREATE ROLE "an owner; 'with' ""quotes""" LOGIN PASSWORD 'secret;''$$';
CREATE ROLE readers;
CREATE ROLE member IN ROLE readers CONNECTION LIMIT 3 VALID UNTIL '2099-01-01';
ALTER ROLE member SET work_mem = '3MB';
COMMENT ON ROLE readers IS 'CREATE ROLE nobody;';
SQL
$source->safe_psql('postgres', "CREATE TABLESPACE fast OWNER readers LOCATION '$space'");
for my $db ('shop', 'the other one', 'Third')
{
    $source->safe_psql('postgres', qq{CREATE DATABASE "$db" OWNER "an owner; 'with' ""quotes"""});
    $source->safe_psql($db, <<'SQL');
CREATE TABLE t (id serial PRIMARY KEY, what text) TABLESPACE fast;
INSERT INTO t (what) SELECT current_database() || i FROM generate_series(1, 1000) i;
ALTER TABLE t OWNER TO "an owner; 'with' ""quotes""";
GRANT SELECT ON t TO readers;
CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM t;
SQL
}
$source->safe_psql('postgres', 'CREATE TABLE kept (i int); INSERT INTO kept VALUES (1)');

my $key = backup($repo, '-d', conninfo($source), '--all-databases', '--globals', '-j2');
my $manifest = manifest($repo, $key);
is_deeply([ map { $_->{database} } @{ $manifest->{node} } ], [ 'Third', 'postgres', 'shop', 'the other one' ],
    'backup: every database has its record');
is(scalar(grep { defined $_->{globals}{path} } @{ $manifest->{node} }), 1, 'backup: roles are stored once');
pgark_ok([ 'verify', $key, '--repo', $repo ], 'verify');
no_traces('backup', undef, $source);

# ---- what is lacking is said before anything is made
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target), '--create', '--from-database=shop' ],
    qr/role.*owner/s, 'without --globals: missing roles are named');
is($target->safe_psql('postgres', 'SELECT count(*) FROM pg_database'), 3, 'and nothing was made');
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target), '--create', '--from-database=nothing' ],
    qr/does not hold database "nothing"/, 'a database that the set does not hold');

# ---- all of it on a new server; a role that is there already stays as it is
$target->safe_psql('postgres', "CREATE ROLE member NOLOGIN CONNECTION LIMIT 9");
$target->safe_psql('postgres', "CREATE TABLESPACE fast LOCATION '$there'");
for my $db ('shop', 'the other one', 'Third')
{
    pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($target), '--create', '--globals',
            "--from-database=$db", '-j2' ], "restore: $db");
    same_database($source, $db, $target, $db, "restore: $db", '--create');
}
is($target->safe_psql('postgres', "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'member'"), 9,
    'restore: a role that was there is not changed');
is($target->safe_psql('postgres', "SELECT pg_has_role('member', 'readers', 'member')"), 't',
    'restore: but has its memberships');
is($target->safe_psql('postgres', "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'an owner%'"),
    $source->safe_psql('postgres', "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'an owner%'"),
    'restore: passwords are as they were');

# ---- all databases at once, into a server that has none of them
my $second = make_server('second');
$second->safe_psql('postgres', "CREATE TABLESPACE fast LOCATION '" . PostgreSQL::Test::Utils::tempdir('s') . "'");
$second->safe_psql('template1', 'DROP DATABASE postgres');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($second, 'template1'), '--create', '--globals', '-j2' ],
    'restore: everything');
same_database($source, $_, $second, $_, "everything: $_", '--create') for 'shop', 'the other one', 'Third', 'postgres';
$second->safe_psql('postgres', 'ALTER TABLESPACE fast OWNER TO readers');
same_text(globals_text($second), globals_text($source), 'everything: pg_dumpall says the same of roles and tablespaces');

# ---- a server as initdb leaves it: its own database is empty, and serves as a new one
$second->stop;
my $third = make_server('third');
$third->safe_psql('postgres', "CREATE TABLESPACE fast LOCATION '" . PostgreSQL::Test::Utils::tempdir('t') . "'");
my @third = ('restore', $key, '--repo', $repo, '-d', conninfo($third), '--create', '--globals', '-j2');
pgark_ok(\@third, 'a new server: restore');
same_database($source, $_, $third, $_, "a new server: $_", '--create') for 'shop', 'the other one', 'Third', 'postgres';
pgark_fails([ @third, '--from-database=postgres' ], qr/database "postgres" exists already/, 'not when something is in it');
$third->safe_psql('postgres', 'CREATE TABLE more (i int)');
pgark_ok([ @third, '--from-database=postgres', '--clean' ], 'but it can be dropped');
same_database($source, 'postgres', $third, 'postgres', 'dropped and made anew', '--create');
$third->safe_psql('postgres', 'DROP TABLE kept');
$third->safe_psql('postgres', 'CREATE TABLE kept AS SELECT 2 AS i');
pgark_fails([ @third, '--from-database=postgres' ], qr/exists already/, 'one table is enough');
is($third->safe_psql('postgres', 'SELECT i FROM kept'), 2, 'which stays as it was');
drop_server($third);
$second->start;

# ---- into databases that are there and empty, by their names; and one under another name
$second->safe_psql('template1', 'DROP DATABASE "Third"');
$second->safe_psql('template1', 'CREATE DATABASE "Third"');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($second, 'Third'), '--from-database=Third' ],
    'restore: into an existing database');
same_database($source, 'Third', $second, 'Third', 'existing');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($second, 'renamed'), '--from-database=shop', '--create' ],
    'restore: under another name');
same_database($source, 'shop', $second, 'renamed', 'renamed');

# ---- what makes no sense
pgark_fails([ 'backup', '--repo', $repo, '-d', conninfo($source), '--all-databases', '-t', 't' ],
    qr/--all-databases.*exclude|exclude.*--all-databases/s, 'all databases and one table');
pgark_fails([ 'backup', '--repo', $repo, '-d', conninfo($source), '--no-role-passwords' ],
    qr/--globals/, 'no passwords of nothing');
my $without = backup($repo, '-d', conninfo($source, 'shop'));
pgark_fails([ 'restore', $without, '--repo', $repo, '-d', conninfo($target, 'again'), '--create', '--globals' ],
    qr/holds no roles/, 'a set without roles');
no_traces('end', undef, $source, $target, $second);

done_testing();
