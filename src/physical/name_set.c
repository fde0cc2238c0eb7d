/* physical/name_set.c - a sorted list of hashes; the contract is in name_set.h. */
#include "physical/name_set.h"

#include <string.h>
#include <xxhash.h>

struct NameSet
{
    uint64_t *hashes;
    size_t count, capacity;
    bool sorted;
};

NameSet *name_set_new(void *ctx)
{
    return mem_new(ctx, NameSet);
}

void name_set_add(NameSet *s, const char *name)
{
    *mem_push(s, s->hashes, s->count, s->capacity, uint64_t) = XXH3_64bits(name, strlen(name));
    s->sorted = false;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a;
    uint64_t y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

bool name_set_has(NameSet *s, const char *name)
{
    uint64_t hash = XXH3_64bits(name, strlen(name));
    if (!s->sorted && s->count > 1)
        qsort(s->hashes, s->count, sizeof(uint64_t), by_value);
    s->sorted = true;
    return s->count > 0 && bsearch(&hash, s->hashes, s->count, sizeof(uint64_t), by_value) != NULL;
}

void name_set_clear(NameSet *s)
{
    s->count = 0;
    s->sorted = false;
}
