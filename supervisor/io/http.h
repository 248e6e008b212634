/*
 * HTTP(S) over libcurl in the loop, and raw TCP/TLS byte pipes by CONNECT_ONLY (integrations.md
 * §1). One client a loop. Targets on this machine never go through a proxy; certificates are always
 * verified.
 */
#ifndef ROADIE_IO_HTTP_H
#define ROADIE_IO_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/fault.h"

struct http;      /* the client: one curl multi */
struct http_call; /* one request */

struct http_request {
    const char *url;
    const char *method;         /* NULL: GET */
    const char *const *headers; /* NULL-terminated "Name: value" or NULL */
    struct span body;           /* borrowed until the callback */
    uint64_t timeout_ms;        /* whole request; connect gets the same */
    size_t body_max;            /* what is more is an error: -EMSGSIZE */
    const char
        *connect_address; /* numeric address to connect to instead of resolving the host; or NULL */
    const char *unix_socket; /* path, or NULL */
};

struct http_reply {
    int error; /* 0 when a reply came; else -ECONNREFUSED, -ETIMEDOUT, -ENOENT (name not
                  found), -ECONNRESET, -EMSGSIZE, -EPROTO (TLS or not HTTP) … */
    const char *error_text; /* one clean sentence, no secret, no URL */
    long status;
    struct span body;    /* valid during the callback */
    const char *address; /* numeric address that answered, or "" */
    uint64_t took_ms;
};
typedef void (*http_fn)(void *ctx, const struct http_reply *reply);

int http_open(uv_loop_t *loop, struct http **out, struct fault *why) ATTR_MUST_CHECK;
/* Callback exactly once, never before return, unless cancelled. */
int http_start(struct http *h, const struct http_request *request, http_fn done, void *ctx,
               struct http_call **out, struct fault *why) ATTR_MUST_CHECK;
void http_cancel(struct http_call *call);
/* A reply header of the call while its callback runs; NULL when absent. */
const char *http_header(const struct http_call *call, const char *name);
/* All calls must have ended or been cancelled; inside the callback of one it counts as ended. */
void http_close(struct http *h);

#endif
