/* extension/program.c - may this program be started? The contract is in pgark.h. */
#include "pgark.h"

#include <sys/stat.h>
#include <unistd.h>

static void refuse(const char *path, const char *why)
{
    ereport(
        ERROR,
        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("pgark.program \"%s\" %s", path, why),
         errhint("Set it to the path of pgark as root or the server's user has installed it.")));
}

/* Who may write the file, or put another in its place, decides what runs as the server's user. That the
 * directories above it are safe is the administrator's part, as with every program that he starts. */
void program_check(const char *path)
{
    struct stat st;

    if (path == NULL || path[0] == '\0')
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("pgark.program is not set"),
                        errhint("A superuser sets it: ALTER SYSTEM SET pgark.program = "
                                "'/usr/bin/pgark'; SELECT pg_reload_conf();")));
    if (path[0] != '/')
        refuse(path, "is no absolute path");
    if (stat(path, &st) != 0)
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("pgark.program \"%s\" cannot be found: %m", path)));
    if (!S_ISREG(st.st_mode))
        refuse(path, "is no file");
    if (st.st_uid != 0 && st.st_uid != geteuid())
        refuse(path, "belongs neither to root nor to the server's user");
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        refuse(path, "can be written by others than its owner");
    if (access(path, X_OK) != 0)
        refuse(path, "cannot be executed");
}
