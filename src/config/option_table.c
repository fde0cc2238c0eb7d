/* config/option_table.c - every option, once; the meaning of the columns is in option_table.h. */
#include "config/option_table.h"

#include "base/str.h"

#define SOURCES ((unsigned) (CMD_BACKUP | CMD_CHECK))
#define SERVERS (SOURCES | CMD_RESTORE)
#define KB      INT64_C(1024)
#define TB      (KB * KB * KB * KB)

/* The servers that restore writes to come from the command line only, never from a file that was
 * written with backups in mind: that is why file_commands is SOURCES where commands is SERVERS. */
static const OptionSpec table[] = {
    {
        .id = OPT_DBNAME,
        .name = "dbname",
        .short_name = 'd',
        .type = OPTION_STRING,
        .group = GROUP_CONNECTION,
        .secret = true,
        .commands = SERVERS,
        .file_commands = SOURCES,
        .arg = "CONNINFO",
        .help = "the database: a name, key=value pairs or a URI",
        .more = "Anything that libpq takes as a connection string. What it leaves open comes from "
                "libpq's environment (PGHOST, PGPORT, PGSERVICE and so on), its service file and "
                "its password file. Without --dbname, --node and --fleet the environment alone "
                "names the server; restore wants its target named.",
    },
    {
        .id = OPT_NODE,
        .name = "node",
        .type = OPTION_LIST,
        .group = GROUP_CONNECTION,
        .secret = true,
        .commands = SOURCES,
        .file_commands = SOURCES,
        .arg = "CONNINFO",
        .help = "one server of a fleet, repeated; the first is node 0",
        .more = "The nodes get the content ids 0, 1, 2 and so on, in the order in which they are "
                "given. One cut goes through all of them.",
    },
    {
        .id = OPT_FLEET,
        .name = "fleet",
        .type = OPTION_FILE,
        .group = GROUP_CONNECTION,
        .commands = SOURCES,
        .file_commands = SOURCES,
        .env = "PGARK_FLEET",
        .arg = "FILE",
        .help = "ini file that names the nodes of a fleet",
        .more = "A section [fleet] may hold name and topology (auto, single or shards); one "
                "section [node N] for each node, numbered from 0, holds its conninfo.",
    },
    {
        .id = OPT_MAP,
        .name = "map",
        .type = OPTION_LIST,
        .group = GROUP_CONNECTION,
        .secret = true,
        .commands = CMD_RESTORE,
        .arg = "CONTENT=CONNINFO",
        .help = "where a node of the set goes, repeated for each node",
        .more = "CONTENT is the node's number in the set, as \"pgark show\" prints it. Every node "
                "of the set needs a target of its own.",
    },
    {
        .id = OPT_HOST,
        .name = "host",
        .short_name = 'h',
        .type = OPTION_STRING,
        .group = GROUP_CONNECTION,
        .commands = SERVERS,
        .file_commands = SOURCES,
        .arg = "HOST",
        .help = "server host or socket directory",
    },
    {
        .id = OPT_PORT,
        .name = "port",
        .short_name = 'p',
        .type = OPTION_INT,
        .group = GROUP_CONNECTION,
        .commands = SERVERS,
        .file_commands = SOURCES,
        .min = 1,
        .max = 65535,
        .range = "1 to 65535",
        .arg = "PORT",
        .help = "server port",
    },
    {
        .id = OPT_USERNAME,
        .name = "username",
        .short_name = 'U',
        .type = OPTION_STRING,
        .group = GROUP_CONNECTION,
        .commands = SERVERS,
        .file_commands = SOURCES,
        .arg = "NAME",
        .help = "role to connect as",
    },
    {
        .id = OPT_NO_PASSWORD,
        .name = "no-password",
        .short_name = 'w',
        .type = OPTION_FLAG,
        .group = GROUP_CONNECTION,
        .commands = SERVERS,
        .file_commands = SERVERS,
        .help = "never ask for a password",
    },
    {
        .id = OPT_PASSWORD,
        .name = "password",
        .short_name = 'W',
        .type = OPTION_FLAG,
        .group = GROUP_CONNECTION,
        .commands = SERVERS,
        .help = "ask for the password before connecting",
        .more = "The password itself is never an option: it would be visible in the list of "
                "processes. Use libpq's password file or PGPASSWORD for runs without a terminal.",
    },

    {
        .id = OPT_REPO,
        .name = "repo",
        .type = OPTION_FILE,
        .group = GROUP_REPOSITORY,
        .commands = CMD_ALL,
        .file_commands = CMD_ALL,
        .env = "PGARK_REPO",
        .arg = "URI",
        .help = "the repository: a directory or file:///PATH",
        .more = "The first backup makes it where the directory is missing or empty. check and "
                "backup --dry-run go without one.",
    },
    {
        .id = OPT_KEY,
        .name = "key",
        .type = OPTION_STRING,
        .group = GROUP_REPOSITORY,
        .commands = CMD_BACKUP,
        .arg = "KEY",
        .help = "key of the new set, YYYYMMDDHHMMSS (default: now, in UTC)",
        .more = "A key that is taken is an error; one that pgark chooses itself moves on to the "
                "next free second.",
    },
    {
        .id = OPT_NO_SYNC,
        .name = "no-sync",
        .type = OPTION_FLAG,
        .group = GROUP_REPOSITORY,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .help = "do not wait until the set is on disk",
        .more = "The set may be incomplete after a crash of the repository's host. For tests.",
    },

    {
        .id = OPT_COMPRESS,
        .name = "compress",
        .short_name = 'Z',
        .type = OPTION_STRING,
        .group = GROUP_CONTENT,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .env = "PGARK_COMPRESS",
        .initial = "zstd:1",
        .words = "zstd|lz4|gzip|none",
        .arg = "METHOD",
        .help = "compression, with :LEVEL",
        .more = "A level follows a colon, as in zstd:3. Levels: zstd 1 to 22, lz4 1 to 12, gzip 1 "
                "to 9.",
    },
    {
        .id = OPT_FORMAT,
        .name = "format",
        .type = OPTION_WORD,
        .group = GROUP_CONTENT,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .env = "PGARK_FORMAT",
        .initial = "auto",
        .words = "auto|text|binary",
        .arg = "FORMAT",
        .help = "how rows are stored",
        .more = "auto stores a table in COPY's binary format, which is faster, where all its "
                "column types allow to load it into another database, and as text elsewhere.",
    },
    {
        .id = OPT_CHUNK_SIZE,
        .name = "chunk-size",
        .type = OPTION_SIZE,
        .group = GROUP_CONTENT,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .env = "PGARK_CHUNK_SIZE",
        .initial = "256MB",
        .min = 8 * KB,
        .max = TB,
        .range = "8kB to 1TB",
        .arg = "SIZE",
        .help = "split larger tables into chunks of this size",
        .more = "Chunks of one table are dumped and restored in parallel. Units: B, kB, MB, GB "
                "and TB, in powers of 1024.",
    },
    {
        .id = OPT_DRY_RUN,
        .name = "dry-run",
        .type = OPTION_FLAG,
        .group = GROUP_CONTENT,
        .commands = CMD_BACKUP | CMD_EXPIRE,
        .help = "print what would be done, change nothing",
    },
    {
        .id = OPT_CREATE,
        .name = "create",
        .short_name = 'C',
        .type = OPTION_FLAG,
        .group = GROUP_CONTENT,
        .commands = CMD_RESTORE,
        .help = "create the database, as it was at the source",
        .more = "The new database gets the encoding, locale, owner and settings of the source, "
                "and the name that CONNINFO gives. If it gives none, or postgres or template1, "
                "it gets the name that it had in the set. Without --create the database must "
                "exist and be empty.",
    },
    {
        .id = OPT_NO_ANALYZE,
        .name = "no-analyze",
        .type = OPTION_FLAG,
        .group = GROUP_CONTENT,
        .commands = CMD_RESTORE,
        .file_commands = CMD_RESTORE,
        .help = "leave out the final ANALYZE",
    },
    {
        .id = OPT_QUICK,
        .name = "quick",
        .type = OPTION_FLAG,
        .group = GROUP_CONTENT,
        .commands = CMD_VERIFY,
        .help = "look at presence and size of objects only",
    },
    {
        .id = OPT_KEEP,
        .name = "keep",
        .type = OPTION_INT,
        .group = GROUP_CONTENT,
        .commands = CMD_EXPIRE,
        .file_commands = CMD_EXPIRE,
        .min = 1,
        .max = 100000,
        .range = "1 to 100000",
        .arg = "N",
        .help = "keep the newest N sets of each fleet",
    },
    {
        .id = OPT_OLDER_THAN,
        .name = "older-than",
        .type = OPTION_INT,
        .group = GROUP_CONTENT,
        .commands = CMD_EXPIRE,
        .file_commands = CMD_EXPIRE,
        .min = 1,
        .max = 36500,
        .range = "1 to 36500",
        .arg = "DAYS",
        .help = "remove sets older than this many days",
        .more = "The newest finished set of a fleet always stays, however old it is.",
    },
    {
        .id = OPT_ALL,
        .name = "all",
        .type = OPTION_FLAG,
        .group = GROUP_CONTENT,
        .commands = CMD_LIST,
        .help = "show unfinished sets too",
    },
    {
        .id = OPT_TABLES,
        .name = "tables",
        .type = OPTION_INT,
        .group = GROUP_CONTENT,
        .commands = CMD_SHOW,
        .file_commands = CMD_SHOW,
        .env = "PGARK_TABLES",
        .initial = "20",
        .max = 10000000,
        .range = "0 to 10000000",
        .arg = "N",
        .help = "how many tables to list, the largest first; 0: all",
    },

    {
        .id = OPT_CUT,
        .name = "cut",
        .type = OPTION_WORD,
        .group = GROUP_CUT,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .env = "PGARK_CUT",
        .initial = "strict",
        .words = "strict|barrier|none",
        .arg = "METHOD",
        .help = "how one instant is found",
        .more = "strict proves that there was an instant at which the snapshots of all nodes were "
                "current, without holding up any writer if it can, with every two-phase commit "
                "whole. barrier holds up writers for a moment, so that no transaction that writes "
                "is open on any node at the cut. none takes snapshots only; a fleet of several "
                "nodes may then be inconsistent.",
    },
    {
        .id = OPT_CUT_TIMEOUT,
        .name = "cut-timeout",
        .type = OPTION_DURATION,
        .group = GROUP_CUT,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .env = "PGARK_CUT_TIMEOUT",
        .initial = "30s",
        .min = 1,
        .max = INT64_C(24) * 3600 * 1000,
        .range = "1ms to 24h",
        .arg = "TIME",
        .help = "give up when no cut is proven within this time",
        .more = "Units: ms, s, min, h and d; a bare number is milliseconds.",
    },
    {
        .id = OPT_LOCK_WAIT_TIMEOUT,
        .name = "lock-wait-timeout",
        .type = OPTION_DURATION,
        .group = GROUP_CUT,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .env = "PGARK_LOCK_WAIT_TIMEOUT",
        .initial = "0",
        .max = INT64_C(24) * 24 * 3600 * 1000,
        .range = "0 to 24d",
        .arg = "TIME",
        .help = "give up locking tables after this time; 0: never",
        .more = "Units: ms, s, min, h and d; a bare number is milliseconds.",
    },

    {
        .id = OPT_JOBS,
        .name = "jobs",
        .short_name = 'j',
        .type = OPTION_INT,
        .group = GROUP_WORK,
        .commands = SERVERS | CMD_VERIFY,
        .file_commands = SERVERS | CMD_VERIFY,
        .env = "PGARK_JOBS",
        .initial = "2",
        .min = 1,
        .max = 256,
        .range = "1 to 256",
        .arg = "N",
        .help = "parallel jobs on each node",
        .more = "backup needs N+4 connections to each node. verify has no nodes: N threads.",
    },
    {
        .id = OPT_PG_DUMP,
        .name = "pg-dump",
        .type = OPTION_FILE,
        .group = GROUP_WORK,
        .commands = SOURCES,
        .file_commands = SOURCES,
        .env = "PGARK_PG_DUMP",
        .arg = "PATH",
        .help = "the pg_dump program that reads the schema",
        .more = "It must not be older than the server. By default that of the server's own version "
                "where "
                "its packages put it, else the one found in PATH.",
    },

    {
        .id = OPT_OUTPUT,
        .name = "output",
        .type = OPTION_WORD,
        .group = GROUP_OUTPUT,
        .commands = CMD_ALL,
        .file_commands = CMD_ALL,
        .env = "PGARK_OUTPUT",
        .initial = "text",
        .words = "text|json",
        .arg = "FORMAT",
        .help = "result on stdout",
        .more = "With json it is exactly one JSON document.",
    },
    {
        .id = OPT_PROGRESS,
        .name = "progress",
        .type = OPTION_WORD,
        .group = GROUP_OUTPUT,
        .commands = CMD_BACKUP | CMD_RESTORE | CMD_VERIFY,
        .file_commands = CMD_BACKUP | CMD_RESTORE | CMD_VERIFY,
        .env = "PGARK_PROGRESS",
        .initial = "auto",
        .words = "auto|plain|json|none",
        .arg = "KIND",
        .help = "progress on stderr",
        .more = "auto is a live view on a terminal and plain lines elsewhere.",
    },
    {
        .id = OPT_QUIET,
        .name = "quiet",
        .short_name = 'q',
        .type = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .commands = CMD_ALL,
        .file_commands = CMD_ALL,
        .help = "only warnings and errors",
    },
    {
        .id = OPT_VERBOSE,
        .name = "verbose",
        .short_name = 'v',
        .type = OPTION_FLAG,
        .group = GROUP_OUTPUT,
        .commands = CMD_ALL,
        .file_commands = CMD_ALL,
        .help = "say more about what is done",
    },
    {
        .id = OPT_LOG_FORMAT,
        .name = "log-format",
        .type = OPTION_WORD,
        .group = GROUP_OUTPUT,
        .commands = CMD_ALL,
        .file_commands = CMD_ALL,
        .env = "PGARK_LOG_FORMAT",
        .initial = "text",
        .words = "text|json",
        .arg = "FORMAT",
        .help = "messages on stderr",
        .more = "With json every message is one JSON object on a line of its own.",
    },

    {
        .id = OPT_CONFIG,
        .name = "config",
        .type = OPTION_FILE,
        .group = GROUP_GENERAL,
        .commands = CMD_ALL,
        .env = "PGARK_CONFIG",
        .arg = "FILE",
        .help = "ini file with defaults for options",
        .more = "See FILES in pgark(1).",
    },
    {
        .id = OPT_HELP,
        .name = "help",
        .short_name = '?',
        .type = OPTION_FLAG,
        .group = GROUP_GENERAL,
        .commands = CMD_ALL | CMD_TOP,
        .help = "print this help and exit",
    },
    {
        .id = OPT_VERSION,
        .name = "version",
        .short_name = 'V',
        .type = OPTION_FLAG,
        .group = GROUP_GENERAL,
        .commands = CMD_ALL | CMD_TOP,
        .help = "print the version and exit",
    },
    {
        .id = OPT_COMPLETION,
        .name = "completion",
        .type = OPTION_WORD,
        .group = GROUP_GENERAL,
        .commands = CMD_TOP,
        .words = "bash|zsh",
        .arg = "SHELL",
        .help = "print a completion script and exit",
        .more = "For bash: source <(pgark --completion bash). For zsh: write it to a file _pgark "
                "in a directory of fpath.",
    },
    {
        .id = OPT_MAN_PAGES,
        .name = "man-pages",
        .type = OPTION_FILE,
        .group = GROUP_GENERAL,
        .commands = CMD_TOP,
        .arg = "DIR",
        .help = "write the manual pages into DIR and exit",
    },
};

