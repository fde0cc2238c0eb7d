/* test/unit/test_options.c - the option table, the parser and what is generated from the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "config/option_value.h"
#include "config/options_internal.h"

#define ARGS_MAX 12
#define KEY      "20261120231502"

typedef struct Fixture
{
    MemContext *ctx;
    Error err;
    OptionsAction action;
} Fixture;

static int setup(void **state)
{
    Fixture *f = calloc(1, sizeof(*f));
    f->ctx = mem_context(NULL, "test");
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (spec->env != NULL)
            unsetenv(spec->env);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    mem_free(f->ctx);
    free(f);
    return 0;
}

/* Parses "pgark" and the words of args up to the first NULL. */
static Options *parse(Fixture *f, const char *const args[ARGS_MAX])
{
    char *argv[ARGS_MAX + 2] = {mem_strdup(f->ctx, "pgark")};
    int argc = 1;
    while (argc <= ARGS_MAX && args[argc - 1] != NULL)
    {
        argv[argc] = mem_strdup(f->ctx, args[argc - 1]);
        argc++;
    }
    error_clear(&f->err);
    return options_parse(f->ctx, argc, argv, &f->action, &f->err);
}

static Options *parse_ok(Fixture *f, const char *const args[ARGS_MAX])
{
    Options *o = parse(f, args);
    if (o == NULL)
        fail_msg("pgark %s %s %s: %s", args[0], args[1], args[2], f->err.message);
    assert_int_equal(f->action, OPTIONS_RUN);
    return o;
}

static void assert_refused(Fixture *f, const char *what, const char *message, const char *hint)
{
    if (f->err.code != ERR_USAGE || strstr(f->err.message, message) == NULL ||
        strstr(f->err.hint, hint) == NULL)
        fail_msg("%s: error \"%s\", hint \"%s\"; expected \"%s\", \"%s\"", what, f->err.message,
                 f->err.hint, message, hint);
}

/* ---- the table ---- */

static void check_row(const OptionSpec *spec)
{
    assert_ptr_equal(option_table_get(spec->id), spec);
    for (unsigned bit = 1; bit != 0; bit <<= 1)
    {
        if ((spec->commands & bit) == 0)
            continue;
        assert_ptr_equal(option_table_by_name(spec->name, strlen(spec->name), bit), spec);
        char letter = option_table_short(spec, bit);
        if (letter != '\0')
            assert_ptr_equal(option_table_by_short(letter, bit), spec);
    }
    if (spec->short_name != '\0')
        assert_int_equal(option_table_short(spec, spec->commands), spec->short_name);
    assert_int_equal(spec->short_commands & ~spec->commands, 0);
    assert_int_not_equal(spec->commands & (CMD_ALL | CMD_TOP), 0);
    assert_int_equal(spec->file_commands & ~spec->commands, 0);
    assert_true(spec->help[strlen(spec->help) - 1] != '.');
    assert_true((spec->type == OPTION_FLAG) == (spec->arg == NULL));
    bool number = spec->type == OPTION_INT || spec->type == OPTION_SIZE ||
                  spec->type == OPTION_DURATION;
    assert_true(number == (spec->range != NULL));
    assert_true(!number || spec->min < spec->max);
    if (spec->type == OPTION_WORD)
        assert_non_null(spec->words);
    if (spec->more != NULL)
        assert_int_equal(spec->more[strlen(spec->more) - 1], '.');
    if (spec->initial != NULL)
    {
        Error err = ERROR_INIT;
        int64_t number_ignored = 0;
        assert_true(option_value_check(spec, spec->name, spec->initial, &number_ignored, &err));
    }
}

static void test_table_rows(void **state)
{
    (void) state;
    size_t count = 0;
    const OptionSpec *spec = NULL;
    for (; (spec = option_table_at(count)) != NULL; count++)
        check_row(spec);
    assert_int_equal(count, OPT_COUNT);
}

/* PGARK_ and the long name in capitals, '_' for '-'. */
static void test_table_environment_names(void **state)
{
    (void) state;
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (spec->env == NULL)
            continue;
        char expected[64];
        size_t len = (size_t) snprintf(expected, sizeof(expected), "PGARK_%s", spec->name);
        for (size_t c = 6; c < len; c++)
        {
            bool letter = expected[c] >= 'a' && expected[c] <= 'z';
            expected[c] = (char) (letter ? expected[c] - 'a' + 'A' : '_');
        }
        assert_string_equal(spec->env, expected);
    }
}

/* ---- every option, accepted ---- */

typedef enum Kind
{
    FLAG,
    NUMBER,
    TEXT,
    LIST,
} Kind;

typedef struct Accepted
{
    const char *args[ARGS_MAX];
    OptionId id;
    Kind kind;
    int64_t number;
    const char *text;
} Accepted;

#define BACKUP  "backup", "--repo=/r"
#define RESTORE "restore", KEY, "--repo=/r"

