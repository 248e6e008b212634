/*
 * Where a stack lives on this machine: its state directory (lock, logs, secrets, journal; the lock is the
 * truth) and its runtime directory (control socket). INTERFACE §1 "Files".
 */
#ifndef ROADIE_CONTROL_PLACE_H
#define ROADIE_CONTROL_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/fault.h"

struct place {
    const char *id;
    const char *state;     /* $XDG_STATE_HOME/roadie/ID or ~/.local/state/roadie/ID */
    const char *runtime;   /* $XDG_RUNTIME_DIR/roadie/ID or /tmp/roadie-UID/ID */
    const char *lock;      /* STATE/lock: flock'ed by the server for its life; JSON: pid, socket, root, … */
    const char *logs;      /* STATE/logs */
    const char *secrets;   /* STATE/secrets */
    const char *socket;    /* RUNTIME/control, short enough for a socket address */
};

/* Works the paths out; makes nothing. -ENOENT without HOME; -ENAMETOOLONG. */
int place_of(const char *id, struct arena *arena, struct place *out, struct fault *why) ATTR_MUST_CHECK;
/* Makes both directories, 0700, refusing symlinks, other owners and looser modes. */
int place_make(const struct place *place, struct fault *why) ATTR_MUST_CHECK;

/* What the lock file says of the server that holds it. */
struct place_holder {
    pid_t pid;
    const char *socket;    /* the path that it listens on: may differ from place.socket (other shell) */
    const char *root;
    const char *name;
    const char *file;
};
/* 1 and *out when a server holds the lock, 0 when none does, negative errno. */
int place_holder_read(const struct place *place, struct arena *arena, struct place_holder *out,
                      struct fault *why) ATTR_MUST_CHECK;
/* The ids of all stacks that have a state directory, NULL-terminated, in the arena. */
char **place_list(struct arena *arena);
/* What STATE/root says: the root directory of a stack, for prune, `--stack` and `ps --all`; NULL: unknown. */
const char *place_root(const struct place *place, struct arena *arena);

#endif
