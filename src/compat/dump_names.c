/* compat/dump_names.c - names of files; the contract is in dump_names.h. */
#include "compat/dump_names.h"

#include "base/str.h"

#define POST_DATA "_post_data"
#define DBID_MAX  1000000

char *dump_name(void *ctx, DumpFileKind kind, const char *prefix, int node, int dbid,
                const char *key)
{
    static const char *const words[] = {
        [DUMP_SCRIPT] = "gp_dump",
        [DUMP_POST_DATA] = "gp_dump",
        [DUMP_STATUS] = "gp_dump_status",
        [DUMP_DATABASE] = "gp_cdatabase",
        [DUMP_RESTORE_STATUS] = "gp_restore_status",
        [DUMP_STATISTICS] = "gp_statistics",
    };
    return mem_printf(ctx, "%s%s_%d_%d_%s%s", prefix == NULL ? "" : prefix, words[kind], node, dbid,
                      key, kind == DUMP_POST_DATA ? POST_DATA : "");
}

char *dump_report_name(void *ctx, bool restore, const char *prefix, const char *key)
{
    return mem_printf(ctx, "%s%s_%s.rpt", prefix == NULL ? "" : prefix,
                      restore ? "gp_restore" : "gp_dump", key);
}

/* A number of at most seven digits; *pos moves behind it. */
static bool take_number(const char **pos, int *ret)
{
    bool negative = **pos == '-';
    const char *digits = *pos + (negative ? 1 : 0);
    size_t len = strspn(digits, "0123456789");
    if (len == 0 || len > 7)
        return false;
    *ret = (int) strtol(*pos, NULL, 10);
    *pos = digits + len;
    return true;
}

static bool take_text(const char **pos, const char *text)
{
    size_t len = strlen(text);
    if (strncmp(*pos, text, len) != 0)
        return false;
    *pos += len;
    return true;
}

bool dump_name_parse(const char *name, const char *prefix, const char *key, bool post_data,
                     DumpName *ret)
{
    const char *pos = name;
    *ret = (DumpName){.post_data = post_data};
    if (!take_text(&pos, prefix == NULL ? "" : prefix) || !take_text(&pos, "gp_dump_") ||
        !take_number(&pos, &ret->node) || !take_text(&pos, "_") || !take_number(&pos, &ret->dbid) ||
        !take_text(&pos, "_") || !take_text(&pos, key) ||
        (post_data && !take_text(&pos, POST_DATA)))
        return false;
    ret->gzip = take_text(&pos, DUMP_GZIP_SUFFIX);
    return *pos == '\0' && ret->node >= -1 && ret->dbid >= 0 && ret->dbid <= DBID_MAX;
}

bool dump_name_parse_script(const char *name, const char *prefix, const char *key, DumpName *ret)
{
    return dump_name_parse(name, prefix, key, false, ret) ||
           dump_name_parse(name, prefix, key, true, ret);
}

static bool bad_key(Error *err)
{
    error_set(err, ERR_USAGE, "--gp-k: the key is not 14 digits, or these with _ROLE_DBID_ behind");
    return error_hint(err, "For example 20161103233926 or 20161103233926_1_1_.");
}

bool dump_agent_key_parse(const char *text, DumpAgentKey *ret, Error *err)
{
    const char *pos = text + SET_KEY_LEN - 1;
    *ret = (DumpAgentKey){.role = 1, .dbid = 1};
    if (strspn(text, "0123456789") != SET_KEY_LEN - 1)
        return bad_key(err);
    memcpy(ret->key, text, SET_KEY_LEN - 1);
    if (*pos != '\0' &&
        (!take_text(&pos, "_") || !take_number(&pos, &ret->role) || !take_text(&pos, "_") ||
         !take_number(&pos, &ret->dbid) || !take_text(&pos, "_")))
        return bad_key(err);
    if (*pos != '\0')
    {
        error_set(err, ERR_USAGE, "--gp-k: a password in the key is not taken");
        return error_hint(err, "Everybody can read a command line: use a password file.");
    }
    if (ret->role < 0 || ret->role > 1 || ret->dbid < 0 || ret->dbid > DBID_MAX)
        return bad_key(err);
    return repo_key_parse(ret->key, err) || error_prefix(err, "--gp-k");
}

bool dump_prefix_check(const char *prefix, Error *err)
{
    char shown[80];
    return prefix == NULL || str_is_name(prefix) ||
           error_set(err, ERR_USAGE, "--prefix: \"%s\" is no plain name of at most %d characters",
                     str_one_line(shown, sizeof(shown), prefix), STR_NAME_MAX);
}
