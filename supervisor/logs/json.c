/*
 * What this room is for.      Lines for machines: one JSON object a line (INTERFACE §4).
 * What it may touch.          Nothing: pure.
 * Who calls it.               logs --json, up --json.
 * The one invariant.          The output is valid UTF-8 and valid JSON, whatever the line holds.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "logs/escape.h"
#include "logs/redact.h"

static bool needs_nothing(char c)
{
    return (unsigned char)(c - 0x20) < 0x5F && c != '"' && c != '\\';
}

static void put_escaped(char c, struct buf *out)
{
    static const char *const names = "\b\t\n\f\r\"\\";
    static const char *const letters = "btnfr\"\\";
    const char *at = c != '\0' ? strchr(names, c) : NULL;
    if (at != NULL) {
        const char pair[2] = {'\\', letters[at - names]};
        (void)buf_append(out, pair, sizeof(pair));
    } else {
        (void)buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
    }
}

/* Appends text as the inside of a JSON string; false when some of it was not UTF-8. */
static bool put_text(struct span text, struct buf *out)
{
    bool good = true;
    for (size_t at = 0; at < text.len;) {
        size_t run = at;
        while (run < text.len && needs_nothing(text.ptr[run])) {
            run++;
        }
        (void)buf_append(out, text.ptr + at, run - at);
        at = run;
        if (at == text.len) {
            break;
        }
        uint32_t code = 0;
        size_t len = utf8_decode(text.ptr + at, text.len - at, &code);
        if (len == 1) {
            put_escaped(text.ptr[at], out);
        } else if (len == 0) {
            (void)buf_puts(out, "\xEF\xBF\xBD");
            good = false;
        } else {
            (void)buf_append(out, text.ptr + at, len);
        }
        at += len > 0 ? len : 1;
    }
    return good;
}

static void put_base64(struct span text, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_reserve(out, (text.len + 2) / 3 * 4);
    for (size_t at = 0; at < text.len; at += 3) {
        size_t left = text.len - at;
        unsigned bits = (unsigned)(unsigned char)text.ptr[at] << 16;
        bits |= left > 1 ? (unsigned)(unsigned char)text.ptr[at + 1] << 8 : 0;
        bits |= left > 2 ? (unsigned)(unsigned char)text.ptr[at + 2] : 0;
        const char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                              left > 1 ? digits[bits >> 6 & 63] : '=',
                              left > 2 ? digits[bits & 63] : '='};
        (void)buf_append(out, four, sizeof(four));
    }
}

void view_json(const struct view_opts *opts, const struct log_line *line, struct buf *out)
{
    struct span text = line->text;
    struct buf masked = {0};
    if (opts->redactor != NULL) {
        redactor_mask_piece(opts->redactor, line->before, line->text, line->after, &masked);
        text = buf_span(&masked);
    }
    char time[CLOCK_RFC3339_SIZE];
    (void)buf_printf(out,
                     "{\"v\":1,\"seq\":%" PRIu64 ",\"t\":\"%s\",\"service\":\"%s\",\"run\":%" PRIu32
                     ",\"stream\":\"%s\",\"text\":\"",
                     line->seq, clock_rfc3339(line->wall_ns, time), line->service, line->run,
                     line->stream == LOG_ERR ? "err" : "out");
    bool good = put_text(text, out);
    (void)buf_puts(out, line->partial ? "\",\"partial\":true" : "\",\"partial\":false");
    if (!good) {
        (void)buf_puts(out, ",\"raw\":\"");
        put_base64(text, out);
        (void)buf_putc(out, '"');
    }
    (void)buf_puts(out, "}\n");
    buf_fini(&masked);
}
