/*
 * A byte pipe over TCP or TLS by curl's CONNECT_ONLY: its DNS, its proxies' absence, its
 * certificates, in the client's loop. For Redis, and for asking whether a port takes connections.
 */
#ifndef ROADIE_IO_WIRE_H
#define ROADIE_IO_WIRE_H

#include "io/http.h"

struct wire;

struct wire_opts {
    const char *host; /* name or numeric, v6 with or without brackets */
    uint16_t port;
    bool tls;
    const char *connect_address; /* numeric address instead of resolving host; or NULL */
    uint64_t timeout_ms;         /* whole life of the pipe: then `ended` with -ETIMEDOUT */
};

/* Any of them may call wire_close, after which none is called again. None before wire_open returns.
 */
struct wire_events {
    void (*opened)(void *ctx);
    void (*data)(void *ctx, struct span bytes);
    /* Refused, reset, timed out, or closed by the peer (error 0, text "closed"). The caller still
     * closes. */
    void (*ended)(void *ctx, int error, const char *text);
};

/* events is borrowed until wire_close (a static table). */
int wire_open(struct http *h, const struct wire_opts *opts, const struct wire_events *events,
              void *ctx, struct wire **out, struct fault *why) ATTR_MUST_CHECK;
/* Copies and queues; sent as soon as the peer takes it. Only after `opened`. */
void wire_send(struct wire *w, struct span bytes);
void wire_close(struct wire *w);
uint64_t wire_took_ms(const struct wire *w);

#endif
