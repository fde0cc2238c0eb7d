/* repo/large_object_list.c - rows of COPY text; the contract is in large_object_list.h. */
#include "repo/large_object_list.h"

#include "base/str.h"

enum
{
    FIELD_OID,
    FIELD_OWNER,
    FIELD_ACL,
    FIELD_COMMENT,
    FIELD_LABELS,
    FIELD_COUNT,
};

struct LargeObjectList
{
    LargeObjectEach each;
    void *arg;
    Str *line; /* the begun row */
};

LargeObjectList *large_object_list_new(void *ctx, LargeObjectEach each, void *arg)
{
    LargeObjectList *list = mem_new(ctx, LargeObjectList);
    list->each = each;
    list->arg = arg;
    list->line = str_new(list);
    return list;
}

static bool no_row(Error *err, const char *why)
{
    return error_set(err, ERR_CORRUPT, "the list of large objects: %s", why);
}

/* What COPY's text form has behind a backslash. Source: COPY, "Text Format". */
static char unescape(char c)
{
    static const char letters[] = "bfnrtv";
    static const char meant[] = "\b\f\n\r\t\v";
    const char *at = c == '\0' ? NULL : strchr(letters, c);
    return at == NULL ? c : meant[at - letters];
}

/* Takes the escapes out, in place; NULL for \N. */
static char *take_field(char *field)
{
    char *to = field;
    if (strcmp(field, "\\N") == 0)
        return NULL;
    for (const char *from = field; *from != '\0'; from++)
    {
        if (*from == '\\' && from[1] != '\0')
            *to++ = unescape(*++from);
        else
            *to++ = *from;
    }
    *to = '\0';
    return field;
}

static bool parse_oid(const char *text, uint32_t *ret)
{
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    unsigned long long value = strtoull(text, &end, 10);
    *ret = (uint32_t) value;
    return *end == '\0' && value > 0 && value <= UINT32_MAX;
}

static bool take_line(LargeObjectList *list, Error *err)
{
    char *fields[FIELD_COUNT] = {NULL};
    size_t count = 0;
    char *rest = list->line->data;
    if (strlen(rest) != list->line->len)
        return no_row(err, "a row holds a zero byte");
    for (char *next = rest; next != NULL; rest = next)
    {
        next = strchr(rest, '\t');
        if (next != NULL)
            *next++ = '\0';
        if (count == FIELD_COUNT)
            return no_row(err, "a row has more than five fields");
        fields[count++] = take_field(rest);
    }
    LargeObjectRow row = {.owner = fields[FIELD_OWNER],
                          .acl = fields[FIELD_ACL],
                          .comment = fields[FIELD_COMMENT],
                          .labels = fields[FIELD_LABELS]};
    if (count != FIELD_COUNT)
        return no_row(err, "a row has less than five fields");
    if (!parse_oid(fields[FIELD_OID], &row.oid) || row.owner == NULL || row.owner[0] == '\0')
        return no_row(err, "a row has no oid or no owner");
    bool ok = list->each(list->arg, &row, err);
    str_clear(list->line);
    return ok;
}

bool large_object_list_put(void *arg, const void *data, size_t len, Error *err)
{
    LargeObjectList *list = arg;
    const char *text = data;
    while (len > 0)
    {
        const char *end = memchr(text, '\n', len);
        size_t n = end == NULL ? len : (size_t) (end - text);
        if (list->line->len + n > LARGE_OBJECT_ROW_MAX)
            return no_row(err, "a row is too long");
        str_addn(list->line, text, n);
        if (end == NULL)
            break;
        if (!take_line(list, err))
            return false;
        text += n + 1;
        len -= n + 1;
    }
    return true;
}

bool large_object_list_end(LargeObjectList *list, Error *err)
{
    bool whole = list->line->len == 0;
    str_clear(list->line);
    return whole || no_row(err, "it ends inside a row");
}
