/* restore/large_object_sql.c - the contract is in large_object_sql.h. */
#include "restore/large_object_sql.h"

#include <jansson.h>

#include "pg/acl_text.h"

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

/* GRANT of those of the item's privileges that may (or may not) be passed on. */
static bool grant(Str *sql, PgConn *conn, const LargeObjectGroup *group, const AclItem *item,
                  bool pass_on, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "grant");
    Str *list = str_new(tmp);
    for (const char *p = item->privileges; *p != '\0'; p++)
    {
        if (*p == '*' || (p[1] == '*') != pass_on)
            continue;
        if (*p != 'r' && *p != 'w')
            return error_set(err, ERR_CORRUPT, "large objects have no privilege \"%c\"", *p);
        str_addf(list, "%s%s", list->len == 0 ? "" : ", ", *p == 'r' ? "SELECT" : "UPDATE");
    }
    if (list->len == 0)
        return true;
    bool everybody = item->grantee[0] == '\0';
    char *role = everybody ? NULL : pg_quote_ident(tmp, conn, item->grantee, err);
    if (!everybody && role == NULL)
        return false;
    str_addf(sql, "GRANT %s ON LARGE OBJECT %s TO %s%s; ", list->data, group->oids->data,
             everybody ? "PUBLIC" : role, pass_on ? " WITH GRANT OPTION" : "");
    return true;
}

static bool is_owners(const LargeObjectGroup *group, const AclItem *item)
{
    return strcmp(item->grantee, group->owner) == 0 && strcmp(item->grantor, group->owner) == 0;
}

static bool is_default(const LargeObjectGroup *group, const AclItem *item)
{
    return is_owners(group, item) && strcmp(item->privileges, "rw") == 0;
}

static bool add_item(Str *sql, PgConn *conn, const LargeObjectGroup *group, const AclItem *item,
                     bool as_owner, const char *role, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "grantor");
    bool other = strcmp(item->grantor, group->owner) != 0;
    if (is_default(group, item) || (!as_owner && is_owners(group, item)))
        return true;
    if (other)
    {
        char *grantor = pg_quote_ident(tmp, conn, item->grantor, err);
        if (grantor == NULL)
            return false;
        str_addf(sql, "SET LOCAL ROLE %s; ", grantor);
    }
    if (!grant(sql, conn, group, item, false, err) || !grant(sql, conn, group, item, true, err))
        return false;
    if (other)
        str_addf(sql, "SET LOCAL ROLE %s; ", role);
    return true;
}

bool large_object_sql_rights(Str *sql, PgConn *conn, const LargeObjectGroup *group, bool as_owner,
                             const char *role, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "rights");
    AclItem *items;
    size_t count;
    bool as_new = !as_owner;
    char *owner = pg_quote_ident(tmp, conn, group->owner, err);
    if (owner == NULL || !acl_text_parse(tmp, group->acl, &items, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        as_new = as_new || is_default(group, &items[i]);
    if (!as_new)
        str_addf(sql, "REVOKE ALL ON LARGE OBJECT %s FROM %s; ", group->oids->data, owner);
    for (size_t i = 0; i < count; i++)
    {
        if (!add_item(sql, conn, group, &items[i], as_owner, role, err))
            return false;
    }
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
