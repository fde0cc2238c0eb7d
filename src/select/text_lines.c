/* select/text_lines.c - files of the user by lines; the contract is in text_lines.h. */
#include "select/text_lines.h"

#define PIECE ((size_t) 64 * 1024)

TextLines text_lines_new(const char *name, const char *text, size_t len, size_t line_max)
{
    bool bom = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
    return (TextLines){
        .name = name, .next = text + (bom ? 3 : 0), .end = text + len, .line_max = line_max};
}

bool text_lines_fail(const TextLines *t, Error *err)
{
    return error_prefix(err, "%s, line %u", t->name, t->line);
}

bool text_lines_read(TextLines *t, Str *line, bool *ret_end, Error *err)
{
    str_clear(line);
    *ret_end = t->next == t->end;
    if (*ret_end)
        return true;
    size_t left = (size_t) (t->end - t->next);
    const char *newline = memchr(t->next, '\n', left);
    size_t len = newline == NULL ? left : (size_t) (newline - t->next);
    const char *text = t->next;
    t->next = newline == NULL ? t->end : newline + 1;
    t->line++;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len > t->line_max)
        return error_set(err, ERR_USAGE, "longer than %zu bytes", t->line_max);
    if (memchr(text, '\0', len) != NULL)
        return error_set(err, ERR_USAGE, "a zero byte: not a text file");
    str_addn(line, text, len);
    return true;
}

static char *read_all(void *ctx, FILE *file, const char *path, size_t max, size_t *ret_len,
                      Error *err)
{
    char *text = NULL;
    size_t len = 0;
    size_t capacity = 0;
    size_t got = 1;
    while (got > 0 && len <= max)
    {
        if (len == capacity)
        {
            capacity = capacity == 0 ? PIECE : 2 * capacity;
            text = mem_grow(ctx, text, char, capacity);
        }
        got = fread(text + len, 1, capacity - len, file);
        len += got;
    }
    *ret_len = len;
    if (ferror(file) == 0 && len <= max)
        return text;
    mem_free(text);
    if (ferror(file) != 0)
        error_errno(err, ERR_USAGE, "cannot read \"%s\"", path);
    else
        error_set(err, ERR_USAGE, "\"%s\" is larger than %zu MiB", path, max / 1024 / 1024);
    return NULL;
}

char *text_lines_load(void *ctx, const char *path, size_t max, size_t *ret_len, Error *err)
{
    if (strcmp(path, "-") == 0)
        return read_all(ctx, stdin, "standard input", max, ret_len, err);
    FILE *file = fopen(path, "re");
    if (file == NULL)
    {
        error_errno(err, ERR_USAGE, "cannot open \"%s\"", path);
        return NULL;
    }
    char *text = read_all(ctx, file, path, max, ret_len, err);
    fclose(file);
    return text;
}
