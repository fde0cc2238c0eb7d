/* restore/sequences.c - gives the sequences their values; the contract is in sequences.h. */
#include "restore/sequences.h"

#include "base/str.h"

#define SETVALS_PER_QUERY 200

static bool add_setval(RestoreNode *node, const SequenceRecord *s, Str *sql, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sequence");
    char *quoted = pg_quote_table(tmp, node->main, node_schema(node, s->schema), s->name, err);
    char *name = quoted == NULL ? NULL : pg_quote_literal(tmp, node->main, quoted, err);

    if (name == NULL)
        return false;
    str_addf(sql, "SELECT pg_catalog.setval(%s, %" PRId64 ", %s)", name, s->last_value,
             s->is_called ? "true" : "false");
    if (node->request->append)
        str_addf(sql,
                 " FROM %s v, pg_catalog.pg_sequence q WHERE q.seqrelid = %s::pg_catalog.regclass"
                 " AND CASE WHEN q.seqincrement > 0 THEN v.last_value < %" PRId64
                 " ELSE v.last_value > %" PRId64 " END",
                 quoted, name, s->last_value, s->last_value);
    str_add(sql, ";");
    return true;
}

/* One by one, as one of them is wrong. */
static bool set_each(RestoreNode *node, size_t first, size_t end, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sequences");
    Str *sql = str_new(tmp);

    for (size_t i = first; i < end; i++)
    {
        const SequenceRecord *s = &node->manifest->sequences[i];
        if (!node->filter->sequences[i])
            continue;
        str_clear(sql);
        if (!add_setval(node, s, sql, err))
            return false;
        const char *label = mem_printf(tmp, "value of %s.%s", node_schema(node, s->schema),
                                       s->name);
        if (!pg_exec(node->main, sql->data, err) &&
            !outcome_other_failed(node->outcome, label, err))
            return false;
    }
    return true;
}

static bool set_batch(RestoreNode *node, const Str *sql, size_t first, size_t end, Error *err)
{
    if (sql->len == 0 || pg_exec(node->main, sql->data, err))
        return true;
    if (node->request->on_error == ON_ERROR_STOP || err->code != ERR_QUERY)
        return error_prefix(err, "could not set the sequences");
    error_clear(err);
    return set_each(node, first, end, err);
}

bool sequences_set(RestoreNode *node, Error *err)
{
    const Manifest *m = node->manifest;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sequences");
    Str *sql = str_new(tmp);
    size_t pending = 0;
    size_t first = 0;

    for (size_t i = 0; i < m->sequence_count; i++)
    {
        if (!node->filter->sequences[i])
            continue;
        if (!add_setval(node, &m->sequences[i], sql, err))
            return false;
        if (++pending % SETVALS_PER_QUERY != 0)
            continue;
        if (!set_batch(node, sql, first, i + 1, err))
            return false;
        first = i + 1;
        str_clear(sql);
    }
    return set_batch(node, sql, first, m->sequence_count, err);
}
