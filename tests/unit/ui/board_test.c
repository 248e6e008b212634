/* The board: what is under way, painted line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "ui/board.h"
#include "ui/when.h"

#define T0 "2026-08-22T12:00:00.000Z"

static uint64_t t0(void)
{
    return when_rfc3339(T0) / 1000000;
}

static bool feed(struct board *b, const char *service, const char *to, const char *text)
{
    json_t *event = json_pack("{s:s,s:s,s:s,s:s,s:s,s:i}", "event", "state", "t", T0, "service", service,
                              "to", to, "text", text, "run", 1);
    bool changed = board_event(b, event, t0());
    json_decref(event);
    return changed;
}

static char *paint(const struct board *b, uint64_t later_ms, unsigned columns, unsigned rows)
{
    struct buf out = {0};
    struct board_look look = {.columns = columns, .rows = rows, .now_wall_ms = t0() + later_ms};
    (void)board_paint(b, &look, &out);
    (void)buf_puts(&out, "");
    buf_reserve(&out, 1);
    out.ptr[out.len] = '\0';
    return buf_take(&out);
}

static void check(const struct board *b, uint64_t later_ms, unsigned columns, unsigned rows,
                  const char *expected)
{
    char *got = paint(b, later_ms, columns, rows);
    assert_string_equal(got, expected);
    struct buf owner = {.ptr = got};
    buf_fini(&owner);
}

static void test_board_tells_what_waits_for_what_and_since_when(void **state)
{
    (void)state;
    struct board b = {0};
    assert_true(feed(&b, "redis", "starting", "connection refused"));
    assert_true(feed(&b, "backend", "waiting", "for redis"));
    assert_true(feed(&b, "docs", "ready", ""));
    check(&b, 2100, 80, 10,
          "● redis   starting 2.1s connection refused\n● backend waiting 2.1s for redis\n");
    assert_true(board_pending(&b));
    board_fini(&b);
}

static void test_waiting_names_the_needs_that_are_not_met(void **state)
{
    (void)state;
    struct board b = {0};
    json_t *services = json_loads("[{\"name\":\"db\",\"state\":\"starting\",\"needs\":[]},"
                                  "{\"name\":\"cache\",\"state\":\"ready\",\"needs\":[]},"
                                  "{\"name\":\"web\",\"state\":\"waiting\",\"needs\":[\"db\",\"cache\"]}]",
                                  0, NULL);
    board_fill(&b, services, t0());
    json_decref(services);
    check(&b, 1000, 80, 10, "● db    starting 1.0s\n● web   waiting 1.0s for db (starting)\n");
    board_fini(&b);
}

static void test_the_same_event_again_changes_nothing(void **state)
{
    (void)state;
    struct board b = {0};
    assert_true(feed(&b, "web", "starting", "x"));
    assert_false(feed(&b, "web", "starting", "x"));
    assert_true(feed(&b, "web", "starting", "y"));
    board_fini(&b);
}

static void test_a_painted_line_never_wraps(void **state)
{
    (void)state;
    struct board b = {0};
    (void)feed(&b, "web", "starting", "日本語日本語日本語日本語");
    check(&b, 0, 22, 10, "● web starting 0ms 日\n");
    board_fini(&b);
}

static void test_what_does_not_fit_is_counted(void **state)
{
    (void)state;
    struct board b = {0};
    (void)feed(&b, "a", "starting", "");
    (void)feed(&b, "b", "starting", "");
    (void)feed(&b, "c", "starting", "");
    check(&b, 0, 80, 2, "● a starting 0ms\n  … and 2 more\n");
    check(&b, 0, 80, 3, "● a starting 0ms\n● b starting 0ms\n● c starting 0ms\n");
    board_fini(&b);
}

static void test_stopping_counts_down_with_names_and_processes(void **state)
{
    (void)state;
    struct board b = {0};
    (void)feed(&b, "web", "stopping", "");
    json_t *progress = json_pack("{s:s,s:s,s:i,s:i}", "name", "web", "what", "TERM", "left_ms", 7000,
                                 "processes", 3);
    assert_true(board_progress(&b, progress, t0()));
    assert_false(board_progress(&b, progress, t0()));
    check(&b, 500, 80, 10, "● web stopping TERM  3 processes, 7s left\n");
    check(&b, 2500, 80, 10, "● web stopping TERM  3 processes, 5s left\n");
    (void)feed(&b, "web", "off", "");
    check(&b, 3000, 80, 10, "");
    assert_false(board_pending(&b));
    json_decref(progress);
    board_fini(&b);
}

static void test_nothing_under_way_paints_nothing(void **state)
{
    (void)state;
    struct board b = {0};
    (void)feed(&b, "web", "ready", "");
    (void)feed(&b, "odd", "unhealthy", "503");
    (void)feed(&b, "old", "failed", "exit 1");
    assert_false(board_pending(&b));
    check(&b, 0, 80, 10, "");
    struct buf summary = {0};
    board_summary(&b, &summary);
    assert_string_equal(summary.ptr, "1 ready, 1 unhealthy (odd), 1 failed (old)");
    buf_fini(&summary);
    board_fini(&b);
}

static void test_redrawing_erases_exactly_what_was_painted(void **state)
{
    (void)state;
    struct board b = {0};
    struct painter p = {0};
    struct buf out = {0};
    struct board_look look = {.columns = 80, .rows = 10, .now_wall_ms = t0()};
    (void)feed(&b, "a", "starting", "");
    (void)feed(&b, "b", "starting", "");
    painter_redraw(&p, &b, &look, &out);
    assert_int_equal(p.lines, 2);
    buf_clear(&out);
    (void)feed(&b, "a", "ready", "");
    painter_redraw(&p, &b, &look, &out);
    assert_string_equal(out.ptr, "\r\033[2A\033[J● b starting 0ms\n");
    buf_clear(&out);
    painter_erase(&p, &out);
    assert_string_equal(out.ptr, "\r\033[1A\033[J");
    buf_clear(&out);
    painter_erase(&p, &out);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
    board_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_board_tells_what_waits_for_what_and_since_when),
        cmocka_unit_test(test_waiting_names_the_needs_that_are_not_met),
        cmocka_unit_test(test_the_same_event_again_changes_nothing),
        cmocka_unit_test(test_a_painted_line_never_wraps),
        cmocka_unit_test(test_what_does_not_fit_is_counted),
        cmocka_unit_test(test_stopping_counts_down_with_names_and_processes),
        cmocka_unit_test(test_nothing_under_way_paints_nothing),
        cmocka_unit_test(test_redrawing_erases_exactly_what_was_painted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
