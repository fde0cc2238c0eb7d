# Large objects: contents of all sizes, owners, rights, comments; as superuser and as an ordinary role;
# many of them; failures that must leave nothing half done.
use strict;
use warnings;
use PgarkTest;
use Test::More;

my $source = make_server('source', conf => "max_locks_per_transaction = 64\n");
my $target = make_server('target', conf => "max_locks_per_transaction = 64\nmax_connections = 20\nmax_prepared_transactions = 0\n");
for my $node ($source, $target)
{
    $node->safe_psql('postgres', <<'SQL');
CREATE ROLE plain LOGIN CREATEDB;
CREATE ROLE "odd ""role"", {x}" NOLOGIN;
CREATE ROLE other NOLOGIN;
GRANT "odd ""role"", {x}" TO plain;
GRANT CREATE ON DATABASE postgres TO plain;
SQL
}

# What pg_dump does not show by itself: sizes, contents, rights and owners, in the order of oids.
my $objects = <<'SQL';
SELECT m.oid, pg_get_userbyid(m.lomowner), m.lomacl, md5(lo_get(m.oid)), length(lo_get(m.oid)),
    obj_description(m.oid, 'pg_largeobject')
FROM pg_largeobject_metadata m ORDER BY m.oid
SQL

# ---- every kind -----------------------------------------------------------------------------------

$source->safe_psql('postgres', 'CREATE DATABASE kinds');
$source->safe_psql('kinds', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, photo oid);
SELECT lo_from_bytea(50000 + n, decode(repeat('5c', n), 'hex')) FROM unnest(ARRAY[0, 1, 2047, 2048, 2049, 4096]) n;
SELECT lo_from_bytea(60001, (SELECT string_agg(decode(md5(i::text), 'hex'), '') FROM generate_series(1, 65536) i));
SELECT lo_from_bytea(60002, (SELECT string_agg(decode(md5(i::text), 'hex'), '') FROM generate_series(1, 1310720) i));
-- Holes: before, between, and of several GB, but for pg_dump's sake in an object of its own.
SELECT lo_create(60003), lo_put(60003, 3000, 'x'), lo_put(60003, 1000000, 'y'), lo_put(60003, 1000001, 'z');
SELECT lo_create(60004), lo_truncate64(lo_open(60004, 131072), 100000);
SELECT lo_create(4294967295), lo_put(4294967295, 0, 'the last oid');
INSERT INTO t SELECT row_number() OVER (), oid FROM pg_largeobject_metadata;
COMMENT ON LARGE OBJECT 60001 IS E'a\tcomment\\ with ''quotes'',\n lines and \\N';
COMMENT ON LARGE OBJECT 50001 IS '\N';
ALTER LARGE OBJECT 50001 OWNER TO plain;
ALTER LARGE OBJECT 60002 OWNER TO "odd ""role"", {x}";
GRANT SELECT ON LARGE OBJECT 50001 TO PUBLIC;
GRANT SELECT ON LARGE OBJECT 60002 TO plain WITH GRANT OPTION;
GRANT UPDATE ON LARGE OBJECT 60002 TO other;
SET ROLE plain; GRANT SELECT ON LARGE OBJECT 60002 TO other; RESET ROLE;
REVOKE ALL ON LARGE OBJECT 60003 FROM postgres;
REVOKE UPDATE ON LARGE OBJECT 60004 FROM postgres;
GRANT ALL ON LARGE OBJECT 50000 TO "odd ""role"", {x}" WITH GRANT OPTION;
SQL
$source->safe_psql('kinds', q{COMMENT ON LARGE OBJECT 50000 IS 'plain''s'});
for my $format (qw(auto text))
{
    my $repo = new_repo();
    round_trip($source, 'kinds', $target, "kinds, $format",
        backup => [ "--format=$format", '--chunk-size', '1MB', '-j2' ], restore => ['-j2'], repo => $repo, keep => 1,
        check => sub {
            my ($copy, undef, $key) = @_;
            is($target->safe_psql($copy, $objects), $source->safe_psql('kinds', $objects),
                "kinds, $format: owners, rights, contents and comments");
            my $show = pgark_ok([ 'show', $key, '--repo', $repo ], 'show');
            like($show, qr/content +1 tables, .*, 11 large objects \(\d+\.\d MB\)/, 'show tells of them');
            my $json = pgark_json([ 'show', $key, '--repo', $repo ], 'show, as JSON');
            is($json->{totals}{large_objects}, 11, 'as JSON, too');
            cmp_ok($json->{totals}{large_object_bytes}, '>', 20e6, 'with their size');
            my ($data) = grep { $_->{name} eq 'pg_largeobject' } @{ manifest($repo, $key)->{table} };
            cmp_ok($data->{chunks}, '>', 1, 'they are in several chunks') if $source->pg_version >= 14;
            $target->safe_psql('postgres', "DROP DATABASE $copy");
        });
}

