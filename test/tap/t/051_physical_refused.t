# Base backups that cannot be taken: each refusal names the node, says why, and leaves nothing; damaged pages;
# what verify finds in a damaged set.
use strict;
use warnings;
use PhysicalTest;
use IPC::Run;
use PgarkTest;
use Test::More;

my $repo = new_repo();
my $node = physical_server('one', conf => "max_replication_slots = 2\n");
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE reader LOGIN;
GRANT pg_read_all_settings, pg_read_all_stats TO reader;
CREATE ROLE replicator LOGIN REPLICATION;
CREATE TABLE t AS SELECT i, md5(i::text) AS text FROM generate_series(1, 20000) i;
SQL

# fails WHAT, PATTERN, HINT, ARGS - and nothing is left of it.
sub fails
{
    my ($what, $pattern, $hint, @args) = @_;
    my $err = pgark_fails([ 'backup', '--physical', '--repo', $repo, @args ], $pattern, $what);
    like($err, qr/^pgark: hint: .*$hint/m, "$what: the hint says what to do");
    like($err, qr/^pgark: error: node 0 /m, "$what: the node is named");
    no_set_added($what, $repo);
    return;
}

# ---- rights
fails('no right to replicate', qr/may not replicate/, 'REPLICATION', '-d',
    conninfo($node, 'postgres', 'user=reader'));
fails('no right to restore points', qr/could not make a restore point.*permission denied/,
    'pg_create_restore_point', '-d', conninfo($node, 'postgres', 'user=replicator'));
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO replicator');
my $key = backup($repo, '--physical', '-d', conninfo($node, 'postgres', 'user=replicator'), '--part-size=4MB');
pgark_ok([ 'verify', $key, '--repo', $repo ], 'a role that may replicate and make restore points is enough');
no_slots('rights', $node);
my $good = $repo;

# ---- slots and walsenders
$repo = new_repo();
$node->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('s' || i) FROM generate_series(1, 2) i");
fails('no slot is free', qr/temporary replication slot.*slots are in use/, 'max_replication_slots', '-d', conninfo($node));
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('s' || i) FROM generate_series(1, 2) i");
$node->append_conf('postgresql.conf', "max_wal_senders = 2\n");
$node->restart;
my $walsender = IPC::Run::start(
    [ 'psql', '-X', '-q', '-d', conninfo($node, 'postgres', 'replication=true') ],
    '<', \my $in, '>', \my $out, '2>', \my $err);
wait_for_query($node, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'walsender'",
    'somebody else has a walsender');
fails('one walsender is free', qr/max_wal_senders/, 'max_wal_senders', '-d', conninfo($node));
$in = "\\q\n";
$walsender->finish;
$node->append_conf('postgresql.conf', "max_wal_senders = 1\n");
$node->restart;
fails('max_wal_senders is one', qr/less than 2/, 'max_wal_senders', '-d', conninfo($node));
$node->append_conf('postgresql.conf', "wal_level = minimal\nmax_wal_senders = 0\n");
$node->restart;
fails('wal_level is minimal', qr/wal_level is minimal/, 'wal_level', '-d', conninfo($node));
$node->append_conf('postgresql.conf', "wal_level = replica\nmax_wal_senders = 10\n");
$node->restart;

# ---- no line in pg_hba.conf
my $hba = slurp_bytes($node->data_dir . '/pg_hba.conf');
(my $without = $hba) =~ s/^.*\breplication\b.*\n//mg;
spew_bytes($node->data_dir . '/pg_hba.conf', $without);
$node->reload;
fails('no line for replication', qr/pg_hba\.conf/, 'replication', '-d', conninfo($node));
spew_bytes($node->data_dir . '/pg_hba.conf', $hba);
$node->reload;

# ---- what has changed, of a server that does not know
fails('incremental', $node->pg_version < 17 ? qr/PostgreSQL 17 and newer/ : qr/summarize_wal is off/,
    $node->pg_version < 17 ? 'Leave --incremental out' : 'Set summarize_wal to on', '-d', conninfo($node), '--incremental');

