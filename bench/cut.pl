#!/usr/bin/perl
# cut.pl - what the cut costs those who write. Run by "make bench-cut".
#
#   SECONDS_EACH   how long each phase lasts
#   WRITERS        clients of pgbench that write all the time
#
# A fleet of three servers, and clusters of a coordinator and two workers or segments where Citus and
# Greenplum are installed, are written to by so many clients: without a backup, while one backup follows the other
# with --cut=strict, and the same with --cut=barrier. The tables are small, so that a backup is little
# more than its cut. What the writers waited is pgbench's own log of every transaction.
#
# The report goes to standard output, progress to standard error. Missing the target is a result.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";
use BenchRunner;
use CutFleet;
use GreenplumFleet;
use Time::HiRes qw(time sleep);

my $target_ms = 200;
my $main_pid  = $$;
my ($work, $runner, @fleets);

sub number
{
    my ($name, $default) = @_;
    my $value = $ENV{$name} // $default;
    die "$name=$value: not a number above 0\n" unless $value =~ /\A\d+\z/ && $value > 0;
    return $value;
}

# backups FLEET, CUT, UNTIL - one after the other; how many, and the longest stall in ms.
sub backups
{
    my ($fleet, $cut, $until) = @_;
    my ($count, $stall, %methods) = (0, 0);
    while (time < $until)
    {
        my $out = $runner->command($ENV{PGARK}, 'backup', $fleet->source, '--repo', "$work/repo-$fleet->{name}",
            '--no-sync', '-q', '-j1', "--cut=$cut", '--output=json');
        my $made = decode_json($out)->{cut};
        $count++;
        $methods{ $made->{method} }++;
        $stall = $made->{stall_us} / 1000 if $made->{stall_us} / 1000 > $stall;
    }
    return { count => $count, stall => $stall, methods => \%methods };
}

sub percentile
{
    my ($sorted, $p) = @_;
    return $sorted->[ int($p / 100 * $#$sorted) ] / 1000;
}

# phase FLEET, WRITERS, SECONDS, CUT - writers for so long, with backups unless CUT is undefined.
sub phase
{
    my ($fleet, $writers, $seconds, $cut) = @_;
    my $until = time + $seconds;
    $fleet->write($writers, $seconds);
    my $made = defined $cut ? backups($fleet, $cut, $until - 0.5) : { count => 0, stall => 0 };
    my @waits = sort { $a <=> $b } $fleet->waits;
    die "$fleet->{name}: the writers wrote nothing\n" unless @waits;
    return { %$made, n => scalar @waits, map { ("p$_" => percentile(\@waits, $_)) } (50, 99, 100) };
}

sub report
{
    my ($fleet, $name, $r) = @_;
    my $how = join ', ', map { "$r->{methods}{$_} by $_" } sort keys %{ $r->{methods} // {} };
    printf "%-9s %-14s %9d %9.2f %9.2f %9.2f %9d %9.1f  %s\n", $fleet->{name}, $name, $r->{n},
      @$r{qw(p50 p99 p100)}, $r->{count}, $r->{stall}, $how;
    return;
}

sub bench
{
    my $seconds = number('SECONDS_EACH', 8);
    my $writers = number('WRITERS', 8);
    die "PGARK is not set: run this by \"make bench-cut\"\n" unless defined $ENV{PGARK};
    delete @ENV{ grep { /^PG(?!ARK)/ } keys %ENV };
    $work = tempdir('bench-cut-XXXXXX', DIR => $ENV{PGARK_SCRATCH} // $ENV{TMPDIR} // '/tmp');
    $runner = BenchRunner->new($work, "$ENV{PGARK_TOOLS}/runstat");
    push @fleets, CutFleet->shards("$work/s", $runner);
    if (CutFleet->has_citus) { push @fleets, CutFleet->citus("$work/c", $runner); }
    else { print "citus     SKIP: it is not installed\n"; }
    if (GreenplumFleet->has_greenplum) { push @fleets, GreenplumFleet->greenplum("$work/g", $runner); }
    else { print "greenplum SKIP: it is not installed\n"; }
    printf "%-9s %-14s %9s %9s %9s %9s %9s %9s\n", 'fleet', 'backups', 'writes', 'p50 ms', 'p99 ms', 'max ms',
      'cuts', 'stall ms';
    for my $fleet (@fleets)
    {
        $fleet->start;
        my $worst = 0;
        for my $cut (undef, 'strict', 'barrier')
        {
            my $r = phase($fleet, $writers, $seconds, $cut);
            report($fleet, $cut // 'none', $r);
            $worst = $r->{stall} if $r->{stall} > $worst;
        }
        printf "%-9s longest stall %.1f ms at %d writers, target under %d ms: %s\n", $fleet->{name}, $worst,
          $writers, $target_ms, $worst < $target_ms ? 'met' : 'MISSED';
        $fleet->stop;
    }
    return;
}

sub clean_up
{
    return if $$ != $main_pid;
    local @SIG{qw(INT TERM HUP)} = ('IGNORE') x 3;
    $_->stop for @fleets;
    system('rm', '-rf', $work) if defined $work;
    return;
}

$| = 1;
local @SIG{qw(INT TERM HUP)} = (sub { exit 130 }) x 3;
END { my $code = $?; clean_up(); $? = $code; }
bench();
