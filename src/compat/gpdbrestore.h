/*
 * compat/gpdbrestore.h - gpdbrestore: brings a dump of gpcrondump back by the engine of pgark restore, with the
 * options, log lines and exit codes of the classic program.
 */
#ifndef PGARK_COMPAT_GPDBRESTORE_H
#define PGARK_COMPAT_GPDBRESTORE_H

#include "compat/programs.h"

int gpdbrestore(void *ctx, int argc, char **argv, Supervisor *supervisor, Error *err);

#endif
