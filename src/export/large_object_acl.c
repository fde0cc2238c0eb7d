/* export/large_object_acl.c - the contract is in large_object_acl.h. */
#include "export/large_object_acl.h"

#include "pg/acl_text.h"
#include "restore/sql_text.h"

/* Those of the item's privileges that may (or may not) be passed on. */
static bool add_grant(Str *sql, const LargeObjectRow *row, const AclItem *item, bool pass_on,
                      Error *err)
{
    size_t start = sql->len;
    bool any = false;
    str_add(sql, "GRANT ");
    for (const char *p = item->privileges; *p != '\0'; p++)
    {
        if (*p == '*' || (p[1] == '*') != pass_on)
            continue;
        if (*p != 'r' && *p != 'w')
            return error_set(err, ERR_CORRUPT, "large object %" PRIu32 " has a privilege \"%c\"",
                             row->oid, *p);
        str_addf(sql, "%s%s", any ? "," : "", *p == 'r' ? "SELECT" : "UPDATE");
        any = true;
    }
    if (!any)
    {
        sql->len = start;
        sql->data[start] = '\0';
        return true;
    }
    str_addf(sql, " ON LARGE OBJECT %" PRIu32 " TO ", row->oid);
    if (item->grantee[0] == '\0')
        str_add(sql, "PUBLIC");
    else
        sql_text_add_name(sql, item->grantee);
    str_add(sql, pass_on ? " WITH GRANT OPTION;\n" : ";\n");
    return true;
}

static bool is_default(const LargeObjectRow *row, const AclItem *item)
{
    return strcmp(item->grantee, row->owner) == 0 && strcmp(item->grantor, row->owner) == 0 &&
           strcmp(item->privileges, "rw") == 0;
}

static bool add_item(Str *sql, const LargeObjectRow *row, const AclItem *item, Error *err)
{
    bool other = strcmp(item->grantor, row->owner) != 0;
    if (other)
    {
        str_add(sql, "SET SESSION AUTHORIZATION ");
        sql_text_add_name(sql, item->grantor);
        str_add(sql, ";\n");
    }
    if (!add_grant(sql, row, item, false, err) || !add_grant(sql, row, item, true, err))
        return false;
    str_add(sql, other ? "RESET SESSION AUTHORIZATION;\n" : "");
    return true;
}

bool large_object_acl(Str *sql, const LargeObjectRow *row, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "acl");
    AclItem *items;
    size_t count;
    bool as_new = false;
    if (!acl_text_parse(tmp, row->acl, &items, &count, err))
        return error_prefix(err, "large object %" PRIu32, row->oid);
    for (size_t i = 0; i < count; i++)
        as_new = as_new || is_default(row, &items[i]);
    if (!as_new)
    {
        str_addf(sql, "REVOKE ALL ON LARGE OBJECT %" PRIu32 " FROM ", row->oid);
        sql_text_add_name(sql, row->owner);
        str_add(sql, ";\n");
    }
    for (size_t i = 0; i < count; i++)
    {
        if (!is_default(row, &items[i]) && !add_item(sql, row, &items[i], err))
            return false;
    }
    return true;
}
