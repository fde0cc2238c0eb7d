/* restore/remap.c - definitions that move to another schema; the contract is in remap.h. */
#include "restore/remap.h"

#include <ctype.h>

#include "base/str.h"
#include "pg/sql_token.h"
#include "restore/adapt.h"
#include "restore/entry.h"
#include "restore/owner.h"
#include "restore/sql_text.h"

#define LABEL_SHOWN 160

/* A name that is free to be used in a moved schema: of something that moves there. */
typedef struct Moved
{
    const char *schema; /* the old one */
    const char *name;
} Moved;

typedef struct Remap
{
    ArchiveToc *toc;
    const NameMap *map;
    size_t map_count;
    bool std_strings;
    Moved *moved; /* sorted */
    size_t moved_count, moved_capacity;
    void *tmp;
    SqlToken *tokens; /* of the text at hand */
    size_t token_count, token_capacity;
    size_t refused;
    Error *err;
} Remap;

static const char *lookup(const Remap *r, const char *schema)
{
    return schema == NULL ? NULL : adapt_lookup(r->map, r->map_count, schema);
}

/* ---- the map itself ---- */

static bool check_map(const Remap *r)
{
    for (size_t i = 0; i < r->map_count; i++)
    {
        if (strcmp(r->map[i].from, r->map[i].to) == 0)
            return error_set(r->err, ERR_USAGE, "--schema-map maps schema \"%s\" onto itself",
                             r->map[i].from);
        for (size_t j = 0; j < i; j++)
        {
            if (strcmp(r->map[i].from, r->map[j].from) == 0)
                return error_set(r->err, ERR_USAGE, "--schema-map maps schema \"%s\" twice",
                                 r->map[i].from);
            if (strcmp(r->map[i].to, r->map[j].to) == 0)
                return error_set(
                    r->err, ERR_USAGE,
                    "--schema-map maps both schema \"%s\" and schema \"%s\" onto \"%s\"",
                    r->map[j].from, r->map[i].from, r->map[i].to);
        }
    }
    return true;
}

static bool is_target(const Remap *r, const char *schema)
{
    for (size_t i = 0; i < r->map_count; i++)
        if (strcmp(r->map[i].to, schema) == 0)
            return true;
    return false;
}

static bool check_collisions(const Remap *r)
{
    for (size_t i = 0; i < r->toc->entry_count; i++)
    {
        const TocEntry *e = &r->toc->entries[i];
        const char *schema = entry_is(e, "SCHEMA") ? e->tag : e->schema;
        if (schema == NULL || !is_target(r, schema) || lookup(r, schema) != NULL)
            continue;
        error_set(r->err, ERR_USAGE,
                  "--schema-map moves objects to schema \"%s\", which the set has objects of its "
                  "own in",
                  schema);
        return error_hint(r->err, "Leave them out with -N, map their schema too, or choose another "
                                  "name.");
    }
    return true;
}

/* ---- which names move ---- */

static int moved_order(const void *a, const void *b)
{
    const Moved *x = a;
    const Moved *y = b;
    int c = strcmp(x->name, y->name);
    return c != 0 ? c : strcmp(x->schema, y->schema);
}

/* The index of a constraint has the constraint's name. */
static const char *own_name(const Remap *r, const TocEntry *e)
{
    const TocEntry *owner = entry_is(e, "CONSTRAINT") ? owner_find(r->toc, e) : NULL;
    size_t skip = owner == NULL ? 0 : strlen(owner->tag) + 1;
    return strlen(e->tag) > skip ? e->tag + skip : e->tag;
}

static void find_moved(Remap *r)
{
    for (size_t i = 0; i < r->toc->entry_count; i++)
    {
        const TocEntry *e = &r->toc->entries[i];
        if (lookup(r, e->schema) == NULL || entry_is_attachment(e))
            continue;
        Moved *m = mem_push(r->tmp, r->moved, r->moved_count, r->moved_capacity, Moved);
        *m = (Moved){e->schema, own_name(r, e)};
    }
    if (r->moved_count > 1)
        qsort(r->moved, r->moved_count, sizeof(Moved), moved_order);
}

