/*
 * physical/restore_files.c - files of a data directory; the contract is in restore_files.h.
 *
 * Source of the names: PostgreSQL documentation, "Database File Layout", "Making a Base Backup Using the Low
 * Level API" (backup_label, tablespace_map), "Streaming Replication Protocol" (which streams there are).
 */
#include "physical/restore_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/lsn.h"
#include "base/str.h"
#include "physical/incremental_file.h"
#include "physical/tar_stream.h"
#include "physical/wal_name.h"

#define CONTROL        "global/pg_control"
#define CONTROL_HIDDEN "global/pg_control.pgark"
#define TABLESPACE_MAP "tablespace_map"
#define MANIFEST_NAME  "backup_manifest"
#define GREENPLUM_CONF "internal.auto.conf"      /* which postgresql.conf of every node includes */
#define WRITE_OUT      ((off_t) 8 * 1024 * 1024) /* so much begins its way to the disk at once */
#define WRITE_OUT_END  ((off_t) 1024 * 1024)     /* and so much at the end of a file */
#define SWEEP_DEPTH    16

typedef struct Files
{
    IoStage stage;
    RestoreTree *tree;
    const char *dir;                        /* that the stream's names are relative to */
    char prefix[sizeof("pg_tblspc/") + 12]; /* of the names in the server's manifest */
    bool base;
    TarStream *tar;
    int fd;                   /* of the file at hand; -1: it is left out */
    IncrementalFile *changes; /* NULL: of a whole backup, which has none */
    bool in_changes;          /* the file at hand is of changed blocks */
    uint32_t length;          /* that the file has by them, in blocks */
    char path[PATH_MAX];
    off_t written; /* of that file */
    off_t started; /* how much of it is on its way to the disk */
    uint32_t crc;
} Files;

/* ---- names ---- */

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The number of the node, which is written anew; how it was restored once, which newer servers leave out; and where the
 * other nodes were, which the coordinator writes as soon as it looks for them. */
static bool is_left_out_greenplum(const char *name)
{
    static const char *const names[] = {GREENPLUM_CONF,     MANIFEST_NAME,
                                        "recovery.conf",    "recovery.done",
                                        "gpsegconfig_dump", "gpsegconfig_dump_tmp"};
    return is_one_of(name, names, LENGTH_OF(names));
}

/* What is there of the server that was backed up and means something else to this one; the map of tablespaces is
 * written anew. */
static bool is_left_out(const RestoreTree *tree, const char *name)
{
    static const char *const names[] = {TABLESPACE_MAP, "standby.signal", "recovery.signal",
                                        "postmaster.pid", "postmaster.opts"};
    return is_one_of(name, names, LENGTH_OF(names)) ||
           (tree->greenplum && is_left_out_greenplum(name));
}

static bool set_path(Files *f, const char *name, Error *err)
{
    if (f->dir == NULL)
        return true;
    int n = snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, name);
    return (n > 0 && (size_t) n < sizeof(f->path)) ||
           error_set(err, ERR_USAGE, "the path of \"%s\" in %s is too long", name, f->dir);
}

/* Another worker may be about to make the directories that are missing: whoever comes first does. */
static bool make_parents(const Files *f, Error *err)
{
    char part[PATH_MAX];
    for (const char *p = strchr(f->path + strlen(f->dir) + 1, '/'); p != NULL;
         p = strchr(p + 1, '/'))
    {
        snprintf(part, sizeof(part), "%.*s", (int) (p - f->path), f->path);
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return error_errno(err, ERR_STORAGE, "cannot create directory %s", part);
    }
    return true;
}

/* ---- members ---- */

static bool begin_directory(Files *f, const TarMember *m, Error *err)
{
    mode_t mode = (m->mode & 0777) | 0700;
    if (strcmp(m->name, ".") == 0 || f->dir == NULL)
        return true;
    if (!make_parents(f, err))
        return false;
    if ((mkdir(f->path, mode) != 0 && errno != EEXIST) || chmod(f->path, mode) != 0)
        return error_errno(err, ERR_STORAGE, "cannot create directory %s", f->path);
    if (f->base && strcmp(m->name, "global") == 0)
    {
        pthread_mutex_lock(&f->tree->mutex);
        f->tree->mode = mode & 0750;
        pthread_mutex_unlock(&f->tree->mutex);
    }
    return true;
}

