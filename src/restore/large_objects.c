/* restore/large_objects.c - the contract is in large_objects.h. */
#include "restore/large_objects.h"

#include "base/parallel.h"
#include "base/search.h"
#include "pg/acl_text.h"
#include "repo/chunk_reader.h"
#include "repo/large_object_tables.h"
#include "restore/before.h"
#include "restore/data.h"
#include "restore/journal.h"
#include "restore/large_object_rights.h"
#include "restore/large_object_sql.h"

#define STAGE "pg_temp.pgark_large_objects"

/* How much is done in one transaction where every object may cost a lock: within what the default of
 * max_locks_per_transaction leaves to several such sessions. */
#define LOCKING_PER_TRANSACTION 500
#define EXTRAS_BYTES            ((size_t) 1024 * 1024)

/* ---- reading the list ---- */

/* One pass over a chunk of the list, by whoever has node's storage; it is proven when this returns
 * true. */
static bool read_list(const RestoreNode *node, const ChunkRef *ref, LargeObjectEach each, void *arg,
                      Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "large objects");
    ChunkRecord chunk;
    LargeObjectList *list = large_object_list_new(tmp, each, arg);
    if (!manifest_read_chunk(node->storage, tmp, node->set_dir, node->record, ref->line_offset,
                             ref->line_len, &chunk, err))
        return false;
    if (chunk.table_oid != LARGE_OBJECT_LIST_OID)
        return error_set(err, ERR_CORRUPT, "a chunk's record changed while it was being used");
    AUTO(chunk_reader_free)
    ChunkReader *reader = chunk_reader_new(node->storage, node->set_dir,
                                           node->manifest->set.compress.method, false, true,
                                           large_object_list_put, list);
    return chunk_reader_run(reader, &chunk, node->cancel, err) && large_object_list_end(list, err);
}

static const ChunkRef *list_chunk(const RestoreNode *node, size_t i)
{
    return &node->chunks[node->large_objects->list.first_chunk + i];
}

/* A row without what is not wanted. */
static LargeObjectRow wanted(const RestoreNode *node, const LargeObjectRow *row)
{
    LargeObjectRow result = *row;
    unsigned without = node->request->selection->without;
    if ((without & WITHOUT_PRIVILEGES) != 0)
        result.acl = NULL;
    if ((without & WITHOUT_COMMENTS) != 0)
        result.comment = NULL;
    if ((without & WITHOUT_SECURITY_LABELS) != 0)
        result.labels = NULL;
    return result;
}

static bool has_extras(const LargeObjectRow *row)
{
    return row->acl != NULL || row->comment != NULL || row->labels != NULL;
}

/* ---- preparing ---- */

typedef struct Survey
{
    RestoreNode *node;
    LargeObjects *objects;
    bool look_there; /* the target has large objects of its own */
    LargeObjectGroups groups;
    char *last_acl; /* whose roles are known already, given that owner */
    char *last_owner;
} Survey;

static bool role_before(const void *roles, size_t i, const void *role)
{
    return strcmp(((char *const *) roles)[i], role) < 0;
}

static void note_role(Survey *s, const char *role)
{
    LargeObjects *o = s->objects;
    size_t at = search_first(o->roles, o->role_count, role_before, role); /* NOLINT: pointers */
    if (at < o->role_count && strcmp(o->roles[at], role) == 0)
        return;
    (void) mem_push(o, o->roles, o->role_count, o->role_capacity, char *);
    memmove(&o->roles[at + 1], &o->roles[at], (o->role_count - 1 - at) * sizeof(char *));
    o->roles[at] = mem_strdup(o, role);
}

/* With --no-owner the owner at the source is no one here. */
static bool note_roles(Survey *s, const LargeObjectRow *row, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "acl");
    bool owner_too = !s->node->request->no_owner;
    AclItem *items = NULL;
    size_t count = 0;
    if (str_equal(s->last_acl, row->acl) && str_equal(s->last_owner, row->owner))
        return true;
    if (row->acl != NULL && !acl_text_parse(tmp, row->acl, &items, &count, err))
        return false;
    if (owner_too)
        note_role(s, row->owner);
    for (size_t i = 0; i < count; i++)
    {
        if (items[i].grantee[0] != '\0' && (owner_too || strcmp(items[i].grantee, row->owner) != 0))
            note_role(s, items[i].grantee);
        if (owner_too || strcmp(items[i].grantor, row->owner) != 0)
            note_role(s, items[i].grantor);
    }
    mem_free(s->last_acl);
    mem_free(s->last_owner);
    s->last_acl = mem_strdup(s->objects, row->acl);
    s->last_owner = mem_strdup(s->objects, row->owner);
    return true;
}

