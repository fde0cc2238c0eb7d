/* export/large_objects.c - entries of large objects; the contract is in large_objects.h. */
#include "export/large_objects.h"

#include <jansson.h>

#include "base/str.h"
#include "repo/large_object_list.h"
#include "repo/large_object_tables.h"
#include "restore/large_object_rights.h"
#include "restore/sql_text.h"

typedef struct Entries
{
    LargeObjectEntry each;
    void *arg;
    unsigned without; /* SelectionWithout */
    int next_id;
    int object_id; /* of the object's BLOB entry */
} Entries;

static bool give(Entries *entries, const LargeObjectRow *row, const char *desc, const char *tag,
                 const char *defn, Error *err)
{
    bool object = strcmp(desc, "BLOB") == 0;
    char drop[64];
    snprintf(drop, sizeof(drop), "SELECT pg_catalog.lo_unlink('%" PRIu32 "');\n", row->oid);
    TocEntry e = {
        .dump_id = entries->next_id++,
        .table_oid = object ? LARGE_OBJECT_LIST_OID : 0,
        .oid = object ? row->oid : 0,
        .tag = tag,
        .desc = desc,
        .section = object ? TOC_SECTION_PRE_DATA : TOC_SECTION_NONE,
        .defn = defn,
        .drop_stmt = object ? drop : "",
        .copy_stmt = "",
        .owner = row->owner,
        .dependencies = &entries->object_id,
        .dependency_count = object ? 0 : 1,
    };
    if (object)
        entries->object_id = e.dump_id;
    return entries->each(entries->arg, &e, err);
}

static bool give_labels(Entries *entries, const LargeObjectRow *row, const char *tag, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "labels");
    json_t *labels = json_loads(row->labels, 0, NULL);
    const char *provider;
    json_t *label;
    bool ok = json_is_object(labels) ||
              error_set(err, ERR_CORRUPT, "large object %" PRIu32 " has malformed labels",
                        row->oid);
    json_object_foreach(labels, provider, label)
    {
        Str *sql = str_new(tmp);
        str_add(sql, "SECURITY LABEL FOR ");
        sql_text_add_name(sql, provider);
        str_addf(sql, " ON LARGE OBJECT %" PRIu32 " IS ", row->oid);
        sql_text_add_literal(sql, json_is_string(label) ? json_string_value(label) : "");
        str_add(sql, ";\n");
        ok = ok && give(entries, row, "SECURITY LABEL", tag, sql->data, err);
    }
    json_decref(labels);
    return ok;
}

static bool add_rights(Str *sql, const LargeObjectRow *row, Error *err)
{
    char oid[16];
    snprintf(oid, sizeof(oid), "%" PRIu32, row->oid);
    LargeObjectRights rights = {.oids = oid,
                                .owner = row->owner,
                                .acl = row->acl,
                                .as_owner = true,
                                .become = "SET SESSION AUTHORIZATION ",
                                .back = "RESET SESSION AUTHORIZATION",
                                .end = ";\n"};
    return large_object_rights(sql, &rights, err) || error_prefix(err, "large object %s", oid);
}

static bool give_object(void *arg, const LargeObjectRow *row, Error *err)
{
    Entries *entries = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "large object");
    Str *sql = str_new(tmp);
    const char *tag = mem_printf(tmp, "LARGE OBJECT %" PRIu32, row->oid);
    str_addf(sql, "SELECT pg_catalog.lo_create('%" PRIu32 "');\n", row->oid);
    if (!give(entries, row, "BLOB", strrchr(tag, ' ') + 1, sql->data, err))
        return false;
    if (row->comment != NULL && (entries->without & WITHOUT_COMMENTS) == 0)
    {
        str_clear(sql);
        str_addf(sql, "COMMENT ON %s IS ", tag);
        sql_text_add_literal(sql, row->comment);
        str_add(sql, ";\n");
        if (!give(entries, row, "COMMENT", tag, sql->data, err))
            return false;
    }
    if (row->labels != NULL && (entries->without & WITHOUT_SECURITY_LABELS) == 0 &&
        !give_labels(entries, row, tag, err))
        return false;
    str_clear(sql);
    if (row->acl == NULL || (entries->without & WITHOUT_PRIVILEGES) != 0)
        return true;
    return add_rights(sql, row, err) &&
           (sql->len == 0 || give(entries, row, "ACL", tag, sql->data, err));
}

bool large_objects_each(TableData *data, const ExportEntry *list, int first_id,
                        LargeObjectEntry each, void *arg, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "list");
    Entries entries = {
        .each = each, .arg = arg, .without = table_data_source(data)->without, .next_id = first_id};
    LargeObjectList *rows = large_object_list_new(tmp, give_object, &entries);
    return table_data_write(data, list, large_object_list_put, rows, err) &&
           large_object_list_end(rows, err);
}

static bool count_entry(void *arg, const TocEntry *e UNUSED, Error *err)
{
    int *count = arg;
    return ++*count < INT_MAX / 2 || error_set(err, ERR_USAGE, "there are too many large objects");
}

bool large_objects_count(TableData *data, const ExportEntry *list, int *ret_count, Error *err)
{
    *ret_count = 0;
    return large_objects_each(data, list, 1, count_entry, ret_count, err);
}
