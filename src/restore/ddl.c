/* restore/ddl.c - the contract is in ddl.h. */
#include "restore/ddl.h"

#include "pg/string_pool.h"
#include "restore/ddl_text.h"
#include "restore/entry.h"
#include "restore/sql_text.h"

/* Locking a partitioned table locks its partitions, so they are listed with it; past this many
 * listings in all, memory counts for more. */
#define MAX_PARTITION_LOCKS 10000000

/* One entry of the archive while the plan is made; the index is its position in the archive. */
typedef struct Node
{
    const TocEntry *toc;
    const char *sql; /* NULL: nothing is run for this entry */
    DdlPass pass;
    size_t plan_index;
    uint32_t *deps; /* positions of the entries this one depends on */
    size_t dep_count;
    uint32_t *partitions; /* positions of tables that are locked with this table */
    size_t partition_count, partition_capacity;
    size_t visit; /* the last search that came by */
} Node;

typedef struct Planner
{
    const ArchiveToc *toc;
    const char *new_database;
    DdlPlan *plan;
    Node *nodes;                                              /* scratch, freed with the planner */
    const char *encoding, *std_strings_setting, *search_path; /* definitions, NULL when absent */
    size_t visits, partition_locks;
    uint32_t *queue; /* one place per entry */
    DdlText text;
    StringPool pool;    /* below the plan */
    StringPool scratch; /* below the planner */
} Planner;

/* The pass an entry belongs to by its own kind; dependencies may put it later. */
static DdlPass own_pass(const TocEntry *e)
{
    static const char *const acl[] = {"ACL", "ACL LANGUAGE", "DEFAULT ACL", NULL};
    static const char *const of_one_table[] = {"INDEX", "INDEX ATTACH", "CONSTRAINT", "STATISTICS",
                                               NULL};

    if (entry_is_any(e->desc, acl))
        return DDL_ACL;
    if (entry_is(e, "EVENT TRIGGER") || entry_is_of(e, "EVENT TRIGGER "))
        return DDL_LAST;
    if (e->section != TOC_SECTION_POST_DATA)
        return DDL_PRE_DATA;
    return entry_is_any(e->desc, of_one_table) ? DDL_INDEX : DDL_POST_DATA;
}

/* ---- session and database ---- */

static void find_settings(Planner *p)
{
    for (size_t i = 0; i < p->toc->entry_count; i++)
    {
        const TocEntry *e = &p->toc->entries[i];
        if (entry_is(e, "ENCODING"))
            p->encoding = e->defn;
        else if (entry_is(e, "STDSTRINGS"))
            p->std_strings_setting = e->defn;
        else if (entry_is(e, "SEARCHPATH"))
            p->search_path = e->defn;
    }
    p->text = (DdlText){.pool = &p->pool,
                        .buffer = str_new(p),
                        .std_strings = p->std_strings_setting == NULL ||
                                       strstr(p->std_strings_setting, "'off'") == NULL,
                        .qualified = p->search_path != NULL};
}

static const char *session_setup(const Planner *p)
{
    Str *s = str_new(p->plan);
    const char *const archived[] = {p->encoding, p->std_strings_setting, p->search_path};

    /* Not every version has every timeout, so the server is asked which of them there are. */
    str_add(s, "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings"
               " WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout',"
               " 'idle_in_transaction_session_timeout', 'idle_session_timeout');\n");
    for (size_t i = 0; i < LENGTH_OF(archived); i++)
    {
        if (archived[i] == NULL || sql_text_is_blank(archived[i]))
            continue;
        str_add(s, archived[i]);
        str_add(s, sql_text_is_ended(archived[i], true) ? "\n" : ";\n");
    }
    if (!p->text.std_strings)
        str_add(s, "SET escape_string_warning = off;\n");
    /* Literals in definitions were printed under pg_dump's date and interval style. */
    str_add(s, "SET datestyle = ISO;\n"
               "SET intervalstyle = postgres;\n"
               "SET check_function_bodies = false;\n"
               "SET xmloption = content;\n"
               "SET client_min_messages = warning;\n"
               "SET row_security = off;\n");
    return s->data;
}

