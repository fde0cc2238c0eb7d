/* physical/restore.c - restoring a physical set; the contract is in restore.h. */
#include "physical/restore.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "physical/chain.h"
#include "physical/object_read.h"
#include "physical/restore_files.h"
#include "physical/restore_room.h"
#include "physical/wal_read.h"

/* Parts that one worker takes one behind the other, as a file may go on from one to the next; or a file of WAL, which
 * stays where it is until the server asks for it, but is wanted whole before anything starts. */
typedef struct Piece
{
    size_t set; /* of the chain */
    size_t tree;
    const WalRecord *wal; /* NULL: parts */
    size_t part;
    size_t count;
    uint64_t bytes;
} Piece;

typedef struct PhysicalRestore
{
    void *ctx;
    Repo *repo;
    const char *set_dir;
    const Manifest *m;
    Chain chain;
    const PhysicalRestoreRequest *request;
    char *repo_path; /* absolute, as a pattern, for the servers */
    Cancel *cancel;
    RecoveryTarget target;
    RestoreTree *trees;
    size_t tree_count;
    Piece *pieces;
    size_t piece_count, piece_capacity;
    atomic_size_t next;
    size_t end; /* of the pieces of the set at hand */
    size_t set;
} PhysicalRestore;

/* ---- checks ---- */

/* OLD, or CONTENT:OLD, which says more. */
static const char *map_tablespace(const PhysicalRestoreRequest *request, int content,
                                  const char *location)
{
    char own[16];
    size_t len = (size_t) snprintf(own, sizeof(own), "%d:", content);
    const char *found = NULL;
    for (size_t i = 0; i < request->tablespace_count; i++)
    {
        const PhysicalMap *map = &request->tablespaces[i];
        if (strncmp(map->from, own, len) == 0 && strcmp(map->from + len, location) == 0)
            return map->to;
        if (strcmp(map->from, location) == 0)
            found = map->to;
    }
    return found != NULL ? found : location;
}

static bool check_tablespaces(PhysicalRestore *r, RestoreTree *tree, Error *err)
{
    const int content = tree->record->content;
    tree->tablespaces = mem_array(r->ctx, RestoreTablespace, r->m->tablespace_count);
    for (size_t i = 0; i < r->m->tablespace_count; i++)
    {
        const TablespaceRecord *t = &r->m->tablespaces[i];
        char what[80];
        if (t->content != content)
            continue;
        RestoreTablespace *own = &tree->tablespaces[tree->tablespace_count++];
        own->oid = t->oid;
        snprintf(what, sizeof(what), "node %d, tablespace %" PRIu32, content, t->oid);
        if (!restore_dir_check(r->ctx, map_tablespace(r->request, content, t->location), what,
                               &own->dir, err))
            return error_hint(err,
                              "--tablespace-map=OLD=NEW gives a tablespace another directory.");
    }
    return true;
}

static bool is_greenplum(const PhysicalRestore *r)
{
    return strcmp(r->m->set.topology, "greenplum") == 0;
}

const PhysicalRecord *physical_restore_record(const Manifest *m, int content, Error *err)
{
    const PhysicalRecord *record = manifest_physical(m, content);
    if (record == NULL)
        error_set(err, ERR_USAGE, "--map names content id %d, which set %s does not have", content,
                  m->set.key);
    return record;
}

static bool check_tree(PhysicalRestore *r, const PhysicalDirectory *where, RestoreTree *tree,
                       Error *err)
{
    char what[32];
    tree->record = physical_restore_record(r->m, where->content, err);
    tree->greenplum = is_greenplum(r);
    snprintf(what, sizeof(what), "--map %d", where->content);
    if (tree->record == NULL || !wal_read_check_records(r->m, tree->record, err))
        return false;
    if (!restore_dir_check(r->ctx, where->path, what, &tree->data, err))
        return error_hint(err, "A restore writes to empty directories only; what one has left that "
                               "was killed can be removed.");
    return check_tablespaces(r, tree, err);
}

/* The i-th of all directories, NULL behind the last one. */
static RestoreDir *directory_at(const PhysicalRestore *r, size_t i)
{
    for (size_t t = 0; t < r->tree_count; t++)
    {
        if (i == 0)
            return &r->trees[t].data;
        if (i <= r->trees[t].tablespace_count)
            return &r->trees[t].tablespaces[i - 1].dir;
        i -= r->trees[t].tablespace_count + 1;
    }
    return NULL;
}

