/* fleet/greenplum_place.c - rows that go straight to their segments; see greenplum_restore.h.
 *
 * A row of a table that is distributed by hash lies on the segment that its key's hash says, by the
 * operator classes of the policy and the number of segments. So where these are equal in set and
 * target, and the hash of the key's types is the same everywhere (an enum's is that of an oid), each
 * segment's rows are those of the segment with the same number. Rows that are distributed randomly may
 * lie anywhere, those of replicated tables lie on all. COPY into a segment refuses rows of another
 * partition, but not of another segment; the proof is greenplum_place_prove.
 */
#include "base/str.h"
#include "fleet/greenplum_restore.h"
#include "restore/target.h"

enum
{
    COL_SCHEMA,
    COL_TABLE,
    COL_OID,
    COL_ROOT,
    COL_POLICY,
    COL_SEGMENTS,
    COL_LOADABLE,
    COL_SIGNATURE, /* of the key: column and operator class, by lines */
    COL_KEY,       /* k1 operator class, k2 ... */
    COL_COLUMNS,   /* quoted */
    COL_ALIASED,   /* quoted, as k1, k2 ... */
};

/* Every relation with a policy, by name byte by byte. COPY into a segment takes no parent of others. */
#define POLICIES(root, join, storage)                                                              \
    "SELECT n.nspname, c.relname, c.oid, " root ", p.policytype, p.numsegments,"                   \
    " " storage                                                                                    \
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid),"          \
    " k.signature, k.key, k.columns, k.aliased"                                                    \
    " FROM pg_catalog.gp_distribution_policy p JOIN pg_catalog.pg_class c ON c.oid = p.localoid"   \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" join                               \
    " LEFT JOIN (SELECT q.localoid,"                                                               \
    "  pg_catalog.string_agg(a.attname || chr(10) || s.nspname || '.' || o.opcname, chr(10)"       \
    "   ORDER BY i) AS signature,"                                                                 \
    "  pg_catalog.string_agg('k' || i || ' ' || pg_catalog.quote_ident(s.nspname) || '.'"          \
    "   || pg_catalog.quote_ident(o.opcname), ', ' ORDER BY i) AS key,"                            \
    "  pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY i) AS columns,"      \
    "  pg_catalog.string_agg(pg_catalog.quote_ident(a.attname) || ' AS k' || i, ', ' ORDER BY i)"  \
    "   AS aliased"                                                                                \
    "  FROM pg_catalog.gp_distribution_policy q,"                                                  \
    "  LATERAL pg_catalog.generate_series(0, pg_catalog.array_upper(q.distkey::int2[], 1)) i"      \
    "  JOIN pg_catalog.pg_attribute a ON true JOIN pg_catalog.pg_opclass o ON true"                \
    "  JOIN pg_catalog.pg_namespace s ON s.oid = o.opcnamespace"                                   \
    "  WHERE a.attrelid = q.localoid AND a.attnum = q.distkey[i] AND o.oid = q.distclass[i]"       \
    "  GROUP BY q.localoid) k ON k.localoid = c.oid"                                               \
    " ORDER BY n.nspname::text COLLATE \"C\", c.relname::text COLLATE \"C\""

#define POLICIES_OF_6                                                                              \
    POLICIES("coalesce(t.parrelid, c.oid)",                                                        \
             " LEFT JOIN pg_catalog.pg_partition_rule r ON r.parchildrelid = c.oid"                \
             " LEFT JOIN pg_catalog.pg_partition t ON t.oid = r.paroid",                           \
             "c.relkind = 'r' AND c.relstorage IN ('h', 'a', 'c')")
#define POLICIES_LATER POLICIES("c.oid", "", "c.relkind = 'r'")

typedef struct Placer
{
    RestoreNode *node;
    GreenplumTarget *target;
    const PGresult *policies;
} Placer;

/* ---- what the set tells ---- */

static const char *key_reason(const RestoreTable *t, const DistributionRecord *d)
{
    static const char own[] = "pg_catalog.";
    for (size_t i = 0; i < d->column_count; i++)
    {
        if (strncmp(d->opclasses[i], own, strlen(own)) != 0)
            return "its key is hashed by an operator class of your own";
        if (!engine_same_hash(t->record, d->columns[i]))
            return "its key has a type that does not hash alike in every database";
    }
    return NULL;
}

