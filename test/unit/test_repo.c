/*
 * test/unit/test_repo.c - repositories, keys, sets, locks and retention.
 */
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/tap.h"
#include "repo/base.h"
#include "repo/part.h"
#include "repo/point.h"
#include "repo/retention.h"
#include "repo/whole_object.h"
#include "sample_set.h"

static const Compress none = {COMPRESS_NONE, 0};

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

static void touch(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* ---- names ---- */

static void test_escape(void **state)
{
    Sample *s = *state;

    assert_string_equal(repo_escape(s, "shop_1-a.B"), "shop_1-a.B");
    assert_string_equal(repo_escape(s, ""), "%");
    assert_string_equal(repo_escape(s, "."), "%2E");
    assert_string_equal(repo_escape(s, ".."), "%2E.");
    assert_string_equal(repo_escape(s, "a/b"), "a%2Fb");
    assert_string_equal(repo_escape(s, "%"), "%25");
    assert_string_equal(repo_escape(s, "\xc3\xa4 \n"), "%C3%A4%20%0A");
}

static void test_keys(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "2026112023150",
        "202611202315020",
        "2026112023150x",
        "20261320231502",
        "x",
        "20260231000000",
        "19991231235959",
        "22000101000000",
        "20261120240000",
        "20261120236000",
        "20261120235960",
        "20260001000000",
        "20260100000000",
        " 2026112023150",
        "-2026112023150",
        "../../../../..",
    };
    char key[SET_KEY_LEN];

    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        Error err = ERROR_INIT;

        if (repo_key_parse(bad[i], &err))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, ERR_USAGE);
    }
    assert_true(repo_key_parse("20240229235959", NULL));
    assert_true(repo_key_is_date("21991231235959"));
    repo_key_from_seconds(key, repo_key_seconds("20240229235959"));
    assert_string_equal(key, "20240229235959");
    repo_key_from_seconds(key, clock_wall_us() / 1000000 + 3600);
    assert_true(repo_key_parse(key, NULL));
    repo_key_from_seconds(key, clock_wall_us() / 1000000 + 2 * 86400);
    assert_false(repo_key_parse(key, NULL));
}

/* ---- opening ---- */

static void refuse_open(Sample *s, const char *uri, ErrorCode code, const char *what)
{
    Error err = ERROR_INIT;

    assert_null(repo_open(s, uri, &err));
    if (err.code != code || strstr(err.message, what) == NULL)
        fail_msg("%d: %s", err.code, err.message);
}

static void refuse_create(Sample *s, const char *uri, ErrorCode code, const char *what)
{
    Error err = ERROR_INIT;

    assert_null(repo_open_or_create(s, uri, &err));
    if (err.code != code || strstr(err.message, what) == NULL)
        fail_msg("%d: %s", err.code, err.message);
}

static void test_open(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    char *path = mem_printf(s, "%s/other", s->root);
    Repo *repo;

    repo = repo_open(s, s->uri, &err);
    assert_non_null(repo);
    assert_string_equal(repo->id, s->repo->id);
    repo = repo_open_or_create(s, s->uri, &err);
    assert_string_equal(repo->id, s->repo->id);
    refuse_open(s, path, ERR_NOT_FOUND, "no repository");
    refuse_create(s, mem_printf(s, "%s/no/repo", s->root), ERR_STORAGE, "parent");
    touch(path, "");
    refuse_open(s, path, ERR_USAGE, "not a directory");
    refuse_create(s, path, ERR_USAGE, "not a directory");
    refuse_open(s, "s3://x/y", ERR_USAGE, "not supported");
}

static void test_open_directory(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    char *path = mem_printf(s, "%s/dir", s->root);

    assert_int_equal(mkdir(path, 0700), 0);
    refuse_open(s, path, ERR_USAGE, "not a pgark repository");
    assert_int_equal(mkdir(mem_printf(s, "%s/lost+found", path), 0700), 0);
    touch(mem_printf(s, "%s/.pgark.repo.1-0.tmp", path), "");
    touch(mem_printf(s, "%s/file", path), "");
    refuse_create(s, path, ERR_USAGE, "is not a pgark repository and not empty");
    assert_int_equal(unlink(mem_printf(s, "%s/file", path)), 0);
    assert_non_null(repo_open_or_create(s, path, &err));
    assert_non_null(repo_open(s, path, &err));
}

