/*
 * cli/restore_report.h - what a restore says when it is done: the same whoever did it.
 */
#ifndef PGARK_CLI_RESTORE_REPORT_H
#define PGARK_CLI_RESTORE_REPORT_H

#include <jansson.h>

#include "restore/node.h"

/* restore_report_node says what came of one node, as a JSON object; the caller's. Agents send it. */
json_t *restore_report_node(const RestoreNode *node);

/* restore_report_warn logs what of a node (restore_report_node) is worth a warning. */
void restore_report_warn(json_t *node);

/* restore_report_print prints the whole: nodes is an array of such objects, which is given up. */
void restore_report_print(bool json, const SetRecord *set, json_t *nodes, int64_t elapsed_ms);

#endif
