/* compat/dump_options.c - the contract is in dump_options.h. */
#include "compat/dump_options.h"

#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "compat/dump_agents.h"
#include "compat/dump_dir.h"
#include "fleet/engine.h"

/* ---- what is dumped ---- */

typedef struct Choice
{
    int id;
    size_t list; /* offset into Selection */
    PatternKind kind;
} Choice;

static const Choice patterns[] = {
    {DUMP_SCHEMA, offsetof(Selection, schemas), PATTERN_SCHEMA},
    {DUMP_EXCLUDE_SCHEMA, offsetof(Selection, not_schemas), PATTERN_SCHEMA},
    {DUMP_TABLE, offsetof(Selection, tables), PATTERN_TABLE},
    {DUMP_EXCLUDE_TABLE, offsetof(Selection, not_tables), PATTERN_TABLE},
};

static const Choice files[] = {
    {DUMP_TABLE_FILE, offsetof(Selection, tables), PATTERN_TABLE},
    {DUMP_EXCLUDE_TABLE_FILE, offsetof(Selection, not_tables), PATTERN_TABLE},
    {DUMP_SCHEMA_FILE, offsetof(Selection, schemas), PATTERN_SCHEMA},
};

static PatternList *list_of(Selection *s, const Choice *choice)
{
    return (PatternList *) (void *) ((char *) s + choice->list);
}

static bool add_patterns(Selection *s, const LegacyOptions *o, const Choice *choice, Error *err)
{
    size_t count;
    const char *const *values = legacy_options_list(o, choice->id, &count);
    bool children = choice->kind == PATTERN_TABLE && !legacy_options_given(o, DUMP_EXPAND);
    for (size_t i = 0; i < count; i++)
    {
        if (!pattern_add(list_of(s, choice), s, choice->kind, values[i], children, err))
            return error_prefix(err, "%s", legacy_options_called(o, choice->id));
    }
    return true;
}

/* An empty list of what is wanted must not become a wish for everything. */
static bool add_file(Selection *s, const LegacyOptions *o, const Choice *choice, Error *err)
{
    const char *path = legacy_options_string(o, choice->id);
    PatternList *list = list_of(s, choice);
    size_t before = list->count;
    if (path == NULL)
        return true;
    if (!selection_file_list(list, s, choice->kind, path, err))
        return error_prefix(err, "%s", legacy_options_called(o, choice->id));
    return choice->id == DUMP_EXCLUDE_TABLE_FILE || list->count > before ||
           error_set(err, ERR_USAGE, "%s: no name is in \"%s\"",
                     legacy_options_called(o, choice->id), path);
}

static Selection *make_selection(void *ctx, const LegacyOptions *o, Error *err)
{
    Selection *s = selection_new(ctx);
    for (size_t i = 0; i < LENGTH_OF(patterns); i++)
    {
        if (!add_patterns(s, o, &patterns[i], err))
            return NULL;
    }
    for (size_t i = 0; i < LENGTH_OF(files); i++)
    {
        if (!add_file(s, o, &files[i], err))
            return NULL;
    }
    if (legacy_options_given(o, DUMP_DATA_ONLY))
        s->sections = SELECT_DATA;
    if (legacy_options_given(o, DUMP_SCHEMA_ONLY) || legacy_options_given(o, DUMP_BOTH_HALVES))
        s->sections = SELECT_PRE_DATA | SELECT_POST_DATA;
    if (legacy_options_given(o, DUMP_NO_PRIVILEGES))
        s->without |= WITHOUT_PRIVILEGES;
    return s;
}

static bool has_feature(const LegacyOptions *o, int id, const char *word)
{
    size_t count;
    const char *const *features = legacy_options_list(o, DUMP_FEATURE, &count);
    bool given = legacy_options_given(o, id);
    for (size_t i = 0; i < count; i++)
        given = given || str_equal(features[i], word);
    return given;
}

bool dump_options_apply(void *ctx, const LegacyOptions *o, DumpRequest *r, Error *err)
{
    bool inserts = legacy_options_given(o, DUMP_INSERTS) ||
                   legacy_options_given(o, DUMP_COLUMN_INSERTS);
    int64_t jobs = 2;
    bool clean = legacy_options_given(o, DUMP_CLEAN);
    r->selection = make_selection(ctx, o, err);
    if (r->selection == NULL || !legacy_options_int(o, DUMP_JOBS, 1, 256, &jobs, err))
        return false;
    r->jobs = (int) jobs;
    r->form = (ExportRequest){
        .rows = inserts ? ROWS_INSERTS : ROWS_COPY,
        .rows_per_insert = 1,
        .clean = clean,
        .if_exists = clean,
        .no_owner = legacy_options_given(o, DUMP_NO_OWNER),
        .session_authorization = has_feature(o, DUMP_SESSION_AUTHORIZATION,
                                             "use-set-session-authorization"),
        .disable_triggers = has_feature(o, DUMP_DISABLE_TRIGGERS, "disable-triggers"),
    };
    r->prefix = legacy_options_string(o, DUMP_PREFIX);
    if (r->form.disable_triggers && !legacy_options_given(o, DUMP_DATA_ONLY))
    {
        error_set(err, ERR_USAGE, "--disable-triggers is for -a");
        return error_hint(err, "In a whole dump triggers come behind the rows.");
    }
    if (legacy_options_given(o, DUMP_VERBOSE))
        log_setup(LOG_DEBUG, false);
    r->progress = progress_mode("auto", !legacy_options_given(o, DUMP_VERBOSE) &&
                                            isatty(STDERR_FILENO) == 0);
    return true;
}

