/*
 * compat/dump_report.h - what a dump and a restore leave for people and for programs that read it: the report,
 * and a status file for each node.
 */
#ifndef PGARK_COMPAT_DUMP_REPORT_H
#define PGARK_COMPAT_DUMP_REPORT_H

#include "compat/dump_run.h"

/* dump_report_text gives the report of a dump, below ctx; failure NULL: it is complete. The last line says
 * how it ended. */
char *dump_report_text(void *ctx, const DumpRequest *request, const DumpResult *result,
                       const Error *failure);

/* dump_report_write makes it in dir; result->report is its path then, also where it could not be written. */
bool dump_report_write(void *ctx, const DumpRequest *request, const char *dir, DumpResult *result,
                       const Error *failure, Error *err) MUST_CHECK;

/* dump_report_scripts gives the scripts of that prefix and key which the report of a complete dump says were written; below
 * ctx. A report is anybody's text: what has no script's name is passed over. */
typedef struct ReportedScript
{
    const char *name; /* without a directory */
    DumpName parsed;
} ReportedScript;
ReportedScript *dump_report_scripts(void *ctx, const char *text, const char *prefix,
                                    const char *key, size_t *ret_count);

/* dump_report_read gives the text of the report in that directory, below ctx; NULL: there is none that could be read. */
char *dump_report_read(void *ctx, const char *dir, const char *prefix, const char *key);

/* dump_status_text: what a status file says of a node, below ctx: lines with a time, the last of which is
 * "Finished successfully" or, with [ERROR], the failure. program: who writes it. */
char *dump_status_text(void *ctx, const char *program, const char *const *lines, size_t count,
                       const Error *failure);

/* dump_file_write makes a file with this content, complete and durable under its name, or not there at all. */
bool dump_file_write(const char *dir, const char *name, const char *text, Error *err) MUST_CHECK;

#endif
