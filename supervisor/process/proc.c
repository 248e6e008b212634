/*
 * What this room is for.      The server's end of one shim: start it, hand it orders, turn its
 * reports into callbacks. What it may touch.          The socket, the reaper. It never waits and
 * never signals a pid that it does not own. Who calls it.               engine The one invariant.
 * After proc_open has succeeded, on_gone comes exactly once, and nothing after it.
 */
#include "process/proc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/numbers.h"
#include "process/host.h"
#include "process/plan.h"
#include "process/reaper.h"
#include "process/shim/protocol.h"
#include "process/spawn.h"

enum { STRAYS_LOOK_MS = 2, STRAYS_MAX_MS = 2000 };

/* Owned by itself from proc_open to the last close callback; the caller's pointer is a loan until
 * on_gone. */
struct proc {
    uv_poll_t poll;
    uv_timer_t timer; /* only when the shim was lost: looks after strays */
    int open_handles;
    int socket;
    pid_t shim_pid; /* 0 once reaped */
    pid_t pid;
    bool started;
    bool exited;
    bool gone;
    bool kill_pending; /* the order did not fit into the socket yet */
    uint64_t strays_since;
    unsigned remaining;
    pid_t remaining_pid;
    size_t rx_len;
    struct shim_report rx;
    struct proc_callbacks callbacks;
    void *ctx;
};

static void on_shim_ended(void *ctx, pid_t pid, int wait_status);
static void on_socket_event(uv_poll_t *handle, int status, int events);
static void on_strays_look(uv_timer_t *handle);
static void on_handle_closed(uv_handle_t *handle);

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void close_plan_fds(const struct proc_plan *plan)
{
    close_fd(plan->out_fd);
    if (plan->err_fd != plan->out_fd) {
        close_fd(plan->err_fd);
    }
}

static int start_shim(struct proc *p, const char *shim_path, const struct proc_plan *plan,
                      struct fault *why)
{
    int ends[2] = {-1, -1};
    enum proc_stage stage = STAGE_NONE;
    int plan_fd = plan_open(plan);
    int status = plan_fd < 0 ? plan_fd : host_socketpair(ends);
    if (status < 0) {
        fault_set(why, status, "prepare the start");
        close_fd(plan_fd);
        return status;
    }
    char title[] = "roadie-shim";
    char *name = mem_strdup(plan->name);
    char *const argv[] = {title, name, NULL};
    char *const envp[] = {NULL};
    struct spawn_opts opts = {
        .argv = argv,
        .envp = envp,
        .file = shim_path,
        .fds = {plan->out_fd, plan->out_fd, plan->err_fd < 0 ? plan->out_fd : plan->err_fd, ends[1],
                plan_fd},
        .fd_count = SHIM_FD_COUNT,
    };
    status = spawn_start(&opts, &p->shim_pid, &stage);
    mem_free(name);
    close_fd(plan_fd);
    close_fd(ends[1]);
    if (status < 0) {
        close_fd(ends[0]);
        return fault_set(why, status, stage == STAGE_EXEC ? "run %s" : "start a process for %s",
                         stage == STAGE_EXEC ? shim_path : plan->name);
    }
    p->socket = ends[0];
    return 0;
}

/* The loop has no room for it: the closed socket tells the shim to end its tree, and nobody is told. */
static void abandon(struct proc *p)
{
    p->gone = true;
    reaper_forget(reaper_of(p->timer.loop), p->shim_pid);
    close_fd(p->socket);
    if (p->open_handles == 2) {
        uv_close((uv_handle_t *)&p->poll, on_handle_closed);
    }
    uv_close((uv_handle_t *)&p->timer, on_handle_closed);
}

