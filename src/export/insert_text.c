/* export/insert_text.c - the contract is in insert_text.h. */
#include "export/insert_text.h"

#include "base/str.h"
#include "restore/sql_text.h"

typedef enum LiteralKind
{
    LITERAL_STRING,
    LITERAL_NUMBER,
    LITERAL_BOOL,
    LITERAL_BITS,
} LiteralKind;

struct InsertText
{
    const ExportEntry *entry;
    const ExportRequest *request;
    IoSinkWrite sink;
    void *arg;
    Str *head;  /* "INSERT INTO t (a, b) VALUES" */
    Str *row;   /* COPY text of a row that has not ended */
    Str *value; /* one of its values */
    Str *sql;
    int rows; /* of the statement that is being written */
};

static LiteralKind literal_kind(const TableRecord *t, size_t column)
{
    static const char *const numbers[] = {"int2",   "int4",   "int8",   "oid",
                                          "float4", "float8", "numeric"};
    const char *type = column < t->type_count ? t->types[column] : "";
    for (size_t i = 0; i < LENGTH_OF(numbers); i++)
    {
        if (strcmp(type, numbers[i]) == 0)
            return LITERAL_NUMBER;
    }
    if (strcmp(type, "bool") == 0)
        return LITERAL_BOOL;
    return strcmp(type, "bit") == 0 || strcmp(type, "varbit") == 0 ? LITERAL_BITS : LITERAL_STRING;
}

InsertText *insert_text_new(const ExportEntry *e, const ExportRequest *request, IoSinkWrite sink,
                            void *arg)
{
    InsertText *t = mem_new(NULL, InsertText);
    t->entry = e;
    t->request = request;
    t->sink = sink;
    t->arg = arg;
    t->head = str_new(t);
    t->row = str_new(t);
    t->value = str_new(t);
    t->sql = str_new(t);
    str_addf(t->head, "INSERT INTO %s", e->into);
    if (e->table->column_count > 0)
        str_addf(t->head, " (%s)%s VALUES", e->column_list,
                 e->overriding ? " OVERRIDING SYSTEM VALUE" : "");
    else
        str_add(t->head, " DEFAULT VALUES");
    return t;
}

void insert_text_free(InsertText *t)
{
    mem_free(t);
}

/* The COPY text of one value, up to a tab or the end of the row, without its escapes; *ret_null: it
 * was \N. Returns what is behind it. */
static const char *read_value(const char *pos, const char *end, Str *value, bool *ret_null)
{
    static const char codes[] = "bfnrtv";
    static const char bytes[] = "\b\f\n\r\t\v";
    const char *stop = memchr(pos, '\t', (size_t) (end - pos));
    if (stop == NULL)
        stop = end;
    str_clear(value);
    *ret_null = stop - pos == 2 && pos[0] == '\\' && pos[1] == 'N';
    while (pos < stop)
    {
        const char *slash = memchr(pos, '\\', (size_t) (stop - pos));
        if (slash == NULL || slash + 1 == stop)
            slash = stop;
        str_addn(value, pos, (size_t) (slash - pos));
        pos = slash;
        if (pos == stop)
            break;
        const char *code = pos[1] == '\0' ? NULL : strchr(codes, pos[1]);
        str_addc(value, code == NULL ? pos[1] : bytes[code - codes]);
        pos += 2;
    }
    return stop;
}

static void add_literal(Str *sql, LiteralKind kind, const Str *value)
{
    bool number = kind == LITERAL_NUMBER && value->len > 0 &&
                  strspn(value->data, "0123456789+-eE.") == value->len;
    if (number)
        str_add(sql, value->data);
    else if (kind == LITERAL_BOOL)
        str_add(sql, strcmp(value->data, "t") == 0 ? "true" : "false");
    else if (kind == LITERAL_BITS)
        str_addf(sql, "B'%s'", value->data);
    else
        sql_text_add_literal(sql, value->data);
}

static bool add_values(InsertText *t, const char *pos, const char *end, Error *err)
{
    const TableRecord *table = t->entry->table;
    str_addc(t->sql, '(');
    for (size_t i = 0; i < table->column_count; i++)
    {
        bool null;
        if (i > 0)
        {
            if (pos == end || *pos++ != '\t')
                return error_set(err, ERR_CORRUPT, "a row has fewer columns than its table");
            str_add(t->sql, ", ");
        }
        pos = read_value(pos, end, t->value, &null);
        if (null)
            str_add(t->sql, "NULL");
        else
            add_literal(t->sql, literal_kind(table, i), t->value);
    }
    str_addc(t->sql, ')');
    return pos == end || error_set(err, ERR_CORRUPT, "a row has more columns than its table");
}

static void add_end(InsertText *t)
{
    str_add(t->sql, t->request->on_conflict_do_nothing ? " ON CONFLICT DO NOTHING;\n" : ";\n");
    t->rows = 0;
}

static bool write_row(InsertText *t, const char *pos, const char *end, Error *err)
{
    bool many = t->request->rows_per_insert > 1 && t->entry->table->column_count > 0;
    str_clear(t->sql);
    if (t->rows == 0)
        str_add(t->sql, t->head->data);
    if (t->entry->table->column_count > 0)
    {
        str_add(t->sql, t->rows > 0 ? ",\n\t" : many ? "\n\t" : " ");
        if (!add_values(t, pos, end, err))
            return false;
    }
    if (++t->rows == t->request->rows_per_insert || !many)
        add_end(t);
    return t->sink(t->arg, t->sql->data, t->sql->len, err);
}

static bool keep(InsertText *t, const char *pos, size_t len, Error *err)
{
    if (t->row->len + len > INSERT_ROW_MAX)
    {
        error_set(err, ERR_USAGE, "a row is longer than %zu MB, too long for an INSERT",
                  INSERT_ROW_MAX / 1024 / 1024);
        return error_hint(err, "Export it as COPY data, without --inserts and --column-inserts.");
    }
    str_addn(t->row, pos, len);
    return true;
}

bool insert_text_write(void *arg, const void *data, size_t len, Error *err)
{
    InsertText *t = arg;
    const char *pos = data;
    const char *end = pos + len;
    const char *newline;
    while ((newline = memchr(pos, '\n', (size_t) (end - pos))) != NULL)
    {
        if (!keep(t, pos, (size_t) (newline - pos), err))
            return false;
        if (!write_row(t, t->row->data, t->row->data + t->row->len, err))
            return false;
        str_clear(t->row);
        pos = newline + 1;
    }
    return keep(t, pos, (size_t) (end - pos), err);
}

bool insert_text_finish(InsertText *t, Error *err)
{
    str_clear(t->sql);
    if (t->rows == 0)
        return true;
    add_end(t);
    return t->sink(t->arg, t->sql->data, t->sql->len, err);
}
