/* restore/large_object_failed.c - the contract is in large_object_failed.h. */
#include "restore/large_object_failed.h"

#include <pthread.h>

#include "base/search.h"
#include "base/str.h"

struct LargeObjectFailed
{
    pthread_mutex_t mutex;
    uint32_t *oids; /* sorted */
    size_t count, capacity;
};

static int free_mutex(LargeObjectFailed *f)
{
    pthread_mutex_destroy(&f->mutex);
    return 0;
}

LargeObjectFailed *large_object_failed_new(void *ctx)
{
    LargeObjectFailed *f = mem_new(ctx, LargeObjectFailed);
    pthread_mutex_init(&f->mutex, NULL);
    talloc_set_destructor(f, free_mutex);
    return f;
}

static bool is_before(const void *oids, size_t i, const void *oid)
{
    return ((const uint32_t *) oids)[i] < *(const uint32_t *) oid;
}

/* Locked. Where the oid is, or would be. */
static size_t place(const LargeObjectFailed *f, uint32_t oid)
{
    return search_first(f->oids, f->count, is_before, &oid);
}

static bool is_at(const LargeObjectFailed *f, size_t at, uint32_t oid)
{
    return at < f->count && f->oids[at] == oid;
}

void large_object_failed_add(LargeObjectFailed *f, uint32_t oid)
{
    pthread_mutex_lock(&f->mutex);
    size_t at = place(f, oid);
    if (!is_at(f, at, oid))
    {
        (void) mem_push(f, f->oids, f->count, f->capacity, uint32_t);
        memmove(&f->oids[at + 1], &f->oids[at], (f->count - 1 - at) * sizeof(uint32_t));
        f->oids[at] = oid;
    }
    pthread_mutex_unlock(&f->mutex);
}

bool large_object_failed_has(LargeObjectFailed *f, uint32_t oid)
{
    pthread_mutex_lock(&f->mutex);
    bool has = is_at(f, place(f, oid), oid);
    pthread_mutex_unlock(&f->mutex);
    return has;
}

char *large_object_failed_list(void *ctx, LargeObjectFailed *f)
{
    Str *list = NULL;
    pthread_mutex_lock(&f->mutex);
    for (size_t i = 0; i < f->count; i++)
    {
        list = i == 0 ? str_new(ctx) : list;
        str_addf(list, "%s%" PRIu32, i == 0 ? "" : ",", f->oids[i]);
    }
    pthread_mutex_unlock(&f->mutex);
    return list == NULL ? NULL : list->data;
}
