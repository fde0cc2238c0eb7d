# Whatever happens to a set's files, verify finds it, and restore loads nothing that is wrong.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(rmtree);
use JSON::PP ();
use PgarkTest;
use Test::More;

my $source = make_server('source');
my $target = make_server('target');
my $repo   = new_repo();
$source->safe_psql('postgres', 'CREATE DATABASE shop');
$source->safe_psql('shop', <<'SQL');
CREATE TABLE big (id int, t text);
INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
CREATE TABLE twin (id int, t text);
INSERT INTO twin SELECT i, md5((i + 1)::text) FROM generate_series(1, 20000) i;
CREATE TABLE small (id int PRIMARY KEY, t text);
INSERT INTO small SELECT i, 'row ' || i FROM generate_series(1, 50) i;
CREATE TABLE small2 (LIKE small INCLUDING ALL);
INSERT INTO small2 SELECT id, reverse(t) FROM small;
CREATE TABLE nothing (id int);
CREATE SEQUENCE s;
SQL

# Large enough chunks that some are objects of their own, beside a bundle of the small ones.
my $key  = backup($repo, '-d', conninfo($source, 'shop'), '--chunk-size', '512kB', '-Z', 'zstd:1');
my $none = backup($repo, '-d', conninfo($source, 'shop'), '--chunk-size', '512kB', '-Z', 'none', '--format=text');
my %dir  = map { $_ => set_dir($repo, $_) } $key, $none;
pgark_ok([ 'verify', $_, '--repo', $repo ], 'verify of the whole set') for $key, $none;

my $attempt = 0;

