/* physical/recovery.c - settings of a server that recovers; the contract is in recovery.h. */
#include "physical/recovery.h"

#include "base/str.h"
#include "physical/wal_fetch.h"

/* One word for a shell, of which the server first replaces what begins with a percent sign. */
static bool add_word(Str *s, const char *word, Error *err)
{
    if (word[strcspn(word, "\r\n")] != '\0')
        return error_set(err, ERR_USAGE,
                         "a path with a line break cannot stand in a restore_command");
    str_addc(s, '\'');
    for (const char *p = word; *p != '\0'; p++)
    {
        if (*p == '\'')
            str_add(s, "'\\''");
        else if (*p == '%')
            str_add(s, "%%");
        else
            str_addc(s, *p);
    }
    str_add(s, "' ");
    return true;
}

char *recovery_command(void *ctx, const Recovery *r, Error *err)
{
    Str *s = str_new(ctx);
    if (!add_word(s, r->program, err))
        return NULL;
    str_add(s, WAL_FETCH_COMMAND " ");
    if (!add_word(s, r->repo, err) || !add_word(s, r->key, err))
        return NULL;
    str_addf(s, "%d \"%%f\" \"%%p\"%s", r->content, r->archive ? " " WAL_FETCH_ARCHIVE : "");
    return s->data;
}

/* A value in a configuration file. */
static void add_setting(Str *s, const char *name, const char *value)
{
    str_addf(s, "%s = '", name);
    for (const char *p = value; *p != '\0'; p++)
    {
        if (*p == '\'' || *p == '\\')
            str_addc(s, *p);
        str_addc(s, *p);
    }
    str_add(s, "'\n");
}

/* Of several targets the last one that is assigned is in force, and one that is assigned nothing takes all
 * of them away: so that the one that is wanted stands behind the others. */
char *recovery_settings(void *ctx, const Recovery *r, Error *err)
{
    static const char *const targets[] = {"recovery_target", "recovery_target_lsn",
                                          "recovery_target_xid", "recovery_target_name",
                                          "recovery_target_time"};
    const char *own = r->target_time != NULL ? "recovery_target_time" : "recovery_target_name";
    const char *target = r->target_time != NULL ? r->target_time : r->target_name;
    Str *s = str_new(ctx);
    char *command = recovery_command(ctx, r, err);
    if (command == NULL)
        return NULL;
    str_addf(s, "\n# for the recovery of set %s, written by pgark\n", r->key);
    add_setting(s, "restore_command", command);
    add_setting(s, "recovery_end_command", "");
    add_setting(s, "archive_cleanup_command", "");
    for (size_t i = 0; i < LENGTH_OF(targets); i++)
        if (strcmp(targets[i], own) != 0)
            add_setting(s, targets[i], "");
    add_setting(s, own, target == NULL ? "" : target);
    add_setting(s, "recovery_target_timeline", "latest");
    add_setting(s, "recovery_target_action", r->standby ? "pause" : "promote");
    if (r->held)
        str_add(s, RECOVERY_HOLD);
    return s->data;
}

const char *recovery_signal(const Recovery *r)
{
    return r->standby ? "standby.signal" : "recovery.signal";
}
