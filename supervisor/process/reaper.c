/*
 * What this room is for.      Waiting for every child of the server, and ending those that a lost
 * shim left to us. What it may touch.          waitpid, kill of unwatched children. No knowledge of
 * services. Who calls it.               proc.c, command.c; the server opens and closes it. The one
 * invariant.          A pid is signalled only while it is our unreaped child, or listed below one.
 */
#include "process/reaper.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/mem.h"
#include "process/host.h"
#include "process/tree.h"

enum { CHILDREN_MAX = 16384, SWEEP_EVERY_MS = 2, SWEEP_SLOW_MS = 100, SWEEP_FAST_PASSES = 50, SWEEP_PASSES_MAX = 75 };

struct watch {
    pid_t pid;
    reaper_fn fn; /* NULL: reaped silently, but still ours and no stray */
    void *ctx;
};

struct watches {
    struct watch *items;
    size_t count;
    size_t cap;
};

struct reaper {
    uv_signal_t child_signal;
    uv_timer_t sweep_timer;
    int open_handles;
    unsigned sweep_passes;
    struct watches watches;
    struct watches tolerated; /* pids only */
};

static void on_handle_closed(uv_handle_t *handle);

static struct watch *watches_find(struct watches *w, pid_t pid)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->items[i].pid == pid) {
            return &w->items[i];
        }
    }
    return NULL;
}

static void watches_add(struct watches *w, struct watch watch)
{
    if (w->count == w->cap) {
        w->cap = w->cap == 0 ? 32 : w->cap * 2;
        w->items = mem_realloc(w->items, w->cap * sizeof *w->items);
    }
    w->items[w->count++] = watch;
}

static struct watch watches_take(struct watches *w, pid_t pid)
{
    struct watch *found = watches_find(w, pid);
    struct watch taken = {0};
    if (found != NULL) {
        taken = *found;
        *found = w->items[--w->count];
    }
    return taken;
}

static void reap_all(struct reaper *r)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == EINTR) {
            continue;
        }
        if (pid <= 0) {
            return;
        }
        (void)watches_take(&r->tolerated, pid);
        struct watch watch = watches_take(&r->watches, pid);
        if (watch.fn != NULL) {
            watch.fn(watch.ctx, pid, status);
        }
    }
}

static void on_child_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    reap_all(CONTAINER_OF(handle, struct reaper, child_signal));
}

int reaper_open(uv_loop_t *loop, struct reaper **out)
{
    struct reaper *r = mem_calloc(1, sizeof *r);
    int status = uv_signal_init(loop, &r->child_signal);
    if (status != 0) {
        mem_free(r);
        return status;
    }
    (void)uv_timer_init(loop, &r->sweep_timer);
    r->open_handles = 2;
    loop->data = r;
    status = uv_signal_start(&r->child_signal, on_child_signal, SIGCHLD);
    if (status != 0) {
        reaper_close(r);
        return status;
    }
    /* Neither keeps the loop alive: what is watched has handles of its own. */
    uv_unref((uv_handle_t *)&r->child_signal);
    uv_unref((uv_handle_t *)&r->sweep_timer);
    reaper_tolerate(r); /* what an exec has brought along is not ours */
    host_become_subreaper();
    *out = r;
    return 0;
}

struct reaper *reaper_of(uv_loop_t *loop)
{
    return loop->data;
}

void reaper_watch(struct reaper *r, pid_t pid, reaper_fn fn, void *ctx)
{
    watches_add(&r->watches, (struct watch){.pid = pid, .fn = fn, .ctx = ctx});
}

void reaper_forget(struct reaper *r, pid_t pid)
{
    struct watch *watch = watches_find(&r->watches, pid);
    if (watch != NULL) {
        watch->fn = NULL;
    }
}

/* The unwatched and not tolerated children of this moment, moved to the front of pids. */
static int list_strays(struct reaper *r, pid_t *pids)
{
    int strays = 0;
    int count = tree_children(getpid(), pids, CHILDREN_MAX);
    for (int i = 0; i < count; i++) {
        bool known = watches_find(&r->watches, pids[i]) != NULL ||
                     watches_find(&r->tolerated, pids[i]) != NULL;
        if (!known) {
            pids[strays++] = pids[i];
        }
    }
    return strays;
}

void reaper_tolerate(struct reaper *r)
{
    if (uv_is_active((uv_handle_t *)&r->sweep_timer)) {
        return; /* a lost shim's strays are among them */
    }
    pid_t *pids = mem_calloc(CHILDREN_MAX, sizeof *pids);
    int count = list_strays(r, pids);
    for (int i = 0; i < count; i++) {
        watches_add(&r->tolerated, (struct watch){.pid = pids[i]});
    }
    mem_free(pids);
}

unsigned reaper_strays(struct reaper *r, pid_t *pid)
{
    pid_t *pids = mem_calloc(CHILDREN_MAX, sizeof *pids);
    reap_all(r);
    int count = list_strays(r, pids);
    if (pid != NULL) {
        *pid = count > 0 ? pids[0] : 0;
    }
    mem_free(pids);
    return (unsigned)count;
}

/* A stray and everything below it; what it leaves becomes our child and has its turn in the next
 * pass. */
static void kill_below(pid_t stray, pid_t *below)
{
    int count = tree_list(stray, below, CHILDREN_MAX);
    (void)kill(stray, SIGKILL);
    for (int i = 0; i < count; i++) {
        (void)kill(below[i], SIGKILL);
    }
}

/* Returns how many strays it found. */
static int sweep_pass(struct reaper *r)
{
    pid_t *pids = mem_calloc(CHILDREN_MAX * 2, sizeof *pids);
    int count = list_strays(r, pids);
    for (int i = 0; i < count; i++) {
        kill_below(pids[i], pids + CHILDREN_MAX);
    }
    mem_free(pids);
    return count;
}

static void on_sweep_timer(uv_timer_t *handle)
{
    struct reaper *r = CONTAINER_OF(handle, struct reaper, sweep_timer);
    reap_all(r);
    if (sweep_pass(r) == 0) {
        (void)uv_timer_stop(handle);
        return;
    }
    if (++r->sweep_passes >= SWEEP_PASSES_MAX) {
        (void)uv_timer_stop(handle); /* it may not be signalled, or does not die of KILL: let it be */
        reaper_tolerate(r);
    } else if (r->sweep_passes == SWEEP_FAST_PASSES) {
        (void)uv_timer_start(handle, on_sweep_timer, SWEEP_SLOW_MS, SWEEP_SLOW_MS);
    }
}

void reaper_sweep_strays(struct reaper *r)
{
    r->sweep_passes = 0;
    (void)sweep_pass(r);
    (void)uv_timer_start(&r->sweep_timer, on_sweep_timer, SWEEP_EVERY_MS, SWEEP_EVERY_MS);
}

void reaper_close(struct reaper *r)
{
    r->child_signal.loop->data = NULL;
    uv_close((uv_handle_t *)&r->child_signal, on_handle_closed);
    uv_close((uv_handle_t *)&r->sweep_timer, on_handle_closed);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct reaper *r = handle->type == UV_SIGNAL ? CONTAINER_OF(handle, struct reaper, child_signal)
                                                 : CONTAINER_OF(handle, struct reaper, sweep_timer);
    if (--r->open_handles == 0) {
        mem_free(r->watches.items);
        mem_free(r->tolerated.items);
        mem_free(r);
    }
}
