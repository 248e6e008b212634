/*
 * What this room is for.      Ending a tree that may fork, ignore and hide: TERM once, then KILL
 * until ECHILD. What it may touch.          kill, /proc through tree.h. No report, no wait: the
 * loop reaps. Who calls it.               main.c The one invariant.          Only descendants are
 * signalled: our own unreaped children, what they list, and groups of our session.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <unistd.h>

#include "process/shim/shim.h"
#include "process/tree.h"

enum {
    TERM_ROUNDS = 4, /* a walk may miss what forks meanwhile */
    STOP_AFTER_PASSES = 3,
    STOP_ROUNDS = 32,
    PASS_FIRST_MS = 2,
    PASS_MAX_MS = 100,
    DENIED_MAX_MS = 1000, /* then what may not be signalled is left alone */
};

static bool mark_seen(struct shim_sweep *w, pid_t pid)
{
    if (pid <= 0 || pid >= SHIM_PID_LIMIT) {
        return false;
    }
    uint8_t bit = (uint8_t)(1u << (pid % 8));
    bool is_new = (w->seen[pid / 8] & bit) == 0;
    w->seen[pid / 8] |= bit;
    return is_new;
}

static void term_tree(struct shim *s)
{
    struct shim_sweep *w = &s->sweep;
    bool grew = true;
    for (int round = 0; grew && round < TERM_ROUNDS; round++) {
        grew = false;
        int count = tree_list(s->self, w->found, SHIM_PIDS_MAX);
        for (int i = 0; i < count; i++) {
            if (mark_seen(w, w->found[i])) {
                grew = true;
                (void)kill(w->found[i], SIGTERM);
                (void)kill(w->found[i], SIGCONT);
            }
        }
    }
    system_drop_pages(w->seen, sizeof w->seen);
}

void sweep_begin(struct shim *s, uint64_t grace_ms)
{
    struct shim_sweep *w = &s->sweep;
    uint64_t kill_at = shim_now_ms() + grace_ms;
    if (!w->termed && grace_ms > 0) {
        w->termed = true;
        term_tree(s);
    }
    if (!w->active || kill_at < w->kill_at_ms) {
        w->kill_at_ms = kill_at;
        w->next_ms = kill_at;
    }
    w->active = true;
}

/* A group of our own session holds descendants only, and the kernel signals it in one go, which no
 * fork outruns. Groups of other sessions are left to the walk by pid. */
static void signal_group_of(const struct shim *s, pid_t pid, int sig, pid_t *last)
{
    pid_t group = getpgid(pid);
    if (group > 1 && group != s->self && group != *last && getsid(pid) == s->self) {
        *last = group;
        (void)kill(-group, sig);
    }
}

/* Freezes what multiplies faster than it can be killed, until a walk brings nothing new. */
static void stop_tree(struct shim *s)
{
    struct shim_sweep *w = &s->sweep;
    bool grew = true;
    for (int round = 0; grew && round < STOP_ROUNDS; round++) {
        pid_t last = 0;
        grew = false;
        int count = tree_list(s->self, w->found, SHIM_PIDS_MAX);
        for (int i = 0; i < count; i++) {
            if (mark_seen(w, w->found[i])) {
                grew = true;
                signal_group_of(s, w->found[i], SIGSTOP, &last);
                (void)kill(w->found[i], SIGSTOP);
            }
        }
    }
    system_drop_pages(w->seen, sizeof w->seen);
}

static void note_denied(struct shim_sweep *w, bool stuck, unsigned denied, pid_t pid)
{
    if (!stuck) {
        w->denied_since_ms = 0;
        return;
    }
    uint64_t now = shim_now_ms();
    if (w->denied_since_ms == 0) {
        w->denied_since_ms = now;
    } else if (now - w->denied_since_ms >= DENIED_MAX_MS) {
        w->given_up = true;
        w->remaining = denied;
        w->remaining_pid = pid;
    }
}

static void kill_tree(struct shim *s)
{
    struct shim_sweep *w = &s->sweep;
    pid_t last = 0;
    pid_t denied_pid = 0;
    unsigned denied = 0;
    if (w->passes >= STOP_AFTER_PASSES) {
        stop_tree(s);
    }
    int count = tree_list(s->self, w->found, SHIM_PIDS_MAX);
    for (int i = 0; i < count; i++) {
        signal_group_of(s, w->found[i], SIGKILL, &last);
        if (kill(w->found[i], SIGKILL) != 0 && errno == EPERM) {
            denied++;
            denied_pid = w->found[i];
        }
    }
    /* Nothing visible and yet children: another user's processes under hidepid. */
    bool hidden = count == 0 && !s->childless;
    note_denied(w, hidden || (count > 0 && denied == (unsigned)count), hidden ? 1 : denied,
                denied_pid);
    w->passes++;
}

int sweep_step(struct shim *s)
{
    struct shim_sweep *w = &s->sweep;
    if (!w->active || s->childless) {
        return -1;
    }
    uint64_t now = shim_now_ms();
    if (now >= w->next_ms) {
        kill_tree(s);
        uint64_t pause = w->passes < 6 ? (uint64_t)PASS_FIRST_MS << w->passes : PASS_MAX_MS;
        now = shim_now_ms();
        w->next_ms = now + pause;
    }
    return (int)(w->next_ms - now);
}
