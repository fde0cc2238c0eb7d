/*
 * compat/cron_object.h - small objects of a set, made files beside it.
 */
#ifndef PGARK_COMPAT_CRON_OBJECT_H
#define PGARK_COMPAT_CRON_OBJECT_H

#include "repo/repo.h"

/* cron_object_write writes what a compressed object of a set holds to the file name in the directory dir, complete
 * or not at all. Objects whose path is NULL are passed over. */
bool cron_object_write(Repo *repo, const char *set_dir, const SetRecord *set,
                       const ObjectRecord *object, const char *dir, const char *name, Error *err)
    MUST_CHECK;

#endif
