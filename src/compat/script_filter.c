/* compat/script_filter.c - the contract is in script_filter.h. */
#include "compat/script_filter.h"

#define HEX "0123456789abcdef"

static bool pass(const ScriptFilter *f, const char *data, size_t len, Error *err)
{
    return f->skips || len == 0 || f->sink(f->arg, data, len, err);
}

/* The line as kept, without its newline. */
static bool is_line(const ScriptFilter *f, const char *word)
{
    char wanted[SCRIPT_LINE_KEPT];
    int len = snprintf(wanted, sizeof(wanted), "-- %s %s", f->mark, word);
    return f->mark[0] != '\0' && f->kept == (size_t) len && memcmp(f->line, wanted, f->kept) == 0;
}

static void look_for_mark(ScriptFilter *f)
{
    size_t head = strlen(EXPORT_MARK_HEAD);
    size_t len = EXPORT_MARK_LEN - 1;
    if (f->mark[0] != '\0' || f->kept != head + len || memcmp(f->line, EXPORT_MARK_HEAD, head) != 0)
        return;
    memcpy(f->mark, f->line + head, len);
    f->mark[len] = '\0';
    if (strspn(f->mark, HEX) != len)
        f->mark[0] = '\0';
}

static bool is_text(const ScriptFilter *f, const char *text)
{
    return f->kept == strlen(text) && memcmp(f->line, text, f->kept) == 0;
}

/* Whoever has written statements behind it may do so. */
static void look_for_end(ScriptFilter *f)
{
    bool whole = f->end == SCRIPT_END_SAID && is_text(f, EXPORT_END_FRAME);
    bool said = is_text(f, EXPORT_END);
    if (f->end != SCRIPT_END_WHOLE)
        f->end = whole ? SCRIPT_END_WHOLE : said ? SCRIPT_END_SAID : SCRIPT_END_NONE;
}

/* A whole line that is short enough for a mark. Lines that are one are left out themselves. */
static bool take_line(ScriptFilter *f, const char *newline, Error *err)
{
    bool definitions = is_line(f, EXPORT_MARK_DEFINITIONS);
    bool rows = is_line(f, EXPORT_MARK_ROWS);
    look_for_end(f);
    if (definitions || rows)
    {
        f->end = SCRIPT_END_NONE; /* it was one of the rows */
        f->skips = f->half != SCRIPT_WHOLE && rows != (f->half == SCRIPT_ROWS);
    }
    else
    {
        look_for_mark(f);
        if (!pass(f, f->line, f->kept, err) || !pass(f, newline, 1, err))
            return false;
    }
    f->kept = 0;
    return true;
}

/* Of data without a newline: what is kept of the line grows, until it is too long for a mark. */
static bool take_piece(ScriptFilter *f, const char *data, size_t len, Error *err)
{
    if (!f->decided && f->kept + len < SCRIPT_LINE_KEPT)
    {
        memcpy(f->line + f->kept, data, len);
        f->kept += len;
        return true;
    }
    if (!f->decided && !pass(f, f->line, f->kept, err))
        return false;
    f->decided = true;
    f->end = f->end == SCRIPT_END_SAID ? SCRIPT_END_NONE : f->end;
    f->kept = 0;
    return pass(f, data, len, err);
}

bool script_filter_write(void *arg, const void *data, size_t len, Error *err)
{
    ScriptFilter *f = arg;
    const char *pos = data;
    const char *end = pos + len;
    f->begun = f->begun || len > 0;
    while (pos < end)
    {
        const char *newline = memchr(pos, '\n', (size_t) (end - pos));
        const char *stop = newline == NULL ? end : newline;
        if (!take_piece(f, pos, (size_t) (stop - pos), err))
            return false;
        if (newline == NULL)
            return true;
        if (f->decided ? !pass(f, newline, 1, err) : !take_line(f, newline, err))
            return false;
        f->decided = false;
        pos = newline + 1;
    }
    return true;
}

bool script_filter_finish(ScriptFilter *f, Error *err)
{
    if (!pass(f, f->line, f->kept, err))
        return false;
    f->kept = 0;
    if (!f->begun)
        return error_set(err, ERR_CORRUPT, "the script is empty");
    if (f->mark[0] != '\0')
        return f->end == SCRIPT_END_WHOLE ||
               error_set(err, ERR_CORRUPT, "the script ends too early");
    if (f->half == SCRIPT_WHOLE)
        return true;
    error_set(err, ERR_USAGE, "the script does not mark its parts");
    return error_hint(err, "Definitions and rows of it can be restored together only.");
}
