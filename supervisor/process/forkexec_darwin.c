/*
 * What this room is for.      A new process with a function for a child (see forkexec.h), on macOS:
 * fork and a pipe. What it may touch.          libc only; runs in the server and in the shim. The
 * one invariant.          The pipe is close-on-exec, so its end without bytes is the proof of exec.
 */
#include "process/forkexec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void await_exec(pid_t pid, int fd, struct forkexec_failure *failure)
{
    ssize_t got = 0;
    do {
        got = read(fd, failure, sizeof *failure);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof *failure) {
        failure->stage = 0;
        failure->err = 0;
        return;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

pid_t forkexec_run(forkexec_fn child, void *arg, struct forkexec_failure *failure)
{
    int ends[2];
    sigset_t all;
    sigset_t before;
    failure->stage = 0;
    failure->err = 0;
    if (pipe(ends) != 0) {
        return -errno;
    }
    /* Out of the way of the descriptors that the child arranges (0-4), and gone at exec. */
    int told = fcntl(ends[1], F_DUPFD_CLOEXEC, 64);
    int saved = errno;
    (void)close(ends[1]);
    if (told < 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0) {
        (void)close(ends[0]);
        return -saved;
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        child(arg, failure);
        (void)!write(told, failure, sizeof *failure);
        _exit(127);
    }
    saved = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(told);
    if (pid > 0) {
        await_exec(pid, ends[0], failure);
    }
    (void)close(ends[0]);
    if (pid < 0) {
        return -saved;
    }
    return failure->err != 0 ? 0 : pid;
}

void forkexec_reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int sig = 1; sig < NSIG; sig++) {
        (void)sigaction(sig, &standard, NULL);
    }
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void forkexec_close_from(int first)
{
    int limit = getdtablesize();
    for (int fd = first; fd < limit; fd++) {
        /* Not closed but marked: forkexec_run's own pipe must live until exec. */
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

int forkexec_die_with_parent(pid_t expected_parent)
{
    return getppid() == expected_parent;
}
