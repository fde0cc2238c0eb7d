# The completions that pgark writes, in the shells that they are for.
use strict;
use warnings;
use FindBin;
use PgarkTest;
use Test::More;

# in_bash WORD... - what bash would offer for the last word; completed_by PROGRAM, WORD... - of another program's line.
sub in_bash { my (@words) = @_; return completed_by('pgark', @words) }

sub completed_by
{
    my (@words) = @_;
    my ($out, $err) = ('', '');
    IPC::Run::run(
        [ 'bash', '--norc', '-c', <<'SH', 'bash', $ENV{PGARK}, @words ], '<', \undef, '>', \$out, '2>', \$err);
pgark=$1
shift
compopt() { :; }
. <("$pgark" --completion bash) || exit 1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_completion=$(complete -p "${1##*/}")
_completion=${_completion#*-F }
"${_completion%% *}" "$1"
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

# The classic programs.
is_deeply(completed_by('gpcrondump', '--exclude-'), [qw(--exclude-schema-file= --exclude-table-file=)], 'gpcrondump: options');
is_deeply(completed_by('gpcrondump', '-g'), ['-g'], 'gpcrondump: a letter');
is_deeply(completed_by('/usr/bin/gpdbrestore', '--tr'), ['--truncate'], 'gpdbrestore: an option of its own, by its path');
is_deeply(completed_by('gpdbrestore', '--restore-stats', '=', ''), [qw(include only)], 'gpdbrestore: values');
is_deeply(completed_by('gpdbrestore', '-G', ''), [qw(include only)], 'gpdbrestore: values of a letter');
is_deeply(completed_by('gpdbrestore', '-G', '--no'), [qw(--noanalyze --noplan)], 'gpdbrestore: which may be missing');
is_deeply(completed_by('gp_dump', '-X', 'd'), ['disable-triggers'], 'gp_dump: a value');
is_deeply(completed_by($_, '--vers'), ['--version'], "$_ is completed") for qw(gp_dump_agent gp_restore gp_restore_agent);
is_deeply(completed_by('gpcrondump', '--table-file', "$FindBin::Bin/045"), ["$FindBin::Bin/045_completion.t"], 'a file');

SKIP:
{
    my $zsh = (grep { -x } map { "$_/zsh" } split /:/, $ENV{PATH})[0] or skip 'no zsh', 8;

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
    like($in_zsh->('gpdbrestore --trun'), qr/got<gpdbrestore --truncate >/, 'zsh: an option of gpdbrestore');
    like($in_zsh->('gpdbrestore --restore-stats onl'), qr/got<gpdbrestore --restore-stats only >/, 'zsh: a value of it');
    like($in_zsh->('gpcrondump --exclude-sch'), qr/got<gpcrondump --exclude-schema-file=>/, 'zsh: an option of gpcrondump');
    $in = "exit\n";
    $shell->finish;
}

done_testing();
