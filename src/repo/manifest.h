/*
 * repo/manifest.h - the records of a set and their JSON Lines form (doc/format.md).
 *
 * manifest.jsonl      set, node*, cut, table*, sequence*, distribution*, shard*, distributed_schema*,
 *                     distributed_function*, totals, end - the commit record; a node record is one
 *                     database of a server, several of which may be in one set
 *                     of a physical set: set, node*, cut, physical*, tablespace*, part*, wal*, totals, end
 * node<content>.jsonl chunk* of one node, written while the node works
 *
 * Both are streamed: a writer appends lines, a reader calls back per record. The reader treats the
 * file as hostile: bounded lines (MANIFEST_LINE_MAX), types, ranges and UTF-8 checked, object paths
 * checked to stay inside the set, unknown record types and unknown fields refused, as are those of a
 * later format than the file's.
 */
#ifndef PGARK_REPO_MANIFEST_H
#define PGARK_REPO_MANIFEST_H

#include "base/error.h"
#include "base/mem.h"
#include "io/compress.h"
#include "io/tap.h"
#include "storage/storage.h"

#define MANIFEST_FORMAT   3 /* that is written; 1 and 2 are read, too */
#define MANIFEST_LINE_MAX ((size_t) 16 * 1024 * 1024)
#define SET_KEY_LEN       15 /* 14 digits and NUL */
#define SET_SECTIONS_ALL  7

#define SET_PHYSICAL "physical"

/* A stored file that the manifest vouches for. */
typedef struct ObjectRecord
{
    char *path; /* relative to the set's directory */
    uint64_t bytes;
    char sha256[TAP_HEX_LEN];
} ObjectRecord;

typedef struct SetRecord
{
    int records; /* number of the format, as read; what is written is MANIFEST_FORMAT */
    char *kind;  /* SET_PHYSICAL: base backups of whole servers; NULL: rows and definitions */
    char key[SET_KEY_LEN];
    char *version;  /* of pgark that wrote it */
    char *fleet;    /* name that retention and the writer's lock go by */
    char *prefix;   /* of its series, a plain name; NULL: of none */
    char *topology; /* "single", "shards", "citus", "greenplum" */
    int64_t started_us;
    int64_t finished_us; /* wall clock, of the commit */
    Compress compress;
    char *format; /* "auto", "text", "binary" */
    uint64_t chunk_size;
    int jobs;         /* per node */
    int sections;     /* SelectionSection bits: 1 pre-data, 2 data, 4 post-data; all: whole */
    char **selection; /* options that left objects out, "--schema=foo"; none: the set is whole */
    size_t selection_count;
    char base[SET_KEY_LEN]; /* the set that it was compared with; "": none, all is in this set */
    char **depends_on;      /* keys of the sets that store chunks of this one, the oldest first */
    size_t depends_count;
} SetRecord;

typedef struct NodeRecord
{
    int content;
    int dbid;
    char *host; /* as connected to: host name, address or socket directory */
    int port;
    char *database;
    char *system_identifier;
    char *server_version; /* "15.20 (Debian ...)" */
    int server_version_num;
    bool in_recovery;
    char *encoding;       /* of the database and of every text chunk */
    char *snapshot;       /* pg_current_snapshot() at the cut */
    int64_t dump_ms;      /* from the cut to the last chunk */
    ObjectRecord schema;  /* path NULL: a node that has parts of the coordinator's tables only */
    ObjectRecord chunks;  /* node<content>.jsonl; path NULL: of a physical set, there is none */
    ObjectRecord globals; /* roles and tablespaces of the server, compressed SQL; path NULL: none */
    ObjectRecord config;  /* configuration files of the server, compressed tar; path NULL: none */
    char **warnings;      /* what the database holds and this set does not */
    size_t warning_count;
    char *repo; /* where its files lie when not in the set's own repository: the URI as its host
                      sees it, and that repository's id; both NULL: here (repo/part.h) */
    char *repo_id;
} NodeRecord;

typedef struct CutRecord
{
    const char
        *method; /* "double-collect", "barrier", "none"; of a physical set how its restore points
                           are of one instant */
    int tries;
    int64_t window_us; /* first snapshot asked for .. last proof in */
    int64_t stall_us;  /* how long writers could be held by a barrier's locks, 0 without one */
    int64_t at_us;     /* wall clock of this host at the cut */
} CutRecord;

