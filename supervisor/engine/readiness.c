/*
 * `ready` and `alive` of a run: opens the probes, counts passes and failures, posts EV_READY, EV_SICK,
 * EV_WELL. Invariant: no probe of a run lives past readiness_end.
 */
#include "engine/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { ADOPTED_INTERVAL_MS = 10000 };

static void all_ready(struct run *run, const struct probe_answer *answer)
{
    struct svc *svc = run->svc;
    run->was_ready = true;
    run->ready_mono_ms = engine_now_ms(svc->engine);
    svc->ready_known = true;
    svc->ready_took_ms = run->ready_mono_ms - run->begun_mono_ms;
    (void)snprintf(svc->ready_text, sizeof svc->ready_text, "%s", answer == NULL ? "" : answer->text);
    run_post(run, run->adopted ? EV_ADOPTED : EV_READY, "%s",
             answer == NULL ? "runs" : answer->text);
}

static bool all_passed(const struct run *run)
{
    for (size_t i = 0; i < run->spec->ready_count; i++) {
        if (!run->ready[i].passed) {
            return false;
        }
    }
    return true;
}

static void on_stranger(struct run *run, const struct probe_answer *answer)
{
    struct engine_conflict conflict = {.service = run->svc->name, .listener = *answer->stranger};
    conflict.pid = listener_owner(answer->stranger);
    if (conflict.pid != 0) {
        (void)process_facts(conflict.pid, &conflict.facts);
    }
    conflict_text(&conflict, run->svc->answer, sizeof run->svc->answer);
}

static void on_ready_answer(void *ctx, const struct probe_answer *answer)
{
    struct run_probe *rp = ctx;
    struct run *run = rp->run;
    struct svc *svc = run->svc;
    if (answer->verdict == PROBE_STRANGER && answer->stranger != NULL) {
        on_stranger(run, answer);
    } else {
        (void)snprintf(svc->answer, sizeof svc->answer, "%s: %s", rp->spec->text, answer->text);
    }
    if (answer->verdict != PROBE_PASS) {
        if (run->adopted) {
            adopt_refused(run, svc->answer);
        }
        return;
    }
    rp->passed = true;
    if (!all_passed(run)) {
        return;
    }
    if (run->container != NULL && !run->adopted) {
        container_confirm(run);
        return;
    }
    all_ready(run, answer);
}

void readiness_confirmed(struct run *run)
{
    struct probe_answer answer = {.verdict = PROBE_PASS, .text = run->svc->answer};
    if (run->spec->ready_count == 0) {
        answer.text = "runs";
    }
    const char *colon = run->spec->ready_count == 0 ? NULL : strstr(run->svc->answer, ": ");
    if (colon != NULL) {
        answer.text = colon + 2;
    }
    all_ready(run, &answer);
}

static void open_probe(struct run_probe *rp, struct run *run, const struct spec_ready *spec,
                       uint64_t interval_ms, probe_fn answer)
{
    rp->run = run;
    rp->spec = spec;
    struct probe_opts opts = {
        .spec = spec,
        .tree_root = run->proc != NULL ? proc_shim_pid(run->proc) : 0,
        .any_owner = run->adopted || run->container != NULL,
        .envp = run->envp != NULL ? run->envp : run->svc->engine->opts.environ,
        .directory = run->spec->directory,
        .interval_ms = interval_ms,
        .http = run->svc->engine->http,
    };
    struct fault why = {0};
    if (probe_open(run->svc->engine->opts.loop, &opts, answer, rp, &rp->probe, &why) != 0) {
        (void)snprintf(run->svc->answer, sizeof run->svc->answer, "%s", fault_text(&why));
    }
}

void readiness_begin(struct run *run)
{
    if (run->spec->ready_count == 0) {
        if (run->spec->kind == SPEC_SERVICE && run->container != NULL) {
            container_confirm(run); /* it runs when the engine says so, not when docker does */
        } else if (run->spec->kind == SPEC_SERVICE) {
            all_ready(run, NULL);
        }
        return;
    }
    run->ready = mem_calloc(run->spec->ready_count, sizeof *run->ready);
    for (size_t i = 0; i < run->spec->ready_count; i++) {
        open_probe(&run->ready[i], run, &run->spec->ready[i], 0, on_ready_answer);
    }
    for (size_t i = 0; run->early != NULL && i < run->spec->ready_count; i++) {
        if (run->early[i] != NULL && run->ready != NULL && run->ready[i].probe != NULL) {
            probe_feed(run->ready[i].probe, run->early[i]);
        }
    }
}

