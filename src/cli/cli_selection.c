/* cli/cli_selection.c - options that choose objects, made a Selection; the contract is in cli.h. */
#include "base/str.h"
#include "cli/cli.h"

/* An option whose values are patterns of one list. */
typedef struct PatternOption
{
    OptionId id;
    size_t list; /* offset into Selection */
    PatternKind kind;
    bool children;
} PatternOption;

static const PatternOption patterns[] = {
    {OPT_SCHEMA, offsetof(Selection, schemas), PATTERN_SCHEMA, false},
    {OPT_EXCLUDE_SCHEMA, offsetof(Selection, not_schemas), PATTERN_SCHEMA, false},
    {OPT_TABLE, offsetof(Selection, tables), PATTERN_TABLE, false},
    {OPT_TABLE_AND_CHILDREN, offsetof(Selection, tables), PATTERN_TABLE, true},
    {OPT_EXCLUDE_TABLE, offsetof(Selection, not_tables), PATTERN_TABLE, false},
    {OPT_EXCLUDE_TABLE_AND_CHILDREN, offsetof(Selection, not_tables), PATTERN_TABLE, true},
    {OPT_EXCLUDE_TABLE_DATA, offsetof(Selection, not_data), PATTERN_TABLE, false},
    {OPT_EXCLUDE_TABLE_DATA_AND_CHILDREN, offsetof(Selection, not_data), PATTERN_TABLE, true},
    {OPT_EXTENSION, offsetof(Selection, extensions), PATTERN_NAME, false},
    {OPT_EXCLUDE_EXTENSION, offsetof(Selection, not_extensions), PATTERN_NAME, false},
    {OPT_INCLUDE_FOREIGN_DATA, offsetof(Selection, foreign_data), PATTERN_NAME, false},
};

/* Options whose values are exact names, and those whose values are files of such. */
static const PatternOption names[] = {
    {OPT_INDEX, offsetof(Selection, indexes), PATTERN_NAME, false},
    {OPT_FUNCTION, offsetof(Selection, functions), PATTERN_NAME, false},
    {OPT_TRIGGER, offsetof(Selection, triggers), PATTERN_NAME, false},
};

static const PatternOption files[] = {
    {OPT_TABLE_FILE, offsetof(Selection, tables), PATTERN_TABLE, false},
    {OPT_EXCLUDE_TABLE_FILE, offsetof(Selection, not_tables), PATTERN_TABLE, false},
    {OPT_SCHEMA_FILE, offsetof(Selection, schemas), PATTERN_SCHEMA, false},
    {OPT_EXCLUDE_SCHEMA_FILE, offsetof(Selection, not_schemas), PATTERN_SCHEMA, false},
};

static const struct
{
    OptionId id;
    SelectionWithout kind;
} kinds[] = {
    {OPT_NO_COMMENTS, WITHOUT_COMMENTS},
    {OPT_NO_POLICIES, WITHOUT_POLICIES},
    {OPT_NO_PRIVILEGES, WITHOUT_PRIVILEGES},
    {OPT_NO_PUBLICATIONS, WITHOUT_PUBLICATIONS},
    {OPT_NO_SECURITY_LABELS, WITHOUT_SECURITY_LABELS},
    {OPT_NO_SUBSCRIPTIONS, WITHOUT_SUBSCRIPTIONS},
};

static PatternList *list_of(Selection *s, const PatternOption *option)
{
    return (PatternList *) (void *) ((char *) s + option->list);
}

static bool add_patterns(Selection *s, const Options *o, const PatternOption *option, Error *err)
{
    size_t count;
    const char *const *values = options_list(o, option->id, &count);
    for (size_t i = 0; i < count; i++)
    {
        if (!pattern_add(list_of(s, option), s, option->kind, values[i], option->children, err))
            return error_prefix(err, "--%s", options_name(option->id));
    }
    return true;
}

static void add_names(Selection *s, const Options *o, const PatternOption *option)
{
    size_t count;
    const char *const *values = options_list(o, option->id, &count);
    for (size_t i = 0; i < count; i++)
        pattern_add_exact(list_of(s, option), s, NULL, values[i]);
}

/* A second reader of standard input would find it empty, and so choose everything or nothing. */
static bool check_stdin(const Options *o, OptionId id, size_t *count, Error *err)
{
    size_t value_count;
    const char *const *values = options_list(o, id, &value_count);
    for (size_t i = 0; i < value_count; i++)
    {
        if (strcmp(values[i], "-") == 0 && ++*count > 1)
            return error_set(err, ERR_USAGE, "--%s=- reads standard input a second time",
                             options_name(id));
    }
    return true;
}

static bool add_file(Selection *s, const Options *o, const PatternOption *option, Error *err)
{
    size_t count;
    const char *const *values = options_list(o, option->id, &count);
    PatternList *list = list_of(s, option);
    size_t before = list->count;
    for (size_t i = 0; i < count; i++)
    {
        if (!selection_file_list(list, s, option->kind, values[i], err))
            return error_prefix(err, "--%s", options_name(option->id));
    }
    /* An empty list of what is wanted must not become a wish for everything. */
    bool includes = option->id == OPT_TABLE_FILE || option->id == OPT_SCHEMA_FILE;
    if (count > 0 && includes && list->count == before)
        return error_set(err, ERR_USAGE, "--%s: no name is in \"%s\"", options_name(option->id),
                         values[0]);
    return true;
}

