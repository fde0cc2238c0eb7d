# A fleet of Greenplum's shape, without Greenplum: plain servers whose databases have catalogues of the same
# form, and say that they are a Cloudberry. So the nodes are found, rows are read where the catalogues say
# that they are, and what goes straight to a segment goes there, in every environment. Nothing here
# distributes or commits anything; that is the matter of the suites with Greenplum.
use strict;
use warnings;
use PgarkTest;
use PostgreSQL::Test::Utils;
use Test::More;

my @nodes  = map { make_server($_) } qw(coordinator segment0 segment1);
my @target = map { make_server($_) } qw(target_coordinator target_segment0 target_segment1);
my $repo   = new_repo();

# PostgreSQL's own pg_dump, which says that it is another one.
my $bin = PostgreSQL::Test::Utils::tempdir('bin');
chomp(my $own = `which pg_dump`);
for my $program ('pg_dump', 'pg_dumpall')
{
    spew_bytes("$bin/$program", "#!/bin/sh\n[ \"\$1\" != --help ] || exec echo '  --gp-syntax'\nexec '$own" . ($program =~ /all/ ? 'all' : '') . "' \"\$@\"\n");
    chmod 0755, "$bin/$program";
}
my @dump = ('--pg-dump', "$bin/pg_dump");

# ---- the fleet -----------------------------------------------------------------------------------

sub catalogues
{
    my ($content, $version, @servers) = @_;
    my $sql = <<"SQL";
SET allow_system_table_mods = on;
ALTER FUNCTION pg_catalog.version() RENAME TO version_of_postgresql;
CREATE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE AS \$\$ SELECT 'PostgreSQL 14.4 ($version build test) on here' \$\$;
CREATE OR REPLACE VIEW pg_catalog.pg_settings AS SELECT * FROM pg_catalog.pg_show_all_settings() UNION ALL
    SELECT 'gp_contentid', '$content', NULL, '', '', NULL, '', '', '', NULL, NULL, NULL::text[], NULL, NULL, NULL, NULL::int, false;
CREATE TABLE pg_catalog.gp_segment_configuration (dbid smallint, content smallint, role "char", preferred_role "char",
    mode "char", status "char", port int, hostname text, address text, datadir text);
SQL
    my $i = -1;
    for my $server ($content < 0 ? @servers : ())
    {
        $sql .= sprintf "INSERT INTO pg_catalog.gp_segment_configuration VALUES (%d, %d, 'p', 'p', 'n', 'u', %d, 'h', '%s', '/');\n",
          $i + 2, $i, $server->port, $server->host;
        $i++;
    }
    # A mirror is nobody to connect to.
    $sql .= "INSERT INTO pg_catalog.gp_segment_configuration VALUES (9, 0, 'm', 'm', 's', 'u', 1, 'nowhere', 'nowhere', '/');\n" if $content < 0;
    return $sql;
}

