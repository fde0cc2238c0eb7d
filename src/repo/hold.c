/*
 * repo/hold.c - the file of a hold; the contract is in hold.h.
 */
#include "repo/hold.h"

#include "repo/record.h"

#define HOLD_FILE_MAX ((size_t) 16 * 1024 * 1024)

/* ---- reading ---- */

static bool accept_node(HoldFile *file, const HoldNodeRecord *node, Error *err)
{
    for (size_t i = 0; i < file->node_count; i++)
    {
        if (file->nodes[i].content == node->content &&
            strcmp(file->nodes[i].database, node->database) == 0)
            return error_set(err, ERR_CORRUPT, "node %d is there twice", node->content);
    }
    *mem_push(file, file->nodes, file->node_count, file->node_capacity, HoldNodeRecord) = *node;
    return true;
}

/* number: of the line, from 1; what stands in each is fixed. */
static bool accept_line(HoldFile *file, size_t number, const ManifestLine *line, Error *err)
{
    ManifestLineType want = number == 1 ? LINE_HOLD : number == 2 ? LINE_CUT : LINE_HOLD_NODE;

    if (line->type != want)
        return error_set(err, ERR_CORRUPT, "a %s record is out of place",
                         record_type_name(line->type));
    if (number == 1)
        file->hold = line->u.hold;
    else if (number == 2)
        file->cut = line->u.cut;
    else
        return accept_node(file, &line->u.hold_node, err);
    return true;
}

static bool parse_lines(HoldFile *file, const char *text, size_t len, Error *err)
{
    size_t number = 1;

    for (const char *end; len > 0; number++)
    {
        ManifestLine line;
        size_t n;

        end = memchr(text, '\n', len);
        n = end == NULL ? len : (size_t) (end - text);
        if (end == NULL)
            error_set(err, ERR_CORRUPT, "the line is not complete");
        if (end == NULL || !manifest_parse_line(file, text, n, &line, err) ||
            !accept_line(file, number, &line, err))
            return error_prefix(err, "line %zu", number);
        text += n + 1;
        len -= n + 1;
    }
    return file->node_count > 0 || error_set(err, ERR_CORRUPT, "the file is truncated");
}

HoldFile *hold_parse(void *ctx, const char *text, size_t len, Error *err)
{
    HoldFile *file = mem_new(ctx, HoldFile);

    if (parse_lines(file, text, len, err))
        return file;
    mem_free(file);
    return NULL;
}

HoldFile *hold_read(Repo *repo, void *ctx, const char *set_dir, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "hold");
    const char *path = repo_path_in(tmp, set_dir, HOLD_FILE);
    HoldFile *file;
    char *text;
    size_t len;

    if (!storage_read_all(repo->storage, tmp, path, HOLD_FILE_MAX, &text, &len, err))
        return NULL;
    file = hold_parse(ctx, text, len, err);
    if (file == NULL)
    {
        error_prefix(err, "%s", path);
        return NULL;
    }
    if (strcmp(strrchr(set_dir, '/') + 1, file->hold.key) == 0)
        return file;
    error_set(err, ERR_CORRUPT, "%s is that of set %s", path, file->hold.key);
    mem_free(file);
    return NULL;
}

/* ---- writing ---- */

static bool write_line(StorageWriter *w, ManifestLineType type, const void *record, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "line");
    const char *line = record_line(tmp, type, record, err);

    return line != NULL && storage_write(w, line, strlen(line), err);
}

bool hold_write(Repo *repo, const char *set_dir, const HoldFile *file, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "hold");
    AUTO(storage_writer_free) StorageWriter *w = NULL;

    /* Nothing depends on its surviving a power failure: the process would not. */
    w = storage_write_open(repo->storage, repo_path_in(tmp, set_dir, HOLD_FILE),
                           STORAGE_WRITE_ATOMIC | STORAGE_WRITE_NO_SYNC, err);
    if (w == NULL || !write_line(w, LINE_HOLD, &file->hold, err) ||
        !write_line(w, LINE_CUT, &file->cut, err))
        return false;
    for (size_t i = 0; i < file->node_count; i++)
    {
        if (!write_line(w, LINE_HOLD_NODE, &file->nodes[i], err))
            return false;
    }
    return storage_writer_commit(w, err);
}

bool hold_is_alive(Repo *repo, const char *set_dir)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "hold");

    return repo_lock_is_held(repo, repo_path_in(tmp, set_dir, HOLD_LOCK));
}