static void test_marker(void **state)
{
    static const char *const damaged[] = {
        "",
        "{",
        "[]",
        "{\"format\":0,\"id\":\"0123456789abcdef0123456789abcdef\"}",
        "{\"format\":1}",
        "{\"format\":1,\"id\":\"0123\"}",
        "{\"format\":\"1\"}",
        "{\"format\":1,\"id\":\"0123456789abcdef0123456789abcdef\",\"x\":1}",
    };
    Sample *s = *state;
    char *marker = mem_printf(s, "%s/pgark.repo", s->uri);

    for (size_t i = 0; i < LENGTH_OF(damaged); i++)
    {
        touch(marker, damaged[i]);
        refuse_open(s, s->uri, ERR_CORRUPT, "damaged");
        refuse_create(s, s->uri, ERR_CORRUPT, "damaged");
    }
    touch(marker, "{\"format\":2,\"anything\":[]}");
    refuse_open(s, s->uri, ERR_USAGE, "is newer than this pgark understands (1)");
    refuse_create(s, s->uri, ERR_USAGE, "is newer than this pgark understands (1)");
    touch(marker, mem_printf(s, "%5000s", "{}"));
    refuse_open(s, s->uri, ERR_CORRUPT, "longer");
}

static void test_not_writable(void **state)
{
    Sample *s = *state;

    if (geteuid() == 0)
        skip(); /* root may write anywhere */
    assert_int_equal(chmod(s->uri, 0500), 0);
    refuse_create(s, s->uri, ERR_STORAGE, "not writable");
    assert_int_equal(chmod(s->uri, 0700), 0);
}

/* ---- sets ---- */

static bool is_there(Sample *s, const char *path)
{
    StorageInfo info;
    Error err = ERROR_INIT;

    assert_true(storage_stat(s->repo->storage, path, &info, &err));
    return info.kind != STORAGE_MISSING;
}

static void test_begin_end(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    RepoSet *set = repo_set_begin(s->repo, s, "a/fleet", NULL, &err), *other;
    RepoSetInfo *sets;
    char *dir, *day;
    size_t count;

    assert_non_null(set);
    dir = mem_strdup(s, set->dir);
    day = mem_strndup(s, dir, strlen("sets/YYYYMMDD"));
    assert_true(is_there(s, dir));
    assert_true(is_there(s, "locks/a%2Ffleet.lock"));
    assert_null(repo_set_begin(s->repo, s, "a/fleet", NULL, &err));
    assert_int_equal(err.code, ERR_LOCK);
    assert_non_null(strstr(err.message, "pid "));
    error_clear(&err);
    other = repo_set_begin(s->repo, s, "another", NULL, &err);
    assert_non_null(other);
    assert_true(strcmp(other->key, set->key) > 0);

    assert_true(repo_list_sets(s->repo, s, &sets, &count, &err));
    assert_int_equal(count, 2);
    assert_true(sets[0].alive && sets[1].alive);
    assert_false(sets[0].finished || sets[1].finished);

    assert_true(storage_make_dir(s->repo->storage, mem_printf(s, "%s/db/x", dir), false, &err));
    repo_set_end(set);
    assert_false(is_there(s, dir));
    assert_true(is_there(s, day)); /* the other set is in it */
    repo_set_end(other);
    assert_false(is_there(s, day));
    repo_set_end(NULL);
    set = repo_set_begin(s->repo, s, "a/fleet", NULL, &err);
    assert_non_null(set);
    repo_set_end(set);
}

static void test_given_key(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;

    sample_write(s, "f", "20240102030405", none, NULL);
    assert_true(is_there(s, "sets/20240102/20240102030405/manifest.jsonl"));
    assert_null(repo_set_begin(s->repo, s, "f", "20240102030405", &err));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_true(is_there(s, "sets/20240102/20240102030405/manifest.jsonl"));
    error_clear(&err);
    assert_null(repo_set_begin(s->repo, s, "f", "2024", &err));
    assert_int_equal(err.code, ERR_USAGE);
    error_clear(&err);
    assert_null(repo_set_begin(s->repo, s, "f", "21990102030405", &err));
    assert_int_equal(err.code, ERR_USAGE);
}

/* ---- the layout "days" ---- */

