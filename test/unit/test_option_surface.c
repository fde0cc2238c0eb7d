/* test/unit/test_option_surface.c - every option of pg_dump (9.3 and 18) and of pg_restore (18) is
 * taken with its meaning, or refused by name with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "config/option_refused.h"
#include "config/options_internal.h"

#define NOT_TAKEN OPT_COUNT
#define KEY       "20261120231502"
#define WORDS_MAX 8

/* Which of the three programs' help texts has it. */
enum
{
    DUMP_9 = 1,
    DUMP_18 = 2,
    RESTORE_18 = 4,
    DUMP = DUMP_9 | DUMP_18,
    DUMP_NOW = DUMP_18 | RESTORE_18,
    EVERYWHERE = DUMP_9 | DUMP_18 | RESTORE_18,
};

/* id: what it becomes; NOT_TAKEN: it is refused in the commands that stand for its programs (backup
 * for pg_dump, restore for pg_restore) and in export. An option that another command has is taken
 * there. value NULL: a flag. */
typedef struct Known
{
    const char *word; /* "-a" or "--data-only" */
    unsigned programs;
    OptionId id;
    const char *value;
} Known;

static const Known known[] = {
    {"--file", EVERYWHERE, OPT_FILE, "x"},
    {"-f", EVERYWHERE, OPT_FILE, "x"},
    {"--format", EVERYWHERE, OPT_EXPORT_FORMAT, "directory"},
    {"-F", EVERYWHERE, OPT_EXPORT_FORMAT, "plain"},
    {"--jobs", EVERYWHERE, OPT_JOBS, "3"},
    {"-j", EVERYWHERE, OPT_JOBS, "3"},
    {"--verbose", EVERYWHERE, OPT_VERBOSE, NULL},
    {"-v", EVERYWHERE, OPT_VERBOSE, NULL},
    {"--version", EVERYWHERE, OPT_VERSION, NULL},
    {"-V", EVERYWHERE, OPT_VERSION, NULL},
    {"--help", EVERYWHERE, OPT_HELP, NULL},
    {"-?", EVERYWHERE, OPT_HELP, NULL},
    {"--compress", DUMP, OPT_COMPRESS, "zstd:2"},
    {"-Z", DUMP, OPT_COMPRESS, "gzip"},
    {"--lock-wait-timeout", DUMP, OPT_LOCK_WAIT_TIMEOUT, "5s"},
    {"--no-sync", DUMP_18, OPT_NO_SYNC, NULL},
    {"--sync-method", DUMP_18, NOT_TAKEN, "fsync"},
    {"--filter", DUMP_NOW, OPT_FILTER, "f"},
    {"--data-only", EVERYWHERE, OPT_DATA_ONLY, NULL},
    {"-a", EVERYWHERE, OPT_DATA_ONLY, NULL},
    {"--large-objects", DUMP_18, OPT_LARGE_OBJECTS, NULL},
    {"--blobs", DUMP, OPT_LARGE_OBJECTS, NULL},
    {"-b", DUMP, OPT_LARGE_OBJECTS, NULL},
    {"--no-large-objects", DUMP_18, OPT_NO_LARGE_OBJECTS, NULL},
    {"--no-blobs", DUMP_18, OPT_NO_LARGE_OBJECTS, NULL},
    {"-B", DUMP_18, OPT_NO_LARGE_OBJECTS, NULL},
    {"--clean", EVERYWHERE, OPT_CLEAN, NULL},
    {"-c", EVERYWHERE, OPT_CLEAN, NULL},
    {"--create", EVERYWHERE, OPT_CREATE, NULL},
    {"-C", EVERYWHERE, OPT_CREATE, NULL},
    {"--extension", DUMP_18, OPT_EXTENSION, "x"},
    {"-e", DUMP_18, OPT_EXTENSION, "x"},
    {"--encoding", DUMP, NOT_TAKEN, "UTF8"},
    {"-E", DUMP, NOT_TAKEN, "UTF8"},
    {"--schema", EVERYWHERE, OPT_SCHEMA, "x"},
    {"-n", EVERYWHERE, OPT_SCHEMA, "x"},
    {"--exclude-schema", EVERYWHERE, OPT_EXCLUDE_SCHEMA, "x"},
    {"-N", EVERYWHERE, OPT_EXCLUDE_SCHEMA, "x"},
    {"--oids", DUMP_9, NOT_TAKEN, NULL},
    {"-o", DUMP_9, NOT_TAKEN, NULL},
    {"--no-owner", EVERYWHERE, OPT_NO_OWNER, NULL},
    {"-O", EVERYWHERE, OPT_NO_OWNER, NULL},
    {"--schema-only", EVERYWHERE, OPT_SCHEMA_ONLY, NULL},
    {"-s", EVERYWHERE, OPT_SCHEMA_ONLY, NULL},
    {"--superuser", EVERYWHERE, NOT_TAKEN, "x"},
    {"-S", EVERYWHERE, NOT_TAKEN, "x"},
    {"--table", EVERYWHERE, OPT_TABLE, "x"},
    {"-t", EVERYWHERE, OPT_TABLE, "x"},
    {"--exclude-table", DUMP, OPT_EXCLUDE_TABLE, "x"},
    {"-T", DUMP, OPT_EXCLUDE_TABLE, "x"},
    {"--no-privileges", EVERYWHERE, OPT_NO_PRIVILEGES, NULL},
    {"--no-acl", EVERYWHERE, OPT_NO_PRIVILEGES, NULL},
    {"-x", EVERYWHERE, OPT_NO_PRIVILEGES, NULL},
    {"--binary-upgrade", DUMP, NOT_TAKEN, NULL},
    {"--column-inserts", DUMP, OPT_COLUMN_INSERTS, NULL},
    {"--attribute-inserts", DUMP, OPT_COLUMN_INSERTS, NULL},
    {"--disable-dollar-quoting", DUMP, OPT_DISABLE_DOLLAR_QUOTING, NULL},
    {"--disable-triggers", EVERYWHERE, OPT_DISABLE_TRIGGERS, NULL},
    {"--enable-row-security", DUMP_NOW, OPT_ENABLE_ROW_SECURITY, NULL},
    {"--exclude-extension", DUMP_18, OPT_EXCLUDE_EXTENSION, "x"},
    {"--exclude-table-and-children", DUMP_18, OPT_EXCLUDE_TABLE_AND_CHILDREN, "x"},
    {"--exclude-table-data", DUMP, OPT_EXCLUDE_TABLE_DATA, "x"},
    {"--exclude-table-data-and-children", DUMP_18, OPT_EXCLUDE_TABLE_DATA_AND_CHILDREN, "x"},
    {"--extra-float-digits", DUMP_18, NOT_TAKEN, "3"},
    {"--if-exists", DUMP_NOW, OPT_IF_EXISTS, NULL},
    {"--include-foreign-data", DUMP_18, OPT_INCLUDE_FOREIGN_DATA, "x"},
    {"--inserts", DUMP, OPT_INSERTS, NULL},
    {"--load-via-partition-root", DUMP_18, OPT_LOAD_VIA_PARTITION_ROOT, NULL},
    {"--no-comments", DUMP_NOW, OPT_NO_COMMENTS, NULL},
    {"--no-data", DUMP_NOW, OPT_NO_DATA, NULL},
    {"--no-policies", DUMP_NOW, OPT_NO_POLICIES, NULL},
    {"--no-publications", DUMP_NOW, OPT_NO_PUBLICATIONS, NULL},
    {"--no-schema", DUMP_NOW, OPT_NO_SCHEMA, NULL},
    {"--no-security-labels", EVERYWHERE, OPT_NO_SECURITY_LABELS, NULL},
    {"--no-statistics", DUMP_NOW, NOT_TAKEN, NULL},
    {"--no-subscriptions", DUMP_NOW, OPT_NO_SUBSCRIPTIONS, NULL},
    {"--no-synchronized-snapshots", DUMP_9, NOT_TAKEN, NULL},
    {"--no-table-access-method", DUMP_NOW, OPT_NO_TABLE_ACCESS_METHOD, NULL},
    {"--no-tablespaces", EVERYWHERE, OPT_NO_TABLESPACES, NULL},
    {"--no-toast-compression", DUMP_18, OPT_NO_TOAST_COMPRESSION, NULL},
    {"--no-unlogged-table-data", DUMP, OPT_NO_UNLOGGED_TABLE_DATA, NULL},
    {"--on-conflict-do-nothing", DUMP_18, OPT_ON_CONFLICT_DO_NOTHING, NULL},
    {"--quote-all-identifiers", DUMP, OPT_QUOTE_ALL_IDENTIFIERS, NULL},
    {"--restrict-key", DUMP_NOW, NOT_TAKEN, "x"},
    {"--rows-per-insert", DUMP_18, OPT_ROWS_PER_INSERT, "7"},
    {"--section", EVERYWHERE, OPT_SECTION, "pre-data"},
    {"--sequence-data", DUMP_18, NOT_TAKEN, NULL},
    {"--serializable-deferrable", DUMP, NOT_TAKEN, NULL},
    {"--snapshot", DUMP_18, NOT_TAKEN, "x"},
    {"--statistics", DUMP_NOW, NOT_TAKEN, NULL},
    {"--statistics-only", DUMP_NOW, NOT_TAKEN, NULL},
    {"--strict-names", DUMP_NOW, OPT_STRICT_NAMES, NULL},
    {"--table-and-children", DUMP_18, OPT_TABLE_AND_CHILDREN, "x"},
    {"--use-set-session-authorization", EVERYWHERE, OPT_USE_SET_SESSION_AUTHORIZATION, NULL},
    {"--dbname", EVERYWHERE, OPT_DBNAME, "x"},
    {"-d", EVERYWHERE, OPT_DBNAME, "x"},
    {"--host", EVERYWHERE, OPT_HOST, "x"},
    {"-h", EVERYWHERE, OPT_HOST, "x"},
    {"--port", EVERYWHERE, OPT_PORT, "1"},
    {"-p", EVERYWHERE, OPT_PORT, "1"},
    {"--username", EVERYWHERE, OPT_USERNAME, "x"},
    {"-U", EVERYWHERE, OPT_USERNAME, "x"},
    {"--no-password", EVERYWHERE, OPT_NO_PASSWORD, NULL},
    {"-w", EVERYWHERE, OPT_NO_PASSWORD, NULL},
    {"--password", EVERYWHERE, OPT_PASSWORD, NULL},
    {"-W", EVERYWHERE, OPT_PASSWORD, NULL},
    {"--role", EVERYWHERE, OPT_ROLE, "x"},
    {"--no-reconnect", DUMP_NOW, NOT_TAKEN, NULL},
    {"-R", DUMP_NOW, NOT_TAKEN, NULL},
    /* of pg_restore alone */
    {"--list", RESTORE_18, NOT_TAKEN, NULL},
    {"-l", RESTORE_18, NOT_TAKEN, NULL},
    {"--use-list", RESTORE_18, NOT_TAKEN, "x"},
    {"-L", RESTORE_18, NOT_TAKEN, "x"},
    {"--exit-on-error", RESTORE_18, NOT_TAKEN, NULL},
    {"-e", RESTORE_18, NOT_TAKEN, NULL},
    {"--index", RESTORE_18, OPT_INDEX, "x"},
    {"-I", RESTORE_18, OPT_INDEX, "x"},
    {"--function", RESTORE_18, OPT_FUNCTION, "f(integer)"},
    {"-P", RESTORE_18, OPT_FUNCTION, "f(integer)"},
    {"--trigger", RESTORE_18, OPT_TRIGGER, "x"},
    {"--single-transaction", RESTORE_18, NOT_TAKEN, NULL},
    {"-1", RESTORE_18, NOT_TAKEN, NULL},
    {"--transaction-size", RESTORE_18, NOT_TAKEN, "10"},
    {"--no-data-for-failed-tables", RESTORE_18, NOT_TAKEN, NULL},
};