# An offset beyond 4 GB; nobody but pgark need read the hole.
$source->safe_psql('postgres', 'CREATE DATABASE sparse');
$source->safe_psql('sparse', q{SELECT lo_create(70000), lo_put(70000, 5000000000, 'far'), lo_put(70000, 7, 'near')});
my $repo = new_repo();
my $key = backup($repo, '-d', conninfo($source, 'sparse'));
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, 'sparse'), '--create' ], 'sparse: restore');
is($target->safe_psql('sparse', q{SELECT lo_get(70000, 5000000000, 10), lo_get(70000, 0, 11), count(*) FROM pg_largeobject}),
    '\x666172|\x000000000000006e656172|2', 'sparse: holes stay holes');

# ---- selection ------------------------------------------------------------------------------------

sub objects_of
{
    my ($name, $backup, $restore) = @_;
    my $there = new_repo();
    my $set = backup($there, '-d', conninfo($source, 'kinds'), @$backup);
    pgark_ok([ 'restore', $set, '--repo', $there, '-d', conninfo($target, 'chosen'), '--create', @$restore ], "$name: restore");
    my $count = $target->safe_psql('chosen', 'SELECT count(*) FROM pg_largeobject_metadata');
    $target->safe_psql('postgres', 'DROP DATABASE chosen');
    return $count;
}
is(objects_of('all', [], []), 11, 'they come with everything');
SKIP:
{
    my ($code, $help) = pgark('backup', '--help');
    skip 'no options to select large objects', 1 unless $help =~ /--no-large-objects/;
    is(objects_of('-B', ['-B'], []), 0, '-B leaves them out');
    is(objects_of('-t', [ '-t', 't' ], []), 0, '-t alone leaves them out');
    is(objects_of('-t -b', [ '-t', 't', '-b' ], []), 11, '-b brings them back');
    ($code, $help) = pgark('restore', '--help');
    skip 'nor on restore', 1 unless $help =~ /--no-large-objects/;
    is(objects_of('restore -B', [], ['-B']), 0, 'restore -B leaves them out');
    is(objects_of('restore -t -b', [], [ '-t', 't', '-b' ]), 11, 'restore -t -b brings them');
}

# ---- an ordinary role -----------------------------------------------------------------------------

$source->safe_psql('postgres', 'CREATE DATABASE owned OWNER plain');
$source->safe_psql('owned', <<'SQL');
SET ROLE plain;
SELECT lo_from_bytea(50000 + n, decode(repeat('5c', n), 'hex')) FROM unnest(ARRAY[0, 1, 2047, 2048, 2049, 262144, 262145, 600000]) n;
SELECT lo_create(60003), lo_put(60003, 300000, 'x'), lo_put(60003, 1000000, 'y');
COMMENT ON LARGE OBJECT 50001 IS 'mine';
GRANT SELECT ON LARGE OBJECT 50001 TO other;
RESET ROLE;
SELECT lo_from_bytea(60005, 'of a role that plain may become');
ALTER LARGE OBJECT 60005 OWNER TO "odd ""role"", {x}";
SQL
my $as_plain = conninfo($source, 'owned', ' user=plain');
$repo = new_repo();
$key = backup($repo, '-d', $as_plain, '--chunk-size', '8kB');
$target->safe_psql('postgres', 'CREATE DATABASE owned OWNER plain');
$target->safe_psql('owned', 'ALTER SCHEMA public OWNER TO plain');
pgark_ok([ 'verify', $key, '--repo', $repo ], 'ordinary role: verify');
pgark_ok([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, 'owned', ' user=plain') ], 'ordinary role: restore');
is($target->safe_psql('owned', $objects), $source->safe_psql('owned', $objects), 'ordinary role: all is equal');

my ($repo_owned, $key_owned, $want_owned) = ($repo, $key, $source->safe_psql('owned', $objects));
$source->safe_psql('owned', q{SELECT lo_from_bytea(60006, 'not for plain')});
pgark_fails([ 'backup', '--repo', $repo, '-d', $as_plain ], qr/role "plain" may not read large object 60006/,
    'one that the role may not read');
