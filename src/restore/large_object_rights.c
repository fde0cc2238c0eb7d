/* restore/large_object_rights.c - the contract is in large_object_rights.h. */
#include "restore/large_object_rights.h"

#include "pg/acl_text.h"
#include "restore/sql_text.h"

/* GRANT of those of the item's privileges that may (or may not) be passed on. */
static bool add_grant(Str *sql, const LargeObjectRights *r, const AclItem *item, bool pass_on,
                      Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "grant");
    Str *list = str_new(tmp);
    for (const char *p = item->privileges; *p != '\0'; p++)
    {
        if (*p == '*' || (p[1] == '*') != pass_on)
            continue;
        if (*p != 'r' && *p != 'w')
            return error_set(err, ERR_CORRUPT, "large objects have no privilege \"%c\"", *p);
        str_addf(list, "%s%s", list->len == 0 ? "" : ",", *p == 'r' ? "SELECT" : "UPDATE");
    }
    if (list->len == 0)
        return true;
    str_addf(sql, "GRANT %s ON LARGE OBJECT ", list->data);
    str_add(sql, r->oids);
    str_add(sql, " TO ");
    if (item->grantee[0] == '\0')
        str_add(sql, "PUBLIC");
    else
        sql_text_add_name(sql, item->grantee);
    str_addf(sql, "%s%s", pass_on ? " WITH GRANT OPTION" : "", r->end);
    return true;
}

static bool is_owners(const LargeObjectRights *r, const AclItem *item)
{
    return strcmp(item->grantee, r->owner) == 0 && strcmp(item->grantor, r->owner) == 0;
}

static bool is_default(const LargeObjectRights *r, const AclItem *item)
{
    return is_owners(r, item) && strcmp(item->privileges, "rw") == 0;
}

static bool add_item(Str *sql, const LargeObjectRights *r, const AclItem *item, Error *err)
{
    bool other = strcmp(item->grantor, r->owner) != 0;
    if (is_default(r, item) || (!r->as_owner && is_owners(r, item)))
        return true;
    if (other)
    {
        str_add(sql, r->become);
        sql_text_add_name(sql, item->grantor);
        str_add(sql, r->end);
    }
    if (!add_grant(sql, r, item, false, err) || !add_grant(sql, r, item, true, err))
        return false;
    if (other)
        str_addf(sql, "%s%s", r->back, r->end);
    return true;
}

bool large_object_rights(Str *sql, const LargeObjectRights *rights, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "rights");
    AclItem *items;
    size_t count;
    bool as_new = !rights->as_owner;
    if (!acl_text_parse(tmp, rights->acl, &items, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        as_new = as_new || is_default(rights, &items[i]);
    if (!as_new)
    {
        str_addf(sql, "REVOKE ALL ON LARGE OBJECT %s FROM ", rights->oids);
        sql_text_add_name(sql, rights->owner);
        str_add(sql, rights->end);
    }
    for (size_t i = 0; i < count; i++)
    {
        if (!add_item(sql, rights, &items[i], err))
            return false;
    }
    return true;
}
