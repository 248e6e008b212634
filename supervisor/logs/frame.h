/* Framing one stream's bytes into lines and pieces of long lines. Pure. */
#ifndef ROADIE_LOGS_FRAME_H
#define ROADIE_LOGS_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "logs/format.h"

enum {
    FRAME_PIECE = 1024 * 1024, /* the longest line that is shown whole */
    FRAME_AROUND = 64 * 1024,  /* of its neighbours, shown to the redactor with a piece */
};

/* A line that is not complete in one chunk. Zero-initialise. */
struct frame {
    struct buf text; /* `before` bytes of what was given out, then the rest */
    size_t before;
    uint64_t wall_ns;  /* of the first byte that was not given out */
    uint64_t last_seq; /* of the last byte added, or of its newline */
    uint32_t run;
    bool continued; /* pieces of this line were given out */
    bool complete;  /* its newline has come */
    size_t given;   /* of the rest: given out by the last frame_piece */
};

struct frame_piece {
    struct span before;
    struct span text;
    struct span after;
    bool partial;
    bool continued;
};

/* Adds bytes of the line, at most frame_room of them; wall_ns of their record. */
void frame_add(struct frame *f, struct span bytes, uint64_t wall_ns);
size_t frame_room(const struct frame *f);
/* Puts bytes in front (when starting in the middle of a stream). */
void frame_prepend(struct frame *f, struct span bytes, const struct index_record *record);
/* The newline has come. */
void frame_complete(struct frame *f);
bool frame_is_empty(const struct frame *f);
/* The next piece to give out: a whole line, or 1 MiB of one that is longer; at_end: also an
 * unfinished rest. False: none. It is valid until the next call on the frame. */
bool frame_next(struct frame *f, bool at_end, struct frame_piece *out);
void frame_fini(struct frame *f);

#endif
