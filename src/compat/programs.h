/*
 * compat/programs.h - the classic Greenplum tools: pgark called by another name.
 */
#ifndef PGARK_COMPAT_PROGRAMS_H
#define PGARK_COMPAT_PROGRAMS_H

#include "cli/agent_kind.h"
#include "config/options.h"
#include "fleet/supervise.h"

/* A program returns its exit code, which is the old program's; on failure err may be set, and is to be logged
 * then. Signals are blocked when it is called, no thread has been started. */
typedef int ProgramRun(void *ctx, int argc, char **argv, Supervisor *supervisor, Error *err);

/* programs_find: the program that a file of that name is, whatever its directory; NULL: it is pgark. */
ProgramRun *programs_find(const char *argv0);

/* programs_write_man writes the manual pages of all of them into dir. ERR_USAGE. */
bool programs_write_man(const char *dir, Error *err) MUST_CHECK;

/* programs_completion: how shells complete them, below ctx. */
CompletionMore programs_completion(void *ctx);

/* programs_agents: the agents behind the SQL functions gp_backup_launch and gp_restore_launch. */
const AgentKinds *programs_agents(void);

#endif
