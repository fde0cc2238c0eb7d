/*
 * extension/job.c - what a program is told (job_message in pgark.h).
 *
 *   <decimal length>\n<that many bytes: one JSON object, UTF-8>
 *
 *   protocol   PGARK_PROTOCOL
 *   kind, key  as given to pgark.launch
 *   server     what this server says of itself, and nobody else can: where its socket is, whose session
 *              this is. socket_dir, port, database, user, pid, started (of the session, as
 *              pg_stat_activity has backend_start), data_directory, bin_directory, version, content, dbid
 *   job        as given to pgark.launch
 */
#include "pgark.h"

#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#define LOGGED_MAX 8192 /* a manifest is a part of some jobs */

static void add_text(StringInfo s, const char *name, const char *value)
{
    appendStringInfo(s, "\"%s\":", name);
    escape_json(s, value);
    appendStringInfoChar(s, ',');
}

static void add_number(StringInfo s, const char *name, int value)
{
    appendStringInfo(s, "\"%s\":%d,", name, value);
}

static char *first_socket_dir(void)
{
    const char *all = GetConfigOption("unix_socket_directories", true, false);
    List *dirs = NIL;

    if (all == NULL || !SplitDirectoriesString(pstrdup(all), ',', &dirs) || dirs == NIL)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("agents connect through a local socket, and this server has none"),
                        errhint("Set unix_socket_directories.")));
    return (char *) linitial(dirs);
}

/* Greenplum and its heirs number their nodes; of any other server these are the coordinator's. */
static int identity(const char *setting, int otherwise)
{
    const char *text = GetConfigOption(setting, true, false);

    return text == NULL ? otherwise : atoi(text);
}

static char *bin_directory(void)
{
    char *path = pstrdup(my_exec_path);

    get_parent_directory(path);
    return path;
}

static void add_server(StringInfo s)
{
    appendStringInfoString(s, "\"server\":{");
    add_text(s, "socket_dir", first_socket_dir());
    add_number(s, "port", PostPortNumber);
    add_text(s, "database", get_database_name(MyDatabaseId));
    add_text(s, "user", GetUserNameFromId(GetSessionUserId(), false));
    add_number(s, "pid", MyProcPid);
    add_text(s, "data_directory", DataDir);
    add_text(s, "bin_directory", bin_directory());
    add_number(s, "version", PG_VERSION_NUM);
    add_number(s, "content", identity("gp_contentid", -1));
    appendStringInfo(s, "\"dbid\":%d},", identity("gp_dbid", 1));
}

char *job_message(const char *kind, const char *key, Jsonb *job, size_t *ret_len)
{
    StringInfoData s;
    StringInfoData whole;
    char *utf8;

    initStringInfo(&s);
    appendStringInfoChar(&s, '{');
    add_number(&s, "protocol", PGARK_PROTOCOL);
    add_text(&s, "kind", kind);
    add_text(&s, "key", key);
    add_server(&s);
    appendStringInfoString(&s, "\"job\":");
    (void) JsonbToCString(&s, &job->root, VARSIZE(job));
    appendStringInfoString(&s, "}\n");
    utf8 = pg_server_to_any(s.data, s.len, PG_UTF8);
    initStringInfo(&whole);
    appendStringInfo(&whole, "%zu\n", strlen(utf8));
    appendStringInfoString(&whole, utf8);
    *ret_len = (size_t) whole.len;
    return whole.data;
}

/* A secret stands in a field of the job itself that is called so, and nowhere else. */
char *job_for_log(Jsonb *job)
{
    Datum shown = DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(job),
                                      CStringGetTextDatum("password"));
    Jsonb *clean = DatumGetJsonbP(shown);

    char *text = JsonbToCString(NULL, &clean->root, VARSIZE(clean));
    int len = (int) strlen(text);

    if (len <= LOGGED_MAX)
        return text;
    text[pg_mbcliplen(text, len, LOGGED_MAX)] = '\0';
    return psprintf("%s... (%d bytes)", text, len);
}
