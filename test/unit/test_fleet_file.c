/* test/unit/test_fleet_file.c - the ini file of a fleet, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/str.h"
#include "config/fleet_file.h"
#include "config/ini_text.h"

static int setup(void **state)
{
    *state = mem_context(NULL, "test");
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

static FleetFile *parse(void *ctx, const char *text, Error *err)
{
    error_clear(err);
    return fleet_file_parse(ctx, text, strlen(text), "f.conf", err);
}

static void test_full(void **state)
{
    Error err = ERROR_INIT;
    FleetFile *file = parse(*state,
                            "\xEF\xBB\xBF# a fleet\r\n"
                            "[fleet] ; the whole\n"
                            "  name = shop_1.eu-x ; a name\n"
                            "\ttopology: shards\n"
                            "\n"
                            "[node 1]\n"
                            "conninfo = service=shop1 options='-c a=b'\n"
                            "[node  0]\n"
                            "conninfo=postgresql://u@db0/shop?application_name=a",
                            &err);
    if (file == NULL)
        fail_msg("%s", err.message);
    assert_string_equal(file->name, "shop_1.eu-x");
    assert_string_equal(file->topology, "shards");
    assert_int_equal(file->node_count, 2);
    assert_string_equal(file->conninfo[0], "postgresql://u@db0/shop?application_name=a");
    assert_string_equal(file->conninfo[1], "service=shop1 options='-c a=b'");
}

static void test_minimal(void **state)
{
    Error err = ERROR_INIT;
    FleetFile *file = parse(*state, "[node 0]\nconninfo = dbname=x\n", &err);
    assert_non_null(file);
    assert_null(file->name);
    assert_string_equal(file->topology, "auto");
    assert_int_equal(file->node_count, 1);
}

/* inih reads lines of 200 bytes at most: conninfos are often longer. */
static void test_long_conninfo(void **state)
{
    Error err = ERROR_INIT;
    for (size_t len = 150; len < 1500; len += 7)
    {
        Str *conninfo = str_new(*state);
        while (conninfo->len < len)
            str_addf(conninfo, "sslcert=/very/long;path#%zu/ hostaddr=10.0.0.1 ", conninfo->len);
        str_addc(conninfo, 'x');
        const char *text = mem_printf(*state, "[node 0]\nconninfo = %s ; %s\n[fleet]\nname=a\n",
                                      conninfo->data, conninfo->data);
        FleetFile *file = parse(*state, text, &err);
        if (file == NULL)
            fail_msg("%zu bytes: %s", len, err.message);
        assert_string_equal(file->conninfo[0], conninfo->data);
        assert_string_equal(file->name, "a");
    }
}

static void test_long_comment(void **state)
{
    Error err = ERROR_INIT;
    const char *text = mem_printf(*state, "; %0500d\n[node 0]\nconninfo = a\n# %0500d\n", 1, 2);
    FleetFile *file = parse(*state, text, &err);
    assert_non_null(file);
    assert_string_equal(file->conninfo[0], "a");
}

#define NODE0 "[node 0]\nconninfo = a\n"

