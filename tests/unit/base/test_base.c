/* The base room: strict numbers, views and buffers, arena, faults, problems, tables, clock. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/numbers.h"
#include "base/problems.h"
#include "base/table.h"

static void test_durations_need_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
        uint64_t ms;
    } cases[] = {
        {"500ms", 0, 500},    {"3s", 0, 3000},     {"2m", 0, 120000},
        {"1h", 0, 3600000},   {"1m30s", 0, 90000}, {"1.5s", 0, 1500},
        {"0", 0, 0},          {"0.25s", 0, 250},   {"1500", -EINVAL, 0},
        {"", -EINVAL, 0},     {"s", -EINVAL, 0},   {"-1s", -EINVAL, 0},
        {"1 s", -EINVAL, 0},  {"1.s", -EINVAL, 0}, {"1.2345s", -EINVAL, 0},
        {"1S", -EINVAL, 0},   {"3sx", -EINVAL, 0}, {"99999999999s", -EINVAL, 0},
        {"1m30", -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t ms = 0;
        int rc = parse_duration_ms(span_of(cases[i].text), &ms);
        if (rc != cases[i].rc || ms != cases[i].ms) {
            fail_msg("%s: %d %llu", cases[i].text, rc, (unsigned long long)ms);
        }
    }
}

static void test_sizes_ports_and_numbers_are_strict(void **state)
{
    (void)state;
    uint64_t n = 0;
    uint16_t port = 0;
    assert_int_equal(parse_size(SPAN_LIT("64k"), &n), 0);
    assert_int_equal(n, 65536);
    assert_int_equal(parse_size(SPAN_LIT("1G"), &n), 0);
    assert_int_equal(n, 1073741824);
    assert_int_not_equal(parse_size(SPAN_LIT("k"), &n), 0);
    assert_int_not_equal(parse_size(SPAN_LIT("1kb"), &n), 0);
    assert_int_not_equal(parse_size(SPAN_LIT("99999999999999999999g"), &n), 0);
    assert_int_not_equal(parse_size(SPAN_LIT("18446744073709551615k"), &n), 0);
    assert_int_equal(parse_u64(SPAN_LIT("18446744073709551615"), 0, UINT64_MAX, &n), 0);
    assert_int_equal(parse_u64(SPAN_LIT("18446744073709551616"), 0, UINT64_MAX, &n), -ERANGE);
    assert_int_equal(parse_u64(SPAN_LIT("+1"), 0, 9, &n), -EINVAL);
    assert_int_equal(parse_port(SPAN_LIT("65535"), &port), 0);
    assert_int_not_equal(parse_port(SPAN_LIT("0"), &port), 0);
    assert_int_not_equal(parse_port(SPAN_LIT("65536"), &port), 0);
    assert_int_not_equal(parse_port(SPAN_LIT(" 80"), &port), 0);
}

static void test_signals_have_names_both_ways(void **state)
{
    (void)state;
    int number = 0;
    assert_int_equal(parse_signal(SPAN_LIT("TERM"), &number), 0);
    assert_int_equal(number, SIGTERM);
    assert_int_equal(parse_signal(SPAN_LIT("sigusr1"), &number), 0);
    assert_int_equal(number, SIGUSR1);
    assert_int_equal(parse_signal(SPAN_LIT("9"), &number), 0);
    assert_string_equal(signal_name(number), "KILL");
    assert_int_not_equal(parse_signal(SPAN_LIT("0"), &number), 0);
    assert_int_not_equal(parse_signal(SPAN_LIT("SIG"), &number), 0);
    assert_int_not_equal(parse_signal(SPAN_LIT("NOPE"), &number), 0);
}

static void test_durations_and_sizes_read_well(void **state)
{
    (void)state;
    char out[32];
    assert_string_equal(format_duration(850, out, sizeof out), "850ms");
    assert_string_equal(format_duration(4200, out, sizeof out), "4.2s");
    assert_string_equal(format_duration(192000, out, sizeof out), "3m12s");
    assert_string_equal(format_duration(7500000, out, sizeof out), "2h05m");
    assert_string_equal(format_duration(273600000, out, sizeof out), "3d04h");
    assert_string_equal(format_size(512, out, sizeof out), "512");
    assert_string_equal(format_size(1288490188, out, sizeof out), "1.2G");
}

static void test_spans_split_and_trim(void **state)
{
    (void)state;
    struct span head;
    struct span tail;
    assert_true(span_is(span_trim(SPAN_LIT(" \t\r\na b\v\f")), "a b"));
    assert_int_equal(span_trim(SPAN_LIT("  ")).len, 0);
    assert_true(span_split(SPAN_LIT("a=b=c"), '=', &head, &tail));
    assert_true(span_is(head, "a") && span_is(tail, "b=c"));
    assert_false(span_split(SPAN_LIT("abc"), '=', &head, &tail));
    assert_true(span_is(head, "abc") && tail.len == 0);
    assert_true(span_starts(SPAN_LIT("abc"), "ab"));
    assert_false(span_starts(SPAN_LIT("a"), "ab"));
    assert_true(span_eq(span_of(NULL), SPAN_LIT("")));
}

static void test_utf8_is_checked_strictly(void **state)
{
    (void)state;
    static const char *const good[] = {"", "a", "é", "€", "😀", "\xF4\x8F\xBF\xBF"};
    static const struct {
        const char *text;
        size_t bad;
    } wrong[] = {{"\xFF", 0},        {"a\x80", 1},        {"\xC0\xAF", 0},
                 {"\xE2\x82", 0},    {"\xED\xA0\x80", 0}, {"ab\xF4\x90\x80\x80", 2},
                 {"\xE0\x80\x80", 0}};
    size_t bad = 99;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(span_is_utf8(span_of(good[i]), NULL));
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(span_is_utf8(span_of(wrong[i].text), &bad));
        assert_int_equal(bad, wrong[i].bad);
    }
}

static void test_a_bounded_buffer_takes_all_or_nothing(void **state)
{
    (void)state;
    struct buf b = {.max = 5};
    assert_int_equal(buf_puts(&b, "abc"), 0);
    assert_int_equal(buf_puts(&b, "def"), -ENOBUFS);
    assert_string_equal(b.ptr, "abc");
    assert_int_equal(buf_printf(&b, "%d", 42), 0);
    assert_int_equal(buf_putc(&b, 'x'), -ENOBUFS);
    buf_consume(&b, 2);
    assert_string_equal(b.ptr, "c42");
    char *taken = buf_take(&b);
    assert_string_equal(taken, "c42");
    assert_int_equal(b.len, 0);
    mem_free(taken);
    buf_fini(&b);
    char out[4];
    assert_int_equal(fmt_into(out, sizeof out, "%s", "abc"), 0);
    assert_int_equal(fmt_into(out, sizeof out, "%s", "abcd"), -ENOBUFS);
    assert_string_equal(out, "abc");
}

static void test_an_arena_grows_arrays_without_losing_items(void **state)
{
    (void)state;
    struct arena a = {0};
    int *items = NULL;
    for (int i = 0; i < 5000; i++) {
        items = arena_grow(&a, items, (size_t)i, sizeof *items);
        items[i] = i;
    }
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(items[i], i);
    }
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
    assert_null(arena_strdup(&a, NULL));
    char *big = arena_alloc(&a, 1000000);
    assert_int_equal(big[999999], 0);
    arena_fini(&a);
    assert_null(a.head);
}

static void test_faults_read_from_the_outside_in(void **state)
{
    (void)state;
    struct fault why = {0};
    assert_int_equal(fault_set(&why, -ENOENT, "open %s", "../api"), -ENOENT);
    assert_int_equal(fault_wrap(&why, "service %s", "api"), -ENOENT);
    assert_int_equal(fault_hint(&why, "make it"), -ENOENT);
    assert_string_equal(fault_text(&why), "service api: open ../api: No such file or directory");
    assert_string_equal(why.hint, "make it");
    assert_int_equal(fault_set(&why, -EINVAL, "bad"), -EINVAL);
    assert_string_equal(why.text, "bad");
    assert_string_equal(why.hint, "");
    assert_int_equal(fault_set(NULL, -EIO, "x"), -EIO);
    char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    (void)fault_set(&why, -EIO, "%s", longer);
    (void)fault_wrap(&why, "%s", longer);
    assert_true(strlen(why.text) < sizeof why.text);
}

static void test_problems_sort_by_place_and_say_what_was_dropped(void **state)
{
    (void)state;
    struct problems p = {0};
    problems_add(&p, "b", 2, 1, NULL, "two");
    problems_add(&p, "a", 9, 1, "do so", "nine");
    problems_add(&p, "b", 1, 5, NULL, "one-five");
    problems_add(&p, "b", 1, 2, NULL, "one-two");
    problems_add(&p, NULL, 0, 0, NULL, "nowhere");
    problems_add(&p, "b", 0, 0, NULL, "whole");
    problems_sort(&p);
    struct buf out = {0};
    problems_print(&p, &out);
    assert_string_equal(out.ptr, "b: whole\nb:1:2: one-two\nb:1:5: one-five\nb:2:1: two\n"
                                 "a:9:1: nine; do so\nnowhere\n");
    buf_clear(&out);
    for (int i = 0; i < 300; i++) {
        problems_add(&p, "c", 1, 1, NULL, "many");
    }
    problems_print(&p, &out);
    assert_int_equal(p.count, PROBLEMS_MAX);
    assert_non_null(strstr(out.ptr, "(and 106 more)"));
    buf_fini(&out);
    problems_fini(&p);
}

static void test_tables_find_and_suggest(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int value;
    } rows[] = {{"command", 1}, {"environment", 2}, {"port", 3}, {"up", 4}};
    assert_ptr_equal(TABLE_FIND(rows, SPAN_LIT("port")), &rows[2]);
    assert_null(TABLE_FIND(rows, SPAN_LIT("por")));
    assert_string_equal(TABLE_NEAREST(rows, SPAN_LIT("comand")), "command");
    assert_string_equal(TABLE_NEAREST(rows, SPAN_LIT("enviromnent")), "environment");
    assert_string_equal(TABLE_NEAREST(rows, SPAN_LIT("prot")), "port");
    assert_null(TABLE_NEAREST(rows, SPAN_LIT("x")));
    assert_null(TABLE_NEAREST(rows, SPAN_LIT("frobnicate")));
    assert_int_equal(edit_distance(SPAN_LIT("ab"), SPAN_LIT("ba"), 5), 1);
    assert_int_equal(edit_distance(SPAN_LIT(""), SPAN_LIT("abc"), 5), 3);
    assert_int_equal(edit_distance(SPAN_LIT("abcdef"), SPAN_LIT("uvwxyz"), 2), 3);
}

static void test_wall_times_are_rfc3339(void **state)
{
    (void)state;
    char out[CLOCK_RFC3339_SIZE];
    assert_string_equal(clock_rfc3339(1700000000123000000ULL, out), "2023-11-14T22:13:20.123Z");
    uint64_t before = clock_mono_ns();
    assert_true(clock_mono_ns() >= before);
    assert_true(clock_wall_ns() > 1700000000000000000ULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_need_a_unit),
        cmocka_unit_test(test_sizes_ports_and_numbers_are_strict),
        cmocka_unit_test(test_signals_have_names_both_ways),
        cmocka_unit_test(test_durations_and_sizes_read_well),
        cmocka_unit_test(test_spans_split_and_trim),
        cmocka_unit_test(test_utf8_is_checked_strictly),
        cmocka_unit_test(test_a_bounded_buffer_takes_all_or_nothing),
        cmocka_unit_test(test_an_arena_grows_arrays_without_losing_items),
        cmocka_unit_test(test_faults_read_from_the_outside_in),
        cmocka_unit_test(test_problems_sort_by_place_and_say_what_was_dropped),
        cmocka_unit_test(test_tables_find_and_suggest),
        cmocka_unit_test(test_wall_times_are_rfc3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
