/*
 * config/option_table.h - the declarations of options and commands, and the ways to look them up.
 *
 * Internal to config. A new option is one row in option_table.c and one member of OptionId; the
 * parser, --help, the man pages, the completions and the configuration file follow from it.
 */
#ifndef PGARK_CONFIG_OPTION_TABLE_H
#define PGARK_CONFIG_OPTION_TABLE_H

#include "config/command_table.h"

typedef enum OptionType
{
    OPTION_FLAG,
    OPTION_INT,
    OPTION_SIZE,     /* bytes */
    OPTION_DURATION, /* ms */
    OPTION_WORD,     /* one of words */
    OPTION_STRING,   /* words, if any, are proposed by the shell only */
    OPTION_FILE,     /* a string that is completed as a file's name */
    OPTION_LIST,     /* a string, repeated */
} OptionType;

typedef enum OptionGroup
{
    GROUP_CONNECTION,
    GROUP_REPOSITORY,
    GROUP_CONTENT,
    GROUP_CUT,
    GROUP_WORK,
    GROUP_OUTPUT,
    GROUP_GENERAL,
    GROUP_COUNT
} OptionGroup;

typedef struct OptionSpec
{
    OptionId id;
    const char *name; /* without "--"; also the key in the configuration file */
    char short_name;  /* 0: none */
    OptionType type;
    OptionGroup group;
    bool secret;            /* may hold a password: never shown in a message */
    unsigned commands;      /* mask */
    unsigned file_commands; /* for which of them the configuration file may give it */
    const char *env;        /* NULL: not from the environment */
    const char *initial;    /* default, as text; NULL: none */
    int64_t min;            /* INT, SIZE, DURATION */
    int64_t max;
    const char *range; /* how min and max read: "1 to 256" */
    const char *words; /* "a|b|c" */
    const char *arg;   /* what help calls the value */
    const char *help;  /* one line for --help, no final stop */
    const char *more;  /* sentences for the man page; NULL: help says it all */
} OptionSpec;

/* option_table_at: the i-th row in the order of the help, NULL behind the last. */
const OptionSpec *option_table_at(size_t i);

/* option_table_get: every id has a row. _by_name and _by_short: NULL when there is none. */
const OptionSpec *option_table_get(OptionId id);
const OptionSpec *option_table_by_name(const char *name, size_t len);
const OptionSpec *option_table_by_short(char c);

/* option_table_group: the heading of a group. */
const char *option_table_group(OptionGroup group);

/* option_table_word hands out the next word of "a|b|c": *cursor starts as the list and becomes NULL
 * behind the last one; the return value is its length at *ret_word. */
size_t option_table_word(const char **cursor, const char **ret_word);

/* option_table_words: "auto, text or binary" for a word list, below ctx. */
char *option_table_words(void *ctx, const char *words);

#endif
