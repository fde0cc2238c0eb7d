/*
 * config/options.h - every option of every command, declared once.
 *
 * The table in option_table.c generates the parser, --help, the man pages and the shell
 * completions. Precedence: command line > environment (PGARK_*) > configuration file (--config
 * FILE, ini) > default. Where two options exclude each other, the one from the higher of these
 * places wins; both from the same place are an error.
 */
#ifndef PGARK_CONFIG_OPTIONS_H
#define PGARK_CONFIG_OPTIONS_H

#include "base/error.h"
#include "base/mem.h"

typedef enum Command
{
    CMD_NONE = 0,
    CMD_BACKUP = 1 << 0,
    CMD_RESTORE = 1 << 1,
    CMD_LIST = 1 << 2,
    CMD_SHOW = 1 << 3,
    CMD_VERIFY = 1 << 4,
    CMD_EXPIRE = 1 << 5,
    CMD_CHECK = 1 << 6,
    CMD_EXPORT = 1 << 7,
    CMD_CONFIG = 1 << 8,
    CMD_BASEBACKUP = 1 << 9,
    CMD_RECEIVE_WAL = 1 << 10,
    CMD_RESTORE_POINT = 1 << 11,
} Command;

typedef enum OptionId
{
    /* connection */
    OPT_DBNAME,      /* -d --dbname=CONNINFO */
    OPT_NODE,        /* --node=CONNINFO, repeated */
    OPT_FLEET,       /* --fleet=FILE */
    OPT_HOST_MAP,    /* --host-map=OLD=NEW, repeated */
    OPT_MAP,         /* --map=CONTENT=CONNINFO, repeated (restore) */
    OPT_AGENT_MAP,   /* --agent-map=CONTENT=CONNINFO, repeated (restore) */
    OPT_HOST,        /* -h */
    OPT_PORT,        /* -p */
    OPT_USERNAME,    /* -U */
    OPT_NO_PASSWORD, /* -w */
    OPT_PASSWORD,    /* -W: prompt */
    /* repository */
    OPT_REPO,   /* --repo=URI, env PGARK_REPO */
    OPT_KEY,    /* --key=KEY (backup) */
    OPT_PREFIX, /* --prefix=NAME, env PGARK_PREFIX */
    /* work */
    OPT_AGENT,       /* --agent[=yes|auto|no] (backup) */
    OPT_JOBS,        /* -j --jobs, 1..256, default 2, per node */
    OPT_COMPRESS,    /* -Z --compress, default zstd:1 */
    OPT_FORMAT,      /* --format=auto|text|binary */
    OPT_CHUNK_SIZE,  /* --chunk-size=SIZE (kB/MB/GB suffix), default 256MB, at least one block (8kB)
                      */
    OPT_CUT,         /* --cut=strict|barrier|none */
    OPT_RETRIES,     /* --retries=N */
    OPT_CUT_TIMEOUT, /* duration, default 30s */
    OPT_LOCK_WAIT_TIMEOUT, /* duration as pg_dump's (ms, or with unit), default 0: wait for ever */
    OPT_PG_DUMP,           /* --pg-dump=PATH */
    OPT_DRY_RUN,
    OPT_NO_SYNC,
    OPT_CREATE, /* -C */
    OPT_NO_ANALYZE,
    OPT_QUICK, /* verify */
    OPT_KEEP,  /* expire */
    OPT_KEEP_DAILY,
    OPT_KEEP_WEEKLY,
    OPT_KEEP_MONTHLY,
    OPT_OLDER_THAN, /* expire, days */
    OPT_ALL,        /* list */
    OPT_TABLES,     /* show: rows of the table list, default 20, 0 all */
    /* output */
    OPT_OUTPUT,     /* --output=text|json */
    OPT_PROGRESS,   /* --progress=auto|plain|json|none */
    OPT_QUIET,      /* -q */
    OPT_VERBOSE,    /* -v */
    OPT_LOG_FORMAT, /* --log-format=text|json */
    OPT_LOG_DIR,
    OPT_LOG_KEEP,     /* days */
    OPT_SYSLOG,       /* facility */
    OPT_HISTORY,      /* --history=repository|database, repeated (backup) */
    OPT_METRICS_FILE, /* backup */
    OPT_MAIL_TO,      /* repeated; backup, and the other OPT_MAIL_* */
    OPT_MAIL_ON,
    OPT_MAIL_FROM,
    OPT_MAIL_SERVER,
    OPT_MAIL_TLS,
    OPT_MAIL_CA_FILE,
    OPT_MAIL_USER,
    OPT_MAIL_PASSWORD_FILE,
    OPT_MAIL_TIMEOUT, /* duration */
    OPT_BEFORE,       /* backup, and the next three */
    OPT_AFTER,
    OPT_ON_FAILURE,
    OPT_HOOK_TIMEOUT, /* duration */
    OPT_NICE,
    OPT_IO_IDLE,
    OPT_RATE_LIMIT,       /* bytes per second and node (backup) */
    OPT_INCREMENTAL,      /* backup, and the next four */
    OPT_INCREMENTAL_FROM, /* --incremental-from=KEY */
    OPT_KEEP_PARTIAL,
    OPT_MIN_FREE, /* per cent */
    OPT_NO_SPACE_CHECK,
    OPT_VACUUM, /* --vacuum=before|after, repeated (backup) */
    OPT_CONFIG, /* --config=FILE */
    /* which objects */
    OPT_DATA_ONLY,   /* -a */
    OPT_SCHEMA_ONLY, /* -s */
    OPT_SECTION,     /* --section=pre-data|data|post-data, repeated */
    OPT_NO_DATA,
    OPT_NO_SCHEMA,
    OPT_LARGE_OBJECTS,    /* -b, also --blobs */
    OPT_NO_LARGE_OBJECTS, /* -B, also --no-blobs */
    OPT_SCHEMA,           /* -n; all of these to --table-file are repeated */
    OPT_EXCLUDE_SCHEMA,   /* -N */
    OPT_TABLE,            /* -t */
    OPT_EXCLUDE_TABLE,    /* -T */
    OPT_TABLE_AND_CHILDREN,
    OPT_EXCLUDE_TABLE_AND_CHILDREN,
    OPT_EXCLUDE_TABLE_DATA,
    OPT_EXCLUDE_TABLE_DATA_AND_CHILDREN,
    OPT_EXTENSION, /* -e, on restore without the letter */
    OPT_EXCLUDE_EXTENSION,
    OPT_INCLUDE_FOREIGN_DATA, /* backup */
    OPT_INDEX,                /* -I, restore and export */
    OPT_FUNCTION,             /* -P, likewise */
    OPT_TRIGGER,              /* likewise */
    OPT_TABLE_FILE,           /* the files are repeated, too */
    OPT_EXCLUDE_TABLE_FILE,
    OPT_SCHEMA_FILE,
    OPT_EXCLUDE_SCHEMA_FILE,
    OPT_FILTER,
    OPT_STRICT_NAMES,
    OPT_WITH_DEPENDENCIES, /* restore */
    OPT_NO_UNLOGGED_TABLE_DATA,
    OPT_NO_COMMENTS,
    OPT_NO_POLICIES,
    OPT_NO_PRIVILEGES, /* -x, also --no-acl */
    OPT_NO_PUBLICATIONS,
    OPT_NO_SECURITY_LABELS,
    OPT_NO_SUBSCRIPTIONS,
    /* how definitions are written and run */
    OPT_NO_OWNER, /* -O, restore and export */
    OPT_NO_TABLESPACES,
    OPT_NO_TABLE_ACCESS_METHOD,
    OPT_NO_TOAST_COMPRESSION,          /* backup */
    OPT_QUOTE_ALL_IDENTIFIERS,         /* backup */
    OPT_DISABLE_DOLLAR_QUOTING,        /* backup */
    OPT_USE_SET_SESSION_AUTHORIZATION, /* restore and export */
    OPT_TABLESPACE_MAP,                /* OLD=NEW, repeated (restore) */
    OPT_SCHEMA_MAP,                    /* OLD=NEW, repeated (restore) */
    OPT_ROLE,
    OPT_ENABLE_ROW_SECURITY,
    /* backup */
    OPT_ALL_DATABASES,
    OPT_FROM_DATABASE, /* restore, export: one database of a set of several */
    OPT_GLOBALS,       /* and restore */
    OPT_NO_ROLE_PASSWORDS,
    OPT_CONFIG_FILES,
    OPT_HOLD,   /* duration */
    OPT_RESUME, /* and restore */
    /* restore */
    OPT_CLEAN,     /* -c, and export */
    OPT_IF_EXISTS, /* and export */
    OPT_TRUNCATE,
    OPT_APPEND,
    OPT_KEEP_EXISTING,
    OPT_ON_ERROR,         /* --on-error=stop|continue, default stop */
    OPT_DISABLE_TRIGGERS, /* and export */
    OPT_LOAD_VIA_PARTITION_ROOT,
    OPT_DIRECT,
    OPT_NO_DIRECT,
    OPT_SHARD_COUNT, /* --shard-count=N */
    OPT_DISTRIBUTE,  /* --distribute=FILE */
    OPT_MEMORY,      /* bytes, 0 when not given */
    /* export */
    OPT_EXPORT_FORMAT,   /* -F --format=plain|directory */
    OPT_EXPORT_COMPRESS, /* -Z --compress */
    OPT_EXPORT_CREATE,   /* -C --create */
    OPT_FILE,            /* -f --file */
    OPT_CONTENT,         /* node of the set */
    OPT_INSERTS,
    OPT_COLUMN_INSERTS,
    OPT_ROWS_PER_INSERT,
    OPT_ON_CONFLICT_DO_NOTHING,
    /* physical backups */
    OPT_PHYSICAL,
    OPT_CHECKPOINT, /* --checkpoint=fast|spread */
    OPT_PART_SIZE,  /* bytes */
    OPT_BAD_PAGES,  /* --bad-pages=fail|warn|ignore */
    OPT_STANDBY,    /* restore */
    OPT_TARGET_NAME,
    OPT_TARGET_TIME,
    OPT_SLOT, /* receive-wal, and the next two */
    OPT_NO_LOOP,
    OPT_SKIP_GAP,
    /* basebackup */
    OPT_PGDATA,              /* -D */
    OPT_BASE_FORMAT,         /* -F --format */
    OPT_WAL_METHOD,          /* -X */
    OPT_BASE_CHECKPOINT,     /* -c --checkpoint */
    OPT_LABEL,               /* -l */
    OPT_WRITE_RECOVERY_CONF, /* -R */
    OPT_BASE_SLOT,           /* -S --slot */
    OPT_CREATE_SLOT,         /* -C */
    OPT_NO_SLOT,
    OPT_BASE_PROGRESS,    /* -P --progress */
    OPT_MAX_RATE,         /* -r */
    OPT_BASE_COMPRESS,    /* -Z --compress */
    OPT_BASE_GZIP,        /* -z */
    OPT_BASE_INCREMENTAL, /* -i --incremental */
    OPT_MANIFEST_CHECKSUMS,
    OPT_MANIFEST_FORCE_ENCODE,
    OPT_NO_MANIFEST,
    OPT_NO_ESTIMATE_SIZE,
    OPT_STATUS_INTERVAL, /* -s; seconds */
    OPT_NO_VERIFY_CHECKSUMS,
    OPT_TABLESPACE_MAPPING, /* -T */
    OPT_WALDIR,
    OPT_NO_CLEAN, /* -n */
    /* answered by options_parse itself */
    OPT_HELP,       /* -? --help */
    OPT_VERSION,    /* -V --version */
    OPT_COMPLETION, /* --completion=SHELL */
    OPT_MAN_PAGES,  /* --man-pages=DIR */
    OPT_COUNT
} OptionId;

