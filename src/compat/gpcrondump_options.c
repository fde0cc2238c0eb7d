/* compat/gpcrondump_options.c - gpcrondump's command line; the contract is in gpcrondump_options.h. */
#include "compat/gpcrondump_options.h"

#include "base/clock.h"
#include "base/str.h"
#include "compat/cron_rows.h"
#include "compat/legacy_names.h"
#include "repo/repo.h"

#define STORAGE_HINT    "Have -u name a directory on such storage, or copy the set there with -R."
#define DEAD            "it has had no effect for long"
#define REFUSED(option) REFUSED_STORAGE(option, STORAGE_HINT)

static const LegacyOption table[] = {
    LIST(CRON_DATABASE, NULL, 'x', "DB[,DB...]", "databases, dumped one after the other"),
    FLAG(CRON_NO_PROMPT, NULL, 'a', "do not ask before it begins"),
    LIST(CRON_SCHEMA, NULL, 's', "SCHEMA", "only these schemas"),
    VALUE(CRON_SCHEMA_FILE, "schema-file", '\0', "FILE",
          "only the schemas in this file, one in each line"),
    LIST(CRON_NOT_SCHEMA, NULL, 'S', "SCHEMA", "all but these schemas"),
    VALUE(CRON_NOT_SCHEMA_FILE, "exclude-schema-file", '\0', "FILE",
          "all but the schemas in this file"),
    LIST(CRON_TABLE, NULL, 't', "SCHEMA.TABLE", "only these tables"),
    VALUE(CRON_TABLE_FILE, "table-file", '\0', "FILE",
          "only the tables in this file, one in each line"),
    LIST(CRON_NOT_TABLE, NULL, 'T', "SCHEMA.TABLE", "all but these tables"),
    VALUE(CRON_NOT_TABLE_FILE, "exclude-table-file", '\0', "FILE",
          "all but the tables in this file"),
    VALUE(CRON_DIRECTORY, NULL, 'u', "DIR", "absolute path: sets go to DIR/db_dumps"),
    VALUE(CRON_DATA_DIRECTORY, NULL, 'd', "DIR",
          "the server's data directory, where sets go without -u (default: MASTER_DATA_DIRECTORY)"),
    FLAG(CRON_INCREMENTAL, "incremental", '\0',
         "store only what has changed since the last dump of the same database and prefix"),
    VALUE(CRON_KEY, NULL, 'K', "KEY", "use this key, 14 digits"),
    FLAG(CRON_LIST_FILES, "list-backup-files", '\0',
         "with -K: write the lists of files that a dump with that key makes, and dump nothing"),
    VALUE(
        CRON_PREFIX, "prefix", '\0', "NAME",
        "begins the names of all files; dumps with different prefixes know nothing of each other"),
    FLAG(CRON_LIST_FILTER, "list-filter-tables", '\0',
         "with --prefix and --incremental: print which tables an incremental dump would have, and "
         "dump nothing"),
    FLAG(CRON_CLEAR, NULL, 'c', "remove the dumps of the oldest day when the dump has succeeded"),
    FLAG(CRON_CLEAR_ONLY, NULL, 'o', "remove the dumps of the oldest day, and dump nothing"),
    VALUE(CRON_CLEANUP_DATE, "cleanup-date", '\0', "YYYYMMDD", "with -c or -o: of this day"),
    VALUE(CRON_CLEANUP_TOTAL, "cleanup-total", '\0', "N", "with -c or -o: of the N oldest days"),
    FLAG(CRON_CLEAN, "clean", 'C', "a restore drops first what it makes"),
    FLAG(CRON_NO_COMPRESSION, NULL, 'z', "do not compress"),
    VALUE(CRON_FREE_SPACE, NULL, 'f', "PERCENT",
          "how much of the file system shall stay free (default: 10)"),
    FLAG(CRON_NO_SPACE_CHECK, NULL, 'b', "do not look whether there is room"),
    FLAG(CRON_KEEP_PARTIAL, NULL, 'r', "keep what a dump that failed has stored"),
    FLAG(CRON_VACUUM_BEFORE, NULL, 'j', "run VACUUM before the dump"),
    FLAG(CRON_VACUUM_AFTER, NULL, 'k', "run VACUUM after the dump"),
    FLAG(CRON_CONFIG_FILES, NULL, 'g', "take the servers' configuration files along"),
    FLAG(CRON_GLOBALS, NULL, 'G', "take roles and tablespaces along"),
    FLAG(CRON_HISTORY, NULL, 'h',
         "record the dump in public.gpcrondump_history, which is the default"),
    FLAG(CRON_NO_HISTORY, NULL, 'H', "do not record it"),
    VALUE(CRON_SCRIPT, NULL, 'R', "PROGRAM", "run this program in the end"),
    {.letter = 'B',
     .type = LEGACY_IGNORED_VALUE,
     .help = "all nodes are looked at at the same time"},
    VALUE(CRON_ENCODING, NULL, 'E', "ENCODING",
          "must be one that a restore can convert the rows to"),
    FLAG(CRON_INSERTS, "inserts", '\0', "write a script with INSERT commands, too"),
    FLAG(CRON_COLUMN_INSERTS, "column-inserts", '\0', "likewise, with the names of the columns"),
    {.name = "oids",
     .type = LEGACY_REFUSED,
     .help = "tables with oids are no more",
     .hint = "Leave it out."},
    FLAG(CRON_NO_OWNER, "no-owner", '\0', "a restore leaves everything to the role that runs it"),
    FLAG(CRON_SESSION_AUTHORIZATION, "use-set-session-authorization", '\0',
         "a restore makes owners by SET SESSION AUTHORIZATION"),
    FLAG(CRON_NO_PRIVILEGES, "no-privileges", '\0', "without GRANT and REVOKE"),
    FLAG(CRON_RSYNCABLE, "rsyncable", '\0', "files of what has not changed shall stay the same"),
    VALUE(CRON_EMAIL_FILE, "email-file", '\0', "FILE",
          "YAML: sender and subject of mail, for each database"),
    FLAG(CRON_DUMP_STATS, "dump-stats", '\0',
         "write the planner's statistics beside the set, for gpdbrestore --restore-stats"),
    VALUE(CRON_LOG_DIRECTORY, NULL, 'l', "DIR", "where the log file is (default: ~/gpAdminLogs)"),
    FLAG(CRON_VERBOSE, "verbose", 'v', "say more; alone: show the version"),
    FLAG(CRON_VERBOSE, NULL, 'D', NULL),
    FLAG(CRON_QUIET, NULL, 'q', "print nothing but into the log file"),
    {.letter = 'y', .type = LEGACY_IGNORED_VALUE, .help = "the report lies beside the set"},
    {.letter = 'i', .type = LEGACY_IGNORED, .help = DEAD},
    {.letter = 'p', .type = LEGACY_IGNORED, .help = DEAD},
    {.letter = 'w', .type = LEGACY_IGNORED_VALUE, .help = "a dump has all nodes"},
    REFUSED("ddboost"),
    REFUSED("ddboost-host"),
    REFUSED("ddboost-user"),
    REFUSED("ddboost-backupdir"),
    REFUSED("ddboost-storage-unit"),
    REFUSED("ddboost-remote"),
    REFUSED("ddboost-skip-ping"),
    REFUSED("ddboost-config-remove"),
    REFUSED("ddboost-show-config"),
    REFUSED("replicate"),
    REFUSED("max-streams"),
    REFUSED("netbackup-service-host"),
    REFUSED("netbackup-policy"),
    REFUSED("netbackup-schedule"),
    REFUSED("netbackup-block-size"),
    REFUSED("netbackup-keyword"),
    {.name = NULL},
};

