/* compat/gpdbrestore_options.c - gpdbrestore's command line; the contract is in gpdbrestore_options.h. */
#include "compat/gpdbrestore_options.h"

#include "base/str.h"
#include "compat/cron_rows.h"
#include "repo/repo.h"

#define STORAGE_HINT "Have -u name a directory on such storage."
#define ATTACHED     "all nodes are looked at at the same time"

#define REFUSED(option) REFUSED_STORAGE(option, STORAGE_HINT)

static const LegacyOption table[] = {
    VALUE(RESTORE_KEY, NULL, 't', "KEY", "the dump with this key"),
    VALUE(RESTORE_DAY, NULL, 'b', "YYYYMMDD", "the dump of this day; of several, one is asked for"),
    VALUE(RESTORE_DATABASE, NULL, 's', "DB",
          "the newest dump of this database; with -t: that dump must be of it"),
    {.letter = 'R',
     .type = LEGACY_REFUSED,
     .help = "no files are fetched from other hosts",
     .hint = "Copy or mount the directory db_dumps, and name the one it lies in by -u."},
    FLAG(RESTORE_RECREATE, NULL, 'e', "drop the database, and make it anew"),
    {.id = RESTORE_GLOBALS,
     .letter = 'G',
     .type = LEGACY_OPTIONAL,
     .arg = "include|only",
     .words = "include|only",
     .help = "make roles and tablespaces first; only: and nothing else"},
    LIST(RESTORE_TABLE, NULL, 'T', "SCHEMA.TABLE[,...]",
         "only these tables; SCHEMA.*: all of a schema"),
    VALUE(RESTORE_TABLE_FILE, "table-file", '\0', "FILE",
          "only the tables in this file, one in each line"),
    LIST(RESTORE_SCHEMA, NULL, 'S', "SCHEMA",
         "only this schema; with -T: which the tables must be of"),
    FLAG(RESTORE_TRUNCATE, "truncate", '\0', "empty tables that are there before they are loaded"),
    FLAG(RESTORE_APPEND, "append", '\0',
         "add to tables that have rows, which is an error otherwise"),
    VALUE(RESTORE_REDIRECT, "redirect", '\0', "DB", "restore into this database, made if need be"),
    VALUE(RESTORE_CHANGE_SCHEMA, "change-schema", '\0', "SCHEMA",
          "put the tables into this schema, which must be there"),
    FLAG(RESTORE_NO_PLAN, "noplan", '\0',
         "only the rows of tables that this incremental dump stores itself"),
    FLAG(RESTORE_NO_ANALYZE, "noanalyze", '\0', "do not run ANALYZE"),
    {.name = "noaostats",
     .type = LEGACY_IGNORED,
     .help = "the server counts what is loaded itself"},
    FLAG(RESTORE_METADATA, NULL, 'm', "definitions only, no rows"),
    {.id = RESTORE_STATS,
     .name = "restore-stats",
     .type = LEGACY_OPTIONAL,
     .arg = "include|only",
     .words = "include|only",
     .help =
         "put the statistics of gpcrondump --dump-stats back, in the place of ANALYZE; only: and "
         "nothing else"},
    FLAG(RESTORE_LIST_TABLES, NULL, 'L', "with -t: list the tables of the dump, restore nothing"),
    FLAG(RESTORE_LIST_BACKUP, "list-backup", '\0',
         "with -t of an incremental dump: list the dumps that it needs, restore nothing"),
    VALUE(RESTORE_DIRECTORY, NULL, 'u', "DIR", "absolute path: dumps lie in DIR/db_dumps"),
    VALUE(
        RESTORE_DATA_DIRECTORY, NULL, 'd', "DIR",
        "the server's data directory, where dumps lie without -u (default: MASTER_DATA_DIRECTORY)"),
    VALUE(RESTORE_PREFIX, "prefix", '\0', "NAME", "the dump must have this prefix"),
    VALUE(RESTORE_REPORT_DIRECTORY, "report-status-dir", '\0', "DIR",
          "where report and status file go (default: beside the dump)"),
    FLAG(RESTORE_NO_PROMPT, NULL, 'a', "do not ask before it begins"),
    {.letter = 'B', .type = LEGACY_IGNORED_VALUE, .help = ATTACHED},
    VALUE(RESTORE_LOG_DIRECTORY, NULL, 'l', "DIR",
          "where the log file is (default: ~/gpAdminLogs)"),
    FLAG(RESTORE_VERBOSE, "verbose", 'v', "say more; alone: show the version"),
    FLAG(RESTORE_QUIET, NULL, 'q', "print nothing but into the log file"),
    {.letter = 'K', .type = LEGACY_IGNORED, .help = "it has had no effect for long"},
    REFUSED("ddboost"),
    REFUSED("ddboost-storage-unit"),
    REFUSED("netbackup-service-host"),
    REFUSED("netbackup-block-size"),
    {.name = NULL},
};

