/*
 * pg/string_pool.h - many small pieces of memory that live and die together.
 *
 * A schema of 20,000 tables has a million strings; each would cost a talloc header of 96 bytes. The
 * pool takes blocks from talloc and hands out pieces of them; they go when the pool's context goes.
 */
#ifndef PGARK_PG_STRING_POOL_H
#define PGARK_PG_STRING_POOL_H

#include "base/mem.h"

#define STRING_POOL_BLOCK ((size_t) 64 * 1024)

typedef struct StringPool
{
    void *ctx; /* the owner of all pieces */
    char *pos;
    size_t room;
} StringPool;

/* string_pool_take returns size bytes, aligned for pointers and integers, zeroed. */
static inline void *string_pool_take(StringPool *pool, size_t size)
{
    size = (size + 7) & ~(size_t) 7;
    if (size > STRING_POOL_BLOCK / 8)
        return mem_array(pool->ctx, char, size);
    if (size > pool->room)
    {
        pool->pos = mem_array(pool->ctx, char, STRING_POOL_BLOCK);
        pool->room = STRING_POOL_BLOCK;
    }
    void *piece = pool->pos;
    pool->pos += size;
    pool->room -= size;
    return piece;
}

/* string_pool_copy returns a copy of the len bytes at text with a NUL behind them. */
static inline char *string_pool_copy(StringPool *pool, const void *text, size_t len)
{
    char *copy = string_pool_take(pool, len + 1);

    memcpy(copy, text, len);
    return copy;
}

#endif
