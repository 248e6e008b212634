/*
 * What clients asked for, until it is so: up, stop, restart, kill, down. A job wants its services up or down
 * and is looked at after each settling; it ends once, by its condition, its timeout, or the end of the
 * engine.
 */
#include "engine/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "stack/graph.h"

struct job *job_new(struct engine *e, enum job_kind kind, job_fn done, void *ctx)
{
    struct job *job = mem_calloc(1, sizeof *job);
    job->engine = e;
    job->kind = kind;
    job->done = done;
    job->ctx = ctx;
    job->began_mono_ms = engine_now_ms(e);
    job->services = mem_calloc(e->count, sizeof(struct svc *));
    job->next = e->jobs;
    e->jobs = job;
    e->dirty = true;
    return job;
}

static void on_job_closed(uv_handle_t *handle)
{
    struct job *job = handle->data;
    struct engine *e = job->engine;
    mem_free(job->services);
    mem_free(job);
    engine_handle_gone(e);
}

/* The answer, once; what the job wants may go on. */
static void job_tell(struct job *job, int code, const char *text)
{
    uint64_t took = engine_now_ms(job->engine) - job->began_mono_ms;
    struct job_row *rows = mem_calloc(job->count, sizeof *rows);
    for (size_t i = 0; i < job->count; i++) {
        enum svc_state state = job->kind == JOB_DOWN ? SVC_OFF : job->services[i]->state;
        rows[i] = (struct job_row){job->services[i]->name, state, took};
    }
    struct job_result result = {
        .code = code, .text = text, .note = job->note, .rows = rows, .row_count = job->count};
    job_fn done = job->done;
    job->done = NULL;
    if (done != NULL) {
        done(job->ctx, &result);
    }
    mem_free(rows);
}

static void job_finish(struct job *job, int code, const char *text)
{
    if (job->finished) {
        return;
    }
    job->finished = true;
    for (size_t i = 0; i < job->count; i++) {
        job->services[i]->start_held = false;
        job->services[i]->stop_held = job->engine->down;
    }
    job_tell(job, code, text);
}

static void job_unlink(struct engine *e, struct job *job)
{
    for (struct job **at = &e->jobs; *at != NULL; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            break;
        }
    }
    if (job->timed) {
        uv_close((uv_handle_t *)&job->timer, on_job_closed);
        return;
    }
    mem_free(job->services);
    mem_free(job);
}

static void on_job_timeout(uv_timer_t *timer)
{
    struct job *job = timer->data;
    char text[CAUSE_MAX] = "";
    for (size_t i = 0; i < job->count && text[0] == '\0'; i++) {
        const struct svc *svc = job->services[i];
        if (svc->state != SVC_READY && svc->state != SVC_DONE) {
            (void)snprintf(text, sizeof text, "timed out waiting for %s (%s: %s)", svc->name,
                           svc_state_name(svc->state),
                           svc->answer[0] != '\0' ? svc->answer : svc->cause);
        }
    }
    job->engine->dirty = true;
    if (job->kind == JOB_RESTART && !job->starting) {
        job_tell(job, 6, text); /* what it holds back must still be let go */
        return;
    }
    job_finish(job, 6, text);
}

void job_time(struct job *job, uint64_t timeout_ms)
{
    if (timeout_ms == 0) {
        return;
    }
    job->timed = true;
    job->timer.data = job;
    job->engine->open_handles++;
    (void)uv_timer_init(job->engine->opts.loop, &job->timer);
    (void)uv_timer_start(&job->timer, on_job_timeout, timeout_ms, 0);
}

static bool svc_rests(const struct svc *svc)
{
    return svc->run == NULL && (svc_state_is_rest(svc->state) || svc->state == SVC_WAITING);
}

