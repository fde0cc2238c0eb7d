/*
 * backup/catalog.h - what a database holds: the tables to lock and to dump.
 */
#ifndef PGARK_BACKUP_CATALOG_H
#define PGARK_BACKUP_CATALOG_H

#include "backup/request.h"
#include "pg/query.h"
#include "repo/manifest.h"

/* A table or partitioned table that the backup locks; one with storage is dumped. */
typedef struct Relation
{
    uint32_t oid;
    char kind; /* 'r' or 'p' */
    char *schema;
    char *name;
    char *quoted; /* "schema"."name" */
    /* Filled by catalog_read_tables: */
    bool heap;       /* access method heap: block ranges work */
    uint64_t blocks; /* of the heap, at the time of the plan */
    uint64_t bytes;  /* heap + TOAST */
    char **columns;  /* without dropped and generated ones */
    size_t column_count;
    char *column_list; /* quoted, comma separated; "" for none */
    bool binary;
} Relation;

typedef struct Catalog
{
    Relation *items; /* sorted by oid */
    size_t count;
    size_t capacity;
} Catalog;

/* catalog_read_relations lists the user tables that the connection's snapshot shows: ordinary and
 * partitioned ones, not temporary, not owned by an extension, in no system schema. Below ctx. */
bool catalog_read_relations(PgConn *conn, void *ctx, Catalog *ret, Error *err) MUST_CHECK;

/* catalog_missing gives, below ctx, those of now that are not (by oid and name) in locked. */
void catalog_missing(void *ctx, const Catalog *now, const Catalog *locked, Catalog *ret_missing);

/* catalog_read_tables fills sizes, columns and the COPY format of every relation that has storage,
 * in the snapshot of conn. format decides where it is FORMAT_AUTO: binary only where every column's
 * binary form means the same in any other database (see type_is_portable in catalog_types.c). */
bool catalog_read_tables(PgConn *conn, DataFormat format, Catalog *catalog, Error *err) MUST_CHECK;

/* catalog_read_sequences reads the values of all sequences that no extension owns. Which there are
 * is read in the snapshot, as the schema will have just these. Their values are not transactional
 * and are read through now, a connection without that snapshot, after it: then no value that the
 * snapshot's rows used can be given out again. ERR_CHANGED: one has gone since. */
bool catalog_read_sequences(PgConn *snapshot, PgConn *now, void *ctx, int content,
                            SequenceRecord **ret, size_t *ret_count, Error *err) MUST_CHECK;

/* catalog_read_left_out describes in sentences what the database holds and this release does not
 * store: large objects, rows of materialized views, of extension configuration and foreign tables,
 * of unlogged tables of a standby.
 */
bool catalog_read_left_out(PgConn *conn, void *ctx, char ***ret, size_t *ret_count, Error *err)
    MUST_CHECK;

/* catalog_types.c: TypeCache remembers which types' binary form is portable. */
typedef struct TypeCache TypeCache;
TypeCache *type_cache_new(void *ctx, PgConn *conn);
bool type_is_portable(TypeCache *cache, uint32_t oid, bool *ret_portable, Error *err) MUST_CHECK;

#endif
