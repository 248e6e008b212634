/* The parts of a URL, as spans into it; no decoding but for the password. Pure. */
#ifndef ROADIE_STACK_URL_H
#define ROADIE_STACK_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

struct url {
    struct span scheme;
    struct span user;     /* may be empty */
    struct span password; /* ptr NULL when there is none */
    struct span host;     /* without the [] of an IPv6 address; may be empty */
    uint16_t port;        /* 0: not given */
    struct span rest;     /* path, query and fragment */
};

/* scheme://[user[:password]@]host[:port][/…]. False when it is none, or the port is not one. */
bool url_parse(struct span text, struct url *out);
/* Splits [HOST:]PORT, also [V6]:PORT; host is empty when left out. */
bool url_host_port(struct span text, struct span *host, uint16_t *port);
/* %XX replaced; in the arena. */
struct span url_decode(struct span text, struct arena *arena);

#endif
