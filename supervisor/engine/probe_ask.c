/*
 * What this room is for.      Stage two of a probe: one attempt to speak the protocol, in people's
 * words. What it may touch.          the bridges of io, process/command. Who calls it. probe.c The
 * one invariant.          Every attempt that was started ends in one probe_settle, unless dropped.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/numbers.h"
#include "engine/probe_internal.h"
#include "io/say.h"

enum {
    HTTP_BODY_MAX = 64 * 1024,
    HTTP_BODY_SEARCHED_MAX = 1024 * 1024, /* with `contains` */
    EXEC_OUTPUT_MAX = 4096,
};

uint64_t probe_timeout_ms(const struct probe *p)
{
    enum ready_kind kind = p->opts.spec->kind;
    return kind == READY_DOCKET || kind == READY_POSTGRES ? PROBE_SLOW_TIMEOUT_MS
                                                          : PROBE_TIMEOUT_MS;
}

void probe_settle_error(struct probe *p, int error, const char *text)
{
    char words[PROBE_TEXT_MAX];
    bool reached = error != -ECONNREFUSED && error != -ENOENT;
    if (error == -ETIMEDOUT && p->target.here && p->asked_inode != 0) {
        (void)snprintf(words, sizeof words, "listening, but %s", text);
        text = words;
    }
    probe_settle(p, PROBE_FAIL, text, reached);
}

/* ---- tcp ---- */

static void on_wire_opened(void *ctx)
{
    struct probe *p = ctx;
    char text[64];
    wire_close(p->attempt.wire);
    p->attempt.wire = NULL;
    (void)snprintf(text, sizeof text, "port %u open", (unsigned)p->opts.spec->port);
    probe_settle(p, PROBE_PASS, text, true);
}

static void on_wire_data(void *ctx, struct span bytes)
{
    (void)ctx;
    (void)bytes;
}

static void on_wire_ended(void *ctx, int error, const char *text)
{
    struct probe *p = ctx;
    wire_close(p->attempt.wire);
    p->attempt.wire = NULL;
    probe_settle_error(p, error, text);
}

static int ask_tcp(struct probe *p, const char *address, struct fault *why)
{
    static const struct wire_events events = {
        .opened = on_wire_opened,
        .data = on_wire_data,
        .ended = on_wire_ended,
    };
    struct wire_opts opts = {.host = p->opts.spec->host,
                             .port = p->opts.spec->port,
                             .connect_address = address,
                             .timeout_ms = probe_timeout_ms(p)};
    return wire_open(p->http, &opts, &events, p, &p->attempt.wire, why);
}

/* ---- http ---- */