/* A filter file may hold what only another command can do. */
static bool check_filter(const Selection *s, const Options *o, const char *path, Error *err)
{
    bool backup = options_command(o) == CMD_BACKUP;
    const char *what = NULL;
    if (backup && s->indexes.count > 0)
        what = "index";
    else if (backup && s->functions.count > 0)
        what = "function";
    else if (backup && s->triggers.count > 0)
        what = "trigger";
    else if (!backup && s->foreign_data.count > 0)
        what = "foreign_data";
    if (what == NULL)
        return true;
    error_set(err, ERR_USAGE, "--filter: \"%s\" includes something of the type %s", path, what);
    return error_hint(err, "That is for %s.", backup ? "restore and export" : "backup");
}

static bool add_files(Selection *s, const Options *o, Error *err)
{
    size_t readers = 0;
    size_t count;
    const char *const *filters = options_list(o, OPT_FILTER, &count);
    if (!check_stdin(o, OPT_FILTER, &readers, err))
        return false;
    for (size_t i = 0; i < LENGTH_OF(files); i++)
    {
        if (!check_stdin(o, files[i].id, &readers, err) || !add_file(s, o, &files[i], err))
            return false;
    }
    for (size_t i = 0; i < count; i++)
    {
        if (!selection_file_filter(s, filters[i], err))
            return error_prefix(err, "--filter");
        if (!check_filter(s, o, filters[i], err))
            return false;
    }
    return true;
}

static unsigned wanted_sections(const Options *o)
{
    size_t count;
    const char *const *values = options_list(o, OPT_SECTION, &count);
    unsigned sections = count == 0 ? SELECT_ALL_SECTIONS : 0;
    for (size_t i = 0; i < count; i++)
        sections |= str_equal(values[i], "pre-data") ? SELECT_PRE_DATA
                    : str_equal(values[i], "data")   ? SELECT_DATA
                                                     : SELECT_POST_DATA;
    if (options_flag(o, OPT_DATA_ONLY) || options_flag(o, OPT_NO_SCHEMA))
        sections &= SELECT_DATA;
    if (options_flag(o, OPT_SCHEMA_ONLY) || options_flag(o, OPT_NO_DATA))
        sections &= ~(unsigned) SELECT_DATA;
    return sections;
}

static bool set_sections(Selection *s, const Options *o, Error *err)
{
    s->sections = wanted_sections(o);
    if (s->sections != 0)
        return true;
    error_set(err, ERR_USAGE, "--section leaves nothing of what the other options want");
    return error_hint(err, "--data-only and --no-schema are about the section data, --schema-only "
                           "and --no-data about the others.");
}

Selection *cli_selection(void *ctx, const Options *o, Error *err)
{
    Selection *s = selection_new(ctx);
    for (size_t i = 0; i < LENGTH_OF(patterns); i++)
    {
        if (!add_patterns(s, o, &patterns[i], err))
            return NULL;
    }
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        add_names(s, o, &names[i]);
    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
        s->without |= options_flag(o, kinds[i].id) ? (unsigned) kinds[i].kind : 0;
    s->blobs = options_flag(o, OPT_LARGE_OBJECTS)      ? BLOBS_YES
               : options_flag(o, OPT_NO_LARGE_OBJECTS) ? BLOBS_NO
                                                       : BLOBS_DEFAULT;
    s->strict_names = options_flag(o, OPT_STRICT_NAMES);
    s->no_unlogged_data = options_flag(o, OPT_NO_UNLOGGED_TABLE_DATA);
    return set_sections(s, o, err) && add_files(s, o, err) ? s : NULL;
}

bool cli_name_map(void *ctx, const Options *o, OptionId id, NameMap **ret, size_t *ret_count,
                  Error *err)
{
    size_t count;
    const char *const *values = options_list(o, id, &count);
    NameMap *maps = mem_array(ctx, NameMap, count);
    for (size_t i = 0; i < count; i++)
    {
        char shown[160];
        const char *equals = strchr(values[i], '=');
        if (equals == NULL || equals == values[i] || equals[1] == '\0')
        {
            error_set(err, ERR_USAGE, "--%s must be OLD=NEW, not \"%s\"", options_name(id),
                      str_one_line(shown, sizeof(shown), values[i]));
            return error_hint(err, "Both are exact names, without quotes.");
        }
        maps[i].from = mem_strndup(ctx, values[i], (size_t) (equals - values[i]));
        maps[i].to = equals + 1;
        for (size_t other = 0; other < i; other++)
        {
            if (str_equal(maps[other].from, maps[i].from))
                return error_set(err, ERR_USAGE, "--%s names \"%s\" twice", options_name(id),
                                 str_one_line(shown, sizeof(shown), maps[i].from));
        }
    }
    *ret = maps;
    *ret_count = count;
    return true;
}

static const OptionId dump_flags[] = {
    OPT_NO_TABLESPACES,        OPT_NO_TABLE_ACCESS_METHOD, OPT_NO_TOAST_COMPRESSION,
    OPT_QUOTE_ALL_IDENTIFIERS, OPT_DISABLE_DOLLAR_QUOTING,
};

const char *const *cli_dump_args(void *ctx, const Options *o)
{
    size_t count = 0;
    const char **args = mem_array(ctx, const char *, LENGTH_OF(dump_flags) + 1);
    for (size_t i = 0; i < LENGTH_OF(dump_flags); i++)
    {
        if (options_flag(o, dump_flags[i]))
            args[count++] = mem_printf(ctx, "--%s", options_name(dump_flags[i]));
    }
    return args;
}
