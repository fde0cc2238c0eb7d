/*
 * test/unit/test_scope.c - which relations of a node are parts of a coordinator's tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backup/scope.h"

static ScopePart parts[] = {
    {.schema = "sales", .name = "t_2", .shard_id = 1},
    {.schema = "public", .name = "t_20", .shard_id = 2},
    {.schema = "sales", .name = "t_1", .shard_id = 3},
    {.schema = "public", .name = "t_2", .shard_id = 4},
    {.schema = "public", .name = "a\"b", .shard_id = 5},
    {.schema = "pub", .name = "lict_2", .shard_id = 6},
};

static Relation relation(uint32_t oid, const char *schema, const char *name)
{
    return (Relation){
        .oid = oid, .schema = (char *) (uintptr_t) schema, .name = (char *) (uintptr_t) name};
}

static int64_t shard_of(const NodeScope *scope, const char *schema, const char *name)
{
    const Relation r = relation(1, schema, name);
    const ScopePart *part = scope_part(scope, &r);
    return part == NULL ? 0 : part->shard_id;
}

static void test_part(void **state UNUSED)
{
    NodeScope scope = {.parts = parts, .part_count = LENGTH_OF(parts)};
    scope_sort(parts, LENGTH_OF(parts));
    assert_int_equal(shard_of(&scope, "sales", "t_2"), 1);
    assert_int_equal(shard_of(&scope, "public", "t_20"), 2);
    assert_int_equal(shard_of(&scope, "sales", "t_1"), 3);
    assert_int_equal(shard_of(&scope, "public", "t_2"), 4);
    assert_int_equal(shard_of(&scope, "public", "a\"b"), 5);
    assert_int_equal(shard_of(&scope, "pub", "lict_2"), 6);
    assert_int_equal(shard_of(&scope, "public", "t_1"), 0);
    assert_int_equal(shard_of(&scope, "publict", "_2"), 0);
    assert_int_equal(shard_of(&scope, "", ""), 0);
    scope.part_count = 0;
    assert_int_equal(shard_of(&scope, "sales", "t_2"), 0);
    assert_int_equal(shard_of(NULL, "sales", "t_2"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
