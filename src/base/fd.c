/* base/fd.c - file descriptors; the contract is in fd.h. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define BLOCK_SIZE ((size_t) 65536)

bool fd_write(int fd, const char *name, const void *data, size_t len, Error *err)
{
    const char *p = data;
    while (len > 0)
    {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return error_errno(err, ERR_STORAGE, "cannot write to %s", name);
        p += n;
        len -= (size_t) n;
    }
    return true;
}

bool fd_pass(int fd, const char *name, FdTake take, void *arg, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "blocks of a file");
    char *block = mem_array(tmp, char, BLOCK_SIZE);
    for (;;)
    {
        ssize_t n = read(fd, block, BLOCK_SIZE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, ERR_STORAGE, "cannot read %s", name);
        if (n == 0)
            return true;
        if (!take(arg, block, (size_t) n, err))
            return false;
    }
}

int fd_temporary(Error *err)
{
    char path[PATH_MAX];
    const char *dir = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/pgark-XXXXXX", dir != NULL && dir[0] != '\0' ? dir : "/tmp");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        error_errno(err, ERR_STORAGE, "cannot create a temporary file like %s", path);
    else
        unlink(path);
    return fd;
}
