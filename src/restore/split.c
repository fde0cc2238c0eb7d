/* restore/split.c - statements that hold a lock for long become several; the contract is in split.h. */
#include "restore/split.h"

#include "base/str.h"
#include "restore/constraint_text.h"
#include "restore/cost.h"
#include "restore/entry.h"

/* What takes less is over before a lock keeps anybody waiting. */
#define WORTH_COST 20000.0

/* A statement of the new list. */
typedef struct Part
{
    DdlEntry entry;
    size_t *after; /* parts of the same entry that must be done before, by their places */
    size_t after_count;
} Part;

typedef struct Splitter
{
    const RestoreNode *node;
    DdlPlan *plan;
    void *ctx;        /* scratch */
    uint32_t *builds; /* per table of the node: statements that build on it */
    Part *parts;
    size_t count, capacity;
    size_t *last;            /* per old entry: the place of its last part */
    const TocEntry **tables; /* of the archive, by oid */
    size_t table_count;
} Splitter;

/* The next part of an entry: the same but for what is said here. Without after it waits for what the
 * entry waited for. */
static Part *add_part(Splitter *s, const DdlEntry *entry, const char *sql, DdlWork work)
{
    Part *part = mem_push(s->ctx, s->parts, s->count, s->capacity, Part);
    part->entry = *entry;
    part->entry.sql = sql;
    part->entry.work = work;
    return part;
}

static void set_after(Splitter *s, Part *part, const size_t *places, size_t count)
{
    part->after = mem_array(s->ctx, size_t, count);
    memcpy(part->after, places, count * sizeof(size_t));
    part->after_count = count;
}

static void after_previous(Splitter *s, Part *part)
{
    size_t place = (size_t) (part - s->parts) - 1;
    set_after(s, part, &place, 1);
}

static void set_locks(Splitter *s, Part *part, const DdlLock *locks, size_t count)
{
    part->entry.locks = mem_array(s->plan, DdlLock, count);
    memcpy(part->entry.locks, locks, count * sizeof(DdlLock));
    part->entry.lock_count = count;
}

/* ---- tables of the archive ---- */

static int table_order(const void *a, const void *b)
{
    uint32_t x = (*(const TocEntry *const *) a)->oid;
    uint32_t y = (*(const TocEntry *const *) b)->oid;
    return x < y ? -1 : x > y;
}

static void list_tables(Splitter *s)
{
    const ArchiveToc *toc = s->plan->toc;
    s->tables = mem_array(s->ctx, const TocEntry *, toc->entry_count);
    for (size_t i = 0; i < toc->entry_count; i++)
        if (entry_is(&toc->entries[i], "TABLE"))
            s->tables[s->table_count++] = &toc->entries[i];
    if (s->table_count > 1)
        qsort(s->tables, s->table_count, sizeof(const TocEntry *), table_order);
}

static const TocEntry *table_entry(const Splitter *s, uint32_t oid)
{
    TocEntry key = {.oid = oid};
    const TocEntry *wanted = &key;
    const TocEntry **found = s->table_count == 0 ? NULL
                                                 : bsearch(&wanted, s->tables, s->table_count,
                                                           sizeof(const TocEntry *), table_order);
    return found == NULL ? NULL : *found;
}

/* ---- keys and indexes ---- */

/* The one table of the node that the entry builds on, when that takes time and others build there,
 * too; else NULL. */
static const RestoreTable *table_of_build(const Splitter *s, const DdlEntry *entry)
{
    if (entry->work != DDL_WORK_BUILD || entry->lock_count != 1)
        return NULL;
    const RestoreTable *t = restore_node_table(s->node, entry->locks[0].oid);
    bool worth = t != NULL && s->builds[t - s->node->tables] > 1 &&
                 cost_build(t->record->rows, t->record->logical, false) > WORTH_COST;
    return worth ? t : NULL;
}

/* Since 18, USING INDEX makes a NOT NULL that the table has inherited one of its own, which ADD PRIMARY
 * KEY does not (transformIndexConstraint in parse_utilcmd.c). */
