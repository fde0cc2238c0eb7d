/* cli/hook.c - programs around a backup; the contract is in hook.h. */
#include "cli/hook.h"

#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"

/* ---- words ---- */

typedef struct Words
{
    Hook *hook;
    size_t count, capacity;
    const char *at;
    Str *word;
    bool begun; /* there is a word, empty perhaps */
} Words;

static void end_word(Words *w)
{
    if (w->begun)
        *mem_push(w->hook, w->hook->argv, w->count, w->capacity,
                  char *) = mem_strdup(w->hook, w->word->data);
    str_clear(w->word);
    w->begun = false;
}

/* What stands between two quotes; false: the second one is missing. */
static bool quoted(Words *w, char quote)
{
    for (; *w->at != quote; w->at++)
    {
        if (*w->at == '\\' && quote == '"' && (w->at[1] == '"' || w->at[1] == '\\'))
            w->at++;
        if (*w->at == '\0')
            return false;
        str_addc(w->word, *w->at);
    }
    w->at++;
    return true;
}

static bool cut_words(Words *w)
{
    while (*w->at != '\0')
    {
        char c = *w->at++;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        {
            end_word(w);
            continue;
        }
        w->begun = true;
        if (c == '\'' || c == '"')
        {
            if (!quoted(w, c))
                return false;
            continue;
        }
        if (c == '\\' && *w->at != '\0')
            c = *w->at++;
        str_addc(w->word, c);
    }
    end_word(w);
    return true;
}

Hook *hook_parse(void *ctx, const char *name, const char *text, Error *err)
{
    Hook *hook = mem_new(ctx, Hook);
    Words w = {.hook = hook, .at = text, .word = str_new(hook)};
    hook->name = name;
    if (!cut_words(&w))
        error_set(err, ERR_USAGE, "--%s: a quote is not closed", name);
    else if (w.count == 0 || hook->argv[0][0] == '\0')
        error_set(err, ERR_USAGE, "--%s names no program", name);
    else
    {
        *mem_push(hook, hook->argv, w.count, w.capacity, char *) = NULL;
        return hook;
    }
    mem_free(hook);
    return NULL;
}

/* ---- running ---- */

typedef struct Environment
{
    void *ctx;
    char **items;
    size_t count, capacity;
} Environment;

static void set(Environment *e, const char *name, const char *value)
{
    *mem_push(e->ctx, e->items, e->count, e->capacity,
              char *) = mem_printf(e->ctx, "PGARK_%s=%s", name, value == NULL ? "" : value);
}

static void set_number(Environment *e, const char *name, uint64_t value)
{
    set(e, name, mem_printf(e->ctx, "%" PRIu64, value));
}

static void set_end(Environment *e, const RunOutcome *o)
{
    const Manifest *m = o->manifest;
    set(e, "OUTCOME", run_end_word(o->end));
    set_number(e, "SECONDS", (uint64_t) (o->finished_us - o->started_us) / 1000000);
    if (m != NULL)
    {
        set(e, "KEY", m->set.key);
        set_number(e, "ROWS", m->totals.rows);
        set_number(e, "BYTES", m->totals.logical);
        set_number(e, "STORED", m->totals.stored);
    }
    if (o->error != NULL)
    {
        set(e, "ERROR", o->error->message);
        set(e, "ERROR_NODE", o->error->node);
        set(e, "ERROR_SQLSTATE", o->error->sqlstate);
    }
}

static const char *const *environment(void *ctx, const Hook *hook, const RunOutcome *o, bool ended)
{
    Environment e = {.ctx = ctx};
    set(&e, "HOOK", hook->name);
    set(&e, "REPO", o->repo);
    if (o->prefix != NULL)
        set(&e, "PREFIX", o->prefix);
    set(&e, "FLEET_NAME", o->manifest != NULL ? o->manifest->set.fleet : o->name);
    if (ended)
        set_end(&e, o);
    *mem_push(ctx, e.items, e.count, e.capacity, char *) = NULL;
    return (const char *const *) e.items;
}

/* What a hook prints, line by line. */
typedef struct Printed
{
    const Hook *hook;
    char line[1000];
    size_t len;
} Printed;

static void end_line(Printed *p)
{
    char shown[1000];
    p->line[p->len] = '\0';
    if (p->len > 0)
        log_record("--%s: %s", p->hook->name, str_one_line(shown, sizeof(shown), p->line));
    p->len = 0;
}

static bool on_stdout(void *arg, const void *data, size_t len, Error *err)
{
    Printed *p = arg;
    const char *text = data;
    (void) err;
    for (size_t i = 0; i < len; i++)
    {
        if (text[i] == '\n' || p->len == sizeof(p->line) - 1)
            end_line(p);
        if (text[i] != '\n')
            p->line[p->len++] = text[i];
    }
    return true;
}

bool hook_run(const Hook *hook, const RunOutcome *outcome, bool ended, int64_t timeout_ms,
              const Cancel *cancel, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "hook");
    Printed printed = {.hook = hook};
    const ProcSpec spec = {.argv = (const char *const *) hook->argv,
                           .env = environment(ctx, hook, outcome, ended),
                           .on_stdout = on_stdout,
                           .arg = &printed,
                           .cancel = cancel,
                           .timeout_ms = timeout_ms};
    bool ok = proc_run(&spec, err);
    end_line(&printed);
    return ok || error_prefix(err, "--%s", hook->name);
}
