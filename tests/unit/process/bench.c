/* The bench that the process tests share (see bench.h). */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

void bench_open(struct bench *b)
{
    assert_int_equal(uv_loop_init(&b->loop), 0);
    assert_int_equal(reaper_open(&b->loop, &b->reaper), 0);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void no_child_left(void)
{
    uint64_t deadline = clock_mono_ns() + 2000000000U;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 && errno == ECHILD) {
            return;
        }
        if (clock_mono_ns() > deadline) {
            fail_msg("a child is left");
        }
        if (pid == 0) {
            uv_sleep(1);
        }
    }
}

void bench_close(struct bench *b)
{
    reaper_close(b->reaper);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    no_child_left();
}

static void read_output(struct run *r)
{
    char bytes[65536];
    while (!r->ended && r->read_fd >= 0) {
        ssize_t got = read(r->read_fd, bytes, sizeof bytes);
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            r->ended = true;
            return;
        }
        assert_int_equal(buf_append(&r->output, bytes, (size_t)got), 0);
    }
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void on_tick_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

void bench_turn(struct bench *b, struct run *r)
{
    uv_timer_t tick;
    bool closed = false;
    (void)uv_timer_init(&b->loop, &tick);
    tick.data = &closed;
    (void)uv_timer_start(&tick, on_tick, 2,
                         2); /* repeats: a late first tick must not leave a wait without end */
    (void)uv_run(&b->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, on_tick_closed);
    while (!closed) {
        (void)uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    if (r != NULL) {
        read_output(r);
    }
}

static void on_started(void *ctx, pid_t pid)
{
    struct run *r = ctx;
    r->started++;
    r->pid = pid;
    assert_int_equal(pid, proc_pid(r->proc));
}

static void on_failed(void *ctx, enum proc_stage stage, int err)
{
    struct run *r = ctx;
    r->failed++;
    r->stage = stage;
    r->err = err;
}

static void on_exited(void *ctx, const struct proc_exit *how)
{
    struct run *r = ctx;
    r->exited++;
    r->how = *how;
    r->exited_ns = clock_mono_ns();
    assert_int_equal(proc_pid(r->proc), 0);
}

static void on_stopped(void *ctx, int signal)
{
    struct run *r = ctx;
    r->stopped++;
    r->stop_signal = signal;
}

static void on_gone(void *ctx, uint64_t cpu_ms)
{
    struct run *r = ctx;
    r->gone++;
    r->cpu_ms = cpu_ms;
    r->gone_ns = clock_mono_ns();
    r->remaining = proc_remaining(r->proc, NULL);
    r->proc = NULL;
}

struct proc_plan run_plan(void)
{
    return (struct proc_plan){
        .name = "bench",
        .envp = environ,
        .directory = "/",
        .umask = 022,
        .out_fd = -1,
        .err_fd = -1,
    };
}

int run_start(struct bench *b, struct run *r, const char *const *words,
              const struct proc_plan *given)
{
    static const struct proc_callbacks callbacks = {
        .on_started = on_started,
        .on_failed = on_failed,
        .on_exited = on_exited,
        .on_stopped = on_stopped,
        .on_gone = on_gone,
    };
    struct proc_plan plan = given != NULL ? *given : run_plan();
    struct fault why = {0};
    *r = (struct run){.bench = b, .read_fd = -1};
    char *argv[BENCH_WORDS_MAX + 1] = {NULL};
    for (int i = 0; words[i] != NULL; i++) {
        assert_true(i < BENCH_WORDS_MAX);
        argv[i] = mem_strdup(words[i]);
    }
    plan.argv = argv;
    if (plan.out_fd < 0) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
        (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
        (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
        r->read_fd = ends[0];
        plan.out_fd = ends[1];
    }
    int status = proc_open(&b->loop, BENCH_SHIM, &plan, &callbacks, r, &r->proc, &why);
    for (int i = 0; argv[i] != NULL; i++) {
        mem_free(argv[i]);
    }
    if (status == 0) {
        r->shim = proc_shim_pid(r->proc);
    }
    return status;
}

void run_fini(struct run *r)
{
    if (r->read_fd >= 0) {
        (void)close(r->read_fd);
    }
    buf_fini(&r->output);
}

bool run_said(const struct run *r, const char *text)
{
    /* Its first words may come before the word of its start. */
    return r->started > 0 && r->output.ptr != NULL && strstr(r->output.ptr, text) != NULL;
}
