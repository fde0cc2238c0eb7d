/*
 * compat/cron_rows.h - how the rows of gpcrondump's and gpdbrestore's options are written; for their tables only.
 */
#ifndef PGARK_COMPAT_CRON_ROWS_H
#define PGARK_COMPAT_CRON_ROWS_H

#include "compat/legacy_options.h"

#define FLAG(i, n, l, text)                                                                        \
    {                                                                                              \
        .id = (i), .name = (n), .letter = (l), .type = LEGACY_FLAG, .help = (text)                 \
    }
#define VALUE(i, n, l, a, text)                                                                    \
    {                                                                                              \
        .id = (i), .name = (n), .letter = (l), .type = LEGACY_VALUE, .arg = (a), .help = (text)    \
    }
#define LIST(i, n, l, a, text)                                                                     \
    {                                                                                              \
        .id = (i), .name = (n), .letter = (l), .type = LEGACY_LIST, .arg = (a), .help = (text)     \
    }
/* An option of a storage that pgark does not have; what to do instead is the program's own. */
#define REFUSED_STORAGE(option, instead)                                                           \
    {                                                                                              \
        .name = (option), .type = LEGACY_REFUSED,                                                  \
        .help = "sets lie in a repository, which is a directory", .hint = (instead)                \
    }

#endif
