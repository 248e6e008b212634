/*
 * What this room is for.      One HTTP request: its options, its bounded answer, its end.
 * What it may touch.          libcurl through http_job.
 * Who calls it.               probes now; GitHub, Cloudflare and R2 later.
 * The one invariant.          No more than body_max and HEADERS_MAX bytes of an answer are ever
 * kept.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/numbers.h"
#include "io/http_job.h"
#include "io/say.h"

enum { HEADERS_MAX = 32 * 1024 };

enum overflow { OVERFLOW_NONE, OVERFLOW_BODY, OVERFLOW_HEADERS };

struct http_call {
    struct http_job job;
    http_fn done;
    void *ctx;
    struct curl_slist *headers;
    struct buf body;
    size_t body_max;
    size_t header_bytes;
    enum overflow overflow;
    bool finished;
    char text[SAY_MAX];
};

static void on_job_done(struct http_job *job, CURLcode result);
static size_t on_body(char *bytes, size_t size, size_t count, void *ctx);
static size_t on_header(char *bytes, size_t size, size_t count, void *ctx);
static void call_free(struct http_call *call);

#define SET(option, value)                                                                         \
    do {                                                                                           \
        CURLcode set_rc = curl_easy_setopt(easy, (option), (value));                               \
        rc = rc == CURLE_OK ? set_rc : rc;                                                         \
    } while (0)

/* A header list of curl's; a body has no content type but the caller's, and no "Expect". */
static int copy_headers(struct http_call *call, const struct http_request *request,
                        struct fault *why)
{
    bool typed = false;
    for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++) {
        const char *header = request->headers[i];
        if (strpbrk(header, "\r\n") != NULL || strchr(header, ':') == NULL) {
            return fault_set(why, -EINVAL, "header %zu is not \"Name: value\"", i + 1);
        }
        typed = typed || curl_strnequal(header, "content-type:", 13) != 0;
        call->headers = curl_slist_append(call->headers, header);
    }
    if (request->body.len > 0) {
        call->headers = curl_slist_append(call->headers, "Expect:");
        if (!typed) {
            call->headers = curl_slist_append(call->headers, "Content-Type:");
        }
    }
    return 0;
}

static CURLcode set_method(CURL *easy, const struct http_request *request)
{
    CURLcode rc = CURLE_OK;
    const char *method = request->method != NULL ? request->method : "GET";
    if (request->body.len > 0) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        SET(CURLOPT_POSTFIELDS, request->body.ptr);
    }
    if (strcmp(method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "GET") != 0 || request->body.len > 0) {
        SET(CURLOPT_CUSTOMREQUEST, method);
    }
    return rc;
}

static CURLcode set_request(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->job.easy;
    CURLcode rc = set_method(easy, request);
    SET(CURLOPT_USERAGENT, "roadie/" ROADIE_VERSION);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, call);
    if (call->headers != NULL) {
        SET(CURLOPT_HTTPHEADER, call->headers);
    }
    if (request->unix_socket != NULL) {
        SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
        SET(CURLOPT_PROXY, "");
    }
    return rc;
}

int http_start(struct http *h, const struct http_request *request, http_fn done, void *ctx,
               struct http_call **out, struct fault *why)
{
    struct http_call *call = mem_calloc(1, sizeof *call);
    call->done = done;
    call->ctx = ctx;
    call->body_max = request->body_max;
    int code = http_job_init(&call->job, h, request->url, request->timeout_ms,
                             request->connect_address, on_job_done, why);
    if (code == 0) {
        code = copy_headers(call, request, why);
    }
    if (code == 0) {
        CURLcode rc = set_request(call, request);
        code = rc == CURLE_OK ? 0 : fault_set(why, -EINVAL, "libcurl: %s", curl_easy_strerror(rc));
    }
    if (code == 0) {
        code = http_job_start(&call->job, why);
    }
    if (code != 0) {
        call_free(call);
        return code;
    }
    *out = call;
    return 0;
}

void http_cancel(struct http_call *call)
{
    if (call != NULL && !call->finished) {
        call_free(call);
    }
}

const char *http_header(const struct http_call *call, const char *name)
{
    struct curl_header *header = NULL;
    if (call->job.easy == NULL ||
        curl_easy_header(call->job.easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return NULL;
    }
    return header->value;
}

static void call_free(struct http_call *call)
{
    http_job_fini(&call->job);
    curl_slist_free_all(call->headers);
    buf_fini(&call->body);
    mem_free(call);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    size_t len = size * count;
    size_t room = call->body_max - call->body.len;
    (void)buf_append(&call->body, bytes, len < room ? len : room);
    if (len > room) {
        call->overflow = OVERFLOW_BODY;
        return 0;
    }
    return len;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    size_t len = size * count;
    (void)bytes;
    call->header_bytes += len;
    if (call->header_bytes > HEADERS_MAX) {
        call->overflow = OVERFLOW_HEADERS;
        return 0;
    }
    return len;
}

static int call_error(struct http_call *call, CURLcode result)
{
    char size[32];
    switch (call->overflow) {
    case OVERFLOW_BODY:
        (void)snprintf(call->text, sizeof call->text, "body larger than %s",
                       format_size(call->body_max, size, sizeof size));
        return -EMSGSIZE;
    case OVERFLOW_HEADERS:
        (void)snprintf(call->text, sizeof call->text, "headers larger than %s",
                       format_size(HEADERS_MAX, size, sizeof size));
        return -EMSGSIZE;
    case OVERFLOW_NONE:
        break;
    }
    return result == CURLE_OK ? 0
                              : http_job_error(&call->job, result, call->text, sizeof call->text);
}

static void on_job_done(struct http_job *job, CURLcode result)
{
    struct http_call *call = CONTAINER_OF(job, struct http_call, job);
    const char *address = NULL;
    struct http_reply reply = {.error = call_error(call, result), .error_text = call->text};
    (void)curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &reply.status);
    (void)curl_easy_getinfo(job->easy, CURLINFO_PRIMARY_IP, &address);
    reply.address = address != NULL ? address : "";
    reply.body = call->body.ptr != NULL ? buf_span(&call->body) : span_of("");
    reply.took_ms = http_job_took_ms(job);
    call->finished = true; /* a cancel from inside the callback changes nothing any more */
    http_job_detach(job);  /* and closing the client there is allowed */
    call->done(call->ctx, &reply);
    call_free(call);
}