/* 1 it is so, 0 not yet, -1 it can no longer become so. */
static int svc_came_up(const struct svc *svc, enum job_wait wait)
{
    switch (svc->state) {
    case SVC_READY:
    case SVC_UNHEALTHY:
    case SVC_DONE:
        return 1;
    case SVC_FAILED:
        return -1;
    case SVC_OFF:
        return svc->want_up ? 0 : -1;
    case SVC_STARTING:
        return wait == JOB_RUNNING && svc->run != NULL && svc->run->started ? 1 : 0;
    case SVC_WAITING:
        return svc->want_up && !svc->asleep ? 0 : -1;
    case SVC_BACKOFF:
        return svc->want_up ? 0 : -1;
    case SVC_STOPPING:
    case SVC_KILLING:
    case SVC_STATE_COUNT:
        break;
    }
    return 0;
}

static void look_up(struct job *job)
{
    if (job->wait == JOB_ACCEPTED) {
        job_finish(job, 0, "");
        return;
    }
    bool failed = false;
    char text[CAUSE_MAX] = "";
    for (size_t i = 0; i < job->count; i++) {
        int came = svc_came_up(job->services[i], job->wait);
        if (came == 0) {
            return;
        }
        if (came < 0 && !failed) {
            failed = true;
            (void)snprintf(text, sizeof text, "%s %s: %s", job->services[i]->name,
                           svc_state_name(job->services[i]->state), job->services[i]->cause);
        }
    }
    job_finish(job, failed ? 1 : 0, text);
}

static bool all_rest(const struct job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        const struct svc *svc = job->services[i];
        bool overtaken = svc->want_up && !job->engine->down; /* a later start or restart wants it again */
        if (!svc_rests(svc) && !overtaken) {
            return false;
        }
    }
    return true;
}

static void look_restart(struct job *job)
{
    if (!job->starting) {
        if (!all_rest(job)) {
            return;
        }
        job->starting = true;
        for (size_t i = 0; i < job->count; i++) {
            struct svc *svc = job->services[i];
            svc->start_held = false;
            svc->stop_held = false;
            svc->want_up = true;
            svc->restart_count++;
            svc->restarts.count = 0;
            if (svc->state != SVC_WAITING) {
                svc_post(svc, EV_WANT_UP, "restart");
            }
        }
        job->engine->dirty = true;
        return;
    }
    look_up(job);
}

/* Also over: removing what an earlier server left. What may remain after all is said. */
static void look_down(struct job *job)
{
    char text[CAUSE_MAX] = "";
    struct engine *e = job->engine;
    if (all_rest(job) && e->removals == NULL && !e->swept && !e->deaf && !e->down_now) {
        e->swept = true;
        container_sweep_tombstones(e);
    }
    if (!all_rest(job) || e->removals != NULL) {
        return;
    }
    const char *left = tombstones_left(e);
    if (left != NULL) {
        (void)snprintf(text, sizeof text,
                       "container %s may still be there: the container engine does not answer; roadie down "
                       "tries again", left);
    }
    job_finish(job, left != NULL ? 1 : 0, text);
}

void jobs_look(struct engine *e)
{
    struct job *next = NULL;
    for (struct job *job = e->jobs; job != NULL; job = next) {
        next = job->next;
        if (!job->finished) {
            switch (job->kind) {
            case JOB_UP:
                look_up(job);
                break;
            case JOB_RESTART:
                look_restart(job);
                break;
            case JOB_DOWN:
                look_down(job);
                break;
            case JOB_STOP:
            case JOB_KILL:
                if (all_rest(job)) {
                    job_finish(job, 0, "");
                }
                break;
            }
        }
        if (job->finished) {
            job_unlink(e, job);
        }
    }
}

void jobs_forget(struct engine *e, const struct svc *svc)
{
    for (struct job *job = e->jobs; job != NULL; job = job->next) {
        size_t kept = 0;
        for (size_t i = 0; i < job->count; i++) {
            if (job->services[i] != svc) {
                job->services[kept++] = job->services[i];
            }
        }
        job->count = kept;
    }
}

void jobs_fini(struct engine *e)
{
    while (e->jobs != NULL) {
        job_finish(e->jobs, 1, "the server ended");
        job_unlink(e, e->jobs);
    }
}

