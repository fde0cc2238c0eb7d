# BenchRunner.pm - runs programs, one at a time, measured or not, and gives the statistics of runs.
#
# Each program gets a process group of its own, so that an interruption ends it with all its children.
package BenchRunner;

use strict;
use warnings;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(usleep);

# new DIR, RUNSTAT - DIR holds the outputs of what runs; RUNSTAT is the program that measures.
sub new
{
    my ($class, $dir, $runstat) = @_;
    die "$runstat: no such program\n" unless -x $runstat;
    return bless { dir => $dir, runstat => $runstat, child => undef }, $class;
}

sub slurp
{
    my ($path) = @_;
    open my $fh, '<', $path or die "$path: $!\n";
    local $/ = undef;
    return scalar(<$fh>) // '';
}

# become ARG... - in the child: turn into the program, with outputs to files. Does not return.
sub become
{
    my ($self, @argv) = @_;
    @SIG{qw(INT TERM HUP)} = ('DEFAULT') x 3;
    setpgrp(0, 0);
    if (   open(STDIN, '<', '/dev/null')
        && open(STDOUT, '>', "$self->{dir}/stdout")
        && open(STDERR, '>', "$self->{dir}/stderr"))
    {
        # Nothing else is to happen here when this fails: cleaning up is the parent's business.
        no warnings 'exec';
        exec { $argv[0] } @argv;
        syswrite(STDERR, "cannot run it: $!\n");
    }
    POSIX::_exit(127);
}

# command ARG... - run to the end; its standard output. Dies with its standard error when it fails.
sub command
{
    my ($self, @argv) = @_;
    my $pid = fork // die "cannot fork: $!\n";
    $self->become(@argv) if $pid == 0;
    $self->{child} = $pid;
    waitpid($pid, 0);
    my $status = $?;
    $self->{child} = undef;
    if ($status != 0)
    {
        my $how = $status & 127 ? 'signal ' . ($status & 127) : 'exit code ' . ($status >> 8);
        die "failed with $how: @argv\n" . slurp("$self->{dir}/stderr");
    }
    return slurp("$self->{dir}/stdout");
}

# errors - what the last command wrote to its standard error.
sub errors
{
    my ($self) = @_;
    return slurp("$self->{dir}/stderr");
}

# measure ARG... - run to the end; { wall, user, sys, maxrss_kb, sum_rss_kb } of it.
sub measure
{
    my ($self, @argv) = @_;
    $self->command($self->{runstat}, "$self->{dir}/runstat.json", @argv);
    my $run = JSON::PP->new->decode(slurp("$self->{dir}/runstat.json"));
    delete $run->{exit};
    return $run;
}

# interrupt - end what runs, with all it started, and wait until nothing of it is left.
sub interrupt
{
    my ($self) = @_;
    my $pid = $self->{child} // return;
    for my $signal (qw(TERM KILL))
    {
        kill $signal, -$pid;
        for (1 .. 100)
        {
            waitpid($pid, POSIX::WNOHANG());
            return unless kill 0, -$pid;
            usleep(50_000);
        }
    }
    return;
}

# summary VALUE... - { median, min, max }.
sub summary
{
    my @sorted = sort { $a <=> $b } @_;
    my $middle = ($sorted[ $#sorted / 2 ] + $sorted[ @sorted / 2 ]) / 2;
    return { median => $middle, min => $sorted[0], max => $sorted[-1] };
}

1;
