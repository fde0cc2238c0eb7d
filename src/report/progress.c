/* report/progress.c - what a run is doing; the contract is in progress.h. */
#include "report/progress.h"

#include <jansson.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define PLAIN_EVERY_MS 5000
#define LIVE_EVERY_MS  200
#define JSON_EVERY_MS  1000
#define CURRENT_LEN    72

typedef struct ProgressSlot
{
    char text[CURRENT_LEN];
} ProgressSlot;

struct Progress
{
    ProgressMode mode;
    const char *verb;
    ProgressNode *nodes;
    size_t node_count;
    size_t workers;
    ProgressSlot *slots;   /* node_count * workers */
    pthread_mutex_t mutex; /* guards slots and phase */
    char phase[40];
    bool new_phase;
    int64_t start_ms;
    int64_t data_ms; /* when the first byte was seen */
    int64_t last_ms;
    int lines; /* drawn by the live view */
    bool ended;
};

typedef struct Sums
{
    uint64_t total, done, before, chunks, chunks_done;
} Sums;

ProgressMode progress_mode(const char *word, bool quiet)
{
    if (quiet || strcmp(word, "none") == 0)
        return PROGRESS_NONE;
    if (strcmp(word, "json") == 0)
        return PROGRESS_JSON;
    if (strcmp(word, "auto") == 0 && isatty(STDERR_FILENO))
        return PROGRESS_LIVE;
    return PROGRESS_PLAIN;
}

static void clear_lines(void *arg);
static void draw_live(void *arg);

Progress *progress_new(void *ctx, ProgressMode mode, const char *verb, size_t nodes, size_t workers)
{
    Progress *p = mem_new(ctx, Progress);
    p->mode = mode;
    p->verb = verb;
    p->node_count = nodes;
    p->workers = workers;
    p->nodes = mem_array(p, ProgressNode, nodes);
    p->slots = mem_array(p, ProgressSlot, nodes * workers);
    p->start_ms = p->last_ms = clock_ms();
    pthread_mutex_init(&p->mutex, NULL);
    if (mode == PROGRESS_LIVE)
        log_hooks(clear_lines, draw_live, p);
    return p;
}

void progress_workers(Progress *p, size_t workers)
{
    pthread_mutex_lock(&p->mutex);
    if (workers > p->workers)
    {
        mem_free(p->slots);
        p->slots = mem_array(p, ProgressSlot, p->node_count * workers);
        p->workers = workers;
    }
    pthread_mutex_unlock(&p->mutex);
}

ProgressNode *progress_node(Progress *progress, size_t node)
{
    return &progress->nodes[node];
}

void progress_label(Progress *progress, size_t node, const char *text)
{
    pthread_mutex_lock(&progress->mutex);
    snprintf(progress->nodes[node].label, sizeof(progress->nodes[node].label), "%s", text);
    pthread_mutex_unlock(&progress->mutex);
}

void progress_phase(Progress *progress, const char *phase)
{
    pthread_mutex_lock(&progress->mutex);
    if (strcmp(progress->phase, phase) != 0)
    {
        snprintf(progress->phase, sizeof(progress->phase), "%s", phase);
        progress->new_phase = true;
    }
    pthread_mutex_unlock(&progress->mutex);
}

void progress_current(Progress *progress, size_t node, size_t worker, const char *text)
{
    pthread_mutex_lock(&progress->mutex);
    ProgressSlot *slot = &progress->slots[node * progress->workers + worker];
    if (text == NULL)
        slot->text[0] = '\0';
    else
        str_one_line(slot->text, sizeof(slot->text), text);
    pthread_mutex_unlock(&progress->mutex);
}

static Sums sums_of(const ProgressNode *node)
{
    return (Sums){.total = atomic_load(&node->bytes_total),
                  .done = atomic_load(&node->bytes_done),
                  .before = atomic_load(&node->bytes_before),
                  .chunks = atomic_load(&node->chunks_total),
                  .chunks_done = atomic_load(&node->chunks_done)};
}

