/*
 * What this room is for.      One curl handle: the options that everything sets, and errors in our
 * words. What it may touch.          libcurl; the environment's proxy and certificate variables, as
 * curl's tool does. Who calls it.               http_call.c, wire.c. The one invariant.
 * Certificates are always verified; a target on this machine meets no proxy.
 */
#include "io/http_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/address.h"
#include "io/say.h"

/* Collects the first failure of a run of options. */
#define SET(easy, option, value)                                                                   \
    do {                                                                                           \
        CURLcode set_rc = curl_easy_setopt((easy), (option), (value));                             \
        rc = rc == CURLE_OK ? set_rc : rc;                                                         \
    } while (0)

static const char *env_value(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The order of curl's tool. */
static CURLcode set_certificates(CURL *easy)
{
    CURLcode rc = CURLE_OK;
    const char *bundle = env_value("CURL_CA_BUNDLE");
    if (bundle != NULL) {
        SET(easy, CURLOPT_CAINFO, bundle);
        return rc;
    }
    const char *directory = env_value("SSL_CERT_DIR");
    const char *file = env_value("SSL_CERT_FILE");
    if (directory != NULL) {
        SET(easy, CURLOPT_CAPATH, directory);
    }
    if (file != NULL) {
        SET(easy, CURLOPT_CAINFO, file);
    }
    return rc;
}

/* Checks the URL and copies its host into out. */
static int url_host(const char *url, char *out, size_t size, struct fault *why)
{
    CURLU *parsed = curl_url();
    char *scheme = NULL;
    char *host = NULL;
    int code = 0;
    if (parsed == NULL || curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        code = fault_set(why, -EINVAL, "not an http:// or https:// URL");
    } else if (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0) {
        code = fault_set(why, -EINVAL, "scheme %s is neither http nor https", scheme);
    } else if (fmt_into(out, size, "%s", host) != 0) {
        code = fault_set(why, -EINVAL, "host name too long");
    }
    curl_free(host);
    curl_free(scheme);
    curl_url_cleanup(parsed);
    return code;
}

static CURLcode set_common(struct http_job *job, const char *url, bool here)
{
    CURL *easy = job->easy;
    CURLcode rc = set_certificates(easy);
    SET(easy, CURLOPT_URL, url);
    SET(easy, CURLOPT_PRIVATE, job);
    SET(easy, CURLOPT_ERRORBUFFER, job->detail);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(easy, CURLOPT_TIMEOUT_MS, (long)job->timeout_ms);
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)job->timeout_ms);
    SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