/* Where an option needs another one to be complete. */
static const char *companion(OptionId id)
{
    switch (id)
    {
    case OPT_IF_EXISTS:
        return "--clean";
    case OPT_ON_CONFLICT_DO_NOTHING:
        return "--inserts";
    case OPT_NO_ROLE_PASSWORDS:
        return "--globals";
    default:
        return "--log-format=text";
    }
}

static Options *parse(void *ctx, Command command, const char *word, const char *value,
                      const char *more, Error *err)
{
    char *argv[WORDS_MAX + 1] = {NULL};
    int argc = 0;
    argv[argc++] = mem_strdup(ctx, "pgark");
    argv[argc++] = mem_strdup(ctx, command_table_get(command)->name);
    argv[argc++] = mem_strdup(ctx, "--repo=/r");
    if (command != CMD_BACKUP)
        argv[argc++] = mem_strdup(ctx, KEY);
    if (command == CMD_RESTORE && strcmp(word, "-d") != 0 && strcmp(word, "--dbname") != 0)
        argv[argc++] = mem_strdup(ctx, "-dx");
    argv[argc++] = mem_strdup(ctx, more);
    argv[argc++] = mem_strdup(ctx, word);
    if (value != NULL)
        argv[argc++] = mem_strdup(ctx, value);
    OptionsAction action;
    error_clear(err);
    return options_parse(ctx, argc, argv, &action, err);
}

