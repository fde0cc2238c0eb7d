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

/* A node of Greenplum is restored without its mirror, for which its commits would wait for ever. */
static char *settings_of_file(void *ctx, const Recovery *r)
{
    Str *s = str_new(ctx);
    str_addf(s, "\n# for set %s, written by pgark\n", r->key);
    if (r->greenplum_dbid != 0)
        add_setting(s, "synchronous_standby_names", "");
    if (r->held)
        str_add(s, RECOVERY_HOLD);
    return s->data;
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
    if (r->by_file)
        return settings_of_file(ctx, r);
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

/* Nobody else writes this file, so it has nothing but what is wanted. Where a server lets queries in while it recovers,
 * it would stop at the target and wait for somebody. */
bool recovery_file(void *ctx, const Recovery *r, RecoveryFile *ret, Error *err)
{
    *ret = (RecoveryFile){.name = r->by_file   ? "recovery.conf"
                                  : r->standby ? "standby.signal"
                                               : "recovery.signal",
                          .text = ""};
    if (!r->by_file)
        return true;
    Str *s = str_new(ctx);
    char *command = recovery_command(ctx, r, err);
    if (command == NULL)
        return false;
    str_addf(s, "# for the recovery of set %s, written by pgark\n", r->key);
    add_setting(s, "restore_command", command);
    if (r->target_name != NULL)
        add_setting(s, "recovery_target_name", r->target_name);
    if (r->target_time != NULL)
        add_setting(s, "recovery_target_time", r->target_time);
    add_setting(s, "recovery_target_timeline", "latest");
    add_setting(s, "pause_at_recovery_target", "false");
    ret->text = s->data;
    return true;
}
