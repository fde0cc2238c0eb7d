/* config/options_parse.c - the command line; the contract is in options.h. */
#include "base/str.h"
#include "config/option_nearest.h"
#include "config/option_refused.h"
#include "config/options_internal.h"

#define SHOWN_MAX 80

typedef struct Parser
{
    int argc;
    char **argv;
    int next;                   /* the word to look at */
    unsigned commands;          /* bit of the command, or CMD_TOP */
    const CommandSpec *command; /* NULL for CMD_TOP */
    Options *options;
    bool show; /* "config show": the second word was there */
    OptionsAction action;
    Error *err;
} Parser;

static const char *shown(char buf[SHOWN_MAX], const char *text)
{
    return str_one_line(buf, SHOWN_MAX, text);
}

/* The last resort of a hint: where the right words are listed. */
static bool hint_help(const Parser *p)
{
    if (p->command == NULL)
        return error_hint(p->err, "\"pgark --help\" lists commands and options.");
    return error_hint(p->err, "\"pgark %s --help\" lists its options.", p->command->name);
}

/* ---- finding options ---- */

/* All commands that have an option of that name. */
static unsigned commands_of(const char *name)
{
    unsigned commands = 0;
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (strcmp(spec->name, name) == 0)
            commands |= spec->commands;
    }
    return commands;
}

static bool wrong_command(const Parser *p, const OptionSpec *spec)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "names");
    unsigned commands = commands_of(spec->name);
    if (p->command == NULL)
    {
        error_set(p->err, ERR_USAGE, "--%s must come after a command", spec->name);
        return error_hint(p->err, "It belongs to %s.", command_table_names(ctx, commands));
    }
    error_set(p->err, ERR_USAGE, "--%s is not an option of %s", spec->name, p->command->name);
    if ((commands & CMD_ALL) == 0)
        return error_hint(p->err, "It stands alone: \"pgark --%s=%s\".", spec->name, spec->arg);
    return error_hint(p->err, "It belongs to %s.", command_table_names(ctx, commands));
}

static const char *nearest_option(const char *name, unsigned commands)
{
    NearestName nearest = {.text = name};
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if ((spec->commands & commands) != 0)
            option_nearest_offer(&nearest, spec->name);
    }
    return nearest.best;
}

static bool unknown_option(const Parser *p, const char *name)
{
    char buf[SHOWN_MAX];
    error_set(p->err, ERR_USAGE, "unknown option --%s", shown(buf, name));
    const char *nearest = nearest_option(name, p->commands);
    if (nearest != NULL)
        return error_hint(p->err, "Did you mean --%s?", nearest);
    return hint_help(p);
}

/* Options of the given commands whose names begin with prefix: how many, and the first of them;
 * names (may be NULL) gets them all. */
static size_t match_prefix(const char *prefix, unsigned commands, const OptionSpec **ret_first,
                           Str *names)
{
    size_t count = 0;
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if ((spec->commands & commands) == 0 || strncmp(spec->name, prefix, strlen(prefix)) != 0)
            continue;
        if (count++ == 0)
            *ret_first = spec;
        if (names != NULL)
            str_addf(names, "%s--%s", names->len > 0 ? ", " : "", spec->name);
    }
    return count;
}

static const OptionSpec *find_long(const Parser *p, const char *name)
{
    const OptionSpec *spec = option_table_by_name(name, strlen(name), p->commands);
    if (spec != NULL && (spec->commands & p->commands) != 0)
        return spec;
    const OptionRefused *refused = option_refused_by_name(name, p->commands);
    if (refused != NULL || spec != NULL)
    {
        (void) (refused != NULL ? option_refused_error(refused, p->err) : wrong_command(p, spec));
        return NULL;
    }
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "names");
    Str *names = str_new(ctx);
    size_t count = match_prefix(name, p->commands, &spec, names);
    if (count == 1)
        return spec;
    if (count > 1)
    {
        char buf[SHOWN_MAX];
        error_set(p->err, ERR_USAGE, "option --%s is ambiguous: %s", shown(buf, name), names->data);
    }
    else if (match_prefix(name, CMD_ALL, &spec, NULL) == 1)
    {
        wrong_command(p, spec);
    }
    else
    {
        unknown_option(p, name);
    }
    return NULL;
}

static const OptionSpec *find_short(const Parser *p, char c)
{
    const OptionSpec *spec = option_table_by_short(c, p->commands);
    if (spec != NULL && option_table_short(spec, p->commands) == c)
        return spec;
    const OptionRefused *refused = option_refused_by_short(c, p->commands);
    if (refused != NULL)
        option_refused_error(refused, p->err);
    else if (spec != NULL)
        wrong_command(p, spec);
    else
    {
        char one[2] = {c, '\0'};
        char buf[SHOWN_MAX];
        error_set(p->err, ERR_USAGE, "unknown option -%s", shown(buf, one));
        hint_help(p);
    }
    return NULL;
}

