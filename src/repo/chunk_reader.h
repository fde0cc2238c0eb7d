/*
 * repo/chunk_reader.h - the one way in which a stored chunk is ever read.
 */
#ifndef PGARK_REPO_CHUNK_READER_H
#define PGARK_REPO_CHUNK_READER_H

#include "base/cancel.h"
#include "repo/manifest.h"

/* A ChunkReader pushes stored chunks, one after the other, through decompression and all checks
 * (stored length, SHA-256, logical length, XXH3-128, rows) into sink (NULL: nowhere). It is made
 * for chunks of one method and copy format, and used by one thread.
 *
 * count_rows false leaves the rows to the caller, who then must compare them with the record: a
 * server counts the rows of a COPY anyway, and counting costs a pass over all bytes.
 *
 * chunk_reader_run: the sink sees bytes before the hash over all of them is known; the caller must
 * not commit them unless this returns true. An object of another set is looked for there. ERR_CORRUPT
 * names object, table and chunk, and what differs; a missing object is ERR_CORRUPT too. Errors of the sink pass as they are. A chunk
 * without an object has no bytes at all, not even a header: the sink is not called. */
typedef struct ChunkReader ChunkReader;
ChunkReader *chunk_reader_new(Storage *st, const char *set_dir, CompressMethod method, bool binary,
                              bool count_rows, IoSinkWrite sink, void *arg);
bool chunk_reader_run(ChunkReader *r, const ChunkRecord *chunk, const Cancel *cancel, Error *err)
    MUST_CHECK;
void chunk_reader_free(ChunkReader *r);
DEFINE_AUTO(ChunkReader, chunk_reader_free)

#endif
