/*
 * What requests and byte pipes share: one curl easy handle in the client's multi. Private to
 * http.c, http_call.c and wire.c.
 */
#ifndef ROADIE_IO_HTTP_JOB_H
#define ROADIE_IO_HTTP_JOB_H

#include <curl/curl.h>

#include "io/http.h"

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    unsigned open_handles;
    bool closing;
};

struct http_job;
typedef void (*http_job_fn)(struct http_job *job, CURLcode result);

struct http_job {
    struct http *http;
    CURL *easy;       /* NULL once finished with */
    http_job_fn done; /* the transfer (of a pipe: the connecting) has ended */
    uint64_t started_ns;
    uint64_t timeout_ms;
    struct curl_slist *connect_to;
    bool attached; /* in the multi */
    char detail[CURL_ERROR_SIZE];
};

/* Makes the handle with the options that everything sets: no signals, no stall in DNS, deadline,
 * proxies, certificates. url must be http or https. connect_address: numeric, or NULL. */
int http_job_init(struct http_job *job, struct http *h, const char *url, uint64_t timeout_ms,
                  const char *connect_address, http_job_fn done, struct fault *why) ATTR_MUST_CHECK;
int http_job_start(struct http_job *job, struct fault *why) ATTR_MUST_CHECK;
/* Takes it out of the multi; what it has received stays readable. */
void http_job_detach(struct http_job *job);
/* Takes it out of the multi and frees the handle; fine twice, and after a failed init. */
void http_job_fini(struct http_job *job);
/* Negative errno for a result that is not CURLE_OK, and its sentence. */
int http_job_error(const struct http_job *job, CURLcode result, char *text, size_t size);
uint64_t http_job_took_ms(const struct http_job *job);

#endif
