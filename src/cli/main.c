/*
 * cli/main.c - the pgark program: options, one command, one exit code.
 *
 * Exit: 0 done; 1 error, nothing published; 2 done with warnings; 130 cancelled.
 */
#include <sys/stat.h>

#include "base/log.h"
#include "base/priority.h"
#include "base/str.h"
#include "cli/agent_kind.h"
#include "cli/cli.h"
#include "compat/programs.h"
#include "fleet/keeper.h"
#include "physical/wal_fetch.h"
#include "report/log_files.h"

static int run_command(void *ctx, const Options *o, Error *err)
{
    Supervisor *supervisor = supervise_new(ctx);
    switch (options_command(o))
    {
    case CMD_BACKUP:
        return cmd_backup(ctx, o, supervisor, err);
    case CMD_RESTORE:
        return options_flag(o, OPT_PHYSICAL) ? cmd_restore_physical(ctx, o, supervisor, err)
                                             : cmd_restore(ctx, o, supervisor, err);
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
    case CMD_RECEIVE_WAL:
        return cmd_receive_wal(ctx, o, supervisor, err);
    case CMD_RESTORE_POINT:
        return cmd_restore_point(ctx, o, supervisor, err);
    case CMD_CONFIG:
        return cmd_config(ctx, o, err);
    case CMD_BASEBACKUP:
        return cmd_basebackup(ctx, o, supervisor, err);
    default:
        error_set(err, ERR_INTERNAL, "no such command");
        return EXIT_ERROR;
    }
}

static bool setup_log(void *ctx, const Options *o, Error *err)
{
    const char *command = options_command_word(options_command(o));
    const char *dir = options_string(o, OPT_LOG_DIR);
    const char *facility = options_string(o, OPT_SYSLOG);
    LogLevel level = options_flag(o, OPT_VERBOSE) ? LOG_DEBUG
                     : options_flag(o, OPT_QUIET) ? LOG_WARNING
                                                  : LOG_INFO;
    log_setup(level, str_equal(options_string(o, OPT_LOG_FORMAT), "json"));
    if (facility != NULL && !log_to_syslog(facility))
        return error_set(err, ERR_INTERNAL, "--syslog: no facility \"%s\"", facility);
    if (dir != NULL)
    {
        FILE *file = log_files_begin(dir, command, (int) options_int(o, OPT_LOG_KEEP), err);
        if (file == NULL)
            return false;
        log_to_file(file);
    }
    log_record("pgark %s, %s: %s", PGARK_VERSION, command, options_describe(o, ctx));
    return true;
}

static bool set_priority(const Options *o, Error *err)
{
    return (!options_given(o, OPT_NICE) || priority_nice((int) options_int(o, OPT_NICE), err)) &&
           (!options_flag(o, OPT_IO_IDLE) || priority_io_idle(err));
}

/* What the process ends with; the error, if there is one, is logged. */
static int exit_code(int code, const Error *err)
{
    if (error_is_set(err))
    {
        log_error_value(err);
        code = err->code == ERR_CANCELLED ? EXIT_CANCELLED : EXIT_ERROR;
    }
    log_record("exit code %d", code);
    return code;
}

/* Manual pages, or completions, of pgark and of the programs that it is by other names. */
static bool write_documents(void *ctx, const Options *o, Error *err)
{
    const char *dir = options_string(o, OPT_MAN_PAGES);
    const CompletionMore more = programs_completion(ctx);
    if (dir != NULL)
        return options_write_man(dir, err) && programs_write_man(dir, err);
    if (!options_write_completion(options_string(o, OPT_COMPLETION), &more, stdout, err))
        return false;
    return (fflush(stdout) == 0 && ferror(stdout) == 0) ||
           error_errno(err, ERR_STORAGE, "cannot write to standard output");
}

/* pgark by another name. */
static int run_program(void *ctx, ProgramRun *run, int argc, char **argv)
{
    Error err = ERROR_INIT;
    supervise_block_signals();
    log_setup(LOG_INFO, false);
    int code = run(ctx, argc, argv, supervise_new(ctx), &err);
    if (error_is_set(&err))
        log_error_value(&err);
    return code;
}

int main(int argc, char **argv)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "pgark");
    Error err = ERROR_INIT;
    OptionsAction action;
    umask(077); /* backups are as secret as the database */
    /* By another name the first word can be a database's. */
    ProgramRun *program = argc < 1 ? NULL : programs_find(argv[0]);
    if (program != NULL)
        return run_program(ctx, program, argc, argv);
    if (argc > 1 && str_equal(argv[1], KEEPER_COMMAND))
        return keeper_main();
    if (argc > 1 && str_equal(argv[1], AGENT_COMMAND))
        return cmd_agent(ctx, programs_agents());
    if (argc > 1 && str_equal(argv[1], WAL_FETCH_COMMAND))
        return cmd_get_wal(argc, argv);
    supervise_block_signals();
    Options *o = options_parse(ctx, argc, argv, &action, &err);
    if (o != NULL && action == OPTIONS_DONE)
        return EXIT_DONE;
    if (o != NULL && action == OPTIONS_DOCUMENT)
        return write_documents(ctx, o, &err) ? EXIT_DONE : exit_code(EXIT_ERROR, &err);
    bool ready = o != NULL && setup_log(ctx, o, &err) && set_priority(o, &err);
    int code = ready ? run_command(ctx, o, &err) : EXIT_ERROR;
    if (!error_is_set(&err) && (fflush(stdout) != 0 || ferror(stdout) != 0))
        error_set(&err, ERR_STORAGE, "could not write the result to standard output");
    return exit_code(code, &err);
}
