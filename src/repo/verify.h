/*
 * repo/verify.h - proves a stored set without a server.
 */
#ifndef PGARK_REPO_VERIFY_H
#define PGARK_REPO_VERIFY_H

#include "base/cancel.h"
#include "repo/repo.h"

typedef struct VerifyResult
{
    uint64_t objects; /* files looked at */
    uint64_t chunks;
    uint64_t bytes; /* stored bytes read (0 when quick) */
    uint64_t rows;
    size_t problem_count, problem_capacity;
    char **problems; /* one line each: object, what is wrong */
} VerifyResult;

/* verify_set reads every object of the set with jobs threads, decompresses it, compares length,
 * SHA-256, XXH3-128 and rows of every chunk with the manifest, and looks for files that nothing
 * accounts for and for gaps or overlaps in bundles. quick: presence and sizes only. Problems are
 * collected, not failures: false is only for what stops the work (repository unreadable,
 * cancelled). ret's strings live below ctx. progress (may be NULL) is called, from any thread, with
 * stored bytes done. */
bool verify_set(Repo *repo, void *ctx, const char *set_dir, bool quick, int jobs,
                const Cancel *cancel, void (*progress)(void *arg, uint64_t bytes), void *arg,
                VerifyResult *ret, Error *err) MUST_CHECK;

/* verify_chunk_stream pushes one stored chunk through decompression and all checks into sink (which
 * it does not own; NULL: nowhere): the one way in which a chunk is ever read. sink sees bytes
 * before the hash over all is known; the caller must not commit them unless this returns true.
 * ERR_CORRUPT names object and what differs. */
typedef struct ChunkReader ChunkReader;
ChunkReader *chunk_reader_new(Storage *st, const char *set_dir, CompressMethod method, bool binary,
                              IoSinkWrite sink, void *arg);
bool chunk_reader_run(ChunkReader *r, const ChunkRecord *chunk, const Cancel *cancel, Error *err)
    MUST_CHECK;
void chunk_reader_free(ChunkReader *r);
DEFINE_AUTO(ChunkReader, chunk_reader_free)

#endif
