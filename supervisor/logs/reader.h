/*
 * The log store's reading end: cursors over the segments, merged in true order, framed into lines.
 * Used by viewers in their own process (no server needed). Never writes to the store, and holds
 * open what it has yet to show, so that rotation loses nothing for a slow viewer.
 */
#ifndef ROADIE_LOGS_READER_H
#define ROADIE_LOGS_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"

enum log_stream { LOG_OUT = 1, LOG_ERR = 2 };

struct log_line {
    uint64_t seq; /* of its last byte (the newline): unique, and grows over the whole stack in the
                   * order in which lines became complete, so that `--after SEQ` misses none */
    uint64_t wall_ns; /* when its first byte was stored */
    const char *service;
    uint32_t run;
    enum log_stream stream;
    struct span
        text;       /* raw bytes without the newline (and without a CR before it); at most 1 MiB */
    bool partial;   /* goes on in the next piece, or unfinished at the end of its stream */
    bool continued; /* goes on from the previous piece */
    bool lost; /* not of the service: says how many of its bytes could not be stored, and why */
    struct span
        before; /* of a piece: up to 64 KiB of the same line on either side, so that a secret */
    struct span after; /* which lies across the join is found */
};

enum log_from { LOG_FROM_UP, LOG_FROM_START, LOG_FROM_SEQ, LOG_FROM_END };

struct logreader_opts {
    const char *dir;        /* the store's */
    char *const *services;  /* NULL-terminated; NULL: all that have logs */
    enum log_from from;     /* UP: since the stack was last brought up */
    uint64_t seq;           /* with LOG_FROM_SEQ: lines whose seq is greater */
    uint32_t run;           /* only this run of the service; 0: all */
    unsigned streams;       /* LOG_OUT | LOG_ERR; 0: both */
    uint64_t since_wall_ns; /* 0: no bound */
    uint64_t until_wall_ns;
    bool follow; /* a partial last line is held back until its stream has ended */
};

struct logreader;

/* -ENOENT when nothing was ever stored. */
int logreader_open(const struct logreader_opts *opts, struct logreader **out,
                   struct fault *why) ATTR_MUST_CHECK;
/* The next line: 1, 0 when nothing more is readable now, negative errno. The line is valid until
 * the next call. After 0 without follow, unfinished lines have been given as partial. */
int logreader_next(struct logreader *r, struct log_line *line);
/* The same, quicker: 1 with one line (block false) or with many whole lines in line->text, every
 * one with its newline (block true). For viewers that look at no line by itself. */
int logreader_next_block(struct logreader *r, struct log_line *line, bool *block);
/* Call when the head file has changed (uv_fs_event on logreader_head_path, or a timer): looks at
 * new segments and new services. Cheap. */
void logreader_refresh(struct logreader *r);
const char *logreader_head_path(const struct logreader *r);
/* Ends streams: gives out unfinished lines of services that have ended (used at the end of a
 * follow). */
void logreader_finish(struct logreader *r);
/* Exact bytes of one service in order of arrival: appends up to max bytes to out and returns how many; 0 at
 * the end. */
int logreader_raw(struct logreader *r, struct buf *out, size_t max);
void logreader_close(struct logreader *r);

/* Runs of a service that have stored bytes: the newest run number, 0 when none. */
uint32_t logreader_last_run(const char *dir, const char *service);

#endif