static void check_value(const Options *o, OptionId id, const Known *k)
{
    size_t count = 0;
    const char *const *list = options_list(o, id, &count);
    if (!options_given(o, id))
        fail_msg("%s is taken as something else", k->word);
    if (k->value == NULL)
        assert_true(options_flag(o, id));
    else if (count > 0)
        assert_string_equal(list[0], k->value);
    else
        assert_string_equal(options_string(o, id), k->value);
}

/* What k becomes in a command: two options of one name are told apart by it. */
static OptionId id_in(const Known *k, Command command)
{
    if (command == CMD_EXPORT && k->id == OPT_COMPRESS)
        return OPT_EXPORT_COMPRESS;
    if (command == CMD_EXPORT && k->id == OPT_CREATE)
        return OPT_EXPORT_CREATE;
    return k->id;
}

/* "-E" must stand in the message as it was typed. */
static void check_refused(const Known *k, const char *command, const Error *err)
{
    if (err->code != ERR_USAGE || strstr(err->message, k->word) == NULL ||
        strstr(err->message, "is not taken: ") == NULL || err->hint[0] == '\0')
        fail_msg("%s %s: error \"%s\", hint \"%s\"", command, k->word, err->message, err->hint);
}

static void check_known(void *ctx, const Known *k)
{
    static const Command commands[] = {CMD_BACKUP, CMD_RESTORE, CMD_EXPORT};
    bool is_errand = k->id == OPT_HELP || k->id == OPT_VERSION;
    Error err = ERROR_INIT;
    size_t taken = 0;
    for (size_t i = 0; i < LENGTH_OF(commands) && !is_errand; i++)
    {
        const char *name = command_table_get(commands[i])->name;
        bool theirs = (commands[i] == CMD_BACKUP && (k->programs & DUMP) != 0) ||
                      (commands[i] == CMD_RESTORE && (k->programs & RESTORE_18) != 0);
        const Options *o = parse(ctx, commands[i], k->word, k->value, companion(k->id), &err);
        if (o != NULL && k->id != NOT_TAKEN && options_given(o, id_in(k, commands[i])))
        {
            check_value(o, id_in(k, commands[i]), k);
            taken++;
        }
        else if (theirs && k->id == NOT_TAKEN)
            check_refused(k, name, &err);
        else if (theirs && err.code != ERR_USAGE)
            fail_msg("%s %s: neither taken nor refused: \"%s\"", name, k->word, err.message);
    }
    if (k->id != NOT_TAKEN && !is_errand && taken == 0)
        fail_msg("no command takes %s", k->word);
}