/* ---- taking options ---- */

static bool printed(Parser *p)
{
    p->action = OPTIONS_DONE;
    if (fflush(stdout) != 0 || ferror(stdout))
        return error_errno(p->err, ERR_STORAGE, "cannot write to standard output");
    return true;
}

/* Options that are an errand of their own. */
static bool run_errand(Parser *p, const OptionSpec *spec, const char *value)
{
    switch (spec->id)
    {
    case OPT_HELP:
        options_print_help(p->command == NULL ? CMD_NONE : p->command->command, stdout);
        return printed(p);
    case OPT_VERSION:
        printf("pgark %s\n", PGARK_VERSION);
        return printed(p);
    default:
        p->action = OPTIONS_DOCUMENT;
        return options_set(p->options, spec, SOURCE_COMMAND_LINE,
                           spec->id == OPT_COMPLETION ? "--completion" : "--man-pages", value,
                           p->err);
    }
}

static bool is_errand(const OptionSpec *spec)
{
    return spec->id == OPT_HELP || spec->id == OPT_VERSION || spec->id == OPT_COMPLETION ||
           spec->id == OPT_MAN_PAGES;
}

static bool take_option(Parser *p, const OptionSpec *spec, const char *value)
{
    if (is_errand(spec))
        return run_errand(p, spec, value);
    char origin[SHOWN_MAX];
    snprintf(origin, sizeof(origin), "--%s", spec->name);
    /* The last one wins, as everywhere; but the second database of a backup that is asked for must
     * not be left out without a word. */
    if (spec->id == OPT_DBNAME && options_given(p->options, OPT_DBNAME))
    {
        error_set(p->err, ERR_USAGE, "more than one database is named");
        if (p->commands == CMD_RESTORE)
            return error_hint(p->err, "A set of several nodes is restored by --map.");
        return error_hint(p->err, "Name each server of a fleet by --node.");
    }
    return options_set(p->options, spec, SOURCE_COMMAND_LINE, origin, value, p->err);
}

/* The value of an option from the next word. One that looks like an option is refused: most
 * likely the value is an empty variable of a script. */
static bool next_value(Parser *p, const OptionSpec *spec, const char **ret_value)
{
    const char *word = p->next < p->argc ? p->argv[p->next] : NULL;
    if (word == NULL)
        return error_set(p->err, ERR_USAGE, "--%s needs a value: %s", spec->name, spec->arg);
    bool number = word[0] == '-' && word[1] >= '0' && word[1] <= '9';
    if (word[0] == '-' && word[1] != '\0' && !number)
    {
        char buf[SHOWN_MAX];
        error_set(p->err, ERR_USAGE, "--%s needs a value, but is followed by %s", spec->name,
                  shown(buf, word));
        return error_hint(p->err, "A value that begins with a dash is written as --%s=VALUE.",
                          spec->name);
    }
    *ret_value = word;
    p->next++;
    return true;
}

static bool parse_long(Parser *p, const char *word)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "option");
    const char *equals = strchr(word, '=');
    const char *name = equals == NULL ? word : mem_strndup(ctx, word, (size_t) (equals - word));
    const OptionSpec *spec = find_long(p, name);
    if (spec == NULL)
        return false;
    if (spec->type == OPTION_FLAG)
    {
        if (equals != NULL)
            return error_set(p->err, ERR_USAGE, "--%s takes no value", spec->name);
        return take_option(p, spec, "true");
    }
    const char *value = equals == NULL ? spec->bare : equals + 1;
    if (value == NULL && !next_value(p, spec, &value))
        return false;
    return take_option(p, spec, value);
}

/* "-qj4": flags may be bundled, the rest behind an option with a value is its value. */
static bool parse_short(Parser *p, const char *letters)
{
    for (const char *c = letters; *c != '\0' && p->action == OPTIONS_RUN; c++)
    {
        const OptionSpec *spec = find_short(p, *c);
        if (spec == NULL)
            return false;
        if (spec->type == OPTION_FLAG)
        {
            if (!take_option(p, spec, "true"))
                return false;
            continue;
        }
        const char *value = c + 1;
        if (*value == '\0' && !next_value(p, spec, &value))
            return false;
        return take_option(p, spec, value);
    }
    return true;
}