static const char *const group_names[GROUP_COUNT] = {
    [GROUP_CONNECTION] = "Servers",
    [GROUP_REPOSITORY] = "Repository",
    [GROUP_CONTENT] = "What is done",
    [GROUP_CUT] = "Locks and the consistent cut",
    [GROUP_WORK] = "Work",
    [GROUP_OUTPUT] = "Output",
    [GROUP_GENERAL] = "General",
};

const OptionSpec *option_table_at(size_t i)
{
    return i < LENGTH_OF(table) ? &table[i] : NULL;
}

const OptionSpec *option_table_get(OptionId id)
{
    for (size_t i = 0; i < LENGTH_OF(table); i++)
    {
        if (table[i].id == id)
            return &table[i];
    }
    return NULL;
}

const OptionSpec *option_table_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < LENGTH_OF(table); i++)
    {
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return &table[i];
    }
    return NULL;
}

const OptionSpec *option_table_by_short(char c)
{
    for (size_t i = 0; i < LENGTH_OF(table); i++)
    {
        if (c != '\0' && table[i].short_name == c)
            return &table[i];
    }
    return NULL;
}

const char *option_table_group(OptionGroup group)
{
    return group_names[group];
}

size_t option_table_word(const char **cursor, const char **ret_word)
{
    size_t len = strcspn(*cursor, "|");
    *ret_word = *cursor;
    *cursor = (*cursor)[len] == '|' ? *cursor + len + 1 : NULL;
    return len;
}

char *option_table_words(void *ctx, const char *words)
{
    Str *s = str_new(ctx);
    while (words != NULL)
    {
        const char *word = NULL;
        size_t len = option_table_word(&words, &word);
        if (s->len > 0)
            str_add(s, words == NULL ? " or " : ", ");
        str_addn(s, word, len);
    }
    return s->data;
}
