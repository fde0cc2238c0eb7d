/* restore/large_object_sql.c - the contract is in large_object_sql.h. */
#include "restore/large_object_sql.h"

#include <jansson.h>

void large_object_sql_unlink(Str *sql, const LargeObjectGroup *group)
{
    str_addf(sql,
             "SELECT pg_catalog.count(pg_catalog.lo_unlink(m.oid)) FROM"
             " pg_catalog.pg_largeobject_metadata m WHERE m.oid = ANY ('{%s}'::pg_catalog.oid[]); ",
             group->oids->data);
}

bool large_object_sql_create(Str *sql, PgConn *conn, const LargeObjectGroup *group, bool as_owner,
                             Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "owner");
    if (as_owner)
    {
        char *owner = pg_quote_ident(tmp, conn, group->owner, err);
        if (owner == NULL)
            return false;
        str_addf(sql, "SET LOCAL ROLE %s; ", owner);
    }
    str_addf(sql,
             "SELECT pg_catalog.count(pg_catalog.lo_create(o)) FROM"
             " pg_catalog.unnest('{%s}'::pg_catalog.oid[]) o; ",
             group->oids->data);
    return true;
}

bool large_object_sql_comment(Str *sql, PgConn *conn, const LargeObjectRow *row, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "comment");
    char *text = pg_quote_literal(tmp, conn, row->comment, err);
    if (text == NULL)
        return false;
    str_addf(sql, "COMMENT ON LARGE OBJECT %u IS %s; ", row->oid, text);
    return true;
}

static bool add_label(Str *sql, PgConn *conn, uint32_t oid, const char *provider, const char *label,
                      Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "label");
    char *name = pg_quote_ident(tmp, conn, provider, err);
    char *text = name == NULL ? NULL : pg_quote_literal(tmp, conn, label, err);
    if (text == NULL)
        return false;
    str_addf(sql, "SECURITY LABEL FOR %s ON LARGE OBJECT %u IS %s; ", name, oid, text);
    return true;
}

bool large_object_sql_labels(Str *sql, PgConn *conn, const LargeObjectRow *row, Error *err)
{
    json_t *labels = json_loads(row->labels, 0, NULL);
    const char *provider;
    json_t *label;
    bool ok = json_is_object(labels) ||
              error_set(err, ERR_CORRUPT, "large object %u: its labels are no JSON object",
                        row->oid);
    json_object_foreach(labels, provider, label)
    {
        ok = ok &&
             (json_is_string(label) ||
              error_set(err, ERR_CORRUPT, "large object %u: a label is no text", row->oid)) &&
             add_label(sql, conn, row->oid, provider, json_string_value(label), err);
    }
    json_decref(labels);
    return ok;
}
