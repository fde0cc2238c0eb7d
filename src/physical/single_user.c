/* physical/single_user.c - postgres --single; the contract is in single_user.h. */
#include "physical/single_user.h"

#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"

#define PREPARED_MAX 10000
#define LOCKS_IN_ALL 120000

/* A row is written as "\t 1: name = \"value\"\t(typeid = ...". */
static bool take_line(SingleUserOutput *o, Error *err)
{
    static const char start[] = " = \"" SINGLE_USER_MARK;
    o->line[o->len] = '\0';
    char *text = strstr(o->line, start);
    if (o->too_long || text == NULL)
        return true;
    text += sizeof(start) - 1;
    text[strcspn(text, "\"")] = '\0';
    return o->on_row(o->arg, text, err);
}

bool single_user_take(SingleUserOutput *o, const void *data, size_t len, Error *err)
{
    const char *p = data;
    for (size_t i = 0; i < len; i++)
    {
        if (p[i] == '\n')
        {
            if (!take_line(o, err))
                return false;
            o->len = 0;
            o->too_long = false;
        }
        else if (o->len + 1 < sizeof(o->line))
            o->line[o->len++] = p[i];
        else
            o->too_long = true;
    }
    return true;
}

static bool take(void *arg, const void *data, size_t len, Error *err)
{
    return single_user_take(arg, data, len, err);
}

/* The statements as a file that is read from its beginning. */
static int input_of(const char *statements, Error *err)
{
    int fd = fd_temporary(err);
    if (fd < 0)
        return -1;
    if (fd_write(fd, "a temporary file", statements, strlen(statements), err) &&
        (lseek(fd, 0, SEEK_SET) == 0 || error_errno(err, ERR_STORAGE, "cannot read back")))
        return fd;
    close(fd);
    return -1;
}

/*
 * What the server's own files may say would need what this host need not have (libraries, certificates, memory), or
 * name another data directory. What is left out of them changes nothing that lasts, but for
 * - prepared transactions, which need room to come back, and as many locks as all of them together give;
 * - track_commit_timestamp, which would throw away what was tracked if it were off;
 * - archive_mode, without which the history of the new timeline would not be archived later.
 */
bool single_user_run(const SingleUser *s, const char *database, const char *statements,
                     SingleUserRow on_row, void *arg, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "single user");
    SingleUserOutput output = {.on_row = on_row, .arg = arg};
    int input = input_of(statements, err);
    if (input < 0)
        return false;
    const int prepared = s->prepared > 0 ? s->prepared : PREPARED_MAX;
    const int locks = LOCKS_IN_ALL / (prepared + 100);
    const char *const argv[] = {s->program,
                                "--single",
                                "-D",
                                s->directory,
                                mem_printf(tmp, "--data_directory=%s", s->directory),
                                "--config_file=/dev/null",
                                "--shared_preload_libraries=",
                                "--session_preload_libraries=",
                                "--local_preload_libraries=",
                                "--session_replication_role=replica",
                                "--default_transaction_read_only=off",
                                "--hot_standby=off",
                                "--ssl=off",
                                "--huge_pages=off",
                                mem_printf(tmp, "--max_prepared_transactions=%d", prepared),
                                mem_printf(tmp, "--max_locks_per_transaction=%d", locks),
                                "--track_commit_timestamp=on",
                                "--archive_mode=on",
                                "--log_destination=stderr",
                                "--logging_collector=off",
                                s->no_sync ? "--fsync=off" : "--fsync=on",
                                database,
                                NULL};
    const char *const env[] = {"LC_ALL=C", "PGOPTIONS=", NULL};
    const ProcSpec spec = {.argv = argv,
                           .env = env,
                           .on_stdout = take,
                           .arg = &output,
                           .input = &input,
                           .cancel = s->cancel};
    return proc_run(&spec, err) || error_prefix(err, "%s --single", s->program);
}
