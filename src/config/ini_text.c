/* config/ini_text.c - feeding libinih line by line; the contract is in ini_text.h. */
#include "config/ini_text.h"

#include <ini.h>

#include "base/str.h"

typedef struct IniText
{
    const char *next; /* first byte not read yet */
    const char *end;
    const char *name;
    int line;          /* of the item under way */
    bool header;       /* the line just delivered stands for the section header itself */
    bool key_expected; /* a key line was delivered; the handler has not seen it yet */
    bool folded;       /* the line just delivered goes on with the value before it */
    Str *rest;         /* the line under way; inih has had its first rest_at bytes */
    size_t rest_at;
    Str *section;
    Str *key;
    Str *value;
    bool has_item; /* section, key and value hold an item that was not handed out yet */
    IniTextEach each;
    void *arg;
    Error *err;
    bool failed;
} IniText;

static void fail(IniText *t, int line, const char *message)
{
    if (!t->failed)
        error_set(t->err, ERR_USAGE, "%s, line %d: %s", t->name, line, message);
    t->failed = true;
}

static void hand_out(IniText *t, int line, const char *key, const char *value)
{
    IniItem item = {.line = line, .section = t->section->data, .key = key, .value = value};
    if (!t->failed && !t->each(t->arg, &item, t->err))
    {
        error_prefix(t->err, "%s, line %d", t->name, line);
        t->failed = true;
    }
}

/* A value is complete only when the next line turns out not to go on with it. */
static void hand_out_pending(IniText *t)
{
    if (t->has_item)
        hand_out(t, t->line, t->key->data, t->value->data);
    t->has_item = false;
}

