/*
 * A bench to put one service on: a loop, a reaper, a pipe (or PTY) that collects what the service
 * writes, and what its proc has called back. Waiting is for a condition, with a deadline.
 */
#ifndef ROADIE_TESTS_PROCESS_BENCH_H
#define ROADIE_TESTS_PROCESS_BENCH_H

#include <stdbool.h>

#include "base/bytes.h"
#include "process/command.h"
#include "process/proc.h"
#include "process/reaper.h"

struct bench {
    uv_loop_t loop;
    struct reaper *reaper;
};

struct run {
    struct bench *bench;
    struct proc *proc;
    pid_t pid; /* as told by on_started */
    pid_t shim;
    int started;
    int failed;
    int exited;
    int stopped;
    int gone;
    enum proc_stage stage;
    int err;
    int stop_signal;
    struct proc_exit how;
    uint64_t cpu_ms;
    unsigned remaining;
    uint64_t exited_ns;
    uint64_t gone_ns;
    int read_fd; /* pipe or PTY master, non-blocking */
    bool ended;  /* end of file (or EIO) on it */
    struct buf output;
};

enum { BENCH_WORDS_MAX = 16 };

/* The words of a command, as run_start takes them. */
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define BENCH_SHIM ROADIE_BIN "/roadie-shim"
#define BENCH_FX ROADIE_BIN "/fx"

void bench_open(struct bench *b);
/* Fails the test unless the loop closes and no child is left. */
void bench_close(struct bench *b);
/* One turn of the loop, at most some milliseconds; reads what runs have written. */
void bench_turn(struct bench *b, struct run *r);
/* Starts argv on the bench with a plan that may be changed beforehand (NULL: standard). */
int run_start(struct bench *b, struct run *r, const char *const *argv,
              const struct proc_plan *plan);
struct proc_plan run_plan(void);
void run_fini(struct run *r);
/* True when output holds text. */
bool run_said(const struct run *r, const char *text);

/* Turns the loop until condition; fails the test after ms. */
#define BENCH_UNTIL(b, r, condition, ms)                                                           \
    do {                                                                                           \
        uint64_t bench_deadline = clock_mono_ns() + (uint64_t)(ms)*1000000U;                       \
        while (!(condition)) {                                                                     \
            if (clock_mono_ns() > bench_deadline) {                                                \
                fail_msg("not within %d ms: %s (output: %s)", (int)(ms), #condition,               \
                         (r) != NULL && ((struct run *)(r))->output.ptr != NULL                    \
                             ? ((struct run *)(r))->output.ptr                                     \
                             : "");                                                                \
            }                                                                                      \
            bench_turn((b), (r));                                                                  \
        }                                                                                          \
    } while (0)

#endif
