/* Sleep and standstill, with clocks by hand. */
#include "engine/gap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

static void test_time_that_passes_as_meant_is_no_gap(void **state)
{
    (void)state;
    struct gap g;
    uint64_t span = 0;
    gap_init(&g, 10 * S, 15 * S);
    gap_wait(&g, 10 * S, 500);
    assert_int_equal(gap_look(&g, 10 * S + S / 2, 15 * S + S / 2, &span), GAP_NONE);
    gap_wait(&g, 11 * S, -1);
    assert_int_equal(gap_look(&g, 9000 * S, 9005 * S, &span), GAP_NONE);
}

static void test_a_laptop_that_slept_is_seen_once(void **state)
{
    (void)state;
    struct gap g;
    uint64_t span = 0;
    gap_init(&g, 10 * S, 15 * S);
    gap_wait(&g, 10 * S, -1);
    assert_int_equal(gap_look(&g, 11 * S, 16 * S + 8 * 3600 * S, &span), GAP_SLEPT);
    assert_int_equal(span, 8 * 3600 * 1000);
    gap_wait(&g, 11 * S, 100);
    assert_int_equal(gap_look(&g, 11 * S, 16 * S + 8 * 3600 * S, &span), GAP_NONE);
}

static void test_a_wait_that_took_far_longer_than_meant_is_a_standstill(void **state)
{
    (void)state;
    struct gap g;
    uint64_t span = 0;
    gap_init(&g, 10 * S, 10 * S);
    gap_wait(&g, 10 * S, 100);
    assert_int_equal(gap_look(&g, 15 * S, 15 * S, &span), GAP_STOOD);
    assert_int_equal(span, 4900);
    gap_wait(&g, 15 * S, 0);
    assert_int_equal(gap_look(&g, 15 * S + S / 2, 15 * S + S / 2, &span), GAP_NONE);
}

static void test_a_look_without_a_wait_is_no_standstill(void **state)
{
    (void)state;
    struct gap g;
    uint64_t span = 0;
    gap_init(&g, 10 * S, 10 * S);
    assert_int_equal(gap_look(&g, 100 * S, 100 * S, &span), GAP_NONE);
    gap_wait(&g, 100 * S, 0);
    assert_int_equal(gap_look(&g, 103 * S, 103 * S, &span), GAP_STOOD);
    assert_int_equal(gap_look(&g, 200 * S, 200 * S, &span), GAP_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_that_passes_as_meant_is_no_gap),
        cmocka_unit_test(test_a_laptop_that_slept_is_seen_once),
        cmocka_unit_test(test_a_wait_that_took_far_longer_than_meant_is_a_standstill),
        cmocka_unit_test(test_a_look_without_a_wait_is_no_standstill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
