/* Which listener a connection reaches. */
#include <string.h>

#include "base/attr.h"
#include "engine/probe_target.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct listener four = {.address = "127.0.0.1", .loopback = true};
static const struct listener four_any = {.address = "0.0.0.0", .wildcard = true};
static const struct listener six = {.address = "::1", .v6 = true, .loopback = true};
static const struct listener six_any = {.address = "::", .v6 = true, .wildcard = true};
static const struct listener lan = {.address = "192.168.7.7"};

static void test_the_kernels_choice_is_the_closest_address(void **state)
{
    (void)state;
    const struct listener all[] = {six_any, four_any, six, four, lan};
    int out[8];
    assert_int_equal(target_reached("127.0.0.1", all, 5, out), 1);
    assert_int_equal(out[0], 3);
    assert_int_equal(target_reached("::1", all, 5, out), 1);
    assert_int_equal(out[0], 2);
    assert_int_equal(target_reached("127.0.0.2", all, 5, out), 1);
    assert_int_equal(out[0], 1);
    assert_int_equal(target_reached("127.0.0.1", all, 1, out), 1);
    assert_int_equal(out[0], 0);
    assert_int_equal(target_reached("::1", &four_any, 1, out), 0);
    assert_int_equal(target_reached("127.0.0.1", &lan, 1, out), 0);
    const struct listener twins[] = {four, four};
    assert_int_equal(target_reached("127.0.0.1", twins, 2, out), 2);
}

static void test_localhost_is_both_families_and_numbers_are_themselves(void **state)
{
    (void)state;
    struct target t;
    target_init(&t, "localhost", 80);
    assert_true(t.here);
    assert_int_equal(t.address_count, 2);
    target_init(&t, "[::]", 80);
    assert_int_equal(t.address_count, 1);
    assert_string_equal(t.addresses[0], "::1");
    target_init(&t, "0.0.0.0", 80);
    assert_string_equal(t.addresses[0], "127.0.0.1");
    target_init(&t, "127.0.0.5", 80);
    assert_string_equal(t.addresses[0], "127.0.0.5");
    target_init(&t, "example.org", 80);
    assert_false(t.here);
    target_init(&t, NULL, 0);
    assert_false(t.here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_kernels_choice_is_the_closest_address),
        cmocka_unit_test(test_localhost_is_both_families_and_numbers_are_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
