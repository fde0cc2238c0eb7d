/*
 * test_cron_options.c - gpcrondump's and gpdbrestore's command lines: every option that the classic programs had
 * is there, of the kind it should be; what cannot stand together is refused, naming both; names in values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "compat/email_file.h"
#include "compat/gpcrondump_options.h"
#include "compat/gpdbrestore_options.h"
#include "compat/legacy_names.h"
#include "select/selection.h"

/* An option of a classic program, and the suite of test/tap/t that uses it. */
typedef struct Known
{
    const char *name; /* "-x", "--prefix" */
    LegacyType kind;
    int suite; /* 0: there is nothing to be used: it is refused or does nothing, which is tested here */
} Known;

static const Known of_gpcrondump[] = {
    {"-x", LEGACY_LIST, 47},
    {"-a", LEGACY_FLAG, 47},
    {"-s", LEGACY_LIST, 47},
    {"--schema-file", LEGACY_VALUE, 47},
    {"-S", LEGACY_LIST, 47},
    {"--exclude-schema-file", LEGACY_VALUE, 49},
    {"-t", LEGACY_LIST, 47},
    {"--table-file", LEGACY_VALUE, 47},
    {"-T", LEGACY_LIST, 47},
    {"--exclude-table-file", LEGACY_VALUE, 49},
    {"-u", LEGACY_VALUE, 47},
    {"-d", LEGACY_VALUE, 49},
    {"--incremental", LEGACY_FLAG, 47},
    {"-K", LEGACY_VALUE, 47},
    {"--list-backup-files", LEGACY_FLAG, 47},
    {"--prefix", LEGACY_VALUE, 47},
    {"--list-filter-tables", LEGACY_FLAG, 49},
    {"-c", LEGACY_FLAG, 49},
    {"-o", LEGACY_FLAG, 49},
    {"--cleanup-date", LEGACY_VALUE, 49},
    {"--cleanup-total", LEGACY_VALUE, 49},
    {"--clean", LEGACY_FLAG, 49},
    {"-C", LEGACY_FLAG, 48},
    {"-z", LEGACY_FLAG, 47},
    {"-f", LEGACY_VALUE, 47},
    {"-b", LEGACY_FLAG, 47},
    {"-r", LEGACY_FLAG, 49},
    {"-j", LEGACY_FLAG, 47},
    {"-k", LEGACY_FLAG, 47},
    {"-g", LEGACY_FLAG, 47},
    {"-G", LEGACY_FLAG, 47},
    {"-h", LEGACY_FLAG, 49},
    {"-H", LEGACY_FLAG, 47},
    {"-R", LEGACY_VALUE, 47},
    {"-B", LEGACY_IGNORED_VALUE, 0},
    {"-E", LEGACY_VALUE, 47},
    {"--inserts", LEGACY_FLAG, 49},
    {"--column-inserts", LEGACY_FLAG, 49},
    {"--oids", LEGACY_REFUSED, 0},
    {"--no-owner", LEGACY_FLAG, 48},
    {"--use-set-session-authorization", LEGACY_FLAG, 49},
    {"--no-privileges", LEGACY_FLAG, 47},
    {"--rsyncable", LEGACY_FLAG, 47},
    {"--email-file", LEGACY_VALUE, 49},
    {"--dump-stats", LEGACY_FLAG, 48},
    {"-l", LEGACY_VALUE, 49},
    {"-v", LEGACY_FLAG, 49},
    {"--verbose", LEGACY_FLAG, 49},
    {"-D", LEGACY_FLAG, 49},
    {"-q", LEGACY_FLAG, 49},
    {"-y", LEGACY_IGNORED_VALUE, 0},
    {"-i", LEGACY_IGNORED, 0},
    {"-p", LEGACY_IGNORED, 0},
    {"-w", LEGACY_IGNORED_VALUE, 0},
    {"--ddboost", LEGACY_REFUSED, 0},
    {"--ddboost-host", LEGACY_REFUSED, 0},
    {"--ddboost-user", LEGACY_REFUSED, 0},
    {"--ddboost-backupdir", LEGACY_REFUSED, 0},
    {"--ddboost-storage-unit", LEGACY_REFUSED, 0},
    {"--ddboost-remote", LEGACY_REFUSED, 0},
    {"--ddboost-skip-ping", LEGACY_REFUSED, 0},
    {"--ddboost-config-remove", LEGACY_REFUSED, 0},
    {"--ddboost-show-config", LEGACY_REFUSED, 0},
    {"--replicate", LEGACY_REFUSED, 0},
    {"--max-streams", LEGACY_REFUSED, 0},
    {"--netbackup-service-host", LEGACY_REFUSED, 0},
    {"--netbackup-policy", LEGACY_REFUSED, 0},
    {"--netbackup-schedule", LEGACY_REFUSED, 0},
    {"--netbackup-block-size", LEGACY_REFUSED, 0},
    {"--netbackup-keyword", LEGACY_REFUSED, 0},
};

