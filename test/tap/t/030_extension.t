# The extension by itself: its regression tests on a server that has it, and what a launched program gets
# and what becomes of it: interrupts, the end of its session, kills.
use strict;
use warnings;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

needs_agents();

my $node = agent_server('node', 'shop');
my $out  = PostgreSQL::Test::Utils::tempdir('regress');

# ---- pg_regress ----------------------------------------------------------------------------------

my $plain = make_server('plain', install_path => $ENV{PGARK_PG_AGENTS});
my @regress = ($ENV{PG_REGRESS}, "--bindir=$ENV{PGARK_PG_AGENTS}/bin",
    "--inputdir=$ENV{PGARK_SCRATCH}/extension", "--outputdir=$out", '--host', $plain->host, '--port',
    $plain->port, '--dbname=contrib_regression', 'pgark', 'privileges', 'gp');
my $regress_ok = PostgreSQL::Test::Utils::system_log(@regress) == 0;
ok($regress_ok, 'the regression tests of the extension pass');
diag(slurp_bytes("$out/regression.diffs")) if !$regress_ok && -e "$out/regression.diffs";
drop_server($plain);

# ---- programs ------------------------------------------------------------------------------------

my $dir = PostgreSQL::Test::Utils::tempdir('programs');

# program NAME, TEXT - a script that can be launched.
sub program
{
    my ($name, $text) = @_;
    spew_bytes("$dir/$name", "#!/bin/bash\n$text\n");
    chmod 0755, "$dir/$name";
    return "$dir/$name";
}

# launch PROGRAM [, SETTINGS [, KEY]] - (exit code, stdout, stderr) of a psql that does.
sub launch
{
    my ($program, $settings, $key) = @_;
    $settings //= '';
    $key      //= '20261125120000';
    return $node->psql('shop',
        "SET pgark.program = '$program'; $settings SELECT pgark.launch('test', '$key', "
          . q('{"a": 1, "password": "geheim"}')
          . ')');
}

my ($code, $stdout, $stderr) = launch(program('says', 'echo "{\"ok\": true}"'));
is($stdout, '{"ok": true}', 'the result of a program is that of the function');

($code, $stdout, $stderr) = launch(program('shows', <<'SH'));
read -r length
IFS= read -r -N "$length" order
fds=$(ls -l /proc/$$/fd | grep -cE 'socket:|\.so|base/|pg_wal' || true)
python=$(printf '%s' "$order" | tr -d '\n' | sed 's/\\/\\\\/g; s/"/\\"/g')
printf '{"argv": "%s", "env": "%s", "fds": %s, "order": "%s", "mask": "%s"}\n' "$*" \
    "$(tr '\0' ' ' </proc/$$/environ)" "$fds" "$python" "$(umask)"
SH
my $shown = eval { JSON::PP->new->utf8->decode($stdout) } // {};
is($shown->{argv}, 'agent test 20261125120000', 'kind and key are the arguments, nothing else is');
is($shown->{fds},  0, 'no file or socket of the server is open in it');
is($shown->{mask}, '0077', 'what it makes is for nobody else');
like($shown->{env}, qr/\APATH=\S+ LC_ALL=C TZ=UTC \z/, 'it has a clean environment');
my $order = eval { JSON::PP->new->utf8->decode($shown->{order}) } // {};
is($order->{job}{password},        'geheim',     'the job comes by the pipe');
is($order->{server}{port},         $node->port,  'the server says where it is');
is($order->{server}{database},     'shop',       'and in which database it was asked');
is($order->{server}{content},      -1,           'a server that numbers itself not is the coordinator');
unlike(slurp_bytes($node->logfile), qr/geheim.*agent test/s, 'the password is not in the log');
like(slurp_bytes($node->logfile), qr/starts "\S+shows" agent test 20261125120000/, 'the launch is logged');
like(slurp_bytes($node->logfile), qr/Job: \{"a": 1\}/, 'and its job, without the password');

($code, $stdout, $stderr) = launch(program('fails', "echo one >&2; echo 'two words' >&2; exit 7"));
like($stderr, qr/failed with exit code 7/, 'an exit code is an error');
like($stderr, qr/The last that it said: two words/, 'with the last message');
($code, $stdout, $stderr) =
  launch(program('tells', "printf 'PK006\\nthe message\\nThe hint.\\n'; exit 1"), "\\set VERBOSITY verbose\n");
like($stderr, qr/ERROR:  PK006: the message.*HINT:  The hint\./s, "an agent's own failure is passed on");
($code, $stdout, $stderr) = launch(program('dies', 'echo last >&2; kill -9 $$'));
like($stderr, qr/was ended by signal 9.*last/s, 'a kill is told');
($code, $stdout, $stderr) = launch(program('floods', "trap '' TERM; while true; do printf '%65536s' x >&2; done"),
    "SET statement_timeout = '1s';");
