/* fleet/resume.c - going on with a dead run's set; the contract is in resume.h. */
#include "fleet/resume.h"

#include "base/str.h"

/* Before the key, in a hold's file: no option, as it was chosen. */
#define BASE "base="

/* ---- the same request ---- */

typedef struct Lines
{
    void *ctx;
    char **texts;
    size_t count;
    size_t capacity;
} Lines;

static void add(Lines *l, char *text)
{
    *mem_push(l->ctx, l->texts, l->count, l->capacity, char *) = text;
}

static void add_flag(Lines *l, bool set, const char *option)
{
    if (set)
        add(l, mem_strdup(l->ctx, option));
}

void resume_describe(const BackupRequest *request, void *ctx, char ***ret, size_t *ret_count)
{
    Lines l = {.ctx = ctx};
    char **selection;
    size_t count;
    add(&l, mem_strdup(ctx, "version=" PGARK_VERSION));
    add(&l, mem_printf(ctx, "--compress=%s:%d", compress_name(request->compress.method),
                       request->compress.level));
    add(&l, mem_printf(ctx, "--copy-format=%s", backup_format_name(request->format)));
    add(&l, mem_printf(ctx, "--chunk-size=%" PRIu64, request->chunk_size));
    add(&l, mem_printf(ctx, "--sections=%u", request->selection->sections));
    if (request->prefix != NULL)
        add(&l, mem_printf(ctx, "--prefix=%s", request->prefix));
    add_flag(&l, request->all_databases, "--all-databases");
    add_flag(&l, request->incremental, "--incremental");
    if (request->base != NULL)
        add(&l, mem_printf(ctx, "--incremental-from=%s", request->base));
    add_flag(&l, request->globals, "--globals");
    add_flag(&l, request->config_files, "--config-files");
    add_flag(&l, request->no_role_passwords, "--no-role-passwords");
    add_flag(&l, request->enable_row_security, "--enable-row-security");
    if (request->role != NULL)
        add(&l, mem_printf(ctx, "--role=%s", request->role));
    selection_describe(request->selection, ctx, &selection, &count);
    for (size_t i = 0; i < count; i++)
        add(&l, selection[i]);
    for (size_t i = 0; request->dump_args != NULL && request->dump_args[i] != NULL; i++)
        add(&l, mem_printf(ctx, "pg_dump %s", request->dump_args[i]));
    *ret = l.texts;
    *ret_count = l.count;
}

static const char *find(char *const *texts, size_t count, const char *text, size_t len)
{
    for (size_t i = 0; i < count; i++)
    {
        if (strncmp(texts[i], text, len) == 0)
            return texts[i];
    }
    return NULL;
}

void resume_note_base(void *ctx, const char *key, char ***texts, size_t *count)
{
    char **all = mem_array(ctx, char *, *count + 1);
    for (size_t i = 0; i < *count; i++)
        all[i] = (*texts)[i];
    all[(*count)++] = mem_printf(ctx, BASE "%s", key);
    *texts = all;
}

const char *resume_base(const HoldFile *file)
{
    const char *text = find(file->hold.request, file->hold.request_count, BASE, strlen(BASE));
    return text == NULL ? NULL : text + strlen(BASE);
}

/* The first of a that is not among b. */
static const char *missing(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
    for (size_t i = 0; i < a_count; i++)
    {
        if (find(b, b_count, a[i], strlen(a[i]) + 1) == NULL &&
            strncmp(a[i], BASE, strlen(BASE)) != 0)
            return a[i];
    }
    return NULL;
}

static bool same_request(const HoldFile *file, const BackupRequest *request, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "request");
    const HoldRecord *hold = &file->hold;
    char **now;
    size_t count;
    resume_describe(request, tmp, &now, &count);
    const char *then_only = missing(hold->request, hold->request_count, now, count);
    const char *now_only = missing(now, count, hold->request, hold->request_count);
    if (then_only == NULL && now_only == NULL)
        return true;
    /* The other value of the same option, where there is one. */
    const char *first = then_only != NULL ? then_only : now_only;
    size_t name = strcspn(first, "=") + 1;
    if (then_only != NULL && first[name - 1] == '=')
        now_only = find(now, count, first, name);
    error_set(err, ERR_USAGE, "set %s was begun with %s, and is to be resumed with %s", hold->key,
              then_only != NULL ? then_only : "nothing of the kind",
              now_only != NULL ? now_only : "nothing of the kind");
    return error_hint(err, "Resume with the options of the run that died; --jobs may differ.");
}

/* ---- the set ---- */

static bool gone(const char *key, Error *err)
{
    error_set(err, ERR_NOT_FOUND, "the snapshot of set %s is gone: nothing of it can be used", key);
    return error_hint(err, "Start anew, without --resume; \"pgark expire\" removes what is left.");
}

