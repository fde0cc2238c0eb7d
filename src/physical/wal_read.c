/* physical/wal_read.c - reading WAL of a set; the contract is in wal_read.h. */
#include "physical/wal_read.h"

#include "physical/object_read.h"
#include "physical/wal_check.h"
#include "physical/wal_name.h"

/* The i-th node has the i-th base backup. */
static size_t find_node(const Manifest *m, int content)
{
    size_t i = 0;
    while (i < m->physical_count && m->physicals[i].content != content)
        i++;
    return i;
}

bool wal_read_of_set(Storage *st, const char *set_dir, const Manifest *m, const WalRecord *wal,
                     IoStage *sink, const Cancel *cancel, Error *err)
{
    AUTO(io_free) IoStage *chain = sink;
    uint32_t timeline;
    uint64_t start;
    size_t node = find_node(m, wal->content);
    if (node == m->physical_count)
        return error_set(err, ERR_CORRUPT, "WAL %s is of a node that the set does not have",
                         wal->name);
    uint64_t size = m->physicals[node].wal_segment_size;
    if (wal_name_parse(wal->name, size, &timeline, &start))
    {
        chain = wal_check_new(strtoull(m->nodes[node].system_identifier, NULL, 10), size, chain);
        wal_check_set(chain, timeline, start);
    }
    StoredObject object = {.object = wal->object,
                           .logical = wal->logical,
                           .xxh3 = wal->xxh3,
                           .stored = wal->stored,
                           .sha256 = wal->sha256};
    return object_read(st, set_dir, &object, m->set.compress.method, chain, cancel, err);
}

bool wal_read_check_records(const Manifest *m, const PhysicalRecord *physical, Error *err)
{
    char want[WAL_NAME_LEN];
    uint64_t size = physical->wal_segment_size;
    size_t i = 0;
    while (i < m->wal_count && m->wals[i].content != physical->content)
        i++;
    for (uint64_t n = physical->start_lsn / size; n <= (physical->restore_lsn - 1) / size; n++)
    {
        wal_name_format(want, physical->timeline, n * size, size);
        while (i < m->wal_count && m->wals[i].content == physical->content &&
               strcmp(m->wals[i].name, want) < 0)
            i++;
        if (i == m->wal_count || m->wals[i].content != physical->content ||
            strcmp(m->wals[i].name, want) != 0 || m->wals[i].logical != size)
            return error_set(err, ERR_CORRUPT,
                             "node %d: WAL %s, which a restore needs, is not in the set",
                             physical->content, want);
    }
    return true;
}
