/*
 * The log store's writing end: one thread with a loop of its own moves bytes from the services'
 * pipes and PTYs into append-only segments, unparsed, and publishes how far the whole stack is
 * readable. The main thread talks to it through these calls; its answers come back on the main
 * loop. On-disk format: format.h.
 *
 *   DIR/head                   8 bytes: seq up to which everything is readable
 *   DIR/up                     8 bytes: seq at which the stack was last brought up
 *   DIR/SERVICE/NNNNNNNN.log   raw bytes       NNNNNNNN.idx   index records
 */
#ifndef ROADIE_LOGS_STORE_H
#define ROADIE_LOGS_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/fault.h"

struct logstore;
struct logrun; /* one run of one service: its pipes */

struct logrun_callbacks {
    /* Both streams have ended (EOF, EIO, or cut); bytes lost to a full disk during this run. The
     * logrun is dead after it returns. Exactly once. */
    void (*on_drained)(void *ctx, uint64_t lost_bytes);
    /* A line (without newline, at most 4 KiB of it, SGR colours removed) matched pattern number i
     * of the opts; each pattern at most once a run. */
    void (*on_match)(void *ctx, unsigned pattern, const char *line);
};

struct logrun_opts {
    const char *service;
    uint32_t run;        /* see logstore_next_run */
    bool tty;            /* one PTY instead of two pipes */
    uint64_t keep_bytes; /* of this service's segments together */
    char *const
        *patterns; /* PCRE2, NULL-terminated or NULL: `ready = log`; checked by the loader */
    struct logrun_callbacks callbacks;
    void *ctx;
};

/* Opens or creates DIR (0700), recovers what a crashed server left (bytes beyond the last record
 * get a recovery record), notes the start of an `up`, starts the thread. dir is copied. */
int logstore_open(uv_loop_t *loop, const char *dir, struct logstore **out,
                  struct fault *why) ATTR_MUST_CHECK;
/* The next run number of that service (counted over the life of the store, from 1); remembers it.
 */
uint32_t logstore_next_run(struct logstore *s, const char *service);
/* Makes pipes (or a PTY) and watches them. *out_fd and *err_fd (-1 with tty) are for the child,
 * close on exec, owned by the caller. Callbacks come from the main loop, never before return. */
int logrun_open(struct logstore *s, const struct logrun_opts *opts, int *out_fd, int *err_fd,
                struct logrun **out, struct fault *why) ATTR_MUST_CHECK;
/* The tree is empty: read what is there, and end the streams when nothing came for 2 s even if a
 * stranger still holds the other end. */
void logrun_cut(struct logrun *r);
/* How many bytes the stack has stored (head), and how many were lost to a full disk since the
 * start. */
uint64_t logstore_head(const struct logstore *s);
uint64_t logstore_lost(const struct logstore *s);
/* Ends the thread after everything read has been written; then calls closed from the loop. */
void logstore_close(struct logstore *s, void (*closed)(void *ctx), void *ctx);

#endif
