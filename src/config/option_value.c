/* config/option_value.c - numbers, sizes, durations, words; contracts in options.h, option_value.h.
 */
#include "config/option_value.h"

#include <strings.h>

#include "base/str.h"
#include "config/option_nearest.h"

#define SHOWN_MAX 80
#define KB        UINT64_C(1024)

typedef struct Unit
{
    const char *name;
    uint64_t factor;
} Unit;

static const Unit size_units[] = {
    {"", 1}, {"B", 1}, {"kB", KB}, {"MB", KB *KB}, {"GB", KB *KB *KB}, {"TB", KB *KB *KB *KB},
};

static const Unit duration_units[] = {
    {"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000},
};

typedef enum NumberResult
{
    NUMBER_OK,
    NUMBER_MALFORMED,
    NUMBER_TOO_LARGE,
} NumberResult;

/* Digits and at most one unit, nothing else; no sign, no blanks. At most INT64_MAX. */
static NumberResult parse_number(const char *text, const Unit *units, size_t unit_count,
                                 uint64_t *ret)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0)
        return NUMBER_MALFORMED;
    const Unit *unit = NULL;
    for (size_t i = 0; i < unit_count && unit == NULL; i++)
    {
        if (strcasecmp(text + digits, units[i].name) == 0)
            unit = &units[i];
    }
    if (unit == NULL)
        return NUMBER_MALFORMED;
    uint64_t value = 0;
    for (size_t i = 0; i < digits; i++)
    {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t) (text[i] - '0'), &value))
            return NUMBER_TOO_LARGE;
    }
    if (__builtin_mul_overflow(value, unit->factor, &value) || value > INT64_MAX)
        return NUMBER_TOO_LARGE;
    *ret = value;
    return NUMBER_OK;
}

static bool parse_quantity(const char *text, const Unit *units, size_t unit_count, const char *what,
                           const char *hint, uint64_t *ret, Error *err)
{
    char shown[SHOWN_MAX];
    NumberResult result = parse_number(text, units, unit_count, ret);
    if (result == NUMBER_OK)
        return true;
    error_set(err, ERR_USAGE, "\"%s\" is %s", str_one_line(shown, sizeof(shown), text),
              result == NUMBER_TOO_LARGE ? "too large" : what);
    return error_hint(err, "%s", hint);
}

bool option_size_parse(const char *text, uint64_t *ret_bytes, Error *err)
{
    return parse_quantity(text, size_units, LENGTH_OF(size_units), "not a size",
                          "A size is a whole number with B, kB, MB, GB or TB, such as 256MB.",
                          ret_bytes, err);
}

bool option_duration_parse(const char *text, int64_t *ret_ms, Error *err)
{
    uint64_t ms = 0;
    if (!parse_quantity(text, duration_units, LENGTH_OF(duration_units), "not a duration",
                        "A duration is a whole number with ms, s, min, h or d, such as 30s.", &ms,
                        err))
        return false;
    *ret_ms = (int64_t) ms;
    return true;
}

bool option_map_parse(const char *name, const char *text, int *ret_content,
                      const char **ret_conninfo, Error *err)
{
    const char *whole = text;
    bool coordinator = strncmp(text, "-1=", 3) == 0;
    text += coordinator ? 1 : 0;
    size_t digits = strspn(text, "0123456789");
    uint64_t content = 0;
    if (digits == 0 || digits > 9 || text[digits] != '=')
    {
        error_set(err, ERR_USAGE, "a value of --%s does not begin with a node's number and \"=\"",
                  name);
        return error_hint(err, "Write --%s=0=CONNINFO for node 0.", name);
    }
    for (size_t i = 0; i < digits; i++)
        content = content * 10 + (uint64_t) (text[i] - '0');
    if (content > OPTION_CONTENT_MAX)
        return error_set(err, ERR_USAGE, "--%s names node %" PRIu64 ", but the last possible is %d",
                         name, content, OPTION_CONTENT_MAX);
    if (text[digits + 1] == '\0')
        return error_set(err, ERR_USAGE, "--%s names no server for node %.*s", name,
                         (int) strcspn(whole, "="), whole);
    *ret_content = coordinator ? -1 : (int) content;
    *ret_conninfo = text + digits + 1;
    return true;
}

