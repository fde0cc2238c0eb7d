/*
 * compat/legacy_options.h - the command lines of the classic Greenplum tools, each program's options in one table.
 *
 * The table generates the parser and --help. Names, letters and what takes a value are those of the old
 * programs, so that their command lines can be run as they are written in scripts: letters may be bundled
 * ("-av"), a value may stand in the same word or in the next, long names may be shortened as far as they are
 * unambiguous, options and arguments may come in any order, and "--" ends the options. -? and --help, and
 * --version (-V where the program has no other use for it), are every program's.
 */
#ifndef PGARK_COMPAT_LEGACY_OPTIONS_H
#define PGARK_COMPAT_LEGACY_OPTIONS_H

#include "base/error.h"
#include "base/mem.h"

typedef enum LegacyType
{
    LEGACY_FLAG,
    LEGACY_VALUE, /* given twice: an error */
    LEGACY_LAST,  /* given twice: the last one counts */
    LEGACY_LIST,  /* repeated */
    LEGACY_OPTIONAL, /* the next word is its value only if it is one of words; --name=VALUE otherwise */
    LEGACY_IGNORED, /* a flag that does nothing, which is said */
    LEGACY_IGNORED_VALUE,
    LEGACY_REFUSED, /* whatever its value */
} LegacyType;

typedef struct LegacyOption
{
    int id; /* from 1; rows with the same id are one option under several names. 0: of the last three types,
               which have no value to ask for */
    const char *name; /* without "--"; NULL: a letter only */
    char letter;      /* 0: none */
    LegacyType type;
    const char *arg;   /* what help calls the value */
    const char *words; /* "a|b": its value must be one of them; NULL: any */
    const char *help; /* no final stop; NULL: not listed. IGNORED, REFUSED: why, and never listed */
    const char *hint; /* REFUSED: a sentence, what to do instead */
} LegacyOption;

#define LEGACY_ID_MAX    128
#define LEGACY_GROUP_MAX 12

/* What cannot stand together. */
typedef struct LegacyExclusion
{
    bool
        first_only; /* the first of ids excludes each of the others; else no two of ids go together */
    int ids[LEGACY_GROUP_MAX]; /* 0 behind the last */
    const char *hint;          /* NULL: none */
} LegacyExclusion;

typedef struct LegacyProgram
{
    const char *name;
    const char *summary;             /* a line of the manual, without a stop */
    const char *synopsis;            /* behind the name: "[OPTION]... DBNAME" */
    const char *about;               /* sentences */
    const LegacyOption *options;     /* behind the last one a row without name and letter */
    const LegacyExclusion *excluded; /* likewise one without ids; NULL: none */
    const char *exits;               /* "0 done", a line for each exit code */
    size_t max_arguments;            /* words that are no options */
} LegacyProgram;

typedef struct LegacyOptions LegacyOptions;

/* legacy_options_parse reads a command line and checks it by the program's table. *ret_done: help or version was
 * printed, and there is nothing more to do. An option that is ignored is told to the log. Any mistake: NULL and
 * ERR_USAGE with a hint, the nearest name when one is close. Below ctx; argv must live as long. */
LegacyOptions *legacy_options_parse(void *ctx, const LegacyProgram *program, int argc, char **argv,
                                    bool *ret_done, Error *err) MUST_CHECK;

bool legacy_options_given(const LegacyOptions *o, int id);

/* legacy_options_string: the value, NULL: not given, or OPTIONAL without one. Of a LIST, the last. */
const char *legacy_options_string(const LegacyOptions *o, int id);
const char *const *legacy_options_list(const LegacyOptions *o, int id, size_t *ret_count);

/* legacy_options_int: *ret is left alone where the option is not given. ERR_USAGE: no number from min to max. */
bool legacy_options_int(const LegacyOptions *o, int id, int64_t min, int64_t max, int64_t *ret,
                        Error *err) MUST_CHECK;

/* legacy_options_called: how the option was written, "-T" or "--exclude-table"; for messages. When it was not
 * given: by its first name in the table. */
const char *legacy_options_called(const LegacyOptions *o, int id);

/* The words that are no options. */
const char *const *legacy_options_arguments(const LegacyOptions *o, size_t *ret_count);

/* legacy_options_line: the command line as it was given, for reports, below ctx: words with blanks, quotes or
 * nothing in them within single quotes; what may hold a password (a conninfo string or URI) as ***. */
char *legacy_options_line(const LegacyOptions *o, void *ctx);

#endif
