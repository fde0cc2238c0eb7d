/* export/copy_escape.c - the contract is in copy_escape.h. */
#include "export/copy_escape.h"

static char code_of(char c)
{
    switch (c)
    {
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    case '\\':
        return '\\';
    default:
        return '\0';
    }
}

void copy_escape(Str *out, const char *text, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++)
    {
        char code = code_of(text[i]);
        if (code == '\0')
            continue;
        str_addn(out, text + from, i - from);
        str_addc(out, '\\');
        str_addc(out, code);
        from = i + 1;
    }
    str_addn(out, text + from, n - from);
}
