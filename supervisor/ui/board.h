/*
 * What is under way, a line a service: what it waits for and since when, or how it stops. Pure: fed with
 * messages of the server, painted into a buffer. painter redraws it in place.
 */
#ifndef ROADIE_UI_BOARD_H
#define ROADIE_UI_BOARD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct redactor;

struct board_row {
    char *name;
    char *state;             /* by its name of INTERFACE §4 */
    char *text;              /* why, what for; masked and sanitised */
    char *needs;             /* names of what it depends on, a line each */
    uint64_t since_wall_ms;
    uint64_t until_wall_ms;  /* while stopping: when the next rung comes; 0: not known */
    unsigned processes;      /* while stopping */
    unsigned run;
    bool leaving;            /* shown by a `down` progress */
};

/* Zero-initialise; board_fini. */
struct board {
    struct board_row *rows;
    size_t count;
    size_t name_width;
    const struct redactor *mask;
};

struct board_look {
    unsigned columns;
    unsigned rows;           /* at most so many lines */
    bool colour;
    uint64_t now_wall_ms;
};

/* A "state" event of the server. True when the board looks different now. */
bool board_event(struct board *b, const json_t *event, uint64_t now_wall_ms);
/* Rows from a `ps` reply (its "services"). */
void board_fill(struct board *b, const json_t *services, uint64_t now_wall_ms);
/* Progress of a `down`, `stop`, `restart`: true when it tells something new (not just a later second). */
bool board_progress(struct board *b, const json_t *progress, uint64_t now_wall_ms);
const struct board_row *board_find(const struct board *b, const char *name);
/* Whether anything is under way: then it is worth a look each second. */
bool board_pending(const struct board *b);
/* Appends the lines of what is under way; returns how many. Each fits into columns. */
unsigned board_paint(const struct board *b, const struct board_look *look, struct buf *out);
/* "3 ready, 1 failed (worker)" for a summary. */
void board_summary(const struct board *b, struct buf *out);
void board_fini(struct board *b);

/* The board on a terminal: how many lines of it stand above the cursor. */
struct painter {
    unsigned lines;
};
/* Appends what removes the board from the terminal. */
void painter_erase(struct painter *p, struct buf *out);
/* Appends erase and paint. */
void painter_redraw(struct painter *p, const struct board *b, const struct board_look *look,
                    struct buf *out);

#endif
