/*
 * The heart: a queue of events, drained after each batch of loop callbacks, and the two rules that keep a
 * stack moving: what is wanted and may start, starts; what is unwanted and may stop, stops. May touch
 * everything below; called by control/. Invariant: only step() changes svc->state.
 */
#include "engine/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "stack/graph.h"

enum { SETTLE_ROUNDS_PER_SERVICE = 64 };

uint64_t engine_now_ms(const struct engine *e)
{
    (void)e;
    return clock_mono_ns() / 1000000U;
}

/* The state directory was removed under a running stack and is there again: what only memory and open files
 * still hold goes back. */
void engine_state_remade(struct engine *e)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/secrets", e->opts.state_dir);
    int rc = secrets_remake(e->secrets, path);
    if (rc != 0) {
        events_news(e, NULL, NEWS_ERROR, "%s could not be made again: %s", path, strerror(-rc));
    }
}

void engine_touch(struct engine *e)
{
    e->dirty = true;
}

static void post(struct svc *svc, enum svc_event event, uint32_t run, uint32_t arm, const char *fmt,
                 va_list args) __attribute__((format(printf, 5, 0)));

static void post(struct svc *svc, enum svc_event event, uint32_t run, uint32_t arm, const char *fmt,
                 va_list args)
{
    struct engine *e = svc->engine;
    if (e->queue_head + e->queue_count == e->queue_cap) {
        if (e->queue_head > 0) {
            memmove(e->queue, e->queue + e->queue_head, e->queue_count * sizeof *e->queue);
            e->queue_head = 0;
        } else {
            e->queue_cap = e->queue_cap > 0 ? e->queue_cap * 2 : 64;
            e->queue = mem_realloc(e->queue, e->queue_cap * sizeof *e->queue);
        }
    }
    struct queued *q = &e->queue[e->queue_head + e->queue_count++];
    q->svc = svc;
    q->event = event;
    q->run = run;
    q->arm = arm;
    (void)vsnprintf(q->cause, sizeof q->cause, fmt, args);
    e->dirty = true;
}

void svc_post(struct svc *svc, enum svc_event event, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    post(svc, event, RUN_ANY, 0, fmt, args);
    va_end(args);
}

void run_post(struct run *run, enum svc_event event, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    post(run->svc, event, run->number, 0, fmt, args);
    va_end(args);
}

static void post_timer(struct svc *svc, enum svc_event event, const char *fmt, ...)
    ATTR_PRINTF(3, 4);

static void post_timer(struct svc *svc, enum svc_event event, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    post(svc, event, RUN_ANY, svc->timer_arm, fmt, args);
    va_end(args);
}

/* One timer a service; its meaning is the state that armed it. */
void service_on_timer(uv_timer_t *timer)
{
    struct svc *svc = timer->data;
    switch (svc->state) {
    case SVC_STARTING: {
        char span[32];
        (void)format_duration(svc->run->spec->ready_timeout_ms, span, sizeof span);
        post_timer(svc, EV_TIMEOUT, "not ready after %s: %s", span,
                   svc->answer[0] != '\0' ? svc->answer : "no answer yet");
        break;
    }
    case SVC_BACKOFF:
        post_timer(svc, EV_RETRY_DUE, "%s", svc->cause);
        break;
    case SVC_STOPPING:
        service_next_rung(svc);
        break;
    case SVC_OFF:
    case SVC_WAITING:
    case SVC_READY:
    case SVC_UNHEALTHY:
    case SVC_KILLING:
    case SVC_FAILED:
    case SVC_DONE:
    case SVC_STATE_COUNT:
        break;
    }
}

static bool is_stale(const struct queued *q)
{
    /* Looked up while it waited; a stop in the same pass was quicker. */
    bool of_waiting = q->event == EV_NEEDS_MET || q->event == EV_NEEDS_FAILED;
    if (of_waiting && q->svc->state != SVC_WAITING) {
        return true;
    }
    if (q->arm != 0 && q->arm != q->svc->timer_arm) {
        return true;
    }
    return q->run != RUN_ANY && (q->svc->run == NULL || q->svc->run->number != q->run);
}

static void note_times(struct svc *svc, enum svc_state to, uint64_t took_ms)
{
    if (to == SVC_WAITING) {
        svc->wait_began_wall_ns = clock_wall_ns();
    } else if (svc->state == SVC_WAITING) {
        svc->waiting_ms = took_ms;
        svc->starting_ms = 0;
    }
    if (svc->state == SVC_STARTING) {
        svc->starting_ms = took_ms;
    }
}