/* "config" shows, and shows commands. */
static bool unknown_word(const Parser *p, const char *word)
{
    char buf[SHOWN_MAX];
    error_set(p->err, ERR_USAGE, "%s takes \"show\" and the name of a command, not \"%s\"",
              p->command->name, shown(buf, word));
    return hint_help(p);
}

static bool take_positional(Parser *p, const char *word)
{
    char buf[SHOWN_MAX];
    if (p->command->positional == POSITIONAL_CONNINFO)
        return take_option(p, option_table_get(OPT_DBNAME), word);
    if (p->command->positional == POSITIONAL_SHOW && !p->show)
    {
        p->show = strcmp(word, "show") == 0;
        return p->show || unknown_word(p, word);
    }
    if (p->command->positional == POSITIONAL_SHOW && p->options->key == NULL &&
        command_table_by_name(word) == NULL)
        return unknown_word(p, word);
    if ((p->command->positional == POSITIONAL_KEY || p->command->positional == POSITIONAL_POINT ||
         p->command->positional == POSITIONAL_SHOW) &&
        p->options->key == NULL)
    {
        p->options->key = mem_strdup(p->options, word);
        return true;
    }
    error_set(p->err, ERR_USAGE, "%s takes no %sargument \"%s\"", p->command->name,
              p->options->key != NULL ? "second " : "", shown(buf, word));
    return hint_help(p);
}

static bool parse_words(Parser *p)
{
    bool options_over = false;
    while (p->next < p->argc && p->action == OPTIONS_RUN)
    {
        const char *word = p->argv[p->next++];
        bool done = true;
        if (options_over || word[0] != '-' || word[1] == '\0')
            done = take_positional(p, word);
        else if (strcmp(word, "--") == 0)
            options_over = true;
        else if (word[1] == '-')
            done = parse_long(p, word + 2);
        else
            done = parse_short(p, word + 1);
        if (!done)
            return false;
    }
    return p->action != OPTIONS_RUN || p->command->positional != POSITIONAL_SHOW || p->show ||
           error_set(p->err, ERR_USAGE, "%s needs the word show", p->command->name);
}

/* ---- commands ---- */

static bool find_command(Parser *p, const char *word)
{
    p->command = command_table_by_name(word);
    if (p->command != NULL)
    {
        p->commands = p->command->command;
        return true;
    }
    char buf[SHOWN_MAX];
    NearestName nearest = {.text = word};
    const CommandSpec *command = NULL;
    for (size_t i = 0; (command = command_table_at(i)) != NULL; i++)
        option_nearest_offer(&nearest, command->name);
    option_nearest_offer(&nearest, "help");
    error_set(p->err, ERR_USAGE, "unknown command \"%s\"", shown(buf, word));
    if (nearest.best != NULL)
        return error_hint(p->err, "Did you mean \"pgark %s\"?", nearest.best);
    return hint_help(p);
}

static bool run_help(Parser *p)
{
    const char *word = p->next < p->argc ? p->argv[p->next++] : NULL;
    if (p->next < p->argc)
        return error_set(p->err, ERR_USAGE, "help takes one command");
    if (word != NULL && word[0] != '-' && strcmp(word, "help") != 0 && !find_command(p, word))
        return false;
    return run_errand(p, option_table_get(OPT_HELP), NULL);
}

/* "pgark --version" and the like: what stands before or without a command. */
static bool parse_top(Parser *p)
{
    const char *word = p->argv[p->next++];
    if (word[1] == '-')
        return parse_long(p, word + 2);
    return parse_short(p, word + 1);
}

static bool parse_command_line(Parser *p, void *ctx)
{
    if (p->argc < 2)
        return run_errand(p, option_table_get(OPT_HELP), NULL);
    const char *word = p->argv[1];
    if (word[0] == '-' && word[1] != '\0' && strcmp(word, "--") != 0)
        return parse_top(p);
    p->next++;
    if (strcmp(word, "help") == 0)
        return run_help(p);
    if (!find_command(p, word))
        return false;
    mem_free(p->options);
    p->options = options_new(ctx, p->command->command);
    return parse_words(p);
}

Options *options_parse(void *ctx, int argc, char **argv, OptionsAction *ret_action, Error *err)
{
    Parser p = {.argc = argc, .argv = argv, .next = 1, .commands = CMD_TOP, .err = err};
    p.options = options_new(ctx, CMD_NONE);
    bool done = parse_command_line(&p, ctx);
    if (done && p.action == OPTIONS_RUN)
        done = options_read_places(p.options, err) && options_check(p.options, err);
    if (!done)
    {
        mem_free(p.options);
        return NULL;
    }
    *ret_action = p.action;
    return p.options;
}