static bool check_absent(Survey *s, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "absent");
    for (size_t i = 0; i < s->groups.count; i++)
    {
        const char *params[] = {mem_printf(tmp, "{%s}", s->groups.items[i].oids->data)};
        AUTO(PQclear)
        PGresult *res = pg_query(s->node->main,
                                 "SELECT oid FROM pg_catalog.pg_largeobject_metadata"
                                 " WHERE oid = ANY ($1::pg_catalog.oid[]) LIMIT 1",
                                 1, params, err);
        if (res == NULL)
            return error_prefix(err, "could not look for large objects in the target");
        if (PQntuples(res) == 0)
            continue;
        error_set(err, ERR_EXISTS, "large object %s exists in the target already",
                  pg_cell(res, 0, 0));
        return error_hint(err, "Remove it there (lo_unlink, vacuumlo), or leave large objects out "
                               "with --no-large-objects.");
    }
    large_object_groups_clear(&s->groups);
    return true;
}

static bool survey_row(void *arg, const LargeObjectRow *row, Error *err)
{
    Survey *s = arg;
    LargeObjectRow want = wanted(s->node, row);
    JournalItem failed = {
        .kind = JOURNAL_OBJECTS, .id = JOURNAL_OBJECTS_FAILED, .part = (int64_t) row->oid};
    s->objects->count++;
    if (journal_has(s->node->journal, failed))
        large_object_failed_add(s->objects->failed, row->oid);
    s->objects->extras = s->objects->extras || has_extras(&want);
    if (!note_roles(s, &want, err))
        return false;
    if (!s->look_there)
        return true;
    large_object_groups_add(&s->groups, s->objects, row, false);
    return !large_object_groups_full(&s->groups) || check_absent(s, err);
}

