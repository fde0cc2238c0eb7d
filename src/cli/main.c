/*
 * cli/main.c - the pgark program: options, one command, one exit code.
 *
 * Exit: 0 done; 1 error, nothing published; 2 done with warnings; 130 cancelled.
 */
#include <sys/stat.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "fleet/keeper.h"

static int run_command(void *ctx, const Options *o, Error *err)
{
    Supervisor *supervisor = supervise_new(ctx);
    switch (options_command(o))
    {
    case CMD_BACKUP:
        return cmd_backup(ctx, o, supervisor, err);
    case CMD_RESTORE:
        return cmd_restore(ctx, o, supervisor, err);
    case CMD_LIST:
        return cmd_list(ctx, o, err);
    case CMD_SHOW:
        return cmd_show(ctx, o, err);
    case CMD_VERIFY:
        return cmd_verify(ctx, o, supervisor, err);
    case CMD_EXPIRE:
        return cmd_expire(ctx, o, supervisor, err);
    case CMD_CHECK:
        return cmd_check(ctx, o, supervisor, err);
    case CMD_EXPORT:
        return cmd_export(ctx, o, supervisor, err);
    default:
        error_set(err, ERR_INTERNAL, "no such command");
        return EXIT_ERROR;
    }
}

static void setup_log(const Options *o)
{
    LogLevel level = options_flag(o, OPT_VERBOSE) ? LOG_DEBUG
                     : options_flag(o, OPT_QUIET) ? LOG_WARNING
                                                  : LOG_INFO;
    log_setup(level, str_equal(options_string(o, OPT_LOG_FORMAT), "json"));
}

int main(int argc, char **argv)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "pgark");
    Error err = ERROR_INIT;
    OptionsAction action;
    umask(077); /* backups are as secret as the database */
    if (argc > 1 && str_equal(argv[1], KEEPER_COMMAND))
        return keeper_main();
    if (argc > 1 && str_equal(argv[1], AGENT_COMMAND))
        return cmd_agent(ctx);
    supervise_block_signals();
    Options *o = options_parse(ctx, argc, argv, &action, &err);
    if (o != NULL && action == OPTIONS_DONE)
        return EXIT_DONE;
    if (o != NULL)
        setup_log(o);
    int code = o == NULL ? EXIT_ERROR : run_command(ctx, o, &err);
    if (!error_is_set(&err) && (fflush(stdout) != 0 || ferror(stdout) != 0))
        error_set(&err, ERR_STORAGE, "could not write the result to standard output");
    if (!error_is_set(&err))
        return code;
    log_error_value(&err);
    return err.code == ERR_CANCELLED ? EXIT_CANCELLED : EXIT_ERROR;
}
