/*
 * restore/journal.h - what a restore has done, kept in the target database itself.
 *
 * Schema pgark_restore holds what the restore was asked for, and an item for everything it has done.
 * An item is written by the transaction that does the thing, in the same round trip: so it is there
 * exactly when the thing is, whatever ends the restore. What cannot be undone by being done again
 * is always done that way; a few harmless things (sequences, rights of large objects) are noted
 * behind. A restore that is to go on (--resume) reads the items once and skips what they name.
 *
 * Rows of unlogged tables do not outlive a crash of the server. Neither do their items: those are
 * in an unlogged table of their own, so such rows are loaded again.
 *
 * A transaction of another server of a cluster writes its item into a table of its own, too, which the
 * cluster makes known to all of them (RestorePlaces.writers).
 *
 * The schema is made by the role that restores, and only taken for a journal when that role owns it.
 */
#ifndef PGARK_RESTORE_JOURNAL_H
#define PGARK_RESTORE_JOURNAL_H

#include "restore/node.h"

typedef enum JournalKind
{
    JOURNAL_DEFINITION = 'd', /* id: of the archive's entry; part: which of its statements */
    JOURNAL_TABLE = 't',      /* id: oid at the source; all rows */
    JOURNAL_CHUNK = 'c',      /* id: oid at the source; part: the chunk's number */
    JOURNAL_PART = 'p',    /* id: oid at the source; part: the number of the part's first chunk */
    JOURNAL_SPREAD = 'e',  /* id: RestoreCluster's own */
    JOURNAL_ANALYZE = 'a', /* part: which table */
    JOURNAL_OBJECTS = 'o', /* id: JournalObjects; part: the chunk's number */
    JOURNAL_STEP = 's',    /* id: JournalStep */
} JournalKind;

typedef enum JournalStep
{
    JOURNAL_CLEANED,
    JOURNAL_EMPTIED,
    JOURNAL_UNLINKED, /* large objects that had to give way */
    JOURNAL_SEQUENCES,
    JOURNAL_COMPLETE, /* all of this node is done */
    JOURNAL_OVER,     /* all nodes are complete: their journals are being removed */
} JournalStep;

typedef enum JournalObjects
{
    JOURNAL_OBJECTS_CREATED,
    JOURNAL_OBJECTS_FILLED,
    JOURNAL_OBJECTS_FINISHED,
    JOURNAL_OBJECTS_FAILED, /* part: oid of one that was not made; the run went on */
} JournalObjects;

typedef struct JournalItem
{
    JournalKind kind;
    int64_t id;
    int64_t part;
    bool unlogged;  /* to be forgotten when the server crashes */
    bool elsewhere; /* written through another server */
} JournalItem;

typedef struct Journal Journal;

/* The table of what was done through other servers. */
#define JOURNAL_ELSEWHERE "pgark_restore.done_elsewhere"

/* journal_open looks through conn (to the target database) for a journal and makes it
 * node->journal; NULL: there is none. With --resume it must be of the same request:
 * ERR_USAGE names the first difference. Without, ERR_EXISTS, unless --clean or --truncate will
 * begin anew. Blocks. */
bool journal_open(RestoreNode *node, PgConn *conn, Error *err) MUST_CHECK;

/* journal_take_over makes a journal of a node whose own was removed because all was complete. */
void journal_take_over(RestoreNode *node);

/* journal_begin makes the schema, through node->main, where there is none to go on with; an older
 * one is removed. Where the role may not, or the set has a schema of this name, the restore goes on
 * without a journal: node->journal is NULL then. Blocks. */
bool journal_begin(RestoreNode *node, Error *err) MUST_CHECK;

/* journal_has tells whether an item was there when the journal was opened; journal_has_any, whether
 * one of this kind and id was. journal may be NULL. Thread-safe. */
bool journal_has(const Journal *journal, JournalItem item);
bool journal_has_any(const Journal *journal, JournalKind kind, int64_t id);

/* journal_definition and journal_analyze are the items of a statement. */
JournalItem journal_definition(const DdlEntry *entry);
JournalItem journal_analyze(const char *quoted);

/* journal_note is the statement that writes an item, with "; " behind it, below ctx; "" without a
 * journal. It goes before the statements that do the thing, which may change the role.
 * journal_done runs it alone. */
const char *journal_note(void *ctx, const Journal *journal, JournalItem item);
bool journal_done(const Journal *journal, PgConn *conn, JournalItem item, Error *err) MUST_CHECK;

/* journal_is tells whether that step is done; true for JOURNAL_COMPLETE after journal_take_over. */
bool journal_is(const Journal *journal, JournalStep step);

/* journal_remove drops the schema, if there is one, within the transaction that node->main is in.
 * What keeps it from that is a warning: the restore itself is complete. */
bool journal_remove(RestoreNode *node, Error *err) MUST_CHECK;

/* journal_forget drops it after a failure when nothing was done that it holds: a database that was
 * there before then has nothing of this restore. Does its best; also when the run is cancelled. */
void journal_forget(RestoreNode *node);

#endif
