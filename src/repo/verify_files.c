/*
 * repo/verify_files.c - the files of a set against what its manifest says of them.
 */
#include <search.h>

#include "repo/hold.h"
#include "repo/part.h"
#include "repo/verify_parts.h"

#define DEPTH_MAX 16

typedef struct Slice
{
    uint64_t offset, length;
} Slice;

typedef struct File
{
    char *path;
    bool whole; /* named by the manifest itself, not by chunks */
    bool found;
    uint64_t size; /* as found */
    Slice *slices;
    size_t count, capacity;
} File;

struct VerifyFiles
{
    VerifyProblems *problems;
    void *tree; /* of File, by path */
    uint64_t count;
};

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const File *) a)->path, ((const File *) b)->path);
}

VerifyFiles *verify_files_new(VerifyProblems *problems)
{
    VerifyFiles *f = mem_new(NULL, VerifyFiles);

    f->problems = problems;
    return f;
}

static void keep_node(void *node UNUSED)
{
    /* The files are freed with their context. */
}

void verify_files_free(VerifyFiles *f)
{
    if (f == NULL)
        return;
    tdestroy(f->tree, keep_node);
    mem_free(f);
}

static File *find_file(VerifyFiles *f, char *path)
{
    const File key = {.path = path};
    File *const *found = tfind(&key, &f->tree, compare_files);

    return found != NULL ? *found : NULL;
}

static File *get_file(VerifyFiles *f, const char *path)
{
    File *file = mem_new(f, File), **found;

    file->path = mem_strdup(file, path);
    found = mem_check(tsearch(file, &f->tree, compare_files));
    if (*found != file)
        mem_free(file);
    else
        f->count++;
    return *found;
}

void verify_files_slice(VerifyFiles *f, const char *path, uint64_t offset, uint64_t length)
{
    File *file = get_file(f, path);
    Slice *slice;

    if (file->whole)
    {
        verify_problem(f->problems, "object %s is used twice", path);
        return;
    }
    slice = mem_push(file, file->slices, file->count, file->capacity, Slice);
    slice->offset = offset;
    slice->length = length;
}

void verify_files_whole(VerifyFiles *f, const char *path, uint64_t length)
{
    uint64_t before = f->count;
    File *file = get_file(f, path);

    if (f->count == before)
    {
        verify_problem(f->problems, "object %s is used twice", path);
        return;
    }
    file->whole = true;
    *mem_push(file, file->slices, file->count, file->capacity, Slice) = (Slice){0, length};
}

/* ---- what is there ---- */

typedef struct Walk
{
    VerifyFiles *files;
    Storage *st;
    const char *set_dir;
    const char *dir; /* below set_dir, "" at first */
    int depth;
    bool complete;
} Walk;

static bool walk_dir(const Walk *w, Error *err);

static bool walk_entry(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    const Walk *w = arg;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "entry");
    char *path = mem_printf(ctx, "%s%s%s", w->dir, w->dir[0] != '\0' ? "/" : "", name);
    File *file;

    if (info->kind == STORAGE_DIR)
    {
        Walk below = *w;

        below.dir = path;
        below.depth++;
        return walk_dir(&below, err);
    }
    /* Reports are for people: nothing is ever read from them. */
    if (strcmp(path, "manifest.jsonl") == 0 || strcmp(path, PART_FILE) == 0 ||
        strcmp(path, SET_REPORT_TEXT) == 0 || strcmp(path, SET_REPORT_JSON) == 0 ||
        strcmp(path, "run.lock") == 0 || strcmp(path, HOLD_FILE) == 0 ||
        strcmp(path, HOLD_LOCK) == 0)
        return true;
    file = find_file(w->files, path);
    if (file == NULL && w->complete)
        verify_problem(w->files->problems, "%s is an extra file that nothing accounts for", path);
    if (file == NULL)
        return true;
    if (info->kind != STORAGE_FILE)
    {
        verify_problem(w->files->problems, "object %s is not a regular file", path);
        file->found = true;
        file->count = 0;
        return true;
    }
    file->found = true;
    file->size = info->size;
    return true;
}

static bool walk_dir(const Walk *w, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "walk");
    Walk copy = *w;

    if (w->depth > DEPTH_MAX)
    {
        verify_problem(w->files->problems, "%s: directories are nested too deep", w->dir);
        return true;
    }
    return storage_list(
        w->st, w->dir[0] == '\0' ? w->set_dir : mem_printf(ctx, "%s/%s", w->set_dir, w->dir),
        walk_entry, &copy, err);
}

/* ---- comparing ---- */

static int compare_slices(const void *a, const void *b)
{
    const Slice *x = a, *y = b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void compare_file(VerifyFiles *f, File *file, bool complete)
{
    uint64_t next = 0;

    if (!file->found)
    {
        verify_problem(f->problems, "object %s is missing", file->path);
        return;
    }
    if (file->count == 0)
        return;
    qsort(file->slices, file->count, sizeof(Slice), compare_slices);
    for (size_t i = 0; i < file->count; i++)
    {
        if (complete && file->slices[i].offset != next)
        {
            verify_problem(f->problems, "object %s has %s before byte %" PRIu64, file->path,
                           file->slices[i].offset > next ? "a gap" : "an overlap",
                           file->slices[i].offset);
            return;
        }
        next = file->slices[i].offset + file->slices[i].length;
    }
    if (file->size < next || (complete && file->size != next))
        verify_problem(f->problems, "object %s has %" PRIu64 " bytes, not %" PRIu64, file->path,
                       file->size, next);
}

typedef struct Comparing
{
    VerifyFiles *files;
    bool complete;
} Comparing;

static void compare_node(const void *node, VISIT which, void *arg)
{
    const Comparing *c = arg;

    if (which == postorder || which == leaf)
        compare_file(c->files, *(File *const *) node, c->complete);
}

bool verify_files_compare(VerifyFiles *f, Storage *st, const char *set_dir, bool complete,
                          uint64_t *ret_count, Error *err)
{
    const Walk root = {
        .files = f,
        .st = st,
        .set_dir = set_dir,
        .dir = "",
        .complete = complete,
    };
    Comparing c = {.files = f, .complete = complete};

    if (!walk_dir(&root, err))
        return false;
    twalk_r(f->tree, compare_node, &c);
    *ret_count = f->count;
    return true;
}