like($PgarkTest::last_err, qr/--no-large-objects/, 'and what to do about it');
no_traces('one that the role may not read', [ $repo, $key ], $source);
$source->safe_psql('owned', 'GRANT SELECT ON LARGE OBJECT 60006 TO PUBLIC');
backup($repo, '-d', $as_plain);

# ---- redirected -----------------------------------------------------------------------------------

# What restore's options do to them; kinds of rights as above.
my $kinds_repo = new_repo();
my $kinds = backup($kinds_repo, '-d', conninfo($source, 'kinds'));
my @into = ('restore', $kinds, '--repo', $kinds_repo, '-d');
my $owners = 'SELECT string_agg(DISTINCT pg_get_userbyid(lomowner), \',\') FROM pg_largeobject_metadata';
my $with_acl = 'SELECT count(lomacl), count(obj_description(oid, \'pg_largeobject\')) FROM pg_largeobject_metadata';
my $contents = 'SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid';
my $want_contents = $source->safe_psql('kinds', $contents);

$target->safe_psql('postgres', 'ALTER ROLE "odd ""role"", {x}" RENAME TO away');
pgark_fails([ @into, conninfo($target, 'redirected'), '--create' ], qr/no role "odd "role", \{x\}"/, 'an owner is missing');
pgark_ok([ @into, conninfo($target, 'redirected'), '--create', '-O', '-x', '--no-comments' ], '-O -x --no-comments');
$target->safe_psql('postgres', 'ALTER ROLE away RENAME TO "odd ""role"", {x}"');
is($target->safe_psql('redirected', $owners), $target->safe_psql('redirected', 'SELECT current_user'), '-O: all are the restorer\'s');
is($target->safe_psql('redirected', $with_acl), '0|0', '-x and --no-comments: nothing else');
is($target->safe_psql('redirected', $contents), $want_contents, 'but the contents');

pgark_fails([ @into, conninfo($target, 'redirected'), '--append', '-a' ], qr/large object \d+ exists/, '--append: one is there');
$target->safe_psql('redirected', q{SELECT lo_put(60001, 5, 'changed'), lo_unlink(50001); SELECT lo_from_bytea(77777, 'not of the set')});
pgark_ok([ @into, conninfo($target, 'redirected'), '--clean', '--if-exists', '-j2' ], '--clean');
is($target->safe_psql('redirected', 'SELECT lo_unlink(77777)'), 1, '--clean: what is not of the set stays');
is($target->safe_psql('redirected', $objects), $source->safe_psql('kinds', $objects), '--clean: all others are as at the source');
$target->safe_psql('redirected', q{SELECT lo_put(60001, 5, 'changed')});
pgark_ok([ @into, conninfo($target, 'redirected'), '--truncate', '-a' ], '--truncate');
is($target->safe_psql('redirected', $objects), $source->safe_psql('kinds', $objects), '--truncate: all are as at the source');
$target->safe_psql('redirected', 'SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata; TRUNCATE t');
pgark_ok([ @into, conninfo($target, 'redirected'), '--append', '-a', '-O' ], '-O');
is($target->safe_psql('redirected', $with_acl), '3|3', '-O: rights of others are kept');
$target->safe_psql('postgres', 'DROP DATABASE redirected');

# A role that may become the owner, but has none of its rights by itself.
$target->safe_psql('postgres', <<'SQL');
CREATE ROLE mover LOGIN NOINHERIT;
GRANT plain, "odd ""role"", {x}" TO mover;
CREATE DATABASE moved OWNER mover;
SQL
$target->safe_psql('moved', 'ALTER SCHEMA public OWNER TO mover');
pgark_ok([ 'restore', $key_owned, '--repo', $repo_owned, '-d', conninfo($target, 'moved', ' user=mover') ], 'a role that must become the owner');
is($target->safe_psql('moved', $objects), $want_owned, 'restores them, too');

# ---- going on after one that fails ----------------------------------------------------------------

