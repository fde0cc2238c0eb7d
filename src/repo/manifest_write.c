/*
 * repo/manifest_write.c - appending records as JSON Lines.
 *
 *   lines -> buffer -> tap(hash for "end") -> tap(hash of the whole file) -> object
 *
 * The first tap is there only in a file that is published: its result is what "end" says.
 */
#include "repo/manifest.h"

#include "repo/record.h"

struct ManifestWriter
{
    StorageWriter *out;
    IoStage *body;     /* what records are written to */
    IoStage *body_tap; /* in body; NULL: the file has no "end" */
    IoStage *file;     /* what body writes to: the second tap */
    char *line;        /* grows to the longest line */
    size_t capacity;
};

static bool write_out(void *arg, const void *data, size_t len, Error *err)
{
    return storage_write(((ManifestWriter *) arg)->out, data, len, err);
}

static bool write_file(void *arg, const void *data, size_t len, Error *err)
{
    return io_write(((ManifestWriter *) arg)->file, data, len, err);
}

static ManifestWriter *writer_new(Storage *st, const char *path, int flags, Error *err)
{
    StorageWriter *out = storage_write_open(st, path, (StorageWriteFlags) flags, err);
    ManifestWriter *w;

    if (out == NULL)
        return NULL;
    w = mem_new(NULL, ManifestWriter);
    w->out = out;
    w->capacity = 4096;
    w->line = mem_array(w, char, w->capacity);
    w->file = io_tap_new(TAP_SHA256, io_sink_new(write_out, w));
    w->body = io_sink_new(write_file, w);
    if ((flags & STORAGE_WRITE_ATOMIC) != 0)
        w->body = w->body_tap = io_tap_new(TAP_SHA256, w->body);
    if ((flags & STORAGE_WRITE_KEEP) == 0)
        w->body = io_buffer_new(w->body);
    return w;
}

ManifestWriter *manifest_writer_new(Storage *st, const char *path, bool publish, bool no_sync,
                                    Error *err)
{
    return writer_new(st, path,
                      (publish ? STORAGE_WRITE_ATOMIC : STORAGE_WRITE_PLAIN) |
                          (no_sync ? STORAGE_WRITE_NO_SYNC : 0),
                      err);
}

ManifestWriter *manifest_writer_new_kept(Storage *st, const char *path, bool no_sync, Error *err)
{
    return writer_new(st, path, STORAGE_WRITE_KEEP | (no_sync ? STORAGE_WRITE_NO_SYNC : 0), err);
}

void manifest_writer_free(ManifestWriter *w)
{
    if (w == NULL)
        return;
    io_free(w->body);
    io_free(w->file);
    storage_writer_free(w->out);
    mem_free(w);
}

static bool write_record(ManifestWriter *w, IoStage *to, ManifestLineType type, const void *record,
                         Error *err)
{
    json_t *object = record_encode(type, record, err);
    size_t len;

    if (object == NULL)
        return false;
    len = json_dumpb(object, w->line, w->capacity, JSON_COMPACT);
    if (len >= w->capacity)
    {
        w->capacity = len + len / 2;
        w->line = mem_grow(w, w->line, char, w->capacity);
        len = json_dumpb(object, w->line, w->capacity, JSON_COMPACT);
    }
    json_decref(object);
    if (len == 0 || len >= MANIFEST_LINE_MAX)
        return error_set(err, ERR_INTERNAL, "a %s record of %zu bytes cannot be written",
                         record_type_name(type), len);
    w->line[len] = '\n';
    return io_write(to, w->line, len + 1, err);
}

bool manifest_write_set(ManifestWriter *w, const SetRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_SET, r, err);
}

bool manifest_write_node(ManifestWriter *w, const NodeRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_NODE, r, err);
}

bool manifest_write_cut(ManifestWriter *w, const CutRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_CUT, r, err);
}

bool manifest_write_table(ManifestWriter *w, const TableRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_TABLE, r, err);
}

bool manifest_write_sequence(ManifestWriter *w, const SequenceRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_SEQUENCE, r, err);
}

bool manifest_write_distribution(ManifestWriter *w, const DistributionRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_DISTRIBUTION, r, err);
}

bool manifest_write_shard(ManifestWriter *w, const ShardRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_SHARD, r, err);
}

bool manifest_write_distributed_schema(ManifestWriter *w, const DistributedSchemaRecord *r,
                                       Error *err)
{
    return write_record(w, w->body, LINE_DISTRIBUTED_SCHEMA, r, err);
}

bool manifest_write_distributed_function(ManifestWriter *w, const DistributedFunctionRecord *r,
                                         Error *err)
{
    return write_record(w, w->body, LINE_DISTRIBUTED_FUNCTION, r, err);
}

bool manifest_write_physical(ManifestWriter *w, const PhysicalRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_PHYSICAL, r, err);
}

bool manifest_write_tablespace(ManifestWriter *w, const TablespaceRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_TABLESPACE, r, err);
}

bool manifest_write_part(ManifestWriter *w, const PartRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_PART, r, err);
}

bool manifest_write_wal(ManifestWriter *w, const WalRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_WAL, r, err);
}

bool manifest_write_chunk(ManifestWriter *w, const ChunkRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_CHUNK, r, err);
}

bool manifest_write_totals(ManifestWriter *w, const TotalsRecord *r, Error *err)
{
    return write_record(w, w->body, LINE_TOTALS, r, err);
}

bool manifest_writer_commit(ManifestWriter *w, ObjectRecord *ret_object, Error *err)
{
    ObjectRecord whole = {0};

    if (!io_finish(w->body, err))
        return false;
    if (w->body_tap != NULL)
    {
        char sha256[TAP_HEX_LEN];
        uint64_t bytes;

        io_tap_result(w->body_tap, &bytes, sha256);
        if (!write_record(w, w->file, LINE_END, sha256, err))
            return false;
    }
    if (!io_finish(w->file, err))
        return false;
    io_tap_result(w->file, &whole.bytes, whole.sha256);
    if (!storage_writer_commit(w->out, err))
        return false;
    if (ret_object != NULL)
    {
        ret_object->bytes = whole.bytes;
        memcpy(ret_object->sha256, whole.sha256, TAP_HEX_LEN);
    }
    return true;
}
