/*
 * repo/record_fields.h - which fields every type of record has, and what is sound; for record.c only.
 */
#ifndef PGARK_REPO_RECORD_FIELDS_H
#define PGARK_REPO_RECORD_FIELDS_H

#include "repo/manifest.h"

#define RECORD_SHA256_HEX 64
#define RECORD_XXH3_HEX   32

typedef enum FieldKind
{
    FIELD_FORMAT, /* int, the format's number: the newest is written, max */
    FIELD_INT,
    FIELD_I64,
    FIELD_U32,
    FIELD_U64,
    FIELD_BOOL,
    FIELD_TEXT,     /* char *, not NULL */
    FIELD_NAME,     /* char *, NULL is null */
    FIELD_TEXTS,    /* char **, with its count at other_offset */
    FIELD_PATH,     /* char *, may be NULL */
    FIELD_KEY,      /* char[SET_KEY_LEN] */
    FIELD_SHA256,   /* char[TAP_HEX_LEN], "" is null */
    FIELD_XXH3,     /* the same */
    FIELD_LETTER,   /* char */
    FIELD_LSN,      /* uint64_t, as PostgreSQL writes it: "0/1A2B3C" */
    FIELD_COMPRESS, /* Compress */
    FIELD_OBJECT,   /* ObjectRecord */
} FieldKind;

typedef struct Field
{
    const char *name;
    FieldKind kind;
    size_t offset;
    size_t other_offset;
    int64_t min, max; /* of a number */
    bool optional; /* there is no such field where the member is NULL, "", 0 or without elements */
} Field;

typedef struct RecordType
{
    const char *name; /* the word in the field "type" */
    const Field *fields;
    size_t count;
} RecordType;

/* record_fields_of gives a type's fields, NULL behind the last type; record_fields_object those of
 * an ObjectRecord, whatever record it is part of. */
const RecordType *record_fields_of(ManifestLineType type);
const RecordType *record_fields_object(void);

/* record_fields_check looks at what the fields mean together; NULL when it is sound, else what is
 * wrong. */
const char *record_fields_check(ManifestLineType type, const void *record);

/* record_fields_path_sound: an object's path holds only what repo_escape() leaves, and no part
 * begins with '.': nothing can lead out of the set, and nothing can be a temporary file.
 * record_fields_hex_sound: len lower-case hex digits. */
bool record_fields_path_sound(const char *path);
bool record_fields_hex_sound(const char *hex, size_t len);

#endif
