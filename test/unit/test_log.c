/* test/unit/test_log.c - where lines of the log go: file and syslog, each with its level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

/* The C library's own are not called: these come first. */
static char caught[4096];
static int caught_priority;
static int opened_facility;

static void catch_line(int priority, const char *fmt, va_list args)
{
    caught_priority = priority;
    vsnprintf(caught, sizeof(caught), fmt, args);
}

void syslog(int priority, const char *fmt, ...);
void syslog(int priority, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    catch_line(priority, fmt, args);
    va_end(args);
}

void __syslog_chk(int priority, int flag, const char *fmt, ...); /* NOLINT: of _FORTIFY_SOURCE */
void __syslog_chk(int priority, int flag, const char *fmt, ...)  /* NOLINT */
{
    va_list args;
    (void) flag;
    va_start(args, fmt);
    catch_line(priority, fmt, args);
    va_end(args);
}

void openlog(const char *ident, int option, int facility);
void openlog(const char *ident, int option, int facility)
{
    assert_string_equal(ident, "pgark");
    (void) option;
    opened_facility = facility;
}

static void test_syslog(void **state)
{
    (void) state;
    Error err = ERROR_INIT;
    log_setup(LOG_ERROR, false);
    log_info("nobody hears this");
    assert_string_equal(caught, "");
    assert_false(log_to_syslog("mail"));
    assert_true(log_to_syslog("local3"));
    assert_int_equal(opened_facility, 19 << 3);
    log_warning("100%% of %s", "it");
    assert_string_equal(caught, "warning: 100% of it");
    assert_int_equal(caught_priority, 4);
    log_record("a %s", "record");
    assert_string_equal(caught, "info: a record");
    assert_int_equal(caught_priority, 6);
    log_debug("not this");
    assert_string_equal(caught, "info: a record");
    error_set(&err, ERR_STORAGE, "no %%s room");
    error_node(&err, "node 1");
    error_hint(&err, "Make some.");
    log_error_value(&err);
    assert_string_equal(caught, "error: node 1: no %s room\nhint: Make some.");
    assert_int_equal(caught_priority, 3);
}

static void read_file(FILE *file, char *buf, size_t size)
{
    rewind(file);
    buf[fread(buf, 1, size - 1, file)] = '\0';
}

static void test_file(void **state)
{
    (void) state;
    char text[4096];
    FILE *file = tmpfile();
    int warnings = log_warnings();
    assert_non_null(file);
    log_setup(LOG_ERROR, false);
    log_to_file(file);
    log_info("first");
    log_debug("not this");
    log_setup(LOG_ERROR, true);
    log_record("second");
    log_to_file(NULL);
    log_info("nor this");
    read_file(file, text, sizeof(text));
    assert_non_null(strstr(text, "] info: first\n{\"time\":"));
    assert_non_null(strstr(text, "\"message\":\"second\"}\n"));
    assert_null(strstr(text, "this"));
    assert_int_equal(log_warnings(), warnings);
    fclose(file);
}

/* A file that takes nothing more is one warning, whatever comes. */
static void test_full(void **state)
{
    (void) state;
    FILE *file = fopen("/dev/full", "w");
    int warnings = log_warnings();
    assert_non_null(file);
    log_setup(LOG_ERROR, false);
    log_to_file(file);
    log_info("first");
    log_info("second");
    log_to_file(NULL);
    assert_int_equal(log_warnings(), warnings + 1);
    fclose(file);
}

static char heard[200];

static void hear(void *arg, LogLevel level, const char *line)
{
    char *at = strchr(heard, '\0');
    assert_string_equal(arg, "sink");
    snprintf(at, sizeof(heard) - (size_t) (at - heard), "%d %s\n", level, line);
}

static void test_redirect(void **state)
{
    (void) state;
    static char arg[] = "sink";
    Error err = ERROR_INIT;
    log_setup(LOG_INFO, false);
    log_redirect(hear, arg);
    log_debug("nobody hears this");
    log_info("one");
    error_set(&err, ERR_STORAGE, "two");
    error_node(&err, "node 1");
    error_hint(&err, "Three.");
    log_error_value(&err);
    log_redirect(NULL, NULL);
    assert_string_equal(heard, "1 one\n3 node 1: two\n3 hint: Three.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syslog),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_redirect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
