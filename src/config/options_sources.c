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

/* Sections by how much they say; of two that give a key, the later kind wins. */
typedef enum SectionKind
{
    SECTION_ALL,           /* [pgark] */
    SECTION_COMMAND,       /* [backup] */
    SECTION_FLEET,         /* [fleet shop] */
    SECTION_FLEET_COMMAND, /* [fleet shop backup] */
    SECTION_KINDS
} SectionKind;

typedef struct FileParse
{
    Options *o;
    const char *name;
    const char *fleet; /* whose sections are read; NULL: those without a fleet are */
    /* The section at hand: */
    unsigned commands; /* that it speaks of; 0: no section yet */
    SectionKind kind;
    bool applies; /* it is one of those that are read */
    bool fleet_found;
    int given_by[OPT_COUNT];            /* the kind of section that gave an option, and 1 */
    int line[SECTION_KINDS][OPT_COUNT]; /* of a key that may be given once in a kind of section */
} FileParse;

static bool unknown_section(const char *section, Error *err)
{
    char shown[80];
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "sections");
    error_set(err, ERR_USAGE, "unknown section [%s]", str_one_line(shown, sizeof(shown), section));
    return error_hint(err,
                      "Sections are pgark, for all commands, %s, and for a fleet \"fleet NAME\" or "
                      "\"fleet NAME COMMAND\".",
                      command_table_names(ctx, CMD_ALL));
}

/* "fleet NAME" or "fleet NAME COMMAND", with the word fleet already taken off. */
static bool begin_fleet_section(FileParse *p, const char *section, const char *words, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "section");
    size_t len = strcspn(words, " \t");
    const char *name = mem_strndup(ctx, words, len);
    const char *rest = words + len + strspn(words + len, " \t");
    const CommandSpec *command = *rest == '\0' ? NULL : command_table_by_name(rest);
    if (!str_is_name(name) || (*rest != '\0' && command == NULL))
        return unknown_section(section, err);
    p->kind = command == NULL ? SECTION_FLEET : SECTION_FLEET_COMMAND;
    p->commands = command == NULL ? CMD_ALL : (unsigned) command->command;
    p->applies = str_equal(p->fleet, name);
    p->fleet_found = p->fleet_found || p->applies;
    return true;
}

static bool begin_section(FileParse *p, const char *section, Error *err)
{
    static const char fleet[] = "fleet";
    const CommandSpec *command = command_table_by_name(section);
    size_t blanks = strspn(section + (strncmp(section, fleet, 5) == 0 ? 5 : 0), " \t");
    if (strncmp(section, fleet, 5) == 0 && blanks > 0)
        return begin_fleet_section(p, section, section + 5 + blanks, err);
    if (command == NULL && strcmp(section, EVERY_COMMAND) != 0)
        return unknown_section(section, err);
    p->kind = command == NULL ? SECTION_ALL : SECTION_COMMAND;
    p->commands = command == NULL ? CMD_ALL : (unsigned) command->command;
    p->applies = p->fleet == NULL;
    return true;
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
    bool fleet = p->kind == SECTION_FLEET || p->kind == SECTION_FLEET_COMMAND;
    if ((spec->file_commands & p->commands) == 0 || (fleet && spec->id == OPT_FLEET))
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
    if (!p->applies || (p->commands & spec->file_commands & (unsigned) p->o->command) == 0)
        return true;
    int *line = &p->line[p->kind][spec->id];
    if (*line != 0 && spec->type != OPTION_LIST)
        return error_set(err, ERR_USAGE, "%s again, after line %d", spec->name, *line);
    *line = item->line;
    int *given_by = &p->given_by[spec->id];
    if (*given_by > (int) p->kind + 1)
        return true;
    if (*given_by < (int) p->kind + 1 && p->o->values[spec->id].source == SOURCE_FILE)
        options_reset(p->o, spec->id);
    *given_by = (int) p->kind + 1;
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

/* A section that names a fleet names its servers: what names others must not stand beside it, unless it comes
 * from a lower place. */
static bool clear_servers(Options *o, Error *err)
{
    static const OptionId servers[] = {OPT_DBNAME, OPT_NODE, OPT_HOST, OPT_PORT, OPT_USERNAME};
    const OptionValue *fleet = &o->values[OPT_FLEET];
    for (size_t i = 0; i < LENGTH_OF(servers); i++)
    {
        const OptionValue *v = &o->values[servers[i]];
        if (v->source == SOURCE_DEFAULT)
            continue;
        if (v->source >= fleet->source)
            return error_set(err, ERR_USAGE, "%s and %s exclude each other", v->origin,
                             fleet->origin);
        options_reset(o, servers[i]);
    }
    return true;
}

static bool has_fleet(Options *o, const char *text, size_t len, const char *name, bool *ret,
                      Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fleets");
    FileParse *p = mem_new(ctx, FileParse);
    p->o = options_new(ctx, CMD_NONE); /* nothing applies to it */
    p->name = name;
    p->fleet = options_string(o, OPT_FLEET);
    if (!ini_text_parse(text, len, name, on_item, p, err))
        return false;
    *ret = p->fleet_found;
    return true;
}

/* The fleet is only known when the rest has been read: that is why its sections are read afterwards. */
static bool read_fleet(Options *o, const char *text, size_t len, const char *name, FileParse *p,
                       Error *err)
{
    bool found = false;
    /* config show has no servers itself, and hands the name on. */
    if ((option_table_get(OPT_NODE)->commands & (unsigned) o->command) == 0 ||
        !options_given(o, OPT_FLEET) || !str_is_name(options_string(o, OPT_FLEET)))
        return true;
    if (!has_fleet(o, text, len, name, &found, err))
        return false;
    if (!found)
        return true;
    if (!clear_servers(o, err))
        return false;
    o->fleet_name = mem_strdup(o, options_string(o, OPT_FLEET));
    options_reset(o, OPT_FLEET);
    p->fleet = o->fleet_name;
    if (!ini_text_parse(text, len, name, on_item, p, err))
        return false;
    if (options_given(o, OPT_DBNAME) || options_given(o, OPT_NODE))
        return true;
    error_set(err, ERR_USAGE, "%s: [fleet %s] names no server", name, o->fleet_name);
    return error_hint(err, "Give node = CONNINFO for each server, or dbname = CONNINFO.");
}

bool options_read_text(Options *o, const char *text, size_t len, const char *name, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "configuration");
    FileParse *p = mem_new(ctx, FileParse);
    p->o = o;
    p->name = name;
    return ini_text_parse(text, len, name, on_item, p, err) &&
           read_fleet(o, text, len, name, p, err);
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

bool options_read_places(Options *o, Error *err)
{
    if (!options_read_environment(o, err))
        return false;
    const char *config = options_string(o, OPT_CONFIG);
    return config == NULL || options_read_file(o, config, err);
}