static void test_days(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    const char *uri = mem_printf(s, "%s/db_dumps", s->root);
    RepoSetInfo *sets;
    size_t count;
    char key[SET_KEY_LEN];

    assert_int_equal(mkdir(uri, 0700), 0);
    assert_int_equal(mkdir(mem_printf(s, "%s/20240102", uri), 0700), 0);
    touch(mem_printf(s, "%s/20240102/gp_dump_20240102030405.rpt", uri), "of another program\n");
    refuse_create(s, uri, ERR_USAGE, "not empty");
    s->repo = repo_open_or_make_days(s, uri, &err);
    assert_non_null(s->repo);
    assert_true(repo_next_key(s->repo, key, &err));
    assert_true(repo_key_parse(key, &err));
    assert_false(is_there(s, "sets"));

    sample_write(s, "f", "20240102030406", none, NULL);
    assert_string_equal(s->dir, "20240102/20240102030406");
    s->repo = repo_open(s, uri, &err);
    assert_non_null(s->repo);
    assert_int_equal(s->repo->layout, LAYOUT_DAYS);
    assert_true(repo_list_sets(s->repo, s, &sets, &count, &err));
    assert_int_equal(count, 1);
    assert_true(sets[0].finished);

    touch(mem_printf(s, "%s/20240102/x_gp_dump_20240102030406_table", uri), "public.t\n");
    assert_true(repo_remove_set(s->repo, s->dir, &err));
    assert_false(is_there(s, s->dir));
    assert_false(is_there(s, "20240102/x_gp_dump_20240102030406_table"));
    assert_true(is_there(s, "20240102/gp_dump_20240102030405.rpt"));

    /* A dump that is there already would go with a set of its key, or with one that fails. */
    const char *script = mem_printf(s, "%s/20240102/gp_dump_1_1_20240102030405.gz", uri);
    touch(script, "of another program\n");
    assert_null(repo_set_begin(s->repo, s, "f", "20240102030405", &err));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_non_null(strstr(err.message, "\"gp_dump_1_1_20240102030405.gz\" of another dump"));
    assert_int_equal(access(script, F_OK), 0);
    error_clear(&err);
    assert_true(repo_next_key(s->repo, key, &err));
    assert_int_equal(mkdir(mem_printf(s, "%s/%.8s", uri, key), 0700), 0);
    for (int i = 0; i < 120; i++)
    {
        char taken[SET_KEY_LEN];
        repo_key_from_seconds(taken, repo_key_seconds(key) + i);
        if (strncmp(taken, key, 8) != 0)
            break;
        touch(mem_printf(s, "%s/%.8s/gp_dump_-1_1_%s", uri, key, taken), "of gp_dump\n");
    }
    char next[SET_KEY_LEN];
    assert_true(repo_next_key(s->repo, next, &err));
    assert_int_equal(access(mem_printf(s, "%s/%.8s/gp_dump_-1_1_%s", uri, next, next), F_OK), -1);
    assert_true(strcmp(next, key) > 0);

    assert_null(repo_open_or_make_days(s, s->uri, &err));
    assert_non_null(strstr(err.message, "below sets/"));
    touch(mem_printf(s, "%s/pgark.repo", uri),
          mem_printf(s, "{\"format\":1,\"id\":\"%s\",\"layout\":\"years\"}\n", s->repo->id));
    refuse_open(s, uri, ERR_CORRUPT, "unknown layout");
}

static void test_beside(void **state UNUSED)
{
    const char *key = "20240102030406";

    assert_true(repo_is_beside("gp_dump_20240102030406.rpt", key));
    assert_true(repo_is_beside("20240102030406_gp_cdatabase_-1_1_20240102030406", key));
    assert_false(repo_is_beside("gp_dump_20240102030405.rpt", key));
    assert_false(repo_is_beside("gp_dump_120240102030406.rpt", key));
    assert_false(repo_is_beside("gp_dump_202401020304060", key));
    assert_false(repo_is_beside("notes_20240102030406", key));
    assert_false(repo_is_beside("20240102030406_gp_dump_20240102030405.rpt", key));
}

/* A clock that went backwards must not make a set that is older than the newest. */
static void test_clock_backwards(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    char key[SET_KEY_LEN], next[SET_KEY_LEN];
    int64_t ahead = clock_wall_us() / 1000000 + 3600;
    RepoSet *set;

    repo_key_from_seconds(key, ahead);
    repo_key_from_seconds(next, ahead + 1);
    assert_true(storage_make_dir(s->repo->storage, repo_set_dir(s->repo, s, key), true, &err));
    set = repo_set_begin(s->repo, s, "f", NULL, &err);
    assert_non_null(set);
    assert_string_equal(set->key, next);
    repo_set_end(set);
    assert_true(storage_make_dir(s->repo->storage, "sets/21010101/21010101000000", true, &err));
    assert_null(repo_set_begin(s->repo, s, "f", NULL, &err));
    assert_non_null(strstr(err.message, "in the future"));
    assert_non_null(strstr(err.hint, "clock"));
}

static void test_list(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    RepoSetInfo *sets;
    size_t count;
    int warnings = log_warnings();

    assert_true(repo_list_sets(s->repo, s, &sets, &count, &err));
    assert_int_equal(count, 0);
    sample_write(s, "f", "20240102030406", none, NULL);
    sample_write(s, "f", "20240102030405", none, NULL);
    sample_write(s, "f", "20230102030405", none, NULL);
    assert_true(storage_make_dir(s->repo->storage, "sets/20240102/20240102030407", true, &err));
    assert_int_equal(log_warnings(), warnings);
    assert_true(storage_make_dir(s->repo->storage, "sets/garbage/20240102030407", true, &err));
    assert_true(storage_make_dir(s->repo->storage, "sets/20240102/20250102030407", true, &err));
    assert_true(repo_list_sets(s->repo, s, &sets, &count, &err));
    assert_int_equal(log_warnings(), warnings + 1);
    assert_int_equal(count, 4);
    assert_string_equal(sets[0].key, "20230102030405");
    assert_string_equal(sets[1].key, "20240102030405");
    assert_string_equal(sets[2].dir, "sets/20240102/20240102030406");
    assert_true(sets[2].finished);
    assert_false(sets[2].alive);
    assert_false(sets[3].finished);
}

