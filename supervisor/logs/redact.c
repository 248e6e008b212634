/*
 * What this room is for.      Masking secrets in text: one pass, every occurrence of every text.
 * What it may touch.          Its own memory; secrets_file.c adds what a secrets file holds.
 * Who calls it.               render.c, json.c, and every command that prints.
 * The one invariant.          No byte of any occurrence of a secret is in the output.
 *
 * Every stride-th position (4, 8 or 16, by the shortest text) is looked up as a three-byte gram in
 * a bit map. A text has stride grams in a row from its middle in the map, so one of them meets a
 * looked-up position of each occurrence; a hit is verified by comparing. That needs 8 KiB where an
 * automaton needs megabytes, and a fraction of a lookup a byte. Escape sequences inside of a secret
 * do not hide it: such lines are matched without them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "logs/escape.h"
#include "logs/redact.h"

enum {
    GRAM = 3,
    STRIDE_MIN = 4,
    STRIDE_MAX = 16,
    FILTERED_MIN = GRAM + STRIDE_MIN - 1,
    ESC = 0x1B
};

struct mark {
    size_t start;
    size_t end;
    const char *name;
    size_t weight; /* of several overlapping, the heaviest gives the name */
};

struct marks {
    struct mark *items;
    size_t count;
    size_t cap;
};

struct redactor *redactor_new(void)
{
    struct redactor *r = mem_calloc(1, sizeof(*r));
    r->stride = STRIDE_MAX;
    return r;
}

static uint32_t hash_of(uint32_t gram)
{
    return (gram * 0x9E3779B1u) >> 16;
}

static uint32_t gram_hash(const char *p)
{
    const unsigned char *bytes = (const unsigned char *)p;
    return hash_of((uint32_t)bytes[0] << 8 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 24);
}

static bool filter_hit(const struct redactor *r, uint32_t hash)
{
    return (r->filter[hash >> 3] >> (hash & 7) & 1) != 0;
}

static bool is_known(const struct redactor *r, struct span text)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->texts[i].len == text.len && memcmp(r->texts[i].bytes, text.ptr, text.len) == 0) {
            return true;
        }
    }
    return false;
}

static void grams_add(struct redactor *r, uint32_t text_at)
{
    const struct redactor_text *text = &r->texts[text_at];
    size_t base = (text->len - (GRAM + r->stride - 1)) / 2;
    for (size_t offset = base; offset < base + r->stride; offset++) {
        uint32_t hash = gram_hash(text->bytes + offset);
        r->filter[hash >> 3] |= (unsigned char)(1u << (hash & 7));
        if (r->gram_count == r->gram_cap) {
            r->gram_cap = r->gram_cap > 0 ? r->gram_cap * 2 : 64;
            r->grams = mem_realloc(r->grams, r->gram_cap * sizeof(*r->grams));
        }
        uint32_t *head = &r->heads[hash % REDACT_HEADS];
        r->grams[r->gram_count] =
            (struct redactor_gram){.text = text_at, .offset = offset, .next = *head};
        *head = (uint32_t)++r->gram_count;
    }
}

/* The stride must be such that every text has as many grams. */
static void stride_fit(struct redactor *r, size_t len)
{
    size_t stride = r->stride;
    while (stride > STRIDE_MIN && GRAM + stride - 1 > len) {
        stride /= 2;
    }
    if (stride == r->stride) {
        return;
    }
    r->stride = stride;
    r->gram_count = 0;
    memset(r->heads, 0, sizeof(r->heads));
    memset(r->filter, 0, sizeof(r->filter));
    for (size_t i = 0; i < r->count; i++) {
        if (r->texts[i].len >= FILTERED_MIN) {
            grams_add(r, (uint32_t)i);
        }
    }
}

void redactor_add(struct redactor *r, const char *name, struct span text)
{
    if (text.len == 0 || is_known(r, text)) {
        return;
    }
    if (r->count == r->cap) {
        r->cap = r->cap > 0 ? r->cap * 2 : 16;
        r->texts = mem_realloc(r->texts, r->cap * sizeof(*r->texts));
    }
    r->texts[r->count] = (struct redactor_text){
        .name = mem_strdup(name), .bytes = mem_strndup(text.ptr, text.len), .len = text.len};
    r->has_escape = r->has_escape || memchr(text.ptr, ESC, text.len) != NULL;
    r->has_short = r->has_short || text.len < FILTERED_MIN;
    if (text.len >= FILTERED_MIN) {
        stride_fit(r, text.len);
        grams_add(r, (uint32_t)r->count);
    }
    r->count++;
}

