/* export/directory.c - the contract is in directory.h. */
#include "export/directory.h"

#include <stdatomic.h>

#include "base/parallel.h"
#include "base/str.h"
#include "export/large_object_files.h"
#include "export/rows.h"
#include "export/toc_write.h"

typedef struct Work
{
    const ExportSource *source;
    const ExportPlan *plan;
    const ExportRequest *request;
    const Cancel *cancel;
    OutputDir *dir;
    const ExportEntry **queue; /* biggest first: nothing waits for one that was begun last */
    size_t count;
    atomic_size_t next;
} Work;

static bool write_rows(Work *w, TableData *data, const ExportEntry *e, Error *err)
{
    char name[64];
    snprintf(name, sizeof(name), "%s%s", e->file, compress_suffix(w->request->compress.method));
    AUTO(output_free) Output *out = output_dir_file(w->dir, name, w->request->compress, err);
    return out != NULL && rows_write(data, e, w->request, out, err) &&
           output_text(out, w->request->rows == ROWS_COPY ? "\\.\n\n\n" : "\n\n", err) &&
           output_commit(out, err);
}

static bool write_item(Work *w, TableData *data, const ExportEntry *e, Error *err)
{
    if (e->kind == EXPORT_ROWS)
        return write_rows(w, data, e, err);
    return large_object_files(data, e, export_plan_find(w->plan, EXPORT_CONTENTS), w->dir,
                              w->request->compress, w->cancel, err);
}

static bool work(void *arg, size_t i UNUSED, Error *err)
{
    Work *w = arg;
    AUTO(table_data_free) TableData *data = table_data_new(w->source, w->cancel);
    bool ok = true;
    size_t at;
    while (ok && (at = atomic_fetch_add(&w->next, 1)) < w->count)
        ok = cancel_check(w->cancel, err) && write_item(w, data, w->queue[at], err);
    return ok;
}

/* Large objects go first: nothing tells how long many small files take. */
static int biggest_first(const void *a, const void *b)
{
    const ExportEntry *x = *(const ExportEntry *const *) a;
    const ExportEntry *y = *(const ExportEntry *const *) b;
    if (x->kind != y->kind)
        return x->kind == EXPORT_OBJECTS ? -1 : 1;
    if (x->table->logical != y->table->logical)
        return x->table->logical > y->table->logical ? -1 : 1;
    return x->toc.dump_id < y->toc.dump_id ? -1 : 1;
}

static bool write_tables(Work *w, Cancel *cancel, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "queue");
    w->queue = mem_array(tmp, const ExportEntry *, w->plan->entry_count);
    for (size_t i = 0; i < w->plan->entry_count; i++)
    {
        ExportKind kind = w->plan->entries[i].kind;
        if (kind == EXPORT_ROWS || kind == EXPORT_OBJECTS)
            w->queue[w->count++] = &w->plan->entries[i];
    }
    if (w->count > 1)
        qsort(w->queue, w->count, sizeof(*w->queue), biggest_first); /* NOLINT: pointers */
    size_t jobs = (size_t) w->request->jobs < w->count ? (size_t) w->request->jobs : w->count;
    return jobs == 0 || parallel_run(jobs, work, w, cancel, err);
}

static bool write_toc(const Work *w, Error *err)
{
    AUTO(table_data_free) TableData *data = table_data_new(w->source, w->cancel);
    AUTO(output_free)
    Output *out = output_dir_file(w->dir, "toc.dat", (Compress){.method = COMPRESS_NONE}, err);
    return out != NULL &&
           toc_write(out, w->plan, data, w->request->compress, w->source->manifest->cut.at_us,
                     err) &&
           output_commit(out, err);
}

static bool check_compression(const ExportPlan *plan, const ExportRequest *request, Error *err)
{
    CompressMethod method = request->compress.method;
    if (method == COMPRESS_NONE || method == COMPRESS_GZIP ||
        plan->toc->version_minor >= TOC_VERSION_COMPRESSION)
        return true;
    error_set(err, ERR_USAGE,
              "the set's schema was written by pg_dump %s, whose archives cannot be compressed "
              "with %s",
              plan->toc->dump_version, compress_name(method));
    return error_hint(err, "Use --compress=gzip or --compress=none.");
}

bool export_directory(const ExportSource *source, const ExportPlan *plan,
                      const ExportRequest *request, Cancel *cancel, Error *err)
{
    if (!check_compression(plan, request, err))
        return false;
    AUTO(output_dir_free) OutputDir *dir = output_dir_open(request->file, request->no_sync, err);
    Work w = {.source = source, .plan = plan, .request = request, .cancel = cancel, .dir = dir};
    return dir != NULL && write_tables(&w, cancel, err) && write_toc(&w, err) &&
           output_dir_commit(dir, err);
}
