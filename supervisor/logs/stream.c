/*
 * What this room is for.      One stream's bytes: from pipe or PTY to the service's segment.
 * What it may touch.          The log thread's members of pump.h.
 * Who calls it.               pump.c.
 * The one invariant.          What was read is noted or counted as lost; a full disk never stops
 * the reading.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "logs/channel.h"
#include "logs/pump.h"

enum {
    MOVE_MAX = 1024 * 1024,
    SMALL_READ = 16 * 1024,
    QUICK_READS = 8, /* so many small reads in a row before a stream is paced */
    GROWN_MAX =
        32 * 1024 * 1024, /* pipe memory that one stack may ask for: users have a common limit */
};
static const uint64_t QUICK_NS = 2000000;
static const uint64_t MEMORY_NS =
    200000000; /* a stream that was paced is again, when it goes on so soon */
static const uint64_t PACE_MIN_NS = 1000000;
static const uint64_t PACE_MAX_NS = 4000000;
static const uint64_t TERMINAL_WAIT_NS = 1000000;

static void on_line_match(void *ctx, unsigned pattern, const char *line)
{
    struct stream *st = ctx;
    pump_report(st->run->store, &(struct report){.kind = REPORT_MATCH,
                                                 .run = st->run,
                                                 .pattern = pattern,
                                                 .line = mem_strdup(line)});
}

static void note(struct logstore *s, struct stream *st, size_t len, uint8_t flags)
{
    const struct segment_mark mark = {.run = st->run->number,
                                      .stream = st->kind,
                                      .flags = flags,
                                      .mono_ns = s->now_ns,
                                      .wall_ns = s->wall_ns};
    segments_note(st->run->home->segments, &mark, (uint32_t)len, &s->next_head);
    st->run->home->dirty = true;
    st->wrote = true;
}

/* A PTY gives at most 4 KiB a read, and its next ones are being made ready while we would write the
 * first: waiting for them, a millisecond in all, is what makes a flood on a PTY as quick as a bare
 * read loop. */
static bool terminal_has_more(const struct stream *st, uint64_t until_ns)
{
    struct pollfd poll_fd = {.fd = st->fd, .events = POLLIN};
    return clock_mono_ns() < until_ns && poll(&poll_fd, 1, 1) > 0;
}

static ssize_t read_on(int fd, char *out, size_t len)
{
    ssize_t n;
    do {
        n = read(fd, out, len);
    } while (n < 0 && errno == EINTR);
    return n;
}

static int64_t read_terminal(const struct logstore *s, const struct stream *st)
{
    bool flood = s->now_ns - st->last_ns < QUICK_NS && !matcher_waits(st->run->matcher);
    uint64_t until_ns = clock_mono_ns() + TERMINAL_WAIT_NS;
    size_t done = 0;
    do {
        ssize_t n = read_on(st->fd, s->buffer + done, PUMP_BUFFER - done);
        if (n <= 0 && done == 0) {
            return n == 0 || errno == EIO ? 0 : -errno; /* EIO is a PTY's end of file on Linux */
        }
        done += n > 0 ? (size_t)n : 0;
        if (n <= 0) {
            break;
        }
    } while (done < PUMP_BUFFER / 4 && flood && terminal_has_more(st, until_ns));
    return (int64_t)done;
}

static int64_t read_some(const struct logstore *s, const struct stream *st)
{
    if (st->pty) {
        return read_terminal(s, st);
    }
    ssize_t n = read_on(st->fd, s->buffer, PUMP_BUFFER / 4);
    return n < 0 ? -errno : n;
}

/* Writes the first len bytes of the buffer; what cannot be written is counted. */
static void store_buffer(struct logstore *s, struct stream *st, size_t len)
{
    struct segments *segments = st->run->home->segments;
    size_t done = 0;
    while (done < len) {
        int code = segments_ready(segments, s->now_ns);
        int64_t n = code;
        if (code == 0) {
            size_t room = segments_room(segments);
            size_t want = len - done < room ? len - done : room;
            n = file_write(segments_fd(segments), s->buffer + done, want,
                           segments_offset(segments));
        }
        if (n > 0) {
            note(s, st, (size_t)n, 0);
            done += (size_t)n;
        } else if (!pump_make_room(s, segments, (int)-n)) {
            segments_lose(segments, len - done, n < 0 ? (int)-n : ENOSPC);
            st->wrote = true;
            return;
        }
    }
}

static int64_t take_by_copy(struct logstore *s, struct stream *st)
{
    int64_t n = read_some(s, st);
    if (n > 0) {
        store_buffer(s, st, (size_t)n);
        matcher_feed(st->run->matcher, &st->line, (struct span){.ptr = s->buffer, .len = (size_t)n},
                     on_line_match, st);
    }
    return n;
}

