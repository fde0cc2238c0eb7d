/* backup/left.c - what a dead run has left of a node; the contract is in left.h.
 *
 * The chunk file is replaced in steps, so that a kill never loses what was proven:
 *   1. good lines go to CHUNK_FILE.kept, atomically; where that is there already, it is what is read
 *   2. files that no good line names go; only now, as until 1 the old lines name the old objects
 *   3. CHUNK_FILE goes and is begun anew with the good lines, then CHUNK_FILE.kept goes
 */
#include "backup/left.h"

#include "base/log.h"
#include "pg/string_pool.h"

typedef struct Left
{
    const LeftPlace *place;
    void *tmp;
    StringPool names;
    LeftChunks *ret;
    char *chunk_path; /* within the repository, like the next one */
    char *kept_path;
    unsigned char *buffer;
} Left;

static char *in_set(const Left *l, void *ctx, const char *name)
{
    return mem_printf(ctx, "%s/%s", l->place->set_dir, name);
}

static char *object_path(const Left *l, void *ctx, const ChunkRecord *chunk)
{
    return mem_printf(ctx, "%s/%s", base_chunk_dir(ctx, l->place->set_dir, chunk), chunk->object);
}

/* ---- lines ---- */

static bool is_dumped(const Catalog *catalog, uint32_t oid)
{
    const Relation *r = catalog_find(catalog, oid);
    return r != NULL && r->data != DATA_NONE;
}

/* The name of an object within node_dir, NULL: it is elsewhere. */
static const char *name_in_node(const Left *l, const char *object)
{
    size_t len = strlen(l->place->node_dir);
    if (strncmp(object, l->place->node_dir, len) != 0 || object[len] != '/' ||
        strchr(object + len + 1, '/') != NULL)
        return NULL;
    return object + len + 1;
}

/* In a place where the run could have put it, or found it. */
static bool is_possible(const Left *l, const ChunkRecord *chunk)
{
    const Base *base = l->place->base;
    if (chunk->object == NULL)
        return true;
    if (chunk->set[0] == '\0')
        return name_in_node(l, chunk->object) != NULL;
    return base != NULL && base_set_index(base, chunk->set) < base->set_count;
}

static bool take_line(void *arg, const ChunkRecord *chunk, uint64_t offset UNUSED,
                      uint32_t len UNUSED, Error *err UNUSED)
{
    Left *l = arg;
    LeftChunks *ret = l->ret;
    if (!is_dumped(l->place->catalog, chunk->table_oid) || !is_possible(l, chunk))
        return true;
    ChunkRecord *copy = mem_push(l->tmp, ret->chunks, ret->count, ret->capacity, ChunkRecord);
    *copy = *chunk;
    if (chunk->object != NULL)
        copy->object = string_pool_copy(&l->names, chunk->object, strlen(chunk->object));
    return true;
}

static int by_table(const void *a, const void *b)
{
    const ChunkRecord *x = a;
    const ChunkRecord *y = b;
    if (x->table_oid != y->table_oid)
        return x->table_oid < y->table_oid ? -1 : 1;
    return x->chunk < y->chunk ? -1 : x->chunk > y->chunk;
}

static size_t table_end(const LeftChunks *c, size_t first)
{
    size_t end = first;
    while (end < c->count && c->chunks[end].table_oid == c->chunks[first].table_oid)
        end++;
    return end;
}

/* Ranges follow each other, and between two of them is room for the chunks whose numbers are missing. */
static bool ranges_fit(const ChunkRecord *chunks, size_t count)
{
    uint64_t at = 0;
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
    {
        const ChunkRecord *c = &chunks[i];
        if (c->chunk < number || c->from_block < at || (c->to_block == 0 && i + 1 < count))
            return false;
        uint64_t missing = c->chunk - number;
        if (c->from_block - at < missing || (missing == 0 && c->from_block != at))
            return false;
        at = c->to_block;
        number = (uint64_t) c->chunk + 1;
    }
    return true;
}

/* What no run writes is not believed, the whole table. */
static void drop_unfit(LeftChunks *c)
{
    size_t kept = 0;
    for (size_t first = 0, end; first < c->count; first = end)
    {
        end = table_end(c, first);
        if (!ranges_fit(&c->chunks[first], end - first))
            continue;
        memmove(&c->chunks[kept], &c->chunks[first], (end - first) * sizeof(ChunkRecord));
        kept += end - first;
    }
    c->count = kept;
}

static bool read_lines(Left *l, Error *err)
{
    StorageInfo kept;
    if (!storage_stat(l->place->storage, l->kept_path, &kept, err) ||
        !manifest_each_left_chunk(l->place->storage,
                                  kept.kind == STORAGE_FILE ? l->kept_path : l->chunk_path,
                                  take_line, l, err))
        return false;
    if (l->ret->count > 1)
        qsort(l->ret->chunks, l->ret->count, sizeof(ChunkRecord), by_table);
    drop_unfit(l->ret);
    return true;
}

