/* export/binary_net.c - addresses and identifiers; the contract is in binary_value.h. */
#include "export/binary_value.h"

/* Source: utils/inet.h. */
#define FAMILY_4 2
#define FAMILY_6 3

static void add_ipv4(Str *out, const uint8_t *a)
{
    str_addf(out, "%d.%d.%d.%d", a[0], a[1], a[2], a[3]);
}

/* The longest run of zeros, the first one of several; a single zero is none. */
static void longest_zeros(const uint16_t words[8], int *ret_at, int *ret_count)
{
    *ret_at = -1;
    *ret_count = 0;
    for (int i = 0; i < 8;)
    {
        int n = 0;
        while (i + n < 8 && words[i + n] == 0)
            n++;
        if (n > 1 && n > *ret_count)
        {
            *ret_at = i;
            *ret_count = n;
        }
        i += n > 0 ? n : 1;
    }
}

/* The last four bytes are shown as an IPv4 address in those forms in which inet_net_ntop_ipv6 in
 * port/inet_net_ntop.c does. */
static bool is_embedded(const uint16_t words[8], int at, int count)
{
    return at == 0 && (count == 6 || (count == 5 && words[5] == 0xffff));
}

static void add_ipv6(Str *out, const uint8_t *a)
{
    uint16_t words[8];
    int at;
    int count;
    for (int i = 0; i < 8; i++)
        words[i] = (uint16_t) (a[2 * i] << 8 | a[2 * i + 1]);
    longest_zeros(words, &at, &count);
    for (int i = 0; i < 8; i++)
    {
        if (i == at)
        {
            str_addc(out, ':');
            i += count - 1;
            continue;
        }
        if (i > 0)
            str_addc(out, ':');
        if (i == 6 && is_embedded(words, at, count))
        {
            add_ipv4(out, a + 12);
            return;
        }
        str_addf(out, "%x", words[i]);
    }
    if (at >= 0 && at + count == 8)
        str_addc(out, ':');
}

void value_inet(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    int family = value_u8(r);
    int bits = value_u8(r);
    bool cidr = value_u8(r) != 0;
    size_t len = value_u8(r);
    bool v4 = family == FAMILY_4;
    const uint8_t *address = value_bytes(r, len);
    if (address == NULL || (!v4 && family != FAMILY_6) || len != (v4 ? 4 : 16) ||
        bits > (v4 ? 32 : 128))
    {
        r->bad = true;
        return;
    }
    if (v4)
        add_ipv4(out, address);
    else
        add_ipv6(out, address);
    if (cidr || bits != (v4 ? 32 : 128))
        str_addf(out, "/%d", bits);
}

static void add_mac(ValueReader *r, size_t len, Str *out)
{
    const uint8_t *a = value_bytes(r, len);
    for (size_t i = 0; a != NULL && i < len; i++)
        str_addf(out, "%s%02x", i == 0 ? "" : ":", a[i]);
}

void value_macaddr(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    add_mac(r, 6, out);
}

void value_macaddr8(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    add_mac(r, 8, out);
}

void value_uuid(ValueReader *r, const ValueType *type UNUSED, Str *out)
{
    const uint8_t *a = value_bytes(r, 16);
    for (int i = 0; a != NULL && i < 16; i++)
        str_addf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", a[i]);
}
