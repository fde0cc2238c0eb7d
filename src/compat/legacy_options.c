/* compat/legacy_options.c - parser and help by a table; the contract is in legacy_options.h. */
#include "compat/legacy_options.h"

#include <ctype.h>
#include <errno.h>

#include "base/log.h"
#include "base/str.h"
#include "config/option_nearest.h"
#include "config/options.h"

#define SHOWN_MAX   80
#define HELP_COLUMN 32
#define HELP        "help"
#define VERSION     "version"

typedef struct Value
{
    const char *called; /* "-t", "--table"; NULL: not given */
    const char *name;   /* its first one in the table */
    const char **items;
    size_t count, capacity;
} Value;

struct LegacyOptions
{
    const LegacyProgram *program;
    int argc;
    char **argv;
    Value values[LEGACY_ID_MAX];
    Value arguments;
};

typedef struct Parser
{
    LegacyOptions *o;
    int next; /* the word to look at */
    bool done;
    Error *err;
} Parser;

/* What every program has. */
static const LegacyOption common[] = {
    {.name = HELP, .letter = '?', .help = "show this text, then exit"},
    {.name = VERSION, .letter = 'V', .help = "show the version, then exit"},
};

static bool is_last(const LegacyOption *option)
{
    return option->name == NULL && option->letter == '\0';
}

static const LegacyOption *option_at(const LegacyProgram *program, size_t i)
{
    size_t own = 0;
    while (!is_last(&program->options[own]) && own < i)
        own++;
    if (own == i && !is_last(&program->options[own]))
        return &program->options[own];
    return i - own < LENGTH_OF(common) ? &common[i - own] : NULL;
}

static const char *shown(char buf[SHOWN_MAX], const char *text)
{
    return str_one_line(buf, SHOWN_MAX, text);
}

static bool hint_help(const Parser *p)
{
    return error_hint(p->err, "\"%s --help\" lists its options.", p->o->program->name);
}

/* ---- help ---- */

static void print_option(FILE *out, const LegacyOption *option, const LegacyOption *next)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "help");
    Str *left = str_new(ctx);
    if (option->letter != '\0')
        str_addf(left, "  -%c%s", option->letter, option->name != NULL ? ", " : "");
    else
        str_add(left, "      ");
    if (option->name != NULL)
        str_addf(left, "--%s", option->name);
    if (option->arg != NULL)
    {
        bool optional = option->type == LEGACY_OPTIONAL;
        bool attached = option->name != NULL && option->words == NULL;
        const char *before = !optional  ? (option->name != NULL ? "=" : " ")
                             : attached ? "[="
                                        : " [";
        str_addf(left, "%s%s%s", before, option->arg, optional ? "]" : "");
    }
    if (next != NULL && option->id != 0 && next->id == option->id && next->help == NULL &&
        next->name != NULL)
        str_addf(left, ", --%s", next->name);
    if (left->len + 2 > HELP_COLUMN)
        fprintf(out, "%s\n%*s", left->data, HELP_COLUMN, "");
    else
        fprintf(out, "%-*s", HELP_COLUMN, left->data);
    str_print_wrapped(out, HELP_COLUMN, option->help);
}

static void print_help(const LegacyProgram *program, FILE *out)
{
    const LegacyOption *option = NULL;
    fprintf(out, "Usage:\n  %s %s\n\n", program->name, program->synopsis);
    str_print_wrapped(out, 0, program->about);
    fputs("\nOptions:\n", out);
    for (size_t i = 0; (option = option_at(program, i)) != NULL; i++)
    {
        bool listed = option->help != NULL && option->type < LEGACY_IGNORED;
        if (listed)
            print_option(out, option, option_at(program, i + 1));
    }
    fputs("\nPGHOST, PGPORT, PGUSER, PGDATABASE and libpq's password file are used as by psql.\n",
          out);
}

/* ---- finding options ---- */

