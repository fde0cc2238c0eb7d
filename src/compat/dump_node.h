/*
 * compat/dump_node.h - the agents of gp_dump, each on its node's host.
 *
 * One takes the coordinator's snapshot over, as that of a backup does (agent/backup_part.c), keeps a set of its own
 * node in a place beside the files, and writes scripts of it there. When all nodes are as far, they get their names.
 */
#ifndef PGARK_COMPAT_DUMP_NODE_H
#define PGARK_COMPAT_DUMP_NODE_H

#include "cli/agent_kind.h"

/* DUMP_AGENT. Its result: objects, records (as AGENT_BACKUP's), dir, script, post_data (paths; null: the node
 * has none). */
bool dump_node(AgentProcess *p, const Options *o, json_t **ret, Error *err);

/* DUMP_AGENT_REMOVE: removes the scripts of the order's key. more: a DumpNodeFiles. */
bool dump_node_remove(AgentProcess *p, const Options *o, json_t **ret, Error *err);

/* dump_node_dir: a directory as the host of an agent has it, below ctx. ERR_USAGE: it leads upward. */
char *dump_node_dir(void *ctx, const AgentProcess *p, const char *dir, Error *err);

#endif
