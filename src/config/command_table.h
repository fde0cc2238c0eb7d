/*
 * config/command_table.h - the declarations of the commands, beside those of the options.
 *
 * Internal to config.
 */
#ifndef PGARK_CONFIG_COMMAND_TABLE_H
#define PGARK_CONFIG_COMMAND_TABLE_H

#include "config/options.h"

/* Masks of commands. CMD_TOP stands in them for "pgark" without a command. */
#define CMD_TOP (1u << 30)
#define CMD_ALL                                                                                    \
    ((unsigned) (CMD_BACKUP | CMD_RESTORE | CMD_LIST | CMD_SHOW | CMD_VERIFY | CMD_EXPIRE |        \
                 CMD_CHECK | CMD_EXPORT | CMD_CONFIG | CMD_BASEBACKUP | CMD_RECEIVE_WAL |          \
                 CMD_RESTORE_POINT))

typedef enum Positional
{
    POSITIONAL_NONE,
    POSITIONAL_KEY,      /* required */
    POSITIONAL_CONNINFO, /* optional, same as --dbname */
    POSITIONAL_POINT,    /* required: the NAME of a restore point */
    POSITIONAL_SHOW,     /* the word show, then a command, which is optional */
} Positional;

typedef struct CommandExample
{
    const char *comment;
    const char *line;
} CommandExample;

typedef struct CommandSpec
{
    Command command;
    const char *name;
    Positional positional;
    const char *synopsis; /* behind "pgark NAME " */
    const char *summary;  /* one line */
    const char *about;    /* sentences, for help and man page; paragraphs end with \n */
    CommandExample examples[4];
} CommandSpec;

/* command_table_about says what pgark is, in a sentence. */
const char *command_table_about(void);

/* command_table_at: the i-th command in the order of the help, NULL behind the last. */
const CommandSpec *command_table_at(size_t i);

/* command_table_get and _by_name: NULL when there is none. */
const CommandSpec *command_table_get(Command command);
const CommandSpec *command_table_by_name(const char *name);

/* command_table_names: "backup, restore and check" for a mask, below ctx. */
char *command_table_names(void *ctx, unsigned mask);

#endif
