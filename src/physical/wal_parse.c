/*
 * physical/wal_parse.c - reading records with pg_waldump; the contract is in wal_parse.h.
 *
 * pg_waldump reads files only. WAL can be large, so it gets windows of a few segments, each of which begins
 * with the segment that ended the one before: a record that lies across their border is read in the second of
 * them. The last window must show the restore point.
 */
#include "physical/wal_parse.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/lsn.h"
#include "base/proc.h"
#include "base/str.h"
#include "pg/program.h"
#include "pg/server_version.h"
#include "physical/object_read.h"
#include "physical/wal_name.h"

#define WINDOW_BYTES ((uint64_t) 256 * 1024 * 1024)
#define TAIL_SIZE    4096

#define GREENPLUM_MAJOR 6
#define OLD_NAMES       100000 /* servers before have pg_xlogdump */

typedef struct Parse
{
    Storage *st;
    const char *set_dir;
    const Manifest *m;
    const PhysicalRecord *record;
    const Cancel *cancel;
    const char *program;
    const char *mark; /* what it writes of a restore point, before its name */
    char dir[256];
    uint64_t first; /* segments, as numbers, that are in dir */
    uint64_t end;
    char tail[TAIL_SIZE]; /* of pg_waldump's output */
    size_t tail_len;
} Parse;

static const WalRecord *find_segment(const Parse *p, uint64_t number, char name[WAL_NAME_LEN])
{
    uint64_t size = p->record->wal_segment_size;
    wal_name_format(name, p->record->timeline, number * size, size);
    for (size_t i = 0; i < p->m->wal_count; i++)
    {
        const WalRecord *w = &p->m->wals[i];
        if (w->content == p->record->content && strcmp(w->name, name) == 0)
            return w;
    }
    return NULL;
}

static bool into_file(void *arg, const void *data, size_t len, Error *err)
{
    return fwrite(data, 1, len, arg) == len ||
           error_errno(err, ERR_STORAGE, "could not write a temporary file");
}

static void path_of(const Parse *p, uint64_t number, char *path, size_t size)
{
    char name[WAL_NAME_LEN];
    uint64_t bytes = p->record->wal_segment_size;
    wal_name_format(name, p->record->timeline, number * bytes, bytes);
    snprintf(path, size, "%s/%s", p->dir, name);
}

static bool unpack(const Parse *p, uint64_t number, Error *err)
{
    char name[WAL_NAME_LEN];
    char path[512];
    const WalRecord *w = find_segment(p, number, name);
    if (w == NULL)
        return error_set(err, ERR_CORRUPT, "WAL %s is missing", name);
    path_of(p, number, path, sizeof(path));
    FILE *file = fopen(path, "wxe");
    if (file == NULL)
        return error_errno(err, ERR_STORAGE, "could not make \"%s\"", path);
    const StoredObject object = {.object = w->object,
                                 .logical = w->logical,
                                 .xxh3 = w->xxh3,
                                 .stored = w->stored,
                                 .sha256 = w->sha256};
    IoStage *sink = io_sink_new(into_file, file);
    bool ok = object_read(p->st, p->set_dir, &object, p->m->set.compress.method, sink, p->cancel,
                          err);
    io_free(sink);
    return fclose(file) == 0 ? ok : error_errno(err, ERR_STORAGE, "could not write \"%s\"", path);
}

static void remove_before(Parse *p, uint64_t number)
{
    char path[512];
    for (; p->first < number && p->first < p->end; p->first++)
    {
        path_of(p, p->first, path, sizeof(path));
        unlink(path);
    }
}

/* Keeps the end of what comes. */
static bool keep_tail(void *arg, const void *data, size_t len, Error *err UNUSED)
{
    Parse *p = arg;
    const char *from = data;
    size_t max = sizeof(p->tail) - 1;
    if (len > max)
    {
        from += len - max;
        len = max;
    }
    size_t stay = p->tail_len + len > max ? max - len : p->tail_len;
    memmove(p->tail, p->tail + p->tail_len - stay, stay);
    memcpy(p->tail + stay, from, len);
    p->tail_len = stay + len;
    p->tail[p->tail_len] = '\0';
    return true;
}

