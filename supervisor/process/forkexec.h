/*
 * One primitive under every start of a program: run a function in a new process until it execs or gives up.
 * Used by the server (spawn.c) and by the shim; libc only, no allocation. Linux: vfork, so the new process
 * works in our memory and a failure is simply there when vfork returns. macOS: fork and a pipe.
 */
#ifndef ROADIE_PROCESS_FORKEXEC_H
#define ROADIE_PROCESS_FORKEXEC_H

#include <sys/types.h>

struct forkexec_failure {
    int stage; /* whatever the child function says; 0: none */
    int err;   /* positive errno */
};

/* Ends in exec, or fills *failure and returns. Only async-signal-safe calls; all signals are blocked. */
typedef void (*forkexec_fn)(void *arg, struct forkexec_failure *failure);

/* Returns the pid once child has exec'd; or 0 when it gave up (*failure says why, and it is reaped); or a
 * negative errno when there is no new process. Restores the caller's signal mask. */
pid_t forkexec_run(forkexec_fn child, void *arg, struct forkexec_failure *failure);

/* For the child: every disposition back to default (an ignored one would survive exec), then no signal blocked. */
void forkexec_reset_signals(void);
/* For the child: closes every descriptor from first on. */
void forkexec_close_from(int first);
/* For the child: KILL when the parent dies; false when the parent is no longer expected_parent. True, and
 * without effect, where the system has no such thing. */
int forkexec_die_with_parent(pid_t expected_parent);

/* execve; a program without '/' is looked up on the PATH of envp. Returns only on failure, with *stage set to
 * stage_exec or, when the program is there but its interpreter is not, to stage_interpreter, and the errno.
 * ENOENT only when nothing was found; EACCES when something was found that may not be executed. No shell is
 * tried for a file without a header: ENOEXEC. */
int forkexec_exec(char *const *argv, char *const *envp, int stage_exec, int stage_interpreter,
                  int *stage);

#endif
