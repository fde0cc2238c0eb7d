/* restore/budget.c - memory and processes; the contract is in budget.h. */
#include "restore/budget.h"

#include <unistd.h>

#define MB          ((uint64_t) 1024 * 1024)
#define SHARE_MAX   (1024 * MB)            /* of a budget that nobody asked for */
#define SETTING_MIN MB                     /* of maintenance_work_mem */
#define SETTING_MAX ((uint64_t) INT32_MAX) /* likewise, in kB */

void budget_derive(Budget *ret, const BudgetServer *server, int jobs, uint64_t memory)
{
    uint64_t share = memory / (uint64_t) jobs;
    if (memory == 0)
    {
        share = server->shared_buffers / (uint64_t) jobs;
        share = share > SHARE_MAX ? SHARE_MAX : share;
        share = share < server->maintenance_work_mem ? server->maintenance_work_mem : share;
    }
    *ret = (Budget){.jobs = jobs, .share = share, .server = *server};
}

/* A socket of the file system leads to a server on this machine. */
static int processors_of(const PgConn *conn)
{
    const char *host = PQhost(conn->raw);
    if (host == NULL || (host[0] != '/' && host[0] != '@'))
        return 0;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 && count < INT16_MAX ? (int) count : 0;
}

bool budget_read(PgConn *conn, int jobs, uint64_t memory, Budget *ret, Error *err)
{
    AUTO(PQclear)
    PGresult *res = pg_query(
        conn,
        "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')),"
        " pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')),"
        " pg_catalog.current_setting('max_parallel_maintenance_workers')::pg_catalog.int4,"
        " least(pg_catalog.current_setting('max_parallel_workers')::pg_catalog.int4,"
        "  pg_catalog.current_setting('max_worker_processes')::pg_catalog.int4)",
        0, NULL, err);
    if (res == NULL)
        return error_prefix(err, "could not read the server's settings");
    BudgetServer server = {
        .maintenance_work_mem = (uint64_t) pg_cell_int(res, 0, 0),
        .shared_buffers = (uint64_t) pg_cell_int(res, 0, 1),
        .max_parallel_maintenance_workers = (int) pg_cell_int(res, 0, 2),
        .max_parallel_workers = (int) pg_cell_int(res, 0, 3),
        .processors = processors_of(conn),
    };
    budget_derive(ret, &server, jobs, memory);
    return true;
}

uint64_t budget_bytes(const Budget *b, int shares)
{
    uint64_t bytes = b->share * (uint64_t) shares;
    if (bytes / 1024 > SETTING_MAX)
        bytes = SETTING_MAX * 1024;
    return bytes < SETTING_MIN ? SETTING_MIN : bytes;
}

int budget_processes(const Budget *b, int shares)
{
    const BudgetServer *server = &b->server;
    int processes = server->processors > 0 ? server->processors * shares / b->jobs - 1
                                           : server->max_parallel_maintenance_workers + shares - 1;
    int most = server->max_parallel_workers * shares / b->jobs;
    if (processes > most)
        processes = most;
    /* Whoever forbade them altogether meant it. */
    return processes < 0 || server->max_parallel_maintenance_workers == 0 ? 0 : processes;
}

bool budget_apply(const Budget *b, PgConn *conn, int shares, int *current, Error *err)
{
    if (*current == shares)
        return true;
    char sql[160];
    snprintf(sql, sizeof(sql),
             "SET maintenance_work_mem = '%" PRIu64
             "kB'; SET max_parallel_maintenance_workers = %d",
             budget_bytes(b, shares) / 1024, budget_processes(b, shares));
    if (!pg_exec(conn, sql, err))
        return error_prefix(err, "could not set memory and processes");
    *current = shares;
    return true;
}

bool budget_reset(PgConn *conn, int *current, Error *err)
{
    if (*current == 0)
        return true;
    *current = 0;
    return pg_exec(conn, "RESET maintenance_work_mem; RESET max_parallel_maintenance_workers", err);
}
