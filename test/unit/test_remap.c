/* Unit tests of restore/remap, restore/adapt and restore/clean: definitions that are changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "restore/adapt.h"
#include "restore/clean.h"
#include "restore/remap.h"

static const NameMap old_new[] = {{"old", "new one"}};

static ArchiveToc *toc_of(void *ctx, const TocEntry *entries, size_t count)
{
    ArchiveToc *toc = mem_new(ctx, ArchiveToc);

    toc->entries = mem_array(toc, TocEntry, count);
    toc->by_dump_id = mem_array(toc, uint32_t, count);
    toc->entry_count = count;
    for (size_t i = 0; i < count; i++)
    {
        TocEntry *e = &toc->entries[i];
        *e = entries[i];
        e->dump_id = (int) i + 1;
        e->defn = e->defn == NULL ? "" : e->defn;
        e->drop_stmt = e->drop_stmt == NULL ? "" : e->drop_stmt;
        e->owner = e->owner == NULL ? "" : e->owner;
        for (; e->dependencies != NULL && e->dependencies[e->dependency_count] != 0;)
            e->dependency_count++;
        toc->by_dump_id[i] = (uint32_t) i;
    }
    return toc;
}

#define DEPS(...)                                                                                  \
    .dependencies = (int[])                                                                        \
    {                                                                                              \
        __VA_ARGS__, 0                                                                             \
    }
#define OLD .schema = "old"

static void names_of_what_moves_are_replaced(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    const TocEntry entries[] = {
        {.desc = "SCHEMA",
         .tag = "old",
         .defn = "CREATE SCHEMA old;",
         .drop_stmt = "DROP SCHEMA old;"},
        {.desc = "ACL", .tag = "SCHEMA old", .defn = "GRANT USAGE ON SCHEMA old TO old;", DEPS(1)},
        {.desc = "TABLE",
         .tag = "t",
         OLD,
         .defn = "CREATE TABLE old.t (old int, k old.kind, c text DEFAULT 'old.x is text'::text, "
                 "o other.old, s old.stays);",
         .drop_stmt = "DROP TABLE old.t;"},
        {.desc = "SEQUENCE", .tag = "it's s", OLD, .defn = "CREATE SEQUENCE old.\"it's s\";"},
        {.desc = "DEFAULT",
         .tag = "t old",
         OLD,
         .defn = "ALTER TABLE ONLY old.t ALTER COLUMN old SET DEFAULT "
                 "nextval('old.\"it''s s\"'::regclass);",
         DEPS(3, 4)},
        {.desc = "TYPE", .tag = "kind", OLD, .defn = "CREATE TYPE old.kind AS ENUM ('old');"},
        {.desc = "CONSTRAINT",
         .tag = "t t_pkey",
         OLD,
         .defn = "ALTER TABLE ONLY old.t ADD CONSTRAINT t_pkey PRIMARY KEY (old);",
         DEPS(3)},
        {.desc = "INDEX ATTACH",
         .tag = "t_pkey",
         OLD,
         .defn = "ALTER INDEX old.p_pkey ATTACH PARTITION old.t_pkey;",
         DEPS(7)},
        {.desc = "COMMENT",
         .tag = "COLUMN t.old",
         OLD,
         .defn = "COMMENT ON COLUMN old.t.old IS 'see old.t';",
         DEPS(3)},
        {.desc = "TABLE",
         .tag = "x",
         .schema = "other",
         .defn = "CREATE TABLE other.x (t integer, k old.kind);"},
        {.desc = "VIEW", .tag = "v", .schema = "other", .defn = "CREATE VIEW other.v AS SELECT 1;"},
    };
    ArchiveToc *toc = toc_of(ctx, entries, LENGTH_OF(entries));
    /* the default of the table is a string that names the schema: that alone is refused */
    assert_false(remap_archive(toc, old_new, 1, &err));
    assert_non_null(strstr(err.message, "TABLE old.t"));
    error_clear(&err);
    toc->entries[2].defn = "CREATE TABLE old.t (old int, k old.kind, c text DEFAULT 'old'::text, "
                           "o other.old, s old.stays);";
    if (!remap_archive(toc, old_new, 1, &err))
        fail_msg("%s", err.message);
    const char *const expected[] = {
        "CREATE SCHEMA \"new one\";",
        "GRANT USAGE ON SCHEMA \"new one\" TO old;",
        "CREATE TABLE \"new one\".t (old int, k \"new one\".kind, c text DEFAULT 'old'::text, "
        "o other.old, s old.stays);",
        "CREATE SEQUENCE \"new one\".\"it's s\";",
        "ALTER TABLE ONLY \"new one\".t ALTER COLUMN old SET DEFAULT "
        "nextval('\"new one\".\"it''s s\"'::regclass);",
        "CREATE TYPE \"new one\".kind AS ENUM ('old');",
        "ALTER TABLE ONLY \"new one\".t ADD CONSTRAINT t_pkey PRIMARY KEY (old);",
        "ALTER INDEX old.p_pkey ATTACH PARTITION \"new one\".t_pkey;",
        "COMMENT ON COLUMN \"new one\".t.old IS 'see old.t';",
        "CREATE TABLE other.x (t integer, k \"new one\".kind);",
        "CREATE VIEW other.v AS SELECT 1;",
    };
    for (size_t i = 0; i < LENGTH_OF(expected); i++)
        assert_string_equal(toc->entries[i].defn, expected[i]);
    assert_string_equal(toc->entries[0].tag, "new one");
    assert_string_equal(toc->entries[1].tag, "SCHEMA new one");
    assert_string_equal(toc->entries[2].schema, "new one");
    assert_string_equal(toc->entries[2].drop_stmt, "DROP TABLE \"new one\".t;");
    assert_string_equal(toc->entries[9].schema, "other");
}

