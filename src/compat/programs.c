/* compat/programs.c - which program is called; the contract is in programs.h. */
#include "compat/programs.h"

#include "compat/gp_dump.h"
#include "compat/gp_restore.h"
#include "compat/gpcrondump.h"
#include "compat/launched.h"

static const struct
{
    const char *name;
    ProgramRun *run;
} programs[] = {
    {"gp_dump", gp_dump},       {"gp_dump_agent", gp_dump_agent},
    {"gp_restore", gp_restore}, {"gp_restore_agent", gp_restore_agent},
    {"gpcrondump", gpcrondump}, {NULL, NULL}, /* behind the last */
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

const AgentKinds *programs_agents(void)
{
    static const AgentKind kinds[] = {
        {.kind = "gp_dump", .supervised = true, .plain = true, .work = launched_dump},
        {.kind = "gp_restore", .supervised = true, .plain = true, .work = launched_restore},
    };
    static const AgentKinds all = {.items = kinds, .count = LENGTH_OF(kinds)};
    return &all;
}
