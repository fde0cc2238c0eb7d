/* fleet/citus_place.c - shards that are again what they were; see citus_restore.h. */
#include "base/search.h"
#include "base/str.h"
#include "fleet/citus_restore.h"
#include "restore/journal.h"
#include "restore/target.h"

/* A worker's sequence begins at its group's number in the upper 16 bits (AlterSequenceMinMax in
 * worker_data_fetch_protocol.c); below these all nodes count alike. */
#define SEQUENCE_SHIFT 48
#define SEQUENCE_LOW   ((INT64_C(1) << SEQUENCE_SHIFT) - 1)

typedef struct Placer
{
    RestoreNode *node;
    const CitusTarget *target;
    const PGresult *shards; /* of the target, by schema and table, see read_shards */
} Placer;

enum
{
    COL_SCHEMA,
    COL_TABLE,
    COL_METHOD,
    COL_MIN,
    COL_MAX,
    COL_RELATION,
    COL_GROUP,
    COL_PLACEMENTS,
    COL_HEAP,
    COL_COLUMN,
    COL_PROOF,
};

/* By name byte by byte, as names are compared here. worker_hash() is what the server itself finds a
 * row's shard by. */
static PGresult *read_shards(const RestoreNode *node, Error *err)
{
    return pg_query(
        node->main,
        "SELECT x.nspname, x.relname, x.partmethod, x.shardminvalue, x.shardmaxvalue, x.relation,"
        " x.groupid, x.placements, x.heap, x.attname, CASE WHEN x.partmethod = 'h' THEN"
        "  pg_catalog.format('SELECT 1 FROM %s WHERE pg_catalog.worker_hash(%I)"
        " NOT BETWEEN %L::int AND %L::int LIMIT 1',"
        "  x.relation, x.attname, x.shardminvalue, x.shardmaxvalue) END"
        " FROM (SELECT n.nspname, c.relname, p.partmethod, s.shardminvalue, s.shardmaxvalue,"
        "  pg_catalog.format('%I.%I', n.nspname, (SELECT i[pg_catalog.array_upper(i, 1)]"
        "   FROM pg_catalog.parse_ident(pg_catalog.shard_name(s.logicalrelid, s.shardid)) i))"
        "   AS relation,"
        "  (SELECT pg_catalog.min(l.groupid) FROM pg_catalog.pg_dist_placement l"
        "   WHERE l.shardid = s.shardid AND l.shardstate = 1) AS groupid,"
        "  (SELECT count(*) FROM pg_catalog.pg_dist_placement l"
        "   WHERE l.shardid = s.shardid AND l.shardstate = 1) AS placements,"
        "  coalesce(a.amname = 'heap', false) AS heap,"
        "  CASE WHEN p.partkey IS NOT NULL THEN"
        "   pg_catalog.column_to_column_name(p.logicalrelid, p.partkey::text) END AS attname"
        "  FROM pg_catalog.pg_dist_partition p"
        "  JOIN pg_catalog.pg_class c ON c.oid = p.logicalrelid::oid"
        "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        "  LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam"
        "  LEFT JOIN pg_catalog.pg_dist_shard s ON s.logicalrelid = p.logicalrelid) x"
        " ORDER BY x.nspname COLLATE \"C\", x.relname COLLATE \"C\"",
        0, NULL, err);
}

static int name_order(const RestoreTable *t, const PGresult *res, int row)
{
    int c = strcmp(t->schema, pg_cell(res, row, COL_SCHEMA));
    return c != 0 ? c : strcmp(t->record->name, pg_cell(res, row, COL_TABLE));
}

static bool row_before(const void *res, size_t row, const void *table)
{
    return name_order(table, res, (int) row) > 0;
}

/* The first of a table's rows, and how many there are. */
static int find_rows(const RestoreTable *t, const PGresult *res, int *ret_count)
{
    int first = (int) search_first(res, (size_t) PQntuples(res), row_before, t);
    *ret_count = 0;
    while (first + *ret_count < PQntuples(res) && name_order(t, res, first + *ret_count) == 0)
        (*ret_count)++;
    return first;
}

/* ---- both ---- */

static const CitusServer *server_of(const CitusTarget *target, int64_t group)
{
    for (size_t i = 0; i < target->server_count; i++)
        if (target->servers[i].group == group)
            return &target->servers[i];
    return NULL;
}

static bool is_placeable(const Placer *p, const RestoreTable *t, int row)
{
    const RestoreRequest *r = p->node->request;
    char method = pg_cell(p->shards, row, COL_METHOD)[0];
    /* No rule tells which shard a row of an append table goes to: it is loaded into that it came from. */
    if (method == 'a')
        return t->made;
    if (!t->made || r->direct == DIRECT_NEVER || r->on_error != ON_ERROR_STOP)
        return false;
    return method == 'n' ||
           (method == 'h' && engine_same_hash(t->record, pg_cell(p->shards, row, COL_COLUMN)));
}