static const Accepted accepted[] = {
    {{BACKUP, "-d", "host=a dbname=b"}, OPT_DBNAME, TEXT, 0, "host=a dbname=b"},
    {{BACKUP, "-dshop"}, OPT_DBNAME, TEXT, 0, "shop"},
    {{BACKUP, "--dbname=a=b"}, OPT_DBNAME, TEXT, 0, "a=b"},
    {{BACKUP, "shop"}, OPT_DBNAME, TEXT, 0, "shop"},
    {{BACKUP, "--", "-odd"}, OPT_DBNAME, TEXT, 0, "-odd"},
    {{"check", "shop"}, OPT_DBNAME, TEXT, 0, "shop"},
    {{BACKUP, "--node", "a", "--node=b"}, OPT_NODE, LIST, 2, "b"},
    {{BACKUP, "--host-map", "a=b", "--host-map=c=d"}, OPT_HOST_MAP, LIST, 2, "c=d"},
    {{BACKUP, "--fleet", "f.conf"}, OPT_FLEET, TEXT, 0, "f.conf"},
    {{RESTORE, "--map", "0=a", "--map=1=b"}, OPT_MAP, LIST, 2, "1=b"},
    {{RESTORE, "--physical", "--map=-1=/a", "--map=1=/b", "--agent-map", "-1=a", "--agent-map=1=b"},
     OPT_AGENT_MAP,
     LIST,
     2,
     "1=b"},
    {{BACKUP, "-h", "db0"}, OPT_HOST, TEXT, 0, "db0"},
    {{BACKUP, "--host=/tmp"}, OPT_HOST, TEXT, 0, "/tmp"},
    {{BACKUP, "-p5433"}, OPT_PORT, NUMBER, 5433, NULL},
    {{BACKUP, "--port=65535"}, OPT_PORT, NUMBER, 65535, NULL},
    {{BACKUP, "-U", "me"}, OPT_USERNAME, TEXT, 0, "me"},
    {{BACKUP, "--username=me"}, OPT_USERNAME, TEXT, 0, "me"},
    {{BACKUP, "-w"}, OPT_NO_PASSWORD, FLAG, 1, NULL},
    {{BACKUP, "--no-password"}, OPT_NO_PASSWORD, FLAG, 1, NULL},
    {{BACKUP, "-W"}, OPT_PASSWORD, FLAG, 1, NULL},
    {{BACKUP, "--password"}, OPT_PASSWORD, FLAG, 1, NULL},
    {{"list", "--repo", "file:///r"}, OPT_REPO, TEXT, 0, "file:///r"},
    {{BACKUP, "--key", KEY}, OPT_KEY, TEXT, 0, KEY},
    {{BACKUP}, OPT_JOBS, NUMBER, 2, NULL},
    {{BACKUP, "-j1"}, OPT_JOBS, NUMBER, 1, NULL},
    {{BACKUP, "-j", "256"}, OPT_JOBS, NUMBER, 256, NULL},
    {{BACKUP, "--agent"}, OPT_AGENT, TEXT, 0, "yes"},
    {{BACKUP, "--agent=auto"}, OPT_AGENT, TEXT, 0, "auto"},
    {{BACKUP, "--agent", "--agent=no"}, OPT_AGENT, TEXT, 0, "no"},
    {{BACKUP, "--jobs=8"}, OPT_JOBS, NUMBER, 8, NULL},
    {{BACKUP, "--jobs", "8", "-j9"}, OPT_JOBS, NUMBER, 9, NULL},
    {{BACKUP}, OPT_COMPRESS, TEXT, 0, "zstd:1"},
    {{BACKUP, "-Zlz4"}, OPT_COMPRESS, TEXT, 0, "lz4"},
    {{BACKUP, "--compress=zstd:level=3"}, OPT_COMPRESS, TEXT, 0, "zstd:level=3"},
    {{BACKUP}, OPT_FORMAT, TEXT, 0, "auto"},
    {{BACKUP, "--format=binary"}, OPT_FORMAT, TEXT, 0, "binary"},
    {{BACKUP}, OPT_CHUNK_SIZE, NUMBER, 268435456, NULL},
    {{BACKUP, "--chunk-size=8kB"}, OPT_CHUNK_SIZE, NUMBER, 8192, NULL},
    {{BACKUP, "--chunk-size", "1TB"}, OPT_CHUNK_SIZE, NUMBER, INT64_C(1) << 40, NULL},
    {{BACKUP}, OPT_CUT, TEXT, 0, "strict"},
    {{BACKUP, "--cut=barrier"}, OPT_CUT, TEXT, 0, "barrier"},
    {{BACKUP}, OPT_RETRIES, NUMBER, 5, NULL},
    {{BACKUP, "--retries=0"}, OPT_RETRIES, NUMBER, 0, NULL},
    {{BACKUP}, OPT_CUT_TIMEOUT, NUMBER, 30000, NULL},
    {{BACKUP, "--cut-timeout=2min"}, OPT_CUT_TIMEOUT, NUMBER, 120000, NULL},
    {{BACKUP}, OPT_LOCK_WAIT_TIMEOUT, NUMBER, 0, NULL},
    {{BACKUP, "--lock-wait-timeout=1500"}, OPT_LOCK_WAIT_TIMEOUT, NUMBER, 1500, NULL},
    {{BACKUP, "--pg-dump=/opt/pg_dump"}, OPT_PG_DUMP, TEXT, 0, "/opt/pg_dump"},
    {{BACKUP}, OPT_PG_DUMP, TEXT, 0, NULL},
    {{"backup", "--dry-run"}, OPT_DRY_RUN, FLAG, 1, NULL},
    {{"expire", "--repo=/r", "--keep=3", "--dry-run"}, OPT_DRY_RUN, FLAG, 1, NULL},
    {{BACKUP, "--no-sync"}, OPT_NO_SYNC, FLAG, 1, NULL},
    {{RESTORE, "-d", "x", "-C"}, OPT_CREATE, FLAG, 1, NULL},
    {{RESTORE, "-d", "x", "--create"}, OPT_CREATE, FLAG, 1, NULL},
    {{RESTORE, "-d", "x"}, OPT_CREATE, FLAG, 0, NULL},
    {{RESTORE, "-d", "x", "--no-analyze"}, OPT_NO_ANALYZE, FLAG, 1, NULL},
    {{"verify", "latest", "--repo=/r", "--quick"}, OPT_QUICK, FLAG, 1, NULL},
    {{"expire", "--repo=/r", "--keep", "100000"}, OPT_KEEP, NUMBER, 100000, NULL},
    {{"expire", "--repo=/r", "--older-than", "36500"}, OPT_OLDER_THAN, NUMBER, 36500, NULL},
    {{"expire", "--repo=/r", "--keep-daily=7"}, OPT_KEEP_DAILY, NUMBER, 7, NULL},
    {{"expire", "--repo=/r", "--keep-weekly=4"}, OPT_KEEP_WEEKLY, NUMBER, 4, NULL},
    {{"expire", "--repo=/r", "--keep-monthly=12"}, OPT_KEEP_MONTHLY, NUMBER, 12, NULL},
    {{BACKUP, "--log-dir=/l"}, OPT_LOG_DIR, TEXT, 0, "/l"},
    {{BACKUP, "--log-dir=/l", "--log-keep=7"}, OPT_LOG_KEEP, NUMBER, 7, NULL},
    {{BACKUP, "--syslog=local3"}, OPT_SYSLOG, TEXT, 0, "local3"},
    {{BACKUP, "--history=database"}, OPT_HISTORY, LIST, 1, "database"},
    {{BACKUP, "--metrics-file=/m"}, OPT_METRICS_FILE, TEXT, 0, "/m"},
    {{BACKUP, "--mail-to=a@b", "--mail-to", "c@d"}, OPT_MAIL_TO, LIST, 2, "c@d"},
    {{BACKUP, "--mail-to=a@b", "--mail-on=always"}, OPT_MAIL_ON, TEXT, 0, "always"},
    {{BACKUP, "--mail-to=a@b", "--mail-from=e@f"}, OPT_MAIL_FROM, TEXT, 0, "e@f"},
    {{BACKUP, "--mail-to=a@b", "--mail-server=smtp://x"}, OPT_MAIL_SERVER, TEXT, 0, "smtp://x"},
    {{BACKUP, "--mail-to=a@b", "--mail-tls=try"}, OPT_MAIL_TLS, TEXT, 0, "try"},
    {{BACKUP, "--mail-to=a@b", "--mail-ca-file=/c"}, OPT_MAIL_CA_FILE, TEXT, 0, "/c"},
    {{BACKUP, "--mail-to=a@b", "--mail-timeout=5s"}, OPT_MAIL_TIMEOUT, NUMBER, 5000, NULL},
    {{BACKUP, "--mail-user=u", "--mail-password-file=/p"}, OPT_MAIL_USER, TEXT, 0, "u"},
    {{BACKUP, "--mail-user=u", "--mail-password-file=/p"}, OPT_MAIL_PASSWORD_FILE, TEXT, 0, "/p"},
    {{BACKUP, "--before=a b"}, OPT_BEFORE, TEXT, 0, "a b"},
    {{BACKUP, "--after", "a"}, OPT_AFTER, TEXT, 0, "a"},
    {{BACKUP, "--on-failure=a"}, OPT_ON_FAILURE, TEXT, 0, "a"},
    {{BACKUP, "--after=a", "--hook-timeout=2s"}, OPT_HOOK_TIMEOUT, NUMBER, 2000, NULL},
    {{BACKUP, "--nice=19"}, OPT_NICE, NUMBER, 19, NULL},
    {{BACKUP, "--io-idle"}, OPT_IO_IDLE, FLAG, 1, NULL},
    {{BACKUP, "--rate-limit=50MB"}, OPT_RATE_LIMIT, NUMBER, 50 * 1048576, NULL},
    {{BACKUP, "--incremental"}, OPT_INCREMENTAL, FLAG, 1, NULL},
    {{BACKUP, "--incremental-from", KEY}, OPT_INCREMENTAL_FROM, TEXT, 0, KEY},
    {{BACKUP, "--keep-partial"}, OPT_KEEP_PARTIAL, FLAG, 1, NULL},
    {{BACKUP, "--min-free=10"}, OPT_MIN_FREE, NUMBER, 10, NULL},
    {{BACKUP, "--no-space-check"}, OPT_NO_SPACE_CHECK, FLAG, 1, NULL},
    {{BACKUP, "--vacuum=before", "--vacuum=after"}, OPT_VACUUM, LIST, 2, "after"},
    {{BACKUP, "--prefix=nightly_1.x-y"}, OPT_PREFIX, TEXT, 0, "nightly_1.x-y"},
    {{"list", "--repo=/r", "--all"}, OPT_ALL, FLAG, 1, NULL},
    {{"show", KEY, "--repo=/r"}, OPT_TABLES, NUMBER, 20, NULL},
    {{"show", KEY, "--repo=/r", "--tables=0"}, OPT_TABLES, NUMBER, 0, NULL},
    {{BACKUP}, OPT_OUTPUT, TEXT, 0, "text"},
    {{"show", KEY, "--repo=/r", "--output", "json"}, OPT_OUTPUT, TEXT, 0, "json"},
    {{BACKUP}, OPT_PROGRESS, TEXT, 0, "auto"},
    {{BACKUP, "--progress=plain"}, OPT_PROGRESS, TEXT, 0, "plain"},
    {{BACKUP, "-q"}, OPT_PROGRESS, TEXT, 0, "none"},
    {{BACKUP, "-q", "--progress=none"}, OPT_QUIET, FLAG, 1, NULL},
    {{BACKUP, "--quiet"}, OPT_QUIET, FLAG, 1, NULL},
    {{BACKUP, "-v"}, OPT_VERBOSE, FLAG, 1, NULL},
    {{BACKUP, "--verbose"}, OPT_VERBOSE, FLAG, 1, NULL},
    {{BACKUP, "--log-format=json"}, OPT_LOG_FORMAT, TEXT, 0, "json"},
    {{BACKUP, "--config=/dev/null"}, OPT_CONFIG, TEXT, 0, "/dev/null"},
    /* prefixes, bundles, any order */
    {{BACKUP, "--comp=none"}, OPT_COMPRESS, TEXT, 0, "none"},
    {{BACKUP, "--cut", "none"}, OPT_CUT, TEXT, 0, "none"},
    {{BACKUP, "--dry"}, OPT_DRY_RUN, FLAG, 1, NULL},
    {{BACKUP, "-vj4"}, OPT_JOBS, NUMBER, 4, NULL},
    {{BACKUP, "-vj", "4"}, OPT_VERBOSE, FLAG, 1, NULL},
    {{"verify", "--repo=/r", "-j3", "latest"}, OPT_JOBS, NUMBER, 3, NULL},
    {{"restore", "--repo=/r", "-d", "x", KEY}, OPT_DBNAME, TEXT, 0, "x"},
};