static bool target_has_any(RestoreNode *node, bool *ret, Error *err)
{
    *ret = false;
    if (node->request->create)
        return true;
    AUTO(PQclear)
    PGresult *res = pg_query(
        node->main, "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)", 0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not look for large objects in the target");
    *ret = pg_cell_bool(res, 0, 0);
    return true;
}

static bool has_columns(const TableRecord *t, const char *const *names, size_t count)
{
    bool ok = t->column_count == count;
    for (size_t i = 0; ok && i < count; i++)
        ok = strcmp(t->columns[i], names[i]) == 0;
    return ok;
}

/* From what is scheduled to what is done here. */
static bool take_table(RestoreNode *node, uint32_t oid, RestoreTable *ret, Error *err)
{
    static const char *const list[] = {"oid", "owner", "acl", "comment", "labels"};
    static const char *const data[] = {"loid", "offset", "data"};
    RestoreTable *t = restore_node_table(node, oid);
    if (t == NULL)
        return error_set(err, ERR_CORRUPT,
                         "the set has only one of the two tables of large objects");
    bool is_list = oid == LARGE_OBJECT_LIST_OID;
    if (is_list ? t->record->binary || !has_columns(t->record, list, LENGTH_OF(list))
                : !has_columns(t->record, data, LENGTH_OF(data)))
        return error_set(err, ERR_CORRUPT, "table %s of the set has other columns than it should",
                         t->record->name);
    *ret = *t;
    t->chunk_count = 0;
    return true;
}

bool large_objects_prepare(RestoreNode *node, Error *err)
{
    node->large_objects = NULL;
    if (restore_node_table(node, LARGE_OBJECT_LIST_OID) == NULL &&
        restore_node_table(node, LARGE_OBJECT_DATA_OID) == NULL)
        return true;
    LargeObjects *o = mem_new(node->ctx, LargeObjects);
    o->failed = large_object_failed_new(o);
    Survey survey = {.node = node, .objects = o};
    if (!take_table(node, LARGE_OBJECT_LIST_OID, &o->list, err) ||
        !take_table(node, LARGE_OBJECT_DATA_OID, &o->data, err) ||
        !target_has_any(node, &o->occupied, err))
        return false;
    if (!selection_wants_blobs(node->request->selection))
        return true;
    bool replace = node->request->clean || node->request->truncate;
    survey.look_there = o->occupied && !replace && !node->resumed;
    o->occupied = o->occupied && replace;
    o->data.route = mem_strdup(o, STAGE);
    o->data.column_list = mem_strdup(o, "loid, \"offset\", data");
    node->large_objects = o;
    for (size_t i = 0; i < o->list.chunk_count; i++)
    {
        if (!read_list(node, list_chunk(node, i), survey_row, &survey, err))
            return error_prefix(err, "list of large objects");
    }
    return check_absent(&survey, err);
}

/* ---- restoring ---- */

/* What a worker has for its chunks. */
typedef struct Hand
{
    RestoreNode *node;
    PgConn *conn;
    DataLoader *loader;
    bool alone; /* each object by itself, as one of them fails; those that do are noted and left */
} Hand;

/* A step that all workers do, chunk by chunk. */
typedef struct Step
{
    RestoreNode *node;
    const char *what; /* it does */
    bool (*chunk)(const Hand *hand, size_t i, Error *err);
    size_t count;
    bool counts; /* its chunks are part of the progress */
    atomic_size_t next;
} Step;

/* With --on-error=continue a chunk that fails is done anew, object by object. */
static bool do_chunk(const Step *step, Hand hand, size_t i, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "step");
    Outcome *outcome = step->node->outcome;
    if (step->chunk(&hand, i, err))
        return true;
    if (err->code == ERR_QUERY && outcome_goes_on(outcome, err))
    {
        pg_rollback(hand.conn);
        error_clear(err);
        hand.alone = true;
        if (step->chunk(&hand, i, err))
            return true;
    }
    if (!outcome_other_failed(outcome, mem_printf(tmp, "%s, part %zu", step->what, i + 1), err))
        return false;
    pg_rollback(hand.conn);
    return true;
}

static bool step_worker(void *arg, size_t worker, Error *err)
{
    Step *step = arg;
    RestoreNode *node = step->node;
    PgConn *conn = node->workers[worker];
    AUTO(data_loader_free) DataLoader *loader = data_loader_new(node, conn);
    Hand hand = {.node = node, .conn = conn, .loader = loader};
    bool ok = true;
    size_t i;
    progress_current(node->progress_all, node->progress_index, worker, "large objects");
    while (ok && (i = atomic_fetch_add(&step->next, 1)) < step->count)
    {
        ok = cancel_check(node->cancel, err) && do_chunk(step, hand, i, err);
        if (ok && step->counts)
            atomic_fetch_add(&node->progress->chunks_done, 1);
    }
    if (!ok)
        pg_rollback(conn);
    progress_current(node->progress_all, node->progress_index, worker, NULL);
    return ok;
}

static bool run_step(RestoreNode *node, Step *step, Error *err)
{
    step->node = node;
    return step->count == 0 ||
           parallel_run((size_t) node->jobs, step_worker, step, node->cancel, err);
}

/* What a pass over the list does with its rows, on one connection. */
typedef struct Pass
{
    RestoreNode *node;
    PgConn *conn;
    void *ctx;
    Str *sql;
    size_t objects; /* in sql */
    LargeObjectGroups groups;
    void *turn;        /* below ctx; for what lives until sql has been run */
    const char *role;  /* what SET LOCAL ROLE goes back to */
    const char *owner; /* whom the statements in sql are run as last; NULL: the session's role */
    bool becomes;      /* statements are run as the owners */
    bool alone;        /* as in Hand */
    uint64_t rows;     /* of the list, so far */
} Pass;

static bool run_sql(Pass *p, Error *err)
{
    bool ok = p->sql->len == 0 || pg_exec(p->conn, p->sql->data, err);
    str_clear(p->sql);
    p->objects = 0;
    return ok;
}

/* ---- one object that fails ---- */

