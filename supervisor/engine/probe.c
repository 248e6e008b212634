/*
 * What this room is for.      One readiness or liveness condition: when to look, when to ask, what
 * to report. What it may touch.          process/listeners by probe_target, the bridges by
 * probe_ask; one timer. Who calls it.               the engine, one a line of `ready` or `alive`.
 * The one invariant.          At most one attempt is in flight, and none at a listener that is not
 * ours.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/probe_internal.h"

enum {
    LOOK_MIN_MS = 2,
    LOOK_MAX_MS = 100,
    LOOK_SHARE = 100, /* looking takes turns of 1 % of the time waited */
    ASK_MIN_MS = 20,
    ASK_MAX_MS = 1000,
    ASK_SHARE = 5, /* asking in turns of 20 % of it: some thirty attempts in the first 5 s */
    EXEC_MIN_MS = 100,
    STRANGER_MS = 20, /* between two looks at a stranger */
};

static void on_probe_timer(uv_timer_t *timer);

static bool is_alive_probe(const struct probe *p)
{
    return p->opts.interval_ms > 0;
}

static bool is_fed(enum ready_kind kind)
{
    return kind == READY_LOG || kind == READY_NOTIFY;
}

static uint64_t clamp_ms(uint64_t ms, uint64_t low, uint64_t high)
{
    return ms < low ? low : ms > high ? high : ms;
}

static uint64_t since_ms(uint64_t from_ns)
{
    return (clock_mono_ns() - from_ns) / 1000000;
}

static void probe_wait(struct probe *p, uint64_t ms)
{
    /* The loop's clock stands still during a round; a delay counts from now. */
    uv_update_time(p->loop);
    (void)uv_timer_start(&p->timer, on_probe_timer, ms, 0);
}

static uint64_t look_delay_ms(const struct probe *p)
{
    return clamp_ms(since_ms(p->waiting_since_ns) / LOOK_SHARE, LOOK_MIN_MS, LOOK_MAX_MS);
}

/* The first step after opening or a restart. */
static void probe_begin(struct probe *p)
{
    p->waiting_since_ns = clock_mono_ns();
    p->asking_since_ns = 0;
    p->ask_after_ns = 0;
    p->suspect_inode = 0;
    p->asked_inode = 0;
    if (is_fed(p->opts.spec->kind)) {
        return;
    }
    if (is_alive_probe(p)) {
        probe_wait(p, p->opts.interval_ms);
    } else {
        probe_wait(p, p->opts.spec->kind == READY_DELAY ? p->opts.spec->delay_ms : 0);
    }
}

static bool needs_http(enum ready_kind kind)
{
    return kind == READY_HTTP || kind == READY_REDIS || kind == READY_DOCKET || kind == READY_TCP;
}

int probe_open(uv_loop_t *loop, const struct probe_opts *opts, probe_fn answer, void *ctx,
               struct probe **out, struct fault *why)
{
    struct probe *p = mem_calloc(1, sizeof *p);
    p->loop = loop;
    p->opts = *opts;
    p->answer = answer;
    p->ctx = ctx;
    p->http = opts->http;
    if (p->http == NULL && needs_http(opts->spec->kind)) {
        int code = http_open(loop, &p->http, why);
        if (code != 0) {
            mem_free(p);
            return code;
        }
    }
    /* The Redis of a docket is somebody else's by design: its worker proves itself by its pid. */
    bool looked_at = opts->spec->kind != READY_DOCKET;
    target_init(&p->target, looked_at ? opts->spec->host : NULL, opts->spec->port);
    (void)uv_timer_init(loop, &p->timer);
    probe_begin(p);
    *out = p;
    return 0;
}

void probe_feed(struct probe *p, const char *text)
{
    if (p->closing || p->done || !is_fed(p->opts.spec->kind)) {
        return;
    }
    (void)fmt_into(p->fed_text, sizeof p->fed_text, "%s", text);
    probe_wait(p, 0);
}

void probe_restart(struct probe *p)
{
    if (p->closing || p->done) {
        return;
    }
    probe_drop(p);
    if (!is_fed(p->opts.spec->kind)) {
        probe_begin(p);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF(handle, struct probe, timer));
}

static void close_own_http(struct probe *p)
{
    if (p->http != p->opts.http) {
        http_close(p->http);
    }
    p->http = NULL;
}

