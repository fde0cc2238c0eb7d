/* export/binary_search.c - text search types; the contract is in binary_value.h. */
#include "export/binary_value.h"

/* Source: tsearch/ts_type.h. */
#define ITEM_VALUE      1
#define ITEM_OPERATOR   2
#define OPERATOR_NOT    1
#define OPERATOR_AND    2
#define OPERATOR_OR     3
#define OPERATOR_PHRASE 4

#define DEPTH_MAX 5000

static void add_quoted(Str *out, const char *text)
{
    str_addc(out, '\'');
    for (; *text != '\0'; text++)
    {
        if (*text == '\'' || *text == '\\')
            str_addc(out, *text);
        str_addc(out, *text);
    }
    str_addc(out, '\'');
}

static void add_lexeme(ValueReader *r, Str *out)
{
    const char *lexeme = value_string(r);
    int positions = value_u16(r);
    if (lexeme == NULL)
        return;
    add_quoted(out, lexeme);
    for (int i = 0; i < positions && !r->bad; i++)
    {
        int place = value_u16(r);
        str_addf(out, "%c%d", i == 0 ? ':' : ',', place & 0x3fff);
        if (place >> 14 != 0)
            str_addc(out, "?CBA"[place >> 14]);
    }
}

void value_tsvector(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    uint32_t count = value_u32(r);
    for (uint32_t i = 0; i < count && !r->bad; i++)
    {
        str_add(out, i == 0 ? "" : " ");
        add_lexeme(r, out);
    }
}

static void add_operand(ValueReader *r, Str *out)
{
    int weights = value_u8(r);
    bool prefix = value_u8(r) != 0;
    const char *text = value_string(r);
    if (text == NULL)
        return;
    add_quoted(out, text);
    if (weights == 0 && !prefix)
        return;
    str_add(out, prefix ? ":*" : ":");
    for (int bit = 3; bit >= 0; bit--)
    {
        if ((weights & 1 << bit) != 0)
            str_addc(out, "DCBA"[bit]);
    }
}

static int priority_of(int op)
{
    static const int priorities[] = {
        [OPERATOR_NOT] = 4, [OPERATOR_AND] = 2, [OPERATOR_OR] = 1, [OPERATOR_PHRASE] = 3};
    return op >= OPERATOR_NOT && op <= OPERATOR_PHRASE ? priorities[op] : 0;
}

static void add_query(ValueReader *r, int depth, int parent, bool right_of_phrase, Str *out);

/* The right operand comes first in the binary form, and second in the text. */
static void add_binary(ValueReader *r, int depth, int op, Str *out)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "operand");
    Str *right = str_new(tmp);
    int distance = op == OPERATOR_PHRASE ? value_u16(r) : 0;
    add_query(r, depth + 1, priority_of(op), op == OPERATOR_PHRASE, right);
    add_query(r, depth + 1, priority_of(op), false, out);
    if (op == OPERATOR_PHRASE && distance != 1)
        str_addf(out, " <%d> ", distance);
    else
        str_add(out, op == OPERATOR_PHRASE ? " <-> " : op == OPERATOR_AND ? " & " : " | ");
    str_addn(out, right->data, right->len);
}

/* As infix() in adt/tsquery.c sets parentheses. */
static void add_query(ValueReader *r, int depth, int parent, bool right_of_phrase, Str *out)
{
    int kind = value_u8(r);
    if (kind == ITEM_VALUE)
    {
        add_operand(r, out);
        return;
    }
    int op = value_u8(r);
    int priority = priority_of(op);
    if (kind != ITEM_OPERATOR || priority == 0 || depth > DEPTH_MAX)
        r->bad = true;
    if (r->bad)
        return;
    bool parentheses = priority < parent || (op == OPERATOR_PHRASE && right_of_phrase);
    str_add(out, parentheses ? "( " : "");
    if (op == OPERATOR_NOT)
    {
        str_addc(out, '!');
        add_query(r, depth + 1, priority, false, out);
    }
    else
        add_binary(r, depth, op, out);
    str_add(out, parentheses ? " )" : "");
}

void value_tsquery(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    if (value_u32(r) > 0)
        add_query(r, 0, -1, false, out);
}
