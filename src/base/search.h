/*
 * base/search.h - binary search in what is sorted, whatever holds it.
 *
 * bsearch() finds an element of an array that equals a key. Where the first of several is wanted, or the
 * place of one that is not there, or the list is no array (a result of the server, an order of numbers), this is it.
 */
#ifndef PGARK_BASE_SEARCH_H
#define PGARK_BASE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* Whether element i of the list comes before the key. */
typedef bool SearchBefore(const void *list, size_t i, const void *key);

/* search_first is the number of the first of count elements that is not before the key, count where all are. The
 * list is sorted so that `before` is true for its beginning only; it may be NULL where count is 0. */
size_t search_first(const void *list, size_t count, SearchBefore *before, const void *key);

#endif
