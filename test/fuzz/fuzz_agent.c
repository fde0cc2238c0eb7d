/*
 * test/fuzz/fuzz_agent.c - any bytes as the order of an agent, and as a packed text.
 *
 * What is accepted names a server, has a sound key and lists without holes; nothing is accepted and
 * refused at once.
 */
#include "agent/job.h"
#include "agent/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_job(void *ctx, const AgentOrder *order)
{
    AgentJob job;
    AgentBackupJob backup;
    Error err = ERROR_INIT;
    if (!agent_job_read_plain(ctx, order, &job, &err) && err.code != ERR_USAGE)
        abort();
    error_clear(&err);
    if (!agent_job_read(ctx, order, &job, &err))
    {
        if (err.code != ERR_USAGE)
            abort();
        return;
    }
    for (size_t i = 0; i < job.argument_count; i++)
    {
        if (job.arguments[i] == NULL)
            abort();
    }
    if (!agent_backup_job_read(ctx, job.more, &backup, &err))
    {
        if (err.code != ERR_USAGE)
            abort();
        return;
    }
    if (strpbrk(backup.snapshot.snapshot_id, "'\\; ") != NULL)
        abort();
    for (size_t i = 1; backup.scope != NULL && i < backup.scope->spread_count; i++)
    {
        if (backup.scope->spread[i] <= backup.scope->spread[i - 1])
            abort();
    }
}

static void check_pack(void *ctx, const uint8_t *data, size_t size)
{
    char *text;
    size_t len;
    Error err = ERROR_INIT;
    char *copy = mem_strndup(ctx, (const char *) data, size);
    if (!agent_unpack(ctx, copy, &text, &len, &err) && err.code != ERR_CORRUPT)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    AgentOrder order;
    Error err = ERROR_INIT;
    bool ok = agent_order_parse(ctx, (const char *) data, size, &order, &err);
    if (ok == error_is_set(&err) || (!ok && err.code != ERR_USAGE))
        abort();
    if (ok && (order.server.socket_dir[0] == '\0' || !repo_key_is_date(order.key)))
        abort();
    if (ok)
        check_job(ctx, &order);
    check_pack(ctx, data, size);
    return 0;
}
