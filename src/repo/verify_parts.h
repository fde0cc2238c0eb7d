/*
 * repo/verify_parts.h - the parts of verify_set; for verify*.c, and physical/set_verify.c.
 *
 *   verify.c         the run: manifest, threads, result
 *   verify_files.c   which files there must be, and what of each is used
 *   verify_tables.c  which chunks each table must have, and what they sum up to
 */
#ifndef PGARK_REPO_VERIFY_PARTS_H
#define PGARK_REPO_VERIFY_PARTS_H

#include "repo/verify.h"

/* Problems from any thread. */
typedef struct VerifyProblems VerifyProblems;
VerifyProblems *verify_problems_new(void);
void verify_problems_free(VerifyProblems *p);
DEFINE_AUTO(VerifyProblems, verify_problems_free)
void verify_problem(VerifyProblems *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* verify_problems_move puts the texts below ctx into ret. */
void verify_problems_move(VerifyProblems *p, void *ctx, VerifyResult *ret);

/* What the manifest says about files. One thread. */
typedef struct VerifyFiles VerifyFiles;
VerifyFiles *verify_files_new(VerifyProblems *problems);
void verify_files_free(VerifyFiles *f);
DEFINE_AUTO(VerifyFiles, verify_files_free)
/* verify_files_slice: length bytes from offset of the file are used, by one chunk. */
void verify_files_slice(VerifyFiles *f, const char *path, uint64_t offset, uint64_t length);
/* verify_files_whole: the file is used as a whole, once. */
void verify_files_whole(VerifyFiles *f, const char *path, uint64_t length);
/* verify_files_compare looks at every file of the set and compares; complete says whether all
 * slices are known: without them a file that none uses is not called extra. *ret_count: files that
 * were expected. */
bool verify_files_compare(VerifyFiles *f, Storage *st, const char *set_dir, bool complete,
                          uint64_t *ret_count, Error *err) MUST_CHECK;

/* What the chunks of one node must add up to. One thread. */
typedef struct VerifyTables VerifyTables;
VerifyTables *verify_tables_new(VerifyProblems *problems, const Manifest *m,
                                const NodeRecord *node);
void verify_tables_free(VerifyTables *t);
DEFINE_AUTO(VerifyTables, verify_tables_free)
/* verify_tables_chunk takes a chunk into account and returns its table, or NULL when there is
 * none. */
const TableRecord *verify_tables_chunk(VerifyTables *t, const ChunkRecord *chunk);
void verify_tables_compare(VerifyTables *t);

#endif
