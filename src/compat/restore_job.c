/* compat/restore_job.c - the contract is in restore_job.h. */
#include "compat/restore_job.h"

#include "base/str.h"
#include "compat/script_tables.h"

#define NUMBER_MAX 1000000

json_t *restore_job_json(const RestoreNodeJob *j, Error *err)
{
    json_t *tables = j->tables == NULL ? NULL : script_tables_json(j->tables, err);
    if (tables == NULL && j->tables != NULL)
        return NULL;
    json_t *more = json_pack(
        "{s:s, s:s*, s:s*, s:i, s:i, s:b, s:b, s:b, s:b, s:b, s:o*, s:s, s:s*, s:i, s:s}", "dir",
        j->dir, "status_dir", j->status_dir, "prefix", j->prefix, "number", j->node.number, "dbid",
        j->node.dbid, "segment", j->node.segment, "definitions", j->definitions, "rows", j->rows,
        "post_data", j->post_data, "go_on", j->go_on, "tables", tables, "database", j->database,
        "host", j->host, "port", j->port, "identity", j->identity);
    if (more == NULL)
        error_set(err, ERR_USAGE, "a directory, the prefix or the database is not valid UTF-8");
    return more;
}

bool restore_job_parse(void *ctx, json_t *more, RestoreNodeJob *ret, Error *err)
{
    json_error_t why;
    char shown[160];
    int segment;
    int definitions;
    int rows;
    int post_data;
    int go_on;
    json_t *tables = NULL;
    *ret = (RestoreNodeJob){.dir = NULL};
    if (json_unpack_ex(
            more, &why, JSON_STRICT,
            "{s:s, s?s, s?s, s:i, s:i, s:b, s:b, s:b, s:b, s:b, s?o, s:s, s?s, s:i, s:s}", "dir",
            &ret->dir, "status_dir", &ret->status_dir, "prefix", &ret->prefix, "number",
            &ret->node.number, "dbid", &ret->node.dbid, "segment", &segment, "definitions",
            &definitions, "rows", &rows, "post_data", &post_data, "go_on", &go_on, "tables",
            &tables, "database", &ret->database, "host", &ret->host, "port", &ret->port, "identity",
            &ret->identity) != 0)
        return error_set(err, ERR_USAGE, "the job cannot be understood: %s",
                         str_one_line(shown, sizeof(shown), why.text));
    ret->node.segment = segment != 0;
    ret->definitions = definitions != 0;
    ret->rows = rows != 0;
    ret->post_data = post_data != 0;
    ret->go_on = go_on != 0;
    if (ret->node.number < -1 || ret->node.number > NUMBER_MAX || ret->node.dbid < 0 ||
        ret->node.dbid > NUMBER_MAX || ret->port < 0 || ret->port > UINT16_MAX)
        return error_set(err, ERR_USAGE, "the job has an impossible content id, dbid or port");
    ret->tables = tables == NULL ? NULL : script_tables_parse(ctx, tables, err);
    if (tables != NULL && ret->tables == NULL)
        return false;
    return dump_prefix_check(ret->prefix, err);
}