static bool moves(const Remap *r, const char *schema, const char *name)
{
    Moved key = {schema, name};
    return r->moved_count > 0 &&
           bsearch(&key, r->moved, r->moved_count, sizeof(Moved), moved_order) != NULL;
}

/* ---- a text ---- */

static void tokenize(Remap *r, const char *text)
{
    SqlScanner s = {text, r->std_strings};
    SqlToken t;

    r->token_count = 0;
    while (sql_token_next(&s, &t))
        *mem_push(r->tmp, r->tokens, r->token_count, r->token_capacity, SqlToken) = t;
}

static bool is_name(const Remap *r, size_t i)
{
    return i < r->token_count &&
           (r->tokens[i].kind == SQL_TOKEN_WORD || r->tokens[i].kind == SQL_TOKEN_QUOTED_NAME);
}

static bool is_char(const Remap *r, size_t i, char c)
{
    return i < r->token_count && r->tokens[i].kind == SQL_TOKEN_OTHER && *r->tokens[i].start == c;
}

static char *name_at(const Remap *r, size_t i, void *ctx)
{
    return sql_token_name(ctx, &r->tokens[i]);
}

/* The new schema for the name at i when it is the schema of an object that moves, else NULL. */
static const char *qualifier(const Remap *r, size_t i)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "name");

    if (!is_name(r, i) || !is_char(r, i + 1, '.') || !is_name(r, i + 2) ||
        (i > 0 && is_char(r, i - 1, '.')))
        return NULL;
    const char *schema = name_at(r, i, tmp);
    const char *to = lookup(r, schema);
    return to != NULL && moves(r, schema, name_at(r, i + 2, tmp)) ? to : NULL;
}

/* SCHEMA name, in what is about a schema itself. */
static const char *schema_name(const Remap *r, size_t i)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "name");

    if (i == 0 || !is_name(r, i) || !sql_token_is(&r->tokens[i - 1], "schema"))
        return NULL;
    return lookup(r, name_at(r, i, tmp));
}

/* Whether text has one of the mapped names, as a whole word, with a dot behind it. */
static bool holds_name(const Remap *r, const char *text, size_t len)
{
    for (size_t m = 0; m < r->map_count; m++)
    {
        const char *name = r->map[m].from;
        size_t n = strlen(name);
        for (size_t i = 0; i + n < len; i++)
        {
            if (strncmp(text + i, name, n) != 0)
                continue;
            bool begins = i == 0 || strchr("_$", text[i - 1]) == NULL;
            begins = begins && (i == 0 || !isalnum((unsigned char) text[i - 1]));
            size_t behind = i + n + (text[i + n] == '"' ? 1 : 0);
            if (begins && behind < len && text[behind] == '.')
                return true;
        }
    }
    return false;
}

/* ::regclass, ::pg_catalog.regclass */
static bool is_regclass(const Remap *r, size_t i)
{
    if (!is_char(r, i + 1, ':') || !is_char(r, i + 2, ':'))
        return false;
    size_t type = is_char(r, i + 4, '.') ? i + 5 : i + 3;
    return type < r->token_count && sql_token_is(&r->tokens[type], "regclass");
}

/* 'old.s' with an object's name in it: appends it with its new schema and returns true. */
static bool add_regclass(const Remap *r, size_t i, Str *out)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "literal");
    const SqlToken *t = &r->tokens[i];
    Remap inner = {.map = r->map,
                   .map_count = r->map_count,
                   .moved = r->moved,
                   .moved_count = r->moved_count,
                   .std_strings = true,
                   .tmp = tmp};

    if (t->len < 2 || *t->start != '\'' || memchr(t->start, '\\', t->len) != NULL)
        return false;
    Str *text = str_new(tmp);
    for (size_t k = 1; k + 1 < t->len; k++)
    {
        str_addc(text, t->start[k]);
        k += t->start[k] == '\'' ? 1 : 0;
    }
    tokenize(&inner, text->data);
    if (inner.token_count != 3 || !is_name(&inner, 0) || !is_char(&inner, 1, '.') ||
        !is_name(&inner, 2))
        return false;
    const char *to = qualifier(&inner, 0);
    Str *name = str_new(tmp);
    sql_text_add_qualified(name, to != NULL ? to : name_at(&inner, 0, tmp),
                           name_at(&inner, 2, tmp));
    str_addc(out, '\'');
    for (const char *p = name->data; *p != '\0'; p++)
        str_addf(out, *p == '\'' ? "''" : "%c", *p);
    str_addc(out, '\'');
    return true;
}

