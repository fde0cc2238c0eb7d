/*
 * compat/dump_options.h - what gp_dump and gp_dump_agent both take: what is dumped, and how it is written.
 */
#ifndef PGARK_COMPAT_DUMP_OPTIONS_H
#define PGARK_COMPAT_DUMP_OPTIONS_H

#include "compat/dump_run.h"
#include "compat/legacy_options.h"

enum
{
    DUMP_DATA_ONLY = 1,
    DUMP_SCHEMA_ONLY,
    DUMP_BOTH_HALVES, /* the agent's --pre-and-post-data-schema-only */
    DUMP_CLEAN,
    DUMP_INSERTS,
    DUMP_COLUMN_INSERTS,
    DUMP_SCHEMA,
    DUMP_EXCLUDE_SCHEMA,
    DUMP_TABLE,
    DUMP_EXCLUDE_TABLE,
    DUMP_TABLE_FILE,
    DUMP_EXCLUDE_TABLE_FILE,
    DUMP_SCHEMA_FILE,
    DUMP_NO_OWNER,
    DUMP_NO_PRIVILEGES,
    DUMP_SESSION_AUTHORIZATION,
    DUMP_DISABLE_TRIGGERS,
    DUMP_FEATURE,
    DUMP_EXPAND, /* --no-expand-children */
    DUMP_PREFIX,
    DUMP_VERBOSE,
    DUMP_HOST,
    DUMP_PORT,
    DUMP_USER,
    DUMP_PASSWORD,
    DUMP_NO_PASSWORD,
    DUMP_DIR,
    DUMP_KEY,
    DUMP_GZIP,
    DUMP_JOBS,
    DUMP_AGENTS,     /* --agent */
    DUMP_OPTION_NEXT /* programs' own ones begin here */
};

/* Rows of the tables of both programs. Their macros stand in place of arrays that cannot be joined. */
#define DUMP_CONTENT_ROWS                                                                          \
    {.id = DUMP_DATA_ONLY,                                                                         \
     .name = "data-only",                                                                          \
     .letter = 'a',                                                                                \
     .type = LEGACY_FLAG,                                                                          \
     .help = "rows and sequences' values only"},                                                   \
        {.id = DUMP_SCHEMA_ONLY,                                                                   \
         .name = "schema-only",                                                                    \
         .letter = 's',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "definitions only"},                                                              \
        {.id = DUMP_CLEAN,                                                                         \
         .name = "clean",                                                                          \
         .letter = 'c',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "drop objects before they are made"},                                             \
        {.id = DUMP_INSERTS,                                                                       \
         .name = "inserts",                                                                        \
         .letter = 'd',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "rows as INSERT instead of COPY"},                                                \
        {.id = DUMP_COLUMN_INSERTS,                                                                \
         .name = "column-inserts",                                                                 \
         .letter = 'D',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "rows as INSERT with the columns' names"},                                        \
        {.id = DUMP_COLUMN_INSERTS, .name = "attribute-inserts", .type = LEGACY_FLAG},             \
        {.id = DUMP_SCHEMA,                                                                        \
         .name = "schema",                                                                         \
         .letter = 'n',                                                                            \
         .type = LEGACY_LIST,                                                                      \
         .arg = "PATTERN",                                                                         \
         .help = "only schemas that match, repeated"},                                             \
        {.id = DUMP_EXCLUDE_SCHEMA,                                                                \
         .name = "exclude-schema",                                                                 \
         .letter = 'N',                                                                            \
         .type = LEGACY_LIST,                                                                      \
         .arg = "PATTERN",                                                                         \
         .help = "no schemas that match, repeated"},                                               \
        {.id = DUMP_TABLE,                                                                         \
         .name = "table",                                                                          \
         .letter = 't',                                                                            \
         .type = LEGACY_LIST,                                                                      \
         .arg = "PATTERN",                                                                         \
         .help = "only tables that match, with their partitions, repeated"},                       \
        {.id = DUMP_EXCLUDE_TABLE,                                                                 \
         .name = "exclude-table",                                                                  \
         .letter = 'T',                                                                            \
         .type = LEGACY_LIST,                                                                      \
         .arg = "PATTERN",                                                                         \
         .help = "no tables that match, nor their partitions, repeated"},                          \
        {.id = DUMP_NO_OWNER,                                                                      \
         .name = "no-owner",                                                                       \
         .letter = 'O',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "no owners"},                                                                     \
        {.id = DUMP_NO_PRIVILEGES,                                                                 \
         .name = "no-privileges",                                                                  \
         .letter = 'x',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "no GRANT and REVOKE"},                                                           \
        {.id = DUMP_NO_PRIVILEGES, .name = "no-acl", .type = LEGACY_FLAG},                         \
        {.id = DUMP_SESSION_AUTHORIZATION,                                                         \
         .name = "use-set-session-authorization",                                                  \
         .type = LEGACY_FLAG,                                                                      \
         .help = "owners by SET SESSION AUTHORIZATION"},                                           \
        {.id = DUMP_DISABLE_TRIGGERS,                                                              \
         .name = "disable-triggers",                                                               \
         .type = LEGACY_FLAG,                                                                      \
         .help = "with -a: triggers do not fire for the rows"},                                    \
        {.id = DUMP_FEATURE,                                                                       \
         .letter = 'X',                                                                            \
         .type = LEGACY_LIST,                                                                      \
         .arg = "WORD",                                                                            \
         .words = "use-set-session-authorization|disable-triggers",                                \
         .help = "the same, as an older form"},                                                    \
        {.id = DUMP_EXPAND,                                                                        \
         .name = "no-expand-children",                                                             \
         .type = LEGACY_FLAG,                                                                      \
         .help = "-t and -T do not mean partitions, too"},                                         \
        {.id = DUMP_PREFIX,                                                                        \
         .name = "prefix",                                                                         \
         .type = LEGACY_VALUE,                                                                     \
         .arg = "NAME",                                                                            \
         .help = "what the files' names begin with"},                                              \
    {                                                                                              \
        .id = DUMP_VERBOSE, .name = "verbose", .letter = 'v', .type = LEGACY_FLAG,                 \
        .help = "say more"                                                                         \
    }

