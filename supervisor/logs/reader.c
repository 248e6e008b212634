/*
 * What this room is for.      Readers: opening, finding services, following the head, raw bytes.
 * What it may touch.          The store's directory, read-only.
 * Who calls it.               Every viewer: up, logs, why, wait, --json, screens.
 * The one invariant.          The head is read before the services are looked for.
 */
#include "logs/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "logs/lines.h"

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
        cursor_preload(c);
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

/* Looks for new services when the directory has changed (its clock is coarse: a change within the
 * same tick as the last look is found because the writer makes the directory before it publishes
 * bytes of it). */
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
            if (fstatat(dirfd(dir), entry->d_name, &kind, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISDIR(kind.st_mode)) {
                service_found(r, entry->d_name);
            }
        }
    }
    (void)closedir(dir);
    struct stat after;
    uint64_t now_ns = clock_wall_ns();
    bool settled = now_ns > changed && now_ns - changed > 100000000u;
    r->dir_mtime_ns =
        settled && stat(r->dir, &after) == 0 && mtime_ns(&after) == changed ? changed : 0;
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
    r->chunk = mem_calloc(1, READER_CHUNK);
    start_set(r, opts);
    services_scan(r);
    *out = r;
    return 0;
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
        if (r->current == NULL && !lines_record(r)) {
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
        int64_t got = file_read(r->current->log_fd, out->ptr + out->len, want,
                                r->record.offset + r->record_done);
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
        if (file_read(fd, &record, sizeof(record), (i - 1) * sizeof(record)) ==
                (int64_t)sizeof(record) &&
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
