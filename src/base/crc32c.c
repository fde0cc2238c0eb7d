/* base/crc32c.c - CRC-32C; the contract is in crc32c.h. */
#include "base/crc32c.h"

#include <isa-l/crc.h>
#include <limits.h>

/* The library works on the complement, takes int, and does not write into what it reads. */
static uint32_t extend(uint32_t crc, const unsigned char *p, size_t len)
{
    return ~crc32_iscsi((unsigned char *) (uintptr_t) p, (int) len, ~crc);
}

uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (; len > INT_MAX; len -= INT_MAX, p += INT_MAX)
        crc = extend(crc, p, INT_MAX);
    return extend(crc, p, len);
}
