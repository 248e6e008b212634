/*
 * What this room is for.      Moves bytes over a connection that curl made (CONNECT_ONLY).
 * What it may touch.          libcurl through http_job, libuv.
 * Who calls it.               redis.c, the tcp probe.
 * The one invariant.          Our poll handle is closed before curl may close the descriptor.
 */
#include "io/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/address.h"
#include "io/http_job.h"
#include "io/say.h"

enum { READ_BYTES = 16 * 1024 };

struct wire {
    struct http_job job;
    uv_timer_t deadline; /* also keeps the storage until the loop has let go of everything */
    uv_poll_t *poll;     /* ours, once connected */
    const struct wire_events *events;
    void *ctx;
    struct buf unsent;
    int polled; /* events that poll waits for */
    bool ended;
    bool closing;
};

static void on_job_done(struct http_job *job, CURLcode result);
static void on_deadline(uv_timer_t *timer);
static void on_wire_poll(uv_poll_t *poll, int status, int events);
static void wire_unwatch(struct wire *w);

static int wire_url(const struct wire_opts *opts, char *url, size_t size, struct fault *why)
{
    char host[256];
    if (!address_bare(opts->host, host, sizeof host) || host[0] == '\0' ||
        strpbrk(host, "/?#@ \t\r\n") != NULL || opts->port == 0) {
        return fault_set(why, -EINVAL, "not a host and port");
    }
    const char *scheme = opts->tls ? "https" : "http";
    return fmt_into(url, size, strchr(host, ':') != NULL ? "%s://[%s]:%u" : "%s://%s:%u", scheme,
                    host, (unsigned)opts->port);
}

static int wire_prepare(struct wire *w)
{
    CURL *easy = w->job.easy;
    if (curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L) != CURLE_OK ||
        /* "Done" is when it is connected: a connection that must not be reused would end there. */
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L) != CURLE_OK) {
        return -EPROTO;
    }
    return 0;
}

int wire_open(struct http *h, const struct wire_opts *opts, const struct wire_events *events,
              void *ctx, struct wire **out, struct fault *why)
{
    char url[320];
    int code = wire_url(opts, url, sizeof url, why);
    if (code != 0) {
        return code;
    }
    struct wire *w = mem_calloc(1, sizeof *w);
    w->events = events;
    w->ctx = ctx;
    code =
        http_job_init(&w->job, h, url, opts->timeout_ms, opts->connect_address, on_job_done, why);
    if (code == 0 && (code = wire_prepare(w)) != 0) {
        (void)fault_set(why, code, "libcurl cannot open a byte pipe");
    }
    if (code == 0) {
        code = http_job_start(&w->job, why);
    }
    if (code != 0) {
        http_job_fini(&w->job);
        mem_free(w);
        return code;
    }
    (void)uv_timer_init(h->loop, &w->deadline);
    (void)uv_timer_start(&w->deadline, on_deadline, opts->timeout_ms, 0);
    *out = w;
    return 0;
}

static void on_deadline_closed(uv_handle_t *handle)
{
    struct wire *w = CONTAINER_OF(handle, struct wire, deadline);
    buf_fini(&w->unsent);
    mem_free(w);
}

void wire_close(struct wire *w)
{
    if (w == NULL || w->closing) {
        return;
    }
    w->closing = true;
    wire_unwatch(w);
    http_job_fini(&w->job);
    uv_close((uv_handle_t *)&w->deadline, on_deadline_closed);
}

uint64_t wire_took_ms(const struct wire *w)
{
    return http_job_took_ms(&w->job);
}

static void wire_end(struct wire *w, int error, const char *text)
{
    if (w->ended || w->closing) {
        return;
    }
    w->ended = true;
    wire_unwatch(w);
    (void)uv_timer_stop(&w->deadline);
    w->events->ended(w->ctx, error, text);
}

