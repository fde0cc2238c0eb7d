/* config/options_man.c - the manual pages, in the man macros; the contract is in options.h. */
#include "base/str.h"
#include "config/doc_text.h"
#include "config/option_refused.h"
#include "config/options_internal.h"

static const char exit_status[] = ".SH EXIT STATUS\n"
                                  ".TP\n.B 0\nDone.\n"
                                  ".TP\n.B 1\nAn error; nothing was published.\n"
                                  ".TP\n.B 2\nDone, with warnings.\n"
                                  ".TP\n.B 130\nCancelled by SIGINT or SIGTERM.\n";

static void put_option(FILE *out, void *ctx, const OptionSpec *spec, unsigned commands)
{
    fputs(".TP\n", out);
    char letter = option_table_short(spec, commands);
    if (letter != '\0')
        fprintf(out, "\\fB\\-%c\\fR, ", letter);
    fputs("\\fB\\-\\-", out);
    doc_text_man(out, spec->name, false);
    fputs("\\fR", out);
    if (spec->arg != NULL)
    {
        fputs(spec->bare != NULL ? "[=\\fI" : "=\\fI", out);
        doc_text_man(out, spec->arg, false);
        fputs(spec->bare != NULL ? "\\fR]" : "\\fR", out);
    }
    fputc('\n', out);
    Str *s = str_new(ctx);
    str_addf(s, "%s.", spec->help);
    s->data[0] = doc_text_upper(s->data[0]);
    if (spec->words != NULL)
        str_addf(s, " One of %s.", option_table_words(ctx, spec->words));
    if (spec->range != NULL)
        str_addf(s, " Range: %s.", spec->range);
    if (spec->initial != NULL)
        str_addf(s, " Default: %s.", spec->initial);
    if (spec->more != NULL)
        str_addf(s, "\n%s", spec->more);
    if (spec->env != NULL)
        str_addf(s, "\nEnvironment: %s.", spec->env);
    doc_text_man(out, s->data, true);
    fputc('\n', out);
}

static void put_options(FILE *out, unsigned commands)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "man");
    fputs(".SH OPTIONS\n", out);
    for (int group = 0; group < GROUP_COUNT; group++)
    {
        bool heading = false;
        const OptionSpec *spec = NULL;
        for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
        {
            if (spec->group != (OptionGroup) group || (spec->commands & commands) == 0)
                continue;
            if (!heading)
                fprintf(out, ".SS %s\n", option_table_group((OptionGroup) group));
            heading = true;
            put_option(out, ctx, spec, commands);
        }
    }
}

/* Who knows pg_dump finds here why an option is missing. */
static void put_refused(FILE *out, unsigned commands)
{
    bool heading = false;
    const OptionRefused *refused = NULL;
    for (size_t i = 0; (refused = option_refused_at(i)) != NULL; i++)
    {
        if ((refused->commands & commands) == 0)
            continue;
        if (!heading)
            fputs(".SH OPTIONS OF PG_DUMP AND PG_RESTORE THAT ARE NOT TAKEN\n", out);
        heading = true;
        fputs(".TP\n", out);
        if (refused->short_name != '\0')
            fprintf(out, "\\fB\\-%c\\fR%s", refused->short_name, refused->name != NULL ? ", " : "");
        if (refused->name != NULL)
        {
            fputs("\\fB\\-\\-", out);
            doc_text_man(out, refused->name, false);
            fputs("\\fR", out);
        }
        fprintf(out, "\n%c", doc_text_upper(refused->why[0]));
        doc_text_man(out, refused->why + 1, false);
        fputs(". ", out);
        doc_text_man(out, refused->instead, false);
        fputc('\n', out);
    }
}

static void put_examples(FILE *out, const CommandSpec *command)
{
    fputs(".SH EXAMPLES\n", out);
    for (size_t i = 0; i < LENGTH_OF(command->examples) && command->examples[i].line != NULL; i++)
    {
        fputs(".PP\n", out);
        doc_text_man(out, command->examples[i].comment, true);
        fputs(":\n.PP\n.RS 4\n.nf\n", out);
        doc_text_man(out, command->examples[i].line, true);
        fputs("\n.fi\n.RE\n", out);
    }
}

static void put_environment(FILE *out)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "man");
    fputs(".SH ENVIRONMENT\n"
          "Each variable sets the default of one option; the command line wins, an empty variable "
          "counts as unset. libpq's own variables work too.\n",
          out);
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (spec->env == NULL)
            continue;
        fprintf(out, ".TP\n.B %s\n", spec->env);
        const char *names = command_table_names(ctx, spec->commands);
        doc_text_man(out, mem_printf(ctx, "--%s of %s.", spec->name, names), true);
        fputc('\n', out);
    }
}

