/* restore/estimate.c - the contract is in estimate.h. */
#include "restore/estimate.h"

#include "pg/sql_token.h"
#include "restore/cost.h"
#include "restore/entry.h"

/* Values that are compared as numbers are; types as a manifest names them. */
static bool is_fast_type(const char *type)
{
    static const char *const list[] = {
        "int2",        "int4",   "int8",   "oid",  "bool",     "date",  "time", "timestamp",
        "timestamptz", "float4", "float8", "uuid", "interval", "money", "enum", NULL};
    return entry_is_any(type, list);
}

static bool is_slow_column(const TableRecord *record, const char *name)
{
    size_t column = manifest_column(record, name);
    return column < record->type_count && !is_fast_type(record->types[column]);
}

/* Looks at the names in the first parentheses: columns, and what expressions are made of. */
static bool sorts_slowly(const RestoreNode *node, const DdlEntry *entry, const TableRecord *record)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "columns");
    SqlScanner scanner = {entry->sql, node->ddl->std_strings};
    SqlToken t;
    int depth = 0;
    bool slow = false;
    bool over = false;
    while (!slow && !over && sql_token_next(&scanner, &t))
    {
        if (t.kind == SQL_TOKEN_OTHER && (*t.start == '(' || *t.start == ')'))
        {
            depth += *t.start == '(' ? 1 : -1;
            over = depth <= 0;
        }
        else if (depth > 0 &&
                 (t.kind == SQL_TOKEN_WORD || (t.kind == SQL_TOKEN_QUOTED_NAME && t.len > 2)))
            slow = is_slow_column(record, sql_token_name(tmp, &t));
    }
    return slow;
}

Estimate estimate_entry(const RestoreNode *node, const DdlEntry *entry)
{
    Estimate e = {.cost = COST_STATEMENT};
    uint64_t rows = 0;
    const TableRecord *record = NULL;
    if (entry->work == DDL_WORK_CATALOG)
        return e;
    for (size_t i = 0; i < entry->lock_count; i++)
    {
        const RestoreTable *t = restore_node_table(node, entry->locks[i].oid);
        /* A table that refers to itself is locked in two ways. */
        if (t == NULL || t->record == record)
            continue;
        record = t->record;
        rows += record->rows;
        e.bytes += record->logical;
    }
    if (entry->work == DDL_WORK_BUILD)
        e.cost = cost_build(rows, e.bytes, rows > 0 && sorts_slowly(node, entry, record));
    else
        e.cost = cost_check(rows, e.bytes);
    return e;
}