void readiness_adopt(struct run *run)
{
    run->drained = true;
    run->empty = true;
    if (run->spec->ready_count == 0) {
        all_ready(run, NULL);
        return;
    }
    readiness_begin(run);
}

static void on_alive_answer(void *ctx, const struct probe_answer *answer)
{
    struct run_probe *rp = ctx;
    struct run *run = rp->run;
    struct svc *svc = run->svc;
    (void)snprintf(svc->answer, sizeof svc->answer, "%s: %s", rp->spec->text, answer->text);
    if (answer->verdict == PROBE_PASS) {
        rp->failures = 0;
        run_post(run, EV_WELL, "%s", answer->text);
        return;
    }
    rp->failures++;
    if (run->adopted && !answer->listening) {
        run->exited = true;
        run->exit = (struct proc_exit){.code = 1};
        (void)snprintf(run->problem, sizeof run->problem, "what was adopted has gone");
        run_check_gone(run); /* no EV_EXITED: there is nothing to sweep */
        return;
    }
    if (rp->failures < run->spec->alive_failures) {
        return;
    }
    run_post(run, EV_SICK, "%s", svc->answer);
    if (run->spec->alive_action == ALIVE_RESTART && !svc->again && svc->want_up) {
        svc->again = true;
        run_post(run, EV_WANT_DOWN, "alive failed %u times: %s", rp->failures, svc->answer);
    }
}

void readiness_watch(struct run *run)
{
    const struct spec_service *spec = run->spec;
    readiness_end(run);
    const struct spec_ready *lines = spec->alive;
    size_t count = spec->alive_count;
    uint64_t interval = spec->alive_interval_ms;
    if (run->adopted && count == 0) {
        lines = spec->ready;
        count = spec->ready_count;
        interval = ADOPTED_INTERVAL_MS;
    }
    if (count == 0) {
        return;
    }
    run->alive = mem_calloc(count, sizeof *run->alive);
    for (size_t i = 0; i < count; i++) {
        open_probe(&run->alive[i], run, &lines[i], interval, on_alive_answer);
    }
    run->alive_count = count;
}

/* The first line, or READY=1, may come before the shim's word that exec succeeded: kept until the probes are
 * open. */
static void keep_early(struct run *run, size_t line, const char *text)
{
    if (run->early == NULL) {
        run->early = arena_alloc(&run->arena, run->spec->ready_count * sizeof *run->early);
    }
    run->early[line] = arena_strdup(&run->arena, text);
}

void readiness_feed(struct run *run, enum ready_kind kind, unsigned nth, const char *text)
{
    unsigned seen = 0;
    for (size_t i = 0; i < run->spec->ready_count && !run->was_ready; i++) {
        if (run->spec->ready[i].kind != kind) {
            continue;
        }
        bool meant = kind == READY_NOTIFY || seen == nth;
        seen++;
        if (!meant) {
            continue;
        }
        if (run->ready == NULL) {
            keep_early(run, i, text);
        } else if (run->ready[i].probe != NULL) {
            probe_feed(run->ready[i].probe, text);
        }
    }
}

static void restart_probes(struct run_probe *probes, size_t count)
{
    for (size_t i = 0; probes != NULL && i < count; i++) {
        probes[i].failures = 0;
        if (probes[i].probe != NULL) {
            probe_restart(probes[i].probe);
        }
    }
}

void readiness_restart(struct run *run)
{
    restart_probes(run->ready, run->spec->ready_count);
    restart_probes(run->alive, run->alive_count);
}

static void close_probes(struct run_probe **probes, size_t count)
{
    for (size_t i = 0; *probes != NULL && i < count; i++) {
        if ((*probes)[i].probe != NULL) {
            probe_close((*probes)[i].probe);
        }
    }
    mem_free(*probes);
    *probes = NULL;
}

void readiness_end(struct run *run)
{
    close_probes(&run->ready, run->spec->ready_count);
    close_probes(&run->alive, run->alive_count);
}