static void put_files(FILE *out)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "man");
    Str *s = str_new(ctx);
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (spec->file_commands != 0)
            str_addf(s, "%s%s", s->len > 0 ? ", " : "", spec->name);
    }
    fputs(
        ".SH FILES\n"
        "The file that --config names is an ini file. Its section [pgark] speaks to all commands, "
        "a section named after a command to that one only, and wins. Keys are the long names of "
        "options; a flag takes true or false; an option that may be repeated has a line for each "
        "value. "
        "Command line and environment win over the file. A section [fleet NAME] is read with "
        "\\-\\-fleet=NAME only: it names the servers, by a line node = CONNINFO for each or by "
        "dbname, and "
        "may give any other key; [fleet NAME COMMAND] speaks to one command. They win over the "
        "other "
        "sections. \\fBpgark config show\\fR tells what is in force.\n"
        ".PP\n.RS 4\n.nf\n"
        "[pgark]\nrepo = /srv/backup\njobs = 4\n\n[backup]\ncompress = zstd:3\n\n"
        "[expire]\nkeep = 14\n.fi\n.RE\n.PP\n",
        out);
    doc_text_man(out, mem_printf(ctx, "Keys: %s.", s->data), true);
    fputs("\n.PP\n"
          "The server that restore writes to is never taken from the file.\n",
          out);
}

static const char hook_environment[] =
    ".SH ENVIRONMENT OF PROGRAMS\n"
    "The programs of \\-\\-before, \\-\\-after and \\-\\-on\\-failure have pgark's environment, "
    "and:\n"
    ".TP\n.B PGARK_HOOK\nbefore, after or on\\-failure.\n"
    ".TP\n.BR PGARK_REPO \", \" PGARK_PREFIX \", \" PGARK_FLEET_NAME\n"
    "The repository, the series if there is one, the name of the fleet or database.\n"
    ".TP\n.BR PGARK_OUTCOME \", \" PGARK_SECONDS\n"
    "In the end: done, warnings, failed or cancelled; how long it took.\n"
    ".TP\n.BR PGARK_KEY \", \" PGARK_ROWS \", \" PGARK_BYTES \", \" PGARK_STORED\n"
    "Of the set that was made; bytes of COPY data, and as stored.\n"
    ".TP\n.BR PGARK_ERROR \", \" PGARK_ERROR_NODE \", \" PGARK_ERROR_SQLSTATE\n"
    "Why there is none.\n";

static void put_see_also(FILE *out, Command self)
{
    fputs(".SH SEE ALSO\n", out);
    const char *comma = "";
    if (self != CMD_NONE)
    {
        fputs(".BR pgark (1)", out);
        comma = " ,\n";
    }
    const CommandSpec *command = NULL;
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
    {
        if (command->command == self)
            continue;
        fprintf(out, "%s.BR pgark\\-%s (1)", comma, command->name);
        comma = " ,\n";
    }
    fprintf(out, "%s.BR pg_dump (1)\n", comma);
}

static void write_general(FILE *out)
{
    doc_text_man_head(out, "pgark", "one consistent backup of a fleet of PostgreSQL servers");
    fputs(".SH SYNOPSIS\n\\fBpgark\\fR \\fICOMMAND\\fR [\\fIKEY\\fR|\\fICONNINFO\\fR] "
          "[\\fIOPTION\\fR]...\n.SH DESCRIPTION\n",
          out);
    doc_text_man_paragraphs(out, command_table_about());
    fputs(".SH COMMANDS\n", out);
    const CommandSpec *command = NULL;
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
    {
        fprintf(out, ".TP\n.BR pgark\\-%s (1)\n", command->name);
        doc_text_man(out, command->summary, true);
        fputs(".\n", out);
    }
    put_options(out, CMD_TOP);
    fputs(".PP\nOptions may be shortened as long as they stay unambiguous.\n", out);
    fputs(exit_status, out);
    put_environment(out);
    put_files(out);
    put_see_also(out, CMD_NONE);
}

static void write_command(FILE *out, const CommandSpec *command, const char *page)
{
    doc_text_man_head(out, page, command->summary);
    fprintf(out, ".SH SYNOPSIS\n\\fBpgark %s\\fR ", command->name);
    doc_text_man(out, command->synopsis, false);
    fputs("\n.SH DESCRIPTION\n", out);
    doc_text_man_paragraphs(out, command->about);
    put_options(out, command->command);
    put_refused(out, command->command);
    put_examples(out, command);
    if (command->command == CMD_BACKUP)
        fputs(hook_environment, out);
    fputs(exit_status, out);
    put_see_also(out, command->command);
}

/* One page; command NULL is pgark itself. */
static bool write_page(void *ctx, const char *dir, const CommandSpec *command, Error *err)
{
    const char *page = command == NULL ? "pgark" : mem_printf(ctx, "pgark-%s", command->name);
    const char *path = mem_printf(ctx, "%s/%s.1", dir, page);
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return error_errno(err, ERR_USAGE, "cannot write the manual page \"%s\"", path);
    if (command == NULL)
        write_general(out);
    else
        write_command(out, command, page);
    bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad)
        return error_errno(err, ERR_USAGE, "cannot write the manual page \"%s\"", path);
    return true;
}

bool options_write_man(const char *dir, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "man");
    if (!write_page(ctx, dir, NULL, err))
        return false;
    const CommandSpec *command = NULL;
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
    {
        if (!write_page(ctx, dir, command, err))
            return false;
    }
    return true;
}