like($stderr, qr/statement timeout/, 'one that writes without end is interrupted');
($code, $stdout, $stderr) = launch(program('talks', 'echo "no json"'));
like($stderr, qr/invalid input syntax for type json/, 'a result that is no JSON is an error');

# Writable by others, owned by others.
my $open = program('open', 'true');
chmod 0775, $open;
($code, $stdout, $stderr) = launch($open);
like($stderr, qr/can be written by others than its owner/, 'a program that others can write is refused');
chmod 0644, $open;
($code, $stdout, $stderr) = launch($open);
like($stderr, qr/cannot be executed/, 'one that cannot be executed, too');
SKIP:
{
    skip 'no file of another user: only root can make one (see tools/as_user.sh -m)', 2 if !defined $ENV{PGARK_TEST_FOREIGN};
    is(system($ENV{PGARK_TEST_FOREIGN}), 0, 'there is a program of another user, which anybody can run');
    ($code, $stdout, $stderr) = launch($ENV{PGARK_TEST_FOREIGN});
    like($stderr, qr/belongs neither to root nor to the server's user/, 'a program of another user is refused');
}

# ---- its end -------------------------------------------------------------------------------------

sub alive { my ($file) = @_; my ($pid) = slurp_bytes($file) =~ /(\d+)/; return kill 0, $pid }

my $waits = program('waits', <<"SH");
echo \$\$ >$dir/pid
trap 'echo asked >$dir/asked; exit 3' TERM
while true; do read -r -t 1 _ || true; done
SH
my $stubborn = program('stubborn', "echo \$\$ >$dir/pid\ntrap '' TERM\nwhile true; do sleep 0.1; done");

for my $case ([ 'statement_timeout', $waits, "SET statement_timeout = '1s';", qr/statement timeout/ ],
    [ 'a stubborn one', $stubborn, "SET statement_timeout = '1s';", qr/statement timeout/ ])
{
    my ($name, $program, $settings, $pattern) = @$case;
    unlink "$dir/pid", "$dir/asked";
    ($code, $stdout, $stderr) = launch($program, $settings);
    like($stderr, $pattern, "$name: the statement is cancelled");
    ok(!alive("$dir/pid"), "$name: its program is gone");
    is(-e "$dir/asked" ? 1 : 0, $program eq $waits ? 1 : 0, "$name: it was asked first");
}

# in_session - a launch under way in a session of its own; returns it and the pid of its server process.
sub in_session
{
    unlink "$dir/pid", "$dir/asked";
    my $session = session($node, 'shop');
    my $pid     = $session->query_safe('SELECT pg_backend_pid()');
    $session->{stdin} .= "SET pgark.program = '$waits'; SELECT pgark.launch('test', '20261125120001', '{}');\n";
    $session->{run}->pump_nb;
    wait_for(sub { -e "$dir/pid" && slurp_bytes("$dir/pid") =~ /\d/ }, 'the program runs');
    return ($session, $pid);
}

{
    my ($session, $pid) = in_session();
    ($code, $stdout, $stderr) = launch($waits, '', '20261125120001');
    like($stderr, qr/agent of kind "test" with key 20261125120001 runs here already/,
        'a second launch with the key is refused');
    $node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
    wait_for(sub { !alive("$dir/pid") }, 'the program ends with a cancel request');
    ok(!alive("$dir/pid"), 'a cancel request ends the program');
    $session->quit;
}
{
    my ($session, $pid) = in_session();
    $node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
    wait_for(sub { !alive("$dir/pid") }, 'the program ends with its session');
    ok(!alive("$dir/pid"), 'the end of the session ends the program');
    eval { $session->quit };
}
{
    my ($session, $pid) = in_session();
    kill 'KILL', $session->{run}{KIDS}[0]{PID};
    wait_for(sub { !alive("$dir/pid") }, 'the program ends with the client');
    ok(!alive("$dir/pid"), 'the death of the client ends the program');
    eval { $session->{run}->finish };
}
{
    my ($session, $pid) = in_session();
    kill 'KILL', $pid;
    wait_for(sub { !alive("$dir/pid") }, 'the program ends with its server process');
    ok(!alive("$dir/pid"), 'a kill of the server process ends the program');
    ok(-e "$dir/asked", 'which it is told');
    eval { $session->quit };
    wait_until_up($node, 'the server is up again');
}

# A standby.
drop_server($node);
done_testing();
