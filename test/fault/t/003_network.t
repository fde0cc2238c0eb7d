# Connections that are cut: a proxy between pgark and a server that closes after a number of bytes, or
# goes silent and is then cut.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use PgarkTest;
use POSIX ();
use Socket;
use Test::More;

my $source = make_server('source');
my $second = make_server('second');
my $target = make_server('target');
my $repo   = new_repo();
for my $node ($source, $second)
{
    $node->safe_psql('postgres', 'CREATE DATABASE shop');
    $node->safe_psql('shop', <<'SQL');
CREATE TABLE big (id int, t text);
INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, 200000) i;
CREATE TABLE small AS SELECT generate_series(1, 10) AS id;
SQL
}
my $good = backup($repo, '--node', conninfo($source, 'shop'), '--node', conninfo($second, 'shop'));

# proxy NODE, BYTES - a process that passes connections on to NODE's socket until BYTES have gone from
# the server to clients (or to the server, when negative), over all connections; then it closes all of
# them at once and refuses new ones. Returns its pid and its socket directory.
sub proxy
{
    my ($node, $limit) = @_;
    my $dir  = PostgreSQL::Test::Utils::tempdir_short();
    my $name = '/.s.PGSQL.' . $node->port;
    my $listen = IO::Socket::UNIX->new(Local => "$dir$name", Listen => 64) or die "$dir$name: $!";
    my $pid = fork() // die $!;
    return ($pid, $dir) if $pid;

    my (%peer, %to_client);
    my $select = IO::Select->new($listen);
    my $passed = 0;
    local $SIG{TERM} = sub { POSIX::_exit(0) };
    while (1)
    {
        for my $fh ($select->can_read)
        {
            if ($fh == $listen)
            {
                my $client = $listen->accept or next;
                my $server = IO::Socket::UNIX->new(Peer => $node->host . $name) or do { close $client; next };
                @peer{ $client, $server } = ($server, $client);
                $to_client{$server} = 1;
                $select->add($client, $server);
                next;
            }
            my $other = $peer{$fh} or next;
            my $got = sysread($fh, my $data, 65536);
            if (!$got)
            {
                $select->remove($fh, $other);
                delete @peer{ $fh, $other };
                close $fh;
                close $other;
                next;
            }
            # Partial writes would lose data: the sockets block.
            my $at = 0;
            while ($at < $got)
            {
                my $n = syswrite($other, $data, $got - $at, $at) or last;
                $at += $n;
            }
            $passed += $got if $to_client{$fh} ? $limit > 0 : $limit < 0;
            POSIX::_exit(0) if $passed >= abs $limit;
        }
    }
}

sub proxied
{
    my ($node, $dir, $db) = @_;
    return "host='$dir' port=" . $node->port . " dbname='$db'";
}

# ---- backup: cut early (log-in), in the catalogue, in the data
my %seen;
for my $limit (100, 500, 2000, 5000, 20_000, 100_000, 1_000_000, 3_000_000, -50, -1000, -4000, -8000)
{
    my ($pid, $dir) = proxy($second, $limit);
    my $name = $limit > 0 ? "cut after $limit bytes" : 'cut after ' . -$limit . ' bytes to the server';
    my ($code, $out, $err) = pgark('backup', '--repo', $repo, '--no-sync', '-j2', '--chunk-size=512kB',
        '--node', conninfo($source, 'shop'), '--node', proxied($second, $dir, 'shop'));
    kill 'TERM', $pid;
    waitpid $pid, 0;
    $seen{$code}++;
    is($code, 1, "$name: exit code") or diag("$out$err");
    like($err, qr/^pgark: error: /m, "$name: an error");
    like($err, qr/node 1|\Q$dir\E/, "$name: which names the node");
    no_traces($name, [ $repo, $good ], $source, $second);
    unlink glob("$dir/.s*");
}
is($seen{1}, 12, 'every one was cut');
my $key = backup($repo, '--node', conninfo($source, 'shop'), '--node', conninfo($second, 'shop'));
pgark_ok([ 'verify', $key, '--repo', $repo ], 'the next run works');

# ---- restore
my $copies = 0;
for my $limit (100, 1000, 3000, -500, -5000, -100_000, -1_000_000)
{
    my ($pid, $dir) = proxy($target, $limit);
    my $name = $limit > 0 ? "restore, cut after $limit bytes" : 'restore, cut after ' . -$limit . ' bytes to the server';
    my $db = 'copy' . ++$copies;
    my ($code, $out, $err) = pgark('restore', $good, '--repo', $repo, '--create',
        '--map', "0=" . proxied($target, $dir, $db), '--map', "1=" . conninfo($target, "${db}b"));
    kill 'TERM', $pid;
    waitpid $pid, 0;
    is($code, 1, "$name: exit code") or diag("$out$err");
    like($err, qr/^pgark: error: /m, "$name: an error");
    no_traces($name, [ $repo, $good, $key ], $target);
    unlink glob("$dir/.s*");
}
pgark_ok([ 'restore', $good, '--repo', $repo, '--create', '--map', '0=' . conninfo($target, 'whole'),
        '--map', '1=' . conninfo($target, 'wholeb') ], 'the next restore works');
same_rows($source, 'shop', $target, 'whole', 'the next restore');

# ---- through the whole proxy it works, so that it was the cuts that failed
my ($pid, $dir) = proxy($second, 1e12);
ok(backup($repo, '--node', conninfo($source, 'shop'), '--node', proxied($second, $dir, 'shop')), 'through a proxy that does not cut');
kill 'TERM', $pid;
waitpid $pid, 0;

done_testing();
