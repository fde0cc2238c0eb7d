/*
 * report/set_report.h - a set described for a person or a program: the summary of a backup, and
 * show.
 */
#ifndef PGARK_REPORT_SET_REPORT_H
#define PGARK_REPORT_SET_REPORT_H

#include <jansson.h>

#include "repo/repo.h"

/* The slowest chunks of a set, found by reading its chunk files. */
#define SLOW_CHUNKS 5
typedef struct SlowChunk
{
    int content;
    const TableRecord *table;
    ChunkRecord chunk; /* without strings */
} SlowChunk;

/* What of a set lies in another one. */
typedef struct SetShare
{
    uint64_t chunks;
    uint64_t stored;
    bool there; /* the other set is */
} SetShare;

typedef struct SetDetail
{
    SlowChunk slow[SLOW_CHUNKS]; /* slowest first */
    size_t slow_count;
    SetShare *shares; /* one for each set that it depends on, in that order */
    size_t share_count;
    char **chain; /* its base, the base of that one, ... as far as they are there */
    size_t chain_count, chain_capacity;
    bool chain_whole; /* the last of them has no base */
} SetDetail;

/* set_report_detail reads the chunk files of a set, and who its bases are; below ctx. */
bool set_report_detail(Repo *repo, void *ctx, const char *set_dir, const Manifest *m,
                       SetDetail *ret, Error *err) MUST_CHECK;

/* set_report_text prints header, nodes, cut, totals; with tables >= 0 the biggest tables (0: all),
 * with detail (may be NULL) the slowest chunks. */
void set_report_text(FILE *out, const char *repo_uri, const Manifest *m, int64_t tables,
                     const SetDetail *detail);

/* set_report_json: the same as a JSON object; tables as above (-1: left out). */
json_t *set_report_json(const Manifest *m, int64_t tables, const SetDetail *detail);

/* set_report_store puts report.txt and report.json into a set that is about to be published: what show
 * says of it, with the largest SET_REPORT_TABLES tables, and asked (may be NULL), the options that were
 * given. Of a fleet with a coordinator, m is folded. The names of the files last when their directory has
 * been synced. */
#define SET_REPORT_TABLES 1000
bool set_report_store(Storage *st, const char *set_dir, const Manifest *m, const char *asked,
                      bool no_sync, Error *err) MUST_CHECK;

/* set_report_string: value as a JSON string; names from a database that is not in UTF-8 may not be
 * valid in one, "(not UTF-8)" then. */
json_t *set_report_string(const char *value);

/* set_report_line: one set in a list. */
void set_report_line(FILE *out, const char *key, const Manifest *m);

/* set_report_print dumps a JSON object to out, with a newline, and frees it. */
void set_report_print(FILE *out, json_t *object);

#endif