typedef struct TableRecord
{
    int content; /* node */
    char *database;
    uint32_t oid;
    char *schema;
    char *name;
    char kind; /* pg_class.relkind; 'r' also for the catalogs that hold large objects:
                       pg_largeobject (its columns loid, offset, data), pg_largeobject_metadata */
    char
        *extension; /* whose configuration table it is, NULL: a table of its own. Its rows are added
                        to those that CREATE EXTENSION makes */
    bool unlogged;
    bool populated; /* of a materialized view: it is to be refreshed */
    char **columns; /* in COPY's order; generated ones left out */
    size_t column_count;
    char **types; /* of the columns, as doc/format.md, 2.1, writes them */
    size_t type_count;
    bool binary; /* COPY format of all its chunks */
    uint64_t chunks;
    uint64_t rows;
    uint64_t logical;
    uint64_t stored;     /* in this set */
    uint64_t referenced; /* in others */
    int64_t worker_us;   /* summed over its chunks */
    /* To compare it with its state at another time, 0: unknown. */
    uint32_t relfilenode; /* the server gives a rewritten table another one */
    uint64_t blocks;      /* of its file, when its chunks were cut */
    uint64_t changes;     /* of rows, as the server has counted them so far: a hint */
} TableRecord;

typedef struct ChunkRecord
{
    uint32_t table_oid;
    uint32_t chunk;        /* 0.. within its table */
    uint64_t from_block;   /* first block, for people; the whole table is 0..0 */
    uint64_t to_block;     /* first block behind it, 0: to the end */
    char *object;          /* NULL: no rows, nothing stored; what follows is 0 or "" then */
    char set[SET_KEY_LEN]; /* that has the object, never one that only refers to it; "": this one */
    uint64_t offset;       /* in the object: not 0 in a bundle only */
    uint64_t stored;       /* bytes in the object */
    char sha256[TAP_HEX_LEN]; /* of the stored bytes */
    uint64_t logical;
    char xxh3[TAP_HEX_LEN]; /* of the logical bytes */
    uint64_t rows;
    int64_t us; /* how long it took */
} ChunkRecord;

typedef struct SequenceRecord
{
    int content;
    char *database;
    char *schema;
    char *name;
    int64_t last_value;
    bool is_called;
} SequenceRecord;

/* How the rows of a coordinator's table are spread over the nodes. */
typedef struct DistributionRecord
{
    int content; /* of the coordinator */
    char *database;
    uint32_t table_oid; /* its table record there */
    /* Citus: "hash", "range", "append": by a column; "single": one shard; "reference": a copy on every
     * node; "local": on the coordinator, known to all nodes. Greenplum: "hash": by columns;
     * "random"; "replicated". */
    char *method;
    char *column;     /* Citus: that rows are spread by, NULL: none */
    char **columns;   /* Greenplum: the key, in its order */
    char **opclasses; /* and by which operator class each is hashed: schema.name */
    size_t column_count, opclass_count;
    uint32_t colocation; /* tables with the same number have their shards side by side; 0: none */
    char *tenant_schema; /* a distributed schema, of which the table is a part; NULL */
    uint64_t shards;     /* Greenplum: segments that the table lies on */
    uint64_t placements; /* Citus: nodes that have a copy of a shard, the most of any; else 0 */
} DistributionRecord;

/* A relation of a node that holds rows of a coordinator's table. */
typedef struct ShardRecord
{
    int content; /* of the node that it was read from */
    char *database;
    uint32_t oid;       /* its table record there */
    uint32_t table_oid; /* the coordinator's table */
    int64_t shard_id;   /* Greenplum: the segment's content id */
    char
        *min; /* least and greatest value (of the hash, with method "hash") that belong to it; NULL:
                  it has no such limits */
    char *max;
} ShardRecord;

/* A schema whose tables are all on one node, whichever that is. */
typedef struct DistributedSchemaRecord
{
    int content;
    char *database;
    char *schema;
} DistributedSchemaRecord;

/* A function that is called on the node that has the rows. */
typedef struct DistributedFunctionRecord
{
    int content;
    char *database;
    char *schema;
    char *name;
    char *arguments;     /* identity arguments, types only, as the server writes them */
    char *argument;      /* that decides where it is called: "$1"; NULL: none does */
    uint32_t colocation; /* of the tables that it goes with; 0: none */
    bool force_delegation;
} DistributedFunctionRecord;

