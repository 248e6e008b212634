/*
 * What this room is for.      Merging services in true order, framing records into lines.
 * What it may touch.          The reader's cursors; files through them, read-only.
 * Who calls it.               logreader_next and logreader_next_block, from every viewer.
 * The one invariant.          Records are taken in order of seq, and only up to a head read
 * beforehand.
 */
#include "logs/lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The service with the oldest readable record. */
static struct cursor *oldest(struct logreader *r)
{
    struct cursor *best = NULL;
    uint64_t best_seq = UINT64_MAX;
    for (struct cursor *c = r->cursors; c != NULL; c = c->next) {
        if (c->idx_fd < 0 && c->looked_head != r->head && cursor_seek(c, r->dir, r->from_seq) < 0) {
            c->looked_head = r->head;
            continue;
        }
        const struct index_record *record = c->idx_fd < 0 ? NULL : cursor_peek(c, r->dir, r->head);
        if (record != NULL && record->seq < best_seq) {
            best = c;
            best_seq = record->seq;
        }
    }
    return best;
}

static struct frame *frame_of(struct cursor *c, unsigned stream)
{
    return &c->frames[stream == LOG_ERR ? 1 : 0];
}

bool lines_record(struct logreader *r)
{
    struct cursor *c = oldest(r);
    if (c == NULL) {
        return false;
    }
    r->record = c->records[c->at];
    cursor_advance(c);
    r->current = c;
    r->record_done = 0;
    r->chunk_len = 0;
    r->chunk_at = 0;
    bool other_run = r->run != 0 && r->record.run != r->run && (r->record.flags & INDEX_LOST) == 0;
    bool other_stream = (r->record.stream & r->streams) == 0;
    if (other_run || other_stream) {
        r->record_done = r->record.len;
        r->record.flags = 0;
    }
    return true;
}

/* Loads the next bytes of the record; false when it has no more. */
static bool chunk_load(struct logreader *r)
{
    uint64_t left = r->record.len - r->record_done;
    if (left == 0) {
        return false;
    }
    size_t want = left < READER_CHUNK ? (size_t)left : READER_CHUNK;
    int64_t got = file_read(r->current->log_fd, r->chunk, want, r->record.offset + r->record_done);
    if (got <= 0) {
        r->record_done = r->record.len;
        return false;
    }
    r->chunk_len = (size_t)got;
    r->chunk_at = 0;
    r->record_done += (uint64_t)got;
    return true;
}

static uint64_t chunk_seq(const struct logreader *r)
{
    return r->record.seq + r->record_done - (r->chunk_len - r->chunk_at);
}

static bool line_wanted(const struct logreader *r, const struct log_line *line)
{
    if (!line->lost &&
        (((unsigned)line->stream & r->streams) == 0 || (r->run != 0 && line->run != r->run))) {
        return false;
    }
    return line->seq > r->from_seq && line->wall_ns >= r->since_wall_ns &&
           (r->until_wall_ns == 0 || line->wall_ns <= r->until_wall_ns);
}

static void line_start(const struct logreader *r, struct log_line *line)
{
    *line = (struct log_line){
        .wall_ns = r->record.wall_ns,
        .service = r->current->service,
        .run = r->record.run,
        .stream = r->record.stream == LOG_ERR ? LOG_ERR : LOG_OUT,
    };
}

static bool frame_give(const struct logreader *r, struct frame *f, bool at_end, uint64_t seq,
                       struct log_line *line)
{
    struct frame_piece piece;
    if (!frame_next(f, at_end, &piece)) {
        return false;
    }
    line_start(r, line);
    line->seq = seq;
    line->wall_ns = f->wall_ns;
    line->run = f->run;
    line->text = piece.text;
    line->before = piece.before;
    line->after = piece.after;
    line->partial = piece.partial;
    line->continued = piece.continued;
    return true;
}

/* Gives out what the frame has ready; at_seq is the seq of the last byte that went into it. A piece
 * whose rest follows at once takes the seq before, so that both are unique. */
static bool frame_ready(const struct logreader *r, struct frame *f, bool at_end, uint64_t at_seq,
                        struct log_line *line)
{
    if (!frame_give(r, f, at_end, at_seq, line)) {
        return false;
    }
    line->seq -= line->partial && !frame_is_empty(f) ? 1 : 0;
    return true;
}

/* All whole lines of the chunk at once. */
static bool block_take(struct logreader *r, struct log_line *line)
{
    const char *from = r->chunk + r->chunk_at;
    size_t len = r->chunk_len - r->chunk_at;
    while (len > 0 && from[len - 1] != '\n') {
        len--;
    }
    if (len == 0) {
        return false;
    }
    line_start(r, line);
    r->chunk_at += len;
    line->seq = chunk_seq(r) - 1;
    line->text = (struct span){.ptr = from, .len = len};
    return true;
}

/* Takes one line, or with block many, out of the chunk; false when the chunk has no (whole) line
 * left. */
