/* config/options_completion.c - what shells need to complete pgark; the contract is in options.h.
 */
#include "base/str.h"
#include "config/doc_text.h"
#include "config/options_internal.h"

/* "auto text binary": a word list for the shell. */
static void put_words(FILE *out, const char *words)
{
    for (const char *space = ""; words != NULL; space = " ")
    {
        const char *word = NULL;
        size_t len = option_table_word(&words, &word);
        fprintf(out, "%s%.*s", space, (int) len, word);
    }
}

static void put_command_names(FILE *out)
{
    const CommandSpec *command = NULL;
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
        fprintf(out, "%s ", command->name);
    fputs("help", out);
}

/* ---- bash ---- */

static const char bash_head[] =
    "# bash completion for pgark; source it, or put it into a bash-completion directory.\n"
    "_pgark()\n"
    "{\n" DOC_TEXT_BASH_WORDS "    local command= options=\n"
    "    [[ $COMP_CWORD -gt 1 ]] && command=${COMP_WORDS[1]}\n";

static const char bash_tail[] = "    if [[ $cur == -* ]]; then\n"
                                "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
                                "        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
                                "    fi\n"
                                "}\n"
                                "complete -F _pgark pgark\n";

static bool is_name_of_several(const OptionSpec *spec)
{
    size_t count = 0;
    const OptionSpec *other = NULL;
    for (size_t i = 0; (other = option_table_at(i)) != NULL; i++)
        count += strcmp(other->name, spec->name) == 0 ? 1 : 0;
    return count > 1;
}

/* The patterns of one option in a case over "COMMAND OPTION": *' -j'|*' --jobs'. Where options of
 * several commands have the name, the command stands for the *. */
static void put_bash_pattern(FILE *out, const OptionSpec *spec)
{
    bool several = is_name_of_several(spec);
    const char *bar = "";
    const CommandSpec *command = NULL;
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
    {
        const char *name = several ? command->name : "*";
        if (several && (spec->commands & command->command) == 0)
            continue;
        if (spec->short_name != '\0')
            fprintf(out, "%s%s' -%c'", bar, name, spec->short_name);
        bar = spec->short_name != '\0' ? "|" : bar;
        fprintf(out, "%s%s' --%s'", bar, name, spec->name);
        bar = "|";
        if (!several)
            return;
    }
}

/* Behind an option with a value: its words, files, or nothing. */
static void put_bash_values(FILE *out)
{
    fputs("    case \"$command $prev\" in\n", out);
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (spec->type == OPTION_FLAG)
            continue;
        fputs("        ", out);
        put_bash_pattern(out, spec);
        fputs(")\n", out);
        if (spec->words != NULL)
        {
            fputs("            COMPREPLY=($(compgen -W '", out);
            put_words(out, spec->words);
            fputs("' -- \"$cur\"))\n", out);
        }
        else if (spec->type == OPTION_FILE)
        {
            fputs("            compopt -o filenames\n"
                  "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n",
                  out);
        }
        fputs("            return ;;\n", out);
    }
    fputs("    esac\n", out);
}

static void put_bash_options(FILE *out, const char *name, unsigned commands)
{
    fprintf(out, "        %s)\n            options='", name);
    const char *space = "";
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if ((spec->commands & commands) == 0)
            continue;
        fprintf(out, "%s--%s%s", space, spec->name, spec->type == OPTION_FLAG ? "" : "=");
        space = " ";
    }
    fputs("'\n", out);
}

/* Replies with the names of the commands. */
static void put_bash_reply(FILE *out)
{
    fputs("            COMPREPLY=($(compgen -W '", out);
    put_command_names(out);
    fputs("' -- \"$cur\")) ;;\n", out);
}

/* "config show", and then the name of a command. */
static void put_bash_show(FILE *out)
{
    fputs("            if [[ $COMP_CWORD -eq 2 ]]; then\n"
          "                COMPREPLY=($(compgen -W show -- \"$cur\"))\n"
          "            else\n"
          "                COMPREPLY=($(compgen -W '",
          out);
    put_command_names(out);
    fputs("' -- \"$cur\"))\n            fi ;;\n", out);
}

static void write_bash(const CompletionMore *more, FILE *out)
{
    fputs(bash_head, out);
    put_bash_values(out);
    fputs("    case $command in\n", out);
    put_bash_options(out, "''", CMD_TOP);
    put_bash_reply(out);
    fputs("        help)\n", out);
    put_bash_reply(out);
    const CommandSpec *command = NULL;
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
    {
        put_bash_options(out, command->name, command->command);
        if (command->positional == POSITIONAL_SHOW)
            put_bash_show(out);
        else if (command->positional == POSITIONAL_KEY)
            fputs("            COMPREPLY=($(compgen -W latest -- \"$cur\")) ;;\n", out);
        else
            fputs("            ;;\n", out);
    }
    fputs("    esac\n", out);
    fputs(bash_tail, out);
    if (more == NULL)
        return;
    more->write("bash", out);
    fprintf(out, "complete -F %s %s\n", more->function, more->names);
}

