/* compat/gpcrondump_stats.c - statistics of the planner beside a set; see gpcrondump_parts.h. */
#include "compat/dump_names.h"
#include "compat/gpcrondump_parts.h"
#include "compat/stats_script.h"
#include "pg/query.h"
#include "repo/archive.h"

#define BATCH       20 /* tables that are asked for at a time */
#define SLOTS       5
#define SLOT_CELLS  7
#define FIRST_SLOT  7
#define NO_OPERATOR "0"

typedef struct Stats
{
    const CronRun *run;
    MemContext *ctx; /* of a batch */
    PgConn *conn;
    StorageWriter *out;
    uint64_t tables;
    Error *err;
} Stats;

static bool put(const Stats *s, Str *text)
{
    bool ok = storage_write(s->out, text->data, text->len, s->err);
    str_clear(text);
    return ok;
}

/* ---- what there is ---- */

static const char *oid_array(const Stats *s)
{
    const Manifest *m = s->run->manifest;
    Str *text = str_new(s->run->ctx);
    str_addc(text, '{');
    for (size_t i = 0; i < m->table_count; i++)
    {
        if (m->tables[i].content == m->nodes[0].content)
            str_addf(text, "%s%u", text->len > 1 ? "," : "", m->tables[i].oid);
    }
    str_addc(text, '}');
    return text->data;
}

/* Of materialized views a set has no rows, but they are in its archive. */
static bool list_views(const Stats *s, LegacyNames *ret)
{
    const CronRun *run = s->run;
    const Repo *repo = run->cron->repo;
    const ArchiveToc *toc = archive_read(run->ctx, repo->storage,
                                         repo_set_dir(repo, run->ctx, run->key),
                                         &run->manifest->nodes[0], s->err);
    for (size_t i = 0; toc != NULL && i < toc->entry_count; i++)
    {
        const TocEntry *e = &toc->entries[i];
        if (strcmp(e->desc, "MATERIALIZED VIEW") == 0 && e->schema != NULL && e->tag != NULL)
            *mem_push(run->ctx, ret->items, ret->count, ret->capacity,
                      LegacyName) = (LegacyName){.schema = e->schema, .name = e->tag};
    }
    return toc != NULL;
}

/* Greenplum 6 finds no plan for a recursion that begins with a UNION of two queries.
 *
 * The set's tables, and those that they are partitions or children of, whose statistics are about them all; and their own
 * partitions, which on Greenplum are no tables of a set. One that was dropped since the cut is not there. */