static const char *database_owner(const Planner *p, const TocEntry *e)
{
    Str *s = str_new(p->plan);

    str_add(s, "ALTER DATABASE ");
    sql_text_add_name(s, p->new_database);
    str_add(s, " OWNER TO ");
    sql_text_add_name(s, e->owner);
    str_add(s, ";\n");
    return s->data;
}

static void plan_database(Planner *p)
{
    DdlPlan *plan = p->plan;
    size_t capacity = 0;

    for (size_t i = 0; i < p->toc->entry_count; i++)
    {
        const TocEntry *e = &p->toc->entries[i];
        if (!entry_is_about_database(e) || sql_text_is_blank(e->defn))
            continue;
        const char *sql = sql_text_rename_database(plan, e->defn, p->text.std_strings,
                                                   p->new_database);
        if (entry_is(e, "DATABASE"))
        {
            plan->create_database = sql;
            if (*e->owner == '\0')
                continue;
            sql = database_owner(p, e);
        }
        *mem_push(plan, plan->database_properties, plan->database_property_count, capacity,
                  const char *) = sql;
    }
}

/* ---- dependencies and passes ---- */

static size_t position(const Planner *p, const TocEntry *e)
{
    return (size_t) (e - p->toc->entries);
}

/* The table whose data an entry has, or NULL: who waits for the data waits for the table. */
static const TocEntry *table_of_data(const Planner *p, const TocEntry *data)
{
    for (size_t i = 0; i < data->dependency_count; i++)
    {
        const TocEntry *e = archive_toc_find(p->toc, data->dependencies[i]);
        if (e != NULL && entry_is_relation(e))
            return e;
    }
    return NULL;
}

static void resolve_dependencies(Planner *p, Node *node)
{
    const TocEntry *e = node->toc;

    node->deps = string_pool_take(&p->scratch, e->dependency_count * sizeof(uint32_t));
    for (size_t i = 0; i < e->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(p->toc, e->dependencies[i]);
        if (on != NULL && on->section == TOC_SECTION_DATA)
            on = table_of_data(p, on);
        /* what the dump left out cannot be waited for */
        if (on != NULL && on != e)
            node->deps[node->dep_count++] = (uint32_t) position(p, on);
    }
}

static void make_nodes(Planner *p)
{
    size_t n = p->toc->entry_count;

    p->nodes = mem_array(p, Node, n);
    p->queue = mem_array(p, uint32_t, n);
    for (size_t i = 0; i < n; i++)
    {
        Node *node = &p->nodes[i];
        node->toc = &p->toc->entries[i];
        node->sql = ddl_text_sql(&p->text, node->toc);
        node->pass = own_pass(node->toc);
        resolve_dependencies(p, node);
    }
}

/* Only entries that are not bound to a place in the list wait for others: those of the post-data
 * section, and the comments and labels, which have no section. */
static bool is_movable(const Node *node)
{
    return node->toc->section != TOC_SECTION_PRE_DATA && node->pass != DDL_ACL;
}

static bool must_wait(const Planner *p, const Node *node, uint32_t dep)
{
    return is_movable(node) && is_movable(&p->nodes[dep]);
}

/* Positions of the entries that wait for each entry: list[first[i]] to list[first[i + 1]]. */
typedef struct Waiters
{
    size_t *first;
    uint32_t *list;
} Waiters;

static Waiters find_waiters(const Planner *p, void *ctx)
{
    size_t n = p->toc->entry_count;
    Waiters w = {.first = mem_array(ctx, size_t, n + 2)};

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < p->nodes[i].dep_count; k++)
            if (must_wait(p, &p->nodes[i], p->nodes[i].deps[k]))
                w.first[p->nodes[i].deps[k] + 2]++;
    for (size_t i = 2; i < n + 2; i++)
        w.first[i] += w.first[i - 1];
    w.list = mem_array(ctx, uint32_t, w.first[n + 1]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < p->nodes[i].dep_count; k++)
            if (must_wait(p, &p->nodes[i], p->nodes[i].deps[k]))
                w.list[w.first[p->nodes[i].deps[k] + 1]++] = (uint32_t) i;
    return w;
}

