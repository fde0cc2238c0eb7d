/*
 * physical/page_check.h - checksums of a relation's pages, looked at while its file passes.
 *
 * A page that the server has written since the backup began may be torn in what is copied: its LSN is not
 * below the start of the backup, and WAL brings all of it again. All others must have the checksum that
 * they say, but for pages that were never used. What is said of a page that is not right is that it may be: it
 * can have been written in the moment in which it was read, and then only its second half is new.
 *
 * Source: PostgreSQL documentation, "Database Page Layout", "Data Checksums", "Database File Layout"; the
 * algorithm of checksums: storage/checksum_impl.h.
 */
#ifndef PGARK_PHYSICAL_PAGE_CHECK_H
#define PGARK_PHYSICAL_PAGE_CHECK_H

#include "base/error.h"
#include "base/mem.h"

/* page_checksum computes the checksum of a page of size bytes that is block (counted over all segments of
 * its relation's fork). */
uint16_t page_checksum(const void *page, size_t size, uint32_t block);

typedef enum PageState
{
    PAGE_GOOD,
    PAGE_NEW,   /* never used */
    PAGE_LATER, /* written since start_lsn: not looked at */
    PAGE_BAD,
} PageState;

/* page_look: checksums (may be NULL) gets what the page says and what it should. */
PageState page_look(const void *page, size_t size, uint32_t block, uint64_t start_lsn,
                    uint16_t ret_checksums[2]);

/* page_file_segment tells whether a path, relative to the data directory or a tablespace's, is that of a file of
 * pages, and which segment of its relation's fork. */
bool page_file_segment(const char *path, uint32_t *ret_segment);

typedef struct PageCheck PageCheck;

/* page_check_new: bad is called with the path, the block within the file, and how many came before it. Below
 * ctx. segment_blocks: blocks of a full file. */
typedef void (*PageBad)(void *arg, const char *path, uint32_t segment, uint32_t block);
PageCheck *page_check_new(void *ctx, size_t block_size, uint32_t segment_blocks, PageBad bad,
                          void *arg);

/* page_check_start: files that pass from now on are of a backup that began there. */
void page_check_start(PageCheck *c, uint64_t start_lsn);

/* A file of size bytes passes: page_check_begin, page_check_data as often as wanted, the next page_check_begin. Of
 * one of changed blocks (physical/incremental_file.h) bad gets the path of the file that they belong to. A file
 * of another kind is left alone. */
void page_check_begin(PageCheck *c, const char *path, uint64_t size);
void page_check_data(PageCheck *c, const void *data, size_t len);

#endif