static int on_item(void *user, const char *section, const char *key, const char *value)
{
    IniText *t = user;
    if (t->failed)
        return 0;
    if (t->header)
    {
        str_clear(t->section);
        str_add(t->section, section);
        hand_out(t, t->line, NULL, NULL);
        t->header = false;
    }
    else if (t->folded)
    {
        /* Another name: this inih was built without values of several lines. */
        if (strcmp(key, t->key->data) != 0)
            fail(t, t->line, "the line is too long");
        str_add(t->value, value);
    }
    else
    {
        str_clear(t->key);
        str_add(t->key, key);
        str_clear(t->value);
        str_add(t->value, value);
        t->has_item = true;
    }
    t->key_expected = false;
    return t->failed ? 0 : 1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line into t->rest, without indentation, comment and trailing blanks. inih would take
 * an indented line for a part of the value before it, which nobody expects in such a file. */
static bool read_line(IniText *t)
{
    if (t->next == t->end)
        return false;
    size_t len = (size_t) (t->end - t->next);
    const char *start = t->next;
    const char *newline = memchr(start, '\n', len);
    const char *stop = newline != NULL ? newline : t->end;
    t->next = newline != NULL ? newline + 1 : t->end;
    t->line++;
    while (start < stop && is_blank(*start))
        start++;
    const char *p = start;
    for (; p < stop; p++)
    {
        bool control = ((unsigned char) *p < ' ' && *p != '\t') || *p == 0x7f;
        if (control && !(*p == '\r' && p + 1 == stop))
            fail(t, t->line, "control character");
        if ((*p == ';' && (p == start || is_blank(p[-1]))) || (*p == '#' && p == start))
            break;
    }
    while (p > start && is_blank(p[-1]))
        p--;
    str_clear(t->rest);
    str_addn(t->rest, start, (size_t) (p - start));
    t->rest_at = 0;
    return true;
}

/* Where to cut a line that does not fit: between two bytes that neither inih's stripping of blanks
 * nor its search for comments can touch. 0: nowhere in the second half. */
static size_t fold_at(const char *line, size_t room)
{
    for (size_t at = room; at > room / 2; at--)
    {
        if (!is_blank(line[at - 1]) && !is_blank(line[at]) && line[at] != ';' && line[at] != '#')
            return at;
    }
    return 0;
}

/* Hands as much of the line to inih as fits into size bytes, after prefix. */
static char *deliver(IniText *t, char *buf, size_t size, const char *prefix)
{
    const char *text = t->rest->data + t->rest_at;
    size_t room = size - strlen(prefix) - 2; /* newline and NUL */
    size_t n = t->rest->len - t->rest_at;
    if (n > room)
        n = fold_at(text, room);
    if (n == 0)
    {
        fail(t, t->line, "the line is too long");
        return NULL;
    }
    snprintf(buf, size, "%s%.*s\n", prefix, (int) n, text);
    t->rest_at += n;
    return buf;
}

/* A header is followed by a line of ours, so that the handler hears of it even when no key comes.
 */
static char *deliver_header(IniText *t, char *buf, size_t size)
{
    const char *bracket = strchr(t->rest->data, ']');
    if (bracket == NULL || bracket[1] != '\0')
    {
        fail(t, t->line, bracket == NULL ? "a section needs a closing ]" : "text behind the ]");
        return NULL;
    }
    if (t->rest->len + 2 > size)
    {
        fail(t, t->line, "the name of the section is too long");
        return NULL;
    }
    t->header = true;
    return deliver(t, buf, size, "");
}

static char *next_line(char *buf, int size, void *stream)
{
    IniText *t = stream;
    if (t->header && !t->key_expected)
    {
        t->key_expected = true;
        snprintf(buf, (size_t) size, "header=1\n");
        return buf;
    }
    if (t->key_expected)
        fail(t, t->line, "neither [section] nor key = value");
    if (t->failed)
        return NULL;
    if (t->rest_at < t->rest->len)
    {
        t->folded = true;
        return deliver(t, buf, (size_t) size, " ");
    }
    hand_out_pending(t);
    t->folded = false;
    do
    {
        if (t->failed || !read_line(t))
            return NULL;
    } while (t->rest->len == 0);
    if (t->failed)
        return NULL;
    if (t->rest->data[0] == '[')
        return deliver_header(t, buf, (size_t) size);
    t->key_expected = true;
    return deliver(t, buf, (size_t) size, "");
}

bool ini_text_parse(const char *text, size_t len, const char *name, IniTextEach each, void *arg,
                    Error *err)
{
    static const char bom[] = "\xEF\xBB\xBF";
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "ini");
    if (len > INI_TEXT_MAX)
        return error_set(err, ERR_USAGE, "%s: larger than 1 MiB", name);
    size_t skip = len >= 3 && memcmp(text, bom, 3) == 0 ? 3 : 0;
    IniText t = {
        .next = text + skip,
        .end = text + len,
        .name = name,
        .rest = str_new(ctx),
        .section = str_new(ctx),
        .key = str_new(ctx),
        .value = str_new(ctx),
        .each = each,
        .arg = arg,
        .err = err,
    };
    int rc = ini_parse_stream(next_line, &t, on_item, &t);
    hand_out_pending(&t);
    if (rc != 0)
        fail(&t, t.line, "cannot be read");
    return !t.failed;
}

char *ini_text_read(void *ctx, const char *path, const char *what, size_t *ret_len, Error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
    {
        error_errno(err, ERR_USAGE, "cannot open the %s \"%s\"", what, path);
        return NULL;
    }
    char *text = mem_array(ctx, char, INI_TEXT_MAX + 1);
    size_t len = fread(text, 1, INI_TEXT_MAX + 1, file);
    bool bad = ferror(file) != 0;
    if (bad)
        error_errno(err, ERR_USAGE, "cannot read the %s \"%s\"", what, path);
    else if (len > INI_TEXT_MAX)
        error_set(err, ERR_USAGE, "the %s \"%s\" is larger than 1 MiB", what, path);
    fclose(file);
    if (bad || len > INI_TEXT_MAX)
    {
        mem_free(text);
        return NULL;
    }
    *ret_len = len;
    return text;
}