/* The base backup of a node of a physical set: what a restore has to know of the server. */
typedef struct PhysicalRecord
{
    int content;
    uint32_t timeline;
    uint64_t wal_segment_size; /* bytes */
    uint32_t block_size;
    bool data_checksums;
    uint64_t start_lsn;   /* of the backup: WAL is needed from here */
    uint64_t stop_lsn;    /* until here a restored server is not consistent */
    char *restore_point;  /* its name, the same on all nodes */
    uint64_t restore_lsn; /* the end of its record: WAL is in the set until here */
    char *base;           /* key of the set that this one is incremental to, NULL: it is whole */
    uint64_t files;       /* regular files in the streams */
    uint64_t
        restored_bytes; /* of an incremental one: what the data directory has, restored with those before; 0: unknown */
    uint64_t added_bytes;    /* at most so much of it is not there before */
    ObjectRecord manifest;   /* the server's backup_manifest, compressed as the set's parts are */
    uint64_t manifest_bytes; /* of it, not compressed */
} PhysicalRecord;

typedef struct TablespaceRecord
{
    int content;
    uint32_t oid;
    char *location;          /* directory on the server that was backed up */
    uint64_t restored_bytes; /* as in PhysicalRecord, of the tablespace's directory */
    uint64_t added_bytes;
} TablespaceRecord;

/* A piece of a tar stream of the server. */
typedef struct PartRecord
{
    int content;
    char *stream;  /* PART_BASE: the data directory; else the oid of a tablespace, decimal */
    uint32_t part; /* 0.. within its stream */
    char *object;
    uint64_t
        first_member; /* where, in its logical bytes, the first header of a tar member is that begins
                              in this part; logical when none does */
    uint64_t logical;
    char xxh3[TAP_HEX_LEN];
    uint64_t stored;
    char sha256[TAP_HEX_LEN];
} PartRecord;
#define PART_BASE "base"

/* A segment of WAL, or the history file of a timeline. */
typedef struct WalRecord
{
    int content;
    char *name; /* the server's own */
    char *object;
    uint64_t logical;
    char xxh3[TAP_HEX_LEN];
    uint64_t stored;
    char sha256[TAP_HEX_LEN];
} WalRecord;

typedef struct TotalsRecord
{
    uint64_t tables; /* records of tables, whatever their kind */
    uint64_t sequences;
    uint64_t chunks;
    uint64_t objects; /* files the manifest accounts for: node files, schema archives, chunk
                         objects and bundles; not manifest.jsonl and run.lock */
    uint64_t rows;
    uint64_t logical;
    uint64_t stored;     /* bytes of all these objects */
    uint64_t referenced; /* bytes of chunks in objects of other sets */
} TotalsRecord;

/* Of WAL that is received all the time (physical/wal_archive.h): beside each object. */
typedef struct ArchivedRecord
{
    char *system_identifier;
    char *name; /* the server's own */
    Compress compress;
    char *object; /* in the directory of this record's file */
    uint64_t logical;
    char xxh3[TAP_HEX_LEN];
    uint64_t stored;
    char sha256[TAP_HEX_LEN];
    int64_t received_us; /* wall clock, when it was complete */
} ArchivedRecord;

/* Of a restore point that is of one instant on all nodes of a fleet: one record for each. */
typedef struct PointRecord
{
    char *name;
    char *fleet;
    const char *method; /* as in a cut */
    int64_t at_us;      /* wall clock of this host */
    int content;
    char *system_identifier;
    uint64_t lsn; /* the end of its record */
} PointRecord;

/* Of a set that is not finished: who keeps its snapshots, so that another run can go on with it
 * (repo/hold.h). */
#define HOLD_FORMAT          1
#define HOLD_TIME_MAX_MS     (INT64_C(25) * 24 * 3600 * 1000)
#define HOLD_SNAPSHOT_ID_LEN 64

typedef struct HoldRecord
{
    int format;
    char key[SET_KEY_LEN];
    char *fleet;
    char *host; /* where the process runs that holds */
    int pid;
    int64_t time_ms;    /* how long it holds when the run has died */
    int64_t until_us;   /* wall clock; 0: the run lives, or nobody knows yet that it does not */
    int64_t started_us; /* of the run */
    char **request;     /* what the run was asked for, as far as another one must agree */
    size_t request_count;
} HoldRecord;

typedef struct HoldNodeRecord
{
    int content;
    char *database;
    char *system_identifier;
    char *server_started; /* pg_postmaster_start_time() */
    char *snapshot;       /* pg_current_snapshot() */
    char *snapshot_id;    /* as the holding session exported it */
    int pid;              /* of that session */
    char *transaction;    /* its virtualxid: there is no second one until the server starts anew */
} HoldNodeRecord;

/* ---- writing ---- */
typedef struct ManifestWriter ManifestWriter;

/* manifest_writer_new writes an object of JSON Lines through st; path is relative to st's root.
 * With publish, it is written atomically and ends with the "end" record (the hash of all before).
 */