void engine_forget(struct engine *e, void *ctx)
{
    for (struct job *job = e->jobs; job != NULL; job = job->next) {
        if (job->ctx == ctx) {
            job->done = NULL;
        }
    }
}

/* Which services a request means; with_all: what to take when none is named. */
static int pick(struct engine *e, char *const *names, struct job *job, struct fault *why)
{
    const struct spec *spec = engine_spec(e);
    if (names == NULL || names[0] == NULL) {
        for (size_t i = 0; i < e->count; i++) {
            job->services[job->count++] = e->services[i];
        }
        return 0;
    }
    struct arena arena = {0};
    size_t *found = NULL;
    size_t count = 0;
    int rc = spec_match(spec, names, false, &arena, &found, &count, why);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        job->services[job->count++] = engine_svc(e, spec->services[found[i]].name);
    }
    arena_fini(&arena);
    return rc;
}

static int job_open(struct engine *e, enum job_kind kind, char *const *names, job_fn done, void *ctx,
                    struct job **out, struct fault *why)
{
    struct job *job = job_new(e, kind, done, ctx);
    int rc = pick(e, names, job, why);
    if (rc != 0) {
        job_unlink(e, job);
        return rc;
    }
    *out = job;
    return 0;
}

static void want_down(struct svc *svc, bool held)
{
    svc->want_up = false;
    svc->user_stop = true;
    svc->again = false;
    svc->stop_held = held;
    svc->failed_by_need = false;
    if (!svc->engine->down && (svc->state == SVC_FAILED || svc->state == SVC_DONE)) {
        svc_post(svc, EV_WANT_DOWN, "stopped");
    }
}

static bool has_need(const struct svc *svc, const struct svc *need)
{
    for (size_t i = 0; i < svc->need_count; i++) {
        if (svc->needs[i].svc == need) {
            return true;
        }
    }
    return false;
}

/* Only the named are stopped; that others need them is said, and nothing more. */
static void note_dependents(struct job *job)
{
    struct engine *e = job->engine;
    for (size_t i = 0; i < e->count; i++) {
        struct svc *other = e->services[i];
        for (size_t n = 0; n < job->count && other->want_up && other->run != NULL; n++) {
            if (has_need(other, job->services[n])) {
                size_t len = strlen(job->note);
                (void)snprintf(job->note + len, sizeof job->note - len, "%s%s needs %s and goes on",
                               len > 0 ? ", " : "", other->name, job->services[n]->name);
                events_news(e, job->services[n], NEWS_WARN, "stops; %s needs it and goes on",
                            other->name);
            }
        }
    }
}

int engine_stop(struct engine *e, char *const *names, uint64_t timeout_ms, job_fn done, void *ctx,
                struct fault *why)
{
    struct job *job = NULL;
    int rc = job_open(e, JOB_STOP, names, done, ctx, &job, why);
    if (rc != 0) {
        return rc;
    }
    job_time(job, timeout_ms);
    for (size_t i = 0; i < job->count; i++) {
        want_down(job->services[i], job->count > 1);
    }
    note_dependents(job);
    e->dirty = true;
    return 0;
}

int engine_kill(struct engine *e, char *const *names, int signal, job_fn done, void *ctx,
                struct fault *why)
{
    struct job *job = NULL;
    int rc = job_open(e, signal != 0 ? JOB_UP : JOB_KILL, names, done, ctx, &job, why);
    if (rc != 0) {
        return rc;
    }
    job->wait = JOB_ACCEPTED;
    for (size_t i = 0; i < job->count; i++) {
        struct svc *svc = job->services[i];
        if (signal != 0) {
            if (svc->run != NULL && svc->run->container != NULL) {
                container_signal(svc->run, signal);
            } else if (svc->run != NULL && svc->run->proc != NULL) {
                proc_signal(svc->run->proc, signal);
            }
            continue;
        }
        want_down(svc, false);
        svc_post(svc, EV_KILL, "killed");
    }
    return 0;
}