static void step(const struct queued *q)
{
    struct svc *svc = q->svc;
    struct svc_step next = svc_step(svc->state, q->event);
    if (next.cell == CELL_BUG || next.cell == CELL_UNSET) {
        (void)fprintf(stderr, "roadie-server: bug: service %s: event %s in state %s (%s)\n",
                      svc->name, svc_event_name(q->event), svc_state_name(svc->state), q->cause);
        abort();
    }
    if (next.cell == CELL_STAY) {
        return;
    }
    enum svc_state from = svc->state;
    uint64_t now = engine_now_ms(svc->engine);
    uint64_t took = now - svc->state_mono_ms;
    note_times(svc, next.next, took);
    svc->state = next.next;
    svc->state_mono_ms = now;
    svc->state_wall_ns = clock_wall_ns();
    (void)snprintf(svc->cause, sizeof svc->cause, "%s", q->cause);
    events_state(svc, from, next.next, took);
    service_act(svc, next.actions);
    svc->engine->dirty = true;
}

/* A stop was asked for: dependents first, when the whole stack goes or the job says so. */
static void reconcile_one(struct svc *svc)
{
    if (svc->want_up) {
        if (svc->state == SVC_OFF && !svc->start_held) {
            svc_post(svc, EV_WANT_UP, "%s", svc->cause[0] != '\0' ? svc->cause : "wanted");
        }
        return;
    }
    bool pending = svc->state == SVC_WAITING || svc->state == SVC_BACKOFF;
    bool running = svc->state == SVC_STARTING || svc->state == SVC_READY ||
                   svc->state == SVC_UNHEALTHY;
    if (!pending && !running) {
        return;
    }
    if (svc->stop_held && running && !needs_dependents_rest(svc)) {
        return;
    }
    svc_post(svc, EV_WANT_DOWN, "stopped");
}

static unsigned count_starting(const struct engine *e)
{
    unsigned n = 0;
    for (size_t i = 0; i < e->count; i++) {
        n += e->services[i]->state == SVC_STARTING;
    }
    return n;
}

static void look_at_needs(struct engine *e)
{
    unsigned limit = e->ref == NULL ? 0 : e->ref->spec->start_limit;
    unsigned starting = limit > 0 ? count_starting(e) : 0;
    for (size_t i = 0; i < e->count; i++) {
        struct svc *svc = e->services[i];
        if (svc->state != SVC_WAITING || svc->start_held) {
            svc->asleep = false;
            continue;
        }
        char text[CAUSE_MAX];
        switch (needs_check(svc, text, sizeof text)) {
        case NEEDS_OK:
            if (limit > 0 && starting >= limit) {
                (void)snprintf(svc->cause, sizeof svc->cause, "start-limit %u", limit);
                break;
            }
            starting++;
            svc_post(svc, EV_NEEDS_MET, "%s", text);
            break;
        case NEEDS_NEVER:
            svc->failed_by_need = true;
            svc_post(svc, EV_NEEDS_FAILED, "%s", text);
            break;
        case NEEDS_WAIT:
            (void)snprintf(svc->cause, sizeof svc->cause, "%s", text);
            e->dirty = e->dirty || svc->asleep != needs_sleep(svc); /* who waits for it looks again */
            svc->asleep = needs_sleep(svc);
            break;
        }
    }
}

/* "until X is started again": what failed only because of a need goes back to waiting with it. */
static void revive_dependents(struct engine *e)
{
    for (size_t i = 0; i < e->count; i++) {
        struct svc *svc = e->services[i];
        if (svc->state != SVC_FAILED || !svc->failed_by_need || !svc->want_up) {
            continue;
        }
        char text[CAUSE_MAX];
        if (needs_check(svc, text, sizeof text) != NEEDS_NEVER) {
            svc->failed_by_need = false;
            svc_post(svc, EV_WANT_UP, "%s", text);
        }
    }
}

static void look_for_end(struct engine *e)
{
    if (e->down || e->ended_told || !e->ever_up) {
        return;
    }
    bool failed = false;
    bool any = false;
    for (size_t i = 0; i < e->count; i++) {
        const struct svc *svc = e->services[i];
        if (svc->run != NULL || !svc_state_is_rest(svc->state) ||
            (svc->state == SVC_OFF && svc->want_up)) {
            return;
        }
        if (svc->want_up) {
            any = true;
            failed = failed || svc->state == SVC_FAILED;
        }
    }
    if (any) {
        e->ended_told = true;
        e->opts.callbacks.on_ended(e->opts.ctx, failed ? 1 : 0,
                                   failed ? "everything has ended, something failed"
                                          : "everything has ended");
    }
}