/* Notes it, where that is asked for. What it did is undone by the caller. */
static bool pass_over(RestoreNode *node, const char *what, uint32_t oid, Error *err)
{
    char label[60];
    snprintf(label, sizeof(label), "%sLARGE OBJECT %" PRIu32, what, oid);
    return outcome_other_failed(node->outcome, label, err);
}

/* Runs, within a transaction, what concerns one object; a failure of it undoes only that. role: what
 * SET LOCAL ROLE goes back to. *ret_failed tells of a failure that was passed over. */
static bool run_alone(RestoreNode *node, PgConn *conn, const char *sql, const char *role,
                      const char *what, uint32_t oid, bool *ret_failed, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "alone");
    const char *all = mem_printf(tmp,
                                 "SAVEPOINT pgark_object; %sSET LOCAL ROLE %s;"
                                 " RELEASE SAVEPOINT pgark_object",
                                 sql, role);
    *ret_failed = !pg_exec(conn, all, err);
    return !*ret_failed ||
           (pass_over(node, what, oid, err) &&
            pg_exec(conn, "ROLLBACK TO SAVEPOINT pgark_object; RELEASE SAVEPOINT pgark_object",
                    err));
}

static JournalItem item_of(JournalObjects what, const ChunkRef *ref)
{
    return (JournalItem){.kind = JOURNAL_OBJECTS, .id = what, .part = ref->number};
}

/* Which role SET ROLE has put in place, as SET takes it, and whether owners are to be become. */
static bool look_at_role(Pass *p, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(p->conn,
                             "SELECT pg_catalog.current_setting('role'), (SELECT r.rolsuper FROM"
                             " pg_catalog.pg_roles r WHERE r.rolname = current_user)",
                             0, NULL, err);
    if (res == NULL)
        return false;
    p->becomes = !pg_cell_bool(res, 0, 1) && !p->node->request->no_owner;
    p->role = strcmp(pg_cell(res, 0, 0), "none") == 0
                  ? "NONE"
                  : pg_quote_ident(p->ctx, p->conn, pg_cell(res, 0, 0), err);
    return p->role != NULL;
}

static bool unlink_groups(Pass *p, Error *err)
{
    for (size_t i = 0; i < p->groups.count; i++)
        large_object_sql_unlink(p->sql, &p->groups.items[i]);
    large_object_groups_clear(&p->groups);
    return run_sql(p, err);
}

static bool unlink_row(void *arg, const LargeObjectRow *row, Error *err)
{
    Pass *p = arg;
    large_object_groups_add(&p->groups, p->ctx, row, false);
    return p->groups.objects < LOCKING_PER_TRANSACTION || unlink_groups(p, err);
}

/* A pass of hand over the list, below ctx. */
static Pass begin_pass(const Hand *hand, void *ctx)
{
    return (Pass){.node = hand->node,
                  .conn = hand->conn,
                  .ctx = ctx,
                  .sql = str_new(ctx),
                  .alone = hand->alone};
}

static bool unlink_chunk(const Hand *hand, size_t i, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "unlink");
    Pass p = begin_pass(hand, tmp);
    return (read_list(hand->node, list_chunk(hand->node, i), unlink_row, &p, err) &&
            unlink_groups(&p, err)) ||
           error_prefix(err, "could not remove large objects");
}

static bool create_groups(Pass *p, Error *err)
{
    for (size_t i = 0; i < p->groups.count; i++)
    {
        if (!large_object_sql_create(p->sql, p->conn, &p->groups.items[i],
                                     !p->node->request->no_owner, err))
            return false;
    }
    large_object_groups_clear(&p->groups);
    return run_sql(p, err);
}

/* The only one of the groups, by itself. */
static bool create_alone(Pass *p, uint32_t oid, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "alone");
    RestoreNode *node = p->node;
    JournalItem item = {
        .kind = JOURNAL_OBJECTS, .id = JOURNAL_OBJECTS_FAILED, .part = (int64_t) oid};
    bool failed = false;
    bool ok = large_object_sql_create(p->sql, p->conn, &p->groups.items[0],
                                      !node->request->no_owner, err) &&
              run_alone(node, p->conn, p->sql->data, p->role, "", oid, &failed, err);
    str_clear(p->sql);
    large_object_groups_clear(&p->groups);
    if (!ok || !failed)
        return ok;
    large_object_failed_add(node->large_objects->failed, oid);
    return journal_done(node->journal, p->conn, item, err);
}

