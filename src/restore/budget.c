/* restore/budget.c - memory and processes; the contract is in budget.h. */
#include "restore/budget.h"

#include <unistd.h>

#define MB           ((uint64_t) 1024 * 1024)
#define SHARE_MAX    (1024 * MB)             /* of a budget that nobody asked for */
#define PORTION      (8 * MB)                /* of a sort: what caches hold */
#define MERGE_INPUT  ((uint64_t) 264 * 1024) /* memory per portion that is merged: tuplesort.c */
#define PARALLEL_MIN (32 * MB)               /* per process, or the planner takes fewer of them */
#define SORT_MAX     (64 * 1024 * MB)        /* nothing is that large */
#define SETTING_MIN  MB                      /* of maintenance_work_mem */
#define SETTING_MAX  ((uint64_t) INT32_MAX)  /* likewise, in kB */

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
        "SELECT max(CASE name WHEN 'maintenance_work_mem' THEN setting::int8 * 1024 END),"
        " max(CASE name WHEN 'shared_buffers' THEN setting::int8"
        "  * pg_catalog.current_setting('block_size')::int8 END),"
        " max(CASE name WHEN 'max_parallel_maintenance_workers' THEN setting::int8 END),"
        " least(max(CASE name WHEN 'max_parallel_workers' THEN setting::int8 END),"
        "  max(CASE name WHEN 'max_worker_processes' THEN setting::int8 END))"
        " FROM pg_catalog.pg_settings WHERE name IN ('maintenance_work_mem', 'shared_buffers',"
        " 'max_parallel_maintenance_workers', 'max_parallel_workers', 'max_worker_processes')",
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

static int processes_for(const Budget *b, int shares)
{
    const BudgetServer *server = &b->server;
    int processes = server->max_parallel_maintenance_workers + shares - 1;
    if (server->processors > 0)
        processes = server->processors * shares / b->jobs - 1;
    if (processes < 0)
        processes = 0;
    int most = server->max_parallel_workers * shares / b->jobs;
    /* Whoever forbade them altogether meant it. */
    if (server->max_parallel_maintenance_workers == 0)
        most = 0;
    return processes < most ? processes : most;
}

static uint64_t share_of(const Budget *b, int shares)
{
    uint64_t bytes = b->share * (uint64_t) shares;
    if (bytes / 1024 > SETTING_MAX)
        bytes = SETTING_MAX * 1024;
    return bytes < SETTING_MIN ? SETTING_MIN : bytes;
}

/* The least memory in which a process sorts so many bytes with one merge. */
static uint64_t sort_memory(uint64_t bytes)
{
    uint64_t memory = PORTION;
    while (memory < SORT_MAX && memory / MERGE_INPUT * memory < bytes)
        memory *= 2;
    return memory;
}

BudgetGrant budget_sort(const Budget *b, int shares, uint64_t bytes)
{
    BudgetGrant grant = {.bytes = share_of(b, shares), .processes = processes_for(b, shares)};
    uint64_t parts = (uint64_t) grant.processes + 1;
    uint64_t each = sort_memory(bytes / parts);
    if (parts > 1 && each < PARALLEL_MIN)
        each = PARALLEL_MIN;
    if (grant.bytes > each * parts)
        grant.bytes = each * parts;
    return grant;
}

BudgetGrant budget_check(const Budget *b, int shares)
{
    return (BudgetGrant){.bytes = share_of(b, shares), .processes = processes_for(b, shares)};
}

static bool has_parallel_maintenance(const PgConn *conn)
{
    return PQserverVersion(conn->raw) >= 110000;
}

bool budget_apply(PgConn *conn, BudgetGrant grant, BudgetGrant *current, Error *err)
{
    if (current->bytes == grant.bytes && current->processes == grant.processes)
        return true;
    char sql[160];
    int len = snprintf(sql, sizeof(sql), "SET maintenance_work_mem = '%" PRIu64 "kB'",
                       grant.bytes / 1024);
    if (has_parallel_maintenance(conn))
        snprintf(sql + len, sizeof(sql) - (size_t) len,
                 "; SET max_parallel_maintenance_workers = %d", grant.processes);
    if (!pg_exec(conn, sql, err))
        return error_prefix(err, "could not set memory and processes");
    *current = grant;
    return true;
}

bool budget_reset(PgConn *conn, BudgetGrant *current, Error *err)
{
    if (current->bytes == 0)
        return true;
    *current = (BudgetGrant){0};
    return pg_exec(conn,
                   has_parallel_maintenance(conn)
                       ? "RESET maintenance_work_mem; RESET max_parallel_maintenance_workers"
                       : "RESET maintenance_work_mem",
                   err);
}