int proc_open(uv_loop_t *loop, const char *shim_path, const struct proc_plan *plan,
              const struct proc_callbacks *callbacks, void *ctx, struct proc **out,
              struct fault *why)
{
    *out = NULL;
    if (plan->argv == NULL || plan->argv[0] == NULL || plan->argv[0][0] == '\0') {
        close_plan_fds(plan);
        return fault_set(why, -EINVAL, "no program to run");
    }
    struct proc *p = mem_calloc(1, sizeof *p);
    p->callbacks = *callbacks;
    p->ctx = ctx;
    int status = start_shim(p, shim_path, plan, why);
    close_plan_fds(plan);
    if (status < 0) {
        mem_free(p);
        return status;
    }
    reaper_watch(reaper_of(loop), p->shim_pid, on_shim_ended, p);
    (void)uv_timer_init(loop, &p->timer);
    p->open_handles = 1;
    status = uv_poll_init(loop, &p->poll, p->socket);
    if (status == 0) {
        p->open_handles++;
        status = uv_poll_start(&p->poll, UV_READABLE, on_socket_event);
    }
    if (status != 0) {
        abandon(p);
        return fault_set(why, status, "watch the start of %s", plan->name);
    }
    *out = p;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct proc *p = handle->type == UV_POLL ? CONTAINER_OF(handle, struct proc, poll)
                                             : CONTAINER_OF(handle, struct proc, timer);
    if (--p->open_handles == 0) {
        mem_free(p);
    }
}

static struct reaper *reaper_for(const struct proc *p)
{
    return reaper_of(p->timer.loop);
}

/* The end of every path. The shim may still be on its way out: its end is then reaped silently. */
static void finish(struct proc *p, uint64_t cpu_ms)
{
    p->gone = true;
    p->pid = 0;
    if (p->shim_pid != 0) {
        reaper_forget(reaper_for(p), p->shim_pid);
    }
    (void)uv_poll_stop(&p->poll);
    close_fd(p->socket);
    p->socket = -1;
    p->callbacks.on_gone(p->ctx, cpu_ms);
    uv_close((uv_handle_t *)&p->poll, on_handle_closed);
    uv_close((uv_handle_t *)&p->timer, on_handle_closed);
}

static void tell_exit(struct proc *p, int status)
{
    p->exited = true;
    p->pid = 0;
    struct proc_exit how = {.code = -1};
    if (WIFEXITED(status)) {
        how.code = WEXITSTATUS(status);
    } else if (WIFSIGNALED(status)) {
        how.signal = WTERMSIG(status);
#ifdef WCOREDUMP
        how.core = WCOREDUMP(status) != 0;
#endif
    }
    p->callbacks.on_exited(p->ctx, &how);
}

static void take_report(struct proc *p, const struct shim_report *report)
{
    if ((report->bits & REPORT_STARTED) != 0) {
        p->started = true;
        p->pid = report->pid;
        p->callbacks.on_started(p->ctx, report->pid);
    }
    if ((report->bits & REPORT_FAILED) != 0) {
        p->exited = true;
        p->callbacks.on_failed(p->ctx, (enum proc_stage)report->stage, report->err);
    }
    if ((report->bits & REPORT_STOPPED) != 0) {
        p->callbacks.on_stopped(p->ctx, report->signal);
    }
    if ((report->bits & REPORT_EXITED) != 0) {
        tell_exit(p, report->status);
    }
    if ((report->bits & REPORT_GONE) != 0) {
        p->remaining = report->remaining;
        p->remaining_pid = report->remaining_pid;
        finish(p, report->cpu_ms);
    }
}

