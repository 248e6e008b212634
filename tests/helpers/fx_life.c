/* fx: processes that hide, multiply, refuse to end, or end in odd ways. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fx.h"

static const int polite[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

static void on_polite(void (*handler)(int))
{
    for (size_t i = 0; i < sizeof polite / sizeof polite[0]; i++) {
        struct sigaction action = {.sa_handler = handler};
        (void)sigaction(polite[i], &action, NULL);
    }
}

static void close_stdio(void)
{
    for (int fd = 0; fd < 3; fd++) {
        (void)close(fd);
    }
}

/* A byte on this pipe from each member says that it has taken its shape. */
static void tell(int fd)
{
    (void)!write(fd, "x", 1);
    (void)close(fd);
}

static void await(int fd, int count)
{
    char byte;
    while (count > 0 && read(fd, &byte, 1) == 1) {
        count--;
    }
    (void)close(fd);
}

static void daemon_below(int told, int children)
{
    pid_t pid = fork();
    if (pid != 0) {
        (void)waitpid(pid, NULL, 0);
        return;
    }
    (void)setsid();
    if (fork() != 0) {
        _exit(0);
    }
    for (int i = 0; i < children; i++) {
        if (fork() == 0) {
            close_stdio();
            tell(told);
            fx_wait();
        }
    }
    close_stdio();
    tell(told);
    fx_wait();
}

static void member(int told, void (*shape)(void))
{
    if (fork() == 0) {
        shape();
        tell(told);
        fx_wait();
    }
}

static void shape_plain(void)
{
}

static void shape_group(void)
{
    (void)setpgid(0, 0);
}

static void shape_session(void)
{
    (void)setsid();
}

static void shape_deaf(void)
{
    on_polite(SIG_IGN);
}

int fx_tree(int argc, char **argv)
{
    long exit_after_ms = fx_number(argc, argv, 0, -1);
    int ends[2];
    if (pipe(ends) != 0) {
        return 1;
    }
    member(ends[1], shape_plain);
    member(ends[1], shape_group);
    member(ends[1], shape_session);
    member(ends[1], shape_deaf);
    daemon_below(ends[1], 0);
    (void)close(ends[1]);
    await(ends[0], 5);
    fx_put("ready");
    if (exit_after_ms >= 0) {
        fx_sleep_ms(exit_after_ms);
        return 0;
    }
    fx_wait();
    return 0;
}

int fx_daemonize(int argc, char **argv)
{
    int ends[2];
    (void)argc;
    (void)argv;
    if (pipe(ends) != 0) {
        return 1;
    }
    daemon_below(ends[1], 1);
    (void)close(ends[1]);
    await(ends[0], 2);
    return 0;
}

int fx_zombies(int argc, char **argv)
{
    long count = fx_number(argc, argv, 0, 1000);
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (fork() >= 0) {
                _exit(0); /* parent first or child first: both happen */
            }
        }
        if (pid < 0) {
            fx_sleep_ms(1);
            continue;
        }
        (void)waitpid(pid, NULL, 0);
    }
    fx_put("done");
    fx_wait();
    return 0;
}

static void chain(int sessions)
{
    for (;;) {
        pid_t pid = fork();
        if (pid > 0) {
            _exit(0);
        }
        if (pid < 0) {
            fx_sleep_ms(1);
        } else if (sessions) {
            (void)setsid();
        }
    }
}

int fx_forkstorm(int argc, char **argv)
{
    long count = fx_number(argc, argv, 0, 10);
    int sessions = argc > 1 && strcmp(argv[1], "sessions") == 0;
    for (long i = 0; i < count; i++) {
        if (fork() == 0) {
            on_polite(SIG_IGN);
            chain(sessions);
        }
    }
    fx_put("ready");
    fx_wait();
    return 0;
}

int fx_ignore_term(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    on_polite(SIG_IGN);
    fx_put("ready");
    fx_wait();
    return 0;
}

static volatile sig_atomic_t got_signal;

static void note_signal(int sig)
{
    got_signal = sig;
}

int fx_slow_stop(int argc, char **argv)
{
    long ms = fx_number(argc, argv, 0, 1000);
    on_polite(note_signal);
    fx_put("ready");
    while (got_signal == 0) {
        fx_sleep_ms(1);
    }
    fx_put("stopping");
    fx_sleep_ms(ms);
    return (int)fx_number(argc, argv, 1, 0);
}

static void print_signal(int sig)
{
    char text[4] = {(char)('0' + sig / 10), (char)('0' + sig % 10), '\n', 0};
    (void)!write(STDOUT_FILENO, text, 3);
}

int fx_signals(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (int sig = 1; sig < 32; sig++) {
        struct sigaction action = {.sa_handler = print_signal};
        (void)sigaction(sig, &action, NULL);
    }
    fx_put("ready");
    fx_wait();
    return 0;
}

int fx_stop_self(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    fx_put("ready");
    (void)raise(SIGSTOP);
    fx_put("continued");
    fx_wait();
    return 0;
}

int fx_close_out(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)close(STDOUT_FILENO);
    (void)close(STDERR_FILENO);
    fx_wait();
    return 0;
}

int fx_hold_out(int argc, char **argv)
{
    long ms = fx_number(argc, argv, 0, 1000);
    int ends[2];
    if (pipe(ends) != 0) {
        return 1;
    }
    if (fork() == 0) {
        (void)setsid();
        on_polite(SIG_IGN);
        tell(ends[1]);
        fx_sleep_ms(ms);
        fx_put("late");
        fx_wait();
    }
    (void)close(ends[1]);
    await(ends[0], 1);
    fx_put("leaving");
    return 0;
}

int fx_exit(int argc, char **argv)
{
    fx_sleep_ms(fx_number(argc, argv, 1, 0));
    return (int)fx_number(argc, argv, 0, 0);
}

int fx_crash(int argc, char **argv)
{
    fx_sleep_ms(fx_number(argc, argv, 1, 0));
    (void)raise((int)fx_number(argc, argv, 0, SIGSEGV));
    return 1;
}

int fx_spin(int argc, char **argv)
{
    long ms = fx_number(argc, argv, 0, 100);
    while (clock() < ms * (CLOCKS_PER_SEC / 1000)) {
    }
    return 0;
}

int fx_say(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        fx_put(argv[i]);
    }
    fx_wait();
    return 0;
}

int fx_untouchable(int argc, char **argv)
{
    char text[32];
    (void)argc;
    (void)argv;
    if (setuid(0) != 0) {
        return 1;
    }
    (void)snprintf(text, sizeof text, "%d", (int)getpid());
    fx_put(text);
    fx_wait();
    return 0;
}
