/* backup/catalogue_mark.c - have definitions changed; the contract is in catalogue_mark.h.
 *
 * Every change of a definition writes a new version of some row of a catalogue, whose xmin is the
 * transaction that wrote it; statistics are written over in place, and change none. So a count and a
 * sum over hashes of place and xmin tell. Rows of temporary tables come and go all the time, and are no
 * part of any dump. What was made and dropped again leaves no row; but if a dump has it, it has its oid,
 * which the cut does not show.
 */
#include "backup/catalogue_mark.h"

#include "base/str.h"

/* Whose rows belong to a relation, a schema, or neither. */
typedef struct MarkedCatalogue
{
    const char *name;
    const char *column; /* the oid that it belongs to */
    const char *owners; /* "rel", "ns", NULL */
} MarkedCatalogue;

static const MarkedCatalogue catalogues[] = {
    {"pg_class", "oid", "rel"},
    {"pg_attribute", "attrelid", "rel"},
    {"pg_attrdef", "adrelid", "rel"},
    {"pg_index", "indexrelid", "rel"},
    {"pg_trigger", "tgrelid", "rel"},
    {"pg_rewrite", "ev_class", "rel"},
    {"pg_inherits", "inhrelid", "rel"},
    {"pg_foreign_table", "ftrelid", "rel"},
    {"gp_distribution_policy", "localoid", "rel"},
    {"pg_partition", "parrelid", "rel"},
    {"pg_partition_rule", "parchildrelid", "rel"},
    {"pg_attribute_encoding", "attrelid", "rel"},
    {"pg_exttable", "reloid", "rel"},
    {"pg_constraint", "connamespace", "ns"},
    {"pg_type", "typnamespace", "ns"},
    {"pg_proc", "pronamespace", "ns"},
    {"pg_operator", "oprnamespace", "ns"},
    {"pg_opclass", "opcnamespace", "ns"},
    {"pg_opfamily", "opfnamespace", "ns"},
    {"pg_conversion", "connamespace", "ns"},
    {"pg_collation", "collnamespace", "ns"},
    {"pg_ts_config", "cfgnamespace", "ns"},
    {"pg_ts_dict", "dictnamespace", "ns"},
    {"pg_ts_parser", "prsnamespace", "ns"},
    {"pg_ts_template", "tmplnamespace", "ns"},
    {"pg_namespace", "oid", "ns"},
    {"pg_enum", NULL, NULL},
    {"pg_range", NULL, NULL},
    {"pg_aggregate", NULL, NULL},
    {"pg_amop", NULL, NULL},
    {"pg_amproc", NULL, NULL},
    {"pg_cast", NULL, NULL},
    {"pg_language", NULL, NULL},
    {"pg_ts_config_map", NULL, NULL},
    {"pg_foreign_data_wrapper", NULL, NULL},
    {"pg_foreign_server", NULL, NULL},
    {"pg_user_mapping", NULL, NULL},
    {"pg_extension", NULL, NULL},
    {"pg_event_trigger", NULL, NULL},
    {"pg_default_acl", NULL, NULL},
    {"pg_description", NULL, NULL},
    {"pg_seclabel", NULL, NULL},
    {"pg_extprotocol", NULL, NULL},
    {"pg_type_encoding", NULL, NULL},
};

/* Not every product has all of them, and not everybody may read all. */
static PGresult *read_present(PgConn *conn, Error *err)
{
    return pg_query(conn,
                    "SELECT c.relname FROM pg_catalog.pg_class c"
                    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname = 'pg_catalog' AND c.relkind = 'r'"
                    " AND pg_catalog.has_table_privilege(c.oid, 'SELECT')",
                    0, NULL, err);
}

static bool is_present(const PGresult *present, const char *name)
{
    for (int i = 0; i < PQntuples(present); i++)
        if (strcmp(pg_cell(present, i, 0), name) == 0)
            return true;
    return false;
}