static PGresult *list_tables(const Stats *s)
{
    LegacyNames views = {0};
    if (!list_views(s, &views))
        return NULL;
    const char *params[] = {oid_array(s), legacy_names_array(s->run->ctx, &views, true),
                            legacy_names_array(s->run->ctx, &views, false)};
    return pg_query(s->conn,
                    "WITH RECURSIVE wanted(oid) AS (SELECT s.x FROM"
                    " (SELECT x FROM pg_catalog.unnest($1::oid[]) x UNION ALL SELECT c.oid FROM "
                    "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                    " ON n.oid = c.relnamespace JOIN pg_catalog.generate_series(1,"
                    " pg_catalog.array_upper($2::text[], 1)) i ON n.nspname = ($2::text[])[i]"
                    " AND c.relname = ($3::text[])[i] WHERE c.relkind = 'm') s(x)"
                    " UNION SELECT i.inhparent FROM wanted w JOIN pg_catalog.pg_inherits i"
                    " ON i.inhrelid = w.oid),"
                    " below(oid) AS (SELECT x FROM pg_catalog.unnest($1::oid[]) x"
                    " UNION SELECT i.inhrelid FROM below b JOIN pg_catalog.pg_inherits i"
                    " ON i.inhparent = b.oid)"
                    " SELECT c.oid, n.nspname, c.relname, c.relpages, c.reltuples,"
                    " c.relkind IN ('r', 'p') FROM pg_catalog.pg_class c"
                    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE (c.oid IN (SELECT oid FROM wanted) OR c.oid IN (SELECT oid FROM below))"
                    " AND c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^pg_'"
                    " ORDER BY n.nspname, c.relname",
                    3, params, s->err);
}

/* Which type its values have, an array tells only by its binary form. A type without one cannot be asked. */
static const char *columns_sql(const Stats *s, bool collations)
{
    Str *sql = str_new(s->ctx);
    str_add(sql, "SELECT s.starelid, a.attname, pg_catalog.format_type(a.atttypid, NULL),"
                 " s.stainherit, s.stanullfrac, s.stawidth, s.stadistinct");
    for (int i = 1; i <= SLOTS; i++)
    {
        str_addf(sql,
                 ", s.stakind%d, s.staop%d::pg_catalog.regoperator, s.stanumbers%d, s.stavalues%d,"
                 " pg_catalog.format_type(('x' || pg_catalog.encode(pg_catalog.substring("
                 "pg_catalog.array_send(s.stavalues%d), 9, 4), 'hex'))::pg_catalog.bit(32)::bigint"
                 "::oid, NULL)",
                 i, i, i, i, i);
        if (collations)
            str_addf(sql, ", n%d.nspname, c%d.collname", i, i);
        else
            str_add(sql, ", NULL, NULL");
    }
    str_add(sql, " FROM pg_catalog.pg_statistic s JOIN pg_catalog.pg_attribute a"
                 " ON a.attrelid = s.starelid AND a.attnum = s.staattnum"
                 " JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
                 " LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem");
    for (int i = 1; collations && i <= SLOTS; i++)
        str_addf(sql,
                 " LEFT JOIN pg_catalog.pg_collation c%d ON c%d.oid = s.stacoll%d"
                 " LEFT JOIN pg_catalog.pg_namespace n%d ON n%d.oid = c%d.collnamespace",
                 i, i, i, i, i, i);
    str_add(sql, " WHERE s.starelid = ANY ($1::oid[]) AND NOT a.attisdropped AND t.typsend <> 0"
                 " AND (e.oid IS NULL OR e.typsend <> 0)"
                 " ORDER BY s.starelid, a.attname, s.stainherit");
    return sql->data;
}

static bool has_collations(const Stats *s, bool *ret)
{
    AUTO(PQclear)
    PGresult *res = pg_query(s->conn,
                             "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid ="
                             " 'pg_catalog.pg_statistic'::pg_catalog.regclass AND attname ="
                             " 'stacoll1')",
                             0, NULL, s->err);
    *ret = res != NULL && pg_cell_bool(res, 0, 0);
    return res != NULL;
}

/* ---- statements ---- */

/* A column of pg_statistic and what it gets. */
typedef struct Insert
{
    Str *columns, *values;
} Insert;

static void add_cast(const Insert *in, const char *column, int slot, const char *text,
                     const char *type)
{
    if (slot > 0)
        str_addf(in->columns, ", %s%d", column, slot);
    else
        str_addf(in->columns, ", %s", column);
    str_add(in->values, ", ");
    stats_script_literal(in->values, text);
    str_addf(in->values, "::pg_catalog.%s", type);
}

static void add_collation(const Insert *in, int slot, const char *schema, const char *name)
{
    str_addf(in->columns, ", stacoll%d", slot);
    str_add(in->values, ", (SELECT c.oid FROM pg_catalog.pg_collation c JOIN"
                        " pg_catalog.pg_namespace n ON n.oid = c.collnamespace"
                        " WHERE n.nspname = ");
    stats_script_literal(in->values, schema);
    str_add(in->values, " AND c.collname = ");
    stats_script_literal(in->values, name);
    str_add(in->values, " AND c.collencoding IN (-1, pg_catalog.pg_char_to_encoding("
                        "pg_catalog.getdatabaseencoding())))");
}

static void add_array(const Insert *in, int slot, const char *values, const char *type)
{
    str_addf(in->columns, ", stavalues%d", slot);
    str_add(in->values, ", pg_catalog.array_in(");
    stats_script_literal(in->values, values);
    str_add(in->values, ", ");
    stats_script_literal(in->values, type);
    str_add(in->values, "::pg_catalog.regtype, -1)");
}

static void add_slot(const Insert *in, const PGresult *res, int row, int slot, bool collations)
{
    int at = FIRST_SLOT + (slot - 1) * SLOT_CELLS;
    add_cast(in, "stakind", slot, pg_cell(res, row, at), "int2");
    if (strcmp(pg_cell(res, row, at + 1), NO_OPERATOR) == 0)
        add_cast(in, "staop", slot, NO_OPERATOR, "oid");
    else
        add_cast(in, "staop", slot, pg_cell(res, row, at + 1), "regoperator");
    if (!pg_cell_null(res, row, at + 2))
        add_cast(in, "stanumbers", slot, pg_cell(res, row, at + 2), "float4[]");
    if (!pg_cell_null(res, row, at + 3))
        add_array(in, slot, pg_cell(res, row, at + 3), pg_cell(res, row, at + 4));
    if (collations && pg_cell_null(res, row, at + 5))
        add_cast(in, "stacoll", slot, "0", "oid");
    else if (collations)
        add_collation(in, slot, pg_cell(res, row, at + 5), pg_cell(res, row, at + 6));
}

/* It finds its column where that has the same name and type. */
static void add_insert(const Stats *s, Str *text, const PGresult *res, int row, bool collations)
{
    static const char *const columns[] = {"stainherit", "stanullfrac", "stawidth", "stadistinct"};
    static const char *const types[] = {"bool", "float4", "int4", "float4"};
    const Insert in = {.columns = str_new(s->ctx), .values = str_new(s->ctx)};
    for (size_t i = 0; i < LENGTH_OF(columns); i++)
        add_cast(&in, columns[i], 0, pg_cell(res, row, 3 + (int) i), types[i]);
    for (int slot = 1; slot <= SLOTS; slot++)
        add_slot(&in, res, row, slot, collations);
    str_addf(text, STATS_INSERT "(starelid, staattnum%s) SELECT a.attrelid, a.attnum%s",
             in.columns->data, in.values->data);
    str_add(text,
            " FROM pg_catalog.pg_attribute a WHERE a.attrelid = " STATS_TABLE " AND a.attname = ");
    stats_script_literal(text, pg_cell(res, row, 1));
    str_add(text, " AND NOT a.attisdropped AND a.atttypid = ");
    stats_script_literal(text, pg_cell(res, row, 2));
    str_add(text, "::pg_catalog.regtype;\n");
}

/* ---- the file ---- */

/* relpages and reltuples are one measurement: the planner takes rows per page of them. Before the first ANALYZE there
 * is none. */
static void add_size(Str *text, const PGresult *tables, int row)
{
    if (strcmp(pg_cell(tables, row, 4), "-1") == 0)
        return;
    str_addf(text, STATS_UPDATE "SET relpages = %s, reltuples = ", pg_cell(tables, row, 3));
    stats_script_literal(text, pg_cell(tables, row, 4));
    str_add(text, "::pg_catalog.float4 WHERE oid = " STATS_TABLE ";\n");
}

/* columns: of this table and others. */
static bool write_table(Stats *s, const PGresult *tables, int row, const PGresult *columns,
                        bool collations)
{
    const char *oid = pg_cell(tables, row, 0);
    Str *text = str_new(s->ctx);
    stats_script_begin(text, pg_cell(tables, row, 1), pg_cell(tables, row, 2),
                       pg_cell_bool(tables, row, 5));
    add_size(text, tables, row);
    str_add(text, STATS_DELETE "WHERE starelid = " STATS_TABLE ";\n");
    for (int i = 0; i < PQntuples(columns); i++)
    {
        if (strcmp(pg_cell(columns, i, 0), oid) != 0)
            continue;
        add_insert(s, text, columns, i, collations);
        if (!put(s, text))
            return false;
    }
    stats_script_end(text);
    s->tables++;
    return put(s, text);
}

static bool write_batch(Stats *s, const PGresult *tables, int first, int count, bool collations)
{
    Str *oids = str_new(s->ctx);
    str_addc(oids, '{');
    for (int i = first; i < first + count; i++)
        str_addf(oids, "%s%s", i > first ? "," : "", pg_cell(tables, i, 0));
    str_addc(oids, '}');
    const char *params[] = {oids->data};
    AUTO(PQclear)
    PGresult *columns = pg_query(s->conn, columns_sql(s, collations), 1, params, s->err);
    for (int i = first; columns != NULL && i < first + count; i++)
    {
        if (!write_table(s, tables, i, columns, collations))
            return false;
    }
    return columns != NULL;
}

static bool write_all(Stats *s)
{
    bool collations = false;
    AUTO(PQclear) PGresult *tables = list_tables(s);
    if (tables == NULL || !has_collations(s, &collations))
        return false;
    for (int i = 0; i < PQntuples(tables); i += BATCH)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "batch");
        int left = PQntuples(tables) - i;
        s->ctx = ctx;
        if (!write_batch(s, tables, i, left < BATCH ? left : BATCH, collations))
            return false;
    }
    return true;
}

