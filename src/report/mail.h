/*
 * report/mail.h - one message by SMTP.
 */
#ifndef PGARK_REPORT_MAIL_H
#define PGARK_REPORT_MAIL_H

#include "base/error.h"
#include "base/mem.h"

typedef enum MailTls
{
    MAIL_TLS_REQUIRE, /* STARTTLS, or nothing is sent */
    MAIL_TLS_TRY,
    MAIL_TLS_NONE,
} MailTls;

typedef struct MailServer
{
    const char *url;  /* smtp://HOST[:PORT], or smtps:// for TLS from the first byte on */
    const char *user; /* NULL: no login */
    const char *password;
    const char *ca_file; /* certificates to trust, NULL: the system's */
    MailTls tls;
    int64_t timeout_ms; /* for all of a message; a third of it for a server that says nothing */
} MailServer;

typedef struct MailMessage
{
    const char *from;
    const char *const *to;
    size_t to_count;
    const char *subject; /* any text */
    const char *body;    /* any text, lines ended by \n */
} MailMessage;

/* mail_check_url and mail_check_address: ERR_USAGE with what is wrong; option names it. An address is
 * LOCAL@DOMAIN without a name, blanks or anything that could begin another header. */
bool mail_check_url(const char *option, const char *url, Error *err) MUST_CHECK;
bool mail_check_address(const char *option, const char *address, Error *err) MUST_CHECK;

/* mail_password reads the first line of a file that nobody but its owner may read, below ctx. ERR_USAGE. */
char *mail_password(void *ctx, const char *path, Error *err);

/* mail_send sends one message to all of its addresses, or to none. Blocks, for the server's timeout_ms at most.
 * ERR_PROGRAM with what server or libcurl says; a server whose certificate does not prove its name is not talked to. */
bool mail_send(const MailServer *server, const MailMessage *message, Error *err) MUST_CHECK;

#endif