#define DUMP_FILE_ROWS                                                                             \
    {.id = DUMP_TABLE_FILE,                                                                        \
     .name = "table-file",                                                                         \
     .type = LEGACY_VALUE,                                                                         \
     .arg = "FILE",                                                                                \
     .help = "only the tables in FILE, a schema.table in each line"},                              \
        {.id = DUMP_EXCLUDE_TABLE_FILE,                                                            \
         .name = "exclude-table-file",                                                             \
         .type = LEGACY_VALUE,                                                                     \
         .arg = "FILE",                                                                            \
         .help = "not the tables in FILE"},                                                        \
    {                                                                                              \
        .id = DUMP_SCHEMA_FILE, .name = "schema-file", .type = LEGACY_VALUE, .arg = "FILE",        \
        .help = "only the schemas in FILE"                                                         \
    }

#define DUMP_CONNECTION_ROWS                                                                       \
    {.id = DUMP_HOST,                                                                              \
     .name = "host",                                                                               \
     .letter = 'h',                                                                                \
     .type = LEGACY_LAST,                                                                          \
     .arg = "HOST",                                                                                \
     .help = "server, or directory of its socket"},                                                \
        {.id = DUMP_PORT,                                                                          \
         .name = "port",                                                                           \
         .letter = 'p',                                                                            \
         .type = LEGACY_LAST,                                                                      \
         .arg = "PORT",                                                                            \
         .help = "its port"},                                                                      \
        {.id = DUMP_USER,                                                                          \
         .name = "username",                                                                       \
         .letter = 'U',                                                                            \
         .type = LEGACY_LAST,                                                                      \
         .arg = "ROLE",                                                                            \
         .help = "connect as this role"},                                                          \
        {.id = DUMP_PASSWORD,                                                                      \
         .name = "password",                                                                       \
         .letter = 'W',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "ask for a password before connecting"},                                          \
        {.id = DUMP_NO_PASSWORD,                                                                   \
         .name = "no-password",                                                                    \
         .letter = 'w',                                                                            \
         .type = LEGACY_FLAG,                                                                      \
         .help = "never ask for a password"},                                                      \
    {                                                                                              \
        .letter = 'u', .type = LEGACY_REFUSED,                                                     \
        .help = "it asked for a name and a password at once",                                      \
        .hint = "Give the name by -U; -W asks for the password."                                   \
    }

#define DUMP_AGENT_ROWS                                                                            \
    {                                                                                              \
        .id = DUMP_AGENTS, .name = "agent", .type = LEGACY_OPTIONAL, .arg = "yes|no|auto",         \
        .words = "yes|no|auto",                                                                    \
        .help = "files are on the nodes' hosts, written and read by agents there: yes, no, or "    \
                "where all nodes have the extension pgark (default: auto)"                         \
    }

