/*
 * repo/hold.h - the snapshots of an unfinished set, held by a process of their own.
 *
 *   sets/YYYYMMDD/KEY/hold.lock    flock: held by that process as long as the snapshots live
 *   sets/YYYYMMDD/KEY/hold.jsonl   hold, cut, hold_node*: whose snapshots, and of what run
 *
 * The run writes hold.jsonl once the process holds; the process writes it again when it has seen that
 * the run is dead, with the time until which it holds. To remove the file is to tell the process to
 * end, from whatever host. A finished set has neither file; one that was left there by a power
 * failure means nothing.
 */
#ifndef PGARK_REPO_HOLD_H
#define PGARK_REPO_HOLD_H

#include "repo/repo.h"

#define HOLD_FILE "hold.jsonl"
#define HOLD_LOCK "hold.lock"

typedef struct HoldFile
{
    HoldRecord hold;
    CutRecord cut;
    HoldNodeRecord *nodes;
    size_t node_count, node_capacity;
} HoldFile;

/* hold_parse reads the text of hold.jsonl, below ctx; whatever the bytes are, ERR_CORRUPT names the
 * line that is wrong. The part that is fuzzed. */
HoldFile *hold_parse(void *ctx, const char *text, size_t len, Error *err);

/* hold_read reads set_dir's file; ERR_NOT_FOUND: there is none; ERR_CORRUPT also when it is another
 * set's. hold_write writes it, atomically and in place of an older one. */
HoldFile *hold_read(Repo *repo, void *ctx, const char *set_dir, Error *err);
bool hold_write(Repo *repo, const char *set_dir, const HoldFile *file, Error *err) MUST_CHECK;

/* hold_is_alive tells whether the process that holds is there: whether hold.lock is held. */
bool hold_is_alive(Repo *repo, const char *set_dir);

#endif
