/* compat/gpdbrestore_list.c - what a dump has and needs; see gpdbrestore_parts.h. */
#include "base/str.h"
#include "compat/gpdbrestore_parts.h"

void restore_list_tables(const DbRestore *r)
{
    const Manifest *m = r->manifest;
    LegacyNames names = {0};
    char shown[300];
    log_info("List of database tables for dump file with time stamp %s", r->key);
    for (size_t i = 0; i < m->table_count; i++)
    {
        const TableRecord *t = &m->tables[i];
        if (t->kind == 'r' && t->content == m->nodes[0].content &&
            strcmp(t->schema, "pg_catalog") != 0)
            *mem_push(r->ctx, names.items, names.count, names.capacity,
                      LegacyName) = (LegacyName){.schema = t->schema, .name = t->name};
    }
    legacy_names_sort(&names);
    for (size_t i = 0; i < names.count; i++)
        log_info("Table %s", str_one_line(shown, sizeof(shown),
                                          mem_printf(r->ctx, "%s.%s", names.items[i].schema,
                                                     names.items[i].name)));
}

bool restore_list_backup(const DbRestore *r, Error *err)
{
    const SetRecord *set = &r->manifest->set;
    if (set->base[0] == '\0')
        return error_set(err, ERR_USAGE, "%s: dump %s is a whole one, and needs no other",
                         legacy_options_called(r->o, RESTORE_LIST_BACKUP), r->key);
    log_info("The dumps that dump %s needs, and it itself:", r->key);
    for (size_t i = 0; i < set->depends_count; i++)
        log_info("%s", set->depends_on[i]);
    log_info("%s", r->key);
    return true;
}
