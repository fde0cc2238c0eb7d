# Roles and tablespaces that a restore makes are there as they were or not at all, whenever it is killed.
use strict;
use warnings;
use File::Path qw(rmtree);
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $repo   = new_repo();
my $space  = PostgreSQL::Test::Utils::tempdir_short();

# A session that holds the catalog of roles' settings, or of comments, can stop a restore: amidst the roles,
# or behind the making of the tablespace.
$source->safe_psql('postgres', <<'SQL');
CREATE ROLE a_owner LOGIN PASSWORD 'secret';
CREATE ROLE member IN ROLE a_owner;
ALTER ROLE a_owner SET work_mem = '3MB';
ALTER ROLE member SET work_mem = '4MB';
SQL
$source->safe_psql('postgres', qq{CREATE TABLESPACE "The fast" OWNER member LOCATION '$space'});
$source->safe_psql('postgres', <<'SQL');
ALTER TABLESPACE "The fast" SET (seq_page_cost = 2);
GRANT CREATE ON TABLESPACE "The fast" TO a_owner;
COMMENT ON TABLESPACE "The fast" IS 'quick';
CREATE DATABASE shop;
SQL
$source->safe_psql('shop', 'CREATE TABLE t TABLESPACE "The fast" AS SELECT 1 AS a; ALTER TABLE t OWNER TO member');
my $key     = backup($repo, '-d', conninfo($source, 'shop'), '--globals');
my $globals = globals_text($source);
# Its directory can be that of a single server of one version only.
drop_server($source);
rmtree([ glob "$space/*" ]);

my $target = make_server('target');
my @restore = ('restore', $key, '--repo', $repo, '-d', conninfo($target, 'shop'), '--create', '--globals');
my $before  = globals_text($target);

my %catalog = ('ALTER ROLE a_owner SET' => 'pg_db_role_setting', 'COMMENT ON TABLESPACE' => 'pg_shdescription');

# stopped QUERY - a restore that waits where it runs that.
sub stopped
{
    my ($query) = @_;
    my $session = session($target);
    $session->query_safe("BEGIN; LOCK TABLE $catalog{$query} IN SHARE MODE");
    my $run = pgark_start(@restore);
    wait_for_query($target, 'postgres',
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ '^$query'", $query);
    return ($session, $run);
}

# killed QUERY - kills one there.
sub killed
{
    my ($query) = @_;
    my ($session, $run) = stopped($query);
    kill 'KILL', $run->{pid};
    is((pgark_finish($run))[0], 128 + 9, "$query: it was killed");
    $session->quit;
    no_traces($query, undef, $target);
    return;
}

sub spaces { return $target->safe_psql('postgres', "SELECT spcname FROM pg_tablespace WHERE spcname !~ '^pg_' ORDER BY 1") }

killed('ALTER ROLE a_owner SET');
is(globals_text($target), $before, 'killed amidst roles: none is there');

killed('COMMENT ON TABLESPACE');
like(spaces(), qr/\Apgark_restore_[0-9a-f]{32}\z/, 'killed amidst a tablespace: it has not its name yet');
is($target->safe_psql('postgres', q{SELECT r.rolname, setconfig FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole ORDER BY 1}),
    "a_owner|{work_mem=3MB}\nmember|{work_mem=4MB}", 'and the roles are complete');

# A failure takes back what has no name.
{
    my ($session, $run) = stopped('COMMENT ON TABLESPACE');
    $target->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^COMMENT ON TABLESPACE'});
    wait_for_query($target, 'postgres',
        q{SELECT count(*) = 0 FROM pg_stat_activity WHERE state = 'active' AND query ~ '^COMMENT ON TABLESPACE'});
    $session->quit;
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 1, 'a failure amidst a tablespace') or diag("$out$err");
    like($err, qr/tablespace "The fast": .*canceling statement/, 'is said to be of that');
    is(spaces(), '', 'and leaves nothing');
}

# One that was left is taken over.
killed('COMMENT ON TABLESPACE');
pgark_ok(\@restore, 'once more');
same_text(globals_text($target), $globals, 'once more: roles and tablespaces are as they were');
is($target->safe_psql('shop', 'SELECT a, tableowner, tablespace FROM t, pg_tables WHERE tablename = $$t$$'), '1|member|The fast',
    'once more: and so is what uses them');
no_traces('end', undef, $target);

done_testing();
