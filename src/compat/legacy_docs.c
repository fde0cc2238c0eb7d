/* compat/legacy_docs.c - manual pages and completions; the contract is in legacy_docs.h. */
#include "compat/legacy_docs.h"

#include "base/str.h"
#include "config/doc_text.h"

/* ---- rows ---- */

static bool is_last(const LegacyOption *o)
{
    return o->name == NULL && o->letter == '\0';
}

/* Further names of the option before have no help of their own. */
static bool is_listed(const LegacyOption *o)
{
    return o->type < LEGACY_IGNORED && o->help != NULL;
}

static bool is_taken(const LegacyOption *o)
{
    return o->type < LEGACY_IGNORED;
}

static bool has_value(const LegacyOption *o)
{
    return o->type == LEGACY_VALUE || o->type == LEGACY_LAST || o->type == LEGACY_LIST;
}

/* Files, as far as what help calls the value tells. */
static bool is_file(const LegacyOption *o)
{
    return str_equal(o->arg, "FILE") || str_equal(o->arg, "DIR") || str_equal(o->arg, "PROGRAM");
}

static void put_words(FILE *out, const char *words)
{
    for (const char *c = words; *c != '\0'; c++)
        fputc(*c == '|' ? ' ' : *c, out);
}

/* ---- manual pages ---- */

static void put_names(FILE *out, const LegacyOption *o)
{
    if (o->letter != '\0')
        fprintf(out, "\\fB\\-%c\\fR%s", o->letter, o->name != NULL ? ", " : "");
    if (o->name != NULL)
    {
        fputs("\\fB\\-\\-", out);
        doc_text_man(out, o->name, false);
        fputs("\\fR", out);
    }
}

static void put_sentence(FILE *out, const char *text)
{
    fputc(doc_text_upper(text[0]), out);
    doc_text_man(out, text + 1, false);
    fputs(".", out);
}

static void put_option(FILE *out, const LegacyOption *o)
{
    bool optional = o->type == LEGACY_OPTIONAL;
    fputs(".TP\n", out);
    put_names(out, o);
    if (o->arg != NULL)
    {
        fputs(optional ? " [\\fI" : o->name != NULL ? "=\\fI" : " \\fI", out);
        doc_text_man(out, o->arg, false);
        fputs(optional ? "\\fR]" : "\\fR", out);
    }
    for (const LegacyOption *more = o + 1; o->id != 0 && more->id == o->id && more->help == NULL;
         more++)
    {
        fputs(", ", out);
        put_names(out, more);
    }
    fputc('\n', out);
    put_sentence(out, o->help);
    if (o->type == LEGACY_LIST)
        fputs(" May be repeated.", out);
    fputc('\n', out);
}

/* What is accepted or refused for a reason that several have stands once. */
static bool is_first_with_reason(const LegacyOption *rows, const LegacyOption *o)
{
    for (const LegacyOption *before = rows; before != o; before++)
    {
        if (before->type == o->type && str_equal(before->help, o->help) &&
            str_equal(before->hint, o->hint))
            return false;
    }
    return true;
}

static void put_reason(FILE *out, const LegacyOption *o)
{
    const char *comma = "";
    fputs(".TP\n", out);
    for (const LegacyOption *other = o; !is_last(other); other++)
    {
        if (other->type != o->type || !str_equal(other->help, o->help) ||
            !str_equal(other->hint, o->hint))
            continue;
        fputs(comma, out);
        put_names(out, other);
        comma = ", ";
    }
    fputc('\n', out);
    put_sentence(out, o->help);
    if (o->hint != NULL)
    {
        fputc(' ', out);
        doc_text_man(out, o->hint, false);
    }
    fputc('\n', out);
}