static void test_known(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    for (size_t i = 0; i < LENGTH_OF(known); i++)
        check_known(ctx, &known[i]);
}

/* ---- what is refused by one command and taken by another ---- */

static const struct
{
    Command command;
    const char *word;
    const char *value;
    const char *message;
    const char *hint;
} cases[] = {
    {CMD_BACKUP, "-f", "x", "-f, --file is not taken", "--repo"},
    {CMD_BACKUP, "-F", "c", "-F is not taken", "--format=auto"},
    {CMD_BACKUP, "--format", "c", "must be auto, text or binary", ""},
    {CMD_BACKUP, "-O", NULL, "-O, --no-owner is not taken: a set always holds the owners",
     "restore"},
    {CMD_BACKUP, "-c", NULL, "--clean is not an option of backup", "restore and export"},
    {CMD_BACKUP, "--inserts", NULL, "--inserts is not an option of backup", "export"},
    {CMD_BACKUP, "--load-via-partition-root", NULL, "is not an option of backup", "restore"},
    {CMD_RESTORE, "-e", NULL, "-e, --exit-on-error is not taken", "--on-error"},
    {CMD_RESTORE, "-F", "d", "-F, --format is not taken", ""},
    {CMD_RESTORE, "--format", "d", "-F, --format is not taken", ""},
    {CMD_RESTORE, "-l", NULL, "-l, --list is not taken", "pg_restore -l"},
    {CMD_RESTORE, "-L", "x", "-L, --use-list is not taken", "pg_restore -L"},
    {CMD_RESTORE, "--quote-all-identifiers", NULL, "written already", "backup"},
    {CMD_EXPORT, "--quote-all-identifiers", NULL, "written already", "backup"},
    {CMD_EXPORT, "--role", "x", "--role is not an option of export", "backup and restore"},
    {CMD_EXPORT, "--format", "custom", "must be plain or directory", ""},
    {CMD_EXPORT, "--content", "4096", "0 to 4095", ""},
    {CMD_EXPORT, "--rows-per-insert", "0", "1 to 2147483647", ""},
    {CMD_BACKUP, "--section", "data-pre", "must be pre-data, data or post-data", ""},
    {CMD_RESTORE, "--memory", "1MB", "16MB to 1TB", ""},
    {CMD_RESTORE, "--on-error", "ignore", "stop or continue", ""},
    {CMD_BACKUP, "--hold", "1ms", "1s to 24d", ""},
    {CMD_RESTORE, "--if-exists", NULL, "--if-exists needs --clean", ""},
    {CMD_EXPORT, "--on-conflict-do-nothing", NULL, "needs --inserts", "--rows-per-insert"},
    {CMD_BACKUP, "--no-role-passwords", NULL, "needs --globals", ""},
};