typedef struct Options Options;

/* What the command line asked for besides running a command. */
typedef enum OptionsAction
{
    OPTIONS_RUN,
    OPTIONS_DONE,     /* help or version was printed: exit 0 */
    OPTIONS_DOCUMENT, /* OPT_COMPLETION or OPT_MAN_PAGES says what is to be written */
} OptionsAction;

/* options_parse reads "pgark COMMAND [KEY|CONNINFO] [OPTION]...", the environment and the
 * configuration file, checks types, ranges, option against command, options that exclude each other
 * or need each other. Options and the key may come in any order; "--" ends options. --help (-?) and
 * --version (-V) print to stdout. Any mistake: ERR_USAGE with a hint (nearest option name when one
 * is close). Below ctx. */
Options *options_parse(void *ctx, int argc, char **argv, OptionsAction *ret_action, Error *err);

Command options_command(const Options *o);

/* options_fleet_name: NAME, where --fleet names a section [fleet NAME] of the configuration file: its servers are
 * the values of OPT_NODE or OPT_DBNAME then, and OPT_FLEET has none. Else NULL. */
const char *options_fleet_name(const Options *o);

/* options_in_force tells what command would go by with the environment, configuration file and fleet of o:
 * every option that has a value, with *** for what may hold a password, and where it comes from ("default",
 * "PGARK_JOBS", "pgark.conf, line 3"). Below ctx. ERR_USAGE as of options_parse. */
