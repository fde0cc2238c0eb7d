/*
 * physical/wal_name.h - the names of WAL segments and of timelines' history files.
 *
 * Source: PostgreSQL documentation, "WAL Internals" (names of segment files: timeline, and the number of
 * the segment in two parts), "Continuous Archiving and Point-in-Time Recovery" (history files, .partial).
 */
#ifndef PGARK_PHYSICAL_WAL_NAME_H
#define PGARK_PHYSICAL_WAL_NAME_H

#include "base/build.h"

#define WAL_NAME_LEN       25 /* 24 hexadecimal digits and NUL */
#define WAL_PREFIX_LEN     16 /* digits that segments of one directory have in common */
#define WAL_HISTORY_LEN    17 /* "0000000A.history" and NUL */
#define WAL_SEGMENT_MIN    ((uint64_t) 1024 * 1024)
#define WAL_SEGMENT_MAX    ((uint64_t) 1024 * 1024 * 1024)
#define WAL_PARTIAL_SUFFIX ".partial"

/* wal_segment_size_sound: a power of two that servers can be made with. */
bool wal_segment_size_sound(uint64_t bytes);

/* wal_name_format writes the name of the segment that holds lsn; returns name. */
char *wal_name_format(char name[WAL_NAME_LEN], uint32_t timeline, uint64_t lsn,
                      uint64_t segment_size);

/* wal_name_parse takes a segment's name apart: *ret_start is where it begins. false: it is no segment of a
 * server with that size. */
bool wal_name_parse(const char *name, uint64_t segment_size, uint32_t *ret_timeline,
                    uint64_t *ret_start);

/* wal_name_is_segment: 24 digits of the form that servers write; wal_name_is_history: eight, and ".history". */
bool wal_name_is_segment(const char *name);
bool wal_name_is_history(const char *name);

/* wal_name_is_listed: a file of a data directory (path) is in the server's backup_manifest, as all are but
 * segments of WAL. */
static inline bool wal_name_is_listed(const char *path)
{
    return strncmp(path, "pg_wal/", 7) != 0 || !wal_name_is_segment(path + 7);
}

/* wal_history_format writes the name of a timeline's history file; returns name. */
char *wal_history_format(char name[WAL_HISTORY_LEN], uint32_t timeline);

#endif
