/*
 * What this room is for.      The shim's life: start, wait for signals of children and words of the
 * server, end. What it may touch.          The socket, waitpid. One thread, one wait, no
 * allocation. Who calls it.               The server, by vfork and exec (proc.c); argv[1] is the
 * service's name, for ps. The one invariant.          It ends only when waitpid says ECHILD (or
 * what is left may not be signalled, which it says).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/forkexec.h"
#include "process/stage.h"
#include "process/shim/shim.h"

#ifdef MSG_NOSIGNAL
enum { SEND_FLAGS = MSG_NOSIGNAL };
#else
enum { SEND_FLAGS = 0 }; /* SIGPIPE is blocked anyway */
#endif

static struct shim the_shim;

uint64_t shim_now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Blocks all signals for good; SIGCHLD gets through during the wait only, and only to end it. */
static void on_child_signal(int sig)
{
    (void)sig;
}

static void set_signals(void)
{
    sigset_t all;
    struct sigaction wake = {.sa_handler = on_child_signal};
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)sigaction(SIGCHLD, &wake, NULL);
}

static void server_lost(struct shim *s)
{
    if (!s->orphaned) {
        s->orphaned = true;
        sweep_begin(s, ORPHAN_TERM_MS);
    }
}

static void send_report(struct shim *s, const struct shim_report *report, int flags)
{
    if (s->orphaned) {
        return;
    }
    ssize_t sent = 0;
    do {
        sent = send(SHIM_FD_SOCKET, report, sizeof *report, SEND_FLAGS | flags);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) {
        server_lost(s);
    }
}

static uint64_t cpu_of_children_ms(void)
{
    struct rusage use;
    if (getrusage(RUSAGE_CHILDREN, &use) != 0) {
        return 0;
    }
    return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
           (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000;
}

static void add_gone(const struct shim *s, struct shim_report *report)
{
    report->bits |= REPORT_GONE;
    report->cpu_ms = cpu_of_children_ms();
    report->remaining = s->sweep.remaining;
    report->remaining_pid = s->sweep.remaining_pid;
}

/* A stop that cannot be told at once is not told: the exit matters more than a queue of stops. */
static void report_stop(struct shim *s, int status)
{
    struct shim_report report = {.bits = REPORT_STOPPED};
    report.signal = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
    send_report(s, &report, MSG_DONTWAIT);
}

/* True when the first process ended; its status is in *status. Bounded, so that a storm of zombies
 * cannot keep the server's orders waiting. */
static bool reap(struct shim *s, int *status)
{
    enum { ROUND_MAX = 4096 };
    bool ended = false;
    for (int i = 0; i < ROUND_MAX; i++) {
        int got_status = 0;
        pid_t pid = waitpid(-1, &got_status, WNOHANG | WUNTRACED | WCONTINUED);
        if (pid < 0 && errno == EINTR) {
            continue;
        }
        if (pid <= 0) {
            s->childless = pid < 0;
            break;
        }
        if (pid != s->main_pid) {
            continue;
        }
        if (WIFEXITED(got_status) || WIFSIGNALED(got_status)) {
            ended = true;
            *status = got_status;
            s->main_pid = 0;
        } else {
            report_stop(s, got_status);
        }
    }
    return ended;
}

static void reap_and_tell(struct shim *s)
{
    int status = 0;
    if (!reap(s, &status)) {
        return;
    }
    struct shim_report report = {.bits = REPORT_EXITED, .status = status};
    if (s->childless) {
        add_gone(s, &report);
    }
    send_report(s, &report, 0);
    if (!s->childless) {
        sweep_begin(s, SWEEP_TERM_MS);
    }
}

/* The group is pinned by the first process, which nobody but us reaps. */
static void signal_service(const struct shim *s, int sig)
{
    if (s->main_pid == 0 || sig <= 0) {
        return;
    }
    (void)kill(-s->main_pid, sig);
    if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT) {
        (void)kill(-s->main_pid, SIGCONT);
    }
}

static void obey(struct shim *s)
{
    struct shim_order order;
    for (;;) {
        ssize_t got = recv(SHIM_FD_SOCKET, &order, sizeof order, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (got != (ssize_t)sizeof order) {
            server_lost(s);
            return;
        }
        if (order.kind == ORDER_SIGNAL) {
            signal_service(s, order.signal);
        } else if (order.kind == ORDER_KILL_TREE) {
            sweep_begin(s, 0);
        }
    }
}

static void wait_for_news(const struct shim *s, int timeout_ms)
{
    fd_set readable;
    sigset_t mask;
    struct timespec span = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    FD_ZERO(&readable);
    if (!s->orphaned) {
        FD_SET(SHIM_FD_SOCKET, &readable);
    }
    (void)sigfillset(&mask);
    (void)sigdelset(&mask, SIGCHLD);
    (void)pselect(SHIM_FD_SOCKET + 1, &readable, NULL, NULL, timeout_ms < 0 ? NULL : &span, &mask);
}

static bool server_is_there(void)
{
    char byte;
    return recv(SHIM_FD_SOCKET, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

/* Session, plan, child. What failed is reported together with the end: there is no tree then. */
static void begin(struct shim *s)
{
    struct shim_report report = {0};
    s->self = getpid();
    s->stdin_keep = -1;
    set_signals();
    (void)setsid();
    system_become_subreaper();
    forkexec_close_from(SHIM_FD_COUNT);
    (void)fcntl(SHIM_FD_SOCKET, F_SETFD, FD_CLOEXEC);
    if (!plan_map(s) || !plan_keep_farewell(s)) {
        report = (struct shim_report){.bits = REPORT_FAILED, .stage = STAGE_SHIM, .err = ENOMEM};
    } else if (!server_is_there()) {
        s->orphaned = true;
        s->childless = true;
    } else {
        child_start(s, &report);
    }
    if ((report.bits & REPORT_FAILED) != 0) {
        s->childless = true;
        add_gone(s, &report);
    }
    send_report(s, &report, 0);
    plan_unmap(s);
    (void)!chdir("/"); /* keeps no directory of the user busy */
}

int main(void)
{
    struct shim *s = &the_shim;
    begin(s);
    bool told = s->childless;
    while (!s->childless && !s->sweep.given_up) {
        bool had_main = s->main_pid != 0;
        reap_and_tell(s);
        told = s->childless && had_main;
        if (s->childless) {
            break;
        }
        wait_for_news(s, sweep_step(s));
        if (!s->orphaned) {
            obey(s);
        }
    }
    if (!told) {
        struct shim_report report = {0};
        add_gone(s, &report);
        send_report(s, &report, 0);
    }
    if (s->orphaned) {
        farewell_run(s);
    }
    return 0;
}