ManifestWriter *manifest_writer_new(Storage *st, const char *path, bool publish, bool no_sync,
                                    Error *err);
/* manifest_writer_new_kept is for a chunk file that is to be of use when this process is killed: each
 * line goes to the object at once, and manifest_writer_free leaves it there (STORAGE_WRITE_KEEP). */
ManifestWriter *manifest_writer_new_kept(Storage *st, const char *path, bool no_sync, Error *err);
/* Each appends one line. Not thread-safe: the caller has a lock where threads share one. */
bool manifest_write_set(ManifestWriter *w, const SetRecord *r, Error *err) MUST_CHECK;
bool manifest_write_node(ManifestWriter *w, const NodeRecord *r, Error *err) MUST_CHECK;
bool manifest_write_cut(ManifestWriter *w, const CutRecord *r, Error *err) MUST_CHECK;
bool manifest_write_table(ManifestWriter *w, const TableRecord *r, Error *err) MUST_CHECK;
bool manifest_write_sequence(ManifestWriter *w, const SequenceRecord *r, Error *err) MUST_CHECK;
bool manifest_write_distribution(ManifestWriter *w, const DistributionRecord *r, Error *err)
    MUST_CHECK;
bool manifest_write_shard(ManifestWriter *w, const ShardRecord *r, Error *err) MUST_CHECK;
bool manifest_write_distributed_schema(ManifestWriter *w, const DistributedSchemaRecord *r,
                                       Error *err) MUST_CHECK;
bool manifest_write_distributed_function(ManifestWriter *w, const DistributedFunctionRecord *r,
                                         Error *err) MUST_CHECK;
bool manifest_write_physical(ManifestWriter *w, const PhysicalRecord *r, Error *err) MUST_CHECK;
bool manifest_write_tablespace(ManifestWriter *w, const TablespaceRecord *r, Error *err) MUST_CHECK;
bool manifest_write_part(ManifestWriter *w, const PartRecord *r, Error *err) MUST_CHECK;
bool manifest_write_wal(ManifestWriter *w, const WalRecord *r, Error *err) MUST_CHECK;
bool manifest_write_chunk(ManifestWriter *w, const ChunkRecord *r, Error *err) MUST_CHECK;
bool manifest_write_totals(ManifestWriter *w, const TotalsRecord *r, Error *err) MUST_CHECK;
/* manifest_writer_commit makes the object durable (and visible, with publish); ret_object (may be
 * NULL) gets bytes and sha256 of the whole file, not its path. */
bool manifest_writer_commit(ManifestWriter *w, ObjectRecord *ret_object, Error *err) MUST_CHECK;
void manifest_writer_free(ManifestWriter *w);
DEFINE_AUTO(ManifestWriter, manifest_writer_free)

/* ---- reading ---- */
typedef struct Manifest
{
    SetRecord set;
    NodeRecord *nodes; /* by content id, as written */
    size_t node_count, node_capacity;
    CutRecord cut;
    TableRecord *tables;
    size_t table_count, table_capacity;
    SequenceRecord *sequences;
    size_t sequence_count, sequence_capacity;
    DistributionRecord *distributions; /* by the table's oid */
    size_t distribution_count, distribution_capacity;
    ShardRecord *shards;
    size_t shard_count, shard_capacity;
    DistributedSchemaRecord *schemas;
    size_t schema_count, schema_capacity;
    DistributedFunctionRecord *functions;
    size_t function_count, function_capacity;
    PhysicalRecord *physicals; /* of a physical set: one for each node, in their order */
    size_t physical_count, physical_capacity;
    TablespaceRecord *tablespaces;
    size_t tablespace_count, tablespace_capacity;
    PartRecord *parts; /* those of a node together, of a stream one behind the other */
    size_t part_count, part_capacity;
    WalRecord *wals;
    size_t wal_count, wal_capacity;
    TotalsRecord totals;
} Manifest;

/* manifest_read reads set_dir/manifest.jsonl below ctx and proves it: the "end" record is there, is
 * the last line and its hash is right; records are complete and in order. Missing: ERR_NOT_FOUND;
 * anything wrong: ERR_CORRUPT, naming the line; ERR_USAGE: it is of a newer format. headers_only leaves what follows the cut - but for the
 * physical and tablespace records - out of memory (they are still hashed and checked). */
Manifest *manifest_read(Storage *st, void *ctx, const char *set_dir, bool headers_only, Error *err);

/* manifest_peek reads no more than the set record of set_dir/manifest.jsonl, and proves nothing: to choose
 * among sets, one of which will be read. Errors as of manifest_read. */
