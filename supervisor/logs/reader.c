/*
 * What this room is for.      Merging services in true order and giving out lines.
 * What it may touch.          The store's directory, read-only.
 * Who calls it.               Every viewer: up, logs, why, wait, --json, screens.
 * The one invariant.          Records are taken in order of seq, and only up to a head read beforehand.
 */
#include "logs/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "logs/cursor.h"
#include "logs/format.h"

enum { CHUNK = 256 * 1024 };

struct logreader {
    char *dir;
    char *head_path;
    int head_fd;
    char **services; /* NULL-terminated; NULL: all */
    uint32_t run;
    unsigned streams;
    uint64_t from_seq; /* only lines whose seq is greater */
    uint64_t since_wall_ns;
    uint64_t until_wall_ns;
    bool follow;
    bool preload; /* from the middle: unfinished lines have a beginning */
    bool finishing;
    uint64_t head;
    uint64_t dir_mtime_ns;
    struct cursor *cursors;

    struct cursor *current; /* whose record is being framed; NULL: none */
    struct index_record record;
    uint64_t record_done; /* bytes of it that were framed or skipped */
    char *chunk;          /* CHUNK bytes at most: record bytes from chunk_from on */
    size_t chunk_len;
    size_t chunk_at;
    bool ending; /* the record ended the stream: its frame's rest is to be given out */
    char lost_text[96];
};

static bool service_wanted(const struct logreader *r, const char *name)
{
    if (!service_name_ok(name)) {
        return false;
    }
    for (char *const *at = r->services; at != NULL && *at != NULL; at++) {
        if (strcmp(*at, name) == 0) {
            return true;
        }
    }
    return r->services == NULL;
}

static void service_found(struct logreader *r, const char *name)
{
    for (const struct cursor *c = r->cursors; c != NULL; c = c->next) {
        if (strcmp(c->service, name) == 0) {
            return;
        }
    }
    struct cursor *c = cursor_new(name);
    if (cursor_seek(c, r->dir, r->from_seq) == 0 && r->preload) {
        cursor_preload(c, r->dir);
    }
    c->next = r->cursors;
    r->cursors = c;
}

static uint64_t mtime_ns(const struct stat *st)
{
#ifdef __APPLE__
    return (uint64_t)st->st_mtimespec.tv_sec * 1000000000u + (uint64_t)st->st_mtimespec.tv_nsec;
#else
    return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
#endif
}

/* Looks for new services when the directory has changed (its clock is coarse: a change within the same tick
 * as the last look is found because the writer makes the directory before it publishes bytes of it). */
static void services_scan(struct logreader *r)
{
    struct stat st;
    if (stat(r->dir, &st) < 0) {
        return;
    }
    uint64_t changed = mtime_ns(&st);
    DIR *dir = changed == r->dir_mtime_ns ? NULL : opendir(r->dir);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (service_wanted(r, entry->d_name)) {
            struct stat kind;
            if (fstatat(dirfd(dir), entry->d_name, &kind, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(kind.st_mode)) {
                service_found(r, entry->d_name);
            }
        }
    }
    (void)closedir(dir);
    struct stat after;
    uint64_t now_ns = clock_wall_ns();
    bool settled = now_ns > changed && now_ns - changed > 100000000u;
    r->dir_mtime_ns = settled && stat(r->dir, &after) == 0 && mtime_ns(&after) == changed ? changed : 0;
}

static void head_look(struct logreader *r)
{
    struct stat st;
    if (r->head_fd < 0 || fstat(r->head_fd, &st) < 0 || st.st_nlink == 0) {
        int fd = file_open(AT_FDCWD, r->head_path, O_RDONLY);
        if (fd >= 0 && r->head_fd >= 0) {
            (void)close(r->head_fd);
        }
        r->head_fd = fd >= 0 ? fd : r->head_fd;
    }
    uint64_t head = r->head_fd >= 0 ? number_read(r->head_fd) : 0;
    r->head = head > r->head ? head : r->head;
}

void logreader_refresh(struct logreader *r)
{
    head_look(r);
    services_scan(r);
}

static uint64_t up_seq(const char *dir)
{
    char *path = mem_printf("%s/up", dir);
    int fd = file_open(AT_FDCWD, path, O_RDONLY);
    mem_free(path);
    if (fd < 0) {
        return 0;
    }
    uint64_t seq = number_read(fd);
    (void)close(fd);
    return seq;
}

static char **names_copy(char *const *names)
{
    if (names == NULL) {
        return NULL;
    }
    size_t count = 0;
    while (names[count] != NULL) {
        count++;
    }
    char **copy = mem_calloc(count + 1, sizeof(*copy));
    for (size_t i = 0; i < count; i++) {
        copy[i] = mem_strdup(names[i]);
    }
    return copy;
}

static void start_set(struct logreader *r, const struct logreader_opts *opts)
{
    switch (opts->from) {
    case LOG_FROM_UP:
        r->from_seq = up_seq(opts->dir);
        break;
    case LOG_FROM_START:
        break;
    case LOG_FROM_SEQ:
        r->from_seq = opts->seq;
        r->preload = true;
        break;
    case LOG_FROM_END:
        r->from_seq = r->head;
        r->preload = true;
        break;
    }
}

