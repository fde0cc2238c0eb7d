/* Unit tests of restore/ddl: order, passes, owners, settings, renaming. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "restore/ddl.h"
#include "restore/sql_text.h"

/* ---- tables of contents made by hand ---- */

static ArchiveToc *toc_of(void *ctx, const TocEntry *entries, size_t count)
{
    ArchiveToc *toc = mem_new(ctx, ArchiveToc);

    toc->version_major = 1;
    toc->version_minor = 14;
    toc->database = "olddb";
    toc->entries = mem_array(toc, TocEntry, count);
    toc->entry_count = count;
    toc->by_dump_id = mem_array(toc, uint32_t, count);
    for (size_t i = 0; i < count; i++)
    {
        TocEntry *e = &toc->entries[i];
        *e = entries[i];
        e->dump_id = (int) i + 1;
        e->oid = 1000 + (uint32_t) i + 1;
        e->tag = e->tag == NULL ? "t" : e->tag;
        e->section = e->section == 0 ? TOC_SECTION_PRE_DATA : e->section;
        e->defn = e->defn == NULL ? "" : e->defn;
        e->drop_stmt = e->drop_stmt == NULL ? "" : e->drop_stmt;
        e->owner = e->owner == NULL ? "" : e->owner;
        for (; e->dependencies != NULL && e->dependencies[e->dependency_count] != 0;)
            e->dependency_count++;
        toc->by_dump_id[i] = (uint32_t) i;
    }
    return toc;
}

/* dump ids, which toc_of gives from 1 on */
#define DEPS(...)                                                                                  \
    .dependencies = (int[])                                                                        \
    {                                                                                              \
        __VA_ARGS__, 0                                                                             \
    }
#define POST .section = TOC_SECTION_POST_DATA
#define NONE .section = TOC_SECTION_NONE
#define SEARCHPATH                                                                                 \
    {                                                                                              \
        .desc = "SEARCHPATH", .defn = "SELECT pg_catalog.set_config('search_path', '', false);\n"  \
    }

static DdlPlan *plan_of(void *ctx, const TocEntry *entries, size_t count)
{
    Error err = ERROR_INIT;
    DdlPlan *plan = ddl_plan(ctx, toc_of(ctx, entries, count), "new db", &err);

    if (plan == NULL)
        fail_msg("%s", err.message);
    return plan;
}

static const DdlEntry *find(const DdlPlan *plan, int dump_id)
{
    for (size_t i = 0; i < plan->entry_count; i++)
        if (plan->entries[i].toc->dump_id == dump_id)
            return &plan->entries[i];
    return NULL;
}

static bool needs(const DdlPlan *plan, int dump_id, int needed)
{
    const DdlEntry *e = find(plan, dump_id);

    for (size_t i = 0; i < e->need_count; i++)
        if (plan->entries[e->needs[i]].toc->dump_id == needed)
            return true;
    return false;
}

/* The lock that the entry takes on a table, 0: none. */
static int lock_on(const DdlEntry *e, int dump_id)
{
    for (size_t i = 0; i < e->lock_count; i++)
        if (e->locks[i].oid == 1000 + (uint32_t) dump_id)
            return (int) e->locks[i].mode;
    return 0;
}

#define assert_contains(text, part)                                                                \
    do                                                                                             \
    {                                                                                              \
        if (strstr((text), (part)) == NULL)                                                        \
            fail_msg("\"%s\" is not in \"%s\"", (part), (text));                                   \
    } while (0)

/* ---- tests ---- */

