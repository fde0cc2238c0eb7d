/*
 * physical/restore_room.h - how much room the restore of a chain of sets takes.
 *
 * Each set changes in place what those before it have left, so the room is not the sum of the sets: it is the most that
 * is there at any time, counted as a tar archive of the files would be.
 */
#ifndef PGARK_PHYSICAL_RESTORE_ROOM_H
#define PGARK_PHYSICAL_RESTORE_ROOM_H

#include "physical/chain.h"

/* restore_room_need tells the room that the directory of one stream (PartRecord) of a node takes while the chain is
 * restored there, in bytes. It is never too little, but for blocks of the file system; it is too much by no more than the
 * files that one set replaces or removes, where the records of its sets tell how much is new (restored_bytes, added_bytes). Where
 * they do not, by all that the set changes. */
uint64_t restore_room_need(const Chain *chain, int content, const char *stream);

#endif
