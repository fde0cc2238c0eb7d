/* config/options.c - the values in force; the contracts are in options.h and options_internal.h. */
#include "config/options_internal.h"

#include "base/str.h"
#include "config/option_value.h"

Options *options_new(void *ctx, Command command)
{
    Options *o = mem_new(ctx, Options);
    o->command = command;
    for (int id = 0; id < OPT_COUNT; id++)
        options_reset(o, (OptionId) id);
    return o;
}

void options_reset(Options *o, OptionId id)
{
    OptionValue *v = &o->values[id];
    const OptionSpec *spec = option_table_get(id);
    *v = (OptionValue){.source = SOURCE_DEFAULT};
    if (spec->initial == NULL)
        return;
    Error ignored = ERROR_INIT; /* the table's own defaults are valid: a unit test proves it */
    (void) !option_value_check(spec, spec->name, spec->initial, &v->number, &ignored);
    v->text = mem_strdup(o, spec->initial);
}

bool options_set(Options *o, const OptionSpec *spec, OptionSource source, const char *origin,
                 const char *text, Error *err)
{
    OptionValue *v = &o->values[spec->id];
    int64_t number = 0;
    if (!option_value_check(spec, origin, text, &number, err))
        return false;
    if (source < v->source)
        return true;
    if (source > v->source)
        *v = (OptionValue){.source = source};
    v->origin = mem_strdup(o, origin);
    v->number = number;
    if (spec->type == OPTION_LIST)
        *mem_push(o, v->list, v->count, v->capacity, char *) = mem_strdup(o, text);
    else
        v->text = mem_strdup(o, text);
    return true;
}

Command options_command(const Options *o)
{
    return o->command;
}

const char *options_command_word(Command command)
{
    const CommandSpec *spec = command_table_get(command);
    return spec == NULL ? "" : spec->name;
}

Command options_command_at(size_t i)
{
    const CommandSpec *spec = command_table_at(i);
    return spec == NULL ? CMD_NONE : spec->command;
}

const char *options_fleet_name(const Options *o)
{
    return o->fleet_name;
}

const char *options_key(const Options *o)
{
    return o->key;
}

const char *options_name(OptionId id)
{
    return option_table_get(id)->name;
}

bool options_is_flag(OptionId id)
{
    return option_table_get(id)->type == OPTION_FLAG;
}

bool options_given(const Options *o, OptionId id)
{
    return o->values[id].source != SOURCE_DEFAULT;
}

bool options_flag(const Options *o, OptionId id)
{
    return o->values[id].number != 0;
}

int64_t options_int(const Options *o, OptionId id)
{
    return o->values[id].number;
}

const char *options_string(const Options *o, OptionId id)
{
    if (id == OPT_PROGRESS && options_flag(o, OPT_QUIET))
        return "none";
    return o->values[id].text;
}

const char *const *options_list(const Options *o, OptionId id, size_t *ret_count)
{
    *ret_count = o->values[id].count;
    return (const char *const *) o->values[id].list;
}

char *options_describe(const Options *o, void *ctx)
{
    Str *s = str_new(ctx);
    const OptionSpec *spec = NULL;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        const OptionValue *v = &o->values[spec->id];
        if (v->source == SOURCE_DEFAULT)
            continue;
        const char *text = spec->secret || spec->type == OPTION_LIST ? "***" : v->text;
        str_addf(s, "%s%s=%s (%s)", s->len > 0 ? ", " : "", spec->name, text, v->origin);
    }
    return s->data;
}