/* ---- objects ---- */

static bool to_writer(void *arg, const void *data, size_t len, Error *err)
{
    return storage_write(arg, data, len, err);
}

static bool pump(Left *l, StorageReader *in, IoStage *to, Error *err)
{
    size_t n = 1;
    while (n > 0)
    {
        if (!cancel_check(l->place->cancel, err) ||
            !storage_read(in, l->buffer, IO_BUFFER_SIZE, &n, err) ||
            !io_write(to, l->buffer, n, err))
            return false;
    }
    return io_finish(to, err);
}

/* Reads a chunk's stored bytes, and writes them to another object where one is given. *ret_good: they
 * are what its record says. What cannot be read is not good either. */
static bool read_stored(Left *l, const ChunkRecord *c, StorageWriter *to, bool *ret_good,
                        Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "stored");
    Error why = ERROR_INIT;
    *ret_good = false;
    AUTO(storage_reader_free)
    StorageReader *in = storage_read_open(l->place->storage, object_path(l, tmp, c), c->offset,
                                          c->stored, &why);
    AUTO(io_free)
    IoStage *tap = io_tap_new(TAP_SHA256, to == NULL ? NULL : io_sink_new(to_writer, to));
    if (in == NULL || !pump(l, in, tap, &why))
    {
        if (to == NULL && why.code != ERR_CANCELLED)
        {
            log_debug("object %s: %s", c->object, why.message);
            return true;
        }
        *err = why;
        return false;
    }
    char sha256[TAP_HEX_LEN];
    uint64_t bytes;
    io_tap_result(tap, &bytes, sha256);
    *ret_good = bytes == c->stored && strcmp(sha256, c->sha256) == 0;
    return true;
}

/* Puts the good chunks of an object into a new bundle. */
static bool rewrite(Left *l, ChunkRecord **chunks, const bool *good, size_t count, Error *err)
{
    AUTO(storage_writer_free) StorageWriter *out = NULL;
    char *name = mem_printf(l->tmp, "%s/bundle-%d", l->place->node_dir, l->ret->bundles + 1);
    uint64_t offset = 0;
    for (size_t i = 0; i < count; i++)
    {
        bool same = false;
        if (!good[i])
            continue;
        if (out == NULL)
            out = storage_write_open(
                l->place->storage, in_set(l, l->tmp, name),
                l->place->no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN, err);
        if (out == NULL || !read_stored(l, chunks[i], out, &same, err))
            return false;
        if (!same)
            return error_set(err, ERR_STORAGE, "object %s changed while it was read",
                             chunks[i]->object);
        chunks[i]->object = name;
        chunks[i]->offset = offset;
        offset += chunks[i]->stored;
    }
    if (out == NULL)
        return true;
    l->ret->bundles++;
    l->ret->objects++;
    return storage_writer_commit(out, err);
}

/* The chunks of one object, by offset; good is set for each. */
static bool check_object(Left *l, ChunkRecord **chunks, bool *good, size_t count, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "object");
    const char *path = in_set(l, tmp, chunks[0]->object);
    StorageInfo info;
    uint64_t next = 0;
    bool whole = true;
    bool own = chunks[0]->set[0] == '\0';
    if (!storage_stat(l->place->storage, path, &info, err))
        return false;
    for (size_t i = 0; i < count; i++)
    {
        if (!read_stored(l, chunks[i], NULL, &good[i], err))
            return false;
        if (!good[i])
            log_info("object %s is not what it should be, table oid %u chunk %u is copied again",
                     chunks[i]->object, chunks[i]->table_oid, chunks[i]->chunk);
        whole = whole && good[i] && chunks[i]->offset == next;
        next = chunks[i]->offset + chunks[i]->stored;
    }
    if (!own)
        return true;
    if (!whole || info.size != next)
        return rewrite(l, chunks, good, count, err);
    l->ret->objects++;
    return l->place->no_sync || storage_sync_file(l->place->storage, path, err);
}

static int by_object(const void *a, const void *b)
{
    const ChunkRecord *x = *(ChunkRecord *const *) a;
    const ChunkRecord *y = *(ChunkRecord *const *) b;
    int order = strcmp(x->set, y->set);
    if (order == 0)
        order = strcmp(x->object, y->object);
    if (order != 0)
        return order;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool is_same_object(const ChunkRecord *a, const ChunkRecord *b)
{
    return strcmp(a->object, b->object) == 0 && strcmp(a->set, b->set) == 0;
}

static bool check_objects(Left *l, Error *err)
{
    LeftChunks *c = l->ret;
    ChunkRecord **sorted = mem_array(l->tmp, ChunkRecord *, c->count);
    bool *good = mem_array(l->tmp, bool, c->count);
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++)
    {
        if (c->chunks[i].object != NULL)
            sorted[count++] = &c->chunks[i];
    }
    if (count > 1)
        qsort(sorted, count, sizeof(void *), by_object);
    for (size_t first = 0, end; first < count; first = end)
    {
        for (end = first; end < count && is_same_object(sorted[first], sorted[end]); end++)
            ;
        if (!check_object(l, &sorted[first], &good[first], end - first, err))
            return false;
    }
    for (size_t i = 0; i < count; i++)
    {
        if (!good[i])
            sorted[i]->table_oid = 0;
    }
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
    {
        if (c->chunks[i].table_oid != 0)
            c->chunks[kept++] = c->chunks[i];
    }
    c->count = kept;
    return true;
}