static void check_accepted(Fixture *f, const Accepted *a)
{
    Options *o = parse_ok(f, a->args);
    size_t count = 0;
    const char *const *list = options_list(o, a->id, &count);
    switch (a->kind)
    {
    case FLAG:
        assert_int_equal(options_flag(o, a->id), a->number);
        break;
    case NUMBER:
        assert_int_equal(options_int(o, a->id), a->number);
        break;
    case TEXT:
        if (a->text == NULL)
            assert_null(options_string(o, a->id));
        else
            assert_string_equal(options_string(o, a->id), a->text);
        break;
    case LIST:
        assert_int_equal(count, a->number);
        assert_string_equal(list[count - 1], a->text);
        break;
    }
}

static void test_accepted(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(accepted); i++)
        check_accepted(*state, &accepted[i]);
}

/* The table above must not forget an option; those from OPT_DATA_ONLY on have their own test,
 * test_option_surface.c. */
static void test_accepted_covers_all(void **state)
{
    (void) state;
    for (int id = 0; id < OPT_DATA_ONLY; id++)
    {
        bool found = false;
        for (size_t i = 0; i < LENGTH_OF(accepted); i++)
            found = found || accepted[i].id == (OptionId) id;
        if (!found)
            fail_msg("no case for --%s", option_table_get((OptionId) id)->name);
    }
}

static void test_keys(void **state)
{
    Fixture *f = *state;
    const char *const latest[ARGS_MAX] = {"show", "--repo=/r", "latest"};
    const char *const key[ARGS_MAX] = {"show", KEY, "--repo=/r"};
    const char *const none[ARGS_MAX] = {"list", "--repo=/r"};
    assert_string_equal(options_key(parse_ok(f, latest)), "latest");
    Options *o = parse_ok(f, key);
    assert_string_equal(options_key(o), KEY);
    assert_int_equal(options_command(o), CMD_SHOW);
    assert_true(options_given(o, OPT_REPO));
    assert_false(options_given(o, OPT_TABLES));
    assert_null(options_key(parse_ok(f, none)));
}

/* ---- every refusal ---- */

typedef struct Refused
{
    const char *args[ARGS_MAX];
    const char *message;
    const char *hint;
} Refused;

