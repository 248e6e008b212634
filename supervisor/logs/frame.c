/*
 * What this room is for.      Framing lines that span chunks; long ones in pieces.
 * What it may touch.          Nothing: pure.
 * Who calls it.               reader.c; cursor.c fills it when starting in the middle.
 * The one invariant.          Pieces and newlines together are exactly the bytes that were added.
 */
#include "logs/frame.h"

/* Drops what was given out, keeping its end for the redactor while the line goes on. */
static void settle(struct frame *f)
{
    if (f->given == 0) {
        return;
    }
    size_t done = f->before + f->given;
    f->given = 0;
    if (!f->continued) {
        f->before = 0;
        if (f->text.cap > 2 * FRAME_AROUND) {
            buf_fini(&f->text); /* one long line must not cost memory for ever */
        } else {
            buf_clear(&f->text);
        }
        return;
    }
    size_t keep = done < FRAME_AROUND ? done : FRAME_AROUND;
    buf_consume(&f->text, done - keep);
    f->before = keep;
}

/* A line is over: the next bytes begin a new one. */
static void reset(struct frame *f)
{
    f->complete = false;
    f->continued = false;
}

bool frame_is_empty(const struct frame *f)
{
    return f->text.len - f->before - f->given == 0 && !f->complete;
}

size_t frame_room(const struct frame *f)
{
    size_t used = f->text.len - f->before - f->given;
    size_t max = FRAME_PIECE + FRAME_AROUND;
    return used < max ? max - used : 0;
}

void frame_add(struct frame *f, struct span bytes, uint64_t wall_ns)
{
    settle(f);
    if (f->text.len == f->before) {
        f->wall_ns = wall_ns;
    }
    (void)buf_append(&f->text, bytes.ptr, bytes.len);
}

void frame_prepend(struct frame *f, struct span bytes, const struct index_record *record)
{
    struct buf joined = {0};
    (void)buf_append(&joined, bytes.ptr, bytes.len);
    (void)buf_append(&joined, f->text.ptr, f->text.len);
    buf_fini(&f->text);
    f->text = joined;
    f->run = record->run;
    f->last_seq = f->last_seq > 0 ? f->last_seq : index_last(record);
    f->wall_ns = bytes.len > 0 ? record->wall_ns : f->wall_ns;
}

void frame_complete(struct frame *f)
{
    settle(f);
    buf_reserve(&f->text, 0);
    if (f->text.len > f->before && f->text.ptr[f->text.len - 1] == '\r') {
        f->text.len--;
        f->text.ptr[f->text.len] = '\0';
    }
    f->complete = true;
}

bool frame_next(struct frame *f, bool at_end, struct frame_piece *out)
{
    settle(f);
    size_t len = f->text.len - f->before;
    bool is_long = len > FRAME_PIECE;
    bool full = len >= FRAME_PIECE + FRAME_AROUND;
    if (!f->complete && !full && !(at_end && len > 0)) {
        return false;
    }
    size_t give = is_long ? FRAME_PIECE : len;
    size_t ahead = len - give < FRAME_AROUND ? len - give : FRAME_AROUND;
    const char *from = f->text.ptr + f->before;
    *out = (struct frame_piece){
        .before = {.ptr = f->text.ptr, .len = f->before},
        .text = {.ptr = from, .len = give},
        .after = {.ptr = from + give, .len = ahead},
        .partial = is_long || !f->complete,
        .continued = f->continued,
    };
    f->given = give;
    f->continued = out->partial;
    if (f->complete && !is_long) {
        reset(f);
        if (give == 0) {
            /* Nothing for settle to see: an empty rest after pieces. */
            f->text.len = 0;
            f->before = 0;
        }
    }
    return true;
}

void frame_fini(struct frame *f)
{
    buf_fini(&f->text);
    *f = (struct frame){0};
}