void probe_close(struct probe *p)
{
    if (p == NULL || p->closing) {
        return;
    }
    p->closing = true;
    probe_drop(p);
    close_own_http(p);
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

static void report(struct probe *p, enum probe_verdict verdict, const char *text, uint64_t took_ms,
                   bool listening)
{
    bool same = p->reported && p->last_verdict == verdict && strcmp(p->last_text, text) == 0;
    if (same && verdict != PROBE_PASS && !is_alive_probe(p)) {
        return;
    }
    p->reported = true;
    p->last_verdict = verdict;
    if (text != p->last_text) {
        (void)fmt_into(p->last_text, sizeof p->last_text, "%s", text);
    }
    struct probe_answer answer = {
        .verdict = verdict,
        .text = p->last_text,
        .took_ms = took_ms,
        .stranger = verdict == PROBE_STRANGER ? &p->stranger : NULL,
        .listening = listening,
    };
    p->answer(p->ctx, &answer);
}

/* Sets the timer for what comes after an answer. Before the report, whose receiver may close or
 * restart. */
static void schedule_next(struct probe *p, enum probe_verdict verdict, uint64_t retry_ms)
{
    if (is_fed(p->opts.spec->kind)) {
        p->done = !is_alive_probe(p);
    } else if (is_alive_probe(p)) {
        uint64_t spent = since_ms(p->round_ns);
        probe_wait(p, spent < p->opts.interval_ms ? p->opts.interval_ms - spent : 0);
    } else if (verdict == PROBE_PASS) {
        p->done = true;
        (void)uv_timer_stop(&p->timer);
    } else {
        probe_wait(p, retry_ms);
    }
}

static void conclude(struct probe *p, enum probe_verdict verdict, const char *text,
                     uint64_t took_ms, bool listening, uint64_t retry_ms)
{
    schedule_next(p, verdict, retry_ms);
    if (p->done) {
        close_own_http(p);
    }
    report(p, verdict, text, took_ms, listening);
}

static uint64_t back_off(struct probe *p)
{
    uint64_t low = p->opts.spec->kind == READY_EXEC ? EXEC_MIN_MS : ASK_MIN_MS;
    uint64_t ms = clamp_ms(since_ms(p->asking_since_ns) / ASK_SHARE, low, ASK_MAX_MS);
    p->ask_after_ns = clock_mono_ns() + ms * 1000000;
    return ms;
}

void probe_settle(struct probe *p, enum probe_verdict verdict, const char *text, bool reached)
{
    p->asking = false;
    uint64_t retry_ms = 0;
    if (verdict != PROBE_PASS) {
        retry_ms = back_off(p);
        uint64_t look_ms = look_delay_ms(p);
        /* A new listener is asked at once: go on looking while backing off. */
        retry_ms = p->target.here && look_ms < retry_ms ? look_ms : retry_ms;
    }
    conclude(p, verdict, text, since_ms(p->asked_ns), verdict != PROBE_PASS && reached, retry_ms);
}

/* Stage two, unless the back-off of the same listener is still running. */
static void ask(struct probe *p, const char *address, uint64_t inode)
{
    uint64_t now = clock_mono_ns();
    if (inode != p->asked_inode) {
        p->asked_inode = inode;
        p->asking_since_ns = now;
        p->ask_after_ns = 0;
    }
    if (p->asking_since_ns == 0) {
        p->asking_since_ns = now;
    }
    if (now < p->ask_after_ns && !is_alive_probe(p)) {
        uint64_t left = (p->ask_after_ns - now + 999999) / 1000000;
        uint64_t look = look_delay_ms(p);
        probe_wait(p, p->target.here && look < left ? look : left);
        return;
    }
    struct fault why = {0};
    p->asked_ns = now;
    p->asking = true;
    if (probe_ask(p, address, &why) != 0) {
        probe_settle(p, PROBE_FAIL, fault_text(&why), false);
    }
}

static void see_nothing(struct probe *p)
{
    char text[64];
    if (p->opts.any_owner) {
        /* A port that an engine publishes need not have a listener here. */
        ask(p, NULL, 0);
        return;
    }
    p->asked_inode = 0;
    (void)snprintf(text, sizeof text, "nothing listens on %u", (unsigned)p->target.port);
    conclude(p, PROBE_FAIL, text, 0, false, look_delay_ms(p));
}

/* Between fork and exec, or while a socket is handed over, the holder may not be visible: look
 * twice. */
static void see_stranger(struct probe *p, const struct listener *l)
{
    if (p->suspect_inode != l->inode) {
        p->suspect_inode = l->inode;
        probe_wait(p, STRANGER_MS);
        return;
    }
    char text[PROBE_TEXT_MAX];
    bool v6 = strchr(l->address, ':') != NULL;
    p->stranger = *l;
    (void)snprintf(text, sizeof text, "somebody else listens on %s%s%s:%u", v6 ? "[" : "",
                   l->address, v6 ? "]" : "", (unsigned)l->port);
    uint64_t look_ms = look_delay_ms(p);
    conclude(p, PROBE_STRANGER, text, 0, false, look_ms < STRANGER_MS ? STRANGER_MS : look_ms);
}

static void look(struct probe *p)
{
    struct target_view view;
    target_look(&p->target, p->opts.any_owner ? 0 : p->opts.tree_root, &view);
    if (view.seen != TARGET_STRANGER) {
        p->suspect_inode = 0;
    }
    switch (view.seen) {
    case TARGET_NOTHING:
        see_nothing(p);
        return;
    case TARGET_STRANGER:
        see_stranger(p, &view.listener);
        return;
    case TARGET_OURS:
        ask(p, view.address, view.listener.inode);
        return;
    case TARGET_BLIND:
        ask(p, NULL, 0);
        return;
    }
}

static void on_probe_timer(uv_timer_t *timer)
{
    struct probe *p = CONTAINER_OF(timer, struct probe, timer);
    p->round_ns = clock_mono_ns();
    if (is_fed(p->opts.spec->kind)) {
        conclude(p, PROBE_PASS, p->fed_text, 0, false, 0);
    } else if (p->opts.spec->kind == READY_DELAY) {
        conclude(p, PROBE_PASS, "time is up", p->opts.spec->delay_ms, false, 0);
    } else if (p->target.here) {
        look(p);
    } else {
        ask(p, NULL, 0);
    }
}
