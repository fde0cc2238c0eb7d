/* agent/process.c - the process of an agent; the contract is in process.h. */
#include "agent/process.h"

#include <unistd.h>

#include "base/str.h"

static void make_spec(AgentProcess *p)
{
    const AgentServer *s = &p->order.server;
    p->spec = (PgConnSpec){.host = s->socket_dir,
                           .port = mem_printf(p->ctx, "%d", s->port),
                           .user = s->user,
                           .database = s->database,
                           .password = p->job.password};
}

bool agent_process_begin(AgentProcess *p, AgentManner (*manner)(const void *arg, const char *kind),
                         const void *arg, Error *err)
{
    p->progress_all = progress_new(p->ctx, PROGRESS_NONE, "agent", 1, 1);
    p->progress = progress_node(p->progress_all, 0);
    p->cancel = cancel_new(err);
    if (p->cancel == NULL || !agent_order_read(STDIN_FILENO, p->ctx, &p->order, err))
        return false;
    AgentManner how = manner(arg, p->order.kind);
    bool read = how.plain ? agent_job_read_plain(p->ctx, &p->order, &p->job, err)
                          : agent_job_read(p->ctx, &p->order, &p->job, err);
    if (!read)
        return false;
    make_spec(p);
    const AgentMonitorSpec spec = {.spec = &p->spec,
                                   .order = &p->order,
                                   .job = &p->job,
                                   .progress = p->progress,
                                   .input = STDIN_FILENO,
                                   .cancel = how.supervised ? NULL : p->cancel};
    p->monitor = agent_monitor_start(&spec, err);
    return p->monitor != NULL;
}

static bool print_result(json_t *result)
{
    bool ok = json_dumpf(result, stdout, JSON_COMPACT) == 0 && fputc('\n', stdout) != EOF;
    return fflush(stdout) == 0 && ok;
}

static void print_failure(const Error *failure)
{
    char message[sizeof(failure->message)];
    char hint[sizeof(failure->hint)];
    printf("PK%03d\n%s\n%s\n", (int) failure->code,
           str_one_line(message, sizeof(message), failure->message),
           str_one_line(hint, sizeof(hint), failure->hint));
    fflush(stdout);
}

int agent_process_end(AgentProcess *p, json_t *result, Error *failure)
{
    /* The cause says more than that somebody was cancelled; what became of it is still to be told. */
    Error cause = ERROR_INIT;
    if (failure->code == ERR_CANCELLED && p->cancel != NULL && cancel_cause(p->cancel, &cause))
    {
        if (failure->hint[0] != '\0')
            error_hint(&cause, "%s", failure->hint);
        *failure = cause;
    }
    agent_monitor_end(p->monitor, error_is_set(failure) ? failure : NULL);
    if (!error_is_set(failure) && !print_result(result))
        error_set(failure, ERR_INTERNAL, "the agent could not give its result");
    else if (error_is_set(failure))
        print_failure(failure);
    json_decref(result);
    cancel_free(p->cancel);
    return error_is_set(failure) ? 1 : 0;
}

ErrorCode agent_failure_code(const char *sqlstate)
{
    if (strlen(sqlstate) != 5 || strncmp(sqlstate, "PK", 2) != 0 ||
        strspn(sqlstate + 2, "0123456789") != 3)
        return ERR_NONE;
    int code = atoi(sqlstate + 2);
    return code > ERR_NONE && code <= ERR_INTERNAL ? (ErrorCode) code : ERR_INTERNAL;
}