/* Reads the records of [start, end) in the segments that are in dir. */
static bool dump(Parse *p, uint64_t start, uint64_t end, Error *err)
{
    char timeline[16], from[LSN_TEXT_LEN], to[LSN_TEXT_LEN];
    snprintf(timeline, sizeof(timeline), "%" PRIu32, p->record->timeline);
    const char *const argv[] = {
        p->program,          "-p", p->dir, "-t", timeline, "-s", lsn_format(from, start), "-e",
        lsn_format(to, end), NULL};
    const char *const env[] = {"LC_ALL=C", NULL};
    const ProcSpec spec = {
        .argv = argv, .env = env, .on_stdout = keep_tail, .arg = p, .cancel = p->cancel};
    p->tail_len = 0;
    p->tail[0] = '\0';
    return proc_run(&spec, err);
}

static bool has_point(const Parse *p)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "restore point");
    const char *last = mem_printf(tmp, "%s%s\n", p->mark, p->record->restore_point);
    size_t len = strlen(last);
    return p->tail_len >= len && strcmp(p->tail + p->tail_len - len, last) == 0;
}

static bool parse_all(Parse *p, Error *err)
{
    const PhysicalRecord *r = p->record;
    uint64_t size = r->wal_segment_size;
    uint64_t window = WINDOW_BYTES / size < 2 ? 2 : WINDOW_BYTES / size;
    uint64_t last = (r->restore_lsn - 1) / size;
    uint64_t start = r->start_lsn;
    p->first = p->end = start / size;
    for (;;)
    {
        for (; p->end <= last && p->end - p->first < window; p->end++)
        {
            if (!unpack(p, p->end, err))
                return false;
        }
        bool ended = p->end > last;
        if (!dump(p, start, ended ? r->restore_lsn : p->end * size, err))
            return false;
        if (ended)
            return has_point(p) ||
                   error_set(err, ERR_CORRUPT, "the restore point %s is not at the end of the WAL",
                             r->restore_point);
        start = (p->end - 1) * size;
        remove_before(p, p->end - 1);
    }
}

static bool make_dir(Parse *p, Error *err)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(p->dir, sizeof(p->dir), "%.200s/pgark-wal-XXXXXX",
             tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    return mkdtemp(p->dir) != NULL ||
           error_errno(err, ERR_STORAGE, "could not make a temporary directory \"%s\"", p->dir);
}

/* false: there is none. */
static bool find_program(Parse *p, void *ctx, const NodeRecord *node)
{
    Error why = ERROR_INIT;
    PgProgram program;
    const int major = server_version_major(node->server_version_num);
    if (node->server_version_num < OLD_NAMES && strcmp(p->m->set.topology, "greenplum") == 0)
    {
        p->mark = "restore point: ";
        p->program = pg_program_find_greenplum_server(ctx, "pg_xlogdump", GREENPLUM_MAJOR,
                                                      p->cancel, &why);
        return p->program != NULL;
    }
    p->mark = "RESTORE_POINT ";
    bool found = pg_program_find(ctx, "pg_waldump", NULL, major, p->cancel, &program, &why);
    p->program = found ? program.path : NULL;
    return found && program.major == major;
}

bool wal_parse(Storage *st, void *ctx, const char *set_dir, const Manifest *m, size_t node,
               const Cancel *cancel, WalParseResult *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "parse");
    Error why = ERROR_INIT;
    Parse p = {
        .st = st, .set_dir = set_dir, .m = m, .record = &m->physicals[node], .cancel = cancel};
    *ret = (WalParseResult){.read = false};
    if (!find_program(&p, tmp, &m->nodes[node]))
        return cancel_check(cancel, err);
    if (!make_dir(&p, err))
        return false;
    bool ok = parse_all(&p, &why);
    remove_before(&p, UINT64_MAX);
    /* What could not be unpacked as a whole is there, too. */
    char path[512];
    path_of(&p, p.end, path, sizeof(path));
    unlink(path);
    rmdir(p.dir);
    ret->read = ok || why.code == ERR_CORRUPT || why.code == ERR_PROGRAM;
    if (ok || !ret->read)
    {
        *err = ok ? *err : why;
        return ok;
    }
    ret->problem = mem_printf(ctx, "node %d: WAL cannot be read up to the restore point: %s",
                              m->nodes[node].content, why.message);
    return true;
}