const char *greenplum_place_reason(const RestoreNode *node, const RestoreTable *t, size_t segments)
{
    const DistributionRecord *d = manifest_distribution(node->manifest, t->record);
    if (!t->made)
        return "it is there already";
    if (node->request->on_error != ON_ERROR_STOP)
        return "failures are to be passed over";
    if (d == NULL)
        return "the set does not say how it is distributed";
    if (d->shards != segments)
        return "it lies on another number of segments";
    return key_reason(t, d);
}

/* ---- what the target tells ---- */

static const char *signature_of(void *ctx, const DistributionRecord *d)
{
    Str *text = str_new(ctx);
    for (size_t i = 0; i < d->column_count; i++)
        str_addf(text, "%s%s\n%s", i == 0 ? "" : "\n", d->columns[i], d->opclasses[i]);
    return text->data;
}

/* The relation's policy is the one that the set has of the table. */
static bool is_alike(const Placer *p, const DistributionRecord *d, const char *signature, int row)
{
    bool replicated = strcmp(d->method, "replicated") == 0;
    return row >= 0 &&
           (uint64_t) pg_cell_int(p->policies, row, COL_SEGMENTS) == p->target->segment_count &&
           (pg_cell(p->policies, row, COL_POLICY)[0] == 'r') == replicated &&
           strcmp(pg_cell(p->policies, row, COL_SIGNATURE), signature) == 0;
}

/* Where one part goes; false: nowhere. */
static bool place_part(const Placer *p, const RestoreTable *t, const DistributionRecord *d,
                       const char *signature, size_t part, Error *err)
{
    RestoreNode *node = p->node;
    const FoldedPart *from = &node->fold->parts[part];
    const char *schema = node_schema(node, from->record.schema);
    int root = pg_find_named(p->policies, t->schema, t->record->name);
    int row = pg_find_named(p->policies, schema, from->record.name);
    bool replicated = strcmp(d->method, "replicated") == 0;
    if (!is_alike(p, d, signature, row) || !pg_cell_bool(p->policies, row, COL_LOADABLE) ||
        strcmp(pg_cell(p->policies, row, COL_ROOT), pg_cell(p->policies, root, COL_OID)) != 0 ||
        (size_t) from->shard->content >= p->target->segment_count)
        return false;
    node->places.parts[part] = (struct RestorePlace){
        .quoted = pg_quote_table(node->ctx, node->main, schema, from->record.name, err),
        .server = replicated ? 0 : (size_t) from->shard->content,
        .copies = replicated ? p->target->segment_count : 1,
        .keep = true};
    return node->places.parts[part].quoted != NULL;
}

/* The statements of the proof: the keys of all rows where they lie, sent by their hash to where they
 * belong. A plain query would ask only where they belong; gp_dist_random asks everywhere. The last
 * statement counts those that were sent elsewhere. */
static const char *proof_of(const Placer *p, const RestoreTable *t, int row, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "proof");
    const RestoreNode *node = p->node;
    Str *sql = str_new(tmp);
    const char *last = "";
    if (pg_cell(p->policies, row, COL_SIGNATURE)[0] == '\0')
        return "";
    str_addf(sql,
             "BEGIN; CREATE TEMP TABLE pgark_proof ON COMMIT DROP AS SELECT 0 AS lies, %s FROM %s"
             " LIMIT 0 DISTRIBUTED BY (%s); ",
             pg_cell(p->policies, row, COL_ALIASED), t->quoted, pg_cell(p->policies, row, COL_KEY));
    size_t count;
    const uint32_t *parts = fold_parts_of(node->fold, t->record->oid, &count);
    for (size_t i = 0; i < count; i++)
    {
        /* Parts of one relation lie on several segments, and are asked for once. */
        const char *quoted = node->places.parts[parts[i]].quoted;
        if (node->fold->parts[parts[i]].shard->content != 0)
            continue;
        const char *literal = pg_quote_literal(tmp, node->main, quoted, err);
        if (literal == NULL)
            return NULL;
        last = quoted;
        str_addf(sql,
                 "INSERT INTO pg_temp.pgark_proof SELECT gp_segment_id, %s FROM"
                 " gp_dist_random(%s); ",
                 pg_cell(p->policies, row, COL_COLUMNS), literal);
    }
    str_add(sql, "SELECT count(*) FROM pg_temp.pgark_proof WHERE lies <> gp_segment_id");
    return last[0] == '\0' ? "" : mem_strdup(node->ctx, sql->data);
}

