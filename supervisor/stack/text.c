/*
 * What this room is for.      Files of text: reading them whole, lines, quoting, joining paths
 * (text.h). What it may touch.          base, and read(2) on the file that it is told. Who calls
 * it.               Every reader of the stack room. The one invariant.          Nothing is cut
 * silently: too large, NUL and bad UTF-8 are errors.
 */
#include "stack/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { QUOTE_MAX = 80, READ_STEP = 16 * 1024 };

static int read_all(int fd, struct buf *out)
{
    for (;;) {
        buf_reserve(out, READ_STEP);
        ssize_t got = read(fd, out->ptr + out->len, READ_STEP);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            return 0;
        }
        out->len += (size_t)got;
        if (out->len > TEXT_FILE_MAX) {
            return -EFBIG;
        }
    }
}

int text_read(const char *path, struct arena *arena, struct span *out, struct fault *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return fault_set(why, -errno, "%s", path);
    }
    struct buf bytes = {0};
    struct stat st;
    int rc = fstat(fd, &st) != 0 ? -errno : S_ISDIR(st.st_mode) ? -EISDIR : 0;
    if (rc == 0) {
        (void)fcntl(fd, F_SETFL, 0); /* a FIFO is waited for, once it is open */
        rc = read_all(fd, &bytes);
    }
    (void)close(fd);
    if (rc == 0) {
        *out = (struct span){arena_copy(arena, buf_span(&bytes)), bytes.len};
    } else {
        (void)fault_set(why, rc, "%s", path);
    }
    buf_fini(&bytes);
    return rc;
}

bool text_line(struct span *rest, struct span *line)
{
    if (rest->len == 0) {
        return false;
    }
    struct span head = {0};
    struct span tail = {0};
    (void)span_split(*rest, '\n', &head, &tail);
    if (head.len > 0 && head.ptr[head.len - 1] == '\r') {
        head.len--;
    }
    *line = head;
    *rest = tail;
    return true;
}

struct span text_skip_bom(struct span text)
{
    if (span_starts(text, "\xEF\xBB\xBF")) {
        text.ptr += 3;
        text.len -= 3;
    }
    return text;
}

bool text_check(struct span line, const char *file, unsigned number, struct problems *problems)
{
    const char *nul = line.len > 0 ? memchr(line.ptr, '\0', line.len) : NULL;
    size_t bad = 0;
    bool valid = span_is_utf8(line, &bad);
    if (nul != NULL && (valid || (size_t)(nul - line.ptr) < bad)) {
        problems_add(problems, file, number, (unsigned)(nul - line.ptr) + 1, NULL, "a NUL byte");
        return false;
    }
    if (!valid) {
        problems_add(problems, file, number, (unsigned)bad + 1, NULL, "invalid UTF-8");
        return false;
    }
    return true;
}

const char *text_quote(struct arena *arena, struct span text)
{
    struct buf out = {0};
    size_t i = 0;
    for (; i < text.len && out.len < QUOTE_MAX; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7F) {
            (void)buf_printf(&out, "\\x%02x", c);
        } else {
            (void)buf_putc(&out, (char)c);
        }
    }
    while (i < text.len && ((unsigned char)text.ptr[i] & 0xC0) == 0x80) {
        (void)buf_putc(&out, text.ptr[i++]); /* whole characters only */
    }
    if (i < text.len) {
        (void)buf_puts(&out, "…");
    }
    const char *copy = arena_copy(arena, buf_span(&out));
    buf_fini(&out);
    return copy;
}

static void path_append(struct buf *out, struct span part)
{
    if (part.len == 0 || span_is(part, ".")) {
        return;
    }
    if (span_is(part, "..")) {
        while (out->len > 0 && out->ptr[out->len - 1] != '/') {
            out->ptr[--out->len] = '\0';
        }
        if (out->len > 0) {
            out->ptr[--out->len] = '\0';
        }
        return;
    }
    (void)buf_putc(out, '/');
    (void)buf_append(out, part.ptr, part.len);
}

const char *path_join(struct arena *arena, const char *directory, const char *path)
{
    struct buf out = {0};
    struct span parts[2] = {path[0] == '/' ? span_of("") : span_of(directory), span_of(path)};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct span rest = parts[i];
        struct span head = {0};
        struct span tail = {0};
        while (span_split(rest, '/', &head, &tail)) {
            path_append(&out, head);
            rest = tail;
        }
        path_append(&out, rest);
    }
    const char *joined = out.len > 0 ? arena_copy(arena, buf_span(&out)) : "/";
    buf_fini(&out);
    return joined;
}
