/* compat/stats_script.c - statistics as a script; the contract is in stats_script.h. */
#include "compat/stats_script.h"

#define LINE_MAX_BYTES ((size_t) 256 * 1024 * 1024) /* five lists of values, quoted */
#define HEAD_ENCODING  "SET client_encoding = "
#define HEAD_TABLE     "-- Schema: "
#define HEAD_MIDDLE    ", Table: "
#define HEAD_END       "-- End of the statistics of "

/* ---- writing ---- */

static bool breaks_line(const char *text)
{
    return strpbrk(text, "\r\n") != NULL;
}

/* Escapes only where they are needed: E'...' is hard to read. */
void stats_script_literal(Str *s, const char *text)
{
    bool escaped = breaks_line(text) || strchr(text, '\\') != NULL;
    str_add(s, escaped ? "E'" : "'");
    for (const char *c = text; *c != '\0';)
    {
        size_t plain = strcspn(c, "'\\\r\n");
        str_addn(s, c, plain);
        c += plain;
        if (*c == '\0')
            break;
        str_add(s, *c == '\'' ? "''" : *c == '\\' ? "\\\\" : *c == '\n' ? "\\n" : "\\r");
        c++;
    }
    str_addc(s, '\'');
}

static void add_identifier(Str *s, const char *text)
{
    bool escaped = breaks_line(text);
    str_add(s, escaped ? "U&\"" : "\"");
    for (const char *c = text; *c != '\0'; c++)
    {
        if (*c == '\n' || *c == '\r')
            str_add(s, *c == '\n' ? "\\000a" : "\\000d");
        else if (*c == '"' || (escaped && *c == '\\'))
            str_addf(s, "%c%c", *c, *c);
        else
            str_addc(s, *c);
    }
    str_addc(s, '"');
}

void stats_script_table(Str *s, const char *schema, const char *name)
{
    add_identifier(s, schema);
    str_addc(s, '.');
    add_identifier(s, name);
}

/* As regclass reads it, which knows no escapes. */
static const char *plain_table(void *ctx, const char *schema, const char *name)
{
    Str *s = str_new(ctx);
    const char *const parts[] = {schema, name};
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
    {
        str_add(s, i > 0 ? ".\"" : "\"");
        for (const char *c = parts[i]; *c != '\0'; c++)
        {
            if (*c == '"')
                str_addc(s, '"');
            str_addc(s, *c);
        }
        str_addc(s, '"');
    }
    return s->data;
}

void stats_script_begin(Str *s, const char *schema, const char *name, bool lock)
{
    str_add(s, "\n" HEAD_TABLE);
    stats_script_literal(s, schema);
    str_add(s, HEAD_MIDDLE);
    stats_script_literal(s, name);
    str_add(s, "\nBEGIN;\nSELECT pg_catalog.set_config('" STATS_SETTING "', ");
    stats_script_literal(s, plain_table(s->ctx, schema, name));
    str_add(s, ", true);\n");
    if (!lock)
        return;
    str_add(s, "LOCK TABLE ");
    stats_script_table(s, schema, name);
    str_add(s, " IN SHARE UPDATE EXCLUSIVE MODE;\n");
}

void stats_script_end(Str *s)
{
    str_add(s, "COMMIT;\n");
}

void stats_script_head(Str *s, const char *about, const char *encoding, bool system_tables)
{
    char line[400];
    str_addf(s, "-- %s\n", str_one_line(line, sizeof(line), about));
    str_add(s, "-- gpdbrestore --restore-stats puts them back; so does psql, as a superuser.\n");
    str_add(s, HEAD_ENCODING);
    stats_script_literal(s, encoding);
    str_add(s, ";\nSET standard_conforming_strings = on;\nSET search_path = '';\n"
               "SET datestyle = ISO;\nSET intervalstyle = postgres;\nSET xmloption = content;\n");
    if (system_tables)
        str_add(s, "SET allow_system_table_mods = on;\n");
}

void stats_script_foot(Str *s, uint64_t tables)
{
    str_addf(s, "\n" HEAD_END "%" PRIu64 " tables\n", tables);
}

/* ---- reading ---- */

StatsReader stats_script_reader(void *ctx, FILE *in, const char *name)
{
    return (StatsReader){.in = in,
                         .name = name,
                         .text = str_new(ctx),
                         .schema = str_new(ctx),
                         .table = str_new(ctx)};
}

static bool bad(const StatsReader *r, Error *err, const char *why)
{
    return error_set(err, ERR_CORRUPT, "%s, line %" PRIu64 ": %s", r->name, r->line, why);
}

/* *ret_got: there was one; without its end then. */
static bool next_line(StatsReader *r, bool *ret_got, Error *err)
{
    char block[8192];
    str_clear(r->text);
    *ret_got = false;
    while (fgets(block, (int) sizeof(block), r->in) != NULL)
    {
        if (!*ret_got)
            r->line++;
        *ret_got = true;
        str_add(r->text, block);
        if (r->text->len > LINE_MAX_BYTES)
            return bad(r, err, "it is too long");
        if (r->text->len > 0 && r->text->data[r->text->len - 1] == '\n')
        {
            r->text->data[--r->text->len] = '\0';
            return true;
        }
    }
    return ferror(r->in) == 0 || error_errno(err, ERR_STORAGE, "could not read \"%s\"", r->name);
}

