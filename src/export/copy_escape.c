/* export/copy_escape.c - the contract is in copy_escape.h. */
#include "export/copy_escape.h"

#include <limits.h>

/* By the character; 0: it stands for itself. */
static const char codes[UCHAR_MAX + 1] = {
    ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',  ['\r'] = 'r',
    ['\t'] = 't', ['\v'] = 'v', ['\\'] = '\\',
};

void copy_escape(Str *out, const char *text, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++)
    {
        char code = codes[(unsigned char) text[i]];
        if (code == '\0')
            continue;
        str_addn(out, text + from, i - from);
        str_addc(out, '\\');
        str_addc(out, code);
        from = i + 1;
    }
    str_addn(out, text + from, n - from);
}
