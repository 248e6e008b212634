/*
 * What this room is for.      The secrets file: what was secret for any run, so that `logs` masks
 * it for ever. What it may touch.          One file, 0600; several processes append and read at the
 * same time. Who calls it.               engine (append), every viewer (redactor_load). The one
 * invariant.          Records are only ever appended, whole, under a lock; a torn one is cut off.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "logs/format.h"
#include "logs/redact.h"
#include "stack/secrets.h"

enum { NAME_MAX_BYTES = 4096, TEXT_MAX_BYTES = 4 << 20, FILE_MAX_BYTES = 64 << 20 };

/* Followed by name and text, neither terminated. */
struct record_head {
    uint32_t name_len;
    uint32_t text_len;
    uint32_t check; /* of the name and the text */
};

struct known {
    uint64_t hash;
    size_t len;
};

struct secrets_file {
    int fd;
    uint64_t read_to;
    struct known *known;
    size_t count;
    size_t cap;
    struct buf fresh; /* records of the append under way */
};

typedef void (*record_fn)(void *ctx, const char *name, struct span text);

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001B3u;
    }
    return hash;
}

static uint32_t record_check(const char *name, size_t name_len, struct span text)
{
    uint64_t hash = hash_bytes(0xCBF29CE484222325u, name, name_len);
    hash = hash_bytes(hash, text.ptr, text.len);
    return (uint32_t)(hash ^ hash >> 32);
}

/* Calls each() for the whole records in bytes; returns how many bytes they take. */
static size_t records_parse(struct span bytes, record_fn each, void *ctx)
{
    size_t at = 0;
    struct record_head head;
    while (bytes.len - at >= sizeof(head)) {
        memcpy(&head, bytes.ptr + at, sizeof(head));
        size_t left = bytes.len - at - sizeof(head);
        if (head.name_len > NAME_MAX_BYTES || head.text_len > TEXT_MAX_BYTES ||
            left < (size_t)head.name_len + head.text_len) {
            break;
        }
        const char *name = bytes.ptr + at + sizeof(head);
        struct span text = {.ptr = name + head.name_len, .len = head.text_len};
        if (head.check != record_check(name, head.name_len, text)) {
            break;
        }
        char *copy = mem_strndup(name, head.name_len);
        each(ctx, copy, text);
        mem_free(copy);
        at += sizeof(head) + head.name_len + head.text_len;
    }
    return at;
}

/* Reads from offset to the end; the number of bytes that were whole records, or a negative errno.
 */
static int64_t records_read(int fd, uint64_t offset, record_fn each, void *ctx)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    uint64_t size = (uint64_t)st.st_size;
    if (size <= offset) {
        return 0;
    }
    if (size - offset > FILE_MAX_BYTES) {
        return -EFBIG;
    }
    size_t want = (size_t)(size - offset);
    char *bytes = mem_calloc(1, want);
    int64_t got = file_read(fd, bytes, want, offset);
    if (got > 0) {
        got = (int64_t)records_parse((struct span){.ptr = bytes, .len = (size_t)got}, each, ctx);
    }
    mem_wipe(bytes, want);
    mem_free(bytes);
    return got;
}

static void on_redactor_record(void *ctx, const char *name, struct span text)
{
    redactor_add(ctx, name, text);
}

int redactor_load(struct redactor *r, const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0) {
        return -errno;
    }
    bool same =
        st.st_ino == r->inode && st.st_dev == r->device && (uint64_t)st.st_size >= r->loaded;
    if (same && (uint64_t)st.st_size == r->loaded) {
        return 0;
    }
    int fd = file_open(AT_FDCWD, path, O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    int64_t got = fstat(fd, &st) < 0 ? -errno : 0;
    if (got == 0) {
        same = st.st_ino == r->inode && st.st_dev == r->device && (uint64_t)st.st_size >= r->loaded;
        r->loaded = same ? r->loaded : 0;
        r->inode = st.st_ino;
        r->device = st.st_dev;
        got = records_read(fd, r->loaded, on_redactor_record, r);
    }
    (void)close(fd);
    r->loaded += got > 0 ? (uint64_t)got : 0;
    return got < 0 ? (int)got : 0;
}

static uint64_t text_hash(const char *name, struct span text)
{
    return hash_bytes(hash_bytes(0xCBF29CE484222325u, name, strlen(name) + 1), text.ptr, text.len);
}

static bool known_has(const struct secrets_file *f, uint64_t hash, size_t len)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->known[i].hash == hash && f->known[i].len == len) {
            return true;
        }
    }
    return false;
}