#define SCHEMAS CRON_SCHEMA, CRON_NOT_SCHEMA, CRON_SCHEMA_FILE, CRON_NOT_SCHEMA_FILE
#define TABLES  CRON_TABLE, CRON_NOT_TABLE, CRON_TABLE_FILE, CRON_NOT_TABLE_FILE
#define CHAIN                                                                                      \
    "An incremental dump has what the one it builds on has; choose objects for that, with "        \
    "--prefix."

static const LegacyExclusion excluded[] = {
    {.first_only = true, .ids = {CRON_INCREMENTAL, SCHEMAS}, .hint = CHAIN},
    {.first_only = true, .ids = {CRON_INCREMENTAL, TABLES}, .hint = CHAIN},
    {.first_only = true,
     .ids = {CRON_INCREMENTAL, CRON_CLEAR_ONLY, CRON_CLEAR, CRON_CLEAN, CRON_FREE_SPACE,
             CRON_INSERTS, CRON_COLUMN_INSERTS}},
    {.ids = {SCHEMAS}},
    {.ids = {TABLES}},
    {.first_only = true, .ids = {CRON_SCHEMA, TABLES}},
    {.first_only = true, .ids = {CRON_NOT_SCHEMA, TABLES}},
    {.first_only = true, .ids = {CRON_SCHEMA_FILE, TABLES}},
    {.first_only = true, .ids = {CRON_NOT_SCHEMA_FILE, TABLES}},
    {.ids = {CRON_HISTORY, CRON_NO_HISTORY}},
    {.ids = {CRON_NO_OWNER, CRON_SESSION_AUTHORIZATION}},
    {.ids = {0}},
};

