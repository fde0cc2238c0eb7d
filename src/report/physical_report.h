/*
 * report/physical_report.h - what a physical set has besides what every set has; for set_report.c only.
 */
#ifndef PGARK_REPORT_PHYSICAL_REPORT_H
#define PGARK_REPORT_PHYSICAL_REPORT_H

#include <jansson.h>

#include "repo/manifest.h"

/* physical_report_node prints WAL, timeline, parts and tablespaces of a node, indented below its line;
 * physical_report_json: an array of the same for all nodes. Of a manifest without parts (headers only) both leave
 * out what these say. */
void physical_report_node(FILE *out, const Manifest *m, int content);
json_t *physical_report_json(const Manifest *m);

#endif
