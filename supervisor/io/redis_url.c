/*
 * What this room is for.      Takes a Redis URL apart.
 * What it may touch.          base only; pure.
 * Who calls it.               redis.c.
 * The one invariant.          No message quotes a part of the URL that might be a password.
 */
#include "io/redis_url.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/numbers.h"

enum { DB_MAX = 1 << 20 };

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* As Python's unquote: what is no escape stays as it is. */
static char *percent_decoded(struct span text)
{
    char *out = mem_calloc(1, text.len + 1);
    size_t used = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool escape = text.ptr[i] == '%' && i + 2 < text.len && hex_value(text.ptr[i + 1]) >= 0 &&
                      hex_value(text.ptr[i + 2]) >= 0;
        if (escape) {
            out[used++] = (char)(hex_value(text.ptr[i + 1]) * 16 + hex_value(text.ptr[i + 2]));
            i += 2;
        } else {
            out[used++] = text.ptr[i];
        }
    }
    return out;
}

static bool take_prefix(struct span *text, const char *prefix)
{
    if (!span_starts(*text, prefix)) {
        return false;
    }
    text->ptr += strlen(prefix);
    text->len -= strlen(prefix);
    return true;
}

static int parse_scheme(struct redis_url *u, struct span *rest, struct fault *why)
{
    if (take_prefix(rest, "redis://")) {
        return 0;
    }
    if (take_prefix(rest, "rediss://")) {
        u->tls = true;
        return 0;
    }
    if (span_starts(*rest, "memory://")) {
        return fault_set(why, -EINVAL, "memory:// is no Redis: it lives inside one process");
    }
    return fault_set(why, -EINVAL, "not a redis:// or rediss:// URL");
}

static void parse_userinfo(struct redis_url *u, struct span userinfo)
{
    struct span user;
    struct span password;
    if (span_split(userinfo, ':', &user, &password) && password.len > 0) {
        u->password = percent_decoded(password);
    }
    if (user.len > 0) {
        u->user = percent_decoded(user);
    }
}

static int parse_host(struct redis_url *u, struct span place, struct fault *why)
{
    struct span host = place;
    struct span port = {0};
    const char *bracket =
        place.len > 0 && place.ptr[0] == '[' ? memchr(place.ptr, ']', place.len) : NULL;
    if (bracket != NULL) {
        size_t len = (size_t)(bracket - place.ptr);
        host = (struct span){.ptr = place.ptr + 1, .len = len - 1};
        port = (struct span){.ptr = bracket + 1, .len = place.len - len - 1};
        if (port.len > 0 && !take_prefix(&port, ":")) {
            return fault_set(why, -EINVAL, "the host of the Redis URL is broken");
        }
    } else {
        (void)span_split(place, ':', &host, &port);
    }
    if (host.len == 0) {
        host = span_of("localhost");
    }
    if (fmt_into(u->host, sizeof u->host, "%.*s", (int)host.len, host.ptr) != 0 ||
        memchr(host.ptr, '\0', host.len) != NULL) {
        return fault_set(why, -EINVAL, "the host of the Redis URL is broken");
    }
    u->port = 6379;
    if (port.len > 0 && parse_port(port, &u->port) != 0) {
        return fault_set(why, -EINVAL, "the port of the Redis URL is not a number from 1 to 65535");
    }
    return 0;
}

static int parse_db(struct redis_url *u, struct span text, struct fault *why)
{
    uint64_t db = 0;
    if (text.len > 0 && parse_u64(text, 0, DB_MAX, &db) != 0) {
        return fault_set(why, -EINVAL, "the database of the Redis URL is not a number");
    }
    u->db = (unsigned)db;
    return 0;
}

/* `?db=2` beats the path, as in redis-py; the rest are settings of that client's own. */
static int parse_query(struct redis_url *u, struct span query, struct fault *why)
{
    while (query.len > 0) {
        struct span pair;
        (void)span_split(query, '&', &pair, &query);
        if (take_prefix(&pair, "db=")) {
            int code = parse_db(u, pair, why);
            if (code != 0) {
                return code;
            }
        }
    }
    return 0;
}

int redis_url_parse(struct redis_url *u, const char *url, struct fault *why)
{
    *u = (struct redis_url){.port = 6379};
    struct span rest = span_trim(span_of(url));
    int code = parse_scheme(u, &rest, why);
    if (code != 0) {
        return code;
    }
    size_t end = 0;
    while (end < rest.len && strchr("/?#", rest.ptr[end]) == NULL) {
        end++;
    }
    struct span place = {.ptr = rest.ptr, .len = end};
    struct span path = {.ptr = rest.ptr + end, .len = rest.len - end};
    for (size_t i = place.len; i > 0; i--) {
        if (place.ptr[i - 1] == '@') {
            parse_userinfo(u, (struct span){.ptr = place.ptr, .len = i - 1});
            place.ptr += i;
            place.len -= i;
            break;
        }
    }
    code = parse_host(u, place, why);
    if (code != 0) {
        return code;
    }
    struct span query;
    struct span fragment;
    (void)span_split(path, '#', &path, &fragment);
    (void)span_split(path, '?', &path, &query);
    (void)take_prefix(&path, "/");
    code = parse_db(u, path, why);
    return code != 0 ? code : parse_query(u, query, why);
}

static void wipe(char *text)
{
    if (text != NULL) {
        mem_wipe(text, strlen(text));
        mem_free(text);
    }
}

void redis_url_fini(struct redis_url *u)
{
    wipe(u->user);
    wipe(u->password);
    u->user = NULL;
    u->password = NULL;
}
