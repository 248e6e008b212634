/*
 * What this room is for.      One service's segments: append, rotate, prune, account for losses.
 * What it may touch.          Files below DIR/SERVICE; no clock, no thread.
 * Who calls it.               stream.c and pump.c, on the log thread.
 * The one invariant.          A byte is in the index exactly once, or counted as lost.
 */
#include "logs/segments.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    SEGMENT_MIN = 16 * 1024,
    SEGMENT_MAX = 32 * 1024 * 1024,
    SEGMENTS_KEPT = 8, /* keep_bytes is divided into about this many */
    BATCH_MAX = 32,
    NOTE_RECORDS = 2, /* a segments_note adds at most the loss and the bytes */
};
static const uint64_t KEEP_DEFAULT = 256u << 20;
static const uint64_t CHECK_NS =
    1000000000; /* how often to look whether somebody removed the files */

struct closed_segment {
    uint32_t number;
    uint64_t bytes;
};

struct segments {
    const char *dir;
    char *service;
    uint64_t keep;
    uint64_t limit;
    int log_fd;
    int idx_fd;
    uint32_t number;
    bool known; /* the directory's segments have been listed */
    uint64_t data_len;
    uint64_t flushed_len; /* data_len as far as the index on disk tells of it */
    uint64_t idx_len;
    uint64_t checked_ns;
    struct closed_segment *closed; /* oldest first */
    size_t closed_count;
    size_t closed_cap;
    uint64_t closed_bytes;
    struct index_record batch[BATCH_MAX];
    size_t batch_count;
    uint64_t lost;
    uint64_t unsaid;
    int unsaid_error;
};

struct segments *segments_new(const char *dir, const char *service, uint64_t keep_bytes)
{
    struct segments *s = mem_calloc(1, sizeof(*s));
    s->dir = dir;
    s->service = mem_strdup(service);
    s->log_fd = -1;
    s->idx_fd = -1;
    segments_keep(s, keep_bytes);
    return s;
}

const char *segments_service(const struct segments *s)
{
    return s->service;
}

void segments_keep(struct segments *s, uint64_t keep_bytes)
{
    s->keep = keep_bytes > 0 ? keep_bytes : KEEP_DEFAULT;
    uint64_t limit = s->keep / SEGMENTS_KEPT;
    s->limit = limit < SEGMENT_MIN ? SEGMENT_MIN : limit > SEGMENT_MAX ? SEGMENT_MAX : limit;
}

static void closed_add(struct segments *s, uint32_t number, uint64_t bytes)
{
    if (s->closed_count == s->closed_cap) {
        s->closed_cap = s->closed_cap > 0 ? s->closed_cap * 2 : 16;
        s->closed = mem_realloc(s->closed, s->closed_cap * sizeof(*s->closed));
    }
    s->closed[s->closed_count++] = (struct closed_segment){.number = number, .bytes = bytes};
    s->closed_bytes += bytes;
}

