/* config/option_table.c - looks options up; the contract is in option_table.h. */
#include "config/option_table.h"

#include "base/str.h"
#include "config/option_rows.h"

static const OptionRows *const parts[] = {
    &option_rows_run,        &option_rows_content,  &option_rows_select,
    &option_rows_definition, &option_rows_physical, &option_rows_basebackup,
};

static const char *const group_names[GROUP_COUNT] = {
    [GROUP_CONNECTION] = "Servers",
    [GROUP_REPOSITORY] = "Repository",
    [GROUP_CONTENT] = "What is done",
    [GROUP_SELECTION] = "Which objects",
    [GROUP_DEFINITION] = "How definitions are written",
    [GROUP_PHYSICAL] = "Physical backups",
    [GROUP_CUT] = "Locks and the consistent cut",
    [GROUP_WORK] = "Work",
    [GROUP_OUTPUT] = "Output",
    [GROUP_GENERAL] = "General",
};

const OptionSpec *option_table_at(size_t i)
{
    for (size_t p = 0; p < LENGTH_OF(parts); p++)
    {
        if (i < parts[p]->count)
            return &parts[p]->rows[i];
        i -= parts[p]->count;
    }
    return NULL;
}

const OptionSpec *option_table_get(OptionId id)
{
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL && spec->id != id;)
        i++;
    return spec;
}

bool option_table_is_named(const OptionSpec *spec, const char *name, size_t len)
{
    const char *const names[] = {spec->name, spec->alias};
    for (size_t i = 0; i < LENGTH_OF(names); i++)
    {
        if (names[i] != NULL && strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return true;
    }
    return false;
}

const OptionSpec *option_table_by_name(const char *name, size_t len, unsigned commands)
{
    const OptionSpec *other = NULL;
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        if (!option_table_is_named(spec, name, len))
            continue;
        if ((spec->commands & commands) != 0)
            return spec;
        other = other == NULL ? spec : other;
    }
    return other;
}

char option_table_short(const OptionSpec *spec, unsigned commands)
{
    unsigned own = spec->short_commands != 0 ? spec->short_commands : spec->commands;
    return (own & commands) != 0 ? spec->short_name : '\0';
}

const OptionSpec *option_table_by_short(char c, unsigned commands)
{
    const OptionSpec *other = NULL;
    const OptionSpec *spec = NULL;
    for (size_t i = 0; c != '\0' && (spec = option_table_at(i)) != NULL; i++)
    {
        if (spec->short_name != c)
            continue;
        if (option_table_short(spec, commands) == c)
            return spec;
        other = other == NULL ? spec : other;
    }
    return other;
}

const char *option_table_group(OptionGroup group)
{
    return group_names[group];
}

size_t option_table_word(const char **cursor, const char **ret_word)
{
    size_t len = strcspn(*cursor, "|");
    *ret_word = *cursor;
    *cursor = (*cursor)[len] == '|' ? *cursor + len + 1 : NULL;
    return len;
}

char *option_table_words(void *ctx, const char *words)
{
    Str *s = str_new(ctx);
    while (words != NULL)
    {
        const char *word = NULL;
        size_t len = option_table_word(&words, &word);
        if (s->len > 0)
            str_add(s, words == NULL ? " or " : ", ");
        str_addn(s, word, len);
    }
    return s->data;
}
