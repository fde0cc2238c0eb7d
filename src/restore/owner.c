/* restore/owner.c - which object an entry belongs to; the contract is in owner.h. */
#include "restore/owner.h"

#include "base/str.h"
#include "pg/sql_token.h"
#include "restore/entry.h"

EntryRole owner_role(const TocEntry *e)
{
    static const char *const links[] = {"FK CONSTRAINT",
                                        "TABLE ATTACH",
                                        "INDEX ATTACH",
                                        "PUBLICATION TABLE",
                                        "PUBLICATION TABLES IN SCHEMA",
                                        "SUBSCRIPTION TABLE",
                                        "SEQUENCE OWNED BY",
                                        NULL};
    static const char *const parts[] = {"INDEX",   "CONSTRAINT", "CHECK CONSTRAINT", "TRIGGER",
                                        "RULE",    "POLICY",     "ROW SECURITY",     "STATISTICS",
                                        "DEFAULT", NULL};

    if (entry_is_setting(e) || entry_is_about_database(e))
        return ROLE_SETTING;
    if (entry_is_relation(e) || entry_is(e, "SEQUENCE"))
        return ROLE_RELATION;
    if (entry_is_any(e->desc, links))
        return ROLE_LINK;
    if (entry_is_any(e->desc, parts))
        return ROLE_PART;
    return entry_is_attachment(e) ? ROLE_ATTACHMENT : ROLE_OBJECT;
}

bool owner_joins(const TocEntry *e)
{
    static const char *const list[] = {"INDEX",  "CONSTRAINT",   "PUBLICATION",
                                       "SCHEMA", "SUBSCRIPTION", NULL};
    return owner_role(e) == ROLE_RELATION || entry_is_any(e->desc, list);
}

/* "orders orders_pkey" is named after "orders". */
static bool is_named_after(const TocEntry *e, const TocEntry *object)
{
    size_t len = strlen(object->tag);
    return strncmp(e->tag, object->tag, len) == 0 && e->tag[len] == ' ' &&
           str_equal(e->schema, object->schema);
}

static bool next_is_name(SqlScanner *s, const char *name)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "name");
    SqlToken t;
    return sql_token_next(s, &t) && strcmp(sql_token_name(tmp, &t), name) == 0;
}

/* Tells whether the definition of an index says ON [ONLY] schema.table. */
static bool is_index_on(const TocEntry *index, const TocEntry *table)
{
    SqlScanner s = {index->defn, true};
    SqlToken t;

    while (sql_token_next(&s, &t) && !sql_token_is(&t, "on"))
        ;
    SqlScanner behind = s;
    if (sql_token_next(&behind, &t) && sql_token_is(&t, "only"))
        s = behind;
    return table->schema != NULL && next_is_name(&s, table->schema) && sql_token_next(&s, &t) &&
           *t.start == '.' && next_is_name(&s, table->tag);
}

static const TocEntry *owner_of_part(const ArchiveToc *toc, const TocEntry *e)
{
    const TocEntry *best = NULL;
    const TocEntry *relation = NULL;
    const TocEntry *first = NULL;
    bool several = false;

    for (size_t i = 0; i < e->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(toc, e->dependencies[i]);
        if (on == NULL)
            continue;
        first = first == NULL ? on : first;
        if (is_named_after(e, on) && (best == NULL || strlen(on->tag) > strlen(best->tag)))
            best = on;
        if (!entry_is_relation(on))
            continue;
        several = several || (relation != NULL && relation != on);
        relation = relation == NULL ? on : relation;
    }
    for (size_t i = 0; best == NULL && several && i < e->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(toc, e->dependencies[i]);
        if (on != NULL && entry_is_relation(on) && is_index_on(e, on))
            best = on;
    }
    return best != NULL ? best : relation != NULL ? relation : first;
}

const TocEntry *owner_find(const ArchiveToc *toc, const TocEntry *e)
{
    EntryRole role = owner_role(e);

    if (role == ROLE_PART || role == ROLE_LINK)
        return owner_of_part(toc, e);
    for (size_t i = 0; role == ROLE_ATTACHMENT && i < e->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(toc, e->dependencies[i]);
        if (on != NULL && !entry_is_attachment(on))
            return on;
    }
    return NULL;
}

const TocEntry *owner_table(const ArchiveToc *toc, const TocEntry *sequence)
{
    for (size_t i = 0; i < sequence->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(toc, sequence->dependencies[i]);
        if (on != NULL && (entry_is(on, "TABLE") || entry_is(on, "FOREIGN TABLE")))
            return on;
    }
    return NULL;
}

bool owner_is_identity(const TocEntry *sequence)
{
    return strncmp(sequence->defn, "ALTER ", strlen("ALTER ")) == 0;
}
