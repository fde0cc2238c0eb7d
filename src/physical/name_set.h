/*
 * physical/name_set.h - which names have come, of a number that has no bound: eight bytes of each are kept.
 */
#ifndef PGARK_PHYSICAL_NAME_SET_H
#define PGARK_PHYSICAL_NAME_SET_H

#include "base/mem.h"

typedef struct NameSet NameSet;

NameSet *name_set_new(void *ctx);
void name_set_add(NameSet *s, const char *name);

/* name_set_has: it has come; of two names in many billions it cannot tell one from the other. Best after all
 * have come: what follows a name that is added costs as much as all. */
bool name_set_has(NameSet *s, const char *name);

/* name_set_clear: none has come. */
void name_set_clear(NameSet *s);

#endif
