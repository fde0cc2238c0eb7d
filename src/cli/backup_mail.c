/* cli/backup_mail.c - tells by mail how a backup ended; the contract is in backup_mail.h. */
#include "cli/backup_mail.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "report/mail.h"
#include "report/set_report.h"

#define TABLES 50

struct BackupMail
{
    MailServer server;
    const char *from;
    const char *const *to;
    size_t to_count;
    RunEnd least; /* what is as bad as this, or worse, is told */
    const char *host;
};

static const char *host_name(void *ctx)
{
    char host[256] = "localhost";
    if (gethostname(host, sizeof(host)) != 0)
        snprintf(host, sizeof(host), "localhost");
    host[sizeof(host) - 1] = '\0';
    return mem_strdup(ctx, host);
}

bool backup_mail_server(void *ctx, const Options *o, MailServer *ret, Error *err)
{
    const char *tls = options_string(o, OPT_MAIL_TLS);
    const char *file = options_string(o, OPT_MAIL_PASSWORD_FILE);
    *ret = (MailServer){.url = options_string(o, OPT_MAIL_SERVER),
                        .user = options_string(o, OPT_MAIL_USER),
                        .ca_file = options_string(o, OPT_MAIL_CA_FILE),
                        .timeout_ms = options_int(o, OPT_MAIL_TIMEOUT),
                        .tls = str_equal(tls, "try")    ? MAIL_TLS_TRY
                               : str_equal(tls, "none") ? MAIL_TLS_NONE
                                                        : MAIL_TLS_REQUIRE};
    if (!mail_check_url("--mail-server", ret->url, err))
        return false;
    if (ret->ca_file != NULL && access(ret->ca_file, R_OK) != 0)
        return error_errno(err, ERR_USAGE, "cannot read --mail-ca-file \"%s\"", ret->ca_file);
    if (file == NULL)
        return true;
    ret->password = mail_password(ctx, file, err);
    return ret->password != NULL;
}

const char *backup_mail_from(void *ctx, const Options *o)
{
    const char *from = options_string(o, OPT_MAIL_FROM);
    return from != NULL ? from : mem_printf(ctx, "pgark@%s", host_name(ctx));
}

bool backup_mail_prepare(void *ctx, const Options *o, BackupMail **ret, Error *err)
{
    const char *on = options_string(o, OPT_MAIL_ON);
    BackupMail *mail = mem_new(ctx, BackupMail);
    *ret = NULL;
    mail->to = options_list(o, OPT_MAIL_TO, &mail->to_count);
    if (mail->to_count == 0)
        return true;
    mail->host = host_name(mail);
    mail->from = backup_mail_from(mail, o);
    mail->least = str_equal(on, "always")     ? RUN_DONE
                  : str_equal(on, "warnings") ? RUN_WARNINGS
                                              : RUN_FAILED;
    if (!mail_check_address("--mail-from", mail->from, err) ||
        !backup_mail_server(mail, o, &mail->server, err))
        return false;
    for (size_t i = 0; i < mail->to_count; i++)
    {
        if (!mail_check_address("--mail-to", mail->to[i], err))
            return false;
    }
    *ret = mail;
    return true;
}

bool backup_mail_wanted(const BackupMail *mail, RunEnd end)
{
    return mail != NULL && end >= mail->least;
}

static void write_body(FILE *out, const BackupMail *mail, const RunOutcome *o)
{
    char iso[CLOCK_ISO_LEN];
    char duration[STR_BYTES_LEN];
    char name[200];
    fprintf(out, "host        %s\noutcome     %s, %d warning%s\n", mail->host, run_end_word(o->end),
            o->warnings, o->warnings == 1 ? "" : "s");
    if (o->error != NULL)
    {
        fprintf(out, "fleet       %s\nrepository  %s\n", str_one_line(name, sizeof(name), o->name),
                o->repo);
        fprintf(out, "started     %s, took %s\n", clock_iso(iso, o->started_us),
                str_format_duration(duration, (o->finished_us - o->started_us) / 1000));
        fprintf(out, "error       %s%s%s\n", o->error->node, o->error->node[0] == '\0' ? "" : ": ",
                o->error->message);
        if (o->error->sqlstate[0] != '\0')
            fprintf(out, "SQLSTATE    %s\n", o->error->sqlstate);
        if (o->error->hint[0] != '\0')
            fprintf(out, "hint        %s\n", o->error->hint);
    }
    if (o->manifest != NULL)
        set_report_text(out, o->repo, o->manifest, TABLES, NULL);
    fprintf(out, "\noptions     %s\n", o->asked);
}

bool backup_mail_send(const BackupMail *mail, const RunOutcome *o, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "mail");
    static const char *const ends[] = {"done", "done with warnings", "failed", "was cancelled"};
    char *body = NULL;
    size_t len = 0;
    FILE *out = mem_check(open_memstream(&body, &len));
    write_body(out, mail, o);
    if (fclose(out) != 0)
        return error_set(err, ERR_INTERNAL, "cannot write a message of mail");
    const MailMessage message = {
        .from = mail->from,
        .to = mail->to,
        .to_count = mail->to_count,
        .subject = mem_printf(ctx, "backup of %s %s on %s", o->name, ends[o->end], mail->host),
        .body = body};
    bool ok = mail_send(&mail->server, &message, err);
    free(body);
    return ok;
}