static bool create_row(void *arg, const LargeObjectRow *row, Error *err)
{
    Pass *p = arg;
    p->rows++;
    large_object_groups_add(&p->groups, p->ctx, row, false);
    if (p->alone)
        return create_alone(p, row->oid, err);
    return !large_object_groups_full(&p->groups) || create_groups(p, err);
}

static bool create_chunk(const Hand *hand, size_t i, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "create");
    RestoreNode *node = hand->node;
    Pass p = begin_pass(hand, tmp);
    JournalItem item = item_of(JOURNAL_OBJECTS_CREATED, list_chunk(node, i));
    if (journal_has(node->journal, item))
        return true;
    const char *begin = mem_printf(tmp, "BEGIN; %s", journal_note(tmp, node->journal, item));
    if ((p.alone && !look_at_role(&p, err)) || !pg_exec(p.conn, begin, err) ||
        !read_list(node, list_chunk(node, i), create_row, &p, err) || !create_groups(&p, err) ||
        !pg_exec(p.conn, "COMMIT", err))
        return error_prefix(err, "could not create large objects");
    before_loaded(node, list_chunk(node, i), p.rows);
    return true;
}

/* The rows wait as they are: a page of a large object is longer than what the server would move out
 * of line and compress otherwise (toast_tuple_target). */
#define MAKE_STAGE                                                                                 \
    "CREATE TEMPORARY TABLE IF NOT EXISTS pgark_large_objects (loid pg_catalog.oid,"               \
    " \"offset\" pg_catalog.int8, data pg_catalog.bytea) WITH (toast_tuple_target = 8160)"         \
    " ON COMMIT DELETE ROWS; GRANT SELECT ON pg_temp.pgark_large_objects TO PUBLIC; "

#define PUT_STAGED                                                                                 \
    "SELECT pg_catalog.count(*) FROM (SELECT pg_catalog.lo_put(s.loid, s.\"offset\", s.data)"      \
    " FROM " STAGE " s%s OFFSET 0) p; "

/* Owners whose rights the session has only when it becomes them (NOINHERIT). */
#define OWNERS_TO_BECOME                                                                           \
    "SELECT DISTINCT pg_catalog.pg_get_userbyid(m.lomowner) FROM " STAGE " s"                      \
    " JOIN pg_catalog.pg_largeobject_metadata m ON m.oid = s.loid"                                 \
    " WHERE NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)"           \
    " AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')"

static bool put_staged(PgConn *conn, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "put");
    Str *sql = str_new(tmp);
    AUTO(PQclear) PGresult *res = pg_query(conn, OWNERS_TO_BECOME, 0, NULL, err);
    if (res == NULL)
        return false;
    bool all = PQntuples(res) == 0;
    str_addf(sql, PUT_STAGED,
             all ? ""
                 : " JOIN pg_catalog.pg_largeobject_metadata m ON m.oid = s.loid"
                   " WHERE pg_catalog.pg_has_role(m.lomowner, 'USAGE')");
    for (int i = 0; i < PQntuples(res); i++)
    {
        char *owner = pg_quote_ident(tmp, conn, pg_cell(res, i, 0), err);
        if (owner == NULL)
            return false;
        str_addf(sql, "SET LOCAL ROLE %s; ", owner);
        str_addf(sql, PUT_STAGED,
                 " JOIN pg_catalog.pg_largeobject_metadata m ON m.oid = s.loid"
                 " WHERE pg_catalog.pg_get_userbyid(m.lomowner) = current_user");
    }
    return pg_exec(conn, sql->data, err);
}

/* The objects that are staged, each with the owner that the session must become for it, or NULL. */
#define STAGED_OBJECTS                                                                             \
    "SELECT s.loid, pg_catalog.pg_get_userbyid(CASE WHEN NOT (SELECT rolsuper FROM"                \
    " pg_catalog.pg_roles WHERE rolname = current_user)"                                           \
    " AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE') THEN m.lomowner END)"                    \
    " FROM (SELECT DISTINCT loid FROM " STAGE ") s"                                                \
    " LEFT JOIN pg_catalog.pg_largeobject_metadata m ON m.oid = s.loid ORDER BY s.loid"