static void refuse_resolve(Sample *s, const char *key, ErrorCode code, const char *what)
{
    Error err = ERROR_INIT;
    char found[SET_KEY_LEN], *dir;
    StorageLock *lock;

    assert_false(repo_resolve(s->repo, s, key, NULL, found, &dir, &lock, &err));
    assert_null(lock);
    if (err.code != code || strstr(err.message, what) == NULL)
        fail_msg("%d: %s", err.code, err.message);
}

static void test_resolve(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    char key[SET_KEY_LEN], *dir;
    StorageLock *lock;

    refuse_resolve(s, "latest", ERR_NOT_FOUND, "no finished set");
    sample_write(s, "f", "20240102030405", none, NULL);
    sample_write(s, "f", "20240102030406", none, NULL);
    assert_true(storage_make_dir(s->repo->storage, "sets/20240102/20240102030407", true, &err));
    refuse_resolve(s, "20240102030404", ERR_NOT_FOUND, "no set");
    refuse_resolve(s, "20240102030407", ERR_NOT_FOUND, "not finished");
    refuse_resolve(s, "Latest", ERR_USAGE, "not the key");
    refuse_resolve(s, "21990102030405", ERR_USAGE, "future");
    assert_true(repo_resolve(s->repo, s, "latest", NULL, key, &dir, &lock, &err));
    assert_string_equal(key, "20240102030406");
    assert_string_equal(dir, "sets/20240102/20240102030406");
    assert_non_null(lock);
    storage_unlock(lock);
    /* A copy without the lock file, which can be made again. */
    assert_int_equal(unlink(sample_path(s, "run.lock")), 0);
    assert_true(repo_resolve(s->repo, s, "20240102030406", NULL, key, &dir, &lock, &err));
    storage_unlock(lock);
}

/* What the next sets to be written are. */
static struct
{
    const char *prefix;
    const char *database;
    int sections;
} next_set;

static void change_set(ManifestLineType type, void *record)
{
    static char prefix[64], database[64];

    if (type == LINE_SET && next_set.prefix != NULL)
    {
        snprintf(prefix, sizeof(prefix), "%s", next_set.prefix);
        ((SetRecord *) record)->prefix = prefix;
    }
    if (type == LINE_SET)
        ((SetRecord *) record)->sections = next_set.sections;
    if (next_set.database == NULL)
        return;
    snprintf(database, sizeof(database), "%s", next_set.database);
    if (type == LINE_NODE)
        ((NodeRecord *) record)->database = database;
    if (type == LINE_TABLE)
        ((TableRecord *) record)->database = database;
    if (type == LINE_SEQUENCE)
        ((SequenceRecord *) record)->database = database;
}

static void write_in_series(Sample *s, const char *key, const char *prefix)
{
    next_set.prefix = prefix;
    next_set.database = NULL;
    next_set.sections = SET_SECTIONS_ALL;
    sample_write(s, "f", key, none, change_set);
}

static void resolve_series(Sample *s, const char *key, const char *prefix, const char *want)
{
    Error err = ERROR_INIT;
    char found[SET_KEY_LEN], *dir;
    StorageLock *lock;
    SetChoice choice = {.prefix = prefix};
    bool ok = repo_resolve(s->repo, s, key, &choice, found, &dir, &lock, &err);

    storage_unlock(lock);
    if (ok && strcmp(found, want) == 0)
        return;
    if (ok || strstr(err.message, want) == NULL || err.code != ERR_NOT_FOUND)
        fail_msg("%s: %s", key, ok ? found : err.message);
}

static void test_resolve_series(void **state)
{
    Sample *s = *state;

    write_in_series(s, "20240101000001", "nightly");
    resolve_series(s, "latest", NULL, "no finished set without a prefix");
    resolve_series(s, "latest", "weekly", "no finished set with the prefix \"weekly\"");
    write_in_series(s, "20240101000002", NULL);
    write_in_series(s, "20240101000003", "weekly");
    write_in_series(s, "20240101000004", "nightly");
    resolve_series(s, "latest", NULL, "20240101000002");
    resolve_series(s, "latest", "weekly", "20240101000003");
    resolve_series(s, "latest", "nightly", "20240101000004");
    resolve_series(s, "latest", "night", "no finished set with the prefix \"night\"");
    resolve_series(s, "20240101000001", NULL, "20240101000001");
    resolve_series(s, "20240101000001", "nightly", "20240101000001");
    resolve_series(s, "20240101000001", "weekly", "has the prefix \"nightly\", and not \"weekly\"");
    resolve_series(s, "20240101000002", "weekly", "has no prefix, and not \"weekly\"");
    /* One that cannot be read may be the one that is meant: nothing older takes its place. */
    sample_store(s, "manifest.jsonl", "x", 1);
    resolve_series(s, "latest", "weekly", "20240101000004");
}

