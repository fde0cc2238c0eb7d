/* restore/needs.c - what must be there before; the contract is in needs.h. */
#include "restore/needs.h"

#include "pg/sql_token.h"
#include "restore/entry.h"
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

typedef enum NeedKind
{
    NEED_ROLE,
    NEED_TABLESPACE,
    NEED_EXTENSION,
    NEED_ACCESS_METHOD,
    NEED_COLLATION,
    NEED_LANGUAGE,
    NEED_WRAPPER,
    NEED_KINDS,
} NeedKind;

typedef struct NeedRule
{
    const char *what;
    const char *sql;   /* what the target has, in the order of bytes */
    const char *made;  /* entries of this type make one */
    bool by_extension; /* an extension may bring it */
    const char *way;   /* what the hint says */
} NeedRule;

static const NeedRule rules[NEED_KINDS] = {
    [NEED_ROLE] = {"role",
                   "SELECT rolname FROM pg_catalog.pg_roles ORDER BY rolname::text COLLATE \"C\"",
                   NULL, false,
                   "roles: --globals if the set was made with it, create them, or -O -x "
                   "--no-policies"},
    [NEED_TABLESPACE] = {"tablespace",
                         "SELECT spcname FROM pg_catalog.pg_tablespace ORDER BY spcname::text"
                         " COLLATE \"C\"",
                         NULL, false, "tablespaces: --tablespace-map or --no-tablespaces"},
    [NEED_EXTENSION] = {"extension",
                        "SELECT name FROM pg_catalog.pg_available_extensions ORDER BY name::text"
                        " COLLATE \"C\"",
                        NULL, false, "extensions: install them, or --exclude-extension"},
    [NEED_ACCESS_METHOD] =
        {"table access method",
         "SELECT amname FROM pg_catalog.pg_am ORDER BY amname::text COLLATE \"C\"", "ACCESS METHOD",
         true, "access methods: --no-table-access-method"},
    [NEED_COLLATION] = {"collation",
                        "SELECT DISTINCT collname::text COLLATE \"C\" FROM pg_catalog.pg_collation"
                        " WHERE collnamespace = (SELECT oid FROM pg_catalog.pg_namespace"
                        "  WHERE nspname = 'pg_catalog') ORDER BY 1",
                        NULL, false,
                        "collations: install the locale and pg_import_system_collations()"},
    [NEED_LANGUAGE] =
        {"language",
         "SELECT lanname FROM pg_catalog.pg_language ORDER BY lanname::text COLLATE \"C\"",
         "PROCEDURAL LANGUAGE", true, "languages: install them with CREATE EXTENSION"},
    [NEED_WRAPPER] =
        {"foreign-data wrapper",
         "SELECT fdwname FROM pg_catalog.pg_foreign_data_wrapper ORDER BY fdwname::text"
         " COLLATE \"C\"",
         "FOREIGN DATA WRAPPER", true, "foreign-data wrappers: install them with CREATE EXTENSION"},
};

typedef struct Needs
{
    Names names[NEED_KINDS];
    void *ctx;
} Needs;

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

/* Takes those out of names (sorted) that are in others (sorted). */
static void remove_names(Names *names, const char *(*other)(const void *, size_t),
                         const void *others, size_t count)
{
    size_t left = 0;
    size_t row = 0;
    for (size_t i = 0; i < names->count; i++)
    {
        while (row < count && strcmp(other(others, row), names->items[i]) < 0)
            row++;
        if (row == count || strcmp(other(others, row), names->items[i]) != 0)
            names->items[left++] = names->items[i];
    }
    names->count = left;
}

static const char *row_name(const void *res, size_t row)
{
    return pg_cell(res, (int) row, 0);
}

static const char *item_name(const void *names, size_t i)
{
    return ((const Names *) names)->items[i];
}

/* ---- what the definitions name ---- */

static bool names_roles(const TocEntry *e)
{
    static const char *const list[] = {"ACL", "DEFAULT ACL", "POLICY", NULL};
    return entry_is_any(e->desc, list);
}

/* The name behind a keyword or two: LANGUAGE plperl, FOREIGN DATA WRAPPER x. */
static void add_name_behind(Names *names, const char *sql, const char *first, const char *second)
{
    SqlScanner s = {sql, true};
    SqlToken before = {.kind = SQL_TOKEN_OTHER, .start = ""};
    SqlToken last = before;
    SqlToken t;
    while (sql_token_next(&s, &t))
    {
        bool expected = second == NULL
                            ? sql_token_is(&last, first)
                            : sql_token_is(&before, first) && sql_token_is(&last, second);
        if (expected && (t.kind == SQL_TOKEN_WORD || t.kind == SQL_TOKEN_QUOTED_NAME))
        {
            add_name(names, sql_token_name(names->ctx, &t));
            return;
        }
        before = last;
        last = t;
    }
}

/* COLLATE pg_catalog."de_DE": a collation that the server found in its operating system. */
static void add_collations(Names *names, const char *sql)
{
    SqlScanner s = {sql, true};
    SqlToken last[3] = {
        {SQL_TOKEN_OTHER, "", 0}, {SQL_TOKEN_OTHER, "", 0}, {SQL_TOKEN_OTHER, "", 0}};
    SqlToken t;
    if (strstr(sql, "COLLATE pg_catalog.") == NULL)
        return;
    while (sql_token_next(&s, &t))
    {
        if (sql_token_is(&last[0], "collate") && sql_token_is(&last[1], "pg_catalog") &&
            *last[2].start == '.')
            add_name(names, sql_token_name(names->ctx, &t));
        last[0] = last[1];
        last[1] = last[2];
        last[2] = t;
    }
}

