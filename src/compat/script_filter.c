/* compat/script_filter.c - the contract is in script_filter.h. */
#include "compat/script_filter.h"

#include "restore/sql_text.h"

#define HEX   "0123456789abcdef"
#define BEGIN '-' /* what all lines begin with that are looked at */

static bool pass(const ScriptFilter *f, const char *data, size_t len, Error *err)
{
    return f->skips_half || f->skips_entry || len == 0 || f->sink(f->arg, data, len, err);
}

/* ---- which lines are ours ---- */

/* The line is "-- MARK WORD...": gives the place behind the mark, with the blank; NULL: it is not. */
static const char *behind_mark(const ScriptFilter *f)
{
    size_t len = EXPORT_MARK_LEN - 1;
    bool ours = f->mark[0] != '\0' && f->kept > len + 4 && memcmp(f->text, "-- ", 3) == 0 &&
                memcmp(f->text + 3, f->mark, len) == 0 && f->text[3 + len] == ' ';
    return ours ? f->text + 3 + len : NULL;
}

static void look_for_mark(ScriptFilter *f)
{
    size_t head = strlen(EXPORT_MARK_HEAD);
    size_t len = EXPORT_MARK_LEN - 1;
    if (f->mark[0] != '\0' || f->kept != head + len || memcmp(f->text, EXPORT_MARK_HEAD, head) != 0)
        return;
    memcpy(f->mark, f->text + head, len);
    f->mark[len] = '\0';
    if (strspn(f->mark, HEX) != len)
        f->mark[0] = '\0';
}

static bool is_text(const ScriptFilter *f, const char *text)
{
    return f->kept == strlen(text) && memcmp(f->text, text, f->kept) == 0;
}

/* Whoever has written statements behind it may do so. */
static void look_for_end(ScriptFilter *f)
{
    bool whole = f->end == SCRIPT_END_SAID && is_text(f, EXPORT_END_FRAME);
    bool said = is_text(f, EXPORT_END);
    if (f->end != SCRIPT_END_WHOLE)
        f->end = whole ? SCRIPT_END_WHOLE : said ? SCRIPT_END_SAID : SCRIPT_END_NONE;
}

static void no_end_yet(ScriptFilter *f)
{
    f->end = f->end == SCRIPT_END_SAID ? SCRIPT_END_NONE : f->end;
}

/* Only a part of it is wanted. */
static bool is_choosy(const ScriptFilter *f)
{
    return f->half != SCRIPT_WHOLE || f->tables != NULL;
}

static bool say_unmarked(const ScriptFilter *f, Error *err)
{
    error_set(err, ERR_USAGE, "the script does not mark its parts");
    return error_hint(err, f->tables == NULL
                               ? "Definitions and rows of it can be restored together only."
                               : "It can be restored as a whole only.");
}

/* ---- what is wanted ---- */

/* The words of a mark behind its first one. */
typedef struct Words
{
    const char *at;
    size_t len;
} Words;

static void begin_tables(ScriptFilter *f)
{
    if (f->met != NULL)
        return;
    f->met = mem_array(f->ctx, bool, f->tables->count);
    f->schema = str_new(f->ctx);
    f->name = str_new(f->ctx);
}

/* The first one, of all, has no name. */
static void take_has(ScriptFilter *f, Words *w)
{
    f->lists = true;
    if (mark_next_name(&w->at, &w->len, f->schema) && mark_next_name(&w->at, &w->len, f->name))
        (void) script_tables_want(f->tables, f->schema->data, f->name->data, f->met);
}

static bool check_met(const ScriptFilter *f, Error *err)
{
    size_t missing = 0;
    const LegacyName *first = NULL;
    char shown[160];
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "missing");
    for (size_t i = 0; i < f->tables->count; i++)
    {
        if (f->met[i])
            continue;
        missing++;
        first = first == NULL ? &f->tables->items[i] : first;
    }
    if (first == NULL)
        return true;
    const char *name = mem_printf(tmp, "%s.%s", first->schema, first->name);
    return error_set(err, ERR_NOT_FOUND, "the script has no %s%s",
                     str_one_line(shown, sizeof(shown), name),
                     missing > 1 ? ", and more of the list is not in it" : "");
}

/* All of those that it is about. */
static void take_of(ScriptFilter *f, Words *w)
{
    bool wanted = w->len > 0;
    while (wanted && w->len > 0)
        wanted = mark_next_name(&w->at, &w->len, f->schema) &&
                 mark_next_name(&w->at, &w->len, f->name) &&
                 script_tables_want(f->tables, f->schema->data, f->name->data, NULL);
    f->skips_entry = !wanted;
}

static bool take_schema(ScriptFilter *f, Words *w, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "schema");
    Str *sql = str_new(tmp);
    bool wanted = mark_next_name(&w->at, &w->len, f->schema) &&
                  script_tables_want_schema(f->tables, f->schema->data);
    str_add(sql, "CREATE SCHEMA IF NOT EXISTS ");
    sql_text_add_name(sql, f->schema->data);
    str_add(sql, ";\n\n");
    f->skips_entry = false;
    bool ok = !wanted || pass(f, sql->data, sql->len, err);
    f->skips_entry = true;
    return ok;
}

/* ---- marks ---- */

