/*
 * compat/gp_restore.h - gp_restore and gp_restore_agent.
 */
#ifndef PGARK_COMPAT_GP_RESTORE_H
#define PGARK_COMPAT_GP_RESTORE_H

#include "compat/programs.h"

/* Exit codes of both: 0, or 1 where anything failed, and 130 where a signal ended it. */
ProgramRun gp_restore;
ProgramRun gp_restore_agent;

#endif
