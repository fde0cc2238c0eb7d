# BenchReport.pm - the results as a table for people, as JSON for programs, and as verdicts.
#
# MB and GB are powers of ten.
package BenchReport;

use strict;
use warnings;
use JSON::PP ();
use POSIX qw(strftime);

# new scale =>, runs =>, programs => [[name, version]], settings => [[name, value]], data => [{}...]
sub new
{
    my ($class, %self) = @_;
    my $self = bless { %self, contests => [], targets => [] }, $class;
    $self->{time}    = time;
    $self->{machine} = machine();
    return $self;
}

sub first_match
{
    my ($path, $pattern) = @_;
    open my $fh, '<', $path or return '?';
    while (my $line = <$fh>)
    {
        return $1 if $line =~ $pattern;
    }
    return '?';
}

sub machine
{
    my $kb = first_match('/proc/meminfo', qr/^MemTotal:\s+(\d+)/);
    my $cpus = `getconf _NPROCESSORS_ONLN`;
    chomp $cpus;
    return {
        cpu          => first_match('/proc/cpuinfo', qr/^model name\s*:\s*(.*)/),
        cpus         => $cpus,
        memory_bytes => $kb eq '?' ? undef : $kb * 1024,
        kernel       => (POSIX::uname())[2],
        load         => load(),
    };
}

sub load
{
    return first_match('/proc/loadavg', qr/^(\S+ \S+ \S+)/);
}

# ---- collecting ----------------------------------------------------------------------------------

# contest CONTEST - add one; the targets that follow belong to it.
sub contest
{
    my ($self, $contest) = @_;
    push @{ $self->{contests} }, $contest;
    return;
}

sub judge
{
    my ($self, $id, $name, $value, $limit, $met, $unit) = @_;
    my $target = {
        name   => $name,
        value  => $value,
        target => $limit,
        met    => $met ? JSON::PP::true : JSON::PP::false,
        shown  => sprintf($unit eq ' MB' ? '%.1f' : '%.2f', $value) . $unit,
    };
    push @{ $self->{targets} }, $target;
    push @{ $self->{contests}[-1]{judged}{$id} }, $target if @{ $self->{contests} };
    return;
}

# at_least ID, NAME, RATIO, LIMIT - ID is the contender beside which the target is shown.
sub at_least
{
    my ($self, $id, $name, $ratio, $limit) = @_;
    return $self->judge($id, $name, $ratio, ">= $limit", $ratio >= $limit, '');
}

sub at_most
{
    my ($self, $id, $name, $ratio, $limit) = @_;
    return $self->judge($id, $name, $ratio, "<= $limit", $ratio <= $limit, '');
}

sub memory_below
{
    my ($self, $id, $name, $kb, $limit) = @_;
    my $mb = $kb * 1024 / 1e6;
    return $self->judge($id, $name, $mb, "< $limit MB", $mb < $limit, ' MB');
}

# seconds_below - SECONDS themselves, not compared with anybody's.
sub seconds_below
{
    my ($self, $id, $name, $seconds, $limit) = @_;
    return $self->judge($id, $name, $seconds, "< $limit s", $seconds < $limit, ' s');
}

sub not_measured
{
    my ($self, $name, $why, $limit) = @_;
    push @{ $self->{targets} },
      { name => $name, value => undef, target => $limit, met => undef, shown => $why };
    return;
}

# ---- as text -------------------------------------------------------------------------------------

sub megabytes
{
    my ($bytes) = @_;
    return '' unless defined $bytes;
    return sprintf($bytes < 10e6 ? '%.1f MB' : '%.0f MB', $bytes / 1e6);
}

# pairs LABEL, SEPARATOR, [[a, b]...] - lines of the heading, no longer than a terminal is wide.
sub pairs
{
    my ($label, $separator, $pairs) = @_;
    my @lines = sprintf('%-9s', $label);
    for my $pair (@$pairs)
    {
        my $text = join($separator, @$pair);
        push @lines, ' ' x 9 if length("$lines[-1] $text,") > 100;
        $lines[-1] .= " $text,";
    }
    $lines[-1] =~ s/,\z//;
    return @lines;
}

