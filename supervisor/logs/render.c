/*
 * What this room is for.      Lines for people: prefix, colours, times, masked and sanitised.
 * What it may touch.          Nothing: pure.
 * Who calls it.               up, logs, why and screens.
 * The one invariant.          What view_block puts out is what view_line would, line by line.
 */
#include <string.h>

#include "base/clock.h"
#include "logs/escape.h"
#include "logs/redact.h"

static const char *const COLOURS[] = {"36", "33", "32", "35", "34", "96", "93", "92", "95", "94"};

static void prefix_put(const struct view_opts *opts, const struct log_line *line,
                       unsigned colour_index, struct buf *out)
{
    if (opts->timestamps) {
        char time[32];
        (void)buf_puts(out, clock_local_hms(line->wall_ns, time, sizeof(time)));
        (void)buf_putc(out, ' ');
    }
    if (!opts->prefix) {
        return;
    }
    if (opts->colour) {
        (void)buf_puts(out, "\x1b[");
        (void)buf_puts(out, COLOURS[colour_index % COUNT_OF(COLOURS)]);
        (void)buf_putc(out, 'm');
    }
    size_t len = strlen(line->service);
    (void)buf_append(out, line->service, len);
    for (; len < opts->name_width; len++) {
        (void)buf_putc(out, ' ');
    }
    (void)buf_puts(out, opts->colour ? " |\x1b[0m " : " | ");
}

/* Masks, sanitises, and ends the colours that the line may have left on. */
static void text_put(const struct view_opts *opts, const struct log_line *line, struct buf *out)
{
    struct span text = line->text;
    struct buf masked = {0};
    if (opts->redactor != NULL) {
        redactor_mask_piece(opts->redactor, line->before, line->text, line->after, &masked);
        text = buf_span(&masked);
    }
    size_t from = out->len;
    sanitise(text, opts->colour, out);
    if (opts->colour && out->len > from && memchr(out->ptr + from, 0x1B, out->len - from) != NULL) {
        (void)buf_puts(out, "\x1b[0m");
    }
    buf_fini(&masked);
}

static bool is_plain(const struct view_opts *opts, struct span text)
{
    return plain_length(text.ptr, text.len) == text.len &&
           (opts->redactor == NULL || !redactor_may_match(opts->redactor, text));
}

void view_line(const struct view_opts *opts, const struct log_line *line, unsigned colour_index,
               struct buf *out)
{
    prefix_put(opts, line, colour_index, out);
    if (line->before.len + line->after.len == 0 && is_plain(opts, line->text)) {
        (void)buf_append(out, line->text.ptr, line->text.len);
    } else {
        text_put(opts, line, out);
    }
    (void)buf_putc(out, '\n');
}

/* Nothing but printable ASCII, tabs and newlines: written so that compilers make vector code of it.
 */
static bool block_is_plain(struct span text)
{
    enum { STEP = 4096 };
    for (size_t at = 0; at < text.len; at += STEP) {
        size_t end = text.len - at < STEP ? text.len : at + STEP;
        unsigned char odd = 0;
        for (size_t i = at; i < end; i++) {
            unsigned char c = (unsigned char)text.ptr[i];
            odd |= (unsigned char)((c < 0x20) & (c != '\n') & (c != '\t')) |
                   (unsigned char)(c >= 0x7F);
        }
        if (odd != 0) {
            return false;
        }
    }
    return true;
}

static void plain_lines_put(struct span text, struct span prefix, struct buf *out)
{
    const char *at = text.ptr;
    const char *end = text.ptr + text.len;
    buf_reserve(out, text.len + text.len / 4 + prefix.len + 1);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)(newline - at) + 1;
        if (out->cap - out->len <= prefix.len + len) {
            buf_reserve(out, prefix.len + len);
        }
        char *to = out->ptr + out->len;
        memcpy(to, prefix.ptr, prefix.len);
        memcpy(to + prefix.len, at, len);
        out->len += prefix.len + len;
        at += len;
    }
    out->ptr[out->len] = '\0';
}

static void lines_put(const struct view_opts *opts, const struct log_line *block, struct span text,
                      unsigned colour_index, struct buf *out)
{
    struct log_line line = *block;
    while (text.len > 0) {
        struct span rest;
        (void)span_split(text, '\n', &line.text, &rest);
        text = rest;
        line.text.len -= line.text.len > 0 && line.text.ptr[line.text.len - 1] == '\r' ? 1 : 0;
        view_line(opts, &line, colour_index, out);
    }
}

/* Whole lines of about so many bytes: they are looked at several times while in the first cache,
 * and one coloured line does not make a whole block slow. */
static struct span part_take(struct span *text)
{
    enum { PART = 8192 };
    struct span part = *text;
    const char *end = text->len > PART ? memchr(text->ptr + PART, '\n', text->len - PART) : NULL;
    part.len = end != NULL ? (size_t)(end - text->ptr) + 1 : text->len;
    text->ptr += part.len;
    text->len -= part.len;
    return part;
}

void view_block(const struct view_opts *opts, const struct log_line *block, unsigned colour_index,
                struct buf *out)
{
    struct buf prefix = {0};
    struct span text = block->text;
    buf_reserve(&prefix, 0);
    prefix_put(opts, block, colour_index, &prefix);
    while (text.len > 0) {
        struct span part = part_take(&text);
        if (block_is_plain(part) &&
            (opts->redactor == NULL || !redactor_may_match(opts->redactor, part))) {
            plain_lines_put(part, buf_span(&prefix), out);
        } else {
            lines_put(opts, block, part, colour_index, out);
        }
    }
    buf_fini(&prefix);
}
