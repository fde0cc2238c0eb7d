/* restore/run.c - the restore of one node (restore_node_run in node.h). */
#include "base/parallel.h"
#include "base/str.h"
#include "pg/sql_token.h"
#include "restore/before.h"
#include "restore/budget.h"
#include "restore/clean.h"
#include "restore/data.h"
#include "restore/entry.h"
#include "restore/journal.h"
#include "restore/large_objects.h"
#include "restore/node.h"
#include "restore/refill.h"
#include "restore/refresh.h"
#include "restore/route.h"
#include "restore/sequences.h"
#include "restore/split.h"
#include "restore/sql_text.h"
#include "restore/target.h"
#include "restore/work.h"

/* What a connection's session has been set to, so that a SET is sent only when it changes. */
typedef struct Session
{
    PgConn *conn;
    const char *tablespace;
    const char *table_am;
    BudgetGrant grant;
} Session;

static bool set_once(PgConn *conn, const char **current, const char *wanted, Error *err)
{
    if (wanted == NULL || (*current != NULL && strcmp(*current, wanted) == 0))
        return true;
    *current = NULL;
    if (!pg_exec(conn, wanted, err))
        return false;
    *current = wanted;
    return true;
}

/* Without its dependencies an object may name what is not there. */
static void hint_dependencies(const RestoreNode *node, Error *err)
{
    static const char *const undefined[] = {"42P01", "42704", "42883", "3F000", "42703", NULL};
    if (!selection_is_all(&node->selection) && !node->request->with_dependencies &&
        entry_is_any(err->sqlstate, undefined))
        error_hint(err, "Use --with-dependencies to restore what the chosen objects depend on.");
}

/* Parts of one object follow each other; when one has failed or was passed over, that has been said. */
static bool is_part_of_failed(const RestoreNode *node, const DdlEntry *entry)
{
    for (size_t i = 0; i < entry->need_count; i++)
    {
        const DdlEntry *before = &node->ddl->entries[entry->needs[i]];
        if (before->toc == entry->toc && before->failed)
            return true;
    }
    return false;
}

/* The statements of an entry, each by itself: a server may pass on what it is sent as a whole. A
 * semicolon within parentheses is one of a rule's. */
static bool run_each(RestoreNode *node, PgConn *conn, const DdlEntry *entry, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "statements");
    SqlScanner s = {entry->sql, node->ddl->std_strings};
    SqlToken t;
    const char *start = entry->sql;
    int depth = 0;
    bool more = true;
    while (more)
    {
        more = sql_token_next(&s, &t);
        if (more && t.kind == SQL_TOKEN_OTHER && (*t.start == '(' || *t.start == ')'))
            depth += *t.start == '(' ? 1 : -1;
        if (more && (t.kind != SQL_TOKEN_SEMICOLON || depth > 0))
            continue;
        const char *end = more ? t.start : start + strlen(start);
        const char *sql = mem_strndup(tmp, start, (size_t) (end - start));
        if (!sql_text_is_blank(sql) &&
            !pg_exec(conn, node->cluster->statement(tmp, sql, node->ddl->std_strings), err))
            return false;
        start = more ? end + 1 : end;
    }
    return true;
}

static bool run_singly(RestoreNode *node, PgConn *conn, const DdlEntry *entry, JournalItem item,
                       Error *err)
{
    bool own = PQtransactionStatus(conn->raw) == PQTRANS_IDLE;
    if ((!own || pg_exec(conn, "BEGIN", err)) && journal_done(node->journal, conn, item, err) &&
        run_each(node, conn, entry, err) && (!own || pg_exec(conn, "COMMIT", err)))
        return true;
    if (own)
        pg_rollback(conn);
    return false;
}

static bool run_sql(RestoreNode *node, PgConn *conn, const DdlEntry *entry, JournalItem item,
                    Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "definition");
    if (node->single_statements && entry->pass != DDL_PRE_DATA)
        return run_singly(node, conn, entry, item, err);
    const char *note = journal_note(tmp, node->journal, item);
    return pg_exec(conn, mem_printf(tmp, "%s%s", note, entry->sql), err);
}

