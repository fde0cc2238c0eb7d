/*
 * extension/gp.c - gp_backup_launch, gp_restore_launch and gp_read_backup_file, as Greenplum had them.
 *
 * They take texts that once became a command line of a shell. Here nothing does: what is not plainly a
 * directory, a key, or a list of words is refused, before any program is started; which words there may
 * be is the program's to say.
 */
#include "pgark.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"

#define WORDS_MAX  65536
#define STATUS_MAX (16 * 1024 * 1024)
#define NOTHING    "There is no further information."

typedef enum BackupFile
{
    FILE_DUMP,
    FILE_DUMP_STATUS,
    FILE_RESTORE_STATUS
} BackupFile;

PG_FUNCTION_INFO_V1(gp_backup_launch);
PG_FUNCTION_INFO_V1(gp_restore_launch);
PG_FUNCTION_INFO_V1(gp_read_backup_file);

/* ---- arguments ---- */

static char *text_argument(FunctionCallInfo fcinfo, int i)
{
    return PG_ARGISNULL(i) ? pstrdup("") : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

static void refuse(const char *what, const char *why)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s %s", what, why)));
}

static bool is_upward(const char *component, size_t len)
{
    return (len == 1 && component[0] == '.') ||
           (len == 2 && component[0] == '.' && component[1] == '.');
}

/* An empty name is the data directory, a relative one lies in it. */
static char *directory(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_-./+,=@:%";
    size_t len = strlen(name);

    if (len > MAXPGPATH / 2)
        refuse("the directory", "has a name that is too long");
    if (strspn(name, allowed) != len)
        refuse("the directory",
               "has other characters in its name than ASCII letters, digits and _-./+,=@:%");
    for (const char *c = name; *c != '\0'; c += strspn(c, "/"))
    {
        size_t component = strcspn(c, "/");

        if (is_upward(c, component))
            refuse("the directory", "has . or .. in its path");
        c += component;
    }
    if (name[0] == '/')
        return pstrdup(name);
    return len == 0 ? pstrdup(DataDir) : psprintf("%s/%s", DataDir, name);
}

/* Nothing that ever meant something to a shell, and nothing that cannot be seen. */
static void check_words(const char *what, const char *words)
{
    if (strlen(words) > WORDS_MAX)
        refuse(what, "are too long");
    for (const char *c = words; *c != '\0'; c++)
    {
        unsigned char byte = (unsigned char) *c;

        if (byte < ' ' || byte == 0x7f || strchr("\"'`$;&|<>(){}\\#!~", byte) != NULL)
            refuse(what, "have quotes, control characters or others that a shell would understand");
    }
}

/* A JSON array of the words. */
static void add_words(StringInfo s, const char *words)
{
    bool first = true;

    appendStringInfoChar(s, '[');
    for (const char *c = words + strspn(words, " "); *c != '\0'; c += strspn(c, " "))
    {
        size_t len = strcspn(c, " ");

        appendStringInfoString(s, first ? "" : ",");
        escape_json(s, pnstrdup(c, len));
        first = false;
        c += len;
    }
    appendStringInfoChar(s, ']');
}

static void check_compressor(const char *name)
{
    if (name[0] != '\0' && strcmp(name, "gzip") != 0 && strcmp(name, "gunzip") != 0)
        refuse("the compression program", "is none but gzip (gunzip of a restore)");
}

/* What gp_dump sent along was a password in base64. */
static char *password_of(const char *credentials)
{
    Datum bytes;
    char *password;

    if (credentials[0] == '\0')
        return NULL;
    bytes = DirectFunctionCall2(binary_decode, CStringGetTextDatum(credentials),
                                CStringGetTextDatum("base64"));
    password = text_to_cstring(DatumGetTextPP(bytes));
    if (strlen(password) != VARSIZE_ANY_EXHDR(DatumGetByteaPP(bytes)) ||
        !pg_verifymbstr(password, (int) strlen(password), true))
        refuse("the password in the credentials", "is no text");
    return password;
}

static int number_setting(const char *name, int otherwise)
{
    const char *text = GetConfigOption(name, true, false);

    return text == NULL ? otherwise : atoi(text);
}

/* ---- programs ---- */

static void add_text(StringInfo s, const char *name, const char *value)
{
    appendStringInfo(s, "\"%s\":", name);
    escape_json(s, value);
    appendStringInfoChar(s, ',');
}

/* job has all but the end of "more" and the words. Gives the path that the program tells. */
static Datum launch(const char *kind, const char *key, StringInfo job, const char *words,
                    const char *credentials)
{
    char *password = password_of(credentials);
    Datum result;

    appendStringInfoString(job, "},\"arguments\":");
    add_words(job, words);
    if (password != NULL)
    {
        appendStringInfoString(job, ",\"password\":");
        escape_json(job, password);
    }
    appendStringInfoChar(job, '}');
    result = launch_agent(
        kind, key, DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(job->data))));
    return DirectFunctionCall2(jsonb_object_field_text, result, CStringGetTextDatum("file"));
}