static bool circle_error(Planner *p, const size_t *missing, Error *err)
{
    for (size_t i = 0; i < p->toc->entry_count; i++)
        if (missing[i] > 0)
            return error_set(err, ERR_CORRUPT,
                             "schema archive: the dependencies of %s form a circle",
                             ddl_text_label(&p->text, p->nodes[i].toc));
    return error_set(err, ERR_INTERNAL, "schema archive: circle without member");
}

/* Goes through the entries in the order of their dependencies: whoever needs an entry of a later
 * pass moves to that pass. A comment on an index so gets the index's pass, an index of a
 * materialized view that itself had to wait for a constraint gets the view's. */
static bool settle_passes(Planner *p, Error *err)
{
    size_t n = p->toc->entry_count;
    AUTO(mem_context_free) MemContext *scratch = mem_context(p, "waiters");
    Waiters w = find_waiters(p, scratch);
    size_t *missing = mem_array(scratch, size_t, n);
    size_t head = 0, tail = 0;

    for (size_t i = 0; i < w.first[n]; i++)
        missing[w.list[i]]++;
    for (size_t i = 0; i < n; i++)
        if (missing[i] == 0)
            p->queue[tail++] = (uint32_t) i;
    while (head < tail)
    {
        uint32_t done = p->queue[head++];
        for (size_t k = w.first[done]; k < w.first[done + 1]; k++)
        {
            Node *node = &p->nodes[w.list[k]];
            if (node->pass < p->nodes[done].pass)
                node->pass = p->nodes[done].pass;
            if (--missing[w.list[k]] == 0)
                p->queue[tail++] = w.list[k];
        }
    }
    return tail == n || circle_error(p, missing, err);
}

/* ---- locks ---- */

static void add_partition(Planner *p, size_t parent, size_t child)
{
    Node *node = &p->nodes[parent];

    *mem_push(p->nodes, node->partitions, node->partition_count, node->partition_capacity,
              uint32_t) = (uint32_t) child;
}

/* The entry TABLE ATTACH depends on both tables and is named as the partition is. */
static void note_attach(Planner *p, const Node *attach)
{
    size_t child = SIZE_MAX;

    for (size_t i = 0; i < attach->dep_count; i++)
    {
        const TocEntry *e = p->nodes[attach->deps[i]].toc;
        if (entry_is_relation(e) && strcmp(e->tag, attach->toc->tag) == 0 &&
            str_equal(e->schema, attach->toc->schema))
            child = attach->deps[i];
    }
    for (size_t i = 0; child != SIZE_MAX && i < attach->dep_count; i++)
        if (attach->deps[i] != child && entry_is_relation(p->nodes[attach->deps[i]].toc))
            add_partition(p, attach->deps[i], child);
}

static void find_partitions(Planner *p)
{
    for (size_t i = 0; i < p->toc->entry_count; i++)
    {
        const Node *node = &p->nodes[i];
        if (entry_is(node->toc, "TABLE ATTACH"))
            note_attach(p, node);
        /* a table depends on those it inherits from */
        for (size_t k = 0; entry_is(node->toc, "TABLE") && k < node->dep_count; k++)
            if (entry_is(p->nodes[node->deps[k]].toc, "TABLE"))
                add_partition(p, node->deps[k], i);
    }
}

static bool visit(Planner *p, uint32_t at)
{
    if (p->nodes[at].visit == p->visits)
        return false;
    p->nodes[at].visit = p->visits;
    return true;
}

/* Fills the planner's queue with the tables the node locks and returns their number. With their
 * partitions only where all data is in place: an index on a partitioned table need not wait for
 * the data of all partitions, as it is created ON ONLY. */
