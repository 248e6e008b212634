/* What the log tests share: a store in a directory of its own, runs written by threads, reading all
 * back. */
#ifndef ROADIE_TESTS_LOGS_HARNESS_H
#define ROADIE_TESTS_LOGS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "logs/reader.h"
#include "logs/store.h"

struct harness {
    uv_loop_t loop;
    struct logstore *store;
    char dir[128];
    bool is_open;
};

struct run {
    struct harness *harness;
    struct logrun *logrun;
    int out_fd;
    int err_fd;
    bool drained;
    uint64_t lost;
    unsigned matches;
    unsigned matched_mask;
    uint64_t matched_ns;
    char matched_line[256];
};

/* A fresh directory under the temporary one. */
void harness_init(struct harness *h);
void harness_open(struct harness *h);
/* Closes the store and checks that the loop ends clean; harness_open may follow. */
void harness_close(struct harness *h);
/* Removes the directory. */
void harness_fini(struct harness *h);

/* Opens run number `number` (0: the next) of a service. */
void run_open(struct harness *h, struct run *r, const char *service,
              const struct logrun_opts *more);
/* Closes our copies of the child's ends, then runs the loop until drained. */
void run_finish(struct run *r);
/* Runs the loop until *flag or 20 s have passed, which fails. */
void wait_flag(struct harness *h, const bool *flag);
/* Until the store's head has reached seq; fails after 20 s. */
void wait_stored(struct harness *h, uint64_t seq);
/* One millisecond of waiting for a condition, with the loop served. */
void wait_step(struct harness *h, uint64_t *deadline_ns);
void write_all(int fd, const void *bytes, size_t len);

/* All lines as "SERVICE:STREAM:text\n", partial ones with "…" at the end. */
void read_lines(const struct logreader_opts *opts, struct buf *out);
/* Deterministic pseudo-random numbers. */
uint64_t rng_next(uint64_t *state);
/* Removes a directory tree of ours. */
void tree_remove(const char *path);

#endif