typedef struct OptionInForce
{
    const char *name;
    const char *value;
    const char *origin;
} OptionInForce;
bool options_in_force(const Options *o, void *ctx, Command command, OptionInForce **ret,
                      size_t *ret_count, Error *err) MUST_CHECK;

/* options_command_at: the i-th command in the order of the help, CMD_NONE behind the last. */
Command options_command_at(size_t i);
const char *options_command_word(Command command); /* "backup"; "" for CMD_NONE */

/* options_key: the positional KEY ("latest" or 14 digits), or the COMMAND of config show; NULL: none. The
 * positional CONNINFO of backup and check is OPT_DBNAME. */
const char *options_key(const Options *o);

/* Getters: the value in force. Strings live with o; a duration is in ms, a size in bytes;
 * options_string gives a number (--port) as it was written. With --quiet the value of OPT_PROGRESS
 * is "none". */
const char *options_name(OptionId id);             /* without the dashes */
bool options_is_flag(OptionId id);                 /* it takes no value */
bool options_given(const Options *o, OptionId id); /* not only a default */
bool options_flag(const Options *o, OptionId id);
int64_t options_int(const Options *o, OptionId id);
const char *options_string(const Options *o, OptionId id); /* NULL when not given and no default */
const char *const *options_list(const Options *o, OptionId id, size_t *ret_count);