static bool run_entry(RestoreNode *node, Session *session, DdlEntry *entry, Error *err)
{
    JournalItem item = journal_definition(entry);
    if (journal_has(node->journal, item))
    {
        atomic_fetch_add(&node->progress->chunks_done, 1);
        return true;
    }
    entry->failed = is_part_of_failed(node, entry);
    if (entry->failed)
        return true;
    entry->failed = !outcome_begin(node->outcome, entry->toc, entry->label);
    if (entry->failed)
        return true;
    if (set_once(session->conn, &session->tablespace, entry->set_tablespace, err) &&
        set_once(session->conn, &session->table_am, entry->set_table_am, err) &&
        run_sql(node, session->conn, entry, item, err))
    {
        atomic_fetch_add(&node->progress->chunks_done, 1);
        return true;
    }
    char label[200];
    entry->failed = true;
    if (outcome_failed(node->outcome, entry->toc, entry->label, err))
        return true;
    error_prefix(err, "%s", str_one_line(label, sizeof(label), entry->label));
    hint_dependencies(node, err);
    return error_node(err, node->label);
}

static bool run_pass(RestoreNode *node, Session *session, DdlPass pass, Error *err)
{
    for (size_t i = 0; i < node->ddl->entry_count; i++)
    {
        DdlEntry *entry = &node->ddl->entries[i];
        if (entry->pass == pass &&
            (!cancel_check(node->cancel, err) || !run_entry(node, session, entry, err)))
            return false;
    }
    return true;
}

static bool connect_all(RestoreNode *node, Error *err)
{
    node->main = target_connect(node, "restore", err);
    node->workers = mem_array(node->ctx, PgConn *, node->jobs);
    for (int i = 0; node->main != NULL && i < node->jobs; i++)
    {
        node->workers[i] = target_connect(node, "worker", err);
        if (node->workers[i] == NULL)
            return false;
    }
    return node->main != NULL;
}

static char *quote_columns(RestoreNode *node, const TableRecord *record, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "columns");
    Str *list = str_new(tmp);
    for (size_t c = 0; c < record->column_count; c++)
    {
        char *column = pg_quote_ident(tmp, node->main, record->columns[c], err);
        if (column == NULL)
            return NULL;
        str_addf(list, "%s%s", c == 0 ? "" : ", ", column);
    }
    return mem_strdup(node->ctx, list->data);
}

static bool quote_parts(RestoreNode *node, Error *err)
{
    node->part_columns = mem_array(node->ctx, char *, node->fold->count);
    for (size_t i = 0; i < node->fold->count; i++)
    {
        const FoldedPart *part = &node->fold->parts[i];
        if (restore_node_table(node, part->table_oid) == NULL)
            continue;
        node->part_columns[i] = quote_columns(node, &part->record, err);
        if (node->part_columns[i] == NULL)
            return false;
    }
    return true;
}

static bool quote_tables(RestoreNode *node, Error *err)
{
    for (size_t i = 0; i < node->table_count; i++)
    {
        RestoreTable *t = &node->tables[i];
        t->quoted = pg_quote_table(node->ctx, node->main, t->schema, t->record->name, err);
        t->column_list = t->quoted == NULL ? NULL : quote_columns(node, t->record, err);
        if (t->column_list == NULL)
            return false;
    }
    return quote_parts(node, err);
}

typedef struct Crew
{
    RestoreNode *node;
    Schedule *schedule;
    AnalyzeList analyze;
    Budget budget;
} Crew;

/* What a worker has for itself. */
typedef struct Worker
{
    Crew *crew;
    size_t number;
    Session session;
    DataLoader *loader;
} Worker;

static bool load(Worker *w, const Task *task, Error *err)
{
    RestoreNode *node = w->crew->node;
    RestoreTable *t = &node->tables[task->table];
    if (!outcome_rows_begin(node->outcome, t->record->oid, t->quoted))
    {
        t->failed = true;
        return true;
    }
    if (!data_load(w->loader, task, err))
    {
        t->failed = true;
        return outcome_rows_failed(node->outcome, t->quoted, err);
    }
    atomic_fetch_add(&node->progress->chunks_done, data_task_chunks(node, task));
    return true;
}

static bool prove(Worker *w, const Task *task, Error *err)
{
    RestoreNode *node = w->crew->node;
    return node->cluster->prove(node, w->session.conn, task->table, err) ||
           error_node(err, node->label);
}

static bool run_statement(Worker *w, const Task *task, Error *err)
{
    DdlEntry *entry = &w->crew->node->ddl->entries[task->entry];
    const Budget *b = &w->crew->budget;
    BudgetGrant grant = entry->work == DDL_WORK_BUILD ? budget_sort(b, task->shares, task->bytes)
                                                      : budget_check(b, task->shares);
    if (entry->work != DDL_WORK_CATALOG &&
        !budget_apply(w->session.conn, grant, &w->session.grant, err))
        return error_node(err, w->crew->node->label);
    return run_entry(w->crew->node, &w->session, entry, err);
}

