/*
 * compat/launched.h - the agents behind the SQL functions gp_backup_launch and gp_restore_launch (extension/gp.c).
 *
 * The server says who it is and where its socket is; directory and key have been looked at there, and are looked
 * at here again. Options are a short list: none names a file, a program or another server.
 */
#ifndef PGARK_COMPAT_LAUNCHED_H
#define PGARK_COMPAT_LAUNCHED_H

#include "cli/agent_kind.h"
#include "compat/legacy_options.h"

/* Both are the work of an AgentKind; the result is {"file": PATH}, of the script with the rows. */
bool launched_dump(AgentProcess *p, const Options *o, json_t **ret, Error *err);
bool launched_restore(AgentProcess *p, const Options *o, json_t **ret, Error *err);

/* launched_dump_options and launched_restore_options parse what is passed through, below ctx: words of a command
 * line. NULL with err. */
LegacyOptions *launched_dump_options(void *ctx, const char *const *words, size_t count, Error *err);
LegacyOptions *launched_restore_options(void *ctx, const char *const *words, size_t count,
                                        Error *err);

#endif
