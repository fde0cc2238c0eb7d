/*
 * restore/cost.h - how long the parts of a restore are going to take, roughly.
 *
 * In microseconds of one worker on a machine of 2020; measured with rows of some tens of bytes.
 * Only the proportions matter: they say what should begin first.
 */
#ifndef PGARK_RESTORE_COST_H
#define PGARK_RESTORE_COST_H

#include "base/build.h"

/* Any statement at all. */
#define COST_STATEMENT 1500.0

/* cost_load: COPY of so many rows of so many bytes; cost_build: an index on them, slowly
 * when its values are compared as texts are; cost_check: a join
 * or scan over them; cost_analyze: ANALYZE, which samples at most 30,000 rows at the default target.
 */
double cost_load(uint64_t rows, uint64_t bytes);
double cost_build(uint64_t rows, uint64_t bytes, bool slowly);
double cost_check(uint64_t rows, uint64_t bytes);
double cost_analyze(uint64_t rows, uint64_t bytes);

#endif