static const Refused refused[] = {
    /* names */
    {{"bakup"}, "unknown command \"bakup\"", "Did you mean \"pgark backup\"?"},
    {{"frobnicate"}, "unknown command", "pgark --help"},
    {{"help", "lst"}, "unknown command \"lst\"", "\"pgark list\""},
    {{"help", "list", "show"}, "help takes one command", ""},
    {{"--jobs=3", "backup"}, "--jobs must come after a command", "backup, restore"},
    {{"-y"}, "unknown option -y", "pgark --help"},
    {{""}, "unknown command", ""},
    {{"-"}, "unknown command", ""},
    {{"--"}, "unknown command", ""},
    {{BACKUP, "--chunksize=1MB"}, "unknown option --chunksize", "Did you mean --chunk-size?"},
    {{BACKUP, "--jbos=1"}, "unknown option --jbos", "--jobs"},
    {{BACKUP, "--frobnicate"}, "unknown option --frobnicate", "pgark backup --help"},
    {{BACKUP, "-y"}, "unknown option -y", "pgark backup --help"},
    {{BACKUP, "--c=x"}, "ambiguous: --cut, --cut-timeout, --config, --compress, --chunk-size", ""},
    {{BACKUP, "--no"}, "ambiguous", ""},
    {{"backup", "--bad\n\x1b[1moption"}, "unknown option --bad  [1moption", ""},
    /* the wrong command */
    {{BACKUP, "--create"},
     "--create is not an option of backup",
     "It belongs to restore and export."},
    {{BACKUP, "-C"}, "--create is not an option of backup", "It belongs to restore and export."},
    {{BACKUP, "--quic"}, "--quick is not an option of backup", "It belongs to verify."},
    {{"list", "--repo=/r", "-j2"}, "--jobs is not", "backup, restore, export, verify and check."},
    {{"list", "--repo=/r", "--dry-run"}, "--dry-run is not", "backup and expire."},
    {{BACKUP, "--completion=bash"}, "--completion is not an option of backup", "stands alone"},
    /* values */
    {{BACKUP, "--jobs"}, "--jobs needs a value: N", ""},
    {{BACKUP, "-j"}, "--jobs needs a value: N", ""},
    {{"backup", "--repo", "--jobs", "2"}, "--repo needs a value, but is followed by --jobs", ""},
    {{BACKUP, "-d", "-j2"}, "--dbname needs a value, but is followed by -j2", "--dbname=VALUE"},
    {{BACKUP, "--dbname="}, "--dbname is empty", ""},
    {{BACKUP, ""}, "--dbname is empty", ""},
    {{"list", "--repo", ""}, "--repo is empty", ""},
    {{BACKUP, "--node="}, "--node is empty", ""},
    {{BACKUP, "--quiet=1"}, "--quiet takes no value", ""},
    {{BACKUP, "--jobs=0"}, "--jobs must be a whole number from 1 to 256, not \"0\"", ""},
    {{BACKUP, "-j257"}, "1 to 256", ""},
    {{BACKUP, "-j", "-1"}, "not \"-1\"", ""},
    {{BACKUP, "-j2x"}, "not \"2x\"", ""},
    {{BACKUP, "-j99999999999999999999"}, "1 to 256", ""},
    {{BACKUP, "--jobs="}, "not \"\"", ""},
    {{BACKUP, "--port=0"}, "1 to 65535", ""},
    {{BACKUP, "--port=65536"}, "1 to 65535", ""},
    {{BACKUP, "--format=txt"}, "--format must be auto, text or binary, not \"txt\"", "text"},
    {{BACKUP, "--format=aut"}, "auto, text or binary", "Did you mean auto?"},
    {{BACKUP, "--cut=loose"}, "--cut must be strict, barrier or none", ""},
    {{BACKUP, "--progress=bar"}, "auto, plain, json or none", ""},
    {{BACKUP, "--output=xml"}, "--output must be text or json", ""},
    {{BACKUP, "--log-format=xml"}, "--log-format must be text or json", ""},
    {{BACKUP, "--chunk-size=8191"}, "8kB to 1TB", ""},
    {{BACKUP, "--chunk-size=1025GB"}, "8kB to 1TB", ""},
    {{BACKUP, "--chunk-size=2PB"}, "8kB to 1TB", "Units are B, kB"},
    {{BACKUP, "--cut-timeout=0"}, "1ms to 24h", ""},
    {{BACKUP, "--cut-timeout=25h"}, "1ms to 24h", ""},
    {{BACKUP, "--cut-timeout=soon"}, "1ms to 24h", "Units are ms"},
    {{BACKUP, "--lock-wait-timeout=25d"}, "0 to 24d", ""},
    {{"expire", "--repo=/r", "--keep=0"}, "--keep must be a whole number from 1 to 100000", ""},
    {{"expire", "--repo=/r", "--keep=100001"}, "1 to 100000", ""},
    {{"expire", "--repo=/r", "--older-than=0"}, "1 to 36500", ""},
    {{"expire", "--repo=/r", "--older-than=36501"}, "1 to 36500", ""},
    {{"expire", "--repo=/r", "--keep-daily=0"}, "--keep-daily must be a whole number from 1", ""},
    {{"expire", "--repo=/r", "--keep-"}, "ambiguous: --keep-daily, --keep-weekly", ""},
    {{BACKUP, "--mail-on=always"}, "--mail-on needs --mail-to", ""},
    {{BACKUP, "--mail-to=a@b", "--mail-on=never"}, "failure, warnings or always", ""},
    {{BACKUP, "--mail-user=u"}, "--mail-user needs --mail-password-file", ""},
    {{BACKUP, "--hook-timeout=7"}, "--hook-timeout needs --before", "--after and --on-failure"},
    {{BACKUP, "--nice=20"}, "--nice must be a whole number from 0 to 19", ""},
    {{BACKUP, "--rate-limit=50"}, "--rate-limit must be a size from 64kB", ""},
    {{BACKUP, "--min-free=100"}, "0 to 99", ""},
    {{BACKUP, "--min-free=1", "--no-space-check"}, "exclude each other", ""},
    {{BACKUP, "--vacuum=full"}, "--vacuum must be before or after", ""},
    {{BACKUP, "--log-keep=7"}, "--log-keep needs --log-dir", ""},
    {{BACKUP, "--history=log"}, "--history must be repository or database", ""},
    {{BACKUP, "--syslog=mail"}, "--syslog must be user, daemon", ""},
    {{BACKUP, "--prefix="}, "--prefix must be 1 to 63 letters", ""},
    {{BACKUP, "--prefix=a/b"}, "--prefix must be 1 to 63 letters, digits, _ - or ., not", ""},
    {{"check", "--prefix=a"}, "--prefix is not an option of check", "backup, restore"},
    {{"show", KEY, "--repo=/r", "--tables=-1"}, "0 to 10000000", ""},
    {{"--completion=fish"}, "--completion must be bash or zsh", ""},
    /* what excludes each other */
    {{BACKUP, "-d", "a", "--node", "b"}, "--dbname and --node exclude each other", "one server"},
    {{BACKUP, "-d", "a", "--fleet", "b"}, "--dbname and --fleet exclude each other", ""},
    {{BACKUP, "a", "--fleet", "b"}, "--dbname and --fleet exclude each other", ""},
    {{BACKUP, "--node", "a", "--fleet", "b"}, "--node and --fleet exclude each other", ""},
    {{BACKUP, "-h", "a", "--node", "b"}, "--host and --node exclude each other", ""},
    {{BACKUP, "-h", "a", "--fleet", "b"}, "--host and --fleet exclude each other", ""},
    {{BACKUP, "-p", "1", "--node", "b"}, "--port and --node exclude each other", ""},
    {{BACKUP, "-p", "1", "--fleet", "b"}, "--port and --fleet exclude each other", ""},
    {{BACKUP, "-U", "a", "--node", "b"}, "--username and --node exclude each other", ""},
    {{BACKUP, "-U", "a", "--fleet", "b"}, "--username and --fleet exclude each other", ""},
    {{"check", "-d", "a", "--fleet", "b"}, "--dbname and --fleet exclude each other", ""},
    {{RESTORE, "-d", "a", "--map=0=b"}, "--dbname and --map exclude each other", "--map names"},
    {{RESTORE, "-h", "a", "--map=0=b"}, "--host and --map exclude each other", ""},
    {{RESTORE, "-p", "1", "--map=0=b"}, "--port and --map exclude each other", ""},
    {{RESTORE, "-U", "a", "--map=0=b"}, "--username and --map exclude each other", ""},
    {{BACKUP, "-wW"}, "--password and --no-password exclude each other", ""},
    {{BACKUP, "-qv"}, "--quiet and --verbose exclude each other", ""},
    {{BACKUP, "-q", "--progress=plain"}, "--quiet and --progress exclude each other", ""},
    {{BACKUP, "-d", "a", "-d", "b"}, "more than one database is named", "--node"},
    {{BACKUP, "-d", "a", "b"}, "more than one database is named", "--node"},
    {{BACKUP, "a", "b"}, "more than one database is named", "--node"},
    {{RESTORE, "-d", "a", "-d", "b"}, "more than one database is named", "--map"},
    /* what is missing */
    {{"backup"}, "backup needs a repository", "PGARK_REPO"},
    {{"restore", KEY, "-d", "x"}, "restore needs a repository", ""},
    {{"list"}, "list needs a repository", ""},
    {{"show", KEY}, "show needs a repository", ""},
    {{"verify", KEY}, "verify needs a repository", ""},
    {{"expire", "--keep=1"}, "expire needs a repository", ""},
    {{"expire", "--keep=1", "--dry-run"}, "expire needs a repository", ""},
    {{"expire", "--repo=/r"}, "expire needs --keep, --keep-daily, ", "--dry-run"},
    {{RESTORE}, "restore needs its target to be named", "--dbname"},
    {{RESTORE, "-h", "x"}, "restore needs its target to be named", "--dbname"},
    {{"restore", "--repo=/r", "-d", "x"}, "restore needs the KEY of a set", "latest"},
    {{"show", "--repo=/r"}, "show needs the KEY of a set", "latest"},
    {{"verify", "--repo=/r"}, "verify needs the KEY of a set", "latest"},
    /* keys and other words */
    {{"show", "2026", "--repo=/r"}, "malformed KEY", "pgark list"},
    {{"show", "2026112023150x", "--repo=/r"}, "malformed KEY", ""},
    {{"show", KEY "0", "--repo=/r"}, "malformed KEY", ""},
    {{"show", "newest", "--repo=/r"}, "malformed KEY", ""},
    {{BACKUP, "--key=2026"}, "malformed --key", ""},
    {{BACKUP, "--key=latest"}, "malformed --key", ""},
    {{BACKUP, "--key="}, "--key is empty", ""},
    {{"show", KEY, KEY, "--repo=/r"}, "show takes no second argument", ""},
    {{"list", KEY, "--repo=/r"}, "list takes no argument", ""},
    {{"expire", KEY, "--repo=/r", "--keep=1"}, "expire takes no argument", ""},
    /* --map */
    {{RESTORE, "--map", "x"}, "does not begin with a node's number", "--map=0=CONNINFO"},
    {{RESTORE, "--map==x"}, "does not begin with a node's number", ""},
    {{RESTORE, "--map=0:x"}, "does not begin with a node's number", ""},
    {{RESTORE, "--map=9999999999=x"}, "does not begin with a node's number", ""},
    {{RESTORE, "--map=4096=x"}, "names node 4096", ""},
    {{RESTORE, "--map=0="}, "names no server for node 0", ""},
    {{RESTORE, "--map=-1="}, "names no server for node -1", ""},
    {{RESTORE, "--map=-2=x"}, "does not begin with a node's number", ""},
    {{RESTORE, "--map=-1=a", "--map=-1=b"}, "--map names node -1 twice", ""},
    {{RESTORE, "--map=0=a", "--map=00=b"}, "--map names node 0 twice", ""},
    {{RESTORE, "--map=0=a", "--agent-map=0=b"}, "--agent-map needs --physical", ""},
    {{RESTORE, "--physical", "--map=0=/a", "--agent-map=x"},
     "a value of --agent-map does not begin with a node's number",
     "--agent-map=0=CONNINFO"},
    {{RESTORE, "--physical", "--map=0=/a", "--agent-map=0="},
     "--agent-map names no server for node 0",
     ""},
    {{RESTORE, "--physical", "--map=0=/a", "--agent-map=0=a", "--agent-map=00=b"},
     "--agent-map names node 0 twice",
     ""},
    {{RESTORE, "--physical", "--map=0=/a", "--agent-map=1=b"},
     "--agent-map names node 1, and --map does not",
     "--map=1=DIRECTORY"},
    {{RESTORE, "--physical", "--map=0=/a", "--agent"}, "--agent is not taken", "--agent-map names"},
    {{BACKUP, "--config=/nonexistent"}, "cannot open the configuration file \"/nonexistent\"", ""},
    {{BACKUP, "--config=/tmp"}, "cannot read the configuration file \"/tmp\"", ""},
};

