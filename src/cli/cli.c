/* cli/cli.c - what the commands share; the contract is in cli.h. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/str.h"
#include "fleet/engine.h"

static FleetRequest fleet_request(const Options *o)
{
    FleetRequest request = {.dbname = options_string(o, OPT_DBNAME),
                            .host = options_string(o, OPT_HOST),
                            .port = options_string(o, OPT_PORT),
                            .user = options_string(o, OPT_USERNAME),
                            .name = options_fleet_name(o),
                            .file = options_string(o, OPT_FLEET),
                            .never_prompt = options_flag(o, OPT_NO_PASSWORD),
                            .force_prompt = options_flag(o, OPT_PASSWORD)};
    request.nodes = options_list(o, OPT_NODE, &request.node_count);
    return request;
}

Fleet *cli_fleet(void *ctx, const Options *o, Error *err)
{
    FleetRequest request = fleet_request(o);
    Fleet *fleet = fleet_discover(ctx, &request, err);
    return fleet != NULL && fleet_passwords(ctx, fleet, &request, err) ? fleet : NULL;
}

bool cli_coordinator(void *ctx, const Options *o, Fleet *fleet, Error *err)
{
    FleetRequest request = fleet_request(o);
    NameMap *hosts;
    if (!cli_name_map(ctx, o, OPT_HOST_MAP, &hosts, &request.host_map_count, err))
        return false;
    request.host_map = hosts;
    return engine_discover(ctx, fleet, &request, err);
}

Fleet *cli_source(void *ctx, const Options *o, Error *err)
{
    Fleet *fleet = cli_fleet(ctx, o, err);
    return fleet != NULL && cli_coordinator(ctx, o, fleet, err) ? fleet : NULL;
}

bool cli_list_has(const Options *o, OptionId id, const char *value)
{
    size_t count;
    const char *const *list = options_list(o, id, &count);
    for (size_t i = 0; i < count; i++)
    {
        if (strcmp(list[i], value) == 0)
            return true;
    }
    return false;
}

bool cli_names_servers(const Options *o)
{
    static const OptionId names[] = {OPT_DBNAME, OPT_NODE, OPT_FLEET,
                                     OPT_HOST,   OPT_PORT, OPT_USERNAME};
    bool named = false;
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        named = named || options_given(o, names[i]);
    return named;
}

const char **cli_arguments(void *ctx, const Options *o, const OptionId *ids, size_t id_count,
                           size_t *ret_count)
{
    const char **arguments = NULL;
    size_t capacity = 0;
    *ret_count = 0;
    for (size_t i = 0; i < id_count; i++)
    {
        size_t values;
        const char *name = options_name(ids[i]);
        if (!options_given(o, ids[i]))
            continue;
        if (options_is_flag(ids[i]))
        {
            if (options_flag(o, ids[i]))
                *mem_push(ctx, arguments, *ret_count, capacity,
                          const char *) = mem_printf(ctx, "--%s", name);
            continue;
        }
        const char *const *list = options_list(o, ids[i], &values);
        for (size_t v = 0; v < values; v++)
            *mem_push(ctx, arguments, *ret_count, capacity,
                      const char *) = mem_printf(ctx, "--%s=%s", name, list[v]);
        if (values == 0 && options_string(o, ids[i]) != NULL)
            *mem_push(ctx, arguments, *ret_count, capacity,
                      const char *) = mem_printf(ctx, "--%s=%s", name, options_string(o, ids[i]));
    }
    return arguments;
}

bool cli_json(const Options *o)
{
    return str_equal(options_string(o, OPT_OUTPUT), "json");
}

ProgressMode cli_progress(const Options *o)
{
    return progress_mode(options_string(o, OPT_PROGRESS), options_flag(o, OPT_QUIET));
}

int cli_exit(void)
{
    return log_warnings() > 0 ? EXIT_WARNINGS : EXIT_DONE;
}
