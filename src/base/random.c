/* base/random.c - names that nobody can know before; the contract is in random.h. */
#include "base/random.h"

#include <sys/random.h>

#include "base/str.h"

bool random_hex(char *ret, size_t bytes, Error *err)
{
    unsigned char buffer[RANDOM_HEX_MAX];
    /* So few are never given in part, once there are any (getrandom(2)). */
    if (bytes > sizeof(buffer) || getrandom(buffer, bytes, 0) != (ssize_t) bytes)
        return error_errno(err, ERR_INTERNAL, "no random bytes are to be had");
    str_hex(ret, buffer, bytes);
    return true;
}
