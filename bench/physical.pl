#!/usr/bin/perl
# physical.pl - base backups by pgark and by pg_basebackup. Run by "make bench-physical".
#
#   SCALE   of pgbench's tables, on each server: 15 MB for each unit
#   RUNS    of each side, alternating
#   CONTESTS   of one-server, restore and three-servers only these; all without it
#
# One server: backup --physical, and basebackup, against pg_basebackup with the same compression, WAL streamed.
# Three servers on this host: one backup of all against three pg_basebackup at the same time. Then what restores:
# restore --physical against tar of pg_basebackup's gzip archives: once nobody syncs, as tar by itself does not, and
# once both do. In all others everybody syncs what he has written.
#
# The report goes to standard output, progress to standard error. Missing a target is a result.
use strict;
use warnings;
use File::Find;
use File::Path qw(make_path rmtree);
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use POSIX ();
use lib "$FindBin::Bin/lib";
use BenchRunner;
use BenchServer;

my $main_pid = $$;
my ($work, $runner, @servers);
my (@rows, $floor);

sub number
{
    my ($name, $default) = @_;
    my $value = $ENV{$name} // $default;
    die "$name=$value: not a number above 0\n" unless $value =~ /\A\d+\z/ && $value > 0;
    return $value;
}
my $scale = number('SCALE', 100);
my $runs  = number('RUNS',  5);

sub say_progress
{
    print STDERR "bench: @_\n";
    return;
}

# pg_base SERVER, DIR, METHOD - the arguments of pg_basebackup for tar archives.
sub pg_base
{
    my ($server, $dir, $method) = @_;
    return ('pg_basebackup', '-d', $server->conninfo('postgres'), '-D', $dir, '-Ft', '-X', 'stream', '-c', 'fast',
        '-Z', $method);
}

# own ARG... - pgark.
sub own
{
    return ($ENV{PGARK}, @_);
}

# contest NAME, TARGET, [LABEL, PREPARE, ARGV], [LABEL, PREPARE, ARGV] - the first is to take no more than TARGET of
# what the second takes. They take turns; PREPARE runs before each, and is not measured; nor is a first run of the
# second, as whoever comes first reads from the disk what the others find in memory.
sub contest
{
    my ($name, $target, @sides) = @_;
    my @results = ([], []);
    my (undef, $first, @argv) = @{ $sides[1] };
    $first->();
    $runner->command(@argv);
    for my $run (1 .. $runs)
    {
        for my $side ($run % 2 ? (0, 1) : (1, 0))
        {
            my ($label, $prepare, @argv) = @{ $sides[$side] };
            $prepare->();
            push @{ $results[$side] }, $runner->measure(@argv);
        }
        say_progress(sprintf '%s, run %d of %d: %.2f s, %.2f s', $name, $run, $runs,
            map { $_->[-1]{wall} } @results);
    }
    my @median = map { BenchRunner::summary(map { $_->{wall} } @$_)->{median} } @results;
    my $memory = (sort { $b <=> $a } map { $_->{maxrss_kb} } @{ $results[0] })[0] / 1024;
    push @rows,
      { name => $name, target => $target, labels => [ map { $_->[0] } @sides ], median => \@median,
        ratio => $median[0] / $median[1], memory_mb => $memory, runs => \@results };
    return;
}

# fresh DIR... - a preparation: these are not there.
sub fresh
{
    my (@dirs) = @_;
    return sub { rmtree($_) for @dirs };
}

# together COMMAND... - the words of a program that runs these at the same time, and fails when one does.
sub together
{
    my (@commands) = @_;
    my $json = encode_json(\@commands);
    return ($^X, '-MJSON::PP', '-e', <<'PERL', $json);
my @pids;
for my $argv (@{ decode_json($ARGV[0]) })
{
    my $pid = fork // die;
    if ($pid == 0) { exec { $argv->[0] } @$argv; exit 127; }
    push @pids, $pid;
}
my $failed = 0;
for (@pids) { waitpid $_, 0; $failed = 1 if $?; }
exit $failed;
PERL
}

sub one_server
{
    my ($server) = @_;
    for my $method ([ 'none', 'none' ], [ 'zstd:1', 'client-zstd:1' ])
    {
        my ($ours, $theirs) = @$method;
        my @pg = ('pg_basebackup', fresh("$work/pg"), pg_base($server, "$work/pg", $theirs));
        contest("one server, $ours", 1.0,
            [ 'pgark backup', fresh("$work/repo"),
                own('backup', '--physical', '-q', '-d', $server->conninfo('postgres'), '--repo', "$work/repo", '-Z', $ours) ],
            \@pg);
        contest("one server, basebackup, $ours", 1.0,
            [ 'pgark basebackup', fresh("$work/own"),
                own('basebackup', '-q', '-d', $server->conninfo('postgres'), '-D', "$work/own", '-Ft', '-c', 'fast', '-Z', $ours) ],
            \@pg);
    }
    return;
}

