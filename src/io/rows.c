/*
 * io/rows.c - counting the rows of a COPY stream.
 */
#include "io/rows.h"

#define SIGNATURE_LEN 11
#define HEADER_LEN    19 /* signature, flags, length of the header extension */

static const unsigned char signature[SIGNATURE_LEN] = {'P',  'G',  'C',  'O',  'P', 'Y',
                                                       '\n', 0xff, '\r', '\n', 0};

typedef enum RowsState
{
    ROWS_HEADER,
    ROWS_COUNT,  /* a field count is next */
    ROWS_LENGTH, /* a field's length is next */
    ROWS_END,    /* the trailer was seen */
} RowsState;

typedef struct Rows
{
    IoStage stage;
    bool binary;
    uint64_t count;
    bool open_line; /* text: bytes since the last newline */
    RowsState state;
    uint32_t fields;        /* of this row, still to come */
    uint64_t skip;          /* bytes of a field or of the header extension, still to come */
    unsigned char part[20]; /* a header, count or length that arrives in pieces */
    size_t part_len;
} Rows;

/* count_newlines looks at eight bytes at a time: this runs over every byte of a text backup. */
static uint64_t count_newlines(const unsigned char *p, size_t len)
{
    const uint64_t low = 0x0101010101010101, seven = 0x7f7f7f7f7f7f7f7f;
    uint64_t count = 0;

    while (len >= 8)
    {
        uint64_t sums = 0; /* eight counters of 8 bits: full after 255 rounds */

        for (int round = 0; round < 255 && len >= 8; round++, p += 8, len -= 8)
        {
            uint64_t word;

            memcpy(&word, p, 8);
            word ^= low * '\n';
            sums += (~(((word & seven) + seven) | word) >> 7) & low;
        }
        sums = (sums & 0x00ff00ff00ff00ff) + ((sums >> 8) & 0x00ff00ff00ff00ff);
        count += (sums * 0x0001000100010001) >> 48;
    }
    for (; len > 0; p++, len--)
        count += *p == '\n';
    return count;
}

static uint32_t read_u32(const unsigned char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static size_t item_len(RowsState state)
{
    return state == ROWS_HEADER ? HEADER_LEN : state == ROWS_COUNT ? 2 : 4;
}

/* take_item reads one complete header, field count or field length. */
static bool take_item(Rows *r, const unsigned char *p, Error *err)
{
    uint32_t value;

    switch (r->state)
    {
    case ROWS_HEADER:
        if (memcmp(p, signature, SIGNATURE_LEN) != 0)
            return error_set(err, ERR_CORRUPT, "binary copy data without its signature");
        if ((read_u32(p + SIGNATURE_LEN) & 0xffff0000) != 0)
            return error_set(err, ERR_CORRUPT, "binary copy data with unknown critical flags");
        r->skip = read_u32(p + SIGNATURE_LEN + 4);
        if (r->skip > INT32_MAX)
            return error_set(err, ERR_CORRUPT, "binary copy data with a broken header");
        r->state = ROWS_COUNT;
        return true;
    case ROWS_COUNT:
        value = (uint32_t) p[0] << 8 | p[1];
        if (value == 0xffff)
        {
            r->state = ROWS_END;
            return true;
        }
        if (value > INT16_MAX)
            return error_set(err, ERR_CORRUPT, "binary copy data with a broken field count");
        r->count++;
        r->fields = value;
        r->state = value == 0 ? ROWS_COUNT : ROWS_LENGTH;
        return true;
    case ROWS_LENGTH:
        value = read_u32(p);
        if (value > INT32_MAX && value != UINT32_MAX)
            return error_set(err, ERR_CORRUPT, "binary copy data with a broken field length");
        r->skip = value == UINT32_MAX ? 0 : value;
        if (--r->fields == 0)
            r->state = ROWS_COUNT;
        return true;
    case ROWS_END:
        break;
    }
    return error_set(err, ERR_CORRUPT, "binary copy data goes on after its end");
}

static bool scan_binary(Rows *r, const unsigned char *p, size_t len, Error *err)
{
    while (len > 0)
    {
        size_t want = item_len(r->state), n;

        if (r->skip > 0)
        {
            n = r->skip < len ? (size_t) r->skip : len;
            r->skip -= n;
        }
        else if (r->state == ROWS_END || (r->part_len == 0 && len >= want))
        {
            if (!take_item(r, p, err))
                return false;
            n = want;
        }
        else
        {
            n = want - r->part_len < len ? want - r->part_len : len;
            memcpy(r->part + r->part_len, p, n);
            r->part_len += n;
            if (r->part_len == want)
            {
                r->part_len = 0;
                if (!take_item(r, r->part, err))
                    return false;
            }
        }
        p += n;
        len -= n;
    }
    return true;
}

static bool rows_write(IoStage *stage, const void *data, size_t len, Error *err)
{
    Rows *r = (Rows *) stage;

    if (r->binary)
    {
        if (!scan_binary(r, data, len, err))
            return false;
    }
    else
    {
        r->count += count_newlines(data, len);
        r->open_line = ((const char *) data)[len - 1] != '\n';
    }
    return io_write(stage->next, data, len, err);
}

static bool rows_finish(IoStage *stage, Error *err)
{
    Rows *r = (Rows *) stage;

    if (r->binary && (r->state != ROWS_END || r->skip > 0))
        return error_set(err, ERR_CORRUPT, "binary copy data ends before its trailer");
    if (!r->binary && r->open_line)
        return error_set(err, ERR_CORRUPT, "text copy data ends inside a row");
    return true;
}

static void rows_reset(IoStage *stage)
{
    Rows *r = (Rows *) stage;

    r->count = 0;
    r->open_line = false;
    r->state = ROWS_HEADER;
    r->fields = 0;
    r->skip = 0;
    r->part_len = 0;
}

static void rows_free(IoStage *stage)
{
    mem_free(stage);
}

static const IoStageOps rows_ops = {
    .name = "rows",
    .write = rows_write,
    .finish = rows_finish,
    .reset = rows_reset,
    .free = rows_free,
};

IoStage *io_rows_new(bool binary, IoStage *next)
{
    Rows *r = mem_new(NULL, Rows);

    r->stage.ops = &rows_ops;
    r->stage.next = next;
    r->binary = binary;
    return &r->stage;
}

uint64_t io_rows_count(IoStage *rows)
{
    return ((const Rows *) rows)->count;
}
