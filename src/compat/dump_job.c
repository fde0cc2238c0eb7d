/* compat/dump_job.c - the contract is in dump_job.h. */
#include "compat/dump_job.h"

#include "base/str.h"

#define NUMBER_MAX 1000000

static bool bad_job(Error *err, const char *why)
{
    char shown[160];
    return error_set(err, ERR_USAGE, "the job cannot be understood: %s",
                     str_one_line(shown, sizeof(shown), why));
}

json_t *dump_files_json(const DumpNodeFiles *f)
{
    return json_pack("{s:s, s:s*, s:i, s:i, s:b}", "dir", f->dir, "prefix", f->prefix, "number",
                     f->number, "dbid", f->dbid, "gzip", f->gzip);
}

bool dump_files_parse(json_t *object, DumpNodeFiles *ret, Error *err)
{
    json_error_t why;
    int gzip;
    *ret = (DumpNodeFiles){.dir = NULL};
    if (json_unpack_ex(object, &why, JSON_STRICT, "{s:s, s?s, s:i, s:i, s:b}", "dir", &ret->dir,
                       "prefix", &ret->prefix, "number", &ret->number, "dbid", &ret->dbid, "gzip",
                       &gzip) != 0)
        return bad_job(err, why.text);
    ret->gzip = gzip != 0;
    if (ret->number < -1 || ret->number > NUMBER_MAX || ret->dbid < 0 || ret->dbid > NUMBER_MAX)
        return bad_job(err, "an impossible content id or dbid");
    return dump_prefix_check(ret->prefix, err);
}

static json_t *form_json(const ExportRequest *form)
{
    return json_pack("{s:b, s:b, s:b, s:b, s:b}", "inserts", form->rows == ROWS_INSERTS, "clean",
                     form->clean, "no_owner", form->no_owner, "session_authorization",
                     form->session_authorization, "disable_triggers", form->disable_triggers);
}

static bool parse_form(json_t *object, ExportRequest *ret, Error *err)
{
    json_error_t why;
    int inserts;
    int clean;
    int no_owner;
    int session;
    int triggers;
    if (json_unpack_ex(object, &why, JSON_STRICT, "{s:b, s:b, s:b, s:b, s:b}", "inserts", &inserts,
                       "clean", &clean, "no_owner", &no_owner, "session_authorization", &session,
                       "disable_triggers", &triggers) != 0)
        return bad_job(err, why.text);
    *ret = (ExportRequest){.rows = inserts != 0 ? ROWS_INSERTS : ROWS_COPY,
                           .rows_per_insert = 1,
                           .clean = clean != 0,
                           .if_exists = clean != 0,
                           .no_owner = no_owner != 0,
                           .session_authorization = session != 0,
                           .disable_triggers = triggers != 0};
    return true;
}

json_t *dump_job_json(const DumpNodeJob *job, json_t *backup, Error *err)
{
    const DumpDefinitions *d = &job->definitions;
    json_t *definitions = d->records == NULL
                              ? NULL
                              : json_pack("{s:s, s:s}", "records", d->records, "schema", d->schema);
    json_t *more = json_pack("{s:o, s:o, s:s, s:b, s:o, s:o*}", "backup", backup, "files",
                             dump_files_json(&job->files), "topology", job->topology, "wanted",
                             job->wanted, "form", form_json(&job->form), "definitions",
                             definitions);
    if (more == NULL)
        error_set(err, ERR_USAGE, "the directory or the prefix is not valid UTF-8");
    return more;
}

bool dump_job_parse(void *ctx, json_t *more, DumpNodeJob *ret, Error *err)
{
    json_error_t why;
    json_t *backup;
    json_t *files;
    json_t *form;
    int wanted;
    *ret = (DumpNodeJob){.topology = NULL};
    if (json_unpack_ex(more, &why, JSON_STRICT, "{s:o, s:o, s:s, s:b, s:o, s?{s:s, s:s}}", "backup",
                       &backup, "files", &files, "topology", &ret->topology, "wanted", &wanted,
                       "form", &form, "definitions", "records", &ret->definitions.records, "schema",
                       &ret->definitions.schema) != 0)
        return bad_job(err, why.text);
    ret->wanted = wanted != 0;
    return agent_backup_job_read(ctx, backup, &ret->backup, err) &&
           dump_files_parse(files, &ret->files, err) && parse_form(form, &ret->form, err);
}