static const Known of_gpdbrestore[] = {
    {"-t", LEGACY_VALUE, 48},
    {"-b", LEGACY_VALUE, 48},
    {"-R", LEGACY_REFUSED, 0},
    {"-s", LEGACY_VALUE, 48},
    {"-e", LEGACY_FLAG, 48},
    {"-G", LEGACY_OPTIONAL, 48},
    {"-T", LEGACY_LIST, 48},
    {"--table-file", LEGACY_VALUE, 48},
    {"-S", LEGACY_LIST, 48},
    {"--truncate", LEGACY_FLAG, 48},
    {"--append", LEGACY_FLAG, 48},
    {"--redirect", LEGACY_VALUE, 48},
    {"--change-schema", LEGACY_VALUE, 48},
    {"--noplan", LEGACY_FLAG, 49},
    {"--noanalyze", LEGACY_FLAG, 48},
    {"--noaostats", LEGACY_IGNORED, 0},
    {"-m", LEGACY_FLAG, 48},
    {"--restore-stats", LEGACY_OPTIONAL, 48},
    {"-L", LEGACY_FLAG, 48},
    {"--list-backup", LEGACY_FLAG, 49},
    {"-u", LEGACY_VALUE, 49},
    {"-d", LEGACY_VALUE, 49},
    {"--prefix", LEGACY_VALUE, 48},
    {"--report-status-dir", LEGACY_VALUE, 48},
    {"-a", LEGACY_FLAG, 48},
    {"-B", LEGACY_IGNORED_VALUE, 0},
    {"-l", LEGACY_VALUE, 49},
    {"-v", LEGACY_FLAG, 49},
    {"--verbose", LEGACY_FLAG, 49},
    {"-q", LEGACY_FLAG, 49},
    {"-K", LEGACY_IGNORED, 0},
    {"--ddboost", LEGACY_REFUSED, 0},
    {"--ddboost-storage-unit", LEGACY_REFUSED, 0},
    {"--netbackup-service-host", LEGACY_REFUSED, 0},
    {"--netbackup-block-size", LEGACY_REFUSED, 0},
};

static bool is_called(const LegacyOption *o, const char *name)
{
    return name[1] == '-' ? str_equal(o->name, name + 2)
                          : o->letter != '\0' && o->letter == name[1];
}

static bool is_last(const LegacyOption *o)
{
    return o->name == NULL && o->letter == '\0';
}

static const LegacyOption *find(const LegacyProgram *program, const char *name)
{
    const LegacyOption *o = program->options;
    while (!is_last(o) && !is_called(o, name))
        o++;
    return is_last(o) ? NULL : o;
}

static bool is_known(const Known *known, size_t count, const LegacyOption *o)
{
    bool letter = o->letter == '\0';
    bool name = o->name == NULL;
    for (size_t i = 0; i < count; i++)
    {
        letter = letter || (known[i].name[1] != '-' && known[i].name[1] == o->letter);
        name = name || (known[i].name[1] == '-' && str_equal(known[i].name + 2, o->name));
    }
    return letter && name;
}

