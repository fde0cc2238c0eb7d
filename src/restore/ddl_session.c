/* restore/ddl_session.c - settings of the session, definition of the database; the contract is in
 * ddl_planner.h. */
#include "restore/ddl_planner.h"
#include "restore/entry.h"
#include "restore/sql_text.h"

void ddl_session_find(DdlPlanner *p)
{
    for (size_t i = 0; i < p->toc->entry_count; i++)
    {
        const TocEntry *e = &p->toc->entries[i];
        if (entry_is(e, "ENCODING"))
            p->encoding = e->defn;
        else if (entry_is(e, "STDSTRINGS"))
            p->std_strings_setting = e->defn;
        else if (entry_is(e, "SEARCHPATH"))
            p->search_path = e->defn;
    }
    p->text = (DdlText){.pool = &p->pool,
                        .buffer = str_new(p),
                        .std_strings = p->std_strings_setting == NULL ||
                                       strstr(p->std_strings_setting, "'off'") == NULL,
                        .qualified = p->search_path != NULL};
}

const char *ddl_session_setup(const DdlPlanner *p)
{
    Str *s = str_new(p->plan);
    const char *const archived[] = {p->encoding, p->std_strings_setting, p->search_path};

    /* Not every version has every setting, so the server is asked which of them there are. */
    str_add(
        s,
        "SELECT pg_catalog.set_config(name, CASE name WHEN 'row_security' THEN 'off' ELSE '0' END,"
        " false) FROM pg_catalog.pg_settings"
        " WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout',"
        " 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'row_security');\n");
    for (size_t i = 0; i < LENGTH_OF(archived); i++)
    {
        if (archived[i] == NULL || sql_text_is_blank(archived[i]))
            continue;
        str_add(s, archived[i]);
        str_add(s, sql_text_is_ended(archived[i], true) ? "\n" : ";\n");
    }
    if (!p->text.std_strings)
        str_add(s, "SET escape_string_warning = off;\n");
    /* Literals in definitions were printed under pg_dump's date and interval style. */
    str_add(s, "SET datestyle = ISO;\n"
               "SET intervalstyle = postgres;\n"
               "SET check_function_bodies = false;\n"
               "SET xmloption = content;\n"
               "SET client_min_messages = warning;\n");
    return s->data;
}

static const char *database_owner(const DdlPlanner *p, const TocEntry *e)
{
    Str *s = str_new(p->plan);

    str_add(s, "ALTER DATABASE ");
    sql_text_add_name(s, p->new_database);
    str_add(s, " OWNER TO ");
    sql_text_add_name(s, e->owner);
    str_add(s, ";\n");
    return s->data;
}

void ddl_session_database(DdlPlanner *p)
{
    DdlPlan *plan = p->plan;
    size_t capacity = 0;

    for (size_t i = 0; i < p->toc->entry_count; i++)
    {
        const TocEntry *e = &p->toc->entries[i];
        if (!entry_is_about_database(e) || sql_text_is_blank(e->defn))
            continue;
        const char *sql = sql_text_rename_database(plan, e->defn, p->text.std_strings,
                                                   p->new_database);
        if (entry_is(e, "DATABASE"))
        {
            plan->create_database = sql;
            if (*e->owner == '\0')
                continue;
            sql = database_owner(p, e);
        }
        *mem_push(plan, plan->database_properties, plan->database_property_count, capacity,
                  const char *) = sql;
    }
}
