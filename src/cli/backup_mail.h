/*
 * cli/backup_mail.h - tells by mail how a backup ended.
 */
#ifndef PGARK_CLI_BACKUP_MAIL_H
#define PGARK_CLI_BACKUP_MAIL_H

#include "cli/cli.h"
#include "report/mail.h"
#include "report/run_outcome.h"

typedef struct BackupMail BackupMail;

/* backup_mail_prepare reads and checks the options, and the password's file, below ctx. ERR_USAGE. *ret is NULL
 * when nobody is to be told. */
bool backup_mail_prepare(void *ctx, const Options *o, BackupMail **ret, Error *err) MUST_CHECK;

/* backup_mail_server reads and checks the options that tell how mail is sent, and the password's file, below ctx;
 * backup_mail_from gives the sender. ERR_USAGE. */
bool backup_mail_server(void *ctx, const Options *o, MailServer *ret, Error *err) MUST_CHECK;
const char *backup_mail_from(void *ctx, const Options *o);

/* backup_mail_wanted: is this an end that --mail-on speaks of? */
bool backup_mail_wanted(const BackupMail *mail, RunEnd end);

/* backup_mail_send tells of the outcome: for a set its report, else the error. Errors as of mail_send(). */
bool backup_mail_send(const BackupMail *mail, const RunOutcome *outcome, Error *err) MUST_CHECK;

#endif