/* A literal as stats_script_literal writes it; *pos moves behind it. */
static bool take_literal(const char **pos, Str *ret)
{
    const char *c = *pos;
    bool escaped = *c == 'E';
    c += escaped ? 1 : 0;
    str_clear(ret);
    if (*c++ != '\'')
        return false;
    for (; *c != '\0'; c++)
    {
        if (*c == '\'' && c[1] != '\'')
        {
            *pos = c + 1;
            return true;
        }
        if (*c == '\'' || (escaped && *c == '\\'))
        {
            c++;
            if (*c == '\0')
                return false;
            str_addc(ret, c[-1] == '\'' ? '\'' : *c == 'n' ? '\n' : *c == 'r' ? '\r' : *c);
        }
        else
            str_addc(ret, *c);
    }
    return false;
}

static const char *behind(const char *text, const char *head)
{
    size_t len = strlen(head);
    return strncmp(text, head, len) == 0 ? text + len : NULL;
}

static bool take_table(StatsReader *r, const char *pos, StatsLine *ret, Error *err)
{
    if (r->in_table)
        return bad(r, err, "the table before has no end");
    if (!take_literal(&pos, r->schema) || (pos = behind(pos, HEAD_MIDDLE)) == NULL ||
        !take_literal(&pos, r->table) || *pos != '\0' || r->schema->len == 0 || r->table->len == 0)
        return bad(r, err, "it names no table");
    *ret = (StatsLine){
        .kind = STATS_LINE_TABLE, .schema = r->schema->data, .table = r->table->data};
    r->in_table = true;
    r->tables++;
    return true;
}

static bool take_encoding(StatsReader *r, const char *pos, StatsLine *ret, Error *err)
{
    if (!take_literal(&pos, r->schema) || strcmp(pos, ";") != 0)
        return bad(r, err, "it names no encoding");
    *ret = (StatsLine){.kind = STATS_LINE_ENCODING, .text = r->schema->data};
    return true;
}

static bool take_end(StatsReader *r, const char *pos, Error *err)
{
    char *end = NULL;
    uint64_t tables = strtoull(pos, &end, 10);
    if (r->in_table || *pos < '0' || *pos > '9' || strcmp(end, " tables") != 0 ||
        tables != r->tables)
        return bad(r, err, "it is no end of this script");
    r->ended = true;
    return true;
}

static bool is_statement(const char *text)
{
    size_t len = strlen(text);
    return (behind(text, STATS_UPDATE) != NULL || behind(text, STATS_DELETE) != NULL ||
            behind(text, STATS_INSERT) != NULL) &&
           text[len - 1] == ';';
}

/* What whoever reads the script does by itself. */
static bool is_frame(const char *text)
{
    static const char *const heads[] = {"SET ", "SELECT pg_catalog.set_config(", "LOCK TABLE "};
    if (text[0] == '\0' || strcmp(text, "BEGIN;") == 0)
        return true;
    for (size_t i = 0; i < LENGTH_OF(heads); i++)
    {
        if (behind(text, heads[i]) != NULL)
            return true;
    }
    return behind(text, "--") != NULL;
}

/* *ret_none: the line means nothing to us. */
static bool read_line(StatsReader *r, StatsLine *ret, bool *ret_none, Error *err)
{
    const char *text = r->text->data;
    const char *rest = NULL;
    *ret_none = false;
    if ((rest = behind(text, HEAD_TABLE)) != NULL)
        return take_table(r, rest, ret, err);
    if ((rest = behind(text, HEAD_ENCODING)) != NULL)
        return take_encoding(r, rest, ret, err);
    if (r->in_table && is_statement(text))
    {
        *ret = (StatsLine){.kind = STATS_LINE_STATEMENT, .text = text};
        return true;
    }
    if (r->in_table && strcmp(text, "COMMIT;") == 0)
    {
        *ret = (StatsLine){.kind = STATS_LINE_DONE};
        r->in_table = false;
        return true;
    }
    *ret_none = true;
    if ((rest = behind(text, HEAD_END)) != NULL)
        return take_end(r, rest, err);
    return is_frame(text) || bad(r, err, "it is none of a script of statistics");
}

bool stats_script_read(StatsReader *r, StatsLine *ret, Error *err)
{
    bool none = true;
    while (none)
    {
        bool got = false;
        if (!next_line(r, &got, err))
            return false;
        if (!got)
        {
            if (!r->ended)
                return bad(r, err, "the script ends before its end");
            *ret = (StatsLine){.kind = STATS_LINE_END};
            return true;
        }
        if (r->ended)
            return bad(r, err, "it stands behind the end");
        if (!read_line(r, ret, &none, err))
            return false;
    }
    return true;
}