static bool check_apart(const PhysicalRestore *r, Error *err)
{
    RestoreDir *a;
    RestoreDir *b;
    for (size_t i = 0; (a = directory_at(r, i)) != NULL; i++)
    {
        for (size_t j = i + 1; (b = directory_at(r, j)) != NULL; j++)
        {
            if (!restore_dir_overlap(a, b))
                continue;
            error_set(err, ERR_USAGE,
                      "%s and %s would both be written to, and one lies in the other", a->path,
                      b->path);
            return error_hint(err,
                              "Every data directory and every tablespace needs a directory of "
                              "its own; --tablespace-map=CONTENT:OLD=NEW names those of one node.");
        }
    }
    return true;
}

/* ---- pieces of work ---- */

static void add_parts(PhysicalRestore *r, size_t set, size_t tree)
{
    const Manifest *m = r->chain.sets[set].m;
    for (size_t i = 0; i < m->part_count; i++)
    {
        const PartRecord *part = &m->parts[i];
        if (part->content != r->trees[tree].record->content)
            continue;
        bool goes_on = part->part > 0 && part->first_member > 0;
        Piece *piece = goes_on
                           ? &r->pieces[r->piece_count - 1]
                           : mem_push(r->ctx, r->pieces, r->piece_count, r->piece_capacity, Piece);
        if (!goes_on)
            *piece = (Piece){.set = set, .tree = tree, .part = i};
        piece->count++;
        piece->bytes += part->logical;
        atomic_fetch_add(&r->trees[tree].progress->bytes_total, part->logical);
    }
}

static void add_wal(PhysicalRestore *r, size_t tree)
{
    for (size_t i = 0; i < r->m->wal_count; i++)
    {
        const WalRecord *wal = &r->m->wals[i];
        if (wal->content != r->trees[tree].record->content)
            continue;
        *mem_push(r->ctx, r->pieces, r->piece_count, r->piece_capacity,
                  Piece) = (Piece){.tree = tree, .wal = wal, .bytes = wal->stored};
    }
}