static uint64_t file_size(int dir_fd, uint32_t number, const char *ext)
{
    char name[SEGMENT_NAME_SIZE];
    struct stat st;
    int got = fstatat(dir_fd, segment_name(number, ext, name), &st, AT_SYMLINK_NOFOLLOW);
    return got == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

/* The first look at the directory: everything but the newest segment is closed. */
static void directory_learn(struct segments *s, int dir_fd)
{
    uint32_t *numbers = NULL;
    size_t count = 0;
    s->known = true;
    if (segment_list(dir_fd, &numbers, &count) < 0) {
        return;
    }
    for (size_t i = 0; i + 1 < count; i++) {
        closed_add(s, numbers[i],
                   file_size(dir_fd, numbers[i], "log") + file_size(dir_fd, numbers[i], "idx"));
    }
    if (count > 0) {
        s->number = numbers[count - 1];
    }
    mem_free(numbers);
}

int dirs_make(const char *path)
{
    char *copy = mem_strdup(path);
    int code = 0;
    for (char *at = copy + 1; code == 0; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        char kept = *at;
        *at = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST && errno != EISDIR) {
            struct stat st;
            int error = -errno;
            code = stat(copy, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : error;
        }
        *at = kept;
        if (kept == '\0') {
            break;
        }
    }
    mem_free(copy);
    return code;
}

/* DIR/SERVICE, made where it is missing. */
static int directory_open(const struct segments *s)
{
    int fd = service_dir_open(s->dir, s->service);
    if (fd != -ENOENT) {
        return fd;
    }
    char *path = mem_printf("%s/%s", s->dir, s->service);
    int code = mkdir(path, 0700) == 0 ? 0 : dirs_make(path);
    mem_free(path);
    return code < 0 ? code : service_dir_open(s->dir, s->service);
}

void segments_rest(struct segments *s)
{
    segments_flush(s);
    if (s->log_fd >= 0) {
        (void)close(s->log_fd);
        (void)close(s->idx_fd);
    }
    s->log_fd = -1;
    s->idx_fd = -1;
}

static bool is_full(const struct segments *s)
{
    return s->data_len >= s->limit || s->idx_len + sizeof(s->batch) > s->limit;
}

/* Opens number's pair; both new (O_EXCL) or both continued. */
static int pair_open(struct segments *s, int dir_fd, int extra_flags)
{
    char name[SEGMENT_NAME_SIZE];
    int log_fd = file_open(dir_fd, segment_name(s->number, "log", name), O_RDWR | extra_flags);
    if (log_fd < 0) {
        return log_fd;
    }
    int idx_fd = file_open(dir_fd, segment_name(s->number, "idx", name), O_RDWR | extra_flags);
    if (idx_fd < 0) {
        (void)close(log_fd);
        if ((extra_flags & O_EXCL) != 0) {
            (void)unlinkat(dir_fd, segment_name(s->number, "log", name), 0);
        }
        return idx_fd;
    }
    s->log_fd = log_fd;
    s->idx_fd = idx_fd;
    struct stat st;
    s->data_len = fstat(log_fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    s->flushed_len = s->data_len;
    s->idx_len = fstat(idx_fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return 0;
}

/* The next free number; what stands in the way (a link, a directory, somebody's file) is passed
 * over. */
static int pair_make(struct segments *s, int dir_fd)
{
    int code = -EEXIST;
    for (int tries = 0; tries < 16 && (code == -EEXIST || code == -EINVAL || code == -ELOOP);
         tries++) {
        s->number++;
        code = pair_open(s, dir_fd, O_CREAT | O_EXCL);
    }
    return code;
}

static void prune(struct segments *s)
{
    while (s->closed_count > 0 && s->closed_bytes + s->limit > s->keep && segments_evict(s)) {
        continue;
    }
}

static int current_open(struct segments *s)
{
    int dir_fd = directory_open(s);
    if (dir_fd < 0) {
        return dir_fd;
    }
    if (!s->known) {
        directory_learn(s, dir_fd);
    }
    int code = s->number == 0 ? -ENOENT : pair_open(s, dir_fd, 0);
    if (code == 0 && is_full(s)) {
        closed_add(s, s->number, s->data_len + s->idx_len);
        segments_rest(s);
        code = -ENOENT;
    }
    if (code < 0) {
        code = pair_make(s, dir_fd);
    }
    (void)close(dir_fd);
    prune(s);
    return code;
}

static bool was_removed(const struct segments *s)
{
    struct stat log_st;
    struct stat idx_st;
    return fstat(s->log_fd, &log_st) < 0 || fstat(s->idx_fd, &idx_st) < 0 || log_st.st_nlink == 0 ||
           idx_st.st_nlink == 0;
}

int segments_ready(struct segments *s, uint64_t mono_ns)
{
    if (s->log_fd >= 0 && mono_ns - s->checked_ns > CHECK_NS) {
        s->checked_ns = mono_ns;
        if (was_removed(s)) {
            segments_rest(s);
        }
    }
    if (s->batch_count + NOTE_RECORDS > BATCH_MAX) {
        segments_flush(s);
    }
    if (s->log_fd >= 0 && !is_full(s)) {
        return 0;
    }
    if (s->log_fd >= 0) {
        segments_flush(s);
        closed_add(s, s->number, s->data_len + s->idx_len);
        segments_rest(s);
        int dir_fd = directory_open(s);
        if (dir_fd < 0) {
            return dir_fd;
        }
        int code = pair_make(s, dir_fd);
        (void)close(dir_fd);
        prune(s);
        return code;
    }
    return current_open(s);
}

int segments_fd(const struct segments *s)
{
    return s->log_fd;
}

uint64_t segments_offset(const struct segments *s)
{
    return s->data_len;
}

size_t segments_room(const struct segments *s)
{
    return s->data_len < s->limit ? (size_t)(s->limit - s->data_len) : 1;
}

static struct index_record *batch_add(struct segments *s, const struct segment_mark *mark)
{
    assert(s->batch_count < BATCH_MAX);
    struct index_record *record = &s->batch[s->batch_count++];
    *record = (struct index_record){.mono_ns = mark->mono_ns,
                                    .wall_ns = mark->wall_ns,
                                    .offset = s->data_len,
                                    .run = mark->run,
                                    .stream = mark->stream,
                                    .flags = mark->flags};
    return record;
}

void segments_note(struct segments *s, const struct segment_mark *mark, uint32_t len,
                   uint64_t *head)
{
    if (s->unsaid > 0) {
        struct index_record *lost = batch_add(s, mark);
        lost->flags = INDEX_LOST;
        lost->offset = s->unsaid;
        lost->error = (uint16_t)s->unsaid_error;
        lost->seq = ++*head;
        s->unsaid = 0;
    }
    struct index_record *last = s->batch_count > 0 ? &s->batch[s->batch_count - 1] : NULL;
    if (len > 0 && last != NULL && last->len > 0 && last->len < UINT32_MAX - len &&
        last->run == mark->run && last->stream == mark->stream && last->flags == mark->flags &&
        index_last(last) == *head && last->offset + last->len == s->data_len) {
        last->len += len;
    } else if (len > 0 || mark->flags != 0) {
        struct index_record *record = batch_add(s, mark);
        record->len = len;
        record->seq = *head + 1;
        *head += len > 0 ? 0 : 1;
    }
    *head += len;
    s->data_len += len;
}

bool segments_dirty(const struct segments *s)
{
    return s->batch_count > 0;
}

/* Records that did not get into the index: their bytes are lost, and the lost ones they told of are
 * not said. */
static void batch_lose(struct segments *s, size_t from, int error)
{
    for (size_t i = from; i < s->batch_count; i++) {
        const struct index_record *record = &s->batch[i];
        if ((record->flags & INDEX_LOST) != 0) {
            s->unsaid += record->offset;
        } else {
            s->unsaid += record->len;
            s->lost += record->len;
        }
        s->unsaid_error = error;
    }
}

void segments_flush(struct segments *s)
{
    if (s->batch_count == 0) {
        return;
    }
    for (size_t i = 0; i < s->batch_count; i++) {
        index_seal(&s->batch[i]);
    }
    size_t want = s->batch_count * sizeof(s->batch[0]);
    int64_t got = s->idx_fd < 0 ? -EBADF : file_write(s->idx_fd, s->batch, want, s->idx_len);
    if (got < 0 && segments_evict(s)) {
        got = file_write(s->idx_fd, s->batch, want, s->idx_len);
    }
    size_t done = got < 0 ? 0 : (size_t)got / sizeof(s->batch[0]);
    for (size_t i = 0; i < done; i++) {
        s->flushed_len =
            s->batch[i].len > 0 ? s->batch[i].offset + s->batch[i].len : s->flushed_len;
    }
    s->idx_len += done * sizeof(s->batch[0]);
    if (done < s->batch_count) {
        batch_lose(s, done, got < 0 ? (int)-got : ENOSPC);
        s->data_len = s->flushed_len;
        if (s->idx_fd >= 0 && (ftruncate(s->idx_fd, (off_t)s->idx_len) < 0 ||
                               ftruncate(s->log_fd, (off_t)s->data_len) < 0)) {
            s->unsaid_error = errno; /* the next write lands at the same place anyway */
        }
    }
    s->batch_count = 0;
}

bool segments_make_room(struct segments *s, int error)
{
    if (error == EFBIG && s->data_len > 0) {
        /* A file size limit: the next segment starts at 0. */
        s->limit = s->data_len;
        return true;
    }
    return (error == ENOSPC || error == EDQUOT) && segments_evict(s);
}

bool segments_evict(struct segments *s)
{
    if (s->closed_count == 0) {
        return false;
    }
    uint32_t number = s->closed[0].number;
    int dir_fd = service_dir_open(s->dir, s->service);
    if (dir_fd >= 0) {
        char name[SEGMENT_NAME_SIZE];
        int idx_fd = file_open(dir_fd, segment_name(number, "idx", name), O_RDONLY);
        if (idx_fd >= 0 && flock(idx_fd, LOCK_EX | LOCK_NB) < 0) {
            (void)close(idx_fd); /* a viewer has yet to show it, and what follows it */
            (void)close(dir_fd);
            return false;
        }
        (void)unlinkat(dir_fd, segment_name(number, "idx", name), 0);
        (void)unlinkat(dir_fd, segment_name(number, "log", name), 0);
        if (idx_fd >= 0) {
            (void)close(idx_fd);
        }
        (void)close(dir_fd);
    }
    s->closed_bytes -= s->closed[0].bytes;
    s->closed_count--;
    memmove(s->closed, s->closed + 1, s->closed_count * sizeof(*s->closed));
    return true;
}

void segments_lose(struct segments *s, uint64_t bytes, int error)
{
    s->lost += bytes;
    s->unsaid += bytes;
    s->unsaid_error = error;
}

uint64_t segments_lost(const struct segments *s)
{
    return s->lost;
}

uint64_t segments_unsaid(const struct segments *s)
{
    return s->unsaid;
}

void segments_save_run(const struct segments *s, uint32_t run)
{
    int dir_fd = directory_open(s);
    if (dir_fd < 0) {
        return;
    }
    int fd = file_open(dir_fd, "run", O_RDWR | O_CREAT);
    if (fd >= 0) {
        uint64_t value = run;
        (void)file_write(fd, &value, sizeof(value), 0);
        (void)close(fd);
    }
    (void)close(dir_fd);
}

void segments_free(struct segments *s)
{
    if (s == NULL) {
        return;
    }
    segments_rest(s);
    mem_free(s->closed);
    mem_free(s->service);
    mem_free(s);
}