static bool analyze(Worker *w, const Task *task, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "analyze");
    const char *name = w->crew->analyze.targets[task->entry].quoted;
    const Journal *journal = w->crew->node->journal;
    JournalItem item = journal_analyze(name);
    if (journal_has(journal, item))
        return true;
    const char *sql = mem_printf(tmp, "ANALYZE %s", name);
    const char *note = journal_note(tmp, journal, item);
    return pg_exec(w->session.conn, mem_printf(tmp, "%s%s", note, sql), err) ||
           outcome_other_failed(w->crew->node->outcome, sql, err) || error_prefix(err, "%s", sql);
}

/* One of a cluster's steps, if it has it. */
static bool do_step(RestoreNode *node, RestoreClusterStep step, Error *err)
{
    return step == NULL || step(node, err);
}

/* Sequences and privileges: nobody else has the main connection while the workers run. */
static bool run_on_main(RestoreNode *node, TaskKind kind, Error *err)
{
    Session session = {.conn = node->main};
    /* Some may be unlogged, and begin anew after a crash. */
    JournalItem item = {.kind = JOURNAL_STEP, .id = JOURNAL_SEQUENCES, .unlogged = true};
    if (kind == TASK_ACL)
        return run_pass(node, &session, DDL_ACL, err);
    return journal_has(node->journal, item) ||
           (sequences_set(node, err) &&
            (node->cluster == NULL || do_step(node, node->cluster->sequences, err)) &&
            journal_done(node->journal, node->main, item, err));
}

static const char *task_name(const Crew *crew, const Task *task)
{
    switch (task->kind)
    {
    case TASK_TABLE:
    case TASK_CHUNK:
    case TASK_PART:
    case TASK_PROOF:
        return crew->node->tables[task->table].quoted;
    case TASK_DDL:
        return crew->node->ddl->entries[task->entry].label;
    case TASK_ANALYZE:
        return crew->analyze.targets[task->entry].quoted;
    case TASK_SEQUENCES:
        return "sequences";
    case TASK_ACL:
        return "privileges";
    }
    return "";
}

static bool do_task(Worker *w, const Task *task, Error *err)
{
    RestoreNode *node = w->crew->node;
    progress_current(node->progress_all, node->progress_index, w->number, task_name(w->crew, task));
    switch (task->kind)
    {
    case TASK_TABLE:
    case TASK_CHUNK:
    case TASK_PART:
        return load(w, task, err);
    case TASK_PROOF:
        return prove(w, task, err);
    case TASK_DDL:
        return run_statement(w, task, err);
    case TASK_ANALYZE:
        return analyze(w, task, err);
    case TASK_SEQUENCES:
    case TASK_ACL:
        return run_on_main(node, task->kind, err);
    }
    return error_set(err, ERR_INTERNAL, "a task of kind %d", (int) task->kind);
}

/* One worker: tasks until there are none. */
static bool work(void *arg, size_t i, Error *err)
{
    Crew *crew = arg;
    RestoreNode *node = crew->node;
    PgConn *conn = node->workers[i];
    AUTO(data_loader_free) DataLoader *loader = data_loader_new(node, conn);
    Worker w = {.crew = crew, .number = i, .session = {.conn = conn}, .loader = loader};
    Task task;
    bool ok = true;
    while (ok && schedule_next(crew->schedule, &task))
    {
        ok = cancel_check(node->cancel, err) && do_task(&w, &task, err);
        schedule_done(crew->schedule, &task);
    }
    /* A pooler may give the session to somebody else. */
    ok = ok && budget_reset(conn, &w.session.grant, err);
    if (!ok)
        schedule_stop(crew->schedule);
    progress_current(node->progress_all, node->progress_index, i, NULL);
    return ok;
}

static bool run_tasks(RestoreNode *node, Error *err)
{
    Crew crew = {.node = node};
    int jobs = node->jobs;
    if (!budget_read(node->main, jobs, node->request->memory, &crew.budget, err) ||
        (node->request->analyze && !analyze_list(node, &crew.analyze, err)))
        return false;
    AUTO(schedule_free) Schedule *schedule = work_plan(node, &crew.analyze, err);
    crew.schedule = schedule;
    return schedule != NULL && parallel_run((size_t) jobs, work, &crew, node->cancel, err);
}

static bool set_properties(RestoreNode *node, Error *err)
{
    for (size_t i = 0; node->created && i < node->ddl->database_property_count; i++)
    {
        if (!pg_exec(node->main, node->ddl->database_properties[i], err) &&
            !outcome_other_failed(node->outcome, "properties of the database", err))
            return error_prefix(err, "properties of database \"%s\"", node->database);
    }
    return true;
}

