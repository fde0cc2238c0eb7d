/* config/option_refused.c - options of other programs; the contract is in option_refused.h. */
#include "config/option_refused.h"

#define COPIES   ((unsigned) CMD_BASEBACKUP)
#define FILTERED ((unsigned) (CMD_BACKUP | CMD_RESTORE | CMD_EXPORT))
#define TARGETS  ((unsigned) (CMD_RESTORE | CMD_EXPORT))
#define STATS    "planner statistics are not part of a set"
#define ANALYZE  "A restore ends with ANALYZE, which makes them anew."

/* Some stand here twice, because the reason differs from command to command. */
static const OptionRefused table[] = {
    {"agent", 0, CMD_RESTORE, "agents restore where a set's nodes lie apart, and are not chosen",
     "With --physical, --agent-map names the servers through which directories are made."},
    {"binary-upgrade", 0, FILTERED, "it is for pg_upgrade only",
     "Use pg_upgrade to upgrade a server in place."},
    {"encoding", 'E', FILTERED, "a set is stored in the database's own encoding",
     "Set PGCLIENTENCODING for the psql that reads an export."},
    {"exit-on-error", 'e', CMD_RESTORE, "to stop at the first error is the default",
     "Leave it out, or see --on-error; extensions are chosen by --extension."},
    {"extra-float-digits", 0, FILTERED, "floating-point numbers are always stored exactly",
     "Leave it out."},
    {"file", 'f', CMD_BACKUP, "a backup goes into a repository",
     "Name it by --repo; \"pgark export -f FILE\" writes a file."},
    {"file", 'f', CMD_RESTORE, "a restore writes to a server",
     "\"pgark export -f FILE\" writes SQL or an archive."},
    {NULL, 'F', CMD_BACKUP, "a set has a format of its own",
     "--format=auto, text or binary says how rows are stored; \"pgark export\" writes what pg_dump "
     "would."},
    {"format", 'F', CMD_RESTORE, "a set says itself how it is stored", "Leave it out."},
    {"list", 'l', TARGETS, "a set has no list to be edited",
     "\"pgark show\" lists tables; for a list of all entries use \"pgark export "
     "--format=directory\" and pg_restore -l."},
    {"no-data-for-failed-tables", 0, TARGETS, "rows never go into a table that could not be made",
     "Leave it out; what --on-error=continue goes on with is listed at the end."},
    {"no-owner", 'O', CMD_BACKUP, "a set always holds the owners", "Give -O to restore or export."},
    {"no-reconnect", 'R', FILTERED, "it has had no effect for long", "Leave it out."},
    {"no-statistics", 0, FILTERED, STATS, "Leave it out."},
    {"no-synchronized-snapshots", 0, FILTERED,
     "the jobs of a backup always share one snapshot of each node", "Leave it out."},
    {"oids", 'o', FILTERED, "no supported server has tables with oids", "Leave it out."},
    {"quote-all-identifiers", 0, TARGETS, "the definitions in a set are written already",
     "Give it to backup."},
    {"restrict-key", 0, FILTERED, "definitions are run as statements, never by psql's commands",
     "Leave it out."},
    {"sequence-data", 0, FILTERED, "sequences are part of the section data",
     "Choose sections by --section; a sequence can be named by --table."},
    {"serializable-deferrable", 0, FILTERED,
     "the cut of a fleet is made of repeatable read snapshots",
     "See --cut for what is promised about their instant."},
    {"single-transaction", '1', TARGETS, "a restore uses several connections at once",
     "A failed restore goes on with --resume; for one transaction use \"pgark export\" and psql "
     "-1."},
    {"snapshot", 0, FILTERED, "a backup exports its own snapshots, of all nodes at one instant",
     "Leave it out."},
    {"statistics", 0, FILTERED, STATS, ANALYZE},
    {"statistics-only", 0, FILTERED, STATS, ANALYZE},
    {"superuser", 'S', FILTERED, "no role is changed to behind your back",
     "Connect as the superuser, or give --role."},
    {"sync-method", 0, FILTERED, "files are synced one by one, as they are finished",
     "--no-sync leaves it out."},
    {"sync-method", 0, COPIES, "how each format is synced is settled",
     "-N, --no-sync leaves it out."},
    {"target", 't', COPIES, "the server is not asked to write files on its own host",
     "-D DIRECTORY or -D - is where the copy goes."},
    {"transaction-size", 0, TARGETS, "definitions run one by one, and each table in its own way",
     "Leave it out; a failed restore goes on with --resume."},
    {"use-list", 'L', TARGETS, "a set has no list to be edited",
     "Use \"pgark export --format=directory\" and pg_restore -L, or --filter."},
};

const OptionRefused *option_refused_at(size_t i)
{
    return i < LENGTH_OF(table) ? &table[i] : NULL;
}

const OptionRefused *option_refused_by_name(const char *name, unsigned commands)
{
    for (size_t i = 0; i < LENGTH_OF(table); i++)
    {
        if ((table[i].commands & commands) != 0 && table[i].name != NULL &&
            strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

const OptionRefused *option_refused_by_short(char c, unsigned commands)
{
    for (size_t i = 0; i < LENGTH_OF(table); i++)
    {
        if ((table[i].commands & commands) != 0 && c != '\0' && table[i].short_name == c)
            return &table[i];
    }
    return NULL;
}

bool option_refused_error(const OptionRefused *refused, Error *err)
{
    if (refused->name == NULL)
        error_set(err, ERR_USAGE, "-%c is not taken: %s", refused->short_name, refused->why);
    else if (refused->short_name == '\0')
        error_set(err, ERR_USAGE, "--%s is not taken: %s", refused->name, refused->why);
    else
        error_set(err, ERR_USAGE, "-%c, --%s is not taken: %s", refused->short_name, refused->name,
                  refused->why);
    return error_hint(err, "%s", refused->instead);
}
