/* base/cancel.c - the one cancel flag of a run; the contract is in cancel.h. */
#include "base/cancel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct Cancel
{
    atomic_bool raised;
    int fd;
    pthread_mutex_t mutex; /* guards cause */
    Error cause;
};

Cancel *cancel_new(Error *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
    {
        error_errno(err, ERR_INTERNAL, "could not create an event descriptor");
        return NULL;
    }
    Cancel *cancel = calloc(1, sizeof(*cancel));
    if (cancel == NULL)
    {
        close(fd);
        error_set(err, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    cancel->fd = fd;
    pthread_mutex_init(&cancel->mutex, NULL);
    return cancel;
}

void cancel_free(Cancel *cancel)
{
    if (cancel == NULL)
        return;
    close(cancel->fd);
    pthread_mutex_destroy(&cancel->mutex);
    free(cancel);
}

void cancel_raise(Cancel *cancel, const Error *cause)
{
    pthread_mutex_lock(&cancel->mutex);
    if (cause != NULL && cancel->cause.code == ERR_NONE && !atomic_load(&cancel->raised))
        cancel->cause = *cause;
    atomic_store(&cancel->raised, true);
    pthread_mutex_unlock(&cancel->mutex);
    /* The descriptor is never read, so it stays readable for every thread. */
    uint64_t one = 1;
    ssize_t n = write(cancel->fd, &one, sizeof(one));
    (void) n;
}

bool cancel_is_raised(const Cancel *cancel)
{
    return cancel != NULL && atomic_load_explicit(&cancel->raised, memory_order_relaxed);
}

bool cancel_check(const Cancel *cancel, Error *err)
{
    return cancel_is_raised(cancel) ? error_set(err, ERR_CANCELLED, "cancelled") : true;
}

int cancel_fd(const Cancel *cancel)
{
    return cancel == NULL ? -1 : cancel->fd;
}

bool cancel_cause(Cancel *cancel, Error *err)
{
    pthread_mutex_lock(&cancel->mutex);
    bool found = cancel->cause.code != ERR_NONE;
    if (found)
        *err = cancel->cause;
    pthread_mutex_unlock(&cancel->mutex);
    return found;
}
