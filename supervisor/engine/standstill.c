/* What follows from a gap in time (see gap.h): deadlines move, probes ask again. Called by engine.c around the
 * loop's wait. */
#include "engine/internal.h"

#include "base/clock.h"

enum { GAP_NEWS_MS = 1000 };

/* A deadline counts only time in which somebody looked; after sleep it starts afresh. */
static void postpone(struct svc *svc, enum gap_kind kind, uint64_t span_ms)
{
    if (kind == GAP_SLEPT) {
        (void)uv_timer_again(&svc->timer);
        return;
    }
    uint64_t due_ms = uv_timer_get_due_in(&svc->timer);
    uint64_t repeat_ms = uv_timer_get_repeat(&svc->timer);
    (void)uv_timer_start(&svc->timer, service_on_timer, due_ms + span_ms + GAP_PULSE_MS, repeat_ms);
}

/* The machine slept, or this process stood still: what was under way is asked again, before a deadline of that
 * time can fire. */
void standstill_look(struct engine *e)
{
    uint64_t span_ms = 0;
    enum gap_kind kind = gap_look(&e->gap, clock_mono_ns(), clock_boot_ns(), &span_ms);
    if (kind == GAP_NONE) {
        return;
    }
    bool is_news = span_ms >= GAP_NEWS_MS;
    if (is_news) {
        char span[32];
        (void)format_duration(span_ms, span, sizeof span);
        events_news(e, NULL, NEWS_INFO, "%s %s · asking everything again",
                    kind == GAP_SLEPT ? "slept" : "roadie-server stood still for", span);
    }
    for (size_t i = 0; i < e->count; i++) {
        struct svc *svc = e->services[i];
        if (svc->run != NULL && is_news) {
            readiness_restart(svc->run);
        }
        if (uv_is_active((uv_handle_t *)&svc->timer) &&
            (svc->state == SVC_STARTING || svc->state == SVC_BACKOFF)) {
            postpone(svc, kind, span_ms);
        }
    }
}

static void on_pulse(uv_timer_t *timer)
{
    (void)timer; /* that the wait ended is all */
}

static void keep_pulse(struct engine *e)
{
    bool wanted = false;
    for (size_t i = 0; i < e->count; i++) {
        wanted = wanted || e->services[i]->state == SVC_STARTING;
    }
    if (wanted != (uv_is_active((uv_handle_t *)&e->pulse) != 0)) {
        (void)(wanted ? uv_timer_start(&e->pulse, on_pulse, GAP_PULSE_MS, GAP_PULSE_MS) : uv_timer_stop(&e->pulse));
    }
}

void standstill_wait(struct engine *e)
{
    keep_pulse(e);
    gap_wait(&e->gap, clock_mono_ns(), uv_backend_timeout(e->opts.loop));
}
