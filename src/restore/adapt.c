/* restore/adapt.c - entries changed as asked; the contract is in adapt.h. */
#include "restore/adapt.h"

#include "base/str.h"
#include "pg/sql_token.h"
#include "restore/entry.h"
#include "restore/sql_text.h"

#define DEFAULT_TABLESPACE "pg_default"

const char *adapt_lookup(const NameMap *map, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(map[i].from, name) == 0)
            return map[i].to;
    return NULL;
}

/* One string is one transaction: the setting is gone behind it, whatever happens. */
static void make_as_owner(ArchiveToc *toc, TocEntry *e)
{
    if (e->owner[0] == '\0' || entry_is_no_ddl(e) || sql_text_is_blank(e->defn))
        return;
    Str *s = str_new(toc);
    str_add(s, "SET LOCAL SESSION AUTHORIZATION ");
    sql_text_add_name(s, e->owner);
    str_add(s, ";\n");
    str_add(s, e->defn);
    e->defn = s->data;
}

static const char *new_tablespace(const RestoreRequest *r, const char *name)
{
    const char *mapped = adapt_lookup(r->tablespace_map, r->tablespace_map_count, name);
    return r->no_tablespaces ? DEFAULT_TABLESPACE : mapped;
}

/* CREATE DATABASE ... TABLESPACE = name */
static void move_database(ArchiveToc *toc, TocEntry *e, const RestoreRequest *r)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "database");
    Str *out = str_new(toc);
    SqlScanner s = {e->defn, true};
    SqlToken t;
    bool expected = false;
    const char *copied = e->defn;

    while (sql_token_next(&s, &t))
    {
        bool name = t.kind == SQL_TOKEN_WORD || t.kind == SQL_TOKEN_QUOTED_NAME;
        const char *to = expected && name ? new_tablespace(r, sql_token_name(tmp, &t)) : NULL;
        if (to != NULL)
        {
            str_addn(out, copied, (size_t) (t.start - copied));
            sql_text_add_name(out, to);
            copied = t.start + t.len;
        }
        expected = sql_token_is(&t, "tablespace") || (expected && *t.start == '=');
    }
    str_add(out, copied);
    e->defn = out->data;
}

static void move_entry(TocEntry *e, const RestoreRequest *r)
{
    if (e->tablespace == NULL || e->tablespace[0] == '\0')
        return;
    const char *to = adapt_lookup(r->tablespace_map, r->tablespace_map_count, e->tablespace);
    if (to != NULL)
        e->tablespace = to;
}

void adapt_archive(ArchiveToc *toc, const RestoreRequest *r)
{
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        TocEntry *e = &toc->entries[i];
        if (r->session_authorization && !r->no_owner)
            make_as_owner(toc, e);
        if (r->no_owner || r->session_authorization)
            e->owner = "";
        if (entry_is(e, "DATABASE"))
            move_database(toc, e, r);
        move_entry(e, r);
        if (r->no_tablespaces)
            e->tablespace = NULL;
        if (r->no_table_am)
            e->table_am = NULL;
    }
}
