/*
 * What this room is for.      vfork with a function for a child (see forkexec.h), on Linux.
 * What it may touch.          libc only; runs in the server and in the shim.
 * Known limit.                Where vfork is emulated by fork (valgrind, some emulators) a failed exec shows as exit 127.
 * The one invariant.          No signal handler of ours ever runs in the child: all signals are
 * blocked around vfork.
 */
#include "process/forkexec.h"

#include <errno.h>
#include <signal.h>

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FALLBACK_FDS = 65536 };

static pid_t run_vfork(forkexec_fn child, void *arg, struct forkexec_failure *failure)
{
    pid_t pid = vfork();
    if (pid == 0) {
        child(arg, failure);
        _exit(127);
    }
    return pid < 0 ? -errno : pid;
}

pid_t forkexec_run(forkexec_fn child, void *arg, struct forkexec_failure *failure)
{
    sigset_t all;
    sigset_t before;
    failure->stage = 0;
    failure->err = 0;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = run_vfork(child, arg, failure);
    /* The child wrote through our memory behind the compiler's back. */
    __asm__ volatile("" ::: "memory");
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid > 0 && failure->err != 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
        return 0;
    }
    return pid;
}

void forkexec_reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int sig = 1; sig < NSIG; sig++) {
        (void)sigaction(sig, &standard, NULL); /* KILL, STOP and libc's own refuse: fine */
    }
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void forkexec_close_from(int first)
{
    if (close_range((unsigned)first, ~0u, 0) == 0) {
        return;
    }
    for (int fd = first; fd < FALLBACK_FDS; fd++) {
        (void)close(fd);
    }
}

int forkexec_die_with_parent(pid_t expected_parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* The parent may have died before the call above. */
    return getppid() == expected_parent;
}