/* Servers send links to the directories of tablespaces only, which are others here. */
static bool begin_link(const Files *f, const TarMember *m, Error *err)
{
    char name[300];
    return (f->base && strncmp(m->name, "pg_tblspc/", 10) == 0) ||
           error_set(err, ERR_CORRUPT, "there is a symbolic link \"%s\" in the stream",
                     str_one_line(name, sizeof(name), m->name));
}

static bool begin_file(Files *f, const TarMember *m, Error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    f->crc = 0;
    f->written = f->started = 0;
    f->fd = -1;
    f->in_changes = false;
    if ((f->base && is_left_out(f->tree, m->name)) || f->dir == NULL)
        return true;
    if (f->tree->later && unlink(f->path) != 0 && errno != ENOENT)
        return error_errno(err, ERR_STORAGE, "cannot replace %s", f->path);
    f->fd = open(f->path, flags, 0600);
    if (f->fd < 0 && errno == ENOENT)
    {
        if (!make_parents(f, err))
            return false;
        f->fd = open(f->path, flags, 0600);
    }
    if (f->fd < 0 && errno == EEXIST)
        return error_set(err, ERR_CORRUPT, "file \"%s\" comes twice", f->path);
    if (f->fd < 0 || fchmod(f->fd, (m->mode & 0777) | 0600) != 0)
        return error_errno(err, ERR_STORAGE, "cannot create %s", f->path);
    return true;
}

/* ---- files of changed blocks ---- */