static void on_deadline(uv_timer_t *timer)
{
    struct wire *w = CONTAINER_OF(timer, struct wire, deadline);
    char text[64];
    wire_end(w, -ETIMEDOUT, say_no_answer(text, sizeof text, w->job.timeout_ms));
}

static void on_poll_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static void wire_unwatch(struct wire *w)
{
    if (w->poll != NULL) {
        uv_close((uv_handle_t *)w->poll, on_poll_closed);
        w->poll = NULL;
    }
}

/* Waits for bytes, and for room while something is unsent. */
static void wire_watch(struct wire *w)
{
    int events = UV_READABLE | (w->unsent.len > 0 ? UV_WRITABLE : 0);
    if (w->poll != NULL && events != w->polled) {
        w->polled = events;
        (void)uv_poll_start(w->poll, events, on_wire_poll);
    }
}

static void on_job_done(struct http_job *job, CURLcode result)
{
    struct wire *w = CONTAINER_OF(job, struct wire, job);
    char text[SAY_MAX];
    if (result != CURLE_OK) {
        int error = http_job_error(job, result, text, sizeof text);
        wire_end(w, error, text);
        return;
    }
    curl_socket_t fd = CURL_SOCKET_BAD;
    (void)curl_easy_getinfo(job->easy, CURLINFO_ACTIVESOCKET, &fd);
    w->poll = mem_calloc(1, sizeof *w->poll);
    w->poll->data = w;
    if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(job->http->loop, w->poll, fd) != 0) {
        mem_free(w->poll);
        w->poll = NULL;
        wire_end(w, -EIO, "the connection cannot be watched");
        return;
    }
    wire_watch(w);
    w->events->opened(w->ctx);
}

/* The error behind a failed read or write. */
static void wire_fail(struct wire *w, CURLcode result)
{
    char text[SAY_MAX];
    int error = http_job_error(&w->job, result, text, sizeof text);
    wire_end(w, error, text);
}

static void wire_flush(struct wire *w)
{
    while (w->unsent.len > 0) {
        size_t sent = 0;
        CURLcode rc = curl_easy_send(w->job.easy, w->unsent.ptr, w->unsent.len, &sent);
        if (rc == CURLE_AGAIN) {
            break;
        }
        if (rc != CURLE_OK) {
            /* What the peer said before it closed is still to be read; reading then finds the end.
             */
            buf_clear(&w->unsent);
            break;
        }
        buf_consume(&w->unsent, sent);
    }
    wire_watch(w);
}

void wire_send(struct wire *w, struct span bytes)
{
    if (w->closing || w->ended) {
        return;
    }
    (void)buf_append(&w->unsent, bytes.ptr, bytes.len);
    wire_flush(w);
}

/* Until nothing is left, which for TLS is more than the socket says. */
static void wire_read(struct wire *w)
{
    char bytes[READ_BYTES];
    for (;;) {
        size_t got = 0;
        CURLcode rc = curl_easy_recv(w->job.easy, bytes, sizeof bytes, &got);
        if (rc == CURLE_AGAIN) {
            return;
        }
        if (rc != CURLE_OK) {
            wire_fail(w, rc);
            return;
        }
        if (got == 0) {
            wire_end(w, 0, "closed");
            return;
        }
        w->events->data(w->ctx, (struct span){.ptr = bytes, .len = got});
        if (w->closing || w->ended) {
            return;
        }
    }
}

static void on_wire_poll(uv_poll_t *poll, int status, int events)
{
    struct wire *w = poll->data;
    if (w->closing || w->ended) {
        return;
    }
    if (status < 0 || (events & UV_READABLE) != 0) {
        wire_read(w);
    }
    if (!w->closing && !w->ended && (status < 0 || (events & UV_WRITABLE) != 0)) {
        wire_flush(w);
    }
    if (status < 0 && !w->closing && !w->ended) {
        wire_end(w, -ECONNRESET, say_errno(-ECONNRESET));
    }
}
