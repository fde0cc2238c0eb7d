/* compat/gpcrondump_mail.c - tells of a dump by mail; see gpcrondump_parts.h. */
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/backup_mail.h"
#include "compat/cron_log.h"
#include "compat/gpcrondump_parts.h"
#include "select/text_lines.h"

#define CONTACTS     "mail_contacts"
#define CONTACTS_MAX ((size_t) 64 * 1024)

typedef struct Contacts
{
    const char *home; /* where it may lie */
    const char *tool;
    const char **items;
    size_t count, capacity;
} Contacts;

static const char *from_variable(void *ctx, const char *variable, const char *rest)
{
    const char *value = getenv(variable);
    return mem_printf(ctx, "%s%s/%s", value == NULL ? "$" : "", value == NULL ? variable : value,
                      rest);
}

static bool read_contacts(const CronRun *run, Contacts *c, Error *err)
{
    const char *path = access(c->home, F_OK) == 0 ? c->home : c->tool;
    size_t len = 0;
    const char *text = text_lines_load(run->ctx, path, CONTACTS_MAX, &len, err);
    TextLines lines = text_lines_new(path, text, len, CONTACTS_MAX);
    Str *line = str_new(run->ctx);
    bool end = text == NULL;
    while (!end)
    {
        if (!text_lines_read(&lines, line, &end, err))
            return text_lines_fail(&lines, err);
        const char *start = line->data + strspn(line->data, " \t");
        const char *address = mem_strndup(run->ctx, start, strcspn(start, " \t"));
        if (end || address[0] == '\0' || address[0] == '#')
            continue;
        if (!mail_check_address(path, address, err))
            return text_lines_fail(&lines, err);
        *mem_push(run->ctx, c->items, c->count, c->capacity, const char *) = address;
    }
    return text != NULL;
}

/* The options that tell how mail is sent, from the environment and the configuration file. */
static const Options *mail_options(const CronRun *run, Error *err)
{
    char program[] = "pgark";
    char command[] = "backup";
    char repo[] = "--repo=.";
    char *argv[] = {program, command, repo, NULL};
    OptionsAction action;
    return options_parse(run->ctx, 3, argv, &action, err);
}

static const char *clock_text(void *ctx, int64_t us)
{
    char text[32];
    time_t seconds = (time_t) (us / 1000000);
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    return mem_strdup(ctx, text);
}

static const char *body(const CronRun *run)
{
    Str *s = str_new(run->ctx);
    str_addf(s, "Database       %s\nReturn code    %d\nStart time     %s\nEnd time       %s\n",
             run->database, run->exit, clock_text(run->ctx, run->started_us),
             clock_text(run->ctx, run->finished_us));
    str_addf(s, "Dump key       %s\nDirectory      %s\nOptions        %s\n", run->key,
             cron_place_day(run->ctx, &run->cron->place, run->key), run->cron->line);
    if (run->manifest == NULL)
        str_addf(s, "Error          %s%s%s\n", run->error.node,
                 run->error.node[0] == '\0' ? "" : ": ", run->error.message);
    if (run->manifest == NULL && run->error.hint[0] != '\0')
        str_addf(s, "Hint           %s\n", run->error.hint);
    return s->data;
}

static bool send_mail(const CronRun *run, const Contacts *contacts, Error *err)
{
    const EmailDetails *details = email_file_find(run->cron->email, run->database);
    const Options *o = mail_options(run, err);
    char host[256] = "localhost";
    MailServer server;
    if (o == NULL || !backup_mail_server(run->ctx, o, &server, err))
        return false;
    if (gethostname(host, sizeof(host)) == 0)
        host[sizeof(host) - 1] = '\0';
    MailMessage message = {
        .from = details != NULL && details->from != NULL ? details->from
                                                         : backup_mail_from(run->ctx, o),
        .to = contacts->items,
        .to_count = contacts->count,
        .subject = details != NULL && details->subject != NULL
                       ? mem_printf(run->ctx, "%s [%s]", details->subject,
                                    run->manifest != NULL ? "COMPLETED" : "FAILED")
                       : mem_printf(run->ctx, "gpcrondump of %s on %s [%s]", run->database, host,
                                    run->manifest != NULL ? "COMPLETED" : "FAILED"),
        .body = body(run),
    };
    return mail_check_address("FROM", message.from, err) && mail_send(&server, &message, err);
}

bool cron_mail(const CronRun *run)
{
    Error err = ERROR_INIT;
    Contacts c = {.home = from_variable(run->ctx, "HOME", CONTACTS),
                  .tool = from_variable(run->ctx, "GPHOME", "bin/" CONTACTS)};
    if (access(c.home, F_OK) != 0 && access(c.tool, F_OK) != 0)
    {
        cron_log_notice("Found neither %s nor %s", c.tool, c.home);
        cron_log_notice("Unable to send dump email notification");
        log_info(
            "To enable email notification, create %s or %s containing required email addresses",
            c.tool, c.home);
        return true;
    }
    if (read_contacts(run, &c, &err) && c.count > 0 && send_mail(run, &c, &err))
    {
        log_info("Sent dump email notification to %zu address%s", c.count,
                 c.count == 1 ? "" : "es");
        return true;
    }
    log_warning("Unable to send dump email notification: %s",
                error_is_set(&err) ? err.message : "there is no address in the file of contacts");
    return false;
}