/* A run that is killed leaves an unfinished set that nobody owns. */
static void test_killed_run(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    RepoSetInfo *sets;
    ExpireResult result;
    const ExpireRequest request = {.dry_run = false};
    size_t count;
    pid_t pid = fork();

    if (pid == 0)
    {
        if (repo_set_begin(s->repo, s, "f", NULL, &err) == NULL)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(repo_list_sets(s->repo, s, &sets, &count, &err));
    assert_int_equal(count, 1);
    assert_false(sets[0].alive || sets[0].finished);
    assert_true(retention_expire(s->repo, s, &request, &result, &err));
    assert_int_equal(result.count, 1);
    assert_string_equal(result.removed[0].why, "unfinished");
    assert_true(repo_list_sets(s->repo, s, &sets, &count, &err));
    assert_int_equal(count, 0);
    assert_false(is_there(s, mem_strndup(s, sets == NULL ? "sets/x" : sets[0].dir, 6)));
}

/* ---- retention ---- */

static size_t expire(Sample *s, ExpireRequest request, ExpireResult *result)
{
    Error err = ERROR_INIT;

    if (!retention_expire(s->repo, s, &request, result, &err))
        fail_msg("%s", err.message);
    return result->count;
}

static void test_keep(void **state)
{
    Sample *s = *state;
    ExpireResult result;

    sample_write(s, "a", "20240101000000", none, NULL);
    sample_write(s, "b", "20240102000000", none, NULL);
    sample_write(s, "a", "20240103000000", none, NULL);
    sample_write(s, "a", "20240104000000", none, NULL);
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 3}, &result), 0);
    assert_int_equal(expire(s, (ExpireRequest){.dry_run = false}, &result), 0);
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 2, .dry_run = true}, &result), 1);
    assert_true(is_there(s, "sets/20240101"));
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 2}, &result), 1);
    assert_string_equal(result.removed[0].key, "20240101000000");
    assert_string_equal(result.removed[0].why, "beyond --keep");
    assert_false(is_there(s, "sets/20240101"));
    assert_true(is_there(s, "sets/20240102"));
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1}, &result), 1);
    assert_true(is_there(s, "sets/20240104/20240104000000/manifest.jsonl"));
}

/* What is a part of another repository's set is that one's to remove. */
static void test_parts(void **state)
{
    Sample *s = *state;
    ExpireResult result;
    Error err = ERROR_INIT;
    char home[33];
    bool removed;
    const char *const other = "00112233445566778899aabbccddeeff";
    const char *const keep[] = {"20240102000000"};
    PartSweep sweep = {.home = other, .keep = keep, .keep_count = 1, .before = "20240103000000"};

    for (int day = 1; day <= 4; day++)
    {
        sample_write(s, "a", mem_printf(s->ctx, "2024010%d000000", day), none, NULL);
        if (day < 4)
            assert_true(part_mark(s->repo, s->dir, other, &err));
    }
    assert_true(part_home(s->repo, "sets/20240101/20240101000000", home, &err));
    assert_string_equal(home, other);
    assert_true(part_home(s->repo, s->dir, home, &err));
    assert_string_equal(home, "");
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1}, &result), 0);

    sweep.home = s->repo->id;
    assert_true(part_sweep(s->repo, s, &sweep, &result, &err));
    assert_int_equal(result.count, 0);
    sweep.home = other;
    sweep.dry_run = true;
    assert_true(part_sweep(s->repo, s, &sweep, &result, &err));
    assert_int_equal(result.count, 1);
    assert_true(is_there(s, "sets/20240101"));
    sweep.dry_run = false;
    assert_true(part_sweep(s->repo, s, &sweep, &result, &err));
    assert_int_equal(result.count, 1);
    assert_string_equal(result.removed[0].key, "20240101000000");
    assert_false(is_there(s, "sets/20240101"));
    assert_true(is_there(s, "sets/20240102"));
    assert_true(is_there(s, "sets/20240103")); /* begun after the sweep */

    assert_true(part_remove(s->repo, s->dir, other, &removed, &err));
    assert_false(removed); /* it is no part */
    assert_true(part_remove(s->repo, "sets/20240102/20240102000000", other, &removed, &err));
    assert_true(removed);
    assert_false(is_there(s, "sets/20240102"));
}

static void test_part_that_is_read_stays(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    char key[SET_KEY_LEN];
    char *dir;
    bool removed;
    StorageLock *lock;
    const char *const other = "00112233445566778899aabbccddeeff";

    sample_write(s, "a", "20240101000000", none, NULL);
    assert_true(part_mark(s->repo, s->dir, other, &err));
    assert_true(repo_resolve(s->repo, s, "latest", NULL, key, &dir, &lock, &err));
    assert_true(part_remove(s->repo, s->dir, other, &removed, &err));
    assert_false(removed);
    storage_unlock(lock);
    assert_true(part_remove(s->repo, s->dir, other, &removed, &err));
    assert_true(removed);
}

