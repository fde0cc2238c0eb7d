/* test/unit/test_program.c - pg/program.h: which pg_dump is taken, by programs that only tell a version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg/program.h"

/* Newer than any that is installed, so that the packages' directories do not take part. */
#define NEWER_SERVER 38

typedef struct Place
{
    void *ctx;
    char dir[64];
    char path[96];
    char *saved; /* PATH */
} Place;

static int make_place(void **state)
{
    Place *place = mem_new(NULL, Place);
    place->ctx = place;
    snprintf(place->dir, sizeof(place->dir), "/tmp/pgark-program-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->path, sizeof(place->path), "%s/pg_dump", place->dir);
    place->saved = mem_strdup(place, getenv("PATH"));
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    Place *place = *state;
    setenv("PATH", place->saved, 1);
    unlink(place->path);
    rmdir(place->dir);
    mem_free(place);
    return 0;
}

/* A program that prints this, whatever it is asked. */
static void make_program(const Place *place, const char *says)
{
    FILE *f = fopen(place->path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\ncat <<'END'\n%s\nEND\n", says);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(place->path, 0700), 0);
}

static bool found(const Place *place, const char *user_path, int server, PgProgram *ret, Error *err)
{
    return pg_program_find(place->ctx, "pg_dump", user_path, server, NULL, ret, err);
}

static void test_versions(void **state)
{
    Place *place = *state;
    static const struct
    {
        const char *says;
        int major;
    } cases[] = {
        {"pg_dump (PostgreSQL) 38.1", 38},
        {"pg_dump (PostgreSQL) 39.20 (Debian 39.20-0+deb12u1)", 39},
        {"pg_dump (PostgreSQL) 38beta1", 38},
        {"pg_dump (PostgreSQL) 39devel", 39},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        Error err = ERROR_INIT;
        PgProgram program;
        make_program(place, cases[i].says);
        assert_true(found(place, place->path, NEWER_SERVER, &program, &err));
        assert_string_equal(program.path, place->path);
        assert_int_equal(program.major, cases[i].major);
    }
}

static void refused(const Place *place, const char *says, const char *why)
{
    Error err = ERROR_INIT;
    PgProgram program;
    make_program(place, says);
    assert_false(found(place, place->path, NEWER_SERVER, &program, &err));
    assert_int_equal(err.code, ERR_PROGRAM);
    assert_non_null(strstr(err.message, why));
    assert_non_null(strstr(err.hint, "--pg-dump"));
}

static void test_too_old(void **state)
{
    refused(*state, "pg_dump (PostgreSQL) 37.9", "version 37, too old for a server of version 38");
    refused(*state, "pg_dump (PostgreSQL) 9.6.24", "version 9, too old");
}

static void test_no_version(void **state)
{
    refused(*state, "pg_dump", "could not understand the version");
    refused(*state, "pg_dump (PostgreSQL) devel", "could not understand the version");
    refused(*state, "", "could not understand the version");
}

static void test_missing(void **state)
{
    Place *place = *state;
    Error err = ERROR_INIT;
    PgProgram program;
    assert_false(found(place, "/nowhere/pg_dump", NEWER_SERVER, &program, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.hint, "--pg-dump"));
}

/* Without a path of the user's, the one in PATH serves when it is new enough. */
static void test_search_path(void **state)
{
    Place *place = *state;
    Error err = ERROR_INIT;
    PgProgram program;
    char path[256];
    snprintf(path, sizeof(path), "%s:/usr/bin:/bin", place->dir);
    setenv("PATH", path, 1);
    make_program(place, "pg_dump (PostgreSQL) 39.0");
    assert_true(found(place, NULL, NEWER_SERVER, &program, &err));
    assert_string_equal(program.path, "pg_dump");
    assert_int_equal(program.major, 39);
    make_program(place, "pg_dump (PostgreSQL) 20.0");
    assert_false(found(place, NULL, NEWER_SERVER, &program, &err));
    assert_int_equal(err.code, ERR_PROGRAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_versions, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_too_old, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_no_version, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_missing, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_search_path, make_place, remove_place),
    };
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
