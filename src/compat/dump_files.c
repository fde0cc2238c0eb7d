/* compat/dump_files.c - the contract is in dump_files.h. */
#include "compat/dump_files.h"

#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "repo/fold.h"

bool dump_files_wanted(const DumpRequest *r, int dbid)
{
    bool wanted = r->dbid_count == 0;
    for (size_t i = 0; i < r->dbid_count; i++)
        wanted = wanted || r->dbids[i] == dbid;
    return wanted;
}

char *dump_files_name(void *ctx, const DumpRequest *r, const char *key, const DumpNode *node,
                      DumpFileKind kind)
{
    bool script = kind == DUMP_SCRIPT || kind == DUMP_POST_DATA;
    int number = r->by_role ? r->role : node->content;
    char *name = dump_name(ctx, kind, r->prefix, number, node->dbid, key);
    return script && r->gzip ? mem_printf(ctx, "%s%s", name, DUMP_GZIP_SUFFIX) : name;
}

char *dump_files_path(void *ctx, const DumpRequest *r, const char *dir, const char *key,
                      const DumpNode *node, DumpFileKind kind)
{
    return mem_printf(ctx, "%s/%s", dir, dump_files_name(ctx, r, key, node, kind));
}

/* source: it has rows of the coordinator's tables, and no definitions of its own. */
static void name_files(void *ctx, const DumpRequest *r, const char *dir, const char *key,
                       DumpNode *node, bool source)
{
    unsigned sections = r->selection->sections;
    if (!dump_files_wanted(r, node->dbid) || (source && (sections & SELECT_DATA) == 0))
        return;
    node->script = dump_files_path(ctx, r, dir, key, node, DUMP_SCRIPT);
    if (!source && (sections & SELECT_POST_DATA) != 0)
        node->post_data = dump_files_path(ctx, r, dir, key, node, DUMP_POST_DATA);
}

static int content_of(const char *topology, int content)
{
    return str_equal(topology, "single") ? -1 : content;
}

void dump_files_fleet(void *ctx, const DumpRequest *r, const char *dir, DumpResult *result)
{
    const Fleet *fleet = r->fleet;
    result->nodes = mem_array(ctx, DumpNode, fleet->node_count);
    result->node_count = fleet->node_count;
    for (size_t i = 0; i < fleet->node_count; i++)
    {
        const FleetNode *from = &fleet->nodes[i];
        result->nodes[i] = (DumpNode){.content = content_of(fleet->topology, from->content),
                                      .dbid = dump_dbid(fleet, from->dbid),
                                      .host = from->spec.host == NULL ? "-" : from->spec.host,
                                      .port = from->spec.port == NULL ? 0 : atoi(from->spec.port),
                                      .database = pg_conn_spec_database(ctx, &from->spec)};
        name_files(ctx, r, dir, result->key, &result->nodes[i], fleet->engine != NULL && i > 0);
    }
}

void dump_files_set(void *ctx, const DumpRequest *r, const char *dir, const Manifest *m,
                    DumpResult *result)
{
    result->nodes = mem_array(ctx, DumpNode, m->node_count);
    result->node_count = m->node_count;
    for (size_t i = 0; i < m->node_count; i++)
    {
        const NodeRecord *from = &m->nodes[i];
        result->nodes[i] = (DumpNode){.content = content_of(m->set.topology, from->content),
                                      .dbid = dump_dbid(r->fleet, from->dbid),
                                      .host = from->host,
                                      .port = from->port,
                                      .database = from->database};
        name_files(ctx, r, dir, result->key, &result->nodes[i], fold_is_source(from));
    }
}

bool dump_files_backup(void *ctx, const DumpRequest *r, const char *repo, const char *key,
                       const BackupAgentWork *work, Supervisor *supervisor, BackupResult *ret,
                       Error *err)
{
    OptionsAction action;
    BackupRequest request = {.repo = NULL};
    const char *argv[] = {"pgark",
                          "backup",
                          "--dbname=postgres", /* who the nodes are is known */
                          work != NULL ? "--agent" : "--agent=no",
                          "--no-sync",
                          mem_printf(ctx, "--repo=%s", repo),
                          mem_printf(ctx, "--key=%s", key),
                          mem_printf(ctx, "--jobs=%d", r->jobs)};
    const Options *o = options_parse(ctx, (int) LENGTH_OF(argv), (char **) (uintptr_t) argv,
                                     &action, err);
    if (o == NULL || !cmd_backup_request(ctx, o, &request, err))
        return false;
    request.selection = r->selection;
    request.asked = r->line;
    request.work = work;
    if (r->pg_dump != NULL)
        request.pg_dump = r->pg_dump;
    return backup_run(ctx, r->fleet, &request, supervisor, r->progress, ret, err);
}

void dump_files_warn(const Manifest *m)
{
    for (size_t i = 0; i < m->node_count; i++)
    {
        const NodeRecord *node = &m->nodes[i];
        for (size_t w = 0; w < node->warning_count; w++)
            log_warning("database \"%s\": %s", node->database, node->warnings[w]);
    }
}