static const char *limit_cell(const PGresult *res, int row, int column)
{
    return pg_cell_null(res, row, column) ? NULL : pg_cell(res, row, column);
}

/* Which of the source's parts has the limits of this shard of the target, and has no place yet: those of
 * append tables may be alike; fold->count: none. */
static size_t match(const Placer *p, const uint32_t *parts, size_t count, int row)
{
    const Fold *fold = p->node->fold;
    for (size_t i = 0; i < count; i++)
    {
        const ShardRecord *shard = fold->parts[parts[i]].shard;
        if (p->node->places.parts[parts[i]].quoted == NULL &&
            str_equal(shard->min, limit_cell(p->shards, row, COL_MIN)) &&
            str_equal(shard->max, limit_cell(p->shards, row, COL_MAX)))
            return parts[i];
    }
    return fold->count;
}

/* All of a table's shards have their counterparts, each on one known node. */
static bool match_all(const Placer *p, const RestoreTable *t, int row, int rows)
{
    struct RestorePlace *places = p->node->places.parts;
    size_t count;
    const uint32_t *parts = fold_parts_of(p->node->fold, t->record->oid, &count);
    if (count != (size_t) rows)
        return false;
    for (int i = row; i < row + rows; i++)
    {
        size_t part = match(p, parts, count, i);
        const CitusServer *server = server_of(p->target, pg_cell_int(p->shards, i, COL_GROUP));
        if (part == p->node->fold->count || server == NULL ||
            pg_cell_int(p->shards, i, COL_PLACEMENTS) != 1)
            return false;
        places[part] = (struct RestorePlace){
            .quoted = mem_strdup(p->node->ctx, pg_cell(p->shards, i, COL_RELATION)),
            .server = (size_t) (server - p->target->servers),
            .freeze = pg_cell_bool(p->shards, i, COL_HEAP),
            .proof = pg_cell_null(p->shards, i, COL_PROOF)
                         ? NULL
                         : mem_strdup(p->node->ctx, pg_cell(p->shards, i, COL_PROOF))};
    }
    return true;
}

/* ---- tables that are loaded as a whole ---- */

