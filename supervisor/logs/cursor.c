/*
 * What this room is for.      Walking one service's index, segment by segment.
 * What it may touch.          Files below DIR/SERVICE, read-only, and a shared lock on the current
 * one. Who calls it.               reader.c. The one invariant.          The next segment is locked
 * before the current one is let go.
 */
#include "logs/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "logs/reader.h"

struct cursor *cursor_new(const char *service)
{
    struct cursor *c = mem_calloc(1, sizeof(*c));
    c->service = mem_strdup(service);
    c->idx_fd = -1;
    c->log_fd = -1;
    c->looked_head = UINT64_MAX;
    return c;
}

static void files_close(struct cursor *c)
{
    if (c->idx_fd >= 0) {
        (void)close(c->idx_fd);
    }
    if (c->log_fd >= 0) {
        (void)close(c->log_fd);
    }
    c->idx_fd = -1;
    c->log_fd = -1;
}

/* Opens and holds a segment. The pruner removes under an exclusive lock: whoever gets the shared
 * one and still finds the file linked keeps it. */
static int segment_hold(int dir_fd, uint32_t number, int *idx_fd, int *log_fd)
{
    char name[SEGMENT_NAME_SIZE];
    int idx = file_open(dir_fd, segment_name(number, "idx", name), O_RDONLY);
    if (idx < 0) {
        return idx;
    }
    struct stat st;
    int log = -ENOENT;
    if (flock(idx, LOCK_SH | LOCK_NB) == 0 && fstat(idx, &st) == 0 && st.st_nlink > 0) {
        log = file_open(dir_fd, segment_name(number, "log", name), O_RDONLY);
    }
    if (log < 0) {
        (void)close(idx);
        return log;
    }
    *idx_fd = idx;
    *log_fd = log;
    return 0;
}

static void segment_enter(struct cursor *c, uint32_t number, int idx_fd, int log_fd)
{
    files_close(c);
    c->idx_fd = idx_fd;
    c->log_fd = log_fd;
    c->number = number;
    c->loaded = 0;
    c->count = 0;
    c->at = 0;
}

/* Reads more records of the current segment; false when there are none (or only a torn one). */
static bool records_load(struct cursor *c)
{
    if (c->idx_fd < 0) {
        return false;
    }
    int64_t got =
        file_read(c->idx_fd, c->records, sizeof(c->records), c->loaded * sizeof(c->records[0]));
    size_t count = got < 0 ? 0 : (size_t)got / sizeof(c->records[0]);
    c->count = 0;
    c->at = 0;
    while (c->count < count && index_valid(&c->records[c->count])) {
        c->count++;
    }
    c->loaded += c->count;
    return c->count > 0;
}

/* The next segment there is: usually the next number, after a removal some later one. */
static bool segment_next(struct cursor *c, const char *dir)
{
    int dir_fd = service_dir_open(dir, c->service);
    if (dir_fd < 0) {
        return false;
    }
    int idx_fd = -1;
    int log_fd = -1;
    uint32_t number = c->number + 1;
    int code = segment_hold(dir_fd, number, &idx_fd, &log_fd);
    struct stat st;
    if (code < 0 && (c->idx_fd < 0 || (fstat(c->idx_fd, &st) == 0 && st.st_nlink == 0))) {
        uint32_t *numbers = NULL;
        size_t count = 0;
        (void)segment_list(dir_fd, &numbers, &count);
        for (size_t i = 0; code < 0 && i < count; i++) {
            if (numbers[i] > c->number) {
                number = numbers[i];
                code = segment_hold(dir_fd, number, &idx_fd, &log_fd);
            }
        }
        mem_free(numbers);
    }
    (void)close(dir_fd);
    if (code < 0) {
        return false;
    }
    /* The writer may have added to the current segment between our last look and making the next
     * one. */
    if (records_load(c)) {
        (void)close(idx_fd);
        (void)close(log_fd);
        return true;
    }
    segment_enter(c, number, idx_fd, log_fd);
    (void)records_load(c);
    return true;
}

const struct index_record *cursor_peek(struct cursor *c, const char *dir, uint64_t head)
{
    while (c->at == c->count) {
        if (c->looked_head == head) {
            return NULL;
        }
        if (records_load(c)) {
            continue;
        }
        uint32_t number = c->number;
        if (!segment_next(c, dir) || (c->at == c->count && c->number == number)) {
            c->looked_head = head;
            return NULL;
        }
    }
    const struct index_record *record = &c->records[c->at];
    return index_last(record) <= head ? record : NULL;
}

