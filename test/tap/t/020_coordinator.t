# A fleet with a coordinator, without Citus: plain servers whose databases have catalogues of the same
# shape. So the nodes are found, rows are read where the catalogues say that they are, and sets are
# shown, verified, restored into a plain server, in every environment. Nothing here distributes or
# commits anything: what is consistent is the matter of 003_fleet_cut.t, and of the suites with Citus.
use strict;
use warnings;
use Math::BigInt;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my @agents = defined $ENV{PGARK_PG_AGENTS}
  ? (install_path => $ENV{PGARK_PG_AGENTS}, conf => "pgark.program = '$ENV{PGARK}'\n")
  : ();
my $coordinator = make_server('coordinator', @agents);
my @workers     = map { make_server("worker$_", @agents) } 1, 2;
my $target      = make_server('target', @agents);
my @nodes       = ($coordinator, @workers);    # by group
my $repo        = new_repo();
my @source      = ('-d', conninfo($coordinator, 'app'));
my $have_ranges = `pg_config --version` =~ /(\d+)/ && $1 >= 14;

# ---- the fleet -----------------------------------------------------------------------------------

# The columns that Citus has; the partition key is the column's name, not an expression. Relations of the
# coordinator that are shards are members of the extension: with Citus pg_dump does not see them either.
my $catalogues = <<'SQL';
SET allow_system_table_mods = on;
INSERT INTO pg_extension VALUES (900000, 'citus', 10, 'pg_catalog'::regnamespace, false, '13.2-1', NULL, NULL);
CREATE TABLE pg_catalog.pg_dist_local_group (groupid int PRIMARY KEY);
CREATE TABLE pg_catalog.pg_dist_node (nodeid int PRIMARY KEY, groupid int NOT NULL, nodename text NOT NULL,
    nodeport int NOT NULL, noderack text DEFAULT 'default', hasmetadata bool DEFAULT true, isactive bool DEFAULT true,
    noderole text DEFAULT 'primary', nodecluster name DEFAULT 'default', metadatasynced bool DEFAULT true,
    shouldhaveshards bool DEFAULT true);
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char" NOT NULL,
    partkey text, colocationid int NOT NULL DEFAULT 0, repmodel "char" NOT NULL, autoconverted bool DEFAULT false);
CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass NOT NULL, shardid bigint PRIMARY KEY,
    shardstorage "char" NOT NULL DEFAULT 't', shardminvalue text, shardmaxvalue text);
CREATE TABLE pg_catalog.pg_dist_placement (placementid bigserial PRIMARY KEY, shardid bigint NOT NULL,
    shardstate int NOT NULL DEFAULT 1, shardlength bigint NOT NULL DEFAULT 0, groupid int NOT NULL);
CREATE TABLE pg_catalog.pg_dist_object (classid oid NOT NULL, objid oid NOT NULL, objsubid int NOT NULL DEFAULT 0,
    type text, object_names text[], object_args text[], distribution_argument_index int, colocationid int,
    force_delegation bool);
CREATE TABLE pg_catalog.pg_dist_schema (schemaid oid PRIMARY KEY, colocationid int NOT NULL);
CREATE TABLE pg_catalog.pg_dist_transaction (groupid int NOT NULL, gid text NOT NULL);
CREATE FUNCTION pg_catalog.shard_name(regclass, bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE n.nspname WHEN 'public' THEN '' ELSE quote_ident(n.nspname) || '.' END
        || quote_ident(c.relname || '_' || $2)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1 $$;
CREATE FUNCTION pg_catalog.relation_is_a_known_shard(regclass) RETURNS bool LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_shard s JOIN pg_class t ON t.oid = s.logicalrelid
        JOIN pg_class c ON c.relnamespace = t.relnamespace AND c.relname = t.relname || '_' || s.shardid
        WHERE c.oid = $1) $$;
CREATE FUNCTION pg_catalog.column_to_column_name(regclass, text) RETURNS text LANGUAGE sql STABLE AS 'SELECT $2';
CREATE FUNCTION pg_catalog.recover_prepared_transactions() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 0; END';
CREATE FUNCTION pg_catalog.get_rebalance_progress() RETURNS TABLE (shardid bigint) LANGUAGE sql AS
    'SELECT NULL::bigint WHERE false';
SQL

