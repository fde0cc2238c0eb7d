/*
 * repo/repo_key.c - the keys of sets, and names made of other text.
 */
#include <ctype.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "repo/repo.h"

#define DAY_S 86400

/* key_time turns 14 digits into seconds since 1970; -1 when they are no date and time. */
static int64_t key_time(const char *text)
{
    struct tm tm = {0}, back;
    int64_t seconds;
    time_t t;

    if (strlen(text) != SET_KEY_LEN - 1 || strspn(text, "0123456789") != SET_KEY_LEN - 1)
        return -1;
    if (sscanf(text, "%4d%2d%2d%2d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6)
        return -1;
    if (tm.tm_year < 2000 || tm.tm_year > 2199)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    back = tm;
    seconds = timegm(&back);
    t = (time_t) seconds;
    /* timegm() accepts the 31st of February; a date that comes back changed was none. */
    if (gmtime_r(&t, &back) == NULL || back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday ||
        back.tm_hour != tm.tm_hour || back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
        return -1;
    return seconds;
}

bool repo_key_is_date(const char *text)
{
    return key_time(text) >= 0;
}

int64_t repo_key_seconds(const char *key)
{
    return key_time(key);
}

void repo_key_from_seconds(char key[SET_KEY_LEN], int64_t seconds)
{
    time_t t = (time_t) seconds;
    struct tm tm;
    char text[64];

    gmtime_r(&t, &tm);
    snprintf(text, sizeof(text), "%04d%02d%02d%02d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(key, text, SET_KEY_LEN - 1);
    key[SET_KEY_LEN - 1] = '\0';
}

bool repo_key_parse(const char *text, Error *err)
{
    char shown[64];
    int64_t seconds = key_time(text);

    str_one_line(shown, sizeof(shown), text);
    if (seconds < 0)
    {
        error_set(err, ERR_USAGE, "\"%s\" is not the key of a set", shown);
        return error_hint(err, "A key is a date and time of 14 digits (YYYYMMDDHHMMSS, UTC).");
    }
    if (seconds > clock_wall_us() / 1000000 + DAY_S)
        return error_set(err, ERR_USAGE, "key %s lies in the future", shown);
    return true;
}

char *repo_set_dir(const Repo *repo, void *ctx, const char *key)
{
    return mem_printf(ctx, "%s%.8s/%s", repo->layout == LAYOUT_DAYS ? "" : "sets/", key, key);
}

char *repo_set_dir_like(void *ctx, const char *set_dir, const char *key)
{
    size_t len = strlen(set_dir);
    size_t end = strlen("YYYYMMDD/") + SET_KEY_LEN - 1;
    return mem_printf(ctx, "%.*s%.8s/%s", (int) (len > end ? len - end : 0), set_dir, key, key);
}

/* A key is no part of a longer number. */
bool repo_is_beside(const char *name, const char *key)
{
    const char *dump = strstr(name, "gp_");
    for (const char *at = dump; at != NULL && (at = strstr(at, key)) != NULL; at++)
    {
        if ((at == name || !isdigit((unsigned char) at[-1])) &&
            !isdigit((unsigned char) at[strlen(key)]))
            return true;
    }
    return false;
}

char *repo_escape(void *ctx, const char *text)
{
    Str *s = str_new(NULL);
    char *escaped;

    for (const char *p = text; *p != '\0'; p++)
    {
        if ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
            *p == '_' || *p == '-' || (*p == '.' && p != text))
            str_addc(s, *p);
        else
            str_addf(s, "%%%02X", (unsigned) (unsigned char) *p);
    }
    escaped = mem_strdup(ctx, *text == '\0' ? "%" : s->data);
    mem_free(s);
    return escaped;
}