Datum gp_backup_launch(PG_FUNCTION_ARGS)
{
    char *dir = directory(text_argument(fcinfo, 0));
    char *key = text_argument(fcinfo, 1);
    char *compressor = text_argument(fcinfo, 2);
    char *words = text_argument(fcinfo, 3);
    StringInfoData job;

    launch_check_key(key);
    check_compressor(compressor);
    check_words("the options to be passed through", words);
    initStringInfo(&job);
    appendStringInfoString(&job, "{\"more\":{");
    add_text(&job, "dir", dir);
    appendStringInfo(&job, "\"gzip\":%s", compressor[0] == '\0' ? "false" : "true");
    PG_RETURN_DATUM(launch("gp_dump", key, &job, words, text_argument(fcinfo, 4)));
}

/* The target was another server's address once: it can be this one's only. */
static void check_target(const char *words)
{
    static const char *const names[] = {"--target-dbid", "--target-host", "--target-port"};
    int known = 0;

    check_words("the words about the target", words);
    for (const char *c = words + strspn(words, " "); *c != '\0'; c += strspn(c, " "))
    {
        size_t len = strcspn(c, " =");
        char *name = pnstrdup(c, len);
        char *value;

        known = 0;
        while (known < (int) lengthof(names) && strcmp(names[known], name) != 0)
            known++;
        if (known == (int) lengthof(names))
            refuse("the target",
                   "has other words than --target-dbid, --target-host, --target-port");
        c += len;
        c += strspn(c, " =");
        len = strcspn(c, " ");
        value = pnstrdup(c, len);
        c += len;
        if (known == 2 && atoi(value) != PostPortNumber)
            refuse("the target", "has another port than this server");
        if (known == 0 && atoi(value) != number_setting("gp_dbid", 1))
            refuse("the target", "has another dbid than this server");
    }
}

Datum gp_restore_launch(PG_FUNCTION_ARGS)
{
    char *dir = directory(text_argument(fcinfo, 0));
    char *key = text_argument(fcinfo, 1);
    char *words = text_argument(fcinfo, 3);
    bool stop = PG_ARGISNULL(7) || PG_GETARG_BOOL(7);
    StringInfoData job;

    launch_check_key(key);
    check_compressor(text_argument(fcinfo, 2));
    check_words("the options to be passed through", words);
    check_target(text_argument(fcinfo, 5));
    if (!PG_ARGISNULL(6) && PG_GETARG_INT32(6) != number_setting("gp_dbid", 1))
        refuse("the target", "has another dbid than this server");
    initStringInfo(&job);
    appendStringInfoString(&job, "{\"more\":{");
    add_text(&job, "dir", dir);
    appendStringInfo(&job, "\"stop\":%s", stop ? "true" : "false");
    PG_RETURN_DATUM(launch("gp_restore", key, &job, words, text_argument(fcinfo, 4)));
}

/* ---- status files ---- */

/* Named by role, as agents do, or by content id, as gp_dump does. -1: there is none. */
static int open_status(const char *dir, const char *key, bool restore, char **ret_path)
{
    int content = number_setting("gp_contentid", -1);
    int dbid = number_setting("gp_dbid", 1);
    const char *word = restore ? "gp_restore_status" : "gp_dump_status";
    int fd;

    *ret_path = psprintf("%s/%s_%d_%d_%s", dir, word, content < 0 ? 1 : 0, dbid, key);
    fd = open(*ret_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    return open(psprintf("%s/%s_%d_%d_%s", dir, word, content, dbid, key),
                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static char *read_status(const char *path, int fd)
{
    struct stat st;
    char *text;
    ssize_t n = -1;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= STATUS_MAX)
    {
        text = palloc((Size) st.st_size + 1);
        n = read(fd, text, (size_t) st.st_size);
    }
    close(fd);
    if (n < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("\"%s\" is no status file of at most %d bytes", path, STATUS_MAX)));
    text[n] = '\0';
    if (strlen(text) != (size_t) n || !pg_verifymbstr(text, (int) n, true))
        ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
                        errmsg("\"%s\" is no text in this database's encoding", path)));
    return text;
}

/* From the beginning of the first line that tells of an error. */
static const char *from_error(const char *text)
{
    while (*text != '\0')
    {
        const char *end = text + strcspn(text, "\n");
        char *line = pnstrdup(text, (Size) (end - text));

        if (strstr(line, "ERROR:") != NULL || strstr(line, "ERROR]") != NULL)
            return text;
        pfree(line);
        text = *end == '\0' ? end : end + 1;
    }
    return NOTHING;
}

Datum gp_read_backup_file(PG_FUNCTION_ARGS)
{
    char *dir = directory(text_argument(fcinfo, 0));
    char *key = text_argument(fcinfo, 1);
    int type = PG_ARGISNULL(2) ? -1 : PG_GETARG_INT32(2);
    char *path;
    int fd;

    launch_check_key(key);
    if (type != FILE_DUMP_STATUS && type != FILE_RESTORE_STATUS)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("only status files are read: 1 of a dump, 2 of a restore")));
    fd = open_status(dir, key, type == FILE_RESTORE_STATUS, &path);
    if (fd < 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not open \"%s\": %m", path)));
    PG_RETURN_TEXT_P(cstring_to_text(from_error(read_status(path, fd))));
}
