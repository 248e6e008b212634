/* What follows when a run has ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/policy.h"

static struct spec_service service(enum restart_policy restart)
{
    struct spec_service s = {.restart = restart, .restart_delay_ms = 500, .restart_limit = 5,
                             .restart_window_ms = 60000};
    s.success_codes[0] = true;
    return s;
}

static struct policy_verdict end(const struct spec_service *s, int code, struct restart_history *h, uint64_t now)
{
    struct run_end e = {.wanted_up = true, .exit = {.code = code}};
    return policy_decide(s, &e, h, now);
}

static void test_without_restart_success_is_done_and_failure_failed(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_NO);
    struct restart_history h = {0};
    assert_int_equal(end(&s, 0, &h, 1).event, EV_GONE_DONE);
    assert_int_equal(end(&s, 3, &h, 2).event, EV_GONE_FINAL);
}

static void test_a_declared_code_counts_as_success(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_ON_FAILURE);
    struct restart_history h = {0};
    s.success_codes[143] = true;
    assert_int_equal(end(&s, 143, &h, 1).event, EV_GONE_DONE);
}

static void test_death_by_signal_is_no_success(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_NO);
    struct proc_exit killed = {.code = -1, .signal = 9};
    assert_false(policy_success(&s, &killed));
}

static void test_first_restart_is_immediate_then_delays_double_to_thirty_seconds(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_ALWAYS);
    struct restart_history h = {0};
    s.restart_limit = 0;
    static const uint64_t expected[] = {0, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct policy_verdict v = end(&s, 1, &h, i * 1000);
        assert_int_equal(v.delay_ms, expected[i]);
        assert_int_equal(v.event, i == 0 ? EV_GONE_RETRY : EV_GONE_LATER);
    }
}

static void test_the_sixth_restart_within_the_window_is_refused(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_ON_FAILURE);
    struct restart_history h = {0};
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_not_equal(end(&s, 1, &h, i).event, EV_GONE_FINAL);
    }
    struct policy_verdict v = end(&s, 1, &h, 10);
    assert_int_equal(v.event, EV_GONE_FINAL);
    assert_true(v.limit_reached);
}

static void test_restarts_outside_the_window_do_not_count(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_ON_FAILURE);
    struct restart_history h = {0};
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_not_equal(end(&s, 1, &h, i * 20000).event, EV_GONE_FINAL);
    }
}

static void test_a_minute_ready_starts_afresh(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_ALWAYS);
    struct restart_history h = {0};
    for (uint64_t i = 0; i < 4; i++) {
        (void)end(&s, 1, &h, i);
    }
    struct run_end e = {.wanted_up = true, .exit = {.code = 1}, .ready_for_ms = POLICY_FRESH_AFTER_MS};
    assert_int_equal(policy_decide(&s, &e, &h, 100000).event, EV_GONE_RETRY);
}

static void test_what_cannot_start_is_not_tried_again(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_ALWAYS);
    struct restart_history h = {0};
    struct run_end e = {.wanted_up = true, .cannot_start = true, .exit = {.code = 127}};
    assert_int_equal(policy_decide(&s, &e, &h, 1).event, EV_GONE_FINAL);
}

static void test_a_wish_to_stop_beats_every_policy(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_ALWAYS);
    struct restart_history h = {0};
    struct run_end e = {.exit = {.code = 1}, .timed_out = true};
    assert_int_equal(policy_decide(&s, &e, &h, 1).event, EV_GONE_DOWN);
    e.again = true;
    assert_int_equal(policy_decide(&s, &e, &h, 1).event, EV_GONE_AGAIN);
}

static void test_a_task_that_succeeds_is_done_whatever_the_policy(void **state)
{
    (void)state;
    struct spec_service s = service(RESTART_ALWAYS);
    struct restart_history h = {0};
    s.kind = SPEC_TASK;
    assert_int_equal(end(&s, 0, &h, 1).event, EV_GONE_DONE);
    assert_int_equal(end(&s, 1, &h, 1).event, EV_GONE_RETRY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_restart_success_is_done_and_failure_failed),
        cmocka_unit_test(test_a_declared_code_counts_as_success),
        cmocka_unit_test(test_death_by_signal_is_no_success),
        cmocka_unit_test(test_first_restart_is_immediate_then_delays_double_to_thirty_seconds),
        cmocka_unit_test(test_the_sixth_restart_within_the_window_is_refused),
        cmocka_unit_test(test_restarts_outside_the_window_do_not_count),
        cmocka_unit_test(test_a_minute_ready_starts_afresh),
        cmocka_unit_test(test_what_cannot_start_is_not_tried_again),
        cmocka_unit_test(test_a_wish_to_stop_beats_every_policy),
        cmocka_unit_test(test_a_task_that_succeeds_is_done_whatever_the_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
