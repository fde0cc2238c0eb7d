/* backup/globals.c - roles and tablespaces; the contract is in globals.h. */
#include "backup/globals.h"

#include "backup/program_store.h"

/* pg_dumpall lies beside the pg_dump that the user named. */
static bool find_program(BackupNode *node, PgProgram *ret, Error *err)
{
    const char *pg_dump = node->request->pg_dump;
    const char *slash = pg_dump == NULL ? NULL : strrchr(pg_dump, '/');
    const char *path = slash == NULL ? NULL
                                     : mem_printf(node->ctx, "%.*s/pg_dumpall",
                                                  (int) (slash - pg_dump), pg_dump);
    return node_find_program(node, "pg_dumpall", path, ret, err);
}

char *globals_path(void *ctx, const BackupNode *node)
{
    return mem_printf(ctx, "node%d.globals.sql%s", node->content,
                      compress_suffix(node->request->compress.method));
}

bool globals_dump(BackupNode *node, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "globals");
    PgProgram program;
    const char *password;
    const char *dsn = pg_conn_dsn(tmp, node->scout, &password);
    const BackupRequest *request = node->request;
    const char *argv[10];
    int count = 0;
    if (!find_program(node, &program, err))
        return error_node(err, node->label);
    if (request->no_role_passwords && program.major < 10)
    {
        error_set(err, ERR_USAGE, "--no-role-passwords needs pg_dumpall 10 or newer, \"%s\" is %d",
                  program.path, program.major);
        return error_node(err, node->label);
    }
    argv[count++] = program.path;
    argv[count++] = "--globals-only";
    argv[count++] = "--no-password";
    /* What roles are limited by, and refer to. */
    if (node->probe->server.product != SERVER_POSTGRESQL)
    {
        argv[count++] = "--resource-queues";
        argv[count++] = "--resource-groups";
    }
    argv[count++] = mem_printf(tmp, "--dbname=%s", dsn);
    argv[count++] = mem_printf(tmp, "--database=%s", node->record.database);
    if (request->no_role_passwords)
        argv[count++] = "--no-role-passwords";
    if (request->role != NULL)
        argv[count++] = mem_printf(tmp, "--role=%s", request->role);
    argv[count] = NULL;
    node->record.globals.path = globals_path(node->ctx, node);
    const ProgramStore run = {.argv = argv,
                              .password = password,
                              .cancel = node->cancel,
                              .storage = node->storage,
                              .set_dir = node->set_dir,
                              .compress = request->compress,
                              .no_sync = request->no_sync};
    if (program_store(&run, &node->record.globals, err))
    {
        atomic_fetch_add(&node->objects, 1);
        return true;
    }
    error_prefix(err, "could not dump the roles and tablespaces");
    if (err->code == ERR_PROGRAM && !request->no_role_passwords)
        error_hint(err, "Only a superuser can read passwords; --no-role-passwords leaves them "
                        "out.");
    return error_node(err, node->label);
}
