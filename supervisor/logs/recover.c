/*
 * What this room is for.      Putting a service's newest segment in order after a crash.
 * What it may touch.          Files below DIR/SERVICE, before the log thread runs.
 * Who calls it.               store.c, once per service at logstore_open.
 * The one invariant.          No stored byte is dropped; only torn index records are.
 */
#include "logs/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "logs/reader.h"

enum { RECORDS_A_READ = 512 };

struct pair {
    int log_fd;
    int idx_fd;
    uint64_t log_size;
    uint64_t mtime_ns;
};

/* What the index of one segment says. */
struct summary {
    uint64_t records;  /* valid ones */
    uint64_t data_end; /* bytes told of */
    uint64_t last;     /* seq */
    uint32_t run;      /* of the last record */
    uint8_t stream;
    unsigned ended; /* streams of that run with an end */
    unsigned seen;  /* streams of that run with bytes */
};

static int pair_open(int dir_fd, uint32_t number, int flags, struct pair *out)
{
    char name[SEGMENT_NAME_SIZE];
    *out = (struct pair){.log_fd = -1, .idx_fd = -1};
    out->idx_fd = file_open(dir_fd, segment_name(number, "idx", name), flags);
    out->log_fd = file_open(dir_fd, segment_name(number, "log", name), flags);
    struct stat st;
    if (out->log_fd >= 0 && fstat(out->log_fd, &st) == 0) {
        out->log_size = (uint64_t)st.st_size;
#ifdef __APPLE__
        out->mtime_ns =
            (uint64_t)st.st_mtimespec.tv_sec * 1000000000u + (uint64_t)st.st_mtimespec.tv_nsec;
#else
        out->mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
#endif
    }
    return out->idx_fd < 0 ? out->idx_fd : out->log_fd < 0 ? out->log_fd : 0;
}

static void pair_close(struct pair *p)
{
    if (p->log_fd >= 0) {
        (void)close(p->log_fd);
    }
    if (p->idx_fd >= 0) {
        (void)close(p->idx_fd);
    }
}

static void summary_add(struct summary *sum, const struct index_record *record)
{
    if (record->run != sum->run) {
        sum->run = record->run;
        sum->ended = 0;
        sum->seen = 0;
    }
    sum->stream = record->stream;
    sum->last = index_last(record);
    sum->records++;
    if (record->len > 0) {
        sum->data_end = record->offset + record->len;
        sum->seen |= record->stream;
    }
    if ((record->flags & INDEX_END) != 0) {
        sum->ended |= record->stream;
    }
}

/* Reads records up to the first that is torn, out of order, or tells of bytes that are not there.
 */
static void summarise(const struct pair *p, struct summary *sum)
{
    struct index_record records[RECORDS_A_READ];
    for (;;) {
        int64_t got =
            file_read(p->idx_fd, records, sizeof(records), sum->records * sizeof(records[0]));
        size_t count = got < 0 ? 0 : (size_t)got / sizeof(records[0]);
        for (size_t i = 0; i < count; i++) {
            const struct index_record *r = &records[i];
            bool in_place =
                r->len == 0 || (r->offset >= sum->data_end && r->offset + r->len <= p->log_size);
            if (!index_valid(r) || r->seq <= sum->last || !in_place) {
                return;
            }
            summary_add(sum, r);
        }
        if (count < RECORDS_A_READ) {
            return;
        }
    }
}

static uint32_t saved_run(int dir_fd)
{
    int fd = file_open(dir_fd, "run", O_RDONLY);
    if (fd < 0) {
        return 0;
    }
    uint64_t value = number_read(fd);
    (void)close(fd);
    return value <= UINT32_MAX ? (uint32_t)value : 0;
}

int recovery_look(const char *dir, const char *service, struct recovery *out)
{
    *out = (struct recovery){0};
    int dir_fd = service_dir_open(dir, service);
    if (dir_fd < 0) {
        return dir_fd;
    }
    uint32_t *numbers = NULL;
    size_t count = 0;
    int code = segment_list(dir_fd, &numbers, &count);
    out->run = saved_run(dir_fd);
    /* The newest may be empty: go back to one that says something. */
    bool found = false;
    for (size_t i = count; i > 0 && !found; i--) {
        struct pair p;
        struct summary sum = {0};
        if (pair_open(dir_fd, numbers[i - 1], O_RDONLY, &p) == 0) {
            summarise(&p, &sum);
        }
        pair_close(&p);
        out->last = sum.last > out->last ? sum.last : out->last;
        out->run = sum.run > out->run ? sum.run : out->run;
        found = sum.records > 0;
    }
    mem_free(numbers);
    (void)close(dir_fd);
    return code;
}

static int record_put(const struct pair *p, struct summary *sum, struct index_record *record,
                      uint64_t *head)
{
    record->seq = *head + 1;
    record->wall_ns = p->mtime_ns;
    record->run = sum->run > 0 ? sum->run : 1;
    record->flags |= INDEX_RECOVERY;
    index_seal(record);
    int64_t got = file_write(p->idx_fd, record, sizeof(*record), sum->records * sizeof(*record));
    if (got != (int64_t)sizeof(*record)) {
        return got < 0 ? (int)got : -ENOSPC;
    }
    *head = index_last(record);
    summary_add(sum, record);
    return 0;
}

/* Whose the bytes without a record are is not known: most likely of whoever wrote last and has not
 * ended. */
static uint8_t stream_guess(const struct summary *sum)
{
    if (sum->stream != 0 && (sum->ended & sum->stream) == 0) {
        return sum->stream;
    }
    return (sum->ended & LOG_OUT) == 0 ? LOG_OUT : LOG_ERR;
}

static int segment_mend(const struct pair *p, uint32_t run, uint64_t *head)
{
    struct summary sum = {0};
    summarise(p, &sum);
    sum.run = sum.run > 0 ? sum.run : run;
    if (ftruncate(p->idx_fd, (off_t)(sum.records * sizeof(struct index_record))) < 0) {
        return -errno;
    }
    int code = 0;
    while (code == 0 && sum.data_end < p->log_size) {
        uint64_t left = p->log_size - sum.data_end;
        struct index_record record = {.offset = sum.data_end,
                                      .len = left > INT32_MAX ? INT32_MAX : (uint32_t)left,
                                      .stream = stream_guess(&sum)};
        code = record_put(p, &sum, &record, head);
    }
    for (unsigned stream = LOG_OUT; code == 0 && stream <= LOG_ERR; stream <<= 1) {
        if (sum.records > 0 && (sum.seen & stream) != 0 && (sum.ended & stream) == 0) {
            struct index_record record = {
                .offset = sum.data_end, .stream = (uint8_t)stream, .flags = INDEX_END};
            code = record_put(p, &sum, &record, head);
        }
    }
    return code;
}

int recovery_mend(const char *dir, const char *service, uint32_t run, uint64_t *head)
{
    int dir_fd = service_dir_open(dir, service);
    if (dir_fd < 0) {
        return dir_fd;
    }
    uint32_t *numbers = NULL;
    size_t count = 0;
    int code = segment_list(dir_fd, &numbers, &count);
    if (code == 0 && count > 0) {
        struct pair p;
        code = pair_open(dir_fd, numbers[count - 1], O_RDWR, &p);
        if (code == 0) {
            code = segment_mend(&p, run, head);
        }
        pair_close(&p);
    }
    mem_free(numbers);
    (void)close(dir_fd);
    return code;
}
