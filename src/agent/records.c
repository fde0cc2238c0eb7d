/* agent/records.c - the contract is in records.h. */
#include "agent/records.h"

#include "agent/pack.h"
#include "base/str.h"
#include "repo/record.h"

static bool add_record(Str *lines, ManifestLineType type, const void *record, Error *err)
{
    json_t *object = record_encode(type, record, err);
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text == NULL)
        return error_set(err, ERR_INTERNAL, "a record cannot be written");
    str_add(lines, text);
    str_addc(lines, '\n');
    free(text);
    return true;
}

char *agent_records_pack(void *ctx, const BackupNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "records");
    Str *lines = str_new(tmp);
    bool ok = add_record(lines, LINE_NODE, &node->record, err);
    for (size_t i = 0; ok && i < node->catalog.count; i++)
    {
        TableRecord table = node->tables[i];
        table.database = node->record.database;
        ok = add_record(lines, LINE_TABLE, &table, err);
    }
    for (size_t i = 0; ok && i < node->sequence_count; i++)
    {
        SequenceRecord sequence = node->sequences[i];
        sequence.database = node->record.database;
        ok = add_record(lines, LINE_SEQUENCE, &sequence, err);
    }
    return ok ? agent_pack(ctx, lines->data, lines->len, err) : NULL;
}

static bool take_line(void *ctx, AgentRecords *r, bool first, const ManifestLine *line, Error *err)
{
    bool ok = first == (line->type == LINE_NODE);
    if (ok && line->type == LINE_NODE)
        r->node = line->u.node;
    else if (ok && line->type == LINE_TABLE && r->sequence_count == 0)
        *mem_push(ctx, r->tables, r->table_count, r->table_capacity, TableRecord) = line->u.table;
    else if (ok && line->type == LINE_SEQUENCE)
        *mem_push(ctx, r->sequences, r->sequence_count, r->sequence_capacity,
                  SequenceRecord) = line->u.sequence;
    else
        return error_set(err, ERR_INTERNAL, "a record is out of place");
    return true;
}

bool agent_records_read(void *ctx, const char *packed, AgentRecords *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "records");
    char *text;
    size_t len;
    size_t lines = 0;
    *ret = (AgentRecords){.tables = NULL};
    if (!agent_unpack(tmp, packed, &text, &len, err))
        return false;
    while (len > 0)
    {
        ManifestLine line;
        const char *end = memchr(text, '\n', len);
        size_t n = end == NULL ? len : (size_t) (end - text);
        lines++;
        if (!manifest_parse_line(ctx, text, n, &line, err) ||
            !take_line(ctx, ret, lines == 1, &line, err))
            return error_prefix(err, "line %zu", lines);
        text += end == NULL ? n : n + 1;
        len -= end == NULL ? n : n + 1;
    }
    return lines > 0 || error_set(err, ERR_INTERNAL, "there are no records");
}
