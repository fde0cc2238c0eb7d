/* restore/ddl_text.c - the text that is sent for an entry; the contract is in ddl_text.h. */
#include "restore/ddl_text.h"

#include "restore/entry.h"
#include "restore/sql_text.h"

#define RELKIND_PARTITIONED 'p'

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* pg_restore gives owners to exactly these. */
static bool add_owned_object(Str *s, const TocEntry *e)
{
    static const char *const by_name[] = {"COLLATION",
                                          "CONVERSION",
                                          "DOMAIN",
                                          "EVENT TRIGGER",
                                          "EXTERNAL TABLE",
                                          "FOREIGN DATA WRAPPER",
                                          "FOREIGN TABLE",
                                          "MATERIALIZED VIEW",
                                          "PROCEDURAL LANGUAGE",
                                          "PROTOCOL",
                                          "PUBLICATION",
                                          "SCHEMA",
                                          "SEQUENCE",
                                          "SERVER",
                                          "STATISTICS",
                                          "SUBSCRIPTION",
                                          "TABLE",
                                          "TEXT SEARCH CONFIGURATION",
                                          "TEXT SEARCH DICTIONARY",
                                          "TYPE",
                                          "VIEW",
                                          NULL};
    /* these need argument types and the like, which DROP has */
    static const char *const by_drop[] = {
        "AGGREGATE",       "FUNCTION",  "OPERATOR", "OPERATOR CLASS",
        "OPERATOR FAMILY", "PROCEDURE", NULL};

    if (entry_is_any(e->desc, by_name))
    {
        str_addf(s, "ALTER %s ", e->desc);
        sql_text_add_qualified(s, e->schema, e->tag);
        return true;
    }
    if (!entry_is_any(e->desc, by_drop) || !has_prefix(e->drop_stmt, "DROP "))
        return false;
    const char *object = e->drop_stmt + strlen("DROP ");
    size_t len = strlen(object);
    while (len > 0 && (object[len - 1] == '\n' || object[len - 1] == ';'))
        len--;
    str_add(s, "ALTER ");
    str_addn(s, object, len);
    return true;
}

static void add_owner(Str *s, const TocEntry *e)
{
    if (*e->owner == '\0' || *e->drop_stmt == '\0' || !add_owned_object(s, e))
        return;
    str_add(s, " OWNER TO ");
    sql_text_add_name(s, e->owner);
    str_add(s, ";\n");
}

static void add_definition(const DdlText *t, Str *s, const TocEntry *e)
{
    if (sql_text_is_blank(e->defn))
        return;
    str_add(s, e->defn);
    if (!sql_text_is_ended(e->defn, t->std_strings))
        str_add(s, "\n;");
    if (s->data[s->len - 1] != '\n')
        str_addc(s, '\n');
}

/* A partitioned table has no storage: its access method is only a default for its partitions. */
static void add_partition_default(Str *s, const TocEntry *e)
{
    if (e->relkind != RELKIND_PARTITIONED || e->table_am == NULL || *e->table_am == '\0')
        return;
    str_add(s, "ALTER TABLE ");
    sql_text_add_qualified(s, e->schema, e->tag);
    str_add(s, " SET ACCESS METHOD ");
    sql_text_add_name(s, e->table_am);
    str_add(s, ";\n");
}

/* Archives without a SEARCHPATH entry (before 10.3) have names that count on their schema being the
 * first in the path. */
const char *ddl_text_sql(DdlText *t, const TocEntry *e)
{
    Str *s = t->buffer;

    if (entry_is_no_ddl(e))
        return NULL;
    str_clear(s);
    if (!t->qualified && entry_has_schema(e))
    {
        str_add(s, "SET search_path = ");
        sql_text_add_name(s, e->schema);
        str_add(s, strcmp(e->schema, "pg_catalog") == 0 ? ";\n" : ", pg_catalog;\n");
    }
    size_t before = s->len;
    add_definition(t, s, e);
    add_owner(s, e);
    add_partition_default(s, e);
    if (s->len == before)
        return NULL;
    return str_equal(s->data, e->defn) ? e->defn : string_pool_copy(t->pool, s->data, s->len);
}

/* Returns "SET <name> = <value>;", which is *last when that has the same text. */
static const char *setting(DdlText *t, const char *name, const char *value, const char **last)
{
    Str *s = t->buffer;

    str_clear(s);
    str_addf(s, "SET %s = ", name);
    if (*value == '\0')
        str_add(s, "''");
    else
        sql_text_add_name(s, value);
    str_addc(s, ';');
    if (*last == NULL || strcmp(*last, s->data) != 0)
        *last = string_pool_copy(t->pool, s->data, s->len);
    return *last;
}

const char *ddl_text_tablespace(DdlText *t, const TocEntry *e)
{
    if (e->tablespace == NULL)
        return NULL;
    return setting(t, "default_tablespace", e->tablespace, &t->last_tablespace);
}

const char *ddl_text_table_am(DdlText *t, const TocEntry *e)
{
    if (e->table_am == NULL || *e->table_am == '\0' || e->relkind == RELKIND_PARTITIONED)
        return NULL;
    return setting(t, "default_table_access_method", e->table_am, &t->last_table_am);
}

const char *ddl_text_label(DdlText *t, const TocEntry *e)
{
    Str *s = t->buffer;

    str_clear(s);
    str_addf(s, "%s ", e->desc);
    if (entry_has_schema(e) && !entry_is_attachment(e))
        str_addf(s, "%s.", e->schema);
    str_add(s, e->tag);
    if (entry_has_schema(e) &&
        entry_is_attachment(e)) /* the tag has the object's type before its name */
        str_addf(s, " in schema %s", e->schema);
    return string_pool_copy(t->pool, s->data, s->len);
}