static bool put_alone(Pass *p, uint32_t oid, const char *owner, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "put");
    const char *where = mem_printf(tmp, " WHERE s.loid = %" PRIu32, oid);
    const char *name = owner == NULL ? "" : pg_quote_ident(tmp, p->conn, owner, err);
    bool failed;
    if (name == NULL)
        return false;
    str_clear(p->sql);
    if (owner != NULL)
        str_addf(p->sql, "SET LOCAL ROLE %s; ", name);
    str_addf(p->sql, PUT_STAGED, where);
    return run_alone(p->node, p->conn, p->sql->data, p->role, "contents of ", oid, &failed, err);
}

static bool put_each(const Hand *hand, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "put");
    Pass p = begin_pass(hand, tmp);
    AUTO(PQclear) PGresult *res = pg_query(p.conn, STAGED_OBJECTS, 0, NULL, err);
    if (res == NULL || !look_at_role(&p, err))
        return false;
    for (int i = 0; i < PQntuples(res); i++)
    {
        const char *owner = pg_cell_null(res, i, 1) ? NULL : pg_cell(res, i, 1);
        if (!put_alone(&p, (uint32_t) pg_cell_int(res, i, 0), owner, err))
            return false;
    }
    return true;
}

/* What could not be made has no contents. */
static bool unstage_failed(const Hand *hand, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "failed");
    const char *list = large_object_failed_list(tmp, hand->node->large_objects->failed);
    return list == NULL ||
           pg_exec(hand->conn,
                   mem_printf(tmp, "DELETE FROM " STAGE " WHERE loid = ANY ('{%s}')", list), err);
}

static bool fill_chunk(const Hand *hand, size_t i, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "fill");
    const RestoreNode *node = hand->node;
    const RestoreTable *t = &node->large_objects->data;
    const ChunkRef *ref = &node->chunks[t->first_chunk + i];
    JournalItem item = item_of(JOURNAL_OBJECTS_FILLED, ref);
    if (journal_has(node->journal, item))
        return true;
    const char *begin = mem_printf(tmp, "BEGIN; %s" MAKE_STAGE,
                                   journal_note(tmp, node->journal, item));
    return (data_load_chunk(hand->loader, t, ref, begin, false, err) && unstage_failed(hand, err) &&
            (hand->alone ? put_each(hand, err) : put_staged(hand->conn, err)) &&
            pg_exec(hand->conn, "COMMIT", err)) ||
           error_prefix(err, "could not write large objects");
}

/* The role that statements go on as, when the session is no superuser and the owner keeps his name. */
static bool become(Pass *p, const char *owner, Error *err)
{
    if (!p->becomes || str_equal(p->owner, owner))
        return true;
    if (p->turn == NULL)
        p->turn = mem_context(p->ctx, "turn");
    char *quoted = pg_quote_ident(p->turn, p->conn, owner, err);
    if (quoted == NULL)
        return false;
    str_addf(p->sql, "SET LOCAL ROLE %s; ", quoted);
    p->owner = mem_strdup(p->turn, owner);
    p->role = quoted;
    return true;
}

/* Comments, labels and rights of what was gathered so far. */
static bool finish_groups(Pass *p, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "rights");
    for (size_t i = 0; i < p->groups.count; i++)
    {
        const LargeObjectGroup *group = &p->groups.items[i];
        if (!become(p, group->owner, err))
            return false;
        LargeObjectRights rights = {.oids = group->oids->data,
                                    .owner = group->owner,
                                    .acl = group->acl,
                                    .as_owner = !p->node->request->no_owner,
                                    .become = "SET LOCAL ROLE ",
                                    .back = mem_printf(tmp, "SET LOCAL ROLE %s", p->role),
                                    .end = "; "};
        if (!large_object_rights(p->sql, &rights, err))
            return false;
    }
    large_object_groups_clear(&p->groups);
    mem_free(p->turn);
    p->turn = NULL;
    p->owner = NULL;
    if (p->sql->len > 0)
        str_add(p->sql, "COMMIT");
    return run_sql(p, err);
}

