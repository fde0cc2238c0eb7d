/* export/large_object_pieces.c - contents of large objects; the contract is in large_objects.h. */
#include "base/str.h"
#include "export/large_objects.h"

/* As far as a large object reaches: 2^31 pages of 2 kB (storage/large_object.h,
 * MAX_LARGE_OBJECT_SIZE). */
#define OBJECT_MAX (INT64_C(1) << 42)

/* A row is one piece; a backup makes them no longer than this. */
#define ROW_MAX ((size_t) 64 * 1024 * 1024)

typedef struct Pieces
{
    LargeObjectTakePiece take;
    void *arg;
    Str *row; /* one that has not ended */
} Pieces;

static bool read_number(const char **pos, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    const char *start = *pos;
    for (; **pos >= '0' && **pos <= '9'; (*pos)++)
    {
        value = value * 10 + (uint64_t) (**pos - '0');
        if (value > max)
            return false;
    }
    *ret = value;
    return *pos > start && *(*pos)++ == '\t';
}

/* oid, offset and \\x with digits, as COPY text has them. */
static bool take_row(Pieces *p, Error *err)
{
    const char *pos = p->row->data;
    uint64_t oid = 0;
    LargeObjectPiece piece = {.oid = 0};
    bool ok = read_number(&pos, UINT32_MAX, &oid) && oid > 0 &&
              read_number(&pos, OBJECT_MAX, &piece.offset) && strncmp(pos, "\\\\x", 3) == 0;
    if (ok)
    {
        piece.oid = (uint32_t) oid;
        piece.hex = pos + 3;
        size_t digits = strspn(piece.hex, "0123456789abcdef");
        piece.size = digits / 2;
        ok = digits % 2 == 0 && piece.hex + digits == p->row->data + p->row->len &&
             piece.offset + piece.size <= OBJECT_MAX;
    }
    if (!ok)
        return error_set(err, ERR_CORRUPT, "a row is no piece of a large object");
    bool taken = p->take(p->arg, &piece, err);
    str_clear(p->row);
    return taken;
}

static bool put(void *arg, const void *data, size_t len, Error *err)
{
    Pieces *p = arg;
    const char *pos = data;
    const char *end = pos + len;
    while (pos < end)
    {
        const char *newline = memchr(pos, '\n', (size_t) (end - pos));
        size_t n = (size_t) ((newline == NULL ? end : newline) - pos);
        if (p->row->len + n > ROW_MAX)
            return error_set(err, ERR_CORRUPT, "a piece of a large object is too long");
        str_addn(p->row, pos, n);
        if (newline == NULL)
            return true;
        if (!take_row(p, err))
            return false;
        pos = newline + 1;
    }
    return true;
}

bool large_objects_pieces(TableData *data, const ExportEntry *contents, LargeObjectTakePiece take,
                          void *arg, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "pieces");
    Pieces p = {.take = take, .arg = arg, .row = str_new(tmp)};
    return table_data_write(data, contents, put, &p, err) &&
           (p.row->len == 0 || error_set(err, ERR_CORRUPT, "a chunk ends inside a large object"));
}