const LegacyProgram gpcrondump_program = {
    .name = "gpcrondump",
    .summary = "dumps databases, with all that a nightly dump needs",
    .synopsis = "-x DB [OPTION]...",
    .about = "Dumps databases of a server, a Citus or a Greenplum cluster, as pgark backup does, "
             "and leaves "
             "files, log lines and exit codes as the classic gpcrondump did: 0 done, 1 done with "
             "warnings, 2 failed. gpdbrestore brings a dump back. PGARK_JOBS and the other "
             "variables of pgark "
             "backup, and a configuration file that PGARK_CONFIG names, are heard as well.",
    .exits = "0 done\n1 done, with warnings\n2 it failed\n4 the question was answered with no",
    .options = table,
    .excluded = excluded,
};

/* ---- what the table cannot say ---- */

static bool need(const LegacyOptions *o, int id, int a, int b, Error *err)
{
    if (!legacy_options_given(o, id) || legacy_options_given(o, a) || legacy_options_given(o, b))
        return true;
    if (a == b)
        return error_set(err, ERR_USAGE, "%s needs %s", legacy_options_called(o, id),
                         legacy_options_called(o, a));
    return error_set(err, ERR_USAGE, "%s needs %s or %s", legacy_options_called(o, id),
                     legacy_options_called(o, a), legacy_options_called(o, b));
}

static bool check_key(const LegacyOptions *o, Error *err)
{
    const char *key = legacy_options_string(o, CRON_KEY);
    return key == NULL || repo_key_parse(key, err) ||
           error_prefix(err, "%s", legacy_options_called(o, CRON_KEY));
}

static bool check_date(const LegacyOptions *o, Error *err)
{
    const char *date = legacy_options_string(o, CRON_CLEANUP_DATE);
    char key[SET_KEY_LEN];
    if (date == NULL)
        return true;
    snprintf(key, sizeof(key), "%.8s000000", date);
    if (strlen(date) == 8 && repo_key_is_date(key))
        return true;
    return error_set(err, ERR_USAGE, "%s: \"%.40s\" is no date, YYYYMMDD",
                     legacy_options_called(o, CRON_CLEANUP_DATE), date);
}

