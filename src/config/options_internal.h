/*
 * config/options_internal.h - what the files behind options.h share.
 *
 * options_parse.c reads the command line, options_sources.c environment and file; all values go
 * through options_set (options.c); options_check.c judges the whole; options_help.c prints.
 */
#ifndef PGARK_CONFIG_OPTIONS_INTERNAL_H
#define PGARK_CONFIG_OPTIONS_INTERNAL_H

#include "config/option_table.h"

/* Where a value comes from; a higher one wins. */
typedef enum OptionSource
{
    SOURCE_DEFAULT,
    SOURCE_FILE,
    SOURCE_ENVIRONMENT,
    SOURCE_COMMAND_LINE,
} OptionSource;

typedef struct OptionValue
{
    OptionSource source;
    char *origin; /* how messages call it: "--jobs", "PGARK_JOBS"; NULL for a default */
    int64_t number;
    char *text;
    char **list;
    size_t count, capacity;
} OptionValue;

struct Options
{
    Command command;
    char *key;
    char *
        fleet_name; /* of the configuration file's section that names the servers, NULL: none does */
    OptionValue values[OPT_COUNT];
};

/* options_new makes the options of a command, all at their defaults, below ctx. */
Options *options_new(void *ctx, Command command);

/* options_set checks text by the option's type and range and keeps it, unless a value from a higher
 * source is there; origin is what messages call it. A flag takes true, on, yes, 1 and their
 * opposites. ERR_USAGE. */
bool options_set(Options *o, const OptionSpec *spec, OptionSource source, const char *origin,
                 const char *text, Error *err) MUST_CHECK;

/* options_reset returns an option to its default. */
void options_reset(Options *o, OptionId id);

/* options_read_text: where --fleet is the name of a section [fleet NAME], that has been read as well,
 * and takes the option's place. options_read_environment and options_read_file: each sets what its place gives for the command.
 * The file's keys and values are all checked, those for other commands too. */
bool options_read_environment(Options *o, Error *err) MUST_CHECK;
bool options_read_file(Options *o, const char *path, Error *err) MUST_CHECK;
bool options_read_text(Options *o, const char *text, size_t len, const char *name, Error *err)
    MUST_CHECK;
bool options_read_places(Options *o, Error *err) MUST_CHECK; /* the environment, then its file */

/* options_check refuses contradictions and what is missing, once all places were read. */
bool options_check(Options *o, Error *err) MUST_CHECK;

/* options_print_help prints the help of a command, or with CMD_NONE of pgark as a whole. */
void options_print_help(Command command, FILE *out);

#endif
