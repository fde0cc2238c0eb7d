/*
 * test/unit/test_hold.c - the file of a hold, what it does to a set, and what a dead run has left.
 */
#include "sample_set.h"

#include <sys/wait.h>
#include <unistd.h>

#include "backup/left.h"
#include "base/log.h"
#include "base/str.h"
#include "repo/hold.h"
#include "repo/retention.h"

static int set_up(void **state)
{
    *state = sample_new();
    return 0;
}

static int tear_down(void **state)
{
    sample_free(*state);
    return 0;
}

/* ---- the file ---- */

#define KEY  "20240101000000"
#define DIR_ "sets/20240101/" KEY

static HoldFile *sample_file(void *ctx)
{
    HoldFile *file = mem_new(ctx, HoldFile);
    HoldRecord *hold = &file->hold;
    memcpy(hold->key, KEY, SET_KEY_LEN);
    hold->fleet = mem_strdup(file, "fleet");
    hold->host = mem_strdup(file, "host");
    hold->pid = 4711;
    hold->time_ms = 60000;
    hold->request = mem_array(file, char *, 2);
    hold->request[0] = mem_strdup(file, "--compress=zstd:1");
    hold->request[1] = mem_strdup(file, "--schema=\xff not utf-8");
    hold->request_count = 2;
    file->cut = (CutRecord){.method = "barrier", .tries = 3, .stall_us = 5, .at_us = 1};
    for (int i = 0; i < 2; i++)
    {
        HoldNodeRecord *n = mem_push(file, file->nodes, file->node_count, file->node_capacity,
                                     HoldNodeRecord);
        n->content = i;
        n->database = mem_strdup(file, "shop \xe9");
        n->system_identifier = mem_strdup(file, "77");
        n->server_started = mem_strdup(file, "2024-01-01 00:00:00+00");
        n->snapshot = mem_strdup(file, "726:730:727");
        n->snapshot_id = mem_strdup(file, "00000008-0000000A-1");
        n->pid = 12;
        n->transaction = mem_strdup(file, "8/6");
    }
    return file;
}