static Sums sums_of_all(const Progress *p)
{
    Sums all = {.total = 0};
    for (size_t i = 0; i < p->node_count; i++)
    {
        Sums one = sums_of(&p->nodes[i]);
        all.total += one.total;
        all.done += one.done;
        all.before += one.before;
        all.chunks += one.chunks;
        all.chunks_done += one.chunks_done;
    }
    return all;
}

/* "  43 %  1.2 of 2.8 GB  312.0 MB/s  ETA 5.1 s  18/60"; with what another run has done: "  43 %  1.2 of 2.8
 * GB (1.0 GB before)  312.0 MB/s ...". */
static void describe(Progress *p, const Sums *s, char *buf, size_t size)
{
    char done[STR_BYTES_LEN];
    char total[STR_BYTES_LEN];
    char rate[STR_BYTES_LEN];
    char eta[STR_BYTES_LEN];
    char before[STR_BYTES_LEN + 16] = "";
    int64_t now = clock_ms();
    if (p->data_ms == 0 && s->done > 0)
        p->data_ms = now;
    int64_t spent = p->data_ms == 0 ? 0 : now - p->data_ms;
    double speed = spent < 200 ? 0.0 : (double) s->done * 1000.0 / (double) spent;
    uint64_t there = s->before + s->done;
    uint64_t left = s->total > there ? s->total - there : 0;
    if (s->before > 0)
        snprintf(before, sizeof(before), " (%s before)", str_format_bytes(done, s->before));
    str_format_bytes(rate, (uint64_t) speed);
    str_format_duration(eta, speed > 0.0 ? (int64_t) ((double) left * 1000.0 / speed) : 0);
    snprintf(buf, size, "%3d %%  %s of %s%s  %s/s  ETA %s  %" PRIu64 "/%" PRIu64,
             s->total == 0 ? 0 : (int) (there * 100 / s->total), str_format_bytes(done, there),
             str_format_bytes(total, s->total), before, speed > 0.0 ? rate : "-",
             speed > 0.0 ? eta : "-", s->chunks_done, s->chunks);
}

static void clear_lines(void *arg)
{
    Progress *p = arg;
    if (p->lines > 0)
        fprintf(stderr, "\033[%dA\r\033[J", p->lines);
    p->lines = 0;
}

static int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void live_line(Progress *p, const char *text)
{
    /* Cut to the width: a wrapped line would not be cleared. */
    char line[512];
    int width = terminal_width();
    size_t room = (size_t) width < sizeof(line) ? (size_t) width : sizeof(line);
    fprintf(stderr, "%s\n", str_one_line(line, room, text));
    p->lines++;
}

static void draw_node(Progress *p, size_t i)
{
    char state[200];
    char text[512];
    /* Of a single node the line above has said everything. */
    if (p->node_count > 1)
    {
        Sums s = sums_of(&p->nodes[i]);
        describe(p, &s, state, sizeof(state));
        snprintf(text, sizeof(text), "  %-28.60s %s%s", p->nodes[i].label, state,
                 atomic_load(&p->nodes[i].finished) ? "  done" : "");
        live_line(p, text);
    }
    for (size_t w = 0; w < p->workers; w++)
    {
        const char *current = p->slots[i * p->workers + w].text;
        if (current[0] == '\0')
            continue;
        snprintf(text, sizeof(text), "      %s", current);
        live_line(p, text);
    }
}

static void draw_live(void *arg)
{
    Progress *p = arg;
    char elapsed[STR_BYTES_LEN];
    char state[200];
    char text[512];
    if (p->ended)
        return;
    pthread_mutex_lock(&p->mutex);
    Sums all = sums_of_all(p);
    describe(p, &all, state, sizeof(state));
    str_format_duration(elapsed, clock_ms() - p->start_ms);
    snprintf(text, sizeof(text), "%s: %s  %s  %s", p->verb, p->phase, elapsed,
             all.total > 0 ? state : "");
    live_line(p, text);
    for (size_t i = 0; i < p->node_count && i < 8; i++)
        draw_node(p, i);
    pthread_mutex_unlock(&p->mutex);
    fflush(stderr);
}

