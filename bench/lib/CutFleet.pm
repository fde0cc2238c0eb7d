# CutFleet.pm - a fleet for bench/cut.pl: its servers, and clients of pgbench that write to it.
package CutFleet;

use strict;
use warnings;

my $accounts = 10_000;

sub has_citus
{
    chomp(my $dir = qx(pg_config --sharedir));
    return -e "$dir/extension/citus.control";
}

sub make
{
    my ($class, $name, $dir, $runner, @members) = @_;
    return bless { name => $name, dir => $dir, runner => $runner, members => \@members, logs => [], pids => [] },
      $class;
}

sub shards { my ($class, $dir, $runner) = @_; return make($class, 'shards', $dir, $runner, 0 .. 2); }
sub citus { my ($class, $dir, $runner) = @_; return make($class, 'citus', $dir, $runner, 0 .. 2); }

sub is_citus { return $_[0]{name} eq 'citus'; }

# Citus connects from node to node by TCP; each server has a port of its own on the loopback.
sub port { my ($self, $member) = @_; return ($self->{base} //= 20_000 + $$ % 20_000) + $member; }

sub conninfo
{
    my ($self, $member) = @_;
    return "host=$self->{dir} port=" . $self->port($member) . ' user=bench dbname=postgres';
}

sub sql
{
    my ($self, $member, @statements) = @_;
    return $self->{runner}->command('psql', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d',
        $self->conninfo($member), map { ('-c', $_) } @statements);
}

sub start_server
{
    my ($self, $member) = @_;
    my $data = "$self->{dir}/$member";
    $self->{runner}->command('initdb', '--no-sync', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8',
        '--username=bench', '-D', $data);
    open my $conf, '>>', "$data/postgresql.conf" or die "$data/postgresql.conf: $!\n";
    print $conf "unix_socket_directories = '$self->{dir}'\nport = " . $self->port($member) . "\n"
      . "listen_addresses = '127.0.0.1'\nfsync = off\nmax_prepared_transactions = 100\nautovacuum = off\n"
      . "max_connections = 200\n";
    print $conf "shared_preload_libraries = 'citus'\ncitus.node_conninfo = 'sslmode=disable'\n"
      if $self->is_citus;
    close $conf or die "$data/postgresql.conf: $!\n";
    $self->{runner}->command('pg_ctl', '-D', $data, '-l', "$data.log", '-w', '-s', 'start');
    return;
}

sub fill
{
    my ($self, $member) = @_;
    $self->sql($member, 'CREATE TABLE account (id int PRIMARY KEY, amount bigint NOT NULL)');
    $self->sql($member, "SELECT create_distributed_table('account', 'id', shard_count := 8)") if $self->is_citus;
    $self->sql($member, "INSERT INTO account SELECT g, 100 FROM generate_series(1, $accounts) g");
    return;
}

sub start
{
    my ($self) = @_;
    mkdir $self->{dir} or die "$self->{dir}: $!\n";
    $self->start_server($_) for @{ $self->{members} };
    if ($self->is_citus)
    {
        $self->sql($_, 'CREATE EXTENSION citus') for @{ $self->{members} };
        $self->sql(0, "SELECT citus_set_coordinator_host('127.0.0.1', " . $self->port(0) . ')',
            map { "SELECT citus_add_node('127.0.0.1', " . $self->port($_) . ')' } 1, 2);
    }
    $self->fill($_) for $self->is_citus ? 0 : @{ $self->{members} };
    return;
}

sub stop
{
    my ($self) = @_;
    for my $member (@{ $self->{members} })
    {
        my $data = "$self->{dir}/$member";
        next unless -e "$data/postmaster.pid";
        system('pg_ctl', '-D', $data, '-m', 'immediate', '-w', '-s', 'stop');
    }
    return;
}

# source - how pgark names it.
sub source
{
    my ($self) = @_;
    return ('-d', $self->conninfo(0)) if $self->is_citus;
    return map { ('--node', $self->conninfo($_)) } @{ $self->{members} };
}

# Whose clients write.
sub written_to { my ($self) = @_; return $self->is_citus ? (0) : @{ $self->{members} }; }

# A transfer between two accounts; with Citus mostly between two nodes.
sub script
{
    return <<"SQL";
\\set a random(1, $accounts)
\\set b random(1, $accounts)
BEGIN;
UPDATE account SET amount = amount - 1 WHERE id = least(:a, :b);
UPDATE account SET amount = amount + 1 WHERE id = greatest(:a, :b);
COMMIT;
SQL
}

# write WRITERS, SECONDS - starts them, spread over the servers that are written to.
sub write
{
    my ($self, $writers, $seconds) = @_;
    my @servers = $self->written_to;
    open my $file, '>', "$self->{dir}/script" or die "script: $!\n";
    print $file $self->script;
    close $file or die "script: $!\n";
    unlink glob "$self->{dir}/log.*";
    $self->{pids} = [];
    for my $i (0 .. $#servers)
    {
        my $clients = int($writers / @servers) + ($i < $writers % @servers ? 1 : 0);
        my $pid = fork // die "fork: $!\n";
        push @{ $self->{pids} }, $pid and next if $pid;
        open STDOUT, '>', "$self->{dir}/pgbench.$i" or die;
        open STDERR, '>&', \*STDOUT or die;
        exec 'pgbench', '-n', '-f', "$self->{dir}/script", '-c', $clients, '-T', $seconds, '-l',
          "--log-prefix=$self->{dir}/log.$i", $self->conninfo($servers[$i])
          or die;
    }
    return;
}

# waits - waits for their end; the duration of every transaction in microseconds.
sub waits
{
    my ($self) = @_;
    my @waits;
    for my $pid (@{ $self->{pids} })
    {
        waitpid $pid, 0;
        die "pgbench failed, see $self->{dir}/pgbench.*\n" if $? != 0;
    }
    for my $log (glob "$self->{dir}/log.*")
    {
        open my $in, '<', $log or die "$log: $!\n";
        # A transaction that failed (a deadlock among the writers) has a word there.
        while (<$in>) { my $us = (split)[2]; push @waits, $us if $us =~ /\A\d+\z/; }
        close $in;
    }
    return @waits;
}

1;
