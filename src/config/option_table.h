/*
 * config/option_table.h - the declarations of options and commands, and the ways to look them up.
 *
 * Internal to config. A new option is one row in one of option_rows_*.c and one member of OptionId;
 * the parser, --help, the man pages, the completions and the configuration file follow from it. Two
 * options of different commands may have the same name.
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
    OPTION_NAME,     /* a plain name: str_is_name() */
    OPTION_FILE,     /* a string that is completed as a file's name */
    OPTION_LIST,     /* a string, repeated */
} OptionType;

typedef enum OptionGroup
{
    GROUP_CONNECTION,
    GROUP_REPOSITORY,
    GROUP_CONTENT,
    GROUP_SELECTION,
    GROUP_DEFINITION,
    GROUP_PHYSICAL,
    GROUP_CUT,
    GROUP_WORK,
    GROUP_OUTPUT,
    GROUP_GENERAL,
    GROUP_COUNT
} OptionGroup;

typedef struct OptionSpec
{
    OptionId id;
    const char *name;        /* without "--"; also the key in the configuration file */
    const char *alias;       /* a second name, as pg_dump has it; taken, but not listed */
    char short_name;         /* 0: none */
    unsigned short_commands; /* mask of those that have the short name; 0: all of commands */
    OptionType type;
    OptionGroup group;
    bool secret;            /* may hold a password: never shown in a message */
    unsigned commands;      /* mask */
    unsigned file_commands; /* for which of them the configuration file may give it */
    const char *env;        /* NULL: not from the environment */
    const char *bare;       /* the value of the option without one; NULL: it needs one */
    const char *initial;    /* default, as text; NULL: none */
    int64_t min;            /* INT, SIZE, DURATION */
    int64_t max;
    const char *range; /* how min and max read: "1 to 256" */
    const char *words; /* "a|b|c"; of a LIST: each value must be one of them */
    const char *arg;   /* what help calls the value */
    const char *help;  /* one line for --help, no final stop */
    const char *more;  /* sentences for the man page; NULL: help says it all */
} OptionSpec;

/* option_table_at: the i-th row in the order of the help, NULL behind the last. */
const OptionSpec *option_table_at(size_t i);

/* option_table_get: every id has a row. */
const OptionSpec *option_table_get(OptionId id);

/* option_table_by_name and _by_short: the option of that name (or alias) or letter that one of
 * commands has, else one that other commands have; NULL when there is none at all. */
const OptionSpec *option_table_by_name(const char *name, size_t len, unsigned commands);
const OptionSpec *option_table_by_short(char c, unsigned commands);

/* option_table_is_named: name or alias. option_table_short: its letter for commands, 0: none. */
bool option_table_is_named(const OptionSpec *spec, const char *name, size_t len);
char option_table_short(const OptionSpec *spec, unsigned commands);

/* option_table_group: the heading of a group. */
const char *option_table_group(OptionGroup group);

/* option_table_word hands out the next word of "a|b|c": *cursor starts as the list and becomes NULL
 * behind the last one; the return value is its length at *ret_word. */
size_t option_table_word(const char **cursor, const char **ret_word);

/* option_table_words: "auto, text or binary" for a word list, below ctx. */
char *option_table_words(void *ctx, const char *words);

#endif
