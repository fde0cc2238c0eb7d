# BenchContests.pm - what is run against what, and which targets are judged by it.
#
# A contest is a number of rounds, in each of which every contender runs once; who begins changes
# from round to round, so that a slower hour of the machine, or a place in the order, hits all alike.
package BenchContests;

use strict;
use warnings;
use Cwd qw(realpath);
use File::Find;
use File::Path qw(remove_tree);

# new work => DIR, runner =>, server =>, data =>, runs => N, pgark => PATH
sub new
{
    my ($class, %self) = @_;
    my $self = bless {%self}, $class;
    $self->{pg_dump} = $self->program('pg_dump');
    $self->{newer}   = [ $self->newer_programs ];
    my $pgcopydb = $ENV{PGARK_BENCH_PGCOPYDB} // '';
    ($pgcopydb) = grep { -x } map { "$_/pgcopydb" } split /:/, $ENV{PATH} if $pgcopydb eq '';
    $self->{pgcopydb} = defined $pgcopydb ? $self->program($pgcopydb) : undef;
    return $self;
}

# What can be run by itself: the contests of a group need each other's outputs.
my @groups = qw(tables empty indexes large-objects catalogue one-table agents agent-start);
my %groups = (
    tables          => [qw(dump_contest skew_contest restore_contest memory_contest)],
    empty           => ['empty_contest'],
    indexes         => ['index_contest'],
    'large-objects' => ['large_object_contest'],
    catalogue       => ['catalogue_contest'],
    'one-table'     => ['one_table_contest'],
    agents          => ['agent_contest'],
    'agent-start'   => ['agent_start'],
);

# groups TEXT - the groups that a list names, all of them without one.
sub groups
{
    my ($class, $text) = @_;
    my @wanted = split ' ', $text;
    for my $name (@wanted)
    {
        die "CONTESTS: there is no \"$name\", only @groups\n" unless exists $groups{$name};
    }
    return @wanted ? @wanted : @groups;
}

sub run
{
    my ($self, $report, @names) = @_;
    for my $contest (map { @{ $groups{$_} } } @names)
    {
        $self->$contest($report);
    }
    return;
}

# ---- programs and room ---------------------------------------------------------------------------

sub program
{
    my ($self, $path) = @_;
    my $text = $self->{runner}->command($path, '--version');
    my ($version) = $text =~ /(\d+[\w.]*)/ or die "$path: cannot tell its version from: $text";
    my ($major) = $version =~ /\A(\d+)/;
    return { path => $path, version => $version, major => $major };
}