/* Members of extensions and the database itself are marked beside the rest. */
static const char *mark_sql(void *ctx, const PGresult *present)
{
    Str *sql = str_new(ctx);
    str_add(sql,
            "WITH ns AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'"
            " OR nspname = 'pg_catalog'), rel AS (SELECT c.oid FROM pg_catalog.pg_class c"
            " JOIN ns ON ns.oid = c.relnamespace WHERE c.relpersistence <> 't')"
            " SELECT pg_catalog.string_agg(x.name || ' ' || x.n || ' ' || x.h, ' '"
            "  ORDER BY x.name) FROM (SELECT 'database' AS name, count(*) AS n,"
            " sum(pg_catalog.hashtext(c.xmin::text)::bigint) AS h FROM pg_catalog.pg_database c"
            " WHERE c.datname = pg_catalog.current_database()"
            " UNION ALL SELECT 'members', count(*), coalesce(sum(pg_catalog.hashtext("
            "  c.ctid::text || c.xmin::text)::bigint), 0) FROM pg_catalog.pg_depend c"
            " WHERE c.deptype = 'e'");
    for (size_t i = 0; i < LENGTH_OF(catalogues); i++)
    {
        const MarkedCatalogue *m = &catalogues[i];
        if (!is_present(present, m->name))
            continue;
        str_addf(sql,
                 " UNION ALL SELECT '%s', count(*), coalesce(sum(pg_catalog.hashtext("
                 "c.ctid::text || c.xmin::text)::bigint), 0) FROM pg_catalog.%s c",
                 m->name, m->name);
        if (m->owners != NULL)
            str_addf(sql, " JOIN %s o ON o.oid = c.%s", m->owners, m->column);
    }
    str_add(sql, ") x");
    return sql->data;
}

char *catalogue_mark(PgConn *conn, void *ctx, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "catalogue mark");
    AUTO(PQclear) PGresult *present = read_present(conn, err);
    AUTO(PQclear)
    PGresult *res = present == NULL ? NULL : pg_query(conn, mark_sql(tmp, present), 0, NULL, err);
    if (res == NULL)
    {
        error_prefix(err, "could not look whether definitions have changed");
        return NULL;
    }
    return mem_strdup(ctx, pg_cell(res, 0, 0));
}

/* ---- what an archive has ---- */

static int catalogue_order(const void *a, const void *b, void *arg)
{
    const TocEntry *entries = arg;
    uint32_t x = entries[*(const uint32_t *) a].table_oid;
    uint32_t y = entries[*(const uint32_t *) b].table_oid;
    return (x > y) - (x < y);
}

/* Whether a catalogue has rows of all these oids; one without oids is not asked. */
static bool has_all(PgConn *conn, uint32_t catalogue, const char *oids, bool *ret_has, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "oids");
    const char *class_oid[] = {mem_printf(tmp, "%u", catalogue)};
    AUTO(PQclear)
    PGresult *name = pg_query(conn,
                              "SELECT relname FROM pg_catalog.pg_class WHERE oid = $1::oid"
                              " AND relhasoids AND pg_catalog.has_table_privilege(oid, 'SELECT')",
                              1, class_oid, err);
    if (name == NULL)
        return false;
    *ret_has = true;
    if (PQntuples(name) == 0)
        return true;
    const char *sql = mem_printf(tmp,
                                 "SELECT count(*) FROM pg_catalog.unnest($1::oid[]) w(oid)"
                                 " WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.%s c"
                                 "  WHERE c.oid = w.oid)",
                                 pg_cell(name, 0, 0));
    AUTO(PQclear) PGresult *res = pg_query(conn, sql, 1, &oids, err);
    if (res == NULL)
        return error_prefix(err, "could not look for what pg_dump has read");
    *ret_has = pg_cell_int(res, 0, 0) == 0;
    return true;
}

bool catalogue_has(PgConn *conn, const ArchiveToc *toc, bool *ret_has, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "archive");
    size_t n = toc->entry_count;
    uint32_t *order = mem_array(tmp, uint32_t, n);
    Str *oids = str_new(tmp);
    *ret_has = true;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    if (n > 1)
        qsort_r(order, n, sizeof(uint32_t), catalogue_order, toc->entries);
    for (size_t i = 0; i < n && *ret_has; i++)
    {
        const TocEntry *e = &toc->entries[order[i]];
        bool last = i + 1 == n || toc->entries[order[i + 1]].table_oid != e->table_oid;
        if (e->oid != 0)
            str_addf(oids, "%s%u", oids->len == 0 ? "{" : ",", e->oid);
        if (!last)
            continue;
        str_addc(oids, '}');
        if (oids->len > 1 && e->table_oid != 0 &&
            !has_all(conn, e->table_oid, oids->data, ret_has, err))
            return false;
        str_clear(oids);
    }
    return true;
}