static void check_table(const LegacyProgram *program, const Known *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
    {
        const LegacyOption *o = find(program, known[i].name);
        if (o == NULL)
            fail_msg("%s has no option %s", program->name, known[i].name);
        if (o->type != known[i].kind)
            fail_msg("%s %s is of kind %d", program->name, known[i].name, (int) o->type);
        assert_int_equal(known[i].suite == 0, o->type >= LEGACY_IGNORED);
    }
    for (const LegacyOption *o = program->options; !is_last(o); o++)
    {
        if (!is_known(known, count, o))
            fail_msg("%s: -%c, --%s is not listed here", program->name,
                     o->letter == '\0' ? ' ' : o->letter, o->name == NULL ? "" : o->name);
        assert_true(o->type != LEGACY_REFUSED || (o->help != NULL && o->hint != NULL));
    }
}

static void test_tables(void **state)
{
    (void) state;
    check_table(&gpcrondump_program, of_gpcrondump, LENGTH_OF(of_gpcrondump));
    check_table(&gpdbrestore_program, of_gpdbrestore, LENGTH_OF(of_gpdbrestore));
}

#define WORDS_MAX 8

typedef struct Case
{
    const char *words[WORDS_MAX];
    const char *message; /* NULL: it is accepted */
    const char *more;    /* of it, or of the hint */
} Case;

static bool parse(void *ctx, const LegacyProgram *program, const Case *c, Error *err)
{
    char **argv = mem_array(ctx, char *, WORDS_MAX + 2);
    int argc = 0;
    bool done = false;
    argv[argc++] = mem_strdup(ctx, program->name);
    for (size_t i = 0; i < WORDS_MAX && c->words[i] != NULL; i++)
        argv[argc++] = mem_strdup(ctx, c->words[i]);
    LegacyOptions *o = legacy_options_parse(ctx, program, argc, argv, &done, err);
    return o != NULL && (program == &gpcrondump_program ? gpcrondump_options_check(o, err)
                                                        : gpdbrestore_options_check(o, err));
}

static void check_cases(const LegacyProgram *program, const Case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Error err = ERROR_INIT;
        bool ok = parse(ctx, program, &cases[i], &err);
        const char *said = mem_printf(ctx, "%s | %s", err.message, err.hint);
        if (ok != (cases[i].message == NULL))
            fail_msg("%s %s %s %s: %s", program->name, cases[i].words[0], cases[i].words[1],
                     cases[i].words[2] == NULL ? "" : cases[i].words[2], said);
        if (ok)
            continue;
        assert_int_equal(err.code, ERR_USAGE);
        if (strstr(said, cases[i].message) == NULL ||
            (cases[i].more != NULL && strstr(said, cases[i].more) == NULL))
            fail_msg("%s, not %s", said, cases[i].message);
    }
}

#define X   "-a", "-x", "shop"
#define INC X, "--incremental"
#define EX  "exclude each other"