/* options_describe lists, below ctx, what differs from the defaults and where each value came from,
 * "jobs=4 (PGARK_JOBS), dbname=*** (--dbname)", without anything that may hold a password. */
char *options_describe(const Options *o, void *ctx);

/* options_write_man writes one man page per command into dir (pgark.1, pgark-backup.1 ...);
 * options_write_completion prints a bash or zsh completion script. ERR_USAGE. */
bool options_write_man(const char *dir, Error *err);

/* Other programs that the script completes, too. */
typedef struct CompletionMore
{
    const char *names;    /* with blanks between them */
    const char *function; /* that completes them; it knows by which name it is called */
    void (*write)(const char *shell, FILE *out); /* defines it */
} CompletionMore;
/* more may be NULL. */
bool options_write_completion(const char *shell, const CompletionMore *more, FILE *out, Error *err);

/* option_map_parse splits a value of an option of that name, "CONTENT=CONNINFO": ret_conninfo points into text.
 * ERR_USAGE when CONTENT is not a number from -1 (a coordinator) to OPTION_CONTENT_MAX or CONNINFO is empty; the
 * message does not repeat CONNINFO, which may hold a password. */
#define OPTION_CONTENT_MAX 4095
bool option_map_parse(const char *name, const char *text, int *ret_content,
                      const char **ret_conninfo, Error *err) MUST_CHECK;

/* option_size_parse: "8kB", "16MB", "1GB", "4096" -> bytes; option_duration_parse: "500ms", "30s",
 * "2min", "1h", "1500" (ms) -> ms. ERR_USAGE otherwise, also on overflow. */
bool option_size_parse(const char *text, uint64_t *ret_bytes, Error *err) MUST_CHECK;
bool option_duration_parse(const char *text, int64_t *ret_ms, Error *err) MUST_CHECK;

#endif
