/*
 * compat/stats_script.h - statistics of the planner as a script: what gpcrondump --dump-stats writes beside a set,
 * gpdbrestore --restore-stats reads, and psql can run.
 *
 *   SET client_encoding = 'UTF8';
 *   ...
 *   -- Schema: 'app', Table: 'orders'
 *   BEGIN;
 *   SELECT pg_catalog.set_config('pgark.statistics', '"app"."orders"', true);
 *   LOCK TABLE "app"."orders" IN SHARE UPDATE EXCLUSIVE MODE;
 *   UPDATE pg_catalog.pg_class ...;
 *   DELETE FROM pg_catalog.pg_statistic ...;
 *   INSERT INTO pg_catalog.pg_statistic ...;
 *   COMMIT;
 *   ...
 *   -- End of the statistics of 1 tables
 *
 * Every statement is one line, whatever is in names and values. The table stands in the lines before UPDATE only, so that
 * whoever reads the script can put its statistics to another one.
 */
#ifndef PGARK_COMPAT_STATS_SCRIPT_H
#define PGARK_COMPAT_STATS_SCRIPT_H

#include "base/error.h"
#include "base/str.h"

#define STATS_SETTING "pgark.statistics"
/* The table that a statement is about. */
#define STATS_TABLE "pg_catalog.current_setting('" STATS_SETTING "')::pg_catalog.regclass"

#define STATS_UPDATE "UPDATE pg_catalog.pg_class "
#define STATS_DELETE "DELETE FROM pg_catalog.pg_statistic "
#define STATS_INSERT "INSERT INTO pg_catalog.pg_statistic "

/* stats_script_literal and stats_script_table append a literal, and a table's quoted name, without ends of lines. */
void stats_script_literal(Str *s, const char *text);
void stats_script_table(Str *s, const char *schema, const char *name);

/* stats_script_begin and stats_script_end append what stands around the statements of a table. lock: it is one that the server
 * can lock, which no materialized view and no foreign table is. */
void stats_script_begin(Str *s, const char *schema, const char *name, bool lock);
void stats_script_end(Str *s);

/* stats_script_head and stats_script_foot append the beginning and the end of a script. about: a comment of one
 * line. system_tables: the server wants to be told that they will be changed. */
void stats_script_head(Str *s, const char *about, const char *encoding, bool system_tables);
void stats_script_foot(Str *s, uint64_t tables);

typedef enum StatsLineKind
{
    STATS_LINE_ENCODING,  /* text */
    STATS_LINE_TABLE,     /* schema, table: statements about it follow */
    STATS_LINE_STATEMENT, /* text */
    STATS_LINE_DONE,      /* with that table */
    STATS_LINE_END,
} StatsLineKind;

/* One line that means something. The strings live until the next one is read. */
typedef struct StatsLine
{
    StatsLineKind kind;
    const char *text;
    const char *schema, *table;
} StatsLine;

typedef struct StatsReader
{
    FILE *in; /* the caller's */
    const char *name;
    uint64_t line;
    Str *text;
    Str *schema, *table; /* values of literals */
    bool in_table, ended;
    uint64_t tables;
} StatsReader;

/* stats_script_reader: strings below ctx; name is what messages call the script. */
StatsReader stats_script_reader(void *ctx, FILE *in, const char *name);

/* stats_script_read reads up to the next line that means something. ERR_CORRUPT with the number of the line: it
 * is none of a script, or the script has no end. */
bool stats_script_read(StatsReader *r, StatsLine *ret, Error *err) MUST_CHECK;

#endif