static const Case dumps[] = {
    {{X}, NULL, NULL},
    {{"-ax", "shop", "--prefix", "nightly", "--incremental"}, NULL, NULL},
    {{"-x", "a,b", "-x", "c"}, NULL, NULL},
    {{"-a"}, "which database", "PGDATABASE"},
    {{"-o"}, NULL, NULL},
    {{"-o", "--cleanup-date=20260101", "--cleanup-total", "3"}, NULL, NULL},
    {{"-a", "--incremental"}, "--incremental needs -x", NULL},
    {{"-a", "-x", "a,b", "--incremental"}, "--incremental is for one database", "-x"},
    {{INC, "-o"}, "--incremental and -o " EX, NULL},
    {{INC, "-c"}, "--incremental and -c " EX, NULL},
    {{INC, "-C"}, "--incremental and -C " EX, NULL},
    {{INC, "--clean"}, "--incremental and --clean " EX, NULL},
    {{INC, "-f", "5"}, "--incremental and -f " EX, NULL},
    {{INC, "-s", "a"}, "--incremental and -s " EX, "--prefix"},
    {{INC, "-S", "a"}, "--incremental and -S " EX, NULL},
    {{INC, "--schema-file", "f"}, "--incremental and --schema-file " EX, NULL},
    {{INC, "--exclude-schema-file", "f"}, "--incremental and --exclude-schema-file " EX, NULL},
    {{INC, "-t", "a.b"}, "--incremental and -t " EX, NULL},
    {{INC, "-T", "a.b"}, "--incremental and -T " EX, NULL},
    {{INC, "--table-file", "f"}, "--incremental and --table-file " EX, NULL},
    {{INC, "--exclude-table-file", "f"}, "--incremental and --exclude-table-file " EX, NULL},
    {{INC, "--inserts"}, "--incremental and --inserts " EX, NULL},
    {{INC, "--column-inserts"}, "--incremental and --column-inserts " EX, NULL},
    {{INC, "--oids"}, "--oids is not taken", NULL},
    {{"-x", "a,b", "-K", "20260101000000"}, "-K is for one database", "-x names several"},
    {{X, "--list-backup-files"}, "--list-backup-files needs -K", NULL},
    {{X, "--list-filter-tables"}, "--list-filter-tables needs --prefix", NULL},
    {{X, "--list-filter-tables", "--prefix", "p"},
     "--list-filter-tables needs --incremental",
     NULL},
    {{X, "-s", "a", "-S", "b"}, "-s and -S " EX, NULL},
    {{X, "-s", "a", "--schema-file", "b"}, "-s and --schema-file " EX, NULL},
    {{X, "-S", "a", "--exclude-schema-file", "b"}, "-S and --exclude-schema-file " EX, NULL},
    {{X, "--schema-file=a", "--exclude-schema-file=b"},
     "--schema-file and --exclude-schema-file " EX,
     NULL},
    {{X, "-t", "a.b", "-T", "b.c"}, "-t and -T " EX, NULL},
    {{X, "-t", "a.b", "--table-file", "b"}, "-t and --table-file " EX, NULL},
    {{X, "-T", "a.b", "--exclude-table-file", "b"}, "-T and --exclude-table-file " EX, NULL},
    {{X, "--table-file=a", "--exclude-table-file=b"},
     "--table-file and --exclude-table-file " EX,
     NULL},
    {{X, "-s", "a", "-t", "a.b"}, "-s and -t " EX, NULL},
    {{X, "-s", "a", "-T", "a.b"}, "-s and -T " EX, NULL},
    {{X, "-S", "a", "--table-file=f"}, "-S and --table-file " EX, NULL},
    {{X, "--schema-file=a", "-t", "a.b"}, "--schema-file and -t " EX, NULL},
    {{X, "--exclude-schema-file=a", "--exclude-table-file=f"},
     "--exclude-schema-file and --exclude-table-file " EX,
     NULL},
    {{"-x", "a,b", "-s", "s"}, "-s is for one database", "-x"},
    {{"-x", "a,b", "--exclude-table-file=f"}, "--exclude-table-file is for one database", "-x"},
    {{X, "-h", "-H"}, "-h and -H " EX, NULL},
    {{X, "--no-owner", "--use-set-session-authorization"},
     "--no-owner and --use-set-session-authorization " EX,
     NULL},
    {{X, "--cleanup-date", "20260101"}, "--cleanup-date needs -c or -o", NULL},
    {{X, "--cleanup-total", "1"}, "--cleanup-total needs -c or -o", NULL},
    {{X, "-c", "--cleanup-date", "20260231"}, "--cleanup-date: \"20260231\" is no date", NULL},
    {{X, "-c", "--cleanup-total", "0"}, "--cleanup-total: \"0\" is no number from 1", NULL},
    {{X, "-f", "101"}, "-f: \"101\" is no number from 0 to 99", NULL},
    {{X, "-f", "ten"}, "-f: \"ten\" is no number", NULL},
    {{X, "-K", "2026"}, "-K", "14 digits"},
    {{X, "-K", "20991231000000"}, "-K", "future"},
    {{X, "--prefix", "a/b"}, "--prefix must be", NULL},
    {{X, "-u", "relative/path"}, "-u must be an absolute path", NULL},
    {{X, "-x", ""}, "-x \"\": a name is missing", NULL},
    {{X, "-x", "a,,b"}, "a name is missing", NULL},
    {{X, "--ddboost"}, "--ddboost is not taken", "-u"},
    {{X, "--netbackup-policy", "x"}, "--netbackup-policy is not taken", "-u"},
    {{X, "-y", "file", "-w", "1,2", "-i"}, NULL, NULL},
    {{X, "-p", "-B", "60"}, NULL, NULL},
    {{X, "--exclude"}, "--exclude may be", NULL},
    {{X, "word"}, "takes no argument \"word\"", NULL},
};

