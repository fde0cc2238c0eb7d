#!/usr/bin/perl
# bench.pl - pgark against pg_dump -Fd -j and pg_restore -j, on one server, alternating.
#
# Run by "make bench SCALE=1 RUNS=5" in a scratch directory, as a user that may run servers. Prints
# medians, ratios, bytes and memory as a table, the targets beside the ratios, and the path of a JSON
# file with every single run.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Find;
use File::Path qw(mkpath rmtree);
use JSON::PP ();
use POSIX qw(strftime);

my $scale = $ENV{SCALE} || 1;
my $runs  = $ENV{RUNS}  || 5;
my $jobs  = $ENV{JOBS}  || 2;
my $pgark = $ENV{PGARK};
my $dir   = getcwd() . '/bench-run';
my $empty_tables = $ENV{EMPTY_TABLES} || 20_000;

# Millions of rows of the eight tables; the skewed database has as many in all, 90 % of them in t1.
my @millions = (2, 1.5, 1, 3, 4, 1, 1, 5);
my $total = 0;
$total += $_ for @millions;

# One setting for both sides. What a careful administrator sets for a bulk load, and nothing that
# only one of them could use.
my @settings = (
    "listen_addresses = ''",
    "unix_socket_directories = '$dir'",
    'shared_buffers = 1GB',
    'maintenance_work_mem = 256MB',
    'wal_level = minimal',
    'max_wal_senders = 0',
    'max_wal_size = 8GB',
    'checkpoint_timeout = 1h',
    'fsync = off',
    'synchronous_commit = off',
    'autovacuum = off',
    'max_locks_per_transaction = 1024',
);

my (%results, %targets);
my $server_started;

sub say_step
{
    my ($text) = @_;
    my $now = strftime('%H:%M:%S', localtime);
    print STDERR "[$now] $text\n";
    return;
}

sub run_quietly
{
    my (@command) = @_;
    open my $save_out, '>&', \*STDOUT or die $!;
    open STDOUT, '>', "$dir/log" or die $!;
    open my $save_err, '>&', \*STDERR or die $!;
    open STDERR, '>&', \*STDOUT or die $!;
    my $status = system { $command[0] } @command;
    open STDOUT, '>&', $save_out or die $!;
    open STDERR, '>&', $save_err or die $!;
    return $status;
}

sub must
{
    my (@command) = @_;
    return if run_quietly(@command) == 0;
    open my $fh, '<', "$dir/log" or die $!;
    my @lines = <$fh>;
    splice @lines, 0, @lines - 20 if @lines > 20;
    die "@command failed:\n@lines";
}

sub conninfo
{
    my ($db) = @_;
    return "host=$dir dbname=$db";
}

sub sql
{
    my ($db, @statements) = @_;
    must('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', conninfo($db), map { ('-c', $_) } @statements);
    return;
}

sub ask
{
    my ($db, $query) = @_;
    open my $fh, '-|', 'psql', '-XAtq', '-d', conninfo($db), '-c', $query or die $!;
    my $answer = <$fh> // '';
    chomp $answer;
    return $answer;
}

# measured KEY, COMMAND... - run once, keep what it took under KEY.
sub measured
{
    my ($key, @command) = @_;
    must("$ENV{PGARK_TOOLS}/runstat", "$dir/stat", @command);
    open my $fh, '<', "$dir/stat" or die $!;
    my $stat = JSON::PP->new->decode(join '', <$fh>);
    push @{ $results{$key}{runs} }, $stat;
    return $stat;
}

sub median
{
    my (@values) = sort { $a <=> $b } @_;
    return 0 unless @values;
    return @values % 2 ? $values[ @values / 2 ] : ($values[ @values / 2 - 1 ] + $values[ @values / 2 ]) / 2;
}

sub wall
{
    my ($key) = @_;
    return median(map { $_->{wall} } @{ $results{$key}{runs} });
}

sub peak
{
    my ($key, $what) = @_;
    my $max = 0;
    for my $stat (@{ $results{$key}{runs} })
    {
        $max = $stat->{$what} if $stat->{$what} > $max;
    }
    return $max / 1024;
}

sub bytes_of
{
    my ($path) = @_;
    my $bytes = 0;
    find({ no_chdir => 1, wanted => sub { $bytes += -s if -f } }, $path);
    return $bytes;
}

