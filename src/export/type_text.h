/*
 * export/type_text.h - the types of a table's columns as the manifest has them.
 *
 *   type = NAME                        a built-in base type by its name in pg_type: int4
 *        | "array(" type ")"
 *        | "range(" type ")"           by its subtype
 *        | "multirange(" type ")"
 *        | "row(" [type {"," type}] ")"
 *        | "enum"
 *        | "other"                     anything else
 *
 * A domain is written as the type it is over (doc/format.md, 2.1).
 */
#ifndef PGARK_EXPORT_TYPE_TEXT_H
#define PGARK_EXPORT_TYPE_TEXT_H

#include "base/error.h"
#include "base/mem.h"

typedef enum TypeKind
{
    TYPE_BASE,
    TYPE_ARRAY,
    TYPE_RANGE,
    TYPE_MULTIRANGE,
    TYPE_ROW,
    TYPE_ENUM,
    TYPE_OTHER,
} TypeKind;

typedef struct TypeText
{
    TypeKind kind;
    char *name;              /* of a base type */
    struct TypeText **parts; /* element, subtype, fields */
    size_t part_count, part_capacity;
} TypeText;

/* type_text_parse parses text below ctx; NULL when it is malformed or nested too deeply. */
TypeText *type_text_parse(void *ctx, const char *text);

/* type_text_is_user: the type is one of the database's own, or contains one. */
bool type_text_is_user(const char *text);

#endif
