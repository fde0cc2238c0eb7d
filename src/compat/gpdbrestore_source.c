/* compat/gpdbrestore_source.c - which dump is restored; see gpdbrestore_parts.h. */
#include "base/str.h"
#include "compat/gpdbrestore_parts.h"

#define REPORT_MAX ((size_t) 1024 * 1024)

typedef struct Candidates
{
    char (*keys)[SET_KEY_LEN]; /* the oldest first */
    size_t count;
} Candidates;

/* Sets of the day, or of the database, or of both; of the series that is named, or of none. */
static bool find_candidates(const DbRestore *r, Candidates *ret, Error *err)
{
    const char *day = legacy_options_string(r->o, RESTORE_DAY);
    const char *database = legacy_options_string(r->o, RESTORE_DATABASE);
    RepoSetInfo *sets;
    size_t count;
    if (!repo_list_sets(r->repo, r->ctx, &sets, &count, err))
        return false;
    ret->keys = (char(*)[SET_KEY_LEN]) mem_array(r->ctx, char, (count + 1) * SET_KEY_LEN);
    ret->count = 0;
    for (size_t i = 0; i < count; i++)
    {
        AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "set");
        Error why = ERROR_INIT;
        if (!sets[i].finished || (day != NULL && strncmp(sets[i].key, day, 8) != 0))
            continue;
        const Manifest *m = manifest_read(r->repo->storage, tmp, sets[i].dir, true, &why);
        if (m == NULL)
            log_warning("dump %s cannot be read: %s", sets[i].key, why.message);
        else if (str_equal(m->set.prefix, r->prefix) &&
                 (database == NULL || strcmp(m->nodes[0].database, database) == 0))
            memcpy(ret->keys[ret->count++], sets[i].key, SET_KEY_LEN);
    }
    return true;
}

static bool none(const DbRestore *r, Error *err)
{
    const char *day = legacy_options_string(r->o, RESTORE_DAY);
    const char *database = legacy_options_string(r->o, RESTORE_DATABASE);
    return error_set(err, ERR_NOT_FOUND, "there is no dump of %s %s %s%s in %s",
                     day != NULL ? "day" : "database", day != NULL ? day : database,
                     r->prefix == NULL ? "without a prefix" : "with the prefix ",
                     r->prefix == NULL ? "" : r->prefix, r->place.repo_dir);
}

/* Of several, the user chooses. */
static bool ask(DbRestore *r, const Candidates *c, Error *err)
{
    char answer[16] = "";
    char *end = NULL;
    for (size_t i = 0; i < c->count; i++)
        printf("[%zu] %s\n", i + 1, c->keys[i]);
    printf("Which dump? ");
    fflush(stdout);
    if (fgets(answer, (int) sizeof(answer), stdin) == NULL)
        printf("\n");
    answer[strcspn(answer, "\r\n")] = '\0';
    long number = strtol(answer, &end, 10);
    if (end == answer || *end != '\0' || number < 1 || (size_t) number > c->count)
    {
        error_set(err, ERR_USAGE, "\"%s\" is none of the numbers 1 to %zu", answer, c->count);
        return error_hint(err, "-t names a dump by its key.");
    }
    memcpy(r->key, c->keys[number - 1], SET_KEY_LEN);
    return true;
}

static bool choose(DbRestore *r, Error *err)
{
    Candidates c;
    const char *key = legacy_options_string(r->o, RESTORE_KEY);
    if (key != NULL)
    {
        memcpy(r->key, key, SET_KEY_LEN);
        return true;
    }
    if (!find_candidates(r, &c, err))
        return false;
    if (c.count == 0)
        return none(r, err);
    if (c.count > 1 && restore_given(r, RESTORE_DAY))
        return ask(r, &c, err);
    memcpy(r->key, c.keys[c.count - 1], SET_KEY_LEN);
    return true;
}

static bool has_word(const char *line, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = strstr(line, word); at != NULL; at = strstr(at + 1, word))
    {
        if ((at == line || at[-1] == ' ') && strchr(" \r\n", at[len]) != NULL)
            return true;
    }
    return false;
}

/* How the dump was to be restored: its report says what was passed on to the program that wrote it. */
static bool read_report(DbRestore *r, Error *err)
{
    static const char head[] = "Pass through Command Line Options:";
    const char *prefix = r->manifest->set.prefix;
    const char *name = cron_place_name(
        r->ctx, prefix == NULL ? "" : mem_printf(r->ctx, "%s_", prefix), r->key, ".rpt");
    const char *path = mem_printf(r->ctx, "%.8s/%s", r->key, name);
    StorageInfo info;
    char *text;
    size_t len;
    if (!storage_stat(r->repo->storage, path, &info, err))
        return false;
    if (info.kind != STORAGE_FILE)
        return true;
    if (!storage_read_all(r->repo->storage, r->ctx, path, REPORT_MAX, &text, &len, err))
        return false;
    char *line = strstr(text, head);
    if (line == NULL)
        return true;
    line += strlen(head);
    line[strcspn(line, "\n")] = '\0';
    r->clean = has_word(line, "--clean");
    r->no_owner = has_word(line, "--no-owner");
    r->session_authorization = has_word(line, "--use-set-session-authorization");
    return true;
}

bool restore_source(DbRestore *r, Error *err)
{
    const char *database = legacy_options_string(r->o, RESTORE_DATABASE);
    char key[SET_KEY_LEN];
    SetChoice choice = {.prefix = r->prefix, .form = SET_OF_ROWS};
    if (!choose(r, err) ||
        !repo_resolve(r->repo, r->ctx, r->key, &choice, key, &r->set_dir, &r->lock, err))
        return false;
    r->manifest = manifest_read(r->repo->storage, r->ctx, r->set_dir, false, err);
    if (r->manifest == NULL)
        return error_prefix(err, "dump %s", r->key);
    r->source = r->manifest->nodes[0].database;
    if (database != NULL && strcmp(database, r->source) != 0)
        return error_set(err, ERR_NOT_FOUND, "dump %s is of database \"%s\", and not of \"%s\"",
                         r->key, r->source, database);
    return read_report(r, err);
}
