# Mail about how a backup ended, to a server that speaks SMTP with STARTTLS, TLS from the first byte on, or none.
use strict;
use warnings;
use IO::Socket::INET;
use PgarkTest;
use Test::More;
eval { require IO::Socket::SSL; 1 } or plan skip_all => 'no IO::Socket::SSL';

my $server = make_server('db');
$server->safe_psql('postgres', 'CREATE DATABASE shop');
$server->safe_psql('shop', 'CREATE TABLE a AS SELECT generate_series(1, 1000) AS x');
my $shop = conninfo($server, 'shop');
my $repo = new_repo();
my $dir  = PostgreSQL::Test::Utils::tempdir('mail');
my $none = PostgreSQL::Test::Utils::tempdir_short();

# A certificate for localhost, which proves itself.
system('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', "$dir/key.pem", '-out', "$dir/cert.pem", '-quiet') == 0
  or system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
      . " -addext subjectAltName=DNS:localhost -keyout $dir/key.pem -out $dir/cert.pem 2>/dev/null") == 0
  or die 'openssl';

# ---- the server

# One client: writes what it was told into FILE. silent: says nothing to a line like that, but waits for the client to go;
# ends: goes then.
sub serve
{
    my ($client, $file, %opt) = @_;
    my $tls = sub {
        IO::Socket::SSL->start_SSL($client, SSL_server => 1, SSL_cert_file => "$dir/cert.pem",
            SSL_key_file => "$dir/key.pem") or return 0;
        return 1;
    };
    return if $opt{smtps} && !$tls->();
    my $secure = $opt{smtps};
    open my $log, '>>', $file or die $!;
    $log->autoflush(1); # what the client has been answered is there
    my $never = qr/\A(?!)/;
    my ($silent, $ends) = map { $_ // $never } @opt{qw(silent ends)};
    print $client "220 localhost ready\r\n" if 'connect' !~ $silent;
    my $in_data = 0;
    while (defined(my $line = <$client>))
    {
        $line =~ s/\r?\n\z//;
        print $log ($secure ? 'tls ' : 'plain '), $line, "\n";
        next if $line =~ $silent;
        last if $line =~ $ends;
        if ($in_data)
        {
            $in_data = 0 if $line eq '.';
            print $client "250 taken\r\n" if !$in_data;
        }
        elsif ($line =~ /^EHLO/)
        {
            my @can = ('localhost', $opt{starttls} && !$secure ? 'STARTTLS' : (), $opt{auth} ? 'AUTH PLAIN' : (), '8BITMIME');
            print $client map { '250' . ($_ == $#can ? ' ' : '-') . "$can[$_]\r\n" } 0 .. $#can;
        }
        elsif ($line eq 'STARTTLS')
        {
            print $client "220 go on\r\n";
            $tls->() or last;
            $secure = 1;
        }
        elsif ($line =~ /^AUTH PLAIN ?(.*)/)
        {
            my $given = $1;
            if ($given eq '') { print $client "334 \r\n"; $given = <$client>; $given =~ s/\r?\n\z//; print $log "tls $given\n" }
            print $client $given eq $opt{auth} ? "235 welcome\r\n" : "535 no\r\n";
        }
        elsif ($line =~ /^RCPT TO:<bad/) { print $client "550 nobody of that name\r\n" }
        elsif ($line eq 'DATA') { print $client "354 go on\r\n"; $in_data = 1 }
        elsif ($line eq 'QUIT') { print $client "221 bye\r\n"; last }
        else { print $client "250 yes\r\n" }
    }
    close $client;
    return;
}

my %servers;
my $count = 0;

# smtp OPT - starts a server; its port, and the file that it writes into.
sub smtp
{
    my (%opt) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die $!;
    my $file   = "$dir/smtp" . ++$count;
    my $pid    = fork() // die $!;
    if (!$pid)
    {
        local $SIG{TERM} = sub { POSIX::_exit(0) };
        while (my $client = $listen->accept) { serve($client, $file, %opt) }
        POSIX::_exit(0);
    }
    $servers{$pid} = 1;
    return ($listen->sockport, $file);
}
END { local $?; kill 'TERM', keys %servers; waitpid $_, 0 for keys %servers }

# mail FILE - what came, without quoted-printable; the file is empty then.
sub mail
{
    my ($file) = @_;
    my $text = -e $file ? slurp_bytes($file) : '';
    unlink $file;
    $text =~ s/=\n(?:tls|plain) //g;
    $text =~ s/=([0-9A-F]{2})/chr hex $1/ge;
    return $text;
}

my @base   = ('backup', '--no-sync', '-q', '--repo', $repo);
my @to     = ('--mail-to=dba@example.org', '--mail-to=ops@example.org', '--mail-from=pgark@example.org');
my @failed = (@base, '-d', "host=$none dbname=shop");

# ---- STARTTLS
my ($port, $file) = smtp(starttls => 1);
my @server = ("--mail-server=smtp://localhost:$port", "--mail-ca-file=$dir/cert.pem");
pgark_ok([ @base, '-d', $shop, @to, @server ], 'a run that is done');
is(mail($file), '', 'is not told of');
pgark_fails([ @failed, @to, @server ], qr/could not connect/, 'a run that fails');
unlike($PgarkTest::last_err, qr/could not send/, 'with mail');
my $text = mail($file);
like($text, qr/^plain STARTTLS$/m, 'TLS was begun');
unlike($text, qr/^plain (?!EHLO|STARTTLS)/m, 'and nothing else was said before');
like($text, qr/^tls MAIL FROM:<pgark\@example\.org>/m, 'from');
like($text, qr/^tls RCPT TO:<$_\@example\.org>/m, "to $_") for qw(dba ops);
like($text, qr/^tls Subject: backup of shop failed on \S+$/m, 'the subject');
like($text, qr/^tls To: dba\@example\.org,\ntls  ops\@example\.org$/m, 'the header has both');
like($text, qr/^tls Date: \w{3}, \d\d \w{3} \d{4} /m, 'a date');
like($text, qr/^tls error       .*could not connect/m, 'the error');
like($text, qr/^tls options     .*mail-to=\*\*\*/m, 'what was asked for');

pgark_ok([ @base, '-d', $shop, @to, @server, '--mail-on=always' ], 'always');
$text = mail($file);
my ($key) = (repo_sets($repo))[-1];
like($text, qr/^tls Subject: backup of shop done on /m, 'the subject');
like($text, qr/^tls set         $key$/m, 'the report of the set');
like($text, qr/public\.a .* 1000 /, 'with its tables');
is((pgark(@base, '-d', $shop, @to, @server, '--mail-on=warnings', '--after=false'))[0], 2, 'a run with a warning');
like(mail($file), qr/Subject: backup of shop done with warnings on /, 'is told of where that is wanted');
pgark_ok([ @base, '-d', $shop, @to, @server, '--mail-on=warnings' ], 'a run without');
is(mail($file), '', 'is not');

# ---- names that are no header
is((pgark(@base, '-d', "host=$none dbname='a\nBcc: x\@example.org \xc3\xa4'", @to, @server))[0], 1, 'a name with a line in it');
$text = mail($file);
like($text, qr/^tls Subject: backup of a\?Bcc: x\@example\.org \?+ failed/m, 'stays in the subject');
unlike($text, qr/^tls Bcc/m, 'and is no header');

# ---- the certificate, and servers without TLS
my ($code, $out, $err) = pgark(@base, '-d', $shop, @to, '--mail-on=always', $server[0]);
is($code, 2, 'a certificate that nobody vouches for: a warning');
like($err, qr/could not send mail by smtp:.*certificate/, 'which is said');
unlike(mail($file), qr/MAIL FROM/, 'and no mail');
($code, $out, $err) = pgark(@base, '-d', $shop, @to, '--mail-on=always', "--mail-server=smtp://127.0.0.1:$port", $server[1]);
is($code, 2, 'a name that the certificate has not: a warning');
mail($file);
($port, $file) = smtp();
my $plain = "--mail-server=smtp://localhost:$port";
($code, $out, $err) = pgark(@base, '-d', $shop, @to, '--mail-on=always', $plain, $server[1]);
is($code, 2, 'no STARTTLS: a warning');
unlike(mail($file), qr/MAIL FROM/, 'and no mail in plain');
pgark_ok([ @base, '-d', $shop, @to, '--mail-on=always', $plain, '--mail-tls=try' ], 'unless that will do');
like(mail($file), qr/^plain Subject: /m, 'it is sent');
pgark_ok([ @base, '-d', $shop, @to, '--mail-on=always', $plain, '--mail-tls=none' ], 'or is wanted');
like(mail($file), qr/^plain Subject: /m, 'it is sent');
($port, $file) = smtp(smtps => 1);
pgark_ok([ @base, '-d', $shop, @to, '--mail-on=always', "--mail-server=smtps://localhost:$port", $server[1] ], 'smtps');
like(mail($file), qr/^tls Subject: /m, 'it is sent');

# ---- login
($port, $file) = smtp(starttls => 1, auth => 'AG1lAHNlY3JldA==');
@server = ("--mail-server=smtp://localhost:$port", "--mail-ca-file=$dir/cert.pem", '--mail-on=always');
spew_bytes("$dir/password", "secret\n");
chmod 0644, "$dir/password";
pgark_fails([ @base, '-d', $shop, @to, @server, '--mail-user=me', "--mail-password-file=$dir/password" ],
    qr/open to group or others/, 'a password for everybody');
chmod 0600, "$dir/password";
pgark_ok([ @base, '-d', $shop, @to, @server, '--mail-user=me', "--mail-password-file=$dir/password" ], 'login');
like(mail($file), qr/^tls Subject: /m, 'it is sent');
spew_bytes("$dir/password", "wrong\n");
($code, $out, $err) = pgark(@base, '-d', $shop, @to, @server, '--mail-user=me', "--mail-password-file=$dir/password");
is($code, 2, 'a wrong password: a warning');
unlike("$out$err", qr/wrong/, 'that does not show it');
mail($file);

# ---- servers that are not there, or want no mail
($port, $file) = smtp(starttls => 1);
@server = ("--mail-ca-file=$dir/cert.pem", '--mail-on=always');
my $gone = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
my $dead = $gone->sockport;
close $gone;
($code, $out, $err) = pgark(@base, '-d', $shop, @to, @server, "--mail-server=smtp://localhost:$dead", '--history=repository');
is($code, 2, 'no server: the backup is there all the same');
like($err, qr/warning: could not send mail/, 'with a warning');
is((json_lines("$repo/history.jsonl"))[-1]{outcome}, 'warnings', 'which is recorded');
($code, $out, $err) = pgark(@base, '-d', $shop, @server, "--mail-server=smtp://localhost:$port", '--mail-to=bad@example.org');
is($code, 2, 'an address that the server refuses: a warning');
is((pgark(@failed, @to, @server, "--mail-server=smtp://localhost:$dead"))[0], 1, 'a failure stays one');
unlink $file;
($code, $out, $err) = pgark(@base, '-d', $shop, @to, @server, "--mail-server=smtp://localhost:$port", '--mail-to=bad@example.org');
is($code, 2, 'one address of several that the server refuses: a warning');
unlike(mail($file), qr/DATA/, 'and nobody is told');

# ---- servers that fall silent, or end in the middle
for my $bad ([ 'says nothing at all', { silent => qr/^connect$/ } ],
    [ 'says nothing to the address', { silent => qr/^RCPT/ } ],
    [ 'says nothing to the message', { silent => qr/^\.$/ } ],
    [ 'ends at once', { ends => qr/^EHLO/ } ],
    [ 'ends before the message', { ends => qr/^DATA$/ } ],
    [ 'ends behind it', { ends => qr/^\.$/ } ])
{
    my ($name, $opt) = @$bad;
    my $before = repo_sets($repo);
    ($port, $file) = smtp(%$opt);
    ($code, $out, $err) = pgark(@base, '-d', $shop, @to, '--mail-on=always', '--mail-tls=none', "--mail-server=smtp://127.0.0.1:$port", '--mail-timeout=2s');
    is($code, 2, "a server that $name: a warning");
    like($err, qr/warning: could not send mail by smtp:/, "a server that $name: which is said");
    is(scalar repo_sets($repo), $before + 1, "a server that $name: the set is there");
}

# ---- refused before any work
for my $bad ([ 'no address', ['--mail-to=dba'], qr/--mail-to: "dba" is no address/ ],
    [ 'a header', ["--mail-to=a\@b\r\nBcc: c\@d"], qr/is no address/ ],
    [ 'no URL', [ @to, '--mail-server=localhost' ], qr/--mail-server is no smtp/ ],
    [ 'another protocol', [ @to, '--mail-server=file:///etc/passwd' ], qr/--mail-server is no smtp/ ],
    [ 'a password in it', [ @to, '--mail-server=smtp://me:secret@localhost' ], qr/--mail-server is no smtp/ ],
    [ 'no file', [ @to, '--mail-ca-file=/nonexistent' ], qr/cannot read --mail-ca-file/ ],
    [ 'too short a time', [ @to, '--mail-timeout=10ms' ], qr/--mail-timeout.*1s to 1h/ ],
    [ 'nobody', ['--mail-on=always'], qr/--mail-on needs --mail-to/ ],
    [ 'no password', [ @to, '--mail-user=me' ], qr/--mail-user needs --mail-password-file/ ])
{
    my ($name, $args, $why) = @$bad;
    my $said = pgark_fails([ @base, '-d', $shop, @$args ], $why, $name);
    unlike($said, qr/secret/, "$name: no password is shown");
}

done_testing();
