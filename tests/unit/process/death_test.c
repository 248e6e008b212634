/* The server dies: what a process outside of everything, the oracle, then finds. And what nobody may end. */
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

#define LONE ROADIE_BIN "/lone_server"
#define ORACLE ROADIE_BIN "/oracle"

struct oracle_result {
    bool over;
    int code;
    char err[2048];
    char out[256];
};

static void on_oracle(void *ctx, const struct command_result *result)
{
    struct oracle_result *o = ctx;
    o->over = true;
    o->code = result->code;
    (void)snprintf(o->err, sizeof o->err, "%.*s", (int)result->err.len, result->err.ptr);
    size_t from = result->out.len > 200 ? result->out.len - 200 : 0;
    (void)snprintf(o->out, sizeof o->out, "%.*s", (int)(result->out.len - from),
                   result->out.ptr + from);
}

/* Runs the oracle with these words; it must find nothing. */
static void oracle(const char *words)
{
    struct bench b;
    struct oracle_result result = {0};
    char line[1024];
    char shell[] = "/bin/sh";
    char flag[] = "-c";
    (void)snprintf(line, sizeof line, "exec " ORACLE " %s", words);
    char *argv[] = {shell, flag, line, NULL};
    struct command_opts opts = {
        .argv = argv, .envp = environ, .timeout_ms = 100000, .output_max = 1 << 20};
    bench_open(&b);
    assert_int_equal(command_start(&b.loop, &opts, on_oracle, &result, NULL, NULL), 0);
    BENCH_UNTIL(&b, NULL, result.over, 105000);
    if (result.code != 0) {
        fail_msg("oracle %s: exit %d: %s", words, result.code, result.err);
    }
    print_message("%s", result.out);
    bench_close(&b);
}

static void test_nothing_is_left_500_ms_after_the_server_was_killed(void **state)
{
    (void)state;
    oracle("--expect-leak --until-descendants 6 -- " BENCH_FX " tree");
    oracle("--runs 5 --until-descendants 29 -- " LONE " " BENCH_SHIM " 4 " BENCH_FX " tree");
}

static void test_nothing_is_left_when_the_server_is_killed_while_it_starts(void **state)
{
    (void)state;
    oracle("--runs 60 --until-descendants 2 --after-random 5000 -- " LONE " " BENCH_SHIM
           " 4 " BENCH_FX " tree");
}

static void test_the_farewell_runs_after_the_server_and_removes_the_tombstone(void **state)
{
    (void)state;
    char dir[] = "/tmp/roadie-farewell.XXXXXX";
    char path[64];
    char words[512];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/tomb", dir);
    FILE *tomb = fopen(path, "w");
    assert_non_null(tomb);
    (void)fclose(tomb);
    (void)snprintf(words, sizeof words,
                   "--until-descendants 3 -- " LONE " " BENCH_SHIM
                   " 1 --farewell %s/said %s " BENCH_FX " ignore-term",
                   dir, path);
    oracle(words);
    assert_int_equal(access(path, F_OK), -1);
    (void)snprintf(path, sizeof path, "%s/said", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* sudo and the like: a child of another user may not be signalled. It is named and left alone, without a spin. */
static void test_what_may_not_be_signalled_is_named_and_left(void **state)
{
    (void)state;
    char dir[] = "/tmp/roadie-denied.XXXXXX";
    char line[1024];
    char shell[] = "/bin/sh";
    char flag[] = "-c";
    char *argv[] = {shell, flag, line, NULL};
    struct bench b;
    struct oracle_result result = {0};
    struct command_opts opts = {.argv = argv, .envp = environ, .timeout_ms = 20000, .output_max = 4096};
    if (getuid() != 0 || access("/usr/bin/setpriv", X_OK) != 0) {
        print_message("SKIP: needs root and setpriv\n");
        return;
    }
    assert_non_null(mkdtemp(dir));
    (void)snprintf(line, sizeof line,
                   "cp " BENCH_FX " " BENCH_SHIM " %s && chmod 755 %s && chmod u+s %s/fx && "
                   "setpriv --reuid 65534 --clear-groups " LONE " %s/roadie-shim 1 /bin/sh -c '%s/fx untouchable & "
                   "sleep 0.2'; s=$?; rm -r %s; exit $s",
                   dir, dir, dir, dir, dir, dir);
    bench_open(&b);
    uint64_t start = clock_mono_ns();
    assert_int_equal(command_start(&b.loop, &opts, on_oracle, &result, NULL, NULL), 0);
    BENCH_UNTIL(&b, NULL, result.over, 21000);
    pid_t pid = (pid_t)strtol(result.out, NULL, 10);
    if (pid <= 0) {
        print_message("SKIP: no set-uid programs here (%s)\n", result.err);
        bench_close(&b);
        return;
    }
    assert_in_range((clock_mono_ns() - start) / 1000000U, 3000, 5500);
    (void)snprintf(line, sizeof line, "remaining 1 pid %d\n", (int)pid);
    assert_non_null(strstr(result.out, line));
    assert_int_equal(kill(pid, SIGKILL), 0);
    bench_close(&b);
}

static void test_the_tombstone_stays_when_the_farewell_never_succeeds(void **state)
{
    (void)state;
    char dir[] = "/tmp/roadie-tombstone.XXXXXX";
    char path[64];
    char words[512];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/tomb", dir);
    FILE *tomb = fopen(path, "w");
    assert_non_null(tomb);
    (void)fclose(tomb);
    (void)snprintf(words, sizeof words,
                   "--clean-within 20000 --until-descendants 3 -- " LONE " " BENCH_SHIM
                   " 1 --farewell %s/no/such/directory %s " BENCH_FX " ignore-term",
                   dir, path);
    oracle(words); /* five tries, two seconds apart */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_left_500_ms_after_the_server_was_killed),
        cmocka_unit_test(test_nothing_is_left_when_the_server_is_killed_while_it_starts),
        cmocka_unit_test(test_what_may_not_be_signalled_is_named_and_left),
        cmocka_unit_test(test_the_farewell_runs_after_the_server_and_removes_the_tombstone),
        cmocka_unit_test(test_the_tombstone_stays_when_the_farewell_never_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
