/*
 * compat/gp_dump.h - gp_dump and gp_dump_agent.
 */
#ifndef PGARK_COMPAT_GP_DUMP_H
#define PGARK_COMPAT_GP_DUMP_H

#include "compat/legacy_options.h"
#include "compat/programs.h"

extern const LegacyProgram gp_dump_program;
extern const LegacyProgram gp_dump_agent_program;

/* Exit codes of both: 0, or 1 where anything failed, and 130 where a signal ended it. */
ProgramRun gp_dump;
ProgramRun gp_dump_agent;

#endif
