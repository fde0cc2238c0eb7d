/*
 * export/float_text.c - the contract is in float_text.h.
 *
 * Exact arithmetic on large integers, after Steele & White, "How to print floating-point numbers
 * accurately", and Burger & Dybvig, "Printing floating-point numbers quickly and accurately", whose
 * names r, s, low and high are: the number is r/s, the distances to the points half way to its
 * neighbours are low/s and high/s.
 */
#include "export/float_text.h"

#define BIG_WORDS  40 /* 2^1074 times a few bits needs 35 */
#define DIGITS_MAX 20

typedef struct Big
{
    uint32_t words[BIG_WORDS]; /* lowest first */
    int count;                 /* of the words up to the highest that is not 0 */
} Big;

static void big_set(Big *b, uint64_t value)
{
    b->count = 0;
    for (; value != 0; value >>= 32)
        b->words[b->count++] = (uint32_t) value;
}

static void big_multiply(Big *b, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < b->count; i++)
    {
        carry += (uint64_t) b->words[i] * factor;
        b->words[i] = (uint32_t) carry;
        carry >>= 32;
    }
    if (carry != 0)
        b->words[b->count++] = (uint32_t) carry;
}

static void big_power_of_10(Big *b, int power)
{
    for (; power >= 9; power -= 9)
        big_multiply(b, 1000000000);
    for (; power > 0; power--)
        big_multiply(b, 10);
}

static void big_shift(Big *b, int bits)
{
    int words = bits / 32;
    if (b->count == 0)
        return;
    big_multiply(b, 1u << (bits % 32));
    memmove(b->words + words, b->words, (size_t) b->count * sizeof(uint32_t));
    memset(b->words, 0, (size_t) words * sizeof(uint32_t));
    b->count += words;
}

static int big_compare(const Big *a, const Big *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (int i = a->count - 1; i >= 0; i--)
    {
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i] ? -1 : 1;
    }
    return 0;
}

/* a + b against c. */
static int big_compare_sum(const Big *a, const Big *b, const Big *c)
{
    Big sum = {.count = a->count > b->count ? a->count : b->count};
    uint64_t carry = 0;
    for (int i = 0; i < sum.count; i++)
    {
        carry += (uint64_t) (i < a->count ? a->words[i] : 0) + (i < b->count ? b->words[i] : 0);
        sum.words[i] = (uint32_t) carry;
        carry >>= 32;
    }
    if (carry != 0)
        sum.words[sum.count++] = (uint32_t) carry;
    return big_compare(&sum, c);
}

/* a is not less than b. */
static void big_subtract(Big *a, const Big *b)
{
    int64_t borrow = 0;
    for (int i = 0; i < a->count; i++)
    {
        int64_t word = (int64_t) a->words[i] - (i < b->count ? b->words[i] : 0) + borrow;
        borrow = word < 0 ? -1 : 0;
        a->words[i] = (uint32_t) word;
    }
    while (a->count > 0 && a->words[a->count - 1] == 0)
        a->count--;
}

typedef struct Scaled
{
    Big r, s, low, high;
    bool even; /* ties go to an even digit */
} Scaled;

/* The number is mantissa * 2^exponent. unequal: the neighbour below is only half as far. */
static void scale_2(Scaled *n, uint64_t mantissa, int exponent, bool unequal)
{
    int more = unequal ? 2 : 1; /* bits, so that half distances are integers */
    int up = exponent > 0 ? exponent : 0;
    int down = exponent < 0 ? -exponent : 0;
    big_set(&n->r, mantissa);
    big_shift(&n->r, up + more);
    big_set(&n->s, 1);
    big_shift(&n->s, down + more);
    big_set(&n->low, 1);
    big_shift(&n->low, up);
    big_set(&n->high, 1);
    big_shift(&n->high, up + more - 1);
}

/* Makes the first digit r/s; returns the power of 10 that it counts. */
static int scale_10(Scaled *n, uint64_t mantissa, int exponent)
{
    int length = 64 - __builtin_clzll(mantissa);
    /* Not above the logarithm, and less than 1 below it. */
    double estimate = (exponent + length - 1) * 0.30102999566398119521 - 1e-10;
    int power = (int) estimate;
    if (estimate > power)
        power++;
    if (power >= 0)
        big_power_of_10(&n->s, power);
    else
    {
        big_power_of_10(&n->r, -power);
        big_power_of_10(&n->low, -power);
        big_power_of_10(&n->high, -power);
    }
    if (big_compare_sum(&n->r, &n->high, &n->s) > 0)
        return power;
    big_multiply(&n->r, 10);
    big_multiply(&n->low, 10);
    big_multiply(&n->high, 10);
    return power - 1;
}

