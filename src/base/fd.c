/* base/fd.c - file descriptors; the contract is in fd.h. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

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
