/*
 * compat/gp_dump.h - gp_dump and gp_dump_agent.
 */
#ifndef PGARK_COMPAT_GP_DUMP_H
#define PGARK_COMPAT_GP_DUMP_H

#include "compat/programs.h"

/* Exit codes of both: 0, or 1 where anything failed, and 130 where a signal ended it. */
ProgramRun gp_dump;
ProgramRun gp_dump_agent;

#endif