static const char *const about_schema[] = {"SCHEMA", "DEFAULT ACL", "PUBLICATION TABLES IN SCHEMA",
                                           NULL};

/* Sets out to what the token at i becomes; false: it stays. */
static bool replace(const Remap *r, const TocEntry *e, size_t i, Str *out)
{
    const char *to = qualifier(r, i);

    str_clear(out);
    if (to == NULL && (entry_is_any(e->desc, about_schema) || entry_is_of(e, "SCHEMA ")))
        to = schema_name(r, i);
    if (to == NULL)
        return r->tokens[i].kind == SQL_TOKEN_STRING && is_regclass(r, i) &&
               add_regclass(r, i, out);
    sql_text_add_name(out, to);
    return true;
}

/* Whether it is worth a look; a name with quotes in it is written in another way. */
static bool may_name(const Remap *r, const char *text)
{
    for (size_t i = 0; i < r->map_count; i++)
        if (strchr(r->map[i].from, '"') != NULL || strstr(text, r->map[i].from) != NULL)
            return true;
    return false;
}

static const char *rewrite(Remap *r, const TocEntry *e, const char *text)
{
    if (!may_name(r, text))
        return text;
    tokenize(r, text);
    Str *out = str_new(r->toc);
    Str *piece = str_new(r->tmp);
    const char *copied = text;
    for (size_t i = 0; i < r->token_count; i++)
    {
        const SqlToken *t = &r->tokens[i];
        if (!replace(r, e, i, piece))
            continue;
        str_addn(out, copied, (size_t) (t->start - copied));
        str_add(out, piece->data);
        copied = t->start + t->len;
    }
    str_add(out, copied);
    return out->data;
}

/* ---- what cannot be moved ---- */

/* These have no text but names and expressions of one table. */
static bool is_understood(const TocEntry *e)
{
    static const char *const list[] = {"SCHEMA",
                                       "TABLE",
                                       "FOREIGN TABLE",
                                       "SEQUENCE",
                                       "SEQUENCE OWNED BY",
                                       "DEFAULT",
                                       "INDEX",
                                       "INDEX ATTACH",
                                       "TABLE ATTACH",
                                       "CONSTRAINT",
                                       "CHECK CONSTRAINT",
                                       "FK CONSTRAINT",
                                       "STATISTICS",
                                       "ROW SECURITY",
                                       "POLICY",
                                       "TRIGGER",
                                       "TYPE",
                                       "DOMAIN",
                                       "COLLATION",
                                       "DEFAULT ACL",
                                       "PUBLICATION TABLE",
                                       "PUBLICATION TABLES IN SCHEMA",
                                       NULL};
    return entry_is_any(e->desc, list) || entry_is_attachment(e);
}

static const char *string_with_name(const Remap *r, const TocEntry *e)
{
    if (entry_is(e, "COMMENT") || entry_is(e, "SECURITY LABEL"))
        return NULL;
    for (size_t i = 0; i < r->token_count; i++)
        if (r->tokens[i].kind == SQL_TOKEN_STRING && !is_regclass(r, i) &&
            holds_name(r, r->tokens[i].start, r->tokens[i].len))
            return "a string in it names the schema";
    return NULL;
}

static bool has_word(const Remap *r, const char *word)
{
    for (size_t i = 0; i < r->token_count; i++)
        if (sql_token_is(&r->tokens[i], word))
            return true;
    return false;
}

