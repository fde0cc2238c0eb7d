/* config/command_table.c - every command, once; the contract is in command_table.h. */
#include "config/command_table.h"

#include "base/str.h"

static const CommandSpec commands[] = {
    {
        .command = CMD_BACKUP,
        .name = "backup",
        .positional = POSITIONAL_CONNINFO,
        .synopsis = "[OPTION]... [CONNINFO]",
        .summary = "take one consistent backup of a server or a fleet",
        .about = "All nodes are locked, caught at one proven instant and dumped in parallel into a "
                 "new set of the repository. A set becomes visible when it is complete, or never.\n"
                 "CONNINFO is the same as --dbname=CONNINFO. Without it, --node and --fleet, "
                 "libpq's environment names the server.",
        .examples =
            {
                {"one database, four jobs", "pgark backup -d shop --repo /srv/backup -j4"},
                {"three servers, one instant",
                 "pgark backup --node \"host=db0 dbname=shop\" --node \"host=db1 dbname=shop\" \\\n"
                 "    --node \"host=db2 dbname=shop\" --repo /srv/backup"},
                {"what would it take?", "pgark backup --fleet shop.conf --dry-run"},
            },
    },
    {
        .command = CMD_RESTORE,
        .name = "restore",
        .positional = POSITIONAL_KEY,
        .synopsis = "KEY|latest [OPTION]...",
        .summary = "load a set into a server or a fleet",
        .about =
            "KEY is one that \"pgark list\" shows; latest names the newest set. Nothing is "
            "loaded whose checksum is wrong. A whole set wants an empty database; a part of one "
            "goes into any where it is not in the way.",
        .examples =
            {
                {"into a new database", "pgark restore latest --repo /srv/backup -d \"host=new "
                                        "dbname=shop\" --create -j4"},
                {"a fleet of two",
                 "pgark restore 20261120231502 --repo /srv/backup \\\n"
                 "    --map \"0=host=db0 dbname=shop\" --map \"1=host=db1 dbname=shop\" --create"},
                {"a server's directory on another host",
                 "pgark restore latest --physical --repo /mnt/backup --map 0=/srv/pg \\\n"
                 "    --agent-map 0=host=new0"},
            },
    },
    {
        .command = CMD_EXPORT,
        .name = "export",
        .positional = POSITIONAL_KEY,
        .synopsis = "KEY|latest [OPTION]...",
        .summary = "write a set as SQL or as an archive that pg_restore reads",
        .about = "No server is needed. --format=plain writes one script for psql, to --file or to "
                 "stdout; --format=directory an archive for pg_restore, which can list it (-l), "
                 "restore chosen entries (-L), or make any other output of it.\n"
                 "Every row is checked on its way, as in a restore. A set of several nodes is "
                 "written one node at a time, which --content names.",
        .examples =
            {
                {"a compressed script", "pgark export latest --repo /srv/backup -f shop.sql.zst"},
                {"one schema for pg_restore", "pgark export latest --repo /srv/backup -n app "
                                              "--format=directory -f app.dir"},
            },
    },
    {
        .command = CMD_LIST,
        .name = "list",
        .positional = POSITIONAL_NONE,
        .synopsis = "[OPTION]...",
        .summary = "list the sets of a repository",
        .about =
            "One line for each finished set, the oldest first; with --prefix those of that series.",
        .examples =
            {
                {"for people", "pgark list --repo /srv/backup"},
                {"for programs", "pgark list --repo /srv/backup --output=json"},
            },
    },
    {
        .command = CMD_SHOW,
        .name = "show",
        .positional = POSITIONAL_KEY,
        .synopsis = "KEY|latest [OPTION]...",
        .summary = "show what a set holds",
        .about = "Its nodes, its cut, and its tables with their sizes and rates.",
        .examples = {{"the newest set, all tables",
                      "pgark show latest --repo /srv/backup --tables=0"}},
    },
    {
        .command = CMD_VERIFY,
        .name = "verify",
        .positional = POSITIONAL_KEY,
        .synopsis = "KEY|latest [OPTION]...",
        .summary = "prove that a set can be read back",
        .about = "Every object is read, decompressed and compared with the manifest: its length, "
                 "its checksums and its number of rows. No server is needed.",
        .examples =
            {
                {"everything", "pgark verify latest --repo /srv/backup -j4"},
                {"in seconds", "pgark verify latest --repo /srv/backup --quick"},
            },
    },
    {
        .command = CMD_EXPIRE,
        .name = "expire",
        .positional = POSITIONAL_NONE,
        .synopsis = "--keep[-daily|-weekly|-monthly]=N | --older-than=DAYS [OPTION]...",
        .summary = "remove old and unfinished sets",
        .about =
            "Removes the finished sets that no given rule keeps, and unfinished ones that no "
            "running backup owns. A rule is applied to each fleet, database and series (--prefix) "
            "by itself, and to sets of everything apart from those that hold a part. The newest of "
            "each of these always stays. Without --prefix, all series are looked at.",
        .examples =
            {
                {"a fortnight", "pgark expire --repo /srv/backup --keep 14"},
                {"a week of days, a month of weeks, a year of months",
                 "pgark expire --repo /srv/backup --keep-daily 7 --keep-weekly 4 --keep-monthly "
                 "12"},
                {"look first", "pgark expire --repo /srv/backup --older-than 30 --dry-run"},
            },
    },
    {
        .command = CMD_RECEIVE_WAL,
        .name = "receive-wal",
        .positional = POSITIONAL_CONNINFO,
        .synopsis = "[OPTION]... [CONNINFO]",
        .summary = "receive the WAL of all nodes into a repository, until it is ended",
        .about =
            "With it, physical sets can be restored to any time or restore point that comes behind "
            "them. "
            "Segments are proven, compressed and durable before a server may forget them; a "
            "permanent replication slot keeps what is not received yet, through any interruption. "
            "Lost connections, restarts and new timelines are followed; WAL that is "
            "missing is an error. A signal (SIGTERM, SIGINT) is how it ends, with exit status 0.\n"
            "CONNINFO is the same as --dbname=CONNINFO.",
        .examples =
            {
                {"three servers",
                 "pgark receive-wal --repo /srv/backup --node \"host=db0 dbname=shop\" \\\n"
                 "    --node \"host=db1 dbname=shop\" --node \"host=db2 dbname=shop\""},
            },
    },
    {
        .command = CMD_RESTORE_POINT,
        .name = "restore-point",
        .positional = POSITIONAL_POINT,
        .synopsis = "NAME [OPTION]...",
        .summary = "make a restore point of one instant on all nodes",
        .about = "The nodes' writers wait for a moment, as at the end of a physical backup. The "
                 "point is noted in "
                 "the repository; \"pgark restore --physical --target-name=NAME\" brings all nodes "
                 "back to it, where "
                 "receive-wal has received their WAL.",
        .examples =
            {
                {"before an upgrade",
                 "pgark restore-point before_upgrade --fleet shop.conf --repo /srv/backup"},
            },
    },
    {
        .command = CMD_CHECK,
        .name = "check",
        .positional = POSITIONAL_CONNINFO,
        .synopsis = "[OPTION]... [CONNINFO]",
        .summary = "tell whether a backup would work",
        .about = "Connects to every node and reports versions, privileges, free connections, room "
                 "for locks, the clocks, pg_dump, and the repository if one is given.\n"
                 "CONNINFO is the same as --dbname=CONNINFO. Without it, --node and --fleet, "
                 "libpq's environment names the server. The exit status is 0 when all is ready, 2 "
                 "with warnings, 1 when a backup would fail.",
        .examples =
            {
                {"a fleet and its repository",
                 "pgark check --fleet shop.conf --repo /srv/backup -j4"},
            },
    },
    {
        .command = CMD_BASEBACKUP,
        .name = "basebackup",
        .positional = POSITIONAL_CONNINFO,
        .synopsis = "-D DIRECTORY [OPTION]... [CONNINFO]",
        .summary = "copy a whole server into a directory",
        .about =
            "What pg_basebackup does, with its options: a base backup of one server as a data "
            "directory, or as tar archives, without a repository. The role needs REPLICATION.\n"
            "The directory must be empty or not there. After a failure it is again. Every file is "
            "compared with the server's manifest when it has come.",
        .examples =
            {
                {"a data directory", "pgark basebackup -d \"host=db0\" -D /srv/copy -P"},
                {"a standby", "pgark basebackup -d \"host=db0\" -D /srv/standby -R -C -S standby1"},
                {"compressed archives",
                 "pgark basebackup -d \"host=db0\" -D /srv/archive -F tar -Z zstd:3"},
            },
    },
    {
        .command = CMD_CONFIG,
        .name = "config",
        .positional = POSITIONAL_SHOW,
        .synopsis = "show [COMMAND] [OPTION]...",
        .summary = "tell which values are in force, and where they come from",
        .about =
            "For COMMAND, or for all of them: every option that has a value without one on the "
            "command line - from the environment, from the configuration file, with its line, or "
            "by "
            "default. What may hold a password is shown as ***.",
        .examples =
            {
                {"what would backup go by?", "pgark config show backup --config pgark.conf"},
                {"with the servers of a fleet",
                 "pgark config show --config pgark.conf --fleet shop --output=json"},
            },
    },
};

const char *command_table_about(void)
{
    return "pgark takes one consistent backup of a PostgreSQL server or of a whole fleet of "
           "servers, in parallel on every node and inside every big table, and restores it.";
}

const CommandSpec *command_table_at(size_t i)
{
    return i < LENGTH_OF(commands) ? &commands[i] : NULL;
}

const CommandSpec *command_table_get(Command command)
{
    for (size_t i = 0; i < LENGTH_OF(commands); i++)
    {
        if (commands[i].command == command)
            return &commands[i];
    }
    return NULL;
}

const CommandSpec *command_table_by_name(const char *name)
{
    for (size_t i = 0; i < LENGTH_OF(commands); i++)
    {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

char *command_table_names(void *ctx, unsigned mask)
{
    Str *s = str_new(ctx);
    unsigned left = mask & CMD_ALL;
    for (size_t i = 0; i < LENGTH_OF(commands); i++)
    {
        if ((left & commands[i].command) == 0)
            continue;
        left &= ~(unsigned) commands[i].command;
        if (s->len > 0)
            str_add(s, left == 0 ? " and " : ", ");
        str_add(s, commands[i].name);
    }
    return s->data;
}
