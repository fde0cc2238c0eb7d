/*
 * compat/dump_agents.h - a dump whose files are written by agents, each on its node's own host.
 *
 * The cut, the states of the nodes and what ends them are those of pgark backup --agent (fleet/backup_agents.c); in
 * the place of a part of a set each agent writes its node's scripts (dump_node.h). All have theirs before any gets
 * its name; then the report says that the dump is there.
 */
#ifndef PGARK_COMPAT_DUMP_AGENTS_H
#define PGARK_COMPAT_DUMP_AGENTS_H

#include "backup/request.h"
#include "compat/dump_run.h"

/* dump_agents_usable tells whether every node of the fleet can start agents, in database, or where that is NULL in
 * its own; why not is told to the log. A node that cannot be reached cannot. */
bool dump_agents_usable(const Fleet *fleet, const char *database);

/* dump_agents_run makes the dump, as dump_run does. request->dir is a directory of each node's host, relative to the
 * server's data directory; the report's is one of this host. */
bool dump_agents_run(void *ctx, const DumpRequest *request, Supervisor *supervisor, DumpResult *ret,
                     Error *err) MUST_CHECK;

#endif