static bool has_qualifier(const Remap *r)
{
    for (size_t i = 0; i < r->token_count; i++)
        if (qualifier(r, i) != NULL)
            return true;
    return false;
}

/* An extension is made in a schema that its definition names. */
static bool is_made_in(const Remap *r, const TocEntry *e)
{
    for (size_t i = 0; entry_is(e, "EXTENSION") && i < r->token_count; i++)
        if (schema_name(r, i) != NULL)
            return true;
    return false;
}

/* Why the entry cannot be moved, or NULL; its definition is tokenized. */
static const char *obstacle(const Remap *r, const TocEntry *e)
{
    if (!is_understood(e))
    {
        if (lookup(r, e->schema) != NULL || is_made_in(r, e))
            return "only tables, sequences, indexes, constraints and types can be moved";
        if (has_qualifier(r) || string_with_name(r, e) != NULL)
            return "its definition names objects of the schema";
        return NULL;
    }
    if (entry_is(e, "POLICY") && has_word(r, "select") && has_qualifier(r))
        return "its definition has a query";
    /* There they are the row before and after. */
    if (entry_is(e, "TRIGGER") && has_word(r, "when") &&
        (lookup(r, "old") != NULL || lookup(r, "new") != NULL))
        return "its condition may name a row as the schema is called";
    return string_with_name(r, e);
}

static void refuse(Remap *r, const TocEntry *e, const char *why)
{
    char tag[LABEL_SHOWN];

    if (r->refused++ > 0)
        return;
    error_set(r->err, ERR_USAGE, "--schema-map cannot move %s %s%s%s: %s", e->desc,
              e->schema == NULL ? "" : e->schema, entry_has_schema(e) ? "." : "",
              str_one_line(tag, sizeof(tag), e->tag), why);
    error_hint(r->err, "Leave it out, or restore into another database and rename the schema there "
                       "with ALTER SCHEMA.");
}

static bool check_all(Remap *r)
{
    for (size_t i = 0; i < r->toc->entry_count; i++)
    {
        const TocEntry *e = &r->toc->entries[i];
        if (entry_is_no_ddl(e))
            continue;
        r->token_count = 0;
        if (may_name(r, e->defn))
            tokenize(r, e->defn);
        const char *why = obstacle(r, e);
        if (why != NULL)
            refuse(r, e, why);
    }
    if (r->refused > 1)
        error_prefix(r->err, "%zu objects cannot be moved, the first", r->refused);
    return r->refused == 0;
}

static void move_entry(Remap *r, TocEntry *e)
{
    const char *of = "SCHEMA ";

    e->defn = rewrite(r, e, e->defn);
    e->drop_stmt = rewrite(r, e, e->drop_stmt);
    if (entry_is(e, "SCHEMA") && lookup(r, e->tag) != NULL)
        e->tag = lookup(r, e->tag);
    else if (entry_is_of(e, of) && lookup(r, e->tag + strlen(of)) != NULL)
        e->tag = mem_printf(r->toc, "%s%s", of, lookup(r, e->tag + strlen(of)));
    if (lookup(r, e->schema) != NULL)
        e->schema = lookup(r, e->schema);
}

bool remap_archive(ArchiveToc *toc, const NameMap *map, size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "remap");
    Remap r = {.toc = toc, .map = map, .map_count = count, .tmp = tmp, .err = err};

    r.std_strings = true;
    for (size_t i = 0; i < toc->entry_count; i++)
        if (entry_is(&toc->entries[i], "STDSTRINGS") &&
            strstr(toc->entries[i].defn, "'off'") != NULL)
            r.std_strings = false;
    if (count == 0)
        return true;
    find_moved(&r);
    if (!check_map(&r) || !check_collisions(&r) || !check_all(&r))
        return false;
    for (size_t i = 0; i < toc->entry_count; i++)
        if (!entry_is_no_ddl(&toc->entries[i]))
            move_entry(&r, &toc->entries[i]);
    return true;
}
