/*
 * What this room is for.      The viewer's pipeline.
 * What it may touch.          logs/reader.h, logs/view.h, PCRE2.
 * Who calls it.               cmd_logs.c, session.c, cmd_wait.c
 * The one invariant.          A pattern sees what a reader would see: masked, without colours.
 */
#include "ui/pump.h"

#include <errno.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

struct pump {
    struct pump_opts opts;
    struct logreader *reader;
    pcre2_code *code;
    pcre2_match_data *match;
    struct buf masked;
    struct buf plain;
    const char *last_service;   /* the reader's pointer: saves looking up the colour of each line */
    unsigned last_colour;
};

static int pattern_compile(struct pump *p, struct fault *why)
{
    int number = 0;
    size_t offset = 0;
    uint32_t flags = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | (p->opts.ignore_case ? PCRE2_CASELESS : 0U);
    p->code = pcre2_compile((PCRE2_SPTR)p->opts.grep, PCRE2_ZERO_TERMINATED, flags, &number, &offset,
                            NULL);
    if (p->code == NULL) {
        char text[128] = "";
        (void)pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof text);
        return fault_set(why, -EINVAL, "pattern \"%s\": %s at %zu", p->opts.grep, text, offset);
    }
    (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    p->match = pcre2_match_data_create_from_pattern(p->code, NULL);
    return 0;
}

int pump_open(const struct pump_opts *opts, struct pump **out, struct fault *why)
{
    struct pump *p = mem_calloc(1, sizeof *p);
    p->opts = *opts;
    int rc = opts->grep != NULL ? pattern_compile(p, why) : 0;
    rc = rc == 0 ? logreader_open(&opts->reader, &p->reader, why) : rc;
    if (rc != 0) {
        pump_close(p);
        p = NULL;
    }
    *out = p;
    return rc;
}

static bool grep_matches(struct pump *p, const struct log_line *line)
{
    struct span text = line->text;
    if (p->opts.view.redactor != NULL) {
        buf_clear(&p->masked);
        redactor_mask_piece(p->opts.view.redactor, line->before, text, line->after, &p->masked);
        text = buf_span(&p->masked);
    }
    buf_clear(&p->plain);
    strip_escapes(text, &p->plain);
    text = buf_span(&p->plain);
    int rc = pcre2_match(p->code, (PCRE2_SPTR)(text.ptr != NULL ? text.ptr : ""), text.len, 0, 0,
                         p->match, NULL);
    return (rc >= 0) != p->opts.invert;
}

static unsigned colour_of(struct pump *p, const char *service)
{
    if (service != p->last_service) {
        p->last_service = service;
        p->last_colour = 0;
        while (p->opts.order != NULL && p->opts.order[p->last_colour] != NULL &&
               strcmp(p->opts.order[p->last_colour], service) != 0) {
            p->last_colour++;
        }
    }
    return p->last_colour;
}

int pump_read_line(struct pump *p, struct buf *out, uint64_t *seq)
{
    struct log_line line;
    for (;;) {
        int rc = logreader_next(p->reader, &line);
        if (rc <= 0) {
            return rc;
        }
        if (p->opts.wanted != NULL && !p->opts.wanted(p->opts.ctx, &line)) {
            continue;
        }
        if (p->code != NULL && !grep_matches(p, &line)) {
            continue;
        }
        *seq = line.seq;
        if (p->opts.json) {
            view_json(&p->opts.view, &line, out);
        } else {
            view_line(&p->opts.view, &line, colour_of(p, line.service), out);
        }
        return 1;
    }
}

/* Nothing looks at single lines: whole blocks go through. */
static int read_blocks(struct pump *p, struct buf *out, size_t max)
{
    while (out->len < max) {
        struct log_line line;
        bool block = false;
        int rc = logreader_next_block(p->reader, &line, &block);
        if (rc <= 0) {
            return rc;
        }
        unsigned colour = colour_of(p, line.service);
        if (block) {
            view_block(&p->opts.view, &line, colour, out);
        } else {
            view_line(&p->opts.view, &line, colour, out);
        }
    }
    return 1;
}

int pump_read(struct pump *p, struct buf *out, size_t max)
{
    uint64_t seq = 0;
    if (p->code == NULL && p->opts.wanted == NULL && !p->opts.json) {
        return read_blocks(p, out, max);
    }
    while (out->len < max) {
        int rc = pump_read_line(p, out, &seq);
        if (rc <= 0) {
            return rc;
        }
    }
    return 1;
}

struct logreader *pump_reader(struct pump *p)
{
    return p->reader;
}

void pump_close(struct pump *p)
{
    if (p == NULL) {
        return;
    }
    logreader_close(p->reader);
    pcre2_match_data_free(p->match);
    pcre2_code_free(p->code);
    buf_fini(&p->masked);
    buf_fini(&p->plain);
    mem_free(p);
}
