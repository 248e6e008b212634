/* Restart policy (see policy.h). */
#include "engine/policy.h"

bool policy_success(const struct spec_service *spec, const struct proc_exit *exit)
{
    return exit->signal == 0 && exit->code >= 0 && exit->code < 256 &&
           spec->success_codes[exit->code];
}

static unsigned restarts_within(const struct restart_history *history, uint64_t now_ms,
                                uint64_t window_ms)
{
    unsigned known = history->count < POLICY_HISTORY ? history->count : POLICY_HISTORY;
    unsigned within = 0;
    for (unsigned i = 0; i < known; i++) {
        uint64_t at = history->at_ms[(history->count - 1 - i) % POLICY_HISTORY];
        if (now_ms - at < window_ms) {
            within++;
        }
    }
    return within;
}

static uint64_t delay_before(unsigned restarts, uint64_t base_ms)
{
    if (restarts == 0) {
        return 0;
    }
    uint64_t delay = base_ms;
    for (unsigned i = 1; i < restarts && delay < POLICY_DELAY_MAX_MS; i++) {
        delay *= 2;
    }
    return delay < POLICY_DELAY_MAX_MS ? delay : POLICY_DELAY_MAX_MS;
}

static struct policy_verdict retry(const struct spec_service *spec, const struct run_end *end,
                                   struct restart_history *history, uint64_t now_ms)
{
    if (end->ready_for_ms >= POLICY_FRESH_AFTER_MS) {
        history->count = 0;
    }
    if (spec->restart_limit > 0 &&
        restarts_within(history, now_ms, spec->restart_window_ms) >= spec->restart_limit) {
        return (struct policy_verdict){.event = EV_GONE_FINAL, .limit_reached = true};
    }
    uint64_t delay = delay_before(history->count, spec->restart_delay_ms);
    history->at_ms[history->count % POLICY_HISTORY] = now_ms;
    history->count++;
    return (struct policy_verdict){.event = delay == 0 ? EV_GONE_RETRY : EV_GONE_LATER,
                                   .delay_ms = delay};
}

struct policy_verdict policy_decide(const struct spec_service *spec, const struct run_end *end,
                                    struct restart_history *history, uint64_t now_ms)
{
    if (end->again) {
        return (struct policy_verdict){.event = EV_GONE_AGAIN};
    }
    if (!end->wanted_up) {
        return (struct policy_verdict){.event = EV_GONE_DOWN};
    }
    if (end->timed_out || end->cannot_start) {
        return (struct policy_verdict){.event = EV_GONE_FINAL};
    }
    bool success = policy_success(spec, &end->exit);
    bool wants_more = spec->restart == RESTART_ALWAYS ||
                      (spec->restart == RESTART_ON_FAILURE && !success);
    if (spec->kind == SPEC_TASK && success) {
        wants_more = false; /* a task runs to its end */
    }
    if (wants_more) {
        return retry(spec, end, history, now_ms);
    }
    return (struct policy_verdict){.event = success ? EV_GONE_DONE : EV_GONE_FINAL};
}
