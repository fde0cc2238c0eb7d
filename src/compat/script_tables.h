/*
 * compat/script_tables.h - the relations that are wanted of a script (gp_restore --gp-f).
 *
 * As LegacyNames: "schema.name", a name of "*" for all of a schema.
 */
#ifndef PGARK_COMPAT_SCRIPT_TABLES_H
#define PGARK_COMPAT_SCRIPT_TABLES_H

#include <jansson.h>

#include "compat/legacy_names.h"

/* script_tables_load reads a list below ctx; option is what messages call it. NULL with ERR_USAGE: as legacy_names_path, or a
 * schema of the system's. */
LegacyNames *script_tables_load(void *ctx, const char *option, const char *path, Error *err);

/* script_tables_json: for an agent; NULL with ERR_USAGE: a name is not valid UTF-8. script_tables_parse: back, below ctx,
 * the names in json; NULL with ERR_USAGE: it is no such list. */
json_t *script_tables_json(const LegacyNames *tables, Error *err);
LegacyNames *script_tables_parse(void *ctx, json_t *json, Error *err);

/* script_tables_want: it is listed, itself or with its whole schema. met, where it is not NULL, has a flag for each item: those
 * that mean it are set. */
bool script_tables_want(const LegacyNames *tables, const char *schema, const char *name, bool *met);

/* script_tables_want_schema: something of it is. */
bool script_tables_want_schema(const LegacyNames *tables, const char *schema);

#endif
