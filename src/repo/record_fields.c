/*
 * repo/record_fields.c - the fields of every record type, and what records may say; the contract is in
 * record_fields.h.
 */
#include "repo/record_fields.h"

#include "base/str.h"
#include "repo/repo.h"

#define PATH_LEN_MAX 1024

#define SEGMENT_MIN (1024 * 1024) /* of WAL */
#define SEGMENT_MAX (1024 * 1024 * 1024)

#define NUMBER(T, kind, member, lo, hi)                                                            \
    {                                                                                              \
#member, kind, offsetof(T, member), 0, lo, hi, false                                       \
    }
#define OTHER(T, kind, member)                                                                     \
    {                                                                                              \
#member, kind, offsetof(T, member), 0, 0, 0, false                                         \
    }
#define TEXTS(T, member, count)                                                                    \
    {                                                                                              \
#member, FIELD_TEXTS, offsetof(T, member), offsetof(T, count), 0, 0, false                 \
    }
/* The same of a field that is there only sometimes. */
#define MAYBE_NUMBER(T, kind, member, hi)                                                          \
    {                                                                                              \
#member, kind, offsetof(T, member), 0, 1, hi, true                                         \
    }
#define MAYBE(T, kind, member)                                                                     \
    {                                                                                              \
#member, kind, offsetof(T, member), 0, 0, 0, true                                          \
    }

static const Field object_fields[] = {
    OTHER(ObjectRecord, FIELD_PATH, path),
    NUMBER(ObjectRecord, FIELD_U64, bytes, 0, INT64_MAX),
    OTHER(ObjectRecord, FIELD_SHA256, sha256),
};

static const Field set_fields[] = {
    {"format", FIELD_FORMAT, offsetof(SetRecord, records), 0, 1, MANIFEST_FORMAT, false},
    MAYBE(SetRecord, FIELD_TEXT, kind),
    OTHER(SetRecord, FIELD_KEY, key),
    OTHER(SetRecord, FIELD_TEXT, version),
    OTHER(SetRecord, FIELD_TEXT, fleet),
    OTHER(SetRecord, FIELD_NAME, prefix),
    OTHER(SetRecord, FIELD_TEXT, topology),
    NUMBER(SetRecord, FIELD_I64, started_us, 0, INT64_MAX),
    NUMBER(SetRecord, FIELD_I64, finished_us, 0, INT64_MAX),
    OTHER(SetRecord, FIELD_COMPRESS, compress),
    {"copy_format", FIELD_TEXT, offsetof(SetRecord, format), 0, 0, 0, false},
    NUMBER(SetRecord, FIELD_U64, chunk_size, 0, INT64_MAX),
    NUMBER(SetRecord, FIELD_INT, jobs, 0, INT_MAX),
    NUMBER(SetRecord, FIELD_INT, sections, 0, 7),
    TEXTS(SetRecord, selection, selection_count),
    MAYBE(SetRecord, FIELD_KEY, base),
    {"depends_on", FIELD_TEXTS, offsetof(SetRecord, depends_on), offsetof(SetRecord, depends_count),
     0, 0, true},
};

static const Field node_fields[] = {
    NUMBER(NodeRecord, FIELD_INT, content, -1, INT_MAX),
    NUMBER(NodeRecord, FIELD_INT, dbid, 0, INT_MAX),
    OTHER(NodeRecord, FIELD_TEXT, host),
    NUMBER(NodeRecord, FIELD_INT, port, 0, 65535),
    OTHER(NodeRecord, FIELD_TEXT, database),
    OTHER(NodeRecord, FIELD_TEXT, system_identifier),
    OTHER(NodeRecord, FIELD_TEXT, server_version),
    NUMBER(NodeRecord, FIELD_INT, server_version_num, 0, INT_MAX),
    OTHER(NodeRecord, FIELD_BOOL, in_recovery),
    OTHER(NodeRecord, FIELD_TEXT, encoding),
    OTHER(NodeRecord, FIELD_TEXT, snapshot),
    NUMBER(NodeRecord, FIELD_I64, dump_ms, 0, INT64_MAX),
    OTHER(NodeRecord, FIELD_OBJECT, schema),
    OTHER(NodeRecord, FIELD_OBJECT, chunks),
    OTHER(NodeRecord, FIELD_OBJECT, globals),
    OTHER(NodeRecord, FIELD_OBJECT, config),
    TEXTS(NodeRecord, warnings, warning_count),
    MAYBE(NodeRecord, FIELD_TEXT, repo),
    MAYBE(NodeRecord, FIELD_TEXT, repo_id),
};

