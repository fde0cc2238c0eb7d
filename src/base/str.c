/* base/str.c - growing strings and small formatters; the contract is in str.h. */
#include "base/str.h"

Str *str_new(void *ctx)
{
    Str *s = mem_new(ctx, Str);
    s->ctx = s;
    s->capacity = 64;
    s->data = mem_array(s, char, s->capacity);
    return s;
}

void str_clear(Str *s)
{
    s->len = 0;
    s->data[0] = '\0';
}

static void str_room(Str *s, size_t n)
{
    if (s->len + n + 1 <= s->capacity)
        return;
    while (s->len + n + 1 > s->capacity)
        s->capacity *= 2;
    s->data = mem_grow(s, s->data, char, s->capacity);
}

void str_addn(Str *s, const char *text, size_t n)
{
    str_room(s, n);
    if (n > 0) /* nothing may be at NULL */
        memcpy(s->data + s->len, text, n);
    s->len += n;
    s->data[s->len] = '\0';
}

void str_add(Str *s, const char *text)
{
    str_addn(s, text, strlen(text));
}

void str_addc(Str *s, char c)
{
    str_addn(s, &c, 1);
}

void str_addu(Str *s, uint64_t value, int digits)
{
    char buf[20];
    int at = (int) sizeof(buf);
    int end = at - digits;
    while (value > 0 || at > end)
    {
        buf[--at] = (char) ('0' + value % 10);
        value /= 10;
    }
    str_addn(s, buf + at, sizeof(buf) - (size_t) at);
}

void str_addi(Str *s, int64_t value)
{
    if (value < 0)
        str_addc(s, '-');
    str_addu(s, value < 0 ? UINT64_C(0) - (uint64_t) value : (uint64_t) value, 1);
}

void str_addf(Str *s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n > 0)
    {
        str_room(s, (size_t) n);
        vsnprintf(s->data + s->len, (size_t) n + 1, fmt, again);
        s->len += (size_t) n;
    }
    va_end(again);
}

char *str_format_bytes(char buf[STR_BYTES_LEN], uint64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    double value = (double) bytes;
    size_t unit = 0;
    while (value >= 1024.0 && unit + 1 < LENGTH_OF(units))
    {
        value /= 1024.0;
        unit++;
    }
    snprintf(buf, STR_BYTES_LEN, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buf;
}

char *str_format_duration(char buf[STR_BYTES_LEN], int64_t ms)
{
    int64_t s = ms / 1000;
    if (ms < 10000)
        snprintf(buf, STR_BYTES_LEN, "%.2f s", (double) ms / 1000.0);
    else if (s < 60)
        snprintf(buf, STR_BYTES_LEN, "%.1f s", (double) ms / 1000.0);
    else if (s < 3600)
        snprintf(buf, STR_BYTES_LEN, "%dm%02ds", (int) (s / 60), (int) (s % 60));
    else
        snprintf(buf, STR_BYTES_LEN, "%dh%02dm", (int) (s / 3600), (int) (s / 60 % 60));
    return buf;
}

bool str_equal(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

bool str_is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-.";
    size_t len = strlen(text);
    return len > 0 && len <= STR_NAME_MAX && strspn(text, allowed) == len;
}

void str_hex(char *out, const void *data, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
    {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

int str_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *str_one_line(char *buf, size_t size, const char *text)
{
    size_t len = strlen(text);
    bool cut = len >= size;
    size_t n = cut ? size - 4 : len;
    while (cut && n > 0 && ((unsigned char) text[n] & 0xC0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        buf[i] = (unsigned char) text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    memcpy(buf + n, cut ? "..." : "", cut ? 4 : 1);
    return buf;
}

void str_print_wrapped(FILE *out, int indent, const char *text)
{
    int column = indent;
    while (*text != '\0')
    {
        int word = (int) strcspn(text, " \n");
        if (column > indent && column + 1 + word > STR_LINE_WIDTH)
        {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(out, "%s%.*s", column > indent ? " " : "", word, text);
        text += word;
        if (*text == '\n')
        {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        if (*text != '\0')
            text++;
    }
    fputc('\n', out);
}
