# GreenplumTest.pm - Greenplum 6 clusters for the suites, where a Greenplum is installed.
#
# PGARK_GREENPLUM_BIN names the directory of its programs; else $GPHOME/bin and the directories of PATH are
# looked at. A cluster is a coordinator and some segments on this machine, without mirrors.
package GreenplumTest;

use strict;
use warnings;
use Exporter 'import';
use PgarkTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  needs_greenplum greenplum_bin make_greenplum drop_greenplum greenplum_conninfo gp_sql gp_segment_sql
  gp_rows gp_policies gp_schema gp_dump gp_no_traces
);

my @clusters;

# greenplum_bin - the directory of the programs of a Greenplum 6; undef: there is none.
sub greenplum_bin
{
    my @dirs = ($ENV{PGARK_GREENPLUM_BIN} // (), defined $ENV{GPHOME} ? "$ENV{GPHOME}/bin" : (), split /:/, $ENV{PATH});
    for my $dir (@dirs)
    {
        next unless -x "$dir/postgres" && -x "$dir/initdb";
        my ($out, $err) = ('', '');
        IPC::Run::run([ "$dir/postgres", '--gp-version' ], '<', \undef, '>', \$out, '2>', \$err);
        return $dir if $out =~ /\(Greenplum Database\) 6\./;
    }
    return;
}

# needs_greenplum - skips the whole suite where there is none.
sub needs_greenplum
{
    plan skip_all => 'no Greenplum 6 is installed (PGARK_GREENPLUM_BIN)' unless defined greenplum_bin();
    return;
}

sub run_program
{
    my ($program, @args) = @_;
    my $out = '';
    local %ENV = (%ENV, LC_ALL => 'C.UTF-8');
    delete @ENV{qw(PGOPTIONS PGDATABASE PGHOST PGPORT PGUSER PGAPPNAME)};
    $ENV{PGOPTIONS} = '-c gp_session_role=utility' if $program eq 'utility' && ($program = 'psql');
    IPC::Run::run([ greenplum_bin() . "/$program", @args ], '<', \undef, '>&', \$out) or die "$program @args: $out";
    return $out;
}

sub init_instance
{
    my ($dir, $port, $content, $dbid) = @_;
    run_program('initdb', '-D', $dir, '-E', 'UTF8', '--locale=C.UTF-8', '-A', 'trust', '-N',
        '--max_connections=' . ($content < 0 ? 60 : 180), '--shared_buffers=32MB', "--backend_output=$dir.initdb");
    PostgreSQL::Test::Utils::append_to_file("$dir/postgresql.conf", <<"CONF");
port = $port
listen_addresses = '127.0.0.1'
gp_contentid = $content
fsync = off
full_page_writes = off
checkpoint_segments = 16
max_prepared_transactions = 60
gp_interconnect_type = udpifc
log_statement = none
gp_vmem_protect_limit = 4096
CONF
    PostgreSQL::Test::Utils::append_to_file("$dir/internal.auto.conf", "gp_dbid=$dbid\n");
    spew_bytes("$dir/pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 trust\n");
    mkdir "$dir/pg_log";
    return;
}

sub start_instance
{
    my ($dir, $options) = @_;
    local %ENV = (%ENV, GPSESSID => '0000000000', GPERA => 'local');
    # What the server inherits of our output would keep a reader of it waiting.
    run_program('pg_ctl', '-D', $dir, '-l', "$dir/pg_log/startup.log", '-w', '-t', '120', '-o', $options, 'start');
    return;
}

sub stop_instance
{
    my ($dir) = @_;
    return unless -e "$dir/postmaster.pid";
    eval { run_program('pg_ctl', '-D', $dir, '-w', '-t', '60', '-m', 'immediate', 'stop') };
    return;
}

# make_greenplum NAME, SEGMENTS [, DB...] - a cluster with these databases.
sub make_greenplum
{
    my ($name, $segments, @databases) = @_;
    my $dir = PostgreSQL::Test::Utils::tempdir("gp_$name");
    my @ports = map { PostgreSQL::Test::Cluster::get_free_port() } 0 .. $segments;
    my $cluster = { name => $name, dir => $dir, ports => \@ports, segments => $segments };
    push @clusters, $cluster;
    init_instance("$dir/gpseg$_", $ports[ $_ + 1 ], $_, $_ + 2) for -1 .. $segments - 1;
    start_instance("$dir/gpseg-1", "-p $ports[0] -c gp_role=utility -m");
    run_program('utility', '-X', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', $ports[0], '-d', 'template1', '-c',
        join '', map { "SELECT gp_add_segment(" . ($_ + 2) . "::int2, $_\::int2, 'p', 'p', 's', 'u', $ports[$_ + 1], "
              . "'localhost', '127.0.0.1', '$dir/gpseg$_'); " } -1 .. $segments - 1);
    run_program('pg_ctl', '-D', "$dir/gpseg-1", '-w', '-m', 'fast', 'stop');
    start_instance("$dir/gpseg$_", "-p $ports[$_ + 1]") for 0 .. $segments - 1;
    start_instance("$dir/gpseg-1", "-p $ports[0] -E");
    gp_sql($cluster, 'postgres', "CREATE DATABASE $_") for grep { $_ ne 'postgres' } @databases;
    return $cluster;
}

sub drop_greenplum
{
    my ($cluster) = @_;
    stop_instance("$cluster->{dir}/gpseg$_") for -1 .. $cluster->{segments} - 1;
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
    return "host=127.0.0.1 port=$cluster->{ports}[ ($content // -1) + 1 ] dbname=$db";
}

# gp_sql CLUSTER, DB, SQL - through the coordinator; what it gives, unaligned.
sub gp_sql
{
    my ($cluster, $db, $sql) = @_;
    my $out = run_program('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', greenplum_conninfo($cluster, $db), '-c', $sql);
    chomp $out;
    return $out;
}

# gp_segment_sql CLUSTER, DB, CONTENT, SQL - on one segment alone, in utility mode.
sub gp_segment_sql
{
    my ($cluster, $db, $content, $sql) = @_;
    my $out = run_program('utility', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', greenplum_conninfo($cluster, $db, $content), '-c', $sql);
    chomp $out;
    return $out;
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
    my $text = run_program('pg_dump', @options, '-d', greenplum_conninfo($cluster, $db));
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
