/*
 * select/selection_internal.h - what the files behind selection.h share.
 */
#ifndef PGARK_SELECT_SELECTION_INTERNAL_H
#define PGARK_SELECT_SELECTION_INTERNAL_H

#include "select/selection.h"

/* selection_mark_children tells for each item, below ctx, whether a pattern of list that means
 * children matches it or one of its ancestors. */
bool *selection_mark_children(const PatternList *list, void *ctx, const SelectionItem *items,
                              size_t count);

#endif
