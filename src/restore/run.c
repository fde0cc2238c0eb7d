/* restore/run.c - the restore of one node (restore_node_run in node.h). */
#include "base/parallel.h"
#include "base/str.h"
#include "restore/data.h"
#include "restore/large_objects.h"
#include "restore/node.h"
#include "restore/route.h"
#include "restore/schedule.h"
#include "restore/target.h"

/* What a connection's session has been set to, so that a SET is sent only when it changes. */
typedef struct Session
{
    PgConn *conn;
    const char *tablespace;
    const char *table_am;
} Session;

static bool set_once(PgConn *conn, const char **current, const char *wanted, Error *err)
{
    if (wanted == NULL || (*current != NULL && strcmp(*current, wanted) == 0))
        return true;
    *current = wanted;
    return pg_exec(conn, wanted, err);
}

static bool run_entry(RestoreNode *node, Session *session, const DdlEntry *entry, Error *err)
{
    if (set_once(session->conn, &session->tablespace, entry->set_tablespace, err) &&
        set_once(session->conn, &session->table_am, entry->set_table_am, err) &&
        pg_exec(session->conn, entry->sql, err))
    {
        atomic_fetch_add(&node->progress->chunks_done, 1);
        return true;
    }
    char label[200];
    error_prefix(err, "%s", str_one_line(label, sizeof(label), entry->label));
    return error_node(err, node->label);
}

static bool run_pass(RestoreNode *node, Session *session, DdlPass pass, Error *err)
{
    for (size_t i = 0; i < node->ddl->entry_count; i++)
    {
        const DdlEntry *entry = &node->ddl->entries[i];
        if (entry->pass == pass &&
            (!cancel_check(node->cancel, err) || !run_entry(node, session, entry, err)))
            return false;
    }
    return true;
}

static bool connect_all(RestoreNode *node, Error *err)
{
    node->main = target_connect(node, "restore", err);
    node->workers = mem_array(node->ctx, PgConn *, node->request->jobs);
    for (int i = 0; node->main != NULL && i < node->request->jobs; i++)
    {
        node->workers[i] = target_connect(node, "worker", err);
        if (node->workers[i] == NULL)
            return false;
    }
    return node->main != NULL;
}

static bool quote_tables(RestoreNode *node, Error *err)
{
    for (size_t i = 0; i < node->table_count; i++)
    {
        RestoreTable *t = &node->tables[i];
        AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "columns");
        Str *list = str_new(tmp);
        t->quoted = pg_quote_table(node->ctx, node->main, t->record->schema, t->record->name, err);
        if (t->quoted == NULL)
            return false;
        for (size_t c = 0; c < t->record->column_count; c++)
        {
            char *column = pg_quote_ident(tmp, node->main, t->record->columns[c], err);
            if (column == NULL)
                return false;
            str_addf(list, "%s%s", c == 0 ? "" : ", ", column);
        }
        t->column_list = mem_strdup(node->ctx, list->data);
    }
    return true;
}

typedef struct Work
{
    RestoreNode *node;
    Schedule *schedule;
} Work;

static bool do_task(RestoreNode *node, size_t worker, DataLoader *loader, Session *session,
                    const Task *task, Error *err)
{
    bool ddl = task->kind == TASK_DDL;
    const char *what = ddl ? node->ddl->entries[task->entry].label
                           : node->tables[task->table].quoted;
    progress_current(node->progress_all, node->progress_index, worker, what);
    if (ddl)
        return run_entry(node, session, &node->ddl->entries[task->entry], err);
    if (!data_load(loader, task, err))
        return false;
    size_t chunks = task->kind == TASK_TABLE ? node->tables[task->table].chunk_count : 1;
    atomic_fetch_add(&node->progress->chunks_done, chunks);
    return true;
}

/* One worker: tasks until there are none. */
static bool work(void *arg, size_t i, Error *err)
{
    Work *w = arg;
    PgConn *conn = w->node->workers[i];
    AUTO(data_loader_free) DataLoader *loader = data_loader_new(w->node, conn);
    Session session = {.conn = conn};
    Task task;
    bool ok = true;
    while (ok && schedule_next(w->schedule, &task))
    {
        ok = cancel_check(w->node->cancel, err) &&
             do_task(w->node, i, loader, &session, &task, err);
        schedule_done(w->schedule, &task);
    }
    if (!ok)
        schedule_stop(w->schedule);
    progress_current(w->node->progress_all, w->node->progress_index, i, NULL);
    return ok;
}

static bool run_data_and_indexes(RestoreNode *node, Error *err)
{
    AUTO(schedule_free) Schedule *schedule = schedule_new(node);
    Work w = {.node = node, .schedule = schedule};
    return parallel_run((size_t) node->request->jobs, work, &w, node->cancel, err);
}