static void test_refused(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        assert_null(parse(ctx, cases[i].command, cases[i].word, cases[i].value, "--quiet", &err));
        if (strstr(err.message, cases[i].message) == NULL ||
            strstr(err.hint, cases[i].hint) == NULL)
            fail_msg("%s: error \"%s\", hint \"%s\"", cases[i].word, err.message, err.hint);
    }
}

static const struct
{
    Command command;
    const char *a;
    const char *b;
} contradictions[] = {
    {CMD_BACKUP, "--data-only", "--schema-only"},
    {CMD_BACKUP, "--data-only", "--no-data"},
    {CMD_BACKUP, "--schema-only", "--no-schema"},
    {CMD_BACKUP, "--schema-only", "--large-objects"},
    {CMD_BACKUP, "--schema-only", "--include-foreign-data=x"},
    {CMD_BACKUP, "--no-data", "--no-schema"},
    {CMD_BACKUP, "--large-objects", "--no-large-objects"},
    {CMD_RESTORE, "--data-only", "--clean"},
    {CMD_RESTORE, "--data-only", "--create"},
    {CMD_EXPORT, "--data-only", "--create"},
    {CMD_RESTORE, "--clean", "--truncate"},
    {CMD_RESTORE, "--clean", "--append"},
    {CMD_RESTORE, "--truncate", "--append"},
    {CMD_RESTORE, "--create", "--truncate"},
    {CMD_RESTORE, "--create", "--append"},
    {CMD_RESTORE, "--no-owner", "--use-set-session-authorization"},
    {CMD_RESTORE, "--no-tablespaces", "--tablespace-map=a=b"},
};

static void test_contradictions(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    for (size_t i = 0; i < LENGTH_OF(contradictions); i++)
    {
        Error err = ERROR_INIT;
        assert_null(parse(ctx, contradictions[i].command, contradictions[i].a, NULL,
                          contradictions[i].b, &err));
        if (strstr(err.message, "exclude each other") == NULL)
            fail_msg("%s %s: \"%s\"", contradictions[i].a, contradictions[i].b, err.message);
    }
}

/* ---- pgark's own ---- */

