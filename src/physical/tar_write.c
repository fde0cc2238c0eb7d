/* physical/tar_write.c - headers of a tar archive; the contract is in tar_write.h. */
#include "physical/tar_write.h"

/* Octal digits and a NUL; what does not fit, in base 256. */
static void put_number(unsigned char *field, size_t size, uint64_t value)
{
    char text[32];
    if (value >> 3 * (size - 1) == 0)
    {
        snprintf(text, sizeof(text), "%0*" PRIo64, (int) size - 1, value);
        memcpy(field, text, size);
        return;
    }
    memset(field, 0, size);
    field[0] = 0x80;
    for (size_t i = size - 1; i > 0 && value > 0; i--, value >>= 8)
        field[i] = (unsigned char) value;
}

void tar_write_header(unsigned char block[TAR_BLOCK], const char *name, uint64_t size,
                      bool directory, int64_t mtime)
{
    static const char magic[8] = {'u', 's', 't', 'a', 'r', '\0', '0', '0'};
    static const char owner[9] = "postgres";
    uint64_t sum = 0;
    memset(block, 0, TAR_BLOCK);
    memcpy(block, name, strnlen(name, 99));
    put_number(block + 100, 8, directory ? 0700 : 0600);
    put_number(block + 108, 8, 0);
    put_number(block + 116, 8, 0);
    put_number(block + 124, 12, size);
    put_number(block + 136, 12, mtime < 0 ? 0 : (uint64_t) mtime);
    memset(block + 148, ' ', 8);
    block[156] = directory ? '5' : '0';
    memcpy(block + 257, magic, sizeof(magic));
    memcpy(block + 265, owner, sizeof(owner));
    memcpy(block + 297, owner, sizeof(owner));
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += block[i];
    put_number(block + 148, 7, sum);
}

size_t tar_write_padding(uint64_t size)
{
    return (size_t) ((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}
