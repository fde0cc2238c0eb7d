/*
 * config/doc_text.h - pieces of manual pages and of completions, for whoever makes them of a table of options.
 */
#ifndef PGARK_CONFIG_DOC_TEXT_H
#define PGARK_CONFIG_DOC_TEXT_H

#include <stdio.h>

#include "base/build.h"

/* doc_text_man: text with roff's own characters made harmless. A dash becomes the ASCII one, so that what is copied from the
 * page works in a shell. at_start: the text begins a line. */
void doc_text_man(FILE *out, const char *text, bool at_start);

/* doc_text_man_paragraphs: the same of text whose paragraphs are separated by newlines; it begins and ends lines. */
void doc_text_man_paragraphs(FILE *out, const char *text);

/* doc_text_man_head: the title, and the section NAME. */
void doc_text_man_head(FILE *out, const char *page, const char *summary);

/* doc_text_upper: not toupper(), as pages must not depend on the locale of who builds them. */
char doc_text_upper(char c);

/* doc_text_zsh: text inside '...' and inside [...] of a specification of _arguments. */
void doc_text_zsh(FILE *out, const char *text);

/* DOC_TEXT_BASH_WORDS begins a completion for bash: the word that is completed in cur, the one before it in prev. "=" is a
 * word of its own in bash's eyes: "--format=te" arrives as "--format" "=" "te". */
#define DOC_TEXT_BASH_WORDS                                                                        \
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"                   \
    "    COMPREPLY=()\n"                                                                           \
    "    if [[ $cur == = ]]; then\n"                                                               \
    "        cur=\n"                                                                               \
    "    elif [[ $prev == = && $COMP_CWORD -ge 2 ]]; then\n"                                       \
    "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"                                                   \
    "    fi\n"

#endif
