/*
 * select/selection.h - which objects of a database are wanted.
 *
 * A Selection is what the options and files of a backup, a restore or an export ask for. It is
 * applied to the catalogue of a server (selection_apply, before anything is locked), and by restore
 * and export to what a set holds. The rules are those of pg_dump (selectDumpableNamespace,
 * selectDumpableTable, processExtensionTables in pg_dump.c; patterns in processSQLNamePattern):
 * what pg_dump would select with the same options is what is selected here.
 */
#ifndef PGARK_SELECT_SELECTION_H
#define PGARK_SELECT_SELECTION_H

#include "base/error.h"
#include "base/mem.h"
#include "select/pattern.h"

typedef enum SelectionSection
{
    SELECT_PRE_DATA = 1,
    SELECT_DATA = 2,
    SELECT_POST_DATA = 4,
    SELECT_ALL_SECTIONS = 7,
} SelectionSection;

typedef enum SelectionBlobs
{
    BLOBS_DEFAULT, /* with everything; not with -s, -n, -t, -e */
    BLOBS_YES,
    BLOBS_NO,
} SelectionBlobs;

/* Kinds of entries that are left out altogether (--no-comments and so on). */
typedef enum SelectionWithout
{
    WITHOUT_COMMENTS = 1,
    WITHOUT_PUBLICATIONS = 2,
    WITHOUT_SECURITY_LABELS = 4,
    WITHOUT_SUBSCRIPTIONS = 8,
    WITHOUT_PRIVILEGES = 16, /* -x */
    WITHOUT_POLICIES = 32,
} SelectionWithout;

typedef struct Selection
{
    PatternList schemas, not_schemas;         /* -n -N */
    PatternList tables, not_tables;           /* -t -T; with children where the pattern says so */
    PatternList not_data;                     /* --exclude-table-data[-and-children] */
    PatternList extensions, not_extensions;   /* -e --exclude-extension */
    PatternList foreign_data;                 /* --include-foreign-data: of servers */
    PatternList indexes, functions, triggers; /* restore and export: -I -P --trigger, names */
    unsigned sections;                        /* SelectionSection; SELECT_ALL_SECTIONS by default */
    unsigned without;                         /* SelectionWithout */
    SelectionBlobs blobs;
    bool strict_names;
    bool no_unlogged_data;
} Selection;

/* selection_new: everything is wanted. Below ctx. */
Selection *selection_new(void *ctx);

/* selection_is_all: no object and no row is left out by name (sections and kinds may be). */
bool selection_is_all(const Selection *s);

/* selection_includes_all: no -n, -t, -e says that only something is wanted. Then objects that are in
 * no schema (languages, casts, ...) and large objects are, too. */
bool selection_includes_all(const Selection *s);

/* selection_needs_path: some pattern of tables has no schema, so that SelectionItem.hidden decides. */
bool selection_needs_path(const Selection *s);

/* selection_wants_extension: its CREATE EXTENSION. */
bool selection_wants_extension(const Selection *s, const char *name);

/* selection_wants_blobs decides BLOBS_DEFAULT, too. */
bool selection_wants_blobs(const Selection *s);

/* A relation of the catalogue, as selection_apply is given it and marks it. */
typedef struct SelectionItem
{
    uint32_t oid;
    char kind; /* pg_class.relkind: r p v m f S */
    char persistence;
    const char *schema;
    const char *name;
    bool hidden;           /* not to be seen through the role's own search_path: a pattern without
                                a schema does not match it. Always false where there is no server */
    const char *extension; /* it is a member of; NULL: of none */
    bool config;           /* and one of the extension's configuration tables or sequences */
    uint32_t owner_table;  /* of a sequence owned by a column, else 0 */
    bool identity;         /* it is that of an identity column: it never comes without its table */
    const char *server;    /* of a foreign table, else NULL */
    const uint32_t *parents; /* tables it inherits from or is a partition of */
    size_t parent_count;
    bool definition; /* set: the object is wanted, whatever the sections are */
    bool data; /* set: its rows (a sequence's value, a materialized view's refresh) are wanted;
                        never without SELECT_DATA in sections */
} SelectionItem;

