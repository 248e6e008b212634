/* Stopping and sweeping: groups, trees that hide, storms, lost shims. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bench.h"
#include "process/tree.h"

static uint64_t since_ms(uint64_t start_ns)
{
    return (clock_mono_ns() - start_ns) / 1000000U;
}

static void start_ready(struct bench *b, struct run *r, const char *const *words)
{
    assert_int_equal(run_start(b, r, words, NULL), 0);
    BENCH_UNTIL(b, r, run_said(r, "ready") || run_said(r, "done"), 10000);
}

static void test_term_ends_what_obeys_at_once(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    start_ready(&b, &r, WORDS("/bin/sh", "-c", "sleep 1000 & echo ready; wait"));
    proc_signal(r.proc, SIGTERM);
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 1000);
    assert_int_equal(r.how.signal, SIGTERM);
    assert_int_equal(r.exited, 1);
    run_fini(&r);
    bench_close(&b);
}

static void test_what_ignores_term_lives_until_the_tree_is_killed(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    start_ready(&b, &r, WORDS(BENCH_FX, "ignore-term"));
    proc_signal(r.proc, SIGTERM);
    for (int i = 0; i < 20; i++) {
        bench_turn(&b, &r);
    }
    assert_int_equal(r.exited, 0);
    proc_kill_tree(r.proc);
    BENCH_UNTIL(&b, &r, r.gone, 500);
    assert_int_equal(r.how.signal, SIGKILL);
    run_fini(&r);
    bench_close(&b);
}

static void test_a_clean_stop_keeps_its_status(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    start_ready(&b, &r, WORDS(BENCH_FX, "slow-stop", "50", "7"));
    proc_signal(r.proc, SIGTERM);
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    assert_int_equal(r.how.code, 7);
    run_fini(&r);
    bench_close(&b);
}

static void test_a_stopped_service_is_reported_and_hears_term(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    start_ready(&b, &r, WORDS(BENCH_FX, "stop-self"));
    BENCH_UNTIL(&b, &r, r.stopped == 1, 1000);
    assert_int_equal(r.stop_signal, SIGSTOP);
    proc_signal(r.proc, SIGCONT);
    BENCH_UNTIL(&b, &r, r.stopped == 2 && run_said(&r, "continued"), 1000);
    assert_int_equal(r.stop_signal, 0);
    proc_signal(r.proc, SIGSTOP);
    BENCH_UNTIL(&b, &r, r.stopped == 3, 1000);
    proc_signal(r.proc, SIGTERM);
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    assert_int_equal(r.how.signal, SIGTERM);
    run_fini(&r);
    bench_close(&b);
}

static void test_a_signal_comes_once(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    start_ready(&b, &r, WORDS(BENCH_FX, "signals"));
    proc_signal(r.proc, SIGUSR1);
    BENCH_UNTIL(&b, &r, run_said(&r, "10\n"), 1000);
    proc_signal(r.proc, SIGTERM);
    BENCH_UNTIL(&b, &r, run_said(&r, "15\n") && run_said(&r, "18\n"), 1000); /* TERM and CONT */
    for (int i = 0; i < 10; i++) {
        bench_turn(&b, &r);
    }
    assert_int_equal(r.output.len, strlen("ready\n10\n15\n18\n"));
    proc_kill_tree(r.proc);
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    run_fini(&r);
    bench_close(&b);
}

static void test_a_tree_of_six_is_swept_after_its_leader_left(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    pid_t pids[64];
    bench_open(&b);
    start_ready(&b, &r, WORDS(BENCH_FX, "tree", "50"));
    assert_int_equal(tree_list(r.shim, pids, 64), 6);
    BENCH_UNTIL(&b, &r, r.exited, 1000);
    assert_int_equal(r.how.code, 0);
    assert_int_equal(r.gone, 0); /* one ignores TERM: it has two seconds */
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 3000);
    uint64_t took = (r.gone_ns - r.exited_ns) / 1000000U;
    assert_in_range(took, 1900, 2600);
    run_fini(&r);
    bench_close(&b);
}

static void test_a_tree_that_obeys_is_gone_at_once(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS(BENCH_FX, "daemonize"), NULL), 0);
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    assert_int_equal(r.how.code, 0);
    run_fini(&r);
    bench_close(&b);
}