static bool check_set(Repo *repo, const char *key, const char *dir, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "set");
    StorageInfo set;
    StorageInfo manifest;
    if (!storage_stat(repo->storage, dir, &set, err) ||
        !storage_stat(repo->storage, mem_printf(tmp, "%s/manifest.jsonl", dir), &manifest, err))
        return false;
    if (set.kind != STORAGE_DIR)
        return error_set(err, ERR_NOT_FOUND, "there is no set %s in repository %s", key,
                         storage_uri(repo->storage));
    if (manifest.kind != STORAGE_MISSING)
        return error_set(err, ERR_EXISTS, "set %s is finished: there is nothing to resume", key);
    return !repo_lock_is_held(repo, mem_printf(tmp, "%s/run.lock", dir)) ||
           error_set(err, ERR_LOCK, "set %s is being made: its run lives", key);
}

static HoldFile *read_hold(void *ctx, Repo *repo, const char *key, const char *dir, Error *err)
{
    Error why = ERROR_INIT;
    HoldFile *file = hold_read(repo, ctx, dir, &why);
    if (file != NULL && hold_is_alive(repo, dir))
        return file;
    if (file != NULL || why.code == ERR_NOT_FOUND)
        gone(key, err);
    else
        *err = why;
    return NULL;
}

/* ---- the fleet ---- */

static const HoldNodeRecord *find_node(const HoldFile *file, int content, const char *database)
{
    for (size_t i = 0; i < file->node_count; i++)
    {
        if (file->nodes[i].content == content && str_equal(file->nodes[i].database, database))
            return &file->nodes[i];
    }
    return NULL;
}

static const Fleet *only_held(void *ctx, const Fleet *fleet, const HoldFile *file)
{
    Fleet *held = mem_new(ctx, Fleet);
    size_t capacity = 0;
    *held = *fleet;
    held->nodes = NULL;
    held->node_count = 0;
    for (size_t i = 0; i < fleet->node_count; i++)
    {
        if (find_node(file, fleet->nodes[i].content, fleet->nodes[i].spec.database) != NULL)
            *mem_push(held, held->nodes, held->node_count, capacity, FleetNode) = fleet->nodes[i];
    }
    return held;
}

bool resume_open(void *ctx, const BackupRequest *request, const Fleet **fleet, Repo **ret_repo,
                 HoldFile **ret_file, Error *err)
{
    *ret_repo = repo_open(ctx, request->repo, err);
    if (*ret_repo == NULL)
        return false;
    const char *dir = repo_set_dir(*ret_repo, ctx, request->key);
    if (!check_set(*ret_repo, request->key, dir, err))
        return false;
    *ret_file = read_hold(ctx, *ret_repo, request->key, dir, err);
    if (*ret_file == NULL || !same_request(*ret_file, request, err))
        return false;
    if (request->all_databases)
        *fleet = only_held(ctx, *fleet, *ret_file);
    return (*fleet)->node_count == (*ret_file)->node_count ||
           error_set(err, ERR_USAGE, "set %s has %zu databases, this fleet has %zu", request->key,
                     (*ret_file)->node_count, (*fleet)->node_count);
}

bool resume_match(const HoldFile *file, const char *fleet_name, BackupNode *nodes, size_t count,
                  Error *err)
{
    for (size_t i = 0; i < count; i++)
    {
        const NodeRecord *r = &nodes[i].record;
        nodes[i].held = find_node(file, r->content, r->database);
        if (nodes[i].held == NULL ||
            !str_equal(nodes[i].held->system_identifier, r->system_identifier))
        {
            error_set(err, ERR_USAGE,
                      "set %s is not of this database: node %d of it is another than \"%s\" of "
                      "system %s",
                      file->hold.key, r->content, r->database, r->system_identifier);
            return error_node(err, nodes[i].label);
        }
    }
    return str_equal(file->hold.fleet, fleet_name) ||
           error_set(err, ERR_USAGE, "set %s is of fleet \"%s\", not of \"%s\"", file->hold.key,
                     file->hold.fleet, fleet_name);
}

/* ---- after a failure ---- */

bool resume_helps(const Error *failure, bool resumed)
{
    /* No resources, intervention by an operator or a crash, a failing system, a lost connection. */
    static const char *const classes[] = {"08", "53", "57", "58"};
    switch (failure->code)
    {
    case ERR_CONNECT:
    case ERR_STORAGE:
    case ERR_PROGRAM:
    case ERR_LOCK:
        return true;
    case ERR_CHANGED:
        return resumed; /* otherwise the run has started over by itself */
    case ERR_QUERY:
        for (size_t i = 0; i < LENGTH_OF(classes); i++)
        {
            if (strncmp(failure->sqlstate, classes[i], 2) == 0)
                return true;
        }
        return false;
    default:
        return false;
    }
}
