/* agent/job.c - jobs as JSON and back; the contract is in job.h. */
#include "agent/job.h"

#include "base/str.h"
#include "repo/part.h"
#include "repo/record.h"

/* Bounds of lists, far beyond what there is: a reader allocates only for what it has seen. */
#define TEXT_MAX ((size_t) 1024 * 1024)

static bool bad_job(Error *err, const char *why)
{
    char shown[160];
    return error_set(err, ERR_USAGE, "the job cannot be understood: %s",
                     str_one_line(shown, sizeof(shown), why));
}

/* ---- every job ---- */

/* A pattern is in the database's encoding: what is not UTF-8 stands as {"hex":"<its bytes>"}. */
static json_t *text_json(const char *text)
{
    json_t *string = json_string(text);
    if (string != NULL)
        return string;
    size_t len = strlen(text);
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "hex");
    char *hex = mem_array(tmp, char, 2 * len + 1);
    str_hex(hex, text, len);
    return json_pack("{s:s}", "hex", hex);
}

static const char *text_of(void *ctx, json_t *value)
{
    const char *hex = json_string_value(json_object_get(value, "hex"));
    if (json_is_string(value))
        return json_string_value(value);
    if (hex == NULL || json_object_size(value) != 1 || strlen(hex) % 2 != 0 ||
        strspn(hex, "0123456789abcdef") != strlen(hex))
        return NULL;
    char *text = mem_array(ctx, char, strlen(hex) / 2 + 1);
    for (size_t i = 0; hex[2 * i] != '\0'; i++)
    {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        text[i] = (char) strtol(pair, NULL, 16);
    }
    return text;
}

static json_t *text_array(const char *const *texts, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, text_json(texts[i]));
    return array;
}

char *agent_job_write(void *ctx, const AgentJob *job, Error *err)
{
    json_error_t why;
    json_t *more = job->more == NULL ? json_object() : json_incref(job->more);
    json_t *root = json_pack_ex(&why, 0, "{s:s, s:i, s:s, s:s*, s:{s:i, s:s}, s:o, s:o}", "version",
                                PGARK_VERSION, "content", job->content, "repo", job->repo,
                                "password", job->password, "watch", "pid", job->watch.pid,
                                "started", job->watch.started, "arguments",
                                text_array(job->arguments, job->argument_count), "more", more);
    bool whole = root != NULL &&
                 json_array_size(json_object_get(root, "arguments")) == job->argument_count;
    char *text = whole ? json_dumps(root, JSON_COMPACT) : NULL;
    char *copy = mem_strdup(ctx, text);
    free(text);
    json_decref(root);
    if (copy == NULL)
        error_set(err, ERR_USAGE, "the repository's path, a name or a password is not valid UTF-8");
    return copy;
}

static bool read_texts(void *ctx, json_t *array, const char ***ret, size_t *ret_count, Error *err)
{
    *ret_count = json_array_size(array);
    *ret = mem_array(ctx, const char *, *ret_count + 1);
    for (size_t i = 0; i < *ret_count; i++)
    {
        (*ret)[i] = text_of(ctx, json_array_get(array, i));
        if ((*ret)[i] == NULL || strlen((*ret)[i]) > TEXT_MAX)
            return bad_job(err, "a list holds something else than texts");
    }
    return true;
}

static bool check_version(json_t *job, Error *err)
{
    const char *version = json_string_value(json_object_get(job, "version"));
    char shown[64];
    if (version == NULL)
        return bad_job(err, "it has no version");
    if (str_equal(version, PGARK_VERSION))
        return true;
    error_set(err, ERR_USAGE, "the program of the agent is pgark %s, the coordinator is %s",
              PGARK_VERSION, str_one_line(shown, sizeof(shown), version));
    return error_hint(err, "Install the same version on all hosts.");
}