static bool begin_changes(Files *f, const TarMember *m, const char *whole, Error *err)
{
    if (!tar_name_sound(whole))
        return error_set(err, ERR_CORRUPT, "blocks come of a file with an impossible name");
    f->crc = 0;
    f->written = f->started = 0;
    f->in_changes = true;
    f->fd = f->dir == NULL ? -1 : open(f->path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (f->fd < 0 && f->dir != NULL && errno == ENOENT)
        return error_set(err, ERR_CORRUPT, "blocks of file \"%s\" come, which is not there",
                         f->path);
    if (f->fd < 0 && f->dir != NULL)
        return error_errno(err, ERR_STORAGE, "cannot open %s", f->path);
    incremental_file_begin(f->changes, m->size);
    return true;
}

static bool set_length(const Files *f, uint32_t blocks, Error *err)
{
    return f->fd < 0 || ftruncate(f->fd, (off_t) blocks * f->tree->record->block_size) == 0 ||
           error_errno(err, ERR_STORAGE, "cannot change the length of %s", f->path);
}

/* What is behind the blocks that stay is there if it comes, and zeros otherwise. */
static bool on_keep(void *arg, uint32_t blocks, Error *err)
{
    Files *f = arg;
    f->length = blocks;
    return set_length(f, blocks, err);
}

static bool on_block(void *arg, uint32_t block, const void *page, Error *err)
{
    Files *f = arg;
    size_t size = f->tree->record->block_size;
    const char *p = page;
    off_t at = (off_t) block * (off_t) size;
    if (block >= f->length)
        f->length = block + 1;
    while (f->fd >= 0 && size > 0)
    {
        ssize_t n = pwrite(f->fd, p, size, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_errno(err, ERR_STORAGE, "cannot write to %s", f->path);
        p += n;
        at += n;
        size -= (size_t) n;
    }
    return true;
}

/* ---- events ---- */

static void note_name(const Files *f, const char *name)
{
    char path[TAR_NAME_LEN + sizeof(f->prefix)];
    if (!f->tree->later || f->dir == NULL)
        return;
    snprintf(path, sizeof(path), "%s%s", f->prefix, name);
    pthread_mutex_lock(&f->tree->mutex);
    name_set_add(f->tree->names, path);
    pthread_mutex_unlock(&f->tree->mutex);
}

static bool on_begin(void *arg, const TarMember *m, Error *err)
{
    Files *f = arg;
    char whole[TAR_NAME_LEN];
    bool control = f->base && strcmp(m->name, CONTROL) == 0;
    bool changes = m->kind == TAR_FILE && f->tree->later &&
                   incremental_file_whole(m->name, whole, sizeof(whole));
    const char *name = control ? CONTROL_HIDDEN : changes ? whole : m->name;
    note_name(f, name);
    if (!set_path(f, name, err))
        return false;
    if (changes)
        return begin_changes(f, m, whole, err);
    switch (m->kind)
    {
    case TAR_DIRECTORY:
        return begin_directory(f, m, err);
    case TAR_SYMLINK:
        return begin_link(f, m, err);
    case TAR_FILE:
        break;
    }
    return begin_file(f, m, err);
}

/* The disk works while what comes next is read and decompressed, and syncing at the end has little left to wait for.
 * Nothing depends on it: that it fails is not looked at. */
static void write_out(Files *f, off_t least)
{
    if (f->tree->no_sync || f->written - f->started < least)
        return;
    (void) sync_file_range(f->fd, f->started, f->written - f->started, SYNC_FILE_RANGE_WRITE);
    f->started = f->written;
}

static bool on_data(void *arg, const void *data, size_t len, Error *err)
{
    Files *f = arg;
    f->crc = crc32c_extend(f->crc, data, len);
    if (f->in_changes)
        return incremental_file_write(f->changes, data, len, err) ||
               error_prefix(err, "%s", f->path);
    if (f->fd < 0)
        return true;
    if (!fd_write(f->fd, f->path, data, len, err))
        return false;
    f->written += (off_t) len;
    write_out(f, WRITE_OUT);
    return true;
}

static bool close_file(int *fd, const char *path, Error *err)
{
    int closing = *fd;
    *fd = -1;
    return closing < 0 || close(closing) == 0 ||
           error_errno(err, ERR_STORAGE, "cannot write to %s", path);
}

static bool on_end(void *arg, const TarMember *m, Error *err)
{
    Files *f = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "file");
    if (m->kind != TAR_FILE)
        return true;
    if (f->in_changes && (!incremental_file_end(f->changes, err) || !set_length(f, f->length, err)))
        return error_prefix(err, "%s", f->path);
    if (f->fd >= 0)
        write_out(f, WRITE_OUT_END);
    if (!close_file(&f->fd, f->path, err))
        return false;
    pthread_mutex_lock(&f->tree->mutex);

    if (!f->base || wal_name_is_listed(m->name))
        manifest_check_file(f->tree->check, mem_printf(tmp, "%s%s", f->prefix, m->name), m->size,
                            &f->crc);
    f->tree->files++;
    f->tree->bytes += m->size;
    f->tree->control = f->tree->control || (f->base && strcmp(m->name, CONTROL) == 0);
    pthread_mutex_unlock(&f->tree->mutex);
    return true;
}

/* ---- the stage ---- */

static bool files_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Files *f = (Files *) stage;
    const char *p = data;
    atomic_fetch_add_explicit(&f->tree->progress->bytes_done, len, memory_order_relaxed);
    while (len > 0)
    {
        size_t taken;
        if (!tar_stream_take(f->tar, p, len, &taken, err))
            return false;
        p += taken;
        len -= taken;
    }
    return true;
}

static bool files_finish(IoStage *stage, Error *err)
{
    (void) stage;
    (void) err;
    return true; /* a member may go on in the next part */
}

static void files_free(IoStage *stage)
{
    Files *f = (Files *) stage;
    if (f->fd >= 0)
        close(f->fd);
    mem_free(f);
}

static const IoStageOps files_ops = {
    .name = "files", .write = files_write, .finish = files_finish, .free = files_free};

static const char *find_directory(const RestoreTree *tree, const char *stream)
{
    for (size_t i = 0; i < tree->tablespace_count; i++)
        if (tree->tablespaces[i].oid == strtoul(stream, NULL, 10))
            return tree->tablespaces[i].dir.path;
    return NULL;
}

static Files *new_files(RestoreTree *tree, const char *stream, const char *dir)
{
    Files *f = mem_new(NULL, Files);
    const TarEvents events = {.begin = on_begin, .data = on_data, .end = on_end, .arg = f};
    const IncrementalEvents changes = {.keep = on_keep, .block = on_block, .arg = f};
    f->stage.ops = &files_ops;
    f->tree = tree;
    f->fd = -1;
    f->base = strcmp(stream, PART_BASE) == 0;
    f->dir = dir;
    if (!f->base)
        snprintf(f->prefix, sizeof(f->prefix), "pg_tblspc/%.10s/", stream);
    f->tar = tar_stream_new(f, &events);
    if (tree->later)
        f->changes = incremental_file_new(f, tree->record->block_size, &changes);
    return f;
}

