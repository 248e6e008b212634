/*
 * The one place that waits for children: SIGCHLD → waitpid(-1, WNOHANG) until nothing is left. The server is
 * a child subreaper, so what a dead shim leaves arrives here too and is killed and reaped.
 */
#ifndef ROADIE_PROCESS_REAPER_H
#define ROADIE_PROCESS_REAPER_H

#include <sys/types.h>
#include <uv.h>

struct reaper;
typedef void (*reaper_fn)(void *ctx, pid_t pid, int wait_status);

/* One per loop, stored in loop->data. Makes the calling process a child subreaper where there is such. */
int reaper_open(uv_loop_t *loop, struct reaper **out);
struct reaper *reaper_of(uv_loop_t *loop);
/* Calls fn once when pid has been reaped. */
void reaper_watch(struct reaper *r, pid_t pid, reaper_fn fn, void *ctx);
/* Forgets the watch of pid; its end is then reaped silently. */
void reaper_forget(struct reaper *r, pid_t pid);
/* Kills and reaps every child of this process that nobody watches (strays of a shim that was killed), until
 * none is left: the first pass at once, more from the loop. proc.c calls it when a shim was lost. What
 * commands left (reaper_tolerate) is spared. */
void reaper_sweep_strays(struct reaper *r);
/* Strays that the sweep has not seen the end of; *pid (may be NULL) is one. */
unsigned reaper_strays(struct reaper *r, pid_t *pid);
/* A command has ended: what it left behind (a credential cache, an agent) is now our child and not ours to
 * sweep. Remembers every unwatched child of this moment. */
void reaper_tolerate(struct reaper *r);
void reaper_close(struct reaper *r);

#endif
