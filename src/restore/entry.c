/* restore/entry.c - what kind of thing an entry of an archive is; the contract is in entry.h. */
#include "restore/entry.h"

bool entry_is_any(const char *desc, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(desc, *list) == 0)
            return true;
    return false;
}

bool entry_is(const TocEntry *e, const char *desc)
{
    return strcmp(e->desc, desc) == 0;
}

bool entry_has_schema(const TocEntry *e)
{
    return e->schema != NULL && *e->schema != '\0';
}

bool entry_is_attachment(const TocEntry *e)
{
    static const char *const list[] = {"ACL", "COMMENT", "SECURITY LABEL", NULL};

    return entry_is_any(e->desc, list);
}

bool entry_is_of(const TocEntry *e, const char *prefix)
{
    return entry_is_attachment(e) && !entry_has_schema(e) &&
           strncmp(e->tag, prefix, strlen(prefix)) == 0;
}

bool entry_is_about_database(const TocEntry *e)
{
    return entry_is(e, "DATABASE") || entry_is(e, "DATABASE PROPERTIES") ||
           entry_is_of(e, "DATABASE ");
}

bool entry_is_relation(const TocEntry *e)
{
    static const char *const list[] = {"TABLE", "FOREIGN TABLE",     "EXTERNAL TABLE",
                                       "VIEW",  "MATERIALIZED VIEW", NULL};

    return entry_is_any(e->desc, list);
}

bool entry_is_setting(const TocEntry *e)
{
    static const char *const list[] = {"ENCODING", "STDSTRINGS", "SEARCHPATH", NULL};

    return entry_is_any(e->desc, list);
}

bool entry_is_no_ddl(const TocEntry *e)
{
    static const char *const list[] = {"TABLE DATA",
                                       "SEQUENCE SET",
                                       "MATERIALIZED VIEW DATA",
                                       "BLOB",
                                       "BLOBS",
                                       "BLOB COMMENTS",
                                       "BLOB METADATA",
                                       "WARNING",
                                       "<Init>",
                                       "STATISTICS DATA",
                                       NULL};

    if (entry_is_any(e->desc, list) || entry_is_setting(e) || entry_is_about_database(e) ||
        entry_is_of(e, "LARGE OBJECT "))
        return true;
    /* pg_dump 10 archives the schema every new database has already */
    return entry_is(e, "SCHEMA") && strcmp(e->tag, "public") == 0 &&
           strncmp(e->defn, "CREATE SCHEMA", strlen("CREATE SCHEMA")) == 0;
}