static void test_refused(void **state)
{
    Fixture *f = *state;
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
    {
        const Refused *r = &refused[i];
        char what[256];
        snprintf(what, sizeof(what), "case %zu: %s %s %s", i, r->args[0],
                 r->args[1] ? r->args[1] : "", r->args[1] && r->args[2] ? r->args[2] : "");
        assert_null(parse(f, r->args));
        assert_refused(f, what, r->message, r->hint);
    }
}

/* A conninfo may hold a password: no message and no description repeats it. */
static void test_secrets_stay_secret(void **state)
{
    Fixture *f = *state;
    static const char *const cases[][ARGS_MAX] = {
        {BACKUP, "-d", "password=hunter2", "password=hunter2"},
        {BACKUP, "-d", "password=hunter2", "--node", "password=hunter2"},
        {RESTORE, "--map", "password=hunter2"},
        {RESTORE, "--map", "0=password=hunter2", "--map", "0=password=hunter2"},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        assert_null(parse(f, cases[i]));
        assert_null(strstr(f->err.message, "hunter2"));
        assert_null(strstr(f->err.hint, "hunter2"));
    }
    const char *const args[ARGS_MAX] = {BACKUP, "-j4", "--node", "password=hunter2"};
    setenv("PGARK_FORMAT", "text", 1);
    assert_string_equal(options_describe(parse_ok(f, args), f->ctx),
                        "node=*** (--node), repo=/r (--repo), jobs=4 (--jobs), "
                        "format=text (PGARK_FORMAT)");
}

