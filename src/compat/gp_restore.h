/*
 * compat/gp_restore.h - gp_restore and gp_restore_agent.
 */
#ifndef PGARK_COMPAT_GP_RESTORE_H
#define PGARK_COMPAT_GP_RESTORE_H

#include "compat/legacy_options.h"
#include "compat/programs.h"

extern const LegacyProgram gp_restore_program;
extern const LegacyProgram gp_restore_agent_program;

/* Exit codes of both: 0, or 1 where anything failed, and 130 where a signal ended it. */
ProgramRun gp_restore;
ProgramRun gp_restore_agent;

#endif