static bool has_text(struct span body, const char *wanted)
{
    size_t len = strlen(wanted);
    for (size_t i = 0; len <= body.len && i <= body.len - len; i++) {
        if (memcmp(body.ptr + i, wanted, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_accepted(const struct probe *p, long status)
{
    const struct spec_ready *spec = p->opts.spec;
    for (size_t i = 0; i < spec->status_count; i++) {
        if (spec->statuses[i] == status) {
            return true;
        }
    }
    return spec->status_count == 0 && status == 200;
}

/* The path of the URL, without its query: that may hold a token. */
static struct span url_path(const char *url)
{
    const char *at = strstr(url, "://");
    at = at != NULL ? at + 3 : url;
    at += strcspn(at, "/?#");
    size_t len = strcspn(at, "?#");
    return len > 0 ? (struct span){.ptr = at, .len = len} : span_of("/");
}

static void on_http_reply(void *ctx, const struct http_reply *reply)
{
    struct probe *p = ctx;
    const char *contains = p->opts.spec->contains;
    char path[128];
    char text[PROBE_TEXT_MAX];
    p->attempt.http = NULL;
    if (reply->status == 0) {
        probe_settle_error(p, reply->error, reply->error_text);
        return;
    }
    (void)say_clean(path, sizeof path, url_path(p->opts.spec->url));
    int len = snprintf(text, sizeof text, "GET %s %ld", path, reply->status);
    bool pass = is_accepted(p, reply->status);
    if (pass && contains != NULL && !has_text(reply->body, contains)) {
        pass = false;
        if (reply->error == 0) {
            (void)snprintf(text + len, sizeof text - (size_t)len, ", without \"%.60s\"", contains);
        }
    }
    /* A body past the limit is no fault when what was asked for has been seen. */
    if (reply->error != 0 && !(pass && reply->error == -EMSGSIZE)) {
        pass = false;
        (void)snprintf(text + len, sizeof text - (size_t)len, ", then %s", reply->error_text);
    }
    /* Too many requests: our own, queued behind a reload, most likely. It lives. */
    pass = pass || (p->opts.interval_ms > 0 && reply->status == 429);
    probe_settle(p, pass ? PROBE_PASS : PROBE_FAIL, text, true);
}

static int ask_http(struct probe *p, const char *address, struct fault *why)
{
    struct http_request request = {
        .url = p->opts.spec->url,
        .timeout_ms = probe_timeout_ms(p),
        .body_max = p->opts.spec->contains != NULL ? HTTP_BODY_SEARCHED_MAX : HTTP_BODY_MAX,
        .connect_address = address,
    };
    return http_start(p->http, &request, on_http_reply, p, &p->attempt.http, why);
}

/* ---- postgres ---- */

static void on_postgres_result(void *ctx, const struct postgres_result *result)
{
    struct probe *p = ctx;
    p->attempt.postgres = NULL;
    if (result->error != 0) {
        probe_settle_error(p, result->error, result->error_text);
    } else {
        probe_settle(p, PROBE_PASS, "SELECT 1", true);
    }
}

static int ask_postgres(struct probe *p, const char *address, struct fault *why)
{
    struct postgres_request request = {
        .url = p->opts.spec->url,
        .query = "SELECT 1",
        .timeout_ms = probe_timeout_ms(p),
        .connect_address = address,
    };
    return postgres_start(p->loop, &request, on_postgres_result, p, &p->attempt.postgres, why);
}

/* ---- exec ---- */

/* The last line that it wrote, stderr before stdout. */
static struct span last_line(struct span out, struct span err)
{
    struct span text = span_trim(err);
    text = text.len > 0 ? text : span_trim(out);
    for (size_t i = text.len; i > 0; i--) {
        if (text.ptr[i - 1] == '\n') {
            return (struct span){.ptr = text.ptr + i, .len = text.len - i};
        }
    }
    return text;
}

static void on_command_result(void *ctx, const struct command_result *result)
{
    struct probe *p = ctx;
    char text[PROBE_TEXT_MAX];
    char line[128];
    p->attempt.command = NULL;
    const char *words = say_clean(line, sizeof line, last_line(result->out, result->err));
    const char *colon = words[0] != '\0' ? ": " : "";
    if (result->error != 0) {
        (void)snprintf(text, sizeof text, "%.100s: %s", p->opts.spec->argv[0],
                       say_errno(result->error));
    } else if (result->timed_out) {
        (void)say_no_answer(text, sizeof text, probe_timeout_ms(p));
    } else if (result->signal != 0) {
        (void)snprintf(text, sizeof text, "killed by SIG%s%s%s", signal_name(result->signal), colon,
                       words);
    } else {
        (void)snprintf(text, sizeof text, "exit %d%s%s", result->code,
                       result->code != 0 ? colon : "", result->code != 0 ? words : "");
    }
    bool pass =
        result->error == 0 && !result->timed_out && result->signal == 0 && result->code == 0;
    probe_settle(p, pass ? PROBE_PASS : PROBE_FAIL, text, false);
}

static int ask_exec(struct probe *p, struct fault *why)
{
    struct command_opts opts = {
        .argv = p->opts.spec->argv,
        .envp = p->opts.envp,
        .directory = p->opts.directory,
        .timeout_ms = probe_timeout_ms(p),
        .output_max = EXEC_OUTPUT_MAX,
    };
    return command_start(p->loop, &opts, on_command_result, p, &p->attempt.command, why);
}

/* ---- all ---- */

int probe_ask(struct probe *p, const char *address, struct fault *why)
{
    switch (p->opts.spec->kind) {
    case READY_TCP:
        return ask_tcp(p, address, why);
    case READY_HTTP:
        return ask_http(p, address, why);
    case READY_REDIS:
        return probe_ask_redis(p, address, why);
    case READY_DOCKET:
        return probe_ask_docket(p, why);
    case READY_POSTGRES:
        return ask_postgres(p, address, why);
    case READY_EXEC:
        return ask_exec(p, why);
    case READY_LOG:
    case READY_NOTIFY:
    case READY_DELAY:
        break;
    }
    return fault_set(why, -EINVAL, "this kind is not asked");
}

void probe_drop(struct probe *p)
{
    struct probe_attempt attempt = p->attempt;
    p->attempt = (struct probe_attempt){0};
    p->asking = false;
    http_cancel(attempt.http);
    redis_cancel(attempt.redis);
    postgres_cancel(attempt.postgres);
    if (attempt.command != NULL) {
        command_cancel(attempt.command);
    }
    wire_close(attempt.wire);
}
