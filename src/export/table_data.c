/* export/table_data.c - the contract is in table_data.h. */
#include "export/table_data.h"

#include "export/binary_text.h"
#include "repo/chunk_reader.h"

struct TableData
{
    const ExportSource *source;
    const Cancel *cancel;
    ChunkReader *text;
    ChunkReader *binary;
    BinaryText *convert; /* of the table that is written, when it is stored in binary form */
    IoSinkWrite sink;    /* likewise */
    void *arg;
    size_t line;    /* bytes of the current line seen, counted up to 2 */
    bool backslash; /* the first of them is one */
};

/* COPY never writes a line that begins with \. (a backslash in a value is doubled). For psql it
 * ends the data and what follows is commands: data that has one was made to do harm. */
static bool has_end_mark(TableData *d, const char *data, size_t len)
{
    for (const char *end = data + len; data < end;)
    {
        if (d->line == 0)
            d->backslash = *data == '\\';
        else if (d->line == 1 && d->backslash && *data == '.')
            return true;
        if (d->line < 2 && *data != '\n')
        {
            d->line++;
            data++;
            continue;
        }
        const char *newline = memchr(data, '\n', (size_t) (end - data));
        if (newline == NULL)
            return false;
        data = newline + 1;
        d->line = 0;
    }
    return false;
}

static bool take_text(void *arg, const void *data, size_t len, Error *err)
{
    TableData *d = arg;
    if (has_end_mark(d, data, len))
        return error_set(err, ERR_CORRUPT, "a row begins with \"\\.\", which COPY never writes");
    return d->sink(d->arg, data, len, err);
}

static bool take_binary(void *arg, const void *data, size_t len, Error *err)
{
    return binary_text_write(((TableData *) arg)->convert, data, len, err);
}

TableData *table_data_new(const ExportSource *source, const Cancel *cancel)
{
    TableData *d = mem_new(NULL, TableData);
    CompressMethod method = source->manifest->set.compress.method;
    d->source = source;
    d->cancel = cancel;
    d->text = chunk_reader_new(source->storage, source->set_dir, method, false, true, take_text, d);
    d->binary = chunk_reader_new(source->storage, source->set_dir, method, true, true, take_binary,
                                 d);
    return d;
}

void table_data_free(TableData *d)
{
    chunk_reader_free(d->text);
    chunk_reader_free(d->binary);
    mem_free(d);
}

const ExportSource *table_data_source(const TableData *d)
{
    return d->source;
}

/* The converters of the table's columns, below ctx. */
static ValueType **find_types(void *ctx, const TableRecord *table, Error *err)
{
    ValueType **types = mem_array(ctx, ValueType *, table->column_count);
    for (size_t i = 0; i < table->column_count; i++)
    {
        const TypeText *type = type_text_parse(ctx, table->types[i]);
        types[i] = type == NULL ? NULL : value_type_new(ctx, type);
        if (types[i] != NULL)
            continue;
        error_set(err, ERR_USAGE,
                  "table \"%s.%s\" is stored in binary form, and that of column \"%s\" (%s) is not "
                  "known",
                  table->schema, table->name, table->columns[i], table->types[i]);
        error_hint(err, "Restore the set into a server, or back up with --format=text.");
        return NULL;
    }
    return types;
}

bool table_data_check(const TableRecord *table, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "types");
    return !table->binary || find_types(tmp, table, err) != NULL;
}

static bool write_chunk(TableData *d, const ExportEntry *entry, const ChunkPlace *place, Error *err)
{
    const ExportSource *s = d->source;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "chunk");
    const TableRecord *record = place->part == NULL ? entry->table : &place->part->record;
    const NodeRecord *node = place->part == NULL ? s->node : &s->manifest->nodes[place->part->node];
    ChunkRecord chunk;
    if (!manifest_read_chunk(s->storage, tmp, s->set_dir, node, place->line_offset, place->line_len,
                             &chunk, err))
        return false;
    if (chunk.table_oid != record->oid)
        return error_set(err, ERR_CORRUPT, "a chunk's record changed while it was being used");
    d->line = 0;
    if (!entry->table->binary)
        return chunk_reader_run(d->text, &chunk, d->cancel, err);
    binary_text_begin(d->convert);
    return chunk_reader_run(d->binary, &chunk, d->cancel, err) &&
           binary_text_finish(d->convert, err);
}

static bool write_chunks(TableData *d, const ExportEntry *entry, Error *err)
{
    for (size_t i = 0; i < entry->chunk_count; i++)
    {
        if (!cancel_check(d->cancel, err))
            return false;
        if (!write_chunk(d, entry, &entry->chunks[i], err))
            return error_prefix(err, "table \"%s.%s\"", entry->table->schema, entry->table->name);
        if (d->source->progress != NULL)
            atomic_fetch_add(&d->source->progress->bytes_done, entry->chunks[i].logical);
    }
    return true;
}

bool table_data_write(TableData *d, const ExportEntry *entry, IoSinkWrite sink, void *arg,
                      Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "types");
    const TableRecord *table = entry->table;
    ValueType **types = table->binary ? find_types(tmp, table, err) : NULL;
    if (table->binary && types == NULL)
        return false;
    AUTO(binary_text_free)
    BinaryText *convert = table->binary
                              ? binary_text_new(types, table->column_count,
                                                d->source->node->server_version_num, sink, arg)
                              : NULL;
    d->convert = convert;
    d->sink = sink;
    d->arg = arg;
    return write_chunks(d, entry, err);
}
