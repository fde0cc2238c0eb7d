/*
 * backup/scope.h - which relations of one node belong to a backup.
 *
 * Mostly all that the selection wants. In a fleet with a coordinator the catalogue is the
 * coordinator's; its rows lie in relations of other nodes (and of its own), which are of no interest
 * by their own names. The fleet's engine says which these are.
 */
#ifndef PGARK_BACKUP_SCOPE_H
#define PGARK_BACKUP_SCOPE_H

#include "backup/catalog.h"

/* A relation of this node that holds rows of a table of the coordinator. */
typedef struct ScopePart
{
    const char *schema;
    const char *name;
    uint32_t table_oid; /* of the coordinator's table */
    int64_t shard_id;
    const char *min; /* of the values that belong to it, NULL: no such limit */
    const char *max;
} ScopePart;

typedef struct ScopeName
{
    const char *schema;
    const char *name;
} ScopeName;

typedef struct NodeScope
{
    bool catalogue;         /* the node's own catalogue, as the selection wants it */
    bool trees;             /* what inherits from its relations is locked with them: it is hidden */
    size_t hidden_count;    /* how many relations that adds */
    bool whole_tables;      /* ranges of blocks are no quicker to read than their tables */
    const char *hide;       /* SQL condition on c.oid (pg_class) of relations that are no objects of
                               their own, NULL: none are */
    const uint32_t *spread; /* sorted oids of relations of the catalogue whose rows are in parts */
    size_t spread_count;
    const ScopePart *parts;
    size_t part_count;
    const ScopeName *sequences; /* that have a value of their own on this node, if they are there */
    size_t sequence_count;
} NodeScope;

/* scope_read lists, as catalog_read_relations does, what belongs to the backup of the node that conn is
 * connected to; scope NULL: all that the selection wants. Below ctx. ERR_CHANGED: a part is not
 * there. */
bool scope_read(PgConn *conn, void *ctx, const Selection *selection, const NodeScope *scope,
                Catalog *ret, Error *err) MUST_CHECK;

/* scope_part finds the part that a relation is, NULL: none. parts must be sorted by schema and name
 * (scope_sort). */
const ScopePart *scope_part(const NodeScope *scope, const Relation *relation);
void scope_sort(ScopePart *parts, size_t count);

#endif
