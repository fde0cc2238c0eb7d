/*
 * config/option_nearest.h - which name somebody who mistyped may have meant.
 *
 * Internal to config and to other parsers of command lines.
 */
#ifndef PGARK_CONFIG_OPTION_NEAREST_H
#define PGARK_CONFIG_OPTION_NEAREST_H

#include "base/build.h"

/* option_nearest_offer adds a candidate to the search, begun as {.text = ...}, for the name nearest
 * to text; best stays NULL when none is close enough to be proposed. */
typedef struct NearestName
{
    const char *text;
    const char *best;
    size_t distance;
} NearestName;
void option_nearest_offer(NearestName *nearest, const char *candidate);

#endif