static const Field cut_fields[] = {
    OTHER(CutRecord, FIELD_TEXT, method),
    NUMBER(CutRecord, FIELD_INT, tries, 0, INT_MAX),
    NUMBER(CutRecord, FIELD_I64, window_us, 0, INT64_MAX),
    NUMBER(CutRecord, FIELD_I64, stall_us, 0, INT64_MAX),
    NUMBER(CutRecord, FIELD_I64, at_us, 0, INT64_MAX),
};

static const Field table_fields[] = {
    NUMBER(TableRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(TableRecord, FIELD_TEXT, database),
    NUMBER(TableRecord, FIELD_U32, oid, 1, UINT32_MAX),
    OTHER(TableRecord, FIELD_TEXT, schema),
    OTHER(TableRecord, FIELD_TEXT, name),
    OTHER(TableRecord, FIELD_LETTER, kind),
    OTHER(TableRecord, FIELD_NAME, extension),
    OTHER(TableRecord, FIELD_BOOL, unlogged),
    OTHER(TableRecord, FIELD_BOOL, populated),
    TEXTS(TableRecord, columns, column_count),
    TEXTS(TableRecord, types, type_count),
    OTHER(TableRecord, FIELD_BOOL, binary),
    NUMBER(TableRecord, FIELD_U64, chunks, 0, UINT32_MAX),
    NUMBER(TableRecord, FIELD_U64, rows, 0, INT64_MAX),
    NUMBER(TableRecord, FIELD_U64, logical, 0, INT64_MAX),
    NUMBER(TableRecord, FIELD_U64, stored, 0, INT64_MAX),
    MAYBE_NUMBER(TableRecord, FIELD_U64, referenced, INT64_MAX),
    NUMBER(TableRecord, FIELD_I64, worker_us, 0, INT64_MAX),
    MAYBE_NUMBER(TableRecord, FIELD_U32, relfilenode, UINT32_MAX),
    MAYBE_NUMBER(TableRecord, FIELD_U64, blocks, UINT32_MAX),
    MAYBE_NUMBER(TableRecord, FIELD_U64, changes, INT64_MAX),
};

static const Field sequence_fields[] = {
    NUMBER(SequenceRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(SequenceRecord, FIELD_TEXT, database),
    OTHER(SequenceRecord, FIELD_TEXT, schema),
    OTHER(SequenceRecord, FIELD_TEXT, name),
    NUMBER(SequenceRecord, FIELD_I64, last_value, INT64_MIN, INT64_MAX),
    OTHER(SequenceRecord, FIELD_BOOL, is_called),
};

static const Field distribution_fields[] = {
    NUMBER(DistributionRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(DistributionRecord, FIELD_TEXT, database),
    NUMBER(DistributionRecord, FIELD_U32, table_oid, 1, UINT32_MAX),
    OTHER(DistributionRecord, FIELD_TEXT, method),
    OTHER(DistributionRecord, FIELD_NAME, column),
    TEXTS(DistributionRecord, columns, column_count),
    TEXTS(DistributionRecord, opclasses, opclass_count),
    NUMBER(DistributionRecord, FIELD_U32, colocation, 0, UINT32_MAX),
    OTHER(DistributionRecord, FIELD_NAME, tenant_schema),
    NUMBER(DistributionRecord, FIELD_U64, shards, 0, UINT32_MAX),
    NUMBER(DistributionRecord, FIELD_U64, placements, 0, INT32_MAX),
};

static const Field shard_fields[] = {
    NUMBER(ShardRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(ShardRecord, FIELD_TEXT, database),
    NUMBER(ShardRecord, FIELD_U32, oid, 1, UINT32_MAX),
    NUMBER(ShardRecord, FIELD_U32, table_oid, 1, UINT32_MAX),
    NUMBER(ShardRecord, FIELD_I64, shard_id, 0, INT64_MAX),
    OTHER(ShardRecord, FIELD_NAME, min),
    OTHER(ShardRecord, FIELD_NAME, max),
};

static const Field distributed_schema_fields[] = {
    NUMBER(DistributedSchemaRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(DistributedSchemaRecord, FIELD_TEXT, database),
    OTHER(DistributedSchemaRecord, FIELD_TEXT, schema),
};

static const Field distributed_function_fields[] = {
    NUMBER(DistributedFunctionRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(DistributedFunctionRecord, FIELD_TEXT, database),
    OTHER(DistributedFunctionRecord, FIELD_TEXT, schema),
    OTHER(DistributedFunctionRecord, FIELD_TEXT, name),
    OTHER(DistributedFunctionRecord, FIELD_TEXT, arguments),
    OTHER(DistributedFunctionRecord, FIELD_NAME, argument),
    NUMBER(DistributedFunctionRecord, FIELD_U32, colocation, 0, UINT32_MAX),
    OTHER(DistributedFunctionRecord, FIELD_BOOL, force_delegation),
};

static const Field chunk_fields[] = {
    NUMBER(ChunkRecord, FIELD_U32, table_oid, 1, UINT32_MAX),
    NUMBER(ChunkRecord, FIELD_U32, chunk, 0, UINT32_MAX),
    NUMBER(ChunkRecord, FIELD_U64, from_block, 0, UINT32_MAX),
    NUMBER(ChunkRecord, FIELD_U64, to_block, 0, (int64_t) UINT32_MAX + 1),
    OTHER(ChunkRecord, FIELD_PATH, object),
    MAYBE(ChunkRecord, FIELD_KEY, set),
    NUMBER(ChunkRecord, FIELD_U64, offset, 0, INT64_MAX),
    NUMBER(ChunkRecord, FIELD_U64, stored, 0, INT64_MAX),
    OTHER(ChunkRecord, FIELD_SHA256, sha256),
    NUMBER(ChunkRecord, FIELD_U64, logical, 0, INT64_MAX),
    OTHER(ChunkRecord, FIELD_XXH3, xxh3),
    NUMBER(ChunkRecord, FIELD_U64, rows, 0, INT64_MAX),
    NUMBER(ChunkRecord, FIELD_I64, us, 0, INT64_MAX),
};

static const Field physical_fields[] = {
    NUMBER(PhysicalRecord, FIELD_INT, content, -1, INT_MAX),
    NUMBER(PhysicalRecord, FIELD_U32, timeline, 1, UINT32_MAX),
    NUMBER(PhysicalRecord, FIELD_U64, wal_segment_size, SEGMENT_MIN, SEGMENT_MAX),
    NUMBER(PhysicalRecord, FIELD_U32, block_size, 1024, 65536),
    OTHER(PhysicalRecord, FIELD_BOOL, data_checksums),
    OTHER(PhysicalRecord, FIELD_LSN, start_lsn),
    OTHER(PhysicalRecord, FIELD_LSN, stop_lsn),
    OTHER(PhysicalRecord, FIELD_TEXT, restore_point),
    OTHER(PhysicalRecord, FIELD_LSN, restore_lsn),
    OTHER(PhysicalRecord, FIELD_NAME, base),
    NUMBER(PhysicalRecord, FIELD_U64, files, 0, INT64_MAX),
    MAYBE_NUMBER(PhysicalRecord, FIELD_U64, restored_bytes, INT64_MAX),
    MAYBE_NUMBER(PhysicalRecord, FIELD_U64, added_bytes, INT64_MAX),
    OTHER(PhysicalRecord, FIELD_OBJECT, manifest),
    NUMBER(PhysicalRecord, FIELD_U64, manifest_bytes, 0, INT64_MAX),
};

static const Field tablespace_fields[] = {
    NUMBER(TablespaceRecord, FIELD_INT, content, -1, INT_MAX),
    NUMBER(TablespaceRecord, FIELD_U32, oid, 1, UINT32_MAX),
    OTHER(TablespaceRecord, FIELD_TEXT, location),
    MAYBE_NUMBER(TablespaceRecord, FIELD_U64, restored_bytes, INT64_MAX),
    MAYBE_NUMBER(TablespaceRecord, FIELD_U64, added_bytes, INT64_MAX),
};

static const Field part_fields[] = {
    NUMBER(PartRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(PartRecord, FIELD_TEXT, stream),
    NUMBER(PartRecord, FIELD_U32, part, 0, UINT32_MAX),
    OTHER(PartRecord, FIELD_PATH, object),
    NUMBER(PartRecord, FIELD_U64, first_member, 0, INT64_MAX),
    NUMBER(PartRecord, FIELD_U64, logical, 1, INT64_MAX),
    OTHER(PartRecord, FIELD_XXH3, xxh3),
    NUMBER(PartRecord, FIELD_U64, stored, 1, INT64_MAX),
    OTHER(PartRecord, FIELD_SHA256, sha256),
};

static const Field wal_fields[] = {
    NUMBER(WalRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(WalRecord, FIELD_TEXT, name),
    OTHER(WalRecord, FIELD_PATH, object),
    NUMBER(WalRecord, FIELD_U64, logical, 1, INT64_MAX),
    OTHER(WalRecord, FIELD_XXH3, xxh3),
    NUMBER(WalRecord, FIELD_U64, stored, 1, INT64_MAX),
    OTHER(WalRecord, FIELD_SHA256, sha256),
};

static const Field totals_fields[] = {
    NUMBER(TotalsRecord, FIELD_U64, tables, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, sequences, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, chunks, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, objects, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, rows, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, logical, 0, INT64_MAX),
    NUMBER(TotalsRecord, FIELD_U64, stored, 0, INT64_MAX),
    MAYBE_NUMBER(TotalsRecord, FIELD_U64, referenced, INT64_MAX),
};

static const Field hold_fields[] = {
    {"format", FIELD_FORMAT, offsetof(HoldRecord, format), 0, 1, HOLD_FORMAT, false},
    OTHER(HoldRecord, FIELD_KEY, key),
    OTHER(HoldRecord, FIELD_TEXT, fleet),
    OTHER(HoldRecord, FIELD_TEXT, host),
    NUMBER(HoldRecord, FIELD_INT, pid, 1, INT_MAX),
    NUMBER(HoldRecord, FIELD_I64, time_ms, 1, HOLD_TIME_MAX_MS),
    NUMBER(HoldRecord, FIELD_I64, until_us, 0, INT64_MAX),
    NUMBER(HoldRecord, FIELD_I64, started_us, 0, INT64_MAX),
    TEXTS(HoldRecord, request, request_count),
};

static const Field hold_node_fields[] = {
    NUMBER(HoldNodeRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(HoldNodeRecord, FIELD_TEXT, database),
    OTHER(HoldNodeRecord, FIELD_TEXT, system_identifier),
    OTHER(HoldNodeRecord, FIELD_TEXT, server_started),
    OTHER(HoldNodeRecord, FIELD_TEXT, snapshot),
    OTHER(HoldNodeRecord, FIELD_TEXT, snapshot_id),
    NUMBER(HoldNodeRecord, FIELD_INT, pid, 1, INT_MAX),
    OTHER(HoldNodeRecord, FIELD_TEXT, transaction),
};

static const Field archived_fields[] = {
    OTHER(ArchivedRecord, FIELD_TEXT, system_identifier),
    OTHER(ArchivedRecord, FIELD_TEXT, name),
    OTHER(ArchivedRecord, FIELD_COMPRESS, compress),
    OTHER(ArchivedRecord, FIELD_PATH, object),
    NUMBER(ArchivedRecord, FIELD_U64, logical, 1, INT64_MAX),
    OTHER(ArchivedRecord, FIELD_XXH3, xxh3),
    NUMBER(ArchivedRecord, FIELD_U64, stored, 1, INT64_MAX),
    OTHER(ArchivedRecord, FIELD_SHA256, sha256),
    NUMBER(ArchivedRecord, FIELD_I64, received_us, 0, INT64_MAX),
};

static const Field point_fields[] = {
    OTHER(PointRecord, FIELD_TEXT, name),
    OTHER(PointRecord, FIELD_TEXT, fleet),
    OTHER(PointRecord, FIELD_TEXT, method),
    NUMBER(PointRecord, FIELD_I64, at_us, 0, INT64_MAX),
    NUMBER(PointRecord, FIELD_INT, content, -1, INT_MAX),
    OTHER(PointRecord, FIELD_TEXT, system_identifier),
    OTHER(PointRecord, FIELD_LSN, lsn),
};

typedef struct EndRecord
{
    char sha256[TAP_HEX_LEN];
} EndRecord;

static const Field end_fields[] = {OTHER(EndRecord, FIELD_SHA256, sha256)};

static const RecordType types[] = {
    [LINE_SET] = {"set", set_fields, LENGTH_OF(set_fields)},
    [LINE_NODE] = {"node", node_fields, LENGTH_OF(node_fields)},
    [LINE_CUT] = {"cut", cut_fields, LENGTH_OF(cut_fields)},
    [LINE_TABLE] = {"table", table_fields, LENGTH_OF(table_fields)},
    [LINE_SEQUENCE] = {"sequence", sequence_fields, LENGTH_OF(sequence_fields)},
    [LINE_DISTRIBUTION] = {"distribution", distribution_fields, LENGTH_OF(distribution_fields)},
    [LINE_SHARD] = {"shard", shard_fields, LENGTH_OF(shard_fields)},
    [LINE_DISTRIBUTED_SCHEMA] = {"distributed_schema", distributed_schema_fields,
                                 LENGTH_OF(distributed_schema_fields)},
    [LINE_DISTRIBUTED_FUNCTION] = {"distributed_function", distributed_function_fields,
                                   LENGTH_OF(distributed_function_fields)},
    [LINE_PHYSICAL] = {"physical", physical_fields, LENGTH_OF(physical_fields)},
    [LINE_TABLESPACE] = {"tablespace", tablespace_fields, LENGTH_OF(tablespace_fields)},
    [LINE_PART] = {"part", part_fields, LENGTH_OF(part_fields)},
    [LINE_WAL] = {"wal", wal_fields, LENGTH_OF(wal_fields)},
    [LINE_CHUNK] = {"chunk", chunk_fields, LENGTH_OF(chunk_fields)},
    [LINE_TOTALS] = {"totals", totals_fields, LENGTH_OF(totals_fields)},
    [LINE_END] = {"end", end_fields, LENGTH_OF(end_fields)},
    [LINE_HOLD] = {"hold", hold_fields, LENGTH_OF(hold_fields)},
    [LINE_HOLD_NODE] = {"hold_node", hold_node_fields, LENGTH_OF(hold_node_fields)},
    [LINE_ARCHIVED] = {"archived", archived_fields, LENGTH_OF(archived_fields)},
    [LINE_POINT] = {"point", point_fields, LENGTH_OF(point_fields)},
};

static const RecordType object_type = {"object", object_fields, LENGTH_OF(object_fields)};

const RecordType *record_fields_of(ManifestLineType type)
{
    return (size_t) type < LENGTH_OF(types) ? &types[type] : NULL;
}

const RecordType *record_fields_object(void)
{
    return &object_type;
}

/* ---- checks that both directions share ---- */

bool record_fields_path_sound(const char *path)
{
    size_t len = strlen(path);

    if (len == 0 || len > PATH_LEN_MAX || path[len - 1] == '/')
        return false;
    for (const char *p = path; *p != '\0'; p++)
    {
        bool part_start = p == path || p[-1] == '/';

        if (part_start && (*p == '.' || *p == '/'))
            return false;
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.%/", *p) ==
            NULL)
            return false;
    }
    return true;
}

static bool path_is_data(const char *path)
{
    return path != NULL && strncmp(path, "db/", 3) == 0;
}

bool record_fields_hex_sound(const char *hex, size_t len)
{
    return strlen(hex) == len && strspn(hex, "0123456789abcdef") == len;
}

static const char *check_chunk(const ChunkRecord *c)
{
    if (c->to_block != 0 && c->to_block <= c->from_block)
        return "an empty block range";
    if (c->object == NULL)
    {
        if (c->offset != 0 || c->stored != 0 || c->logical != 0 || c->rows != 0 ||
            c->sha256[0] != '\0' || c->xxh3[0] != '\0' || c->set[0] != '\0')
            return "data without an object";
        return NULL;
    }
    if (!path_is_data(c->object))
        return "an object outside db/";
    if (c->stored == 0 || c->sha256[0] == '\0' || c->xxh3[0] == '\0')
        return "an object without length or hashes";
    if (c->offset > (uint64_t) INT64_MAX - c->stored)
        return "an impossible offset";
    return NULL;
}

/* A set depends on older ones only: so the newest first is an order in which sets can be removed. */
static const char *check_dependencies(const SetRecord *s)
{
    const char *last = "";
    if (s->base[0] == '\0' && s->depends_count > 0)
        return "dependencies without a base";
    if (s->base[0] != '\0' && strcmp(s->base, s->key) >= 0)
        return "a base that is not older";
    for (size_t i = 0; i < s->depends_count; i++)
    {
        const char *key = s->depends_on[i];
        if (!repo_key_is_date(key) || strcmp(key, last) <= 0 || strcmp(key, s->key) >= 0)
            return "impossible dependencies";
        last = key;
    }
    return NULL;
}

static const char *check_set(const SetRecord *s)
{
    if (s->records == 1 && s->base[0] != '\0')
        return "a base, which format 1 does not have";
    if (s->records == 1 && s->kind != NULL)
        return "a kind, which format 1 does not have";
    if (strcmp(s->format, "auto") != 0 && strcmp(s->format, "text") != 0 &&
        strcmp(s->format, "binary") != 0)
        return "an unknown copy format";
    if (s->prefix != NULL && !str_is_name(s->prefix))
        return "an impossible prefix";
    if (s->kind != NULL && strcmp(s->kind, SET_PHYSICAL) != 0)
        return "an unknown kind";
    return check_dependencies(s);
}

/* Of an object that need not be there. */
static bool is_all_or_nothing(const ObjectRecord *o)
{
    return o->path != NULL ? o->sha256[0] != '\0' : o->bytes == 0 && o->sha256[0] == '\0';
}

static const char *check_node(const NodeRecord *n)
{
    const char *name = n->chunks.path == NULL ? NULL : strrchr(n->chunks.path, '/');
    char want[32];

    snprintf(want, sizeof(want), "node%d.jsonl", n->content);
    name = name == NULL ? n->chunks.path : name + 1;
    if (n->schema.path == NULL && (n->schema.bytes > 0 || n->schema.sha256[0] != '\0'))
        return "a schema archive without a file";
    if (n->schema.path != NULL && (n->schema.sha256[0] == '\0' || !path_is_data(n->schema.path)))
        return "a schema archive outside db/ or without a hash";
    if (!is_all_or_nothing(&n->chunks) || (name != NULL && strcmp(name, want) != 0))
        return "a chunk file of another name or without a hash";
    if (!is_all_or_nothing(&n->globals))
        return "globals without a file or a hash";
    if (!is_all_or_nothing(&n->config))
        return "configuration files without a file or a hash";
    if ((n->repo == NULL) != (n->repo_id == NULL) ||
        (n->repo_id != NULL && !record_fields_hex_sound(n->repo_id, 32)))
        return "a repository without an id";
    return NULL;
}

static const char *check_table(const TableRecord *t)
{
    if (t->type_count != t->column_count)
        return "not as many types as columns";
    if (t->relfilenode == 0 && (t->blocks > 0 || t->changes > 0))
        return "a file without its number";
    return NULL;
}

static const char *check_distribution(const DistributionRecord *d)
{
    static const char *const by_column[] = {"hash", "range", "append"};
    static const char *const others[] = {"single", "reference", "local", "random", "replicated"};
    bool key = d->column_count > 0;
    if (d->column_count != d->opclass_count)
        return "not as many operator classes as columns";
    if (key && (d->column != NULL || strcmp(d->method, "hash") != 0))
        return "a key that it cannot have";
    for (size_t i = 0; i < LENGTH_OF(by_column); i++)
        if (strcmp(d->method, by_column[i]) == 0)
            return d->column == NULL && !key ? "a distribution without its column" : NULL;
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        if (strcmp(d->method, others[i]) == 0)
            return d->column != NULL ? "a distribution with a column" : NULL;
    return "an unknown distribution";
}

static const char *check_function(const DistributedFunctionRecord *f)
{
    if (f->argument != NULL && (f->argument[0] != '$' || f->argument[1] == '\0' ||
                                strspn(f->argument + 1, "0123456789") != strlen(f->argument) - 1))
        return "an impossible argument";
    return NULL;
}

/* Both come from the server and go back to it; these are the only forms that it has for them. */
static const char *check_hold_node(const HoldNodeRecord *n)
{
    size_t id = strlen(n->snapshot_id);

    if (id == 0 || id >= HOLD_SNAPSHOT_ID_LEN ||
        strspn(n->snapshot_id, "0123456789ABCDEFabcdef-") != id)
        return "an impossible name of a snapshot";
    if (strspn(n->transaction, "0123456789/") != strlen(n->transaction))
        return "an impossible transaction";
    return NULL;
}

static bool path_is_physical(const char *path)
{
    return path != NULL && strncmp(path, "physical/", 9) == 0;
}

static bool is_hex_name(const char *name, size_t len)
{
    return strspn(name, "0123456789ABCDEF") == len;
}

/* It stands in a server's settings. */
static bool is_point_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++)
    {
        if ((unsigned char) name[i] < ' ')
            return false;
    }
    return len > 0 && len <= STR_NAME_MAX;
}

static const char *check_physical(const PhysicalRecord *p)
{
    if ((p->wal_segment_size & (p->wal_segment_size - 1)) != 0 ||
        (p->block_size & (p->block_size - 1)) != 0)
        return "a size that is no power of two";
    if (p->stop_lsn < p->start_lsn || p->restore_lsn < p->stop_lsn)
        return "places in WAL that are out of order";
    if (!is_point_name(p->restore_point))
        return "an impossible restore point";
    if (p->base != NULL && strlen(p->base) != SET_KEY_LEN - 1)
        return "an impossible base";
    if (!is_all_or_nothing(&p->manifest) ||
        (p->manifest.path != NULL && !path_is_physical(p->manifest.path)))
        return "a backup manifest outside physical/ or without a hash";
    return NULL;
}

static const char *check_part(const PartRecord *p)
{
    size_t digits = strspn(p->stream, "0123456789");
    if (strcmp(p->stream, PART_BASE) != 0 &&
        (digits == 0 || digits > 10 || p->stream[digits] != '\0'))
        return "an unknown stream";
    if (!path_is_physical(p->object) || p->xxh3[0] == '\0' || p->sha256[0] == '\0')
        return "an object outside physical/ or without hashes";
    return p->first_member > p->logical ? "its first member behind its end" : NULL;
}

static bool name_is_wal(const char *name)
{
    size_t len = strlen(name);
    return (len == 24 && is_hex_name(name, 24)) ||
           (len == 16 && is_hex_name(name, 8) && strcmp(name + 8, ".history") == 0);
}

static bool is_system_identifier(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= 20 && strspn(text, "0123456789") == len;
}

static const char *check_archived(const ArchivedRecord *a)
{
    if (!is_system_identifier(a->system_identifier))
        return "an impossible system identifier";
    if (!name_is_wal(a->name))
        return "a name that no file of WAL has";
    if (a->object == NULL || strchr(a->object, '/') != NULL || a->xxh3[0] == '\0' ||
        a->sha256[0] == '\0')
        return "an object elsewhere or without hashes";
    return NULL;
}

static const char *check_point(const PointRecord *p)
{
    if (!is_point_name(p->name) || p->fleet[0] == '\0')
        return "an impossible name";
    return is_system_identifier(p->system_identifier) ? NULL : "an impossible system identifier";
}

static const char *check_wal(const WalRecord *w)
{
    if (!name_is_wal(w->name))
        return "a name that no file of WAL has";
    if (!path_is_physical(w->object) || w->xxh3[0] == '\0' || w->sha256[0] == '\0')
        return "an object outside physical/ or without hashes";
    return NULL;
}

const char *record_fields_check(ManifestLineType type, const void *record)
{
    switch (type)
    {
    case LINE_SET:
        return check_set(record);
    case LINE_NODE:
        return check_node(record);
    case LINE_CHUNK:
        return check_chunk(record);
    case LINE_END:
        return ((const EndRecord *) record)->sha256[0] == '\0' ? "no hash" : NULL;
    case LINE_TABLE:
        return check_table(record);
    case LINE_HOLD_NODE:
        return check_hold_node(record);
    case LINE_DISTRIBUTION:
        return check_distribution(record);
    case LINE_DISTRIBUTED_FUNCTION:
        return check_function(record);
    case LINE_PHYSICAL:
        return check_physical(record);
    case LINE_PART:
        return check_part(record);
    case LINE_WAL:
        return check_wal(record);
    case LINE_ARCHIVED:
        return check_archived(record);
    case LINE_POINT:
        return check_point(record);
    case LINE_TABLESPACE:
    case LINE_CUT:
    case LINE_SEQUENCE:
    case LINE_SHARD:
    case LINE_DISTRIBUTED_SCHEMA:
    case LINE_TOTALS:
    case LINE_HOLD:
        break;
    }
    return NULL;
}
