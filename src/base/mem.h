/*
 * base/mem.h - metadata memory by talloc context.
 *
 * A context belongs to one thread at a time. An allocation that fails ends the program with a
 * message: metadata is small, and there is nothing sensible left to do. Large I/O buffers use
 * mem_buffer(), allocated once per pipe.
 */
#ifndef PGARK_BASE_MEM_H
#define PGARK_BASE_MEM_H

#include <talloc.h>

#include "base/build.h"

/* mem_check returns p, or ends the program (exit 1) when p is NULL. */
void *mem_check(void *p);

/* mem_new(ctx, T) is one zeroed T below ctx; mem_array(ctx, T, n) is n of them (n may be 0). */
#define mem_new(ctx, T)          ((T *) mem_check(talloc_zero((ctx), T)))
#define mem_array(ctx, T, n)     ((T *) mem_check(talloc_zero_array((ctx), T, (unsigned) (n))))
#define mem_grow(ctx, ptr, T, n) ((T *) mem_check(talloc_realloc((ctx), (ptr), T, (unsigned) (n))))

/* mem_push grows a vector kept as (items, count, capacity) by one zeroed element and returns it. */
#define mem_push(ctx, items, count, capacity, T)                                                   \
    ((items) = (T *) mem_vector_room((ctx), (items), (count), &(capacity), sizeof(T), #T),         \
     (count)++, &(items)[(count) -1])
void *mem_vector_room(void *ctx, void *items, size_t count, size_t *capacity, size_t size,
                      const char *name);

/* mem_strdup, mem_printf, mem_dup: copies below ctx; mem_strdup(ctx, NULL) is NULL. */
char *mem_strdup(void *ctx, const char *s);
char *mem_strndup(void *ctx, const char *s, size_t n);
char *mem_printf(void *ctx, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* mem_block is n bytes of any number, not zeroed, that go with ctx: no piece of talloc's has 256 MB. It is
 * no context, and is not freed by itself. */
void *mem_block(void *ctx, size_t n);

/* mem_context makes a named context below parent (NULL: a root of its own, thread-safe that way:
 * talloc trees that share no parent may be used by different threads). */
void *mem_context(void *parent, const char *name);

/* mem_free frees a context and everything below; NULL is fine. */
void mem_free(void *ctx);

/* MemContext is void, for AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "x"); */
typedef void MemContext;
static inline void UNUSED mem_context_free_auto(MemContext **p)
{
    mem_free(*p);
}

#endif
