/*
 * What this room is for.      Drives one curl multi from a uv loop: sockets, its timer, finished
 * transfers. What it may touch.          libcurl, libuv. Who calls it.               http_call.c
 * (requests), wire.c (byte pipes); the server opens one a loop. The one invariant.          curl is
 * only called from the loop's own callbacks, never from curl's.
 */
#include "io/http_job.h"

#include <errno.h>

#include "base/mem.h"

/* A socket that curl watches. Freed in its close callback, after curl has let go of the descriptor.
 */
struct http_socket {
    uv_poll_t poll;
    struct http *http;
    curl_socket_t fd;
    int events;
};

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket);
static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx);
static void on_handle_closed(uv_handle_t *handle);

int http_open(uv_loop_t *loop, struct http **out, struct fault *why)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return fault_set(why, -EPROTO, "libcurl does not start");
    }
    struct http *h = mem_calloc(1, sizeof *h);
    h->loop = loop;
    h->multi = curl_multi_init();
    int rc = h->multi == NULL ? -ENOMEM : uv_timer_init(loop, &h->timer);
    if (rc != 0) {
        (void)curl_multi_cleanup(h->multi);
        mem_free(h);
        curl_global_cleanup();
        return fault_set(why, rc, "libcurl does not start");
    }
    h->open_handles = 1;
    (void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    (void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    (void)curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    (void)curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    *out = h;
    return 0;
}

void http_close(struct http *h)
{
    if (h == NULL || h->closing) {
        return;
    }
    h->closing = true;
    (void)curl_multi_cleanup(h->multi);
    curl_global_cleanup();
    uv_close((uv_handle_t *)&h->timer, on_handle_closed);
}

static void http_release(struct http *h)
{
    if (--h->open_handles == 0) {
        mem_free(h);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    http_release(CONTAINER_OF(handle, struct http, timer));
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct http_socket *s = CONTAINER_OF(handle, struct http_socket, poll);
    http_release(s->http);
    mem_free(s);
}

/* Hands finished transfers to their jobs. A job may add, remove and even close the client while it
 * runs. */
static void http_drain(struct http *h)
{
    int left = 0;
    while (!h->closing) {
        CURLMsg *message = curl_multi_info_read(h->multi, &left);
        if (message == NULL) {
            return;
        }
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        /* The message dies with the removal of its handle: copy first. */
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        struct http_job *job = NULL;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&job);
        job->done(job, result);
    }
}

static void http_act(struct http *h, curl_socket_t fd, int bits)
{
    int running = 0;
    (void)curl_multi_socket_action(h->multi, fd, bits, &running);
    http_drain(h);
}

static void on_socket_poll(uv_poll_t *poll, int status, int events)
{
    struct http_socket *s = CONTAINER_OF(poll, struct http_socket, poll);
    struct http *h = s->http;
    int bits = 0;
    if (status < 0) {
        /* libuv says error alone and stops watching, though a last answer may be there to read:
         * with the wanted direction beside the error, curl reads it and then finds the error by
         * itself. */
        bits = CURL_CSELECT_ERR;
        events = s->events;
    }
    bits |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    bits |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    http_act(h, s->fd, bits);
    if (status < 0 && !h->closing && !uv_is_closing((uv_handle_t *)poll) &&
        !uv_is_active((uv_handle_t *)poll)) {
        (void)uv_poll_start(poll, s->events, on_socket_poll);
    }
}

static struct http_socket *socket_new(struct http *h, curl_socket_t fd)
{
    struct http_socket *s = mem_calloc(1, sizeof *s);
    s->http = h;
    s->fd = fd;
    if (uv_poll_init_socket(h->loop, &s->poll, fd) != 0) {
        mem_free(s);
        return NULL;
    }
    h->open_handles++;
    return s;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket)
{
    struct http *h = ctx;
    struct http_socket *s = socket;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL) {
            (void)curl_multi_assign(h->multi, fd, NULL);
            uv_close((uv_handle_t *)&s->poll, on_socket_closed);
        }
        return 0;
    }
    if (s == NULL) {
        s = socket_new(h, fd);
        if (s == NULL) {
            return 0; /* an error here would end every transfer; this one meets its deadline */
        }
        (void)curl_multi_assign(h->multi, fd, s);
    }
    s->events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    (void)uv_poll_start(&s->poll, s->events, on_socket_poll);
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    http_act(CONTAINER_OF(timer, struct http, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct http *h = ctx;
    (void)multi;
    if (h->closing) {
        return 0;
    }
    if (timeout_ms < 0) {
        (void)uv_timer_stop(&h->timer);
    } else {
        (void)uv_timer_start(&h->timer, on_timer, (uint64_t)timeout_ms, 0);
    }
    return 0;
}
