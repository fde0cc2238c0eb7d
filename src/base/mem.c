/* base/mem.c - talloc with one way to fail; the contract is in mem.h. */
#include "base/mem.h"

void *mem_check(void *p)
{
    if (p == NULL)
    {
        static const char text[] = "pgark: error: out of memory\n";
        fwrite(text, 1, sizeof(text) - 1, stderr);
        _Exit(1);
    }
    return p;
}

void *mem_vector_room(void *ctx, void *items, size_t count, size_t *capacity, size_t size,
                      const char *name)
{
    if (items == NULL || count == *capacity)
    {
        *capacity = *capacity == 0 ? 16 : *capacity * 2;
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

void *mem_context(void *parent, const char *name)
{
    return mem_check(talloc_named(parent, 0, "%s", name));
}

void mem_free(void *ctx)
{
    if (ctx != NULL)
        talloc_free(ctx);
}