static void tick_live(Progress *p, bool last)
{
    log_lock();
    clear_lines(p);
    if (last)
        p->ended = true;
    else
        draw_live(p);
    log_unlock();
}

static void tick_plain(Progress *p)
{
    char state[200];
    pthread_mutex_lock(&p->mutex);
    Sums all = sums_of_all(p);
    describe(p, &all, state, sizeof(state));
    if (all.total > 0)
        log_message(LOG_INFO, "%s: %s  %s", p->verb, p->phase, state);
    else
        log_message(LOG_INFO, "%s: %s", p->verb, p->phase);
    pthread_mutex_unlock(&p->mutex);
}

static json_t *sums_json(const Sums *s)
{
    json_int_t before = (json_int_t) s->before;
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "bytes_done", before + (json_int_t) s->done,
                     "bytes_before", before, "bytes_total", (json_int_t) s->total, "chunks_done",
                     (json_int_t) s->chunks_done, "chunks_total", (json_int_t) s->chunks);
}

static json_t *node_json(Progress *p, size_t i)
{
    Sums s = sums_of(&p->nodes[i]);
    json_t *node = sums_json(&s);
    json_t *current = json_array();
    json_object_set_new(node, "node", json_string(p->nodes[i].label));
    for (size_t w = 0; w < p->workers; w++)
    {
        const char *text = p->slots[i * p->workers + w].text;
        json_t *string = text[0] == '\0' ? NULL : json_string(text);
        if (string != NULL)
            json_array_append_new(current, string);
    }
    json_object_set_new(node, "current", current);
    return node;
}

static void tick_json(Progress *p)
{
    pthread_mutex_lock(&p->mutex);
    Sums all = sums_of_all(p);
    json_t *object = sums_json(&all);
    json_t *nodes = json_array();
    json_object_set_new(object, "progress", json_string(p->verb));
    json_object_set_new(object, "phase", json_string(p->phase));
    json_object_set_new(object, "elapsed_ms", json_integer(clock_ms() - p->start_ms));
    for (size_t i = 0; i < p->node_count; i++)
        json_array_append_new(nodes, node_json(p, i));
    json_object_set_new(object, "nodes", nodes);
    pthread_mutex_unlock(&p->mutex);
    char *text = json_dumps(object, JSON_COMPACT);
    log_lock();
    if (text != NULL)
        fprintf(stderr, "%s\n", text);
    log_unlock();
    free(text);
    json_decref(object);
}

static int interval_of(ProgressMode mode)
{
    return mode == PROGRESS_LIVE   ? LIVE_EVERY_MS
           : mode == PROGRESS_JSON ? JSON_EVERY_MS
                                   : PLAIN_EVERY_MS;
}

void progress_tick(Progress *progress)
{
    if (progress->mode == PROGRESS_NONE)
        return;
    pthread_mutex_lock(&progress->mutex);
    bool fresh = progress->new_phase;
    progress->new_phase = false;
    pthread_mutex_unlock(&progress->mutex);
    int64_t now = clock_ms();
    if (!fresh && now - progress->last_ms < interval_of(progress->mode))
        return;
    progress->last_ms = now;
    if (progress->mode == PROGRESS_LIVE)
        tick_live(progress, false);
    else if (progress->mode == PROGRESS_JSON)
        tick_json(progress);
    else
        tick_plain(progress);
}

void progress_end(Progress *progress)
{
    if (progress->mode == PROGRESS_LIVE)
    {
        tick_live(progress, true);
        log_hooks(NULL, NULL, NULL);
    }
    else if (progress->mode == PROGRESS_JSON)
        tick_json(progress);
}