static size_t collect_locks(Planner *p, const Node *node)
{
    size_t count = 0;

    p->visits++;
    for (size_t i = 0; i < node->dep_count; i++)
        if (entry_is_relation(p->nodes[node->deps[i]].toc) && visit(p, node->deps[i]))
            p->queue[count++] = node->deps[i];
    if (node->pass != DDL_POST_DATA || p->partition_locks > MAX_PARTITION_LOCKS)
        return count;
    size_t direct = count;
    for (size_t i = 0; i < count; i++)
    {
        const Node *table = &p->nodes[p->queue[i]];
        for (size_t k = 0; k < table->partition_count; k++)
            if (visit(p, table->partitions[k]))
                p->queue[count++] = table->partitions[k];
    }
    p->partition_locks += count - direct;
    return count;
}

static void set_locks(Planner *p, const Node *node, DdlEntry *entry)
{
    if (node->toc->section != TOC_SECTION_POST_DATA)
        return; /* a comment locks next to nothing, and nothing for long */
    size_t count = collect_locks(p, node);
    entry->tables = string_pool_take(&p->pool, count * sizeof(uint32_t));
    for (size_t i = 0; i < count; i++)
    {
        uint32_t oid = p->nodes[p->queue[i]].toc->oid;
        if (oid != 0)
            entry->tables[entry->table_count++] = oid;
    }
    /* CREATE INDEX lets other index builds on its table run, but an index that is marked for
     * CLUSTER or REPLICA IDENTITY is followed by an ALTER TABLE. */
    entry->exclusive = !entry_is(node->toc, "INDEX") ||
                       sql_text_has_alter_table(node->toc->defn, p->text.std_strings);
}

/* ---- the list ---- */

static void set_needs(Planner *p, const Node *node, DdlEntry *entry)
{
    entry->needs = string_pool_take(&p->pool, node->dep_count * sizeof(size_t));
    p->visits++;
    for (size_t i = 0; i < node->dep_count; i++)
    {
        const Node *on = &p->nodes[node->deps[i]];
        if (on->sql != NULL && on->pass != DDL_PRE_DATA && must_wait(p, node, node->deps[i]) &&
            visit(p, node->deps[i]))
            entry->needs[entry->need_count++] = on->plan_index;
    }
}

static void fill_entry(Planner *p, const Node *node, DdlEntry *entry)
{
    entry->toc = node->toc;
    entry->pass = node->pass;
    entry->label = ddl_text_label(&p->text, node->toc);
    entry->set_tablespace = ddl_text_tablespace(&p->text, node->toc);
    entry->set_table_am = ddl_text_table_am(&p->text, node->toc);
    entry->sql = node->sql;
    entry->own_transaction = entry_is(node->toc, "SUBSCRIPTION");
    if (node->pass != DDL_INDEX && node->pass != DDL_POST_DATA)
        return;
    set_locks(p, node, entry);
    set_needs(p, node, entry);
}

static void list_entries(Planner *p)
{
    DdlPlan *plan = p->plan;
    size_t n = p->toc->entry_count;

    for (int pass = DDL_PRE_DATA; pass <= DDL_LAST; pass++)
        for (size_t i = 0; i < n; i++)
            if (p->nodes[i].sql != NULL && p->nodes[i].pass == (DdlPass) pass)
                p->nodes[i].plan_index = plan->entry_count++;
    plan->entries = mem_array(plan, DdlEntry, plan->entry_count);
    for (size_t i = 0; i < n; i++)
        if (p->nodes[i].sql != NULL)
            fill_entry(p, &p->nodes[i], &plan->entries[p->nodes[i].plan_index]);
}

DdlPlan *ddl_plan(void *ctx, const ArchiveToc *toc, const char *new_database, Error *err)
{
    DdlPlan *plan = mem_new(ctx, DdlPlan);
    Planner *p = mem_new(plan, Planner);

    p->toc = toc;
    p->new_database = new_database;
    p->plan = plan;
    p->pool.ctx = plan;
    p->scratch.ctx = p;
    find_settings(p);
    plan->session_setup = session_setup(p);
    plan_database(p);
    make_nodes(p);
    if (!settle_passes(p, err))
    {
        mem_free(plan);
        return NULL;
    }
    find_partitions(p);
    list_entries(p);
    mem_free(p);
    return plan;
}