static void forget_parts(const Placer *p, const RestoreTable *t)
{
    size_t count;
    const uint32_t *parts = fold_parts_of(p->node->fold, t->record->oid, &count);
    for (size_t i = 0; i < count; i++)
        p->node->places.parts[parts[i]].quoted = NULL;
}

static bool place_all(const Placer *p, const RestoreTable *t, const DistributionRecord *d, int row,
                      Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "signature");
    const char *signature = signature_of(tmp, d);
    bool ok = is_alike(p, d, signature, row);
    size_t count;
    const uint32_t *parts = fold_parts_of(p->node->fold, t->record->oid, &count);
    for (size_t i = 0; ok && i < count; i++)
        ok = place_part(p, t, d, signature, parts[i], err);
    if (!ok)
        forget_parts(p, t);
    return ok;
}

static bool place_table(const Placer *p, size_t at, Error *err)
{
    RestoreNode *node = p->node;
    RestoreTable *t = &node->tables[at];
    int row = pg_find_named(p->policies, t->schema, t->record->name);
    t->remote = row >= 0;
    if (!t->remote)
        return true;
    /* What is emptied and filled by one transaction is frozen by PostgreSQL alone. */
    t->fresh = false;
    if (node->request->direct == DIRECT_NEVER ||
        greenplum_place_reason(node, t, p->target->segment_count) != NULL)
        return true;
    t->placed = place_all(p, t, manifest_distribution(node->manifest, t->record), row, err);
    if (error_is_set(err))
        return false;
    const char *proof = t->placed ? proof_of(p, t, row, err) : "";
    if (proof == NULL)
        return false;
    t->proven = proof[0] != '\0';
    p->target->proofs[at] = proof;
    return true;
}

bool greenplum_place_parts(RestoreNode *node, Error *err)
{
    GreenplumTarget *target = node->cluster_state;
    bool partitions = greenplum_partitions(node->main);
    AUTO(PQclear)
    PGresult *policies = pg_query(node->main, partitions ? POLICIES_OF_6 : POLICIES_LATER, 0, NULL,
                                  err);
    if (policies == NULL)
        return error_prefix(err, "could not read how the target's tables are distributed");
    const Placer p = {.node = node, .target = target, .policies = policies};
    PgConnSpec *servers = mem_array(node->ctx, PgConnSpec, target->segment_count);
    for (size_t i = 0; i < target->segment_count; i++)
        servers[i] = target->segments[i].spec;
    node->places.servers = servers;
    node->places.server_count = target->segment_count;
    node->places.parts = mem_array(node->ctx, struct RestorePlace, node->fold->count);
    target->proofs = mem_array(node->ctx, const char *, node->table_count);
    for (size_t i = 0; i < node->table_count; i++)
        if (!place_table(&p, i, err))
            return false;
    return true;
}

bool greenplum_place_prove(RestoreNode *node, PgConn *conn, size_t table, Error *err)
{
    const GreenplumTarget *target = node->cluster_state;
    const RestoreTable *t = &node->tables[table];
    AUTO(PQclear)
    PGresult *res = pg_send(conn, target->proofs[table], err) ? pg_collect(conn, 0, err) : NULL;
    if (res == NULL || !pg_exec(conn, "COMMIT", err))
    {
        pg_rollback(conn);
        return error_prefix(err, "could not prove that the rows of table %s are where they belong",
                            t->quoted);
    }
    if (pg_cell_int(res, 0, 0) == 0)
        return true;
    error_set(err, ERR_CORRUPT, "%s rows of table %s are not on the segments that they belong to",
              pg_cell(res, 0, 0), t->quoted);
    return error_hint(err,
                      "They were so in the source, or the target distributes rows by another rule; "
                      "--no-direct loads them through the coordinator, which puts them right.");
}
