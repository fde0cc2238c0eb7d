/*
 * test/unit/test_storage.c - the file system driver.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage/storage.h"

static char root[64];
static void *ctx;

static int set_up(void **state UNUSED)
{
    snprintf(root, sizeof(root), "/tmp/pgark-test-storage-XXXXXX");
    ctx = mem_context(NULL, "test");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int tear_down(void **state UNUSED)
{
    Error err = ERROR_INIT;
    Storage *st = storage_open(ctx, "/tmp", &err);
    bool ok = storage_remove_tree(st, root + 5, &err);

    mem_free(ctx);
    return ok ? 0 : -1;
}

static Storage *open_root(void)
{
    Error err = ERROR_INIT;
    Storage *st = storage_open(ctx, root, &err);

    assert_non_null(st);
    return st;
}

static bool put(Storage *st, const char *path, const char *text, int flags, Error *err)
{
    AUTO(storage_writer_free) StorageWriter *w = NULL;

    w = storage_write_open(st, path, (StorageWriteFlags) flags, err);
    return w != NULL && storage_write(w, text, strlen(text), err) && storage_writer_commit(w, err);
}

static StorageKind kind_of(Storage *st, const char *path)
{
    Error err = ERROR_INIT;
    StorageInfo info;

    assert_true(storage_stat(st, path, &info, &err));
    return info.kind;
}

static bool count_entry(void *arg, const char *name UNUSED, const StorageInfo *info UNUSED,
                        Error *err UNUSED)
{
    ++*(int *) arg;
    return true;
}

static int entries(Storage *st, const char *path)
{
    Error err = ERROR_INIT;
    int count = 0;

    assert_true(storage_list(st, path, count_entry, &count, &err));
    return count;
}

static void test_open(void **state UNUSED)
{
    Error err = ERROR_INIT;

    assert_non_null(storage_open(ctx, "relative/path", &err));
    assert_non_null(storage_open(ctx, "file:///tmp/x", &err));
    assert_string_equal(storage_local_path(storage_open(ctx, "file:///tmp/x/", &err), ctx, "a"),
                        "/tmp/x/a");
    assert_null(storage_open(ctx, "s3://bucket/x", &err));
    assert_int_equal(err.code, ERR_USAGE);
    error_clear(&err);
    assert_null(storage_open(ctx, "file://host/x", &err));
    assert_int_equal(err.code, ERR_USAGE);
    error_clear(&err);
    assert_null(storage_open(ctx, "", &err));
    assert_int_equal(err.code, ERR_USAGE);
}

static void test_paths(void **state UNUSED)
{
    static const char *const bad[] = {"..", "a/../b", "/a", "a//b", "a/", "./a", "a/."};
    Storage *st = open_root();
    StorageInfo info;

    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        Error err = ERROR_INIT;

        assert_false(storage_stat(st, bad[i], &info, &err));
        assert_int_equal(err.code, ERR_INTERNAL);
        assert_null(storage_write_open(st, bad[i], STORAGE_WRITE_PLAIN, NULL));
        assert_null(storage_read_open(st, bad[i], 0, 1, NULL));
    }
}

static void test_write_plain(void **state UNUSED)
{
    Storage *st = open_root();
    Error err = ERROR_INIT;
    struct stat s;
    char path[128], *data;
    size_t len;

    assert_true(put(st, "a", "hello", STORAGE_WRITE_PLAIN, &err));
    snprintf(path, sizeof(path), "%s/a", root);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_false(put(st, "a", "other", STORAGE_WRITE_PLAIN, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_int_equal(kind_of(st, "a"), STORAGE_FILE); /* and it is still there */
    error_clear(&err);
    assert_false(put(st, "missing/a", "x", STORAGE_WRITE_PLAIN, &err));
    assert_int_equal(err.code, ERR_STORAGE);

    /* Over what is there, of which the rest stays. */
    error_clear(&err);
    assert_true(put(st, "a", "JE", STORAGE_WRITE_OVER | STORAGE_WRITE_KEEP, &err));
    assert_true(storage_read_all(st, ctx, "a", 5, &data, &len, &err));
    assert_string_equal(data, "JEllo");
    snprintf(path, sizeof(path), "%s/pipe", root);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(put(st, "pipe", "x", STORAGE_WRITE_OVER | STORAGE_WRITE_KEEP, &err));

    /* What is not committed goes. */
    storage_writer_free(storage_write_open(st, "b", STORAGE_WRITE_PLAIN, NULL));
    assert_int_equal(kind_of(st, "b"), STORAGE_MISSING);
}