static const struct
{
    const char *text;
    const char *message;
} refused[] = {
    {"", "f.conf: there is no section [node 0]"},
    {"\n\n[fleet]\nname = a\n", "f.conf: there is no section [node 0]"},
    {"conninfo = a\n", "line 1: a key before the first section"},
    {NODE0 "[nodes]\n", "line 3: unknown section [nodes]"},
    {NODE0 "[node]\n", "unknown section [node]"},
    {NODE0 "[node1]\n", "unknown section [node1]"},
    {NODE0 "[node -1]\n", "unknown section [node -1]"},
    {NODE0 "[node 01]\n", "unknown section [node 01]"},
    {NODE0 "[node 1x]\n", "unknown section [node 1x]"},
    {NODE0 "[node 99999999999]\n", "unknown section"},
    {NODE0 "[node 4096]\n", "line 3: node 4096: a fleet has at most 4096 nodes"},
    {NODE0 "[no]\n", "unknown section [no]"},
    {NODE0 "[]\n", "unknown section []"},
    {NODE0 "[FLEET]\n", "unknown section [FLEET]"},
    {NODE0 "[node 1\n", "line 3: a section needs a closing ]"},
    {NODE0 "[node 1] x\n", "line 3: text behind the ]"},
    {NODE0 NODE0, "line 3: section [node 0] again, after line 1"},
    {NODE0 "[fleet]\n[fleet]\n", "line 4: section [fleet] again, after line 3"},
    {NODE0 "conninfo = b\n", "line 3: conninfo is given twice in [node 0]"},
    {NODE0 "host = b\n", "line 3: unknown key \"host\" in [node 0]"},
    {NODE0 "[fleet]\nconninfo = b\n", "line 4: unknown key \"conninfo\" in [fleet]"},
    {NODE0 "[fleet]\nname = a\nname = b\n", "line 5: name is given twice in [fleet]"},
    {NODE0 "[fleet]\ntopology = auto\ntopology = auto\n", "line 5: topology is given twice"},
    {NODE0 "[fleet]\ntopology = ring\n", "line 4: topology must be auto, single or shards"},
    {NODE0 "[fleet]\nname =\n", "line 4: the fleet's name must be"},
    {NODE0 "[fleet]\nname = a b\n", "the fleet's name must be"},
    {NODE0 "[fleet]\nname = a/b\n", "the fleet's name must be"},
    {NODE0 "[fleet]\nname = "
           "0123456789012345678901234567890123456789012345678901234567890123\n",
     "the fleet's name must be"},
    {NODE0 "[node 2]\nconninfo = a\n", "line 3: [node 2] without a [node 1]"},
    {"[node 1]\nconninfo = a\n", "line 1: [node 1] without a [node 0]"},
    {"[node 0]\nconninfo =\n", "line 2: the conninfo of node 0 is empty"},
    {"[node 0]\nconninfo = ; nothing\n", "line 2: the conninfo of node 0 is empty"},
    {"[node 0]\n[node 1]\nconninfo = a\n", "[node 0], which begins in line 1, has no conninfo"},
    {NODE0 "[node 1]\n", "[node 1], which begins in line 3, has no conninfo"},
    {NODE0 "what\n", "line 3: neither [section] nor key = value"},
    {NODE0 "= b\n", "line 3: unknown key \"\""},
    {NODE0 "\x02\n", "line 3: control character"},
    {"[fleet]\ntopology = single\n" NODE0 "[node 1]\nconninfo = b\n",
     "line 2: topology is single, but there are 2 nodes"},
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(refused); i++)
    {
        Error err = ERROR_INIT;
        assert_null(parse(*state, refused[i].text, &err));
        if (err.code != ERR_USAGE || strstr(err.message, refused[i].message) == NULL)
            fail_msg("case %zu: \"%s\", expected \"%s\"", i, err.message, refused[i].message);
        assert_string_equal(err.node, "");
    }
}

static void test_refused_bytes(void **state)
{
    static const char nul[] = "[node 0]\nconninfo = a\0b\n";
    Error err = ERROR_INIT;
    assert_null(fleet_file_parse(*state, nul, sizeof(nul) - 1, "f.conf", &err));
    assert_non_null(strstr(err.message, "line 2: control character"));

    const char *unfoldable = mem_printf(*state, "[node 0]\nconninfo = a%400sb\n", "");
    assert_null(parse(*state, unfoldable, &err));
    assert_non_null(strstr(err.message, "line 2: the line is too long"));

    const char *section = mem_printf(*state, "[%0300d]\n", 7);
    assert_null(parse(*state, section, &err));
    assert_non_null(strstr(err.message, "line 1: the name of the section is too long"));

    const char *key = mem_printf(*state, "[node 0]\n%0300d = a\n", 7);
    assert_null(parse(*state, key, &err));
    assert_non_null(strstr(err.message, "line 2: "));
}

/* A conninfo may hold a password. */
static void test_no_secret_in_messages(void **state)
{
    static const char *const texts[] = {
        "[node 0]\nconninfo = password=hunter2\nconninfo = password=hunter2\n",
        "[node 1]\nconninfo = password=hunter2\n",
        "[node 0]\nconninfo = password=hunter2\x03\n",
        "conninfo = password=hunter2\n",
    };
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
    {
        Error err = ERROR_INIT;
        assert_null(parse(*state, texts[i], &err));
        assert_null(strstr(err.message, "hunter2"));
    }
}

static void test_read(void **state)
{
    Error err = ERROR_INIT;
    assert_null(fleet_file_read(*state, "/nonexistent/f.conf", &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.message, "fleet file \"/nonexistent/f.conf\""));
    error_clear(&err);
    assert_null(fleet_file_read(*state, "/tmp", &err));
    assert_int_equal(err.code, ERR_USAGE);

    char path[] = "/tmp/pgark-test-fleet-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, NODE0, strlen(NODE0)), (int) strlen(NODE0));
    error_clear(&err);
    FleetFile *file = fleet_file_read(*state, path, &err);
    assert_non_null(file);
    assert_int_equal(file->node_count, 1);

    assert_int_equal(ftruncate(fd, (off_t) INI_TEXT_MAX + 1), 0);
    assert_null(fleet_file_read(*state, path, &err));
    assert_non_null(strstr(err.message, "larger than 1 MiB"));
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_minimal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_conninfo, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_comment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_secret_in_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read, setup, teardown),
    };
    return cmocka_run_group_tests_name("fleet file", tests, NULL, NULL);
}
