# One server: a backup, what list, show, verify, expire and check say of it, its restore, and that both
# sides are equal.
use strict;
use warnings;
use JSON::PP ();
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $target = make_server('target');
my $repo   = new_repo();

$source->safe_psql('postgres', 'CREATE DATABASE shop');
$source->safe_psql('shop', <<'SQL');
CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL, born date);
CREATE TABLE item (id int PRIMARY KEY, title text, price numeric(10, 2) CHECK (price >= 0));
CREATE TABLE sale (customer int REFERENCES customer, item int REFERENCES item, at timestamptz, n int);
CREATE INDEX ON sale (item, at);
CREATE UNIQUE INDEX ON customer (lower(name));
CREATE VIEW turnover AS SELECT item, sum(n * price) FROM sale JOIN item ON item.id = item GROUP BY item;
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON sale FOR EACH ROW EXECUTE FUNCTION touched();
COMMENT ON TABLE sale IS 'what was sold';
CREATE TABLE nothing (id int);
CREATE SEQUENCE lonely START 7 INCREMENT 3;
INSERT INTO customer (name, born) SELECT 'customer ' || i, date '1950-01-01' + i FROM generate_series(1, 5000) i;
INSERT INTO item SELECT i, md5(i::text), i / 7.0 FROM generate_series(1, 2000) i;
INSERT INTO sale SELECT 1 + i % 5000, 1 + i % 2000, now() - make_interval(mins => i), i % 9 FROM generate_series(1, 30000) i;
SELECT nextval('lonely'), nextval('lonely');
SQL
my $shop = conninfo($source, 'shop');

# ---- before anything is there
my ($code, $out, $err) = pgark('check', '-d', $shop);
is($code, 0, 'check: ready') or diag("$out$err");
like($out, qr/PostgreSQL \d\d/, 'check: tells the version');
($code, $out, $err) = pgark('check', '-d', $shop, '--repo', $repo);
is($code, 2, 'check: a repository that is not there yet is worth a warning') or diag("$out$err");
like($out, qr/\Q$repo\E/, 'check: which names it');
my $check = pgark_json([ 'check', '-d', $shop ], 'check as JSON');
is($check->{result}, 'ok', 'check: the result');
is((grep { $_->{check} eq 'lock table' } @{ $check->{checks} })[0]{result}, 'ok', 'check: each single one');
my ($plain) = $out =~ /free, (\d+) needed for -j/;
($code, $out, $err) = pgark('check', '-d', $shop, '--hold=1h');
is($code, 0, 'check: ready to hold') or diag("$out$err");
my ($hold) = $out =~ /free, (\d+) needed for -j \d+ and --hold$/m;
is($hold, $plain + 1, 'check: the keeper needs a connection, too');
ok(!-e $repo, 'check makes no repository');

($code, $out, $err) = pgark('backup', '-d', $shop, '--repo', $repo, '--dry-run');
is($code, 0, 'dry run') or diag($err);
like($out, qr/sale/, 'dry run: names the tables');
ok(!-e $repo, 'dry run: makes nothing');
no_traces('dry run', undef, $source);

pgark_fails([ 'list', '--repo', $repo ], qr/\Q$repo\E/, 'list of no repository');

# ---- backup
my $key = backup($repo, '-d', $shop, '-j2');
no_traces('backup', [ $repo, $key ], $source);
is((stat(set_dir($repo, $key)))[2] & 07777, 0700, 'the set is for its owner only');

$out = pgark_ok([ 'list', '--repo', $repo ], 'list');
like($out, qr/$key/, 'list: has the key');
my $list = pgark_json([ 'list', '--repo', $repo ], 'list as JSON');
is(ref $list->{repository}, 'HASH', 'list: describes the repository');
is($list->{sets}[0]{key}, $key, 'list: has the set');
is($list->{sets}[0]{topology}, 'single', 'list: has its topology');
ok($list->{sets}[0]{finished}, 'list: says when it was finished');

$out = pgark_ok([ 'show', 'latest', '--repo', $repo ], 'show latest');
like($out, qr/$key/,      'show: the key');
like($out, qr/\bsale\b/,  'show: the tables');
like($out, qr/none|double|cut/i, 'show: the cut');
my $show = pgark_json([ 'show', $key, '--repo', $repo ], 'show as JSON');
ok($show, 'show: something came out');

my $manifest = manifest($repo, $key);
my %rows = map { $_->{name} => $_->{rows} } @{ $manifest->{table} };
is_deeply(
    \%rows,
    { customer => 5000, item => 2000, sale => 30000, nothing => 0 },
    'the manifest counts the rows of every table');
