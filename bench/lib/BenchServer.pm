# BenchServer.pm - the server that holds everything measured: its own, reached by a socket only.
package BenchServer;

use strict;
use warnings;

# What both sides meet alike. fsync is off so that the disk of the machine is not what is measured;
# pgark and pg_dump themselves still sync the files that they write.
my @settings = (
    [ shared_buffers            => '1GB' ],
    [ max_wal_size              => '8GB' ],
    [ fsync                     => 'off' ],
    [ autovacuum                => 'off' ],
    [ checkpoint_timeout        => '1h' ],
    [ jit                       => 'off' ],
    [ max_locks_per_transaction => '2048' ],
);

# A server that has the extension, where that is built: the same programs otherwise.
sub program
{
    my ($name) = @_;
    return defined $ENV{PGARK_PG_AGENTS} ? "$ENV{PGARK_PG_AGENTS}/bin/$name" : $name;
}

# new DIR, RUNNER [, NAME => VALUE...] - settings in addition.
sub new
{
    my ($class, $dir, $runner, %more) = @_;
    # The name of a socket has 107 bytes.
    die "$dir: too long for a socket\n" if length("$dir/.s.PGSQL.5432") > 107;
    return bless { dir => $dir, runner => $runner, more => \%more }, $class;
}

sub start
{
    my ($self) = @_;
    my ($dir, $runner) = @$self{qw(dir runner)};
    mkdir $dir or die "$dir: $!\n";
    $runner->command(program('initdb'), '--no-sync', '--auth=trust', '--encoding=UTF8',
        '--locale=C.UTF-8', '--username=bench', '-D', "$dir/data");
    open my $conf, '>>', "$dir/data/postgresql.conf" or die "$dir/data/postgresql.conf: $!\n";
    print $conf "listen_addresses = ''\nunix_socket_directories = '$dir'\nport = 5432\n";
    print $conf "$_->[0] = $_->[1]\n" for @settings;
    print $conf "$_ = $self->{more}{$_}\n" for sort keys %{ $self->{more} };
    print $conf "pgark.program = '$ENV{PGARK}'\n";
    close $conf or die "$dir/data/postgresql.conf: $!\n";
    $runner->command(program('pg_ctl'), '-D', "$dir/data", '-l', "$dir/log", '-w', '-s', 'start');
    return;
}

# stop - at once: nothing of its data is needed again. Also when it was started only half.
sub stop
{
    my ($self) = @_;
    return unless -e "$self->{dir}/data/postmaster.pid";
    eval {
        $self->{runner}
          ->command(program('pg_ctl'), '-D', "$self->{dir}/data", '-m', 'immediate', '-w', '-s', 'stop');
        1;
    } or print STDERR "bench: $@";
    return;
}

sub conninfo
{
    my ($self, $db) = @_;
    return "host=$self->{dir} port=5432 user=bench dbname=$db";
}

# uri DB - the same for programs that take nothing else.
sub uri
{
    my ($self, $db) = @_;
    return "postgresql:///$db?host=$self->{dir}&port=5432&user=bench";
}

# sql DB, STATEMENT... - each in a transaction of its own; what they print, without the last newline
sub sql
{
    my ($self, $db, @statements) = @_;
    my $out = $self->{runner}->command('psql', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1',
        '-d', $self->conninfo($db), map { ('-c', $_) } @statements);
    chomp $out;
    return $out;
}

sub create_database
{
    my ($self, $db) = @_;
    $self->sql('postgres', "CREATE DATABASE $db TEMPLATE template0");
    return;
}

sub drop_database
{
    my ($self, $db) = @_;
    $self->sql('postgres', "DROP DATABASE $db");
    return;
}

sub checkpoint
{
    my ($self) = @_;
    $self->sql('postgres', 'CHECKPOINT');
    return;
}

sub version
{
    my ($self) = @_;
    return $self->sql('postgres', "SELECT split_part(current_setting('server_version'), ' ', 1)");
}

# settings - [[name, value]...] as the running server has them.
sub settings
{
    my ($self) = @_;
    return [ map { [ $_, $self->sql('postgres', "SHOW $_") ] }
          (map { $_->[0] } @settings), qw(wal_level synchronous_commit full_page_writes) ];
}

1;
