/* Helper commands: result, deadline, cap, input, cancel, what they leave behind. */
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

struct answer {
    int calls;
    struct command_result result;
    char out[256];
    char err[256];
    size_t out_len;
};

static void on_done(void *ctx, const struct command_result *result)
{
    struct answer *a = ctx;
    a->calls++;
    a->result = *result;
    a->out_len = result->out.len;
    (void)snprintf(a->out, sizeof a->out, "%.*s", (int)result->out.len,
                   result->out.len > 0 ? result->out.ptr : "");
    (void)snprintf(a->err, sizeof a->err, "%.*s", (int)result->err.len,
                   result->err.len > 0 ? result->err.ptr : "");
}

static int begin(struct bench *b, const char *line, struct command_opts opts, struct answer *a,
                 struct command **out)
{
    char shell[] = "sh";
    char flag[] = "-c";
    char words[512];
    (void)snprintf(words, sizeof words, "%s", line);
    char *argv[] = {shell, flag, words, NULL};
    *a = (struct answer){0};
    opts.argv = opts.argv != NULL ? opts.argv : argv;
    opts.envp = environ;
    opts.timeout_ms = opts.timeout_ms != 0 ? opts.timeout_ms : 5000;
    opts.output_max = opts.output_max != 0 ? opts.output_max : 4096;
    return command_start(&b->loop, &opts, on_done, a, out, NULL);
}

static struct answer run(const char *line, struct command_opts opts)
{
    struct bench b;
    struct answer a;
    bench_open(&b);
    assert_int_equal(begin(&b, line, opts, &a, NULL), 0);
    assert_int_equal(a.calls, 0); /* never before return */
    BENCH_UNTIL(&b, NULL, a.calls == 1, 10000);
    bench_close(&b);
    assert_int_equal(a.calls, 1);
    return a;
}

static void test_status_and_both_streams_come_back(void **state)
{
    (void)state;
    struct answer a = run("echo out; echo err >&2; exit 4", (struct command_opts){0});
    assert_int_equal(a.result.code, 4);
    assert_int_equal(a.result.error, 0);
    assert_string_equal(a.out, "out\n");
    assert_string_equal(a.err, "err\n");
    assert_false(a.result.truncated);
    a = run("kill -9 $$", (struct command_opts){0});
    assert_int_equal(a.result.signal, SIGKILL);
    assert_int_equal(a.result.code, -1);
}

static void test_what_cannot_be_started_is_a_result(void **state)
{
    (void)state;
    char missing[] = "no-such-program-anywhere";
    char data[] = "/etc/passwd";
    char *argv[] = {missing, NULL};
    assert_int_equal(run("", (struct command_opts){.argv = argv}).result.error, -ENOENT);
    argv[0] = data;
    assert_int_equal(run("", (struct command_opts){.argv = argv}).result.error, -EACCES);
    assert_int_equal(run("true", (struct command_opts){.directory = "/nonexistent"}).result.error,
                     -ENOENT);
}

static void test_a_deadline_ends_the_whole_group(void **state)
{
    (void)state;
    uint64_t start = clock_mono_ns();
    struct answer a = run("echo begun; sleep 1000 & trap '' TERM; sleep 1000",
                          (struct command_opts){.timeout_ms = 100});
    assert_true(a.result.timed_out);
    assert_string_equal(a.out, "begun\n");
    assert_in_range((clock_mono_ns() - start) / 1000000U, 100, 600);
}

static void test_output_past_the_cap_is_dropped_and_said(void **state)
{
    (void)state;
    struct answer a =
        run(BENCH_FX " flood 3000000; echo end >&2", (struct command_opts){.output_max = 1000});
    assert_int_equal(a.result.code, 0);
    assert_int_equal(a.out_len, 1000);
    assert_true(a.result.truncated);
    assert_string_equal(a.err, "end\n");
}

static void test_input_is_read_to_its_end(void **state)
{
    (void)state;
    assert_string_equal(run("cat", (struct command_opts){.input = "secret\n"}).out, "secret\n");
    assert_string_equal(run("cat; echo end", (struct command_opts){0}).out, "end\n");
}

static void test_it_runs_in_its_directory_with_clean_signals(void **state)
{
    (void)state;
    struct answer a = run("pwd", (struct command_opts){.directory = "/usr"});
    assert_string_equal(a.out, "/usr\n");
    a = run(BENCH_FX " dumpself | cut -d, -f 1-9", (struct command_opts){.output_max = 4096});
    assert_non_null(strstr(a.out, "\"fds\":[0,1,2],\"ignored\":[],\"blocked\":[]"));
}

static void test_a_daemon_it_leaves_is_spared_and_holds_nothing_up(void **state)
{
    (void)state;
    struct bench b;
    struct answer a;
    struct run r;
    bench_open(&b);
    uint64_t start = clock_mono_ns();
    assert_int_equal(
        begin(&b, "setsid " BENCH_FX " say held & echo $!", (struct command_opts){0}, &a, NULL), 0);
    BENCH_UNTIL(&b, NULL, a.calls == 1, 3000);
    assert_in_range((clock_mono_ns() - start) / 1000000U, 200, 1000);
    pid_t daemon = (pid_t)strtol(a.out, NULL, 10);
    daemon = daemon > 0 ? daemon : (pid_t)strtol(strchr(a.out, '\n') + 1, NULL, 10);
    /* Now a shim is lost: its strays go, the daemon stays. */
    assert_int_equal(run_start(&b, &r, WORDS(BENCH_FX, "tree"), NULL), 0);
    BENCH_UNTIL(&b, &r, run_said(&r, "ready"), 2000);
    assert_int_equal(kill(r.shim, SIGKILL), 0);
    BENCH_UNTIL(&b, &r, r.gone, 2000);
    assert_true(daemon > 1);
    assert_int_equal(kill(daemon, 0), 0);
    assert_int_equal(kill(daemon, SIGKILL), 0);
    run_fini(&r);
    bench_close(&b);
}

static void test_cancel_is_silent_and_ends_it(void **state)
{
    (void)state;
    struct bench b;
    struct answer a;
    struct command *c = NULL;
    bench_open(&b);
    assert_int_equal(begin(&b, "sleep 1000 & sleep 1000", (struct command_opts){0}, &a, &c), 0);
    bench_turn(&b, NULL);
    command_cancel(c);
    for (int i = 0; i < 20; i++) {
        bench_turn(&b, NULL);
    }
    assert_int_equal(a.calls, 0);
    bench_close(&b); /* no child is left */
}

static void test_fifty_at_once_all_answer(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    struct bench b;
    static struct answer answers[COUNT];
    bench_open(&b);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(begin(&b, "echo yes", (struct command_opts){0}, &answers[i], NULL), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        BENCH_UNTIL(&b, NULL, answers[i].calls == 1, 10000);
        assert_string_equal(answers[i].out, "yes\n");
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_and_both_streams_come_back),
        cmocka_unit_test(test_what_cannot_be_started_is_a_result),
        cmocka_unit_test(test_a_deadline_ends_the_whole_group),
        cmocka_unit_test(test_output_past_the_cap_is_dropped_and_said),
        cmocka_unit_test(test_input_is_read_to_its_end),
        cmocka_unit_test(test_it_runs_in_its_directory_with_clean_signals),
        cmocka_unit_test(test_a_daemon_it_leaves_is_spared_and_holds_nothing_up),
        cmocka_unit_test(test_cancel_is_silent_and_ends_it),
        cmocka_unit_test(test_fifty_at_once_all_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
