/* config/options_show.c - what a command would go by; the contract is in options.h. */
#include "base/str.h"
#include "config/options_internal.h"

/* "a, b": the values of a list. */
static char *join(void *ctx, const OptionValue *v)
{
    Str *s = str_new(ctx);
    for (size_t i = 0; i < v->count; i++)
        str_addf(s, "%s%s", i > 0 ? ", " : "", v->list[i]);
    return s->data;
}

static const char *value_text(void *ctx, const OptionSpec *spec, const OptionValue *v)
{
    if (spec->secret)
        return v->text == NULL && v->count == 0 ? NULL : "***";
    if (spec->type == OPTION_LIST)
        return v->count == 0 ? NULL : join(ctx, v);
    if (spec->type == OPTION_FLAG)
        return v->source == SOURCE_DEFAULT ? NULL : v->number != 0 ? "true" : "false";
    return v->text;
}

/* Messages name file, line and key; the key stands before it here. */
static const char *origin_text(void *ctx, const OptionSpec *spec, const OptionValue *v)
{
    if (v->source == SOURCE_DEFAULT)
        return "default";
    size_t key = strlen(spec->name) + strlen(": ");
    if (v->source != SOURCE_FILE || strlen(v->origin) < key)
        return v->origin;
    return mem_strndup(ctx, v->origin, strlen(v->origin) - key);
}

static Options *read_for(void *ctx, const Options *o, Command command, Error *err)
{
    static const OptionId handed_on[] = {OPT_CONFIG, OPT_FLEET};
    Options *other = options_new(ctx, command);
    for (size_t i = 0; i < LENGTH_OF(handed_on); i++)
    {
        const OptionSpec *spec = option_table_get(handed_on[i]);
        const OptionValue *v = &o->values[spec->id];
        if (v->source != SOURCE_DEFAULT && (spec->commands & command) != 0 &&
            !options_set(other, spec, v->source, v->origin, v->text, err))
            return NULL;
    }
    return options_read_places(other, err) ? other : NULL;
}

bool options_in_force(const Options *o, void *ctx, Command command, OptionInForce **ret,
                      size_t *ret_count, Error *err)
{
    size_t capacity = 0;
    const OptionSpec *spec = NULL;
    const Options *other = read_for(ctx, o, command, err);
    *ret = NULL;
    *ret_count = 0;
    if (other == NULL)
        return false;
    for (size_t i = 0; (spec = option_table_at(i)) != NULL; i++)
    {
        const OptionValue *v = &other->values[spec->id];
        const char *text = (spec->commands & command) == 0 ? NULL : value_text(ctx, spec, v);
        if (text == NULL)
            continue;
        OptionInForce *shown = mem_push(ctx, *ret, *ret_count, capacity, OptionInForce);
        shown->name = spec->name;
        shown->value = text;
        shown->origin = origin_text(ctx, spec, v);
    }
    return true;
}