static bool must_stay_whole(const Splitter *s, const KeyText *key, const RestoreTable *t)
{
    if (!key->primary || PQserverVersion(s->node->main->raw) < 180000)
        return false;
    const TocEntry *table = table_entry(s, t->record->oid);
    return table == NULL || constraint_text_inherits(table->defn, s->plan->std_strings);
}

static bool split_build(Splitter *s, const DdlEntry *entry)
{
    const RestoreTable *t = table_of_build(s, entry);
    if (t == NULL)
        return false;
    KeyText key = {0};
    bool std_strings = s->plan->std_strings;
    if (entry_is(entry->toc, "INDEX"))
        key.constraint = constraint_text_index(s->plan, entry->sql, std_strings, &key.index);
    else if (!constraint_text_key(s->plan, entry->sql, std_strings, &key))
        return false;
    if (key.constraint == NULL || must_stay_whole(s, &key, t))
        return false;
    DdlLock lock = {.oid = t->record->oid, .mode = LOCK_SHARE};
    set_locks(s, add_part(s, entry, key.index, DDL_WORK_BUILD), &lock, 1);
    after_previous(s, add_part(s, entry, key.constraint, DDL_WORK_CATALOG));
    return true;
}

/* ---- foreign keys ---- */

/* The table of an archive that a definition names, among those that the entry depends on. */
static const TocEntry *named_table(const Splitter *s, const DdlEntry *entry, TableName name)
{
    for (size_t i = 0; name.schema != NULL && i < entry->toc->dependency_count; i++)
    {
        const TocEntry *e = archive_toc_find(s->plan->toc, entry->toc->dependencies[i]);
        if (e != NULL && entry_is(e, "TABLE") && str_equal(e->schema, name.schema) &&
            strcmp(e->tag, name.name) == 0)
            return e;
    }
    return NULL;
}

/* A few rows are looked up in an index of however many. */
static bool is_worth_checking(const RestoreTable *t, const RestoreTable *referenced)
{
    uint64_t rows = t->record->rows;
    uint64_t others = referenced->record->rows;
    return cost_check(rows + (others < 10 * rows ? others : 10 * rows), t->record->logical) >
           WORTH_COST;
}

/* Two parts: the constraint, NOT VALID, of one table, and its check. Returns the latter's place. */
static size_t add_checked(Splitter *s, const DdlEntry *entry, const ForeignKeyText *fk,
                          const char *table, uint32_t oid, uint32_t referenced)
{
    const char *add = mem_printf(s->plan, "ALTER TABLE ONLY %s ADD CONSTRAINT %s %s NOT VALID;\n",
                                 table, fk->constraint, fk->definition);
    const char *validate = mem_printf(s->plan, "ALTER TABLE ONLY %s VALIDATE CONSTRAINT %s;\n",
                                      table, fk->constraint);
    DdlLock adding[] = {{.oid = oid, .mode = LOCK_SHARE_ROW_EXCLUSIVE},
                        {.oid = referenced, .mode = LOCK_SHARE_ROW_EXCLUSIVE}};
    DdlLock checking[] = {{.oid = oid, .mode = LOCK_SHARE_UPDATE_EXCLUSIVE},
                          {.oid = referenced, .mode = LOCK_ROW_SHARE}};
    set_locks(s, add_part(s, entry, add, DDL_WORK_CATALOG), adding, oid == referenced ? 1 : 2);
    Part *check = add_part(s, entry, validate, DDL_WORK_CHECK);
    set_locks(s, check, checking, 2);
    after_previous(s, check);
    return s->count - 1;
}

static bool is_below(const DdlPlan *plan, uint32_t oid, uint32_t ancestor)
{
    for (size_t steps = 0; oid != 0 && oid != ancestor && steps <= plan->partition_count; steps++)
        oid = ddl_parent(plan, oid);
    return oid == ancestor;
}

/* A partition with a constraint of its own by that name gives its part of the key another one. */
static bool has_constraint(const Splitter *s, const TocEntry *table, const char *name)
{
    return table == NULL || constraint_text_names(table->defn, s->plan->std_strings, name);
}

