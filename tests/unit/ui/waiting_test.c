/* What `wait` makes of a state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"
#include "ui/waiting.h"

static void test_each_state_is_met_pending_or_impossible(void **state)
{
    (void)state;
    static const struct {
        enum wait_for what;
        struct wait_facts facts;
        enum wait_verdict verdict;
    } cases[] = {
        {WAIT_READY, {.state = "ready"}, WAIT_MET},
        {WAIT_READY, {.state = "starting"}, WAIT_PENDING},
        {WAIT_READY, {.state = "backoff"}, WAIT_PENDING},
        {WAIT_READY, {.state = "unhealthy"}, WAIT_PENDING},
        {WAIT_READY, {.state = "failed"}, WAIT_IMPOSSIBLE},
        {WAIT_READY, {.state = "done"}, WAIT_IMPOSSIBLE},
        {WAIT_READY, {.state = "done", .was_ready = true}, WAIT_MET},
        {WAIT_READY, {.state = "done", .task = true}, WAIT_MET},
        {WAIT_READY, {.state = "off"}, WAIT_PENDING},
        {WAIT_READY, {.state = "off", .wanted_down = true}, WAIT_IMPOSSIBLE},
        {WAIT_DONE, {.state = "done"}, WAIT_MET},
        {WAIT_DONE, {.state = "ready"}, WAIT_PENDING},
        {WAIT_DONE, {.state = "failed"}, WAIT_IMPOSSIBLE},
        {WAIT_STOPPED, {.state = "ready"}, WAIT_PENDING},
        {WAIT_STOPPED, {.state = "stopping"}, WAIT_PENDING},
        {WAIT_STOPPED, {.state = "off"}, WAIT_MET},
        {WAIT_STOPPED, {.state = "failed"}, WAIT_MET},
        {WAIT_STOPPED, {.state = "done"}, WAIT_MET},
        {WAIT_LOG, {.state = "ready"}, WAIT_PENDING},
        {WAIT_LOG, {.state = "ready", .logged = true}, WAIT_MET},
        {WAIT_LOG, {.state = "failed", .logged = true}, WAIT_MET},
        {WAIT_LOG, {.state = "failed"}, WAIT_IMPOSSIBLE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(wait_judge(cases[i].what, &cases[i].facts), cases[i].verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_state_is_met_pending_or_impossible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
