/* config/options_sources.c - environment and configuration file; see options_internal.h. */
#include "base/str.h"
#include "config/ini_text.h"
#include "config/option_nearest.h"
#include "config/option_value.h"
#include "config/options_internal.h"

#define EVERY_COMMAND "pgark" /* the section for all commands */

bool options_read_environment(Options *o, Error *err)
{
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (spec->env == NULL || (spec->commands & o->command) == 0)
            continue;
        const char *text = getenv(spec->env);
        if (text == NULL || text[0] == '\0')
            continue;
        if (!options_set(o, spec, SOURCE_ENVIRONMENT, spec->env, text, err))
            return false;
    }
    return true;
}

typedef struct FileParse
{
    Options *o;
    const char *name;
    unsigned commands; /* that the section speaks of; 0: no section yet */
    /* Which section gave an option: that of the command wins over that for all. */
    bool by_command[OPT_COUNT];
    int line[2][OPT_COUNT]; /* of a key that may be given once, for this command's section or not */
} FileParse;

static bool begin_section(FileParse *p, const char *section, Error *err)
{
    const CommandSpec *command = command_table_by_name(section);
    p->commands = 0;
    if (strcmp(section, EVERY_COMMAND) == 0)
        p->commands = CMD_ALL;
    else if (command != NULL)
        p->commands = command->command;
    if (p->commands != 0)
        return true;
    char shown[80];
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "sections");
    error_set(err, ERR_USAGE, "unknown section [%s]", str_one_line(shown, sizeof(shown), section));
    return error_hint(err, "Sections are pgark, for all commands, and %s.",
                      command_table_names(ctx, CMD_ALL));
}

static bool unknown_key(const IniItem *item, unsigned commands, Error *err)
{
    char shown[80];
    NearestName nearest = {.text = item->key};
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if ((spec->file_commands & commands) != 0)
            option_nearest_offer(&nearest, spec->name);
    }
    error_set(err, ERR_USAGE, "unknown key \"%s\"", str_one_line(shown, sizeof(shown), item->key));
    if (nearest.best != NULL)
        return error_hint(err, "Did you mean %s?", nearest.best);
    return error_hint(err, "Keys are the long names of options, without the dashes.");
}

/* In the section for all commands a name may stand for options of several; then this command's is
 * meant, if the file may give it. */
static const OptionSpec *option_of_key(const FileParse *p, const char *key)
{
    const OptionSpec *best = NULL;
    const OptionSpec *spec = NULL;
    unsigned own = (unsigned) p->o->command & p->commands;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (strcmp(spec->name, key) != 0)
            continue;
        if ((spec->file_commands & own) != 0)
            return spec;
        if (best == NULL ||
            ((best->file_commands & p->commands) == 0 && (spec->file_commands & p->commands) != 0))
            best = spec;
    }
    return best;
}

static const OptionSpec *find_key(const FileParse *p, const IniItem *item, Error *err)
{
    const OptionSpec *spec = option_of_key(p, item->key);
    if (spec == NULL)
    {
        unknown_key(item, p->commands, err);
        return NULL;
    }
    if (spec->file_commands == 0)
    {
        error_set(err, ERR_USAGE, "%s cannot be set in a file, only on the command line",
                  item->key);
        return NULL;
    }
    if ((spec->file_commands & p->commands) == 0)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "names");
        error_set(err, ERR_USAGE, "%s does not belong into [%s]", item->key, item->section);
        error_hint(err, "It fits into [pgark] and the sections of %s.",
                   command_table_names(ctx, spec->file_commands));
        return NULL;
    }
    return spec;
}

static bool on_key(FileParse *p, const IniItem *item, Error *err)
{
    const OptionSpec *spec = find_key(p, item, err);
    if (spec == NULL)
        return false;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "key");
    const char *origin = mem_printf(ctx, "%s, line %d: %s", p->name, item->line, spec->name);
    int64_t ignored = 0;
    if (!option_value_check(spec, spec->name, item->value, &ignored, err))
        return false;
    unsigned own = (unsigned) p->o->command;
    if ((p->commands & spec->file_commands & own) == 0)
        return true;
    bool by_command = p->commands == own;
    int *line = &p->line[by_command ? 1 : 0][spec->id];
    if (*line != 0 && spec->type != OPTION_LIST)
        return error_set(err, ERR_USAGE, "%s again, after line %d", spec->name, *line);
    *line = item->line;
    if (p->by_command[spec->id] && !by_command)
        return true;
    bool replaces = by_command && !p->by_command[spec->id];
    if (replaces && p->o->values[spec->id].source == SOURCE_FILE)
        options_reset(p->o, spec->id);
    p->by_command[spec->id] = by_command;
    return options_set(p->o, spec, SOURCE_FILE, origin, item->value, err);
}

static bool on_item(void *arg, const IniItem *item, Error *err)
{
    FileParse *p = arg;
    if (item->key == NULL)
        return begin_section(p, item->section, err);
    if (p->commands == 0)
        return error_set(err, ERR_USAGE, "a key before the first section");
    return on_key(p, item, err);
}

bool options_read_text(Options *o, const char *text, size_t len, const char *name, Error *err)
{
    FileParse p = {.o = o, .name = name};
    return ini_text_parse(text, len, name, on_item, &p, err);
}

bool options_read_file(Options *o, const char *path, Error *err)
{
    size_t len = 0;
    char *text = ini_text_read(o, path, "configuration file", &len, err);
    if (text == NULL)
        return false;
    bool done = options_read_text(o, text, len, path, err);
    mem_free(text);
    return done;
}
