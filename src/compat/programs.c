/* compat/programs.c - which program is called; the contract is in programs.h. */
#include "compat/programs.h"

#include "compat/dump_job.h"
#include "compat/dump_node.h"
#include "compat/gp_dump.h"
#include "compat/gp_restore.h"
#include "compat/gpcrondump.h"
#include "compat/gpdbrestore.h"
#include "compat/launched.h"
#include "compat/restore_agents.h"

typedef struct Program
{
    const char *name;
    ProgramRun *run;
} Program;

static const Program programs[] = {
    {.name = "gp_dump", .run = gp_dump},
    {.name = "gp_dump_agent", .run = gp_dump_agent},
    {.name = "gp_restore", .run = gp_restore},
    {.name = "gp_restore_agent", .run = gp_restore_agent},
    {.name = "gpcrondump", .run = gpcrondump},
    {.name = "gpdbrestore", .run = gpdbrestore},
};

ProgramRun *programs_find(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    const char *name = slash == NULL ? argv0 : slash + 1;
    for (size_t i = 0; i < LENGTH_OF(programs); i++)
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
        {.kind = DUMP_AGENT,
         .command = "backup",
         .selects = true,
         .options = agent_backup_options,
         .work = dump_node},
        {.kind = DUMP_AGENT_REMOVE, .options = agent_no_options, .work = dump_node_remove},
        {.kind = RESTORE_AGENT,
         .supervised = true,
         .options = agent_no_options,
         .work = restore_node},
        {.kind = "gp_restore", .supervised = true, .plain = true, .work = launched_restore},
    };
    static const AgentKinds all = {.items = kinds, .count = LENGTH_OF(kinds)};
    return &all;
}
