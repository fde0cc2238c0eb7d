/*
 * compat/restore_agents.h - a restore whose scripts are run by agents, each on the host that has them.
 *
 * The order is that of restore_scripts (restore_run.h): the coordinator's script, or those of all shards; what
 * segments have, through the coordinator; what comes behind the rows. The first failure ends all.
 */
#ifndef PGARK_COMPAT_RESTORE_AGENTS_H
#define PGARK_COMPAT_RESTORE_AGENTS_H

#include "cli/agent_kind.h"
#include "compat/restore_run.h"

#define RESTORE_AGENT "gp_restore_node"
#define RESTORE_AGENT_DATABASE                                                                     \
    "postgres" /* where agents are started: the target need not have the extension */

/* restore_agents_run: directories are those of each node's host, relative to the server's data directory; the
 * report's is one of this host. */
bool restore_agents_run(void *ctx, const ScriptRestore *request, Supervisor *supervisor,
                        ScriptRestoreResult *ret, Error *err) MUST_CHECK;

/* restore_node is RESTORE_AGENT. Its result: scripts, each with path, database, host, port and ok. */
bool restore_node(AgentProcess *p, const Options *o, json_t **ret, Error *err);

#endif
