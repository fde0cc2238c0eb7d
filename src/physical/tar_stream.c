/* physical/tar_stream.c - walking through a tar stream; the contract is in tar_stream.h. */
#include "physical/tar_stream.h"

/* Fields of a header: where they are, and how long. */
#define NAME_AT     0
#define NAME_SIZE   100
#define MODE_AT     100
#define MODE_SIZE   8
#define SIZE_AT     124
#define SIZE_SIZE   12
#define MTIME_AT    136
#define MTIME_SIZE  12
#define SUM_AT      148
#define SUM_SIZE    8
#define TYPE_AT     156
#define LINK_AT     157
#define LINK_SIZE   100
#define MAGIC_AT    257
#define PREFIX_AT   345
#define PREFIX_SIZE 155

struct TarStream
{
    TarEvents events;
    TarMember member;
    unsigned char header[TAR_BLOCK];
    size_t header_len; /* of the header at hand */
    bool inside;       /* behind a member's header: its data and their padding follow */
    uint64_t left;     /* bytes of data */
    uint64_t padding;  /* bytes behind them */
    uint64_t offset;   /* in the stream, of what comes next */
    size_t zeros;      /* blocks of zeros that have ended it */
};

TarStream *tar_stream_new(void *ctx, const TarEvents *events)
{
    TarStream *t = mem_new(ctx, TarStream);
    t->events = *events;
    return t;
}

/* ---- a header ---- */

/* Octal digits, with blanks before and a blank or NUL behind them; or, where the first bit is set, a number in
 * base 256. */
static bool read_number(const unsigned char *field, size_t size, uint64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0;
    if ((field[0] & 0x80) != 0)
    {
        if (field[0] != 0x80)
            return false; /* negative, or beyond what we count with */
        for (i = 1; i < size; i++)
        {
            if (value >> 55 != 0)
                return false;
            value = value << 8 | field[i];
        }
        *ret = value;
        return true;
    }
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t) (field[i] - '0');
    if (i < size && field[i] != ' ' && field[i] != '\0')
        return false;
    *ret = value;
    return true;
}

static bool sum_is_right(const unsigned char *header)
{
    uint64_t want;
    uint64_t sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM_AT && i < SUM_AT + SUM_SIZE ? ' ' : header[i];
    return read_number(header + SUM_AT, SUM_SIZE, &want) && want == sum;
}

