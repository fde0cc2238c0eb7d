# GreenplumTest.pm - Greenplum 6 clusters for the suites, where a Greenplum is installed.
#
# GreenplumCluster.pm makes them; here is what asks and compares them.
package GreenplumTest;

use strict;
use warnings;
use Exporter 'import';
use GreenplumCluster;
use IPC::Run;
use PgarkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  needs_greenplum greenplum_bin make_greenplum drop_greenplum greenplum_conninfo gp_sql gp_segment_sql
  gp_rows gp_policies gp_schema gp_dump gp_no_traces gp_freeze gp_frozen gp_thaw gp_bank gp_write gp_stop_writers
  start_restored_greenplum
);

my @clusters;

sub greenplum_bin { return GreenplumCluster::bin(); }

# needs_greenplum - skips the whole suite where there is none.
sub needs_greenplum
{
    plan skip_all => 'no Greenplum 6 is installed (PGARK_GREENPLUM_BIN)' unless defined greenplum_bin();
    return;
}

# make_greenplum NAME, SEGMENTS [, DB...] - a cluster with these databases.
sub make_greenplum
{
    my ($name, $segments, @databases) = @_;
    my $cluster = GreenplumCluster->new(PostgreSQL::Test::Utils::tempdir("gp_$name"),
        map { PostgreSQL::Test::Cluster::get_free_port() } 0 .. $segments);
    push @clusters, $cluster;
    $cluster->make;
    gp_sql($cluster, 'postgres', "CREATE DATABASE $_") for grep { $_ ne 'postgres' } @databases;
    return $cluster;
}

# start_restored_greenplum DIR, PORT... - a cluster whose nodes are in DIR/gpseg-1, DIR/gpseg0 ...
sub start_restored_greenplum
{
    my ($dir, @ports) = @_;
    my $cluster = GreenplumCluster->new($dir, @ports);
    push @clusters, $cluster;
    $cluster->start;
    return $cluster;
}

sub drop_greenplum
{
    my ($cluster) = @_;
    $cluster->stop;
    @clusters = grep { $_ != $cluster } @clusters;
    return;
}

END
{
    my $status = $?;
    drop_greenplum($_) for @clusters;
    $? = $status;
}

# greenplum_conninfo CLUSTER, DB [, CONTENT] - of the coordinator, or of a segment.
sub greenplum_conninfo
{
    my ($cluster, $db, $content) = @_;
    return $cluster->conninfo($db, $content);
}

# gp_sql CLUSTER, DB, SQL - through the coordinator; what it gives, unaligned.
sub gp_sql
{
    my ($cluster, $db, $sql) = @_;
    return $cluster->sql($db, $sql);
}

# gp_segment_sql CLUSTER, DB, CONTENT, SQL - on one segment alone, in utility mode.
sub gp_segment_sql
{
    my ($cluster, $db, $content, $sql) = @_;
    return $cluster->segment_sql($db, $content, $sql);
}

# gp_freeze CLUSTER, DB, COUNT - a session that waits until a restore into DB has noted so many items, and then
# lets nothing more be noted. To be begun before the restore; gp_frozen waits for it, and gp_thaw ends it.
sub gp_freeze
{
    my ($cluster, $db, $count) = @_;
    my $session = { stdin => '', out => '' };
    local %ENV = pgark_env();
    $session->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', greenplum_conninfo($cluster, $db) ], '<', \$session->{stdin}, '>&', \$session->{out});
    $session->{stdin} = <<"SQL";
BEGIN;
DO \$\$ DECLARE c int := 0; BEGIN
    FOR i IN 1..180000 LOOP
        IF EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'pgark_restore' AND c.relname = 'done') THEN
            EXECUTE 'SELECT count(*) FROM pgark_restore.done' INTO c;
            IF c >= $count THEN EXECUTE 'LOCK TABLE pgark_restore.done IN SHARE MODE'; RETURN; END IF;
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
    RAISE 'did not happen';
END \$\$;
\\echo seen
SQL
    $session->{run}->pump_nb;
    return $session;
}

sub gp_frozen
{
    my ($session) = @_;
    $session->{run}->pump until $session->{out} =~ /seen|ERROR/;
    diag($session->{out}) if $session->{out} =~ /ERROR/;
    return $session->{out} !~ /ERROR/;
}

sub gp_thaw
{
    my ($session) = @_;
    $session->{stdin} .= "ROLLBACK;\n\\q\n";
    $session->{run}->finish;
    return;
}

# ---- money -----------------------------------------------------------------------------------------

# gp_bank CLUSTER, DB - tables in which sums stay what they are: 6000 of account, 0 of the journals. An append-optimized
# table is a journal: two rows by one transaction. step has a row for each of 1, 2, 3 ... up to some number, each written
# when the one before it was there.
sub gp_bank
{
    my ($cluster, $db) = @_;
    gp_sql($cluster, $db, <<'SQL');
CREATE TABLE account (id int, amount bigint NOT NULL) DISTRIBUTED BY (id);
INSERT INTO account SELECT g, 100 FROM generate_series(1, 60) g;
CREATE TABLE journal (id int, n int) WITH (appendonly = true) DISTRIBUTED BY (id);
CREATE TABLE journal_columns (id int, n int) WITH (appendonly = true, orientation = column) DISTRIBUTED RANDOMLY;
CREATE TABLE rate (id int, n bigint) DISTRIBUTED REPLICATED;
INSERT INTO rate VALUES (1, 0);
CREATE TABLE step (n bigint) DISTRIBUTED BY (n);
SQL
    return;
}

