/*
 * report/history.h - every backup in one line: in the repository, or in a table of the database.
 */
#ifndef PGARK_REPORT_HISTORY_H
#define PGARK_REPORT_HISTORY_H

#include "pg/conn.h"
#include "repo/repo.h"
#include "report/run_outcome.h"

#define HISTORY_FILE "history.jsonl"
#define HISTORY_MAX  ((size_t) 64 * 1024 * 1024)

/* history_to_repository adds one JSON object in a line of its own to history.jsonl. The file is replaced
 * as a whole, so that it has all of a line or nothing; others that do the same are waited for. ERR_STORAGE,
 * also for a file of more than HISTORY_MAX bytes; ERR_LOCK: somebody else writes and does not end. */
bool history_to_repository(Repo *repo, const RunOutcome *outcome, Error *err) MUST_CHECK;

/* history_to_database adds a row to pgark.history, which is made where it is missing, over a connection of
 * its own. Blocks as long as the server lets it connect, and then for 10 s at most. ERR_CONNECT,
 * ERR_QUERY. */
bool history_to_database(const PgConnSpec *spec, const RunOutcome *outcome, Error *err) MUST_CHECK;

#endif
