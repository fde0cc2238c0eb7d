/*
 * compat/gpcrondump.h - gpcrondump: dumps databases one after the other by the engine of pgark backup, with the
 * files, log lines and exit codes of the classic program.
 */
#ifndef PGARK_COMPAT_GPCRONDUMP_H
#define PGARK_COMPAT_GPCRONDUMP_H

#include "compat/programs.h"

int gpcrondump(void *ctx, int argc, char **argv, Supervisor *supervisor, Error *err);

#endif
