/* base/parallel.c - one function on several threads; the contract is in parallel.h. */
#include "base/parallel.h"

#include <pthread.h>

#include "base/mem.h"

typedef struct Part
{
    ParallelFn fn;
    void *arg;
    size_t i;
    Cancel *cancel;
    pthread_t thread;
    bool started;
    bool ok;
    Error err;
} Part;

static void *part_main(void *arg)
{
    Part *part = arg;
    part->ok = part->fn(part->arg, part->i, &part->err);
    if (!part->ok)
        cancel_raise(part->cancel, &part->err);
    return NULL;
}

bool parallel_run(size_t count, ParallelFn fn, void *arg, Cancel *cancel, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "threads");
    Part *parts = mem_array(tmp, Part, count);
    bool ok = true;
    for (size_t i = 0; i < count; i++)
    {
        parts[i] = (Part){.fn = fn, .arg = arg, .i = i, .cancel = cancel};
        parts[i].started = pthread_create(&parts[i].thread, NULL, part_main, &parts[i]) == 0;
        if (parts[i].started)
            continue;
        ok = error_set(err, ERR_INTERNAL, "could not start a thread");
        cancel_raise(cancel, err);
        part_main(&parts[i]);
    }
    for (size_t i = 0; i < count; i++)
    {
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
        if (!parts[i].ok && (ok || err->code == ERR_CANCELLED))
            *err = parts[i].err;
        ok = ok && parts[i].ok;
    }
    /* The cause may have been raised further down, where it says more. */
    if (!ok && err->code == ERR_CANCELLED)
        cancel_cause(cancel, err);
    return ok;
}
