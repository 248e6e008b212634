/*
 * What this room is for.      Telling this machine from others by a host as written.
 * What it may touch.          libuv's interface list; no DNS.
 * Who calls it.               http (proxies), postgres (sslmode), the probes (whose listener).
 * The one invariant.          An unknown name is elsewhere.
 */
#include "io/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "base/bytes.h"

/* An address in its v6 form, so that there is one of everything; v4 as ::ffff:a.b.c.d. */
struct numeric {
    unsigned char bytes[16];
    bool v4;
};

static void numeric_of_v4(struct numeric *n, const struct in_addr *in)
{
    memset(n->bytes, 0, 10);
    n->bytes[10] = 0xFF;
    n->bytes[11] = 0xFF;
    memcpy(n->bytes + 12, in, 4);
    n->v4 = true;
}

static bool numeric_parse(const char *host, struct numeric *n)
{
    struct in_addr four;
    struct in6_addr six;
    char bare[INET6_ADDRSTRLEN + 32];
    if (!address_bare(host, bare, sizeof bare)) {
        return false;
    }
    char *zone = strchr(bare, '%');
    if (zone != NULL) {
        *zone = '\0';
    }
    if (inet_pton(AF_INET, bare, &four) == 1) {
        numeric_of_v4(n, &four);
        return true;
    }
    if (inet_pton(AF_INET6, bare, &six) != 1) {
        return false;
    }
    memcpy(n->bytes, &six, 16);
    n->v4 = IN6_IS_ADDR_V4MAPPED(&six);
    return true;
}

static bool numeric_is_loopback(const struct numeric *n)
{
    static const unsigned char zero[16];
    if (n->v4) {
        return n->bytes[12] == 127 || memcmp(n->bytes + 12, zero, 4) == 0;
    }
    return memcmp(n->bytes, zero, 15) == 0 && n->bytes[15] <= 1;
}

static bool numeric_is_private(const struct numeric *n)
{
    if (n->v4) {
        unsigned a = n->bytes[12];
        unsigned b = n->bytes[13];
        return a == 10 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) ||
               (a == 169 && b == 254) || (a == 100 && b >= 64 && b < 128);
    }
    return (n->bytes[0] & 0xFE) == 0xFC || (n->bytes[0] == 0xFE && (n->bytes[1] & 0xC0) == 0x80);
}

static bool numeric_is_own(const struct numeric *n)
{
    uv_interface_address_t *list = NULL;
    int count = 0;
    if (uv_interface_addresses(&list, &count) != 0) {
        return false;
    }
    bool own = false;
    for (int i = 0; i < count && !own; i++) {
        struct numeric mine = {.v4 = false};
        if (list[i].address.address4.sin_family == AF_INET) {
            numeric_of_v4(&mine, &list[i].address.address4.sin_addr);
        } else {
            memcpy(mine.bytes, &list[i].address.address6.sin6_addr, 16);
        }
        own = memcmp(mine.bytes, n->bytes, 16) == 0;
    }
    uv_free_interface_addresses(list, count);
    return own;
}

static bool ends_with(const char *host, const char *tail)
{
    size_t len = strlen(host);
    size_t tail_len = strlen(tail);
    return len > tail_len && strcasecmp(host + len - tail_len, tail) == 0;
}

enum address_place address_place(const char *host)
{
    struct numeric n;
    if (numeric_parse(host, &n)) {
        return numeric_is_loopback(&n)  ? ADDRESS_LOOPBACK
               : numeric_is_own(&n)     ? ADDRESS_OWN
               : numeric_is_private(&n) ? ADDRESS_PRIVATE
                                        : ADDRESS_ELSEWHERE;
    }
    if (strcasecmp(host, "localhost") == 0 || strcasecmp(host, "localhost.") == 0 ||
        ends_with(host, ".localhost")) {
        return ADDRESS_LOOPBACK;
    }
    if (strchr(host, '.') == NULL || ends_with(host, ".local") || ends_with(host, ".internal")) {
        return ADDRESS_PRIVATE;
    }
    return ADDRESS_ELSEWHERE;
}

bool address_is_here(const char *host)
{
    enum address_place place = address_place(host);
    return place == ADDRESS_LOOPBACK || place == ADDRESS_OWN;
}

bool address_is_numeric(const char *host)
{
    struct numeric n;
    return numeric_parse(host, &n);
}

bool address_bare(const char *host, char *out, unsigned long size)
{
    size_t len = strlen(host);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    return fmt_into(out, size, "%.*s", (int)len, host) == 0;
}
