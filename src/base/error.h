/*
 * base/error.h - errors as values.
 *
 * A function that can fail returns bool (true: done) and takes an Error * as its last argument.
 * On failure the Error is filled exactly once, where the failure is first seen; callers may only
 * prefix it, name its node or add a hint, and pass it on. The top of the program prints it once.
 */
#ifndef PGARK_BASE_ERROR_H
#define PGARK_BASE_ERROR_H

#include "base/build.h"

typedef enum ErrorCode
{
    ERR_NONE = 0,
    ERR_USAGE,     /* the request itself is wrong: options, files named by the user */
    ERR_CONNECT,   /* a server cannot be reached or refuses the login */
    ERR_QUERY,     /* a server refused a statement; sqlstate is set */
    ERR_STORAGE,   /* the repository: I/O, space, permissions */
    ERR_CORRUPT,   /* stored data is not what the manifest says */
    ERR_EXISTS,    /* what should be new exists, what should be empty is not */
    ERR_NOT_FOUND, /* a set, object or program is missing */
    ERR_LOCK,      /* a lock (table, repository) was not to be had in time */
    ERR_CUT,       /* no consistent cut could be proven in time */
    ERR_PROGRAM,   /* a child program failed */
    ERR_CHANGED,   /* the catalogue moved underneath: the caller may start over */
    ERR_CANCELLED, /* the run was cancelled, by the user or by another thread's failure */
    ERR_INTERNAL,  /* a bug in pgark */
} ErrorCode;

typedef struct Error
{
    ErrorCode code;
    char sqlstate[6];   /* "" when no server was involved */
    char node[160];     /* "" or the node's label, as "node 1 (db2:5432)" */
    char message[2048]; /* lower case, what + where + why, no final stop */
    char hint[512];     /* "" or one sentence telling what to do */
    const char *file;   /* origin in the source */
    int line;
} Error;

#define ERROR_INIT                                                                                 \
    {                                                                                              \
        .code = ERR_NONE                                                                           \
    }

/* error_set fills err and returns false, so that "return error_set(...)" reads well.
 * An Error that is already set keeps its first content (the origin wins). err may be NULL. */
#define error_set(err, code, ...) error_set_at((err), (code), __FILE__, __LINE__, __VA_ARGS__)
bool error_set_at(Error *err, ErrorCode code, const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* error_prefix puts "<text>: " before the message. Returns false. */
bool error_prefix(Error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* error_hint sets the hint unless one is set already. Returns false. */
bool error_hint(Error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* error_node names the node unless one is named already. Returns false. */
bool error_node(Error *err, const char *node);

/* error_is_set tells whether err holds a failure. */
bool error_is_set(const Error *err);

/* error_clear makes err empty again, for a retry. */
void error_clear(Error *err);

/* error_code_name returns a stable lower-case word for a code ("storage"), for JSON output. */
const char *error_code_name(ErrorCode code);

/* error_errno appends strerror(errno): error_set(err, code, "<text>: <strerror>"). Returns false.
 * ENOSPC, EACCES, EROFS and EDQUOT get a hint of their own. */
#define error_errno(err, code, ...) error_errno_at((err), (code), __FILE__, __LINE__, __VA_ARGS__)
bool error_errno_at(Error *err, ErrorCode code, const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

#endif