/* What could not be moved from the relay to the file goes the other way, which counts what is lost.
 */
static void relay_empty(struct logstore *s, struct stream *st, size_t left)
{
    while (left > 0) {
        ssize_t n = read_on(s->relay[0], s->buffer, left < PUMP_BUFFER ? left : PUMP_BUFFER);
        assert(n > 0); /* it holds left bytes, and nobody else reads it */
        store_buffer(s, st, (size_t)n);
        left -= (size_t)n;
    }
}

static int64_t take_by_move(struct logstore *s, struct stream *st)
{
    struct segments *segments = st->run->home->segments;
    int64_t got = channel_take(st->fd, s->relay, MOVE_MAX);
    size_t left = got > 0 ? (size_t)got : 0;
    while (left > 0) {
        int code = segments_ready(segments, s->now_ns);
        size_t room = segments_room(segments);
        int64_t n = code < 0 ? code
                             : channel_put(s->relay, segments_fd(segments),
                                           segments_offset(segments), left < room ? left : room);
        if (n <= 0) {
            s->no_move = s->no_move || n == -ENOSYS;
            relay_empty(s, st, left);
            break;
        }
        note(s, st, (size_t)n, 0);
        left -= (size_t)n;
    }
    return got;
}

static void grow(struct logstore *s, struct stream *st)
{
    if (st->grown || st->pty || s->grown_bytes + PIPE_LARGE > GROWN_MAX) {
        return;
    }
    st->grown = true;
    s->grown_bytes += PIPE_LARGE;
    st->capacity = channel_grow(st->fd, PIPE_LARGE);
}

/* Longer while little comes in that time, shorter when the pipe might fill up, which would block
 * the writer. */
static void pace(struct logstore *s, struct stream *st, size_t got)
{
    uint64_t pace_ns = st->pace_ns;
    if (got < st->capacity / 16) {
        pace_ns *= 2;
    } else if (got > st->capacity / 4) {
        pace_ns /= 2;
    }
    pace_ns = pace_ns < PACE_MIN_NS ? PACE_MIN_NS : pace_ns;
    st->pace_ns = pace_ns > PACE_MAX_NS ? PACE_MAX_NS : pace_ns;
    st->phase = STREAM_PACED;
    /* On a common grid, so that one pass serves all of them. */
    st->due_ns = (s->now_ns + st->pace_ns) / PACE_MIN_NS * PACE_MIN_NS;
    pump_activate(s, st);
}

static void plan_next(struct logstore *s, struct stream *st, size_t got)
{
    bool was_paced = st->phase == STREAM_PACED;
    uint64_t gap_ns = s->now_ns - st->last_ns;
    st->last_ns = s->now_ns;
    if (was_paced) {
        st->quick = got >= st->capacity / 2 ? 0 : st->quick;
    } else if (got < SMALL_READ && !matcher_waits(st->run->matcher) &&
               gap_ns < (st->quick >= QUICK_READS - 1 ? MEMORY_NS : QUICK_NS)) {
        st->quick++;
    } else {
        st->quick = 0;
    }
    if (got >= 64 * 1024 || st->quick == QUICK_READS) {
        grow(s, st);
    }
    if (st->quick >= QUICK_READS) {
        pace(s, st, got);
    } else if (got >= st->capacity) {
        st->phase = STREAM_HOT;
        pump_activate(s, st);
    } else {
        st->phase = STREAM_ARMED;
        poller_arm(s->poller, st->fd, st);
    }
}

void stream_serve(struct logstore *s, struct stream *st)
{
    bool copy = st->pty || s->no_move || s->relay[0] < 0 || matcher_waits(st->run->matcher);
    int64_t got = copy ? take_by_copy(s, st) : take_by_move(s, st);
    if (got > 0) {
        if (st->run->cut_due_ns > 0) {
            st->run->cut_due_ns = s->now_ns + 2000000000u;
        }
        plan_next(s, st, (size_t)got);
    } else if (got == -EAGAIN) {
        st->quick = st->phase == STREAM_PACED ? QUICK_READS - 1 : st->quick;
        st->phase = STREAM_ARMED;
        poller_arm(s->poller, st->fd, st);
    } else {
        stream_end(s, st);
    }
}

void stream_end(struct logstore *s, struct stream *st)
{
    if (st->phase == STREAM_ENDED) {
        return;
    }
    matcher_end(st->run->matcher, &st->line, on_line_match, st);
    buf_fini(&st->line.text);
    if (st->wrote && segments_ready(st->run->home->segments, s->now_ns) == 0) {
        note(s, st, 0, INDEX_END);
    }
    poller_remove(s->poller, st->fd);
    (void)close(st->fd);
    st->fd = -1;
    st->phase = STREAM_ENDED;
    s->grown_bytes -= st->grown ? PIPE_LARGE : 0;
    st->run->open_count--;
}
