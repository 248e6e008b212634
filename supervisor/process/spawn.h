/*
 * The server's one way to start a program: the shim of a service, or a helper command. Arranges descriptors,
 * then execs. Private to this room.
 */
#ifndef ROADIE_PROCESS_SPAWN_H
#define ROADIE_PROCESS_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "process/stage.h"

enum { SPAWN_FDS_MAX = 8 };

struct spawn_opts {
    char *const *argv; /* argv[0] without '/' is looked up on the PATH of envp */
    char *const *envp;
    const char *file;      /* exec this instead of argv[0]; NULL: argv[0] */
    const char *directory; /* NULL: as the server */
    int fds[SPAWN_FDS_MAX]; /* borrowed; fds[i] becomes i; the program has no other descriptors that are not
                               close-on-exec here */
    int fd_count;
    /* A command: own group, default signals, dies with the server's main thread, no other descriptor at all.
     * Else (the shim) it starts with all signals blocked and sorts out the rest by itself. */
    bool command;
};

/* 0 and *pid once the program has been exec'd; or a negative errno, with *stage. */
int spawn_start(const struct spawn_opts *opts, pid_t *pid, enum proc_stage *stage) ATTR_MUST_CHECK;

#endif
