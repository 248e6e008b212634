/* Views (span) and bounded growth (buf). libc only; parsers take spans and return spans into the input. */
#ifndef ROADIE_BASE_BYTES_H
#define ROADIE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct span {
    const char *ptr;
    size_t len;
};

#define SPAN_LIT(text) ((struct span){.ptr = (text), .len = sizeof(text) - 1})

/* A view of a C string; NULL gives the empty span. */
struct span span_of(const char *text);
bool span_eq(struct span a, struct span b);
bool span_is(struct span a, const char *text);
bool span_starts(struct span a, const char *prefix);
/* Without ASCII blanks (space, tab, CR, LF, VT, FF) at both ends. */
struct span span_trim(struct span a);
/* Splits at the first occurrence of sep; false and head = whole when there is none. */
bool span_split(struct span whole, char sep, struct span *head, struct span *tail);
/* True when the bytes are well-formed UTF-8; else *bad (may be NULL) is the offset of the first bad byte. */
bool span_is_utf8(struct span text, size_t *bad);

/* A growable byte string, always NUL-terminated behind len. Zero-initialise; max 0 means no limit. */
struct buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max;
};

/* Appends; -ENOBUFS (and nothing appended) past max. */
int buf_append(struct buf *b, const void *bytes, size_t len);
int buf_puts(struct buf *b, const char *text);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* Ensures room for extra bytes behind len; the caller may write there and then add to len. */
void buf_reserve(struct buf *b, size_t extra);
/* Drops len bytes at the front. */
void buf_consume(struct buf *b, size_t len);
void buf_clear(struct buf *b);
void buf_fini(struct buf *b);
/* The bytes as a view, valid until the next change. */
struct span buf_span(const struct buf *b);
/* Takes the bytes as a malloc'd C string and empties b. */
char *buf_take(struct buf *b);

/* snprintf that reports truncation: 0, or -ENOBUFS with a terminated prefix in out. */
int fmt_into(char *out, size_t size, const char *fmt, ...) ATTR_PRINTF(3, 4);

#endif
