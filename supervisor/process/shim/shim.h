/*
 * The shim: one process that stands between the server and one run of one service. It leads the session, is
 * subreaper, makes the child, waits for everything, and lives no longer than the tree. libc only; nothing is
 * allocated after start, all state is the one struct that main.c owns.
 *
 *   main.c      start, the loop, what the server orders     plan.c      the blob that says what to run
 *   child.c     the child up to exec                        sweep.c     TERM, KILL, until ECHILD
 *   farewell.c  the container's removal, after the server   system_*.c  what differs between systems
 */
#ifndef ROADIE_PROCESS_SHIM_SHIM_H
#define ROADIE_PROCESS_SHIM_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/shim/protocol.h"

enum { SHIM_PIDS_MAX = 32768, SHIM_PID_LIMIT = 4194304 };

/* Pointers into the private mapping of the blob, or into the farewell's own copy. */
struct shim_plan {
    void *mapping;
    size_t mapping_size;
    char **argv;
    char **envp;
    const char *directory;
    uint32_t flags;
    mode_t umask;
    uint64_t nofile_soft;
};

struct shim_farewell {
    char **argv; /* NULL: nothing to run */
    char **envp;
    const char *tombstone;
};

struct shim_sweep {
    bool active;
    bool termed;
    bool given_up;       /* what remains may not be signalled */
    uint64_t kill_at_ms; /* KILL passes from then on */
    uint64_t next_ms;    /* the next pass */
    unsigned passes;     /* KILL passes so far */
    uint64_t denied_since_ms;
    unsigned remaining;
    pid_t remaining_pid;
    pid_t found[SHIM_PIDS_MAX];
    uint8_t seen[SHIM_PID_LIMIT / 8]; /* zero pages until touched */
};

struct shim {
    pid_t self;
    pid_t main_pid;   /* 0 when it does not run (any more) */
    bool childless;   /* waitpid said ECHILD */
    bool orphaned;    /* the server is gone */
    int stdin_keep;   /* write end of a stdin that never ends, or -1 */
    struct shim_plan plan;
    struct shim_farewell farewell;
    struct shim_sweep sweep;
};

uint64_t shim_now_ms(void);

/* plan.c: maps the blob on SHIM_FD_PLAN and closes it. False when it is not a plan of this build. */
bool plan_map(struct shim *s);
/* Takes the farewell's part into memory of its own and gives everything else back to the kernel. */
bool plan_keep_farewell(struct shim *s);
void plan_unmap(struct shim *s);

/* child.c: starts the service; fills started or failed into *report. */
void child_start(struct shim *s, struct shim_report *report);

/* sweep.c */
/* TERM and CONT to the whole tree (once), and KILL from grace_ms on; an earlier deadline stays. */
void sweep_begin(struct shim *s, uint64_t grace_ms);
/* Does what is due; returns milliseconds until the next thing is, -1 for never. */
int sweep_step(struct shim *s);

/* farewell.c: runs the farewell until it succeeds or the tries are used up; unlinks the tombstone then. */
void farewell_run(struct shim *s);

/* system_*.c */
void system_become_subreaper(void);
/* Makes fd the controlling terminal of this session. 0 or a positive errno. */
int system_claim_tty(int fd);
/* Raises the kernel's wish to kill this process first, in the child. */
void system_prefer_oom(void);
/* Zeroes the pages of a big array by giving them back. */
void system_drop_pages(void *from, size_t size);
void *system_map_private(int fd, size_t size);

#endif