bool agent_job_read(void *ctx, const AgentOrder *order, AgentJob *ret, Error *err)
{
    json_error_t why;
    const char *version;
    json_t *arguments;
    memset(ret, 0, sizeof(*ret));
    /* A job of another version may have other fields: the version is what to tell then. */
    if (!check_version(order->job, err))
        return false;
    if (json_unpack_ex(order->job, &why, JSON_STRICT,
                       "{s:s, s:i, s:s, s?s, s:{s:i, s:s}, s:o, s:o}", "version", &version,
                       "content", &ret->content, "repo", &ret->repo, "password", &ret->password,
                       "watch", "pid", &ret->watch.pid, "started", &ret->watch.started, "arguments",
                       &arguments, "more", &ret->more) != 0)
        return bad_job(err, why.text);
    if (!json_is_array(arguments) || !json_is_object(ret->more))
        return bad_job(err, "\"arguments\" must be a list and \"more\" an object");
    if (ret->content < -1 || ret->watch.pid < 1)
        return bad_job(err, "an impossible content id or process id");
    if (!repo_place_is_absolute(ret->repo))
        return bad_job(err, "the repository is no absolute path");
    return read_texts(ctx, arguments, &ret->arguments, &ret->argument_count, err);
}

bool agent_job_read_plain(void *ctx, const AgentOrder *order, AgentJob *ret, Error *err)
{
    json_error_t why;
    json_t *arguments;
    memset(ret, 0, sizeof(*ret));
    ret->content = order->server.content;
    if (json_unpack_ex(order->job, &why, JSON_STRICT, "{s?s, s:o, s:o}", "password", &ret->password,
                       "arguments", &arguments, "more", &ret->more) != 0)
        return bad_job(err, why.text);
    if (!json_is_array(arguments) || !json_is_object(ret->more))
        return bad_job(err, "\"arguments\" must be a list and \"more\" an object");
    return read_texts(ctx, arguments, &ret->arguments, &ret->argument_count, err);
}

/* ---- the scope of a backup ---- */

static json_t *parts_json(const NodeScope *scope)
{
    json_t *parts = json_array();
    for (size_t i = 0; i < scope->part_count; i++)
    {
        const ScopePart *p = &scope->parts[i];
        json_array_append_new(
            parts, json_pack("{s:s, s:s, s:I, s:I, s:s*, s:s*}", "schema", p->schema, "name",
                             p->name, "table_oid", (json_int_t) p->table_oid, "shard_id",
                             (json_int_t) p->shard_id, "min", p->min, "max", p->max));
    }
    return parts;
}

static json_t *names_json(const NodeScope *scope)
{
    json_t *names = json_array();
    for (size_t i = 0; i < scope->sequence_count; i++)
        json_array_append_new(names, json_pack("{s:s, s:s}", "schema", scope->sequences[i].schema,
                                               "name", scope->sequences[i].name));
    return names;
}

static json_t *scope_json(const NodeScope *scope)
{
    json_t *spread = json_array();
    if (scope == NULL)
    {
        json_decref(spread);
        return json_null();
    }
    for (size_t i = 0; i < scope->spread_count; i++)
        json_array_append_new(spread, json_integer((json_int_t) scope->spread[i]));
    return json_pack("{s:b, s:s*, s:o, s:o, s:o}", "catalogue", (int) scope->catalogue, "hide",
                     scope->hide, "spread", spread, "parts", parts_json(scope), "sequences",
                     names_json(scope));
}

static bool read_part(json_t *object, ScopePart *part, Error *err)
{
    json_error_t why;
    json_int_t oid;
    json_int_t shard;
    if (json_unpack_ex(object, &why, JSON_STRICT, "{s:s, s:s, s:I, s:I, s?s, s?s}", "schema",
                       &part->schema, "name", &part->name, "table_oid", &oid, "shard_id", &shard,
                       "min", &part->min, "max", &part->max) != 0)
        return bad_job(err, why.text);
    if (oid < 1 || oid > UINT32_MAX || shard < 0)
        return bad_job(err, "an impossible part of a table");
    part->table_oid = (uint32_t) oid;
    part->shard_id = shard;
    return true;
}

static bool read_parts(void *ctx, json_t *array, NodeScope *scope, Error *err)
{
    scope->part_count = json_array_size(array);
    ScopePart *parts = mem_array(ctx, ScopePart, scope->part_count);
    for (size_t i = 0; i < scope->part_count; i++)
    {
        if (!read_part(json_array_get(array, i), &parts[i], err))
            return false;
    }
    scope_sort(parts, scope->part_count);
    scope->parts = parts;
    return true;
}