#define SETVALS_PER_QUERY 200

static bool set_sequences(RestoreNode *node, Error *err)
{
    const Manifest *m = node->manifest;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sequences");
    Str *sql = str_new(tmp);
    size_t pending = 0;
    for (size_t i = 0; i < m->sequence_count; i++)
    {
        const SequenceRecord *s = &m->sequences[i];
        if (s->content != node->record->content)
            continue;
        char *table = pg_quote_table(tmp, node->main, s->schema, s->name, err);
        char *name = table == NULL ? NULL : pg_quote_literal(tmp, node->main, table, err);
        if (name == NULL)
            return false;
        str_addf(sql, "SELECT pg_catalog.setval(%s, %" PRId64 ", %s);", name, s->last_value,
                 s->is_called ? "true" : "false");
        if (++pending % SETVALS_PER_QUERY == 0)
        {
            if (!pg_exec(node->main, sql->data, err))
                return error_prefix(err, "could not set the sequences");
            str_clear(sql);
        }
    }
    return sql->len == 0 || pg_exec(node->main, sql->data, err) ||
           error_prefix(err, "could not set the sequences");
}

/* ANALYZE: every table, by the workers, biggest first. A partitioned table's own statistics need
 * its leaves, which ANALYZE of the root reads, too; so only roots are listed. */
typedef struct Analyze
{
    RestoreNode *node;
    const PGresult *tables;
    atomic_int next;
} Analyze;

static bool analyze_some(void *arg, size_t worker, Error *err)
{
    Analyze *a = arg;
    RestoreNode *node = a->node;
    PgConn *conn = node->workers[worker];
    bool ok = true;
    int i;
    while (ok && (i = atomic_fetch_add(&a->next, 1)) < PQntuples(a->tables))
    {
        AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "analyze");
        char *name = pg_quote_table(tmp, conn, pg_cell(a->tables, i, 0), pg_cell(a->tables, i, 1),
                                    err);
        if (name != NULL)
            progress_current(node->progress_all, node->progress_index, worker, name);
        ok = name != NULL && cancel_check(node->cancel, err) &&
             pg_exec(conn, mem_printf(tmp, "ANALYZE %s", name), err);
    }
    progress_current(node->progress_all, node->progress_index, worker, NULL);
    return ok;
}

static bool analyze(RestoreNode *node, Error *err)
{
    AUTO(PQclear)
    PGresult *tables = pg_query(
        node->main,
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'"
        " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " ORDER BY coalesce((SELECT sum(pg_catalog.pg_relation_size(t.relid))"
        "  FROM pg_catalog.pg_partition_tree(c.oid) t), pg_catalog.pg_relation_size(c.oid)) DESC",
        0, NULL, err);
    if (tables == NULL)
        return error_prefix(err, "could not list the tables to analyze");
    Analyze a = {.node = node, .tables = tables};
    return parallel_run((size_t) node->request->jobs, analyze_some, &a, node->cancel, err) ||
           error_prefix(err, "ANALYZE");
}

static bool set_properties(RestoreNode *node, Error *err)
{
    for (size_t i = 0; node->created && i < node->ddl->database_property_count; i++)
    {
        if (!pg_exec(node->main, node->ddl->database_properties[i], err))
            return error_prefix(err, "properties of database \"%s\"", node->database);
    }
    return true;
}

static void count_result(RestoreNode *node)
{
    for (size_t i = 0; i < node->table_count; i++)
    {
        node->rows += node->tables[i].record->rows;
        node->logical += node->tables[i].record->logical;
    }
    node->statements = node->ddl->entry_count;
}

bool restore_node_run(RestoreNode *node, Error *err)
{
    Session session = {.conn = NULL};
    progress_phase(node->progress_all, "schema");
    if ((node->request->create && !target_create(node, err)) || !connect_all(node, err))
        return error_node(err, node->label);
    session.conn = node->main;
    node->touched = true;
    atomic_store(&node->progress->chunks_total, node->ddl->entry_count + node->chunk_count);
    if (!run_pass(node, &session, DDL_PRE_DATA, err) || !quote_tables(node, err) ||
        !route_tables(node, err) || !large_objects_restore(node, err))
        return error_node(err, node->label);
    progress_phase(node->progress_all, "data and indexes");
    if (!run_data_and_indexes(node, err) || !set_sequences(node, err))
        return error_node(err, node->label);
    progress_phase(node->progress_all, "finishing");
    if ((node->request->analyze && !analyze(node, err)) ||
        !run_pass(node, &session, DDL_ACL, err) || !run_pass(node, &session, DDL_LAST, err) ||
        !set_properties(node, err))
        return error_node(err, node->label);
    count_result(node);
    atomic_store(&node->progress->finished, true);
    return true;
}
