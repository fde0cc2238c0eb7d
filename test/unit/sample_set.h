/*
 * test/unit/sample_set.h - a small set in a repository below /tmp, for the tests of repo/.
 *
 * Two nodes (0 and 1). Each has: table 100 (text, three chunks, one object each), tables 101 to 103
 * (binary, one chunk each, in bundle-0), table 104 (empty), one sequence, a schema archive.
 *
 * Where it is spread, node 0 is a coordinator: all tables of node 1, which has no schema archive then,
 * and table 101 of node 0 are shards of its table 104; its table 103 is alone in a distributed schema;
 * and there are two distributed functions.
 */
#ifndef PGARK_TEST_SAMPLE_SET_H
#define PGARK_TEST_SAMPLE_SET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "repo/repo.h"

#define SAMPLE_NODES  2
#define SAMPLE_TABLES 5 /* of a node */
#define SAMPLE_CHUNKS 7
#define SAMPLE_FILES  6 /* three objects, a bundle, the schema archive, the chunk file */
#define SAMPLE_SHARDS 6 /* of a set that is spread */
#define SAMPLE_ROWS   (3 * 1000 + 3 * 2)

typedef struct Sample
{
    void *ctx;
    char root[64]; /* holds the repository in "repo" and nothing else */
    char *uri;
    Repo *repo;
    char key[SET_KEY_LEN]; /* of the set written last */
    char *dir;
    bool spread; /* the sets to be written */
} Sample;

/* sample_new makes the repository; sample_free removes everything. */
Sample *sample_new(void);
void sample_free(Sample *s);

/* sample_write writes one finished set; change (may be NULL) may spoil records before they are
 * written. key NULL: the next free one. */
typedef void (*SampleChange)(ManifestLineType type, void *record);
void sample_write(Sample *s, const char *fleet, const char *key, Compress compress,
                  SampleChange change);

/* sample_path is the file system path of a file of the set; sample_load reads it, sample_store
 * replaces it. */
const char *sample_path(Sample *s, const char *name);
char *sample_load(Sample *s, const char *name, size_t *ret_len);
void sample_store(Sample *s, const char *name, const char *data, size_t len);

#endif
