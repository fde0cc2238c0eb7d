/* report/mail.c - one message by SMTP; the contract is in mail.h. */
#include "report/mail.h"

#include <curl/curl.h>
#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define ADDRESS_MAX 254 /* RFC 5321, 4.5.3.1.3 */

/* ---- what was asked for ---- */

bool mail_check_url(const char *option, const char *url, Error *err)
{
    bool known = strncmp(url, "smtp://", 7) == 0 || strncmp(url, "smtps://", 8) == 0;
    const char *host = known ? strstr(url, "//") + 2 : url;
    if (known && *host != '\0' && *host != '/' && *host != ':' && strchr(host, '@') == NULL &&
        strpbrk(url, " \t\r\n") == NULL)
        return true;
    error_set(err, ERR_USAGE, "%s is no smtp://HOST[:PORT] or smtps://HOST[:PORT]", option);
    if (strchr(host, '@') != NULL)
        return error_hint(err, "Name and password have options of their own.");
    return false;
}

bool mail_check_address(const char *option, const char *address, Error *err)
{
    char shown[80];
    const char *at = strchr(address, '@');
    bool plain = strlen(address) <= ADDRESS_MAX;
    for (const char *p = address; *p != '\0'; p++)
        plain = plain && *p > ' ' && *p < 127 && strchr("<>,;:\"()[]\\", *p) == NULL;
    if (plain && at != NULL && at != address && at[1] != '\0' && strchr(at + 1, '@') == NULL)
        return true;
    return error_set(err, ERR_USAGE, "%s: \"%s\" is no address", option,
                     str_one_line(shown, sizeof(shown), address));
}