static const struct
{
    Command command;
    const char *word;
    const char *value;
    OptionId id;
} own[] = {
    {CMD_BACKUP, "--table-file", "f", OPT_TABLE_FILE},
    {CMD_EXPORT, "--exclude-table-file", "f", OPT_EXCLUDE_TABLE_FILE},
    {CMD_RESTORE, "--schema-file", "f", OPT_SCHEMA_FILE},
    {CMD_BACKUP, "--exclude-schema-file", "f", OPT_EXCLUDE_SCHEMA_FILE},
    {CMD_RESTORE, "--with-dependencies", NULL, OPT_WITH_DEPENDENCIES},
    {CMD_RESTORE, "--tablespace-map", "a=b", OPT_TABLESPACE_MAP},
    {CMD_RESTORE, "--schema-map", "a=b", OPT_SCHEMA_MAP},
    {CMD_BACKUP, "--globals", NULL, OPT_GLOBALS},
    {CMD_BACKUP, "--config-files", NULL, OPT_CONFIG_FILES},
    {CMD_BACKUP, "--all-databases", NULL, OPT_ALL_DATABASES},
    {CMD_RESTORE, "--from-database", "x", OPT_FROM_DATABASE},
    {CMD_BACKUP, "--no-role-passwords", NULL, OPT_NO_ROLE_PASSWORDS},
    {CMD_BACKUP, "--hold", "2h", OPT_HOLD},
    {CMD_RESTORE, "--resume", NULL, OPT_RESUME},
    {CMD_RESTORE, "--truncate", NULL, OPT_TRUNCATE},
    {CMD_RESTORE, "--append", NULL, OPT_APPEND},
    {CMD_RESTORE, "--keep-existing", NULL, OPT_KEEP_EXISTING},
    {CMD_RESTORE, "--on-error", "continue", OPT_ON_ERROR},
    {CMD_RESTORE, "--memory", "1GB", OPT_MEMORY},
    {CMD_RESTORE, "--direct", NULL, OPT_DIRECT},
    {CMD_RESTORE, "--no-direct", NULL, OPT_NO_DIRECT},
    {CMD_RESTORE, "--shard-count", "64", OPT_SHARD_COUNT},
    {CMD_RESTORE, "--distribute", "f", OPT_DISTRIBUTE},
    {CMD_EXPORT, "--content", "1", OPT_CONTENT},
    {CMD_EXPORT, "--compress", "lz4", OPT_EXPORT_COMPRESS},
    {CMD_EXPORT, "--create", NULL, OPT_EXPORT_CREATE},
    {CMD_RESTORE, "--extension", "x", OPT_EXTENSION},
};

static void test_own(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    for (size_t i = 0; i < LENGTH_OF(own); i++)
    {
        Error err = ERROR_INIT;
        const Options *o = parse(ctx, own[i].command, own[i].word, own[i].value,
                                 companion(own[i].id), &err);
        if (o == NULL || !options_given(o, own[i].id))
            fail_msg("%s: \"%s\"", own[i].word, err.message);
    }
}

