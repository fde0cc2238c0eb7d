/* backup/program_store.c - a program's output as an object; the contract is in program_store.h. */
#include "backup/program_store.h"

#include "base/proc.h"
#include "io/tap.h"

static bool to_storage(void *arg, const void *data, size_t len, Error *err)
{
    return storage_write(arg, data, len, err);
}

static bool on_output(void *arg, const void *data, size_t len, Error *err)
{
    return io_write(arg, data, len, err);
}

bool program_store(const ProgramStore *run, ObjectRecord *record, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "program");
    StorageWriteFlags flags = run->no_sync ? STORAGE_WRITE_NO_SYNC : STORAGE_WRITE_PLAIN;
    AUTO(storage_writer_free)
    StorageWriter *writer = storage_write_open(
        run->storage, mem_printf(tmp, "%s/%s", run->set_dir, record->path), flags, err);
    if (writer == NULL)
        return false;
    IoStage *stored = io_tap_new(TAP_SHA256, io_sink_new(to_storage, writer));
    AUTO(io_free) IoStage *chain = io_compress_stored_new(run->compress, 0, stored);
    /* The password goes by the environment, which other users cannot read. */
    const char *const env[] = {
        "LC_ALL=C", run->password != NULL ? mem_printf(tmp, "PGPASSWORD=%s", run->password) : NULL,
        NULL};
    ProcSpec spec = {
        .argv = run->argv, .env = env, .on_stdout = on_output, .arg = chain, .cancel = run->cancel};
    if (!proc_run(&spec, err) || !io_finish(chain, err) || !storage_writer_commit(writer, err))
        return false;
    io_tap_result(stored, &record->bytes, record->sha256);
    return true;
}
