/*
 * test/unit/test_agent.c - what coordinators and agents tell each other, the states of a node, places.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/pack.h"
#include "agent/process.h"
#include "base/str.h"
#include "fleet/agent_call.h"
#include "fleet/agent_state.h"
#include "repo/part.h"

/* ---- packed texts ---- */

static void pack_round_trips(void **state)
{
    (void) state;
    static const size_t sizes[] = {0, 1, 2, 3, 4, 1000, 4 * 1024 * 1024 + 5};
    for (size_t i = 0; i < LENGTH_OF(sizes); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Error err = ERROR_INIT;
        char *data = mem_array(ctx, char, sizes[i] + 1);
        uint32_t seed = 1;
        for (size_t k = 0; k < sizes[i]; k++)
            data[k] = (char) ((seed = seed * 1664525 + 1013904223) >> 24);
        char *text = agent_pack(ctx, data, sizes[i], &err);
        assert_non_null(text);
        assert_int_equal(
            strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="),
            strlen(text));
        char *back;
        size_t len;
        assert_true(agent_unpack(ctx, text, &back, &len, &err));
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(back, data, len);
    }
}

static void pack_refuses_what_is_none(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    char *good = agent_pack(ctx, "some text, some text, some text", 31, &err);
    char *cut = mem_strndup(ctx, good, strlen(good) - 8);
    const char *bad[] = {"A", "AAAA", "====", "not base64!!", cut, "{}", ""};
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        char *back;
        size_t len;
        error_clear(&err);
        assert_false(agent_unpack(ctx, bad[i], &back, &len, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
}

/* ---- meeting ---- */

static void barrier_waits_for_all(void **state)
{
    (void) state;
    Error err = ERROR_INIT;
    AUTO(cancel_free) Cancel *cancel = cancel_new(&err);
    AgentBarrier barrier = {.wanted = 2};
    atomic_fetch_add(&barrier.reached[1], 1);
    assert_true(agent_barrier_meet(&barrier, 1, cancel, &err));
    cancel_raise(cancel, NULL);
    assert_true(agent_barrier_meet(&barrier, 1, cancel, &err)); /* all are there */
    assert_false(agent_barrier_meet(&barrier, 2, cancel, &err));
    assert_int_equal(err.code, ERR_CANCELLED);
    assert_int_equal(barrier.reached[0], 0);
    assert_int_equal(barrier.reached[2], 1);
}

static void place_is_absolute(void **state)
{
    (void) state;
    Error err = ERROR_INIT;
    assert_true(agent_call_place("/srv/%h", &err));
    assert_true(agent_call_place("file:///srv/%c", &err));
    assert_false(agent_call_place("srv", &err));
    assert_int_equal(err.code, ERR_USAGE);
}

/* ---- orders and jobs ---- */

#define SERVER                                                                                     \
    "\"server\":{\"socket_dir\":\"/tmp\",\"port\":5432,\"database\":\"shop\",\"user\":\"me\","     \
    "\"pid\":1,\"data_directory\":\"/d\",\"bin_directory\":\"/b\",\"version\":150020,"             \
    "\"content\":-1,\"dbid\":1}"

static char *order_text(void *ctx, const char *job)
{
    return mem_printf(ctx,
                      "{\"protocol\":1,\"kind\":\"backup\",\"key\":\"20261125120000\"," SERVER
                      ",\"job\":%s}",
                      job);
}

static void jobs_round_trip(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    static const uint32_t spread[] = {5, 9};
    static const ScopePart parts[] = {{"s", "b", 5, 102, "0", NULL}, {"s", "a", 5, 101, NULL, "7"}};
    static const ScopeName names[] = {{"s", "seq"}};
    const NodeScope scope = {.catalogue = true,
                             .hide = "c.relname = 'x'",
                             .spread = spread,
                             .spread_count = 2,
                             .parts = parts,
                             .part_count = 2,
                             .sequences = names,
                             .sequence_count = 1};
    char shop[] = "shop", seven[] = "7", then[] = "then", snapshot[] = "1:2:";
    char id[] = "00000003-0000001B-1", transaction[] = "3/4";
    const AgentBackupJob backup = {.dbid = 3,
                                   .globals = true,
                                   .home = "00112233445566778899aabbccddeeff",
                                   .fleet = "shop \"x\"; $(y)",
                                   .snapshot = {.content = 1,
                                                .database = shop,
                                                .system_identifier = seven,
                                                .server_started = then,
                                                .snapshot = snapshot,
                                                .snapshot_id = id,
                                                .pid = 7,
                                                .transaction = transaction},
                                   .scope = &scope};
    const char *arguments[] = {"--jobs=2", "--table=\"a;b\nc\"", "--table=caf\xe9"};
    AgentJob job = {.content = 1,
                    .repo = "/r-%c",
                    .password = "secret\"",
                    .watch = {.pid = 9, .started = "1.5"},
                    .arguments = arguments,
                    .argument_count = 3,
                    .more = agent_backup_job_write(&backup, &err)};
    assert_non_null(job.more);
    char *text = agent_job_write(ctx, &job, &err);
    json_decref(job.more);
    assert_non_null(text);

    AgentOrder order;
    AgentJob got;
    AgentBackupJob got_backup;
    text = order_text(ctx, text);
    assert_true(agent_order_parse(ctx, text, strlen(text), &order, &err));
    assert_string_equal(order.server.socket_dir, "/tmp");
    assert_int_equal(order.server.content, -1);
    assert_true(agent_job_read(ctx, &order, &got, &err));
    assert_int_equal(got.argument_count, 3);
    assert_string_equal(got.arguments[1], arguments[1]);
    assert_string_equal(got.arguments[2], arguments[2]);
    assert_string_equal(got.password, job.password);
    assert_int_equal(got.watch.pid, 9);
    assert_true(agent_backup_job_read(ctx, got.more, &got_backup, &err));
    assert_string_equal(got_backup.fleet, backup.fleet);
    assert_string_equal(got_backup.snapshot.transaction, "3/4");
    assert_int_equal(got_backup.scope->part_count, 2);
    assert_string_equal(got_backup.scope->parts[0].name, "a"); /* sorted */
    assert_null(got_backup.scope->parts[0].min);
    assert_string_equal(got_backup.scope->hide, scope.hide);
}

static void bad_jobs_are_refused(void **state)
{
    (void) state;
#define HEAD "{\"version\":\"" PGARK_VERSION "\",\"content\":0,\"repo\":\"/r\","
#define REST "\"watch\":{\"pid\":1,\"started\":\"1\"},\"arguments\":[],\"more\":{}"
    static const struct
    {
        const char *job;
        const char *message;
    } cases[] = {
        {HEAD REST "}", NULL},
        {HEAD REST ",\"shell\":\"rm\"}", "shell"},
        {HEAD "\"watch\":{\"pid\":1,\"started\":\"1\"},\"arguments\":[1],\"more\":{}}",
         "a list holds"},
        {HEAD "\"watch\":{\"pid\":1,\"started\":\"1\"},\"arguments\":{},\"more\":{}}", "a list"},
        {HEAD "\"watch\":{\"pid\":0,\"started\":\"1\"},\"arguments\":[],\"more\":{}}",
         "impossible"},
        {HEAD "\"watch\":{\"pid\":\"1\",\"started\":\"1\"},\"arguments\":[],\"more\":{}}",
         "integer"},
        {"{\"version\":\"" PGARK_VERSION "\",\"content\":0,\"repo\":\"r\"," REST "}",
         "no absolute path"},
        {HEAD "\"password\":5," REST "}", "string"},
        {"{\"version\":\"0.0.0\"}", "the coordinator is 0.0.0"},
        {"{}", "no version"},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Error err = ERROR_INIT;
        AgentOrder order;
        AgentJob job;
        char *text = order_text(ctx, cases[i].job);
        assert_true(agent_order_parse(ctx, text, strlen(text), &order, &err));
        assert_int_equal(agent_job_read(ctx, &order, &job, &err), cases[i].message == NULL);
        if (cases[i].message == NULL)
            continue;
        assert_int_equal(err.code, ERR_USAGE);
        assert_non_null(strstr(err.message, cases[i].message));
    }
}

static void bad_orders_are_refused(void **state)
{
    (void) state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"protocol\":2,\"kind\":\"backup\",\"key\":\"20261125120000\"," SERVER ",\"job\":{}}",
        "{\"protocol\":1,\"kind\":\"backup\",\"key\":\"2026112512000x\"," SERVER ",\"job\":{}}",
        "{\"protocol\":1,\"kind\":\"backup\",\"key\":\"20261125120000\"," SERVER ",\"job\":[]}",
        "{\"protocol\":1,\"kind\":\"backup\",\"key\":\"20261125120000\"," SERVER
        ",\"job\":{},\"more\":1}",
        "{\"protocol\":1,\"protocol\":1}",
    };
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
    {
        AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
        Error err = ERROR_INIT;
        AgentOrder order;
        assert_false(agent_order_parse(ctx, bad[i], strlen(bad[i]), &order, &err));
        assert_int_equal(err.code, ERR_USAGE);
    }
}

static void failures_have_codes(void **state)
{
    (void) state;
    assert_int_equal(agent_failure_code("PK006"), ERR_EXISTS);
    assert_int_equal(agent_failure_code("PK999"), ERR_INTERNAL);
    assert_int_equal(agent_failure_code("PK000"), ERR_INTERNAL);
    assert_int_equal(agent_failure_code("42P01"), ERR_NONE);
    assert_int_equal(agent_failure_code(""), ERR_NONE);
}

/* ---- states ---- */

static void states_follow_the_picture(void **state)
{
    (void) state;
    static const struct
    {
        AgentEvent event;
        AgentState then;
    } way[] = {
        {EVENT_LOCKED, AGENT_LOCKED},    {EVENT_SNAPSHOT, AGENT_SNAPSHOT},
        {EVENT_LAUNCHED, AGENT_STARTED}, {EVENT_STARTING, AGENT_STARTED},
        {EVENT_RUNNING, AGENT_RUNNING},  {EVENT_RUNNING, AGENT_RUNNING},
        {EVENT_RESULT, AGENT_FINISHED},
    };
    AgentState at = AGENT_CONNECTING;
    for (size_t i = 0; i < LENGTH_OF(way); i++)
    {
        at = agent_state_next(at, way[i].event);
        assert_int_equal(at, way[i].then);
    }
}

static void every_state_has_an_end(void **state)
{
    (void) state;
    for (int s = 0; s < AGENT_STATES; s++)
    {
        for (int e = 0; e < AGENT_EVENTS; e++)
        {
            AgentState next = agent_state_next((AgentState) s, (AgentEvent) e);
            assert_true(next < AGENT_STATES);
            if (agent_state_is_final((AgentState) s))
                assert_int_equal(next, s);
        }
        if (agent_state_is_final((AgentState) s))
            continue;
        assert_int_equal(agent_state_next((AgentState) s, EVENT_FAILURE), AGENT_FAILED);
        assert_int_equal(agent_state_next((AgentState) s, EVENT_CANCEL), AGENT_CANCELLED);
        assert_int_equal(agent_state_next((AgentState) s, EVENT_SILENCE), AGENT_LOST);
        assert_int_equal(agent_state_next((AgentState) s, EVENT_GONE), AGENT_LOST);
        assert_non_null(agent_state_name((AgentState) s));
    }
    assert_true(agent_state_limit_ms(AGENT_STARTED) > 0);
    assert_true(agent_state_limit_ms(AGENT_RUNNING) > 0);
}

/* A node is in one state at any time, whatever comes. */
static void counts_are_symmetric(void **state)
{
    (void) state;
    AgentCounts counts;
    AgentState at[3] = {AGENT_CONNECTING, AGENT_CONNECTING, AGENT_CONNECTING};
    uint32_t seed = 7;
    agent_counts_init(&counts);
    for (int i = 0; i < 3; i++)
        agent_counts_add(&counts);
    for (int i = 0; i < 1000; i++)
    {
        bool all;
        seed = seed * 1664525 + 1013904223;
        int node = (int) (seed >> 16) % 3;
        at[node] = agent_counts_move(&counts, at[node], (AgentEvent) ((seed >> 24) % AGENT_EVENTS),
                                     &all);
        size_t sum = 0;
        for (int s = 0; s < AGENT_STATES; s++)
            sum += counts.in[s];
        assert_int_equal(sum, 3);
    }
    agent_counts_free(&counts);
}

static void all_run_once(void **state)
{
    (void) state;
    AgentCounts counts;
    bool all;
    agent_counts_init(&counts);
    agent_counts_add(&counts);
    agent_counts_add(&counts);
    for (int i = 0; i < 2; i++)
    {
        AgentState at = agent_counts_move(&counts, AGENT_CONNECTING, EVENT_LAUNCHED, &all);
        assert_false(all);
        at = agent_counts_move(&counts, at, EVENT_RUNNING, &all);
        assert_int_equal(all, i == 1);
        agent_counts_move(&counts, at, EVENT_RUNNING, &all);
        assert_false(all);
    }
    agent_counts_free(&counts);
}

/* ---- places ---- */

static void patterns_are_expanded(void **state)
{
    (void) state;
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    assert_string_equal(repo_place(ctx, "/a/%c/b", -1, &err), "/a/-1/b");
    assert_string_equal(repo_place(ctx, "/a-%c%c", 12, &err), "/a-1212");
    assert_string_equal(repo_place(ctx, "%c", PLACE_HOME, &err), "home");
    assert_string_equal(repo_place(ctx, "/a%%c", 1, &err), "/a%c");
    assert_string_equal(repo_place(ctx, "/plain", 1, &err), "/plain");
    assert_null(strchr(repo_place(ctx, "/%h", 1, &err), '%'));
    assert_null(repo_place(ctx, "/a%", 1, &err));
    assert_int_equal(err.code, ERR_USAGE);
    error_clear(&err);
    assert_null(repo_place(ctx, "/a%d", 1, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack_round_trips),          cmocka_unit_test(pack_refuses_what_is_none),
        cmocka_unit_test(barrier_waits_for_all),     cmocka_unit_test(place_is_absolute),
        cmocka_unit_test(jobs_round_trip),           cmocka_unit_test(bad_jobs_are_refused),
        cmocka_unit_test(bad_orders_are_refused),    cmocka_unit_test(failures_have_codes),
        cmocka_unit_test(states_follow_the_picture), cmocka_unit_test(every_state_has_an_end),
        cmocka_unit_test(counts_are_symmetric),      cmocka_unit_test(all_run_once),
        cmocka_unit_test(patterns_are_expanded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
