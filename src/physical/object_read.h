/*
 * physical/object_read.h - a stored object of a physical set, proven while it is read.
 */
#ifndef PGARK_PHYSICAL_OBJECT_READ_H
#define PGARK_PHYSICAL_OBJECT_READ_H

#include "base/cancel.h"
#include "io/compress.h"
#include "storage/storage.h"

/* What the manifest says of it. */
typedef struct StoredObject
{
    const char *object; /* below dir */
    uint64_t logical;
    const char *xxh3; /* NULL: none is known */
    uint64_t stored;
    const char *sha256;
} StoredObject;

/* object_read pushes the object's bytes, decompressed, through chain, and finishes that; the chain stays the
 * caller's. It sees bytes before the hash over all of them is known. ERR_CORRUPT names the object and what
 * differs; a missing one is ERR_CORRUPT, too. */
bool object_read(Storage *st, const char *dir, const StoredObject *object, CompressMethod method,
                 IoStage *chain, const Cancel *cancel, Error *err) MUST_CHECK;

#endif