int logreader_open(const struct logreader_opts *opts, struct logreader **out, struct fault *why)
{
    struct logreader *r = mem_calloc(1, sizeof(*r));
    r->dir = mem_strdup(opts->dir);
    r->head_path = mem_printf("%s/head", opts->dir);
    r->services = names_copy(opts->services);
    r->run = opts->run;
    r->streams = opts->streams != 0 ? opts->streams : LOG_OUT | LOG_ERR;
    r->since_wall_ns = opts->since_wall_ns;
    r->until_wall_ns = opts->until_wall_ns;
    r->follow = opts->follow;
    r->head_fd = -1;
    head_look(r);
    if (r->head_fd < 0 || (r->head == 0 && !opts->follow)) {
        int code = fault_set(why, -ENOENT, "logs in %s", opts->dir);
        logreader_close(r);
        return code;
    }
    r->chunk = mem_calloc(1, CHUNK);
    start_set(r, opts);
    services_scan(r);
    *out = r;
    return 0;
}

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

static bool record_next(struct logreader *r)
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
    size_t want = left < CHUNK ? (size_t)left : CHUNK;
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
    if (!line->lost && (((unsigned)line->stream & r->streams) == 0 || (r->run != 0 && line->run != r->run))) {
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

/* Gives out what the frame has ready; at_seq is the seq of the last byte that went into it. A piece whose
 * rest follows at once takes the seq before, so that both are unique. */
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

/* Takes one line, or with block many, out of the chunk; false when the chunk has no (whole) line left. */
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
        line->text = (struct span){.ptr = r->lost_text, .len = len < 0 ? 0 : (size_t)len < max ? (size_t)len : max};
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

/* Bytes of a newer run: what the older one left unfinished ends here, also when its end was never stored. */
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
        if (r->current == NULL && !record_next(r)) {
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

const char *logreader_head_path(const struct logreader *r)
{
    return r->head_path;
}

void logreader_finish(struct logreader *r)
{
    r->finishing = true;
}

int logreader_raw(struct logreader *r, struct buf *out, size_t max)
{
    size_t done = 0;
    while (done < max) {
        if (r->current == NULL && !record_next(r)) {
            break;
        }
        uint64_t left = r->record.len - r->record_done;
        if (left > 0 && r->record.seq + r->record_done <= r->from_seq) {
            uint64_t skip = r->from_seq + 1 - (r->record.seq + r->record_done);
            r->record_done += skip < left ? skip : left;
            continue;
        }
        size_t want = left < max - done ? (size_t)left : max - done;
        buf_reserve(out, want);
        int64_t got = file_read(r->current->log_fd, out->ptr + out->len, want, r->record.offset + r->record_done);
        if (want == 0 || got <= 0) {
            r->current = NULL;
            continue;
        }
        out->len += (size_t)got;
        out->ptr[out->len] = '\0';
        r->record_done += (uint64_t)got;
        done += (size_t)got;
    }
    return done > INT32_MAX ? INT32_MAX : (int)done;
}

void logreader_close(struct logreader *r)
{
    if (r == NULL) {
        return;
    }
    while (r->cursors != NULL) {
        struct cursor *c = r->cursors;
        r->cursors = c->next;
        cursor_free(c);
    }
    for (char **at = r->services; at != NULL && *at != NULL; at++) {
        mem_free(*at);
    }
    if (r->head_fd >= 0) {
        (void)close(r->head_fd);
    }
    mem_free(r->services);
    mem_free(r->chunk);
    mem_free(r->head_path);
    mem_free(r->dir);
    mem_free(r);
}

static uint32_t segment_last_run(int dir_fd, uint32_t number)
{
    char name[SEGMENT_NAME_SIZE];
    struct stat st;
    uint32_t run = 0;
    int fd = file_open(dir_fd, segment_name(number, "idx", name), O_RDONLY);
    if (fd < 0) {
        return 0;
    }
    uint64_t count = fstat(fd, &st) == 0 ? (uint64_t)st.st_size / sizeof(struct index_record) : 0;
    for (uint64_t i = count; i > 0 && run == 0; i--) {
        struct index_record record;
        if (file_read(fd, &record, sizeof(record), (i - 1) * sizeof(record)) == (int64_t)sizeof(record) &&
            index_valid(&record)) {
            run = record.run;
        }
    }
    (void)close(fd);
    return run;
}

uint32_t logreader_last_run(const char *dir, const char *service)
{
    int dir_fd = service_dir_open(dir, service);
    if (dir_fd < 0) {
        return 0;
    }
    uint32_t *numbers = NULL;
    size_t count = 0;
    uint32_t run = 0;
    (void)segment_list(dir_fd, &numbers, &count);
    for (size_t i = count; i > 0 && run == 0; i--) {
        run = segment_last_run(dir_fd, numbers[i - 1]);
    }
    mem_free(numbers);
    (void)close(dir_fd);
    return run;
}
