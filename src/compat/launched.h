/*
 * compat/launched.h - the agents behind the SQL functions gp_backup_launch and gp_restore_launch (extension/gp.c).
 *
 * The server says who it is and where its socket is; directory and key have been looked at there, and are looked
 * at here again. Options are a short list: none names a file, a program or another server.
 */
#ifndef PGARK_COMPAT_LAUNCHED_H
#define PGARK_COMPAT_LAUNCHED_H

#include "cli/agent_kind.h"

/* Both are the work of an AgentKind; the result is {"file": PATH}, of the script with the rows. */
bool launched_dump(AgentProcess *p, const Options *o, json_t **ret, Error *err);
bool launched_restore(AgentProcess *p, const Options *o, json_t **ret, Error *err);

#endif
