/* fleet/space.c - room for the set; the contract is in space.h. */
#include "fleet/space.h"

#include "backup/locks.h"
#include "base/str.h"
#include "pg/query.h"

#define ALWAYS    ((uint64_t) 1024 * 1024) /* for manifest, definitions and directories */
#define PEEK_SETS 100

/* ---- an earlier set ---- */

static bool is_alike(const SetRecord *set, const BackupRequest *request, const char *fleet)
{
    return strcmp(set->fleet, fleet) == 0 && (set->kind != NULL) == (request->physical != NULL) &&
           str_equal(set->prefix, request->prefix) &&
           set->compress.method == request->compress.method;
}

typedef struct Earlier
{
    TotalsRecord newest;  /* of the newest set of the same kind that has rows; zeros: none */
    bool has_incremental; /* there is an incremental one among them, */
    uint64_t own;         /* and the newest of those took so much by itself */
} Earlier;

/* false: no more need be looked at. */
static bool take_earlier(const Manifest *m, bool incremental, Earlier *ret)
{
    bool built = m->set.base[0] != '\0';
    /* What base backups are incremental to is not among their own sums. */
    if (ret->newest.logical == 0 && !(built && manifest_is_physical(m)))
        ret->newest = m->totals;
    if (built && !ret->has_incremental)
    {
        ret->has_incremental = true;
        ret->own = m->totals.stored;
    }
    return ret->newest.logical == 0 || (incremental && !ret->has_incremental);
}

/* What cannot be read is passed over: this is only an estimate. */
static bool find_earlier(Repo *repo, const BackupRequest *request, const char *fleet, Earlier *ret,
                         Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "earlier");
    RepoSetInfo *sets;
    size_t count;
    memset(ret, 0, sizeof(*ret));
    if (!repo_list_sets(repo, ctx, &sets, &count, err))
        return false;
    for (size_t i = count; i-- > 0 && count - i <= PEEK_SETS;)
    {
        SetRecord set;
        if (!sets[i].finished || !manifest_peek(repo->storage, ctx, sets[i].dir, &set, NULL) ||
            !is_alike(&set, request, fleet))
            continue;
        const Manifest *m = manifest_read(repo->storage, ctx, sets[i].dir, true, NULL);
        if (m != NULL && m->totals.logical > 0 && !take_earlier(m, request->incremental, ret))
            break;
    }
    return true;
}

/* ---- the tables ---- */

/* Page counts of the planner: no file of a table is looked at. Large objects are in a catalog that is in no
 * list of tables. */
static bool add_tables(BackupNode *node, uint64_t *tables, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "tables");
    const char *oids = locks_oids(ctx, &node->locked);
    AUTO(PQclear)
    PGresult *res = pg_query(
        node->probe,
        "SELECT coalesce(sum(c.relpages::bigint + coalesce(t.relpages, 0)), 0)::bigint *"
        " pg_catalog.current_setting('block_size')::bigint"
        " FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid"
        " WHERE (c.oid = ANY ($1::pg_catalog.oid[])"
        "  OR c.oid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass)"
        " AND c.relkind IN ('r', 'm') AND c.relpages > 0",
        1, &oids, err);
    if (res == NULL)
        return error_node(err, node->label);
    *tables += (uint64_t) pg_cell_int(res, 0, 0);
    return true;
}

/* All files of the server, as far as the role may know; of the coordinator of a Greenplum cluster, those of all its
 * nodes. */
static bool add_server(BackupNode *node, uint64_t *bytes, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(node->probe,
                             "SELECT coalesce(sum(pg_catalog.pg_tablespace_size(t.oid)), 0)::bigint"
                             " FROM pg_catalog.pg_tablespace t"
                             " WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_roles r"
                             "  WHERE r.rolname = 'pg_read_all_stats'"
                             "  AND pg_catalog.pg_has_role(r.oid, 'USAGE'))"
                             " OR pg_catalog.has_tablespace_privilege(t.oid, 'CREATE')",
                             0, NULL, err);
    if (res == NULL)
        return error_node(err, node->label);
    *bytes += (uint64_t) pg_cell_int(res, 0, 0);
    return true;
}

uint64_t space_guess(uint64_t tables, uint64_t earlier_logical, uint64_t earlier_stored)
{
    uint64_t least = tables / 20;
    if (earlier_logical == 0)
        return least + ALWAYS;
    double ratio = (double) earlier_stored / (double) earlier_logical;
    double by_ratio = (double) tables * ratio;
    double most = (double) earlier_stored * 1.5;
    double guess = by_ratio < most ? by_ratio : most;
    return (guess > (double) least ? (uint64_t) guess : least) + ALWAYS;
}

uint64_t space_guess_incremental(uint64_t full, bool has_earlier, uint64_t earlier_own)
{
    uint64_t guess = has_earlier ? earlier_own + earlier_own / 2 + ALWAYS : ALWAYS;
    return guess < full ? guess : full;
}

bool space_estimate(Repo *repo, BackupNode *nodes, size_t count, const char *fleet,
                    SpaceEstimate *ret, Error *err)
{
    const BackupRequest *request = nodes[0].request;
    Earlier earlier;
    *ret = (SpaceEstimate){.tables = 0};
    if ((request->selection->sections & SELECT_DATA) == 0)
    {
        ret->needed = ALWAYS;
        return true;
    }
    const bool by_coordinator = request->physical != NULL &&
                                nodes[0].probe->server.product != SERVER_POSTGRESQL;
    for (size_t i = 0; i < (by_coordinator ? 1 : count); i++)
    {
        if (request->physical != NULL ? !add_server(&nodes[i], &ret->tables, err)
                                      : !add_tables(&nodes[i], &ret->tables, err))
            return false;
    }
    if (!find_earlier(repo, request, fleet, &earlier, err))
        return false;
    const TotalsRecord *newest = &earlier.newest;
    ret->by_earlier = newest->logical > 0;
    ret->needed = space_guess(ret->tables, newest->logical, newest->stored + newest->referenced);
    if (request->incremental && newest->logical > 0)
    {
        ret->by_earlier = earlier.has_incremental;
        ret->needed = space_guess_incremental(ret->needed, earlier.has_incremental, earlier.own);
    }
    return true;
}

bool space_check(Repo *repo, const SpaceEstimate *estimate, int min_free, Error *err)
{
    StorageSpace space;
    char have[STR_BYTES_LEN];
    char want[STR_BYTES_LEN];
    char stay[STR_BYTES_LEN];
    if (!storage_space(repo->storage, &space, err))
        return false;
    uint64_t reserved = space.total / 100 * (uint64_t) min_free;
    if (space.free >= reserved && space.free - reserved >= estimate->needed)
        return true;
    str_format_bytes(have, space.free);
    str_format_bytes(want, estimate->needed);
    str_format_bytes(stay, reserved);
    if (min_free == 0)
        error_set(err, ERR_STORAGE, "repository \"%s\" has only %s free, %s %s will be needed",
                  storage_uri(repo->storage), have, estimate->by_earlier ? "about" : "at least",
                  want);
    else
        error_set(err, ERR_STORAGE,
                  "repository \"%s\" has only %s free: %s %s will be needed, and %d %% (%s) are to "
                  "stay free",
                  storage_uri(repo->storage), have, estimate->by_earlier ? "about" : "at least",
                  want, min_free, stay);
    return error_hint(err, "Free some space there (pgark expire), name another repository, or use "
                           "--no-space-check.");
}