static bool unknown(const Parser *p, const char *name)
{
    char buf[SHOWN_MAX];
    NearestName nearest = {.text = name};
    const LegacyOption *option = NULL;
    for (size_t i = 0; (option = option_at(p->o->program, i)) != NULL; i++)
    {
        if (option->name != NULL)
            option_nearest_offer(&nearest, option->name);
    }
    error_set(p->err, ERR_USAGE, "%s has no option --%s", p->o->program->name, shown(buf, name));
    if (nearest.best != NULL)
        return error_hint(p->err, "Did you mean --%s?", nearest.best);
    return hint_help(p);
}

static bool same_option(const LegacyOption *a, const LegacyOption *b)
{
    return a == b || (a->id != 0 && a->id == b->id);
}

/* By its whole name, or by the beginning of no other option's. */
static const LegacyOption *find_long(const Parser *p, const char *name)
{
    const LegacyOption *found = NULL;
    const LegacyOption *other = NULL;
    const LegacyOption *option = NULL;
    size_t len = strlen(name);
    for (size_t i = 0; (option = option_at(p->o->program, i)) != NULL; i++)
    {
        if (option->name == NULL || len == 0 || strncmp(option->name, name, len) != 0)
            continue;
        if (option->name[len] == '\0')
            return option;
        if (found == NULL)
            found = option;
        else if (!same_option(found, option))
            other = option;
    }
    if (other != NULL)
    {
        char buf[SHOWN_MAX];
        error_set(p->err, ERR_USAGE, "--%s may be --%s or --%s", shown(buf, name), found->name,
                  other->name);
        error_hint(p->err, "Write it in full.");
        return NULL;
    }
    if (found == NULL)
        unknown(p, name);
    return found;
}

static const LegacyOption *find_short(const Parser *p, char letter)
{
    const LegacyOption *option = NULL;
    for (size_t i = 0; (option = option_at(p->o->program, i)) != NULL; i++)
    {
        if (option->letter == letter)
            return option;
    }
    if (isprint((unsigned char) letter))
        error_set(p->err, ERR_USAGE, "%s has no option -%c", p->o->program->name, letter);
    else
        error_set(p->err, ERR_USAGE, "%s has no such option", p->o->program->name);
    hint_help(p);
    return NULL;
}

/* ---- taking options ---- */

static bool has_word(const char *words, const char *text)
{
    size_t len = strlen(text);
    for (const char *w = words; w != NULL; w = strchr(w, '|'))
    {
        w += *w == '|' ? 1 : 0;
        if (strcspn(w, "|") == len && strncmp(w, text, len) == 0)
            return true;
    }
    return false;
}

static bool refuse(const Parser *p, const LegacyOption *option, const char *called)
{
    error_set(p->err, ERR_USAGE, "%s is not taken: %s", called, option->help);
    return error_hint(p->err, "%s", option->hint);
}

static bool errand(Parser *p, const LegacyOption *option)
{
    if (option == &common[0])
        print_help(p->o->program, stdout);
    else
        printf("%s (pgark) %s\n", p->o->program->name, PGARK_VERSION);
    p->done = true;
    return true;
}

/* value NULL: a flag, or optional and without one. */
static bool take(Parser *p, const LegacyOption *option, const char *called, const char *value)
{
    char buf[SHOWN_MAX];
    bool common_one = option >= common && option < common + LENGTH_OF(common);
    if (common_one)
        return errand(p, option);
    if (option->type == LEGACY_REFUSED)
        return refuse(p, option, called);
    if (option->type == LEGACY_IGNORED || option->type == LEGACY_IGNORED_VALUE)
    {
        log_info("%s does nothing: %s", called, option->help);
        return true;
    }
    Value *kept = &p->o->values[option->id];
    if (option->type == LEGACY_VALUE && kept->called != NULL)
        return error_set(p->err, ERR_USAGE, "%s is given more than once", called);
    if (value != NULL && option->words != NULL && !has_word(option->words, value))
    {
        error_set(p->err, ERR_USAGE, "%s: \"%s\" is no value of it", called, shown(buf, value));
        return error_hint(p->err, "It takes one of %s.", option->words);
    }
    kept->called = called;
    if (value != NULL)
        *mem_push(p->o, kept->items, kept->count, kept->capacity, const char *) = value;
    return true;
}