static bool check_prefix(const LegacyOptions *o, Error *err)
{
    const char *prefix = legacy_options_string(o, CRON_PREFIX);
    if (prefix == NULL || str_is_name(prefix))
        return true;
    return error_set(err, ERR_USAGE, "%s must be 1 to %d letters, digits, _ - or .",
                     legacy_options_called(o, CRON_PREFIX), STR_NAME_MAX);
}

static bool check_numbers(const LegacyOptions *o, Error *err)
{
    int64_t ignored = 0;
    return legacy_options_int(o, CRON_CLEANUP_TOTAL, 1, 1000000, &ignored, err) &&
           legacy_options_int(o, CRON_FREE_SPACE, 0, 99, &ignored, err);
}

static bool check_directories(const LegacyOptions *o, Error *err)
{
    const char *dir = legacy_options_string(o, CRON_DIRECTORY);
    return dir == NULL || dir[0] == '/' ||
           error_set(err, ERR_USAGE, "%s must be an absolute path",
                     legacy_options_called(o, CRON_DIRECTORY));
}

/* A filter is for one database, and so is a key. */
static bool check_several(const LegacyOptions *o, Error *err)
{
    static const int single[] = {SCHEMAS, TABLES, CRON_KEY, CRON_INCREMENTAL};
    for (size_t i = 0; i < LENGTH_OF(single); i++)
    {
        if (legacy_options_given(o, single[i]))
            return error_set(err, ERR_USAGE, "%s is for one database, and %s names several",
                             legacy_options_called(o, single[i]),
                             legacy_options_called(o, CRON_DATABASE));
    }
    return true;
}

bool gpcrondump_databases(void *ctx, const LegacyOptions *o, const char *const **ret,
                          size_t *ret_count, Error *err)
{
    LegacyNames names = {0};
    const char *database = getenv("PGDATABASE");
    if (!legacy_names_option(&names, ctx, o, CRON_DATABASE, PATTERN_SCHEMA, err))
        return false;
    if (names.count == 0 && database != NULL && database[0] != '\0')
        *mem_push(ctx, names.items, names.count, names.capacity,
                  LegacyName) = (LegacyName){.name = database};
    if (names.count == 0)
    {
        error_set(err, ERR_USAGE, "which database is to be dumped?");
        return error_hint(err, "Name it by -x, or in PGDATABASE.");
    }
    const char **list = mem_array(ctx, const char *, names.count);
    for (size_t i = 0; i < names.count; i++)
        list[i] = names.items[i].name;
    *ret = list;
    *ret_count = names.count;
    return true;
}

bool gpcrondump_options_check(const LegacyOptions *o, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "check");
    const char *const *databases;
    size_t count = 0;
    bool names = !legacy_options_given(o, CRON_CLEAR_ONLY);
    if (legacy_options_given(o, CRON_INCREMENTAL) && !legacy_options_given(o, CRON_DATABASE))
        return error_set(err, ERR_USAGE, "%s needs %s", legacy_options_called(o, CRON_INCREMENTAL),
                         legacy_options_called(o, CRON_DATABASE));
    return need(o, CRON_LIST_FILES, CRON_KEY, CRON_KEY, err) &&
           need(o, CRON_LIST_FILTER, CRON_PREFIX, CRON_PREFIX, err) &&
           need(o, CRON_LIST_FILTER, CRON_INCREMENTAL, CRON_INCREMENTAL, err) &&
           need(o, CRON_CLEANUP_DATE, CRON_CLEAR, CRON_CLEAR_ONLY, err) &&
           need(o, CRON_CLEANUP_TOTAL, CRON_CLEAR, CRON_CLEAR_ONLY, err) && check_key(o, err) &&
           check_date(o, err) && check_prefix(o, err) && check_numbers(o, err) &&
           check_directories(o, err) &&
           (!names || gpcrondump_databases(ctx, o, &databases, &count, err)) &&
           (count < 2 || check_several(o, err));
}
