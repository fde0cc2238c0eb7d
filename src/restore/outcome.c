/* restore/outcome.c - what became of each object; the contract is in outcome.h. */
#include "restore/outcome.h"

#include <pthread.h>

#include "base/search.h"
#include "base/str.h"
#include "restore/entry.h"
#include "restore/owner.h"

#define SHOWN_MAX 400

typedef enum EntryState
{
    STATE_GOOD, /* or not run yet */
    STATE_FAILED,
    STATE_THERE, /* already before */
} EntryState;

struct Outcome
{
    pthread_mutex_t mutex;
    const ArchiveToc *toc;
    const bool *needed;
    OnError on_error;
    uint8_t *states;  /* per entry */
    uint32_t *by_oid; /* positions of tables, by oid */
    size_t table_count;
    OutcomeFailure *failures;
    size_t failure_count, failure_capacity;
};

static int free_mutex(Outcome *o)
{
    pthread_mutex_destroy(&o->mutex);
    return 0;
}

static int oid_order(const void *a, const void *b, void *arg)
{
    const TocEntry *entries = arg;
    uint32_t x = entries[*(const uint32_t *) a].oid;
    uint32_t y = entries[*(const uint32_t *) b].oid;
    return (x > y) - (x < y);
}

Outcome *outcome_new(void *ctx, const ArchiveToc *toc, const bool *needed, OnError on_error)
{
    Outcome *o = mem_new(ctx, Outcome);
    size_t capacity = 0;

    pthread_mutex_init(&o->mutex, NULL);
    talloc_set_destructor(o, free_mutex);
    o->toc = toc;
    o->needed = needed;
    o->on_error = on_error;
    o->states = mem_array(o, uint8_t, toc->entry_count);
    for (uint32_t i = 0; i < toc->entry_count; i++)
        if (entry_is(&toc->entries[i], "TABLE") || entry_is(&toc->entries[i], "FOREIGN TABLE"))
            *mem_push(o, o->by_oid, o->table_count, capacity, uint32_t) = i;
    if (o->table_count > 1)
        qsort_r(o->by_oid, o->table_count, sizeof(uint32_t), oid_order, toc->entries);
    return o;
}

/* Some statements are no entry of the archive, as the refresh of a materialized view: nothing
 * depends on them. */
static bool is_archived(const Outcome *o, const TocEntry *e)
{
    return e >= o->toc->entries && e < o->toc->entries + o->toc->entry_count;
}

static EntryState state(const Outcome *o, const TocEntry *e)
{
    return is_archived(o, e) ? (EntryState) o->states[e - o->toc->entries] : STATE_GOOD;
}

static void set_state(Outcome *o, const TocEntry *e, EntryState to)
{
    if (is_archived(o, e))
        o->states[e - o->toc->entries] = (uint8_t) to;
}

static void note(Outcome *o, const char *label, const Error *err, const char *message)
{
    char buf[SHOWN_MAX];
    OutcomeFailure *f = mem_push(o, o->failures, o->failure_count, o->failure_capacity,
                                 OutcomeFailure);

    f->object = mem_strdup(o, str_one_line(buf, sizeof(buf), label));
    f->skipped = err == NULL;
    f->message = mem_strdup(o,
                            str_one_line(buf, sizeof(buf), err == NULL ? message : err->message));
    if (err != NULL)
        memcpy(f->sqlstate, err->sqlstate, sizeof(f->sqlstate));
}

static void skip(Outcome *o, const char *label, const TocEntry *failed)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "skipped");
    note(o, label, NULL,
         mem_printf(tmp, "%s %s%s%s, which it depends on, was not restored", failed->desc,
                    failed->schema == NULL ? "" : failed->schema,
                    entry_has_schema(failed) ? "." : "", failed->tag));
}

