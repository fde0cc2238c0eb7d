/* base/search.c - binary search in what is sorted; the contract is in search.h. */
#include "base/search.h"

size_t search_first(const void *list, size_t count, SearchBefore *before, const void *key)
{
    size_t low = 0;
    size_t high = count;
    while (low < high)
    {
        size_t middle = low + (high - low) / 2;
        if (before(list, middle, key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