# The session may become plain, but nobody else: one object cannot be made, of another a right not given.
$_->safe_psql('postgres', 'CREATE ROLE passer') for $source, $target;
$source->safe_psql('postgres', 'CREATE DATABASE failing');
$source->safe_psql('failing', <<'SQL');
SELECT lo_from_bytea(80000 + i, convert_to(repeat('good' || i, 900), 'UTF8')) FROM generate_series(1, 9) i;
DO $$ BEGIN FOR i IN 80001..80009 LOOP EXECUTE format('ALTER LARGE OBJECT %s OWNER TO plain', i); END LOOP; END $$;
ALTER LARGE OBJECT 80004 OWNER TO other;
COMMENT ON LARGE OBJECT 80004 IS 'cannot be made';
GRANT SELECT ON LARGE OBJECT 80006 TO passer WITH GRANT OPTION;
SET ROLE passer; GRANT SELECT ON LARGE OBJECT 80006 TO other; RESET ROLE;
COMMENT ON LARGE OBJECT 80006 IS 'has a comment all the same';
GRANT SELECT ON LARGE OBJECT 80007 TO other;
SQL
my $failing_repo = new_repo();
my $failing = backup($failing_repo, '-d', conninfo($source, 'failing'));
$target->safe_psql('postgres', <<'SQL');
CREATE ROLE few LOGIN; GRANT plain TO few; CREATE DATABASE failing OWNER few;
SQL
$target->safe_psql('failing', 'ALTER SCHEMA public OWNER TO few');
my @failing = ('restore', $failing, '--repo', $failing_repo, '-d', conninfo($target, 'failing', ' user=few'), '-j2');
pgark_fails(\@failing, qr/could not create large objects/, 'one that cannot be made');
$target->safe_psql('failing', 'SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata; DROP SCHEMA IF EXISTS pgark_restore CASCADE');
my $report = pgark_json([ @failing, '--on-error=continue' ], 'passed over', 2);
is_deeply([ map { $_->{object} } @{ $report->{nodes}[0]{failures} } ], [ 'LARGE OBJECT 80004', 'rights of LARGE OBJECT 80006' ],
    'passed over: they are listed, once each');
is($report->{nodes}[0]{failures}[0]{sqlstate}, '42501', 'passed over: with the cause');
my $but = q{SELECT m.oid, pg_get_userbyid(m.lomowner), md5(lo_get(m.oid)), obj_description(m.oid, 'pg_largeobject'),
    CASE WHEN m.oid <> 80006 THEN lomacl END FROM pg_largeobject_metadata m WHERE m.oid <> 80004 ORDER BY m.oid};
is($target->safe_psql('failing', $but), $source->safe_psql('failing', $but), 'passed over: all the rest is there');
is($target->safe_psql('failing', 'SELECT count(*) FROM pg_largeobject_metadata WHERE oid = 80004'), 0, 'passed over: and not the one');

# ---- many -----------------------------------------------------------------------------------------

$source->safe_psql('postgres', 'CREATE DATABASE many');
$source->safe_psql('many', <<'SQL');
SELECT count(lo_from_bytea(100000 + i, convert_to(rpad(md5(i::text), 100, 'x'), 'UTF8'))) FROM generate_series(1, 20000) i;
SQL
# One transaction for each batch: the server's lock table is small.
$source->safe_psql('many', "DO \$\$ BEGIN FOR i IN 1..5000 LOOP EXECUTE format(q, 100000 + i); IF i % 1000 = 0 THEN COMMIT; END IF; END LOOP; END \$\$" =~ s/format\(q/format('COMMENT ON LARGE OBJECT %1\$s IS ''number %1\$s'''/r);
$source->safe_psql('many', "DO \$\$ BEGIN FOR i IN 1..20000 LOOP EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %I', 100000 + i, CASE WHEN i % 2 = 0 THEN 'other' ELSE 'plain' END); IF i % 1000 = 0 THEN COMMIT; END IF; END LOOP; END \$\$");
$repo = new_repo();
my $memory = "$ENV{TESTDIR}/memory_$$";

# Peak memory of pgark itself, by the tool that make bench uses.
sub peak_mb
{
    my (@args) = @_;
    local %ENV = pgark_env();
    my $code = system("$ENV{PGARK_TOOLS}/runstat", $memory, $ENV{PGARK}, @args, '--quiet');
    is($code, 0, "pgark $args[0] with its memory looked at");
    my ($kb) = slurp_bytes($memory) =~ /"maxrss_kb": *(\d+)/;
    return ($kb // 0) / 1024;
}
# Sanitizers keep what is freed; then the numbers mean nothing.
my $sanitized = `nm -D $ENV{PGARK} 2>/dev/null` =~ /__asan_|__tsan_/;
my $limit = $sanitized ? 100000 : 100;
cmp_ok(peak_mb('backup', '--repo', $repo, '--no-sync', '-d', conninfo($source, 'many'), '--chunk-size', '256kB', '-j2'),
    '<', $limit, 'many: a backup needs little memory');
cmp_ok(peak_mb('restore', 'latest', '--repo', $repo, '-d', conninfo($target, 'many'), '--create', '-j2'),
    '<', $limit, 'many: nor does a restore, nor many locks');
is($target->safe_psql('many', $objects), $source->safe_psql('many', $objects), 'many: all are there and equal');

# ---- what is in the way ---------------------------------------------------------------------------

$key = pgark_json([ 'list', '--repo', $repo ], 'list')->{sets}[0]{key};
$target->safe_psql('postgres', 'CREATE DATABASE taken');
$target->safe_psql('taken', q{SELECT lo_from_bytea(100777, 'was here before')});
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, 'taken') ], qr/holds large object "100777"/,
    'a target that has one');