static void what_cannot_be_read_is_refused(void **state)
{
    (void) state;
    const TocEntry refused[] = {
        {.desc = "FUNCTION", .tag = "f()", OLD, .defn = "CREATE FUNCTION old.f() ..."},
        {.desc = "VIEW", .tag = "v", OLD, .defn = "CREATE VIEW old.v AS SELECT 1;"},
        {.desc = "VIEW",
         .tag = "v",
         .schema = "other",
         .defn = "CREATE VIEW other.v AS SELECT * FROM old.t;"},
        {.desc = "FUNCTION",
         .tag = "f()",
         .schema = "other",
         .defn = "CREATE FUNCTION other.f() RETURNS int LANGUAGE sql AS $$SELECT 1 FROM old.t$$;"},
        {.desc = "RULE",
         .tag = "t r",
         OLD,
         .defn = "CREATE RULE r AS ON DELETE TO old.t DO NOTHING;"},
        {.desc = "POLICY",
         .tag = "t p",
         OLD,
         .defn = "CREATE POLICY p ON old.t USING (a IN (SELECT old.a FROM old.t old));"},
        {.desc = "TRIGGER",
         .tag = "t g",
         OLD,
         .defn = "CREATE TRIGGER g BEFORE UPDATE ON old.t FOR EACH ROW WHEN (old.t > 1) EXECUTE "
                 "FUNCTION other.f();"},
        {.desc = "INDEX",
         .tag = "i",
         OLD,
         .defn = "CREATE INDEX i ON old.t USING btree (other.f('old.t'::text));"},
        {.desc = "EXTENSION",
         .tag = "hstore",
         .defn = "CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA old;"},
    };
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Error err = ERROR_INIT;
        const TocEntry entries[] = {
            {.desc = "TABLE", .tag = "t", OLD, .defn = "CREATE TABLE old.t (a int);"}, refused[i]};
        if (remap_archive(toc_of(ctx, entries, 2), old_new, 1, &err))
            fail_msg("%s %s was moved", refused[i].desc, refused[i].tag);
        assert_int_equal(err.code, ERR_USAGE);
        assert_non_null(strstr(err.message, refused[i].tag));
    }
}

static void maps_must_make_sense(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const TocEntry entries[] = {{.desc = "TABLE", .tag = "t", .schema = "a", .defn = "x;"},
                                {.desc = "TABLE", .tag = "t", .schema = "b", .defn = "x;"}};
    const struct
    {
        NameMap map[2];
        size_t count;
        bool good;
    } cases[] = {
        {{{"a", "a"}}, 1, false},
        {{{"a", "x"}, {"a", "y"}}, 2, false},
        {{{"a", "x"}, {"b", "x"}}, 2, false},
        {{{"a", "b"}}, 1, false},
        {{{"a", "b"}, {"b", "a"}}, 2, true},
        {{{"a", "x"}, {"b", "y"}}, 2, true},
        {{{"", ""}}, 0, true},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        bool good = remap_archive(toc_of(ctx, entries, 2), cases[i].map, cases[i].count, &err);
        assert_int_equal(good, cases[i].good);
    }
}

