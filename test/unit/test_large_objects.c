/*
 * test/unit/test_large_objects.c - the list of large objects as it is read from a set, access control
 * lists, grouping, and how a list is cut by oids.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backup/plan.h"
#include "base/str.h"
#include "pg/acl_text.h"
#include "repo/large_object_list.h"
#include "restore/large_object_groups.h"

/* ---- the list ---- */

/* What came, written back in a form of our own; each row ends with a newline. */
static bool note(void *arg, const LargeObjectRow *row, Error *err)
{
    Str *seen = arg;
    if (row->oid == 666)
        return error_set(err, ERR_QUERY, "the caller's own error");
    str_addf(seen, "%u|%s|%s|%s|%s\n", row->oid, row->owner, row->acl == NULL ? "-" : row->acl,
             row->comment == NULL ? "-" : row->comment, row->labels == NULL ? "-" : row->labels);
    return true;
}

static bool read_in_pieces(LargeObjectList *list, const char *text, size_t len, size_t piece,
                           Error *err)
{
    for (size_t at = 0; at < len; at += piece)
    {
        size_t n = len - at < piece ? len - at : piece;
        if (!large_object_list_put(list, text + at, n, err))
        {
            Error ignored = ERROR_INIT;
            (void) !large_object_list_end(list, &ignored);
            return false;
        }
    }
    return large_object_list_end(list, err);
}

static void test_list(void **state UNUSED)
{
    static const char text[] = "1\tbob\t\\N\t\\N\t\\N\n"
                               "4294967295\ta\\tb\\\\\t{bob=rw/bob}\t\t{\"x\": \"y\"}\n"
                               "7\tbob\t{}\tone\\ntwo\\rthree\\b\\f\\v \\\\N\t\\N\n";
    static const char want[] = "1|bob|-|-|-\n"
                               "4294967295|a\tb\\|{bob=rw/bob}||{\"x\": \"y\"}\n"
                               "7|bob|{}|one\ntwo\rthree\b\f\v \\N|-\n";
    for (size_t piece = 1; piece <= sizeof(text); piece++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Error err = ERROR_INIT;
        Str *seen = str_new(ctx);
        LargeObjectList *list = large_object_list_new(ctx, note, seen);
        assert_true(read_in_pieces(list, text, sizeof(text) - 1, piece, &err));
        assert_string_equal(seen->data, want);
        /* and again: the next chunk */
        assert_true(read_in_pieces(list, text, sizeof(text) - 1, piece, &err));
        assert_int_equal(seen->len, 2 * (sizeof(want) - 1));
    }
}

static void test_list_refuses(void **state UNUSED)
{
    static const struct
    {
        const char *text;
        size_t len; /* 0: strlen */
        ErrorCode code;
    } cases[] = {
        {"1\tbob\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"1\tbob\t\\N\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"1\tbob\t\\N\t\\N\t\\N", 0, ERR_CORRUPT},
        {"\n", 0, ERR_CORRUPT},
        {"0\tbob\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"-1\tbob\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {" 1\tbob\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"1x\tbob\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"4294967296\tbob\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"99999999999999999999999999\tbob\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"\\N\tbob\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"1\t\\N\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"1\t\t\\N\t\\N\t\\N\n", 0, ERR_CORRUPT},
        {"1\tb\0b\t\\N\t\\N\t\\N\n", 16, ERR_CORRUPT},
        {"666\tbob\t\\N\t\\N\t\\N\n", 0, ERR_QUERY},
    };
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Str *seen = str_new(ctx);
    LargeObjectList *list = large_object_list_new(ctx, note, seen);
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        size_t len = cases[i].len == 0 ? strlen(cases[i].text) : cases[i].len;
        assert_false(read_in_pieces(list, cases[i].text, len, 1000, &err));
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(seen->len, 0);
    }
}

/* ---- access control lists ---- */

static void test_acl(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    AclItem *items;
    size_t count;
    assert_true(acl_text_parse(ctx, "{}", &items, &count, &err));
    assert_int_equal(count, 0);
    assert_true(acl_text_parse(ctx,
                               "{bob=rw/bob,=r/bob,\"\\\"odd \\\"\\\"role\\\"\\\", "
                               "{x}\\\"=r*w*/\\\"a\\\\b=/\\\"\",u=/v}",
                               &items, &count, &err));
    static const char *const want[][3] = {{"bob", "rw", "bob"},
                                          {"", "r", "bob"},
                                          {"odd \"role\", {x}", "r*w*", "a\\b=/"},
                                          {"u", "", "v"}};
    assert_int_equal(count, LENGTH_OF(want));
    for (size_t i = 0; i < count; i++)
    {
        assert_string_equal(items[i].grantee, want[i][0]);
        assert_string_equal(items[i].privileges, want[i][1]);
        assert_string_equal(items[i].grantor, want[i][2]);
    }
}

