/*
 * One run of one service: the server's end of a roadie-shim. The shim (process/shim/) leads the session, is
 * subreaper, makes the child and sweeps what it leaves; it lives no longer than its tree and dies with its
 * socket. Main thread only (PR_SET_PDEATHSIG is per thread). No uv_spawn anywhere in the tree: one reaper
 * (reaper.h) waits for every child of the server.
 */
#ifndef ROADIE_PROCESS_PROC_H
#define ROADIE_PROCESS_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/fault.h"
#include "process/stage.h" /* each stage has its own sentence: proc_stage_text */

/* Everything about one start, borrowed for the call of proc_open. */
struct proc_plan {
    const char *name;         /* service name: shown as the shim's process title */
    char *const *argv;        /* argv[0] without '/' is looked up on the PATH of envp */
    char *const *envp;
    const char *directory;
    mode_t umask;             /* the caller's */
    uint64_t nofile_soft;     /* the caller's soft limit of descriptors, restored before exec */
    bool tty;                 /* out_fd is the slave of a PTY: becomes the controlling terminal, 0-2 */
    bool stdin_open;          /* stdin is a pipe that never ends, else /dev/null (ignored with tty) */
    int out_fd;               /* TAKEN: closed by proc_open in every case */
    int err_fd;               /* TAKEN; -1: same as out_fd */
    bool notify;              /* the caller listens for sd_notify itself (NOTIFY_SOCKET is in envp) */
    /* What the shim runs after the tree is gone when the server has died: removal of a container. NULL or
     * argv; repeated until it exits 0 (10 s deadline each, 5 tries, 2 s apart); then tombstone is unlinked. */
    char *const *farewell;
    char *const *farewell_envp;
    const char *tombstone;    /* path of the file that says the container may exist; or NULL */
};

struct proc_exit {
    int code;      /* exit status, or -1 */
    int signal;    /* signal that killed it, or 0 */
    bool core;
};

struct proc;

/* Callbacks come from the loop, never before proc_open returns, in this order; each at most once but for
 * stopped. on_gone is always the last and comes exactly once; the proc is dead after it returns. */
struct proc_callbacks {
    /* exec succeeded; pid is the service's own first process. */
    void (*on_started)(void *ctx, pid_t pid);
    /* exec did not happen; err is a positive errno. on_gone follows. */
    void (*on_failed)(void *ctx, enum proc_stage stage, int err);
    /* The first process ended. Its tree is being swept: TERM+CONT at once, KILL after 2 s. */
    void (*on_exited)(void *ctx, const struct proc_exit *how);
    /* It stopped itself or was stopped (signal), or goes on (signal 0). */
    void (*on_stopped)(void *ctx, int signal);
    /* No process of the tree is left (but proc_remaining). CPU time used by all that were reaped. */
    void (*on_gone)(void *ctx, uint64_t cpu_ms);
};

/* Starts the shim by vfork + exec and hands it the plan. 0 and *out, or a negative errno (EAGAIN, ENOMEM,
 * EMFILE, ENOENT of the shim itself) with why and no callback ever. shim_path: absolute. */
int proc_open(uv_loop_t *loop, const char *shim_path, const struct proc_plan *plan,
              const struct proc_callbacks *callbacks, void *ctx, struct proc **out,
              struct fault *why) ATTR_MUST_CHECK;
/* Sends sig to the service's process group (the shim does, which knows that the group is still pinned), and
 * CONT after TERM, INT, HUP, QUIT so that stopped ones hear it. No-op when it has exited. */
void proc_signal(struct proc *p, int sig);
/* KILL to everything of the tree, again and again until nothing is left. */
void proc_kill_tree(struct proc *p);
/* The first process, 0 before on_started and after on_exited. */
pid_t proc_pid(const struct proc *p);
pid_t proc_shim_pid(const struct proc *p);
/* Processes of the tree that this user may not signal (sudo and other set-uid programs) and that were left
 * alone after a second of trying; asked within on_gone. *pid (may be NULL) is one of them. Usually 0. */
unsigned proc_remaining(const struct proc *p, pid_t *pid);
/* "working directory", "program", … for error sentences. */
const char *proc_stage_text(enum proc_stage stage);
/* exit 3, killed by SEGV (core), … into out; returns out. */
const char *proc_exit_text(const struct proc_exit *how, char *out, size_t size);

#endif
