/*
 * What this room is for.      Sentences for people about what a peer did or answered (see say.h).
 * What it may touch.          base only; pure.
 * Who calls it.               every bridge in io, the probes.
 * The one invariant.          Whatever came from outside leaves here as one short printable line.
 */
#include "io/say.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The length of the well-formed sequence that starts at text[at]; 0 when there is none. */
static size_t sequence_len(struct span text, size_t at)
{
    for (size_t len = 1; len <= 4 && at + len <= text.len; len++) {
        if (span_is_utf8((struct span){.ptr = text.ptr + at, .len = len}, NULL)) {
            return len;
        }
    }
    return 0;
}

/* C0, DEL and, as two bytes, C1: what a terminal might obey. */
static bool is_control(struct span text, size_t at, size_t len)
{
    unsigned char first = (unsigned char)text.ptr[at];
    if (len == 2 && first == 0xC2) {
        return (unsigned char)text.ptr[at + 1] < 0xA0;
    }
    return first <= ' ' || first == 0x7F;
}

const char *say_clean(char *out, size_t size, struct span foreign)
{
    static const char more[] = "...";
    size_t used = 0;
    bool gap = false;
    for (size_t at = 0; at < foreign.len;) {
        size_t len = sequence_len(foreign, at);
        if (len > 0 && is_control(foreign, at, len)) {
            gap = used > 0;
            at += len;
            continue;
        }
        size_t need = len > 0 ? len : 1;
        if (used + (gap ? 1U : 0U) + need + sizeof more > size) {
            memcpy(out + used, more, sizeof more);
            return out;
        }
        if (gap) {
            out[used++] = ' ';
            gap = false;
        }
        if (len > 0) {
            memcpy(out + used, foreign.ptr + at, len);
        } else {
            out[used] = '?';
        }
        used += need;
        at += need;
    }
    while (used > 0 && out[used - 1] == '.') {
        used--;
    }
    out[used] = '\0';
    return out;
}

const char *say_no_answer(char *out, size_t size, uint64_t timeout_ms)
{
    if (timeout_ms % 1000 == 0) {
        (void)snprintf(out, size, "no answer in %llus", (unsigned long long)timeout_ms / 1000);
    } else {
        (void)snprintf(out, size, "no answer in %llums", (unsigned long long)timeout_ms);
    }
    return out;
}

const char *say_errno(int error)
{
    switch (-error) {
    case ECONNREFUSED:
        return "connection refused";
    case ECONNRESET:
    case EPIPE:
        return "connection reset";
    case ETIMEDOUT:
        return "no answer";
    case EHOSTUNREACH:
        return "no route to host";
    case ENETUNREACH:
        return "network unreachable";
    default:
        return strerror(-error);
    }
}
