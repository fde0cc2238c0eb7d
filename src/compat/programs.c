/* compat/programs.c - which program is called; the contract is in programs.h. */
#include "compat/programs.h"

#include "base/str.h"
#include "compat/dump_job.h"
#include "compat/dump_node.h"
#include "compat/gp_dump.h"
#include "compat/gp_restore.h"
#include "compat/gpcrondump.h"
#include "compat/gpcrondump_options.h"
#include "compat/gpdbrestore.h"
#include "compat/gpdbrestore_options.h"
#include "compat/launched.h"
#include "compat/legacy_docs.h"
#include "compat/restore_agents.h"

typedef struct Program
{
    const LegacyProgram *table;
    ProgramRun *run;
} Program;

static const Program programs[] = {
    {.table = &gp_dump_program, .run = gp_dump},
    {.table = &gp_dump_agent_program, .run = gp_dump_agent},
    {.table = &gp_restore_program, .run = gp_restore},
    {.table = &gp_restore_agent_program, .run = gp_restore_agent},
    {.table = &gpcrondump_program, .run = gpcrondump},
    {.table = &gpdbrestore_program, .run = gpdbrestore},
};

ProgramRun *programs_find(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    const char *name = slash == NULL ? argv0 : slash + 1;
    for (size_t i = 0; i < LENGTH_OF(programs); i++)
    {
        if (strcmp(programs[i].table->name, name) == 0)
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

/* ---- documentation ---- */

#define COUNT LENGTH_OF(programs)

bool programs_write_man(const char *dir, Error *err)
{
    static const char *const others[] = {"pgark", "pgark-backup", "pgark-restore"};
    const char *pages[COUNT + LENGTH_OF(others) + 1] = {NULL};
    for (size_t i = 0; i < COUNT; i++)
        pages[i] = programs[i].table->name;
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        pages[COUNT + i] = others[i];
    for (size_t i = 0; i < COUNT; i++)
    {
        if (!legacy_docs_man(programs[i].table, pages, dir, err))
            return false;
    }
    return true;
}

static void write_completion(const char *shell, FILE *out)
{
    const LegacyProgram *tables[COUNT + 1] = {NULL};
    for (size_t i = 0; i < COUNT; i++)
        tables[i] = programs[i].table;
    if (strcmp(shell, "bash") == 0)
        legacy_docs_bash(tables, out);
    else
        legacy_docs_zsh(tables, out);
}

CompletionMore programs_completion(void *ctx)
{
    Str *names = str_new(ctx);
    for (size_t i = 0; i < COUNT; i++)
        str_addf(names, "%s%s", i > 0 ? " " : "", programs[i].table->name);
    return (CompletionMore){
        .names = names->data, .function = LEGACY_COMPLETION, .write = write_completion};
}
