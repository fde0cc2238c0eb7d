/* export/output.c - files and standard output; the contract is in output.h. */
#include "export/output.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "export/output_parts.h"

struct Output
{
    void *ctx;
    StorageWriter *writer; /* NULL: standard output */
    IoStage *chain;
    char *path; /* for messages */
};

void output_split(void *ctx, const char *path, char **ret_parent, char **ret_name)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    char *whole = mem_strndup(ctx, path, len);
    char *slash = strrchr(whole, '/');
    *ret_name = mem_strdup(ctx, slash == NULL ? whole : slash + 1);
    *ret_parent = slash == NULL    ? mem_strdup(ctx, ".")
                  : slash == whole ? mem_strdup(ctx, "/")
                                   : mem_strndup(ctx, whole, (size_t) (slash - whole));
}

bool output_check_new(const char *path, Error *err)
{
    if (access(path, F_OK) == 0)
    {
        error_set(err, ERR_EXISTS, "\"%s\" exists already", path);
        return error_hint(err, "An export never replaces anything: name a new file or directory.");
    }
    if (errno == ENOENT)
        return true;
    return error_errno(err, ERR_STORAGE, "could not look at \"%s\"", path);
}

static bool to_target(void *arg, const void *data, size_t len, Error *err)
{
    Output *o = arg;
    if (o->writer == NULL)
        return fd_write(STDOUT_FILENO, "standard output", data, len, err);
    return storage_write(o->writer, data, len, err) || error_prefix(err, "\"%s\"", o->path);
}

static Output *new_output(const char *path, Compress compress)
{
    void *ctx = mem_context(NULL, "output");
    Output *o = mem_new(ctx, Output);
    o->ctx = ctx;
    o->path = mem_strdup(ctx, path == NULL ? "standard output" : path);
    o->chain = io_buffer_new(io_compress_new(compress, io_sink_new(to_target, o)));
    return o;
}

Output *output_in(Storage *st, const char *name, const char *path, Compress compress,
                  StorageWriteFlags flags, Error *err)
{
    Output *o = new_output(path, compress);
    o->writer = storage_write_open(st, name, flags, err);
    if (o->writer != NULL)
        return o;
    output_free(o);
    return NULL;
}

Output *output_open(const char *path, Compress compress, bool no_sync, Error *err)
{
    if (path == NULL)
        return new_output(NULL, compress);
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "output");
    char *parent;
    char *name;
    output_split(tmp, path, &parent, &name);
    if (!output_check_new(path, err))
        return NULL;
    /* It lives as long as the writer that was opened in it. */
    Output *o = new_output(path, compress);
    Storage *st = storage_open(o->ctx, parent, err);
    if (st != NULL)
        o->writer = storage_write_open(
            st, name, STORAGE_WRITE_ATOMIC | (no_sync ? STORAGE_WRITE_NO_SYNC : 0), err);
    if (o->writer != NULL)
        return o;
    error_prefix(err, "could not make \"%s\"", path);
    output_free(o);
    return NULL;
}

bool output_write(void *arg, const void *data, size_t len, Error *err)
{
    return io_write(((Output *) arg)->chain, data, len, err);
}

bool output_text(Output *o, const char *text, Error *err)
{
    return output_write(o, text, strlen(text), err);
}

bool output_commit(Output *o, Error *err)
{
    return io_finish(o->chain, err) && (o->writer == NULL || storage_writer_commit(o->writer, err));
}

void output_free(Output *o)
{
    if (o == NULL)
        return;
    io_free(o->chain);
    storage_writer_free(o->writer);
    mem_free(o->ctx);
}