/* The nodes that know where every shard is: each of them can take rows. */
static bool list_writers(RestoreNode *node, const CitusTarget *target, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(node->main,
                             "SELECT groupid FROM pg_catalog.pg_dist_node"
                             " WHERE noderole = 'primary' AND isactive"
                             " AND (groupid = 0 OR (hasmetadata AND metadatasynced))"
                             " ORDER BY groupid",
                             0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read which nodes take rows");
    size_t *writers = mem_array(node->ctx, size_t, PQntuples(res));
    for (int i = 0; i < PQntuples(res); i++)
    {
        const CitusServer *server = server_of(target, pg_cell_int(res, i, 0));
        if (server != NULL)
            writers[node->places.writer_count++] = (size_t) (server - target->servers);
    }
    node->places.writers = writers;
    return true;
}

/* Two nodes that write one reference table, or shards with several copies, would wait for each other at
 * every row. */
static bool is_anywhere(const Placer *p, const RestoreTable *t, int row)
{
    return p->node->places.writer_count > 1 && !t->placed && t->made && t->chunk_count > 1 &&
           p->node->request->on_error == ON_ERROR_STOP &&
           pg_cell(p->shards, row, COL_METHOD)[0] == 'h' &&
           pg_cell_int(p->shards, row, COL_PLACEMENTS) == 1;
}

/* What is noted through a worker has to be in a table that Citus knows. */
static bool spread_journal(RestoreNode *node, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(node->main,
                             "SELECT pg_catalog.citus_add_local_table_to_metadata(j.t) FROM"
                             " (SELECT pg_catalog.to_regclass('" JOURNAL_ELSEWHERE "')) j(t)"
                             " WHERE j.t IS NOT NULL AND NOT EXISTS (SELECT"
                             "  FROM pg_catalog.pg_dist_partition p WHERE p.logicalrelid = j.t)",
                             0, NULL, err);
    return res != NULL || error_prefix(err, "could not make the journal known to all nodes");
}

bool citus_place_finish(RestoreNode *node, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(node->main,
                             "SELECT pg_catalog.undistribute_table(p.logicalrelid)"
                             " FROM pg_catalog.pg_dist_partition p"
                             " WHERE p.logicalrelid = pg_catalog.to_regclass('" JOURNAL_ELSEWHERE
                             "')",
                             0, NULL, err);
    return res != NULL || error_prefix(err, "could not take the journal back from the nodes");
}

bool citus_place_parts(RestoreNode *node, Error *err)
{
    const CitusTarget *target = node->cluster_state;
    AUTO(PQclear) PGresult *shards = read_shards(node, err);
    if (shards == NULL)
        return error_prefix(err, "could not read the shards of the target");
    if (!list_writers(node, target, err))
        return false;
    bool anywhere = false;
    Placer p = {.node = node, .target = target, .shards = shards};
    PgConnSpec *servers = mem_array(node->ctx, PgConnSpec, target->server_count);
    for (size_t i = 0; i < target->server_count; i++)
        servers[i] = target->servers[i].spec;
    node->places.servers = servers;
    node->places.server_count = target->server_count;
    node->places.parts = mem_array(node->ctx, struct RestorePlace, node->fold->count);
    for (size_t i = 0; i < node->table_count; i++)
    {
        RestoreTable *t = &node->tables[i];
        int rows;
        int row = find_rows(t, shards, &rows);
        t->remote = rows > 0;
        if (!t->remote)
            continue;
        t->fresh = false;
        t->placed = is_placeable(&p, t, row) && match_all(&p, t, row, rows);
        t->anywhere = is_anywhere(&p, t, row);
        anywhere = anywhere || t->anywhere;
        if (!t->placed && t->chunk_count > 0 && pg_cell(shards, row, COL_METHOD)[0] == 'a')
            return error_set(err, ERR_USAGE,
                             "table %s is distributed by append: its rows can only be restored "
                             "together with the table",
                             t->quoted);
    }
    return !anywhere || node->journal == NULL || spread_journal(node, err);
}

/* ---- sequences ---- */

/* The greatest number, without its node, that any worker of the source has given out; 0: none. */
static int64_t greatest_low(const RestoreNode *node, const SequenceRecord *sequence)
{
    const Manifest *m = node->manifest;
    int64_t greatest = 0;
    for (size_t i = 0; i < m->sequence_count; i++)
    {
        const SequenceRecord *s = &m->sequences[i];
        if (s->content < 0 || !s->is_called || s->last_value >> SEQUENCE_SHIFT <= 0 ||
            strcmp(s->name, sequence->name) != 0 || strcmp(s->schema, sequence->schema) != 0)
            continue;
        if ((s->last_value & SEQUENCE_LOW) > greatest)
            greatest = s->last_value & SEQUENCE_LOW;
    }
    return greatest;
}

static bool has_workers_values(const Manifest *m)
{
    for (size_t i = 0; i < m->sequence_count; i++)
        if (m->sequences[i].content >= 0)
            return true;
    return false;
}

/* A worker that does not know the sequence has no use for it. */
static bool add_setval(const RestoreNode *node, PgConn *conn, const SequenceRecord *s, int group,
                       int64_t low, Str *sql, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sequence");
    const char *quoted = pg_quote_table(tmp, conn, node_schema(node, s->schema), s->name, err);
    const char *name = quoted == NULL ? NULL : pg_quote_literal(tmp, conn, quoted, err);
    if (name == NULL)
        return false;
    str_addf(sql,
             "SELECT pg_catalog.setval(q.seqrelid, %" PRId64 ", true) FROM pg_catalog.pg_sequence q"
             " WHERE q.seqrelid = pg_catalog.to_regclass(%s) AND q.seqtypid = 'int8'::regtype"
             " AND %" PRId64 " BETWEEN q.seqmin AND q.seqmax; ",
             ((int64_t) group << SEQUENCE_SHIFT) | low, name,
             ((int64_t) group << SEQUENCE_SHIFT) | low);
    return true;
}

static bool set_on(RestoreNode *node, const CitusServer *server, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sequences");
    AUTO(pg_conn_close) PgConn *conn = target_connect_to(node, &server->spec, "restore", err);
    Str *sql = str_new(tmp);
    const Manifest *m = node->manifest;
    for (size_t i = 0; conn != NULL && i < m->sequence_count; i++)
    {
        int64_t low = node->filter->sequences[i] ? greatest_low(node, &m->sequences[i]) : 0;
        if (low > 0 && !add_setval(node, conn, &m->sequences[i], server->group, low, sql, err))
            return false;
    }
    return conn != NULL && (sql->len == 0 || pg_exec(conn, sql->data, err));
}

bool citus_place_sequences(RestoreNode *node, Error *err)
{
    const CitusTarget *target = node->cluster_state;
    if (!has_workers_values(node->manifest))
        return true;
    for (size_t i = 0; i < target->server_count; i++)
    {
        const CitusServer *s = &target->servers[i];
        if (s->group != 0 && !set_on(node, s, err))
            return error_prefix(err, "could not set the sequences of node %s:%s", s->host, s->port);
    }
    return true;
}
