/*
 * repo/repo.c - finding or making a repository.
 */
#include "repo/repo.h"

#include <jansson.h>
#include <unistd.h>

#include "base/random.h"
#include "base/str.h"
#include "repo/part.h"

#define MARKER         "pgark.repo"
#define MARKER_MAX     ((size_t) 4096)
#define ID_BYTES       16
#define MARKER_ID_LEN  (2 * ID_BYTES)
#define FORMAT_CURRENT REPO_FORMAT

#define LAYOUT_DAYS_NAME "days"

/* ---- the marker ---- */

static bool bad_marker(const Repo *repo, const char *why, Error *err)
{
    return error_set(err, ERR_CORRUPT, "%s in repository %s is damaged: %s", MARKER,
                     storage_uri(repo->storage), why);
}

/* Only the other layout is named: a repository without a name is readable by any pgark. */
static bool parse_layout(Repo *repo, const json_t *root, Error *err)
{
    json_t *layout = json_object_get(root, "layout");

    repo->layout = layout == NULL ? LAYOUT_SETS : LAYOUT_DAYS;
    return layout == NULL || str_equal(json_string_value(layout), LAYOUT_DAYS_NAME) ||
           bad_marker(repo, "an unknown layout", err);
}

static bool parse_marker(Repo *repo, json_t *root, Error *err)
{
    size_t fields = json_object_get(root, "layout") == NULL ? 2 : 3;
    json_t *format = json_object_get(root, "format");
    const char *id = json_string_value(json_object_get(root, "id"));

    if (!json_is_integer(format) || json_integer_value(format) < 1)
        return bad_marker(repo, "no format number", err);
    if (json_integer_value(format) > FORMAT_CURRENT)
    {
        error_set(err, ERR_USAGE,
                  "repository format %lld of %s is newer than this pgark understands (%d)",
                  (long long) json_integer_value(format), storage_uri(repo->storage),
                  FORMAT_CURRENT);
        return error_hint(err, "Use a newer pgark for this repository.");
    }
    if (id == NULL || strlen(id) != MARKER_ID_LEN ||
        strspn(id, "0123456789abcdef") != MARKER_ID_LEN || json_object_size(root) != fields)
        return bad_marker(repo, "no id, or unknown fields", err);
    memcpy(repo->id, id, MARKER_ID_LEN + 1);
    return parse_layout(repo, root, err);
}

static bool read_marker(Repo *repo, Error *err)
{
    json_error_t why;
    json_t *root;
    char *text;
    size_t len;
    bool ok;

    if (!storage_read_all(repo->storage, repo, MARKER, MARKER_MAX, &text, &len, err))
        return false;
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    mem_free(text);
    if (root == NULL)
        return bad_marker(repo, why.text, err);
    ok = parse_marker(repo, root, err);
    json_decref(root);
    return ok;
}

static bool write_marker(Repo *repo, Error *err)
{
    AUTO(storage_writer_free) StorageWriter *w = NULL;
    char text[128];
    int len;

    if (!random_hex(repo->id, ID_BYTES, err))
        return false;
    len = snprintf(text, sizeof(text), "{\"format\":%d,\"id\":\"%s\"%s}\n", FORMAT_CURRENT,
                   repo->id,
                   repo->layout == LAYOUT_DAYS ? ",\"layout\":\"" LAYOUT_DAYS_NAME "\"" : "");
    w = storage_write_open(repo->storage, MARKER, STORAGE_WRITE_ATOMIC, err);
    return w != NULL && storage_write(w, text, (size_t) len, err) && storage_writer_commit(w, err);
}

/* ---- what is at the root ---- */

/* Left by the file system, or by a run of ours that was killed while it made the marker. */
static bool is_harmless(const char *name)
{
    return strcmp(name, "lost+found") == 0 || strncmp(name, "." MARKER, strlen(MARKER) + 1) == 0;
}

/* What the layout "days" has at its root is what older programs have there, too. */
static bool is_day(const char *name)
{
    return strlen(name) == 8 && strspn(name, "0123456789") == 8;
}

typedef struct Content
{
    bool days; /* they are no reason not to make a repository */
    bool any;
} Content;

static bool note_content(void *arg, const char *name, const StorageInfo *info, Error *err UNUSED)
{
    Content *c = arg;

    c->any = c->any ||
             !(is_harmless(name) || (c->days && info->kind == STORAGE_DIR && is_day(name)));
    return true;
}

typedef enum RootState
{
    ROOT_MISSING,
    ROOT_EMPTY,
    ROOT_REPOSITORY,
} RootState;

