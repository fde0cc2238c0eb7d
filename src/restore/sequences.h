/*
 * restore/sequences.h - gives the sequences their values.
 */
#ifndef PGARK_RESTORE_SEQUENCES_H
#define PGARK_RESTORE_SEQUENCES_H

#include "restore/node.h"

/* sequences_set gives the node's wanted sequences the values of the set, through node->main. Where
 * rows were appended a sequence is only moved on, never back: its next value may be in use. With
 * --on-error=continue a sequence that is not there is noted and passed over. */
bool sequences_set(RestoreNode *node, Error *err) MUST_CHECK;

#endif
