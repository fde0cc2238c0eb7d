/* physical/manifest_make.c - making a backup_manifest; the contract is in manifest_make.h. */
#include "physical/manifest_make.h"

#include <endian.h>
#include <openssl/evp.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/lsn.h"
#include "base/str.h"

#define BUFFER_SIZE ((size_t) 65536)
#define SHA256_SIZE 32
#define NAME        "a temporary file"

struct ManifestMake
{
    int fd;
    Str *entries; /* that are not in the file yet */
    uint64_t files;
};

ManifestMake *manifest_make_new(Error *err)
{
    ManifestMake *m = mem_new(NULL, ManifestMake);
    m->entries = str_new(m);
    m->fd = fd_temporary(err);
    if (m->fd >= 0)
        return m;
    mem_free(m);
    return NULL;
}

void manifest_make_free(ManifestMake *m)
{
    if (m == NULL)
        return;
    close(m->fd);
    mem_free(m);
}

/* ---- entries ---- */

static bool spill(ManifestMake *m, Error *err)
{
    bool ok = fd_write(m->fd, NAME, m->entries->data, m->entries->len, err);
    str_clear(m->entries);
    return ok;
}

/* What needs no escape in JSON, whatever encoding names have. */
static bool is_plain(const char *path)
{
    for (const char *p = path; *p != '\0'; p++)
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
            return false;
    return true;
}

static void add_path(Str *s, const char *path)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "path");
    size_t len = strlen(path);
    char *hex = mem_array(tmp, char, 2 * len + 1);
    if (is_plain(path))
    {
        str_addf(s, "{ \"Path\": \"%s\", ", path);
        return;
    }
    str_hex(hex, path, len);
    str_addf(s, "{ \"Encoded-Path\": \"%s\", ", hex);
}

/* Checksums are written as their bytes, the lowest first. */
static void add_crc(Str *s, uint32_t crc)
{
    const uint32_t bytes = htole32(crc);
    char hex[2 * sizeof(bytes) + 1];
    str_hex(hex, &bytes, sizeof(bytes));
    str_addf(s, "\"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"%s\" }", hex);
}

bool manifest_make_file(ManifestMake *m, const char *path, uint64_t size, int64_t mtime,
                        uint32_t crc, Error *err)
{
    char time_text[32];
    struct tm tm;
    time_t seconds = (time_t) mtime;
    if (gmtime_r(&seconds, &tm) == NULL)
        return error_set(err, ERR_CORRUPT, "file \"%s\" came with an impossible time", path);
    strftime(time_text, sizeof(time_text), "%Y-%m-%d %H:%M:%S GMT", &tm);
    str_add(m->entries, m->files++ > 0 ? ",\n" : "\n");
    add_path(m->entries, path);
    str_addf(m->entries, "\"Size\": %" PRIu64 ", \"Last-Modified\": \"%s\", ", size, time_text);
    add_crc(m->entries, crc);
    return m->entries->len < BUFFER_SIZE || spill(m, err);
}

/* ---- the whole ---- */

typedef struct Out
{
    EVP_MD_CTX *sha256;
    bool (*take)(void *arg, const void *data, size_t len, Error *err);
    void *arg;
} Out;

static bool put(const Out *out, const void *data, size_t len, Error *err)
{
    if (EVP_DigestUpdate(out->sha256, data, len) != 1)
        return error_set(err, ERR_INTERNAL, "SHA-256 failed");
    return out->take(out->arg, data, len, err);
}

static bool put_block(void *arg, const void *data, size_t len, Error *err)
{
    return put(arg, data, len, err);
}

static bool put_entries(const ManifestMake *m, Out *out, Error *err)
{
    if (lseek(m->fd, 0, SEEK_SET) != 0)
        return error_errno(err, ERR_STORAGE, "cannot read " NAME);
    return fd_pass(m->fd, NAME, put_block, out, err);
}

/* Of the last line the checksum has nothing: it is of all lines before. */
static bool put_sum(const Out *out, Error *err)
{
    unsigned char digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    char line[2 * SHA256_SIZE + 40];
    if (EVP_DigestFinal_ex(out->sha256, digest, NULL) != 1)
        return error_set(err, ERR_INTERNAL, "SHA-256 failed");
    str_hex(hex, digest, sizeof(digest));
    int len = snprintf(line, sizeof(line), "\"Manifest-Checksum\": \"%s\"}\n", hex);
    return out->take(out->arg, line, (size_t) len, err);
}

static bool put_all(ManifestMake *m, const ManifestWal *wal, Out *out, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "manifest");
    static const char begin[] = "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [";
    char start[LSN_TEXT_LEN], end[LSN_TEXT_LEN];
    const char *rest = mem_printf(tmp,
                                  "\n],\n\"WAL-Ranges\": [\n{ \"Timeline\": %" PRIu32
                                  ", \"Start-LSN\": \"%s\", \"End-LSN\": \"%s\" }\n],\n",
                                  wal->timeline, lsn_format(start, wal->start),
                                  lsn_format(end, wal->end));
    return spill(m, err) && put(out, begin, sizeof(begin) - 1, err) && put_entries(m, out, err) &&
           put(out, rest, strlen(rest), err) && put_sum(out, err);
}

bool manifest_make_finish(ManifestMake *m, const ManifestWal *wal,
                          bool (*take)(void *arg, const void *data, size_t len, Error *err),
                          void *arg, Error *err)
{
    Out out = {.sha256 = EVP_MD_CTX_new(), .take = take, .arg = arg};
    mem_check(out.sha256);
    bool ok = EVP_DigestInit_ex(out.sha256, EVP_sha256(), NULL) == 1
                  ? put_all(m, wal, &out, err)
                  : error_set(err, ERR_INTERNAL, "SHA-256 failed");
    EVP_MD_CTX_free(out.sha256);
    return ok;
}