static void mark_add(struct marks *m, size_t start, size_t end, const char *name)
{
    if (m->count == m->cap) {
        m->cap = m->cap > 0 ? m->cap * 2 : 16;
        m->items = mem_realloc(m->items, m->cap * sizeof(*m->items));
    }
    m->items[m->count++] =
        (struct mark){.start = start, .end = end, .name = name, .weight = end - start};
}

/* The first looked-up position from `at` on whose gram is in the filter, else the end of the text.
 */
static size_t gram_next(const struct redactor *r, struct span text, size_t at)
{
    if (r->gram_count == 0) {
        return text.len;
    }
    for (; at + GRAM < text.len; at += r->stride) {
        uint32_t four;
        memcpy(&four, text.ptr + at, sizeof(four));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint32_t hash = hash_of(four << 8);
#else
        uint32_t hash = gram_hash(text.ptr + at);
#endif
        if (filter_hit(r, hash)) {
            return at;
        }
    }
    bool last = at + GRAM == text.len && filter_hit(r, gram_hash(text.ptr + at));
    return last ? at : text.len;
}

/* Marks every text that has this gram and stands there; m may be NULL. Whether there was one. */
static bool candidates_check(const struct redactor *r, struct span text, size_t at, struct marks *m)
{
    bool found = false;
    uint32_t hash = gram_hash(text.ptr + at);
    for (uint32_t i = r->heads[hash % REDACT_HEADS]; i > 0; i = r->grams[i - 1].next) {
        const struct redactor_gram *gram = &r->grams[i - 1];
        const struct redactor_text *secret = &r->texts[gram->text];
        if (at < gram->offset || text.len - (at - gram->offset) < secret->len) {
            continue;
        }
        size_t start = at - gram->offset;
        if (memcmp(text.ptr + start, secret->bytes, secret->len) == 0) {
            found = true;
            if (m != NULL) {
                mark_add(m, start, start + secret->len, secret->name);
            }
        }
    }
    return found;
}

/* The few texts that are too short for the filter; m may be NULL. */
static bool shorts_find(const struct redactor *r, struct span text, struct marks *m)
{
    bool found = false;
    for (size_t i = 0; r->has_short && i < r->count; i++) {
        const struct redactor_text *secret = &r->texts[i];
        const char *at = secret->len < FILTERED_MIN && text.len > 0 ? text.ptr : NULL;
        const char *end = text.ptr + text.len;
        while (at != NULL && (at = memchr(at, secret->bytes[0], (size_t)(end - at))) != NULL) {
            if ((size_t)(end - at) >= secret->len && memcmp(at, secret->bytes, secret->len) == 0) {
                found = true;
                if (m != NULL) {
                    mark_add(m, (size_t)(at - text.ptr), (size_t)(at - text.ptr) + secret->len,
                             secret->name);
                }
            }
            at++;
        }
    }
    return found;
}

static void secrets_find(const struct redactor *r, struct span text, struct marks *m)
{
    for (size_t at = gram_next(r, text, 0); at < text.len;
         at = gram_next(r, text, at + r->stride)) {
        (void)candidates_check(r, text, at, m);
    }
    (void)shorts_find(r, text, m);
}

static bool ends_authority(char c)
{
    return (unsigned char)c <= 0x20 || c == 0x7F || strchr("/?#\"<>`\\", c) != NULL;
}

/* scheme://user:PASSWORD@host, whoever it belongs to. */
static void urls_find(struct span text, struct marks *m)
{
    const char *end = text.ptr + text.len;
    const char *p = text.len > 0 && memchr(text.ptr, '@', text.len) != NULL ? text.ptr : end;
    while (p < end && (p = memchr(p, ':', (size_t)(end - p))) != NULL) {
        if (end - p < 3 || p[1] != '/' || p[2] != '/') {
            p++;
            continue;
        }
        const char *colon = NULL;
        const char *at = NULL;
        const char *q = p + 3;
        for (; q < end && !ends_authority(*q); q++) {
            colon = colon == NULL && *q == ':' ? q : colon;
            at = *q == '@' ? q : at;
        }
        if (colon != NULL && at != NULL && at > colon + 1) {
            mark_add(m, (size_t)(colon + 1 - text.ptr), (size_t)(at - text.ptr), "password");
        }
        p = q;
    }
}

