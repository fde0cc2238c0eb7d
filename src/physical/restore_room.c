/* physical/restore_room.c - room for a chain of sets; the contract is in restore_room.h. */
#include "physical/restore_room.h"

/* What comes of a stream. */
static uint64_t bytes_that_come(const Manifest *m, int content, const char *stream)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->part_count; i++)
        if (m->parts[i].content == content && strcmp(m->parts[i].stream, stream) == 0)
            bytes += m->parts[i].logical;
    return bytes;
}

typedef struct Noted
{
    uint64_t restored; /* 0: nothing was noted */
    uint64_t added;
} Noted;

static Noted find_noted(const Manifest *m, int content, const char *stream)
{
    const PhysicalRecord *p = manifest_physical(m, content);
    if (strcmp(stream, PART_BASE) == 0 && p != NULL)
        return (Noted){.restored = p->restored_bytes, .added = p->added_bytes};
    for (size_t i = 0; i < m->tablespace_count; i++)
    {
        const TablespaceRecord *t = &m->tablespaces[i];
        if (t->content == content && t->oid == strtoul(stream, NULL, 10))
            return (Noted){.restored = t->restored_bytes, .added = t->added_bytes};
    }
    return (Noted){.restored = 0};
}

uint64_t restore_room_need(const Chain *chain, int content, const char *stream)
{
    uint64_t there = 0;
    uint64_t most = 0;
    for (size_t i = 0; i < chain->count; i++)
    {
        const Manifest *m = chain->sets[i].m;
        const uint64_t come = bytes_that_come(m, content, stream);
        const Noted noted = find_noted(m, content, stream);
        const bool known = i > 0 && noted.restored > 0;
        const uint64_t peak = there + (known && noted.added < come ? noted.added : come);
        there = known && noted.restored < peak ? noted.restored : peak;
        most = peak > most ? peak : most;
    }
    return most;
}