static void owners_and_places_are_changed(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const TocEntry entries[] = {
        {.desc = "DATABASE",
         .tag = "d",
         .owner = "o",
         .defn = "CREATE DATABASE d WITH TEMPLATE = template0 TABLESPACE = fast;"},
        {.desc = "TABLE",
         .tag = "t",
         .schema = "s",
         .owner = "o\"x",
         .defn = "CREATE TABLE s.t ();",
         .tablespace = "fast",
         .table_am = "heap"},
        {.desc = "INDEX", .tag = "i", .schema = "s", .owner = "o", .defn = "x;", .tablespace = ""},
    };
    const NameMap map[] = {{"fast", "slow"}};
    RestoreRequest r = {.tablespace_map = map, .tablespace_map_count = 1};

    ArchiveToc *toc = toc_of(ctx, entries, 3);
    adapt_archive(toc, &r);
    assert_string_equal(toc->entries[0].defn,
                        "CREATE DATABASE d WITH TEMPLATE = template0 TABLESPACE = \"slow\";");
    assert_string_equal(toc->entries[1].tablespace, "slow");
    assert_string_equal(toc->entries[2].tablespace, "");
    assert_string_equal(toc->entries[1].owner, "o\"x");

    r = (RestoreRequest){.no_owner = true, .no_tablespaces = true, .no_table_am = true};
    toc = toc_of(ctx, entries, 3);
    adapt_archive(toc, &r);
    assert_string_equal(toc->entries[0].defn,
                        "CREATE DATABASE d WITH TEMPLATE = template0 TABLESPACE = \"pg_default\";");
    assert_null(toc->entries[1].tablespace);
    assert_null(toc->entries[1].table_am);
    assert_string_equal(toc->entries[1].owner, "");
    assert_string_equal(toc->entries[1].defn, "CREATE TABLE s.t ();");

    r = (RestoreRequest){.session_authorization = true};
    toc = toc_of(ctx, entries, 3);
    adapt_archive(toc, &r);
    assert_string_equal(toc->entries[1].defn,
                        "SET LOCAL SESSION AUTHORIZATION \"o\"\"x\";\nCREATE TABLE s.t ();");
    assert_string_equal(toc->entries[1].owner, "");
}

static void drops_bear_what_is_missing(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const struct
    {
        const char *desc, *drop, *if_exists;
    } cases[] = {
        {"TABLE", "DROP TABLE s.t;\n", "DROP TABLE IF EXISTS s.t;\n"},
        {"FUNCTION", "DROP FUNCTION s.f(integer);\n", "DROP FUNCTION IF EXISTS s.f(integer);\n"},
        {"CONSTRAINT", "ALTER TABLE ONLY s.t DROP CONSTRAINT c;\n",
         "ALTER TABLE IF EXISTS ONLY s.t DROP CONSTRAINT IF EXISTS c;\n"},
        {"FK CONSTRAINT", "ALTER TABLE ONLY s.t DROP CONSTRAINT c;\n",
         "ALTER TABLE IF EXISTS ONLY s.t DROP CONSTRAINT IF EXISTS c;\n"},
        {"DEFAULT", "ALTER TABLE s.t ALTER COLUMN a DROP DEFAULT;\n",
         "ALTER TABLE IF EXISTS s.t ALTER COLUMN a DROP DEFAULT;\n"},
        {"VIEW", "CREATE OR REPLACE VIEW s.v AS SELECT NULL;\n",
         "CREATE OR REPLACE VIEW s.v AS SELECT NULL;\n"},
        {"TRIGGER", "DROP TRIGGER g ON s.t;\n", "DROP TRIGGER IF EXISTS g ON s.t;\n"},
    };
    Str *sql = str_new(ctx);
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        TocEntry e = {.desc = cases[i].desc,
                      .tag = "x",
                      .schema = "s",
                      .defn = "",
                      .drop_stmt = cases[i].drop};
        assert_true(clean_statement(sql, &e, false));
        assert_string_equal(sql->data, cases[i].drop);
        assert_true(clean_statement(sql, &e, true));
        assert_string_equal(sql->data, cases[i].if_exists);
    }
    TocEntry none = {
        .desc = "SCHEMA", .tag = "public", .defn = "", .drop_stmt = "-- not dropped\n"};
    assert_false(clean_statement(sql, &none, true));
    none = (TocEntry){.desc = "DATABASE", .tag = "d", .defn = "", .drop_stmt = "DROP DATABASE d;"};
    assert_false(clean_statement(sql, &none, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_what_moves_are_replaced),
        cmocka_unit_test(what_cannot_be_read_is_refused),
        cmocka_unit_test(maps_must_make_sense),
        cmocka_unit_test(owners_and_places_are_changed),
        cmocka_unit_test(drops_bear_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
