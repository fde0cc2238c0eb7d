# The cut over two servers of which one is far away: what is asked at the same moment arrives there so
# much later that a two-phase transfer can go through its last steps in between. Whatever it does
# meanwhile, no set that is called whole may show half of it.
#
# The writer does not hope for unlucky moments. The proxy in front of the far server tells when the
# snapshots have been asked for, and each transfer makes its steps at fixed times after that, measured
# in the delay of the far server. The question is at the near server at 0, the second look at 1; the far
# server gets them at 1 and 2.
use strict;
use warnings;
use File::Path qw(rmtree);
use IO::Handle;
use IO::Select;
use PgarkTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $delay    = 0.2;
my $accounts = 10;
my ($far, $near) = (make_server('far'), make_server('near'));
my $total = money_setup([ $far, $near ], 'bank', $accounts, 1);
my $repo  = new_repo();

# What the proxy sees of the snapshots' question comes here as a line: the time at which it was sent.
pipe(my $asked, my $told) or die $!;
$told->autoflush(1);
# pg_dump, which has its snapshot from the cut, makes too many round trips for a suite to wait for.
my $proxy = proxy_start($far, delay => $delay, near => qr/pg_dump/,
    seen => sub { printf $told "%.6f\n", time if $_[0] =~ /pg_export_snapshot.*txid_current_snapshot/s });
close $told;
my $asked_select = IO::Select->new($asked);

# Steps of a transfer: prepared on both servers, committed on the far one, committed on the near one.
my %course = (
    # Running when the near server is asked, committed on the far one before that is asked; and on the
    # near server nothing ends before the second look has been there.
    hole      => [ 0.2, 0.2, 1.5 ],
    long_hole => [ 0.2, 0.2, 2.5 ],
    # The same with both commits before the second look.
    short     => [ 0.2, 0.2, 0.6 ],
    # Committed on the far server between the question and the second look.
    between   => [ 0.2, 1.5, 1.7 ],
    # Prepared between the two second looks.
    late      => [ 1.4, 2.3, 2.5 ],
);

my ($to_far, $to_near) = (session($far, 'bank'), session($near, 'bank'));
my $transfers = 0;
my $holes     = 0;

# A transfer that is running on both servers.
sub transfer_begin
{
    my $amount = ++$transfers * 7 % 100 + 1;
    my $id     = $transfers % $accounts + 1;
    $to_far->query_safe("BEGIN; UPDATE account SET amount = amount - $amount WHERE id = $id");
    $to_near->query_safe("BEGIN; UPDATE account SET amount = amount + $amount WHERE id = $id");
    return;
}

sub transfer_prepare
{
    $_->query_safe("PREPARE TRANSACTION 'money-slow-$transfers'") for $to_far, $to_near;
    return;
}

sub transfer_commit
{
    $_->query_safe("COMMIT PREPARED 'money-slow-$transfers'") for @_;
    return;
}

sub sleep_until
{
    my $left = $_[0] - time;
    usleep($left * 1e6) if $left > 0;
    return;
}

# transfer_go COURSE, START - the rest of the transfer that is running, its steps after START.
sub transfer_go
{
    my ($name, $start) = @_;
    my ($prepare, $commit_far, $commit_near) = map { $start + $_ * $delay } @{ $course{$name} };
    sleep_until($prepare);
    my $in_time = time < $start + 0.5 * $delay;
    transfer_prepare();
    sleep_until($commit_far);
    transfer_commit($to_far);
    # A busy machine can be too slow for the far server's question; then this was no hole.
    $holes++ if $name =~ /hole/ && $in_time && time < $start + $delay;
    sleep_until($commit_near);
    transfer_commit($to_near);
    return;
}

# next_question RUN - when the snapshots have been asked for anew; undef when pgark has ended.
sub next_question
{
    my ($run) = @_;
    while ($run->{harness}->pumpable)
    {
        if ($asked_select->can_read(0.01))
        {
            sysread($asked, my $lines, 4096) or return;
            return (split /\n/, $lines)[-1];
        }
        $run->{harness}->pump_nb;
    }
    return;
}

# slow_backup NAME, FAR-FIRST, REST, COURSE... - a backup that meets one transfer of each course, and
# after these one that rests: it is "running" or "prepared" on both servers until the backup has ended.
sub slow_backup
{
    my ($name, $far_first, $rest, @courses) = @_;
    my @nodes = (proxied($proxy, 'bank'), conninfo($near, 'bank'));
    @nodes = reverse @nodes unless $far_first;
    my $questions = 0;
    transfer_begin();
    my $run = cut_start($repo, \@nodes);
    while (defined(my $start = next_question($run)))
    {
        $questions++;
        next unless @courses;
        transfer_go(shift @courses, $start);
        transfer_begin();
        transfer_prepare() if !@courses && $rest eq 'prepared';
    }
    my ($key, $sum, undef, $cut) = cut_finish($run);
    transfer_prepare() unless !@courses && $rest eq 'prepared';
    transfer_commit($to_far, $to_near);
    return unless defined $key;
    note explain $cut;
    note "$questions questions, $holes holes so far";
    is($sum, $total, "$name: the sum is right");
    like($cut->{method}, qr/\A(double-collect|barrier)\z/, "$name: the cut was proven or held");
    rmtree(set_dir($repo, $key));
    return;
}

slow_backup('far server first',  1, 'running',  qw(hole between long_hole late));
slow_backup('near server first', 0, 'prepared', qw(long_hole short hole));
cmp_ok($holes, '>', 0, 'a hole was offered');

$_->quit for $to_far, $to_near;
no_traces('slow node', [$repo], $far, $near);
proxy_stop($proxy);
done_testing();