# UPDATE locks a whole table against other UPDATEs here, so one client moves money.
my %writers = (
    transfer => <<'SQL',
\set a random(1, 60)
\set b random(1, 60)
BEGIN;
UPDATE account SET amount = amount - 1 WHERE id = :a;
UPDATE account SET amount = amount + 1 WHERE id = :b;
COMMIT;
SQL
    book => <<'SQL',
\set a random(1, 1000)
\set b random(1, 1000)
BEGIN;
INSERT INTO journal VALUES (:a, 1);
INSERT INTO journal VALUES (:b, -1);
COMMIT;
SQL
    columns => <<'SQL',
BEGIN;
INSERT INTO journal_columns SELECT g, 1 FROM generate_series(1, 5) g;
INSERT INTO journal_columns SELECT g, -1 FROM generate_series(1, 5) g;
COMMIT;
SQL
    rate => "UPDATE rate SET n = n + 1 WHERE id = 1;\n",
    ddl  => "CREATE TABLE come (a int) DISTRIBUTED BY (a);\nDROP TABLE come;\n",
    step => "\\set n :n + 1\nINSERT INTO step VALUES (:n);\n");
$writers{calm} = $writers{book} . "\\sleep 500 ms\n";

# gp_write CLUSTER, DB, WRITER... - a client of pgbench for each, as application "writer"; gp_stop_writers ends them.
sub gp_write
{
    my ($cluster, $db, @names) = @_;
    my $dir  = PostgreSQL::Test::Utils::tempdir('writers');
    my $to   = greenplum_conninfo($cluster, $db) . ' user=' . getpwuid($>) . ' application_name=writer';
    local %ENV = pgark_env();
    return map {
        my $out = '';
        spew_bytes("$dir/$_", $writers{$_});
        IPC::Run::start([ 'pgbench', '-n', '-c', 1, '-D', 'n=0', '-T', 900, '-f', "$dir/$_", $to ], '<', \undef, '>&', \$out)
    } @names;
}

sub gp_stop_writers
{
    $_->signal('TERM') for @_;
    $_->finish for @_;
    return;
}

# ---- oracles -------------------------------------------------------------------------------------

sub tables_of
{
    my ($cluster, $db) = @_;
    return split /\n/, gp_sql($cluster, $db, <<'SQL');
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind = 'm' OR (c.relkind = 'r' AND c.relstorage IN ('h', 'a', 'c'))) AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'gp_toolkit')
ORDER BY 1
SQL
}

# gp_rows CLUSTER, DB - { table => "count sum" }, of every table, partition and materialized view.
sub gp_rows
{
    my ($cluster, $db) = @_;
    my @tables = tables_of($cluster, $db);
    my $sql = join ' UNION ALL ', map {
        (my $name = $_) =~ s/'/''/g;
        "SELECT '$name' || '=' || count(*) || ' ' || coalesce(sum(hashtext(t::text)::bigint), 0) FROM ONLY $_ t" } @tables;
    return { map { split /=(?=\d+ -?\d+\z)/ } split /\n/, @tables ? gp_sql($cluster, $db, $sql) : '' };
}

# gp_policies CLUSTER, DB - gp_distribution_policy by names.
sub gp_policies
{
    my ($cluster, $db) = @_;
    return gp_sql($cluster, $db, <<'SQL');
SELECT p.localoid::regclass::text, p.policytype, p.distkey, (SELECT string_agg(o.opcname, ' ' ORDER BY i) FROM generate_series(0,
array_upper(p.distkey::int2[], 1)) i JOIN pg_opclass o ON o.oid = p.distclass[i]) FROM gp_distribution_policy p ORDER BY 1
SQL
}

# gp_dump CLUSTER, DB, OPTION... - what Greenplum's own pg_dump writes.
sub gp_dump
{
    my ($cluster, $db, @options) = @_;
    my $text = GreenplumCluster::run('pg_dump', @options, '-d', greenplum_conninfo($cluster, $db));
    $text =~ s/^-- (?:Dumped|TOC entry).*\n//mg;
    # The server keeps the options of a partition as they were written: its pg_dump adds a blank to them.
    $text =~ s/' \)/')/g;
    return $text;
}

# gp_schema CLUSTER, DB - its definitions, in an order that does not depend on oids.
sub gp_schema
{
    my ($cluster, $db) = @_;
    return join "\n", sort split /\n\n+/, gp_dump($cluster, $db, '-s');
}

# gp_no_traces NAME, CLUSTER, DB - no session of pgark's is left, no lock, and nothing prepared.
sub gp_no_traces
{
    my ($name, $cluster, $db) = @_;
    my $left = '';
    for my $content (-1 .. $cluster->{segments} - 1)
    {
        for (1 .. 100)
        {
            my $sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pgark'";
            $left = $content < 0 ? gp_sql($cluster, $db, $sql) : gp_segment_sql($cluster, $db, $content, $sql);
            last unless $left;
            PgarkTest::usleep(100_000);
        }
        last if $left;
    }
    is($left, 0, "$name: no session is left");
    return;
}

1;
