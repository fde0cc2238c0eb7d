# databases.pl VERSION - make the databases of PostgreSQL's own suites on a server, take each through
# pgark to a second server, and compare. Called by "run", in the scratch directory of tools/as_user.sh.
#
# PGARK_REGRESS_SOURCE is PostgreSQL's unpacked source. The suites' own results do not matter: what counts
# is what they leave in the database.
use strict;
use warnings;
use File::Basename;
use IPC::Run;
use PgarkTest;
use Test::More;

my ($version) = @ARGV;
my $origin    = $ENV{PGARK_REGRESS_SOURCE};
my $here      = "$ENV{PGARK_SCRATCH}/suites";
my $pg_config = `which pg_config`;
chomp $pg_config;
my @differences;

# The suites' modules send the standard output to a log; Test::More knows where it went before.
sub say_line
{
    print { Test::More->builder->output } "regress: @_\n";
    return;
}

# run_quiet ARG... - true when it ends with 0; what it says goes to a file of the scratch directory.
sub run_quiet
{
    my (@args) = @_;
    return IPC::Run::run([@args], '<', \undef, '>>', "$ENV{PGARK_SCRATCH}/suites.log", '2>&1');
}

sub read_differences
{
    open my $fh, '<', "$ENV{PGARK_SCRATCH}/test/regress/expected_differences" or die $!;
    while (my $line = <$fh>)
    {
        push @differences, [ $1, $2, qr/\A$3\z/ ] if $line =~ /^(\d+|\*)\s+(\S+)\s+(\S.*)$/;
    }
    close $fh;
    return;
}

# unexpected DB, LINES of diff - those that no line of expected_differences explains.
sub unexpected
{
    my ($db, @lines) = @_;
    my @patterns = map { $_->[2] }
      grep { ($_->[0] eq '*' || $_->[0] eq $version) && ($_->[1] eq '*' || $_->[1] eq $db) } @differences;
    my @left;
    for my $line (grep { /^[-+]/ } @lines)
    {
        my $text = substr $line, 1;
        push @left, $line unless grep { $text =~ $_ } @patterns;
    }
    return @left;
}

# named TEXT - pg_dump's text with the table's name before each of its columns, so that a difference tells
# what it is in.
sub named
{
    my ($text) = @_;
    my $prefix = sub {
        my ($head, $table, $body) = @_;
        $body =~ s/^ +/$table: /mg;
        return "$head$body";
    };
    $text =~ s{^(CREATE (?:\w+ )*TABLE ([^\n]+) \(\n)(.*?)(?=^\))}{$prefix->($1, $2, $3)}gmse;
    return $text;
}

# fields TEXT - the names of a COPY's column list; quoted ones may contain anything.
sub fields
{
    my ($text) = @_;
    return $text =~ /("(?:[^"]|"")*"|[^,\s"]+)/g;
}

# by_name TEXT - pg_dump's text with the columns of each COPY in the order of their names. A column that
# came to a parent table later stands behind the child's own; in a new database it stands before them,
# whoever restores: pg_dump has no way to say it otherwise. Names and values are what is compared.
sub by_name
{
    my ($text) = @_;
    my $sorted = sub {
        my ($table, $list, $rows) = @_;
        my @names = fields($list);
        my @order = sort { $names[$a] cmp $names[$b] } 0 .. $#names;
        my $all   = join '', map {
            chomp(my $line = $_);
            my @values = split /\t/, $line, -1;
            join("\t", @values[@order]) . "\n"
        } split /^/m, $rows;
        return "COPY $table (" . join(', ', @names[@order]) . ") FROM stdin;\n$all\\.\n";
    };
    $text =~ s{^COPY ((?:"(?:[^"]|"")*"|[^("])+) \(((?:"(?:[^"]|"")*"|[^()"])+)\) FROM stdin;\n(.*?)^\\\.\n}
              {$sorted->($1, $2, $3)}gmse;
    return PgarkTest::sort_rows(named($text));
}

# materialized NODE, DB - rows of materialized views, which pg_dump's text does not have.
sub materialized
{
    my ($node, $db) = @_;
    my $queries = $node->safe_psql($db, <<'SQL');
SELECT format('SELECT %L, count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C")) FROM %s t;',
    oid::regclass, oid::regclass) FROM pg_class WHERE relkind = 'm' AND relispopulated ORDER BY oid::regclass::text
SQL
    return $queries eq '' ? '' : $node->safe_psql($db, $queries);
}

# refresh NODE, DB - bring materialized views up to date, in the order in which they were made: a restore
# fills them from what is there then, so that rows of another day cannot come back.
sub refresh
{
    my ($node, $db) = @_;
    my $statements = $node->safe_psql($db, <<'SQL');
SELECT format('REFRESH MATERIALIZED VIEW %s;', oid::regclass) FROM pg_class
WHERE relkind = 'm' AND relispopulated ORDER BY oid
SQL
    $node->safe_psql($db, $statements) if $statements ne '';
    return;
}

