/*
 * What this room is for.      Takes URLs apart (see url.h).
 * What it may touch.          base only.
 * Who calls it.               ready.c, refs.c, secrets.c
 * The one invariant.          Spans point into the caller's text.
 */
#include "stack/url.h"

#include <string.h>

#include "base/numbers.h"

static size_t scheme_length(struct span text)
{
    size_t i = 0;
    while (i < text.len) {
        char c = text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && !(other && i > 0)) {
            break;
        }
        i++;
    }
    return i;
}

bool url_host_port(struct span text, struct span *host, uint16_t *port)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    struct span number = {text.ptr + colon, text.len - colon};
    if (parse_port(number, port) != 0) {
        return false;
    }
    *host = (struct span){text.ptr, colon > 0 ? colon - 1 : 0};
    if (host->len >= 2 && host->ptr[0] == '[' && host->ptr[host->len - 1] == ']') {
        *host = (struct span){host->ptr + 1, host->len - 2};
    } else if (host->len > 0 && memchr(host->ptr, ':', host->len) != NULL) {
        return false; /* an IPv6 address without its brackets */
    }
    return true;
}

static bool parse_authority(struct span authority, struct url *out)
{
    size_t at = authority.len;
    while (at > 0 && authority.ptr[at - 1] != '@') {
        at--;
    }
    if (at > 0) {
        struct span user = {authority.ptr, at - 1};
        struct span password = {0};
        if (span_split(user, ':', &out->user, &password)) {
            out->password = password;
        }
    }
    struct span place = {authority.ptr + at, authority.len - at};
    const char *comma = place.len > 0 ? memchr(place.ptr, ',', place.len) : NULL;
    if (comma != NULL) {
        place.len = (size_t)(comma - place.ptr); /* several hosts: the first */
    }
    bool bracketed = place.len > 1 && place.ptr[0] == '[';
    bool has_port = place.len > 0 && memchr(place.ptr, ':', place.len) != NULL &&
                    !(bracketed && place.ptr[place.len - 1] == ']');
    if (has_port) {
        return url_host_port(place, &out->host, &out->port);
    }
    out->host = bracketed ? (struct span){place.ptr + 1, place.len - 2} : place;
    return true;
}

bool url_parse(struct span text, struct url *out)
{
    *out = (struct url){0};
    size_t scheme = scheme_length(text);
    struct span after = {text.ptr + scheme, text.len - scheme};
    if (scheme == 0 || !span_starts(after, "://")) {
        return false;
    }
    out->scheme = (struct span){text.ptr, scheme};
    after = (struct span){after.ptr + 3, after.len - 3};
    size_t end = 0;
    while (end < after.len && strchr("/?#", after.ptr[end]) == NULL) {
        end++;
    }
    out->rest = (struct span){after.ptr + end, after.len - end};
    return parse_authority((struct span){after.ptr, end}, out);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct span url_decode(struct span text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int high = i + 2 < text.len && text.ptr[i] == '%' ? hex_value(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;
        if (low >= 0) {
            out[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[len++] = text.ptr[i];
        }
    }
    return (struct span){out, len};
}