my $definitions = <<'SQL';
CREATE SCHEMA "Quo te";
CREATE TABLE public.hashed (id int, t text);
CREATE TABLE public.two_keys (a int, b text);
CREATE TABLE "Quo te"."ra ""ndom" ("c ol" int, t text);
CREATE TABLE public.copied (id int, t text);
CREATE TABLE public.event (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE public.event_1 PARTITION OF public.event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE public.event_2 PARTITION OF public.event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE public.few (id int);
SQL

# By names: how each is spread over how many segments. Of the target tables with a key lie on fewer, so that they
# go through the coordinator.
sub policies
{
    my ($segments, $by_key) = @_;
    return <<"SQL";
SET allow_system_table_mods = on;
CREATE VIEW pg_catalog.gp_distribution_policy AS SELECT c.oid AS localoid, p.policytype::"char", p.segments AS numsegments,
    p.keys::int2vector AS distkey, (SELECT string_agg(o.oid::text, ' ' ORDER BY x.n) FROM unnest(string_to_array(p.ops, ' ')) WITH ORDINALITY x(op, n)
        JOIN pg_catalog.pg_opclass o ON o.opcname = x.op JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod AND m.amname = 'hash')::oidvector AS distclass
FROM (VALUES ('public', 'hashed', 'p', $by_key, '1', 'int4_ops'), ('public', 'two_keys', 'p', $by_key, '2 1', 'text_ops int4_ops'),
    ('Quo te', 'ra "ndom', 'p', $segments, '', ''), ('public', 'copied', 'r', $segments, '', ''), ('public', 'event', 'p', $segments, '', ''),
    ('public', 'event_1', 'p', $segments, '', ''), ('public', 'event_2', 'p', $segments, '', ''), ('public', 'few', 'p', 1, '', '')) p(nsp, rel, policytype, segments, keys, ops)
JOIN pg_catalog.pg_namespace n ON n.nspname = p.nsp JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.rel;
SQL
}

sub make_fleet
{
    my ($empty, @servers) = @_;
    for my $i (0 .. $#servers)
    {
        $servers[$i]->safe_psql('postgres', 'CREATE DATABASE app');
        $servers[$i]->safe_psql('app', catalogues($i - 1, 'Cloudberry Database 1.6.0', @servers)
              . ($empty && $i == 0 ? '' : $definitions) . policies(2, $empty ? 1 : 2));
    }
    return;
}
make_fleet(0, @nodes);
make_fleet(1, @target);
for my $i (0 .. 2)
{
    my $first = $i * 1000;
    $nodes[$i]->safe_psql('app', <<"SQL");
INSERT INTO hashed SELECT g, 'h' || g FROM generate_series($first, $first + 99) g;
INSERT INTO two_keys SELECT g, 'k' || g FROM generate_series($first, $first + 49) g;
INSERT INTO "Quo te"."ra ""ndom" SELECT g, 'r' || g FROM generate_series($first, $first + 29) g;
INSERT INTO copied SELECT g, 'c' || g FROM generate_series(1, 20) g;
INSERT INTO event SELECT g, '2020-06-01'::date + g FROM generate_series(1, 400 + $i) g;
INSERT INTO few SELECT g FROM generate_series($first, $first + 4) g;
SQL
}
$nodes[0]->safe_psql('app', 'CREATE SEQUENCE s; SELECT setval($$s$$, 42); CREATE VIEW v AS SELECT count(*) FROM hashed');
my $from = conninfo($nodes[0], 'app');

# ---- a set ---------------------------------------------------------------------------------------

for my $cut ('strict', 'barrier', 'none')
{
    my $key = backup($repo, '-d', $from, @dump, "--cut=$cut");
    is(manifest($repo, $key)->{cut}[0]{method}, $cut eq 'none' ? 'none' : 'barrier', "--cut=$cut: by what");
}
my $key = backup($repo, '-d', $from, '-j2', '--incremental', @dump);
pgark_ok([ 'verify', $key, '--repo', $repo ], 'verify');
my $m = manifest($repo, $key);
is(join(' ', grep { $_->{stored} } @{ $m->{table} }), '', 'nothing is new, and no rows are stored');
cmp_ok($m->{totals}[0]{referenced}, '>', 0, 'they are referred to');
is($m->{set}[0]{topology}, 'greenplum', 'the topology is in the set');
is_deeply([ map { "$_->{content} $_->{dbid} $_->{port}" } @{ $m->{node} } ], [ map { ($_ - 1) . ' ' . ($_ + 1) . ' ' . $nodes[$_]->port } 0 .. 2 ],
    'coordinator and segments, by their numbers');
is_deeply([ map { defined $_->{schema}{path} ? 1 : 0 } @{ $m->{node} } ], [ 1, 0, 0 ], 'only the coordinator has definitions');
my %name = map { ("$_->{content} $_->{oid}" => "$_->{schema}.$_->{name}") } @{ $m->{table} };
my %how = map { ($name{"$_->{content} $_->{table_oid}"} => join ' ', $_->{method}, @{ $_->{columns} }, @{ $_->{opclasses} }, $_->{shards}) } @{ $m->{distribution} };
is_deeply(\%how, {
        'public.hashed'    => 'hash id pg_catalog.int4_ops 2',
        'public.two_keys'  => 'hash b a pg_catalog.text_ops pg_catalog.int4_ops 2',
        'Quo te.ra "ndom'  => 'random 2',
        'public.copied'    => 'replicated 2',
        (map { ("public.$_" => 'random 2') } qw(event event_1 event_2)),
        'public.few' => 'random 1',
    }, 'how every table is spread');
my %rows = map { ("$_->{schema}.$_->{name}" => $_->{rows}) } @{ pgark_json([ 'show', $key, '--repo', $repo, '--tables=0' ], 'show')->{tables} };
is("$rows{'public.hashed'} $rows{'public.two_keys'} $rows{'Quo te.ra \"ndom'} $rows{'public.copied'} $rows{'public.few'}", '200 100 60 20 5',
    'rows of the segments, one copy, those of the first segment only');
is($rows{'public.event_1'} + $rows{'public.event_2'}, 401 + 402, 'rows of partitions');
is_deeply([ map { "$_->{content} $_->{name} $_->{last_value}" } @{ $m->{sequence} } ], ['-1 s 42'], 'sequences of the coordinator');
my ($worst, $check) = pgark('check', '-d', $from, @dump);
is($worst, 2, 'check: there are warnings');
like($check, qr/^node -1 +ok +segments +2 primary segments/m, 'check: segments');
like($check, qr/^node -1 +warning +expansion +1 tables lie on fewer/m, 'check: an expansion');
like($check, qr/^node 1 +ok +server .*Cloudberry 1\.6\.0/m, 'check: what they are');
no_traces('a backup', undef, @nodes);

# ---- back ----------------------------------------------------------------------------------------

my @into = ('restore', $key, '--repo', $repo, '-d', conninfo($target[0], 'app'));
my $ask = sub { my ($i, $table) = @_; return $target[$i]->safe_psql('app', "SELECT count(*) || ' ' || coalesce(min(t.*::text), '') FROM $table t"); };
pgark_fails([ @into, '--direct' ], qr/--direct: table "public\.few" cannot be loaded so: it lies on another number of segments/, '--direct: what cannot be');
pgark_ok([ @into, '--no-analyze' ], 'restore');
is($ask->($_, '"Quo te"."ra ""ndom"'), $_ == 0 ? '0 ' : "30 (${_}000,r${_}000)", "node $_: random rows are where they were") for 0 .. 2;
is($ask->($_, 'copied'), $_ == 0 ? '0 ' : '20 (1,c1)', "node $_: a copy") for 0 .. 2;
is($target[$_]->safe_psql('app', 'SELECT count(*) FROM event'), (0, 401, 402)[$_], "node $_: partitions") for 0 .. 2;
is($target[$_]->safe_psql('app', 'SELECT (SELECT count(*) FROM hashed), (SELECT count(*) FROM two_keys), (SELECT count(*) FROM few)'), (('200|100|5', '0|0|0', '0|0|0'))[$_],
    "node $_: what lies on another number of segments goes through the coordinator") for 0 .. 2;
is($target[0]->safe_psql('app', q{SELECT nextval('s'), (SELECT count FROM v)}), '43|200', 'the rest');
no_traces('a restore', undef, @target);

# ---- gp_dump and gp_restore ------------------------------------------------------------------------

my $dumps = PostgreSQL::Test::Utils::tempdir('dumps');
gp_tool_ok('gp_dump', [ '--gp-d', $dumps, '--gp-k', '20260101000000', @dump, $from ], 'gp_dump');
like(slurp_bytes("$dumps/gp_dump_20260101000000.rpt"), qr/^\tMaster \(dbid 1\) .*: Succeeded\n(?:\tMaster .*\n)\tsegment 0 \(dbid 2\) .*gp_dump_0_2_20260101000000\.gz: Succeeded\n\tsegment 1 \(dbid 3\) /m, 'gp_dump: the report');
$target[0]->safe_psql('postgres', 'CREATE DATABASE scripts');
gp_tool_ok('gp_restore', [ '--gp-d', $dumps, '--gp-k', '20260101000000', '-d', conninfo($target[0], 'scripts') ], 'gp_restore');
is($target[0]->safe_psql('scripts', q{SELECT count(*), (SELECT count(*) FROM two_keys), (SELECT count(*) FROM "Quo te"."ra ""ndom"), (SELECT count(*) FROM copied),
    (SELECT count(*) FROM event), (SELECT count(*) FROM few), nextval('s'), (SELECT count FROM v) FROM hashed}), '200|100|60|20|803|5|43|200',
    'gp_restore: rows of all segments, one copy of each that has several');
gp_tool_ok('gp_restore', [ '--gp-d', $dumps, '--gp-k', '20260101000000', '-a', '--gp-l=i[3]', '-d', conninfo($target[0], 'scripts') ], 'gp_restore -a --gp-l=i[3]');
is($target[0]->safe_psql('scripts', 'SELECT count(*) FROM hashed'), 300, 'gp_restore: one segment once more');

# ---- what cannot be ------------------------------------------------------------------------------

my $sabotage = sub {
    my ($sql, $undo, $pattern, $name, @args) = @_;
    $nodes[0]->safe_psql('app', "SET allow_system_table_mods = on; $sql");
    pgark_fails([ 'backup', '-d', $from, '--repo', $repo, @dump, @args ], $pattern, $name);
    $nodes[0]->safe_psql('app', "SET allow_system_table_mods = on; $undo");
    return;
};
my $primary = "UPDATE gp_segment_configuration SET %s WHERE content = 1 AND role = 'p'";
$sabotage->(sprintf($primary, q{status = 'd'}), sprintf($primary, q{status = 'u'}), qr/segment 1 \(.*\) is marked as down/, 'a failed primary');
$sabotage->(sprintf($primary, 'content = 2'), 'UPDATE gp_segment_configuration SET content = 1 WHERE content = 2', qr/no primary, or several, of segment 1/, 'a segment without a primary');
$sabotage->('UPDATE gp_segment_configuration SET port = ' . $nodes[1]->port . ", address = '" . $nodes[1]->host . "' WHERE content = 1",
    'UPDATE gp_segment_configuration SET port = ' . $nodes[2]->port . ", address = '" . $nodes[2]->host . "' WHERE content = 1",
    qr/are the same server|this is segment 0/, 'two names of one segment');
$sabotage->('SELECT 1', 'SELECT 1', qr/could not connect/, '--host-map to nobody', '--host-map', $nodes[2]->host . '=/nowhere');
for my $version ('Cloudberry Database 1.5.9', 'Greenplum Database 7.1.0')
{
    my $set = "SET allow_system_table_mods = on; CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE AS \$\$ SELECT 'PostgreSQL 14.4 (%s build test) on here' \$\$";
    $nodes[2]->safe_psql('app', sprintf $set, $version);
    pgark_fails([ 'backup', '-d', $from, '--repo', $repo, @dump ], qr/there, Cloudberry 1\.6\.0 on the coordinator/, "mixed versions: $version");
    $nodes[2]->safe_psql('app', sprintf $set, 'Cloudberry Database 1.6.0');
}
pgark_fails([ 'backup', '-d', conninfo($nodes[1], 'app'), '--repo', $repo, @dump ], qr/that of a segment of a Greenplum cluster \(content id 0\)/, 'a segment');
pgark_fails([ 'backup', '-d', $from, '--repo', $repo, '--pg-dump', $own ], qr/PostgreSQL's own, which loses how tables are distributed/, 'another pg_dump');
my $old = catalogues(-1, 'Greenplum Database 6.20.0');
$nodes[0]->safe_psql('postgres', 'CREATE DATABASE old');
$nodes[0]->safe_psql('old', $old);
pgark_fails([ 'backup', '-d', conninfo($nodes[0], 'old'), '--repo', $repo, @dump ], qr/Greenplum 6\.20 is too old/, 'an old version');
done_testing();
