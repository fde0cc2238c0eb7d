/*
 * physical/incremental_file.h - files of an incremental base backup that hold the blocks that have changed.
 *
 * "INCREMENTAL.<name>" stands in the place of <name>: three numbers - what kind of file it is, how many blocks it has,
 * below which block the earlier backup's file stays in force -, the blocks' places in the file, zeros up to a whole
 * block (where there are blocks), the blocks. All in the byte order of the server. Source: PostgreSQL's
 * backup/basebackup_incremental.h and the description in backup/basebackup.c, 17.
 */
#ifndef PGARK_PHYSICAL_INCREMENTAL_FILE_H
#define PGARK_PHYSICAL_INCREMENTAL_FILE_H

#include "base/error.h"
#include "base/mem.h"

#define INCREMENTAL_PREFIX "INCREMENTAL."

/* incremental_file_whole tells whether a path is that of such a file, as only files of relations have them, and gives the
 * path of the file that it has blocks of; size: of ret, which a longer path than it can hold is none for. */
bool incremental_file_whole(const char *path, char *ret, size_t size);

/* What is called: keep, with how many blocks of the earlier file stay unless they come; then each block, whole. */
typedef struct IncrementalEvents
{
    bool (*keep)(void *arg, uint32_t blocks, Error *err);
    bool (*block)(void *arg, uint32_t block, const void *page, Error *err);
    void *arg;
} IncrementalEvents;

typedef struct IncrementalFile IncrementalFile;

/* incremental_file_new: below ctx. Between blocks it holds their places, four bytes of each, and one block. */
IncrementalFile *incremental_file_new(void *ctx, size_t block_size,
                                      const IncrementalEvents *events);

/* A file passes: incremental_file_begin with its length, incremental_file_write as often as wanted,
 * incremental_file_end. ERR_CORRUPT: it is of another form than described. */
void incremental_file_begin(IncrementalFile *f, uint64_t size);
bool incremental_file_write(IncrementalFile *f, const void *data, size_t len, Error *err)
    MUST_CHECK;
bool incremental_file_end(const IncrementalFile *f, Error *err) MUST_CHECK;

#endif
