/* base/lsn.c - places in WAL as text; the contract is in lsn.h. */
#include "base/lsn.h"

char *lsn_format(char text[LSN_TEXT_LEN], uint64_t lsn)
{
    snprintf(text, LSN_TEXT_LEN, "%" PRIX32 "/%" PRIX32, (uint32_t) (lsn >> 32), (uint32_t) lsn);
    return text;
}

/* One to eight hexadecimal digits; returns how many, 0: not so. */
static size_t parse_half(const char *text, uint32_t *ret)
{
    size_t len = strspn(text, "0123456789ABCDEFabcdef");
    if (len < 1 || len > 8)
        return 0;
    *ret = (uint32_t) strtoul(text, NULL, 16);
    return len;
}

bool lsn_parse(const char *text, uint64_t *ret_lsn)
{
    uint32_t high, low;
    size_t len = parse_half(text, &high);
    if (len == 0 || text[len] != '/')
        return false;
    const char *rest = text + len + 1;
    len = parse_half(rest, &low);
    if (len == 0 || rest[len] != '\0')
        return false;
    *ret_lsn = (uint64_t) high << 32 | low;
    return true;
}