/* look_at_root fails for what can neither be a repository nor become one. */
static bool look_at_root(Repo *repo, RootState *ret_state, Error *err)
{
    const char *uri = storage_uri(repo->storage);
    StorageInfo root, marker;
    Content content = {.days = repo->layout == LAYOUT_DAYS};

    *ret_state = ROOT_MISSING;
    if (!storage_stat(repo->storage, "", &root, err))
        return false;
    if (root.kind == STORAGE_MISSING)
        return true;
    if (root.kind != STORAGE_DIR)
        return error_set(err, ERR_USAGE, "repository %s is not a directory", uri);
    if (!storage_stat(repo->storage, MARKER, &marker, err))
        return false;
    *ret_state = marker.kind == STORAGE_MISSING ? ROOT_EMPTY : ROOT_REPOSITORY;
    if (*ret_state == ROOT_REPOSITORY)
        return true;
    if (!storage_list(repo->storage, "", note_content, &content, err))
        return false;
    if (content.any)
        return error_set(err, ERR_USAGE, "%s is not a pgark repository and not empty", uri);
    return true;
}

static Repo *new_repo(void *ctx, const char *uri, Error *err)
{
    Repo *repo = mem_new(ctx, Repo);

    repo->storage = storage_open(repo, uri, err);
    if (repo->storage != NULL)
        return repo;
    mem_free(repo);
    return NULL;
}

bool repo_check_writable(Repo *repo, Error *err)
{
    AUTO(storage_writer_free) StorageWriter *w = NULL;
    char probe[64];

    snprintf(probe, sizeof(probe), "." MARKER ".probe-%ld", (long) getpid());
    if (!storage_remove(repo->storage, probe, err))
        return false;
    w = storage_write_open(repo->storage, probe, STORAGE_WRITE_NO_SYNC, err);
    if (w == NULL || !storage_write(w, "x", 1, err) || !storage_writer_commit(w, err) ||
        !storage_remove(repo->storage, probe, err))
    {
        return error_prefix(err, "repository %s is not writable", storage_uri(repo->storage));
    }
    return true;
}

static bool open_existing(Repo *repo, Error *err)
{
    RootState state;

    if (!look_at_root(repo, &state, err))
        return false;
    if (state == ROOT_MISSING)
        return error_set(err, ERR_NOT_FOUND, "there is no repository at %s",
                         storage_uri(repo->storage));
    if (state == ROOT_EMPTY)
        return error_set(err, ERR_USAGE, "%s is not a pgark repository: it is empty",
                         storage_uri(repo->storage));
    return read_marker(repo, err);
}

static bool open_or_create(Repo *repo, Error *err)
{
    RootState state;

    if (!look_at_root(repo, &state, err))
        return false;
    if (state == ROOT_REPOSITORY && !read_marker(repo, err))
        return false;
    if (state == ROOT_MISSING && !storage_make_root(repo->storage, err))
        return false;
    if (!repo_check_writable(repo, err))
        return false;
    if (state != ROOT_REPOSITORY && !(write_marker(repo, err) && read_marker(repo, err)))
        return false;
    return (repo->layout == LAYOUT_DAYS || storage_make_dir(repo->storage, "sets", false, err)) &&
           storage_make_dir(repo->storage, "locks", false, err);
}

Repo *repo_open_at(void *ctx, const char *pattern, int content, bool create, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "place");
    const char *uri = repo_place(tmp, pattern, content, err);
    Repo *repo = uri == NULL ? NULL : new_repo(ctx, uri, err);

    if (repo == NULL || (create ? open_or_create(repo, err) : open_existing(repo, err)))
        return repo;
    mem_free(repo);
    return NULL;
}

Repo *repo_open_or_make_days(void *ctx, const char *uri, Error *err)
{
    Repo *repo = new_repo(ctx, uri, err);

    if (repo == NULL)
        return NULL;
    repo->layout = LAYOUT_DAYS;
    if (open_or_create(repo, err) &&
        (repo->layout == LAYOUT_DAYS ||
         error_set(err, ERR_USAGE, "the repository at %s has its sets below sets/",
                   storage_uri(repo->storage))))
        return repo;
    mem_free(repo);
    return NULL;
}

Repo *repo_open(void *ctx, const char *uri, Error *err)
{
    return repo_open_at(ctx, uri, PLACE_HOME, false, err);
}

Repo *repo_open_or_create(void *ctx, const char *uri, Error *err)
{
    return repo_open_at(ctx, uri, PLACE_HOME, true, err);
}
