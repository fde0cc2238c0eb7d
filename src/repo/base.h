/*
 * repo/base.h - the set that an incremental one is compared with.
 *
 * A chunk that is unchanged is referred to where it is stored: in the base itself or, where the base
 * only refers to it, in the set that the base names. So a set never leads to another one that leads
 * on: what a reader needs is in the set and in those of its depends_on.
 *
 * Whoever makes an incremental set holds shared locks on all of them until it is published, which
 * keeps expire away from them; and expire, before it removes a set, looks under that set's exclusive
 * lock for sets that have been published meanwhile (repo/retention.c). So there is no moment at which
 * a set could go that a finished one depends on.
 */
#ifndef PGARK_REPO_BASE_H
#define PGARK_REPO_BASE_H

#include "repo/repo.h"

typedef struct Base
{
    Repo *repo;
    char key[SET_KEY_LEN];
    char *dir;
    Manifest *manifest;
    char **sets; /* that chunks of it lie in: those that it depends on and it itself, sorted */
    size_t set_count;
    StorageLock **locks; /* shared, of each; NULL where there was none to be had (repo_resolve) */
} Base;

/* base_open chooses, locks and reads the base of own, a set record as far as it is known before the
 * set is made: key, kind, fleet, prefix, topology, compress, format, sections, selection. A base has all but
 * the key in common with it (of base backups, what stands before compress), is older, has the records of tables that a comparison needs (format 2),
 * and all that it depends on is there. from: its key; NULL: the newest that there is. Sets that should
 * do and cannot be used are warned about. *ret NULL: there is none; with from that is ERR_NOT_FOUND or
 * ERR_USAGE, saying what is wrong with it. The result lives below ctx. */
bool base_open(Repo *repo, void *ctx, const SetRecord *own, const char *from, Base **ret,
               Error *err) MUST_CHECK;

/* base_close gives the locks back; NULL is fine. */
void base_close(Base *base);

/* base_set_index gives the position of a key in base->sets, set_count: it is none of them. */
size_t base_set_index(const Base *base, const char *key);

/* base_check_depends finds out whether the sets are there that a set depends on: ERR_NOT_FOUND names
 * the first that is not. For readers, before they begin. */
bool base_check_depends(Storage *st, const char *set_dir, const SetRecord *set, Error *err)
    MUST_CHECK;

/* base_chunk_dir gives the directory, below ctx, of the set that stores a chunk of set_dir. */
char *base_chunk_dir(void *ctx, const char *set_dir, const ChunkRecord *chunk);

#endif
