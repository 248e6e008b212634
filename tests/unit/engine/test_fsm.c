/* The state table: complete, and no legal sequence of events reaches a cell that means a bug. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/fsm.h"

static void test_every_cell_is_set(void **state)
{
    (void)state;
    for (int s = 0; s < SVC_STATE_COUNT; s++) {
        for (int e = 0; e < SVC_EVENT_COUNT; e++) {
            struct svc_step step = svc_step((enum svc_state)s, (enum svc_event)e);
            if (step.cell == CELL_UNSET) {
                fail_msg("cell %s × %s is not set", svc_state_name((enum svc_state)s),
                         svc_event_name((enum svc_event)e));
            }
        }
    }
}

static void test_every_name_is_set(void **state)
{
    (void)state;
    for (int s = 0; s < SVC_STATE_COUNT; s++) {
        assert_non_null(svc_state_name((enum svc_state)s));
    }
    for (int e = 0; e < SVC_EVENT_COUNT; e++) {
        assert_non_null(svc_event_name((enum svc_event)e));
    }
}

static void test_want_down_leads_out_of_every_running_state(void **state)
{
    (void)state;
    for (int s = 0; s < SVC_STATE_COUNT; s++) {
        enum svc_state from = (enum svc_state)s;
        struct svc_step step = svc_step(from, EV_WANT_DOWN);
        bool leaves = step.next == SVC_OFF || step.next == SVC_STOPPING || step.next == SVC_KILLING;
        if (!leaves) {
            fail_msg("want-down in %s leads to %s", svc_state_name(from), svc_state_name(step.next));
        }
    }
}

static void test_every_end_of_a_run_moves_on_from_every_state_with_a_run(void **state)
{
    (void)state;
    static const struct {
        enum svc_event event;
        enum svc_state next;
    } ends[] = {{EV_GONE_DOWN, SVC_OFF},      {EV_GONE_AGAIN, SVC_WAITING}, {EV_GONE_RETRY, SVC_STARTING},
                {EV_GONE_LATER, SVC_BACKOFF}, {EV_GONE_DONE, SVC_DONE},     {EV_GONE_FINAL, SVC_FAILED}};
    for (int s = 0; s < SVC_STATE_COUNT; s++) {
        for (size_t i = 0; svc_state_is_alive((enum svc_state)s) && i < sizeof ends / sizeof ends[0]; i++) {
            struct svc_step step = svc_step((enum svc_state)s, ends[i].event);
            assert_int_equal(step.cell, CELL_GO);
            assert_int_equal(step.next, ends[i].next);
        }
    }
}

/* A kill may be in the queue before the outcome of a start that came to nothing. */
static void test_a_stop_before_the_outcome_of_a_start_ends_off(void **state)
{
    (void)state;
    static const enum svc_event outcomes[] = {EV_REFUSED, EV_SKIP};
    static const enum svc_event stops[] = {EV_KILL, EV_WANT_DOWN};
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            struct svc_step step = svc_step(svc_step(SVC_STARTING, stops[i]).next, outcomes[j]);
            assert_int_equal(step.cell, CELL_GO);
            assert_int_equal(step.next, SVC_OFF);
        }
        assert_int_equal(svc_step(svc_step(SVC_STARTING, stops[i]).next, EV_ADOPTED).cell, CELL_STAY);
    }
}

/* A model of what the engine may post: facts of a run only while there is one, in their order. */
struct world {
    enum svc_state state;
    bool run;
    bool started;
    bool exited;
    bool want_up;
};

static enum svc_event pick(const struct world *w, unsigned *seed)
{
    static const enum svc_event gone_up[] = {EV_GONE_RETRY, EV_GONE_LATER, EV_GONE_DONE, EV_GONE_FINAL};
    for (;;) {
        *seed = *seed * 1103515245U + 12345U;
        unsigned r = (*seed >> 16) & 0x7fff;
        switch (r % 10) {
        case 0:
            return EV_WANT_UP;
        case 1:
            return EV_WANT_DOWN;
        case 2:
            return EV_KILL;
        case 3:
            if (w->state == SVC_WAITING) {
                return r & 64 ? EV_NEEDS_FAILED : EV_NEEDS_MET;
            }
            if (w->state == SVC_BACKOFF) {
                return EV_RETRY_DUE;
            }
            break;
        case 4:
            if (w->state == SVC_STARTING && w->run && !w->exited) {
                return r & 64 ? EV_READY : EV_TIMEOUT;
            }
            break;
        case 5:
            if ((w->state == SVC_READY || w->state == SVC_UNHEALTHY) && !w->exited) {
                return r & 64 ? EV_SICK : EV_WELL;
            }
            break;
        case 6:
        case 7:
            if (w->run && !w->exited) {
                return EV_EXITED;
            }
            break;
        case 8:
            if (w->state == SVC_STOPPING && !w->exited) {
                return EV_GRACE_OVER;
            }
            break;
        default:
            if (w->run && w->exited) {
                return !w->want_up ? EV_GONE_DOWN : gone_up[(r >> 4) % 4];
            }
            break;
        }
    }
}

static void test_a_million_legal_events_reach_no_bug(void **state)
{
    (void)state;
    struct world w = {.state = SVC_OFF};
    unsigned seed = 4711;
    for (int i = 0; i < 1000000; i++) {
        enum svc_event event = pick(&w, &seed);
        struct svc_step step = svc_step(w.state, event);
        if (step.cell == CELL_BUG) {
            fail_msg("step %d: %s in %s", i, svc_event_name(event), svc_state_name(w.state));
        }
        w.want_up = event == EV_WANT_UP ? true : event == EV_WANT_DOWN || event == EV_KILL ? false : w.want_up;
        w.exited = w.exited || event == EV_EXITED;
        if (event >= EV_GONE_DOWN) {
            w.run = false;
        }
        if (step.cell == CELL_GO) {
            w.state = step.next;
            if ((step.actions & ACT_START) != 0) {
                w.run = true;
                w.exited = false;
            }
        }
        if (w.run != svc_state_is_alive(w.state)) {
            fail_msg("step %d: run %d in state %s", i, w.run, svc_state_name(w.state));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell_is_set),
        cmocka_unit_test(test_every_name_is_set),
        cmocka_unit_test(test_want_down_leads_out_of_every_running_state),
        cmocka_unit_test(test_every_end_of_a_run_moves_on_from_every_state_with_a_run),
        cmocka_unit_test(test_a_stop_before_the_outcome_of_a_start_ends_off),
        cmocka_unit_test(test_a_million_legal_events_reach_no_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