static bool chunk_line(struct logreader *r, struct log_line *line, bool *block)
{
    struct frame *f = frame_of(r->current, r->record.stream);
    char *from = r->chunk + r->chunk_at;
    size_t left = r->chunk_len - r->chunk_at;
    bool fresh = frame_is_empty(f) && !f->continued;
    /* The record in which the start lies has lines on both sides of it. */
    if (block != NULL && fresh && r->record.seq > r->from_seq && block_take(r, line)) {
        *block = true;
        return true;
    }
    const char *newline = memchr(from, '\n', left);
    if (newline != NULL && fresh) {
        size_t len = (size_t)(newline - from);
        line_start(r, line);
        r->chunk_at += len + 1;
        line->seq = chunk_seq(r) - 1;
        len -= len > 0 && from[len - 1] == '\r' ? 1 : 0;
        line->text = (struct span){.ptr = from, .len = len};
        return true;
    }
    size_t part = newline != NULL ? (size_t)(newline - from) : left;
    size_t room = frame_room(f);
    bool whole = newline != NULL && part <= room;
    part = part < room ? part : room;
    f->run = r->record.run;
    frame_add(f, (struct span){.ptr = from, .len = part}, r->record.wall_ns);
    r->chunk_at += part + (whole ? 1 : 0);
    f->last_seq = chunk_seq(r) - 1;
    if (whole) {
        frame_complete(f);
    }
    return frame_ready(r, f, false, f->last_seq, line);
}

/* A record without bytes: the end of a stream, or a loss. */
static bool record_event(struct logreader *r, struct log_line *line)
{
    unsigned flags = r->record.flags;
    struct frame *f = frame_of(r->current, r->record.stream);
    r->record.flags = 0;
    if ((flags & INDEX_LOST) != 0) {
        line_start(r, line);
        line->seq = r->record.seq;
        line->lost = true;
        const char *reason = r->record.error == ENOSPC ? "disk full" : strerror(r->record.error);
        int len = snprintf(r->lost_text, sizeof(r->lost_text), "roadie: %llu bytes lost: %s",
                           (unsigned long long)r->record.offset, reason);
        size_t max = sizeof(r->lost_text) - 1;
        line->text = (struct span){.ptr = r->lost_text,
                                   .len = len < 0             ? 0
                                          : (size_t)len < max ? (size_t)len
                                                              : max};
        return true;
    }
    if ((flags & INDEX_END) != 0) {
        if (frame_ready(r, f, true, r->record.seq, line)) {
            r->record.flags = INDEX_END; /* there may be more pieces */
            return true;
        }
        frame_fini(f);
    }
    return false;
}

/* Bytes of a newer run: what the older one left unfinished ends here, also when its end was never
 * stored. */
static bool run_changed(struct logreader *r, struct log_line *line)
{
    for (size_t i = 0; r->record.len > 0 && i < CURSOR_FRAMES; i++) {
        struct frame *f = &r->current->frames[i];
        if (f->run == 0 || f->run >= r->record.run) {
            continue;
        }
        if (frame_ready(r, f, true, r->record.seq, line)) {
            line->stream = i == 1 ? LOG_ERR : LOG_OUT;
            return true;
        }
        frame_fini(f);
    }
    return false;
}

/* One step within the current record: 1 a line, 0 go on, -1 the record is done. */
static int record_step(struct logreader *r, struct log_line *line, bool *block)
{
    struct frame *f = frame_of(r->current, r->record.stream);
    if (run_changed(r, line)) {
        return 1;
    }
    if (f->complete || (f->text.len > 0 && frame_room(f) == 0)) {
        if (frame_ready(r, f, false, f->last_seq, line)) {
            return 1;
        }
    }
    if (r->chunk_at < r->chunk_len || chunk_load(r)) {
        return chunk_line(r, line, block) ? 1 : 0;
    }
    return record_event(r, line) ? 1 : -1;
}

/* The unfinished line that ends first, when nothing more is readable. */
static bool tail_give(struct logreader *r, struct log_line *line)
{
    struct cursor *best = NULL;
    size_t best_at = 0;
    for (struct cursor *c = r->cursors; c != NULL; c = c->next) {
        for (size_t i = 0; i < CURSOR_FRAMES; i++) {
            if (!frame_is_empty(&c->frames[i]) &&
                (best == NULL || c->frames[i].last_seq < best->frames[best_at].last_seq)) {
                best = c;
                best_at = i;
            }
        }
    }
    if (best == NULL) {
        return false;
    }
    struct frame *f = &best->frames[best_at];
    r->current = best;
    r->record = (struct index_record){.stream = best_at == 1 ? LOG_ERR : LOG_OUT};
    bool given = frame_ready(r, f, true, f->last_seq, line);
    r->current = NULL;
    return given;
}

static int next(struct logreader *r, struct log_line *line, bool *block)
{
    if (block != NULL) {
        *block = false;
    }
    for (;;) {
        if (r->current == NULL && !lines_record(r)) {
            bool at_end = (!r->follow || r->finishing) && tail_give(r, line);
            if (!at_end) {
                return 0;
            }
        } else {
            int step = record_step(r, line, block);
            if (step < 0) {
                r->current = NULL;
            }
            if (step <= 0) {
                continue;
            }
        }
        if (line_wanted(r, line)) {
            return 1;
        }
    }
}

int logreader_next(struct logreader *r, struct log_line *line)
{
    return next(r, line, NULL);
}

int logreader_next_block(struct logreader *r, struct log_line *line, bool *block)
{
    return next(r, line, block);
}
