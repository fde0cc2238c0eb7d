/* export/marks.c - the contract is in marks.h. */
#include "export/marks.h"

static bool is_plain(unsigned char c)
{
    return c > ' ' && c != '%' && c != 0x7f;
}

void mark_add_name(Str *line, const char *name)
{
    str_addc(line, ' ');
    for (const char *c = name; *c != '\0'; c++)
    {
        if (is_plain((unsigned char) *c))
            str_addc(line, *c);
        else
            str_addf(line, "%%%02x", (unsigned char) *c);
    }
}

bool mark_next_name(const char **text, size_t *len, Str *name)
{
    const char *c = *text;
    const char *end = c + *len;
    str_clear(name);
    if (c == end || *c != ' ')
        return false;
    for (c++; c < end && *c != ' '; c++)
    {
        int high = *c == '%' && end - c > 2 ? str_hex_digit(c[1]) : -1;
        int low = high >= 0 ? str_hex_digit(c[2]) : -1;
        if (low < 0)
        {
            str_addc(name, *c);
            continue;
        }
        str_addc(name, (char) (high * 16 + low));
        c += 2;
    }
    *text = c;
    *len = (size_t) (end - c);
    return name->len > 0;
}
