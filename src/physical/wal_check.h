/*
 * physical/wal_check.h - a stage that looks at the pages of a WAL segment while it passes.
 *
 * Every page of WAL begins with a header that says where it belongs: magic number, flags, timeline, address,
 * and on the first page of a segment the system identifier and the sizes of segment and page. That is enough
 * to see that a segment is of this server, of this place, and not torn; its records have checksums of their
 * own, which whoever replays them checks.
 *
 * Source: PostgreSQL documentation, "WAL Internals", and the layout of page headers that it refers to
 * (access/xlog_internal.h: XLogPageHeaderData, XLogLongPageHeaderData).
 */
#ifndef PGARK_PHYSICAL_WAL_CHECK_H
#define PGARK_PHYSICAL_WAL_CHECK_H

#include "io/stage.h"

/* wal_check_new makes the stage; wal_check_set says what passes next: the segment of this timeline that
 * begins at start (call it with io_reset). Pages may be of earlier timelines, as a new one begins with a
 * copy. Behind a switch of segments all pages are empty. ERR_CORRUPT names segment, place, and what differs;
 * io_finish fails when the segment is not complete. */
IoStage *wal_check_new(uint64_t system_identifier, uint64_t segment_size, IoStage *next);
void wal_check_set(IoStage *stage, uint32_t timeline, uint64_t start);

#endif
