/*
 * restore/large_object_failed.h - the large objects that could not be made, where a restore goes on
 * without them: an object of the same oid is somebody else's, and nothing may be written into it.
 *
 * Thread-safe.
 */
#ifndef PGARK_RESTORE_LARGE_OBJECT_FAILED_H
#define PGARK_RESTORE_LARGE_OBJECT_FAILED_H

#include "base/mem.h"

typedef struct LargeObjectFailed LargeObjectFailed;

LargeObjectFailed *large_object_failed_new(void *ctx);
void large_object_failed_add(LargeObjectFailed *f, uint32_t oid);
bool large_object_failed_has(LargeObjectFailed *f, uint32_t oid);

/* large_object_failed_list: "1,2,3" below ctx; NULL: there are none. */
char *large_object_failed_list(void *ctx, LargeObjectFailed *f);

#endif
