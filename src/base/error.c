/* base/error.c - errors as values; the contract is in error.h. */
#include "base/error.h"

#include <errno.h>

static bool error_fill(Error *err, ErrorCode code, const char *file, int line)
{
    if (err == NULL || err->code != ERR_NONE)
        return false;
    memset(err, 0, sizeof(*err));
    err->code = code;
    err->file = file;
    err->line = line;
    return true;
}

bool error_set_at(Error *err, ErrorCode code, const char *file, int line, const char *fmt, ...)
{
    if (!error_fill(err, code, file, line))
        return false;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    return false;
}

static void errno_hint(Error *err, int saved)
{
    if (saved == ENOSPC || saved == EDQUOT)
        error_hint(err, "Free some space there, or name another repository.");
    else if (saved == EACCES || saved == EPERM)
        error_hint(err, "Check the owner and the permissions of that path.");
    else if (saved == EROFS)
        error_hint(err, "The file system is mounted read-only; name another repository.");
}

bool error_errno_at(Error *err, ErrorCode code, const char *file, int line, const char *fmt, ...)
{
    int saved = errno;
    if (!error_fill(err, code, file, line))
        return false;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    if (n >= 0 && (size_t) n < sizeof(err->message))
        snprintf(err->message + n, sizeof(err->message) - (size_t) n, ": %s", strerror(saved));
    errno_hint(err, saved);
    return false;
}

bool error_prefix(Error *err, const char *fmt, ...)
{
    if (err == NULL)
        return false;
    char old[sizeof(err->message)];
    memcpy(old, err->message, sizeof(old));
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    if (n >= 0 && (size_t) n < sizeof(err->message))
        snprintf(err->message + n, sizeof(err->message) - (size_t) n, ": %s", old);
    return false;
}

bool error_hint(Error *err, const char *fmt, ...)
{
    if (err == NULL || err->hint[0] != '\0')
        return false;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->hint, sizeof(err->hint), fmt, args);
    va_end(args);
    return false;
}

bool error_node(Error *err, const char *node)
{
    if (err != NULL && err->node[0] == '\0')
        snprintf(err->node, sizeof(err->node), "%s", node);
    return false;
}

bool error_is_set(const Error *err)
{
    return err->code != ERR_NONE;
}

void error_clear(Error *err)
{
    memset(err, 0, sizeof(*err));
}

const char *error_code_name(ErrorCode code)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",           [ERR_USAGE] = "usage",
        [ERR_CONNECT] = "connect",     [ERR_QUERY] = "query",
        [ERR_STORAGE] = "storage",     [ERR_CORRUPT] = "corrupt",
        [ERR_EXISTS] = "exists",       [ERR_NOT_FOUND] = "not_found",
        [ERR_LOCK] = "lock",           [ERR_CUT] = "cut",
        [ERR_PROGRAM] = "program",     [ERR_CHANGED] = "changed",
        [ERR_CANCELLED] = "cancelled", [ERR_INTERNAL] = "internal",
    };
    return (size_t) code < LENGTH_OF(names) ? names[code] : "unknown";
}