static bool read_spread(void *ctx, json_t *array, NodeScope *scope, Error *err)
{
    scope->spread_count = json_array_size(array);
    uint32_t *oids = mem_array(ctx, uint32_t, scope->spread_count);
    for (size_t i = 0; i < scope->spread_count; i++)
    {
        json_int_t oid = json_integer_value(json_array_get(array, i));
        if (oid < 1 || oid > UINT32_MAX || (i > 0 && (uint32_t) oid <= oids[i - 1]))
            return bad_job(err, "\"spread\" is no sorted list of oids");
        oids[i] = (uint32_t) oid;
    }
    scope->spread = oids;
    return true;
}

static bool read_names(void *ctx, json_t *array, NodeScope *scope, Error *err)
{
    json_error_t why;
    scope->sequence_count = json_array_size(array);
    ScopeName *names = mem_array(ctx, ScopeName, scope->sequence_count);
    for (size_t i = 0; i < scope->sequence_count; i++)
    {
        if (json_unpack_ex(json_array_get(array, i), &why, JSON_STRICT, "{s:s, s:s}", "schema",
                           &names[i].schema, "name", &names[i].name) != 0)
            return bad_job(err, why.text);
    }
    scope->sequences = names;
    return true;
}

static bool read_scope(void *ctx, json_t *object, const NodeScope **ret, Error *err)
{
    json_error_t why;
    json_t *spread;
    json_t *parts;
    json_t *sequences;
    int catalogue;
    *ret = NULL;
    if (json_is_null(object))
        return true;
    NodeScope *scope = mem_new(ctx, NodeScope);
    if (json_unpack_ex(object, &why, JSON_STRICT, "{s:b, s?s, s:o, s:o, s:o}", "catalogue",
                       &catalogue, "hide", &scope->hide, "spread", &spread, "parts", &parts,
                       "sequences", &sequences) != 0)
        return bad_job(err, why.text);
    scope->catalogue = catalogue != 0;
    *ret = scope;
    return read_spread(ctx, spread, scope, err) && read_parts(ctx, parts, scope, err) &&
           read_names(ctx, sequences, scope, err);
}

/* ---- the backup of a node ---- */

json_t *agent_backup_job_write(const AgentBackupJob *job, Error *err)
{
    json_error_t why;
    json_t *snapshot = record_encode(LINE_HOLD_NODE, &job->snapshot, err);
    if (snapshot == NULL)
        return NULL;
    json_t *more = json_pack_ex(&why, 0, "{s:i, s:b, s:s, s:s, s:o, s:o}", "dbid", job->dbid,
                                "globals", (int) job->globals, "home", job->home, "fleet",
                                job->fleet, "snapshot", snapshot, "scope", scope_json(job->scope));
    if (more == NULL)
        error_set(err, ERR_INTERNAL, "a job cannot be written: %s", why.text);
    return more;
}

bool agent_backup_job_read(void *ctx, json_t *more, AgentBackupJob *ret, Error *err)
{
    json_error_t why;
    json_t *snapshot;
    json_t *scope;
    ManifestLine line;
    int globals;
    memset(ret, 0, sizeof(*ret));
    if (json_unpack_ex(more, &why, JSON_STRICT, "{s:i, s:b, s:s, s:s, s:o, s:o}", "dbid",
                       &ret->dbid, "globals", &globals, "home", &ret->home, "fleet", &ret->fleet,
                       "snapshot", &snapshot, "scope", &scope) != 0)
        return bad_job(err, why.text);
    memset(&line, 0, sizeof(line));
    Error record = ERROR_INIT;
    if (!json_is_object(snapshot) || !record_decode(ctx, snapshot, &line, &record) ||
        line.type != LINE_HOLD_NODE)
        return bad_job(err, error_is_set(&record) ? record.message : "\"snapshot\" is none");
    ret->snapshot = line.u.hold_node;
    ret->globals = globals != 0;
    return read_scope(ctx, scope, &ret->scope, err);
}