/* ---- environment ---- */

static void test_environment(void **state)
{
    Fixture *f = *state;
    const char *const plain[ARGS_MAX] = {"backup"};
    const char *const with_jobs[ARGS_MAX] = {"backup", "-j7"};
    const char *const list[ARGS_MAX] = {"list"};
    setenv("PGARK_REPO", "/from/env", 1);
    setenv("PGARK_JOBS", "5", 1);
    setenv("PGARK_COMPRESS", "", 1);
    Options *o = parse_ok(f, plain);
    assert_string_equal(options_string(o, OPT_REPO), "/from/env");
    assert_int_equal(options_int(o, OPT_JOBS), 5);
    assert_string_equal(options_string(o, OPT_COMPRESS), "zstd:1");
    assert_int_equal(options_int(parse_ok(f, with_jobs), OPT_JOBS), 7);

    setenv("PGARK_JOBS", "0", 1);
    assert_null(parse(f, plain));
    assert_refused(f, "PGARK_JOBS", "PGARK_JOBS must be a whole number from 1 to 256", "");
    parse_ok(f, list); /* has no --jobs: not concerned */
}

static void test_environment_yields(void **state)
{
    Fixture *f = *state;
    const char *const dbname[ARGS_MAX] = {BACKUP, "-d", "shop"};
    const char *const quiet[ARGS_MAX] = {BACKUP, "--node=a", "-q"};
    setenv("PGARK_FLEET", "shop.conf", 1);
    setenv("PGARK_PROGRESS", "plain", 1);
    Options *o = parse_ok(f, dbname);
    assert_false(options_given(o, OPT_FLEET));
    assert_null(options_string(o, OPT_FLEET));
    assert_string_equal(options_string(o, OPT_DBNAME), "shop");
    assert_string_equal(options_string(parse_ok(f, quiet), OPT_PROGRESS), "none");
}

/* Every option with a variable takes it; actions have none. */
static void test_environment_of_each(void **state)
{
    (void) state;
    static const OptionId without[] = {OPT_DBNAME,  OPT_NODE,       OPT_MAP,  OPT_KEY,
                                       OPT_CREATE,  OPT_QUICK,      OPT_KEEP, OPT_ALL,
                                       OPT_DRY_RUN, OPT_OLDER_THAN, OPT_HELP, OPT_PASSWORD};
    for (size_t i = 0; i < LENGTH_OF(without); i++)
        assert_null(option_table_get(without[i])->env);
    static const OptionId with[] = {OPT_REPO, OPT_JOBS, OPT_COMPRESS, OPT_CONFIG, OPT_FORMAT};
    for (size_t i = 0; i < LENGTH_OF(with); i++)
        assert_non_null(option_table_get(with[i])->env);
}

/* ---- the configuration file ---- */

static bool read_text(Fixture *f, Options *o, const char *text)
{
    error_clear(&f->err);
    return options_read_text(o, text, strlen(text), "pgark.ini", &f->err);
}

static void test_file_values(void **state)
{
    Fixture *f = *state;
    static const char text[] = "\xEF\xBB\xBF; a comment\n"
                               "[backup]\n"
                               "  jobs = 6   ; of the command\r\n"
                               "verbose = yes\n"
                               "node = host=a\n"
                               "node = host=b\n"
                               "[pgark]\n"
                               "jobs = 3\n"
                               "repo = /from/file\n"
                               "no-sync = off\n"
                               "node = host=c\n"
                               "[verify]\n"
                               "jobs = 9\n";
    Options *o = options_new(f->ctx, CMD_BACKUP);
    assert_true(read_text(f, o, text));
    size_t count = 0;
    const char *const *nodes = options_list(o, OPT_NODE, &count);
    assert_int_equal(count, 2);
    assert_string_equal(nodes[0], "host=a");
    assert_int_equal(options_int(o, OPT_JOBS), 6);
    assert_string_equal(options_string(o, OPT_REPO), "/from/file");
    assert_true(options_flag(o, OPT_VERBOSE));
    assert_false(options_flag(o, OPT_NO_SYNC));

    o = options_new(f->ctx, CMD_VERIFY);
    assert_true(read_text(f, o, "[pgark]\njobs=3\n[verify]\njobs=9\n"));
    assert_int_equal(options_int(o, OPT_JOBS), 9);
    o = options_new(f->ctx, CMD_CHECK);
    assert_true(read_text(f, o, text));
    assert_int_equal(options_int(o, OPT_JOBS), 3);
}

/* What was meant for backups must never become the target of a restore. */
static void test_file_names_no_target(void **state)
{
    Fixture *f = *state;
    Options *o = options_new(f->ctx, CMD_RESTORE);
    assert_true(read_text(f, o, "[pgark]\ndbname = prod\nhost = db0\nnode = x\n"));
    assert_false(options_given(o, OPT_DBNAME));
    assert_false(options_given(o, OPT_HOST));
}