/* Names of a database's schemas or extensions, in any order; some may be there twice. */
typedef struct SelectionNames
{
    const char *const *items;
    size_t count;
} SelectionNames;

/* selection_apply sets definition and data of all items, which are in no order. System schemas may be
 * among schemas.
 * ERR_USAGE, naming the option: all patterns of -n, of -t or of -e together match nothing; with
 * strict_names also when one of them does; all that they match is excluded again; a pattern of
 * --include-foreign-data fits the server of no foreign table; a pattern names another database than
 * this one.
 * With -t the options -n and -N choose no tables, as pg_dump has it. Members of extensions are never
 * chosen by themselves: the extension's configuration tables get data only.
 * Takes O(items x patterns that are no plain names). */
bool selection_apply(const Selection *s, const char *database, SelectionItem *items, size_t count,
                     const SelectionNames *schemas, const SelectionNames *extensions, Error *err)
    MUST_CHECK;

/* A program's arguments, grown by mem_push. */
typedef struct SelectionArgs
{
    char **items;
    size_t count, capacity;
} SelectionArgs;

/* selection_pg_dump_args appends to args, below ctx, the arguments by which a pg_dump of that major version dumps the definitions that are selected (items: applied already).
 * Only options that decide which definitions are written, never --schema-only and the like.
 * What an older pg_dump has no option for is said by options it has: before 16 the tables that
 * --table-and-children and --exclude-table-and-children mean are named one by one.
 * ERR_USAGE: where that cannot be said, namely -e before 14, --exclude-extension before 17 and
 * --no-policies before 18, and where the names together are longer than half of what the system
 * takes as arguments (1 MB in most, about 25,000 tables). */
bool selection_pg_dump_args(const Selection *s, void *ctx, int pg_dump_major,
                            const SelectionItem *items, size_t count, SelectionArgs *args,
                            Error *err) MUST_CHECK;

/* selection_describe gives, below ctx, the options that are not at their default, "--schema=foo",
 * in a fixed order: for the manifest and for people. */
void selection_describe(const Selection *s, void *ctx, char ***ret, size_t *ret_count);

/* selection_file_filter reads a filter file as pg_dump and pg_restore 17 and 18 have it into s:
 * "include|exclude TYPE PATTERN" in each line, "#" begins a comment, a quoted name may go over
 * several lines. selection_file_list reads one of --table-file and --exclude-table-file
 * (PATTERN_TABLE: "schema.table") or of --schema-file and --exclude-schema-file (PATTERN_SCHEMA: a
 * name) into list: one exact name in each line, as gpcrondump has it, in double quotes where a name
 * holds a dot, a blank at an end or the end of a line; lines that begin with # are comments.
 * Both take CRLF and a BOM; path "-" is standard input. ERR_USAGE names file and line; a line of
 * more than SELECTION_LINE_MAX bytes, a file of more than SELECTION_FILE_MAX, a NUL, an
 * unterminated quote are errors. What an object is named in indexes, functions and triggers is
 * exact, as for pg_restore: "name" or "name(argument, ...)". */
#define SELECTION_LINE_MAX ((size_t) 1024 * 1024)
#define SELECTION_FILE_MAX ((size_t) 64 * 1024 * 1024)
bool selection_file_filter(Selection *s, const char *path, Error *err) MUST_CHECK;
bool selection_file_list(PatternList *list, void *ctx, PatternKind kind, const char *path,
                         Error *err) MUST_CHECK;

/* selection_add_name adds one name to list as a line of such a file would; text is all of it. Where
 * ret_schema and ret_name are not NULL they get the names, below ctx (PATTERN_TABLE: both). */
bool selection_add_name(PatternList *list, void *ctx, PatternKind kind, const char *text,
                        const char **ret_schema, const char **ret_name, Error *err) MUST_CHECK;

/* The part of both that is fuzzed: text of len bytes, named name in messages. */
bool selection_parse_filter(Selection *s, const char *name, const char *text, size_t len,
                            Error *err) MUST_CHECK;
bool selection_parse_list(PatternList *list, void *ctx, PatternKind kind, const char *name,
                          const char *text, size_t len, Error *err) MUST_CHECK;

#endif
