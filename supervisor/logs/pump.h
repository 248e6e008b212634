/*
 * The inside of the store's writing end, shared by store.c (main thread), pump.c and stream.c (log
 * thread). What each thread may touch is said at every member: M main, L log thread, S shared under
 * `lock`, A atomic.
 */
#ifndef ROADIE_LOGS_PUMP_H
#define ROADIE_LOGS_PUMP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "logs/match.h"
#include "logs/poller.h"
#include "logs/reader.h"
#include "logs/segments.h"
#include "logs/store.h"

enum {
    PUMP_BUFFER = 256 * 1024,
    PIPE_LARGE = 1024 * 1024,
};

enum stream_phase {
    STREAM_ARMED, /* the poller will report it */
    STREAM_HOT,   /* has more: served again in the next pass */
    STREAM_PACED, /* many small writes: left alone until due_ns, so that they collect in the pipe */
    STREAM_ENDED,
};

struct stream { /* L */
    struct logrun *run;
    int fd;
    uint8_t kind; /* enum log_stream */
    bool pty;
    bool grown;
    bool wrote; /* bytes were noted or lost */
    enum stream_phase phase;
    unsigned quick; /* small reads in quick succession so far */
    size_t capacity;
    uint64_t due_ns;
    uint64_t pace_ns;
    uint64_t last_ns;
    struct match_line line;
};

struct service { /* L; lives as long as the store */
    struct segments *segments;
    bool dirty;
    struct service *next;
};

struct logrun {
    struct logstore *store; /* constant */
    char *service;          /* constant */
    uint32_t number;
    uint64_t keep_bytes;
    struct logrun_callbacks callbacks; /* M */
    void *ctx;
    struct matcher *matcher; /* L */
    struct stream streams[2];
    unsigned stream_count;
    unsigned open_count;  /* L */
    struct service *home; /* L */
    uint64_t lost_before; /* L: of the service, when this run began */
    atomic_bool cut;      /* A */
    uint64_t cut_due_ns;  /* L: ends when nothing came until then; 0: not cut */
    uint64_t cut_limit_ns;
    struct logrun *next; /* L: of the live, then of the drained */
};

enum report_kind { REPORT_MATCH, REPORT_DRAINED, REPORT_CLOSED };

struct report { /* from the log thread to the main thread */
    enum report_kind kind;
    struct logrun *run;
    unsigned pattern;
    char *line;
    uint64_t lost;
    struct report *next;
};

struct command {        /* from the main thread to the log thread */
    struct logrun *run; /* to adopt; NULL: save the run number of service */
    char *service;
    uint32_t number;
    struct command *next;
};

struct run_counter { /* M */
    char *service;
    uint32_t last;
    struct run_counter *next;
};

struct logstore {
    char *dir; /* constant */
    uv_thread_t thread;
    struct poller *poller; /* wake: any thread; the rest L */
    uv_mutex_t lock;
    struct command *commands; /* S, in order */
    struct command **commands_end;
    struct report *reports; /* S, in order */
    struct report **reports_end;
    atomic_bool closing;          /* A */
    atomic_uint_fast64_t head;    /* A: written by L */
    atomic_uint_fast64_t lost;    /* A: written by L */
    uv_async_t async;             /* M; sent by L */
    struct run_counter *counters; /* M */
    void (*closed)(void *ctx);
    void *closed_ctx;

    /* L from here on */
    struct service *services;
    struct logrun *live;
    struct logrun *drained; /* reported after the next flush */
    struct stream **active; /* hot and paced ones */
    size_t active_count;
    size_t active_cap;
    size_t cutting;
    struct report *fresh; /* matches of this pass, reported after the flush */
    struct report **fresh_end;
    uint64_t next_head; /* last seq used */
    int head_fd;
    uint64_t head_checked_ns;
    uint64_t lost_retry_ns;
    size_t grown_bytes;
    int relay[2]; /* see channel.h; -1: none */
    bool no_move; /* splice does not work on this file system */
    uint64_t now_ns;
    uint64_t wall_ns;
    char *buffer; /* PUMP_BUFFER */
};

/* The log thread. */
void pump_main(void *store);
/* Queues a report of this pass. Takes line. */
void pump_report(struct logstore *s, const struct report *report);

/* Moves what a stream has into the store once (at most one budget), and decides when to look at it
 * again. */
void stream_serve(struct logstore *s, struct stream *st);
/* Ends a stream: notes its end, closes its descriptor. */
void stream_end(struct logstore *s, struct stream *st);
/* Puts the stream into the list of those to be served without the poller. */
void pump_activate(struct logstore *s, struct stream *st);
/* Tries to make room after a write error, in this service's segments, then in the others'. */
bool pump_make_room(struct logstore *s, struct segments *segments, int error);

#endif
