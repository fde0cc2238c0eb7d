/*
 * base/crc32c.h - CRC-32C (Castagnoli; RFC 3720, 12.1), which PostgreSQL's backup manifests and WAL use.
 */
#ifndef PGARK_BASE_CRC32C_H
#define PGARK_BASE_CRC32C_H

#include "base/build.h"

/* crc32c_extend goes on with a checksum; that of nothing is 0. */
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len);

#endif
