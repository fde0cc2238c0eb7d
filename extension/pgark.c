/* extension/pgark.c - the library: its settings. */
#include "pgark.h"

#include "fmgr.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

char *pgark_program = NULL;
static int history_days = 30; /* read by pgark.begin, by its name */

void _PG_init(void);

void _PG_init(void)
{
    DefineCustomStringVariable("pgark.program", "The program that agents are, an absolute path.",
                               "It must belong to root or to the server's user, and be writable by "
                               "nobody else.",
                               &pgark_program, "", PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
    DefineCustomIntVariable("pgark.history_days",
                            "For how many days pgark.task keeps what agents did.", NULL,
                            &history_days, 30, 0, 999999, PGC_SUSET, 0, NULL, NULL, NULL);
#if PG_VERSION_NUM >= 150000
    MarkGUCPrefixReserved("pgark");
#else
    EmitWarningsOnPlaceholders("pgark");
#endif
}