#define T "-a", "-t", "20260101000000"

static const Case restores[] = {
    {{T}, NULL, NULL},
    {{"-a", "-s", "shop"}, NULL, NULL},
    {{T, "-s", "shop"}, NULL, NULL},
    {{"-b", "20260101"}, NULL, NULL},
    {{"-a"}, "which dump", "-t, -b or -s"},
    {{T, "-b", "20260101"}, "-t and -b " EX, NULL},
    {{"-s", "shop", "-b", "20260101"}, "-b and -s " EX, NULL},
    {{T, "-R", "host:/path"}, "-R is not taken", "-u"},
    {{"-s", "shop", "-L"}, "-L needs -t", NULL},
    {{"-s", "shop", "--list-backup"}, "--list-backup needs -t", NULL},
    {{T, "--list-backup", "-e"}, "--list-backup and -e " EX, NULL},
    {{T, "--list-backup", "-T", "a.b"}, "--list-backup and -T " EX, NULL},
    {{T, "-T", "a.b", "--table-file", "f"}, "-T and --table-file " EX, NULL},
    {{T, "--truncate"}, "--truncate needs -T or --table-file or -S", NULL},
    {{T, "-T", "a.b", "--truncate", "-e"}, "--truncate and -e " EX, NULL},
    {{T, "-T", "a.b", "--truncate", "--append"}, "--truncate and --append " EX, NULL},
    {{T, "-S", "a", "-T", "a.b", "--change-schema=x"}, "--change-schema and -S " EX, NULL},
    {{T, "--change-schema=x"}, "--change-schema needs -T or --table-file", NULL},
    {{T, "-m", "--append"}, "-m and --append " EX, NULL},
    {{T, "-m", "--noplan"}, "-m and --noplan " EX, NULL},
    {{T, "--noplan", "-e"}, "--noplan and -e " EX, NULL},
    {{T, "-G"}, NULL, NULL},
    {{T, "-G", "only"}, NULL, NULL},
    {{T, "-G", "some"}, "takes no argument \"some\"", NULL},
    {{T, "--restore-stats"}, NULL, NULL},
    {{T, "--restore-stats", "only"}, NULL, NULL},
    {{T, "--restore-stats=include", "-e", "-m"}, NULL, NULL},
    {{T, "--restore-stats=some"}, "--restore-stats: \"some\" is no value of it", "include|only"},
    {{T, "--restore-stats", "--noplan"}, "--restore-stats and --noplan " EX, "all rows"},
    {{T, "--restore-stats", "only", "-e"}, "--restore-stats only and -e " EX, NULL},
    {{T, "--restore-stats=only", "-T", "a.b", "--truncate"},
     "--restore-stats only and --truncate " EX,
     NULL},
    {{T, "--noaostats", "-B", "60", "-K"}, NULL, NULL},
    {{"-t", "2026"}, "-t", "14 digits"},
    {{"-b", "20260231"}, "-b: \"20260231\" is no date", NULL},
    {{T, "-u", "relative"}, "-u must be an absolute path", NULL},
    {{T, "--netbackup-service-host", "x"}, "--netbackup-service-host is not taken", NULL},
    {{T, "--ddboost"}, "--ddboost is not taken", NULL},
};

static void test_dumps(void **state)
{
    (void) state;
    unsetenv("PGDATABASE");
    check_cases(&gpcrondump_program, dumps, LENGTH_OF(dumps));
}