/* Locked. What it depends on and is not there, or NULL. */
static const TocEntry *missing(const Outcome *o, const TocEntry *e)
{
    for (size_t i = 0; i < e->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(o->toc, e->dependencies[i]);
        if (on != NULL && state(o, on) == STATE_FAILED)
            return on;
    }
    return NULL;
}

/* Locked. It belongs to something that was there before and stays as it was. */
static bool is_of_present(const Outcome *o, const TocEntry *e)
{
    const TocEntry *owner = owner_find(o->toc, e);
    return owner != NULL && owner != e && state(o, owner) == STATE_THERE;
}

bool outcome_begin(Outcome *o, const TocEntry *e, const char *label)
{
    pthread_mutex_lock(&o->mutex);
    /* An entry may be run in several statements; one is enough to be told of. */
    bool over = state(o, e) != STATE_GOOD;
    bool present = !over && is_of_present(o, e);
    const TocEntry *failed = over || present ? NULL : missing(o, e);
    if (present)
        set_state(o, e, STATE_THERE);
    if (failed != NULL)
    {
        set_state(o, e, STATE_FAILED);
        skip(o, label, failed);
    }
    pthread_mutex_unlock(&o->mutex);
    return !over && !present && failed == NULL;
}

/* What no statement is to blame for. */
static bool is_fatal(const Error *err)
{
    return err->code == ERR_CANCELLED || err->code == ERR_CONNECT || err->code == ERR_INTERNAL;
}

/* duplicate_object, duplicate_table, duplicate_function, duplicate_schema */
static bool is_duplicate(const Error *err)
{
    static const char *const states[] = {"42710", "42P07", "42723", "42P06", NULL};
    return entry_is_any(err->sqlstate, states);
}

bool outcome_failed(Outcome *o, const TocEntry *e, const char *label, Error *err)
{
    bool there = is_archived(o, e) && o->needed[e - o->toc->entries] && is_duplicate(err);

    if (is_fatal(err) || (!there && o->on_error == ON_ERROR_STOP))
        return false;
    pthread_mutex_lock(&o->mutex);
    set_state(o, e, there ? STATE_THERE : STATE_FAILED);
    if (!there)
        note(o, label, err, NULL);
    pthread_mutex_unlock(&o->mutex);
    error_clear(err);
    return true;
}

bool outcome_goes_on(const Outcome *o, const Error *err)
{
    return !is_fatal(err) && o->on_error == ON_ERROR_CONTINUE;
}

bool outcome_other_failed(Outcome *o, const char *label, Error *err)
{
    if (!outcome_goes_on(o, err))
        return false;
    pthread_mutex_lock(&o->mutex);
    note(o, label, err, NULL);
    pthread_mutex_unlock(&o->mutex);
    error_clear(err);
    return true;
}

bool outcome_rows_failed(Outcome *o, const char *label, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "rows");
    return outcome_other_failed(o, mem_printf(tmp, "rows of %s", label), err);
}

static bool oid_before(const void *outcome, size_t i, const void *toc_oid)
{
    const Outcome *o = outcome;
    return o->toc->entries[o->by_oid[i]].oid < *(const uint32_t *) toc_oid;
}

bool outcome_rows_begin(Outcome *o, uint32_t toc_oid, const char *label)
{
    size_t at = search_first(o, o->table_count, oid_before, &toc_oid);
    if (at == o->table_count || o->toc->entries[o->by_oid[at]].oid != toc_oid)
        return true;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "rows");
    pthread_mutex_lock(&o->mutex);
    bool good = o->states[o->by_oid[at]] != STATE_FAILED;
    if (!good)
        skip(o, mem_printf(tmp, "rows of %s", label), &o->toc->entries[o->by_oid[at]]);
    pthread_mutex_unlock(&o->mutex);
    return good;
}

const OutcomeFailure *outcome_failures(const Outcome *o, size_t *ret_count)
{
    *ret_count = o == NULL ? 0 : o->failure_count;
    return o == NULL ? NULL : o->failures;
}