/* Of base backups: whole command lines, as these options need others. */
static const struct
{
    OptionId id;
    const char *words[9];
} lines[] = {
    {OPT_PHYSICAL, {"backup", "--repo=/r", "--physical"}},
    {OPT_CHECKPOINT, {"backup", "--repo=/r", "--physical", "--checkpoint=spread"}},
    {OPT_PART_SIZE, {"backup", "--repo=/r", "--physical", "--part-size=1GB"}},
    {OPT_BAD_PAGES, {"backup", "--repo=/r", "--physical", "--bad-pages=warn"}},
    {OPT_STANDBY, {"restore", KEY, "--repo=/r", "--physical", "--map=0=/d", "--standby"}},
    {OPT_TARGET_NAME, {"restore", KEY, "--repo=/r", "--physical", "--map=0=/d", "--target-name=x"}},
    {OPT_TARGET_TIME,
     {"restore", KEY, "--repo=/r", "--physical", "--map=0=/d",
      "--target-time=2026-11-20 23:15:02Z"}},
    {OPT_SLOT, {"receive-wal", "--repo=/r", "--slot=s"}},
    {OPT_NO_LOOP, {"receive-wal", "--repo=/r", "--no-loop"}},
    {OPT_SKIP_GAP, {"receive-wal", "--repo=/r", "--skip-gap"}},
    /* All that pg_basebackup has of these: */
    {OPT_PGDATA, {"basebackup", "-D", "x"}},
    {OPT_PGDATA, {"basebackup", "--pgdata=x"}},
    {OPT_BASE_FORMAT, {"basebackup", "-D", "x", "-F", "t"}},
    {OPT_BASE_FORMAT, {"basebackup", "-D", "x", "-Fp"}},
    {OPT_BASE_FORMAT, {"basebackup", "-D", "x", "--format=tar"}},
    {OPT_WAL_METHOD, {"basebackup", "-D", "x", "-X", "fetch"}},
    {OPT_WAL_METHOD, {"basebackup", "-D", "x", "-Xn"}},
    {OPT_WAL_METHOD, {"basebackup", "-D", "x", "--wal-method=stream"}},
    {OPT_BASE_CHECKPOINT, {"basebackup", "-D", "x", "-c", "fast"}},
    {OPT_BASE_CHECKPOINT, {"basebackup", "-D", "x", "--checkpoint=spread"}},
    {OPT_LABEL, {"basebackup", "-D", "x", "-l", "a label"}},
    {OPT_WRITE_RECOVERY_CONF, {"basebackup", "-D", "x", "-R"}},
    {OPT_WRITE_RECOVERY_CONF, {"basebackup", "-D", "x", "--write-recovery-conf"}},
    {OPT_BASE_SLOT, {"basebackup", "-D", "x", "-S", "s"}},
    {OPT_CREATE_SLOT, {"basebackup", "-D", "x", "-S", "s", "-C"}},
    {OPT_NO_SLOT, {"basebackup", "-D", "x", "--no-slot"}},
    {OPT_BASE_PROGRESS, {"basebackup", "-D", "x", "-P"}},
    {OPT_BASE_PROGRESS, {"basebackup", "-D", "x", "--progress"}},
    {OPT_MAX_RATE, {"basebackup", "-D", "x", "-r", "100M"}},
    {OPT_PGDATA, {"basebackup", "-D", "-", "-Ft", "-X", "fetch"}},
    {OPT_BASE_GZIP, {"basebackup", "-D", "x", "-Ft", "-z"}},
    {OPT_BASE_GZIP, {"basebackup", "-D", "x", "-Ft", "--gzip"}},
    {OPT_BASE_INCREMENTAL, {"basebackup", "-D", "x", "-i", "/old/backup_manifest"}},
    {OPT_BASE_INCREMENTAL, {"basebackup", "-D", "x", "--incremental=/old/backup_manifest"}},
    {OPT_MANIFEST_FORCE_ENCODE, {"basebackup", "-D", "x", "--manifest-force-encode"}},
    {OPT_NO_ESTIMATE_SIZE, {"basebackup", "-D", "x", "--no-estimate-size"}},
    {OPT_STATUS_INTERVAL, {"basebackup", "-D", "x", "-s", "0"}},
    {OPT_STATUS_INTERVAL, {"basebackup", "-D", "x", "--status-interval=60"}},
    {OPT_HOST_MAP, {"restore", KEY, "--repo=/r", "--physical", "--map=-1=/d", "--host-map=a=b"}},
    {OPT_BASE_COMPRESS, {"basebackup", "-D", "x", "-Ft", "-Z", "5"}},
    {OPT_BASE_COMPRESS, {"basebackup", "-D", "x", "-Ft", "--compress=client-zstd:3"}},
    {OPT_MANIFEST_CHECKSUMS, {"basebackup", "-D", "x", "--manifest-checksums=SHA512"}},
    {OPT_NO_MANIFEST, {"basebackup", "-D", "x", "--no-manifest"}},
    {OPT_NO_VERIFY_CHECKSUMS, {"basebackup", "-D", "x", "--no-verify-checksums"}},
    {OPT_TABLESPACE_MAPPING, {"basebackup", "-D", "x", "-T", "/a=/b"}},
    {OPT_WALDIR, {"basebackup", "-D", "x", "--waldir=/w"}},
    {OPT_NO_CLEAN, {"basebackup", "-D", "x", "-n"}},
    {OPT_NO_SYNC, {"basebackup", "-D", "x", "-N"}},
    {OPT_DBNAME, {"basebackup", "-D", "x", "-d", "host=h"}},
    {OPT_HOST, {"basebackup", "-D", "x", "-h", "h"}},
    {OPT_PORT, {"basebackup", "-D", "x", "-p", "1"}},
    {OPT_USERNAME, {"basebackup", "-D", "x", "-U", "u"}},
    {OPT_NO_PASSWORD, {"basebackup", "-D", "x", "-w"}},
    {OPT_PASSWORD, {"basebackup", "-D", "x", "-W"}},
    {OPT_VERBOSE, {"basebackup", "-D", "x", "-v"}},
};