sub heading
{
    my ($self) = @_;
    my $machine = $self->{machine};
    my @lines   = (
        sprintf('pgark bench, %s: scale %s, %s rounds',
            strftime('%Y-%m-%d %H:%M:%S UTC', gmtime $self->{time}), @$self{qw(scale runs)}),
        '',
        sprintf('machine   %s x %s, %s, Linux %s', $machine->{cpus}, $machine->{cpu},
            megabytes($machine->{memory_bytes}), $machine->{kernel}),
        "load      $machine->{load} when the runs began, $self->{load_end} when they ended",
        pairs('programs', ' ', $self->{programs}),
        pairs('server',   '=', $self->{settings}),
        '          (the same for both sides; with fsync off the server does not wait for its disk,',
        '          while pgark and pg_dump do sync what they write)');
    for my $db (@{ $self->{data} })
    {
        my $text = $db->{text} // sprintf('%d tables%s', $db->{tables},
            $db->{total} ? ", $db->{total} rows, " . megabytes($db->{bytes}) : ', no rows');
        push @lines, sprintf('data      %-8s %s', $db->{name}, $text);
    }
    return join("\n", @lines, '', '');
}

my $row_format = "  %-32s %9s  %-18s %7s %9s %9s %9s  %s\n";

# The largest of what each run of the contender took, undef when no run has it.
sub largest
{
    my ($contender, $what) = @_;
    my ($largest) = sort { $b <=> $a } grep { defined } map { $_->{$what} } @{ $contender->{runs} };
    return $largest;
}

sub contest_rows
{
    my ($contest) = @_;
    my $base = $contest->{contenders}[0]{wall}{median};
    my $text = sprintf($row_format, $contest->{title}, 'median', 'lowest .. highest', 'times',
        'bytes', 'max RSS', 'tree', 'target');
    for my $contender (@{ $contest->{contenders} })
    {
        my $wall   = $contender->{wall};
        my @targets = @{ $contest->{judged}{ $contender->{id} } // [] };
        $text .= sprintf($row_format,
            $contender->{name},
            sprintf('%.2f s', $wall->{median}),
            sprintf('%.2f .. %.2f', $wall->{min}, $wall->{max}),
            sprintf('%.2f', $wall->{median} / $base),
            megabytes(largest($contender, 'bytes')),
            megabytes(largest($contender, 'maxrss_kb') * 1024),
            megabytes(largest($contender, 'sum_rss_kb') * 1024),
            join('; ', map { "$_->{shown}, $_->{target}: " . verdict($_) } @targets));
    }
    $text =~ s/ +$//mg;
    return "$text\n";
}

sub text
{
    my ($self) = @_;
    $self->{load_end} //= load();
    return join('',
        $self->heading,
        (map { contest_rows($_) } @{ $self->{contests} }),
        "times: the median as a multiple of the first line's. max RSS: of the largest process.\n",
        "tree: of all its processes together, shared pages shared out. Both of the largest run.\n");
}

sub verdict
{
    my ($target) = @_;
    return 'not measured' unless defined $target->{met};
    return $target->{met} ? 'met' : 'missed';
}

# verdicts - the closing lines.
sub verdicts
{
    my ($self) = @_;
    my $text = '';
    for my $target (@{ $self->{targets} })
    {
        $text .= sprintf("%-62s %18s   %-8s  %s\n",
            @$target{qw(name shown target)}, verdict($target));
    }
    return $text;
}

# ---- as JSON -------------------------------------------------------------------------------------

sub contest_json
{
    my ($contest) = @_;
    my @contenders = map { {
            id      => $_->{id},
            name    => $_->{name},
            wall    => $_->{wall},
            bytes   => largest($_, 'bytes'),
            runs    => $_->{runs},
    } } @{ $contest->{contenders} };
    return { title => $contest->{title}, contenders => \@contenders };
}

# write_json DIR - the name of the file written there.
sub write_json
{
    my ($self, $dir) = @_;
    $self->{load_end} //= load();
    my @targets = map { { %$_{qw(name value target met)} } } @{ $self->{targets} };
    my $path    = strftime("$dir/bench-%Y%m%d%H%M%S.json", gmtime $self->{time});
    open my $fh, '>', $path or die "$path: $!\n";
    print $fh JSON::PP->new->pretty->canonical->encode({
        date     => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $self->{time}),
        scale    => $self->{scale} + 0,
        rounds   => $self->{runs} + 0,
        machine  => { %{ $self->{machine} }, load_end => $self->{load_end} },
        programs => { map { @$_ } @{ $self->{programs} } },
        settings => { map { @$_ } @{ $self->{settings} } },
        data     => $self->{data},
        contests => [ map { contest_json($_) } @{ $self->{contests} } ],
        targets  => \@targets,
    });
    close $fh or die "$path: $!\n";
    return $path;
}

1;
