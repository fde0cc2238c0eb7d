/*
 * io/worker.c - a chain on a thread of its own; the contract is in worker.h.
 *
 * The chain behind belongs to the thread, but for the time between the end of a finish and the next write: then
 * the thread waits, and the stages behind are this stage's next, for io_reset and io_free to walk along.
 * io_finish walks along them as well; having been finished here, they are asked again, so the thread does not
 * finish them: it only empties the ring, and then the caller's thread goes on.
 */
#include "io/worker.h"

#include <pthread.h>

#define BLOCK_SIZE ((size_t) 262144)

typedef struct Block
{
    size_t len;
    unsigned char data[BLOCK_SIZE];
} Block;

typedef struct Worker
{
    IoStage stage;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    Block **ring;
    size_t size;
    size_t first;
    size_t used; /* full blocks, the one that the thread is at included */
    bool ending;
    bool failed;
    Error failure;
    size_t filling; /* bytes in the block behind the full ones; the writer's alone */
} Worker;

static void *worker_main(void *arg)
{
    Worker *w = arg;
    pthread_mutex_lock(&w->mutex);
    for (;;)
    {
        while (w->used == 0 && !w->ending)
            pthread_cond_wait(&w->changed, &w->mutex);
        if (w->ending)
            break;
        const Block *block = w->ring[w->first];
        bool failed = w->failed;
        Error err = ERROR_INIT;
        pthread_mutex_unlock(&w->mutex);
        bool ok = failed || io_write(w->stage.next, block->data, block->len, &err);
        pthread_mutex_lock(&w->mutex);
        if (!ok)
        {
            w->failed = true;
            w->failure = err;
        }
        w->first = (w->first + 1) % w->size;
        w->used--;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

static bool failure_of(const Worker *w, Error *err)
{
    if (w->failed && err != NULL && !error_is_set(err))
        *err = w->failure;
    return !w->failed;
}

/* Hands the block that is being filled over, and waits until the next one is free. */
static bool hand_over(Worker *w, Error *err)
{
    pthread_mutex_lock(&w->mutex);
    w->ring[(w->first + w->used) % w->size]->len = w->filling;
    w->used++;
    w->filling = 0;
    pthread_cond_broadcast(&w->changed);
    while (w->used == w->size)
        pthread_cond_wait(&w->changed, &w->mutex);
    bool ok = failure_of(w, err);
    pthread_mutex_unlock(&w->mutex);
    return ok;
}

/* The block behind the full ones: nobody but the writer moves that place. */
static Block *block_to_fill(Worker *w)
{
    pthread_mutex_lock(&w->mutex);
    Block *block = w->ring[(w->first + w->used) % w->size];
    pthread_mutex_unlock(&w->mutex);
    return block;
}

static bool worker_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Worker *w = (Worker *) stage;
    const unsigned char *p = data;
    while (len > 0)
    {
        Block *block = block_to_fill(w);
        size_t n = BLOCK_SIZE - w->filling < len ? BLOCK_SIZE - w->filling : len;
        memcpy(block->data + w->filling, p, n);
        w->filling += n;
        p += n;
        len -= n;
        if (w->filling == BLOCK_SIZE && !hand_over(w, err))
            return false;
    }
    return true;
}

static void wait_until_empty(Worker *w)
{
    pthread_mutex_lock(&w->mutex);
    while (w->used > 0)
        pthread_cond_wait(&w->changed, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
}

static bool worker_finish(IoStage *stage, Error *err)
{
    Worker *w = (Worker *) stage;
    if (w->filling > 0 && !hand_over(w, err))
        return false;
    wait_until_empty(w);
    return failure_of(w, err);
}

static void worker_reset(IoStage *stage)
{
    Worker *w = (Worker *) stage;
    wait_until_empty(w);
    w->filling = 0;
    w->failed = false;
    error_clear(&w->failure);
}

static void worker_free(IoStage *stage)
{
    Worker *w = (Worker *) stage;
    pthread_mutex_lock(&w->mutex);
    w->ending = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    mem_free(w);
}

static const IoStageOps worker_ops = {
    .name = "worker",
    .write = worker_write,
    .finish = worker_finish,
    .reset = worker_reset,
    .free = worker_free,
};

IoStage *io_worker_new(size_t blocks, IoStage *next, Error *err)
{
    Worker *w = mem_new(NULL, Worker);
    w->stage.ops = &worker_ops;
    w->stage.next = next;
    w->size = blocks < 2 ? 2 : blocks;
    w->ring = mem_array(w, Block *, w->size);
    for (size_t i = 0; i < w->size; i++)
        w->ring[i] = mem_new(w, Block);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (pthread_create(&w->thread, NULL, worker_main, w) == 0)
        return &w->stage;
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    mem_free(w);
    io_free(next);
    error_set(err, ERR_INTERNAL, "could not start a thread");
    return NULL;
}
