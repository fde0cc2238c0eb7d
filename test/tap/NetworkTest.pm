# NetworkTest.pm - a network that can be cut: a server alone on its far side, pgark on its near side.
#
# Two namespaces of the kernel's, joined by one cable, and below a user namespace of our own, so that no root is
# needed. Users, processes and files are those of everybody: the server's own socket works from anywhere. Each side
# is a host with a name of its own.
package NetworkTest;

use strict;
use warnings;
use Exporter 'import';
use IPC::Open2;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(network_start network_stop network_run network_far network_name network_cut network_move network_wrap);

my %shells;

# network_start WHY - (a reference to a text that gets what is missing) the network, whose sides are hosts near and
# far; undef where none can be made. It ends with the test.
sub network_start
{
    my ($why) = @_;
    my $net = { address => '10.77.0.2', near => '10.77.0.1' };
    my $pid = eval { open2($net->{from}, $net->{to}, 'sh', '-c', 'exec unshare -U --map-current-user --keep-caps -n -u sh 2>&1') };
    $net->{pid} = $pid;
    $shells{$pid} = $net;
    local $SIG{PIPE} = 'IGNORE';
    my ($ok, $said) = network_run($net, <<'SH');
setpriv --pdeathsig KILL unshare -n -u sleep infinity & far=$!
for try in $(seq 200); do [ "$(cat /proc/$far/comm)" != sleep ] || break; sleep 0.05; done
ip link set lo up && ip link add near type veth peer name far netns $far && ip addr add 10.77.0.1/24 dev near && ip link set near up &&
nsenter -t $far -n sh -c 'ip link set lo up && ip addr add 10.77.0.2/24 dev far && ip link set far up' && echo "far $far"
SH
    ($net->{far}) = $said =~ /^far (\d+)$/m;
    if (!$ok || !defined $net->{far} || !eval { network_name($net, $_, $_) for qw(near far); 1 })
    {
        $said .= $@;
        $said =~ s/\s+/ /g;
        $$why = "no network namespaces can be made here: $said";
        network_stop($net);
        return undef;
    }
    return $net;
}

sub network_stop
{
    my ($net) = @_;
    delete $shells{ $net->{pid} };
    close $net->{to};
    close $net->{from};
    waitpid $net->{pid}, 0;
    return;
}

# Whatever holds the test's output would keep prove waiting.
END { my $code = $?; network_stop($_) for values %shells; $? = $code }

# network_run NETWORK, COMMANDS - as root of the network, on the near side; (success, all that they said).
sub network_run
{
    my ($net, $commands) = @_;
    my ($said, $code) = ('', undef);
    print { $net->{to} } "{ $commands\n} </dev/null\necho \"= \$?\"\n";
    $net->{to}->flush;
    while (!defined $code && defined(my $line = readline $net->{from}))
    {
        if ($line =~ /^= (\d+)$/) { $code = $1 }
        else                      { $said .= $line }
    }
    note($said) if $said ne '';
    return (defined $code && $code == 0, $said);
}

sub network_far { my ($net, $command) = @_; return network_run($net, "nsenter -t $net->{far} -n -u $command") }

# network_name NETWORK, near | far, NAME - that host is called so from now on; a name may have any characters but ' here.
sub network_name
{
    my ($net, $side, $name) = @_;
    my $set = qq{perl -e 'require "syscall.ph"; exit(syscall(&SYS_sethostname, \$ARGV[0], length \$ARGV[0]) != 0)' '$name'};
    my ($ok, $said) = $side eq 'far' ? network_far($net, $set) : network_run($net, $set);
    die "the host cannot be renamed: $said" unless $ok;
    return;
}

# network_cut NETWORK - nothing passes any more, and nobody is told.
sub network_cut
{
    my ($net) = @_;
    my ($ok, $said) = network_far($net, 'ip link set far down');
    die "the network cannot be cut: $said" unless $ok;
    return;
}

# inside PID - the words before a command that is to run on that side.
sub inside { my ($pid) = @_; return ('nsenter', '-t', $pid, '-U', '-n', '-u', '--preserve-credentials') }

# network_move NETWORK, NODE - the server, whose programs are those of agent_server, on the far side: from now on by
# its address from the near side, and by its socket from anywhere.
sub network_move
{
    my ($net, $node) = @_;
    $node->append_conf('postgresql.conf', "listen_addresses = '$net->{address}'\n");
    $node->append_conf('pg_hba.conf', "host all all $net->{near}/32 trust\n");
    $node->stop;
    PostgreSQL::Test::Utils::system_or_bail(inside($net->{far}), "$ENV{PGARK_PG_AGENTS}/bin/pg_ctl", '-w', '-D', $node->data_dir, '-l', $node->logfile, 'start');
    $node->_update_pid(1);
    return;
}

# network_wrap NETWORK - a program that is pgark, on the near side.
sub network_wrap
{
    my ($net) = @_;
    my $file = PostgreSQL::Test::Utils::tempdir('near') . '/pgark';
    spew_bytes($file, '#!/bin/sh' . "\nexec " . join(' ', inside($net->{pid}), $ENV{PGARK}) . ' "$@"' . "\n");
    chmod 0755, $file;
    return $file;
}

1;
