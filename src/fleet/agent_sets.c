/* fleet/agent_sets.c - sets of several repositories; the contract is in agent_sets.h. */
#include "fleet/agent_sets.h"

#include "base/clock.h"
#include "base/str.h"
#include "fleet/agent_tour.h"
#include "repo/whole_object.h"

static const FleetNode *find_node(const Fleet *fleet, int content)
{
    for (size_t i = 0; i < fleet->node_count; i++)
    {
        if (fleet->nodes[i].content == content)
            return &fleet->nodes[i];
    }
    return NULL;
}

/* ---- verifying ---- */

static bool list_visits(AgentTour *tour, const AgentSetsWork *work, void *ctx, const Manifest *m,
                        const char *set_dir, Error *err)
{
    char sha256[TAP_HEX_LEN];
    if (!whole_object_sha256(work->repo->storage, mem_printf(ctx, "%s/manifest.jsonl", set_dir),
                             sha256, err))
        return false;
    tour->visits = mem_array(ctx, AgentVisit, m->node_count);
    for (size_t i = 0; i < m->node_count; i++)
    {
        bool here;
        const NodeRecord *r = &m->nodes[i];
        if (!part_is_here(work->repo, set_dir, r, &here, err))
            return false;
        if (here)
            continue;
        AgentVisit *v = &tour->visits[tour->count];
        const FleetNode *node = find_node(work->fleet, r->content);
        if (node == NULL)
        {
            error_set(err, ERR_USAGE, "node %d of the set is not among the nodes that are named",
                      r->content);
            return error_hint(err, "Name all of them, in the same order as for the backup.");
        }
        v->content = r->content;
        v->spec = node->spec;
        v->more = json_pack("{s:s, s:s}", "repo_id", r->repo_id, "sha256", sha256);
        tour->count++;
    }
    return true;
}

static bool add_result(const AgentVisit *v, void *ctx, VerifyResult *ret, Error *err)
{
    json_error_t why;
    json_int_t objects;
    json_int_t chunks;
    json_int_t bytes;
    json_int_t rows;
    json_t *problems;
    if (json_unpack_ex(v->result, &why, JSON_STRICT, "{s:I, s:I, s:I, s:I, s:o}", "objects",
                       &objects, "chunks", &chunks, "bytes", &bytes, "rows", &rows, "problems",
                       &problems) != 0)
    {
        error_set(err, ERR_INTERNAL, "the agent's result cannot be understood: %s", why.text);
        return error_node(err, v->label);
    }
    ret->objects += (uint64_t) objects;
    ret->chunks += (uint64_t) chunks;
    ret->bytes += (uint64_t) bytes;
    ret->rows += (uint64_t) rows;
    for (size_t i = 0; i < json_array_size(problems); i++)
    {
        const char *text = json_string_value(json_array_get(problems, i));
        char line[2304];
        *mem_push(ctx, ret->problems, ret->problem_count, ret->problem_capacity,
                  char *) = mem_printf(ctx, "%s: %s", v->label,
                                       str_one_line(line, sizeof(line), text == NULL ? "" : text));
    }
    return true;
}

static bool merge(const AgentTour *tour, const Manifest *m, void *ctx, VerifyResult *ret,
                  Error *err)
{
    for (size_t i = 0; i < tour->count; i++)
    {
        if (!add_result(&tour->visits[i], ctx, ret, err))
            return false;
    }
    ret->elsewhere = 0;
    if (ret->problem_count == 0 && ret->objects != m->totals.objects)
        *mem_push(ctx, ret->problems, ret->problem_count, ret->problem_capacity, char *) =
            mem_printf(ctx, "the nodes' parts have %" PRIu64 " objects, the manifest says %" PRIu64,
                       ret->objects, m->totals.objects);
    return true;
}

bool agent_sets_verify(const AgentSetsWork *work, void *ctx, const char *set_dir, bool quick,
                       int jobs, VerifyResult *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "verify parts");
    const char *arguments[] = {mem_printf(tmp, "--jobs=%d", jobs), "--quick"};
    AgentTour tour = {.kind = AGENT_VERIFY,
                      .key = strrchr(set_dir, '/') + 1,
                      .repo = work->pattern,
                      .arguments = arguments,
                      .argument_count = quick ? 2 : 1,
                      .cancel = work->cancel,
                      .progress = work->progress};
    const Manifest *m = manifest_read(work->repo->storage, tmp, set_dir, true, err);
    bool ok = m != NULL && list_visits(&tour, work, tmp, m, set_dir, err) &&
              agent_tour_run(&tour, err) && merge(&tour, m, ctx, ret, err);
    agent_tour_free(&tour);
    return ok;
}

/* ---- sweeping ---- */

static bool is_gone(const ExpireResult *gone, const char *key)
{
    for (size_t i = 0; i < gone->count; i++)
    {
        if (str_equal(gone->removed[i].key, key))
            return true;
    }
    return false;
}

/* Also the sets that are being made: their parts are not published yet. */
static bool list_kept(const AgentSetsWork *work, const ExpireResult *gone, json_t *keep, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "kept");
    RepoSetInfo *sets;
    size_t count;
    if (!repo_list_sets(work->repo, tmp, &sets, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
    {
        if (!is_gone(gone, sets[i].key))
            json_array_append_new(keep, json_string(sets[i].key));
    }
    return true;
}

typedef struct Swept
{
    void *ctx;
    SweptPart *parts;
    size_t count;
    size_t capacity;
} Swept;

static bool add_swept(Swept *swept, const AgentVisit *v, Error *err)
{
    json_t *removed = json_object_get(v->result, "removed");
    for (size_t i = 0; i < json_array_size(removed); i++)
    {
        const char *key = json_string_value(json_array_get(removed, i));
        if (key == NULL || !repo_key_is_date(key))
        {
            error_set(err, ERR_INTERNAL, "the agent's result cannot be understood");
            return error_node(err, v->label);
        }
        SweptPart *part = mem_push(swept->ctx, swept->parts, swept->count, swept->capacity,
                                   SweptPart);
        part->content = v->content;
        memcpy(part->key, key, SET_KEY_LEN);
    }
    return true;
}

bool agent_sets_sweep(const AgentSetsWork *work, void *ctx, const ExpireResult *gone, bool dry_run,
                      SweptPart **ret, size_t *ret_count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sweep parts");
    char now[SET_KEY_LEN];
    Swept swept = {.ctx = ctx};
    json_t *keep = json_array();
    /* The time comes first: a set that is begun between it and the list is later than both. */
    repo_key_from_seconds(now, clock_wall_us() / 1000000);
    AgentTour tour = {.kind = AGENT_EXPIRE,
                      .key = now,
                      .repo = work->pattern,
                      .visits = mem_array(tmp, AgentVisit, work->fleet->node_count),
                      .cancel = work->cancel,
                      .progress = work->progress};
    bool ok = list_kept(work, gone, keep, err);
    for (size_t i = 0; ok && i < work->fleet->node_count; i++)
    {
        tour.visits[i].content = work->fleet->nodes[i].content;
        tour.visits[i].spec = work->fleet->nodes[i].spec;
        tour.visits[i].more = json_pack("{s:s, s:O, s:b}", "home", work->repo->id, "keep", keep,
                                        "dry_run", (int) dry_run);
        tour.count++;
    }
    ok = ok && agent_tour_run(&tour, err);
    for (size_t i = 0; ok && i < tour.count; i++)
        ok = add_swept(&swept, &tour.visits[i], err);
    agent_tour_free(&tour);
    json_decref(keep);
    *ret = swept.parts;
    *ret_count = swept.count;
    return ok;
}