static void test_older_than(void **state)
{
    Sample *s = *state;
    ExpireResult result;
    char key[SET_KEY_LEN];

    sample_write(s, "a", "20240101000000", none, NULL);
    sample_write(s, "a", "20240102000000", none, NULL);
    repo_key_from_seconds(key, clock_wall_us() / 1000000 - 3 * 86400);
    sample_write(s, "a", key, none, NULL);
    assert_int_equal(expire(s, (ExpireRequest){.rule.older_than_days = 4}, &result), 2);
    assert_string_equal(result.removed[0].why, "older than --older-than");
    /* The newest of its fleet stays, however old. */
    assert_int_equal(expire(s, (ExpireRequest){.rule.older_than_days = 1}, &result), 0);
}

/* Series, databases, and sets that hold a part are counted by themselves. */
static void test_expire_apart(void **state)
{
    Sample *s = *state;
    ExpireResult result;

    write_in_series(s, "20240101000001", NULL);
    write_in_series(s, "20240101000002", "nightly");
    write_in_series(s, "20240101000003", "nightly");
    next_set.prefix = NULL;
    next_set.database = "other";
    sample_write(s, "f", "20240101000004", none, change_set);
    next_set.database = NULL;
    next_set.sections = 1;
    sample_write(s, "f", "20240101000005", none, change_set);
    sample_write(s, "f", "20240101000006", none, change_set);
    assert_int_equal(
        expire(s, (ExpireRequest){.rule.keep = 1, .prefix = "weekly", .dry_run = true}, &result),
        0);
    assert_int_equal(result.kept_count, 0);
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1, .prefix = "nightly"}, &result), 1);
    assert_string_equal(result.removed[0].key, "20240101000002");
    assert_int_equal(result.kept_count, 1);
    assert_string_equal(result.kept[0].why, "newest, --keep");
    assert_int_equal(
        expire(s, (ExpireRequest){.rule = {.keep_daily = 1, .keep_weekly = 1}}, &result), 1);
    assert_string_equal(result.removed[0].key, "20240101000005");
    assert_string_equal(result.removed[0].why, "kept by no rule");
    assert_string_equal(result.kept[0].why, "newest, --keep-daily, --keep-weekly");
    assert_int_equal(result.kept_count, 4);
}

static void test_expire_in_use(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    ExpireResult result;
    StorageLock *lock;
    char key[SET_KEY_LEN], *dir;
    RepoSet *live;
    int warnings = log_warnings();

    sample_write(s, "a", "20240101000000", none, NULL);
    sample_write(s, "a", "20240102000000", none, NULL);
    live = repo_set_begin(s->repo, s, "a", NULL, &err);
    assert_true(repo_resolve(s->repo, s, "20240101000000", NULL, key, &dir, &lock, &err));
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1}, &result), 0);
    assert_int_equal(log_warnings(), warnings + 1);
    storage_unlock(lock);
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1}, &result), 1);
    assert_true(is_there(s, live->dir)); /* a live run's set is not touched */
    repo_set_end(live);
}

/* A set that refers to base, published when expire has decided what goes and not yet locked base. */
static struct
{
    Sample *s;
    char base[SET_KEY_LEN];
    char *depends_on[1];
    bool published;
} late;

static void refer_to_base(ManifestLineType type, void *record)
{
    SetRecord *set = record;

    if (type != LINE_SET)
        return;
    memcpy(set->base, late.base, SET_KEY_LEN);
    set->depends_on = late.depends_on;
    set->depends_count = 1;
}

static void publish_late(void *arg UNUSED, LogLevel level UNUSED, const char *line)
{
    if (late.published || strstr(line, "in use and stays") == NULL)
        return;
    late.published = true;
    sample_write(late.s, "f", "20240105000000", none, refer_to_base);
}

static void test_expire_late_dependant(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    ExpireResult result;
    StorageLock *lock;
    char key[SET_KEY_LEN], *dir, *base;

    sample_write(s, "f", "20240101000000", none, NULL);
    base = s->dir;
    sample_write(s, "f", "20240102000000", none, NULL);
    sample_write(s, "g", "20240103000000", none, NULL);
    sample_write(s, "g", "20240104000000", none, NULL);
    memset(&late, 0, sizeof(late));
    late.s = s;
    memcpy(late.base, "20240101000000", SET_KEY_LEN);
    late.depends_on[0] = late.base;
    /* The newest are looked at first: of this one expire says that it stays, before it takes the base. */
    assert_true(repo_resolve(s->repo, s, "20240103000000", NULL, key, &dir, &lock, &err));
    log_redirect(publish_late, NULL);
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1}, &result), 0);
    log_redirect(NULL, NULL);
    storage_unlock(lock);
    assert_true(late.published);
    assert_true(is_there(s, mem_printf(s, "%s/manifest.jsonl", base)));
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1}, &result), 2);
    assert_true(is_there(s, mem_printf(s, "%s/manifest.jsonl", base)));
}

