/* compat/dump_report.c - the contract is in dump_report.h. */
#include "compat/dump_report.h"

#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "storage/storage.h"

#define LINE_MAX_BYTES 1024
#define REPORT_MAX     ((uint64_t) 16 * 1024 * 1024)
#define FILE_WORD      " BackupFile "
#define DONE_WORD      ": Succeeded"

static const char *one_line(char buf[LINE_MAX_BYTES], const char *text)
{
    return str_one_line(buf, LINE_MAX_BYTES, text == NULL ? "" : text);
}

static void add_who(Str *s, const DumpNode *node)
{
    char host[LINE_MAX_BYTES];
    char database[LINE_MAX_BYTES];
    if (node->content < 0)
        str_add(s, "\tMaster");
    else
        str_addf(s, "\tsegment %d", node->content);
    str_addf(s, " (dbid %d) Host %s Port %d Database %s", node->dbid, one_line(host, node->host),
             node->port, one_line(database, node->database));
}

static void add_file(Str *s, const DumpNode *node, const char *path, const Error *failure)
{
    char shown[LINE_MAX_BYTES];
    if (path == NULL)
        return;
    add_who(s, node);
    str_addf(s, FILE_WORD "%s", one_line(shown, path));
    if (failure == NULL)
        str_add(s, DONE_WORD "\n");
    else
        str_addf(s, ": Failed {%s%s%s}\n", failure->node, failure->node[0] == '\0' ? "" : ": ",
                 one_line(shown, failure->message));
}

static size_t count_files(const DumpResult *result)
{
    size_t count = 0;
    for (size_t i = 0; i < result->node_count; i++)
        count += (result->nodes[i].script != NULL ? 1 : 0) +
                 (result->nodes[i].post_data != NULL ? 1 : 0);
    return count;
}

char *dump_report_text(void *ctx, const DumpRequest *request, const DumpResult *result,
                       const Error *failure)
{
    char shown[LINE_MAX_BYTES];
    Str *s = str_new(ctx);
    str_addf(s, "Greenplum Database Backup Report\nTimestamp Key: %s\n", result->key);
    str_addf(s, "gp_dump Command Line: %s\n", request->line);
    str_addf(s, "Pass through Command Line Options: %s\n",
             request->passed[0] == '\0' ? "None" : request->passed);
    str_addf(s, "Compression Program: %s\nBackup Type: %s\n",
             request->compression != NULL ? request->compression
             : request->gzip              ? "gzip"
                                          : "None",
             request->incremental ? "Incremental" : "Full");
    if (request->whereabouts != NULL)
        str_addf(s, "Files: %s\n", request->whereabouts);
    str_add(s, "\nIndividual Results\n");
    for (size_t i = 0; i < result->node_count; i++)
    {
        add_file(s, &result->nodes[i], result->nodes[i].script, failure);
        add_file(s, &result->nodes[i], result->nodes[i].post_data, failure);
    }
    if (failure == NULL)
        str_add(s, "\ngp_dump utility finished successfully.\n");
    else
    {
        size_t count = count_files(result);
        str_addf(s, "\n%s\n", one_line(shown, failure->message));
        str_addf(s, "gp_dump utility finished unsuccessfully with %zu failures.\n",
                 count == 0 ? 1 : count);
    }
    return s->data;
}

/* "... BackupFile PATH: Succeeded", where a path may have any of these words. */
static char *script_of_line(void *ctx, const char *line, size_t len)
{
    size_t done = strlen(DONE_WORD);
    if (len < done || strncmp(line + len - done, DONE_WORD, done) != 0)
        return NULL;
    char *name = mem_strndup(ctx, line, len - done);
    if (strstr(name, FILE_WORD) == NULL)
        return NULL;
    const char *slash = strrchr(name, '/');
    return slash == NULL ? NULL : mem_strdup(ctx, slash + 1);
}

ReportedScript *dump_report_scripts(void *ctx, const char *text, const char *prefix,
                                    const char *key, size_t *ret_count)
{
    ReportedScript *scripts = NULL;
    size_t capacity = 0;
    *ret_count = 0;
    for (const char *line = text; *line != '\0';)
    {
        size_t len = strcspn(line, "\n");
        ReportedScript s = {.name = script_of_line(ctx, line, len)};
        if (s.name != NULL && dump_name_parse_script(s.name, prefix, key, &s.parsed))
            *mem_push(ctx, scripts, *ret_count, capacity, ReportedScript) = s;
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    return scripts;
}

char *dump_report_read(void *ctx, const char *dir, const char *prefix, const char *key)
{
    Error missing = ERROR_INIT;
    char *text;
    size_t len;
    Storage *st = storage_open(ctx, dir, &missing);
    bool read = st != NULL && storage_read_all(st, ctx, dump_report_name(ctx, false, prefix, key),
                                               REPORT_MAX, &text, &len, &missing);
    return read ? text : NULL;
}

static void add_status_line(Str *s, const char *program, const char *level, const char *text)
{
    char time_text[32];
    char shown[LINE_MAX_BYTES];
    struct tm tm;
    time_t now = (time_t) (clock_wall_us() / 1000000);
    gmtime_r(&now, &tm);
    strftime(time_text, sizeof(time_text), "%Y%m%d:%H:%M:%S", &tm);
    str_addf(s, "%s|%s-[%s]:-%s\n", time_text, program, level, one_line(shown, text));
}

char *dump_status_text(void *ctx, const char *program, const char *const *lines, size_t count,
                       const Error *failure)
{
    Str *s = str_new(ctx);
    for (size_t i = 0; i < count; i++)
        add_status_line(s, program, "INFO", lines[i]);
    if (failure == NULL)
        add_status_line(s, program, "INFO", "Finished successfully");
    else
        add_status_line(s, program, "ERROR", failure->message);
    return s->data;
}

bool dump_file_write(const char *dir, const char *name, const char *text, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "file");
    Storage *st = storage_open(tmp, dir, err);
    AUTO(storage_writer_free)
    StorageWriter *w = st == NULL ? NULL : storage_write_open(st, name, STORAGE_WRITE_ATOMIC, err);
    if (w != NULL && storage_write(w, text, strlen(text), err) && storage_writer_commit(w, err))
        return true;
    return error_prefix(err, "could not write \"%s/%s\"", dir, name);
}

bool dump_report_write(void *ctx, const DumpRequest *request, const char *dir, DumpResult *result,
                       const Error *failure, Error *err)
{
    const char *name = dump_report_name(ctx, false, request->prefix, result->key);
    result->report = mem_printf(ctx, "%s/%s", dir, name);
    return dump_file_write(dir, name, dump_report_text(ctx, request, result, failure), err);
}
