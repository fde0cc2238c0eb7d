# GreenplumCluster.pm - a Greenplum 6 cluster: a coordinator and some segments on this machine, without
# mirrors. For the suites (GreenplumTest.pm) and for bench/cut.pl.
#
# PGARK_GREENPLUM_BIN names the directory of its programs; else $GPHOME/bin and the directories of PATH are
# looked at.
package GreenplumCluster;

use strict;
use warnings;
use IPC::Run;

# bin - the directory of the programs of a Greenplum 6; undef: there is none.
sub bin
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

# run PROGRAM, ARG... - what one of its programs writes; 'utility' is psql in utility mode.
sub run
{
    my ($program, @args) = @_;
    my $out = '';
    local %ENV = (%ENV, LC_ALL => 'C.UTF-8');
    delete @ENV{qw(PGOPTIONS PGDATABASE PGHOST PGPORT PGUSER PGAPPNAME)};
    $ENV{PGOPTIONS} = '-c gp_session_role=utility' if $program eq 'utility' && ($program = 'psql');
    IPC::Run::run([ bin() . "/$program", @args ], '<', \undef, '>&', \$out) or die "$program @args: $out";
    return $out;
}

# new DIR, PORT... - the coordinator's port, and one for each segment. make makes and starts it.
sub new
{
    my ($class, $dir, @ports) = @_;
    return bless { dir => $dir, ports => \@ports, segments => $#ports }, $class;
}

# data_dir - the coordinator's.
sub data_dir
{
    my ($self) = @_;
    return "$self->{dir}/gpseg-1";
}

sub append
{
    my ($file, $text) = @_;
    open my $out, '>>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
    return;
}

sub init_instance
{
    my ($self, $content) = @_;
    my $dir  = "$self->{dir}/gpseg$content";
    my $dbid = $content + 2;
    run('initdb', '-D', $dir, '-E', 'UTF8', '--locale=C.UTF-8', '-A', 'trust', '-N',
        '--max_connections=' . ($content < 0 ? 60 : 180), '--shared_buffers=32MB', "--backend_output=$dir.initdb");
    append("$dir/postgresql.conf", <<"CONF");
port = $self->{ports}[$content + 1]
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
    append("$dir/internal.auto.conf", "gp_dbid=$dbid\n");
    append("$dir/pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n");
    mkdir "$dir/pg_log";
    return;
}

sub start_instance
{
    my ($self, $content, @options) = @_;
    my $dir = "$self->{dir}/gpseg$content";
    local %ENV = (%ENV, GPSESSID => '0000000000', GPERA => 'local');
    # What the server inherits of our output would keep a reader of it waiting.
    run('pg_ctl', '-D', $dir, '-l', "$dir/pg_log/startup.log", '-w', '-t', '120', '-o',
        join(' ', "-p $self->{ports}[$content + 1]", @options), 'start');
    return;
}

sub stop_instance
{
    my ($self, $content) = @_;
    my $dir = "$self->{dir}/gpseg$content";
    return unless -e "$dir/postmaster.pid";
    eval { run('pg_ctl', '-D', $dir, '-w', '-t', '60', '-m', 'immediate', 'stop') };
    return;
}

sub make
{
    my ($self) = @_;
    my @contents = -1 .. $self->{segments} - 1;
    $self->init_instance($_) for @contents;
    $self->start_instance(-1, '-c gp_role=utility', '-m');
    run('utility', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $self->conninfo('template1'), '-c', join '', map {
                "SELECT gp_add_segment(" . ($_ + 2) . "::int2, $_\::int2, 'p', 'p', 's', 'u', $self->{ports}[$_ + 1], "
              . "'localhost', '127.0.0.1', '$self->{dir}/gpseg$_'); "
    } @contents);
    run('pg_ctl', '-D', "$self->{dir}/gpseg-1", '-w', '-m', 'fast', 'stop');
    $self->start;
    return;
}

# start - the segments, then the coordinator.
sub start
{
    my ($self) = @_;
    $self->start_instance($_) for 0 .. $self->{segments} - 1;
    $self->start_instance(-1, '-E');
    return;
}

sub stop
{
    my ($self) = @_;
    $self->stop_instance($_) for -1 .. $self->{segments} - 1;
    return;
}

# conninfo DB [, CONTENT] - of the coordinator, or of a segment.
sub conninfo
{
    my ($self, $db, $content) = @_;
    return "host=127.0.0.1 port=$self->{ports}[ ($content // -1) + 1 ] dbname=$db";
}

sub psql
{
    my ($psql, $conninfo, $sql) = @_;
    my $out = run($psql, '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $conninfo, '-c', $sql);
    chomp $out;
    return $out;
}

# sql DB, SQL - through the coordinator; segment_sql DB, CONTENT, SQL - on one segment alone, in utility mode.
# What it gives, unaligned.
sub sql { my ($self, $db, $sql) = @_; return psql('psql', $self->conninfo($db), $sql); }
sub segment_sql { my ($self, $db, $content, $sql) = @_; return psql('utility', $self->conninfo($db, $content), $sql); }

1;
