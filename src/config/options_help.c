/* config/options_help.c - --help; see options_internal.h. */
#include "base/str.h"
#include "config/options_internal.h"

#define HELP_COLUMN 32 /* where the descriptions of options begin */

/* What help says of an option, with words and default in parentheses. */
static char *describe(void *ctx, const OptionSpec *spec)
{
    Str *s = str_new(ctx);
    str_add(s, spec->help);
    bool words = spec->words != NULL;
    if (words || spec->initial != NULL)
        str_add(s, " (");
    if (words)
        str_add(s, option_table_words(ctx, spec->words));
    if (spec->initial != NULL)
        str_addf(s, "%sdefault: %s", words ? "; " : "", spec->initial);
    if (words || spec->initial != NULL)
        str_addc(s, ')');
    return s->data;
}

static void print_option(void *ctx, FILE *out, const OptionSpec *spec, unsigned commands)
{
    Str *left = str_new(ctx);
    char letter = option_table_short(spec, commands);
    if (letter != '\0')
        str_addf(left, "  -%c, ", letter);
    else
        str_add(left, "      ");
    str_addf(left, "--%s", spec->name);
    if (spec->arg != NULL)
        str_addf(left, spec->bare != NULL ? "[=%s]" : "=%s", spec->arg);
    if (left->len + 2 > HELP_COLUMN)
        fprintf(out, "%s\n%*s", left->data, HELP_COLUMN, "");
    else
        fprintf(out, "%-*s", HELP_COLUMN, left->data);
    str_print_wrapped(out, HELP_COLUMN, describe(ctx, spec));
}

static void print_group(void *ctx, FILE *out, OptionGroup group, unsigned commands)
{
    bool heading = false;
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (spec->group != group || (spec->commands & commands) == 0)
            continue;
        if (!heading)
            fprintf(out, "\n%s:\n", option_table_group(group));
        heading = true;
        print_option(ctx, out, spec, commands);
    }
}

static void print_options(FILE *out, unsigned commands)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "help");
    for (int group = 0; group < GROUP_COUNT; group++)
        print_group(ctx, out, (OptionGroup) group, commands);
}

static void print_environment(FILE *out, unsigned commands)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "help");
    Str *names = str_new(ctx);
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (spec->env != NULL && (spec->commands & commands) != 0)
            str_addf(names, "%s%s", names->len > 0 ? ", " : "", spec->env);
    }
    fputs("\nEnvironment (the command line wins):\n  ", out);
    str_print_wrapped(out, 2, names->data);
}

static void print_example(FILE *out, const CommandExample *example)
{
    fprintf(out, "  # %s\n  ", example->comment);
    for (const char *c = example->line; *c != '\0'; c++)
    {
        fputc(*c, out);
        if (*c == '\n')
            fputs("  ", out);
    }
    fputc('\n', out);
}

static void print_command(const CommandSpec *command, FILE *out)
{
    fprintf(out, "pgark %s - %s\n\n", command->name, command->summary);
    fprintf(out, "Usage:\n  pgark %s %s\n\n", command->name, command->synopsis);
    str_print_wrapped(out, 0, command->about);
    print_options(out, command->command);
    print_environment(out, command->command);
    fputs("\nExamples:\n", out);
    for (size_t i = 0; i < LENGTH_OF(command->examples) && command->examples[i].line != NULL; i++)
        print_example(out, &command->examples[i]);
}

static void print_general(FILE *out)
{
    str_print_wrapped(out, 0, command_table_about());
    fputs("\nUsage:\n  pgark COMMAND [KEY|CONNINFO] [OPTION]...\n\nCommands:\n", out);
    const CommandSpec *command = NULL;
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
        fprintf(out, "  %-9s %s\n", command->name, command->summary);
    fprintf(out, "  %-9s %s\n", "help", "explain a command, as does \"pgark COMMAND --help\"");
    print_options(out, CMD_TOP);
    fputs("\nExamples:\n", out);
    for (size_t i = 0; i < 2; i++)
        print_example(out, &command_table_at(i)->examples[0]);
    fputs("\nExit status: 0 done; 1 error; 2 done with warnings; 130 cancelled.\n", out);
}

void options_print_help(Command command, FILE *out)
{
    const CommandSpec *spec = command_table_get(command);
    if (spec == NULL)
        print_general(out);
    else
        print_command(spec, out);
}