static void test_file_refused(void **state)
{
    Fixture *f = *state;
    static const struct
    {
        const char *text, *message, *hint;
    } cases[] = {
        {"[pgark]\njbos = 3\n", "pgark.ini, line 2: unknown key \"jbos\"", "Did you mean jobs?"},
        {"[pgark]\nfrobnicate = 3\n", "line 2: unknown key", "long names"},
        {"[pgrk]\n", "line 1: unknown section [pgrk]", "Sections are pgark"},
        {"jobs = 3\n", "line 1: a key before the first section", ""},
        {"[list]\n\njobs = 3\n", "line 3: jobs does not belong into [list]", "verify"},
        {"[restore]\ndbname = x\n", "line 2: dbname does not belong into [restore]", ""},
        {"[backup]\nkey = 1\n", "line 2: key cannot be set in a file", ""},
        {"[restore]\ncreate = true\n", "line 2: create cannot be set in a file", ""},
        {"[restore]\nmap = 0=x\n", "line 2: map cannot be set in a file", ""},
        {"[backup]\ndry-run = true\n", "line 2: dry-run cannot be set in a file", ""},
        {"[pgark]\nconfig = x\n", "line 2: config cannot be set in a file", ""},
        {"[pgark]\nhelp = true\n", "line 2: help cannot be set in a file", ""},
        {"[pgark]\njobs = 0\n", "line 2: jobs must be a whole number from 1 to 256", ""},
        {"[expire]\nkeep = 0\n", "line 2: keep must be", ""}, /* also for another command */
        {"[pgark]\nverbose = maybe\n", "line 2: verbose must be true or false", ""},
        {"[pgark]\nrepo =\n", "line 2: repo is empty", ""},
        {"[pgark]\njobs = 3\njobs = 4\n", "line 3: jobs again, after line 2", ""},
        {"[pgark\njobs = 3\n", "line 1: a section needs a closing ]", ""},
        {"[pgark] jobs = 3\n", "line 1: text behind the ]", ""},
        {"[pgark]\njobs\n", "line 2: neither [section] nor key = value", ""},
        {"[pgark]\nrepo = a\x01\n", "line 2: control character", ""},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Options *o = options_new(f->ctx, CMD_BACKUP);
        assert_false(read_text(f, o, cases[i].text));
        assert_refused(f, cases[i].text, cases[i].message, cases[i].hint);
    }
}

/* Command line > environment > file > default, through the whole parser. */
static void test_precedence(void **state)
{
    Fixture *f = *state;
    char path[] = "/tmp/pgark-test-options-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    fputs("[pgark]\nrepo = /file\njobs = 3\nformat = text\ncompress = lz4\nquiet = true\n"
          "fleet = f.conf\n[expire]\nkeep = 14\n",
          file);
    fclose(file);
    setenv("PGARK_CONFIG", path, 1);
    setenv("PGARK_JOBS", "4", 1);
    setenv("PGARK_FORMAT", "binary", 1);
    const char *const args[ARGS_MAX] = {"backup", "--format=auto", "-v", "-d", "x"};
    Options *o = parse_ok(f, args);
    assert_string_equal(options_string(o, OPT_REPO), "/file");
    assert_string_equal(options_string(o, OPT_COMPRESS), "lz4");
    assert_int_equal(options_int(o, OPT_JOBS), 4);
    assert_string_equal(options_string(o, OPT_FORMAT), "auto");
    assert_string_equal(options_string(o, OPT_CUT), "strict");
    assert_true(options_flag(o, OPT_VERBOSE));
    assert_false(options_flag(o, OPT_QUIET));
    assert_null(options_string(o, OPT_FLEET));

    const char *const by_file[ARGS_MAX] = {"expire"};
    const char *const typed[ARGS_MAX] = {"expire", "--older-than=30"};
    assert_int_equal(options_int(parse_ok(f, by_file), OPT_KEEP), 14);
    o = parse_ok(f, typed);
    assert_false(options_given(o, OPT_KEEP));
    assert_int_equal(options_int(o, OPT_OLDER_THAN), 30);
    const char *const other[ARGS_MAX] = {"expire", "--keep-monthly=2", "--keep-daily=3"};
    o = parse_ok(f, other);
    assert_false(options_given(o, OPT_KEEP));
    assert_int_equal(options_int(o, OPT_KEEP_DAILY), 3);
    assert_int_equal(options_int(o, OPT_KEEP_MONTHLY), 2);
    unlink(path);
}

/* ---- sizes and durations ---- */

static void test_sizes(void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        bool ok;
        uint64_t bytes;
    } cases[] = {
        {"0", true, 0},
        {"4096", true, 4096},
        {"4096B", true, 4096},
        {"8kB", true, 8192},
        {"8KB", true, 8192},
        {"16MB", true, 16 * 1048576},
        {"1GB", true, 1073741824},
        {"2TB", true, UINT64_C(2) << 40},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"8388608TB", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"kB", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 MB", false, 0},
        {"1.5GB", false, 0},
        {"1kBB", false, 0},
        {"0x10", false, 0},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        uint64_t bytes = 0;
        if (option_size_parse(cases[i].text, &bytes, &err) != cases[i].ok)
            fail_msg("size \"%s\"", cases[i].text);
        assert_int_equal(bytes, cases[i].bytes);
        assert_int_equal(err.code, cases[i].ok ? ERR_NONE : ERR_USAGE);
    }
}

static void test_durations(void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        bool ok;
        int64_t ms;
    } cases[] = {
        {"0", true, 0},
        {"1500", true, 1500},
        {"500ms", true, 500},
        {"30s", true, 30000},
        {"2min", true, 120000},
        {"1h", true, 3600000},
        {"1d", true, 86400000},
        {"", false, 0},
        {"s", false, 0},
        {"1m", false, 0},
        {"-1s", false, 0},
        {"1.5s", false, 0},
        {"soon", false, 0},
        {"106751991168d", false, 0},
        {"9223372036854775808", false, 0},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        int64_t ms = 0;
        if (option_duration_parse(cases[i].text, &ms, &err) != cases[i].ok)
            fail_msg("duration \"%s\"", cases[i].text);
        assert_int_equal(ms, cases[i].ms);
        assert_int_equal(err.code, cases[i].ok ? ERR_NONE : ERR_USAGE);
    }
}

static void test_map(void **state)
{
    (void) state;
    Error err = ERROR_INIT;
    int content = 0;
    const char *conninfo = NULL;
    assert_true(option_map_parse("map", "12=host=a dbname=b", &content, &conninfo, &err));
    assert_int_equal(content, 12);
    assert_string_equal(conninfo, "host=a dbname=b");
    assert_true(option_map_parse("map", "-1=/srv/pg", &content, &conninfo, &err));
    assert_int_equal(content, -1);
    assert_string_equal(conninfo, "/srv/pg");
}

/* ---- help, version, manual pages, completions ---- */

