/* physical/wal_fetch.c - a restore_command; the contract is in wal_fetch.h. */
#include "physical/wal_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "physical/wal_read.h"
#include "repo/repo.h"

typedef struct Fetch
{
    const char *path;
    int fd;
} Fetch;

static bool write_all(void *arg, const void *data, size_t len, Error *err)
{
    const Fetch *f = arg;
    const char *p = data;
    while (len > 0)
    {
        ssize_t n = write(f->fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_errno(err, ERR_STORAGE, "cannot write to %s", f->path);
        p += n;
        len -= (size_t) n;
    }
    return true;
}

static const WalRecord *find_wal(const Manifest *m, int content, const char *name)
{
    for (size_t i = 0; i < m->wal_count; i++)
        if (m->wals[i].content == content && strcmp(m->wals[i].name, name) == 0)
            return &m->wals[i];
    return NULL;
}

static bool fetch_from(Repo *repo, const char *dir, int content, const char *name, Fetch *f,
                       bool *ret_found, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "fetch");
    const Manifest *m = manifest_read(repo->storage, tmp, dir, false, err);
    const WalRecord *wal = m == NULL ? NULL : find_wal(m, content, name);
    *ret_found = wal != NULL;
    if (wal == NULL)
        return m != NULL;
    f->fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return error_errno(err, ERR_STORAGE, "cannot create %s", f->path);
    bool ok = wal_read_of_set(repo->storage, dir, m, wal, io_sink_new(write_all, f), NULL, err);
    if (close(f->fd) != 0 && ok)
        ok = error_errno(err, ERR_STORAGE, "cannot write to %s", f->path);
    if (!ok)
        unlink(f->path);
    return ok;
}

bool wal_fetch(const char *repo_uri, const char *key, int content, const char *name,
               const char *path, bool *ret_found, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "repo");
    AUTO(storage_unlock) StorageLock *lock = NULL;
    char resolved[SET_KEY_LEN];
    char *dir;
    Fetch f = {.path = path, .fd = -1};
    Repo *repo = repo_open(tmp, repo_uri, err);
    *ret_found = false;
    return repo != NULL && repo_resolve(repo, tmp, key, NULL, resolved, &dir, &lock, err) &&
           fetch_from(repo, dir, content, name, &f, ret_found, err);
}