static void test_round_trip(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    assert_true(storage_make_dir(s->repo->storage, DIR_, true, &err));
    assert_null(hold_read(s->repo, s, DIR_, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    error_clear(&err);
    HoldFile *file = sample_file(s);
    assert_true(hold_write(s->repo, DIR_, file, &err));
    file->hold.until_us = 1704067260000000;
    assert_true(hold_write(s->repo, DIR_, file, &err));
    HoldFile *read = hold_read(s->repo, s, DIR_, &err);
    assert_non_null(read);
    assert_int_equal(read->hold.until_us, 1704067260000000);
    assert_int_equal(read->hold.request_count, 2);
    assert_string_equal(read->hold.request[1], "--schema=\xff not utf-8");
    assert_string_equal(read->cut.method, "barrier");
    assert_int_equal(read->node_count, 2);
    assert_string_equal(read->nodes[1].database, "shop \xe9");
    assert_string_equal(read->nodes[1].snapshot_id, "00000008-0000000A-1");
    assert_string_equal(read->nodes[1].transaction, "8/6");

    /* A file that was copied from elsewhere. */
    assert_true(storage_make_dir(s->repo->storage, "sets/20240101/20240101000001", true, &err));
    assert_true(hold_write(s->repo, "sets/20240101/20240101000001", file, &err));
    assert_null(hold_read(s->repo, s, "sets/20240101/20240101000001", &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

#define HOLD_LINE                                                                                  \
    "{\"type\":\"hold\",\"format\":1,\"key\":\"" KEY "\",\"fleet\":\"f\",\"host\":\"h\","          \
    "\"pid\":1,\"time_ms\":1000,\"until_us\":0,\"started_us\":0,\"request\":[]}\n"
#define CUT_LINE                                                                                   \
    "{\"type\":\"cut\",\"method\":\"none\",\"tries\":1,\"window_us\":0,\"stall_us\":0,"            \
    "\"at_us\":0}\n"
#define NODE_LINE(database, id, pid, transaction)                                                  \
    "{\"type\":\"hold_node\",\"content\":0,\"database\":\"" database                               \
    "\",\"system_identifier\":\"1\",\"server_started\":\"x\",\"snapshot\":\"1:1:\","               \
    "\"snapshot_id\":\"" id "\",\"pid\":" pid ",\"transaction\":\"" transaction "\"}\n"
#define SOUND_NODE NODE_LINE("d", "0A-1", "1", "3/4")

static void test_hostile(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "\n",
        "{}\n",
        "[1]\n",
        HOLD_LINE,
        HOLD_LINE CUT_LINE,
        HOLD_LINE SOUND_NODE CUT_LINE,
        CUT_LINE HOLD_LINE SOUND_NODE,
        HOLD_LINE HOLD_LINE CUT_LINE SOUND_NODE,
        HOLD_LINE CUT_LINE SOUND_NODE SOUND_NODE,
        HOLD_LINE CUT_LINE SOUND_NODE "{",
        HOLD_LINE CUT_LINE NODE_LINE("d", "", "1", "3/4"),
        HOLD_LINE CUT_LINE NODE_LINE("d", "0A-1'; DROP TABLE x; --", "1", "3/4"),
        HOLD_LINE CUT_LINE NODE_LINE("d", "../../pg_wal", "1", "3/4"),
        HOLD_LINE CUT_LINE NODE_LINE(
            "d", "0000000000000000000000000000000000000000000000000000000000000000000", "1", "3/4"),
        HOLD_LINE CUT_LINE NODE_LINE("d", "0A-1", "0", "3/4"),
        HOLD_LINE CUT_LINE NODE_LINE("d", "0A-1", "99999999999", "3/4"),
        HOLD_LINE CUT_LINE NODE_LINE("d", "0A-1", "1.5", "3/4"),
        HOLD_LINE CUT_LINE NODE_LINE("d", "0A-1", "1", "3/4 or true"),
        HOLD_LINE CUT_LINE NODE_LINE("d\",\"more\":\"", "0A-1", "1", "3/4"),
    };
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    static const char good[] = HOLD_LINE CUT_LINE SOUND_NODE NODE_LINE("e", "0B-1", "2", "4/4");
    Error err = ERROR_INIT;
    assert_non_null(hold_parse(ctx, good, strlen(good), &err));
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        error_clear(&err);
        assert_null(hold_parse(ctx, bad[i], strlen(bad[i]), &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    /* However it is cut off, but behind a node's line. */
    for (size_t len = 0; len < strlen(good); len++)
    {
        error_clear(&err);
        bool whole = len == strlen(HOLD_LINE CUT_LINE SOUND_NODE);
        assert_int_equal(hold_parse(ctx, good, len, &err) != NULL, whole);
    }
}

/* ---- sets ---- */

/* A process that holds the lock, until it is waited for. */
static pid_t hold_lock(Sample *s, int *ret_end)
{
    int ready[2];
    int end[2];
    char byte;
    assert_int_equal(pipe(ready) | pipe(end), 0);
    pid_t pid = fork();
    if (pid == 0)
    {
        Error err = ERROR_INIT;
        StorageLock *lock = NULL;
        close(end[1]);
        bool ok = storage_lock(s->repo->storage, s, DIR_ "/" HOLD_LOCK, true, "test", &lock, NULL,
                               &err);
        if (write(ready[1], "x", 1) != 1)
            ok = false;
        ssize_t n = read(end[0], &byte, 1);
        _exit(ok && n == 0 ? 0 : 1);
    }
    close(end[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    *ret_end = end[1];
    return pid;
}

/* What a run leaves that is killed. */
static void kill_run(Sample *s)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(repo_set_begin(s->repo, s, "fleet", KEY, NULL) == NULL ? 1 : 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_held_set(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    ExpireResult result;
    RepoSetInfo *sets;
    size_t count;
    int end;
    kill_run(s);
    assert_true(hold_write(s->repo, DIR_, sample_file(s), &err));
    pid_t pid = hold_lock(s, &end);
    assert_true(repo_list_sets(s->repo, s, &sets, &count, &err));
    assert_int_equal(count, 1);
    assert_true(sets[0].held && !sets[0].alive && !sets[0].finished);
    assert_true(retention_expire(s->repo, s, &(ExpireRequest){.rule.keep = 1}, &result, &err));
    assert_int_equal(result.count, 0);
    close(end);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(repo_list_sets(s->repo, s, &sets, &count, &err));
    assert_false(sets[0].held);
    assert_true(retention_expire(s->repo, s, &(ExpireRequest){.rule.keep = 1}, &result, &err));
    assert_int_equal(result.count, 1);
}

static void test_take(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    assert_null(repo_set_take(s->repo, s, "fleet", KEY, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    kill_run(s);
    error_clear(&err);
    RepoSet *set = repo_set_take(s->repo, s, "fleet", KEY, &err);
    assert_non_null(set);
    assert_null(repo_set_take(s->repo, s, "other", KEY, &err));
    assert_int_equal(err.code, ERR_LOCK);
    repo_set_end(set);
    StorageInfo info;
    error_clear(&err);
    assert_true(storage_stat(s->repo->storage, DIR_, &info, &err));
    assert_int_equal(info.kind, STORAGE_DIR); /* it is kept unless the caller says otherwise */
    set = repo_set_take(s->repo, s, "fleet", KEY, &err);
    assert_non_null(set);
    set->kept = false;
    repo_set_end(set);
    assert_true(storage_stat(s->repo->storage, DIR_, &info, &err));
    assert_int_equal(info.kind, STORAGE_MISSING);
    sample_write(s, "fleet", KEY, (Compress){COMPRESS_NONE, 0}, NULL);
    assert_null(repo_set_take(s->repo, s, "fleet", KEY, &err));
    assert_int_equal(err.code, ERR_EXISTS);
}

/* ---- what is left of a node ---- */

#define NODE_DIR "db/shop/node0"

typedef struct Leftover
{
    Sample *s;
    LeftPlace place;
    Catalog catalog;
    Relation tables[3];
    ManifestWriter *lines;
} Leftover;

static void store(const Leftover *l, const char *name, const char *data)
{
    Error err = ERROR_INIT;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "path");
    const char *path = mem_printf(tmp, DIR_ "/%s", name);
    AUTO(storage_writer_free) StorageWriter *w = NULL;
    assert_true(storage_remove(l->s->repo->storage, path, &err));
    w = storage_write_open(l->s->repo->storage, path, STORAGE_WRITE_NO_SYNC, &err);
    assert_non_null(w);
    assert_true(storage_write(w, data, strlen(data), &err) && storage_writer_commit(w, &err));
}

static char *load(const Leftover *l, const char *name)
{
    Error err = ERROR_INIT;
    char *data = NULL;
    size_t len;
    if (!storage_read_all(l->s->repo->storage, l->s, mem_printf(l->s, DIR_ "/%s", name), 1 << 20,
                          &data, &len, &err))
        return NULL;
    return data;
}

static ChunkRecord chunk_of(const char *object, uint64_t offset, const char *data, uint32_t oid,
                            uint32_t number, uint64_t from, uint64_t to)
{
    ChunkRecord c = {.table_oid = oid,
                     .chunk = number,
                     .from_block = from,
                     .to_block = to,
                     .object = (char *) (uintptr_t) object,
                     .offset = offset,
                     .stored = strlen(data),
                     .logical = strlen(data),
                     .rows = 1};
    Error err = ERROR_INIT;
    AUTO(io_free) IoStage *tap = io_tap_new(TAP_SHA256, NULL);
    uint64_t bytes;
    assert_true(io_write(tap, data, strlen(data), &err) && io_finish(tap, &err));
    io_tap_result(tap, &bytes, c.sha256);
    memcpy(c.xxh3, "0123456789abcdef0123456789abcdef", 33);
    return c;
}

static void add_line(const Leftover *l, ChunkRecord c)
{
    Error err = ERROR_INIT;
    assert_true(manifest_write_chunk(l->lines, &c, &err));
}

/* Tables 100 (four chunks, 1 and 3 in objects), 200 and 300 (whole): the bundle has chunks of all. */
static Leftover leftover(Sample *s)
{
    Error err = ERROR_INIT;
    Leftover l = {.s = s};
    assert_true(storage_make_dir(s->repo->storage, DIR_ "/" NODE_DIR, true, &err));
    for (size_t i = 0; i < LENGTH_OF(l.tables); i++)
        l.tables[i] = (Relation){.oid = (uint32_t) (i + 1) * 100, .data = DATA_TABLE};
    l.lines = manifest_writer_new_kept(s->repo->storage, DIR_ "/node0.jsonl", true, &err);
    assert_non_null(l.lines);
    store(&l, NODE_DIR "/100.1.txt", "one");
    store(&l, NODE_DIR "/100.3.txt", "three");
    store(&l, NODE_DIR "/bundle-1", "zerotwohundredthreehundred");
    add_line(&l, chunk_of(NODE_DIR "/100.3.txt", 0, "three", 100, 3, 30, 0));
    add_line(&l, chunk_of(NODE_DIR "/bundle-1", 0, "zero", 100, 0, 0, 10));
    add_line(&l, chunk_of(NODE_DIR "/100.1.txt", 0, "one", 100, 1, 10, 20));
    add_line(&l, chunk_of(NODE_DIR "/bundle-1", 4, "twohundred", 200, 0, 0, 0));
    add_line(&l, chunk_of(NODE_DIR "/bundle-1", 14, "threehundred", 300, 0, 0, 0));
    return l;
}

/* Takes over; the chunks as "oid.number ", then the files of the node. */
static char *take(Leftover *l, LeftChunks *ret)
{
    Error err = ERROR_INIT;
    ManifestWriter *w;
    manifest_writer_free(l->lines);
    l->lines = NULL;
    l->catalog = (Catalog){.items = l->tables, .count = LENGTH_OF(l->tables)};
    l->place = (LeftPlace){.storage = l->s->repo->storage,
                           .set_dir = DIR_,
                           .node_dir = NODE_DIR,
                           .chunk_file = "node0.jsonl",
                           .catalog = &l->catalog};
    if (!left_take(l->s, &l->place, ret, &w, &err))
        fail_msg("%s", err.message);
    manifest_writer_free(w);
    Str *text = str_new(l->s);
    for (size_t i = 0; i < ret->count; i++)
    {
        /* What a chunk's record says is what is there. */
        const ChunkRecord *c = &ret->chunks[i];
        const char *data = load(l, c->object);
        assert_non_null(data);
        assert_true(strlen(data) >= c->offset + c->stored);
        ChunkRecord again = chunk_of(c->object, 0, mem_strndup(l->s, data + c->offset, c->stored),
                                     c->table_oid, 0, 0, 0);
        assert_string_equal(again.sha256, c->sha256);
        str_addf(text, "%u.%u ", c->table_oid, c->chunk);
    }
    assert_null(load(l, "node0.jsonl.kept"));
    return text->data;
}

static bool each_count(void *arg, const ChunkRecord *chunk UNUSED, uint64_t offset UNUSED,
                       uint32_t len UNUSED, Error *err UNUSED)
{
    (*(size_t *) arg)++;
    return true;
}

static size_t count_lines(const Leftover *l)
{
    Error err = ERROR_INIT;
    size_t count = 0;
    assert_true(manifest_each_left_chunk(l->s->repo->storage, DIR_ "/node0.jsonl", each_count,
                                         &count, &err));
    return count;
}

#define ALL "100.0 100.1 100.3 200.0 300.0 "

static void test_left_whole(void **state)
{
    Leftover l = leftover(*state);
    LeftChunks left;
    store(&l, NODE_DIR "/schema.dump", "half an archive");
    store(&l, NODE_DIR "/200.0.txt", "half a chunk");
    store(&l, NODE_DIR "/.x.1-1.tmp", "");
    store(&l, NODE_DIR "/bundle-7", "of nobody");
    assert_string_equal(take(&l, &left), ALL);
    assert_int_equal(left.objects, 3);
    assert_int_equal(left.bundles, 7); /* the next one has a name that was never there */
    assert_int_equal(count_lines(&l), 5);
    assert_null(load(&l, NODE_DIR "/schema.dump"));
    assert_null(load(&l, NODE_DIR "/200.0.txt"));
    assert_null(load(&l, NODE_DIR "/.x.1-1.tmp"));
    assert_null(load(&l, NODE_DIR "/bundle-7"));
    assert_non_null(load(&l, NODE_DIR "/bundle-1"));
    /* And once more, as when the run that took over dies as well. */
    assert_string_equal(take(&l, &left), ALL);
    assert_int_equal(count_lines(&l), 5);
}

static void test_left_torn(void **state)
{
    Leftover l = leftover(*state);
    LeftChunks left;
    store(&l, NODE_DIR "/bundle-1", "zerotwohundredthreehundredand a part of a");
    char *lines = load(&l, "node0.jsonl");
    store(&l, "node0.jsonl", mem_printf(*state, "%s{\"type\":\"chunk\",\"table_o", lines));
    assert_string_equal(take(&l, &left), ALL);
    assert_null(load(&l, NODE_DIR "/bundle-1"));
    assert_string_equal(load(&l, NODE_DIR "/bundle-2"), "zerotwohundredthreehundred");
    assert_int_equal(left.objects, 3);
    assert_int_equal(left.bundles, 2);
}

static void test_left_damaged(void **state)
{
    Leftover l = leftover(*state);
    LeftChunks left;
    store(&l, NODE_DIR "/100.1.txt", "ome");
    store(&l, NODE_DIR "/100.3.txt", "thre");
    store(&l, NODE_DIR "/bundle-1", "zerotwohuNdredthreehundred");
    assert_string_equal(take(&l, &left), "100.0 300.0 ");
    assert_string_equal(load(&l, NODE_DIR "/bundle-2"), "zerothreehundred");
    assert_null(load(&l, NODE_DIR "/100.1.txt"));
    assert_null(load(&l, NODE_DIR "/100.3.txt"));
    assert_int_equal(left.objects, 1);
    assert_int_equal(count_lines(&l), 2);
}

static void test_left_nothing(void **state)
{
    Leftover l = leftover(*state);
    LeftChunks left;
    Error err = ERROR_INIT;
    assert_true(storage_remove(l.s->repo->storage, DIR_ "/node0.jsonl", &err));
    assert_string_equal(take(&l, &left), "");
    assert_null(load(&l, NODE_DIR "/bundle-1"));
    store(&l, "node0.jsonl", "no line at all\n\n[]\n{\"type\":\"end\"}\n");
    assert_string_equal(take(&l, &left), "");
}

/* What no run writes: it is not believed, and does no harm. */
static void test_left_hostile(void **state)
{
    Leftover l = leftover(*state);
    LeftChunks left;
    store(&l, "db/elsewhere", "x");
    add_line(&l, chunk_of(NODE_DIR "/100.1.txt", 0, "one", 400, 0, 0, 0)); /* no such table */
    add_line(&l, chunk_of("db/elsewhere", 0, "x", 200, 1, 0, 0));
    add_line(&l, chunk_of(NODE_DIR "/100.1.txt", 0, "one", 100, 2, 15, 30)); /* overlaps chunk 1 */
    add_line(&l, chunk_of(NODE_DIR "/100.1.txt", 0, "one", 300, 0, 0, 0));   /* twice */
    assert_string_equal(take(&l, &left), "200.0 ");
    assert_string_equal(load(&l, NODE_DIR "/bundle-2"), "twohundred");
    assert_non_null(load(&l, "db/elsewhere"));
}

/* Killed between two steps: what was proven once is there. */
static void test_left_between(void **state)
{
    Leftover l = leftover(*state);
    LeftChunks left;
    store(&l, "node0.jsonl.kept", load(&l, "node0.jsonl"));
    store(&l, "node0.jsonl", "");
    assert_string_equal(take(&l, &left), ALL);
    assert_int_equal(count_lines(&l), 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),   cmocka_unit_test(test_hostile), TEST(test_held_set),
        TEST(test_take),         TEST(test_left_whole),          TEST(test_left_torn),
        TEST(test_left_damaged), TEST(test_left_nothing),        TEST(test_left_hostile),
        TEST(test_left_between),
    };
    log_setup(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
