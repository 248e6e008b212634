/*
 * One condition of `ready` or `alive`, asked until it holds. Two stages for network kinds: look for
 * the listener without connecting (every 2 ms at first, slowing to 100 ms with the time waited),
 * see whose it is; only when it is ours (or adoption is asked) speak the protocol: one attempt in
 * flight, backing off from 20 ms to 1 s. READY_LOG and READY_NOTIFY are fed from outside by
 * probe_feed.
 */
#ifndef ROADIE_ENGINE_PROBE_H
#define ROADIE_ENGINE_PROBE_H

#include <sys/types.h>
#include <uv.h>

#include "base/fault.h"
#include "process/listeners.h"
#include "stack/spec.h"

enum probe_verdict {
    PROBE_PASS,     /* it holds */
    PROBE_FAIL,     /* not yet, or (alive) no longer; text says what was answered */
    PROBE_STRANGER, /* somebody else listens on the port; stranger is set */
};

struct probe_answer {
    enum probe_verdict verdict;
    const char *text; /* for people: "PONG", "GET /health 200", "connection refused", "LOADING" */
    uint64_t took_ms; /* of this attempt */
    const struct listener *stranger;
    bool listening; /* the port is open (and ours) though the protocol does not answer */
};

typedef void (*probe_fn)(void *ctx, const struct probe_answer *answer);

struct http;

struct probe_opts {
    const struct spec_ready *spec; /* borrowed until probe_close */
    pid_t tree_root;   /* owner of the listener must be in this tree (the shim's pid) … */
    bool any_owner;    /* … unless set: adoption, a container (whose port the engine publishes,
                          proven by its port table elsewhere), or a target on another machine */
    char *const *envp; /* exec: its environment */
    const char *directory; /* exec: its directory */
    struct http *http;     /* the loop's client, borrowed until probe_close; NULL: one of its own */
    uint64_t interval_ms;  /* 0: ask until PASS, then silent. Else ask for ever at this interval and
                              report each answer (alive) */
};

struct probe;

/* Reports every answer whose verdict or text differs from the last, and always PASS; never before
 * return. Alive: the first answer comes after one interval. The callback may call probe_restart and
 * probe_close. */
int probe_open(uv_loop_t *loop, const struct probe_opts *opts, probe_fn answer, void *ctx,
               struct probe **out, struct fault *why) ATTR_MUST_CHECK;
/* READY_LOG: the pattern was seen. READY_NOTIFY: READY=1 came. Answers PASS with text on the loop's
 * next round; ignored for other kinds and after PASS. */
void probe_feed(struct probe *p, const char *text);
/* Time stood still for this machine (sleep): attempts under way are thrown away, back-off starts
 * afresh. */
void probe_restart(struct probe *p);
/* Silent at once; frees itself later. */
void probe_close(struct probe *p);

#endif
