#!/usr/bin/perl
# bench.pl - pgark against pg_dump and pg_restore, side by side on one machine. Run by "make bench".
#
#   SCALE   1 = 18.5 million rows in eight tables; may be a fraction
#   RUNS    rounds, in each of which every program runs once
#   CONTESTS   of tables, empty, indexes, large-objects, catalogue, one-table, agents and agent-start only these; all without it
#   PGARK_BENCH_PG_DUMP   one more pg_dump (16 or newer) to run against
#   PGARK_BENCH_PGCOPYDB  pgcopydb, where it is not in PATH
#
# The report goes to standard output and, as JSON, to ./results; progress to standard error. Missing
# a target is a result, not a failure: the exit code is not 0 only when something could not be run.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use BenchContests;
use BenchData;
use BenchReport;
use BenchRunner;
use BenchServer;

my $main_pid = $$;
my ($work, $runner, $server);

sub positive
{
    my ($name, $default, $pattern) = @_;
    my $value = $ENV{$name} // $default;
    die "$name=$value: not a number above 0\n" unless $value =~ $pattern && $value > 0;
    return $value;
}

sub bench
{
    my $scale = positive('SCALE', 1, qr/\A(?:\d+(?:\.\d*)?|\.\d+)\z/);
    my $runs  = positive('RUNS', 5, qr/\A\d+\z/);
    my @groups = BenchContests->groups($ENV{CONTESTS} // '');
    for my $name (qw(PGARK PGARK_TOOLS))
    {
        die "$name is not set: run this by \"make bench\"\n" unless defined $ENV{$name};
    }
    # No setting of the caller's may reach one side and not the other.
    delete @ENV{ grep { /^PG(?!ARK)/ } keys %ENV };

    $work   = tempdir('bench-XXXXXX', DIR => $ENV{PGARK_SCRATCH} // $ENV{TMPDIR} // '/tmp');
    $runner = BenchRunner->new($work, "$ENV{PGARK_TOOLS}/runstat");
    $server = BenchServer->new("$work/server", $runner);
    my $data     = BenchData->new($server, $scale);
    my $contests = BenchContests->new(
        work   => $work,
        runner => $runner,
        server => $server,
        data   => $data,
        runs   => $runs,
        pgark  => $ENV{PGARK});
    $contests->need_space($data->space_needed);

    $server->start;
    $data->load(@groups);
    my $report = BenchReport->new(
        scale    => $scale,
        runs     => $runs,
        programs => $contests->programs,
        settings => $server->settings,
        data     => $data->description);
    $contests->run($report, @groups);

    make_path('results');
    my $json = $report->write_json('results');
    print $report->text, "written to $json\n\n", $report->verdicts;
    return;
}

sub clean_up
{
    return if $$ != $main_pid;
    local @SIG{qw(INT TERM HUP)} = ('IGNORE') x 3;
    $server->stop if defined $server;
    remove_tree($work) if defined $work;
    return;
}

for my $signal (qw(INT TERM HUP))
{
    $SIG{$signal} = sub {
        $runner->interrupt if defined $runner;
        die "ended by SIG$signal\n";
    };
}
my $ok    = eval { bench(); 1 };
my $error = $@;
clean_up();
if (!$ok)
{
    print STDERR "bench: $error";
    exit 1;
}
exit 0;