static bool add_extras(Pass *p, const LargeObjectRow *want, Error *err)
{
    if (p->sql->len == 0)
        str_add(p->sql, "BEGIN; ");
    if (want->comment != NULL &&
        (!become(p, want->owner, err) || !large_object_sql_comment(p->sql, p->conn, want, err)))
        return false;
    if (want->labels != NULL &&
        (!become(p, want->owner, err) || !large_object_sql_labels(p->sql, p->conn, want, err)))
        return false;
    if (want->acl != NULL)
        large_object_groups_add(&p->groups, p->ctx, want, true);
    p->objects++;
    return true;
}

/* One kind of an object's extras. */
static bool finish_part(Pass *p, const char *what, const LargeObjectRow *part, Error *err)
{
    if (!has_extras(part) || (add_extras(p, part, err) && finish_groups(p, err)))
        return true;
    if (!pass_over(p->node, what, part->oid, err))
        return false;
    pg_rollback(p->conn);
    large_object_groups_clear(&p->groups);
    str_clear(p->sql);
    p->owner = NULL;
    return true;
}

static bool finish_alone(Pass *p, const LargeObjectRow *want, Error *err)
{
    LargeObjectRow comment = {.oid = want->oid, .owner = want->owner, .comment = want->comment};
    LargeObjectRow labels = {.oid = want->oid, .owner = want->owner, .labels = want->labels};
    LargeObjectRow rights = {.oid = want->oid, .owner = want->owner, .acl = want->acl};
    return finish_part(p, "comment of ", &comment, err) &&
           finish_part(p, "labels of ", &labels, err) && finish_part(p, "rights of ", &rights, err);
}

static bool finish_row(void *arg, const LargeObjectRow *row, Error *err)
{
    Pass *p = arg;
    LargeObjectRow want = wanted(p->node, row);
    if (!has_extras(&want) || large_object_failed_has(p->node->large_objects->failed, row->oid))
        return true;
    if (p->alone)
        return finish_alone(p, &want, err);
    if (!add_extras(p, &want, err))
        return false;
    return (p->objects < LOCKING_PER_TRANSACTION && p->sql->len < EXTRAS_BYTES &&
            !large_object_groups_full(&p->groups)) ||
           finish_groups(p, err);
}

/* The chunk has been proven twice in this run, so what is committed before its end is right. */
static bool finish_chunk(const Hand *hand, size_t i, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "finish");
    RestoreNode *node = hand->node;
    Pass p = begin_pass(hand, tmp);
    JournalItem item = item_of(JOURNAL_OBJECTS_FINISHED, list_chunk(node, i));
    if (journal_has(node->journal, item))
        return true;
    return (look_at_role(&p, err) && read_list(node, list_chunk(node, i), finish_row, &p, err) &&
            finish_groups(&p, err) && journal_done(node->journal, p.conn, item, err)) ||
           error_prefix(err, "comments, labels and rights of large objects");
}

bool large_objects_restore(RestoreNode *node, Error *err)
{
    const LargeObjects *o = node->large_objects;
    if (o == NULL)
        return true;
    progress_phase(node->progress_all, "large objects");
    JournalItem unlinked = {.kind = JOURNAL_STEP, .id = JOURNAL_UNLINKED};
    bool occupied = o->occupied && !journal_has(node->journal, unlinked);
    Step unlink = {.what = "removal of large objects",
                   .chunk = unlink_chunk,
                   .count = occupied ? o->list.chunk_count : 0};
    Step create = {.what = "large objects",
                   .chunk = create_chunk,
                   .count = o->list.chunk_count,
                   .counts = true};
    Step fill = {.what = "contents of large objects",
                 .chunk = fill_chunk,
                 .count = o->data.chunk_count,
                 .counts = true};
    Step finish = {.what = "comments, labels and rights of large objects",
                   .chunk = finish_chunk,
                   .count = o->extras ? o->list.chunk_count : 0};
    return run_step(node, &unlink, err) &&
           (!occupied || journal_done(node->journal, node->main, unlinked, err)) &&
           run_step(node, &create, err) && run_step(node, &fill, err) &&
           run_step(node, &finish, err);
}