static void passes_follow_kind_and_parent(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const TocEntry entries[] = {
        SEARCHPATH,
        {.desc = "TABLE", .defn = "2;"},
        {.desc = "COMMENT", .tag = "TABLE t", .defn = "3;", NONE, DEPS(2)},
        {.desc = "TABLE DATA", .section = TOC_SECTION_DATA, .defn = "x;", DEPS(2)},
        {.desc = "EVENT TRIGGER", .defn = "5;", POST},
        {.desc = "COMMENT", .tag = "EVENT TRIGGER t", .defn = "6;", NONE, DEPS(5)},
        {.desc = "INDEX", .defn = "7;", POST, DEPS(2)},
        {.desc = "COMMENT", .tag = "INDEX i", .defn = "8;", NONE, DEPS(7)},
        {.desc = "ACL", .tag = "TABLE t", .defn = "9;", NONE, DEPS(2)},
        {.desc = "DEFAULT ACL", .defn = "10;", POST},
        {.desc = "FK CONSTRAINT", .defn = "11;", POST, DEPS(2, 12)},
        {.desc = "CONSTRAINT", .defn = "12;", POST, DEPS(4)},
        {.desc = "SUBSCRIPTION", .defn = "13;", POST},
        {.desc = "COMMENT", .tag = "EVENT TRIGGER", .schema = "s", .defn = "14;", NONE, DEPS(2)},
    };
    const int order[] = {2, 3, 14, 7, 8, 12, 11, 13, 9, 10, 5, 6};
    const DdlPass passes[] = {DDL_PRE_DATA, DDL_PRE_DATA, DDL_PRE_DATA,  DDL_INDEX,
                              DDL_INDEX,    DDL_INDEX,    DDL_POST_DATA, DDL_POST_DATA,
                              DDL_ACL,      DDL_ACL,      DDL_LAST,      DDL_LAST};
    DdlPlan *plan = plan_of(ctx, entries, LENGTH_OF(entries));

    assert_int_equal(plan->entry_count, LENGTH_OF(order));
    for (size_t i = 0; i < LENGTH_OF(order); i++)
    {
        assert_int_equal(plan->entries[i].toc->dump_id, order[i]);
        assert_int_equal(plan->entries[i].pass, passes[i]);
        assert_int_equal(plan->entries[i].own_transaction, order[i] == 13);
    }
    assert_true(needs(plan, 8, 7));
    assert_true(needs(plan, 11, 12));
    assert_int_equal(find(plan, 11)->need_count, 1);
    assert_int_equal(find(plan, 7)->need_count, 0);
    /* through its data */
    assert_int_equal(lock_on(find(plan, 12), 2), LOCK_ACCESS_EXCLUSIVE);
    assert_string_equal(find(plan, 3)->label, "COMMENT TABLE t");
    assert_string_equal(find(plan, 14)->label, "COMMENT EVENT TRIGGER in schema s");
}

static void who_needs_a_later_pass_moves_there(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const TocEntry entries[] = {
        SEARCHPATH,
        {.desc = "TABLE", .defn = "2;"},
        {.desc = "COMMENT", .tag = "INDEX i", .defn = "3;", NONE, DEPS(4)},
        {.desc = "INDEX", .defn = "4;", POST, DEPS(5)},
        {.desc = "MATERIALIZED VIEW", .defn = "5;", POST, DEPS(2, 6)},
        {.desc = "CONSTRAINT", .defn = "6;", POST, DEPS(2)},
    };
    DdlPlan *plan = plan_of(ctx, entries, LENGTH_OF(entries));

    assert_int_equal(find(plan, 6)->pass, DDL_INDEX);
    assert_int_equal(find(plan, 5)->pass, DDL_POST_DATA);
    assert_int_equal(find(plan, 4)->pass, DDL_POST_DATA);
    assert_int_equal(find(plan, 3)->pass, DDL_POST_DATA);
    assert_true(needs(plan, 3, 4) && needs(plan, 4, 5) && needs(plan, 5, 6));
}