static const LegacyExclusion excluded[] = {
    {.ids = {RESTORE_KEY, RESTORE_DAY}, .hint = "Either of them names a dump."},
    {.ids = {RESTORE_DAY, RESTORE_DATABASE}, .hint = "Either of them names a dump."},
    {.first_only = true,
     .ids = {RESTORE_LIST_BACKUP, RESTORE_RECREATE, RESTORE_TABLE, RESTORE_TABLE_FILE,
             RESTORE_LIST_TABLES}},
    {.ids = {RESTORE_TABLE, RESTORE_TABLE_FILE}},
    {.ids = {RESTORE_TRUNCATE, RESTORE_APPEND, RESTORE_RECREATE}},
    {.first_only = true,
     .ids = {RESTORE_METADATA, RESTORE_TRUNCATE, RESTORE_APPEND, RESTORE_NO_PLAN}},
    {.first_only = true,
     .ids = {RESTORE_NO_PLAN, RESTORE_RECREATE, RESTORE_TABLE, RESTORE_TABLE_FILE}},
    {.first_only = true, .ids = {RESTORE_CHANGE_SCHEMA, RESTORE_SCHEMA}},
    {.ids = {RESTORE_STATS, RESTORE_NO_PLAN}, .hint = "Statistics are about all rows of a table."},
    {.ids = {0}},
};

const LegacyProgram gpdbrestore_program = {
    .name = "gpdbrestore",
    .summary = "restores what gpcrondump has dumped",
    .synopsis = "-t KEY | -b YYYYMMDD | -s DB [OPTION]...",
    .about = "Restores what gpcrondump has dumped, as pgark restore does. What the database has "
             "already stays as "
             "it is, and its tables are loaded; one that has rows is an error, unless --truncate "
             "or --append "
             "says otherwise. Exit codes: 0 done, 1 done with warnings, 2 failed.",
    .exits = "0 done\n1 done, with warnings\n2 it failed\n4 the question was answered with no",
    .options = table,
    .excluded = excluded,
};

static bool need(const LegacyOptions *o, int id, const int *one_of, size_t count, Error *err)
{
    Str *s;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "need");
    if (!legacy_options_given(o, id))
        return true;
    s = str_new(tmp);
    for (size_t i = 0; i < count; i++)
    {
        if (legacy_options_given(o, one_of[i]))
            return true;
        str_addf(s, "%s%s", i > 0 ? " or " : "", legacy_options_called(o, one_of[i]));
    }
    return error_set(err, ERR_USAGE, "%s needs %s", legacy_options_called(o, id), s->data);
}

static bool check_source(const LegacyOptions *o, Error *err)
{
    if (legacy_options_given(o, RESTORE_KEY) || legacy_options_given(o, RESTORE_DAY) ||
        legacy_options_given(o, RESTORE_DATABASE))
        return true;
    error_set(err, ERR_USAGE, "which dump is to be restored?");
    return error_hint(err, "Name it by -t, -b or -s.");
}

static bool check_values(const LegacyOptions *o, Error *err)
{
    const char *key = legacy_options_string(o, RESTORE_KEY);
    const char *day = legacy_options_string(o, RESTORE_DAY);
    const char *prefix = legacy_options_string(o, RESTORE_PREFIX);
    const char *dir = legacy_options_string(o, RESTORE_DIRECTORY);
    char first[SET_KEY_LEN];
    if (key != NULL && !repo_key_parse(key, err))
        return error_prefix(err, "%s", legacy_options_called(o, RESTORE_KEY));
    snprintf(first, sizeof(first), "%.8s000000", day == NULL ? "" : day);
    if (day != NULL && (strlen(day) != 8 || !repo_key_is_date(first)))
        return error_set(err, ERR_USAGE, "%s: \"%.40s\" is no date, YYYYMMDD",
                         legacy_options_called(o, RESTORE_DAY), day);
    if (prefix != NULL && !str_is_name(prefix))
        return error_set(err, ERR_USAGE, "%s must be 1 to %d letters, digits, _ - or .",
                         legacy_options_called(o, RESTORE_PREFIX), STR_NAME_MAX);
    return dir == NULL || dir[0] == '/' ||
           error_set(err, ERR_USAGE, "%s must be an absolute path",
                     legacy_options_called(o, RESTORE_DIRECTORY));
}

/* Statistics alone go to tables that are as they are. */
static bool check_only_stats(const LegacyOptions *o, Error *err)
{
    static const int others[] = {RESTORE_RECREATE, RESTORE_GLOBALS, RESTORE_TRUNCATE,
                                 RESTORE_APPEND, RESTORE_METADATA};
    for (size_t i = 0; i < LENGTH_OF(others); i++)
    {
        if (str_equal(legacy_options_string(o, RESTORE_STATS), "only") &&
            legacy_options_given(o, others[i]))
            return error_set(err, ERR_USAGE, "%s only and %s exclude each other",
                             legacy_options_called(o, RESTORE_STATS),
                             legacy_options_called(o, others[i]));
    }
    return true;
}

bool gpdbrestore_options_check(const LegacyOptions *o, Error *err)
{
    static const int filters[] = {RESTORE_TABLE, RESTORE_TABLE_FILE, RESTORE_SCHEMA};
    static const int key[] = {RESTORE_KEY};
    return check_source(o, err) && check_values(o, err) && check_only_stats(o, err) &&
           need(o, RESTORE_TRUNCATE, filters, LENGTH_OF(filters), err) &&
           need(o, RESTORE_CHANGE_SCHEMA, filters, 2, err) &&
           need(o, RESTORE_LIST_TABLES, key, 1, err) && need(o, RESTORE_LIST_BACKUP, key, 1, err);
}