static void test_write_atomic(void **state UNUSED)
{
    Storage *st = open_root();
    Error err = ERROR_INIT;
    StorageWriter *w = storage_write_open(st, "a", STORAGE_WRITE_ATOMIC, &err);
    char *data;
    size_t len;

    assert_non_null(w);
    assert_true(storage_write(w, "one", 3, &err));
    assert_int_equal(kind_of(st, "a"), STORAGE_MISSING);
    assert_true(storage_writer_commit(w, &err));
    storage_writer_free(w);
    assert_int_equal(kind_of(st, "a"), STORAGE_FILE);

    assert_true(put(st, "a", "two!", STORAGE_WRITE_ATOMIC | STORAGE_WRITE_NO_SYNC, &err));
    assert_true(storage_read_all(st, ctx, "a", 4, &data, &len, &err));
    assert_int_equal(len, 4);
    assert_string_equal(data, "two!");
    assert_false(storage_read_all(st, ctx, "a", 3, &data, &len, &err));
    assert_int_equal(err.code, ERR_CORRUPT);

    storage_writer_free(storage_write_open(st, "a", STORAGE_WRITE_ATOMIC, NULL));
    assert_int_equal(entries(st, ""), 1); /* no temporary file stays */
}

static void test_write_large(void **state UNUSED)
{
    AUTO(storage_writer_free) StorageWriter *w = NULL;
    AUTO(storage_reader_free) StorageReader *r = NULL;
    Storage *st = open_root();
    Error err = ERROR_INIT;
    char *block = mem_array(ctx, char, 1000003), *back = mem_array(ctx, char, 1000003);
    uint64_t total = 0;
    size_t n;

    memset(block, 'x', 1000003);
    w = storage_write_open(st, "large", STORAGE_WRITE_PLAIN, &err);
    for (int i = 0; i < 20; i++)
        assert_true(storage_write(w, block, 1000003, &err));
    assert_true(storage_writer_commit(w, &err));
    r = storage_read_open(st, "large", 0, UINT64_MAX, &err);
    while (storage_read(r, back, 1000003, &n, &err) && n > 0)
    {
        assert_memory_equal(back, block, n);
        total += n;
    }
    assert_int_equal(total, 20 * 1000003);
}

/* A file may not grow beyond a limit: the same path as a full disk. */
static void test_no_space(void **state UNUSED)
{
    AUTO(storage_writer_free) StorageWriter *w = NULL;
    Storage *st = open_root();
    Error err = ERROR_INIT;
    struct rlimit old, small;
    char block[8192] = "";
    bool ok = true;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 20000;
    w = storage_write_open(st, "a", STORAGE_WRITE_PLAIN, &err);
    assert_non_null(w);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; ok && i < 10; i++)
        ok = storage_write(w, block, sizeof(block), &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_false(ok);
    assert_int_equal(err.code, ERR_STORAGE);
    storage_writer_free(w);
    w = NULL;
    assert_int_equal(entries(st, ""), 0);
}

