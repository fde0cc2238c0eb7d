/* restore/cost.c - the contract is in cost.h. */
#include "restore/cost.h"

#define SAMPLE_ROWS 30000

double cost_load(uint64_t rows, uint64_t bytes)
{
    return COST_STATEMENT + 0.3 * (double) rows + 0.008 * (double) bytes;
}

double cost_build(uint64_t rows, uint64_t bytes, bool slowly)
{
    return COST_STATEMENT + (slowly ? 1.7 : 0.5) * (double) rows + 0.0005 * (double) bytes;
}

double cost_check(uint64_t rows, uint64_t bytes)
{
    return COST_STATEMENT + 0.15 * (double) rows + 0.0005 * (double) bytes;
}

double cost_analyze(uint64_t rows, uint64_t bytes)
{
    uint64_t sample = rows < SAMPLE_ROWS ? rows : SAMPLE_ROWS;
    return COST_STATEMENT + 3 * (double) sample +
           0.001 * (double) bytes * ((double) sample / (double) (rows + 1));
}
