/* test/unit/test_search.c - binary search against looking at every element. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/search.h"

#define ELEMENTS 40

static bool is_less(const void *list, size_t i, const void *key)
{
    assert_true(i < ELEMENTS);
    return ((const int *) list)[i] < *(const int *) key;
}

static int order(const void *a, const void *b)
{
    return *(const int *) a - *(const int *) b;
}

/* Lists of all lengths, with elements that are there several times. */
static void test_every_key(void **state)
{
    (void) state;
    int list[ELEMENTS];
    srandom(1);
    for (size_t count = 0; count <= ELEMENTS; count++)
    {
        for (size_t i = 0; i < count; i++)
            list[i] = (int) (random() % 30);
        qsort(list, count, sizeof(int), order);
        for (int key = -1; key <= 31; key++)
        {
            size_t first = 0;
            while (first < count && list[first] < key)
                first++;
            assert_int_equal(search_first(list, count, is_less, &key), first);
        }
    }
}

static void test_nothing(void **state)
{
    (void) state;
    int key = 1;
    assert_int_equal(search_first(NULL, 0, is_less, &key), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