IoStage *restore_files_new(RestoreTree *tree, const char *stream, Error *err)
{
    const char *dir = strcmp(stream, PART_BASE) == 0 ? tree->data.path
                                                     : find_directory(tree, stream);
    if (dir != NULL)
        return &new_files(tree, stream, dir)->stage;
    error_set(err, ERR_CORRUPT, "there is a stream of a tablespace that the set does not name");
    return NULL;
}

IoStage *restore_files_skip(RestoreTree *tree, const char *stream)
{
    return &new_files(tree, stream, NULL)->stage;
}

bool restore_files_end(const IoStage *stage, Error *err)
{
    return tar_stream_finish(((const Files *) stage)->tar, err);
}

/* ---- a chain of backups ---- */

void restore_files_next(RestoreTree *tree)
{
    manifest_check_free(tree->check);
    tree->check = manifest_check_new();
    name_set_clear(tree->names);
    tree->files = 0;
    tree->control = false;
    tree->later = true;
}

/* The directory (path; its name in the server's manifest with a slash, or nothing) keeps what came. */
static bool sweep(const RestoreTree *tree, const char *path, const char *name, int depth,
                  Error *err);

static bool sweep_entry(const RestoreTree *tree, const char *path, const char *name, int depth,
                        Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sweep");
    struct stat s;
    if (lstat(path, &s) != 0)
        return error_errno(err, ERR_STORAGE, "cannot look at %s", path);
    bool directory = S_ISDIR(s.st_mode);
    bool came = name_set_has(tree->names, name);
    if (directory && !sweep(tree, path, mem_printf(tmp, "%s/", name), depth + 1, err))
        return false;
    if (came || (directory ? rmdir(path) : unlink(path)) == 0)
        return true;
    /* A directory of which only the files came. */
    if (directory && (errno == ENOTEMPTY || errno == EEXIST))
        return true;
    return error_errno(err, ERR_STORAGE, "cannot remove %s", path);
}

static bool sweep(const RestoreTree *tree, const char *path, const char *name, int depth,
                  Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "sweep");
    bool ok = true;
    if (depth > SWEEP_DEPTH)
        return error_set(err, ERR_CORRUPT, "%s lies too deep", path);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return error_errno(err, ERR_STORAGE, "cannot read directory %s", path);
    for (const struct dirent *e; ok && (e = readdir(dir)) != NULL;)
    {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ok = sweep_entry(tree, mem_printf(tmp, "%s/%s", path, e->d_name),
                             mem_printf(tmp, "%s%s", name, e->d_name), depth, err);
    }
    closedir(dir);
    return ok;
}

bool restore_files_sweep(RestoreTree *tree, Error *err)
{
    char name[32];
    bool ok = sweep(tree, tree->data.path, "", 0, err);
    for (size_t i = 0; ok && i < tree->tablespace_count; i++)
    {
        snprintf(name, sizeof(name), "pg_tblspc/%" PRIu32 "/", tree->tablespaces[i].oid);
        ok = sweep(tree, tree->tablespaces[i].dir.path, name, 0, err);
    }
    return ok;
}

/* ---- the server's manifest ---- */

typedef struct Listing
{
    IoStage stage;
    RestoreTree *tree;
    int fd;
    char path[PATH_MAX];
} Listing;

static bool listing_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Listing *l = (Listing *) stage;
    return manifest_check_write(l->tree->check, data, len, err) &&
           fd_write(l->fd, l->path, data, len, err);
}

static bool listing_finish(IoStage *stage, Error *err)
{
    Listing *l = (Listing *) stage;
    return manifest_check_finish(l->tree->check, err) && close_file(&l->fd, l->path, err);
}

static void listing_free(IoStage *stage)
{
    Listing *l = (Listing *) stage;
    if (l->fd >= 0)
        close(l->fd);
    mem_free(l);
}

static const IoStageOps listing_ops = {
    .name = "listing", .write = listing_write, .finish = listing_finish, .free = listing_free};

/* A new file of the data directory, of which there is none of that name. */
static int create(const RestoreTree *tree, const char *name, char path[PATH_MAX], Error *err)
{
    snprintf(path, PATH_MAX, "%s/%s", tree->data.path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, (tree->mode & 0050) != 0 ? 0640 : 0600) != 0)
        error_errno(err, ERR_STORAGE, "cannot create %s", path);
    return fd;
}