static bool wants_value(const LegacyOption *option)
{
    return option->type == LEGACY_VALUE || option->type == LEGACY_LAST ||
           option->type == LEGACY_LIST || option->type == LEGACY_IGNORED_VALUE;
}

/* The word behind an option, where it is its value. */
static bool next_value(Parser *p, const LegacyOption *option, const char *called,
                       const char **ret_value)
{
    const char *word = p->next < p->o->argc ? p->o->argv[p->next] : NULL;
    *ret_value = NULL;
    if (option->type == LEGACY_OPTIONAL)
    {
        if (word != NULL && has_word(option->words, word))
        {
            *ret_value = word;
            p->next++;
        }
        return true;
    }
    if (!wants_value(option))
        return true;
    if (word == NULL)
    {
        error_set(p->err, ERR_USAGE, "%s needs a value", called);
        return hint_help(p);
    }
    *ret_value = word;
    p->next++;
    return true;
}

static bool parse_long(Parser *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals == NULL ? strlen(word) : (size_t) (equals - word);
    const LegacyOption *option = find_long(p, mem_strndup(p->o, word, len));
    if (option == NULL)
        return false;
    const char *called = mem_printf(p->o, "--%s", option->name);
    const char *value = equals == NULL ? NULL : equals + 1;
    bool flag = option->type == LEGACY_FLAG || option->type == LEGACY_IGNORED;
    if (flag && value != NULL)
        return error_set(p->err, ERR_USAGE, "%s takes no value", called);
    return (value != NULL || next_value(p, option, called, &value)) &&
           take(p, option, called, value);
}

/* The rest of the word behind an option with a value is its value. */
static bool parse_short(Parser *p, const char *letters)
{
    for (const char *c = letters; *c != '\0' && !p->done; c++)
    {
        const LegacyOption *option = find_short(p, *c);
        if (option == NULL)
            return false;
        const char *called = mem_printf(p->o, "-%c", *c);
        const char *value = c + 1;
        bool rest = wants_value(option) && *value != '\0';
        if (!rest && (option->type != LEGACY_OPTIONAL || c[1] == '\0') &&
            !next_value(p, option, called, &value))
            return false;
        if (!rest && option->type == LEGACY_OPTIONAL && c[1] != '\0')
            value = NULL;
        if (!take(p, option, called, value))
            return false;
        if (rest)
            return true;
    }
    return true;
}

static bool take_argument(Parser *p, const char *word)
{
    char buf[SHOWN_MAX];
    Value *a = &p->o->arguments;
    if (a->count == p->o->program->max_arguments)
    {
        error_set(p->err, ERR_USAGE, "%s takes no argument \"%s\"", p->o->program->name,
                  shown(buf, word));
        return hint_help(p);
    }
    *mem_push(p->o, a->items, a->count, a->capacity, const char *) = word;
    return true;
}

static bool parse_words(Parser *p)
{
    bool options_over = false;
    while (p->next < p->o->argc && !p->done)
    {
        const char *word = p->o->argv[p->next++];
        bool done = true;
        if (options_over || word[0] != '-' || word[1] == '\0')
            done = take_argument(p, word);
        else if (strcmp(word, "--") == 0)
            options_over = true;
        else if (word[1] == '-')
            done = parse_long(p, word + 2);
        else
            done = parse_short(p, word + 1);
        if (!done)
            return false;
    }
    return true;
}

/* ---- what cannot stand together ---- */

static bool check_exclusion(const Parser *p, const LegacyExclusion *x)
{
    int first = 0;
    for (size_t i = 0; i < LENGTH_OF(x->ids) && x->ids[i] != 0; i++)
    {
        if (!legacy_options_given(p->o, x->ids[i]))
        {
            if (x->first_only && i == 0)
                return true;
            continue;
        }
        if (first == 0)
        {
            first = x->ids[i];
            continue;
        }
        error_set(p->err, ERR_USAGE, "%s and %s exclude each other",
                  legacy_options_called(p->o, first), legacy_options_called(p->o, x->ids[i]));
        return x->hint == NULL ? false : error_hint(p->err, "%s", x->hint);
    }
    return true;
}