static void collect_entry(Needs *n, const TocEntry *e)
{
    static const char *const in_language[] = {"FUNCTION", "PROCEDURE", NULL};

    if (e->owner[0] != '\0' && e->drop_stmt[0] != '\0')
        add_name(&n->names[NEED_ROLE], e->owner);
    if (names_roles(e))
        sql_text_each_role(e->defn, true, add_name, &n->names[NEED_ROLE]);
    if (strncmp(e->defn, "SET LOCAL SESSION AUTHORIZATION", 31) == 0)
        add_name_behind(&n->names[NEED_ROLE], e->defn, "session", "authorization");
    if (e->tablespace != NULL && e->tablespace[0] != '\0')
        add_name(&n->names[NEED_TABLESPACE], e->tablespace);
    if (e->table_am != NULL && e->table_am[0] != '\0')
        add_name(&n->names[NEED_ACCESS_METHOD], e->table_am);
    if (entry_is(e, "EXTENSION"))
        add_name(&n->names[NEED_EXTENSION], e->tag);
    if (entry_is(e, "SERVER"))
        add_name_behind(&n->names[NEED_WRAPPER], e->defn, "data", "wrapper");
    if (entry_is_any(e->desc, in_language))
        add_name_behind(&n->names[NEED_LANGUAGE], e->defn, "language", NULL);
    add_collations(&n->names[NEED_COLLATION], e->defn);
}

/* Of the database itself only what --create will run counts. */
static void collect(const RestoreNode *node, const ArchiveToc *toc, Needs *n)
{
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        const TocEntry *e = &toc->entries[i];
        if (!entry_is_about_database(e) || node->request->create)
            collect_entry(n, e);
    }
    for (size_t i = 0; node->large_objects != NULL && i < node->large_objects->role_count; i++)
        add_name(&n->names[NEED_ROLE], node->large_objects->roles[i]);
    if (node->request->role != NULL)
        add_name(&n->names[NEED_ROLE], node->request->role);
    for (int kind = 0; kind < NEED_KINDS; kind++)
        sort_unique(&n->names[kind]);
}

/* ---- what is missing ---- */

/* The archive makes it itself, or has an extension that may bring it. */
static void remove_made(const ArchiveToc *toc, const NeedRule *rule, Names *names)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "made");
    Names made = {.ctx = tmp};
    for (size_t i = 0; names->count > 0 && i < toc->entry_count; i++)
    {
        const TocEntry *e = &toc->entries[i];
        if (rule->by_extension && entry_is(e, "EXTENSION"))
            names->count = 0;
        else if (rule->made != NULL && entry_is(e, rule->made))
            add_name(&made, e->tag);
    }
    sort_unique(&made);
    remove_names(names, item_name, &made, made.count);
}

/* The set's own roles and tablespaces are made before anything else. */
static void remove_global(const Globals *globals, NeedKind kind, Names *names)
{
    size_t left = 0;
    for (size_t i = 0; i < names->count; i++)
    {
        bool made = kind == NEED_ROLE         ? globals_has_role(globals, names->items[i])
                    : kind == NEED_TABLESPACE ? globals_has_tablespace(globals, names->items[i])
                                              : false;
        if (!made)
            names->items[left++] = names->items[i];
    }
    names->count = left;
}

static bool find_missing(const RestoreNode *node, const ArchiveToc *toc, Needs *n, Error *err)
{
    for (int kind = 0; kind < NEED_KINDS; kind++)
    {
        Names *names = &n->names[kind];
        if (names->count == 0)
            continue;
        AUTO(PQclear) PGresult *res = pg_query(node->main, rules[kind].sql, 0, NULL, err);
        if (res == NULL)
            return false;
        remove_names(names, row_name, res, (size_t) PQntuples(res));
        remove_made(toc, &rules[kind], names);
        if (node->globals != NULL)
            remove_global(node->globals, (NeedKind) kind, names);
    }
    return true;
}

static void add_list(Str *text, const char *what, const Names *names)
{
    char shown[80];
    str_addf(text, "%s%s%s ", text->len == 0 ? "" : "; ", what, names->count == 1 ? "" : "s");
    for (size_t i = 0; i < names->count && i < NAMES_SHOWN; i++)
        str_addf(text, "%s\"%s\"", i == 0 ? "" : ", ",
                 str_one_line(shown, sizeof(shown), names->items[i]));
    if (names->count > NAMES_SHOWN)
        str_addf(text, " and %zu more", names->count - NAMES_SHOWN);
}

static bool report(const RestoreNode *node, const Needs *n, Error *err)
{
    Str *text = str_new(n->ctx);
    Str *ways = str_new(n->ctx);
    for (int kind = 0; kind < NEED_KINDS; kind++)
    {
        if (n->names[kind].count == 0)
            continue;
        add_list(text, rules[kind].what, &n->names[kind]);
        str_addf(ways, "%s%s", ways->len == 0 ? "" : "; ", rules[kind].way);
    }
    if (text->len == 0)
        return true;
    if (node->request->on_error == ON_ERROR_CONTINUE)
    {
        log_warning("%s: the target has no %s, which the definitions name", node->label,
                    text->data);
        return true;
    }
    error_set(err, ERR_NOT_FOUND, "the target has no %s, which the definitions name", text->data);
    return error_hint(err, "For %s.", ways->data);
}

bool needs_check(const RestoreNode *node, const ArchiveToc *toc, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "needs");
    Needs n = {.ctx = tmp};
    for (int kind = 0; kind < NEED_KINDS; kind++)
        n.names[kind].ctx = tmp;
    collect(node, toc, &n);
    return target_set_encoding(node, node->main, err) && find_missing(node, toc, &n, err) &&
           report(node, &n, err);
}