# Definitions of the coordinator; of tables also on workers, where Citus has them, too.
my $definitions = <<'SQL';
CREATE SCHEMA sales; CREATE SCHEMA "Ten ant";
CREATE TYPE sales.mood AS ENUM ('sad', 'ok');
CREATE TABLE public.orders (id bigserial, customer int NOT NULL, note text, PRIMARY KEY (id, customer));
CREATE TABLE sales."Quo te" ("Ke y" text, gone int, m sales.mood, twice int GENERATED ALWAYS AS (length("Ke y") * 2) STORED);
ALTER TABLE sales."Quo te" DROP COLUMN gone;
CREATE TABLE sales."d.o""t\, {}'$" (k int PRIMARY KEY);
CREATE TABLE public.country (code text PRIMARY KEY, name text);
CREATE TABLE public.unit (id int, name text);
CREATE TABLE public.known (id int, t text);
CREATE TABLE "Ten ant".doc (id int PRIMARY KEY, body jsonb);
CREATE TABLE public.ranged (a int, b text);
CREATE TABLE public.event (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE public.event_1 PARTITION OF public.event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE public.event_2 PARTITION OF public.event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE public.empty (k int);
SQL

# Method, replication, colocation and column as in pg_dist_partition; rows by shard id; shards: id, groups,
# limits.
my %tables = (
    'public.orders' => { how => "'h', 'customer', 1, 's'", sql => 'INSERT INTO %s (customer, note)
        SELECT i, md5(i::text) || %d FROM generate_series(1, 3000) i',
        shards => [ [ 102008, [1], -2147483648, -1073741825 ], [ 102009, [2], -1073741824, -1 ],
                    [ 102010, [1], 0, 1073741823 ], [ 102011, [2], 1073741824, 2147483647 ] ] },
    'sales."Quo te"' => { how => "'h', 'Ke y', 2, 's'", sql => q{INSERT INTO %s SELECT i || 'ä' || %d, 'ok'
        FROM generate_series(1, 50) i},
        shards => [ [ 102012, [2], -2147483648, -1 ], [ 102013, [1], 0, 2147483647 ] ] },
    q{sales."d.o""t\, {}'$"} => { how => "'h', 'k', 2, 's'", sql => 'INSERT INTO %s VALUES (%d)',
        shards => [ [ 102030, [1], -2147483648, -1 ], [ 102031, [2], 0, 2147483647 ] ] },
    'public.country' => { how => "'n', NULL, 3, 't'", sql => q{INSERT INTO %s SELECT 'c' || i, %d FROM generate_series(1, 20) i},
        shards => [ [ 102014, [ 0, 1, 2 ] ] ] },
    'public.unit' => { how => "'n', NULL, 3, 't'", sql => 'INSERT INTO %s SELECT i, %d FROM generate_series(1, 7) i',
        shards => [ [ 102015, [ 1, 2 ] ] ] },
    'public.known' => { how => "'n', NULL, 0, 's'", sql => 'INSERT INTO %s SELECT i, %d FROM generate_series(1, 9) i',
        shards => [ [ 102016, [0] ] ] },
    '"Ten ant".doc' => { how => "'n', NULL, 5, 's'", sql => q{INSERT INTO %s SELECT i, '{"shard": %d}' FROM generate_series(1, 80) i},
        shards => [ [ 102017, [2] ] ] },
    'public.ranged' => { how => "'r', 'a', 0, 'c'", unsynced => 1, sql => 'INSERT INTO %s SELECT i, %d FROM generate_series(1, 30) i',
        shards => [ [ 102018, [1], 1, 100 ], [ 102019, [2], 101, 200 ], [ 102020, [2] ] ] },
    'public.event' => { how => "'h', 'id', 6, 's'", parent => 1, shards => [ [ 102021, [1], -2147483648, 2147483647 ] ] },
    'public.event_1' => { how => "'h', 'id', 6, 's'", sql => q{INSERT INTO %s SELECT i, '2020-03-01' FROM generate_series(1, 11) i -- %d},
        shards => [ [ 102022, [1], -2147483648, 2147483647 ] ] },
    'public.event_2' => { how => "'h', 'id', 6, 's'", sql => q{INSERT INTO %s SELECT i, '2021-03-01' FROM generate_series(1, 12) i -- %d},
        shards => [ [ 102023, [1], -2147483648, 2147483647 ] ] },
    'public.empty' => { how => "'h', 'k', 1, 's'",
        shards => [ [ 102024, [1], -2147483648, -1 ], [ 102025, [2], 0, 2147483647 ] ] },
);

# relation TABLE, SHARD-ID - its name in SQL.
sub relation
{
    my ($table, $id) = @_;
    (my $name = $table) =~ s/("?)\z/_$id$1/;
    return $name;
}

sub literal
{
    my ($text) = @_;
    return 'NULL' if !defined $text;
    $text =~ s/'/''/g;
    return "'$text'";
}

# The shards of one table on the node of a group.
sub make_shards
{
    my ($group, $table) = @_;
    my $t   = $tables{$table};
    my $sql = '';
    for my $shard (@{ $t->{shards} })
    {
        next if !grep { $_ == $group } @{ $shard->[1] };
        my $name = relation($table, $shard->[0]);
        $sql .= "CREATE TABLE $name (LIKE $table INCLUDING ALL)" . ($t->{parent} ? ' PARTITION BY RANGE (at)' : '') . ";\n";
        $sql .= sprintf("$t->{sql}\n;\n", $name, $shard->[0]) if defined $t->{sql};
        $sql .= "ALTER EXTENSION citus ADD TABLE $name;\n" if $group == 0;
    }
    return $sql;
}

sub metadata
{
    my ($table) = @_;
    my $t   = $tables{$table};
    my $oid = literal($table);
    my $sql = "INSERT INTO pg_dist_partition (logicalrelid, partmethod, partkey, colocationid, repmodel)"
      . " VALUES ($oid, $t->{how});\n";
    for my $shard (@{ $t->{shards} })
    {
        my ($id, $groups, $min, $max) = @$shard;
        $sql .= "INSERT INTO pg_dist_shard VALUES ($oid, $id, 't', " . literal($min) . ', ' . literal($max) . ");\n";
        $sql .= "INSERT INTO pg_dist_placement (shardid, groupid) VALUES ($id, $_);\n" for @$groups;
    }
    return $sql;
}

sub make_node
{
    my ($group) = @_;
    my $node = $nodes[$group];
    # A worker gives out numbers of a range of its own.
    my $start = ($group << 48) + 1;
    my $sql  = "$catalogues INSERT INTO pg_dist_local_group VALUES ($group);\n";
    $sql .= "INSERT INTO pg_dist_node (nodeid, groupid, nodename, nodeport) VALUES ($_, $_, '"
      . $nodes[$_]->host . "', " . $nodes[$_]->port . ");\n" for 0 .. $#nodes;
    $sql .= $definitions;
    $sql .= "ALTER SEQUENCE orders_id_seq MINVALUE $start START $start RESTART;\n" if $group > 0;
    for my $table (sort keys %tables)
    {
        $sql .= make_shards($group, $table);
        $sql .= $group > 0 && $tables{$table}{unsynced} ? "DROP TABLE $table;\n" : metadata($table);
    }
    $sql .= "INSERT INTO pg_dist_schema VALUES ('\"Ten ant\"'::regnamespace, 5);\n";
    $node->safe_psql('postgres', 'CREATE DATABASE app');
    $node->safe_psql('app', $sql);
    return;
}

make_node($_) for 0 .. $#nodes;
$coordinator->safe_psql('app', <<'SQL');
CREATE TABLE public.plain AS SELECT i, md5(i::text) AS t FROM generate_series(1, 500) i;
CREATE VIEW sales.v AS SELECT customer, count(*) FROM public.orders GROUP BY 1;
CREATE MATERIALIZED VIEW sales.mv AS SELECT count(*) FROM public.plain;
CREATE FUNCTION public.add_order(int, text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.orders (customer, note) VALUES ($1, $2)';
CREATE FUNCTION sales.everywhere() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION sales.not_distributed() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT setval('public.orders_id_seq', 90000);
SELECT lo_from_bytea(4711, 'the coordinator''s');
SET allow_system_table_mods = on;
INSERT INTO pg_dist_object (classid, objid, distribution_argument_index, colocationid)
    VALUES ('pg_proc'::regclass, 'public.add_order'::regproc, 0, 1);
INSERT INTO pg_dist_object (classid, objid, force_delegation) VALUES ('pg_proc'::regclass, 'sales.everywhere'::regproc, true);
INSERT INTO pg_dist_object (classid, objid) VALUES ('pg_proc'::regclass, 'sales.not_distributed'::regproc);
SQL

$workers[0]->safe_psql('app', q{SELECT lo_from_bytea(4712, 'a worker''s')});

# everywhere SQL - in the catalogues of all nodes.
sub everywhere
{
    my ($sql) = @_;
    $_->safe_psql('app', "SET allow_system_table_mods = on; $sql") for @nodes;
    return;
}

# ---- oracles -------------------------------------------------------------------------------------

# spread_rows - the digests of all tables: of a spread one the sum over its shards, one placement of each.
sub spread_rows
{
    my $rows = digests($coordinator, 'app');
    delete @$rows{ grep { /_1020\d\d"?\z/ } keys %$rows };
    my @on = map { digests($_, 'app') } @nodes;
    for my $table (grep { !$tables{$_}{parent} } keys %tables)
    {
        my ($count, $sum) = (0, Math::BigInt->new(0));
        for my $shard (@{ $tables{$table}{shards} })
        {
            my $digest = $on[ $shard->[1][0] ]{ relation($table, $shard->[0]) } // die "$table $shard->[0]";
            my ($c, $s) = split / /, $digest;
            $count += $c;
            $sum->badd($s);
        }
        $rows->{$table} = "$count $sum";
    }
    return $rows;
}

# definitions_of NODE, DB - without what is about the extension.
sub definitions_of
{
    my ($node, $db) = @_;
    my $text = dump_text($node, $db, '-s');
    $text =~ s/^--\n-- Name: [^\n]*citus; Type: [^\n]*\n--\n+[^\n]*\n+//mg;
    return $text;
}

my $copies = 0;

# restored KEY, NAME, ROWS - into a new database of a plain server: these rows are in it.
sub restored
{
    my ($key, $name, $rows, @args) = @_;
    my $db = 'copy' . ++$copies;
    pgark_ok([ 'verify', $key, '--repo', $repo ], "$name: verify");
    pgark_ok([ 'restore', $key, '--repo', $repo, '--create', '-d', conninfo($target, $db), @args ], "$name: restore");
    is_deeply(digests($target, $db), $rows, "$name: all rows are there, once");
    return $db;
}

sub drop_copy
{
    $target->safe_psql('postgres', "DROP DATABASE $_[0]");
    return;
}

# shards_of KEY - { shard id => content } in the manifest.
sub shards_of
{
    my ($key) = @_;
    return { map { ($_->{shard_id} => $_->{content}) } @{ manifest($repo, $key)->{shard} // [] } };
}

sub set_without_restart
{
    my ($name, @args) = @_;
    my $json = pgark_json([ 'backup', '--repo', $repo, '--no-sync', '--retries=0', @source, @args ], $name);
    return $json->{key};
}

my $all_rows = spread_rows();

# ---- a whole set ---------------------------------------------------------------------------------
{
    my $key = set_without_restart('the whole fleet');
    my $m   = manifest($repo, $key);
    is($m->{set}[0]{topology}, 'citus', 'the topology is in the set');
    is_deeply([ map { "$_->{content} $_->{dbid} $_->{port}" } @{ $m->{node} } ],
        [ map { ($_ - 1) . " $_ " . $nodes[$_]->port } 0 .. 2 ], 'coordinator and workers, by their groups');
    is_deeply([ map { defined $_->{schema}{path} ? 1 : 0 } @{ $m->{node} } ], [ 1, 0, 0 ], 'only the coordinator has definitions');

    my %want;
    for my $t (grep { !$tables{$_}{parent} } keys %tables)
    {
        $want{ $_->[0] } = $_->[1][0] - 1 for @{ $tables{$t}{shards} };
    }
    is_deeply(shards_of($key), \%want, 'one placement of every shard, from the node that has it');
    my ($limits) = grep { $_->{shard_id} == 102009 } @{ $m->{shard} };
    is("$limits->{min} $limits->{max}", '-1073741824 -1', 'with its limits');
    ($limits) = grep { $_->{shard_id} == 102020 } @{ $m->{shard} };
    is(($limits->{min} // 'none') . ($limits->{max} // 'none'), 'nonenone', 'or without');

    my %name = map { ("$_->{content} $_->{oid}" => "$_->{schema}.$_->{name}") } @{ $m->{table} };
    my %how  = map { ($name{"$_->{content} $_->{table_oid}"} => [ @$_{qw(method column colocation tenant_schema shards)} ]) }
      @{ $m->{distribution} };
    is_deeply(\%how, {
            'public.orders'  => [ 'hash', 'customer', 1, undef, 4 ],
            'sales.Quo te'   => [ 'hash', 'Ke y', 2, undef, 2 ],
            q{sales.d.o"t\, {}'$} => [ 'hash', 'k', 2, undef, 2 ],
            'public.country' => [ 'reference', undef, 3, undef, 1 ],
            'public.unit'    => [ 'reference', undef, 3, undef, 1 ],
            'public.known'   => [ 'local', undef, 0, undef, 1 ],
            'Ten ant.doc'    => [ 'single', undef, 5, 'Ten ant', 1 ],
            'public.ranged'  => [ 'range', 'a', 0, undef, 3 ],
            'public.event'   => [ 'hash', 'id', 6, undef, 1 ],
            'public.event_1' => [ 'hash', 'id', 6, undef, 1 ],
            'public.event_2' => [ 'hash', 'id', 6, undef, 1 ],
            'public.empty'   => [ 'hash', 'k', 1, undef, 2 ],
        }, 'how every table is spread');
    is_deeply([ map { $_->{schema} } @{ $m->{distributed_schema} } ], ['Ten ant'], 'the distributed schema');
    is_deeply([ map { [ @$_{qw(schema name arguments argument colocation)}, $_->{force_delegation} ? 1 : 0 ] }
              @{ $m->{distributed_function} } ],
        [ [ 'public', 'add_order', 'integer, text', '$1', 1, 0 ], [ 'sales', 'everywhere', '', undef, 0, 1 ] ],
        'the distributed functions');
    is_deeply([ map { "$_->{content} $_->{last_value}" } sort { $a->{content} <=> $b->{content} } @{ $m->{sequence} } ],
        [ '-1 90000', map { ($_ - 1) . ' ' . (($_ << 48) + 6000) } 1, 2 ], 'what each node has given out');
    is_deeply([ grep { /_1020\d\d/ } map { $_->{name} } grep { $_->{content} == -1 } @{ $m->{table} } ],
        [ 'country_102014', 'known_102016' ], 'the coordinator\'s shards are there as shards');
    my $on_worker = join ' ', grep { !/_1020\d\d\z/ } map { $_->{name} } grep { $_->{content} >= 0 } @{ $m->{table} };
    is($on_worker, '', 'of the workers only shards are');

    # show puts the parts together.
    my $text = pgark_ok([ 'show', $key, '--repo', $repo, '--tables=0' ], 'show');
    like($text, qr/^-1 +public\.orders +12000 .*hash \(customer\), 4 shards$/m, 'show: a table and all its rows');
    like($text, qr/^-1 +public\.country +20 .*  reference$/m, 'show: a reference table, once') or diag($text);
    unlike($text, qr/^-?\d+ +\S+_1020\d\d /m, 'show: shards are no tables');
    my $shown = pgark_json([ 'show', $key, '--repo', $repo, '--tables=0' ], 'show');
    my %shown = map { ("$_->{schema}.$_->{name}" => $_) } @{ $shown->{tables} };
    is($shown{'public.orders'}{distribution}{method}, 'hash', 'show: JSON says how it is spread');
    is($shown{'public.orders'}{rows}, 12000, 'show: and has the rows');
    ok(!exists $shown{'public.plain'}{distribution}, 'show: nothing for a table that is not');

    my $db = restored($key, 'the whole fleet', $all_rows);
    same_text(definitions_of($target, $db), definitions_of($coordinator, 'app'), 'the definitions are the coordinator\'s');
    is($target->safe_psql($db, q{SELECT last_value FROM orders_id_seq}), '90000', 'so is the value of the sequence');
    is($target->safe_psql($db, q{SELECT count(*) FROM pg_extension WHERE extname = 'citus'}), '0', 'the extension is left out');
    is($target->safe_psql($db, 'SELECT string_agg(oid::text, chr(32)) FROM pg_largeobject_metadata'), '4711', 'large objects are the coordinator\'s');
    is($target->safe_psql($db, q{SELECT count(*) FROM public.event}), '23', 'partitions are partitions');
    drop_copy($db);

    # An archive for pg_restore, of the one database.
    my $dir = PostgreSQL::Test::Utils::tempdir('export') . '/out';
    pgark_ok([ 'export', $key, '--repo', $repo, '--format=directory', '-f', $dir, '--exclude-extension=citus' ], 'export');
    $target->safe_psql('postgres', 'CREATE DATABASE exported');
    command_ok([ 'pg_restore', '--exit-on-error', '-d', conninfo($target, 'exported'), $dir ], 'pg_restore takes it');
    is_deeply(digests($target, 'exported'), $all_rows, 'export: all rows are there, once');
    drop_copy('exported');
    no_traces('the whole fleet', [ $repo, $key ], @nodes, $target);

    # All of it once more, of which nothing is new: shards are referred to where they are.
    my $again = set_without_restart('incremental', '--incremental');
    is(join(' ', grep { $_->{stored} } @{ manifest($repo, $again)->{table} }), '', 'incremental: no rows are stored');
    drop_copy(restored($again, 'incremental', $all_rows));

    # A part of it.
    pgark_ok([ 'restore', $key, '--repo', $repo, '--create', '-d', conninfo($target, 'part'), '-t', 'public.orders',
            '-t', 'country' ], 'restore -t');
    is_deeply(digests($target, 'part'), { map { ($_ => $all_rows->{$_}) } 'public.orders', 'public.country' },
        'restore -t: two tables with all their rows');
    drop_copy('part');

    # Without a directory of distributed schemas, as in Citus 11, and a reference table without a copy here.
    everywhere('ALTER TABLE pg_catalog.pg_dist_schema RENAME TO pg_dist_none');
    $key = set_without_restart('Citus 11');
    $m   = manifest($repo, $key);
    ok(!exists $m->{distributed_schema}, 'Citus 11: no distributed schemas');
    is(scalar(grep { $_->{method} eq 'single' && !defined $_->{tenant_schema} } @{ $m->{distribution} }), 1,
        'Citus 11: the table is one with a single shard');
    everywhere('ALTER TABLE pg_catalog.pg_dist_none RENAME TO pg_dist_schema');
}

# ---- gp_dump and gp_restore ------------------------------------------------------------------------

# A script per node: definitions and its own tables' rows of the coordinator, of the others the rows that they
# have stored, for the tables. The extension is not on the plain server: one statement fails.
my $dumps = PostgreSQL::Test::Utils::tempdir('dumps');
gp_tool_ok('gp_dump', [ '--gp-d', $dumps, '--gp-k', '20260101000000', '--gp-c=none', conninfo($coordinator, 'app') ], 'gp_dump');
is(join(' ', grep { /\Agp_dump_-?\d_/ } gp_files($dumps)),
    join(' ', map { "gp_dump_${_}_20260101000000" } '-1_1', '-1_1_post_data', '0_2', '1_3') =~ s/1_1_post_data_20260101000000/1_1_20260101000000_post_data/r,
    'gp_dump: a script for each node');
my $segment = slurp_bytes("$dumps/gp_dump_0_2_20260101000000");
like($segment, qr/^COPY "public"\."orders" /m, 'gp_dump: rows of a node are those of the tables');
unlike($segment, qr/^CREATE |orders_1020/m, 'gp_dump: and nothing but rows');
unlike(slurp_bytes("$dumps/gp_dump_-1_1_20260101000000"), qr/^COPY "public"\."orders" /m, 'gp_dump: which the coordinator\'s script has not');
$target->safe_psql('postgres', 'CREATE DATABASE scripts');
gp_tool_fails('gp_restore', [ '--gp-d', $dumps, '--gp-k', '20260101000000', '--gp-i', '-d', conninfo($target, 'scripts') ], qr/statements of 1 script failed/, 'gp_restore');
is_deeply(digests($target, 'scripts'), spread_rows(), 'gp_restore: all rows of all nodes are there');
gp_tool_ok('gp_dump', [ '--gp-d', "$dumps/some", '--gp-k', '20260101000000', '--gp-s=i[2]', conninfo($coordinator, 'app') ], 'gp_dump --gp-s=i[2]');
is(join(' ', grep { /\Agp_dump_-?\d_/ } gp_files("$dumps/some")), 'gp_dump_0_2_20260101000000.gz', 'gp_dump: one node of them');
gp_tool_fails('gp_dump', [ '--gp-d', "$dumps/some", '--gp-k', '20260101000001_1_1_', conninfo($coordinator, 'app') ], qr/has 3 nodes/, 'gp_dump: a key for one server');

# ---- by agents -----------------------------------------------------------------------------------

SKIP:
{
    skip 'the extension is not built', 1 if !@agents;
    $_->safe_psql('app', 'CREATE EXTENSION pgark') for @nodes;
    my $key = set_without_restart('by agents', '--agent');
    is_deeply([ sort { $a <=> $b } values %{ shards_of($key) } ],
        [ sort { $a <=> $b } map { $_->[1][0] - 1 } map { @{ $_->{shards} } } grep { !$_->{parent} } values %tables ],
        'by agents: the shards are from the nodes that have them');
    drop_copy(restored($key, 'by agents', $all_rows));

    # gp_dump: each node's agent writes what it has of the coordinator's tables; the files are the same.
    gp_tool_ok('gp_dump', [ '--agent', '--gp-d', "$dumps/agents", '--gp-k', '20260101000002', '--gp-c=none', conninfo($coordinator, 'app') ], 'gp_dump --agent');
    my $lines = sub { join "\n", sort grep { !/^-- (?:[0-9a-f]{32}|The parts)/ } split /\n/, slurp_bytes($_[0]) };
    is($lines->("$dumps/agents/gp_dump_${_}_20260101000002"), $lines->("$dumps/gp_dump_${_}_20260101000000"), "gp_dump --agent: the script of $_") for '-1_1', '0_2', '1_3';
    gp_tool_fails('gp_restore', [ '--gp-d', "$dumps/agents", '--gp-k', '20260101000002', '--agent', '-d', conninfo($target, 'scripts') ], qr/no node of the target has/, 'gp_restore --agent: another fleet');
    $_->safe_psql('app', 'DROP EXTENSION pgark') for @nodes;
}

# ---- other ways to begin
{
    my @sets = repo_sets($repo);
    my $out = pgark_ok([ 'backup', '--repo', $repo, '--dry-run', @source ], 'dry run');
    like($out, qr/orders_102009/, 'dry run: names what is to be read');
    no_traces('dry run', [ $repo, @sets ], @nodes);

    my $file = PostgreSQL::Test::Utils::tempdir('fleet') . '/fleet.ini';
    spew_bytes($file, "[fleet]\nname = cluster\n[node 0]\nconninfo = " . conninfo($coordinator, 'app') . "\n");
    my $key = backup($repo, '--fleet', $file);
    is(manifest($repo, $key)->{set}[0]{fleet}, 'cluster', 'a fleet file: its name');
    is(scalar(keys %{ shards_of($key) }), 19, 'a fleet file with the coordinator only: the workers are found');
    spew_bytes($file, "[fleet]\nname = cluster\ntopology = single\n[node 0]\nconninfo = " . conninfo($coordinator, 'app') . "\n");
    pgark_fails([ 'backup', '--repo', $repo, '--fleet', $file ], qr/"app" has tables whose rows are on other servers/,
        'a fleet file that says single');
    pgark_fails([ 'backup', '--repo', $repo, '--node', conninfo($coordinator, 'app') ],
        qr/"app" has tables whose rows are on other servers/, '--node with the coordinator only');
    $key = backup($repo, @source, '--globals');
    is_deeply([ map { defined $_->{globals}{path} ? 1 : 0 } @{ manifest($repo, $key)->{node} } ], [ 1, 0, 0 ],
        '--globals: the coordinator\'s');
}

# ---- selections are of tables, and their shards follow -------------------------------------------
{
    my $key = set_without_restart('-t', '-t', 'orders');
    is_deeply(shards_of($key), { 102008 => 0, 102009 => 1, 102010 => 0, 102011 => 1 }, '-t: the shards of one table');
    my $db = restored($key, '-t', { 'public.orders' => $all_rows->{'public.orders'} });
    drop_copy($db);

    $key = set_without_restart('-t of a shard', '-t', 'plain', '-t', 'orders_102008*');
    is_deeply(shards_of($key), {}, '-t of a shard: there is no such table');

    my @other = grep { !/^sales\./ } keys %$all_rows;
    $key = set_without_restart('-N', '-N', 'sales');
    is_deeply([ grep { /^1020(1[23]|3[01])$/ } keys %{ shards_of($key) } ], [], '-N: no shards of that schema');
    is(scalar(keys %{ shards_of($key) }), 15, '-N: all others');
    $db = restored($key, '-N', { map { ($_ => $all_rows->{$_}) } @other });
    drop_copy($db);

    $key = set_without_restart('--exclude-table-data', '--exclude-table-data=public.orders', '--exclude-table-data=known');
    ok(!grep({ /^1020(0[89]|1[016])$/ } keys %{ shards_of($key) }), '--exclude-table-data: no shards');
    $db = restored($key, '--exclude-table-data', { %$all_rows, 'public.orders' => '0 0', 'public.known' => '0 0' });
    drop_copy($db);

    $key = set_without_restart('--schema-only', '--schema-only');
    is_deeply(shards_of($key), {}, '--schema-only: no shards');
    pgark_ok([ 'verify', $key, '--repo', $repo ], '--schema-only: verify');
}

# ---- what is not the coordinator of this fleet ---------------------------------------------------
{
    my @backup = ('backup', '--repo', $repo, '--retries=0');
    my $err = pgark_fails([ @backup, '-d', conninfo($workers[0], 'app') ],
        qr/database "app" is that of a worker of a Citus cluster \(group 1\)/, 'a worker');
    like($err, qr/Name the coordinator \(\S+:${\ $coordinator->port }\)/, 'a worker: the hint names the coordinator');
    pgark_fails([ @backup, @source, '--all-databases' ], qr/--all-databases: .*coordinator/, '--all-databases');
    $target->safe_psql('postgres', 'CREATE DATABASE other');
    $err = pgark_fails([ @backup, '--node', conninfo($target, 'other'), '--node', conninfo($coordinator, 'app') ],
        qr/"app" has tables whose rows are on other servers/, '--node with the coordinator');
    like($err, qr/Name it alone, by -d/, '--node: the hint says how');
    pgark_fails([ @backup, '--node', conninfo($workers[0], 'app'), '--node', conninfo($workers[1], 'app') ],
        qr/worker of a Citus cluster/, '--node with workers only');

    everywhere('UPDATE pg_dist_node SET isactive = false WHERE groupid = 2');
    pgark_fails([ @backup, @source ], qr/worker \S+:${\ $workers[1]->port } of the Citus cluster is not active/, 'an inactive worker');
    everywhere('UPDATE pg_dist_node SET isactive = true');
    # A standby is no node of its own.
    everywhere(q{INSERT INTO pg_dist_node (nodeid, groupid, nodename, nodeport, noderole) VALUES (9, 2, 'nowhere.invalid', 1, 'secondary')});
    is(scalar(@{ manifest($repo, set_without_restart('a standby'))->{node} }), 3, 'a standby is no node');
    everywhere('DELETE FROM pg_dist_node WHERE nodeid = 9');

    $workers[0]->safe_psql('app', 'UPDATE pg_dist_local_group SET groupid = 7');
    $err = pgark_fails([ @backup, @source ], qr/node group 7 of a Citus cluster, the coordinator has 1/, 'another group');
    like($err, qr/--host-map/, 'another group: the hint');
    $workers[0]->safe_psql('app', 'UPDATE pg_dist_local_group SET groupid = 1');
    $workers[1]->safe_psql('app', q{SET allow_system_table_mods = on; UPDATE pg_extension SET extversion = '12.1-1' WHERE extname = 'citus'});
    pgark_fails([ @backup, @source ], qr/Citus 12.1-1 there, 13.2-1 on the coordinator/, 'another version');
    everywhere(q{UPDATE pg_extension SET extversion = '10.2-4' WHERE extname = 'citus'});
    pgark_fails([ @backup, @source ], qr/Citus 10.2-4 is too old/, 'an old version');
    everywhere(q{UPDATE pg_extension SET extversion = '13.2-1' WHERE extname = 'citus'});
    no_traces('refused', undef, @nodes);

    # The extension alone makes no cluster.
    $target->safe_psql('other', $catalogues . 'CREATE TABLE t AS SELECT 1 AS a');
    my $key = backup($repo, '-d', conninfo($target, 'other'));
    is(manifest($repo, $key)->{set}[0]{topology}, 'single', 'an extension without nodes and tables: a single server');
    $target->safe_psql('postgres', 'DROP DATABASE other');
}

# ---- names that mean nothing here, or something else
{
    everywhere(q{UPDATE pg_dist_node SET nodename = 'db.invalid', nodeport = 5000 + groupid});
    my @backup = ('backup', '--repo', $repo, '--retries=0');
    pgark_fails([ @backup, @source ], qr/db\.invalid/, 'names that nobody knows');
    my @map = map { ('--host-map', 'db.invalid:500' . ($_ + 1) . '=' . $workers[$_]->host . ':' . $workers[$_]->port) } 0, 1;
    my $key = set_without_restart('--host-map', @map);
    drop_copy(restored($key, '--host-map', $all_rows));
    pgark_json([ 'check', @source, @map ], 'check --host-map');
    my @crossed = map { ('--host-map', 'db.invalid:500' . ($_ + 1) . '=' . $workers[ 1 - $_ ]->host . ':' . $workers[ 1 - $_ ]->port) } 0, 1;
    pgark_fails([ @backup, @source, @crossed ], qr/this is node group 2 of a Citus cluster, the coordinator has 1/, 'crossed names');
    my @same = map { ('--host-map', "db.invalid:500$_=" . $workers[0]->host . ':' . $workers[0]->port) } 1, 2;
    pgark_fails([ @backup, @source, @same ], qr/are the same server/, 'one server for two nodes');
    # A host alone: the ports stay.
    everywhere(q{UPDATE pg_dist_node SET nodename = 'db' || groupid || '.invalid'});
    $_->safe_psql('app', join ';', map { "UPDATE pg_dist_node SET nodeport = " . $nodes[$_]->port . " WHERE groupid = $_" } 0 .. 2) for @nodes;
    $key = set_without_restart('--host-map without ports',
        map { ('--host-map', "db$_.invalid=" . $nodes[$_]->host) } 1, 2);
    is(scalar(keys %{ shards_of($key) }), 19, '--host-map without ports');
    $_->safe_psql('app', join ';', map { "UPDATE pg_dist_node SET nodename = '" . $nodes[$_]->host . "' WHERE groupid = $_" } 0 .. 2) for @nodes;
}

# ---- catalogues that promise what is not there ---------------------------------------------------
{
    my @backup = ('backup', '--repo', $repo, @source);
    my @sets   = repo_sets($repo);
    everywhere('UPDATE pg_dist_placement SET groupid = 9 WHERE shardid = 102010');
    pgark_fails([ @backup, '--retries=2' ], qr/gave up after 2 restarts.*shard 102010 lies on node group 9, which has come since/,
        'a placement on no node');
    everywhere('UPDATE pg_dist_placement SET groupid = 1 WHERE shardid = 102010');
    everywhere('UPDATE pg_dist_placement SET shardstate = 4 WHERE shardid = 102010');
    pgark_fails([ @backup, '--retries=0' ], qr/shard 102010 of table \S+ has no active placement/, 'no active placement');
    # One that is to be dropped is none.
    everywhere('INSERT INTO pg_dist_placement (shardid, groupid) VALUES (102010, 2)');
    pgark_fails([ @backup, '--retries=0' ], qr/orders_102010", a part of a table, is not there/, 'a shard that is not there');
    # Which is no matter where it is not wanted.
    set_without_restart('a shard that nobody wants', '-T', 'orders');
    everywhere('DELETE FROM pg_dist_placement WHERE shardid = 102010 AND groupid = 2; UPDATE pg_dist_placement SET shardstate = 1');
    no_traces('promises', undef, @nodes);
}

# ---- moves ---------------------------------------------------------------------------------------

# move SHARD-ID, FROM, TO - what of a shard of orders is to be done on these groups.
sub copy_shard
{
    my ($id, $from, $to) = @_;
    my $rows = $nodes[$from]->safe_psql('app', "COPY orders_$id TO STDOUT");
    my $file = PostgreSQL::Test::Utils::tempdir('move') . '/rows';
    spew_bytes($file, "$rows\n");
    $nodes[$to]->safe_psql('app', "CREATE TABLE orders_$id (LIKE orders INCLUDING ALL); COPY orders_$id FROM '$file'");
    return;
}

sub place_shard
{
    my ($id, $group) = @_;
    everywhere("UPDATE pg_dist_placement SET groupid = $group WHERE shardid = $id");
    my ($shard) = grep { $_->[0] == $id } @{ $tables{'public.orders'}{shards} };
    $shard->[1] = [$group];
    return;
}

# beside NODE, LOCK, SUB, ARG... - a backup that finds LOCK taken on NODE, and waits for it while SUB runs.
sub beside
{
    my ($node, $lock, $sub, @args) = @_;
    my $blocker = session($node, 'app');
    $blocker->query_safe("BEGIN; $lock");
    my $run = pgark_start('backup', '--repo', $repo, '--no-sync', '--output=json', @source, @args);
    wait_for_query($node, 'app', 'SELECT count(*) > 0 FROM pg_locks WHERE NOT granted', 'the backup waits');
    $sub->();
    $blocker->query_safe('COMMIT');
    $blocker->quit;
    my ($code, $out, $err) = pgark_finish($run);
    is($code, 0, 'the backup ends well') or diag("$out$err");
    return ($out =~ /"key": ?"(\d{14})"/ ? $1 : undef, $out, $err);
}

{
    # The old shard stays for a while, as with Citus.
    my ($key, undef, $err) = beside($coordinator, 'LOCK public.plain', sub {
        copy_shard(102008, 1, 2);
        $workers[1]->safe_psql('app', q{UPDATE orders_102008 SET note = 'moved' WHERE customer = 7});
        place_shard(102008, 2);
    }, '--retries=0');
    is(shards_of($key)->{102008}, 1, 'a move before the cut: read from its new place');
    $all_rows = spread_rows();
    drop_copy(restored($key, 'a move before the cut', $all_rows));
    $workers[0]->safe_psql('app', 'DROP TABLE orders_102008');

    # The old one is gone when it is to be locked.
    ($key, undef, $err) = beside($workers[0], 'DROP TABLE orders_102010', sub {
        $workers[1]->safe_psql('app', q{CREATE TABLE orders_102010 (LIKE orders INCLUDING ALL);
            INSERT INTO orders_102010 (customer, note) SELECT i, 'new' FROM generate_series(1, 100) i});
        place_shard(102010, 2);
    });
    is(shards_of($key)->{102010}, 1, 'a shard that is gone: read from its new place');
    like($err, qr/starting over, as the catalogue changed/, 'a shard that is gone: the run began anew');
    $all_rows = spread_rows();
    drop_copy(restored($key, 'a shard that is gone', $all_rows));

    # A new table that comes meanwhile.
    ($key) = beside($coordinator, 'LOCK public.plain', sub {
        $tables{'public.late'} = { how => "'h', 'k', 1, 's'", sql => 'INSERT INTO %s VALUES (%d)', shards => [ [ 102026, [2], -2147483648, 2147483647 ] ] };
        for my $group (0 .. 2)
        {
            $nodes[$group]->safe_psql('app', 'SET allow_system_table_mods = on; CREATE TABLE public.late (k int); '
                  . make_shards($group, 'public.late') . metadata('public.late'));
        }
    }, '--retries=0');
    is(shards_of($key)->{102026}, 1, 'a new table: its shard is in the set');
    $all_rows = spread_rows();
    drop_copy(restored($key, 'a new table', $all_rows));
    no_traces('moves', undef, @nodes);
}

# ---- half of a two-phase commit ------------------------------------------------------------------
{
    my @backup = ('backup', '--repo', $repo, '--retries=0', '--cut-timeout=1s', @source);
    my $prepare = sub {
        my ($gid) = @_;
        $workers[0]->safe_psql('app', "BEGIN; INSERT INTO event_1_102022 VALUES (999, '2020-01-01'); PREPARE TRANSACTION E'$gid'");
    };
    $prepare->('citus_0_1_1_1');
    my $key = set_without_restart('prepared, and not committed', '--cut-timeout=1s');
    drop_copy(restored($key, 'prepared, and not committed', $all_rows));
    is(manifest($repo, $key)->{cut}[0]{method}, 'double-collect', 'prepared, and not committed: a barrier cannot be had, and is not needed');

    $coordinator->safe_psql('app', q{INSERT INTO pg_dist_transaction VALUES (1, 'citus_0_1_1_1')});
    my $err = pgark_fails(\@backup, qr/no consistent cut in \d+ tries .*distributed transaction citus_0_1_1_1, of node -1, is half committed/,
        'prepared, and committed');
    like($err, qr/COMMIT PREPARED/, 'prepared, and committed: the hint');
    pgark_fails([ @backup, '--cut=barrier' ], qr/event_1_102022.*citus_0_1_1_1|citus_0_1_1_1.*half committed/, 'the same behind a barrier');
    set_without_restart('prepared, and committed, no cut', '--cut=none');
    # A row of another transaction, or of another node, says nothing of this one.
    $coordinator->safe_psql('app', q{UPDATE pg_dist_transaction SET gid = 'citus_0_1_1_11'});
    $workers[1]->safe_psql('app', q{INSERT INTO pg_dist_transaction VALUES (1, 'citus_0_1_1_1')});
    set_without_restart('rows of others', '--cut-timeout=1s');
    $workers[0]->safe_psql('app', q{ROLLBACK PREPARED 'citus_0_1_1_1'});

    # The initiator is a worker.
    $prepare->('citus_2_77_5_1');
    set_without_restart('a worker began it', '--cut-timeout=1s');
    $workers[1]->safe_psql('app', q{INSERT INTO pg_dist_transaction VALUES (1, 'citus_2_77_5_1')});
    pgark_fails(\@backup, qr/distributed transaction citus_2_77_5_1, of node 1, is half committed/, 'a worker began it, and committed');
    $workers[0]->safe_psql('app', q{ROLLBACK PREPARED 'citus_2_77_5_1'});

    for my $gid ('citus_9_1_1_1', 'citus_x', 'citus_0', 'citus_')
    {
        $prepare->($gid);
        pgark_fails(\@backup, qr/prepared transaction \Q$gid\E on node 0 is of no node of this cluster/, "a gid of nobody, $gid");
        $workers[0]->safe_psql('app', "ROLLBACK PREPARED '$gid'");
    }
    # The second line is no gid, and begins like none.
    for my $second ('x', 'second0_1_1_1')
    {
        $prepare->("citus_0_1_1_1\\n$second");
        pgark_fails(\@backup, qr/prepared transaction $second on node 0 is of no node of this cluster/, "a gid of two lines, $second");
        $workers[0]->safe_psql('app', "ROLLBACK PREPARED E'citus_0_1_1_1\\n$second'");
    }
    # Those of applications are judged as everywhere: prepared on one node only is not known to be whole.
    $prepare->('citus-like');
    pgark_fails(\@backup, qr/citus-like/, 'a gid of an application');
    $workers[0]->safe_psql('app', q{ROLLBACK PREPARED 'citus-like'});
    everywhere('TRUNCATE pg_dist_transaction');
    no_traces('two phases', undef, @nodes);
}

# ---- a barrier locks the parts, too --------------------------------------------------------------
{
    my $key = set_without_restart('--cut=barrier', '--cut=barrier');
    my $cut = manifest($repo, $key)->{cut}[0];
    is($cut->{method}, 'barrier', '--cut=barrier: by a barrier');
    cmp_ok($cut->{stall_us}, '>', 0, '--cut=barrier: writers could have waited');
    for my $case ([ $workers[1], 'orders_102008', 1 ], [ $workers[0], 'event_1_102022', 0 ], [ $coordinator, 'known_102016', -1 ],
        [ $coordinator, 'plain', -1 ])
    {
        my ($node, $table, $content) = @$case;
        my $writer = session($node, 'app');
        $writer->query_safe("BEGIN; DELETE FROM $table WHERE false");
        my @args = ('backup', '--repo', $repo, @source, '--cut-timeout=1s');
        pgark_fails([ @args, '--cut=barrier' ], qr/no consistent cut in \d+ tries .*on node $content pid \d+ has been writing table "$table"/,
            "an open transaction on $table");
        set_without_restart("an open transaction on $table, strict", '--cut-timeout=1s');
        $writer->query_safe('ROLLBACK');
        $writer->quit;
    }
    no_traces('barrier', undef, @nodes);
}

# ---- far nodes, and a slow one: when the last lock is there, nothing of the try's time may be left, and
# the proof comes yet
{
    my $view = q{SET allow_system_table_mods = on; CREATE OR REPLACE VIEW pg_catalog.pg_prepared_xacts AS
        SELECT p.transaction, p.gid, p.prepared, u.rolname AS owner, d.datname AS database
        FROM pg_prepared_xact() p LEFT JOIN pg_authid u ON p.ownerid = u.oid LEFT JOIN pg_database d ON p.dbid = d.oid};
    $workers[1]->safe_psql('app', "$view, (SELECT pg_sleep(0.005)) slow");
    my @far = map { proxy_start($_, delay => 0.011) } @nodes;
    my @map = map { ('--host-map', $workers[$_]->host . "=$far[$_ + 1]{dir}") } 0, 1;
    backup($repo, '--cut=barrier', '-j1', '-t', 'unit', '-d', proxied($far[0], 'app'), @map) for 1 .. 3;
    proxy_stop($_) for @far;
    $workers[1]->safe_psql('app', $view);
    no_traces('far nodes', undef, @nodes);
}

# ---- what check says, and what a set does not have
{
    $workers[0]->safe_psql('app', 'CREATE TABLE public.stranger (a int)');
    my $check = pgark_json([ 'check', @source ], 'check', 2);
    my $text  = JSON::PP->new->canonical->encode($check);
    like($text, qr/1 tables are on this worker only, and in no set; \\"public\.stranger\\" is one/, 'check: a table of a worker alone');
    like($text, qr/synced to every node/, 'check: metadata');
    everywhere('UPDATE pg_dist_node SET metadatasynced = false WHERE groupid = 1');
    ($text) = (pgark('check', @source))[1];
    like($text, qr/not synced to some node/, 'check: metadata that is not synced');
    everywhere('UPDATE pg_dist_node SET metadatasynced = true');
    my $set = pgark_json([ 'backup', '--repo', $repo, '--no-sync', @source ], 'a table of a worker alone', 2);
    my ($node) = grep { $_->{content} == 0 } @{ manifest($repo, $set->{key})->{node} };
    like("@{ $node->{warnings} }", qr/public\.stranger/, 'the set says what it does not have');
    $workers[0]->safe_psql('app', 'DROP TABLE public.stranger');
    no_traces('check', undef, @nodes);
}

# ---- every session, pg_dump's as well, works on its own node only
{
    my $file  = PostgreSQL::Test::Utils::tempdir('seen') . '/sent';
    my $proxy = proxy_start($coordinator, seen => sub {
        open my $fh, '>>:raw', $file or PgarkTest::POSIX::_exit(1);
        syswrite $fh, $_[0];
        close $fh;
    });
    my $key = backup($repo, '-d', proxied($proxy, 'app'));
    drop_copy(restored($key, 'through a proxy', $all_rows));
    proxy_stop($proxy);
    my $sent = slurp_bytes($file);
    my @begun = $sent =~ /(user\0[^\0]*\0(?:[a-z_]+\0[^\0]*\0)+)/g;
    my @dumps = grep { /_name\0pg_dump\0/ } @begun;
    cmp_ok(scalar @dumps, '>=', 1, 'pg_dump was seen');
    is(scalar(grep { !/options\0 ?-c citus\.enable_ddl_propagation=off\0/ } @dumps), 0, 'pg_dump has the option');
    my @own = $sent =~ /SET row_security = off; SET client_encoding[^\0]*/g;
    cmp_ok(scalar @own, '>=', 3, 'sessions of pgark were seen');
    is(scalar(grep { !/SET citus\.override_table_visibility = off;.*SET citus\.enable_ddl_propagation = off/ } @own),
        1, 'all but the one that looks for the coordinator are set up') or diag(join "\n", @own);
}

# ---- killed and resumed: the state at the cut, whatever the catalogues say by then ---------------
SKIP:
{
    skip 'a table is one chunk, there is no middle of a backup', 1 if !$have_ranges;
    my $insert = q{INSERT INTO %s (customer, note) SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 60000) i};
    $workers[1]->safe_psql('app', sprintf($insert, 'orders_102009') . ';' . sprintf($insert, 'orders_102011'));
    $workers[0]->safe_psql('app', sprintf('INSERT INTO %s SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 60000) i', 'ranged_102018'));
    $all_rows = spread_rows();
    my @how = ('backup', '--repo', $repo, '-j2', '-Z', 'zstd:15', '--chunk-size=128kB', @source);
    my %before = map { ($_ => 1) } repo_sets($repo);
    my $run = pgark_start(@how, '--hold=5min');
    my $key;
    my $lines = sub {
        my $file = set_dir($repo, $key) . "/node$_[0].jsonl";
        return (eval { slurp_bytes($file) } // '') =~ tr/\n//;
    };
    while (!defined $key || $lines->(0) < 10 || $lines->(1) < 10)
    {
        $run->{harness}->pump_nb;
        die "it ended: $run->{err}" if !$run->{harness}->pumpable;
        ($key) = grep { !$before{$_} } repo_sets($repo) if !defined $key;
    }
    kill 'KILL', $run->{pid};
    my ($code) = pgark_finish($run);
    is($code, 128 + 9, 'resume: it is dead');
    # A shard of a table is moved, rows change, a table comes.
    copy_shard(102009, 2, 1);
    everywhere('UPDATE pg_dist_placement SET groupid = 1 WHERE shardid = 102009');
    $workers[0]->safe_psql('app', 'DELETE FROM orders_102009');
    $workers[1]->safe_psql('app', q{UPDATE orders_102011 SET note = 'changed' WHERE customer % 5 = 0; DELETE FROM orders_102009 WHERE id % 2 = 0});
    $coordinator->safe_psql('app', 'DELETE FROM plain; CREATE TABLE later (a int)');
    my ($out, $err);
    ($code, $out, $err) = pgark(@how, '--resume', '--key', $key);
    is($code, 0, 'resume: it ends well') or diag("$out$err");
    my @there = $err =~ /(\d+) chunks are there already/g;
    cmp_ok(scalar @there, '>=', 2, 'resume: chunks of both workers are used') or diag($err);
    is(shards_of($key)->{102009}, 1, 'resume: the shard is where it was at the cut');
    drop_copy(restored($key, 'resume', $all_rows));
    no_traces('resume', undef, @nodes);
}

done_testing();
