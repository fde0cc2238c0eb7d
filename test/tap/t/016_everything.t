# A database with one of every kind of object that pg_dump knows goes through a backup and a restore, and
# comes back equal: to pg_dump's text of both sides, database and all, and to digests of every table,
# materialized view and large object.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $name = 'everything';

# What pg_dump's list can contain. A kind that everything.sql has nothing of would make the comparison
# empty for it. A security label is missing because no packaged module labels anything; the database and
# its properties are listed only with -C, and are compared below.
my @kinds = (
    'ACCESS METHOD', 'ACL', 'AGGREGATE', 'CAST', 'CHECK CONSTRAINT', 'COLLATION', 'COMMENT',
    'CONSTRAINT', 'CONVERSION', 'DEFAULT', 'DEFAULT ACL', 'DOMAIN',
    'EVENT TRIGGER', 'EXTENSION', 'FK CONSTRAINT', 'FOREIGN DATA WRAPPER', 'FOREIGN TABLE', 'FUNCTION',
    'INDEX', 'INDEX ATTACH', 'MATERIALIZED VIEW', 'MATERIALIZED VIEW DATA', 'OPERATOR',
    'OPERATOR CLASS', 'OPERATOR FAMILY', 'POLICY', 'PROCEDURAL LANGUAGE', 'PROCEDURE', 'PUBLICATION',
    'PUBLICATION TABLE', 'ROW SECURITY', 'RULE', 'SCHEMA', 'SEQUENCE', 'SEQUENCE OWNED BY',
    'SEQUENCE SET', 'SERVER', 'SHELL TYPE', 'STATISTICS', 'SUBSCRIPTION', 'TABLE', 'TABLE DATA',
    'TEXT SEARCH CONFIGURATION', 'TEXT SEARCH DICTIONARY', 'TEXT SEARCH PARSER',
    'TEXT SEARCH TEMPLATE', 'TRANSFORM', 'TRIGGER', 'TYPE', 'USER MAPPING', 'VIEW');

# server ROLE - one that has the roles and the tablespace that everything.sql needs.
sub server
{
    my ($role) = @_;
    my $node   = make_server($role, conf => "wal_level = logical\n");
    my $space  = "$ENV{TESTDIR}/ev_space_$$.$role";
    mkdir $space or die "$space: $!";
    $node->safe_psql('postgres', <<"SQL");
CREATE ROLE ev_owner;
CREATE ROLE ev_reader;
CREATE ROLE "Ev Writer";
CREATE ROLE ev_super SUPERUSER;
CREATE TABLESPACE ev_space LOCATION '$space';
SQL
    return $node;
}

# large_objects NODE - oid and digest of each.
sub large_objects
{
    my ($node) = @_;
    return $node->safe_psql($name,
        'SELECT oid, length(lo_get(oid)), md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid');
}

my $source = server('source');
my $target = server('target');
$source->safe_psql('postgres', "CREATE DATABASE $name");
$source->command_ok(
    [ 'psql', '-X', '-q', '-o', '/dev/null', '-f', "$ENV{PGARK_SCRATCH}/test/tap/sql/everything.sql",
        '-d', conninfo($source, $name) ],
    'everything can be made');

# ---- is it everything? -----------------------------------------------------------------------------

my $archive = "$ENV{TESTDIR}/everything_$$.dump";
$source->command_ok([ 'pg_dump', '-Fc', '-C', '-f', $archive, '-d', conninfo($source, $name) ],
    'pg_dump can dump it');
my $list = '';
IPC::Run::run([ 'pg_restore', '-l', $archive ], '>', \$list) or die 'pg_restore -l failed';
unlink $archive;
is(join(', ', grep { $list !~ /^\d+; \d+ \d+ \Q$_\E /m } @kinds), '', 'every kind is there');
like($list, qr/^\d+; \d+ \d+ BLOB/m, 'large objects are there');

# ---- the round trip --------------------------------------------------------------------------------

my $repo = new_repo();
my ($code, $out, $err) = pgark('backup', '--repo', $repo, '--no-sync', '-d', conninfo($source, $name));
ok($code == 0 || $code == 2, 'backup') or diag($err);
# Foreign tables have their rows elsewhere, which is said; nothing else is left out.
is(join("\n", grep { !/foreign table/ } $err =~ /^pgark: warning: (.*)/mg), '',
    'nothing is left out but rows of foreign tables');
pgark_ok([ 'verify', 'latest', '--repo', $repo ], 'verify');

for my $jobs (1, 3)
{
    ($code, $out, $err) = pgark('restore', 'latest', '--repo', $repo, '-d',
        conninfo($target, $name), '--create', '-j', $jobs);
    ok($code == 0 || $code == 2, "restore with $jobs jobs") or diag($err);
    same_database($source, $name, $target, $name, "-j $jobs", '--create');
    is(large_objects($target), large_objects($source), "-j $jobs: large objects are equal");
    no_traces("-j $jobs", undef, $source, $target);

    # A database with a subscription cannot be dropped, and the trigger refuses to let it be altered.
    $target->safe_psql($name, <<'SQL');
DROP EVENT TRIGGER ev_refuse;
ALTER SUBSCRIPTION ev_subscription DISABLE;
DROP SUBSCRIPTION ev_subscription;
SQL
    $target->safe_psql('postgres', "DROP DATABASE $name");
}

done_testing();
