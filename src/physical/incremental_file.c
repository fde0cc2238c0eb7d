/* physical/incremental_file.c - changed blocks of a file; the contract is in incremental_file.h. */
#include "physical/incremental_file.h"

#define MAGIC      UINT32_C(0xd3ae1f0d)
#define WORD       ((size_t) 4)
#define HEAD_WORDS 3
#define BLOCKS_MAX UINT32_C(4194304) /* of one file: relations are cut into files of far less */

struct IncrementalFile
{
    size_t block_size;
    IncrementalEvents events;
    uint64_t size, offset;
    uint32_t head[HEAD_WORDS]; /* kind, blocks, kept */
    uint32_t *places;
    size_t place_count, place_capacity;
    uint32_t next;        /* block to come, of those in places */
    unsigned char *block; /* that comes in pieces */
    size_t block_len;
};

/* A number, a fork, a segment: other files are never sent in parts, and may have any name. */
static bool is_relation_file(const char *name)
{
    static const char digits[] = "0123456789";
    const char *c = name + strspn(name, digits);
    if (c == name)
        return false;
    if (*c == '_')
        c += 1 + strspn(c + 1, "abcdefghijklmnopqrstuvwxyz");
    if (*c == '.')
        c += 1 + strspn(c + 1, digits);
    return *c == '\0';
}

bool incremental_file_whole(const char *path, char *ret, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t prefix = strlen(INCREMENTAL_PREFIX);
    if (slash == NULL || strncmp(slash + 1, INCREMENTAL_PREFIX, prefix) != 0 ||
        !is_relation_file(slash + 1 + prefix))
        return false;
    const char *name = slash + 1;
    int n = snprintf(ret, size, "%.*s%s", (int) (name - path), path, name + prefix);
    return n > 0 && (size_t) n < size;
}

IncrementalFile *incremental_file_new(void *ctx, size_t block_size, const IncrementalEvents *events)
{
    IncrementalFile *f = mem_new(ctx, IncrementalFile);
    f->block_size = block_size;
    f->events = *events;
    f->block = mem_array(f, unsigned char, block_size);
    return f;
}

void incremental_file_begin(IncrementalFile *f, uint64_t size)
{
    f->size = size;
    f->offset = 0;
    f->place_count = 0;
    f->next = 0;
    f->block_len = 0;
    memset(f->head, 0, sizeof(f->head));
}

static bool bad(const char *what, Error *err)
{
    return error_set(err, ERR_CORRUPT, "a file of changed blocks %s", what);
}

static uint64_t header_size(const IncrementalFile *f)
{
    uint64_t used = (HEAD_WORDS + (uint64_t) f->head[1]) * WORD;
    return f->head[1] == 0 ? used : (used + f->block_size - 1) / f->block_size * f->block_size;
}

static bool take_head(IncrementalFile *f, Error *err)
{
    if (f->head[0] != MAGIC)
        return bad("does not begin as one", err);
    if (f->head[1] > BLOCKS_MAX || f->head[2] > BLOCKS_MAX)
        return bad("has an impossible number of blocks", err);
    if (header_size(f) + f->head[1] * (uint64_t) f->block_size != f->size)
        return bad("has another length than its blocks give", err);
    return f->events.keep == NULL || f->events.keep(f->events.arg, f->head[2], err);
}

/* The numbers at the beginning; a number may come in pieces, too. */
static bool take_word(IncrementalFile *f, unsigned char byte, Error *err)
{
    uint64_t word = f->offset / WORD;
    f->block[f->offset % WORD] = byte;
    f->offset++;
    if (f->offset % WORD != 0)
        return true;
    uint32_t value;
    memcpy(&value, f->block, WORD);
    if (word < HEAD_WORDS)
    {
        f->head[word] = value;
        return word + 1 < HEAD_WORDS || take_head(f, err);
    }
    if (value >= BLOCKS_MAX)
        return bad("names an impossible block", err);
    *mem_push(f, f->places, f->place_count, f->place_capacity, uint32_t) = value;
    return true;
}

static bool in_words(const IncrementalFile *f)
{
    return f->offset < (HEAD_WORDS + (uint64_t) f->head[1]) * WORD;
}

static bool hand_on(IncrementalFile *f, const void *page, Error *err)
{
    uint32_t place = f->places[f->next++];
    return f->events.block == NULL || f->events.block(f->events.arg, place, page, err);
}

static bool take_block(IncrementalFile *f, const unsigned char *data, size_t len, size_t *ret_taken,
                       Error *err)
{
    size_t lacking = f->block_size - f->block_len;
    size_t n = len < lacking ? len : lacking;
    *ret_taken = n;
    f->offset += n;
    if (n == f->block_size)
        return hand_on(f, data, err);
    memcpy(f->block + f->block_len, data, n);
    f->block_len += n;
    if (f->block_len < f->block_size)
        return true;
    f->block_len = 0;
    return hand_on(f, f->block, err);
}

bool incremental_file_write(IncrementalFile *f, const void *data, size_t len, Error *err)
{
    const unsigned char *p = data;
    while (len > 0)
    {
        size_t n = 1;
        bool ok = true;
        if (f->offset >= f->size)
            return bad("is longer than it said", err);
        if (in_words(f))
            ok = take_word(f, *p, err);
        else if (f->offset < header_size(f))
        {
            uint64_t padding = header_size(f) - f->offset;
            n = padding < len ? (size_t) padding : len;
            f->offset += n;
        }
        else
            ok = take_block(f, p, len, &n, err);
        if (!ok)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

bool incremental_file_end(const IncrementalFile *f, Error *err)
{
    bool head = f->offset >= HEAD_WORDS * WORD;
    return (head && f->offset == f->size) || bad("is not complete", err);
}