static void test_read(void **state UNUSED)
{
    Storage *st = open_root();
    Error err = ERROR_INIT;
    StorageReader *r;
    char buf[16];
    size_t n;

    assert_true(put(st, "a", "0123456789", STORAGE_WRITE_PLAIN, &err));
    r = storage_read_open(st, "a", 3, 4, &err);
    assert_true(storage_read(r, buf, sizeof(buf), &n, &err));
    assert_int_equal(n, 4);
    assert_memory_equal(buf, "3456", 4);
    assert_true(storage_read(r, buf, sizeof(buf), &n, &err));
    assert_int_equal(n, 0);
    storage_reader_free(r);
    r = storage_read_open(st, "a", 8, 100, &err);
    assert_true(storage_read(r, buf, sizeof(buf), &n, &err));
    assert_int_equal(n, 2);
    storage_reader_free(r);
    r = storage_read_open(st, "a", 1000, UINT64_MAX, &err);
    assert_true(storage_read(r, buf, sizeof(buf), &n, &err));
    assert_int_equal(n, 0);
    storage_reader_free(r);
    assert_null(storage_read_open(st, "b", 0, 1, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    error_clear(&err);
    assert_null(storage_read_open(st, "a/b", 0, 1, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

/* Neither a link nor a pipe nor a directory may stand in for an object. */
static void test_not_regular(void **state UNUSED)
{
    Storage *st = open_root();
    Error err = ERROR_INIT;
    char path[128];

    assert_true(put(st, "a", "secret", STORAGE_WRITE_PLAIN, &err));
    snprintf(path, sizeof(path), "%s/link", root);
    assert_int_equal(symlink("a", path), 0);
    snprintf(path, sizeof(path), "%s/pipe", root);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(storage_make_dir(st, "dir", false, &err));
    assert_null(storage_read_open(st, "link", 0, 1, NULL));
    assert_null(storage_read_open(st, "pipe", 0, 1, NULL));
    assert_null(storage_read_open(st, "dir", 0, 1, NULL));
    assert_null(storage_write_open(st, "link", STORAGE_WRITE_PLAIN, NULL));
    assert_int_equal(kind_of(st, "link"), STORAGE_OTHER);
    assert_int_equal(kind_of(st, "pipe"), STORAGE_OTHER);
    assert_int_equal(kind_of(st, "dir"), STORAGE_DIR);
    assert_int_equal(kind_of(st, "a/below"), STORAGE_MISSING);
}

static void test_dirs(void **state UNUSED)
{
    Storage *st = open_root();
    Error err = ERROR_INIT;
    char path[128];
    struct stat s;

    assert_true(storage_make_dir(st, "a/b/c", true, &err));
    assert_true(storage_make_dir(st, "a/b/c", false, &err));
    snprintf(path, sizeof(path), "%s/a/b/c", root);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
    assert_false(storage_make_dir(st, "a/b/c", true, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    error_clear(&err);
    assert_true(storage_sync_dir(st, "a/b", &err));
    assert_true(put(st, "a/b/file", "x", STORAGE_WRITE_PLAIN, &err));
    assert_false(storage_make_dir(st, "a/b/file/d", false, &err));
    assert_int_equal(err.code, ERR_STORAGE);
    error_clear(&err);

    /* A link to outside is removed, what it leads to stays. */
    assert_true(put(st, "outside", "x", STORAGE_WRITE_PLAIN, &err));
    snprintf(path, sizeof(path), "%s/a/b/link", root);
    assert_int_equal(symlink(root, path), 0);
    assert_true(storage_remove_dir(st, "a/b", &err)); /* not empty: stays */
    assert_int_equal(entries(st, "a/b"), 3);
    assert_true(storage_remove_tree(st, "a", &err));
    assert_true(storage_remove_tree(st, "a", &err));
    assert_int_equal(kind_of(st, "a"), STORAGE_MISSING);
    assert_int_equal(kind_of(st, "outside"), STORAGE_FILE);
    assert_true(storage_make_dir(st, "e", true, &err));
    assert_true(storage_remove_dir(st, "e", &err));
    assert_true(storage_remove_dir(st, "e", &err));
    assert_int_equal(kind_of(st, "e"), STORAGE_MISSING);
    assert_true(storage_remove(st, "outside", &err));
    assert_true(storage_remove(st, "outside", &err));
    assert_int_equal(entries(st, ""), 0);
    assert_int_equal(entries(st, "nowhere"), 0);
}

static void test_make_root(void **state UNUSED)
{
    Error err = ERROR_INIT;
    Storage *st = storage_open(ctx, mem_printf(ctx, "%s/new", root), &err);

    assert_true(storage_make_root(st, &err));
    assert_true(storage_make_root(st, &err));
    st = storage_open(ctx, mem_printf(ctx, "%s/no/new", root), &err);
    assert_false(storage_make_root(st, &err));
    assert_int_equal(err.code, ERR_STORAGE);
    assert_non_null(strstr(err.message, "parent"));
}

static void test_free_space(void **state UNUSED)
{
    Error err = ERROR_INIT;
    StorageSpace space = {.free = 0};

    assert_true(storage_space(open_root(), &space, &err));
    assert_true(space.free > 0);
    assert_true(space.total >= space.free);
}

static void test_locks(void **state UNUSED)
{
    Storage *st = open_root();
    Error err = ERROR_INIT;
    StorageLock *first, *second;
    char *owner = NULL, path[128];

    assert_true(storage_lock(st, ctx, "l", true, "pid 1 on host a", &first, &owner, &err));
    assert_non_null(first);
    assert_true(storage_lock(st, ctx, "l", true, "pid 2", &second, &owner, &err));
    assert_null(second);
    assert_string_equal(owner, "pid 1 on host a");
    assert_true(storage_lock(st, ctx, "l", false, NULL, &second, &owner, &err));
    assert_null(second);
    storage_unlock(first);

    assert_true(storage_lock(st, ctx, "l", false, NULL, &first, &owner, &err));
    assert_non_null(first);
    assert_true(storage_lock(st, ctx, "l", false, NULL, &second, &owner, &err));
    assert_non_null(second);
    storage_unlock(second);
    assert_true(storage_lock(st, ctx, "l", true, "x", &second, &owner, &err));
    assert_null(second);
    storage_unlock(first);
    storage_unlock(NULL);

    /* The file is removed and made again by somebody else: the lock is on the new one. */
    assert_true(storage_lock(st, ctx, "l", true, "x", &first, &owner, &err));
    assert_true(storage_remove(st, "l", &err));
    assert_true(storage_lock(st, ctx, "l", true, "y", &second, &owner, &err));
    assert_non_null(second);
    storage_unlock(first);
    storage_unlock(second);

    snprintf(path, sizeof(path), "%s/link", root);
    assert_int_equal(symlink("l", path), 0);
    assert_false(storage_lock(st, ctx, "link", true, "x", &first, &owner, &err));
    assert_int_equal(err.code, ERR_STORAGE);
    error_clear(&err);
    assert_false(storage_lock(st, ctx, "gone/l", true, "x", &first, &owner, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open),         TEST(test_paths),       TEST(test_write_plain),
        TEST(test_write_atomic), TEST(test_write_large), TEST(test_no_space),
        TEST(test_read),         TEST(test_not_regular), TEST(test_dirs),
        TEST(test_make_root),    TEST(test_free_space),  TEST(test_locks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