bool manifest_peek(Storage *st, void *ctx, const char *set_dir, SetRecord *ret, Error *err)
    MUST_CHECK;

/* manifest_is_physical: the set holds base backups, and no tables. */
static inline bool manifest_is_physical(const Manifest *m)
{
    return m->set.kind != NULL;
}

/* manifest_node gives a node (its first database); NULL: there is none of that content id. */
const NodeRecord *manifest_node(const Manifest *m, int content);

/* manifest_physical gives the base backup of a node; NULL: the set has none of it. */
const PhysicalRecord *manifest_physical(const Manifest *m, int content);

/* manifest_want_rows refuses a physical set where rows and definitions are wanted: ERR_USAGE. */
bool manifest_want_rows(const Manifest *m, const char *what, Error *err) MUST_CHECK;

/* manifest_has tells whether a table or sequence of content and database is the node record's. */
static inline bool manifest_has(const NodeRecord *node, int content, const char *database)
{
    return node->content == content && strcmp(node->database, database) == 0;
}

/* manifest_column gives a column's place in a table's record; column_count: it has none of that name. */
static inline size_t manifest_column(const TableRecord *table, const char *name)
{
    size_t i = 0;
    while (i < table->column_count && strcmp(table->columns[i], name) != 0)
        i++;
    return i;
}

/* manifest_distribution tells how a table is spread over the nodes; NULL: it is not. Distributions are
 * sorted by oid, as they are when they have been read. */
const DistributionRecord *manifest_distribution(const Manifest *m, const TableRecord *table);

/* manifest_each_chunk reads a node's chunk file (its length and SHA-256 are checked at the end
 * against the node record: ERR_CORRUPT) and calls back for each; offset and length say where its
 * line lies, so that it can be read again by manifest_read_chunk. The record dies with the call. */
typedef bool (*ManifestEachChunk)(void *arg, const ChunkRecord *chunk, uint64_t line_offset,
                                  uint32_t line_len, Error *err);
bool manifest_each_chunk(Storage *st, const char *set_dir, const NodeRecord *node,
                         ManifestEachChunk each, void *arg, Error *err) MUST_CHECK;

/* manifest_each_left_chunk reads the chunk file of a run that did not finish, path below st's root;
 * a missing file has no chunk. Lines that are no whole, sound chunk record are left out, as the last
 * one may be torn. Nothing vouches for what it gives: objects have to be looked at. */
bool manifest_each_left_chunk(Storage *st, const char *path, ManifestEachChunk each, void *arg,
                              Error *err) MUST_CHECK;

/* manifest_read_chunk reads one chunk's record again, below ctx. */
bool manifest_read_chunk(Storage *st, void *ctx, const char *set_dir, const NodeRecord *node,
                         uint64_t line_offset, uint32_t line_len, ChunkRecord *ret_chunk,
                         Error *err) MUST_CHECK;

/* manifest_parse_line parses one line (no newline needed) of any type into ret below ctx: the part
 * that is fuzzed. */
typedef enum ManifestLineType
{
    LINE_SET,
    LINE_NODE,
    LINE_CUT,
    LINE_TABLE,
    LINE_SEQUENCE,
    LINE_DISTRIBUTION,
    LINE_SHARD,
    LINE_DISTRIBUTED_SCHEMA,
    LINE_DISTRIBUTED_FUNCTION,
    LINE_PHYSICAL,
    LINE_TABLESPACE,
    LINE_PART,
    LINE_WAL,
    LINE_CHUNK,
    LINE_TOTALS,
    LINE_END,
    /* In the file of a hold, never in a manifest: */
    LINE_HOLD,
    LINE_HOLD_NODE,
    /* In files of their own: */
    LINE_ARCHIVED,
    LINE_POINT,
} ManifestLineType;

typedef struct ManifestLine
{
    ManifestLineType type;
    union
    {
        SetRecord set;
        NodeRecord node;
        CutRecord cut;
        TableRecord table;
        SequenceRecord sequence;
        DistributionRecord distribution;
        ShardRecord shard;
        DistributedSchemaRecord schema;
        DistributedFunctionRecord function;
        PhysicalRecord physical;
        TablespaceRecord tablespace;
        PartRecord part;
        WalRecord wal;
        ChunkRecord chunk;
        TotalsRecord totals;
        char end_sha256[TAP_HEX_LEN];
        HoldRecord hold;
        HoldNodeRecord hold_node;
        ArchivedRecord archived;
        PointRecord point;
    } u;
} ManifestLine;
bool manifest_parse_line(void *ctx, const char *line, size_t len, ManifestLine *ret, Error *err)
    MUST_CHECK;

#endif
