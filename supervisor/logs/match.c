/*
 * What this room is for.      Matching `ready = log` patterns against a stream of chunks.
 * What it may touch.          PCRE2; no descriptor.
 * Who calls it.               stream.c on the log thread; store.c makes and frees it.
 * The one invariant.          Each pattern is reported at most once.
 */
#include "logs/match.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <string.h>

#include "base/mem.h"
#include "logs/view.h"

enum { MATCH_STEPS_MAX = 200000 }; /* bounds what a pathological pattern can cost on one line */

struct matcher {
    pcre2_code **codes; /* NULL once matched */
    size_t count;
    size_t waiting;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

int matcher_new(char *const *patterns, struct matcher **out, struct fault *why)
{
    *out = NULL;
    size_t count = 0;
    while (patterns != NULL && patterns[count] != NULL) {
        count++;
    }
    if (count == 0) {
        return 0;
    }
    struct matcher *m = mem_calloc(1, sizeof(*m));
    m->codes = mem_calloc(count, sizeof(pcre2_code *));
    m->count = count;
    m->waiting = count;
    m->data = pcre2_match_data_create(1, NULL);
    m->context = pcre2_match_context_create(NULL);
    if (m->data == NULL || m->context == NULL) {
        matcher_free(m);
        return fault_set(why, -ENOMEM, "pattern");
    }
    (void)pcre2_set_match_limit(m->context, MATCH_STEPS_MAX);
    for (size_t i = 0; i < count; i++) {
        int error = 0;
        PCRE2_SIZE at = 0;
        m->codes[i] = pcre2_compile((PCRE2_SPTR)patterns[i], PCRE2_ZERO_TERMINATED,
                                    PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error, &at, NULL);
        if (m->codes[i] == NULL) {
            PCRE2_UCHAR text[128];
            (void)pcre2_get_error_message(error, text, sizeof(text));
            matcher_free(m);
            return fault_set(why, -EINVAL, "pattern \"%s\": %s at character %zu", patterns[i],
                             (const char *)text, (size_t)at + 1);
        }
    }
    *out = m;
    return 0;
}

bool matcher_waits(const struct matcher *m)
{
    return m != NULL && m->waiting > 0;
}

static void line_match(struct matcher *m, struct span raw, uint32_t options, match_fn each,
                       void *ctx)
{
    if (raw.len > 0 && raw.ptr[raw.len - 1] == '\r') {
        raw.len--;
    }
    struct buf plain = {0};
    buf_reserve(&plain, raw.len);
    strip_escapes(raw, &plain);
    for (size_t i = 0; i < m->count; i++) {
        if (m->codes[i] == NULL || pcre2_match(m->codes[i], (PCRE2_SPTR)plain.ptr, plain.len, 0,
                                               options, m->data, m->context) < 0) {
            continue;
        }
        pcre2_code_free(m->codes[i]);
        m->codes[i] = NULL;
        m->waiting--;
        each(ctx, (unsigned)i, plain.ptr);
    }
    buf_fini(&plain);
}

static void line_add(struct match_line *line, struct span bytes)
{
    size_t room = MATCH_LINE_MAX - line->text.len;
    (void)buf_append(&line->text, bytes.ptr, bytes.len < room ? bytes.len : room);
}

void matcher_feed(struct matcher *m, struct match_line *line, struct span bytes, match_fn each,
                  void *ctx)
{
    while (matcher_waits(m) && bytes.len > 0) {
        struct span head;
        struct span tail;
        bool whole = span_split(bytes, '\n', &head, &tail);
        line_add(line, head);
        line_match(m, buf_span(&line->text), whole ? 0 : PCRE2_NOTEOL, each, ctx);
        if (!whole) {
            return;
        }
        buf_clear(&line->text);
        bytes = tail;
    }
}

void matcher_end(struct matcher *m, struct match_line *line, match_fn each, void *ctx)
{
    if (matcher_waits(m) && line->text.len > 0) {
        line_match(m, buf_span(&line->text), 0, each, ctx);
    }
    buf_clear(&line->text);
}

void matcher_free(struct matcher *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->count; i++) {
        pcre2_code_free(m->codes[i]);
    }
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    mem_free(m->codes);
    mem_free(m);
}
