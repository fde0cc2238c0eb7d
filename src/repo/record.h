/*
 * repo/record.h - a manifest record as JSON and back; for the manifest's writer and reader only.
 *
 * One table of fields per record type serves both directions, so that what is written is what is
 * accepted: every field there, of its type and range, and none besides.
 */
#ifndef PGARK_REPO_RECORD_H
#define PGARK_REPO_RECORD_H

#include <jansson.h>

#include "repo/manifest.h"

/* record_encode returns the JSON object of a record, to be given back with json_decref; NULL with
 * ERR_INTERNAL when the record holds what a reader would refuse. */
json_t *record_encode(ManifestLineType type, const void *record, Error *err);

/* record_line gives that as a line of text with its end, below ctx. */
char *record_line(void *ctx, ManifestLineType type, const void *record, Error *err);

/* record_decode fills ret, which is zeroed, below ctx; ERR_CORRUPT names the field that is wrong; ERR_USAGE: the
 * set's records are of a newer format. */
bool record_decode(void *ctx, json_t *object, ManifestLine *ret, Error *err) MUST_CHECK;

/* record_type_name returns the word in the field "type". */
const char *record_type_name(ManifestLineType type);

#endif
