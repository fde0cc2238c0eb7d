/*
 * report/metrics.h - how the last backup ended, as a file in Prometheus's text format.
 *
 * For the textfile collector of node_exporter, which reads *.prom. One file belongs to one fleet and
 * series: whoever writes it replaces it.
 */
#ifndef PGARK_REPORT_METRICS_H
#define PGARK_REPORT_METRICS_H

#include "report/run_outcome.h"

/* metrics_check finds out, before any work is done, whether the file's directory is there and can be written
 * to: ERR_USAGE. */
bool metrics_check(const char *path, Error *err) MUST_CHECK;

/* metrics_write replaces the file: a reader sees the old one or the new one, and may be anybody (mode 0644;
 * there is nothing in it that the list of processes does not tell). What it says about the last success is
 * taken over from the old file when this run was none. ERR_STORAGE. */
bool metrics_write(const char *path, const RunOutcome *outcome, Error *err) MUST_CHECK;

#endif