static bool check_flag(const char *origin, const char *text, int64_t *ret, Error *err)
{
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes", "0", "1"};
    for (size_t i = 0; i < LENGTH_OF(words); i++)
    {
        if (strcasecmp(text, words[i]) == 0)
        {
            *ret = (int64_t) (i % 2);
            return true;
        }
    }
    char shown[SHOWN_MAX];
    return error_set(err, ERR_USAGE, "%s must be true or false, not \"%s\"", origin,
                     str_one_line(shown, sizeof(shown), text));
}

static bool check_number(const OptionSpec *spec, const char *origin, const char *text, int64_t *ret,
                         Error *err)
{
    static const Unit no_units[] = {{"", 1}};
    const Unit *units = no_units;
    size_t unit_count = 1;
    const char *what = "a whole number from";
    if (spec->type == OPTION_SIZE)
    {
        units = size_units;
        unit_count = LENGTH_OF(size_units);
        what = "a size from";
    }
    else if (spec->type == OPTION_DURATION)
    {
        units = duration_units;
        unit_count = LENGTH_OF(duration_units);
        what = "a time from";
    }
    uint64_t value = 0;
    NumberResult result = parse_number(text, units, unit_count, &value);
    if (result == NUMBER_OK && (int64_t) value >= spec->min && (int64_t) value <= spec->max)
    {
        *ret = (int64_t) value;
        return true;
    }
    char shown[SHOWN_MAX];
    error_set(err, ERR_USAGE, "%s must be %s %s, not \"%s\"", origin, what, spec->range,
              str_one_line(shown, sizeof(shown), text));
    if (spec->type == OPTION_SIZE && result == NUMBER_MALFORMED)
        error_hint(err, "Units are B, kB, MB, GB and TB.");
    if (spec->type == OPTION_DURATION && result == NUMBER_MALFORMED)
        error_hint(err, "Units are ms, s, min, h and d; a bare number is milliseconds.");
    return false;
}

static bool check_word(const OptionSpec *spec, const char *origin, const char *text, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "words");
    NearestName nearest = {.text = text};
    for (const char *words = spec->words; words != NULL;)
    {
        const char *word = NULL;
        size_t len = option_table_word(&words, &word);
        if (strlen(text) == len && memcmp(text, word, len) == 0)
            return true;
        option_nearest_offer(&nearest, mem_strndup(ctx, word, len));
    }
    char shown[SHOWN_MAX];
    error_set(err, ERR_USAGE, "%s must be %s, not \"%s\"", origin,
              option_table_words(ctx, spec->words), str_one_line(shown, sizeof(shown), text));
    if (nearest.best != NULL)
        error_hint(err, "Did you mean %s?", nearest.best);
    return false;
}

static bool check_name(const char *origin, const char *text, Error *err)
{
    char shown[SHOWN_MAX];
    return str_is_name(text) ||
           error_set(err, ERR_USAGE, "%s must be 1 to %d letters, digits, _ - or ., not \"%s\"",
                     origin, STR_NAME_MAX, str_one_line(shown, sizeof(shown), text));
}

bool option_value_check(const OptionSpec *spec, const char *origin, const char *text,
                        int64_t *ret_number, Error *err)
{
    switch (spec->type)
    {
    case OPTION_FLAG:
        return check_flag(origin, text, ret_number, err);
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_DURATION:
        return check_number(spec, origin, text, ret_number, err);
    case OPTION_WORD:
        return check_word(spec, origin, text, err);
    case OPTION_NAME:
        return check_name(origin, text, err);
    case OPTION_STRING:
    case OPTION_FILE:
        break;
    case OPTION_LIST:
        if (spec->words != NULL)
            return check_word(spec, origin, text, err);
        break;
    }
    /* Nearly always an unset variable in a script: falling back to a default would do the right
     * thing to the wrong server. */
    if (text[0] == '\0')
        return error_set(err, ERR_USAGE, "%s is empty", origin);
    return true;
}
