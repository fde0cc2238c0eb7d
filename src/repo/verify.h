/*
 * repo/verify.h - proves a stored set without a server.
 */
#ifndef PGARK_REPO_VERIFY_H
#define PGARK_REPO_VERIFY_H

#include "base/cancel.h"
#include "repo/chunk_reader.h"
#include "repo/repo.h"

#define VERIFY_PROBLEMS_MAX 1000

typedef struct VerifyResult
{
    uint64_t objects; /* files looked at */
    uint64_t chunks;
    uint64_t bytes; /* stored bytes read (0 when quick) */
    uint64_t rows;
    size_t elsewhere; /* nodes whose files are in other repositories: not looked at */
    size_t problem_count, problem_capacity;
    char **problems; /* one line each: object, what is wrong; at most VERIFY_PROBLEMS_MAX, then
                        one that says how many more there are */
} VerifyResult;

/* verify_set reads every object of the set with jobs threads, decompresses it, compares length,
 * SHA-256, XXH3-128 and rows of every chunk with the manifest, and looks for files that nothing
 * accounts for and for gaps or overlaps in bundles; objects of other sets, that it refers to, are
 * read there; and whether the shards of a
 * fleet with a coordinator are those of its tables. quick: presence and sizes only. Problems are
 * collected, not failures: false is only for what stops the work (repository unreadable,
 * cancelled); a damaged manifest is a problem too. ret's strings live below ctx. progress (may be
 * NULL) is called, from any thread, with stored bytes done. */
bool verify_set(Repo *repo, void *ctx, const char *set_dir, bool quick, int jobs,
                const Cancel *cancel, void (*progress)(void *arg, uint64_t bytes), void *arg,
                VerifyResult *ret, Error *err) MUST_CHECK;

#endif
