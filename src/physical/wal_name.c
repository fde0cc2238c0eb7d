/* physical/wal_name.c - names of files of WAL; the contract is in wal_name.h. */
#include "physical/wal_name.h"

#define DIGITS "0123456789ABCDEF"

bool wal_segment_size_sound(uint64_t bytes)
{
    return bytes >= WAL_SEGMENT_MIN && bytes <= WAL_SEGMENT_MAX && (bytes & (bytes - 1)) == 0;
}

/* So many segments share the middle part of their names. */
static uint64_t segments_per_group(uint64_t segment_size)
{
    return (UINT64_C(1) << 32) / segment_size;
}

char *wal_name_format(char name[WAL_NAME_LEN], uint32_t timeline, uint64_t lsn,
                      uint64_t segment_size)
{
    uint64_t number = lsn / segment_size;
    uint64_t group = segments_per_group(segment_size);
    snprintf(name, WAL_NAME_LEN, "%08" PRIX32 "%08" PRIX32 "%08" PRIX32, timeline,
             (uint32_t) (number / group), (uint32_t) (number % group));
    return name;
}

static uint32_t parse_part(const char *digits)
{
    char text[9];
    memcpy(text, digits, 8);
    text[8] = '\0';
    return (uint32_t) strtoul(text, NULL, 16);
}

bool wal_name_is_segment(const char *name)
{
    return strlen(name) == WAL_NAME_LEN - 1 && strspn(name, DIGITS) == WAL_NAME_LEN - 1;
}

bool wal_name_is_history(const char *name)
{
    return strlen(name) == WAL_HISTORY_LEN - 1 && strspn(name, DIGITS) == 8 &&
           strcmp(name + 8, ".history") == 0;
}

bool wal_name_parse(const char *name, uint64_t segment_size, uint32_t *ret_timeline,
                    uint64_t *ret_start)
{
    if (!wal_name_is_segment(name))
        return false;
    uint64_t group = segments_per_group(segment_size);
    uint32_t low = parse_part(name + 16);
    *ret_timeline = parse_part(name);
    *ret_start = (parse_part(name + 8) * group + low) * segment_size;
    return *ret_timeline > 0 && low < group;
}

char *wal_history_format(char name[WAL_HISTORY_LEN], uint32_t timeline)
{
    snprintf(name, WAL_HISTORY_LEN, "%08" PRIX32 ".history", timeline);
    return name;
}
