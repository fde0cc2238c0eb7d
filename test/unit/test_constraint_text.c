/*
 * test/unit/test_constraint_text.c - definitions of keys: what is taken apart, and what is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "restore/constraint_text.h"

typedef struct KeyCase
{
    const char *sql;
    const char *index; /* NULL: not understood */
    const char *constraint;
} KeyCase;

static void keys_are_taken_apart(void **state UNUSED)
{
    static const KeyCase cases[] = {
        {"ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);\n",
         "CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)  ;\n",
         "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY USING INDEX t_pkey ;\n"},
        {"ALTER TABLE ONLY s.\"T; \"\"x\"\n    ADD CONSTRAINT \"a;b\" UNIQUE NULLS NOT DISTINCT "
         "(a, \"b)\") "
         "INCLUDE (c, d) WITH (fillfactor='70', deduplicate_items=off) DEFERRABLE INITIALLY "
         "DEFERRED;\n\nALTER TABLE s.\"T; \"\"x\" CLUSTER ON \"a;b\";\n",
         "CREATE UNIQUE INDEX \"a;b\" ON s.\"T; \"\"x\" USING btree (a, \"b)\") INCLUDE (c, d) "
         "NULLS "
         "NOT DISTINCT WITH (fillfactor='70', deduplicate_items=off);\n",
         "ALTER TABLE ONLY s.\"T; \"\"x\"\n    ADD CONSTRAINT \"a;b\" UNIQUE USING INDEX \"a;b\" "
         "DEFERRABLE "
         "INITIALLY DEFERRED;\n\nALTER TABLE s.\"T; \"\"x\" CLUSTER ON \"a;b\";\n"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x EXCLUDE USING gist (a WITH =);"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0);"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x PRIMARY KEY (a, b WITHOUT OVERLAPS);"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x PRIMARY KEY (a) USING INDEX TABLESPACE y;"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x PRIMARY KEY USING INDEX x;"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x UNIQUE NULLS DISTINCT (a);"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a), ADD y int;"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a)"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a;"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT U&\"x\" UNIQUE (a);"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT 'x' UNIQUE (a);"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x UNIQUE (lower(a));"},
        {.sql = "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a) WITH (fillfactor=70;"},
        {.sql = "SET search_path = a; ALTER TABLE t ADD CONSTRAINT x UNIQUE (a);"},
        {.sql = "ALTER TABLE"},
        {.sql = ""},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        KeyText key = {0};
        bool good = constraint_text_key(ctx, cases[i].sql, true, &key);
        if (good != (cases[i].index != NULL))
            fail_msg("%s", cases[i].sql);
        if (!good)
            continue;
        assert_int_equal(key.primary, strstr(cases[i].sql, "PRIMARY") != NULL);
        assert_string_equal(key.index, cases[i].index);
        assert_string_equal(key.constraint, cases[i].constraint);
    }
}

static void heirs_are_seen(void **state UNUSED)
{
    assert_true(constraint_text_inherits(
        "CREATE TABLE public.heir (\n    extra integer\n)\nINHERITS (public.located);\n", true));
    assert_false(constraint_text_inherits(
        "CREATE TABLE t (a text DEFAULT 'INHERITS', \"INHERITS\" int); -- INHERITS\n", true));
}

static void foreign_keys_are_read(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    ForeignKeyText fk;
    assert_true(constraint_text_foreign_key(
        ctx,
        "ALTER TABLE ONLY public.\"a \"\"b\"\n    ADD CONSTRAINT \"F;k\" FOREIGN KEY (x, \"y)\") "
        "REFERENCES "
        "s.t(id, at) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL (x) DEFERRABLE INITIALLY "
        "DEFERRED;\n",
        true, &fk));
    assert_true(fk.only);
    assert_string_equal(fk.table, "public.\"a \"\"b\"");
    assert_string_equal(fk.constraint, "\"F;k\"");
    assert_string_equal(fk.name, "F;k");
    assert_string_equal(fk.referencing.schema, "public");
    assert_string_equal(fk.referencing.name, "a \"b");
    assert_string_equal(fk.referenced.schema, "s");
    assert_string_equal(fk.referenced.name, "t");
    assert_string_equal(
        fk.definition,
        "FOREIGN KEY (x, \"y)\") REFERENCES s.t(id, at) MATCH FULL ON UPDATE CASCADE ON "
        "DELETE SET NULL (x) DEFERRABLE INITIALLY DEFERRED");
    assert_true(constraint_text_foreign_key(
        ctx, "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u(b);", true, &fk));
    assert_false(fk.only);
    assert_null(fk.referenced.schema);
}

static void other_foreign_keys_are_left_alone(void **state UNUSED)
{
    static const char *const cases[] = {
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u(b) NOT VALID;",
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u(b) NOT ENFORCED;",
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a, PERIOD b) REFERENCES u(b, PERIOD c);",
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u;",
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u(b)",
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u(b); SELECT 1;",
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u(b), ADD x int;",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u(b);",
        "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a);",
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY () REFERENCES u(b);",
        "",
    };
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    ForeignKeyText fk;
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        if (constraint_text_foreign_key(ctx, cases[i], true, &fk))
            fail_msg("%s", cases[i]);
}

static void an_index_ends_with_its_statement(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    const char *first;
    const char *rest = constraint_text_index(
        ctx,
        "CREATE INDEX i ON s.t USING btree (f(';'), \";\");\n\nALTER TABLE s.t CLUSTER ON i;\n",
        true, &first);
    assert_string_equal(first, "CREATE INDEX i ON s.t USING btree (f(';'), \";\");");
    assert_string_equal(rest, "ALTER TABLE s.t CLUSTER ON i;\n");
    assert_null(
        constraint_text_index(ctx, "CREATE UNIQUE INDEX i ON t (a);\n-- no more\n", true, &first));
    assert_null(constraint_text_index(ctx, "CREATE VIEW v AS SELECT 1; SELECT 1;", true, &first));
    assert_null(constraint_text_index(ctx, "CREATE INDEX i ON t (a)", true, &first));
}

static void names_are_found(void **state UNUSED)
{
    const char *sql =
        "CREATE TABLE t (a int CONSTRAINT \"x y\" CHECK (a > 0), b text DEFAULT 'CONSTRAINT z',\n"
        "    CONSTRAINT c CHECK (b <> 'd'));";
    assert_true(constraint_text_names(sql, true, "x y"));
    assert_true(constraint_text_names(sql, true, "c"));
    assert_false(constraint_text_names(sql, true, "z"));
    assert_false(constraint_text_names(sql, true, "a"));
    assert_false(constraint_text_names("CONSTRAINT", true, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_taken_apart),
        cmocka_unit_test(heirs_are_seen),
        cmocka_unit_test(foreign_keys_are_read),
        cmocka_unit_test(other_foreign_keys_are_left_alone),
        cmocka_unit_test(an_index_ends_with_its_statement),
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