static bool write_script(Stats *s)
{
    const CronRun *run = s->run;
    Str *text = str_new(run->ctx);
    stats_script_head(text,
                      mem_printf(run->ctx, "Statistics of the tables of database %s, dump %s",
                                 run->database, run->key),
                      pg_encoding_to_char(PQclientEncoding(s->conn->raw)),
                      s->conn->server.product != SERVER_POSTGRESQL);
    if (!put(s, text) || !write_all(s))
        return false;
    stats_script_foot(text, s->tables);
    return put(s, text);
}

bool cron_stats_write(const CronRun *run, Error *err)
{
    const PgConnSpec spec = {.conninfo = run->conninfo};
    AUTO(pg_conn_close) PgConn *conn = NULL;
    AUTO(storage_writer_free) StorageWriter *out = NULL;
    if (!cron_given(run->cron, CRON_DUMP_STATS))
        return true;
    const char *name = dump_name(run->ctx, DUMP_STATISTICS, run->cron->file_prefix, -1, 1,
                                 run->key);
    Storage *st = storage_open(run->ctx, cron_place_day(run->ctx, &run->cron->place, run->key),
                               err);
    conn = st == NULL ? NULL : pg_conn_open(&spec, NULL, "gpcrondump statistics", NULL, err);
    out = conn == NULL ? NULL : storage_write_open(st, name, STORAGE_WRITE_ATOMIC, err);
    Stats s = {.run = run, .conn = conn, .out = out, .err = err};
    if (out == NULL || !write_script(&s) || !storage_writer_commit(out, err))
        return error_prefix(err, "%s", legacy_options_called(run->cron->o, CRON_DUMP_STATS));
    log_info("Wrote the statistics of %" PRIu64 " tables to %s", s.tables, name);
    return true;
}