/* ---- zsh ---- */

/* ":argument:action" of an option with a value. */
static void put_zsh_value(FILE *out, const OptionSpec *spec)
{
    if (spec->type == OPTION_FLAG)
        return;
    fputs(spec->bare != NULL ? "::" : ":", out);
    doc_text_zsh(out, spec->arg);
    fputc(':', out);
    if (spec->words != NULL)
    {
        fputc('(', out);
        put_words(out, spec->words);
        fputc(')', out);
    }
    else if (spec->type == OPTION_FILE)
    {
        fputs("_files", out);
    }
}

static void put_zsh_option(FILE *out, const OptionSpec *spec, unsigned commands)
{
    const char *suffix = spec->type == OPTION_FLAG ? "" : spec->bare != NULL ? "=-" : "=";
    const char *short_suffix = spec->type == OPTION_FLAG ? "" : "+";
    fputs(" \\\n                ", out);
    char letter = option_table_short(spec, commands);
    if (spec->type == OPTION_LIST && letter != '\0')
        fprintf(out, "'*'{'-%c%s','--%s%s'}'[", letter, short_suffix, spec->name, suffix);
    else if (spec->type == OPTION_LIST)
        fprintf(out, "'*--%s%s[", spec->name, suffix);
    else if (letter == '\0')
        fprintf(out, "'--%s%s[", spec->name, suffix);
    else
        fprintf(out, "'(-%c --%s)'{'-%c%s','--%s%s'}'[", letter, spec->name, letter, short_suffix,
                spec->name, suffix);
    doc_text_zsh(out, spec->help);
    fputc(']', out);
    put_zsh_value(out, spec);
    fputc('\'', out);
}

static void put_zsh_options(FILE *out, unsigned commands)
{
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if ((spec->commands & commands) != 0)
            put_zsh_option(out, spec, commands);
    }
}

static void put_zsh_command(FILE *out, const CommandSpec *command)
{
    fprintf(out, "        %s)\n            _arguments -s -S", command->name);
    put_zsh_options(out, command->command);
    if (command->positional == POSITIONAL_KEY)
        fputs(" \\\n                '1:key:(latest)'", out);
    else if (command->positional == POSITIONAL_POINT)
        fputs(" \\\n                '1:name:'", out);
    else if (command->positional == POSITIONAL_CONNINFO)
        fputs(" \\\n                '1:conninfo:'", out);
    else if (command->positional == POSITIONAL_SHOW)
    {
        fputs(" \\\n                '1:word:(show)' \\\n                '2:command:(", out);
        put_command_names(out);
        fputs(")'", out);
    }
    fputs(" ;;\n", out);
}

/* The file's own body is what is run when one of its commands is completed for the first time. */
static void put_zsh_tail(const CompletionMore *more, FILE *out)
{
    if (more != NULL)
        fprintf(out, "compdef %s %s\n", more->function, more->names);
    fputs("if [[ $funcstack[1] != _pgark ]]; then\n    compdef _pgark pgark\n", out);
    if (more != NULL)
        fprintf(out, "elif [[ \" %s \" == *\" $service \"* ]]; then\n    %s \"$@\"\n", more->names,
                more->function);
    fputs("else\n    _pgark \"$@\"\nfi\n", out);
}

static void write_zsh(const CompletionMore *more, FILE *out)
{
    fprintf(out, "#compdef pgark%s%s\n", more != NULL ? " " : "", more != NULL ? more->names : "");
    fputs("# zsh completion for pgark; put it as _pgark into a directory of fpath.\n"
          "_pgark()\n{\n"
          "    local curcontext=$curcontext state line\n"
          "    local -a commands\n"
          "    commands=(\n",
          out);
    const CommandSpec *command = NULL;
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
    {
        fprintf(out, "        '%s:", command->name);
        doc_text_zsh(out, command->summary);
        fputs("'\n", out);
    }
    fputs("        'help:explain a command'\n    )\n    _arguments -C", out);
    put_zsh_options(out, CMD_TOP);
    fputs(
        " \\\n                '1:command:->command' \\\n                '*::argument:->argument'\n"
        "    case $state in\n"
        "    command)\n        _describe command commands ;;\n"
        "    argument)\n        case $line[1] in\n",
        out);
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
        put_zsh_command(out, command);
    fputs(
        "        help)\n            _describe command commands ;;\n        esac ;;\n    esac\n}\n",
        out);
    if (more != NULL)
        more->write("zsh", out);
    put_zsh_tail(more, out);
}

bool options_write_completion(const char *shell, const CompletionMore *more, FILE *out, Error *err)
{
    if (strcmp(shell, "bash") == 0)
        write_bash(more, out);
    else if (strcmp(shell, "zsh") == 0)
        write_zsh(more, out);
    else
        return error_set(err, ERR_USAGE, "--completion must be bash or zsh");
    return true;
}
