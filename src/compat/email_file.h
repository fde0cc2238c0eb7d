/*
 * compat/email_file.h - the YAML file of gpcrondump --email-file:
 *
 *   EMAIL_DETAILS:
 *     -
 *       DBNAME: shop
 *       FROM: dba@example.org
 *       SUBJECT: backup of shop
 */
#ifndef PGARK_COMPAT_EMAIL_FILE_H
#define PGARK_COMPAT_EMAIL_FILE_H

#include "base/error.h"
#include "base/mem.h"

typedef struct EmailDetails
{
    const char *database;
    const char *from;    /* NULL: as ever */
    const char *subject; /* NULL: as ever */
} EmailDetails;

typedef struct EmailFile
{
    EmailDetails *items;
    size_t count, capacity;
} EmailFile;

#define EMAIL_FILE_MAX ((size_t) 64 * 1024)

/* email_file_read reads the file, below ctx. ERR_USAGE: its name does not end in .yaml, it cannot be read, is longer than
 * EMAIL_FILE_MAX, is not of that form; message and line say what is wrong. */
EmailFile *email_file_read(void *ctx, const char *path, Error *err);

/* email_file_parse is the part that is fuzzed; name is for messages. */
EmailFile *email_file_parse(void *ctx, const char *name, const char *text, size_t len, Error *err);

/* email_file_find: what is said of a database, NULL: nothing. */
const EmailDetails *email_file_find(const EmailFile *file, const char *database);

#endif