static void engine_settle(struct engine *e)
{
    if (e->settling || !e->dirty) {
        return;
    }
    e->settling = true;
    size_t rounds = 0;
    while (e->dirty) {
        e->dirty = false;
        while (e->queue_count > 0) {
            struct queued q = e->queue[e->queue_head++];
            e->queue_count--;
            if (!is_stale(&q)) {
                step(&q);
            }
        }
        e->queue_head = 0;
        for (size_t i = 0; i < e->count; i++) {
            reconcile_one(e->services[i]);
        }
        revive_dependents(e);
        look_at_needs(e);
        if (e->queue_count == 0) {
            jobs_look(e);
        }
        if (++rounds > SETTLE_ROUNDS_PER_SERVICE * (e->count + 1)) {
            (void)fprintf(stderr, "roadie-server: bug: the stack does not settle\n");
            abort();
        }
    }
    e->settling = false;
    look_for_end(e);
}

static void on_prepare(uv_prepare_t *handle)
{
    struct engine *e = handle->data;
    arena_fini(&e->snapshot); /* whoever asked has used the answer by now */
    engine_settle(e);
    standstill_wait(e);
}

static void on_check(uv_check_t *handle)
{
    standstill_look(handle->data);
    engine_settle(handle->data);
}

static int open_store(struct engine *e, struct fault *why)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/logs", e->opts.state_dir);
    int rc = logstore_open(e->opts.loop, path, &e->store, why);
    if (rc != 0) {
        return rc;
    }
    (void)snprintf(path, sizeof path, "%s/secrets", e->opts.state_dir);
    return secrets_open(path, &e->secrets, why);
}

int engine_open(const struct engine_opts *opts, struct engine **out, struct fault *why)
{
    struct engine *e = mem_calloc(1, sizeof *e);
    e->opts = *opts;
    e->history = mem_calloc(ENGINE_HISTORY, sizeof *e->history);
    gap_init(&e->gap, clock_mono_ns(), clock_boot_ns());
    int rc = open_store(e, why);
    if (rc != 0) {
        mem_free(e->history);
        mem_free(e);
        return rc;
    }
    e->reaper = reaper_of(opts->loop);
    rc = http_open(opts->loop, &e->http, why);
    if (rc != 0) {
        abort(); /* curl cannot even begin: nothing here would work */
    }
    (void)uv_prepare_init(opts->loop, &e->prepare);
    (void)uv_check_init(opts->loop, &e->check);
    (void)uv_timer_init(opts->loop, &e->down_timer);
    (void)uv_timer_init(opts->loop, &e->pulse);
    e->prepare.data = e;
    e->check.data = e;
    e->down_timer.data = e;
    e->pulse.data = e;
    e->open_handles = 4;
    (void)uv_prepare_start(&e->prepare, on_prepare);
    (void)uv_check_start(&e->check, on_check);
    uv_unref((uv_handle_t *)&e->prepare);
    uv_unref((uv_handle_t *)&e->check);
    container_sweep_tombstones(e);
    *out = e;
    return 0;
}

void spec_ref_drop(struct spec_ref *ref)
{
    if (ref != NULL && --ref->refs == 0) {
        spec_free(ref->spec);
        mem_free(ref);
    }
}

struct svc *engine_svc(const struct engine *e, const char *name)
{
    for (size_t i = 0; i < e->count; i++) {
        if (strcmp(e->services[i]->name, name) == 0) {
            return e->services[i];
        }
    }
    return NULL;
}

static struct svc *svc_new(struct engine *e, const char *name)
{
    struct svc *svc = mem_calloc(1, sizeof *svc);
    svc->engine = e;
    svc->name = mem_strdup(name);
    svc->state_mono_ms = engine_now_ms(e);
    svc->state_wall_ns = clock_wall_ns();
    (void)uv_timer_init(e->opts.loop, &svc->timer);
    svc->timer.data = svc;
    e->open_handles++;
    return svc;
}

/* The last handle's close callback frees the engine. */
void engine_handle_gone(struct engine *e)
{
    if (--e->open_handles == 0 && e->closed != NULL) {
        void (*closed)(void *) = e->closed;
        void *ctx = e->closed_ctx;
        mem_free(e);
        closed(ctx);
    }
}

