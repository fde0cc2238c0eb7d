/*
 * agent/part.h - one node's part of a set, as its agent keeps it.
 *
 * Where the repository that the agent sees is the coordinator's own (by its id: a shared file system, or
 * one host), the agent writes into the coordinator's set, and the coordinator publishes or removes it.
 * Elsewhere the node's part is a directory of another repository (repo/part.h), which stays unfinished
 * until the coordinator has all parts, and sends the manifest (AGENT_PUBLISH), or takes all back
 * (AGENT_DISCARD). What neither reaches is swept by the next AGENT_EXPIRE.
 */
#ifndef PGARK_AGENT_PART_H
#define PGARK_AGENT_PART_H

#include "agent/process.h"
#include "backup/node.h"

/* agent_backup is the work of AGENT_BACKUP: the node's engine, in the coordinator's snapshot. Its result:
 * repo, repo_id (both only where it is not the coordinator's), objects, records: the node's, tables' and
 * sequences' lines of the manifest, packed. ERR_CHANGED: somebody queues for a lock, or a table has
 * changed: start over. */
bool agent_backup(AgentProcess *p, const BackupRequest *request, json_t **ret_result, Error *err)
    MUST_CHECK;

/* The two halves of it that say nothing of where the part lies. agent_node_init prepares a zeroed node; request, which it
 * settles, and job must live as long. agent_node_dump connects, takes over, and stores below dir; node_close is the
 * caller's, in any case. */
void agent_node_init(AgentProcess *p, BackupRequest *request, const AgentBackupJob *job,
                     BackupNode *node);
bool agent_node_dump(AgentProcess *p, BackupNode *node, Storage *st, const char *dir, Error *err)
    MUST_CHECK;

/* agent_part_open opens the repository that a job names, which must be the one of that id: where the node's
 * part was stored. NULL with err. */
Repo *agent_part_open(AgentProcess *p, const char *repo_id, Error *err);

/* agent_publish is that of AGENT_PUBLISH; more: repo_id, manifest (packed). agent_discard: repo_id. */
bool agent_publish(AgentProcess *p, json_t **ret_result, Error *err) MUST_CHECK;
bool agent_discard(AgentProcess *p, json_t **ret_result, Error *err) MUST_CHECK;

/* agent_verify is that of AGENT_VERIFY; more: repo_id, sha256 (of the set's manifest). Result: objects,
 * chunks, bytes, rows, problems. */
bool agent_verify(AgentProcess *p, bool quick, int jobs, json_t **ret_result, Error *err)
    MUST_CHECK;

/* agent_expire is that of AGENT_EXPIRE; more: home, keep, dry_run. The order's key is the time up to which
 * sets are looked at. Result: removed. A repository that is not there has no parts. */
bool agent_expire(AgentProcess *p, json_t **ret_result, Error *err) MUST_CHECK;

#endif
