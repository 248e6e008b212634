/* A sink: the loop goes on while nobody reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <poll.h>
#include <unistd.h>

#include "ui/sink.h"

static void on_drained(void *ctx)
{
    ++*(int *)ctx;
}

static void put(struct sink *s, size_t len, char fill)
{
    struct buf b = {0};
    buf_reserve(&b, len);
    memset(b.ptr, fill, len);
    b.len = len;
    sink_put(s, &b);
    assert_int_equal(b.len, 0);
}

static void run_until_empty(uv_loop_t *loop, const struct sink *s)
{
    while (!sink_is_empty(s)) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
}

static void test_bytes_leave_in_order(void **state)
{
    (void)state;
    uv_loop_t loop;
    int fds[2];
    int drained = 0;
    char got[300] = "";
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    struct sink *s = sink_open(&loop, fds[1], on_drained, &drained);
    put(s, 100, 'a');
    put(s, 100, 'b');
    put(s, 100, 'c');
    run_until_empty(&loop, s);
    assert_int_equal(read(fds[0], got, sizeof got), 300);
    assert_true(got[0] == 'a' && got[99] == 'a' && got[100] == 'b' && got[299] == 'c');
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(drained > 0);
    sink_close(s, false);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_a_reader_that_stands_still_takes_room_not_the_loop(void **state)
{
    (void)state;
    uv_loop_t loop;
    int fds[2];
    int drained = 0;
    static char got[64 * 1024];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    struct sink *s = sink_open(&loop, fds[1], on_drained, &drained);
    assert_true(sink_has_room(s));
    put(s, SINK_ROOM, 'x'); /* returns at once though the pipe holds less */
    assert_false(sink_has_room(s));
    for (size_t total = 0; total < SINK_ROOM;) {
        ssize_t n = read(fds[0], got, sizeof got);
        assert_true(n > 0);
        total += (size_t)n;
    }
    run_until_empty(&loop, s);
    assert_true(sink_has_room(s));
    sink_close(s, false);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_a_reader_that_went_away_is_an_error_and_the_rest_is_dropped(void **state)
{
    (void)state;
    uv_loop_t loop;
    int fds[2];
    int drained = 0;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    struct sink *s = sink_open(&loop, fds[1], on_drained, &drained);
    (void)close(fds[0]);
    put(s, 10, 'x');
    put(s, 10, 'y');
    run_until_empty(&loop, s);
    assert_int_equal(sink_error(s), -EPIPE);
    sink_close(s, false);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    (void)close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_leave_in_order),
        cmocka_unit_test(test_a_reader_that_stands_still_takes_room_not_the_loop),
        cmocka_unit_test(test_a_reader_that_went_away_is_an_error_and_the_rest_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
