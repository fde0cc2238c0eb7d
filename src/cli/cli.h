/*
 * cli/cli.h - what the commands share: options to request structs, exit codes.
 */
#ifndef PGARK_CLI_CLI_H
#define PGARK_CLI_CLI_H

#include <jansson.h>

#include "backup/request.h"
#include "config/options.h"
#include "fleet/backup_run.h"
#include "fleet/restore_physical.h"
#include "fleet/supervise.h"
#include "fleet/topology.h"
#include "repo/repo.h"
#include "restore/request.h"
#include "select/selection.h"

#define EXIT_DONE      0
#define EXIT_ERROR     1
#define EXIT_WARNINGS  2
#define EXIT_CANCELLED 130

/* One function per command: options -> request -> one call -> report on stdout. Returns the exit
 * code; on failure err is set and what it returns is not looked at (pass EXIT_ERROR). */
int cmd_backup(void *ctx, const Options *o, Supervisor *supervisor, Error *err);
int cmd_restore(void *ctx, const Options *o, Supervisor *supervisor, Error *err);
int cmd_restore_physical(void *ctx, const Options *o, Supervisor *supervisor, Error *err);
int cmd_basebackup(void *ctx, const Options *o, Supervisor *supervisor, Error *err);
int cmd_receive_wal(void *ctx, const Options *o, Supervisor *supervisor, Error *err);
int cmd_restore_point(void *ctx, const Options *o, Supervisor *supervisor, Error *err);
int cmd_list(void *ctx, const Options *o, Error *err);
int cmd_show(void *ctx, const Options *o, Error *err);
int cmd_verify(void *ctx, const Options *o, Supervisor *supervisor, Error *err);
int cmd_expire(void *ctx, const Options *o, Supervisor *supervisor, Error *err);
int cmd_check(void *ctx, const Options *o, Supervisor *supervisor, Error *err);
int cmd_config(void *ctx, const Options *o, Error *err);
int cmd_export(void *ctx, const Options *o, Supervisor *supervisor, Error *err);

/* cmd_backup_request makes the request of a backup of its options. */
bool cmd_backup_request(void *ctx, const Options *o, BackupRequest *ret, Error *err) MUST_CHECK;

/* cmd_backup_run makes the backup that was requested, with all that goes on around it by the options, and prints
 * nothing. Below ctx. */
bool cmd_backup_run(void *ctx, const Options *o, const BackupRequest *request,
                    Supervisor *supervisor, BackupResult *ret, Error *err) MUST_CHECK;

/* cmd_restore_request makes that of a restore. cmd_restore_agent_options: what of the command line an agent
 * that restores a node is told. */
bool cmd_restore_request(void *ctx, const Options *o, RestoreRequest *ret, Error *err) MUST_CHECK;
const OptionId *cmd_restore_agent_options(size_t *ret_count);

/* The same of a restore of a physical set; agents have --map and the target besides. */
bool cmd_restore_physical_request(void *ctx, const Options *o, FleetRestore *ret, Error *err)
    MUST_CHECK;
const OptionId *cmd_restore_physical_agent_options(size_t *ret_count);

/* cmd_get_wal is the command that restored servers have as their restore_command; returns its exit code. */
int cmd_get_wal(int argc, char **argv);

/* cli_fleet makes the fleet from -d, --node, --fleet and friends, and prompts for passwords. */
Fleet *cli_fleet(void *ctx, const Options *o, Error *err);

/* cli_source is cli_fleet for what is read from: where -d names the coordinator of a fleet, all of its
 * nodes. */
Fleet *cli_source(void *ctx, const Options *o, Error *err);

/* cli_coordinator is the second half of cli_source, which connects; cli_fleet is the first. */
bool cli_coordinator(void *ctx, const Options *o, Fleet *fleet, Error *err) MUST_CHECK;
/* cli_names_servers: the options name some. verify and expire need them for what agents keep, and nothing else. */
bool cli_names_servers(const Options *o);

/* cli_selection makes a Selection, below ctx, of the options and files that choose objects. ERR_USAGE:
 * a pattern or a file that cannot be read, sections that leave nothing, a file of wanted names without
 * a name. */
Selection *cli_selection(void *ctx, const Options *o, Error *err);

/* cli_name_map splits the values "OLD=NEW" of an option. ERR_USAGE, also where OLD comes twice. */
bool cli_name_map(void *ctx, const Options *o, OptionId id, NameMap **ret, size_t *ret_count,
                  Error *err) MUST_CHECK;

/* cli_arguments writes those of ids that are given as options again, "--name=value", below ctx. */
const char **cli_arguments(void *ctx, const Options *o, const OptionId *ids, size_t id_count,
                           size_t *ret_count);

/* cli_dump_args: what pg_dump is told about how definitions are written; NULL behind the last. */
const char *const *cli_dump_args(void *ctx, const Options *o);

/* cli_list_has tells whether one of an option's values is value. */
bool cli_list_has(const Options *o, OptionId id, const char *value);

/* cli_json tells whether --output=json was asked for. */
bool cli_json(const Options *o);

/* cli_progress: --progress and --quiet. */
ProgressMode cli_progress(const Options *o);

/* cli_exit: EXIT_DONE, or EXIT_WARNINGS when something was warned about. */
int cli_exit(void);

#endif
