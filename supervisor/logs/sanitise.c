/*
 * What this room is for.      What of a line may reach a terminal.
 * What it may touch.          Nothing: pure.
 * Who calls it.               render.c, match.c, and any command that shows foreign text.
 * The one invariant.          The output is printable UTF-8, tabs, and bounded SGR if asked for;
 * doing it twice changes nothing.
 */
#include <string.h>

#include "logs/escape.h"
#include "logs/view.h"

enum { ESC = 0x1B };

static void put_caret(char c, struct buf *out)
{
    const char caret[2] = {'^', (char)(c ^ 0x40)};
    (void)buf_append(out, caret, sizeof(caret));
}

/* One byte or sequence that is not plain ASCII; returns its length. */
static size_t put_special(const char *p, size_t left, bool keep_colour, struct buf *out)
{
    if (p[0] == ESC) {
        bool sgr = false;
        size_t len = escape_length(p, left, &sgr);
        if (len == 0) {
            put_caret(p[0], out);
            return 1;
        }
        if (sgr && keep_colour) {
            (void)buf_append(out, p, len);
        }
        return len;
    }
    uint32_t code = 0;
    size_t len = utf8_decode(p, left, &code);
    if (len == 1) {
        put_caret(p[0], out);
    } else if (len == 0 || !code_is_plain(code)) {
        (void)buf_puts(out, "\xEF\xBF\xBD");
    } else {
        (void)buf_append(out, p, len);
    }
    return len > 0 ? len : 1;
}

void sanitise(struct span text, bool keep_colour, struct buf *out)
{
    for (size_t at = 0; at < text.len;) {
        size_t plain = plain_length(text.ptr + at, text.len - at);
        if (plain > 0) {
            (void)buf_append(out, text.ptr + at, plain);
            at += plain;
        } else {
            at += put_special(text.ptr + at, text.len - at, keep_colour, out);
        }
    }
}

void strip_escapes(struct span text, struct buf *out)
{
    size_t from = 0;
    for (size_t at = 0; at < text.len;) {
        const char *esc = memchr(text.ptr + at, ESC, text.len - at);
        if (esc == NULL) {
            break;
        }
        at = (size_t)(esc - text.ptr);
        bool sgr = false;
        size_t len = escape_length(esc, text.len - at, &sgr);
        if (len == 0) {
            at++;
            continue;
        }
        (void)buf_append(out, text.ptr + from, at - from);
        at += len;
        from = at;
    }
    (void)buf_append(out, text.ptr + from, text.len - from);
}
