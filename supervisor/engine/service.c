/*
 * What the table's actions do to one service: begin a run, climb the stop ladder, kill, back off; and when a
 * run's facts all hold, what follows. Called by engine.c and by the run's callbacks. Invariant: a run is
 * freed only here, after it is exited, drained, empty, and (container) its name is free.
 */
#include "engine/internal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static void arm(struct svc *svc, uint64_t ms)
{
    svc->timer_arm++;
    (void)uv_timer_start(&svc->timer, service_on_timer, ms, ms);
}

static void disarm(struct svc *svc)
{
    svc->timer_arm++;
    (void)uv_timer_stop(&svc->timer);
}

static void signal_run(struct run *run, int sig)
{
    if (run->container != NULL) {
        container_signal(run, sig);
    } else if (run->proc != NULL) {
        proc_signal(run->proc, sig);
    }
}

static void kill_run(struct run *run)
{
    if (run->adopted) {
        run->exited = true;
        run_check_gone(run); /* nothing of ours runs */
    } else if (run->container != NULL) {
        container_kill(run);
    } else if (run->proc != NULL) {
        proc_kill_tree(run->proc);
    }
}

/* A ladder's rung: its signal, then the next after its wait. KILL is a state of its own. */
static void climb(struct svc *svc)
{
    const struct spec_service *spec = svc->run->spec;
    if (svc->rung >= spec->stop_count) {
        disarm(svc);
        return;
    }
    const struct spec_stop *rung = &spec->stop[svc->rung];
    if (rung->signal == SIGKILL) {
        disarm(svc);
        run_post(svc->run, EV_GRACE_OVER, "did not end in time");
        return;
    }
    signal_run(svc->run, rung->signal);
    if (rung->wait_ms > 0) {
        arm(svc, rung->wait_ms);
    } else {
        disarm(svc);
    }
}

void service_next_rung(struct svc *svc)
{
    if (svc->run == NULL || svc->run->exited) {
        disarm(svc);
        return;
    }
    svc->rung++;
    climb(svc);
}

static void begin_ladder(struct svc *svc)
{
    struct run *run = svc->run;
    readiness_end(run);
    disarm(svc);
    if (svc->want_up && !svc->again) {
        run->timed_out = true; /* the only way to the ladder without a wish to stop */
        (void)snprintf(run->problem, sizeof run->problem, "%s", svc->cause);
    }
    if (run->adopted) {
        run->exited = true;
        run_check_gone(run);
        return;
    }
    svc->rung = 0;
    climb(svc);
}

/* The run may be over before an older event of the queue (a stop, a kill) is stepped; its end comes right behind. */
static void act_on_run(struct svc *svc, unsigned actions)
{
    if (svc->run == NULL) {
        disarm(svc);
        return;
    }
    if ((actions & ACT_LADDER) != 0) {
        begin_ladder(svc);
    }
    if ((actions & ACT_SWEEP) != 0) {
        disarm(svc);
        readiness_end(svc->run);
    }
    if ((actions & ACT_KILL) != 0) {
        disarm(svc);
        readiness_end(svc->run);
        kill_run(svc->run);
    }
}

void service_act(struct svc *svc, unsigned actions)
{
    if ((actions & ACT_START) != 0) {
        start_run(svc);
        if (svc->run != NULL && (svc->run->spec->kind == SPEC_SERVICE || svc->run->spec->ready_count > 0)) {
            arm(svc, svc->run->spec->ready_timeout_ms);
        }
    }
    if ((actions & ACT_WATCH) != 0 && svc->run != NULL) {
        disarm(svc);
        readiness_watch(svc->run);
    }
    if ((actions & (ACT_LADDER | ACT_SWEEP | ACT_KILL)) != 0) {
        act_on_run(svc, actions);
    }
    if ((actions & ACT_BACKOFF) != 0) {
        arm(svc, svc->backoff_ms);
    }
    if ((actions & ACT_REST) != 0) {
        disarm(svc);
    }
}

