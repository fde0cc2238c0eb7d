# CronTest - gpcrondump and gpdbrestore on a server that MASTER_DATA_DIRECTORY names.
package CronTest;

use strict;
use warnings;
use Exporter 'import';
use PgarkTest;
use Test::More;

our @EXPORT = qw(cron_setup cron cron_ok cron_fails cron_key cron_files cron_dir restore restore_ok restore_fails);

our ($node, $home);

# cron_setup NODE - the server, and a home directory of its own, where the log goes.
sub cron_setup
{
    ($node) = @_;
    $home = PostgreSQL::Test::Utils::tempdir('home');
    $ENV{MASTER_DATA_DIRECTORY} = $node->data_dir;
    $ENV{HOME} = $home;
    delete $ENV{GPHOME};
    spew_bytes("$home/pgark.conf", "[backup]\nno-sync = true\n");
    $ENV{PGARK_CONFIG} = "$home/pgark.conf";
    return $home;
}

# run PROGRAM, ARG... - (exit code, what it said).
sub run
{
    my ($program, @args) = @_;
    my ($code, $out, $err) = gp_tool($program, @args);
    unlike($err, qr/AddressSanitizer|runtime error:|Segmentation/, "$program: no crash");
    return ($code, "$out$err");
}

sub ok_run
{
    my ($program, $args, $name) = @_;
    my ($code, $out) = run($program, @$args);
    is($code, 0, $name) or diag($out);
    return $out;
}

# CODE is 2 by default.
sub fails_run
{
    my ($program, $args, $pattern, $name, $want) = @_;
    my ($code, $out) = run($program, @$args);
    is($code, $want // 2, "$name: exit code") or diag($out);
    like($out, $pattern, "$name: is said");
    return $out;
}

sub cron          { my (@args) = @_; return run('gpcrondump', @args) }
sub cron_ok       { my (@args) = @_; return ok_run('gpcrondump', @args) }
sub cron_fails    { my (@args) = @_; return fails_run('gpcrondump', @args) }
sub restore       { my (@args) = @_; return run('gpdbrestore', @args) }
sub restore_ok    { my (@args) = @_; return ok_run('gpdbrestore', @args) }
sub restore_fails { my (@args) = @_; return fails_run('gpdbrestore', @args) }

# cron_key ARGS, NAME - dumps, and gives the key.
sub cron_key
{
    my ($args, $name) = @_;
    my $out = cron_ok($args, $name);
    my ($key) = $out =~ /Timestamp key = (\d{14})$/m;
    ok(defined $key, "$name: tells its key");
    return $key;
}

# cron_dir KEY [, BASE] - the directory of its day.
sub cron_dir
{
    my ($key, $base) = @_;
    return ($base // $node->data_dir) . '/db_dumps/' . substr($key, 0, 8);
}

# cron_files KEY [, BASE] - the files beside its set, with KEY in the place of the key.
sub cron_files
{
    my ($key, $base) = @_;
    my @files = grep { /\Q$key\E/ && $_ ne $key } gp_files(cron_dir($key, $base));
    return sort map { my $n = $_; $n =~ s/\Q$key\E/KEY/; $n } @files;
}

1;