static void test_acl_refuses(void **state UNUSED)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "}",
                                        "bob=r/bob",
                                        "{bob}",
                                        "{bob=r}",
                                        "{bob=r/}",
                                        "{bob=r/bob",
                                        "{bob=r/bob}x",
                                        "{bob=r/bob,}",
                                        "{bob=*r/bob}",
                                        "{bob=r**/bob}",
                                        "{bob=1/bob}",
                                        "{\"bob=r/bob}",
                                        "{\"bob=r/bob\\",
                                        "{\"\\\"bob=r/bob\"}",
                                        "{{bob=r/bob}}x",
                                        "{,}",
                                        "{\"bob=r/bob\"x}"};
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
    {
        Error err = ERROR_INIT;
        AclItem *items;
        size_t count;
        assert_false(acl_text_parse(ctx, texts[i], &items, &count, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
}

/* ---- groups ---- */

static void test_groups(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    LargeObjectGroups g = {.items = NULL};
    const char *const acls[] = {NULL, "{}", NULL, "{bob=r/bob}"};
    for (uint32_t i = 0; i < 8; i++)
    {
        LargeObjectRow row = {
            .oid = i + 1, .owner = i % 2 == 0 ? "amy" : "bob", .acl = acls[i % 4]};
        large_object_groups_add(&g, ctx, &row, true);
    }
    assert_int_equal(g.count, 3);
    assert_int_equal(g.objects, 8);
    assert_string_equal(g.items[0].oids->data, "1,3,5,7");
    assert_null(g.items[0].acl);
    assert_string_equal(g.items[1].oids->data, "2,6");
    assert_string_equal(g.items[2].oids->data, "4,8");
    assert_false(large_object_groups_full(&g));
    large_object_groups_clear(&g);
    assert_int_equal(g.objects, 0);
    for (uint32_t i = 0; !large_object_groups_full(&g); i++)
    {
        LargeObjectRow row = {.oid = i + 1, .owner = "bob", .acl = i % 2 == 0 ? "{}" : NULL};
        large_object_groups_add(&g, ctx, &row, false);
        assert_int_equal(g.count, 1);
        assert_true(i < 100000);
    }
}

/* ---- cuts ---- */

/* Every oid is in exactly one chunk. */
static void check_cuts(size_t cuts, uint64_t bytes, uint64_t chunk_size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    BackupRequest request = {.jobs = 2, .chunk_size = chunk_size, .chunk_size_exact = true};
    Relation r = {.oid = 2995, .kind = 'r', .data = DATA_CATALOG, .from = "", .bytes = bytes};
    Catalog catalog = {.items = &r, .count = 1};
    Plan plan;
    r.cuts = mem_array(ctx, uint32_t, cuts);
    r.cut_count = cuts;
    for (size_t i = 0; i < cuts; i++)
        r.cuts[i] = (uint32_t) (100 + 7 * i);
    plan_make(ctx, &catalog, &request, true, &plan);
    uint64_t want = (bytes + chunk_size - 1) / chunk_size;
    want = want > cuts + 1 ? cuts + 1 : want < 1 ? 1 : want;
    assert_int_equal(plan.count, want);
    uint64_t at = 0;
    for (size_t i = 0; i < plan.count; i++)
    {
        bool last = i + 1 == plan.count;
        assert_int_equal(plan.chunks[i].number, i);
        assert_int_equal(plan.chunks[i].from_block, at);
        assert_true(last ? plan.chunks[i].to_block == 0 : plan.chunks[i].to_block > at);
        at = plan.chunks[i].to_block;
    }
}

static void test_cuts(void **state UNUSED)
{
    for (size_t cuts = 0; cuts < 40; cuts++)
    {
        for (uint64_t bytes = 0; bytes <= 50; bytes++)
            check_cuts(cuts, bytes, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),   cmocka_unit_test(test_list_refuses),
        cmocka_unit_test(test_acl),    cmocka_unit_test(test_acl_refuses),
        cmocka_unit_test(test_groups), cmocka_unit_test(test_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
