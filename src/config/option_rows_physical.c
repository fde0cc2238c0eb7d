/* config/option_rows_physical.c - options of physical backups. */
#include "config/option_rows.h"

static const OptionSpec rows[] = {
    {
        .id = OPT_PHYSICAL,
        .name = "physical",
        .type = OPTION_FLAG,
        .group = GROUP_PHYSICAL,
        .commands = CMD_BACKUP | CMD_RESTORE,
        .file_commands = CMD_BACKUP,
        .help = "base backups of whole servers instead of rows",
        .more =
            "Of all nodes at once, by the replication protocol: the role needs REPLICATION, "
            "every server two free walsenders, and pg_create_restore_point must be allowed. "
            "All end at one restore point, and WAL up to it is in the set, which "
            "needs no archive. A Greenplum 6 cluster needs its extension gp_pitr, and a superuser.",
    },
    {
        .id = OPT_CHECKPOINT,
        .name = "checkpoint",
        .type = OPTION_WORD,
        .group = GROUP_PHYSICAL,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .env = "PGARK_CHECKPOINT",
        .initial = "fast",
        .words = "fast|spread",
        .arg = "HOW",
        .help = "how the servers make the checkpoint that begins it",
        .more = "fast: at once; spread: over the time that checkpoint_completion_target gives, for "
                "which the backup waits.",
    },
    {
        .id = OPT_PART_SIZE,
        .name = "part-size",
        .type = OPTION_SIZE,
        .group = GROUP_PHYSICAL,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .env = "PGARK_PART_SIZE",
        .initial = "512MB",
        .min = 1024 * 1024,
        .max = INT64_C(1) << 40,
        .range = "1MB to 1TB",
        .arg = "SIZE",
        .help = "about how much of a server's files is in one object",
        .more =
            "Before compression. A part ends with a file when it has its size, and inside of one "
            "when it would have four times as much.",
    },
    {
        .id = OPT_BAD_PAGES,
        .name = "bad-pages",
        .type = OPTION_WORD,
        .group = GROUP_PHYSICAL,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .env = "PGARK_BAD_PAGES",
        .initial = "fail",
        .words = "fail|warn|ignore",
        .arg = "WHAT",
        .help = "what to do about pages with wrong checksums",
        .more = "Where the cluster has data checksums, every page is looked at while it passes; "
                "one that is not right is read from the server once more. fail: no set is made; "
                "warn: file and block are named, and the set is made; ignore: nobody looks. Of a "
                "Greenplum cluster nobody can look.",
    },
    {
        .id = OPT_STANDBY,
        .name = "standby",
        .type = OPTION_FLAG,
        .group = GROUP_PHYSICAL,
        .commands = CMD_RESTORE,
        .help = "make restored servers standbys",
        .more = "With standby.signal in the place of recovery.signal: they apply the set's WAL and "
                "what their primary_conninfo gives them, and stay in recovery. Without it each "
                "server recovers up to the set's restore point and opens for writing there.",
    },
    {
        .id = OPT_TARGET_NAME,
        .name = "target-name",
        .type = OPTION_STRING,
        .group = GROUP_PHYSICAL,
        .commands = CMD_RESTORE,
        .arg = "NAME",
        .help = "recover up to that restore point, not the set's own",
        .more = "One that restore-point has made, or pgark_KEY, that of a later set. WAL up to it "
                "must have been received by receive-wal.",
    },
    {
        .id = OPT_TARGET_TIME,
        .name = "target-time",
        .type = OPTION_STRING,
        .group = GROUP_PHYSICAL,
        .commands = CMD_RESTORE,
        .arg = "TIME",
        .help = "recover up to that time, which has a time zone",
        .more = "Of a set of one server, to the last transaction before it. Several servers come "
                "back to the last restore point before it that is of one instant on all of them.",
    },
    {
        .id = OPT_SLOT,
        .name = "slot",
        .type = OPTION_NAME,
        .group = GROUP_PHYSICAL,
        .commands = CMD_RECEIVE_WAL,
        .file_commands = CMD_RECEIVE_WAL,
        .env = "PGARK_SLOT",
        .initial = "pgark",
        .arg = "NAME",
        .help = "replication slot of each node; it is made where there is none",
        .more =
            "Physical and permanent: when nobody receives for long, WAL gathers on the servers, up "
            "to "
            "their max_slot_wal_keep_size. To be dropped (pg_drop_replication_slot) when WAL is no "
            "longer to be received. Not for Greenplum, where there is none.",
    },
    {
        .id = OPT_NO_LOOP,
        .name = "no-loop",
        .type = OPTION_FLAG,
        .group = GROUP_PHYSICAL,
        .commands = CMD_RECEIVE_WAL,
        .file_commands = CMD_RECEIVE_WAL,
        .help = "end when a connection is lost, do not try again",
    },
    {
        .id = OPT_SKIP_GAP,
        .name = "skip-gap",
        .type = OPTION_FLAG,
        .group = GROUP_PHYSICAL,
        .commands = CMD_RECEIVE_WAL,
        .help = "go on behind WAL that a server has no more",
        .more = "What is received then is of use from the next base backup on.",
    },
};

const OptionRows option_rows_physical = {rows, LENGTH_OF(rows)};