bool dump_options_gzip(const LegacyOptions *o, bool otherwise, bool *ret, Error *err)
{
    char shown[80];
    const char *method = legacy_options_string(o, DUMP_GZIP);
    if (!legacy_options_given(o, DUMP_GZIP))
        method = otherwise ? "gzip" : "none";
    else if (method == NULL)
        method = "gzip";
    *ret = str_equal(method, "gzip");
    return *ret || str_equal(method, "none") ||
           error_set(err, ERR_USAGE, "--gp-c: \"%s\" is neither gzip nor none",
                     str_one_line(shown, sizeof(shown), method));
}

/* ---- from where ---- */

Fleet *dump_options_fleet(void *ctx, const LegacyOptions *o, const char *database,
                          const FleetRequest *more, Error *err)
{
    FleetRequest request = more == NULL ? (FleetRequest){.dbname = NULL} : *more;
    request.dbname = database;
    request.host = legacy_options_string(o, DUMP_HOST);
    request.port = legacy_options_string(o, DUMP_PORT);
    request.user = legacy_options_string(o, DUMP_USER);
    request.force_prompt = legacy_options_given(o, DUMP_PASSWORD);
    request.never_prompt = legacy_options_given(o, DUMP_NO_PASSWORD);
    Fleet *fleet = fleet_discover(ctx, &request, err);
    if (fleet == NULL || !fleet_passwords(ctx, fleet, &request, err) ||
        !engine_discover(ctx, fleet, &request, err))
        return NULL;
    return fleet;
}

bool dump_options_one(DumpRequest *r, const DumpAgentKey *key, Error *err)
{
    if (r->fleet->node_count > 1)
    {
        error_set(err, ERR_USAGE, "the server is not alone: it has %zu nodes",
                  r->fleet->node_count);
        return error_hint(err, "gp_dump with a key of 14 digits dumps all of them at one instant.");
    }
    r->by_role = true;
    r->role = key->role;
    r->fleet->nodes[0].dbid = key->dbid;
    return true;
}

/* ---- by whom ---- */

bool dump_options_agents(const LegacyOptions *o, const Fleet *fleet, const char *database,
                         const char *dir, bool *ret, Error *err)
{
    const char *mode = legacy_options_string(o, DUMP_AGENTS);
    bool given = legacy_options_given(o, DUMP_AGENTS);
    *ret = given && (mode == NULL || str_equal(mode, "yes"));
    if (*ret && dump_dir_is_upward(dir))
    {
        error_set(err, ERR_USAGE, "--gp-d: \"%s\" has . or .. in it", dir);
        return error_hint(err, "Agents look for the directory on each node's host: an absolute "
                               "path, or one below the server's data directory.");
    }
    if (*ret || (given && !str_equal(mode, "auto")))
        return true;
    *ret = !dump_dir_is_upward(dir) && dump_agents_usable(fleet, database);
    return true;
}

/* ---- for the report ---- */

char *dump_options_passed(void *ctx, const LegacyOptions *o)
{
    Str *s = str_new(ctx);
    for (int id = 1; id <= DUMP_VERBOSE; id++)
    {
        size_t count;
        const char *const *values = legacy_options_list(o, id, &count);
        if (!legacy_options_given(o, id))
            continue;
        for (size_t i = 0; i < count || i == 0; i++)
            str_addf(s, "%s%s%s%s", s->len == 0 ? "" : " ", legacy_options_called(o, id),
                     count == 0 ? "" : " ", count == 0 ? "" : values[i]);
    }
    char *line = mem_array(ctx, char, s->len + 1);
    return str_one_line(line, s->len + 1, s->data);
}

/* ---- dbids ---- */

static bool bad_segments(const LegacyOptions *o, int id, Error *err)
{
    const char *called = legacy_options_called(o, id);
    error_set(err, ERR_USAGE, "%s is neither p nor i[DBID,...]", called);
    return error_hint(err, "For example %s=i[2,3].", called);
}

bool dump_options_segments(void *ctx, const LegacyOptions *o, int id, const int **ret,
                           size_t *ret_count, Error *err)
{
    const char *text = legacy_options_string(o, id);
    int *dbids = NULL;
    size_t capacity = 0;
    *ret_count = 0;
    if (text == NULL || str_equal(text, "p"))
        return true;
    if (strncmp(text, "i[", 2) != 0)
        return bad_segments(o, id, err);
    const char *c = text + 1;
    do
    {
        c++;
        size_t len = strspn(c, "0123456789");
        int dbid = len == 0 || len > 6 ? 0 : (int) strtol(c, NULL, 10);
        if (dbid < 1)
            return bad_segments(o, id, err);
        *mem_push(ctx, dbids, *ret_count, capacity, int) = dbid;
        c += len;
    } while (*c == ',');
    *ret = dbids;
    return strcmp(c, "]") == 0 || bad_segments(o, id, err);
}
