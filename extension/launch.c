/* extension/launch.c - pgark.launch. */
#include "pgark.h"

#include <sys/wait.h>

#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#define KEY_LEN       14
#define KIND_MAX      32
#define JOB_MAX       (64 * 1024 * 1024)
#define LOCK_FAMILY   11 /* of advisory locks; pg_advisory_lock has 1 and 2 */
#define FAILURE_LINES 3
#if PG_VERSION_NUM < 140000
#define ROLE_PG_WRITE_SERVER_FILES DEFAULT_ROLE_WRITE_SERVER_FILES
#endif

PG_FUNCTION_INFO_V1(pgark_launch);

static void check_kind(const char *kind)
{
    size_t len = strlen(kind);

    if (len == 0 || len > KIND_MAX || strspn(kind, "abcdefghijklmnopqrstuvwxyz_") != len)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("there is no kind of agent of that name"),
                        errhint("A kind is a word of lower-case letters.")));
}

void launch_check_key(const char *key)
{
    if (strlen(key) != KEY_LEN || strspn(key, "0123456789") != KEY_LEN)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the key of a run is 14 digits, YYYYMMDDHHMMSS")));
}

/* Of an agent that fills directories anywhere, and not only a repository, more is wanted than of others: of the session's
 * role, as which it works, and of the one that calls it here. */
static void check_rights(const char *kind)
{
    Oid roles[] = {GetSessionUserId(), GetUserId()};

    for (int i = 0; strcmp(kind, "restore_physical") == 0 && i < (int) lengthof(roles); i++)
    {
        if (!has_privs_of_role(roles[i], ROLE_PG_WRITE_SERVER_FILES))
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                            errmsg("role \"%s\" may not write files on this server's host",
                                   GetUserNameFromId(roles[i], false)),
                            errhint("An agent that restores servers wants a superuser, or a member "
                                    "of pg_write_server_files besides pgark_backup.")));
    }
}

/* An agent reports into a table, and listens. */
static void check_server(void)
{
    if (RecoveryInProgress())
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("agents cannot work on a standby"), errhint("Back it up without agents.")));
}

/* The number of the node that the job is for, as a hash. Several nodes of a fleet may be databases of this server, and
 * their agents started from the same one, as restores' are. */
static uint32 hash_node(Jsonb *job)
{
    static const char name[] = "content";
    JsonbValue found;

    if (getKeyJsonValueFromContainer(&job->root, name, (int) strlen(name), &found) == NULL ||
        found.type != jbvNumeric)
        return 0;
    return DatumGetUInt32(DirectFunctionCall1(hash_numeric, NumericGetDatum(found.val.numeric)));
}

/* Until the end of the transaction: two agents of one run on one node would work on the same files. */
static void lock_key(const char *kind, const char *key, Jsonb *job)
{
    LOCKTAG tag;
    uint32 high = DatumGetUInt32(hash_any((const unsigned char *) key, KEY_LEN));
    uint32 low = DatumGetUInt32(hash_any((const unsigned char *) kind, (int) strlen(kind)));

    low = hash_combine(low, hash_node(job));
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, high, low, LOCK_FAMILY);
    if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_IN_USE),
                 errmsg("an agent of kind \"%s\" with key %s runs here already", kind, key)));
}

/* An agent that fails says why in three lines: SQLSTATE, message, hint. Another text is no such thing;
 * then the last that it printed has to do. */
static bool split_failure(char *text, char *lines[FAILURE_LINES])
{
    for (int i = 0; i < FAILURE_LINES; i++)
    {
        char *end = strchr(text, '\n');

        if (end == NULL)
            return false;
        *end = '\0';
        lines[i] = text;
        text = end + 1;
    }
    return strlen(lines[0]) == 5 && strncmp(lines[0], "PK", 2) == 0 &&
           strspn(lines[0] + 2, "0123456789") == 3;
}

/* The program's text is UTF-8, or something that never was a text. */
static char *to_server(const char *text)
{
    int len = (int) strlen(text);

    if (!pg_verify_mbstr(PG_UTF8, text, len, true))
        return pstrdup("(a message that cannot be shown)");
    return pg_any_to_server(text, len, PG_UTF8);
}

static void tell_failure(const char *kind, ChildResult *result)
{
    char *lines[FAILURE_LINES];

    if (WIFSIGNALED(result->status))
        ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
                        errmsg("the agent of kind \"%s\" was ended by signal %d", kind,
                               WTERMSIG(result->status)),
                        result->last[0] == '\0'
                            ? 0
                            : errdetail("The last that it said: %s", to_server(result->last))));
    if (split_failure(result->out->data, lines))
    {
        const char *s = lines[0];

        ereport(ERROR, (errcode(MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4])),
                        errmsg("%s", to_server(lines[1])),
                        lines[2][0] == '\0' ? 0 : errhint("%s", to_server(lines[2]))));
    }
    ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
                    errmsg("the agent of kind \"%s\" failed with exit code %d", kind,
                           WEXITSTATUS(result->status)),
                    result->last[0] == '\0'
                        ? 0
                        : errdetail("The last that it said: %s", to_server(result->last))));
}

static Datum run_agent(const char *kind, const char *key, Jsonb *job)
{
    char *argv[] = {pgark_program, "agent", (char *) (uintptr_t) kind, (char *) (uintptr_t) key,
                    NULL};
    ChildResult result;
    size_t len;
    char *message = job_message(kind, key, job, &len);

    ereport(LOG, (errmsg("pgark: role \"%s\" starts \"%s\" agent %s %s",
                         GetUserNameFromId(GetSessionUserId(), false), pgark_program, kind, key),
                  errdetail("Job: %s", job_for_log(job)), errhidestmt(true)));
    child_run(argv, message, len, &result);
    if (result.status != 0)
        tell_failure(kind, &result);
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(to_server(result.out->data)));
}

Datum launch_agent(const char *kind, const char *key, Jsonb *job)
{
    check_server();
    program_check(pgark_program);
    lock_key(kind, key, job);
    return run_agent(kind, key, job);
}

Datum pgark_launch(PG_FUNCTION_ARGS)
{
    char *kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
    char *key = text_to_cstring(PG_GETARG_TEXT_PP(1));
    Jsonb *job = PG_GETARG_JSONB_P(2);

    check_kind(kind);
    check_rights(kind);
    launch_check_key(key);
    if (!JB_ROOT_IS_OBJECT(job))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the job of an agent must be a JSON object")));
    if (VARSIZE(job) > JOB_MAX)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the job of an agent must not be longer than %d bytes", JOB_MAX)));
    PG_RETURN_DATUM(launch_agent(kind, key, job));
}