static bool make_schema(RestoreNode *node, const char *schema, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "schema");
    const char *name = pg_quote_ident(tmp, node->main, schema, err);
    if (name == NULL)
        return false;
    AUTO(PQclear)
    PGresult *res = pg_query(node->main, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1",
                             1, &schema, err);
    /* IF NOT EXISTS needs the right to make it also where it is there. */
    return res != NULL &&
           (PQntuples(res) > 0 ||
            pg_exec(node->main, mem_printf(tmp, "CREATE SCHEMA IF NOT EXISTS %s", name), err));
}

/* Schemas that the archive does not make itself. */
static bool make_schemas(RestoreNode *node, Error *err)
{
    for (size_t i = 0; i < node->new_schema_count; i++)
    {
        if (!make_schema(node, node->new_schemas[i], err))
            return error_prefix(err, "schema \"%s\"", node->new_schemas[i]);
    }
    return true;
}

/* What is in the way, and what the new objects go into. A journal is begun when the first of what
 * cannot be taken back has been done, or nothing of it. */
static bool make_room(RestoreNode *node, Error *err)
{
    bool clean = node->request->clean && !node->request->create && !node->resumed;
    return (!clean || clean_target(node, err)) && journal_begin(node, err) &&
           make_schemas(node, err) && refill_truncate(node, err);
}

static bool note_complete(RestoreNode *node, Error *err)
{
    JournalItem item = {.kind = JOURNAL_STEP, .id = JOURNAL_COMPLETE};
    before_rows(node);
    atomic_store(&node->progress->finished, true);
    return journal_is(node->journal, JOURNAL_COMPLETE) ||
           journal_done(node->journal, node->main, item, err);
}

bool restore_node_run(RestoreNode *node, Error *err)
{
    Session session = {.conn = NULL};
    progress_phase(node->progress_all, "schema");
    bool create = node->request->create && !node->resumed && !node->fills;
    node->created = node->request->create;
    if ((create && !target_create(node, err)) ||
        (create && node->cluster != NULL && !do_step(node, node->cluster->create, err)) ||
        !connect_all(node, err))
        return error_node(err, node->label);
    node->statements = node->ddl->entry_count;
    if (journal_is(node->journal, JOURNAL_COMPLETE))
    {
        before_definitions(node);
        return note_complete(node, err);
    }
    session.conn = node->main;
    atomic_store(&node->progress->chunks_total, node->ddl->entry_count + node->chunk_count);
    if (!make_room(node, err))
        return error_node(err, node->label);
    node->touched = true;
    if (!run_pass(node, &session, DDL_PRE_DATA, err) || !quote_tables(node, err) ||
        (node->cluster != NULL && !do_step(node, node->cluster->spread, err)) ||
        !route_tables(node, err) || !large_objects_restore(node, err))
        return error_node(err, node->label);
    if (!refresh_statements(node, err))
        return error_node(err, node->label);
    if (node->cluster == NULL || !node->cluster->whole_statements)
        split_statements(node);
    before_definitions(node);
    atomic_store(&node->progress->chunks_total, node->ddl->entry_count + node->chunk_count);
    progress_phase(node->progress_all, "data and indexes");
    if (!run_tasks(node, err) ||
        (node->cluster != NULL && !do_step(node, node->cluster->finish, err)))
        return error_node(err, node->label);
    progress_phase(node->progress_all, "finishing");
    if (!set_properties(node, err))
        return error_node(err, node->label);
    return note_complete(node, err) || error_node(err, node->label);
}

/* Within a transaction, which a statement that fails and is passed over must not end. */
static bool run_last(RestoreNode *node, Error *err)
{
    Session session = {.conn = node->main};
    for (size_t i = 0; i < node->ddl->entry_count; i++)
    {
        DdlEntry *entry = &node->ddl->entries[i];
        if (entry->pass != DDL_LAST)
            continue;
        if (!pg_exec(node->main, "SAVEPOINT pgark_last", err) ||
            !run_entry(node, &session, entry, err))
            return false;
        if (PQtransactionStatus(node->main->raw) == PQTRANS_INERROR &&
            !pg_exec(node->main, "ROLLBACK TO SAVEPOINT pgark_last", err))
            return false;
    }
    return true;
}

bool restore_node_finish(RestoreNode *node, Error *err)
{
    Journal *journal = node->journal;
    if (node->over)
        return true;
    bool ok = pg_exec(node->main, "BEGIN", err) && journal_remove(node, err);
    /* What comes now cannot be noted, and need not. */
    node->journal = NULL;
    if (ok && run_last(node, err) && pg_exec(node->main, "COMMIT", err))
        return true;
    node->journal = journal;
    pg_rollback(node->main);
    return error_node(err, node->label);
}
