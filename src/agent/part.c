/* agent/part.c - a node's part once it is stored; the contract is in part.h. */
#include "agent/part.h"

#include "agent/pack.h"
#include "base/str.h"
#include "repo/part.h"
#include "repo/verify.h"
#include "repo/whole_object.h"

static bool bad_job(Error *err, const char *why)
{
    return error_set(err, ERR_USAGE, "the job cannot be understood: %s", why);
}

/* The place must still be the one where the part was stored. */
Repo *agent_part_open(AgentProcess *p, const char *repo_id, Error *err)
{
    Repo *repo = repo_open_at(p->ctx, p->job.repo, p->job.content, false, err);
    if (repo == NULL || str_equal(repo->id, repo_id))
        return repo;
    error_set(err, ERR_NOT_FOUND, "repository %s is not the one where the set's node %d was stored",
              storage_uri(repo->storage), p->job.content);
    error_hint(err, "Is --repo the same, and are the nodes named in the same order?");
    return NULL;
}

/* ---- publishing ---- */

static bool write_manifest(Repo *repo, const char *dir, const char *text, size_t len, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "copy");
    const char *path = mem_printf(tmp, "%s/manifest.jsonl", dir);
    AUTO(storage_writer_free)
    StorageWriter *w = storage_write_open(repo->storage, path, STORAGE_WRITE_ATOMIC, err);
    return w != NULL && storage_write(w, text, len, err) && storage_writer_commit(w, err);
}

/* A manifest that this program would not read must not stay. */
static bool prove_manifest(Repo *repo, const char *dir, int content, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "proof");
    const Manifest *m = manifest_read(repo->storage, tmp, dir, true, err);
    for (size_t i = 0; m != NULL && i < m->node_count; i++)
    {
        StorageInfo info;
        const NodeRecord *node = &m->nodes[i];
        if (node->content != content)
            continue;
        if (!storage_stat(repo->storage, mem_printf(tmp, "%s/%s", dir, node->chunks.path), &info,
                          err))
            return false;
        if (info.kind == STORAGE_FILE && info.size == node->chunks.bytes)
            return true;
    }
    return m != NULL && error_set(err, ERR_CORRUPT, "the manifest is not of the part that is here");
}

bool agent_publish(AgentProcess *p, json_t **ret_result, Error *err)
{
    json_error_t why;
    const char *repo_id;
    const char *fleet;
    const char *packed;
    char *text;
    size_t len;
    if (json_unpack_ex(p->job.more, &why, JSON_STRICT, "{s:s, s:s, s:s}", "repo_id", &repo_id,
                       "fleet", &fleet, "manifest", &packed) != 0)
        return bad_job(err, why.text);
    Repo *repo = agent_part_open(p, repo_id, err);
    if (repo == NULL || !agent_unpack(p->ctx, packed, &text, &len, err))
        return false;
    RepoSet *set = repo_set_take(repo, p->ctx, fleet, p->order.key, err);
    bool ok = set != NULL && write_manifest(repo, set->dir, text, len, err) &&
              prove_manifest(repo, set->dir, p->job.content, err);
    /* The coordinator discards what could not be published. */
    repo_set_end(set);
    *ret_result = ok ? json_object() : NULL;
    return ok;
}

bool agent_discard(AgentProcess *p, json_t **ret_result, Error *err)
{
    json_error_t why;
    const char *repo_id;
    const char *home;
    bool removed;
    if (json_unpack_ex(p->job.more, &why, JSON_STRICT, "{s:s, s:s}", "repo_id", &repo_id, "home",
                       &home) != 0)
        return bad_job(err, why.text);
    Repo *repo = agent_part_open(p, repo_id, err);
    if (repo == NULL ||
        !part_remove(repo, repo_set_dir(repo, p->ctx, p->order.key), home, &removed, err))
        return false;
    *ret_result = json_object();
    return true;
}

/* ---- verifying ---- */

static void count_bytes(void *arg, uint64_t bytes)
{
    AgentProcess *p = arg;
    atomic_store(&p->progress->bytes_done, bytes);
}

/* The copy here is the coordinator's manifest, byte by byte: then what it says of this node is what the
 * set says. */