IoStage *restore_files_manifest(RestoreTree *tree, Error *err)
{
    Listing *l = mem_new(NULL, Listing);
    l->stage.ops = &listing_ops;
    l->tree = tree;
    l->fd = create(tree, MANIFEST_NAME, l->path, err);
    if (l->fd >= 0)
        return &l->stage;
    mem_free(l);
    return NULL;
}

/* ---- the end ---- */

/* Two names that nothing but a whole data directory has. */
bool restore_files_whole(const RestoreTree *tree, Error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/backup_label", tree->data.path);
    if (!tree->control)
        return error_set(err, ERR_CORRUPT, "there is no %s in the streams", CONTROL);
    return access(path, F_OK) == 0 ||
           error_set(err, ERR_CORRUPT, "there is no backup_label in the streams");
}

static bool write_file(const RestoreTree *tree, const char *name, const char *text, Error *err)
{
    char path[PATH_MAX];
    int fd = create(tree, name, path, err);
    bool ok = fd >= 0 && fd_write(fd, path, text, strlen(text), err);
    return close_file(&fd, path, ok ? err : NULL) && ok;
}

static bool append_settings(const RestoreTree *tree, const char *text, Error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/postgresql.auto.conf", tree->data.path);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                  (tree->mode & 0050) != 0 ? 0640 : 0600);
    if (fd < 0)
        return error_errno(err, ERR_STORAGE, "cannot open %s", path);
    bool ok = fd_write(fd, path, text, strlen(text), err);
    return close_file(&fd, path, ok ? err : NULL) && ok;
}

/* The server makes the links in pg_tblspc of it when it begins to recover. A line break or a backslash in a
 * path has a backslash before it. */
static char *map_text(void *ctx, const RestoreTree *tree)
{
    Str *s = str_new(ctx);
    for (size_t i = 0; i < tree->tablespace_count; i++)
    {
        str_addf(s, "%" PRIu32 " ", tree->tablespaces[i].oid);
        for (const char *p = tree->tablespaces[i].dir.path; *p != '\0'; p++)
        {
            if (*p == '\\')
                str_addc(s, '\\');
            str_addc(s, *p);
        }
        str_addc(s, '\n');
    }
    return s->data;
}

static bool set_modes(const RestoreTree *tree, Error *err)
{
    if (chmod(tree->data.path, tree->mode) != 0)
        return error_errno(err, ERR_STORAGE, "cannot change the mode of %s", tree->data.path);
    for (size_t i = 0; i < tree->tablespace_count; i++)
        if (chmod(tree->tablespaces[i].dir.path, tree->mode) != 0)
            return error_errno(err, ERR_STORAGE, "cannot change the mode of %s",
                               tree->tablespaces[i].dir.path);
    return true;
}

static bool sync_all(const RestoreTree *tree, Error *err)
{
    if (!restore_dir_sync(&tree->data, err))
        return false;
    for (size_t i = 0; i < tree->tablespace_count; i++)
        if (!restore_dir_sync(&tree->tablespaces[i].dir, err))
            return false;
    return true;
}

static bool sync_directory(const char *path, Error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        error_errno(err, ERR_STORAGE, "cannot sync %s", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool restore_files_admit(const RestoreTree *tree, Error *err)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    snprintf(from, sizeof(from), "%s/%s", tree->data.path, CONTROL_HIDDEN);
    snprintf(to, sizeof(to), "%s/%s", tree->data.path, CONTROL);
    if (rename(from, to) != 0)
        return error_errno(err, ERR_STORAGE, "cannot rename %s to %s", from, to);
    *strrchr(to, '/') = '\0';
    return tree->no_sync || sync_directory(to, err);
}

/* What cannot be removed now is told when all is removed. */
void restore_files_withdraw(const RestoreTree *tree)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", tree->data.path, CONTROL);
    if (tree->data.opened)
        unlink(path);
}

/* ---- backup_label of an incremental backup ---- */

#define LABEL         "backup_label"
#define LABEL_MAX     65536
#define FROM_LSN      "INCREMENTAL FROM LSN: "
#define FROM_TIMELINE "INCREMENTAL FROM TLI: "

