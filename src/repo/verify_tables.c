/*
 * repo/verify_tables.c - every table has all of its chunks, and they add up.
 */
#include "repo/verify_parts.h"

/* No chunk's record is shorter: bounds what a table record can make us allocate. */
#define CHUNK_LINE_MIN 64

typedef struct Range
{
    bool seen;
    uint64_t from, to;
} Range;

typedef struct TableSum
{
    const TableRecord *table;
    Range *ranges; /* by chunk number; NULL: the table claims more chunks than the node has */
    uint64_t chunks, rows, logical, stored, referenced;
} TableSum;

struct VerifyTables
{
    VerifyProblems *problems;
    TableSum *sums; /* by oid */
    size_t count;
};

static int compare_sums(const void *a, const void *b)
{
    uint32_t x = ((const TableSum *) a)->table->oid, y = ((const TableSum *) b)->table->oid;

    return x < y ? -1 : x > y;
}

VerifyTables *verify_tables_new(VerifyProblems *problems, const Manifest *m, const NodeRecord *node)
{
    VerifyTables *t = mem_new(NULL, VerifyTables);
    uint64_t room = node->chunks.bytes / CHUNK_LINE_MIN;

    t->problems = problems;
    t->sums = mem_array(t, TableSum, m->table_count);
    for (size_t i = 0; i < m->table_count; i++)
    {
        const TableRecord *table = &m->tables[i];
        TableSum *sum = &t->sums[t->count];

        if (!manifest_has(node, table->content, table->database))
            continue;
        t->count++;
        sum->table = table;
        if (table->chunks <= room)
        {
            room -= table->chunks;
            sum->ranges = mem_array(t->sums, Range, table->chunks);
        }
    }
    if (t->count > 1)
        qsort(t->sums, t->count, sizeof(t->sums[0]), compare_sums);
    return t;
}

void verify_tables_free(VerifyTables *t)
{
    mem_free(t);
}

static TableSum *find_sum(VerifyTables *t, uint32_t oid)
{
    const TableRecord wanted = {.oid = oid};
    const TableSum key = {.table = &wanted};

    return t->count == 0 ? NULL
                         : bsearch(&key, t->sums, t->count, sizeof(t->sums[0]), compare_sums);
}

const TableRecord *verify_tables_chunk(VerifyTables *t, const ChunkRecord *chunk)
{
    TableSum *sum = find_sum(t, chunk->table_oid);

    if (sum == NULL)
    {
        verify_problem(t->problems, "chunk %" PRIu32 " of table oid %" PRIu32 ": no such table",
                       chunk->chunk, chunk->table_oid);
        return NULL;
    }
    sum->chunks++;
    sum->rows += chunk->rows;
    sum->logical += chunk->logical;
    *(chunk->set[0] == '\0' ? &sum->stored : &sum->referenced) += chunk->stored;
    if (sum->ranges == NULL)
        return sum->table;
    if (chunk->chunk >= sum->table->chunks || sum->ranges[chunk->chunk].seen)
    {
        verify_problem(t->problems, "table %s.%s (oid %" PRIu32 "): chunk %" PRIu32 " is %s",
                       sum->table->schema, sum->table->name, sum->table->oid, chunk->chunk,
                       chunk->chunk >= sum->table->chunks ? "one too many" : "there twice");
        return sum->table;
    }
    sum->ranges[chunk->chunk] = (Range){
        .seen = true, .from = chunk->from_block, .to = chunk->to_block};
    return sum->table;
}

/* check_ranges: the chunks cover the table from its first block to its end, without a gap. */
static const char *check_ranges(const TableSum *sum)
{
    uint64_t next = 0;

    for (uint64_t i = 0; i < sum->table->chunks; i++)
    {
        const Range *range = &sum->ranges[i];
        bool last = i + 1 == sum->table->chunks;

        if (range->from != next || last != (range->to == 0))
            return "the block ranges of its chunks are not adjacent";
        next = range->to;
    }
    return NULL;
}

static const char *check_sum(const TableSum *sum)
{
    const TableRecord *table = sum->table;

    if (sum->ranges == NULL || sum->chunks != table->chunks)
        return "it does not have the number of chunks that the manifest says";
    for (uint64_t i = 0; i < table->chunks; i++)
    {
        if (!sum->ranges[i].seen)
            return "a chunk is missing";
    }
    if (sum->rows != table->rows || sum->logical != table->logical ||
        sum->stored != table->stored || sum->referenced != table->referenced)
        return "its chunks do not add up to what the manifest says";
    return check_ranges(sum);
}

void verify_tables_compare(VerifyTables *t)
{
    for (size_t i = 0; i < t->count; i++)
    {
        const TableRecord *table = t->sums[i].table;
        const char *wrong = check_sum(&t->sums[i]);

        if (wrong != NULL)
            verify_problem(t->problems, "table %s.%s (oid %" PRIu32 ") of node %d: %s",
                           table->schema, table->name, table->oid, table->content, wrong);
    }
}
