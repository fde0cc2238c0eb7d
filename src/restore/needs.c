/* restore/needs.c - what must be there before; the contract is in needs.h. */
#include "restore/needs.h"

#include "restore/large_objects.h"
#include "restore/sql_text.h"
#include "restore/target.h"

#define NAMES_SHOWN 5

typedef struct Names
{
    void *ctx;
    const char **items;
    size_t count;
    size_t capacity;
} Names;

static void add_name(void *arg, const char *name)
{
    Names *names = arg;
    /* Neighbours in an archive mostly belong to the same role. */
    if (names->count > 0 && strcmp(names->items[names->count - 1], name) == 0)
        return;
    *mem_push(names->ctx, names->items, names->count, names->capacity,
              const char *) = mem_strdup(names->ctx, name);
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void sort_unique(Names *names)
{
    size_t unique = names->count > 0 ? 1 : 0;
    if (names->count > 1)
        qsort(names->items, names->count, sizeof(*names->items), name_order);
    for (size_t i = 1; i < names->count; i++)
    {
        if (strcmp(names->items[i], names->items[unique - 1]) != 0)
            names->items[unique++] = names->items[i];
    }
    names->count = unique;
}

/* Takes those out of names (sorted) that sql gives, in the order of bytes. */
static bool remove_known(PgConn *conn, const char *sql, Names *names, Error *err)
{
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 0, NULL, err);
    size_t left = 0;
    int row = 0;
    if (res == NULL)
        return false;
    for (size_t i = 0; i < names->count; i++)
    {
        while (row < PQntuples(res) && strcmp(pg_cell(res, row, 0), names->items[i]) < 0)
            row++;
        if (row == PQntuples(res) || strcmp(pg_cell(res, row, 0), names->items[i]) != 0)
            names->items[left++] = names->items[i];
    }
    names->count = left;
    return true;
}

static bool missing(const Names *names, const char *what, const char *hint, Error *err)
{
    Str *list = str_new(names->ctx);
    for (size_t i = 0; i < names->count && i < NAMES_SHOWN; i++)
        str_addf(list, "%s\"%s\"", i == 0 ? "" : ", ", names->items[i]);
    if (names->count > NAMES_SHOWN)
        str_addf(list, " and %zu more", names->count - NAMES_SHOWN);
    error_set(err, ERR_NOT_FOUND, "the target has no %s%s %s, which the definitions name", what,
              names->count == 1 ? "" : "s", list->data);
    return error_hint(err, "%s", hint);
}

static bool names_roles(const TocEntry *e)
{
    static const char *const list[] = {"ACL", "DEFAULT ACL", "POLICY"};
    for (size_t i = 0; i < LENGTH_OF(list); i++)
    {
        if (strcmp(e->desc, list[i]) == 0)
            return true;
    }
    return false;
}

/* Of the database itself only what --create will run counts. */
static void collect(const RestoreNode *node, const ArchiveToc *toc, Names *roles,
                    Names *tablespaces)
{
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        const TocEntry *e = &toc->entries[i];
        bool database = strcmp(e->desc, "DATABASE") == 0 || strncmp(e->tag, "DATABASE ", 9) == 0;
        if (database && !node->request->create)
            continue;
        if (e->owner[0] != '\0' && e->drop_stmt[0] != '\0')
            add_name(roles, e->owner);
        if (names_roles(e))
            sql_text_each_role(e->defn, true, add_name, roles);
        if (e->tablespace != NULL && e->tablespace[0] != '\0')
            add_name(tablespaces, e->tablespace);
    }
    sort_unique(tablespaces);
}

bool needs_check(const RestoreNode *node, const ArchiveToc *toc, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "needs");
    Names roles = {.ctx = tmp};
    Names tablespaces = {.ctx = tmp};
    collect(node, toc, &roles, &tablespaces);
    for (size_t i = 0; node->large_objects != NULL && i < node->large_objects->role_count; i++)
        add_name(&roles, node->large_objects->roles[i]);
    sort_unique(&roles);
    if (!target_set_encoding(node, node->main, err) ||
        !remove_known(node->main,
                      "SELECT rolname FROM pg_catalog.pg_roles ORDER BY rolname COLLATE \"C\"",
                      &roles, err) ||
        !remove_known(node->main,
                      "SELECT spcname FROM pg_catalog.pg_tablespace ORDER BY spcname COLLATE \"C\"",
                      &tablespaces, err))
        return false;
    if (roles.count > 0)
        return missing(&roles, "role",
                       "Create them first; pg_dumpall --roles-only on the source writes how.", err);
    return tablespaces.count == 0 ||
           missing(&tablespaces, "tablespace", "Create them first, with CREATE TABLESPACE.", err);
}
