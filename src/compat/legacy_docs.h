/*
 * compat/legacy_docs.h - manual pages and completions of the classic tools, from their tables.
 */
#ifndef PGARK_COMPAT_LEGACY_DOCS_H
#define PGARK_COMPAT_LEGACY_DOCS_H

#include <stdio.h>

#include "compat/legacy_options.h"

/* legacy_docs_man writes a program's page, DIR/NAME.1; see_also: the pages that it names last, NULL behind the last
 * (its own is left out). ERR_USAGE: it cannot be written. */
bool legacy_docs_man(const LegacyProgram *program, const char *const *see_also, const char *dir,
                     Error *err) MUST_CHECK;

/* legacy_docs_bash and legacy_docs_zsh write the function of a shell that completes these programs (CompletionMore of
 * config/options.h). NULL behind the last program. */
#define LEGACY_COMPLETION "_pgark_classic"
void legacy_docs_bash(const LegacyProgram *const *programs, FILE *out);
void legacy_docs_zsh(const LegacyProgram *const *programs, FILE *out);

#endif
