/* What the files of the probe share. Private to engine/probe*.c. */
#ifndef ROADIE_ENGINE_PROBE_INTERNAL_H
#define ROADIE_ENGINE_PROBE_INTERNAL_H

#include "engine/probe.h"
#include "engine/probe_target.h"
#include "io/http.h"
#include "io/postgres.h"
#include "io/redis.h"
#include "io/wire.h"
#include "process/command.h"

enum {
    PROBE_TEXT_MAX = 256,
    PROBE_TIMEOUT_MS = 2000,
    PROBE_SLOW_TIMEOUT_MS = 5000, /* docket, postgres */
    DOCKET_FRESH_MS = 15000,
};

/* The attempt in flight: at most one, of the kind of the probe. */
struct probe_attempt {
    struct http_call *http;
    struct redis_call *redis;
    struct postgres_call *postgres;
    struct command *command;
    struct wire *wire;
};

struct probe {
    uv_loop_t *loop;
    struct probe_opts opts;
    probe_fn answer;
    void *ctx;
    struct http *http; /* opts.http, or our own */
    uv_timer_t timer;  /* one meaning: the next step is due; its closing frees the probe */
    struct target target;
    struct probe_attempt attempt;
    bool asking;
    bool done; /* passed, and not alive: silent */
    bool closing;
    uint64_t waiting_since_ns; /* since opened or restarted: slows the looking */
    uint64_t asking_since_ns; /* since the first attempt at this listener: slows the asking; 0: none
                                 yet */
    uint64_t ask_after_ns;    /* back-off */
    uint64_t asked_inode;     /* the listener of the last attempt */
    uint64_t asked_ns;        /* when the attempt in flight began; alive: when the round began */
    uint64_t round_ns;
    uint64_t suspect_inode; /* a stranger seen once: confirmed by a second look */
    struct listener stranger;
    bool reported;
    enum probe_verdict last_verdict;
    char last_text[PROBE_TEXT_MAX];
    char fed_text[PROBE_TEXT_MAX];
};

/* Starts one attempt; address: numeric, or NULL to let the bridge resolve. Ends in probe_settle,
 * never before return; a start that fails is said by why. */
int probe_ask(struct probe *p, const char *address, struct fault *why) ATTR_MUST_CHECK;
int probe_ask_redis(struct probe *p, const char *address, struct fault *why) ATTR_MUST_CHECK;
int probe_ask_docket(struct probe *p, struct fault *why) ATTR_MUST_CHECK;
/* Ends the attempt in flight without a word. */
void probe_drop(struct probe *p);
/* The attempt has ended. reached: a connection was made or could have been. */
void probe_settle(struct probe *p, enum probe_verdict verdict, const char *text, bool reached);
/* A failure of a bridge in the probe's words. */
void probe_settle_error(struct probe *p, int error, const char *text);
uint64_t probe_timeout_ms(const struct probe *p);

#endif