# restore_is_honest NAME, SET - a restore of the damaged set fails, and whatever it left has no row that
# the source does not have, and no table that is short: only whole or empty ones.
sub restore_is_honest
{
    my ($name, $set) = @_;
    my $copy = 'damaged' . ++$attempt;
    my ($code, $out, $err) = pgark('restore', $set, '--repo', $repo, '-d', conninfo($target, $copy), '--create', '-j2');
    is($code, 1, "$name: restore refuses") or diag("$out$err");
    like($err, qr/^pgark: error: /m, "$name: and says why");
    if ($target->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = '$copy'"))
    {
        my ($got, $want) = (digests($target, $copy), digests($source, 'shop'));
        # The restore's own notes, for --resume, are no rows of the source's.
        delete @$got{ grep { /^pgark_restore\./ } keys %$got };
        # (what pgark_restore has is pgark's own record of what is done)
        my @wrong = grep { !/^pgark_restore\./ && $got->{$_} ne '0 0' && $got->{$_} ne $want->{$_} } sort keys %$got;
        is_deeply(\@wrong, [], "$name: nothing wrong was loaded");
        $target->safe_psql('postgres', "DROP DATABASE $copy");
    }
    else
    {
        pass("$name: nothing wrong was loaded");
    }
    return;
}

# damaged NAME, SET, SUB, [quick => 1 when --quick must find it too], [restore => 0] - do it, look at it,
# undo it.
sub damaged
{
    my ($name, $set, $damage, %opt) = @_;
    my $saved = "$ENV{TESTDIR}/saved_$$";
    rmtree($saved);
    system('cp', '-a', $dir{$set}, $saved) == 0 or die;
    $damage->($dir{$set});
    my ($code, $out, $err) = pgark('verify', $set, '--repo', $repo);
    is($code, 1, "$name: verify finds it") or diag("$out$err");
    like("$out$err", $opt{says}, "$name: and names it") if defined $opt{says};
    if ($opt{quick})
    {
        ($code) = pgark('verify', $set, '--repo', $repo, '--quick');
        is($code, 1, "$name: verify --quick finds it");
    }
    my $json = `$ENV{PGARK} verify $set --repo $repo --output=json 2>/dev/null`;
    ok(eval { JSON::PP->new->utf8->decode($json); 1 }, "$name: verify tells it as JSON")
      if $opt{json};
    restore_is_honest($name, $set) unless defined $opt{restore} && !$opt{restore};
    rmtree($dir{$set});
    system('cp', '-a', $saved, $dir{$set}) == 0 or die;
    return;
}

sub alter
{
    my ($file, $at, $xor) = @_;
    my $bytes = slurp_bytes($file);
    $at += length $bytes if $at < 0;
    substr($bytes, $at, 1) = chr(ord(substr($bytes, $at, 1)) ^ ($xor // 1));
    spew_bytes($file, $bytes);
    return;
}

sub shorten
{
    my ($file, $by) = @_;
    truncate($file, (-s $file) - $by) or die "$file: $!";
    return;
}

for my $set ($key, $none)
{
    my $kind    = $set eq $key ? 'zstd' : 'text';
    my @files   = set_files($repo, $set);
    my ($bundle)  = grep { /bundle/ } @files;
    my ($schema)  = grep { /schema\.dump/ } @files;
    my ($own, $own2) = grep { m{^db/.*/\d+\.\d+\.} } @files;
    my $dir     = $dir{$set};
    ok(defined $schema, "$kind: there is a schema");
    ok(defined $own || defined $bundle, "$kind: there are chunks");

    # The manifest: at every position of interest, and cut anywhere.
    my $size = -s "$dir/manifest.jsonl";
    my @positions = (0, 1, 10, int($size / 3), int($size / 2), int($size * 2 / 3), -2, -10, -70, -1);
    for my $at (@positions)
    {
        damaged("$kind: manifest, byte $at altered", $set, sub { alter("$_[0]/manifest.jsonl", $at) },
            restore => $at == int($size / 2) || $at == -1);
    }
    for my $by (1, 2, 50, int($size / 2), $size - 1, $size)
    {
        damaged("$kind: manifest, $by bytes short", $set, sub { shorten("$_[0]/manifest.jsonl", $by) },
            quick => 1, restore => $by == 1 || $by == 50);
    }
    damaged("$kind: manifest with something behind it", $set,
        sub { spew_bytes("$_[0]/manifest.jsonl", slurp_bytes("$_[0]/manifest.jsonl") . "\n") }, quick => 1);
    damaged("$kind: manifest with a line less", $set, sub {
            my @lines = split /^/, slurp_bytes("$_[0]/manifest.jsonl");
            splice @lines, int(@lines / 2), 1;
            spew_bytes("$_[0]/manifest.jsonl", join '', @lines);
        }, quick => 1);

    # The chunk list.
    $size = -s "$dir/node0.jsonl";
    damaged("$kind: chunk list, byte $_ altered", $set, sub { alter("$_[0]/node0.jsonl", $_) }, says => qr/node0/,
        restore => $_ == 5) for 5, int($size / 2), -2;
    damaged("$kind: chunk list short", $set, sub { shorten("$_[0]/node0.jsonl", 1) }, quick => 1, says => qr/node0/);
    damaged("$kind: chunk list missing", $set, sub { unlink "$_[0]/node0.jsonl" }, quick => 1, says => qr/node0/);
    damaged("$kind: chunk list empty", $set, sub { spew_bytes("$_[0]/node0.jsonl", '') }, quick => 1);

    # Data and schema.
    for my $file (grep { defined } $own, $bundle, $schema)
    {
        my $leaf = $file =~ s{.*/}{}r;
        my $bytes = -s "$dir/$file";
        for my $at (0, int($bytes / 2), -1)
        {
            damaged("$kind: $leaf, byte $at altered", $set, sub { alter("$_[0]/$file", $at, 0x80) }, says => qr/\Q$leaf\E/);
        }
        damaged("$kind: $leaf missing", $set, sub { unlink "$_[0]/$file" or die }, says => qr/\Q$leaf\E/, quick => 1, json => 1);
        damaged("$kind: $leaf short", $set, sub { shorten("$_[0]/$file", 1) }, says => qr/\Q$leaf\E/, quick => 1);
        damaged("$kind: $leaf empty", $set, sub { spew_bytes("$_[0]/$file", '') }, says => qr/\Q$leaf\E/, quick => 1);
        damaged("$kind: $leaf longer", $set, sub { spew_bytes("$_[0]/$file", slurp_bytes("$_[0]/$file") . 'x') }, quick => 1, restore => 0);
        damaged("$kind: $leaf a directory", $set, sub { unlink "$_[0]/$file"; mkdir "$_[0]/$file" or die }, quick => 1);
        damaged("$kind: $leaf unreadable", $set, sub { chmod 0, "$_[0]/$file" or die }, says => qr/\Q$leaf\E/);
    }
    if (defined $own2)
    {
        damaged("$kind: two chunks swapped", $set, sub {
                my ($a, $b) = ("$_[0]/$own", "$_[0]/$own2");
                rename $a, "$a.x" or die; rename $b, $a or die; rename "$a.x", $b or die;
            });
    }
    if ($set eq $none)
    {
        my ($holds) = grep { slurp_bytes("$dir/$_") =~ /\trow 17\n/ } grep { m{^db/.*/node0/} } @files;
        my $leaf = $holds =~ s{.*/}{}r;
        damaged("$kind: one row altered into another", $set, sub {
                spew_bytes("$_[0]/$holds", slurp_bytes("$_[0]/$holds") =~ s/\trow 17\n/\trow 71\n/r);
            }, says => qr/\Q$leaf\E/);
    }
    damaged("$kind: an extra file", $set, sub { spew_bytes("$_[0]/extra", 'x') }, quick => 1, restore => 0, says => qr/extra/);
    damaged("$kind: an extra chunk", $set, sub { copy("$_[0]/" . ($own // $bundle), "$_[0]/db/shop/node0/99999.0.bin") or die },
        quick => 1, restore => 0, says => qr/99999/);
}

# The manifest of one set with the files of another.
damaged('the manifest of another set', $key, sub { copy("$dir{$none}/manifest.jsonl", "$_[0]/manifest.jsonl") or die }, quick => 1);

# A set that was copied is a set: nothing in it says where it lies but its key.
pgark_ok([ 'verify', $_, '--repo', $repo ], 'at the end the sets are whole again') for $key, $none;
my $copied = new_repo();
system('cp', '-a', $repo, $copied) == 0 or die;
pgark_ok([ 'restore', $key, '--repo', $copied, '-d', conninfo($target, 'whole'), '--create' ], 'a copied repository works');
same_database($source, 'shop', $target, 'whole', 'a copied repository');
no_traces('end', [ $repo, $key, $none ], $source, $target);

done_testing();
