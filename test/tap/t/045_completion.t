# The completions that pgark writes, in the shells that they are for.
use strict;
use warnings;
use PgarkTest;
use Test::More;

# in_bash WORD... - what bash would offer for the last word.
sub in_bash
{
    my (@words) = @_;
    my ($out, $err) = ('', '');
    IPC::Run::run(
        [ 'bash', '--norc', '-c', <<'SH', 'bash', $ENV{PGARK}, @words ], '<', \undef, '>', \$out, '2>', \$err);
pgark=$1
shift
compopt() { :; }
. <("$pgark" --completion bash) || exit 1
COMP_WORDS=(pgark "$@")
COMP_CWORD=$#
_pgark
printf '%s\n' "${COMPREPLY[@]}"
SH
    is($err, '', "bash: nothing on stderr for @words");
    return [ sort grep { length } split /\n/, $out ];
}

is_deeply(in_bash('backu'), ['backup'], 'a command');
is_deeply(in_bash('ba'), [qw(backup basebackup)], 'two commands');
is_deeply(in_bash('backup', '--keep-p'), ['--keep-partial'], 'an option of it');
is_deeply(in_bash('list', '--keep-p'), [], 'that another one has not');
is_deeply(in_bash('backup', '--cut', '=', 's'), ['strict'], 'a value, as bash cuts the words');
is_deeply(in_bash('backup', '--history', ''), [qw(database repository)], 'every value');
is_deeply(in_bash('expire', '--keep-'), [ map { "--keep-$_=" } qw(daily monthly weekly) ], 'several options');
is_deeply(in_bash('restore', 'l'), ['latest'], 'a key');
is_deeply(in_bash('config', ''), ['show'], 'a word');
is_deeply(in_bash('config', 'show', 'ex'), [qw(expire export)], 'a command behind it');

SKIP:
{
    my $zsh = (grep { -x } map { "$_/zsh" } split /:/, $ENV{PATH})[0] or skip 'no zsh', 5;

    # One zsh on a terminal. ^X prints what has been typed and completed, and forgets it.
    my ($in, $out, $dir) = ('', '', $ENV{PGARK} =~ s{/[^/]*\z}{}r);
    local $ENV{TERM} = 'dumb';
    my $shell = IPC::Run::start([ $zsh, '-f', '-i' ], '<pty<', \$in, '>pty>', \$out);
    my $until = sub { $shell->pump until $out =~ $_[0] || !$shell->pumpable };
    $in .= <<"ZSH";
PS1= ; unsetopt zle_bracketed_paste prompt_cr; PATH=$dir:\$PATH
autoload -U compinit; compinit -u -D; source <(pgark --completion zsh)
show() { print -r -- "got<\$BUFFER>"; BUFFER= }; zle -N show; bindkey '^X' show
print rea''dy
ZSH
    $until->(qr/ready/);

    # in_zsh TEXT - what TAB behind TEXT inserts or lists.
    my $in_zsh = sub {
        ($out, $in) = ('', "$_[0]\t\x18");
        $until->(qr/got<.*>/);
        return $out;
    };
    like($in_zsh->('pgark verif'), qr/got<pgark verify >/, 'zsh: a command');
    like($in_zsh->('pgark backup --keep-p'), qr/^--keep-partial  -- keep what/m, 'zsh: an option');
    like($in_zsh->('pgark backup --cut=str'), qr/got<pgark backup --cut=strict >/, 'zsh: a value');
    like($in_zsh->('pgark restore lat'), qr/got<pgark restore latest >/, 'zsh: a key');
    like($in_zsh->('pgark config sh'), qr/got<pgark config show >/, 'zsh: a word');
    $in = "exit\n";
    $shell->finish;
}

done_testing();
