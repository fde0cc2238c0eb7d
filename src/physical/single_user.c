/* physical/single_user.c - postgres --single; the contract is in single_user.h. */
#include "physical/single_user.h"

#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"

#define PREPARED_MAX 10000
#define LOCKS_IN_ALL 120000
#define ARGS_MAX     40

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

typedef struct Args
{
    const char *list[ARGS_MAX];
    size_t count;
} Args;

static void add_args(Args *args, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        args->list[args->count++] = list[i];
}

/* What is of PostgreSQL 13 and newer, and what Greenplum 6 wants to be told, as no configuration file tells it. */
static void add_product(void *ctx, Args *args, const SingleUser *s)
{
    const char *const newer[] = {"--track_commit_timestamp=on"};
    const char *const greenplum[] = {"-O",
                                     "--allow_system_table_mods=on",
                                     "--gp_role=utility",
                                     "--gp_session_role=utility",
                                     "--gp_contentid=-1",
                                     mem_printf(ctx, "--gp_dbid=%d", s->greenplum_dbid),
                                     "--wal_level=archive"};
    if (s->greenplum_dbid == 0)
        add_args(args, newer, LENGTH_OF(newer));
    else
        add_args(args, greenplum, LENGTH_OF(greenplum));
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
    const char *const common[] = {s->program,
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
                                  "--archive_mode=on",
                                  "--log_destination=stderr",
                                  "--logging_collector=off",
                                  s->no_sync ? "--fsync=off" : "--fsync=on"};
    const char *const last[] = {database, NULL};
    Args args = {.count = 0};
    add_args(&args, common, LENGTH_OF(common));
    add_product(tmp, &args, s);
    add_args(&args, last, LENGTH_OF(last));
    const char *const env[] = {"LC_ALL=C", "PGOPTIONS=", NULL};
    const ProcSpec spec = {.argv = args.list,
                           .env = env,
                           .on_stdout = take,
                           .arg = &output,
                           .input = &input,
                           .cancel = s->cancel};
    return proc_run(&spec, err) || error_prefix(err, "%s --single", s->program);
}