static void put_reasons(FILE *out, const LegacyProgram *program, bool refused, const char *heading)
{
    bool begun = false;
    for (const LegacyOption *o = program->options; !is_last(o); o++)
    {
        if (is_taken(o) || (o->type == LEGACY_REFUSED) != refused ||
            !is_first_with_reason(program->options, o))
            continue;
        if (!begun)
            fprintf(out, ".SH %s\n", heading);
        begun = true;
        put_reason(out, o);
    }
}

/* "0 done", a line each. */
static void put_exits(FILE *out, const char *exits)
{
    fputs(".SH EXIT STATUS\n", out);
    for (const char *line = exits; *line != '\0';)
    {
        size_t number = strcspn(line, " ");
        size_t len = strcspn(line, "\n");
        AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "exit");
        fprintf(out, ".TP\n.B %.*s\n", (int) number, line);
        put_sentence(out, mem_strndup(tmp, line + number + 1, len - number - 1));
        fputc('\n', out);
        line += len + (line[len] == '\n' ? 1 : 0);
    }
}

static void put_see_also(FILE *out, const LegacyProgram *program, const char *const *pages)
{
    const char *comma = "";
    fputs(".SH SEE ALSO\n", out);
    for (; *pages != NULL; pages++)
    {
        if (strcmp(*pages, program->name) == 0)
            continue;
        fprintf(out, "%s.BR ", comma);
        doc_text_man(out, *pages, false);
        fputs(" (1)", out);
        comma = " ,\n";
    }
    fputc('\n', out);
}

static void write_page(FILE *out, const LegacyProgram *program, const char *const *see_also)
{
    doc_text_man_head(out, program->name, program->summary);
    fputs(".SH SYNOPSIS\n\\fB", out);
    doc_text_man(out, program->name, false);
    fputs("\\fR ", out);
    doc_text_man(out, program->synopsis, false);
    fputs("\n.SH DESCRIPTION\n", out);
    doc_text_man_paragraphs(out, program->about);
    fputs(".SH OPTIONS\n", out);
    for (const LegacyOption *o = program->options; !is_last(o); o++)
    {
        if (is_listed(o))
            put_option(out, o);
    }
    fputs(
        ".TP\n\\fB\\-?\\fR, \\fB\\-\\-help\\fR\nShow the options, then exit.\n"
        ".TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\nShow the version, then exit.\n"
        ".PP\nLetters may be bundled, and long names shortened as long as they stay unambiguous.\n",
        out);
    put_reasons(out, program, false, "OPTIONS THAT DO NOTHING");
    put_reasons(out, program, true, "OPTIONS THAT ARE NOT TAKEN");
    put_exits(out, program->exits);
    fputs(
        ".SH ENVIRONMENT\nPGHOST, PGPORT, PGUSER, PGDATABASE and libpq's password file are used as "
        "by psql.\n",
        out);
    put_see_also(out, program, see_also);
}

bool legacy_docs_man(const LegacyProgram *program, const char *const *see_also, const char *dir,
                     Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "man");
    const char *path = mem_printf(tmp, "%s/%s.1", dir, program->name);
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return error_errno(err, ERR_USAGE, "cannot write the manual page \"%s\"", path);
    write_page(out, program, see_also);
    bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad)
        return error_errno(err, ERR_USAGE, "cannot write the manual page \"%s\"", path);
    return true;
}

/* ---- bash ---- */

/* Called with the name of the program. */
static const char bash_head[] = LEGACY_COMPLETION "()\n"
                                                  "{\n" DOC_TEXT_BASH_WORDS
                                                  "    local program=${1##*/} options=\n"
                                                  "    case \"$program $prev\" in\n";

static void put_bash_pattern(FILE *out, const LegacyProgram *program, const LegacyOption *o)
{
    fputs("        ", out);
    if (o->letter != '\0')
        fprintf(out, "'%s -%c'", program->name, o->letter);
    if (o->name != NULL)
        fprintf(out, "%s'%s --%s'", o->letter != '\0' ? "|" : "", program->name, o->name);
    fputs(")\n", out);
}

