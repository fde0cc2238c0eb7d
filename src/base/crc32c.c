/* base/crc32c.c - CRC-32C; the contract is in crc32c.h. */
#include "base/crc32c.h"

#include <pthread.h>

#define POLYNOMIAL 0x82F63B78U /* bits reversed */
#define SLICES     8
#define LANE       ((size_t) 1024) /* bytes of each of three places */

static uint32_t tables[SLICES][256];
/* What each byte of a checksum becomes when LANE zeros follow. */
static uint32_t behind_lane[4][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

/* tables[k][b]: what byte b does to a checksum when k more bytes follow it. */
static void make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++)
    {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        tables[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++)
    {
        for (int k = 1; k < SLICES; k++)
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
    }
}

/* A checksum is linear: that of a byte is the sum of those of its bits. */
static void make_behind_lane(void)
{
    for (int bit = 0; bit < 32; bit++)
    {
        uint32_t crc = (uint32_t) 1 << bit;
        for (size_t i = 0; i < LANE; i++)
            crc = crc >> 8 ^ tables[0][crc & 0xff];
        for (uint32_t b = 0; b < 256; b++)
        {
            if ((b >> bit % 8 & 1) != 0)
                behind_lane[bit / 8][b] ^= crc;
        }
    }
}

static void make_all(void)
{
    make_tables();
    make_behind_lane();
}

uint32_t crc32c_plain(uint32_t crc, const void *data, size_t len)
{
    const unsigned char *p = data;
    pthread_once(&tables_once, make_all);
    crc = ~crc;
    for (; len >= SLICES; len -= SLICES, p += SLICES)
    {
        uint32_t low = crc ^ ((uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 |
                              (uint32_t) p[3] << 24);
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
              tables[4][low >> 24] ^ tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^
              tables[0][p[7]];
    }
    for (; len > 0; len--, p++)
        crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

static inline uint64_t word_at(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

static uint32_t over_lane(uint32_t crc)
{
    return behind_lane[0][crc & 0xff] ^ behind_lane[1][crc >> 8 & 0xff] ^
           behind_lane[2][crc >> 16 & 0xff] ^ behind_lane[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *data,
                                                               size_t len)
{
    const unsigned char *p = data;
    uint64_t c = ~crc;
    if (len >= 3 * LANE)
        pthread_once(&tables_once, make_all);
    for (; len >= 3 * LANE; len -= 3 * LANE, p += 3 * LANE)
    {
        uint64_t second = 0;
        uint64_t third = 0;
        for (size_t i = 0; i < LANE; i += 8)
        {
            c = _mm_crc32_u64(c, word_at(p + i));
            second = _mm_crc32_u64(second, word_at(p + LANE + i));
            third = _mm_crc32_u64(third, word_at(p + 2 * LANE + i));
        }
        c = over_lane(over_lane((uint32_t) c) ^ (uint32_t) second) ^ third;
    }
    for (; len >= 8; len -= 8, p += 8)
        c = _mm_crc32_u64(c, word_at(p));
    for (; len > 0; len--, p++)
        c = _mm_crc32_u8((uint32_t) c, *p);
    return ~(uint32_t) c;
}

uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, data, len)
                                            : crc32c_plain(crc, data, len);
}
#else
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len)
{
    return crc32c_plain(crc, data, len);
}
#endif