sub three_servers
{
    my @pg = map { [ pg_base($servers[$_], "$work/pg$_", 'client-zstd:1') ] } 0 .. $#servers;
    contest('three servers, zstd:1', 1.0,
        [ 'pgark backup', fresh("$work/repo"),
            own('backup', '--physical', '-q', '--repo', "$work/repo", '-Z', 'zstd:1',
                map { ('--node', $_->conninfo('postgres')) } @servers) ],
        [ 'pg_basebackup, three', fresh(map { "$work/pg$_" } 0 .. $#servers), together(@pg) ]);
    return;
}

# empty_disk DIR - it is gone, and nothing that somebody has written before is still on its way to the disk.
sub empty_disk
{
    my ($dir) = @_;
    rmtree($dir);
    $runner->command('sync', '-f', $work);
    return;
}

# floor_of_disk - how long the disk alone takes for as many bytes as the server has: who syncs cannot be faster.
sub floor_of_disk
{
    my $bytes = 0;
    find({ no_chdir => 1, wanted => sub { $bytes += -s _ if -f && !m{/pg_wal/} } }, "$work/s0/data");
    my $run = $runner->measure('dd', 'if=/dev/zero', "of=$work/zeros", 'bs=1M', 'count=' . int($bytes / 1048576), 'conv=fsync', 'status=none');
    unlink "$work/zeros";
    $floor = sprintf 'The disk alone takes %.2f s for the %d MB of a restore, synced.', $run->{wall}, $bytes / 1048576;
    return;
}

sub restore
{
    my ($server) = @_;
    rmtree($_) for "$work/repo", "$work/pg";
    $runner->command(own('backup', '--physical', '-q', '-d', $server->conninfo('postgres'), '--repo', "$work/repo", '-Z', 'zstd:1'));
    $runner->command(pg_base($server, "$work/pg", 'gzip'));
    my @own    = own('restore', 'latest', '--physical', '-q', '--repo', "$work/repo", '--map', "0=$work/data");
    my $unpack = 'tar -xzf "$1/base.tar.gz" -C "$2" && tar -xzf "$1/pg_wal.tar.gz" -C "$2/pg_wal"';
    my @tar    = (sub { empty_disk("$work/data"); make_path("$work/data/pg_wal", { mode => 0700 }) }, '/bin/sh', '-c');
    contest('restore, nobody syncs', 0.5,
        [ 'pgark --no-sync', sub { empty_disk("$work/data") }, @own, '--no-sync' ],
        [ 'tar, gzip', @tar, $unpack, 'sh', "$work/pg", "$work/data" ]);
    contest('restore, both sync', 0.5,
        [ 'pgark restore', sub { empty_disk("$work/data") }, @own ],
        [ 'tar, gzip, sync', @tar, "$unpack && sync -f \"\$2\"", 'sh', "$work/pg", "$work/data" ]);
    empty_disk("$work/data");
    floor_of_disk();
    return;
}

sub report
{
    my ($out) = @_;
    printf "%-34s %-18s %8s  %-20s %8s %6s %6s %9s\n", qw(contest pgark s against s ratio target memory);
    for my $row (@rows)
    {
        printf "%-34s %-18s %8.2f  %-20s %8.2f %6.2f %6.2f %6.1f MB  %s\n", $row->{name}, $row->{labels}[0],
          $row->{median}[0], $row->{labels}[1], $row->{median}[1], $row->{ratio}, $row->{target}, $row->{memory_mb},
          $row->{ratio} <= $row->{target} && $row->{memory_mb} < 100 ? 'reached' : 'MISSED';
    }
    print "$floor\n" if defined $floor;
    make_path($out);
    my $file = "$out/physical-" . POSIX::strftime('%Y%m%dT%H%M%SZ', gmtime) . '.json';
    open my $fh, '>', $file or die "$file: $!\n";
    print $fh JSON::PP->new->pretty->canonical->encode({ scale => $scale, rows => \@rows, floor => $floor });
    close $fh or die "$file: $!\n";
    return;
}

sub clear
{
    return unless $$ == $main_pid && defined $work;
    $runner->interrupt if defined $runner;
    $_->stop for @servers;
    rmtree($work);
    return;
}

$SIG{$_} = sub { clear(); POSIX::_exit(130) } for qw(INT TERM HUP);
END { my $code = $?; clear(); $? = $code; }

die "PGARK is not set: run this by \"make bench-physical\"\n" unless defined $ENV{PGARK};
delete @ENV{ grep { /^PG(?!ARK)/ } keys %ENV };
my %contests = (
    'one-server'    => sub { one_server($servers[0]) },
    'restore'       => sub { restore($servers[0]) },
    'three-servers' => \&three_servers);
my @contests = split ' ', $ENV{CONTESTS} || 'one-server restore three-servers';
exists $contests{$_} or die "CONTESTS: there is no \"$_\"; there are " . join(', ', sort keys %contests) . "\n" for @contests;
$work   = tempdir('bench-XXXXXX', DIR => $ENV{PGARK_SCRATCH} // $ENV{TMPDIR} // '/tmp');
$runner = BenchRunner->new($work, "$ENV{PGARK_TOOLS}/runstat");
for my $i (0 .. 2)
{
    my $server = BenchServer->new("$work/s$i", $runner);
    push @servers, $server;
    $server->start;
    say_progress("server $i: rows of scale $scale");
    $runner->command('pgbench', '-i', '-q', '-s', $scale, '-h', "$work/s$i", '-p', 5432, '-U', 'bench', 'postgres');
}
for my $name (@contests)
{
    $contests{$name}->();
}
report('results');