static char *read_label(void *ctx, const char *path, Error *err)
{
    char *text = mem_array(ctx, char, LABEL_MAX + 1);
    size_t len = 0;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    while (fd >= 0 && n > 0 && len < LABEL_MAX)
    {
        n = read(fd, text + len, LABEL_MAX - len);
        len += n > 0 ? (size_t) n : 0;
    }
    bool ok = fd >= 0 && n == 0;
    if (!ok)
        error_errno(err, ERR_STORAGE, "cannot read %s", path);
    if (fd >= 0)
        close(fd);
    return ok ? text : NULL;
}

/* Appends the lines that stay; *ret_found: the others say what they must. */
static void filter_label(Str *to, const char *text, uint64_t lsn, uint32_t timeline,
                         bool *ret_found)
{
    bool lsn_found = false, timeline_found = false;
    for (const char *line = text, *end; *line != '\0'; line = end)
    {
        char value[LSN_TEXT_LEN];
        uint64_t from;
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        if (strncmp(line, FROM_LSN, strlen(FROM_LSN)) == 0)
        {
            const char *p = line + strlen(FROM_LSN);
            snprintf(value, sizeof(value), "%.*s", (int) strcspn(p, "\n"), p);
            lsn_found = lsn_parse(value, &from) && from == lsn;
        }
        else if (strncmp(line, FROM_TIMELINE, strlen(FROM_TIMELINE)) == 0)
            timeline_found = strtoul(line + strlen(FROM_TIMELINE), NULL, 10) == timeline;
        else
            str_addn(to, line, (size_t) (end - line));
    }
    *ret_found = lsn_found && timeline_found;
}

bool restore_files_label(const RestoreTree *tree, uint64_t base_lsn, uint32_t base_timeline,
                         Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "label");
    const char *path = mem_printf(tmp, "%s/" LABEL, tree->data.path);
    const char *text = read_label(tmp, path, err);
    Str *label = str_new(tmp);
    bool found;
    if (text == NULL)
        return false;
    filter_label(label, text, base_lsn, base_timeline, &found);
    if (!found)
        return error_set(
            err, ERR_CORRUPT,
            "its backup_label does not say that it is incremental to the set before it");
    return (unlink(path) == 0 || error_errno(err, ERR_STORAGE, "cannot replace %s", path)) &&
           write_file(tree, LABEL, label->data, err);
}

bool restore_files_recover(RestoreTree *tree, const char *settings, const RecoveryFile *file,
                           Error *err)
{
    return append_settings(tree, settings, err) && write_file(tree, file->name, file->text, err);
}

bool restore_files_settle(const RestoreTree *tree, Error *err)
{
    return set_modes(tree, err) && (tree->no_sync || sync_all(tree, err));
}

bool restore_files_seal(RestoreTree *tree, const Recovery *recovery, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "settings");
    const char *settings = recovery_settings(tmp, recovery, err);
    RecoveryFile file;
    if (settings == NULL || !recovery_file(tmp, recovery, &file, err) ||
        !restore_files_recover(tree, settings, &file, err))
        return false;
    if (recovery->greenplum_dbid != 0 &&
        !write_file(tree, GREENPLUM_CONF, mem_printf(tmp, "gp_dbid=%d\n", recovery->greenplum_dbid),
                    err))
        return false;
    if (tree->tablespace_count > 0 && !write_file(tree, TABLESPACE_MAP, map_text(tmp, tree), err))
        return false;
    return restore_files_settle(tree, err);
}

bool restore_files_release(const RestoreTree *tree, Error *err)
{
    const size_t len = sizeof(RECOVERY_HOLD) - 1;
    char path[PATH_MAX];
    char end[sizeof(RECOVERY_HOLD)] = "";
    snprintf(path, sizeof(path), "%s/postgresql.auto.conf", tree->data.path);
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    bool found = size >= (off_t) len && pread(fd, end, len, size - (off_t) len) == (ssize_t) len &&
                 memcmp(end, RECOVERY_HOLD, len) == 0;
    bool ok = found && ftruncate(fd, size - (off_t) len) == 0 && (tree->no_sync || fsync(fd) == 0);
    if (!ok)
        error_errno(err, ERR_STORAGE, "cannot change %s", path);
    if (fd >= 0)
        close(fd);
    return ok;
}