/* Every option that pg_basebackup of versions 13 to 18 has; those of which why is not NULL are refused by name. */
static const struct
{
    const char *name;
    char letter;
    const char *why;
} base_options[] = {
    {"pgdata", 'D', NULL},
    {"format", 'F', NULL},
    {"incremental", 'i', NULL},
    {"max-rate", 'r', NULL},
    {"write-recovery-conf", 'R', NULL},
    {"target", 't', "on its own host"}, /* from 15 on */
    {"tablespace-mapping", 'T', NULL},
    {"waldir", 0, NULL},
    {"wal-method", 'X', NULL},
    {"gzip", 'z', NULL},
    {"compress", 'Z', NULL},
    {"checkpoint", 'c', NULL},
    {"create-slot", 'C', NULL},
    {"label", 'l', NULL},
    {"no-clean", 'n', NULL},
    {"no-sync", 'N', NULL},
    {"progress", 'P', NULL},
    {"slot", 'S', NULL},
    {"verbose", 'v', NULL},
    {"version", 'V', NULL},
    {"manifest-checksums", 0, NULL},
    {"manifest-force-encode", 0, NULL},
    {"no-estimate-size", 0, NULL},
    {"no-manifest", 0, NULL},
    {"no-slot", 0, NULL},
    {"no-verify-checksums", 0, NULL},
    {"sync-method", 0, "settled"}, /* from 17 on */
    {"help", '?', NULL},
    {"dbname", 'd', NULL},
    {"host", 'h', NULL},
    {"port", 'p', NULL},
    {"status-interval", 's', NULL},
    {"username", 'U', NULL},
    {"no-password", 'w', NULL},
    {"password", 'W', NULL},
};

static void test_basebackup(void **state)
{
    (void) state;
    const unsigned command = CMD_BASEBACKUP;
    for (size_t i = 0; i < LENGTH_OF(base_options); i++)
    {
        const char *name = base_options[i].name;
        char letter = base_options[i].letter;
        const OptionSpec *spec = option_table_by_name(name, strlen(name), command);
        const OptionRefused *refused = option_refused_by_name(name, command);
        bool taken = base_options[i].why == NULL;
        if (taken != (spec != NULL && (spec->commands & command) != 0) ||
            taken != (refused == NULL))
            fail_msg("--%s is not what it should be", name);
        if (!taken)
            assert_non_null(strstr(refused->why, base_options[i].why));
        if (taken && letter != 0)
            assert_int_equal(option_table_short(spec, command), letter);
        if (!taken && letter != 0)
            assert_ptr_equal(option_refused_by_short(letter, command), refused);
    }
}

static void test_lines(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    for (size_t i = 0; i < LENGTH_OF(lines); i++)
    {
        Error err = ERROR_INIT;
        OptionsAction action;
        char *argv[LENGTH_OF(lines[0].words) + 1] = {mem_strdup(ctx, "pgark")};
        int argc = 1;
        for (; lines[i].words[argc - 1] != NULL; argc++)
            argv[argc] = mem_strdup(ctx, lines[i].words[argc - 1]);
        const Options *o = options_parse(ctx, argc, argv, &action, &err);
        if (o == NULL || !options_given(o, lines[i].id))
            fail_msg("--%s, case %zu: \"%s\"", option_table_get(lines[i].id)->name, i, err.message);
    }
}

/* No option may be without a case here. */
static void test_all_covered(void **state)
{
    (void) state;
    for (int id = OPT_DATA_ONLY; id < OPT_HELP; id++)
    {
        bool found = false;
        for (size_t i = 0; i < LENGTH_OF(known); i++)
            found = found || known[i].id == (OptionId) id;
        for (size_t i = 0; i < LENGTH_OF(own); i++)
            found = found || own[i].id == (OptionId) id;
        for (size_t i = 0; i < LENGTH_OF(lines); i++)
            found = found || lines[i].id == (OptionId) id;
        if (!found)
            fail_msg("no case for --%s", option_table_get((OptionId) id)->name);
    }
}

/* A refusal that nobody could reach, because the option is taken, would be a lie in the manual. */
static void test_refused_rows(void **state)
{
    (void) state;
    const OptionRefused *r = NULL;
    for (size_t i = 0; (r = option_refused_at(i)) != NULL; i++)
    {
        assert_true(r->name != NULL || r->short_name != '\0');
        assert_true(r->why[strlen(r->why) - 1] != '.');
        assert_int_equal(r->instead[strlen(r->instead) - 1], '.');
        for (unsigned bit = 1; bit != 0; bit <<= 1)
        {
            if ((r->commands & bit) == 0)
                continue;
            const OptionSpec *spec = r->name == NULL
                                         ? NULL
                                         : option_table_by_name(r->name, strlen(r->name), bit);
            assert_true(spec == NULL || (spec->commands & bit) == 0);
            spec = option_table_by_short(r->short_name, bit);
            assert_true(spec == NULL || option_table_short(spec, bit) != r->short_name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_contradictions), cmocka_unit_test(test_own),
        cmocka_unit_test(test_lines),          cmocka_unit_test(test_all_covered),
        cmocka_unit_test(test_refused_rows),   cmocka_unit_test(test_basebackup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