static void on_known_record(void *ctx, const char *name, struct span text)
{
    struct secrets_file *f = ctx;
    if (f->count == f->cap) {
        f->cap = f->cap > 0 ? f->cap * 2 : 32;
        f->known = mem_realloc(f->known, f->cap * sizeof(*f->known));
    }
    f->known[f->count++] = (struct known){.hash = text_hash(name, text), .len = text.len};
}

int secrets_open(const char *path, struct secrets_file **out, struct fault *why)
{
    int fd = file_open(AT_FDCWD, path, O_RDWR | O_CREAT);
    if (fd < 0) {
        return fault_set(why, fd, "secrets file %s", path);
    }
    if (fchmod(fd, 0600) < 0) {
        int code = fault_set(why, -errno, "secrets file %s", path);
        (void)close(fd);
        return code;
    }
    struct secrets_file *f = mem_calloc(1, sizeof(*f));
    f->fd = fd;
    *out = f;
    return 0;
}

static void on_secret_text(void *ctx, const char *name, struct span text)
{
    struct secrets_file *f = ctx;
    size_t name_len = strlen(name);
    if (text.len == 0 || text.len > TEXT_MAX_BYTES || name_len > NAME_MAX_BYTES ||
        known_has(f, text_hash(name, text), text.len)) {
        return;
    }
    struct record_head head = {.name_len = (uint32_t)name_len,
                               .text_len = (uint32_t)text.len,
                               .check = record_check(name, name_len, text)};
    (void)buf_append(&f->fresh, &head, sizeof(head));
    (void)buf_append(&f->fresh, name, name_len);
    (void)buf_append(&f->fresh, text.ptr, text.len);
    on_known_record(f, name, text);
}

static int locked_append(struct secrets_file *f, const char *name, const char *value)
{
    int64_t got = records_read(f->fd, f->read_to, on_known_record, f);
    if (got < 0) {
        return (int)got;
    }
    f->read_to += (uint64_t)got;
    size_t count_before = f->count;
    secret_texts(name, value, on_secret_text, f);
    if (f->fresh.len == 0) {
        return 0;
    }
    /* What stands behind the last whole record is the torn record of a writer that died. */
    int64_t put = ftruncate(f->fd, (off_t)f->read_to) < 0
                      ? -errno
                      : file_write(f->fd, f->fresh.ptr, f->fresh.len, f->read_to);
    if (put != (int64_t)f->fresh.len) {
        f->count = count_before;
        return put < 0 ? (int)put : -ENOSPC; /* the next append cuts off what is there of it */
    }
    f->read_to += (uint64_t)put;
    return 0;
}

struct news {
    const struct secrets_file *file;
    bool found;
};

static void on_text_look(void *ctx, const char *name, struct span text)
{
    struct news *news = ctx;
    news->found = news->found || !known_has(news->file, text_hash(name, text), text.len);
}

int secrets_append(struct secrets_file *f, const char *name, const char *value)
{
    /* Most variables hold no secret, and most secrets stand there already: no lock for them. */
    struct news news = {.file = f};
    secret_texts(name, value, on_text_look, &news);
    if (!news.found) {
        return 0;
    }
    while (flock(f->fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    int code = locked_append(f, name, value);
    (void)flock(f->fd, LOCK_UN);
    if (f->fresh.ptr != NULL) {
        mem_wipe(f->fresh.ptr, f->fresh.len);
    }
    buf_clear(&f->fresh);
    return code;
}

static int copy_records(int from, int to)
{
    struct stat st;
    if (fstat(from, &st) < 0) {
        return -errno;
    }
    size_t want = (size_t)st.st_size;
    char *bytes = mem_calloc(1, want + 1);
    int64_t got = file_read(from, bytes, want, 0);
    int64_t put = got > 0 ? file_write(to, bytes, (size_t)got, 0) : got;
    mem_wipe(bytes, want);
    mem_free(bytes);
    return put < 0 ? (int)put : put == got ? 0 : -ENOSPC;
}

int secrets_remake(struct secrets_file *f, const char *path)
{
    struct stat st;
    if (fstat(f->fd, &st) == 0 && st.st_nlink > 0) {
        return 0;
    }
    int fd = file_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_TRUNC);
    if (fd < 0) {
        return fd;
    }
    int rc = copy_records(f->fd, fd);
    (void)close(f->fd);
    f->fd = fd;
    return rc;
}

void secrets_close(struct secrets_file *f)
{
    if (f == NULL) {
        return;
    }
    buf_fini(&f->fresh);
    (void)close(f->fd);
    mem_free(f->known);
    mem_free(f);
}