is($target->safe_psql('taken', 'SELECT lo_get(100777)'), '\x' . unpack('H*', 'was here before'), 'is left alone');
$target->safe_psql('postgres', 'ALTER ROLE other RENAME TO gone');
pgark_fails([ 'restore', $key, '--repo', $repo, '-d', conninfo($target, 'nobody'), '--create' ],
    qr/no role "other"/, 'a role that rights name is missing');
is($target->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'nobody'}), 0, 'found before anything is made');
$target->safe_psql('postgres', 'ALTER ROLE gone RENAME TO other');

# ---- damage ---------------------------------------------------------------------------------------

my $plain_repo = new_repo();
my $raw = backup($plain_repo, '-d', conninfo($source, 'many'), '--format=text', '-Z', 'none', '--chunk-size', '256kB');
my $dir = set_dir($plain_repo, $raw);
for my $oid (2613, 2995)
{
    my ($chunk) = grep { $_->{table_oid} == $oid && $_->{rows} > 0 } chunks($plain_repo, $raw, 0);
    my $bytes = slurp_bytes("$dir/$chunk->{object}");
    my $at = $chunk->{offset} + $chunk->{stored} - 2;
    my $broken = $bytes;
    substr($broken, $at, 1) = substr($broken, $at, 1) ^ "\x01";
    spew_bytes("$dir/$chunk->{object}", $broken);
    my ($code, $out, $err) = pgark('verify', $raw, '--repo', $plain_repo);
    is($code, 1, "a damaged byte of $oid: verify finds it");
    pgark_fails([ 'restore', $raw, '--repo', $plain_repo, '-d', conninfo($target, "damaged$oid"), '--create', '-j2' ],
        qr/SHA-256|damaged|text Format|field/i, "a damaged byte of $oid: restore refuses");
    my $there = $target->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'damaged$oid'");
    is($there, $oid == 2995 ? 0 : 1, "a damaged byte of $oid: " . ($there ? 'contents are read late' : 'the list is read first'));
    # What the damaged chunk holds must not be there, not even in part.
    is($target->safe_psql('damaged2613', q{SELECT count(*) FROM pg_largeobject WHERE NOT convert_from(data, 'UTF8') ~ '^[0-9a-f]{32}x{68}$'}),
        0, 'no contents are wrong') if $oid == 2613;
    if ($oid == 2613)
    {
        my $damaged = pgark_json([ 'restore', $raw, '--repo', $plain_repo, '-d', conninfo($target, 'rest'), '--create', '-j2',
                '--on-error=continue' ], 'damaged contents are passed over', 2);
        like($damaged->{nodes}[0]{failures}[0]{object}, qr/\Acontents of large objects, part \d+\z/, 'and listed');
        # A server before 14 has them all in one part.
        my $parts = grep { $_->{table_oid} == $oid && $_->{rows} > 0 } chunks($plain_repo, $raw, 0);
        is($target->safe_psql('rest', q{SELECT (SELECT count(*) FROM pg_largeobject_metadata), count(*) > 1000 AND count(*) < 20000,
            bool_and(convert_from(data, 'UTF8') ~ '^[0-9a-f]{32}x{68}$') FROM pg_largeobject}), $parts > 1 ? '20000|t|t' : '20000|f|', 'and the rest is there');
    }
    spew_bytes("$dir/$chunk->{object}", $bytes);
}
pgark_ok([ 'verify', $raw, '--repo', $plain_repo ], 'and put right again');

