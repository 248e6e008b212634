/*
 * What this room is for.      Bounds what a Redis peer, or whatever answers in its place, may make
 * us store. What it may touch.          base only; pure. Who calls it.               redis.c,
 * before hiredis sees a byte. The one invariant.          hiredis never sees an announced size past
 * the limits of resp.h.
 */
#include "io/resp.h"

#include <errno.h>
#include <string.h>

#include "base/numbers.h"

/* A complete header line: type and number. */
static int guard_header(struct resp_guard *g)
{
    char type = g->line[0];
    size_t len = g->line_len;
    if (type != '$' && type != '*') {
        return type == '+' || type == '-' || type == ':' ? 0 : -EPROTO;
    }
    if (len > sizeof g->line) {
        return -EPROTO;
    }
    struct span number = {.ptr = g->line + 1, .len = len - 1};
    if (span_is(number, "-1")) {
        return 0;
    }
    uint64_t value = 0;
    int code = parse_u64(number, 0, INT64_MAX, &value);
    if (code != 0) {
        return code == -ERANGE ? -EMSGSIZE : -EPROTO;
    }
    if (value > (type == '$' ? (uint64_t)RESP_BULK_MAX : (uint64_t)RESP_ITEMS_MAX)) {
        return -EMSGSIZE;
    }
    g->bulk_left = type == '$' ? value + 2 : 0;
    return 0;
}

static int guard_byte(struct resp_guard *g, char c)
{
    if (g->line_len == 0 && (c == '\0' || strchr("+-:$*", c) == NULL)) {
        return -EPROTO;
    }
    if (c == '\n') {
        /* The line ends in CR LF; the CR was counted. */
        g->line_len--;
        int code = guard_header(g);
        g->line_len = 0;
        return code;
    }
    if (g->line_len < sizeof g->line) {
        g->line[g->line_len] = c;
    }
    g->line_len++;
    return g->line_len > RESP_LINE_MAX ? -EMSGSIZE : 0;
}

int resp_guard_feed(struct resp_guard *g, struct span bytes)
{
    g->total += bytes.len;
    if (g->total > RESP_TOTAL_MAX) {
        return -EMSGSIZE;
    }
    for (size_t i = 0; i < bytes.len;) {
        if (g->bulk_left > 0) {
            size_t left = bytes.len - i;
            size_t step = g->bulk_left < left ? (size_t)g->bulk_left : left;
            g->bulk_left -= step;
            i += step;
            continue;
        }
        int code = guard_byte(g, bytes.ptr[i]);
        if (code != 0) {
            return code;
        }
        i++;
    }
    return 0;
}
