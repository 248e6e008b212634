/* One service's segments, reading end: records in order, across segments, holding open what is to
 * come. */
#ifndef ROADIE_LOGS_CURSOR_H
#define ROADIE_LOGS_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "logs/format.h"
#include "logs/frame.h"

enum { CURSOR_RECORDS = 128, CURSOR_FRAMES = 2 };

struct cursor {
    char *service;
    int idx_fd; /* held with a shared lock: the pruner stops here. -1: nothing found yet */
    int log_fd;
    uint32_t number;
    uint64_t loaded; /* records of this segment that were read */
    struct index_record records[CURSOR_RECORDS];
    size_t count;
    size_t at;
    uint64_t looked_head;               /* the head when there was nothing more */
    struct frame frames[CURSOR_FRAMES]; /* out, err */
    struct cursor *next;
};

struct cursor *cursor_new(const char *service);
/* Places it at the first record that reaches beyond seq. 0, or -ENOENT while there is no segment.
 */
int cursor_seek(struct cursor *c, const char *dir, uint64_t seq);
/* The current record if it is readable at that head, else NULL. */
const struct index_record *cursor_peek(struct cursor *c, const char *dir, uint64_t head);
/* To the next record. */
void cursor_advance(struct cursor *c);
/* Fills the frames with what stood before the current record in unfinished lines (looks back as far
 * as the current segment goes). */
void cursor_preload(struct cursor *c);
void cursor_free(struct cursor *c);

#endif
