/*
 * base/crc32c.h - CRC-32C (Castagnoli; RFC 3720, 12.1), which PostgreSQL's backup manifests and WAL use. No
 * library that this program needs anyway has it.
 */
#ifndef PGARK_BASE_CRC32C_H
#define PGARK_BASE_CRC32C_H

#include "base/build.h"

/* crc32c_extend goes on with a checksum; that of nothing is 0. Uses the processor's instruction where it has
 * one, on three places of the data at a time, as each waits for its last result (V. Gopal et al., Fast CRC Computation
 * for iSCSI Polynomial Using CRC32 Instruction, Intel 2011). */
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len);

/* crc32c_plain: the same without it, for tests. */
uint32_t crc32c_plain(uint32_t crc, const void *data, size_t len);

#endif