# compare SOURCE, TARGET, DB - pg_dump's text of both sides, which has definitions, rows, sequences and
# large objects; and what it does not have.
sub compare
{
    my ($source, $target, $db) = @_;
    my ($want, $got) = ("$ENV{PGARK_SCRATCH}/$db.want", "$ENV{PGARK_SCRATCH}/$db.got");
    PgarkTest::spew_bytes($want, by_name(dump_text($source, $db, '--create')));
    PgarkTest::spew_bytes($got,  by_name(dump_text($target, $db, '--create')));
    IPC::Run::run([ 'diff', '-U0', $want, $got ], '>', \my $diff);
    my @lines = split /\n/, $diff;
    my @left  = unexpected($db, @lines[ 2 .. $#lines ]);
    is(scalar @left, 0, "$db: pg_dump of both sides is equal")
      or diag(join "\n", @left > 60 ? (@left[ 0 .. 59 ], '...') : @left);
    is(materialized($target, $db), materialized($source, $db), "$db: materialized views are equal");
    return;
}

# round DB - one database from server to server; true when it is equal there.
sub round
{
    my ($source, $target, $db) = @_;
    my $failed = grep { !$_ } Test::More->builder->summary;
    my $repo   = new_repo();
    refresh($source, $db);
    my ($code, $out, $err) = pgark('backup', '--repo', $repo, '--no-sync', '-j2', '-d',
        conninfo($source, $db));
    ok($code == 0 || $code == 2, "$db: backup") or diag($err);
    if ($code == 0 || $code == 2)
    {
        diag("$db: $_") for $err =~ /^pgark: warning: (.*)/mg;
        ($code, $out, $err) = pgark('restore', 'latest', '--repo', $repo, '--create', '-j2', '-d',
            conninfo($target, $db));
        ok($code == 0 || $code == 2, "$db: restore") or diag($err);
        compare($source, $target, $db) if $code == 0 || $code == 2;
    }
    return $failed == grep { !$_ } Test::More->builder->summary;
}

# regression_suite NODE - the database "regression".
sub regression_suite
{
    my ($node) = @_;
    my $dir = "$here/regress";
    run_quiet('cp', '-r', "$origin/src/test/regress", $dir) or die 'cp';
    my $include = `$pg_config --includedir-server`;
    my $library = `$pg_config --pkglibdir`;
    chomp($include, $library);
    run_quiet('cc', '-O1', '-fPIC', '-shared', "-I$include", '-o', "$dir/regress.so", "$dir/regress.c")
      or die "regress.so cannot be built, see $ENV{PGARK_SCRATCH}/suites.log";
    symlink "$library/$_.so", "$dir/$_.so" for qw(autoinc refint);
    run_quiet($ENV{PG_REGRESS}, "--inputdir=$dir", "--outputdir=$dir", "--dlpath=$dir",
        '--bindir=' . dirname($pg_config), '--host=' . $node->host, '--port=' . $node->port,
        '--max-concurrent-tests=20', "--schedule=$dir/parallel_schedule");
    return;
}

# contrib_suites NODE - every suite of contrib that can be run; each leaves a database.
sub contrib_suites
{
    my ($node) = @_;
    run_quiet('cp', '-r', "$origin/contrib", "$here/contrib") or die 'cp';
    local $ENV{PGHOST} = $node->host;
    local $ENV{PGPORT} = $node->port;
    for my $makefile (sort glob "$here/contrib/*/Makefile")
    {
        next if PgarkTest::slurp_bytes($makefile) !~ /^REGRESS\s*=/m;
        run_quiet('make', '-s', '-C', dirname($makefile), 'USE_PGXS=1', 'USE_MODULE_DB=1', 'ISOLATION=',
            'TAP_TESTS=', "PG_CONFIG=$pg_config", 'installcheck');
    }
    return;
}

# equip SOURCE, TARGET - the roles and tablespaces that the databases name.
sub equip
{
    my ($source, $target) = @_;
    my $globals = '';
    IPC::Run::run([ 'pg_dumpall', '--globals-only', '-d', conninfo($source) ], '>', \$globals)
      or die 'pg_dumpall failed';
    # The role that runs it is there already, which is the only error that there may be.
    IPC::Run::run([ 'psql', '-X', '-q', '-d', conninfo($target) ], '<', \$globals, '>', \my $out,
        '2>', \my $err);
    is(join("\n", grep { !/role "\w+" already exists/ } split /\n/, $err), '', 'roles are made');
    return;
}

mkdir $here or die "$here: $!";
read_differences();
my $conf = "shared_buffers = 64MB\nallow_in_place_tablespaces = on\n"
  . "shared_preload_libraries = 'pg_stat_statements'\nwal_level = logical\n";
my $source = make_server('source', conf => $conf);
my $target = make_server('target', conf => $conf);
regression_suite($source);
contrib_suites($source) if $ENV{CONTRIB} ne 'no';
equip($source, $target);

my @databases = split /\n/, $source->safe_psql('postgres',
    q{SELECT datname FROM pg_database WHERE datname ~ 'regression' ORDER BY datname <> 'regression', 1});
is($databases[0], 'regression', 'the suite has left its database');
my (@equal, @unequal);
for my $db (@databases)
{
    if (round($source, $target, $db)) { push @equal, $db }
    else                              { push @unequal, $db }
    say_line("regression database of PostgreSQL $version: equal")
      if $db eq 'regression' && !@unequal;
}
my @contrib = grep { $_ ne 'regression' } @equal;
say_line(scalar @contrib, "databases of contrib's suites: equal (@contrib)") if @contrib;
say_line("not equal: @unequal") if @unequal;
done_testing();
