/* repo/archive.c - the contract is in archive.h. */
#include "repo/archive.h"

#include "repo/whole_object.h"

/* A schema archive is metadata; what is larger than this is not one. */
#define SCHEMA_MAX ((uint64_t) 2 * 1024 * 1024 * 1024 - 1)

ArchiveToc *archive_read(void *ctx, Storage *st, const char *set_dir, const NodeRecord *node,
                         Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "archive");
    const ObjectRecord *object = &node->schema;
    char *data;
    size_t len;
    if (object->path == NULL)
        return mem_new(ctx, ArchiveToc);
    if (!whole_object_read(st, tmp, set_dir, object, SCHEMA_MAX, &data, &len, err))
        return NULL;
    ArchiveToc *toc = archive_toc_parse(ctx, data, len, err);
    if (toc == NULL)
        error_prefix(err, "\"%s\"", object->path);
    return toc;
}
