/* base/mem.c - talloc with one way to fail; the contract is in mem.h. */
#include "base/mem.h"

/* talloc refuses larger pieces (MAX_TALLOC_SIZE). */
#define PIECE_MAX ((size_t) 256 * 1024 * 1024 - 1)

static void end(const char *why)
{
    fputs("pgark: error: ", stderr);
    fputs(why, stderr);
    fputc('\n', stderr);
    _Exit(1);
}

void *mem_check(void *p)
{
    if (p == NULL)
        end("out of memory");
    return p;
}

void *mem_vector_room(void *ctx, void *items, size_t count, size_t *capacity, size_t size,
                      const char *name)
{
    if (items == NULL || count == *capacity)
    {
        *capacity = *capacity == 0 ? 16 : *capacity * 2;
        if (*capacity > PIECE_MAX / size)
            *capacity = PIECE_MAX / size;
        if (*capacity <= count)
            end("a list of metadata would take more than 256 MB");
        items = mem_check(_talloc_realloc_array(ctx, items, size, (unsigned) *capacity, name));
    }
    memset((char *) items + count * size, 0, size);
    return items;
}

char *mem_strdup(void *ctx, const char *s)
{
    return s == NULL ? NULL : mem_check(talloc_strdup(ctx, s));
}

char *mem_strndup(void *ctx, const char *s, size_t n)
{
    return mem_check(talloc_strndup(ctx, s, n));
}

char *mem_printf(void *ctx, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *s = talloc_vasprintf(ctx, fmt, args);
    va_end(args);
    return mem_check(s);
}

typedef struct Block
{
    void *data;
} Block;

static int free_block(Block *b)
{
    free(b->data);
    return 0;
}

void *mem_block(void *ctx, size_t n)
{
    Block *b = mem_new(ctx, Block);
    talloc_set_destructor(b, free_block);
    b->data = mem_check(malloc(n > 0 ? n : 1));
    return b->data;
}

void *mem_context(void *parent, const char *name)
{
    return mem_check(talloc_named(parent, 0, "%s", name));
}

void mem_free(void *ctx)
{
    if (ctx != NULL)
        talloc_free(ctx);
}