static void on_svc_closed(uv_handle_t *handle)
{
    struct svc *svc = handle->data;
    struct engine *e = svc->engine;
    char *name = NULL;
    memcpy(&name, &svc->name, sizeof name);
    mem_free(name);
    mem_free(svc->needs);
    spec_ref_drop(svc->ref);
    mem_free(svc);
    engine_handle_gone(e);
}

static void svc_close(struct svc *svc)
{
    uv_close((uv_handle_t *)&svc->timer, on_svc_closed);
}

/* Nothing may point at a service that is about to be freed. */
static void forget(struct engine *e, const struct svc *svc)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->queue_count; i++) {
        const struct queued *q = &e->queue[e->queue_head + i];
        if (q->svc != svc) {
            e->queue[e->queue_head + kept++] = *q;
        }
    }
    e->queue_count = kept;
    jobs_forget(e, svc);
}

static void link_needs(struct engine *e, struct svc *svc)
{
    const struct spec *spec = svc->ref->spec;
    mem_free(svc->needs);
    svc->need_count = svc->spec->need_count;
    svc->needs = mem_calloc(svc->need_count, sizeof *svc->needs);
    for (size_t i = 0; i < svc->need_count; i++) {
        const struct spec_need *need = &svc->spec->needs[i];
        svc->needs[i].svc = engine_svc(e, spec->services[need->service].name);
        svc->needs[i].condition = need->condition;
    }
}

/* Services in the order of the definition; what has left it but still runs comes last. */
void engine_load(struct engine *e, struct spec *spec)
{
    struct spec_ref *ref = mem_calloc(1, sizeof *ref);
    ref->spec = spec;
    ref->refs = 1;
    size_t old_count = e->count;
    struct svc **all = mem_calloc(old_count + spec->service_count, sizeof(struct svc *));
    size_t count = 0;
    for (size_t i = 0; i < old_count; i++) {
        e->services[i]->in_spec = false;
    }
    for (size_t i = 0; i < spec->service_count; i++) {
        struct svc *svc = engine_svc(e, spec->services[i].name);
        if (svc == NULL) {
            svc = svc_new(e, spec->services[i].name);
        }
        spec_ref_drop(svc->ref);
        svc->ref = ref;
        ref->refs++;
        svc->spec = &spec->services[i];
        svc->index = i;
        svc->in_spec = true;
        all[count++] = svc;
    }
    for (size_t i = 0; i < old_count; i++) {
        struct svc *svc = e->services[i];
        if (svc->in_spec) {
            continue;
        }
        svc->want_up = false;
        if (svc->run == NULL && svc_state_is_rest(svc->state)) {
            forget(e, svc);
            svc_close(svc);
        } else {
            all[count++] = svc;
        }
    }
    mem_free(e->services);
    e->services = all;
    e->count = count;
    for (size_t i = 0; i < count; i++) {
        if (all[i]->in_spec) {
            link_needs(e, all[i]);
        } else {
            all[i]->need_count = 0;
        }
    }
    spec_ref_drop(e->ref);
    e->ref = ref;
    e->dirty = true;
}

const struct spec *engine_spec(const struct engine *e)
{
    return e->ref == NULL ? NULL : e->ref->spec;
}

bool engine_is_busy(const struct engine *e)
{
    for (size_t i = 0; i < e->count; i++) {
        if (e->services[i]->run != NULL || !svc_state_is_rest(e->services[i]->state)) {
            return true;
        }
    }
    return false;
}

static void on_handle_closed(uv_handle_t *handle)
{
    engine_handle_gone(handle->data);
}

static void on_store_closed(void *ctx)
{
    struct engine *e = ctx;
    secrets_close(e->secrets);
    http_close(e->http);
    jobs_fini(e);
    events_fini(e);
    for (size_t i = 0; i < e->count; i++) {
        svc_close(e->services[i]);
    }
    mem_free(e->services);
    mem_free(e->queue);
    mem_free(e->exit_code_from);
    arena_fini(&e->snapshot);
    spec_ref_drop(e->ref);
    uv_close((uv_handle_t *)&e->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&e->check, on_handle_closed);
    uv_close((uv_handle_t *)&e->down_timer, on_handle_closed);
    uv_close((uv_handle_t *)&e->pulse, on_handle_closed);
}

void engine_close(struct engine *e, void (*closed)(void *ctx), void *ctx)
{
    removal_forget(e);
    holders_fini(e);
    e->closed = closed;
    e->closed_ctx = ctx;
    logstore_close(e->store, on_store_closed, e);
}