static bool check_exclusions(const Parser *p)
{
    const LegacyExclusion *x = p->o->program->excluded;
    for (; x != NULL && x->ids[0] != 0; x++)
    {
        if (!check_exclusion(p, x))
            return false;
    }
    return true;
}

static void name_options(LegacyOptions *o)
{
    for (const LegacyOption *option = o->program->options; !is_last(option); option++)
    {
        Value *v = &o->values[option->id];
        if (v->name == NULL)
            v->name = option->name != NULL ? mem_printf(o, "--%s", option->name)
                                           : mem_printf(o, "-%c", option->letter);
    }
}

LegacyOptions *legacy_options_parse(void *ctx, const LegacyProgram *program, int argc, char **argv,
                                    bool *ret_done, Error *err)
{
    LegacyOptions *o = mem_new(ctx, LegacyOptions);
    Parser p = {.o = o, .next = 1, .err = err};
    o->program = program;
    o->argc = argc;
    o->argv = argv;
    name_options(o);
    if (!parse_words(&p) || (!p.done && !check_exclusions(&p)))
    {
        mem_free(o);
        return NULL;
    }
    *ret_done = p.done;
    return o;
}

/* ---- what was given ---- */

bool legacy_options_given(const LegacyOptions *o, int id)
{
    return o->values[id].called != NULL;
}

const char *legacy_options_string(const LegacyOptions *o, int id)
{
    const Value *v = &o->values[id];
    return v->count == 0 ? NULL : v->items[v->count - 1];
}

const char *const *legacy_options_list(const LegacyOptions *o, int id, size_t *ret_count)
{
    *ret_count = o->values[id].count;
    return o->values[id].items;
}

bool legacy_options_int(const LegacyOptions *o, int id, int64_t min, int64_t max, int64_t *ret,
                        Error *err)
{
    char buf[SHOWN_MAX];
    char *end = NULL;
    const char *text = legacy_options_string(o, id);
    if (text == NULL)
        return true;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool number = text[0] != '\0' && strspn(text, "0123456789-") == strlen(text) && *end == '\0';
    if (!number || errno != 0 || value < min || value > max)
        return error_set(err, ERR_USAGE, "%s: \"%s\" is no number from %" PRId64 " to %" PRId64,
                         legacy_options_called(o, id), shown(buf, text), min, max);
    *ret = value;
    return true;
}

const char *legacy_options_called(const LegacyOptions *o, int id)
{
    const Value *v = &o->values[id];
    return v->called != NULL ? v->called : v->name;
}

const char *const *legacy_options_arguments(const LegacyOptions *o, size_t *ret_count)
{
    *ret_count = o->arguments.count;
    return o->arguments.items;
}

/* A conninfo string or URI. */
static bool may_hold_password(const char *word)
{
    const char *found = strstr(word, "password");
    if (found == NULL)
        return strstr(word, "://") != NULL;
    found += strlen("password");
    return found[strspn(found, " \t\r\n")] == '=';
}

static void add_word(Str *s, const char *word)
{
    bool secret = may_hold_password(word);
    bool quoted = word[0] == '\0' || strpbrk(word, " \t\r\n\"'\\$`") != NULL;
    if (secret)
        word = "***";
    if (secret || !quoted)
    {
        str_add(s, word);
        return;
    }
    str_addc(s, '\'');
    for (const char *c = word; *c != '\0'; c++)
    {
        if (*c == '\'')
            str_add(s, "'\\''");
        else
            str_addc(s, iscntrl((unsigned char) *c) ? '?' : *c);
    }
    str_addc(s, '\'');
}

char *legacy_options_line(const LegacyOptions *o, void *ctx)
{
    Str *s = str_new(ctx);
    str_add(s, o->program->name);
    for (int i = 1; i < o->argc; i++)
    {
        str_addc(s, ' ');
        add_word(s, o->argv[i]);
    }
    return s->data;
}
