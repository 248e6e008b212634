/* Columns, tables, points in time, lines of news. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "logs/view.h"
#include "ui/grid.h"
#include "ui/state.h"
#include "ui/when.h"
#include "ui/width.h"

static void test_width_counts_columns_not_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {
        {"", 0},        {"abc", 3},        {"é", 1},          {"e\xCC\x81", 1}, {"日本", 4},
        {"–", 1},       {"✓", 1},          {"🚀", 2},         {"한글", 4},       {"\033[31mred\033[0m", 3},
        {"\xff\xfe", 2}, {"a\xE2\x80\x8B" "b", 2}, {"…", 1},  {"│ ├─", 4},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(width_of(span_of(cases[i].text)), cases[i].columns);
    }
}

static void test_a_fitting_prefix_never_cuts_a_character(void **state)
{
    (void)state;
    assert_int_equal(width_fit(span_of("日本語"), 3), 3);
    assert_int_equal(width_fit(span_of("日本語"), 4), 6);
    assert_int_equal(width_fit(span_of("abc"), 10), 3);
    assert_int_equal(width_fit(span_of("é"), 0), 0);
    assert_int_equal(width_fit(span_of("\033[1mab"), 1), 5);
}

static void test_tables_align_wide_characters_and_leave_no_blanks_at_line_ends(void **state)
{
    (void)state;
    struct grid g = {.columns = 3};
    struct buf out = {0};
    grid_add(&g, "1", "NAME");
    grid_add(&g, "1", "STATE");
    grid_add(&g, "1", "NOTE");
    grid_add(&g, NULL, "日本");
    grid_add(&g, NULL, NULL);
    grid_add(&g, NULL, "");
    grid_add(&g, NULL, "web");
    grid_add(&g, "32", "ready");
    grid_add(&g, NULL, "ok");
    grid_print(&g, false, &out);
    assert_string_equal(out.ptr, "NAME  STATE  NOTE\n日本  –\nweb   ready  ok\n");
    buf_clear(&out);
    grid_print(&g, true, &out);
    assert_non_null(strstr(out.ptr, "\033[32mready\033[0m  ok\n"));
    buf_fini(&out);
    grid_fini(&g);
}

static void test_a_cell_cannot_smuggle_an_escape(void **state)
{
    (void)state;
    struct grid g = {.columns = 1};
    struct buf out = {0};
    grid_add(&g, NULL, "a\033]0;title\007b\nc");
    grid_print(&g, true, &out);
    assert_null(strchr(out.ptr, '\033'));
    assert_null(strchr(out.ptr, '\007'));
    assert_ptr_equal(strchr(out.ptr, '\n'), out.ptr + out.len - 1);
    buf_fini(&out);
    grid_fini(&g);
}

/* 2026-08-22T12:34:56Z */
#define NOW 1787402096000000000ULL

static void test_times_are_read_as_people_type_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t at;
    } cases[] = {
        {"now", NOW},
        {"5m", NOW - 300000000000ULL},
        {"1h30m", NOW - 5400000000000ULL},
        {"0", NOW},
        {"12:01", 1787400060000000000ULL},
        {"12:34:56", NOW},
        {"12:35", 1787402100000000000ULL - 86400000000000ULL}, /* not yet today: yesterday */
        {"2026-08-22", 1787356800000000000ULL},
        {"2026-08-22T12:34:56Z", NOW},
        {"2026-08-22T12:34:56.5Z", NOW + 500000000ULL},
        {"2026-08-22T14:34:56+02:00", NOW},
        {"2026-08-22 12:34:56", NOW},
        {"2026-08-22T04:34:56-0800", NOW},
        {"1970-01-01T00:00:00Z", 0},
        {"2024-02-29T00:00:00Z", 1709164800000000000ULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t at = 1;
        assert_int_equal(when_parse(span_of(cases[i].text), NOW, &at), 0);
        assert_int_equal(at, cases[i].at);
    }
}

static void test_what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",           "yesterday",          "12",         "25:00",
                                        "12:60",      "2026-13-01",         "2026-02-29", "2026-08-22T",
                                        "12:01x",     "2026-08-22T12:01:00+", "-5m",      "5 m",
                                        "2026-8-2",   "2026-08-22T12:34:56.Z", "12:"};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t at = 0;
        assert_true(when_parse(span_of(cases[i]), NOW, &at) < 0);
    }
}

static void check_news(const char *json, const char *expected)
{
    json_t *event = json_loads(json, 0, NULL);
    struct buf out = {0};
    struct news_opts opts = {.name_width = 7};
    assert_non_null(event);
    bool told = news_line(&opts, event, &out);
    assert_int_equal(told, expected != NULL);
    if (expected != NULL) {
        assert_string_equal(out.ptr, expected);
    }
    json_decref(event);
    buf_fini(&out);
}

static void test_news_is_one_line_an_event(void **state)
{
    (void)state;
    check_news("{\"event\":\"state\",\"service\":\"redis\",\"to\":\"starting\",\"cause\":\"\",\"text\":\"\"}",
               "● redis   starting …");
    check_news("{\"event\":\"state\",\"service\":\"redis\",\"to\":\"ready\",\"took_ms\":412,\"text\":\"PONG\"}",
               "✓ redis   ready 412ms PONG");
    check_news("{\"event\":\"state\",\"service\":\"worker\",\"to\":\"failed\",\"took_ms\":60000,"
               "\"cause\":\"exit 3\",\"text\":\"\"}",
               "✗ worker  failed 1m00s exit 3");
    check_news("{\"event\":\"state\",\"service\":\"w\",\"to\":\"off\",\"took_ms\":5,\"cause\":\"\"}",
               "– w       off");
    check_news("{\"event\":\"news\",\"level\":\"warn\",\"service\":\"w\",\"text\":\"stale\"}",
               "! w       stale");
    check_news("{\"event\":\"news\",\"level\":\"info\",\"service\":null,\"text\":\"slept 2m\"}",
               "roadie  | slept 2m");
    check_news("{\"event\":\"end\",\"code\":0}", NULL);
}

static void test_news_masks_and_sanitises_what_came_from_outside(void **state)
{
    (void)state;
    json_t *event = json_pack("{s:s,s:s,s:s,s:s}", "event", "state", "service", "db", "to", "failed",
                              "text", "no route to s3cretpassword \033[2Jx");
    struct redactor *mask = redactor_new();
    struct buf out = {0};
    redactor_add(mask, "DB_PASSWORD", SPAN_LIT("s3cretpassword"));
    struct news_opts opts = {.name_width = 2, .mask = mask};
    assert_true(news_line(&opts, event, &out));
    assert_null(strstr(out.ptr, "s3cretpassword"));
    assert_non_null(strstr(out.ptr, "‹DB_PASSWORD›"));
    assert_null(strchr(out.ptr, '\033'));
    buf_fini(&out);
    redactor_free(mask);
    json_decref(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width_counts_columns_not_bytes),
        cmocka_unit_test(test_a_fitting_prefix_never_cuts_a_character),
        cmocka_unit_test(test_tables_align_wide_characters_and_leave_no_blanks_at_line_ends),
        cmocka_unit_test(test_a_cell_cannot_smuggle_an_escape),
        cmocka_unit_test(test_times_are_read_as_people_type_them),
        cmocka_unit_test(test_what_is_no_time_is_refused),
        cmocka_unit_test(test_news_is_one_line_an_event),
        cmocka_unit_test(test_news_masks_and_sanitises_what_came_from_outside),
    };
    (void)setenv("TZ", "UTC0", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