/* ---- files ---- */

static bool note_bundle(void *arg, const char *name, const StorageInfo *info UNUSED,
                        Error *err UNUSED)
{
    Left *l = arg;
    long number = strncmp(name, "bundle-", 7) == 0 ? strtol(name + 7, NULL, 10) : 0;
    if (number > l->ret->bundles && number < INT_MAX / 2)
        l->ret->bundles = (int) number;
    return true;
}

typedef struct Sweep
{
    const Left *l;
    const char **names; /* of the objects that stay, sorted */
    size_t count;
} Sweep;

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static bool sweep_one(void *arg, const char *name, const StorageInfo *info, Error *err)
{
    const Sweep *s = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sweep");
    const Left *l = s->l;
    char *path = mem_printf(tmp, "%s/%s/%s", l->place->set_dir, l->place->node_dir, name);
    if (info->kind == STORAGE_DIR || strcmp(path, l->chunk_path) == 0 ||
        strcmp(path, l->kept_path) == 0 ||
        (s->count > 0 && bsearch(&name, s->names, s->count, sizeof(char *), by_name) != NULL))
        return true;
    return storage_remove(l->place->storage, path, err);
}

static bool sweep(Left *l, Error *err)
{
    Sweep s = {.l = l, .names = mem_array(l->tmp, const char *, l->ret->count)};
    for (size_t i = 0; i < l->ret->count; i++)
    {
        if (l->ret->chunks[i].object != NULL && l->ret->chunks[i].set[0] == '\0')
            s.names[s.count++] = name_in_node(l, l->ret->chunks[i].object);
    }
    if (s.count > 1)
        qsort(s.names, s.count, sizeof(char *), by_name);
    return storage_list(l->place->storage, in_set(l, l->tmp, l->place->node_dir), sweep_one, &s,
                        err);
}

static bool write_lines(const Left *l, ManifestWriter *w, Error *err)
{
    for (size_t i = 0; i < l->ret->count; i++)
    {
        if (!manifest_write_chunk(w, &l->ret->chunks[i], err))
            return false;
    }
    return true;
}

static bool write_kept(const Left *l, Error *err)
{
    AUTO(manifest_writer_free)
    ManifestWriter *w = manifest_writer_new(l->place->storage, l->kept_path, true,
                                            l->place->no_sync, err);
    return w != NULL && write_lines(l, w, err) && manifest_writer_commit(w, NULL, err);
}

static bool begin_anew(const Left *l, ManifestWriter **ret_writer, Error *err)
{
    Storage *st = l->place->storage;
    AUTO(manifest_writer_free) ManifestWriter *w = NULL;
    if (!storage_remove(st, l->chunk_path, err))
        return false;
    w = manifest_writer_new_kept(st, l->chunk_path, l->place->no_sync, err);
    if (w == NULL || !write_lines(l, w, err) || !storage_remove(st, l->kept_path, err))
        return false;
    *ret_writer = w;
    w = NULL;
    return true;
}

/* The strings of what is given out must outlive this call. */
static void own_names(void *ctx, LeftChunks *ret)
{
    StringPool names = {.ctx = mem_context(ctx, "left chunks")};
    ChunkRecord *copy = mem_array(names.ctx, ChunkRecord, ret->count);
    for (size_t i = 0; i < ret->count; i++)
    {
        copy[i] = ret->chunks[i];
        if (copy[i].object != NULL)
            copy[i].object = string_pool_copy(&names, copy[i].object, strlen(copy[i].object));
    }
    ret->chunks = copy;
    ret->capacity = ret->count;
}

bool left_take(void *ctx, const LeftPlace *place, LeftChunks *ret, ManifestWriter **ret_writer,
               Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "left");
    Left l = {.place = place, .tmp = tmp, .names = {.ctx = tmp}, .ret = ret};
    *ret = (LeftChunks){.count = 0};
    *ret_writer = NULL;
    l.chunk_path = in_set(&l, tmp, place->chunk_file);
    l.kept_path = mem_printf(tmp, "%s.kept", l.chunk_path);
    l.buffer = mem_array(tmp, unsigned char, IO_BUFFER_SIZE);
    if (!storage_list(place->storage, in_set(&l, tmp, place->node_dir), note_bundle, &l, err) ||
        !read_lines(&l, err) || !check_objects(&l, err) || !write_kept(&l, err) ||
        !sweep(&l, err) || !begin_anew(&l, ret_writer, err))
        return error_prefix(err, "could not take over what is there of the set");
    own_names(ctx, ret);
    return true;
}