my %value = map { $_->{name} => "$_->{last_value} " . ($_->{is_called} ? 1 : 0) }
  @{ $manifest->{sequence} };
is_deeply(\%value, { customer_id_seq => '5000 1', lonely => '10 1' }, 'and has sequence values');

$out = pgark_ok([ 'verify', $key, '--repo', $repo ], 'verify');
pgark_ok([ 'verify', 'latest', '--repo', $repo, '--quick' ], 'verify --quick');
my $verify = pgark_json([ 'verify', $key, '--repo', $repo, '-j2' ], 'verify as JSON');
ok($verify, 'verify: something came out');

# ---- the schema archive is readable by stock tools
my ($schema) = grep { /schema\.dump\z/ } set_files($repo, $key);
ok(defined $schema, 'there is a schema archive');
my $listed = `pg_restore --list '@{[ set_dir($repo, $key) ]}/$schema'`;
is($?, 0, 'pg_restore can list it');
like($listed, qr/TABLE public sale/, 'it has the tables');

# ---- restore
pgark_ok([ 'restore', 'latest', '--repo', $repo, '-d', conninfo($target), '--create', '-j2' ],
    'restore, the database created by way of "postgres"');
same_database($source, 'shop', $target, 'shop', 'round trip');
is($target->safe_psql('shop', 'SELECT nextval($$lonely$$)'), 13, 'sequences go on');
no_traces('restore', [ $repo, $key ], $source, $target);

pgark_ok([ 'restore', $key, '--repo', "file://$repo", '-d', conninfo($target, 'other'), '--create' ],
    'restore under another name, by URI');
same_database($source, 'shop', $target, 'other', 'round trip under another name');

# ---- several sets, the environment, expire
{
    local $ENV{PGARK_REPO} = $repo;
    pgark_ok([ 'backup', '-d', $shop, '--no-sync', '-q' ], 'the repository from the environment');
}
my @keys = repo_sets($repo);
is(scalar @keys, 2, 'there are two sets');
cmp_ok($keys[1], '>', $keys[0], 'the second is newer');

my @quiet = pgark('backup', '-d', $shop, '--no-sync', '--repo', $repo, '-q');
is($quiet[2], '', 'quiet: nothing on stderr');
my ($rc, $text, $progress) =
  pgark('backup', '-d', $shop, '--no-sync', '--repo', $repo, '--progress=json');
is($rc, 0, 'progress as JSON');
my @bad = grep { !eval { JSON::PP->new->utf8->decode($_); 1 } } grep { length } split /\n/, $progress;
is_deeply(\@bad, [], 'every line of it is JSON');
@keys = repo_sets($repo);
is(scalar @keys, 4, 'there are four sets: taken in the same second or not');

($code, $out, $err) = pgark('expire', '--repo', $repo, '--keep', 2, '--dry-run');
is($code, 0, 'expire --dry-run');
is(scalar(repo_sets($repo)), 4, 'expire --dry-run removes nothing');
pgark_ok([ 'expire', '--repo', $repo, '--keep', 2 ], 'expire --keep');
is_deeply([ repo_sets($repo) ], [ @keys[ 2, 3 ] ], 'expire keeps the newest');
pgark_ok([ 'expire', '--repo', $repo, '--older-than', 1 ], 'expire --older-than');
is(scalar(repo_sets($repo)), 2, 'nothing is older than a day');
my $expired = pgark_json([ 'expire', '--repo', $repo, '--keep', 1 ], 'expire as JSON');
is_deeply([ repo_sets($repo) ], [ $keys[3] ], 'one is left');
pgark_ok([ 'verify', 'latest', '--repo', $repo ], 'which is whole');

# ---- an own key
my $own = '20200102030405';
is(backup($repo, '-d', $shop, '--key', $own), $own, 'an own key');
$list = pgark_json([ 'list', '--repo', $repo ], 'list of two');
is_deeply([ sort map { $_->{key} } @{ $list->{sets} } ], [ $own, $keys[3] ], 'both are listed');
like(pgark_ok([ 'show', 'latest', '--repo', $repo ], 'show latest again'),
    qr/$keys[3]/, 'latest is the newest by key');
pgark_ok([ 'expire', '--repo', $repo, '--older-than', 30 ], 'expire --older-than');
is_deeply([ repo_sets($repo) ], [ $keys[3] ], 'removes what is older');

# ---- help and version
like(pgark_ok(['--version'], 'version'), qr/^pgark.* \d+\.\d+/, 'prints one');
for my $command (qw(backup restore list show verify expire check))
{
    like(pgark_ok([ $command, '--help' ], "$command --help"), qr/--repo/, "$command: help");
}

done_testing();