# alternate SUB... - RUNS rounds; the order is turned by one every round, so that nobody always comes
# after the same neighbour.
sub alternate
{
    my ($rounds, @contenders) = @_;
    for my $round (1 .. $rounds)
    {
        say_step("round $round of $rounds");
        for my $i (0 .. $#contenders)
        {
            $contenders[ ($i + $round - 1) % @contenders ]->();
        }
    }
    return;
}

# ---- the server and its databases

sub start_server
{
    mkpath($dir);
    must('initdb', '--no-sync', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8', '-D', "$dir/data");
    open my $conf, '>>', "$dir/data/postgresql.conf" or die $!;
    print $conf "$_\n" for @settings;
    close $conf;
    must('pg_ctl', '-D', "$dir/data", '-l', "$dir/server.log", '-w', '-s', 'start');
    $server_started = 1;
    return;
}

sub stop_server
{
    return unless $server_started;
    $server_started = 0;
    run_quietly('pg_ctl', '-D', "$dir/data", '-m', 'immediate', '-s', 'stop');
    return;
}

# fill DB, ROWS... - t1, t2, ... with so many rows, two tables at a time.
sub fill
{
    my ($db, @rows) = @_;
    say_step("filling database \"$db\"");
    sql('postgres', "CREATE DATABASE $db");
    my @children;
    for my $half (0, 1)
    {
        my $pid = fork() // die $!;
        push @children, $pid;
        next if $pid;
        for my $i (grep { $_ % 2 == $half } 0 .. $#rows)
        {
            my $table = 't' . ($i + 1);
            exec_sql($db, "CREATE TABLE $table (id int, info text, crt_time timestamp)",
                "INSERT INTO $table SELECT generate_series(1, $rows[$i]), md5(random()::text), clock_timestamp()");
        }
        POSIX::_exit(0);
    }
    for my $pid (@children)
    {
        waitpid $pid, 0;
        die "filling failed\n" if $?;
    }
    # Hint bits are set and everything is in the caches before anybody is measured.
    sql($db, 'VACUUM ANALYZE', 'CHECKPOINT');
    return;
}

sub exec_sql
{
    my ($db, @statements) = @_;
    my $status = system 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', conninfo($db), map { ('-c', $_) } @statements;
    POSIX::_exit(1) if $status;
    return;
}

# ---- contenders

sub pgark_backup
{
    my ($key, $db, @options) = @_;
    my $repo = "$dir/repo";
    rmtree($repo);
    measured($key, $pgark, 'backup', '-d', conninfo($db), '--repo', $repo, '--quiet', @options);
    $results{$key}{bytes} = bytes_of($repo);
    return;
}

sub pg_dump
{
    my ($key, $program, $db, @options) = @_;
    rmtree("$dir/dump");
    measured($key, $program, '-Fd', '-f', "$dir/dump", '-d', conninfo($db), @options);
    $results{$key}{bytes} = bytes_of("$dir/dump");
    rmtree("$dir/dump");
    return;
}

# A newer pg_dump brings compressions that the one of the server's version does not have.
sub newer_pg_dump
{
    my ($found, $version);
    for my $program (glob '/usr/lib/postgresql/*/bin/pg_dump')
    {
        my ($major) = $program =~ m{/(\d+)/bin/};
        ($found, $version) = ($program, $major) if $major >= 16 && (!defined $version || $major > $version);
    }
    return ($found, $version);
}

sub bench_dump
{
    my ($own) = `pg_dump --version` =~ /(\d+)/;
    my @contenders = (
        [ 'pgark',       sub { pgark_backup('pgark', 'balanced', '-j', $jobs) } ],
        [ 'pgark lz4',   sub { pgark_backup('pgark lz4', 'balanced', '-j', $jobs, '-Z', 'lz4') } ],
        [ 'pgark none',  sub { pgark_backup('pgark none', 'balanced', '-j', $jobs, '-Z', 'none') } ],
        [ 'pg_dump',     sub { pg_dump('pg_dump', 'pg_dump', 'balanced', '-j', $jobs) } ],
        [ 'pg_dump -Z1', sub { pg_dump('pg_dump -Z1', 'pg_dump', 'balanced', '-j', $jobs, '-Z1') } ],
        [ 'pg_dump -Z0', sub { pg_dump('pg_dump -Z0', 'pg_dump', 'balanced', '-j', $jobs, '-Z0') } ],
    );
    my ($newer, $version) = newer_pg_dump();
    for my $compress (defined $newer ? qw(zstd:1 lz4 none) : ())
    {
        my $key = "pg_dump $version $compress";
        push @contenders, [ $key, sub { pg_dump($key, $newer, 'balanced', '-j', $jobs, "-Z$compress") } ];
    }
    say_step('dump of the eight tables');
    alternate($runs, map { $_->[1] } @contenders);

    table("dump of the eight tables, -j $jobs, PostgreSQL $own", map { $_->[0] } @contenders);
    target('dump: times faster than pg_dump as installed', wall('pg_dump') / wall('pgark'), '>=', 5);
    target('dump: set against the gzip archive, bytes', $results{pgark}{bytes} / $results{'pg_dump'}{bytes}, '<=', 1);
    target("dump: times faster than pg_dump $version zstd:1", wall("pg_dump $version zstd:1") / wall('pgark'), '>=', 1.2)
      if defined $newer;
    return;
}

sub bench_skewed
{
    say_step('dump of the skewed database');
    alternate($runs,
        sub { pgark_backup('pgark balanced', 'balanced', '-j', $jobs) },
        sub { pgark_backup('pgark skewed',   'skewed',   '-j', $jobs) });
    # Slow, and only there to show what is compared: not more than two runs.
    alternate($runs < 2 ? $runs : 2, sub { pg_dump('pg_dump skewed', 'pg_dump', 'skewed', '-j', $jobs) });
    table("one table with 90 % of the rows, -j $jobs", 'pgark balanced', 'pgark skewed', 'pg_dump skewed');
    target('skewed: time against balanced', wall('pgark skewed') / wall('pgark balanced'), '<=', 1.1);
    return;
}

sub restore_into
{
    my ($key, @command) = @_;
    sql('postgres', 'DROP DATABASE IF EXISTS copy');
    sql('postgres', 'CREATE DATABASE copy', 'CHECKPOINT');
    measured($key, @command);
    return;
}

sub bench_restore
{
    say_step('restore of the eight tables');
    rmtree($_) for "$dir/repo", "$dir/dump-gzip", "$dir/dump-none";
    must($pgark, 'backup', '-d', conninfo('balanced'), '--repo', "$dir/repo", '--quiet', '-j', $jobs);
    must('pg_dump', '-Fd', '-j', $jobs, '-f', "$dir/dump-gzip", '-d', conninfo('balanced'));
    must('pg_dump', '-Fd', '-j', $jobs, '-Z0', '-f', "$dir/dump-none", '-d', conninfo('balanced'));
    my @pgark = ($pgark, 'restore', 'latest', '--repo', "$dir/repo", '-d', conninfo('copy'), '--no-analyze', '--quiet');
    alternate($runs,
        sub { restore_into('pgark restore', @pgark, '-j', $jobs) },
        sub { restore_into('pg_restore',     'pg_restore', '-j', $jobs, '-d', conninfo('copy'), "$dir/dump-gzip") },
        sub { restore_into('pg_restore of -Z0', 'pg_restore', '-j', $jobs, '-d', conninfo('copy'), "$dir/dump-none") });
    my $rows = "SELECT sum((SELECT count(*) FROM t1) + (SELECT count(*) FROM t8))";
    restore_into('pgark restore -j8', @pgark, '-j8');
    die "the restored database has other rows\n" if ask('copy', $rows) ne ask('balanced', $rows);
    sql('postgres', 'DROP DATABASE copy');
    rmtree($_) for "$dir/dump-gzip", "$dir/dump-none";
    table("restore of the eight tables, -j $jobs; neither side runs ANALYZE (pgark: --no-analyze)",
        'pgark restore', 'pg_restore', 'pg_restore of -Z0', 'pgark restore -j8');
    target('restore: times faster than pg_restore of its own archive', wall('pg_restore') / wall('pgark restore'), '>=', 2.3);
    return;
}

sub bench_memory
{
    say_step('memory at -j8');
    pgark_backup('pgark -j8', 'balanced', '-j8');
    pgark_backup('pgark skewed -j8', 'skewed', '-j8');
    pg_dump('pg_dump -j8', 'pg_dump', 'balanced', '-j8', '-Z1');
    table('memory at -j8 (peak: the largest process; tree: all processes at one time, shared pages once)',
        'pgark -j8', 'pgark skewed -j8', 'pg_dump -j8');
    my $worst = 0;
    for my $key ('pgark -j8', 'pgark skewed -j8', 'pgark restore -j8')
    {
        my $mb = peak($key, 'maxrss_kb');
        $worst = $mb if $mb > $worst;
    }
    target('memory: peak of backup and restore at -j8, MB', $worst, '<', 100);
    return;
}

sub bench_empty
{
    say_step("$empty_tables empty tables");
    sql('postgres', 'CREATE DATABASE empty');
    for (my $i = 0; $i < $empty_tables; $i += 1000)
    {
        my $to = $i + 999 < $empty_tables ? $i + 999 : $empty_tables - 1;
        sql('empty', "DO \$\$ BEGIN FOR i IN $i..$to LOOP EXECUTE format('CREATE TABLE e%s (id int, info text, crt_time timestamp)', i); END LOOP; END \$\$");
    }
    sql('empty', 'VACUUM ANALYZE', 'CHECKPOINT');
    alternate($runs,
        sub { pgark_backup('pgark empty', 'empty', '-j', $jobs) },
        sub { pg_dump('pg_dump empty', 'pg_dump', 'empty', '-j', $jobs) });
    table("$empty_tables empty tables, -j $jobs", 'pgark empty', 'pg_dump empty');
    target("$empty_tables empty tables: time against pg_dump", wall('pgark empty') / wall('pg_dump empty'), '<=', 1.2);
    sql('postgres', 'DROP DATABASE empty');
    return;
}

# ---- output

sub table
{
    my ($title, @keys) = @_;
    my $base = wall($keys[0]);
    print "\n$title\n";
    printf "  %-22s %9s %9s %9s %8s %10s %9s %9s\n", '', 'median s', 'min s', 'max s', 'ratio', 'MB stored', 'peak MB', 'tree MB';
    for my $key (@keys)
    {
        my @walls = sort { $a <=> $b } map { $_->{wall} } @{ $results{$key}{runs} };
        printf "  %-22s %9.2f %9.2f %9.2f %8.2f %10s %9.1f %9.1f\n", $key, wall($key), $walls[0], $walls[-1],
          wall($key) / $base, defined $results{$key}{bytes} ? sprintf('%.1f', $results{$key}{bytes} / 1e6) : '-',
          peak($key, 'maxrss_kb'), peak($key, 'sum_rss_kb');
    }
    return;
}

my @order;

sub target
{
    my ($name, $value, $relation, $limit) = @_;
    my $met = $relation eq '>=' ? $value >= $limit : $relation eq '<=' ? $value <= $limit : $value < $limit;
    push @order, $name;
    $targets{$name} = { value => 0 + sprintf('%.3f', $value), relation => $relation, limit => $limit,
        met => $met ? JSON::PP::true : JSON::PP::false };
    return;
}

sub print_head
{
    my $version = `$pgark --version`;
    chomp $version;
    my $server = ask('postgres', 'SELECT version()');
    my $cpu = 'unknown';
    if (open my $fh, '<', '/proc/cpuinfo')
    {
        while (<$fh>) { $cpu = $1 if /^model name\s*:\s*(.*)/ }
    }
    chomp(my $nproc = `nproc`);
    print "$version, $server\n";
    print "$nproc processors ($cpu), scale $scale, $runs runs each, alternating, medians\n";
    print 'server: ', join(', ', grep { !/unix_socket|listen/ } @settings), "\n";
    return { pgark => $version, server => $server, cpu => $cpu, processors => 0 + $nproc };
}

sub print_end
{
    my ($head) = @_;
    print "\nratios and their targets\n";
    for my $name (@order)
    {
        my $t = $targets{$name};
        printf "  %-60s %8.2f   target %s %s  %s\n", $name, $t->{value}, $t->{relation}, $t->{limit},
          $t->{met} ? 'met' : 'MISSED';
    }
    for my $key (keys %results)
    {
        $results{$key}{median} = wall($key);
    }
    my $file = ($ENV{PGARK_SCRATCH} // '.') . '/results/bench.json';
    open my $fh, '>', $file or die "$file: $!";
    print $fh JSON::PP->new->canonical->pretty->encode(
        { %$head, scale => 0 + $scale, runs => 0 + $runs, jobs => 0 + $jobs, settings => \@settings,
            at => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime), results => \%results, targets => \%targets });
    close $fh or die "$file: $!";
    return;
}

# ---- all of it

$SIG{$_} = sub { die "interrupted\n" } for qw(INT TERM HUP);
END
{
    my $status = $?;
    stop_server();
    rmtree($dir) if defined $dir;
    $? = $status;
}

$| = 1;
start_server();
my $head = print_head();
fill('balanced', map { int($_ * 1e6 * $scale) } @millions);
my $rest = $total * 0.1 / (@millions - 1);
fill('skewed', int($total * 0.9 * 1e6 * $scale), map { int($rest * 1e6 * $scale) } 2 .. @millions);

bench_dump();
bench_skewed();
bench_restore();
bench_memory();
bench_empty();
print_end($head);