static bool same_manifest(Repo *repo, const char *dir, const char *sha256, VerifyResult *result,
                          void *ctx, Error *err)
{
    char found[TAP_HEX_LEN];
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "manifest");
    if (!whole_object_sha256(repo->storage, mem_printf(tmp, "%s/manifest.jsonl", dir), found, err))
        return false;
    if (!str_equal(found, sha256))
        *mem_push(ctx, result->problems, result->problem_count, result->problem_capacity,
                  char *) = mem_printf(ctx, "the manifest in repository %s is not the set's",
                                       storage_uri(repo->storage));
    return true;
}

static json_t *verify_json(const VerifyResult *r)
{
    json_t *problems = json_array();
    for (size_t i = 0; i < r->problem_count; i++)
    {
        json_t *text = json_string(r->problems[i]);
        json_array_append_new(
            problems, text != NULL ? text : json_string("a problem whose text is not UTF-8"));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:o}", "objects", (json_int_t) r->objects, "chunks",
                     (json_int_t) r->chunks, "bytes", (json_int_t) r->bytes, "rows",
                     (json_int_t) r->rows, "problems", problems);
}

bool agent_verify(AgentProcess *p, bool quick, int jobs, json_t **ret_result, Error *err)
{
    json_error_t why;
    const char *repo_id;
    const char *sha256;
    char key[SET_KEY_LEN];
    char *dir;
    AUTO(storage_unlock) StorageLock *lock = NULL;
    VerifyResult result;
    if (json_unpack_ex(p->job.more, &why, JSON_STRICT, "{s:s, s:s}", "repo_id", &repo_id, "sha256",
                       &sha256) != 0)
        return bad_job(err, why.text);
    Repo *repo = agent_part_open(p, repo_id, err);
    if (repo == NULL || !repo_resolve(repo, p->ctx, p->order.key, NULL, key, &dir, &lock, err))
        return false;
    agent_monitor_phase(p->monitor, "running");
    if (!verify_set(repo, p->ctx, dir, quick, jobs, p->cancel, count_bytes, p, &result, err) ||
        !same_manifest(repo, dir, sha256, &result, p->ctx, err))
        return false;
    *ret_result = verify_json(&result);
    return true;
}

/* ---- expiring ---- */

static bool read_sweep(AgentProcess *p, PartSweep *sweep, Error *err)
{
    json_error_t why;
    json_t *keep;
    int dry_run;
    if (json_unpack_ex(p->job.more, &why, JSON_STRICT, "{s:s, s:o, s:b}", "home", &sweep->home,
                       "keep", &keep, "dry_run", &dry_run) != 0)
        return bad_job(err, why.text);
    sweep->keep_count = json_array_size(keep);
    const char **keys = mem_array(p->ctx, const char *, sweep->keep_count);
    for (size_t i = 0; i < sweep->keep_count; i++)
    {
        keys[i] = json_string_value(json_array_get(keep, i));
        if (keys[i] == NULL || !repo_key_is_date(keys[i]))
            return bad_job(err, "\"keep\" is no list of keys");
    }
    if (!json_is_array(keep))
        return bad_job(err, "\"keep\" is no list of keys");
    sweep->keep = keys;
    sweep->before = p->order.key;
    sweep->dry_run = dry_run != 0;
    return true;
}

bool agent_expire(AgentProcess *p, json_t **ret_result, Error *err)
{
    PartSweep sweep;
    ExpireResult result = {.count = 0};
    ExpireResult others = {.count = 0};
    Error missing = ERROR_INIT;
    if (!read_sweep(p, &sweep, err))
        return false;
    Repo *repo = repo_open_at(p->ctx, p->job.repo, p->job.content, false, &missing);
    if (repo == NULL && missing.code != ERR_NOT_FOUND)
    {
        *err = missing;
        return false;
    }
    /* An agent that was killed at once had no time to say whose part it made. */
    const ExpireRequest unfinished = {.dry_run = sweep.dry_run};
    if (repo != NULL && (!part_sweep(repo, p->ctx, &sweep, &result, err) ||
                         !retention_expire(repo, p->ctx, &unfinished, &others, err)))
        return false;
    json_t *removed = json_array();
    for (size_t i = 0; i < result.count; i++)
        json_array_append_new(removed, json_string(result.removed[i].key));
    for (size_t i = 0; i < others.count; i++)
        json_array_append_new(removed, json_string(others.removed[i].key));
    *ret_result = json_pack("{s:o}", "removed", removed);
    return true;
}