/* The other way round: what expire has locked, nobody builds on any more. */
static void test_expire_before_base(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    StorageLock *lock;
    SetRecord own;
    Base *base;
    char *owner;

    sample_write(s, "f", "20240101000000", none, NULL);
    assert_true(manifest_peek(s->repo->storage, s, s->dir, &own, &err));
    memcpy(own.key, "20240102000000", SET_KEY_LEN);
    assert_true(base_open(s->repo, s, &own, NULL, &base, &err));
    assert_non_null(base);
    assert_true(storage_lock(s->repo->storage, s, mem_printf(s, "%s/run.lock", s->dir), true, "",
                             &lock, &owner, &err));
    assert_null(lock); /* it is being built on */
    base_close(base);
    assert_true(storage_lock(s->repo->storage, s, mem_printf(s, "%s/run.lock", s->dir), true, "",
                             &lock, &owner, &err));
    assert_non_null(lock);
    assert_true(base_open(s->repo, s, &own, NULL, &base, &err));
    assert_null(base);
    assert_false(base_open(s->repo, s, &own, "20240101000000", &base, &err));
    storage_unlock(lock);
}

static void test_expire_unreadable(void **state)
{
    Sample *s = *state;
    ExpireResult result;
    int warnings = log_warnings();

    sample_write(s, "a", "20240101000000", none, NULL);
    sample_store(s, "manifest.jsonl", "x", 1);
    sample_write(s, "a", "20240102000000", none, NULL);
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1}, &result), 0);
    assert_int_equal(log_warnings(), warnings + 1);
    assert_true(is_there(s, "sets/20240101"));
}

/* What a newer pgark has written may depend on any older set. */
static void test_expire_newer(void **state)
{
    Sample *s = *state;
    static const char newer[] = "{\"type\":\"set\",\"format\":99,\"needs\":[\"20240101000000\"]}\n";
    ExpireResult result;
    int warnings = log_warnings();

    sample_write(s, "a", "20240101000000", none, NULL);
    sample_write(s, "a", "20240102000000", none, NULL);
    sample_store(s, "manifest.jsonl", newer, strlen(newer));
    sample_write(s, "a", "20240103000000", none, NULL);
    sample_write(s, "a", "20240104000000", none, NULL);
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1}, &result), 1);
    assert_string_equal(result.removed[0].key, "20240103000000");
    assert_int_equal(log_warnings(), warnings + 1);
    assert_true(is_there(s, "sets/20240101") && is_there(s, "sets/20240102"));
}

/* Whoever comes second finds less to do, and no failure. */
static void *expire_all(void *arg)
{
    const Sample *s = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "expire");
    Error err = ERROR_INIT;
    ExpireResult result;
    const ExpireRequest request = {.rule.keep = 1};
    Repo *repo = repo_open(tmp, s->uri, &err);

    if (repo == NULL || !retention_expire(repo, tmp, &request, &result, &err))
        return strdup(err.message);
    return NULL;
}

#define TOGETHER 3

static void test_expire_together(void **state)
{
    Sample *s = *state;
    pthread_t threads[TOGETHER];
    void *failures[TOGETHER];

    for (int i = 0; i < 60; i++)
    {
        char key[SET_KEY_LEN];

        snprintf(key, sizeof(key), "202401010000%02d", i);
        sample_write(s, "a", key, none, NULL);
        if (i % 3 == 0)
        {
            /* What a dead run has left. */
            const char *dir = mem_printf(s, "sets/20240102/202401020000%02d", i);
            Error err = ERROR_INIT;

            assert_true(storage_make_dir(s->repo->storage, dir, true, &err));
            touch(mem_printf(s, "%s/%s/run.lock", s->uri, dir), "");
            touch(mem_printf(s, "%s/%s/node0.jsonl", s->uri, dir), "x");
        }
    }
    for (size_t i = 0; i < TOGETHER; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, expire_all, s), 0);
    for (size_t i = 0; i < TOGETHER; i++)
        pthread_join(threads[i], &failures[i]);
    for (size_t i = 0; i < TOGETHER; i++)
    {
        if (failures[i] != NULL)
            fail_msg("%s", (char *) failures[i]);
    }
    assert_true(is_there(s, "sets/20240101/20240101000059"));
    assert_false(is_there(s, "sets/20240101/20240101000058"));
    assert_false(is_there(s, "sets/20240101/20240101000000"));
    assert_false(is_there(s, "sets/20240102"));
}