static void test_what_a_swept_process_said_is_not_lost(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS(BENCH_FX, "hold-out", "100"), NULL), 0);
    BENCH_UNTIL(&b, &r, r.exited, 500);
    assert_false(r.ended);
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 3000);
    assert_true(run_said(&r, "leaving\nlate\n"));
    run_fini(&r);
    bench_close(&b);
}

static void test_kill_tree_ends_six_at_once(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    start_ready(&b, &r, WORDS(BENCH_FX, "tree"));
    uint64_t start = clock_mono_ns();
    proc_kill_tree(r.proc);
    BENCH_UNTIL(&b, &r, r.gone && r.ended, 1000);
    assert_in_range(since_ms(start), 0, 300);
    run_fini(&r);
    bench_close(&b);
}

static void storm_ends(const char *const *words)
{
    struct bench b;
    struct run r;
    bench_open(&b);
    start_ready(&b, &r, words);
    proc_kill_tree(r.proc);
    BENCH_UNTIL(&b, &r, r.gone, 5000);
    assert_int_equal(r.remaining, 0);
    run_fini(&r);
    bench_close(&b);
}

static void test_fork_storms_end(void **state)
{
    (void)state;
    storm_ends(WORDS(BENCH_FX, "forkstorm", "20"));
    storm_ends(WORDS(BENCH_FX, "forkstorm", "8", "sessions"));
}

static void test_a_thousand_orphans_are_reaped(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    pid_t pids[64];
    bench_open(&b);
    start_ready(&b, &r, WORDS(BENCH_FX, "zombies", "1000"));
    BENCH_UNTIL(&b, &r, tree_list(r.shim, pids, 64) == 1, 1000);
    assert_int_equal(r.exited, 0);
    proc_signal(r.proc, SIGTERM);
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    run_fini(&r);
    bench_close(&b);
}

static void test_cpu_time_of_all_is_told(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    assert_int_equal(
        run_start(&b, &r, WORDS("/bin/sh", "-c", BENCH_FX " spin 60 & " BENCH_FX " spin 60; wait"),
                  NULL),
        0);
    BENCH_UNTIL(&b, &r, r.gone, 3000);
    assert_in_range(r.cpu_ms, 100, 1000);
    run_fini(&r);
    bench_close(&b);
}

static void test_a_killed_shim_takes_its_tree_along_and_nobody_else(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    struct run other;
    bench_open(&b);
    start_ready(&b, &other, WORDS(BENCH_FX, "say", "ready"));
    for (int i = 0; i < 10; i++) {
        start_ready(&b, &r, WORDS(BENCH_FX, "tree"));
        assert_int_equal(kill(r.shim, SIGKILL), 0);
        BENCH_UNTIL(&b, &r, r.gone && r.ended, 1000);
        assert_int_equal(r.exited, 1);
        assert_int_equal(r.how.signal, SIGKILL);
        assert_int_equal(r.remaining, 0);
        run_fini(&r);
    }
    assert_int_equal(other.exited, 0);
    assert_int_equal(kill(other.pid, 0), 0);
    proc_signal(other.proc, SIGTERM);
    BENCH_UNTIL(&b, &other, other.gone, 1000);
    run_fini(&other);
    bench_close(&b);
}

static void test_a_stopped_shim_still_obeys_kill(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    bench_open(&b);
    start_ready(&b, &r, WORDS(BENCH_FX, "tree"));
    assert_int_equal(kill(r.shim, SIGSTOP), 0);
    proc_kill_tree(r.proc);
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    run_fini(&r);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_term_ends_what_obeys_at_once),
        cmocka_unit_test(test_what_ignores_term_lives_until_the_tree_is_killed),
        cmocka_unit_test(test_a_clean_stop_keeps_its_status),
        cmocka_unit_test(test_a_stopped_service_is_reported_and_hears_term),
        cmocka_unit_test(test_a_signal_comes_once),
        cmocka_unit_test(test_a_tree_of_six_is_swept_after_its_leader_left),
        cmocka_unit_test(test_a_tree_that_obeys_is_gone_at_once),
        cmocka_unit_test(test_what_a_swept_process_said_is_not_lost),
        cmocka_unit_test(test_kill_tree_ends_six_at_once),
        cmocka_unit_test(test_fork_storms_end),
        cmocka_unit_test(test_a_thousand_orphans_are_reaped),
        cmocka_unit_test(test_cpu_time_of_all_is_told),
        cmocka_unit_test(test_a_killed_shim_takes_its_tree_along_and_nobody_else),
        cmocka_unit_test(test_a_stopped_shim_still_obeys_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