static bool split_partitioned(Splitter *s, const DdlEntry *entry, const ForeignKeyText *fk,
                              const TocEntry *parent, const RestoreTable *referenced)
{
    size_t *checks = mem_array(s->ctx, size_t, entry->lock_count);
    size_t count = 0;
    size_t left = 0; /* partitions that the last part checks */
    for (size_t i = 0; i < entry->lock_count; i++)
    {
        uint32_t oid = entry->locks[i].oid;
        const RestoreTable *t = restore_node_table(s->node, oid);
        if (t == NULL || t == referenced || !is_below(s->plan, oid, parent->oid))
            continue;
        if (is_worth_checking(t, referenced) && !has_constraint(s, table_entry(s, oid), fk->name))
            checks[count++] = add_checked(s, entry, fk, t->quoted, oid, referenced->record->oid);
        else
            left++;
    }
    if (count > 0)
        set_after(s, add_part(s, entry, entry->sql, left > 0 ? DDL_WORK_CHECK : DDL_WORK_CATALOG),
                  checks, count);
    return count > 0;
}

static bool split_foreign_key(Splitter *s, const DdlEntry *entry)
{
    ForeignKeyText archived;
    ForeignKeyText fk;
    /* Names of tables may have been changed in the text that is sent; the archive has the old ones. */
    if (!entry_is(entry->toc, "FK CONSTRAINT") ||
        !constraint_text_foreign_key(s->plan, entry->toc->defn, s->plan->std_strings, &archived) ||
        !constraint_text_foreign_key(s->plan, entry->sql, s->plan->std_strings, &fk))
        return false;
    const TocEntry *from = named_table(s, entry, archived.referencing);
    const TocEntry *to = named_table(s, entry, archived.referenced);
    const RestoreTable *referenced = to == NULL ? NULL : restore_node_table(s->node, to->oid);
    if (from == NULL || referenced == NULL)
        return false;
    const RestoreTable *t = restore_node_table(s->node, from->oid);
    if (t == NULL)
        return !fk.only && split_partitioned(s, entry, &fk, from, referenced);
    if (!is_worth_checking(t, referenced))
        return false;
    add_checked(s, entry, &fk, fk.table, from->oid, to->oid);
    return true;
}

/* ---- the list ---- */

static void count_builds(Splitter *s)
{
    for (size_t i = 0; i < s->plan->entry_count; i++)
    {
        const DdlEntry *entry = &s->plan->entries[i];
        if (entry->work != DDL_WORK_BUILD || entry->lock_count != 1)
            continue;
        const RestoreTable *t = restore_node_table(s->node, entry->locks[0].oid);
        if (t != NULL)
            s->builds[t - s->node->tables]++;
    }
}

static void map_needs(Splitter *s, Part *part)
{
    DdlEntry *entry = &part->entry;
    if (part->after_count > 0)
        entry->need_count = part->after_count;
    size_t *needs = mem_array(s->plan, size_t, entry->need_count);
    for (size_t i = 0; i < entry->need_count; i++)
        needs[i] = part->after_count > 0 ? part->after[i] : s->last[entry->needs[i]];
    entry->needs = needs;
}

void split_statements(RestoreNode *node)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "split");
    DdlPlan *plan = node->ddl;
    if (node->jobs < 2 || node->single_statements)
        return; /* one worker waits for nobody */
    Splitter s = {.node = node,
                  .plan = plan,
                  .ctx = tmp,
                  .builds = mem_array(tmp, uint32_t, node->table_count),
                  .last = mem_array(tmp, size_t, plan->entry_count)};
    count_builds(&s);
    list_tables(&s);
    for (size_t i = 0; i < plan->entry_count; i++)
    {
        const DdlEntry *entry = &plan->entries[i];
        bool scheduled = entry->pass == DDL_INDEX || entry->pass == DDL_POST_DATA;
        if (!scheduled || (!split_build(&s, entry) && !split_foreign_key(&s, entry)))
            add_part(&s, entry, entry->sql, entry->work);
        s.last[i] = s.count - 1;
    }
    if (s.count == plan->entry_count)
        return;
    plan->entries = mem_array(plan, DdlEntry, s.count);
    plan->entry_count = s.count;
    for (size_t i = 0; i < s.count; i++)
    {
        map_needs(&s, &s.parts[i]);
        plan->entries[i] = s.parts[i].entry;
    }
}
