/* compat/programs.c - which program is called; the contract is in programs.h. */
#include "compat/programs.h"

static const struct
{
    const char *name;
    ProgramRun *run;
} programs[] = {
    {NULL, NULL}, /* behind the last */
};

ProgramRun *programs_find(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    const char *name = slash == NULL ? argv0 : slash + 1;
    for (size_t i = 0; programs[i].name != NULL; i++)
    {
        if (strcmp(programs[i].name, name) == 0)
            return programs[i].run;
    }
    return NULL;
}
