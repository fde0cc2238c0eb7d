/* restore/clean.c - drops what is about to be made; the contract is in clean.h. */
#include "restore/clean.h"

#include "restore/entry.h"
#include "restore/sql_text.h"

#define LABEL_SHOWN 200

/* The words behind which IF EXISTS goes. */
static const char *object_words(Str *words, const TocEntry *e)
{
    bool constraint = strstr(e->desc, "CONSTRAINT") != NULL;

    str_clear(words);
    str_addf(words, "DROP %s", constraint ? "CONSTRAINT" : e->desc);
    return words->data;
}

static bool is_as_archived(const TocEntry *e)
{
    static const char view[] = "CREATE OR REPLACE VIEW";

    return entry_is(e, "DEFAULT") || strncmp(e->drop_stmt, view, strlen(view)) == 0;
}

bool clean_statement(Str *sql, const TocEntry *e, bool if_exists)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "drop");
    static const char alter[] = "ALTER TABLE";
    const char *rest = e->drop_stmt;

    str_clear(sql);
    if (sql_text_is_blank(rest) || entry_is_about_database(e) || entry_is_no_ddl(e))
        return false;
    if (if_exists && strncmp(rest, alter, strlen(alter)) == 0)
    {
        str_addf(sql, "%s IF EXISTS", alter);
        rest += strlen(alter);
    }
    const char *words = object_words(str_new(tmp), e);
    const char *at = if_exists && !is_as_archived(e) ? strstr(rest, words) : NULL;
    if (at != NULL)
    {
        at += strlen(words);
        str_addn(sql, rest, (size_t) (at - rest));
        str_add(sql, " IF EXISTS");
        rest = at;
    }
    str_add(sql, rest);
    return true;
}

static bool drop_entry(RestoreNode *node, const TocEntry *e, Str *sql, bool pass_over, Error *err)
{
    /* A run before this one may have dropped some. */
    if (!clean_statement(sql, e, node->request->if_exists || node->resumed))
        return true;
    if (!cancel_check(node->cancel, err))
        return false;
    if (pg_exec(node->main, sql->data, err))
        return true;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "label");
    char label[LABEL_SHOWN];
    const char *name = mem_printf(tmp, "%s %s%s%s", e->desc, e->schema == NULL ? "" : e->schema,
                                  entry_has_schema(e) ? "." : "", e->tag);
    error_prefix(err, "could not drop %s", str_one_line(label, sizeof(label), name));
    return pass_over && outcome_other_failed(node->outcome, name, err);
}

static bool drop_all(RestoreNode *node, bool pass_over, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "clean");
    Str *sql = str_new(tmp);

    for (size_t i = node->toc->entry_count; i > 0; i--)
        if (!node->filter->needed[i - 1] &&
            !drop_entry(node, &node->toc->entries[i - 1], sql, pass_over, err))
            return false;
    return true;
}

bool clean_target(RestoreNode *node, Error *err)
{
    node->touched = node->request->on_error == ON_ERROR_CONTINUE;
    if (node->touched)
        return drop_all(node, true, err);
    if (pg_exec(node->main, "BEGIN", err) && drop_all(node, false, err) &&
        pg_exec(node->main, "COMMIT", err))
        return true;
    pg_rollback(node->main);
    if (!pg_sqlstate_is(err, PG_STATE_OUT_OF_MEMORY))
        return error_hint(err, node->request->if_exists
                                   ? "Nothing was dropped."
                                   : "Nothing was dropped; --if-exists passes over what is not "
                                     "there.");
    error_clear(err);
    node->touched = true;
    return drop_all(node, false, err);
}
