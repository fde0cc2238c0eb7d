/* physical/wal_check.c - headers of WAL pages; the contract is in wal_check.h. */
#include "physical/wal_check.h"

#include "base/lsn.h"
#include "physical/wal_name.h"

#define SHORT_HEADER  20 /* what of it is looked at: all but the length of a record that goes on */
#define LONG_HEADER   40
#define LONG_FLAG     0x0002
#define FIRST_PAGE    1024 /* the least a page can be: the first header says what it is */
#define PAGE_SIZE_MAX 65536

typedef struct WalCheck
{
    IoStage stage;
    uint64_t system_identifier;
    uint64_t segment_size;
    uint32_t timeline;
    uint32_t last_timeline; /* of the page before */
    uint64_t start;
    uint64_t at; /* bytes of the segment that have passed */
    uint32_t page_size;
    uint16_t magic; /* of the first page; all have the same */
    bool swapped;   /* the server's byte order is not ours */
    bool empty;     /* an empty page was seen */
    size_t have;    /* bytes of the header at hand */
    unsigned char header[LONG_HEADER];
} WalCheck;

static bool wrong(const WalCheck *c, Error *err, const char *what)
{
    char name[WAL_NAME_LEN];
    return error_set(err, ERR_CORRUPT, "WAL segment %s: %s, in the page at byte %" PRIu64,
                     wal_name_format(name, c->timeline, c->start, c->segment_size), what, c->at);
}

static uint16_t get16(const WalCheck *c, size_t offset)
{
    uint16_t value;
    memcpy(&value, c->header + offset, sizeof(value));
    return c->swapped ? __builtin_bswap16(value) : value;
}

static uint32_t get32(const WalCheck *c, size_t offset)
{
    uint32_t value;
    memcpy(&value, c->header + offset, sizeof(value));
    return c->swapped ? __builtin_bswap32(value) : value;
}

static uint64_t get64(const WalCheck *c, size_t offset)
{
    uint64_t value;
    memcpy(&value, c->header + offset, sizeof(value));
    return c->swapped ? __builtin_bswap64(value) : value;
}

/* The numbers of all versions so far begin with one of two bytes, by which the byte order is told. */
static bool is_magic(uint16_t magic)
{
    return magic >> 8 == 0xD1 || magic >> 8 == 0xD0;
}

static bool check_first(WalCheck *c, Error *err)
{
    c->swapped = false;
    c->magic = get16(c, 0);
    c->swapped = !is_magic(c->magic);
    c->magic = get16(c, 0);
    if (!is_magic(c->magic) || (get16(c, 2) & LONG_FLAG) == 0)
        return wrong(c, err, "this is no WAL");
    if (get64(c, 24) != c->system_identifier)
        return wrong(c, err, "it is of another server (system identifier)");
    c->page_size = get32(c, 36);
    if (get32(c, 32) != c->segment_size || c->page_size < FIRST_PAGE ||
        c->page_size > PAGE_SIZE_MAX || (c->page_size & (c->page_size - 1)) != 0)
        return wrong(c, err, "it is of a server with other sizes");
    return true;
}

static bool check_header(WalCheck *c, Error *err)
{
    static const unsigned char zeros[SHORT_HEADER];
    if (c->at > 0 && memcmp(c->header, zeros, SHORT_HEADER) == 0)
    {
        c->empty = true;
        return true;
    }
    if (c->empty)
        return wrong(c, err, "there is something behind its end");
    if (c->at == 0 && !check_first(c, err))
        return false;
    if (get16(c, 0) != c->magic)
        return wrong(c, err, "this is no WAL");
    if (get64(c, 8) != c->start + c->at)
        return wrong(c, err, "it belongs elsewhere (address)");
    /* A segment in which a timeline began has pages of the one before it, at its beginning. */
    uint32_t timeline = get32(c, 4);
    if (timeline == 0 || timeline > c->timeline || timeline < c->last_timeline)
        return wrong(c, err, "it is of another timeline");
    c->last_timeline = timeline;
    return true;
}

static size_t smaller(size_t a, uint64_t b)
{
    return a < b ? a : (size_t) b;
}

/* Takes what belongs to the header of the page at hand; returns how much. */
static bool take_header(WalCheck *c, const unsigned char *data, size_t len, uint64_t in_page,
                        size_t *ret_taken, Error *err)
{
    size_t size = c->at - in_page == 0 ? LONG_HEADER : SHORT_HEADER;
    size_t taken = smaller(len, size - c->have);
    memcpy(c->header + c->have, data, taken);
    c->have += taken;
    *ret_taken = taken;
    if (c->have < size)
        return true;
    uint64_t at = c->at;
    c->at -= in_page;
    bool ok = check_header(c, err);
    c->at = at;
    return ok;
}

static bool check_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    WalCheck *c = (WalCheck *) stage;
    const unsigned char *p = data;
    size_t left = len;
    while (left > 0)
    {
        uint64_t page_size = c->page_size != 0 ? c->page_size : FIRST_PAGE;
        uint64_t in_page = c->at % page_size;
        size_t size = c->at - in_page == 0 ? LONG_HEADER : SHORT_HEADER;
        size_t taken;
        if (c->at >= c->segment_size)
            return wrong(c, err, "it is too long");
        if (in_page == 0)
            c->have = 0;
        if (c->have < size)
        {
            if (!take_header(c, p, left, in_page, &taken, err))
                return false;
        }
        else
            taken = smaller(left, page_size - in_page);
        p += taken;
        left -= taken;
        c->at += taken;
    }
    return io_write(stage->next, data, len, err);
}

static bool check_finish(IoStage *stage, Error *err)
{
    WalCheck *c = (WalCheck *) stage;
    return c->at == c->segment_size || wrong(c, err, "it ends too early");
}

static void check_reset(IoStage *stage)
{
    WalCheck *c = (WalCheck *) stage;
    c->at = 0;
    c->have = 0;
    c->page_size = 0;
    c->last_timeline = 0;
    c->empty = false;
}

static void check_free(IoStage *stage)
{
    mem_free(stage);
}

static const IoStageOps check_ops = {
    .name = "wal check",
    .write = check_write,
    .finish = check_finish,
    .reset = check_reset,
    .free = check_free,
};

IoStage *wal_check_new(uint64_t system_identifier, uint64_t segment_size, IoStage *next)
{
    WalCheck *c = mem_new(NULL, WalCheck);
    c->stage.ops = &check_ops;
    c->stage.next = next;
    c->system_identifier = system_identifier;
    c->segment_size = segment_size;
    return &c->stage;
}

void wal_check_set(IoStage *stage, uint32_t timeline, uint64_t start)
{
    WalCheck *c = (WalCheck *) stage;
    c->timeline = timeline;
    c->start = start;
}