/* A directory that was made this instant may belong to a run that has no lock yet. */
static void test_expire_starting(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    ExpireResult result;

    assert_true(storage_make_dir(s->repo->storage, "sets/20240101/20240101000000", true, &err));
    assert_int_equal(expire(s, (ExpireRequest){.rule.keep = 1}, &result), 0);
    assert_true(is_there(s, "sets/20240101/20240101000000"));
}

/* ---- restore points ---- */

static bool count_point(void *arg, const Point *point, Error *err UNUSED)
{
    size_t *count = arg;

    assert_string_equal(point->nodes[0].name, "a b");
    assert_int_equal(point->nodes[0].lsn, 42);
    (*count)++;
    return true;
}

static void test_points(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    PointRecord node = {.name = mem_strdup(s, "a b"),
                        .fleet = mem_strdup(s, "f"),
                        .method = mem_strdup(s, "barrier"),
                        .at_us = 1,
                        .system_identifier = mem_strdup(s, "7"),
                        .lsn = 42};
    const Point point = {.nodes = &node, .count = 1};
    size_t count = 0;

    assert_true(point_begin(s->repo, "f", "a b", &err));
    assert_true(point_each(s->repo, "f", count_point, &count, &err));
    assert_int_equal(count, 0);
    /* Whoever comes next, while it is made or after a crash. */
    assert_false(point_begin(s->repo, "f", "a b", &err));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_non_null(strstr(err.hint, "another name"));
    error_clear(&err);
    assert_true(point_begin(s->repo, "f", "c", &err));
    point_give_up(s->repo, "f", "c");
    assert_true(point_begin(s->repo, "f", "c", &err));
    assert_true(point_write(s->repo, &point, &err));
    assert_false(is_there(s, "points/f/.a%20b.begun"));
    assert_false(point_begin(s->repo, "f", "a b", &err));
    assert_non_null(strstr(err.message, "already"));
    error_clear(&err);
    assert_false(point_write(s->repo, &point, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    error_clear(&err);
    /* One that is damaged hides no other. */
    int warnings = log_warnings();
    touch(mem_printf(s, "%s/points/f/damaged.jsonl", s->uri), "{\n");
    assert_true(point_each(s->repo, "f", count_point, &count, &err));
    assert_int_equal(count, 1);
    assert_int_equal(log_warnings(), warnings + 1);
}

/* Larger than any piece of memory that talloc gives. */
static void test_whole_object(void **state)
{
    Sample *s = *state;
    Error err = ERROR_INIT;
    const size_t size = ((size_t) 256 << 20) + 1;
    char name[] = "large";
    ObjectRecord object = {.path = name, .bytes = size};
    char *data = mem_block(s, size);
    char *read;
    size_t len;

    s->dir = mem_strdup(s, "made");
    assert_true(storage_make_dir(s->repo->storage, s->dir, true, &err));
    memset(data, 0, size);
    data[0] = 'x';
    sample_store(s, name, "x", 1);
    assert_int_equal(truncate(sample_path(s, name), (off_t) size), 0);
    tap_hash_memory(TAP_SHA256, data, size, object.sha256);
    assert_true(whole_object_read(s->repo->storage, s, s->dir, &object, size, &read, &len, &err));
    assert_int_equal(len, size);
    assert_memory_equal(read, data, 4096);
    assert_int_equal(read[size - 1], 0);

    assert_false(
        whole_object_read(s->repo->storage, s, s->dir, &object, size - 1, &read, &len, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    error_clear(&err);
    sample_store(s, name, "yz", 2);
    object.bytes = 1;
    assert_false(whole_object_read(s->repo->storage, s, s->dir, &object, size, &read, &len, &err));
    assert_non_null(strstr(err.message, "length"));
    error_clear(&err);
    object.bytes = 2;
    assert_false(whole_object_read(s->repo->storage, s, s->dir, &object, size, &read, &len, &err));
    assert_non_null(strstr(err.message, "SHA-256"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_escape),
        TEST(test_keys),
        TEST(test_open),
        TEST(test_open_directory),
        TEST(test_marker),
        TEST(test_not_writable),
        TEST(test_begin_end),
        TEST(test_given_key),
        TEST(test_days),
        TEST(test_beside),
        TEST(test_clock_backwards),
        TEST(test_list),
        TEST(test_resolve),
        TEST(test_resolve_series),
        TEST(test_killed_run),
        TEST(test_keep),
        TEST(test_parts),
        TEST(test_part_that_is_read_stays),
        TEST(test_older_than),
        TEST(test_expire_apart),
        TEST(test_expire_in_use),
        TEST(test_expire_late_dependant),
        TEST(test_expire_before_base),
        TEST(test_expire_unreadable),
        TEST(test_expire_newer),
        TEST(test_points),
        TEST(test_expire_together),
        TEST(test_expire_starting),
        TEST(test_whole_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