# newer_programs - every pg_dump that has the newer compressions and can be found, each once.
sub newer_programs
{
    my ($self) = @_;
    my @paths = glob '/usr/lib/postgresql/*/bin/pg_dump';
    push @paths, $ENV{PGARK_BENCH_PG_DUMP} if ($ENV{PGARK_BENCH_PG_DUMP} // '') ne '';
    my (%seen, @found);
    for my $path (@paths)
    {
        my $real = realpath($path) // die "$path: $!\n";
        next if $seen{$real}++;
        my $program = $self->program($path);
        $program->{nick} = 'newer' . (@found + 1);
        push @found, $program
          if $program->{major} >= 16 && $program->{major} >= $self->{pg_dump}{major};
    }
    return @found;
}

# programs - [[name, version]...] for the report.
sub programs
{
    my ($self) = @_;
    return [
        [ pgark      => $self->program($self->{pgark})->{version} ],
        [ server     => $self->{server}->version ],
        [ pg_dump    => $self->{pg_dump}{version} ],
        [ pg_restore => $self->program('pg_restore')->{version} ],
        (defined $self->{pgcopydb} ? [ pgcopydb => $self->{pgcopydb}{version} ] : ()),
        map { [ $_->{path} => $_->{version} ] } @{ $self->{newer} } ];
}

sub need_space
{
    my ($self, $bytes) = @_;
    my (undef, $line) = split /\n/, $self->{runner}->command('df', '-Pk', $self->{work});
    my $free = (split ' ', $line)[3] * 1024;
    die sprintf("%s: %.1f GB are needed and %.1f GB are free\n", $self->{work}, $bytes / 1e9,
        $free / 1e9)
      if $free < $bytes;
    return;
}

sub tree_bytes
{
    my ($path) = @_;
    my $bytes = 0;
    find({ no_chdir => 1, wanted => sub { $bytes += -s _ if lstat && -f _ } }, $path);
    return $bytes;
}

# ---- a contest -----------------------------------------------------------------------------------

# A contender: id, name, command => [ARG...], and optionally
#   before => sub           makes what must be there first, not counted
#   after  => sub (LAST)    clears up; gives the bytes that the run made, where they are to be shown
#
# contest TITLE, ROUNDS, CONTENDER... - each gets its runs; the first is what the others are seen by.
sub contest
{
    my ($self, $title, $rounds, @contenders) = @_;
    for my $round (1 .. $rounds)
    {
        for my $place (0 .. $#contenders)
        {
            my $contender = $contenders[ ($place + $round - 1) % @contenders ];
            my $run       = $self->run_once($contender, $round == $rounds);
            push @{ $contender->{runs} }, $run;
            printf STDERR "bench: %s, round %d of %d: %s: %.2f s\n", $title, $round, $rounds,
              $contender->{name}, $run->{wall};
        }
    }
    $_->{wall} = BenchRunner::summary(map { $_->{wall} } @{ $_->{runs} }) for @contenders;
    return { title => $title, contenders => \@contenders };
}

sub run_once
{
    my ($self, $contender, $last) = @_;
    $contender->{before}->() if defined $contender->{before};
    my $run = $self->{runner}->measure(@{ $contender->{command} });
    $run->{bytes} = $contender->{after}->($last) if defined $contender->{after};
    return $run;
}

sub find_contender
{
    my ($contest, $id) = @_;
    my ($found) = grep { $_->{id} eq $id } @{ $contest->{contenders} };
    return $found;
}

# times_of CONTEST, ID, ID - how many times the median of the second that of the first is.
sub times_of
{
    my ($contest, $id, $of) = @_;
    my ($first, $second) = map { find_contender($contest, $_)->{wall}{median} } $id, $of;
    return $first / $second;
}

sub max_of
{
    my ($contender, $what) = @_;
    my $max = 0;
    $_->{$what} > $max and $max = $_->{$what} for @{ $contender->{runs} };
    return $max;
}

# ---- contenders ----------------------------------------------------------------------------------

# output ID, KEEP - where a contender writes, and the after that measures and removes it. With KEEP,
# that of the last round stays for the restores.
sub output
{
    my ($self, $id, $keep) = @_;
    my $path  = "$self->{work}/out-$id";
    my $after = sub {
        my ($last) = @_;
        my $bytes = tree_bytes($path);
        remove_tree($path) unless $keep && $last;
        return $bytes;
    };
    return ($path, $after);
}

sub backup_contender
{
    my ($self, $id, $db, $jobs, %more) = @_;
    my ($path, $after) = $self->output($id, $more{keep});
    return {
        id      => $id,
        name    => $more{name} // "pgark backup -j$jobs",
        command => [
            $self->{pgark}, 'backup', '-d', $self->{server}->conninfo($db),
            '--repo', $path, "-j$jobs", '--quiet', @{ $more{options} // [] } ],
        after => $after,
    };
}

sub dump_contender
{
    my ($self, $id, $db, $program, $compress, %more) = @_;
    my ($path, $after) = $self->output($id, $more{keep});
    my @compress = defined $compress ? "-Z$compress" : ();
    return {
        id      => $id,
        name    => join(' ', "pg_dump $program->{version} -Fd -j2", @compress),
        command => [
            $program->{path}, '-Fd', '-j2', @compress, '-f', $path,
            '-d', $self->{server}->conninfo($db) ],
        after => $after,
    };
}

# restore_contender ID, NAME, ARG... - into a database that is made for each run and dropped after it,
# when it is like the database that is named first.
sub restore_contender
{
    my ($self, $id, $name, @command) = @_;
    return $self->restore_like('balanced', $id, $name, @command);
}

sub restore_like
{
    my ($self, $like, $id, $name, @command) = @_;
    my ($server, $data) = @$self{qw(server data)};
    return {
        id      => $id,
        name    => $name,
        command => [ @command, '-d', $server->conninfo('restored') ],
        before  => sub { $server->create_database('restored'); $server->checkpoint; },
        after   => sub {
            $data->check_rows('restored', $like);
            $server->drop_database('restored');
            return;
        },
    };
}

sub pgark_restore
{
    my ($self, $jobs) = @_;
    return $self->restore_contender('pgark', "pgark restore -j$jobs",
        $self->{pgark}, 'restore', 'latest', '--repo', "$self->{work}/out-pgark", "-j$jobs",
        '--no-analyze', '--quiet');
}

# ---- the contests --------------------------------------------------------------------------------

sub dump_contest
{
    my ($self, $report) = @_;
    my $installed = $self->{pg_dump};
    my @newer     = map { (
            $self->dump_contender("zstd-$_->{nick}", 'balanced', $_, 'zstd:1'),
            $self->dump_contender("lz4-$_->{nick}",  'balanced', $_, 'lz4'),
    ) } @{ $self->{newer} };
    my $contest = $self->contest('backup of eight tables', $self->{runs},
        $self->backup_contender('pgark', 'balanced', 2, keep => 1),
        $self->dump_contender('gzip', 'balanced', $installed, undef, keep => 1),
        $self->dump_contender('z1', 'balanced', $installed, 1),
        $self->dump_contender('z0', 'balanced', $installed, 0, keep => 1),
        @newer);
    $report->contest($contest);

    $report->at_least('gzip', "backup: pg_dump $installed->{version} as installed : pgark",
        times_of($contest, 'gzip', 'pgark'), 5);
    for my $program (@{ $self->{newer} })
    {
        my $id = "zstd-$program->{nick}";
        $report->at_least($id, "backup: pg_dump $program->{version} zstd:1 : pgark",
            times_of($contest, $id, 'pgark'), 1.2);
    }
    $report->not_measured('backup: newer pg_dump zstd:1 : pgark', 'none is installed', '>= 1.2')
      unless @{ $self->{newer} };
    my ($set, $gzip) = map { max_of(find_contender($contest, $_), 'bytes') } qw(pgark gzip);
    $report->at_most('pgark', 'size: set : gzip archive', $set / $gzip, 1);
    return;
}

sub skew_contest
{
    my ($self, $report) = @_;
    my $contest = $self->contest('skewed against balanced', $self->{runs},
        $self->backup_contender('even', 'balanced', 2, name => 'pgark backup -j2, balanced'),
        $self->backup_contender('skewed', 'skewed', 2, name => 'pgark backup -j2, skewed'));
    $report->contest($contest);
    $report->at_most('skewed', 'backup: skewed : balanced', times_of($contest, 'skewed', 'even'),
        1.1);
    return;
}

# agent_contest - the same data, through pgark's own process and by an agent that the server starts.
sub agent_contest
{
    my ($self, $report) = @_;
    my $what = 'backup: by an agent : without, one host';
    return $report->not_measured($what, 'the extension is not built', '<= 1')
      if !defined $ENV{PGARK_PG_AGENTS};
    $self->{server}->sql('balanced', 'CREATE EXTENSION pgark');
    my $contest = $self->contest('by an agent against without', $self->{runs},
        $self->backup_contender('local', 'balanced', 2),
        $self->backup_contender('agent', 'balanced', 2, name => 'pgark backup --agent -j2',
            options => ['--agent']));
    $self->{server}->sql('balanced', 'DROP EXTENSION pgark');
    $report->contest($contest);
    $report->at_most('agent', $what, times_of($contest, 'agent', 'local'), 1);
    return;
}

# agent_start - on servers of their own: from the cut until all agents have taken its snapshots over and copy.
sub agent_start
{
    my ($self, $report) = @_;
    my ($count, $limit) = (8, 0.3);
    my $what = "start of $count agents, behind the cut";
    return $report->not_measured($what, 'the extension is not built', "< $limit s")
      if !defined $ENV{PGARK_PG_AGENTS};
    my @nodes = map { BenchServer->new("$self->{work}/a$_", $self->{runner}, shared_buffers => '16MB', max_wal_size => '256MB') } 1 .. $count;
    my @times;
    my $ok = eval {
        for my $node (@nodes)
        {
            $node->start;
            $node->sql('postgres', 'CREATE EXTENSION pgark', 'CREATE TABLE t AS SELECT generate_series(1, 10000) AS id');
        }
        for my $round (1 .. $self->{runs})
        {
            $self->{runner}->command($self->{pgark}, 'backup', '--agent', '--no-sync', '-v', '--repo', "$self->{work}/agents-%c",
                map { ('--node', $_->conninfo('postgres')) } @nodes);
            my ($ms) = $self->{runner}->errors =~ /$count agents are at work, (\d+) ms after the cut/ or die "pgark does not tell when its agents were at work\n";
            print STDERR "bench: $what, round $round of $self->{runs}: $ms ms\n";
            push @times, $ms / 1000;
        }
        1;
    };
    my $why = $@;
    $_->stop for @nodes;
    remove_tree(map { $_->{dir} } @nodes);
    remove_tree($_) for glob "$self->{work}/agents-*";
    die $why unless $ok;
    $report->seconds_below('start', $what, BenchRunner::summary(@times)->{median}, $limit);
    return;
}

sub restore_contest
{
    my ($self, $report) = @_;
    # The server recycles its WAL files; the first to write so much would be the one to make them.
    print STDERR "bench: restore: one run to warm up\n";
    $self->run_once($self->pgark_restore(2), 0);
    my $contest = $self->contest('restore of eight tables', $self->{runs},
        $self->pgark_restore(2),
        $self->restore_contender('gzip', 'pg_restore -j2, gzip archive',
            'pg_restore', '-j2', "$self->{work}/out-gzip"),
        $self->restore_contender('z0', 'pg_restore -j2, -Z0 archive',
            'pg_restore', '-j2', "$self->{work}/out-z0"));
    $report->contest($contest);
    $report->at_least('gzip', 'restore: pg_restore of its own archive : pgark',
        times_of($contest, 'gzip', 'pgark'), 2.3);
    remove_tree("$self->{work}/out-$_") for qw(gzip z0);
    return;
}

sub memory_contest
{
    my ($self, $report) = @_;
    my $rounds  = $self->{runs} < 2 ? $self->{runs} : 2;
    my $contest = $self->contest('memory at -j8', $rounds,
        $self->backup_contender('backup', 'balanced', 8),
        { %{ $self->pgark_restore(8) }, id => 'restore' });
    $report->contest($contest);
    for my $id (qw(backup restore))
    {
        my $kb = max_of(find_contender($contest, $id), 'maxrss_kb');
        $report->memory_below($id, "memory: peak of pgark $id -j8", $kb, 100);
    }
    remove_tree("$self->{work}/out-pgark");
    return;
}

# index_contest - what takes the time of a restore is not the rows.
sub index_contest
{
    my ($self, $report) = @_;
    for my $making (
        $self->backup_contender('indexed', 'indexed', 2, keep => 1),
        $self->dump_contender('indexed-z1', 'indexed', $self->{pg_dump}, 1, keep => 1))
    {
        $self->run_once($making, 1);
    }
    my $contest = $self->contest('restore of indexes and foreign keys', $self->{runs},
        $self->restore_like('indexed', 'pgark', 'pgark restore -j2',
            $self->{pgark}, 'restore', 'latest', '--repo', "$self->{work}/out-indexed", '-j2',
            '--no-analyze', '--quiet'),
        $self->restore_like('indexed', 'pg_restore', 'pg_restore -j2, -Z1 archive',
            'pg_restore', '-j2', "$self->{work}/out-indexed-z1"));
    $report->contest($contest);
    $report->at_least('pg_restore', 'restore with indexes and foreign keys: pg_restore : pgark',
        times_of($contest, 'pg_restore', 'pgark'), 1.3);
    $self->index_contest_of_four($report);
    remove_tree("$self->{work}/out-$_") for qw(indexed indexed-z1);
    return;
}

# pgcopydb_contender - the half of "pgcopydb clone" that writes: the schema was dumped before, but it has
# no archive, and reads the rows from their server. It also vacuums and analyzes.
sub pgcopydb_contender
{
    my ($self) = @_;
    my ($server, $data) = @$self{qw(server data)};
    my $dir  = "$self->{work}/pgcopydb";
    my @from = ('--source', $server->uri('indexed'), '--target', $server->uri('restored'), '--dir', $dir);
    return {
        id      => 'pgcopydb',
        name    => "pgcopydb $self->{pgcopydb}{version}, 4 and 4 jobs",
        command => [
            $self->{pgcopydb}{path}, 'clone', @from, '--resume', '--not-consistent', '--table-jobs', 4,
            '--index-jobs', 4 ],
        before => sub {
            remove_tree($dir);
            $server->create_database('restored');
            $self->{runner}->command($self->{pgcopydb}{path}, 'dump', 'schema', @from);
            $server->checkpoint;
        },
        after => sub {
            $data->check_rows('restored', 'indexed');
            $server->drop_database('restored');
            remove_tree($dir);
            return;
        },
    };
}

sub index_contest_of_four
{
    my ($self, $report) = @_;
    my $target = 'restore with indexes and foreign keys: pgark : pgcopydb';
    my @pgcopydb = defined $self->{pgcopydb} ? $self->pgcopydb_contender : ();
    my $contest = $self->contest('indexes and foreign keys, 4 jobs', $self->{runs},
        $self->restore_like('indexed', 'pgark', 'pgark restore -j4',
            $self->{pgark}, 'restore', 'latest', '--repo', "$self->{work}/out-indexed", '-j4', '--quiet'),
        $self->restore_like('indexed', 'pg_restore', 'pg_restore -j4, -Z1 archive',
            'pg_restore', '-j4', "$self->{work}/out-indexed-z1"),
        @pgcopydb);
    $report->contest($contest);
    if (@pgcopydb)
    {
        $report->at_most('pgark', $target, times_of($contest, 'pgark', 'pgcopydb'), 1);
    }
    else
    {
        $report->not_measured($target, 'SKIP: no pgcopydb', '<= 1');
    }
    return;
}

sub empty_contest
{
    my ($self, $report) = @_;
    my $rounds  = $self->{runs} < 3 ? $self->{runs} : 3;
    my $contest = $self->contest($self->{data}->empty_tables . ' empty tables', $rounds,
        $self->backup_contender('pgark', 'empty', 2),
        $self->dump_contender('gzip', 'empty', $self->{pg_dump}, undef));
    $report->contest($contest);
    $report->at_most('pgark', 'empty tables: pgark : pg_dump', times_of($contest, 'pgark', 'gzip'),
        1.2);
    return;
}

# catalogue_contest - there is no row, so that all of a backup is what comes before the rows, and the
# schema's archive, which pg_dump makes within it.
sub catalogue_contest
{
    my ($self, $report) = @_;
    my $rounds = $self->{runs} < 3 ? $self->{runs} : 3;
    my $count  = $self->{data}->catalogue_tables;
    my ($path, $after) = $self->output('catalogue');
    my $dump = {
        id      => 'schema',
        name    => "pg_dump $self->{pg_dump}{version} -Fc -s",
        command => [
            $self->{pg_dump}{path}, '-Fc', '-s', '-f', $path, '-d',
            $self->{server}->conninfo('catalogue') ],
        after => $after,
    };
    my $contest = $self->contest("catalogue of $count tables", $rounds,
        $self->backup_contender('pgark', 'catalogue', 2), $dump);
    $report->contest($contest);
    $report->at_most('pgark', "catalogue of $count tables: pgark : pg_dump -s",
        times_of($contest, 'pgark', 'schema'), 1.2);
    $report->memory_below('pgark', "catalogue of $count tables: memory of pgark",
        max_of(find_contender($contest, 'pgark'), 'own_rss_kb'), 500);
    return;
}

# one_table_contest - of pg_restore only its time is shown: it leaves index, key and sequence out.
sub one_table_contest
{
    my ($self, $report) = @_;
    my ($server, $data) = @$self{qw(server data)};
    my $count  = $data->wide_tables;
    my $number = int($count / 2) || 1;
    my ($path) = $self->output('custom');
    $self->run_once($self->backup_contender('wide', 'wide', 2, keep => 1), 1);
    $self->{runner}->command($self->{pg_dump}{path}, '-Fc', '-f', $path, '-d', $server->conninfo('wide'));
    my $pgark = $self->restore_like('wide', 'pgark', 'pgark restore -t', $self->{pgark}, 'restore', 'latest',
        '--repo', "$self->{work}/out-wide", '-t', "public.w$number", '--quiet');
    $pgark->{after} = sub {
        $data->check_one('restored', $number);
        $server->drop_database('restored');
        return;
    };
    my $restore = $self->restore_like('wide', 'pg_restore', 'pg_restore -t of the -Fc archive', 'pg_restore',
        '-t', "w$number", '-t', "w${number}_id_seq", $path);
    $restore->{after} = sub { $server->drop_database('restored'); return; };
    my $contest = $self->contest("one table of $count", $self->{runs}, $pgark, $restore);
    $report->contest($contest);
    $report->seconds_below('pgark', "one table of $count: pgark",
        find_contender($contest, 'pgark')->{wall}{median}, 2);
    remove_tree("$self->{work}/out-wide");
    unlink $path;
    return;
}

# pg_dump -Fd would make a file for each of them, and pg_restore does not share them among its jobs.
sub large_object_contest
{
    my ($self, $report) = @_;
    my $rounds = $self->{runs} < 3 ? $self->{runs} : 3;
    my $count  = $self->{data}->large_objects;
    my $text   = $count % 1_000_000 == 0 ? $count / 1_000_000 . ' M' : $count;
    my ($path, $after) = $self->output('custom', 1);
    my $dump = {
        id      => 'custom',
        name    => "pg_dump $self->{pg_dump}{version} -Fc",
        command => [
            $self->{pg_dump}{path}, '-Fc', '-f', $path, '-d', $self->{server}->conninfo('large') ],
        after => $after,
    };
    my $contest = $self->contest("backup of $text small large objects", $rounds,
        $self->backup_contender('pgark', 'large', 2, keep => 1), $dump);
    $report->contest($contest);
    $report->at_least('custom', "$text large objects: pg_dump : pgark",
        times_of($contest, 'custom', 'pgark'), 3);
    $contest = $self->contest("restore of $text small large objects", $rounds,
        $self->restore_like('large', 'pgark', 'pgark restore -j2',
            $self->{pgark}, 'restore', 'latest', '--repo', "$self->{work}/out-pgark", '-j2',
            '--no-analyze', '--quiet'),
        $self->restore_like('large', 'custom', 'pg_restore of the -Fc archive', 'pg_restore', $path));
    $report->contest($contest);
    $report->at_least('custom', "$text large objects: pg_restore : pgark",
        times_of($contest, 'custom', 'pgark'), 3);
    remove_tree("$self->{work}/out-$_") for qw(pgark custom);
    return;
}

1;
