/*
 * physical/tar_stream.h - walks through a tar stream that is pushed through, and tells what is in it.
 *
 * Of the ustar format as PostgreSQL's servers write it ("Streaming Replication Protocol", BASE_BACKUP; the
 * format itself: POSIX, pax, "ustar Interchange Format"): files, directories and symbolic links, sizes octal
 * or in base 256. Anything else is ERR_CORRUPT. Nothing is kept but the header at hand.
 */
#ifndef PGARK_PHYSICAL_TAR_STREAM_H
#define PGARK_PHYSICAL_TAR_STREAM_H

#include "base/error.h"
#include "base/mem.h"

#define TAR_BLOCK    ((size_t) 512)
#define TAR_NAME_LEN 258 /* prefix, slash, name, NUL */
#define TAR_LINK_LEN 101

typedef enum TarKind
{
    TAR_FILE,
    TAR_DIRECTORY,
    TAR_SYMLINK,
} TarKind;

typedef struct TarMember
{
    TarKind kind;
    char name[TAR_NAME_LEN]; /* without a slash at its end, and "./" at its beginning */
    char link[TAR_LINK_LEN]; /* of a symbolic link */
    uint64_t size;           /* of a file */
    uint32_t mode;           /* permissions */
    int64_t mtime;
    uint64_t offset; /* of its header in the stream */
} TarMember;

/* What is called; the member lives until end. data is called for a file's bytes only. */
typedef struct TarEvents
{
    bool (*begin)(void *arg, const TarMember *member, Error *err);
    bool (*data)(void *arg, const void *data, size_t len, Error *err);
    bool (*end)(void *arg, const TarMember *member, Error *err);
    void *arg;
} TarEvents;

typedef struct TarStream TarStream;

/* tar_stream_new: below ctx. */
TarStream *tar_stream_new(void *ctx, const TarEvents *events);

/* tar_stream_take goes on with data, to its end or to the next boundary between members, whichever comes
 * first; *ret_taken (more than 0 where len is) bytes were taken. */
bool tar_stream_take(TarStream *t, const void *data, size_t len, size_t *ret_taken, Error *err)
    MUST_CHECK;

/* tar_stream_boundary: what was taken so far ends where a member ends, or is nothing. */
bool tar_stream_boundary(const TarStream *t);

/* tar_stream_ended: the blocks of zeros that end an archive have come: one, or both. */
bool tar_stream_ended(const TarStream *t);

/* tar_stream_finish: nothing follows. ERR_CORRUPT: a member is not complete. */
bool tar_stream_finish(const TarStream *t, Error *err) MUST_CHECK;

/* tar_name_sound: a relative path, without "..", empty parts and ".". */
bool tar_name_sound(const char *name);

#endif