static int next_digit(Scaled *n)
{
    int digit = 0;
    while (big_compare(&n->r, &n->s) >= 0)
    {
        big_subtract(&n->r, &n->s);
        digit++;
    }
    return digit;
}

/* Where both are near enough, the nearer one. */
static bool round_up(const Scaled *n, int digit)
{
    int half = big_compare_sum(&n->r, &n->r, &n->s);
    return half > 0 || (half == 0 && digit % 2 != 0);
}

/* Returns the number of digits; the first one counts 10^*ret_power. */
static int shortest(uint64_t mantissa, int exponent, bool unequal, char digits[DIGITS_MAX],
                    int *ret_power)
{
    Scaled n;
    int count = 0;
    scale_2(&n, mantissa, exponent, unequal);
    *ret_power = scale_10(&n, mantissa, exponent);
    for (;;)
    {
        int digit = next_digit(&n);
        bool low = big_compare(&n.r, &n.low) < 0;
        bool high = big_compare_sum(&n.r, &n.high, &n.s) > 0;
        if (high && (!low || round_up(&n, digit)))
            digit++;
        digits[count++] = (char) ('0' + digit);
        if (low || high || count == DIGITS_MAX)
            return count;
        big_multiply(&n.r, 10);
        big_multiply(&n.low, 10);
        big_multiply(&n.high, 10);
    }
}

static void print_fixed(char *out, const char *digits, int count, int power)
{
    char *p = out;
    if (power < 0)
    {
        *p++ = '0';
        *p++ = '.';
        for (int i = -1; i > power; i--)
            *p++ = '0';
    }
    for (int i = 0; i < count; i++)
    {
        if (power >= 0 && i == power + 1)
            *p++ = '.';
        *p++ = digits[i];
    }
    for (int i = count; i <= power; i++)
        *p++ = '0';
    *p = '\0';
}

static void print_exponent(char *out, size_t size, const char *digits, int count, int power)
{
    snprintf(out, size, "%c%s%.*se%c%02d", digits[0], count > 1 ? "." : "", count - 1, digits + 1,
             power < 0 ? '-' : '+', power < 0 ? -power : power);
}

/* A number of mantissa_bits (without the hidden one); exponent is the one stored. */
static char *number_text(char buf[FLOAT_TEXT_LEN], bool negative, uint64_t fraction, int exponent,
                         int mantissa_bits, int exponent_max, int fixed_below)
{
    char digits[DIGITS_MAX];
    int power;
    char *out = buf;
    bool special = exponent == exponent_max;
    if (special && fraction != 0)
    {
        snprintf(buf, FLOAT_TEXT_LEN, "NaN");
        return buf;
    }
    if (negative)
        *out++ = '-';
    size_t room = (size_t) (buf + FLOAT_TEXT_LEN - out);
    if (special || (exponent == 0 && fraction == 0))
    {
        snprintf(out, room, "%s", special ? "Infinity" : "0");
        return buf;
    }
    bool normal = exponent > 0;
    uint64_t mantissa = normal ? fraction | UINT64_C(1) << mantissa_bits : fraction;
    int shift = (normal ? exponent : 1) - exponent_max / 2 - mantissa_bits;
    int count = shortest(mantissa, shift, fraction == 0 && exponent > 1, digits, &power);
    if (power >= -4 && power < fixed_below)
        print_fixed(out, digits, count, power);
    else
        print_exponent(out, room, digits, count, power);
    return buf;
}

char *float_text_8(char buf[FLOAT_TEXT_LEN], uint64_t bits)
{
    return number_text(buf, bits >> 63 != 0, bits & (UINT64_MAX >> 12), (int) (bits >> 52 & 0x7ff),
                       52, 0x7ff, 15);
}

char *float_text_4(char buf[FLOAT_TEXT_LEN], uint32_t bits)
{
    return number_text(buf, bits >> 31 != 0, bits & (UINT32_MAX >> 9), (int) (bits >> 23 & 0xff),
                       23, 0xff, 6);
}