static void describe_end(const struct run *run, const struct policy_verdict *verdict, char *out,
                         size_t size)
{
    char how[CAUSE_MAX];
    (void)proc_exit_text(&run->exit, how, sizeof how);
    if (run->problem[0] != '\0') {
        (void)snprintf(how, sizeof how, "%s", run->problem);
    }
    char span[32];
    if (run->cannot_start || run->timed_out) {
        (void)snprintf(out, size, "%s", run->problem);
    } else if (verdict->event == EV_GONE_LATER) {
        (void)snprintf(out, size, "%s · restart in %s", how,
                       format_duration(verdict->delay_ms, span, sizeof span));
    } else if (verdict->limit_reached) {
        char window[32];
        (void)snprintf(out, size, "%s · %u restarts in %s, restart-limit reached", how,
                       run->spec->restart_limit,
                       format_duration(run->spec->restart_window_ms, window, sizeof window));
    } else if (run->adopted && run->problem[0] == '\0') {
        (void)snprintf(out, size, "let go of");
    } else {
        (void)snprintf(out, size, "%s", how);
    }
}

/* Procfile rules, --fail-fast and --exit-code-from: one end may end all. */
static void end_others(const struct run *run, enum svc_event event)
{
    struct svc *svc = run->svc;
    struct engine *e = svc->engine;
    bool ended = event == EV_GONE_DONE || event == EV_GONE_FINAL;
    if (!ended || e->down) {
        return;
    }
    int code = run->exit.signal != 0 ? 128 + run->exit.signal : run->exit.code;
    if (code < 0) {
        code = 1;
    }
    char text[CAUSE_MAX];
    char how[96];
    (void)snprintf(text, sizeof text, "%s ended: %s", svc->name,
                   proc_exit_text(&run->exit, how, sizeof how));
    if (e->exit_code_from != NULL && strcmp(e->exit_code_from, svc->name) == 0) {
        e->opts.callbacks.on_stop_wanted(e->opts.ctx, code, text);
    } else if (run->ref->spec->is_procfile && !run->spec->can_die) {
        e->opts.callbacks.on_stop_wanted(e->opts.ctx, code, text);
    } else if (e->fail_fast && event == EV_GONE_FINAL) {
        e->opts.callbacks.on_stop_wanted(e->opts.ctx, 1, text);
    }
}

void run_check_gone(struct run *run)
{
    struct svc *svc = run->svc;
    if (svc->run != run || !run->exited || !run->drained || !run->empty || !run->name_free) {
        return;
    }
    if (run->container != NULL) {
        container_describe_end(run);
    }
    uint64_t now = engine_now_ms(svc->engine);
    struct run_end end = {
        .wanted_up = svc->want_up,
        .again = svc->again,
        .cannot_start = run->cannot_start,
        .timed_out = run->timed_out,
        .exit = run->exit,
        .ready_for_ms = run->was_ready ? now - run->ready_mono_ms + 1 : 0,
    };
    struct policy_verdict verdict = policy_decide(run->spec, &end, &svc->restarts, now);
    char text[CAUSE_MAX];
    describe_end(run, &verdict, text, sizeof text);
    if (verdict.event == EV_GONE_DONE && run->spec->kind == SPEC_TASK) {
        stamp_write(run);
    }
    if (verdict.event == EV_GONE_RETRY || verdict.event == EV_GONE_LATER) {
        svc->restart_count++;
    }
    svc->again = false;
    if (verdict.event == EV_GONE_LATER) {
        svc->backoff_ms = verdict.delay_ms;
    }
    end_others(run, verdict.event);
    bool was_ready = run->was_ready;
    run_free(run);
    svc->ready_known = was_ready;
    svc_post(svc, verdict.event, "%s", text);
}

void run_free(struct run *run)
{
    struct svc *svc = run->svc;
    readiness_end(run);
    notify_close(run);
    container_free(run);
    logrun_close_ends(run);
    if (svc->run == run) {
        svc->run = NULL;
    }
    for (size_t i = 0; i < run->env.count; i++) {
        const char *value = run->env.items[i].value;
        if (run->env.items[i].secret && value != NULL) {
            char *bytes = NULL;
            memcpy(&bytes, &value, sizeof bytes); /* lives in the run's own arena */
            mem_wipe(bytes, strlen(bytes));
        }
    }
    arena_fini(&run->arena);
    spec_ref_drop(run->ref);
    mem_free(run);
}