static void test_restores(void **state)
{
    (void) state;
    check_cases(&gpdbrestore_program, restores, LENGTH_OF(restores));
}

static void test_names(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    LegacyNames names = {0};
    bool done = false;
    char program[] = "gpdbrestore";
    char key[] = "-t20260101000000";
    char option[] = "-T";
    char value[] = "b.c,\"a,1\".\"x\"\"y\",b.c.d,a.\"line\nend\",b.c,a.\"";
    char *argv[] = {program, key, option, value};
    value[strlen(value) - 4] = '\0';
    LegacyOptions *o = legacy_options_parse(ctx, &gpdbrestore_program, 4, argv, &done, &err);
    assert_non_null(o);
    if (!legacy_names_option(&names, ctx, o, RESTORE_TABLE, PATTERN_TABLE, &err))
        fail_msg("%s", err.message);
    assert_int_equal(names.count, 4);
    const char *lines = legacy_names_lines(ctx, &names);
    assert_string_equal(lines, "a.\"line\nend\"\n\"a,1\".\"x\"\"y\"\nb.c\nb.\"c.d\"\n");
    /* What is written can be read. */
    PatternList list = {0};
    assert_true(selection_parse_list(&list, ctx, PATTERN_TABLE, "l", lines, strlen(lines), &err));
    assert_int_equal(list.count, 4);
    for (size_t i = 0; i < list.count; i++)
    {
        assert_string_equal(pattern_literal_schema(list.items[i]), names.items[i].schema);
        assert_string_equal(pattern_literal(list.items[i]), names.items[i].name);
    }
    assert_null(legacy_names_catalog(&names));
    names.items[1].schema = "pg_toast";
    assert_string_equal(legacy_names_catalog(&names), "pg_toast");
}

static void bad_email(const char *text, const char *expected)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    assert_null(email_file_parse(ctx, "f", text, strlen(text), &err));
    assert_int_equal(err.code, ERR_USAGE);
    if (strstr(err.message, expected) == NULL)
        fail_msg("%s: %s", text, err.message);
}

static void test_email(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    static const char good[] =
        "EMAIL_DETAILS:\n  -\n    DBNAME: shop\n    FROM: a@b.c\n    SUBJECT: \"it: is\"\n"
        "  - {DBNAME: other, FROM: , SUBJECT: }\n";
    const EmailFile *file = email_file_parse(ctx, "f", good, strlen(good), &err);
    if (file == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(file->count, 2);
    assert_string_equal(email_file_find(file, "shop")->subject, "it: is");
    assert_string_equal(email_file_find(file, "shop")->from, "a@b.c");
    assert_null(email_file_find(file, "other")->from);
    assert_null(email_file_find(file, "sho"));
    assert_null(email_file_find(NULL, "shop"));
    bad_email("", "f, line 1");
    bad_email("EMAIL_DETAILS: x", "no list");
    bad_email("EMAIL: []", "EMAIL_DETAILS alone");
    bad_email("EMAIL_DETAILS:\n- DBNAME: a\n  FROM: b\n", "lacks one of");
    bad_email("EMAIL_DETAILS:\n- DBNAME: a\n  FORM: b\n", "line 3: a key that is none of");
    bad_email("EMAIL_DETAILS:\n- {DBNAME: '', FROM: b, SUBJECT: c}\n", "DBNAME is empty");
    bad_email("EMAIL_DETAILS:\n- {DBNAME: [a], FROM: b, SUBJECT: c}\n", "no plain value");
    bad_email("EMAIL_DETAILS:\n- &x {DBNAME: a, FROM: b, SUBJECT: c}\n- *x\n", "twice");
    bad_email("EMAIL_DETAILS: [", "f, line");
    assert_null(email_file_read(ctx, "/etc/passwd", &err));
    assert_non_null(strstr(err.message, ".yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),   cmocka_unit_test(test_dumps),
        cmocka_unit_test(test_restores), cmocka_unit_test(test_names),
        cmocka_unit_test(test_email),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
