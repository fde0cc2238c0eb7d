/*
 * physical/request.h - what a physical backup is asked to do.
 */
#ifndef PGARK_PHYSICAL_REQUEST_H
#define PGARK_PHYSICAL_REQUEST_H

#include "base/build.h"

/* What becomes of a run that finds pages whose checksums are not right. */
typedef enum BadPages
{
    BAD_PAGES_FAIL,
    BAD_PAGES_WARN,
    BAD_PAGES_IGNORE, /* they are not looked at */
} BadPages;

typedef struct PhysicalRequest
{
    bool fast_checkpoint; /* at once, not spread */
    uint64_t part_size;   /* logical bytes, about */
    BadPages bad_pages;
    bool bad_pages_given; /* somebody asks for it */
} PhysicalRequest;

#endif
