/* physical/page_check.c - checksums of pages; the contract is in page_check.h. */
#include "physical/page_check.h"

#include "physical/incremental_file.h"

/* Of a page's header. */
#define LSN_AT      0
#define CHECKSUM_AT 8
#define UPPER_AT    14

#define LANES 32
#define PRIME 16777619U

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
/* One thing at a time to 32 lanes at once is what vector units are for. TSan would instrument what the loader calls to
 * choose, before it is ready itself. */
#define VECTORS __attribute__((optimize("O3"), target_clones("avx2", "default")))
#else
#define VECTORS
#endif

struct PageCheck
{
    size_t block_size;
    uint32_t segment_blocks;
    uint64_t start_lsn;
    PageBad bad;
    void *arg;
    const char *path;
    bool wanted; /* the file at hand has pages */
    uint32_t segment;
    uint32_t block;
    unsigned char *page; /* that comes in pieces */
    size_t page_len;
    IncrementalFile *changes;
    bool in_changes; /* the file at hand is of changed blocks */
    char whole[300]; /* whose blocks they are */
};

/* The lanes begin with these numbers, which are part of the definition. */
static const uint32_t lane_starts[LANES] = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
};

static inline uint32_t mix(uint32_t sum, uint32_t word)
{
    uint32_t t = sum ^ word;
    return t * PRIME ^ t >> 17;
}

/* Words go to the lanes in turn; two rounds of zeros behind them; all lanes together. The checksum's own field
 * counts as zero: first is the row of words that it is in. */
VECTORS static uint32_t mix_page(const unsigned char *page, size_t size, const uint32_t *first)
{
    uint32_t lanes[LANES];
    uint32_t row[LANES];
    uint32_t sum = 0;
    for (int i = 0; i < LANES; i++)
        lanes[i] = mix(lane_starts[i], first[i]);
    for (size_t at = sizeof(row); at < size; at += sizeof(row))
    {
        memcpy(row, page + at, sizeof(row));
        for (int i = 0; i < LANES; i++)
            lanes[i] = mix(lanes[i], row[i]);
    }
    for (int round = 0; round < 2; round++)
    {
        for (int i = 0; i < LANES; i++)
            lanes[i] = mix(lanes[i], 0);
    }
    for (int i = 0; i < LANES; i++)
        sum ^= lanes[i];
    return sum;
}

uint16_t page_checksum(const void *page, size_t size, uint32_t block)
{
    uint32_t first[LANES];
    memcpy(first, page, sizeof(first));
    memset((char *) first + CHECKSUM_AT, 0, 2);
    return (uint16_t) ((mix_page(page, size, first) ^ block) % 65535 + 1);
}

PageState page_look(const void *page, size_t size, uint32_t block, uint64_t start_lsn,
                    uint16_t ret_checksums[2])
{
    const unsigned char *p = page;
    uint32_t high, low;
    uint16_t upper, checksum;
    memcpy(&high, p + LSN_AT, 4);
    memcpy(&low, p + LSN_AT + 4, 4);
    memcpy(&checksum, p + CHECKSUM_AT, 2);
    memcpy(&upper, p + UPPER_AT, 2);
    if (upper == 0)
        return PAGE_NEW;
    if (((uint64_t) high << 32 | low) >= start_lsn)
        return PAGE_LATER;
    uint16_t want = page_checksum(page, size, block);
    if (ret_checksums != NULL)
    {
        ret_checksums[0] = checksum;
        ret_checksums[1] = want;
    }
    return checksum == want ? PAGE_GOOD : PAGE_BAD;
}

/* The last part of the path: digits, _fsm, _vm or _init, and a dot with digits, where there are more
 * segments. */
static bool is_relation(const char *name, uint32_t *ret_segment)
{
    static const char *const forks[] = {"_fsm", "_vm", "_init"};
    size_t len = strspn(name, "0123456789");
    *ret_segment = 0;
    if (len == 0)
        return false;
    name += len;
    for (size_t i = 0; i < LENGTH_OF(forks); i++)
    {
        if (strncmp(name, forks[i], strlen(forks[i])) != 0)
            continue;
        name += strlen(forks[i]);
        break;
    }
    if (*name == '\0')
        return true;
    len = strspn(name + 1, "0123456789");
    if (*name != '.' || len == 0 || len > 9 || name[1 + len] != '\0')
        return false;
    *ret_segment = (uint32_t) strtoul(name + 1, NULL, 10);
    return true;
}

/* "global/<file>", "base/<database>/<file>", and in a tablespace "PG_<version>/<database>/<file>". */
bool page_file_segment(const char *path, uint32_t *ret_segment)
{
    const char *name = path;
    if (strncmp(path, "global/", 7) == 0)
        return is_relation(path + 7, ret_segment);
    if (strncmp(path, "base/", 5) == 0)
        name = path + 5;
    else if (strncmp(path, "PG_", 3) == 0 && strchr(path, '/') != NULL)
        name = strchr(path, '/') + 1;
    else
        return false;
    size_t len = strspn(name, "0123456789");
    return len > 0 && name[len] == '/' && is_relation(name + len + 1, ret_segment);
}

static void look(PageCheck *c, const unsigned char *page)
{
    uint32_t block = c->segment * c->segment_blocks + c->block;
    if (page_look(page, c->block_size, block, c->start_lsn, NULL) == PAGE_BAD)
        c->bad(c->arg, c->path, c->segment, c->block);
    c->block++;
}

static bool look_at_change(void *arg, uint32_t block, const void *page, Error *err UNUSED)
{
    PageCheck *c = arg;
    c->block = block;
    look(c, page);
    return true;
}

PageCheck *page_check_new(void *ctx, size_t block_size, uint32_t segment_blocks, PageBad bad,
                          void *arg)
{
    PageCheck *c = mem_new(ctx, PageCheck);
    c->block_size = block_size;
    c->segment_blocks = segment_blocks;
    c->bad = bad;
    c->arg = arg;
    c->page = mem_array(c, unsigned char, block_size);
    const IncrementalEvents events = {.block = look_at_change, .arg = c};
    c->changes = incremental_file_new(c, block_size, &events);
    return c;
}

void page_check_start(PageCheck *c, uint64_t start_lsn)
{
    c->start_lsn = start_lsn;
}

void page_check_begin(PageCheck *c, const char *path, uint64_t size)
{
    c->in_changes = incremental_file_whole(path, c->whole, sizeof(c->whole));
    c->path = c->in_changes ? c->whole : path;
    c->wanted = page_file_segment(c->path, &c->segment);
    c->block = 0;
    c->page_len = 0;
    if (c->in_changes)
        incremental_file_begin(c->changes, size);
}

/* What is no whole page at the end of a file is none: a relation that grows in this moment. */
void page_check_data(PageCheck *c, const void *data, size_t len)
{
    const unsigned char *p = data;
    Error ignored = ERROR_INIT;
    if (c->wanted && c->in_changes)
    {
        /* A file of another form is what the server has sent all the same: whoever restores it says so. */
        c->wanted = incremental_file_write(c->changes, data, len, &ignored);
        return;
    }
    while (c->wanted && len > 0)
    {
        if (c->page_len == 0 && len >= c->block_size)
        {
            look(c, p);
            p += c->block_size;
            len -= c->block_size;
            continue;
        }
        size_t n = c->block_size - c->page_len < len ? c->block_size - c->page_len : len;
        memcpy(c->page + c->page_len, p, n);
        c->page_len += n;
        p += n;
        len -= n;
        if (c->page_len < c->block_size)
            return;
        look(c, c->page);
        c->page_len = 0;
    }
}
