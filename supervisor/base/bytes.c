/* Views and bounded growth (see bytes.h). */
#include "base/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct span span_of(const char *text)
{
    return (struct span){.ptr = text, .len = text == NULL ? 0 : strlen(text)};
}

bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_is(struct span a, const char *text)
{
    return span_eq(a, span_of(text));
}

bool span_starts(struct span a, const char *prefix)
{
    size_t len = strlen(prefix);
    return a.len >= len && memcmp(a.ptr, prefix, len) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct span span_trim(struct span a)
{
    while (a.len > 0 && is_blank(a.ptr[0])) {
        a.ptr++;
        a.len--;
    }
    while (a.len > 0 && is_blank(a.ptr[a.len - 1])) {
        a.len--;
    }
    return a;
}

bool span_split(struct span whole, char sep, struct span *head, struct span *tail)
{
    const char *at = whole.len > 0 ? memchr(whole.ptr, sep, whole.len) : NULL;
    if (at == NULL) {
        *head = whole;
        *tail = (struct span){0};
        return false;
    }
    size_t before = (size_t)(at - whole.ptr);
    *head = (struct span){.ptr = whole.ptr, .len = before};
    *tail = (struct span){.ptr = at + 1, .len = whole.len - before - 1};
    return true;
}

/* The length of the well-formed sequence at p, 0 when there is none (Unicode 15, table 3-7). */
static size_t utf8_len(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || left < need) {
        return 0;
    }
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return need;
}

bool span_is_utf8(struct span text, size_t *bad)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    for (size_t i = 0; i < text.len;) {
        size_t len = utf8_len(p + i, text.len - i);
        if (len == 0) {
            if (bad != NULL) {
                *bad = i;
            }
            return false;
        }
        i += len;
    }
    return true;
}

void buf_reserve(struct buf *b, size_t extra)
{
    size_t need = b->len + extra + 1;
    if (need <= b->cap) {
        return;
    }
    size_t cap = b->cap > 0 ? b->cap : 64;
    while (cap < need) {
        cap *= 2;
    }
    b->ptr = mem_realloc(b->ptr, cap);
    b->cap = cap;
    b->ptr[b->len] = '\0';
}

int buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (b->max > 0 && len > b->max - b->len) {
        return -ENOBUFS;
    }
    buf_reserve(b, len);
    if (len > 0) {
        memcpy(b->ptr + b->len, bytes, len);
    }
    b->len += len;
    b->ptr[b->len] = '\0';
    return 0;
}

int buf_puts(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

int buf_putc(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0 || (b->max > 0 && (size_t)len > b->max - b->len)) {
        return -ENOBUFS;
    }
    buf_reserve(b, (size_t)len);
    va_start(args, fmt);
    (void)vsnprintf(b->ptr + b->len, (size_t)len + 1, fmt, args);
    va_end(args);
    b->len += (size_t)len;
    return 0;
}

void buf_consume(struct buf *b, size_t len)
{
    if (len >= b->len) {
        buf_clear(b);
        return;
    }
    memmove(b->ptr, b->ptr + len, b->len - len);
    b->len -= len;
    b->ptr[b->len] = '\0';
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->ptr != NULL) {
        b->ptr[0] = '\0';
    }
}

void buf_fini(struct buf *b)
{
    free(b->ptr);
    b->ptr = NULL;
    b->len = 0;
    b->cap = 0;
}

struct span buf_span(const struct buf *b)
{
    return (struct span){.ptr = b->ptr, .len = b->len};
}

char *buf_take(struct buf *b)
{
    buf_reserve(b, 0);
    char *text = b->ptr;
    b->ptr = NULL;
    b->len = 0;
    b->cap = 0;
    return text;
}

int fmt_into(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(out, size, fmt, args);
    va_end(args);
    return len < 0 || (size_t)len >= size ? -ENOBUFS : 0;
}