char *mail_password(void *ctx, const char *path, Error *err)
{
    char line[1024] = "";
    struct stat info;
    FILE *file = fopen(path, "re");
    char *password = NULL;
    if (file == NULL || fstat(fileno(file), &info) != 0)
        error_errno(err, ERR_USAGE, "cannot read the password file \"%s\"", path);
    else if (S_ISREG(info.st_mode) && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    {
        error_set(err, ERR_USAGE, "password file \"%s\" is open to group or others", path);
        error_hint(err, "Give it the mode 0600.");
    }
    else if (fgets(line, (int) sizeof(line), file) == NULL || line[0] == '\n')
        error_set(err, ERR_USAGE, "password file \"%s\" is empty", path);
    else
        password = mem_strndup(ctx, line, strcspn(line, "\r\n"));
    explicit_bzero(line, sizeof(line));
    if (file != NULL)
        fclose(file);
    return password;
}

/* ---- the message ---- */

typedef struct Mail
{
    void *ctx;
    CURL *curl;
    curl_mime *mime;
    struct curl_slist *headers;
    struct curl_slist *to;
    char problem[CURL_ERROR_SIZE];
} Mail;

static void mail_end(Mail *m)
{
    curl_mime_free(m->mime);
    curl_slist_free_all(m->headers);
    curl_slist_free_all(m->to);
    curl_easy_cleanup(m->curl);
}

/* A list that cannot grow is lost, and says so by being NULL. */
static bool add_line(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

/* One line of letters that need no encoding (RFC 5322, 2.2): what else there is becomes a question mark. */
static const char *plain_line(void *ctx, const char *text)
{
    char *line = mem_strndup(ctx, text, 200);
    for (char *p = line; *p != '\0'; p++)
    {
        if (*p < ' ' || *p > '~')
            *p = '?';
    }
    return line;
}

static const char *date_line(void *ctx)
{
    char text[64];
    time_t now = (time_t) (clock_wall_us() / 1000000);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S +0000", &tm);
    return mem_strdup(ctx, text);
}

static bool add_headers(Mail *m, const MailMessage *message)
{
    const char *domain = strchr(message->from, '@') + 1;
    Str *to = str_new(m->ctx);
    bool ok = true;
    for (size_t i = 0; i < message->to_count; i++)
    {
        str_addf(to, "%s%s", i == 0 ? "To: " : ",\r\n ", message->to[i]);
        ok = ok && add_line(&m->to, mem_printf(m->ctx, "<%s>", message->to[i]));
    }
    return ok && add_line(&m->headers, date_line(m->ctx)) &&
           add_line(&m->headers, mem_printf(m->ctx, "From: pgark <%s>", message->from)) &&
           add_line(&m->headers, to->data) &&
           add_line(&m->headers,
                    mem_printf(m->ctx, "Subject: %s", plain_line(m->ctx, message->subject))) &&
           add_line(&m->headers, mem_printf(m->ctx, "Message-ID: <%" PRId64 ".%ld.pgark@%s>",
                                            clock_wall_us(), (long) getpid(), domain)) &&
           add_line(&m->headers, "Auto-Submitted: auto-generated");
}

/* Quoted-printable: lines of any length, and any bytes. */
static bool add_body(Mail *m, const char *text)
{
    Str *body = str_new(m->ctx);
    for (const char *p = text; *p != '\0'; p++)
    {
        if (*p == '\n')
            str_addc(body, '\r');
        str_addc(body, *p);
    }
    m->mime = curl_mime_init(m->curl);
    curl_mimepart *part = m->mime == NULL ? NULL : curl_mime_addpart(m->mime);
    return part != NULL && curl_mime_data(part, body->data, body->len) == CURLE_OK &&
           curl_mime_type(part, "text/plain; charset=utf-8") == CURLE_OK &&
           curl_mime_encoder(part, "quoted-printable") == CURLE_OK;
}

static void set_server(const Mail *m, const MailServer *s)
{
    static const long levels[] = {
        [MAIL_TLS_REQUIRE] = CURLUSESSL_ALL,
        [MAIL_TLS_TRY] = CURLUSESSL_TRY,
        [MAIL_TLS_NONE] = CURLUSESSL_NONE,
    };
    long silence_ms = (long) s->timeout_ms / 3;
    curl_easy_setopt(m->curl, CURLOPT_URL, s->url);
    curl_easy_setopt(m->curl, CURLOPT_USE_SSL, levels[s->tls]);
    if (s->ca_file != NULL)
        curl_easy_setopt(m->curl, CURLOPT_CAINFO, s->ca_file);
    if (s->user != NULL)
        curl_easy_setopt(m->curl, CURLOPT_USERNAME, s->user);
    if (s->password != NULL)
        curl_easy_setopt(m->curl, CURLOPT_PASSWORD, s->password);
    curl_easy_setopt(m->curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(m->curl, CURLOPT_CONNECTTIMEOUT_MS, silence_ms);
    curl_easy_setopt(m->curl, CURLOPT_TIMEOUT_MS, (long) s->timeout_ms);
    /* In seconds, of which none would be no limit. */
    curl_easy_setopt(m->curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (silence_ms + 999) / 1000);
    curl_easy_setopt(m->curl, CURLOPT_NOSIGNAL, 1L);
}

static bool send_mail(Mail *m, const MailServer *server, const MailMessage *message, Error *err)
{
    if (!add_headers(m, message) || !add_body(m, message->body))
        return error_set(err, ERR_PROGRAM, "could not make a message of mail");
    set_server(m, server);
    curl_easy_setopt(m->curl, CURLOPT_ERRORBUFFER, m->problem);
    curl_easy_setopt(m->curl, CURLOPT_MAIL_FROM, mem_printf(m->ctx, "<%s>", message->from));
    curl_easy_setopt(m->curl, CURLOPT_MAIL_RCPT, m->to);
    curl_easy_setopt(m->curl, CURLOPT_HTTPHEADER, m->headers);
    curl_easy_setopt(m->curl, CURLOPT_MIMEPOST, m->mime);
    CURLcode code = curl_easy_perform(m->curl);
    if (code == CURLE_OK)
        return true;
    char why[200];
    str_one_line(why, sizeof(why), m->problem[0] != '\0' ? m->problem : curl_easy_strerror(code));
    error_set(err, ERR_PROGRAM, "could not send mail by %s: %s", server->url, why);
    if (code == CURLE_USE_SSL_FAILED)
        return error_hint(err, "The server offers no STARTTLS: --mail-tls=try goes without.");
    return false;
}

bool mail_send(const MailServer *server, const MailMessage *message, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "mail");
    Mail m = {.ctx = ctx};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, ERR_PROGRAM, "libcurl cannot be used");
    m.curl = curl_easy_init();
    bool ok = m.curl == NULL ? error_set(err, ERR_PROGRAM, "libcurl cannot be used")
                             : send_mail(&m, server, message, err);
    mail_end(&m);
    curl_global_cleanup();
    return ok;
}