/* Everything that the shim has said so far. False when it has closed its end. */
static bool read_reports(struct proc *p)
{
    while (!p->gone) {
        ssize_t got = recv(p->socket, (char *)&p->rx + p->rx_len, sizeof p->rx - p->rx_len, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        p->rx_len += (size_t)got;
        if (p->rx_len == sizeof p->rx) {
            p->rx_len = 0;
            struct shim_report report = p->rx;
            take_report(p, &report);
        }
    }
    return true;
}

static bool send_order(struct proc *p, uint32_t kind, int sig)
{
    struct shim_order order = {.kind = kind, .signal = sig};
    return send(p->socket, &order, sizeof order, host_send_flags()) == (ssize_t)sizeof order ||
           errno != EAGAIN;
}

static void on_socket_event(uv_poll_t *handle, int status, int events)
{
    struct proc *p = CONTAINER_OF(handle, struct proc, poll);
    if (p->kill_pending && status == 0 && (events & UV_WRITABLE) != 0) {
        p->kill_pending = !send_order(p, ORDER_KILL_TREE, 0);
        if (!p->kill_pending) {
            (void)uv_poll_start(handle, UV_READABLE, on_socket_event);
        }
    }
    /* A closed end says no more: what became of the shim, the reaper will tell. */
    if (!read_reports(p) && !p->gone) {
        (void)uv_poll_stop(handle);
    }
}

/* The shim is gone without a word of farewell: somebody killed it. Its child died with it (where
 * the system has a death signal); what else there was is our child now. */
static void on_shim_ended(void *ctx, pid_t pid, int wait_status)
{
    struct proc *p = ctx;
    (void)pid;
    p->shim_pid = 0;
    (void)read_reports(p);
    if (p->gone) {
        return;
    }
    (void)uv_poll_stop(&p->poll);
    if (!p->started && !p->exited) {
        p->callbacks.on_failed(p->ctx, STAGE_SHIM, WIFSIGNALED(wait_status) ? EOWNERDEAD : EPROTO);
    } else if (!p->exited) {
        tell_exit(p, SIGKILL);
    }
    reaper_sweep_strays(reaper_for(p));
    p->strays_since = uv_now(p->timer.loop);
    (void)uv_timer_start(&p->timer, on_strays_look, 0, STRAYS_LOOK_MS);
}

static void on_strays_look(uv_timer_t *handle)
{
    struct proc *p = CONTAINER_OF(handle, struct proc, timer);
    unsigned left = reaper_strays(reaper_for(p), &p->remaining_pid);
    if (left > 0 && uv_now(handle->loop) - p->strays_since < STRAYS_MAX_MS) {
        return;
    }
    p->remaining = left;
    (void)uv_timer_stop(handle);
    finish(p, 0);
}

void proc_signal(struct proc *p, int sig)
{
    if (!p->exited && !p->gone) {
        (void)send_order(p, ORDER_SIGNAL, sig);
    }
}

void proc_kill_tree(struct proc *p)
{
    if (p->gone) {
        return;
    }
    if (p->shim_pid == 0) {
        return; /* the sweep of strays is under way */
    }
    (void)kill(p->shim_pid, SIGCONT); /* a shim that somebody stopped hears nothing */
    if (!send_order(p, ORDER_KILL_TREE, 0)) {
        p->kill_pending = true;
        (void)uv_poll_start(&p->poll, UV_READABLE | UV_WRITABLE, on_socket_event);
    }
}

pid_t proc_pid(const struct proc *p)
{
    return p->pid;
}

pid_t proc_shim_pid(const struct proc *p)
{
    return p->shim_pid;
}

unsigned proc_remaining(const struct proc *p, pid_t *pid)
{
    if (pid != NULL) {
        *pid = p->remaining_pid;
    }
    return p->remaining;
}

const char *proc_stage_text(enum proc_stage stage)
{
    switch (stage) {
    case STAGE_NONE:
        break;
    case STAGE_SHIM:
        return "roadie-shim";
    case STAGE_SETUP:
        return "session, terminal or limits";
    case STAGE_CHDIR:
        return "working directory";
    case STAGE_EXEC:
        return "program";
    case STAGE_INTERPRETER:
        return "interpreter of the program";
    }
    return "start";
}

const char *proc_exit_text(const struct proc_exit *how, char *out, size_t size)
{
    if (how->signal != 0) {
        (void)snprintf(out, size, "killed by %s%s", signal_name(how->signal),
                       how->core ? " (core)" : "");
    } else {
        (void)snprintf(out, size, "exit %d", how->code);
    }
    return out;
}