static char *slurp(Fixture *f, FILE *file)
{
    rewind(file);
    char *text = mem_array(f->ctx, char, 200000);
    size_t len = fread(text, 1, 199999, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static char *help_of(Fixture *f, Command command)
{
    FILE *out = tmpfile();
    options_print_help(command, out);
    return slurp(f, out);
}

static void check_lines(const char *text)
{
    for (const char *line = text; *line != '\0';)
    {
        size_t len = strcspn(line, "\n");
        if (len > 100 || (len > 0 && line[len - 1] == ' '))
            fail_msg("line of help: %.*s", (int) len, line);
        line += len + (line[len] == '\n' ? 1 : 0);
    }
}

/* word, and behind it the end of a column: "--all" is not in "--all-databases". */
static bool has_word(const char *text, const char *word)
{
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
    {
        char next = at[strlen(word)];
        if (next == ' ' || next == '\n')
            return true;
    }
    return false;
}

static void test_help_lists_options(void **state)
{
    Fixture *f = *state;
    const CommandSpec *command = NULL;
    for (size_t c = 0; (command = command_table_at(c)) != NULL; c++)
    {
        const char *help = help_of(f, command->command);
        check_lines(help);
        assert_non_null(strstr(help, "\nExamples:\n"));
        const OptionSpec *spec = NULL;
        for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
        {
            char letter = option_table_short(spec, command->command);
            const char *bare = spec->bare != NULL ? "[" : "";
            const char *left = mem_printf(f->ctx, "\n  %s--%s%s%s%s%s",
                                          letter ? (char[]){'-', letter, ',', ' ', '\0'} : "    ",
                                          spec->name, bare, spec->arg != NULL ? "=" : "",
                                          spec->arg != NULL ? spec->arg : "",
                                          spec->bare != NULL ? "]" : "");
            const OptionSpec *there = option_table_by_name(spec->name, strlen(spec->name),
                                                           command->command);
            bool listed = has_word(help, left);
            if (there == spec && listed != ((spec->commands & command->command) != 0))
                fail_msg("--%s in the help of %s", spec->name, command->name);
        }
    }
}

static void test_help_general(void **state)
{
    Fixture *f = *state;
    const char *help = help_of(f, CMD_NONE);
    check_lines(help);
    const CommandSpec *command = NULL;
    for (size_t c = 0; (command = command_table_at(c)) != NULL; c++)
        assert_non_null(strstr(help, command->summary));
    assert_non_null(strstr(help, "--man-pages=DIR"));
    assert_null(strstr(help, "--repo=URI"));
}

/* The parser's own standard output, caught in a file. */
static char *stdout_of(Fixture *f, const char *const args[ARGS_MAX])
{
    FILE *caught = tmpfile();
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    dup2(fileno(caught), STDOUT_FILENO);
    Options *o = parse(f, args);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_non_null(o);
    assert_int_equal(f->action, OPTIONS_DONE);
    return slurp(f, caught);
}

static void test_errands(void **state)
{
    Fixture *f = *state;
    static const struct
    {
        const char *args[ARGS_MAX];
        const char *output;
    } cases[] = {
        {{NULL}, "Commands:"},
        {{"--help"}, "Commands:"},
        {{"-?"}, "Commands:"},
        {{"help"}, "Commands:"},
        {{"help", "expire"}, "pgark expire - "},
        {{"backup", "--help"}, "pgark backup - "},
        {{"backup", "-?"}, "pgark backup - "},
        {{"show", "--hel"}, "pgark show - "},
        {{"restore", "-vj2", "--help", "--nonsense"}, "pgark restore - "},
        {{"--version"}, "pgark " PGARK_VERSION "\n"},
        {{"-V"}, "pgark " PGARK_VERSION "\n"},
        {{"list", "--version"}, "pgark " PGARK_VERSION "\n"},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        if (strstr(stdout_of(f, cases[i].args), cases[i].output) == NULL)
            fail_msg("case %zu does not print \"%s\"", i, cases[i].output);
    }
}

static void test_completion(void **state)
{
    Fixture *f = *state;
    static const char *const shells[] = {"bash", "zsh"};
    for (size_t s = 0; s < LENGTH_OF(shells); s++)
    {
        Error err = ERROR_INIT;
        FILE *out = tmpfile();
        assert_true(options_write_completion(shells[s], NULL, out, &err));
        const char *text = slurp(f, out);
        assert_non_null(strstr(text, s == 0 ? "complete -F _pgark pgark" : "#compdef pgark\n"));
        const OptionSpec *spec = NULL;
        for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
            assert_non_null(strstr(text, mem_printf(f->ctx, "--%s", spec->name)));
        assert_non_null(strstr(text, "auto text binary"));
    }
    Error err = ERROR_INIT;
    assert_false(options_write_completion("fish", NULL, stderr, &err));
    assert_int_equal(err.code, ERR_USAGE);
}

/* What is written, is the caller's to write. */
static void test_documents(void **state)
{
    Fixture *f = *state;
    const Options *o = parse(f, (const char *const[ARGS_MAX]){"--completion=zsh"});
    assert_non_null(o);
    assert_int_equal(f->action, OPTIONS_DOCUMENT);
    assert_string_equal(options_string(o, OPT_COMPLETION), "zsh");
    assert_null(options_string(o, OPT_MAN_PAGES));
    o = parse(f, (const char *const[ARGS_MAX]){"--man-pages", "dir"});
    assert_non_null(o);
    assert_int_equal(f->action, OPTIONS_DOCUMENT);
    assert_string_equal(options_string(o, OPT_MAN_PAGES), "dir");
    Error err = ERROR_INIT;
    assert_false(options_write_man("/nonexistent/dir", &err));
    assert_non_null(strstr(err.message, "cannot write the manual page"));
}

/* "dry-run" as roff writes it. */
static char *roff_name(Fixture *f, const char *name)
{
    char *text = mem_strdup(f->ctx, "\\-\\-");
    for (; *name != '\0'; name++)
        text = mem_printf(f->ctx, "%s%s%c", text, *name == '-' ? "\\" : "", *name);
    return text;
}

static void check_man_page(Fixture *f, const char *path, unsigned commands)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const char *text = slurp(f, file);
    assert_int_equal(strncmp(text, ".TH PGARK", 9), 0);
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if ((spec->commands & commands) != 0)
            assert_non_null(strstr(text, roff_name(f, spec->name)));
    }
    unlink(path);
}

static void test_man_pages(void **state)
{
    Fixture *f = *state;
    char dir[] = "/tmp/pgark-test-man-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_true(options_write_man(dir, &f->err));
    check_man_page(f, mem_printf(f->ctx, "%s/pgark.1", dir), CMD_TOP);
    const CommandSpec *command = NULL;
    for (size_t c = 0; (command = command_table_at(c)) != NULL; c++)
        check_man_page(f, mem_printf(f->ctx, "%s/pgark-%s.1", dir, command->name),
                       command->command);
    assert_int_equal(rmdir(dir), 0);
    assert_false(options_write_man(dir, &f->err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_table_environment_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accepted_covers_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secrets_stay_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment_yields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment_of_each, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_names_no_target, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_precedence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_durations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_map, setup, teardown),
        cmocka_unit_test_setup_teardown(test_help_lists_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_help_general, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_completion, setup, teardown),
        cmocka_unit_test_setup_teardown(test_documents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_man_pages, setup, teardown),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
