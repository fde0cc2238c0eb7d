/*
 * backup/catalog.h - what a database holds: the tables to lock and to dump.
 */
#ifndef PGARK_BACKUP_CATALOG_H
#define PGARK_BACKUP_CATALOG_H

#include "backup/request.h"
#include "pg/query.h"
#include "pg/string_pool.h"
#include "repo/manifest.h"

/* How a relation's rows are read. */
typedef enum RelationData
{
    DATA_NONE,    /* not at all: it has no storage, or is not wanted */
    DATA_TABLE,   /* COPY of the table, by block ranges when it is large */
    DATA_QUERY,   /* COPY of a query: SELECT columns FROM it, with where */
    DATA_CATALOG, /* as DATA_QUERY, of a catalog, split whenever it is large
                     (backup/large_objects.h) */
} RelationData;

/* A relation that the backup knows of: one that is locked, or has rows to dump, or a materialized
 * view to be refreshed. */
typedef struct Relation
{
    uint32_t oid;
    char kind; /* pg_class.relkind: r p f m */
    char *schema;
    char *name;
    char *quoted;   /* "schema"."name" */
    bool lock;      /* the holder locks it: tables and partitioned tables that are selected */
    bool lock_tree; /* with all that inherits from it */
    bool unlogged;
    bool populated;  /* of a materialized view: it is, and its refresh is wanted */
    char *extension; /* its configuration table, NULL */
    RelationData data;
    char *where; /* "WHERE ..." as the extension gave it, NULL: all rows */
    /* A query that can be split by an oid, l.oid: the condition stands between from and from_end,
     * chunks begin at the cuts (ascending). NULL: all is of the relation itself. */
    const char *from;
    const char *from_end;
    uint32_t *cuts;
    size_t cut_count;
    /* Filled by catalog_read_tables: */
    uint32_t relfilenode; /* 0: it has no file */
    uint64_t changes;     /* of its rows, as the server has counted them so far */
    bool heap;            /* access method heap: block ranges work */
    uint64_t blocks;      /* of the heap, at the time of the plan */
    uint64_t bytes;       /* heap + TOAST */
    char **columns;       /* without dropped and generated ones */
    char **types;         /* of the columns, without modifiers */
    size_t column_count;
    char *column_list; /* quoted, comma separated; "" for none; what SELECT and COPY name */
    bool binary;
    /* Filled by base_chunks_apply, where its chunks can be compared with those of another set: */
    const uint64_t *ranges; /* where each is to begin, the first at 0; NULL: anywhere */
    size_t range_count;
    bool grown; /* it has more blocks than it had: the last range may be cut anew */
    bool likely_changed;
} Relation;

/* A sequence whose value is wanted. */
typedef struct ListedSequence
{
    uint32_t oid;
    char *schema;
    char *name;
} ListedSequence;

typedef struct Catalog
{
    Relation *items; /* sorted by oid */
    size_t count;
    size_t capacity;
    ListedSequence *sequences;
    size_t sequence_count;
    SelectionItem *selected; /* every relation of the database, as selection_apply marked it */
    size_t selected_count;
    StringPool pool; /* below selected, which owns all that is here */
} Catalog;

/* catalog_read_relations lists the relations that the connection's snapshot shows and that the
 * selection wants, those of large objects first: not temporary, in no system schema, of an extension
 * only where they are its configuration tables, and none that hide, an SQL condition on c.oid, is
 * true of (NULL: no condition). Below ctx. ERR_USAGE: the selection matches nothing. */
bool catalog_read_relations(PgConn *conn, void *ctx, const Selection *selection, const char *hide,
                            Catalog *ret, Error *err) MUST_CHECK;

/* catalog_wants_rows: the rows of a relation of the catalogue are wanted, and it is an ordinary table (not a
 * partitioned or foreign one) that no extension owns. */
bool catalog_wants_rows(const Catalog *all, uint32_t oid);

/* catalog_find finds one of the relations; NULL: it is none of them. */
Relation *catalog_find(const Catalog *catalog, uint32_t oid);

/* catalog_to_lock gives, below ctx, the relations of all that the holder locks; they share strings.
 */
Catalog catalog_to_lock(void *ctx, const Catalog *all);

/* catalog_path.c: catalog_mark_hidden sets hidden of those items, which are sorted by oid, that
 * cannot be seen through the search_path that the role has by default. The connection's own, which
 * is empty, is as before when this returns. */
bool catalog_mark_hidden(PgConn *conn, SelectionItem *items, size_t count, Error *err) MUST_CHECK;

/* catalog_missing gives, below ctx, those of now that are to be locked and are not (by oid and name)
 * in locked. */
void catalog_missing(void *ctx, const Catalog *now, const Catalog *locked, Catalog *ret_missing);

/* catalog_read_tables fills sizes, columns and the COPY format of every relation that has storage,
 * in the snapshot of conn. format decides where it is FORMAT_AUTO: binary only where every column's
 * binary form means the same in any other database (see catalog_types.c). */
bool catalog_read_tables(PgConn *conn, DataFormat format, Catalog *catalog, Error *err) MUST_CHECK;

/* catalog_read_sequences reads the values of the catalogue's sequences. Which there are was read in
 * the snapshot, as the schema will have just these. Their values are not transactional and are read
 * through now, a connection without that snapshot, after it: then no value that the snapshot's rows
 * used can be given out again. ERR_CHANGED: one has gone since. */
bool catalog_read_sequences(const Catalog *catalog, PgConn *now, void *ctx, int content,
                            SequenceRecord **ret, size_t *ret_count, Error *err) MUST_CHECK;

/* catalog_read_left_out describes in sentences what the database holds and this release does not
 * store: the contents of unlogged tables of a standby, rows of foreign tables that were not asked
 * for.
 */
bool catalog_read_left_out(PgConn *conn, void *ctx, const Selection *selection, char ***ret,
                           size_t *ret_count, Error *err) MUST_CHECK;

/* catalog_types.c: TypeCache remembers which types' binary form is portable, and what the manifest
 * calls them (doc/format.md, 2.1). *ret_text lives as long as the cache and is not to be changed. */
typedef struct TypeCache TypeCache;
TypeCache *type_cache_new(void *ctx, PgConn *conn);
bool type_look_up(TypeCache *cache, uint32_t oid, bool *ret_portable, char **ret_text, Error *err)
    MUST_CHECK;

#endif
