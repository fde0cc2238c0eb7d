/* base/oids.c - sorted lists of oids; the contract is in oids.h. */
#include "base/oids.h"

#include <stdlib.h>

static int order(const void *a, const void *b)
{
    return oids_compare(*(const uint32_t *) a, *(const uint32_t *) b);
}

void oids_sort(uint32_t *oids, size_t count)
{
    if (count > 1)
        qsort(oids, count, sizeof(uint32_t), order);
}

bool oids_have(const uint32_t *oids, size_t count, uint32_t oid)
{
    return count > 0 && bsearch(&oid, oids, count, sizeof(uint32_t), order) != NULL;
}
