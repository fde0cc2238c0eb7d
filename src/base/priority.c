/* base/priority.c - giving way to others; the contract is in priority.h. */
#include "base/priority.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From ioprio_set(2), which the C library has no function for. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE        (3 << 13)

bool priority_nice(int nice, Error *err)
{
    errno = 0;
    int now = getpriority(PRIO_PROCESS, 0);
    if (errno != 0 || (now < nice && setpriority(PRIO_PROCESS, 0, nice) != 0))
        return error_errno(err, ERR_INTERNAL, "cannot set the niceness to %d", nice);
    return true;
}

bool priority_io_idle(Error *err)
{
    return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE) == 0 ||
           error_errno(err, ERR_INTERNAL, "cannot set the priority of I/O");
}