void cursor_advance(struct cursor *c)
{
    c->at++;
}

/* The first record's seq of a segment; UINT64_MAX when it has none. */
static uint64_t first_seq(int dir_fd, uint32_t number)
{
    char name[SEGMENT_NAME_SIZE];
    struct index_record record;
    int fd = file_open(dir_fd, segment_name(number, "idx", name), O_RDONLY);
    if (fd < 0) {
        return UINT64_MAX;
    }
    bool good = file_read(fd, &record, sizeof(record), 0) == (int64_t)sizeof(record) &&
                index_valid(&record);
    (void)close(fd);
    return good ? record.seq : UINT64_MAX;
}

/* Of the records in the current segment, the number of those that end at or before seq. */
static uint64_t records_before(const struct cursor *c, uint64_t seq)
{
    struct stat st;
    uint64_t low = 0;
    uint64_t high =
        fstat(c->idx_fd, &st) == 0 ? (uint64_t)st.st_size / sizeof(struct index_record) : 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct index_record record;
        int64_t got = file_read(c->idx_fd, &record, sizeof(record), middle * sizeof(record));
        if (got == (int64_t)sizeof(record) && index_valid(&record) && index_last(&record) <= seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int cursor_seek(struct cursor *c, const char *dir, uint64_t seq)
{
    int dir_fd = service_dir_open(dir, c->service);
    if (dir_fd < 0) {
        return dir_fd;
    }
    uint32_t *numbers = NULL;
    size_t count = 0;
    int code = segment_list(dir_fd, &numbers, &count);
    size_t pick = 0;
    for (size_t i = count; i > 1 && pick == 0; i--) {
        pick = first_seq(dir_fd, numbers[i - 1]) <= seq + 1 ? i - 1 : 0;
    }
    code = count == 0 ? -ENOENT : code;
    for (size_t i = pick; i < count; i++) {
        int idx_fd = -1;
        int log_fd = -1;
        code = segment_hold(dir_fd, numbers[i], &idx_fd, &log_fd);
        if (code == 0) {
            segment_enter(c, numbers[i], idx_fd, log_fd);
            c->loaded = records_before(c, seq);
            break;
        }
    }
    mem_free(numbers);
    (void)close(dir_fd);
    return code;
}

/* Puts what follows the last newline of a record's bytes in front of a frame; true: that newline
 * was there. */
static bool preload_record(const struct cursor *c, struct frame *f,
                           const struct index_record *record)
{
    size_t want = record->len < FRAME_PIECE ? record->len : FRAME_PIECE;
    char *bytes = mem_calloc(1, want);
    int64_t got = file_read(c->log_fd, bytes, want, record->offset + record->len - want);
    size_t len = got < 0 ? 0 : (size_t)got;
    size_t from = len;
    while (from > 0 && bytes[from - 1] != '\n') {
        from--;
    }
    frame_prepend(f, (struct span){.ptr = bytes + from, .len = len - from}, record);
    mem_free(bytes);
    return from > 0 || want < record->len || len < want;
}

void cursor_preload(struct cursor *c)
{
    bool settled[CURSOR_FRAMES] = {false, false};
    uint32_t run = 0;
    for (uint64_t i = c->loaded; i > 0 && !(settled[0] && settled[1]); i--) {
        struct index_record record;
        int64_t got = file_read(c->idx_fd, &record, sizeof(record), (i - 1) * sizeof(record));
        if (got != (int64_t)sizeof(record) || !index_valid(&record)) {
            return;
        }
        run = run == 0 ? record.run : run;
        size_t at = record.stream == LOG_ERR ? 1 : 0;
        if (record.run != run) {
            return;
        }
        if (settled[at] || (record.flags & INDEX_LOST) != 0) {
            continue;
        }
        settled[at] = (record.flags & INDEX_END) != 0 ||
                      preload_record(c, &c->frames[at], &record) ||
                      c->frames[at].text.len > FRAME_PIECE;
    }
}

void cursor_free(struct cursor *c)
{
    if (c == NULL) {
        return;
    }
    files_close(c);
    for (size_t i = 0; i < CURSOR_FRAMES; i++) {
        frame_fini(&c->frames[i]);
    }
    mem_free(c->service);
    mem_free(c);
}