/* What the included need and nobody runs is started first, as `start` does: else they would wait for ever. */
static void want_needs_up(struct engine *e, const struct spec *spec, bool *include)
{
    bool *all = mem_calloc(spec->service_count, sizeof *all);
    memcpy(all, include, spec->service_count * sizeof *all);
    graph_close_over_needs(spec, all);
    for (size_t i = 0; i < e->count; i++) {
        struct svc *svc = e->services[i];
        bool need = svc->in_spec && all[svc->index] && !include[svc->index] && !svc->spec->excluded;
        if (need && !svc->want_up && svc->state != SVC_DONE) {
            svc->want_up = true;
            svc->user_stop = false;
            svc->failed_by_need = false;
            svc->restarts.count = 0;
            svc_post(svc, EV_WANT_UP, "needed by a restart");
        }
    }
    mem_free(all);
}

int engine_restart(struct engine *e, char *const *names, bool dependents, bool stale_only,
                   enum job_wait wait, uint64_t timeout_ms, job_fn done, void *ctx,
                   struct fault *why)
{
    (void)stale_only; /* control/ has turned it into names */
    struct job *job = NULL;
    int rc = job_open(e, JOB_RESTART, names, done, ctx, &job, why);
    if (rc != 0) {
        return rc;
    }
    const struct spec *spec = engine_spec(e);
    bool *include = mem_calloc(spec->service_count, sizeof *include);
    bool named = names != NULL && names[0] != NULL;
    for (size_t i = 0; i < job->count; i++) {
        const struct svc *svc = job->services[i];
        if (svc->in_spec && (named || svc->want_up || svc->run != NULL)) {
            include[svc->index] = true;
        }
    }
    if (dependents) {
        graph_close_over_dependents(spec, include);
    }
    size_t count = 0;
    for (size_t i = 0; i < e->count; i++) {
        struct svc *svc = e->services[i];
        bool runs = svc->want_up || svc->run != NULL || named;
        if (svc->in_spec && include[svc->index] && runs) {
            job->services[count++] = svc;
        }
    }
    job->count = count;
    want_needs_up(e, spec, include);
    mem_free(include);
    job->wait = wait;
    job_time(job, timeout_ms);
    for (size_t i = 0; i < job->count; i++) {
        want_down(job->services[i], job->count > 1);
        job->services[i]->start_held = true;
    }
    e->ended_told = false;
    e->dirty = true;
    return 0;
}

static void kill_rest(struct engine *e)
{
    e->down_now = true;
    removal_forget(e);
    for (size_t i = 0; i < e->count; i++) {
        struct svc *svc = e->services[i];
        svc->stop_held = false;
        svc->want_up = false;
        if (svc->run != NULL) {
            svc_post(svc, EV_KILL, "killed: the whole stack had to go");
        }
    }
    e->dirty = true;
}

static void on_down_timeout(uv_timer_t *timer)
{
    struct engine *e = timer->data;
    events_news(e, NULL, NEWS_WARN, "the time for an orderly stop is over: KILL to what is left");
    kill_rest(e);
}

void engine_down(struct engine *e, uint64_t timeout_ms, bool now, job_fn done, void *ctx)
{
    struct job *job = NULL;
    if (job_open(e, JOB_DOWN, NULL, done, ctx, &job, NULL) != 0) {
        return;
    }
    const struct spec *spec = engine_spec(e);
    uint64_t limit = timeout_ms > 0 ? timeout_ms : spec != NULL ? spec->shutdown_timeout_ms : 0;
    bool first = !e->down;
    e->down = true;
    e->deaf = e->deaf && !first; /* the container engine may be back */
    for (size_t i = 0; i < e->count && first; i++) {
        want_down(e->services[i], true);
    }
    if (now) {
        kill_rest(e);
    } else if (limit > 0 && (!uv_is_active((uv_handle_t *)&e->down_timer) || timeout_ms > 0)) {
        (void)uv_timer_start(&e->down_timer, on_down_timeout, limit, 0);
    }
    e->dirty = true;
}