static bool is_word(const Str *word, const char *wanted)
{
    return strcmp(word->data, wanted) == 0;
}

static bool take_part(ScriptFilter *f, bool rows, Error *err)
{
    f->skips_half = f->half != SCRIPT_WHOLE && rows != (f->half == SCRIPT_ROWS);
    return f->tables == NULL || !f->lists || check_met(f, err);
}

static bool take_about(ScriptFilter *f, const Str *word, Words *w, Error *err)
{
    if (f->tables == NULL)
        return true;
    begin_tables(f);
    if (is_word(word, EXPORT_MARK_SCHEMA))
        return take_schema(f, w, err);
    if (is_word(word, EXPORT_MARK_HAS))
        take_has(f, w);
    else if (is_word(word, EXPORT_MARK_OF))
        take_of(f, w);
    else
        f->skips_entry = false;
    return true;
}

/* *ret_taken false: it is none of ours. */
static bool take_mark(ScriptFilter *f, const char *behind, bool *ret_taken, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "mark");
    Str *word = str_new(tmp);
    Words w = {behind, f->kept - (size_t) (behind - f->text)};
    *ret_taken = false;
    if (!mark_next_name(&w.at, &w.len, word))
        return true;
    bool part = w.len == 0 &&
                (is_word(word, EXPORT_MARK_DEFINITIONS) || is_word(word, EXPORT_MARK_ROWS));
    bool about = is_word(word, EXPORT_MARK_HAS) || is_word(word, EXPORT_MARK_OF) ||
                 is_word(word, EXPORT_MARK_SCHEMA) || is_word(word, EXPORT_MARK_ALL);
    *ret_taken = part || about;
    if (*ret_taken)
        f->end = SCRIPT_END_NONE; /* it was one of the rows */
    return part ? take_part(f, is_word(word, EXPORT_MARK_ROWS), err)
                : !about || take_about(f, word, &w, err);
}

/* A whole line that is short enough for a mark. Lines that are one are left out themselves. */
static bool take_line(ScriptFilter *f, Error *err)
{
    const char *behind = behind_mark(f);
    size_t kept = f->kept;
    bool taken = false;
    look_for_end(f);
    if (behind != NULL && !take_mark(f, behind, &taken, err))
        return false;
    if (!taken)
        look_for_mark(f);
    f->kept = 0;
    return taken || (pass(f, f->text, kept, err) && pass(f, "\n", 1, err));
}

/* ---- bytes ---- */

/* As many lines as there are that are no marks, at once: most of a script is rows. */
static bool pass_lines(ScriptFilter *f, const char **pos, const char *end, Error *err)
{
    const char *from = *pos;
    const char *newline;
    no_end_yet(f);
    do
    {
        newline = memchr(*pos, '\n', (size_t) (end - *pos));
        *pos = newline == NULL ? end : newline + 1;
    } while (newline != NULL && *pos < end && **pos != BEGIN);
    f->line = newline == NULL ? SCRIPT_LINE_PASSES : SCRIPT_LINE_BEGINS;
    /* Statements before the mark: nobody knows what is where. */
    bool blank = from[0] == '\n' && memcmp(from, from + 1, (size_t) (*pos - from) - 1) == 0;
    if (is_choosy(f) && f->mark[0] == '\0' && !blank)
        return say_unmarked(f, err);
    return pass(f, from, (size_t) (*pos - from), err);
}

static bool keep_line(ScriptFilter *f, const char **pos, const char *end, Error *err)
{
    const char *newline = memchr(*pos, '\n', (size_t) (end - *pos));
    const char *stop = newline == NULL ? end : newline;
    size_t len = (size_t) (stop - *pos);
    if (f->kept + len >= SCRIPT_LINE_KEPT)
    {
        size_t kept = f->kept;
        f->kept = 0;
        f->line = SCRIPT_LINE_PASSES;
        no_end_yet(f);
        return pass(f, f->text, kept, err);
    }
    memcpy(f->text + f->kept, *pos, len);
    f->kept += len;
    *pos = newline == NULL ? end : newline + 1;
    if (newline == NULL)
        return true;
    f->line = SCRIPT_LINE_BEGINS;
    return take_line(f, err);
}

bool script_filter_write(void *arg, const void *data, size_t len, Error *err)
{
    ScriptFilter *f = arg;
    const char *pos = data;
    const char *end = pos + len;
    f->begun = f->begun || len > 0;
    while (pos < end)
    {
        if (f->line == SCRIPT_LINE_BEGINS)
            f->line = *pos == BEGIN ? SCRIPT_LINE_IS_KEPT : SCRIPT_LINE_PASSES;
        if (f->line == SCRIPT_LINE_IS_KEPT ? !keep_line(f, &pos, end, err)
                                           : !pass_lines(f, &pos, end, err))
            return false;
    }
    return true;
}

bool script_filter_finish(ScriptFilter *f, Error *err)
{
    if (!pass(f, f->text, f->kept, err))
        return false;
    f->kept = 0;
    if (!f->begun)
        return error_set(err, ERR_CORRUPT, "the script is empty");
    if (f->mark[0] != '\0')
        return f->end == SCRIPT_END_WHOLE ||
               error_set(err, ERR_CORRUPT, "the script ends too early");
    return !is_choosy(f) || say_unmarked(f, err);
}
