/* export/through_root.c - the contract is in through_root.h. */
#include "export/through_root.h"

#include "base/str.h"
#include "export/type_text.h"
#include "pg/sql_token.h"
#include "restore/entry.h"

#define LEVELS_MAX 64

struct ThroughRoot
{
    const ArchiveToc *toc;
    const TocEntry **parents; /* of the entry at that position */
};

/* The entry TABLE ATTACH depends on both tables and is named as the partition is. */
static void note_attach(ThroughRoot *r, const TocEntry *attach)
{
    const TocEntry *child = NULL;
    const TocEntry *parent = NULL;
    for (size_t i = 0; i < attach->dependency_count; i++)
    {
        const TocEntry *e = archive_toc_find(r->toc, attach->dependencies[i]);
        if (e == NULL || !entry_is_relation(e))
            continue;
        if (child == NULL && strcmp(e->tag, attach->tag) == 0 &&
            str_equal(e->schema, attach->schema))
            child = e;
        else
            parent = e;
    }
    if (child != NULL && parent != NULL)
        r->parents[child - r->toc->entries] = parent;
}

ThroughRoot *through_root_new(void *ctx, const ArchiveToc *toc)
{
    ThroughRoot *r = mem_new(ctx, ThroughRoot);
    r->toc = toc;
    r->parents = mem_array(r, const TocEntry *, toc->entry_count);
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        if (entry_is(&toc->entries[i], "TABLE ATTACH"))
            note_attach(r, &toc->entries[i]);
    }
    return r;
}

/* Looks for PARTITION BY HASH in a definition; *ret_expression: its key has an expression. */
static bool is_by_hash(const TocEntry *table, bool *ret_expression)
{
    static const char *const words[] = {"partition", "by", "hash"};
    SqlScanner s = {table->defn, true};
    SqlToken t;
    size_t matched = 0;
    int depth = 0;
    int inside = 0;
    while (sql_token_next(&s, &t))
    {
        bool open = t.kind == SQL_TOKEN_OTHER && *t.start == '(';
        bool close = t.kind == SQL_TOKEN_OTHER && *t.start == ')';
        depth += open ? 1 : close ? -1 : 0;
        if (matched == LENGTH_OF(words))
            inside += open ? 1 : 0;
        else if (depth > 0 || !sql_token_is(&t, words[matched]))
            matched = 0;
        else
            matched++;
    }
    *ret_expression = inside > 1;
    return matched == LENGTH_OF(words);
}

static bool has_user_type(const TableRecord *t)
{
    for (size_t i = 0; i < t->type_count; i++)
    {
        if (type_text_is_user(t->types[i]))
            return true;
    }
    return false;
}

const TocEntry *through_root_of(ThroughRoot *r, const TocEntry *leaf, const TableRecord *table)
{
    const TocEntry *found = NULL;
    bool user = has_user_type(table);
    const TocEntry *e = leaf;
    for (int level = 0; level < LEVELS_MAX; level++)
    {
        bool expression = false;
        e = r->parents[e - r->toc->entries];
        if (e == NULL)
            break;
        if (is_by_hash(e, &expression) && (user || expression))
            found = e;
    }
    return found;
}