bool tar_name_sound(const char *name)
{
    if (name[0] == '\0' || name[0] == '/')
        return false;
    for (const char *p = name; *p != '\0';)
    {
        size_t len = strcspn(p, "/");
        if (len == 0 || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += len;
        if (*p == '/' && p[1] == '\0')
            return false;
        p += *p == '/' ? 1 : 0;
    }
    return true;
}

static void read_name(const unsigned char *header, char name[TAR_NAME_LEN])
{
    const char *h = (const char *) header;
    int prefix_len = (int) strnlen(h + PREFIX_AT, PREFIX_SIZE);
    int name_len = (int) strnlen(h + NAME_AT, NAME_SIZE);
    char whole[TAR_NAME_LEN];
    snprintf(whole, sizeof(whole), "%.*s%s%.*s", prefix_len, h + PREFIX_AT,
             prefix_len > 0 ? "/" : "", name_len, h + NAME_AT);
    size_t len = strlen(whole);
    while (len > 1 && whole[len - 1] == '/')
        whole[--len] = '\0';
    snprintf(name, TAR_NAME_LEN, "%s", strncmp(whole, "./", 2) == 0 ? whole + 2 : whole);
}

static bool read_kind(unsigned char type, TarKind *ret)
{
    switch (type)
    {
    case '0':
    case '\0':
        *ret = TAR_FILE;
        return true;
    case '2':
        *ret = TAR_SYMLINK;
        return true;
    case '5':
        *ret = TAR_DIRECTORY;
        return true;
    default:
        return false;
    }
}

static bool read_header(TarStream *t, Error *err)
{
    TarMember *m = &t->member;
    uint64_t mode, mtime, size;
    const unsigned char *h = t->header;
    memset(m, 0, sizeof(*m));
    m->offset = t->offset - TAR_BLOCK;
    if (!sum_is_right(h) || memcmp(h + MAGIC_AT, "ustar", 5) != 0)
        return error_set(err, ERR_CORRUPT, "byte %" PRIu64 " of the tar stream is no header",
                         m->offset);
    read_name(h, m->name);
    if (!read_kind(h[TYPE_AT], &m->kind) || !read_number(h + MODE_AT, MODE_SIZE, &mode) ||
        !read_number(h + SIZE_AT, SIZE_SIZE, &size) ||
        !read_number(h + MTIME_AT, MTIME_SIZE, &mtime) || size > (uint64_t) INT64_MAX / 2)
        return error_set(err, ERR_CORRUPT,
                         "the header at byte %" PRIu64 " of the tar stream is not one that a "
                         "server writes",
                         m->offset);
    /* A directory may be the root of all. */
    if (!tar_name_sound(m->name) && !(m->kind == TAR_DIRECTORY && strcmp(m->name, ".") == 0))
        return error_set(err, ERR_CORRUPT,
                         "a member of the tar stream at byte %" PRIu64 " has an impossible name",
                         m->offset);
    m->mode = (uint32_t) (mode & 07777);
    m->mtime = (int64_t) mtime;
    m->size = m->kind == TAR_FILE ? size : 0;
    snprintf(m->link, sizeof(m->link), "%.*s", (int) strnlen((const char *) h + LINK_AT, LINK_SIZE),
             (const char *) h + LINK_AT);
    t->inside = true;
    t->left = m->size;
    t->padding = (TAR_BLOCK - m->size % TAR_BLOCK) % TAR_BLOCK;
    return t->events.begin == NULL || t->events.begin(t->events.arg, m, err);
}

static bool is_zero(const unsigned char *block)
{
    return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

static bool take_header(TarStream *t, const unsigned char *data, size_t len, size_t *ret_taken,
                        Error *err)
{
    size_t n = TAR_BLOCK - t->header_len < len ? TAR_BLOCK - t->header_len : len;
    memcpy(t->header + t->header_len, data, n);
    t->header_len += n;
    t->offset += n;
    *ret_taken = n;
    if (t->header_len < TAR_BLOCK)
        return true;
    t->header_len = 0;
    if (is_zero(t->header))
    {
        t->zeros++;
        return true;
    }
    if (t->zeros > 0)
        return error_set(err, ERR_CORRUPT, "there is something behind the end of the tar stream");
    return read_header(t, err);
}

/* ---- data ---- */

static bool take_inside(TarStream *t, const unsigned char *data, size_t len, size_t *ret_taken,
                        Error *err)
{
    size_t n = t->left < len ? (size_t) t->left : len;
    *ret_taken = 0;
    if (n > 0)
    {
        t->left -= n;
        t->offset += n;
        *ret_taken = n;
        if (t->events.data != NULL && !t->events.data(t->events.arg, data, n, err))
            return false;
    }
    if (t->left > 0)
        return true;
    n = t->padding < len - *ret_taken ? (size_t) t->padding : len - *ret_taken;
    t->padding -= n;
    t->offset += n;
    *ret_taken += n;
    if (t->padding > 0)
        return true;
    t->inside = false;
    return t->events.end == NULL || t->events.end(t->events.arg, &t->member, err);
}

bool tar_stream_take(TarStream *t, const void *data, size_t len, size_t *ret_taken, Error *err)
{
    const unsigned char *p = data;
    *ret_taken = 0;
    while (*ret_taken < len || (t->inside && t->left == 0 && t->padding == 0))
    {
        size_t n = 0;
        bool ok = t->inside ? take_inside(t, p + *ret_taken, len - *ret_taken, &n, err)
                            : take_header(t, p + *ret_taken, len - *ret_taken, &n, err);
        *ret_taken += n;
        if (!ok)
            return false;
        if (tar_stream_boundary(t))
            return true;
    }
    return true;
}

bool tar_stream_boundary(const TarStream *t)
{
    return !t->inside && t->header_len == 0;
}

bool tar_stream_ended(const TarStream *t)
{
    return t->zeros > 0;
}

bool tar_stream_finish(const TarStream *t, Error *err)
{
    return tar_stream_boundary(t) ||
           error_set(err, ERR_CORRUPT, "the tar stream ends inside of \"%s\"",
                     t->inside ? t->member.name : "a header");
}