/* Set by set, and WAL first: that it is not whole is known before much has been written. */
static int by_size(const void *a, const void *b)
{
    const Piece *x = a;
    const Piece *y = b;
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    if ((x->wal == NULL) != (y->wal == NULL))
        return x->wal != NULL ? -1 : 1;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

static uint64_t bytes_for(const PhysicalRestore *r, const RestoreDir *dir)
{
    char stream[16];
    for (size_t t = 0; t < r->tree_count; t++)
    {
        const RestoreTree *tree = &r->trees[t];
        if (dir == &tree->data)
            return restore_room_need(&r->chain, tree->record->content, PART_BASE);
        for (size_t i = 0; i < tree->tablespace_count; i++)
        {
            if (dir != &tree->tablespaces[i].dir)
                continue;
            snprintf(stream, sizeof(stream), "%" PRIu32, tree->tablespaces[i].oid);
            return restore_room_need(&r->chain, tree->record->content, stream);
        }
    }
    return 0;
}

/* What goes to a device, as far as directories lie on it. */
static bool check_space(const PhysicalRestore *r, Error *err)
{
    char need_text[STR_BYTES_LEN];
    char room_text[STR_BYTES_LEN];
    RestoreDir *a;
    RestoreDir *b;
    for (size_t i = 0; (a = directory_at(r, i)) != NULL; i++)
    {
        uint64_t room, device, other_room, other, need = 0;
        if (!restore_dir_space(a, &room, &device, err))
            return false;
        for (size_t j = 0; (b = directory_at(r, j)) != NULL; j++)
        {
            if (!restore_dir_space(b, &other_room, &other, err))
                return false;
            need += other == device ? bytes_for(r, b) : 0;
        }
        if (need > room)
        {
            error_set(err, ERR_STORAGE, "%s: there is room for %s, and %s are to be written there",
                      a->path, str_format_bytes(room_text, room),
                      str_format_bytes(need_text, need));
            return error_hint(err, "--no-space-check tries it all the same.");
        }
    }
    return true;
}

/* ---- workers ---- */

static bool read_part(PhysicalRestore *r, const ChainSet *set, const PartRecord *part,
                      IoStage *files, Error *err)
{
    StoredObject object = {.object = part->object,
                           .logical = part->logical,
                           .xxh3 = part->xxh3,
                           .stored = part->stored,
                           .sha256 = part->sha256};
    return object_read(r->repo->storage, set->dir, &object, set->m->set.compress.method, files,
                       r->cancel, err);
}

static bool has_tablespace(const Manifest *m, int content, const char *stream)
{
    for (size_t i = 0; i < m->tablespace_count; i++)
        if (m->tablespaces[i].content == content &&
            m->tablespaces[i].oid == strtoul(stream, NULL, 10))
            return true;
    return false;
}

/* A tablespace that an older set has may be gone since. */
static IoStage *open_stream(const PhysicalRestore *r, const Piece *piece, Error *err)
{
    RestoreTree *tree = &r->trees[piece->tree];
    const Manifest *m = r->chain.sets[piece->set].m;
    const char *stream = m->parts[piece->part].stream;
    int content = tree->record->content;
    bool gone = strcmp(stream, PART_BASE) != 0 && has_tablespace(m, content, stream) &&
                !has_tablespace(r->m, content, stream);
    return gone ? restore_files_skip(tree, stream) : restore_files_new(tree, stream, err);
}

static bool restore_piece(PhysicalRestore *r, const Piece *piece, Error *err)
{
    const ChainSet *set = &r->chain.sets[piece->set];
    AUTO(io_free) IoStage *files = open_stream(r, piece, err);
    if (files == NULL)
        return false;
    for (size_t i = 0; i < piece->count; i++)
        if (!read_part(r, set, &set->m->parts[piece->part + i], files, err))
            return false;
    return restore_files_end(files, err);
}

static bool work(void *arg, size_t worker, Error *err)
{
    PhysicalRestore *r = arg;
    (void) worker;
    for (;;)
    {
        size_t i = atomic_fetch_add(&r->next, 1);
        if (i >= r->end)
            return true;
        const Piece *piece = &r->pieces[i];
        bool ok = piece->wal == NULL ? restore_piece(r, piece, err)
                                     : wal_read_of_set(r->repo->storage, r->set_dir, r->m,
                                                       piece->wal, NULL, r->cancel, err);
        if (!ok)
            return error_prefix(err, "node %d", r->trees[piece->tree].record->content);
    }
}

/* ---- a node's end ---- */

static bool to_check(void *arg, const void *data, size_t len, Error *err)
{
    return manifest_check_write(arg, data, len, err);
}

/* The server's own manifest is kept where it tells of the files that there are: one of an incremental backup tells
 * of files of changed blocks. */
static bool check_manifest(const PhysicalRestore *r, RestoreTree *tree, Error *err)
{
    const ChainSet *set = &r->chain.sets[r->set];
    const PhysicalRecord *record = manifest_physical(set->m, tree->record->content);
    const ObjectRecord *manifest = &record->manifest;
    bool keep = r->chain.count == 1;
    if (manifest->path == NULL)
        return true;
    StoredObject object = {.object = manifest->path,
                           .logical = record->manifest_bytes,
                           .stored = manifest->bytes,
                           .sha256 = manifest->sha256};
    AUTO(io_free)
    IoStage *listing = keep ? restore_files_manifest(tree, err)
                            : io_sink_new(to_check, tree->check);
    return listing != NULL &&
           object_read(r->repo->storage, set->dir, &object, set->m->set.compress.method, listing,
                       r->cancel, err) &&
           (keep || manifest_check_finish(tree->check, err));
}

/* When a set of the chain has come, the directories are what its server had. */
static bool end_set(void *arg, size_t i, Error *err)
{
    const PhysicalRestore *r = arg;
    RestoreTree *tree = &r->trees[i];
    return (restore_files_whole(tree, err) && check_manifest(r, tree, err) &&
            (!tree->later || restore_files_sweep(tree, err))) ||
           error_prefix(err, "node %d, set %s", tree->record->content,
                        r->chain.sets[r->set].m->set.key);
}

static bool set_label(const PhysicalRestore *r, const RestoreTree *tree, Error *err)
{
    if (r->chain.count == 1)
        return true;
    const Manifest *before = r->chain.sets[r->chain.count - 2].m;
    const PhysicalRecord *base = manifest_physical(before, tree->record->content);
    return restore_files_label(tree, base->start_lsn, base->timeline, err);
}

static bool seal(void *arg, size_t i, Error *err)
{
    PhysicalRestore *r = arg;
    RestoreTree *tree = &r->trees[i];
    const NodeRecord *node = manifest_node(r->m, tree->record->content);
    Recovery recovery = {.program = r->request->program,
                         .repo = r->repo_path,
                         .key = r->m->set.key,
                         .content = tree->record->content,
                         .target_name = r->request->standby ? NULL : r->target.name,
                         .target_time = r->request->standby ? NULL : r->target.time,
                         .archive = r->request->standby || r->target.archive,
                         .standby = r->request->standby,
                         .by_file = node->server_version_num < RECOVERY_BY_FILE,
                         .greenplum_dbid = tree->greenplum ? node->dbid : 0,
                         .held = r->request->finish != NULL};
    return (set_label(r, tree, err) && cancel_check(r->cancel, err) &&
            restore_files_seal(tree, &recovery, err)) ||
           error_prefix(err, "node %d", tree->record->content);
}

static bool admit(void *arg, size_t i, Error *err)
{
    const PhysicalRestore *r = arg;
    return restore_files_admit(&r->trees[i], err) ||
           error_prefix(err, "node %d", r->trees[i].record->content);
}

static bool release(void *arg, size_t i, Error *err)
{
    const PhysicalRestore *r = arg;
    return restore_files_release(&r->trees[i], err) ||
           error_prefix(err, "node %d", r->trees[i].record->content);
}

static bool on_all(PhysicalRestore *r, ParallelFn fn, Error *err)
{
    return parallel_run(r->tree_count, fn, r, r->cancel, err);
}

static bool meet(const PhysicalRestore *r, PhysicalStage stage, Error *err)
{
    return r->request->meet == NULL || r->request->meet(r->request->meet_arg, stage, err);
}

static bool finish(PhysicalRestore *r, Error *err)
{
    PhysicalDirectory *directories = mem_array(r->ctx, PhysicalDirectory, r->tree_count);
    for (size_t i = 0; i < r->tree_count; i++)
        directories[i] = (PhysicalDirectory){.content = r->trees[i].record->content,
                                             .path = r->trees[i].data.path};
    return r->request->finish(r->request->finish_arg, directories, r->tree_count, err);
}

/* No node's server can start before all nodes have all that they need. */
static bool let_start(PhysicalRestore *r, Error *err)
{
    bool held = r->request->finish != NULL;
    return on_all(r, seal, err) && (!held || (on_all(r, admit, err) && finish(r, err))) &&
           meet(r, PHYSICAL_WRITTEN, err) && on_all(r, held ? release : admit, err) &&
           meet(r, PHYSICAL_WHOLE, err);
}

/* ---- all ---- */

static bool find_target(PhysicalRestore *r, Error *err)
{
    int *contents = mem_array(r->ctx, int, r->tree_count);
    for (size_t i = 0; i < r->tree_count; i++)
        contents[i] = r->trees[i].record->content;
    RecoveryWish wish = {.name = r->request->target_name, .time = r->request->target_time};
    return recovery_target_find(r->ctx, r->repo, r->m, contents, r->tree_count, wish, &r->target,
                                err);
}

static bool make_trees(PhysicalRestore *r, Progress *progress, Error *err)
{
    r->tree_count = r->request->directory_count;
    r->trees = mem_array(r->ctx, RestoreTree, r->tree_count);
    for (size_t i = 0; i < r->tree_count; i++)
    {
        RestoreTree *tree = &r->trees[i];
        pthread_mutex_init(&tree->mutex, NULL);
        tree->mode = 0700;
        tree->no_sync = r->request->no_sync;
        tree->check = manifest_check_new();
        tree->names = r->chain.count > 1 ? name_set_new(NULL) : NULL;
        tree->progress = progress_node(progress, r->request->one_progress ? 0 : i);
        snprintf(tree->progress->label, sizeof(tree->progress->label), "node %d",
                 r->request->directories[i].content);
        if (!check_tree(r, &r->request->directories[i], tree, err))
            return false;
        for (size_t set = 0; set < r->chain.count; set++)
            add_parts(r, set, i);
        add_wal(r, i);
    }
    if (r->piece_count > 1)
        qsort(r->pieces, r->piece_count, sizeof(Piece), by_size);
    return find_target(r, err) && check_apart(r, err) &&
           (r->request->no_space_check || check_space(r, err));
}

static void free_trees(PhysicalRestore *r)
{
    for (size_t i = 0; i < r->tree_count; i++)
    {
        manifest_check_free(r->trees[i].check);
        mem_free(r->trees[i].names);
        pthread_mutex_destroy(&r->trees[i].mutex);
    }
}

static bool make_directories(const PhysicalRestore *r, size_t *ret_made, Error *err)
{
    RestoreDir *dir;
    for (*ret_made = 0; (dir = directory_at(r, *ret_made)) != NULL; (*ret_made)++)
        if (!restore_dir_make(dir, err))
            return false;
    return true;
}

/* The sets one behind the other: each changes what those before it have left. */
static bool fill_set(PhysicalRestore *r, size_t set, Error *err)
{
    size_t workers = (size_t) r->request->jobs;
    size_t first = r->end;
    for (size_t i = 0; set > 0 && i < r->tree_count; i++)
        restore_files_next(&r->trees[i]);
    r->set = set;
    while (r->end < r->piece_count && r->pieces[r->end].set == set)
        r->end++;
    atomic_store(&r->next, first);
    return parallel_run(workers < r->end - first ? workers : r->end - first, work, r, r->cancel,
                        err) &&
           parallel_run(r->tree_count, end_set, r, r->cancel, err);
}

static bool fill(PhysicalRestore *r, Progress *progress, Error *err)
{
    size_t made;
    bool ok = make_directories(r, &made, err);
    progress_phase(progress, "data");
    for (size_t set = 0; ok && set < r->chain.count; set++)
        ok = fill_set(r, set, err);
    progress_phase(progress, "checking and syncing");
    ok = ok && let_start(r, err);
    for (size_t i = 0; !ok && i < r->tree_count; i++)
        restore_files_withdraw(&r->trees[i]);
    for (size_t i = 0; !ok && i < made; i++)
        restore_dir_clear(directory_at(r, i));
    for (size_t i = 0; i < made; i++)
        restore_dir_close(directory_at(r, i));
    return ok;
}

static void report(const PhysicalRestore *r, PhysicalRestoreResult *ret)
{
    ret->node_count = r->tree_count;
    ret->nodes = mem_array(r->ctx, PhysicalRestored, r->tree_count);
    for (size_t i = 0; i < r->tree_count; i++)
        ret->nodes[i] = (PhysicalRestored){.content = r->trees[i].record->content,
                                           .directory = r->trees[i].data.path,
                                           .record = r->trees[i].record,
                                           .files = r->trees[i].files,
                                           .bytes = r->trees[i].bytes};
}

/* A percent sign in a repository's name is doubled (repo/part.h). */
static char *as_pattern(void *ctx, const char *path)
{
    Str *s = str_new(ctx);
    for (const char *p = path; *p != '\0'; p++)
    {
        if (*p == '%')
            str_addc(s, '%');
        str_addc(s, *p);
    }
    return s->data;
}

/* The servers' own user must be able to read the repository, from wherever it starts them. */
static bool find_repo(PhysicalRestore *r, Error *err)
{
    char *root = storage_local_path(r->repo->storage, r->ctx, "pgark.repo");
    char *real = root == NULL ? NULL : realpath(root, NULL);
    if (real == NULL)
        return error_set(err, ERR_USAGE, "repository %s has no path that a server could read",
                         storage_uri(r->repo->storage));
    *strrchr(real, '/') = '\0';
    r->repo_path = as_pattern(r->ctx, real);
    free(real);
    return true;
}

bool physical_restore(void *ctx, Repo *repo, const char *set_dir,
                      const PhysicalRestoreRequest *request, Cancel *cancel, Progress *progress,
                      PhysicalRestoreResult *ret, Error *err)
{
    PhysicalRestore r = {.ctx = ctx,
                         .repo = repo,
                         .set_dir = set_dir,
                         .m = ret->manifest,
                         .request = request,
                         .cancel = cancel};
    progress_phase(progress, "checking");
    bool ok = chain_open(repo, ctx, set_dir, ret->manifest, &r.chain, err) && find_repo(&r, err) &&
              make_trees(&r, progress, err);
    ret->target = r.target;
    ok = ok && meet(&r, PHYSICAL_CHECKED, err) && fill(&r, progress, err);
    if (ok)
        report(&r, ret);
    chain_close(&r.chain);
    free_trees(&r);
    return ok;
}
