/* Unit tests of restore/outcome: what a failure means for the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "restore/outcome.h"

/* type 1 < table 2 < comment 3, index 4; table 5 stands alone */
static const TocEntry list[] = {
    {.desc = "TYPE", .tag = "k", .schema = "s", .dump_id = 1, .oid = 11},
    {.desc = "TABLE",
     .tag = "t",
     .schema = "s",
     .dump_id = 2,
     .oid = 12,
     .dependencies = (int[]){1},
     .dependency_count = 1},
    {.desc = "COMMENT",
     .tag = "TYPE k",
     .schema = "s",
     .dump_id = 3,
     .dependencies = (int[]){1},
     .dependency_count = 1},
    {.desc = "INDEX",
     .tag = "i",
     .schema = "s",
     .dump_id = 4,
     .dependencies = (int[]){2},
     .dependency_count = 1},
    {.desc = "TABLE", .tag = "u", .schema = "s", .dump_id = 5, .oid = 15},
};

static ArchiveToc *make(void *ctx)
{
    ArchiveToc *toc = mem_new(ctx, ArchiveToc);
    toc->entry_count = LENGTH_OF(list);
    toc->entries = mem_array(toc, TocEntry, LENGTH_OF(list));
    toc->by_dump_id = mem_array(toc, uint32_t, LENGTH_OF(list));
    memcpy(toc->entries, list, sizeof(list));
    for (uint32_t i = 0; i < LENGTH_OF(list); i++)
        toc->by_dump_id[i] = i;
    return toc;
}

static void fail_with(Error *err, ErrorCode code, const char *sqlstate)
{
    error_clear(err);
    error_set(err, code, "it failed");
    memcpy(err->sqlstate, sqlstate, strlen(sqlstate) + 1);
}

static void what_depends_on_a_failure_is_skipped(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    ArchiveToc *toc = make(ctx);
    bool needed[LENGTH_OF(list)] = {false};
    Outcome *o = outcome_new(ctx, toc, needed, ON_ERROR_CONTINUE);
    Error err = ERROR_INIT;
    size_t count;

    assert_true(outcome_begin(o, &toc->entries[0], "TYPE s.k"));
    fail_with(&err, ERR_QUERY, "42710");
    assert_true(outcome_failed(o, &toc->entries[0], "TYPE s.k", &err));
    assert_false(error_is_set(&err));
    assert_false(outcome_begin(o, &toc->entries[1], "TABLE s.t"));
    assert_false(outcome_begin(o, &toc->entries[2], "COMMENT"));
    assert_false(outcome_rows_begin(o, 12, "s.t"));
    assert_false(outcome_begin(o, &toc->entries[3], "INDEX s.i"));
    assert_true(outcome_begin(o, &toc->entries[4], "TABLE s.u"));
    assert_true(outcome_rows_begin(o, 15, "s.u"));
    assert_true(outcome_rows_begin(o, 99, "of no entry"));
    const OutcomeFailure *failures = outcome_failures(o, &count);
    assert_int_equal(count, 5);
    assert_string_equal(failures[0].object, "TYPE s.k");
    assert_string_equal(failures[0].sqlstate, "42710");
    assert_false(failures[0].skipped);
    assert_string_equal(failures[3].object, "rows of s.t");
    assert_true(failures[3].skipped);
    assert_non_null(strstr(failures[1].message, "TYPE s.k"));
    /* a second statement of the same entry is not told of again */
    assert_false(outcome_begin(o, &toc->entries[3], "INDEX s.i"));
    outcome_failures(o, &count);
    assert_int_equal(count, 5);
}

static void stopping_is_the_default(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    ArchiveToc *toc = make(ctx);
    bool needed[LENGTH_OF(list)] = {false};
    Outcome *o = outcome_new(ctx, toc, needed, ON_ERROR_STOP);
    Error err = ERROR_INIT;

    fail_with(&err, ERR_QUERY, "42710");
    assert_false(outcome_failed(o, &toc->entries[0], "TYPE s.k", &err));
    assert_true(error_is_set(&err));
    assert_false(outcome_rows_failed(o, "s.t", &err));
}

static void a_lost_server_is_never_passed_over(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    ArchiveToc *toc = make(ctx);
    bool needed[LENGTH_OF(list)] = {true, true, true, true, true};
    Outcome *o = outcome_new(ctx, toc, needed, ON_ERROR_CONTINUE);
    const ErrorCode codes[] = {ERR_CONNECT, ERR_CANCELLED};
    for (size_t i = 0; i < LENGTH_OF(codes); i++)
    {
        Error err = ERROR_INIT;
        fail_with(&err, codes[i], "42710");
        assert_false(outcome_failed(o, &toc->entries[0], "x", &err));
        assert_false(outcome_rows_failed(o, "x", &err));
        assert_false(outcome_other_failed(o, "x", &err));
    }
}

static void what_is_there_already_keeps_its_comment(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    ArchiveToc *toc = make(ctx);
    bool needed[LENGTH_OF(list)] = {true, false, true, false, false};
    Outcome *o = outcome_new(ctx, toc, needed, ON_ERROR_STOP);
    Error err = ERROR_INIT;
    size_t count;

    fail_with(&err, ERR_QUERY, "42710");
    assert_true(outcome_failed(o, &toc->entries[0], "TYPE s.k", &err));
    assert_false(outcome_begin(o, &toc->entries[2], "COMMENT"));
    assert_true(outcome_begin(o, &toc->entries[1], "TABLE s.t"));
    outcome_failures(o, &count);
    assert_int_equal(count, 0);
    fail_with(&err, ERR_QUERY, "42601");
    assert_false(outcome_failed(o, &toc->entries[0], "TYPE s.k", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_depends_on_a_failure_is_skipped),
        cmocka_unit_test(stopping_is_the_default),
        cmocka_unit_test(a_lost_server_is_never_passed_over),
        cmocka_unit_test(what_is_there_already_keeps_its_comment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
