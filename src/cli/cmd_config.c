/* cli/cmd_config.c - pgark config show. */
#include "base/str.h"
#include "cli/cli.h"
#include "report/set_report.h"

static void print_command(const char *name, const OptionInForce *list, size_t count)
{
    printf("[%s]\n", name);
    for (size_t i = 0; i < count; i++)
        printf("%-24s %-28s %s\n", list[i].name, list[i].value, list[i].origin);
}

static json_t *command_json(const OptionInForce *list, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, list[i].name,
                            json_pack("{s:o, s:o}", "value", set_report_string(list[i].value),
                                      "source", set_report_string(list[i].origin)));
    return object;
}

/* Those whose options a file or the environment may give, but this one. */
static bool is_shown(const Options *o, Command command)
{
    const char *wanted = options_key(o);
    return command != CMD_CONFIG &&
           (wanted == NULL || str_equal(wanted, options_command_word(command)));
}

int cmd_config(void *ctx, const Options *o, Error *err)
{
    json_t *commands = json_object();
    bool first = true;
    Command command = CMD_NONE;
    for (size_t i = 0; (command = options_command_at(i)) != CMD_NONE; i++)
    {
        OptionInForce *list = NULL;
        size_t count = 0;
        const char *name = options_command_word(command);
        if (!is_shown(o, command))
            continue;
        if (!options_in_force(o, ctx, command, &list, &count, err))
        {
            json_decref(commands);
            return EXIT_ERROR;
        }
        if (cli_json(o))
            json_object_set_new(commands, name, command_json(list, count));
        else
        {
            printf("%s", first ? "" : "\n");
            print_command(name, list, count);
        }
        first = false;
    }
    if (cli_json(o))
        set_report_print(stdout, commands);
    else
        json_decref(commands);
    return EXIT_DONE;
}