#define DUMP_DEAD_ROWS                                                                             \
    {.name = "ignore-version",                                                                     \
     .letter = 'i',                                                                                \
     .type = LEGACY_IGNORED,                                                                       \
     .help = "versions are always looked at"},                                                     \
        {.name = "no-reconnect",                                                                   \
         .letter = 'R',                                                                            \
         .type = LEGACY_IGNORED,                                                                   \
         .help = "it never did anything"},                                                         \
        {.name = "superuser",                                                                      \
         .letter = 'S',                                                                            \
         .type = LEGACY_IGNORED_VALUE,                                                             \
         .help = "psql runs a script as the role that it connects as"},                            \
        {.name = "no-lock", .type = LEGACY_IGNORED, .help = "no catalogue is ever locked"},        \
        {.name = "rsyncable", .type = LEGACY_IGNORED, .help = "what is compressed is one stream"}, \
        {.name = "oids",                                                                           \
         .letter = 'o',                                                                            \
         .type = LEGACY_REFUSED,                                                                   \
         .help = "no supported server has tables with oids",                                       \
         .hint = "Leave it out."},                                                                 \
        {.name = "encoding",                                                                       \
         .letter = 'E',                                                                            \
         .type = LEGACY_REFUSED,                                                                   \
         .help = "rows are always written in the database's own encoding",                         \
         .hint = "The script says which one it is: psql and the server convert where that is "     \
                 "needed."},                                                                       \
        {.name = "gp-catalog-skip",                                                                \
         .type = LEGACY_REFUSED,                                                                   \
         .help = "no agent ever knew it",                                                          \
         .hint = "Leave it out."},                                                                 \
        {.name = "incremental",                                                                    \
         .type = LEGACY_REFUSED,                                                                   \
         .help = "counters on the coordinator do not tell reliably what has changed",              \
         .hint = "Take a full dump, or a set with \"pgark backup\"."},                             \
        {.name = "incremental-filter",                                                             \
         .type = LEGACY_REFUSED,                                                                   \
         .help = "there is no --incremental",                                                      \
         .hint = "Use --table-file."},                                                             \
        DUMP_STORAGE_ROWS

/* Proprietary storage. */
#define DUMP_NO_SUCH_STORAGE(option)                                                               \
    {                                                                                              \
        .name = (option), .type = LEGACY_REFUSED, .help = "dumps go to directories only",          \
        .hint = "Name one by --gp-d; what is in it can be archived by any other program."          \
    }
#define DUMP_STORAGE_ROWS                                                                          \
    DUMP_NO_SUCH_STORAGE("netbackup-service-host"), DUMP_NO_SUCH_STORAGE("netbackup-policy"),      \
        DUMP_NO_SUCH_STORAGE("netbackup-schedule"), DUMP_NO_SUCH_STORAGE("netbackup-block-size"),  \
        DUMP_NO_SUCH_STORAGE("netbackup-keyword"), DUMP_NO_SUCH_STORAGE("ddboost"),                \
        DUMP_NO_SUCH_STORAGE("ddboost-storage-unit")

/* dump_options_exclusions: what excludes each other of these. */
#define DUMP_EXCLUSION_ROWS                                                                        \
    {.ids = {DUMP_DATA_ONLY, DUMP_SCHEMA_ONLY}}, {.ids = {DUMP_DATA_ONLY, DUMP_CLEAN}},            \
        {.ids = {DUMP_PASSWORD, DUMP_NO_PASSWORD}},                                                \
    {                                                                                              \
        .first_only = true, .ids = { DUMP_SCHEMA_ONLY, DUMP_INSERTS, DUMP_COLUMN_INSERTS }         \
    }

/* dump_options_apply fills selection, form, prefix and progress of a request. ERR_USAGE. */
bool dump_options_apply(void *ctx, const LegacyOptions *o, DumpRequest *r, Error *err) MUST_CHECK;

/* dump_options_gzip tells whether a program is to compress, whose value of --gp-c may be gzip or none. */
bool dump_options_gzip(const LegacyOptions *o, bool otherwise, bool *ret, Error *err) MUST_CHECK;

/* dump_options_fleet makes the fleet of one server that -h, -p, -U and the database name; of its coordinator, if
 * it is one. database NULL: libpq's environment. more may be NULL: --node and --fleet of the program. */
Fleet *dump_options_fleet(void *ctx, const LegacyOptions *o, const char *database,
                          const FleetRequest *more, Error *err);

/* dump_options_one names the files of a single server by the role and dbid of an agent's key. ERR_USAGE: there
 * are more servers. */
bool dump_options_one(DumpRequest *r, const DumpAgentKey *key, Error *err) MUST_CHECK;

/* dump_options_agents tells whether agents on the nodes' hosts do the work: as --agent says, or where it leaves that
 * open, when all nodes can start one (in database; NULL: in their own) and dir is a path that means something
 * there. ERR_USAGE. */
bool dump_options_agents(const LegacyOptions *o, const Fleet *fleet, const char *database,
                         const char *dir, bool *ret, Error *err) MUST_CHECK;

/* dump_options_segments reads "p" (*ret_count 0: all) or "i[2,3]", the value of the option id. ERR_USAGE. */
bool dump_options_segments(void *ctx, const LegacyOptions *o, int id, const int **ret,
                           size_t *ret_count, Error *err) MUST_CHECK;

/* dump_options_passed: what of the command line is about content, below ctx, for the report. */
char *dump_options_passed(void *ctx, const LegacyOptions *o);

#endif