static void put_bash_value(FILE *out, const LegacyProgram *program, const LegacyOption *o)
{
    if (!is_taken(o) || (!has_value(o) && o->words == NULL))
        return;
    put_bash_pattern(out, program, o);
    if (o->words != NULL)
    {
        fputs("            COMPREPLY=($(compgen -W '", out);
        put_words(out, o->words);
        fputs("' -- \"$cur\"))\n", out);
    }
    else if (is_file(o))
        fputs("            compopt -o filenames\n"
              "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n",
              out);
    /* Where the value may be missing, another option may follow. */
    fputs(o->type == LEGACY_OPTIONAL ? "            [[ $cur == -* ]] || return ;;\n"
                                     : "            return ;;\n",
          out);
}

static void put_bash_options(FILE *out, const LegacyProgram *program)
{
    const char *space = "";
    fprintf(out, "        %s)\n            options='", program->name);
    for (const LegacyOption *o = program->options; !is_last(o); o++)
    {
        if (!is_taken(o))
            continue;
        if (o->letter != '\0')
            fprintf(out, "%s-%c", space, o->letter);
        space = o->letter != '\0' ? " " : space;
        if (o->name != NULL)
            fprintf(out, "%s--%s%s", space, o->name, has_value(o) ? "=" : "");
        space = " ";
    }
    fputs(" --help --version' ;;\n", out);
}

void legacy_docs_bash(const LegacyProgram *const *programs, FILE *out)
{
    fputs(bash_head, out);
    for (const LegacyProgram *const *p = programs; *p != NULL; p++)
    {
        for (const LegacyOption *o = (*p)->options; !is_last(o); o++)
            put_bash_value(out, *p, o);
    }
    fputs("    esac\n    case $program in\n", out);
    for (const LegacyProgram *const *p = programs; *p != NULL; p++)
        put_bash_options(out, *p);
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
          "        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
          "    fi\n"
          "}\n",
          out);
}

/* ---- zsh ---- */

static void put_zsh_value(FILE *out, const LegacyOption *o)
{
    if (!has_value(o) && o->words == NULL)
        return;
    fputs(o->type == LEGACY_OPTIONAL ? "::" : ":", out);
    doc_text_zsh(out, o->arg == NULL ? "" : o->arg);
    fputc(':', out);
    if (o->words != NULL)
    {
        fputc('(', out);
        put_words(out, o->words);
        fputc(')', out);
    }
    else if (is_file(o))
        fputs("_files", out);
}

static void put_zsh_name(FILE *out, const LegacyOption *o, const char *name, const char *suffix,
                         const char *help)
{
    fprintf(out, " \\\n            '%s%s%s[", o->type == LEGACY_LIST ? "*" : "", name, suffix);
    doc_text_zsh(out, help);
    fputc(']', out);
    put_zsh_value(out, o);
    fputc('\'', out);
}

/* help: further names of an option have that of the first. */
static void put_zsh_option(FILE *out, const LegacyOption *o, const char *help)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "zsh");
    if (o->letter != '\0')
        put_zsh_name(out, o, mem_printf(tmp, "-%c", o->letter), has_value(o) ? "+" : "", help);
    if (o->name != NULL)
        put_zsh_name(out, o, mem_printf(tmp, "--%s", o->name), has_value(o) ? "=" : "", help);
}

void legacy_docs_zsh(const LegacyProgram *const *programs, FILE *out)
{
    fputs(LEGACY_COMPLETION "()\n{\n    case $service in\n", out);
    for (const LegacyProgram *const *p = programs; *p != NULL; p++)
    {
        const char *help = "";
        fprintf(out, "    %s)\n        _arguments -s -S", (*p)->name);
        for (const LegacyOption *o = (*p)->options; !is_last(o); o++)
        {
            help = o->help != NULL ? o->help : help;
            if (is_taken(o))
                put_zsh_option(out, o, help);
        }
        fputs(" ;;\n", out);
    }
    fputs("    esac\n}\n", out);
}