#if CURL_AT_LEAST_VERSION(7, 87, 0)
    /* Without it a slow name server holds up the whole loop whenever a handle is removed. */
    SET(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    if (here) {
        SET(easy, CURLOPT_PROXY, "");
        /* A kept connection would delay the orderly stop of a server of the stack. */
        SET(easy, CURLOPT_FRESH_CONNECT, 1L);
        SET(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    if (job->connect_to != NULL) {
        SET(easy, CURLOPT_CONNECT_TO, job->connect_to);
    }
    return rc;
}

int http_job_init(struct http_job *job, struct http *h, const char *url, uint64_t timeout_ms,
                  const char *connect_address, http_job_fn done, struct fault *why)
{
    char host[256];
    *job = (struct http_job){.http = h, .done = done, .timeout_ms = timeout_ms};
    if (timeout_ms == 0 || timeout_ms > INT32_MAX) {
        return fault_set(why, -EINVAL, "a request needs a deadline");
    }
    int code = url_host(url, host, sizeof host, why);
    if (code != 0) {
        return code;
    }
    job->easy = curl_easy_init();
    if (job->easy == NULL) {
        return fault_set(why, -ENOMEM, "libcurl");
    }
    if (connect_address != NULL) {
        bool v6 = strchr(connect_address, ':') != NULL;
        char entry[128];
        code = fmt_into(entry, sizeof entry, v6 ? "::[%s]:" : "::%s:", connect_address);
        if (code != 0 || !address_is_numeric(connect_address)) {
            http_job_fini(job);
            return fault_set(why, -EINVAL, "not a numeric address: %s", connect_address);
        }
        job->connect_to = curl_slist_append(NULL, entry);
    }
    CURLcode rc = set_common(job, url, connect_address != NULL || address_is_here(host));
    if (rc != CURLE_OK) {
        http_job_fini(job);
        return fault_set(why, -EPROTO, "libcurl: %s", curl_easy_strerror(rc));
    }
    return 0;
}

int http_job_start(struct http_job *job, struct fault *why)
{
    job->started_ns = clock_mono_ns();
    CURLMcode rc = curl_multi_add_handle(job->http->multi, job->easy);
    if (rc != CURLM_OK) {
        return fault_set(why, -EPROTO, "libcurl: %s", curl_multi_strerror(rc));
    }
    job->attached = true;
    return 0;
}

void http_job_detach(struct http_job *job)
{
    if (job->attached) {
        job->attached = false;
        (void)curl_multi_remove_handle(job->http->multi, job->easy);
    }
}

void http_job_fini(struct http_job *job)
{
    if (job->easy != NULL) {
        http_job_detach(job);
        curl_easy_cleanup(job->easy);
        job->easy = NULL;
    }
    curl_slist_free_all(job->connect_to);
    job->connect_to = NULL;
}

uint64_t http_job_took_ms(const struct http_job *job)
{
    return (clock_mono_ns() - job->started_ns) / 1000000;
}

/* The system's own reason for a failed connection, or fallback. */
static int system_error(const struct http_job *job, int fallback)
{
    long number = 0;
    (void)curl_easy_getinfo(job->easy, CURLINFO_OS_ERRNO, &number);
    return number > 0 && number < 4096 ? -(int)number : fallback;
}

/* curl's own sentence behind a word of ours; its detail names hosts at most, never a URL. */
static void say_detail(const struct http_job *job, CURLcode result, const char *lead, char *text,
                       size_t size)
{
    char detail[SAY_MAX];
    const char *said = job->detail[0] != '\0' ? job->detail : curl_easy_strerror(result);
    static const char *const skipped[] = {"SSL certificate problem: ", "SSL: "};
    for (size_t i = 0; i < COUNT_OF(skipped); i++) {
        if (strncmp(said, skipped[i], strlen(skipped[i])) == 0) {
            said += strlen(skipped[i]);
        }
    }
    (void)snprintf(text, size, "%s: %s", lead, say_clean(detail, sizeof detail, span_of(said)));
}

static int say(char *text, size_t size, int code, const char *words)
{
    (void)snprintf(text, size, "%s", words);
    return code;
}

int http_job_error(const struct http_job *job, CURLcode result, char *text, size_t size)
{
    int code;
    switch ((int)result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return say(text, size, -ENOENT, "host name not found");
    case CURLE_COULDNT_RESOLVE_PROXY:
        return say(text, size, -ENOENT, "name of the proxy not found");
    case CURLE_COULDNT_CONNECT:
        code = system_error(job, -ECONNREFUSED);
        return say(text, size, code, say_errno(code));
    case CURLE_OPERATION_TIMEDOUT:
        (void)say_no_answer(text, size, job->timeout_ms);
        return -ETIMEDOUT;
    case CURLE_GOT_NOTHING:
        return say(text, size, -ECONNRESET, "closed without an answer");
    case CURLE_PARTIAL_FILE:
        return say(text, size, -ECONNRESET, "closed in the middle of its answer");
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        code = system_error(job, -ECONNRESET);
        return say(text, size, code, say_errno(code));
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer without headers, HTTP/0.9 style */
    case CURLE_WEIRD_SERVER_REPLY:
        return say(text, size, -EPROTO, "not HTTP");
    case CURLE_PEER_FAILED_VERIFICATION:
        say_detail(job, result, "certificate not trusted", text, size);
        return -EPROTO;
    case CURLE_SSL_CONNECT_ERROR:
        say_detail(job, result, "TLS", text, size);
        return -EPROTO;
    case CURLE_SSL_CACERT_BADFILE:
        return say(text, size, -EPROTO, "the file of trusted certificates cannot be read");
    default:
        return say(text, size, -EIO, curl_easy_strerror(result));
    }
}
