/*
 * base/oids.h - sorted lists of oids.
 */
#ifndef PGARK_BASE_OIDS_H
#define PGARK_BASE_OIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* oids_sort sorts a list (NULL is fine where count is 0). */
void oids_sort(uint32_t *oids, size_t count);

/* oids_have tells whether oid is in a list that oids_sort has sorted. */
bool oids_have(const uint32_t *oids, size_t count, uint32_t oid);

/* oids_compare: -1, 0 or 1, for lists of what has an oid. */
static inline int oids_compare(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

#endif