static void a_circle_is_an_error(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const TocEntry entries[] = {
        {.desc = "TABLE", .defn = "1;", DEPS(1)}, /* itself: of no matter */
        {.desc = "RULE", .tag = "r", .defn = "2;", POST, DEPS(4, 1)},
        {.desc = "INDEX", .defn = "3;", POST, DEPS(1, 77)},
        {.desc = "RULE", .tag = "q", .defn = "4;", POST, DEPS(2)},
    };
    Error err = ERROR_INIT;

    assert_null(ddl_plan(ctx, toc_of(ctx, entries, LENGTH_OF(entries)), "n", &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_contains(err.message, "RULE r");
    assert_non_null(plan_of(ctx, entries, 3));
}

static void locks_keep_deadlocks_away(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const TocEntry entries[] = {
        {.desc = "TABLE", .tag = "p", .schema = "s", .defn = "1;"},
        {.desc = "TABLE", .tag = "c", .schema = "s", .defn = "2;"},
        {.desc = "TABLE ATTACH", .tag = "c", .schema = "s", .defn = "3;", DEPS(1, 2)},
        {.desc = "INDEX", .defn = "CREATE INDEX i ON p (a);", POST, DEPS(1)},
        {.desc = "INDEX",
         .defn = "CREATE INDEX i ON p (a);\n\nALTER TABLE p CLUSTER ON i;",
         POST,
         DEPS(1)},
        {.desc = "INDEX", .defn = "CREATE INDEX i ON p (('; alter table'));", POST, DEPS(1)},
        {.desc = "CONSTRAINT", .defn = "7;", POST, DEPS(1)},
        {.desc = "FK CONSTRAINT", .defn = "8;", POST, DEPS(9, 1, 1)},
        {.desc = "TABLE", .tag = "r", .schema = "s", .defn = "9;"},
        {.desc = "INDEX ATTACH", .defn = "10;", POST, DEPS(2)},
        {.desc = "COMMENT", .tag = "CONSTRAINT c", .schema = "s", .defn = "11;", NONE, DEPS(7)},
        {.desc = "TRIGGER", .defn = "12;", POST, DEPS(1)},
    };
    DdlPlan *plan = plan_of(ctx, entries, LENGTH_OF(entries));

    assert_int_equal(lock_on(find(plan, 4), 1), LOCK_SHARE);
    assert_int_equal(lock_on(find(plan, 5), 1), LOCK_ACCESS_EXCLUSIVE);
    assert_int_equal(lock_on(find(plan, 6), 1), LOCK_SHARE);
    assert_int_equal(lock_on(find(plan, 7), 1), LOCK_ACCESS_EXCLUSIVE);
    assert_int_equal(find(plan, 7)->lock_count, 1);
    const DdlEntry *fk = find(plan, 8);
    assert_int_equal(fk->lock_count, 3);
    assert_false(fk->all_data);
    assert_int_equal(lock_on(fk, 1), LOCK_SHARE_ROW_EXCLUSIVE);
    assert_int_equal(lock_on(fk, 2), LOCK_SHARE_ROW_EXCLUSIVE);
    assert_int_equal(lock_on(fk, 9), LOCK_SHARE_ROW_EXCLUSIVE);
    /* telling the index above that it is complete */
    assert_int_equal(lock_on(find(plan, 10), 1), LOCK_ACCESS_EXCLUSIVE);
    assert_int_equal(lock_on(find(plan, 10), 2), LOCK_ACCESS_EXCLUSIVE);
    assert_int_equal(lock_on(find(plan, 11), 1), LOCK_SHARE_UPDATE_EXCLUSIVE);
    assert_int_equal(lock_on(find(plan, 12), 1), LOCK_SHARE_ROW_EXCLUSIVE);
    assert_true(find(plan, 12)->all_data);
    assert_int_equal(ddl_parent(plan, 1002), 1001);
    assert_int_equal(ddl_parent(plan, 1001), 0);
}

static void owners_are_given_as_pg_restore_does(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const TocEntry entries[] = {
        SEARCHPATH,
        {.desc = "TABLE",
         .tag = "a\"b",
         .schema = "s",
         .defn = "CREATE;\n",
         .owner = "o\"w",
         .drop_stmt = "DROP TABLE s.x;\n"},
        {.desc = "FUNCTION",
         .tag = "f(integer)",
         .schema = "s",
         .defn = "CREATE;\n",
         .owner = "o",
         .drop_stmt = "DROP FUNCTION s.f(a integer);\n"},
        {.desc = "INDEX", .defn = "CREATE;\n", .owner = "o", .drop_stmt = "DROP INDEX i;\n", POST},
        {.desc = "TABLE ATTACH", .defn = "CREATE;\n", .owner = "o"},
        {.desc = "SCHEMA",
         .tag = "public",
         .defn = "-- *not* creating schema, since initdb\n",
         .owner = "o",
         .drop_stmt = "-- not\n"},
        {.desc = "SCHEMA", .tag = "public", .defn = "-- *not* creating schema\n"},
        {.desc = "SCHEMA",
         .tag = "public",
         .defn = "CREATE SCHEMA public;\n",
         .owner = "o",
         .drop_stmt = "DROP SCHEMA public;\n"},
        {.desc = "EXTENSION",
         .tag = "e",
         .defn = "CREATE EXTENSION e",
         .owner = "o",
         .drop_stmt = "DROP EXTENSION e;\n"},
    };
    DdlPlan *plan = plan_of(ctx, entries, LENGTH_OF(entries));

    assert_string_equal(find(plan, 2)->sql,
                        "CREATE;\nALTER TABLE \"s\".\"a\"\"b\" OWNER TO \"o\"\"w\";\n");
    assert_string_equal(find(plan, 3)->sql,
                        "CREATE;\nALTER FUNCTION s.f(a integer) OWNER TO \"o\";\n");
    assert_string_equal(find(plan, 4)->sql, "CREATE;\n");
    assert_string_equal(find(plan, 5)->sql, "CREATE;\n");
    assert_string_equal(find(plan, 6)->sql, "ALTER SCHEMA \"public\" OWNER TO \"o\";\n");
    assert_null(find(plan, 7)); /* nothing to run */
    assert_null(find(plan, 8)); /* pg_dump 10 */
    assert_string_equal(find(plan, 9)->sql, "CREATE EXTENSION e\n;\n");
}

static void settings_are_the_archives(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const TocEntry entries[] = {
        {.desc = "ENCODING", .defn = "SET client_encoding = 'LATIN1';\n"},
        {.desc = "STDSTRINGS", .defn = "SET standard_conforming_strings = 'off';\n"},
        {.desc = "TABLE", .schema = "s", .defn = "3;\n", .tablespace = "", .table_am = "heap"},
        {.desc = "TABLE", .defn = "4;\n", .tablespace = "Ts \"2", .table_am = "am", .relkind = 'p'},
    };
    DdlPlan *plan = plan_of(ctx, entries, LENGTH_OF(entries));

    assert_contains(plan->session_setup, "SET client_encoding = 'LATIN1';\n");
    assert_contains(plan->session_setup, "SET standard_conforming_strings = 'off';\n");
    assert_contains(plan->session_setup, "SET escape_string_warning = off;\n");
    assert_contains(plan->session_setup, "CASE name WHEN 'row_security' THEN 'off'");
    /* without SEARCHPATH every entry brings its own */
    assert_string_equal(find(plan, 3)->sql, "SET search_path = \"s\", pg_catalog;\n3;\n");
    assert_string_equal(find(plan, 3)->set_tablespace, "SET default_tablespace = '';");
    assert_string_equal(find(plan, 3)->set_table_am, "SET default_table_access_method = \"heap\";");
    assert_string_equal(find(plan, 4)->set_tablespace, "SET default_tablespace = \"Ts \"\"2\";");
    assert_null(find(plan, 4)->set_table_am);
    assert_string_equal(find(plan, 4)->sql, "4;\nALTER TABLE \"t\" SET ACCESS METHOD \"am\";\n");
}

static void the_database_gets_its_new_name(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const TocEntry entries[] = {
        SEARCHPATH,
        {.desc = "DATABASE",
         .tag = "olddb",
         .owner = "o",
         .defn = "CREATE DATABASE olddb WITH TEMPLATE = template0 TABLESPACE = olddb;\n"},
        {.desc = "COMMENT",
         .tag = "DATABASE olddb",
         NONE,
         .defn = "COMMENT ON DATABASE olddb IS 'DATABASE olddb; ALTER DATABASE olddb';\n"},
        {.desc = "DATABASE PROPERTIES",
         .tag = "olddb",
         .defn = "ALTER DATABASE olddb SET x TO 'olddb';\n"
                 "ALTER ROLE olddb IN DATABASE olddb SET y TO 'olddb';\n"},
        {.desc = "ACL",
         .tag = "DATABASE olddb",
         NONE,
         .defn = "REVOKE ALL ON DATABASE olddb FROM olddb;\n"},
        {.desc = "COMMENT", .tag = "DATABASE x", .schema = "s", NONE, .defn = "6;\n"},
    };
    DdlPlan *plan = plan_of(ctx, entries, LENGTH_OF(entries));

    assert_string_equal(
        plan->create_database,
        "CREATE DATABASE \"new db\" WITH TEMPLATE = template0 TABLESPACE = olddb;\n");
    assert_int_equal(plan->database_property_count, 4);
    assert_string_equal(plan->database_properties[0],
                        "ALTER DATABASE \"new db\" OWNER TO \"o\";\n");
    assert_string_equal(
        plan->database_properties[1],
        "COMMENT ON DATABASE \"new db\" IS 'DATABASE olddb; ALTER DATABASE olddb';\n");
    assert_string_equal(plan->database_properties[2],
                        "ALTER DATABASE \"new db\" SET x TO 'olddb';\n"
                        "ALTER ROLE olddb IN DATABASE \"new db\" SET y TO 'olddb';\n");
    assert_string_equal(plan->database_properties[3],
                        "REVOKE ALL ON DATABASE \"new db\" FROM olddb;\n");
    assert_int_equal(plan->entry_count, 1);
}

static void check_rename(const char *sql, const char *expected)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");

    assert_string_equal(sql_text_rename_database(ctx, sql, true, "n\"d"), expected);
}

static void names_are_replaced_only_in_their_place(void **state UNUSED)
{
    check_rename("create database \"a \"\"; b\" with x", "create database \"n\"\"d\" with x");
    check_rename("CREATE DATABASE database TEMPLATE database;",
                 "CREATE DATABASE \"n\"\"d\" TEMPLATE database;");
    check_rename("/* ALTER DATABASE a /* ; */ */ ALTER -- DATABASE a\nDATABASE \"A\" SET b TO c;",
                 "/* ALTER DATABASE a /* ; */ */ ALTER -- DATABASE a\nDATABASE \"n\"\"d\" SET b TO "
                 "c;");
    check_rename("ALTER ROLE database IN DATABASE a SET database TO database;",
                 "ALTER ROLE database IN DATABASE \"n\"\"d\" SET database TO database;");
    check_rename("SECURITY LABEL FOR 'selinux' ON DATABASE a IS 'ON DATABASE a';",
                 "SECURITY LABEL FOR 'selinux' ON DATABASE \"n\"\"d\" IS 'ON DATABASE a';");
    check_rename("SECURITY LABEL ON DATABASE a IS $q$; ALTER DATABASE a $q$; SELECT 1;",
                 "SECURITY LABEL ON DATABASE \"n\"\"d\" IS $q$; ALTER DATABASE a $q$; SELECT 1;");
    check_rename("SET SESSION AUTHORIZATION \"ON DATABASE\";GRANT CREATE,TEMP ON DATABASE a TO b",
                 "SET SESSION AUTHORIZATION \"ON DATABASE\";GRANT CREATE,TEMP ON DATABASE "
                 "\"n\"\"d\" TO b");
    check_rename("GRANT SELECT ON TABLE x TO y; SELECT 'GRANT ALL ON DATABASE a';",
                 "GRANT SELECT ON TABLE x TO y; SELECT 'GRANT ALL ON DATABASE a';");
    check_rename("ALTER DATABASE a SET x TO E'\\'; ALTER DATABASE b ';ALTER DATABASE c RESET d",
                 "ALTER DATABASE \"n\"\"d\" SET x TO E'\\'; ALTER DATABASE b ';ALTER DATABASE "
                 "\"n\"\"d\" RESET d");
    check_rename("COMMENT ON DATABASE", "COMMENT ON DATABASE");
    check_rename("COMMENT ON DATABASE 'a", "COMMENT ON DATABASE 'a");
    check_rename("ALTER DATABASE \"a", "ALTER DATABASE \"n\"\"d\"");
}

static void backslashes_count_without_standard_strings(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const char *sql = "COMMENT ON DATABASE a IS 'it\\'; ALTER DATABASE b ';";

    assert_string_equal(sql_text_rename_database(ctx, sql, false, "n"),
                        "COMMENT ON DATABASE \"n\" IS 'it\\'; ALTER DATABASE b ';");
    assert_string_equal(sql_text_rename_database(ctx, sql, true, "n"),
                        "COMMENT ON DATABASE \"n\" IS 'it\\'; ALTER DATABASE \"n\" ';");
}

static void statements_are_seen(void **state UNUSED)
{
    assert_true(sql_text_is_blank(" \n-- x\n /* ; /* */ */ -- end"));
    assert_true(sql_text_is_blank("/* not closed"));
    assert_false(sql_text_is_blank("-- x\n;"));
    assert_true(sql_text_is_ended("a; -- b", true));
    assert_false(sql_text_is_ended("a $x$;$x$", true));
    assert_false(sql_text_is_ended("a -- ;", true));
    assert_true(sql_text_has_alter_table("x; alter /**/ TABLE y", true));
    assert_false(sql_text_has_alter_table("x alter table y; 'alter' table", true));
}

static void collect_role(void *arg, const char *name)
{
    Str *s = arg;
    str_addf(s, "[%s]", name);
}

static void test_roles(void **state)
{
    static const struct
    {
        const char *sql;
        const char *roles;
    } cases[] = {
        {"GRANT SELECT ON TABLE public.role TO bob;\nREVOKE ALL ON SCHEMA s FROM PUBLIC;", "[bob]"},
        {"GRANT SELECT(a), UPDATE(\"to\") ON TABLE public.\"to\" TO \"we \"\"ird\" WITH GRANT "
         "OPTION;",
         "[we \"ird]"},
        {"SET SESSION AUTHORIZATION carol;\nGRANT ALL ON FUNCTION public.f(role text, \"from\" x) "
         "TO d;",
         "[carol][d]"},
        {"ALTER DEFAULT PRIVILEGES FOR ROLE bob IN SCHEMA s REVOKE ALL ON TABLES  FROM bob;",
         "[bob][bob]"},
        {"CREATE POLICY p ON public.t FOR SELECT TO a, \"B\", c USING ((x = (SELECT y FROM z)));",
         "[a][B][c]"},
        {"CREATE POLICY p ON public.t TO public USING (true);", ""},
        {"CREATE POLICY p ON public.t USING ((note = 'GRANT x TO y'::text));", ""},
        {"", ""},
    };
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");

    (void) state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Str *roles = str_new(ctx);
        sql_text_each_role(cases[i].sql, true, collect_role, roles);
        assert_string_equal(roles->data, cases[i].roles);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),
        cmocka_unit_test(passes_follow_kind_and_parent),
        cmocka_unit_test(who_needs_a_later_pass_moves_there),
        cmocka_unit_test(a_circle_is_an_error),
        cmocka_unit_test(locks_keep_deadlocks_away),
        cmocka_unit_test(owners_are_given_as_pg_restore_does),
        cmocka_unit_test(settings_are_the_archives),
        cmocka_unit_test(the_database_gets_its_new_name),
        cmocka_unit_test(names_are_replaced_only_in_their_place),
        cmocka_unit_test(backslashes_count_without_standard_strings),
        cmocka_unit_test(statements_are_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
