/*
 * cli/agent_kind.h - what the process of an agent may be asked to do.
 */
#ifndef PGARK_CLI_AGENT_KIND_H
#define PGARK_CLI_AGENT_KIND_H

#include "agent/process.h"
#include "config/options.h"

typedef struct AgentKind
{
    const char *kind;
    const char *command; /* whose options the job has; NULL: it has none */
    bool keyed;          /* that command has a KEY */
    bool selects;        /* and options that choose objects */
    bool supervised;     /* its work runs under a supervisor */
    bool plain; /* an SQL function asks for it, and its arguments are no options of pgark */
    const OptionId *(*options)(size_t *ret_count); /* of the command, that a job may have */
    bool (*work)(AgentProcess *p, const Options *o, json_t **ret, Error *err);
} AgentKind;

/* What a job may have of the options of a backup, and of those of a command that it has not. */
const OptionId *agent_backup_options(size_t *ret_count);
const OptionId *agent_no_options(size_t *ret_count);

/* Kinds that others than cli bring. */
typedef struct AgentKinds
{
    const AgentKind *items;
    size_t count;
} AgentKinds;

/* cmd_agent is the process that the extension starts as "pgark agent KIND KEY", with its order on standard
 * input; returns the exit code. The words are for who looks at processes. */
#define AGENT_COMMAND "agent"
int cmd_agent(void *ctx, const AgentKinds *more);

#endif
