/*
 * test/fuzz/fuzz_physical.c - what a server sends of a base backup, from anywhere: tar streams, manifests, files of
 * changed blocks; what it writes in single-user mode.
 *
 * The first byte chooses which, the second the size of the pieces; it must be judged the same in pieces as in
 * one.
 */
#include "physical/incremental_file.h"
#include "physical/manifest_check.h"
#include "physical/single_user.h"
#include "physical/tar_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Seen
{
    uint64_t members, bytes;
} Seen;

static bool begin(void *arg, const TarMember *member, Error *err UNUSED)
{
    Seen *seen = arg;
    seen->members++;
    /* Nothing leads out of the directory. */
    if (strcmp(member->name, ".") != 0 && !tar_name_sound(member->name))
        abort();
    return true;
}

static bool count(void *arg, const void *data UNUSED, size_t len, Error *err UNUSED)
{
    ((Seen *) arg)->bytes += len;
    return true;
}

static bool run_tar(const uint8_t *data, size_t size, size_t step, Seen *seen, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "tar");
    const TarEvents events = {.begin = begin, .data = count, .arg = seen};
    TarStream *t = tar_stream_new(ctx, &events);
    for (size_t at = 0; at < size; at += step)
    {
        size_t len = size - at < step ? size - at : step;
        for (size_t done = 0, n = 0; done < len; done += n)
        {
            if (!tar_stream_take(t, data + at + done, len - done, &n, err))
                return false;
            if (n == 0)
                abort();
        }
    }
    return tar_stream_finish(t, err);
}

static bool run_manifest(const uint8_t *data, size_t size, size_t step, Error *err)
{
    AUTO(manifest_check_free) ManifestCheck *c = manifest_check_new();
    uint32_t crc = 0;
    manifest_check_file(c, "backup_label", 9, &crc);
    for (size_t at = 0; at < size; at += step)
    {
        if (!manifest_check_write(c, data + at, size - at < step ? size - at : step, err))
            return false;
    }
    return manifest_check_finish(c, err);
}

static bool on_row(void *arg, const char *text, Error *err UNUSED)
{
    Seen *seen = arg;
    seen->members++;
    seen->bytes += strlen(text);
    if (strchr(text, '"') != NULL)
        abort();
    return true;
}

static void run_rows(const uint8_t *data, size_t size, size_t step, Seen *seen)
{
    Error err = ERROR_INIT;
    SingleUserOutput o = {.on_row = on_row, .arg = seen};
    for (size_t at = 0; at < size; at += step)
        if (!single_user_take(&o, data + at, size - at < step ? size - at : step, &err))
            abort();
}

static bool count_block(void *arg, uint32_t block, const void *page UNUSED, Error *err UNUSED)
{
    Seen *seen = arg;
    seen->members++;
    seen->bytes += block;
    return true;
}

static bool run_changes(const uint8_t *data, size_t size, size_t step, Seen *seen, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "changes");
    const IncrementalEvents events = {.block = count_block, .arg = seen};
    IncrementalFile *f = incremental_file_new(ctx, 64, &events);
    incremental_file_begin(f, size);
    for (size_t at = 0; at < size; at += step)
    {
        if (!incremental_file_write(f, data + at, size - at < step ? size - at : step, err))
            return false;
    }
    return incremental_file_end(f, err);
}

static bool run(int kind, const uint8_t *data, size_t size, size_t step, Seen *seen, Error *err)
{
    switch (kind)
    {
    case 0:
        return run_manifest(data, size, step, err);
    case 1:
    case 3:
        return run_tar(data, size, step, seen, err);
    default:
        return run_changes(data, size, step, seen, err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error one = ERROR_INIT, pieces = ERROR_INIT;
    Seen a = {0}, b = {0};
    if (size < 3)
        return 0;
    bool rows = data[0] == 's';
    int kind = data[0] & 3;
    size_t step = (size_t) data[1] + 1;
    data += 2;
    size -= 2;
    if (rows)
    {
        run_rows(data, size, size, &a);
        run_rows(data, size, step, &b);
        if (a.members != b.members || a.bytes != b.bytes)
            abort();
        return 0;
    }
    bool whole = run(kind, data, size, size, &a, &one);
    bool cut = run(kind, data, size, step, &b, &pieces);
    if (whole != cut || (whole && (a.members != b.members || a.bytes != b.bytes)))
        abort();
    if ((!whole && one.code != ERR_CORRUPT) || (!cut && pieces.code != ERR_CORRUPT))
        abort();
    return 0;
}
