# GreenplumFleet.pm - a Greenplum cluster for bench/cut.pl: what differs from CutFleet.pm.
package GreenplumFleet;

use strict;
use warnings;
use GreenplumCluster;
use parent -norequire, 'CutFleet';

sub has_greenplum { return defined GreenplumCluster::bin(); }

sub greenplum { my ($class, $dir, $runner) = @_; return $class->make('greenplum', $dir, $runner, -1 .. 1); }

sub is_citus { return 0; }

sub start
{
    my ($self) = @_;
    mkdir $self->{dir} or die "$self->{dir}: $!\n";
    $self->{cluster} = GreenplumCluster->new($self->{dir}, map { $self->port($_ + 1) } @{ $self->{members} });
    $self->{cluster}->make;
    $self->{cluster}->sql('postgres', 'CREATE TABLE booking (account int, amount int) DISTRIBUTED BY (account)');
    return;
}

sub stop { my ($self) = @_; $self->{cluster}->stop if defined $self->{cluster}; return; }

sub conninfo { my ($self) = @_; return $self->{cluster}->conninfo('postgres'); }

sub source { my ($self) = @_; return ('-d', $self->conninfo, '--pg-dump', GreenplumCluster::bin() . '/pg_dump'); }

sub written_to { return (-1); }

# UPDATE locks a whole table here, so what is moved is booked: two rows, mostly on two segments.
sub script
{
    return <<'SQL';
\set a random(1, 10000)
\set b random(1, 10000)
BEGIN;
INSERT INTO booking VALUES (:a, -1);
INSERT INTO booking VALUES (:b, 1);
COMMIT;
SQL
}

1;