# ---- interrupted ----------------------------------------------------------------------------------

# Somebody's lock holds the contents up, so the run is surely in the middle of them.
$target->safe_psql('postgres', 'CREATE DATABASE cut_short');
my $blocker = session($target, 'cut_short');
$blocker->query_safe('BEGIN; LOCK TABLE pg_catalog.pg_largeobject IN SHARE MODE;');
my $run = pgark_start('restore', $key, '--repo', $repo, '-d', conninfo($target, 'cut_short'), '-j2');
wait_for_query($target, 'postgres', q{SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 2613 AND NOT granted)},
    'the restore waits');
kill 'INT', $run->{pid};
my ($code) = pgark_finish($run);
is($code, 130, 'cancelled in the middle');
$blocker->query_safe('ROLLBACK');
$blocker->quit;
no_traces('cancelled in the middle', undef, $target);
is($target->safe_psql('cut_short', 'SELECT count(*) FROM pg_largeobject'), 0, 'no contents without a whole chunk');

# A backup that is killed leaves no set to be seen. Its holder locks pg_largeobject, before it comes to
# other tables: that keeps VACUUM FULL, which moves every row, out until the backup is over.
$source->safe_psql('many', 'CREATE TABLE slow (x text)');
my $hold = session($source, 'many');
$hold->query_safe('BEGIN; LOCK TABLE slow IN ACCESS EXCLUSIVE MODE;');
my $waiting = pgark_start('backup', '--repo', $repo, '--no-sync', '-d', conninfo($source, 'many'), '-j1', '--cut=none');
wait_for_query($source, 'postgres', q{SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE NOT l.granted AND a.application_name = 'pgark holder')}, 'the backup waits for a lock');
is($source->safe_psql('many', q{SELECT mode FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.relation = 2613 AND l.granted AND a.application_name = 'pgark holder'}), 'AccessShareLock',
    'and has locked large objects');
kill 'KILL', $waiting->{pid};
pgark_finish($waiting);
$hold->query_safe('ROLLBACK');
$hold->quit;
no_traces('killed', undef, $source);
is(join(' ', map { $_->{key} } @{ pgark_json([ 'list', '--repo', $repo ], 'list')->{sets} }), $key, 'no set was added');

# ---- consistency ----------------------------------------------------------------------------------

# Objects come and go all the time, always two of them with the same contents in one transaction.
$source->safe_psql('postgres', 'CREATE DATABASE busy');
$source->safe_psql('busy', q{SELECT count(lo_from_bytea(200000 + i, '0')) FROM generate_series(0, 199) i});
my $writer = session($source, 'busy');
$writer->{stdin} .= <<'SQL';
DO $$ BEGIN
    FOR i IN 1..1000000 LOOP
        PERFORM lo_unlink((200000 + i % 100)::oid), lo_unlink((200100 + i % 100)::oid);
        PERFORM lo_from_bytea((200000 + i % 100)::oid, repeat(i::text, 1000)::bytea),
            lo_from_bytea((200100 + i % 100)::oid, repeat(i::text, 1000)::bytea);
        COMMIT;
        EXIT WHEN EXISTS (SELECT FROM pg_class WHERE relname = 'stopped');
    END LOOP;
END $$;
\echo stopped
SQL
$writer->{run}->pump_nb;
wait_for_query($source, 'busy', q{SELECT count(*) > 250 FROM pg_largeobject}, 'objects come and go');
my $busy_repo = new_repo();
my @busy = map { backup($busy_repo, '-d', conninfo($source, 'busy'), '--chunk-size', '8kB', '-j2') } 1 .. 3;
$source->safe_psql('busy', 'CREATE TABLE stopped ()');
$writer->{run}->pump until $writer->{stdout} =~ /stopped/;
$writer->{stdout} = '';
$writer->quit;
for my $set (@busy)
{
    pgark_ok([ 'restore', $set, '--repo', $busy_repo, '-d', conninfo($target, 'busy'), '--create' ], 'busy: restore');
    is($target->safe_psql('busy', <<'SQL'), '100|100', 'busy: every pair is whole and equal');
SELECT count(*), count(*) FILTER (WHERE lo_get(a.oid) = lo_get((a.oid::int8 + 100)::oid))
FROM pg_largeobject_metadata a WHERE a.oid < 200100
SQL
    $target->safe_psql('postgres', 'DROP DATABASE busy');
}
no_traces('end', undef, $source, $target);

done_testing();