# ---- a page that is not right
my $file = $node->safe_psql('postgres', q{SELECT pg_relation_filepath('t')});
$node->stop;
my $path  = $node->data_dir . "/$file";
my $bytes = slurp_bytes($path);
substr($bytes, 5 * 8192 + 4000, 4) = "\xde\xad\xbe\xef";
spew_bytes($path, $bytes);
$node->start;
fails('a bad page', qr/1 page with wrong checksums.*block 5 of file "\Q$file\E"/, 'bad-pages', '-d', conninfo($node));
my ($code, $stdout, $stderr) =
  pgark('backup', '--physical', '--bad-pages=warn', '--repo', $repo, '-d', conninfo($node));
is($code, 2, '--bad-pages=warn: exit code');
like($stderr, qr/warning: .*block 5 of file "\Q$file\E"/, '--bad-pages=warn names file and block');
my ($marked) = repo_sets($repo);
pgark_ok([ 'verify', $marked, '--repo', $repo ], 'what came is what the server has sent');
backup($repo, '--physical', '--bad-pages=ignore', '-d', conninfo($node));

# ---- a standby
$repo = new_repo();
$node->append_conf('standby.signal', '');
$node->append_conf('postgresql.conf', "restore_command = 'false'\n");
$node->restart;
fails('a standby', qr/is a standby/, 'primary', '-d', conninfo($node));
drop_server($node);

# ---- damaged sets
my ($part) = grep { $_->{stream} eq 'base' && $_->{part} == 1 } @{ manifest($good, $key)->{part} };
my ($wal)      = @{ manifest($good, $key)->{wal} };
my ($physical) = @{ manifest($good, $key)->{physical} };

# damaged WHAT, PATTERN, CHANGE - of a copy of the good set.
sub damaged
{
    my ($what, $pattern, $change) = @_;
    my $copy = new_repo();
    system('cp', '-r', $good, $copy) == 0 or die 'cp';
    $change->(set_dir($copy, $key));
    my $json = pgark_json([ 'verify', $key, '--repo', $copy ], "$what: verify fails", 1);
    like(join("\n", @{ $json->{problems} }), $pattern, "$what: the problem is named");
    return;
}

sub flip
{
    my ($name, $at) = @_;
    my $old = slurp_bytes($name);
    substr($old, $at, 1) ^= "\x01";
    spew_bytes($name, $old);
    return;
}
damaged('a flipped bit in a part', qr/object \Q$part->{object}\E/, sub { flip("$_[0]/$part->{object}", 1000) });
damaged('a part is missing', qr/object \Q$part->{object}\E is missing/, sub { unlink "$_[0]/$part->{object}" });
damaged('a part is short', qr/object \Q$part->{object}\E/, sub { truncate "$_[0]/$part->{object}", 100 });
damaged('a flipped bit in WAL', qr/object \Q$wal->{object}\E/, sub { flip("$_[0]/$wal->{object}", 100) });
damaged('WAL is missing', qr/object \Q$wal->{object}\E is missing/, sub { unlink "$_[0]/$wal->{object}" });
damaged('the server\'s manifest is altered', qr/backup_manifest/,
    sub { flip("$_[0]/$physical->{manifest}{path}", 200) });
damaged('the manifest is altered', qr/manifest\.jsonl/, sub { flip("$_[0]/manifest.jsonl", 700) });
damaged('a file too many', qr/physical\/node0\/more/, sub { spew_bytes("$_[0]/physical/node0/more", 'x') });

damaged('WAL that is needed is not in the manifest', qr/WAL \w{24}, which a restore needs, is not in the set/,
    sub {
        my ($dir) = @_;
        forge($dir, sub {
            map {
                my $line = $_;
                if ($line =~ /"type":"totals"/)
                {
                    $line =~ s/"logical":(\d+)/'"logical":' . ($1 - $wal->{logical})/e;
                    $line =~ s/"stored":(\d+)/'"stored":' . ($1 - $wal->{stored})/e;
                    $line =~ s/"objects":(\d+)/'"objects":' . ($1 - 1)/e;
                }
                $line =~ /"name":"$wal->{name}"/ ? () : ($line)
            } @_;
        });
        unlink "$dir/$wal->{object}";
    });
damaged('the restore point is not in WAL', qr/restore point/, sub {
    forge($_[0], sub { map { s/"restore_point":"pgark_/"restore_point":"pgork_/r } @_ });
});

done_testing();
