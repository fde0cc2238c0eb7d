/* restore/journal_request.c - the contract is in journal_request.h. */
#include "restore/journal_request.h"

#include "base/str.h"

typedef struct Terms
{
    void *ctx;
    JournalTerm *items;
    size_t count, capacity;
} Terms;

static void add(Terms *t, const char *name, const char *value)
{
    *mem_push(t->ctx, t->items, t->count, t->capacity, JournalTerm) = (JournalTerm){name, value};
}

static void add_flag(Terms *t, const char *name, bool value)
{
    add(t, name, value ? "yes" : "no");
}

static void add_hash(Terms *t, const char *name, const char *text, size_t len)
{
    char hex[TAP_HEX_LEN];
    tap_hash_memory(TAP_XXH3_128, text, len, hex);
    add(t, name, mem_strdup(t->ctx, hex));
}

static void add_name(Terms *t, const char *name, const char *value)
{
    if (value == NULL)
        add(t, name, "none");
    else
        add_hash(t, name, value, strlen(value));
}

/* The parts end with NUL, so that their borders count. */
static void add_map(Terms *t, const char *name, const NameMap *map, size_t count)
{
    Str *s = str_new(t->ctx);
    for (size_t i = 0; i < count; i++)
    {
        str_addn(s, map[i].from, strlen(map[i].from) + 1);
        str_addn(s, map[i].to, strlen(map[i].to) + 1);
    }
    add_hash(t, name, s->data, s->len);
}

static void add_selection(Terms *t, const Selection *selection)
{
    char **options;
    size_t count;
    Str *s = str_new(t->ctx);
    selection_describe(selection, t->ctx, &options, &count);
    for (size_t i = 0; i < count; i++)
        str_addn(s, options[i], strlen(options[i]) + 1);
    add_hash(t, "choice of objects", s->data, s->len);
}

JournalTerm *journal_terms(const RestoreNode *node, void *ctx, size_t *ret_count)
{
    const RestoreRequest *r = node->request;
    Terms t = {.ctx = ctx};
    add(&t, "set", node->manifest->set.key);
    add(&t, "version of pgark", PGARK_VERSION);
    add(&t, "content id", mem_printf(ctx, "%d", node->record->content));
    add_name(&t, "database of the set", node->record->database);
    add_name(&t, "fleet", node->manifest->set.fleet);
    add_selection(&t, &node->selection);
    add_flag(&t, "--with-dependencies", r->with_dependencies);
    add_flag(&t, "--create", r->create);
    add_flag(&t, "--clean", r->clean);
    add_flag(&t, "--truncate", r->truncate);
    add_flag(&t, "--append", r->append);
    add_flag(&t, "--keep-existing", r->keep_existing);
    add_flag(&t, "--no-owner", r->no_owner);
    add_flag(&t, "--no-tablespaces", r->no_tablespaces);
    add_flag(&t, "--no-table-access-method", r->no_table_am);
    add_map(&t, "--schema-map", r->schema_map, r->schema_map_count);
    add_map(&t, "--tablespace-map", r->tablespace_map, r->tablespace_map_count);
    add_name(&t, "--role", r->role);
    add_flag(&t, "--use-set-session-authorization", r->session_authorization);
    add_flag(&t, "--enable-row-security", r->enable_row_security);
    add_flag(&t, "--disable-triggers", r->disable_triggers);
    add_flag(&t, "--load-via-partition-root", r->via_root);
    /* Statements are split only for several. */
    add(&t, "--jobs (1 or several)", r->jobs < 2 ? "1" : "several");
    *ret_count = t.count;
    return t.items;
}
