/*
 * backup/change_digest.c - unchanged is what reads as it did; the contract is in change.h.
 *
 * Why a chunk that is called unchanged is. Every chunk of an incremental backup is read, in the
 * snapshot of the cut, as it would be for a full one, and goes the same way: COPY data, compression,
 * SHA-256 of what would be stored. It is unchanged if the bytes to be stored have the length and the
 * SHA-256 of those that the base's record names. Then they are those bytes - who finds two texts with
 * one SHA-256 can do worse things - and to refer to them or to store them again is the same. From this
 * alone follows that the set is right: whatever the table's columns, its encoding, the server or the
 * snapshot were when the base was made, decompressing those bytes gives what COPY has sent now. File,
 * number of blocks and ranges only make it likely that there is something to compare.
 *
 * XXH3-128 of the uncompressed bytes would be faster, and is no proof: it has no secret and was not
 * made to withstand anybody. A user of the database who may store bytes of his choice could make two
 * rows that it does not tell apart, and have the old one in every later backup. What is in a table is
 * as hostile as everything else that is read. It is compared all the same, with length and rows: these
 * cost nothing, and are what the record will say.
 *
 * The other direction is not exact: another version of a compressor may make other bytes of the same
 * rows, and rows that have moved within their blocks are read in another order. Then they are stored
 * once more.
 */
#include "backup/change.h"

/* A table that was rewritten or truncated has another file; one with fewer blocks would have to be cut in other
 * places. One that has grown still has its first blocks where they were. */
static bool comparable(const TableRecord *base, const Relation *now)
{
    return now->relfilenode != 0 && base->relfilenode == now->relfilenode &&
           base->blocks <= now->blocks;
}

/* The server's counters start anew after a crash, and count what was rolled back. */
static bool likely_changed(const TableRecord *base, const Relation *now)
{
    return base->changes != now->changes;
}

static bool unchanged(const ChunkRecord *base, const ChunkRecord *now)
{
    return base->stored == now->stored && strcmp(base->sha256, now->sha256) == 0 &&
           base->logical == now->logical && strcmp(base->xxh3, now->xxh3) == 0 &&
           base->rows == now->rows;
}

const ChangeProvider change_digest = {
    .name = "digest",
    .comparable = comparable,
    .likely_changed = likely_changed,
    .unchanged = unchanged,
};
