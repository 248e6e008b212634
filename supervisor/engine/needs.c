/* Dependencies: may this service start, may that one stop. Pure over the services' states. */
#include "engine/internal.h"

#include <stdio.h>

/* What one edge says. */
static enum needs_verdict edge(const struct svc_need *need, const char **what)
{
    const struct svc *dep = need->svc;
    if (dep->spec->excluded) {
        return NEEDS_OK;
    }
    bool running = (dep->state == SVC_STARTING && dep->run != NULL && dep->run->started) ||
                   dep->state == SVC_READY || dep->state == SVC_UNHEALTHY;
    switch (need->condition) {
    case NEED_STARTED:
        *what = "to start";
        if (running || dep->state == SVC_DONE) {
            return NEEDS_OK;
        }
        break;
    case NEED_READY:
        *what = "to be ready";
        if (dep->state == SVC_READY || (dep->state == SVC_DONE && dep->ready_known)) {
            return NEEDS_OK;
        }
        if (dep->state == SVC_DONE) {
            *what = "which ended without having been ready";
            return NEEDS_NEVER;
        }
        break;
    case NEED_DONE:
        *what = "to be done";
        if (dep->state == SVC_DONE) {
            return NEEDS_OK;
        }
        break;
    }
    if (dep->state == SVC_FAILED) {
        *what = "which failed";
        return NEEDS_NEVER;
    }
    return NEEDS_WAIT;
}

/* Nobody wants it: without a command it stays off. */
static bool is_stopped(const struct svc *dep)
{
    return dep->state == SVC_OFF && !dep->want_up && !dep->start_held;
}

enum needs_verdict needs_check(const struct svc *svc, char *text, size_t size)
{
    (void)snprintf(text, size, "needs are met");
    if (svc->need_count == 0) {
        (void)snprintf(text, size, "needs nothing");
    }
    if (svc->no_deps) {
        (void)snprintf(text, size, "--no-deps");
        return NEEDS_OK;
    }
    enum needs_verdict verdict = NEEDS_OK;
    for (size_t i = 0; i < svc->need_count; i++) {
        const char *what = "";
        enum needs_verdict one = edge(&svc->needs[i], &what);
        if (one == NEEDS_NEVER) {
            (void)snprintf(text, size, "needs %s, %s", svc->needs[i].svc->name, what);
            return NEEDS_NEVER;
        }
        if (one == NEEDS_WAIT && verdict == NEEDS_OK) {
            verdict = NEEDS_WAIT;
            const struct svc *dep = svc->needs[i].svc;
            (void)snprintf(text, size, is_stopped(dep) ? "waits for %s %s (stopped: roadie start %s)"
                                                       : "waits for %s %s (%s)",
                           dep->name, what, is_stopped(dep) ? dep->name : svc_state_name(dep->state));
        }
    }
    return verdict;
}

bool needs_sleep(const struct svc *svc)
{
    for (size_t i = 0; i < svc->need_count; i++) {
        const struct svc *dep = svc->needs[i].svc;
        if (!dep->spec->excluded && (is_stopped(dep) || (dep->state == SVC_WAITING && dep->asleep))) {
            return true;
        }
    }
    return false;
}

bool needs_dependents_rest(const struct svc *svc)
{
    const struct engine *e = svc->engine;
    for (size_t i = 0; i < e->count; i++) {
        const struct svc *other = e->services[i];
        if (other == svc || !other->stop_held || other->run == NULL) {
            continue;
        }
        for (size_t n = 0; n < other->need_count; n++) {
            if (other->needs[n].svc == svc) {
                return false;
            }
        }
    }
    return true;
}
