/* export/type_text.c - the contract is in type_text.h. */
#include "export/type_text.h"

#define DEPTH_MAX 64

static TypeText *parse(void *ctx, const char **pos, int depth);

static TypeKind kind_of(const char *word, size_t len)
{
    static const struct
    {
        const char *word;
        TypeKind kind;
    } kinds[] = {
        {"array", TYPE_ARRAY}, {"range", TYPE_RANGE}, {"multirange", TYPE_MULTIRANGE},
        {"row", TYPE_ROW},     {"enum", TYPE_ENUM},   {"other", TYPE_OTHER},
    };
    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
    {
        if (strlen(kinds[i].word) == len && memcmp(kinds[i].word, word, len) == 0)
            return kinds[i].kind;
    }
    return TYPE_BASE;
}

/* "(" type {"," type} ")"; a row may have none. */
static bool parse_parts(TypeText *t, const char **pos, int depth)
{
    if (*(*pos)++ != '(')
        return false;
    if (**pos == ')')
    {
        (*pos)++;
        return t->kind == TYPE_ROW;
    }
    for (;;)
    {
        TypeText *part = parse(t, pos, depth + 1);
        if (part == NULL)
            return false;
        *mem_push(t, t->parts, t->part_count, t->part_capacity, TypeText *) = part;
        if (**pos == ')')
            break;
        if (*(*pos)++ != ',' || t->kind != TYPE_ROW)
            return false;
    }
    (*pos)++;
    return true;
}

static TypeText *parse(void *ctx, const char **pos, int depth)
{
    size_t len = strspn(*pos, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (len == 0 || depth > DEPTH_MAX)
        return NULL;
    TypeText *t = mem_new(ctx, TypeText);
    t->kind = kind_of(*pos, len);
    if (t->kind == TYPE_BASE)
        t->name = mem_strndup(t, *pos, len);
    *pos += len;
    bool plain = t->kind == TYPE_BASE || t->kind == TYPE_ENUM || t->kind == TYPE_OTHER;
    return plain || parse_parts(t, pos, depth) ? t : NULL;
}

TypeText *type_text_parse(void *ctx, const char *text)
{
    const char *pos = text;
    TypeText *t = parse(ctx, &pos, 0);
    return t != NULL && *pos == '\0' ? t : NULL;
}

static bool is_user(const TypeText *t)
{
    if (t->kind == TYPE_ENUM || t->kind == TYPE_OTHER)
        return true;
    for (size_t i = 0; i < t->part_count; i++)
    {
        if (is_user(t->parts[i]))
            return true;
    }
    return false;
}

bool type_text_is_user(const char *text)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "type");
    const TypeText *t = type_text_parse(tmp, text);
    return t == NULL || is_user(t);
}