/* The text without its escape sequences, and where each byte of it stood. */
static void find_beneath(const struct redactor *r, struct span text, struct marks *m)
{
    struct buf plain = {0};
    size_t *origin = mem_calloc(text.len, sizeof(*origin));
    buf_reserve(&plain, text.len);
    for (size_t at = 0; at < text.len;) {
        bool sgr = false;
        size_t skip = text.ptr[at] == ESC ? escape_length(text.ptr + at, text.len - at, &sgr) : 0;
        if (skip == 0) {
            origin[plain.len] = at;
            plain.ptr[plain.len++] = text.ptr[at++];
        }
        at += skip;
    }
    size_t first = m->count;
    secrets_find(r, buf_span(&plain), m);
    urls_find(buf_span(&plain), m);
    for (size_t i = first; i < m->count; i++) {
        m->items[i].start = origin[m->items[i].start];
        m->items[i].end = origin[m->items[i].end - 1] + 1;
    }
    mem_wipe(plain.ptr, plain.len);
    buf_fini(&plain);
    mem_free(origin);
}

static int compare_marks(const void *a, const void *b)
{
    const struct mark *left = a;
    const struct mark *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

static void marks_find(const struct redactor *r, struct span text, struct marks *m)
{
    bool escapes = text.len > 0 && memchr(text.ptr, ESC, text.len) != NULL;
    if (!escapes || r->has_escape) {
        secrets_find(r, text, m);
        urls_find(text, m);
    }
    if (escapes) {
        find_beneath(r, text, m);
    }
    if (m->count > 1) {
        qsort(m->items, m->count, sizeof(*m->items), compare_marks);
    }
}

static void mark_put(const struct mark *mark, struct buf *out)
{
    (void)buf_puts(out, "\xE2\x80\xB9");
    (void)buf_puts(out, mark->name);
    (void)buf_puts(out, "\xE2\x80\xBA");
}

/* Copies text[lo, hi) with overlapping marks as one mask; a mask that began before lo was shown
 * there. */
static void masked_put(struct span text, size_t lo, size_t hi, const struct marks *m,
                       struct buf *out)
{
    size_t at = lo;
    for (size_t i = 0; i < m->count;) {
        struct mark whole = m->items[i++];
        for (; i < m->count && m->items[i].start < whole.end; i++) {
            const struct mark *next = &m->items[i];
            if (next->weight > whole.weight) {
                whole.name = next->name;
                whole.weight = next->weight;
            }
            whole.end = next->end > whole.end ? next->end : whole.end;
        }
        if (whole.end <= lo || whole.start >= hi) {
            continue;
        }
        if (whole.start >= lo) {
            (void)buf_append(out, text.ptr + at, whole.start - at);
            mark_put(&whole, out);
        }
        at = whole.end < hi ? whole.end : hi;
    }
    (void)buf_append(out, text.ptr + at, hi - at);
}

bool redactor_may_match(const struct redactor *r, struct span text)
{
    if (text.len == 0) {
        return false;
    }
    if (memchr(text.ptr, '@', text.len) != NULL || memchr(text.ptr, ESC, text.len) != NULL) {
        return true;
    }
    for (size_t at = gram_next(r, text, 0); at < text.len;
         at = gram_next(r, text, at + r->stride)) {
        if (candidates_check(r, text, at, NULL)) {
            return true;
        }
    }
    return shorts_find(r, text, NULL);
}

void redactor_mask(const struct redactor *r, struct span line, struct buf *out)
{
    redactor_mask_piece(r, (struct span){0}, line, (struct span){0}, out);
}

void redactor_mask_piece(const struct redactor *r, struct span before, struct span piece,
                         struct span after, struct buf *out)
{
    struct buf joined = {0};
    struct span text = piece;
    if (before.len + after.len > 0) {
        (void)buf_append(&joined, before.ptr, before.len);
        (void)buf_append(&joined, piece.ptr, piece.len);
        (void)buf_append(&joined, after.ptr, after.len);
        text = buf_span(&joined);
    }
    if (!redactor_may_match(r, text)) {
        (void)buf_append(out, piece.ptr, piece.len);
    } else {
        struct marks found = {0};
        marks_find(r, text, &found);
        masked_put(text, before.len, before.len + piece.len, &found, out);
        mem_free(found.items);
    }
    if (joined.ptr != NULL) {
        mem_wipe(joined.ptr, joined.len);
    }
    buf_fini(&joined);
}

void redactor_free(struct redactor *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->count; i++) {
        mem_wipe(r->texts[i].bytes, r->texts[i].len);
        mem_free(r->texts[i].bytes);
        mem_free(r->texts[i].name);
    }
    mem_free(r->texts);
    mem_free(r->grams);
    mem_free(r);
}
