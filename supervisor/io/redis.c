/*
 * What this room is for.      One Redis conversation: AUTH, SELECT and a pipeline, then goodbye.
 * What it may touch.          wire (transport), hiredis as codec only.
 * Who calls it.               the redis and docket probes; checks later.
 * The one invariant.          The result is reported once, and never more than resp.h allows is
 * stored.
 */
#include "io/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/redis_url.h"
#include "io/resp.h"
#include "io/say.h"
#include "io/wire.h"

enum { WORDS_MAX = 32 };  /* of one command */
enum { HEAD_BYTES = 32 }; /* of a first answer that is not Redis: enough to say what it is */

struct redis_call {
    struct wire *wire;
    redisReader *reader;
    redis_fn done;
    void *ctx;
    struct buf request; /* all commands, formatted; may hold a password until sent */
    size_t greeting;    /* replies to AUTH and SELECT, before those of the caller */
    bool authed;        /* the first greeting is that of AUTH */
    size_t expected;    /* greeting included */
    size_t seen;
    struct resp_guard guard;
    redisReply **replies;
    size_t reply_count;
    int error; /* of a reply (NOAUTH, LOADING): reported when all have come */
    char text[SAY_MAX];
    char head[HEAD_BYTES];
    size_t head_len;
    bool finished;
};

static void on_wire_opened(void *ctx);
static void on_wire_data(void *ctx, struct span bytes);
static void on_wire_ended(void *ctx, int error, const char *text);

static const struct wire_events wire_events = {
    .opened = on_wire_opened,
    .data = on_wire_data,
    .ended = on_wire_ended,
};

static int add_command(struct redis_call *call, const char *const *words, struct fault *why)
{
    const char *argv[WORDS_MAX];
    int argc = 0;
    while (words[argc] != NULL) {
        if (argc == WORDS_MAX) {
            return fault_set(why, -EINVAL, "a Redis command of more than %d words", (int)WORDS_MAX);
        }
        argv[argc] = words[argc];
        argc++;
    }
    char *formatted = NULL;
    int len = redisFormatCommandArgv(&formatted, argc, argv, NULL);
    if (len < 0) {
        return fault_set(why, -ENOMEM, "hiredis");
    }
    (void)buf_append(&call->request, formatted, (size_t)len);
    mem_wipe(formatted, (size_t)len);
    redisFreeCommand(formatted);
    call->expected++;
    return 0;
}

static int add_greeting(struct redis_call *call, const struct redis_url *url, struct fault *why)
{
    int code = 0;
    if (url->password != NULL && url->user != NULL) {
        code =
            add_command(call, (const char *const[]){"AUTH", url->user, url->password, NULL}, why);
    } else if (url->password != NULL) {
        /* Not AUTH "" password: the server takes that for an unknown user. */
        code = add_command(call, (const char *const[]){"AUTH", url->password, NULL}, why);
    }
    call->authed = url->password != NULL;
    if (code == 0 && url->db > 0) {
        char db[16];
        (void)snprintf(db, sizeof db, "%u", url->db);
        code = add_command(call, (const char *const[]){"SELECT", db, NULL}, why);
    }
    call->greeting = call->expected;
    return code;
}

static void call_free(struct redis_call *call)
{
    call->finished = true;
    wire_close(call->wire);
    for (size_t i = 0; i < call->reply_count; i++) {
        freeReplyObject(call->replies[i]);
    }
    mem_free(call->replies);
    if (call->reader != NULL) {
        redisReaderFree(call->reader);
    }
    if (call->request.ptr != NULL) {
        mem_wipe(call->request.ptr, call->request.cap);
    }
    buf_fini(&call->request);
    mem_free(call);
}

int redis_start(struct http *h, const struct redis_request *request, redis_fn done, void *ctx,
                struct redis_call **out, struct fault *why)
{
    struct redis_url url;
    int code = redis_url_parse(&url, request->url, why);
    if (code != 0) {
        redis_url_fini(&url);
        return code;
    }
    struct redis_call *call = mem_calloc(1, sizeof *call);
    call->done = done;
    call->ctx = ctx;
    call->reader = redisReaderCreate();
    code =
        call->reader == NULL ? fault_set(why, -ENOMEM, "hiredis") : add_greeting(call, &url, why);
    for (size_t i = 0; code == 0 && request->commands[i] != NULL; i++) {
        code = add_command(call, request->commands[i], why);
    }
    call->replies = mem_calloc(call->expected, sizeof(redisReply *));
    struct wire_opts opts = {.host = url.host,
                             .port = url.port,
                             .tls = url.tls,
                             .connect_address = request->connect_address,
                             .timeout_ms = request->timeout_ms};
    if (code == 0) {
        code = wire_open(h, &opts, &wire_events, call, &call->wire, why);
    }
    redis_url_fini(&url);
    if (code != 0) {
        call_free(call);
        return code;
    }
    *out = call;
    return 0;
}

void redis_cancel(struct redis_call *call)
{
    if (call != NULL && !call->finished) {
        call_free(call);
    }
}

static void finish(struct redis_call *call, int error, const char *text)
{
    struct redis_result result = {.error = error,
                                  .error_text = text,
                                  .replies = call->replies,
                                  .reply_count = call->reply_count,
                                  .took_ms = wire_took_ms(call->wire)};
    call->finished = true;
    wire_close(call->wire); /* before the callback, which may close the client */
    call->wire = NULL;
    call->done(call->ctx, &result);
    call_free(call);
}

static void on_wire_opened(void *ctx)
{
    struct redis_call *call = ctx;
    wire_send(call->wire, buf_span(&call->request));
}

/* What the first bytes show when they are not RESP. */
static void finish_stranger(struct redis_call *call)
{
    char seen[HEAD_BYTES * 2];
    struct span head = {.ptr = call->head, .len = call->head_len};
    if (span_starts(head, "HTTP/")) {
        (void)snprintf(call->text, sizeof call->text, "not Redis (answers HTTP)");
    } else if (head.len > 0 && (head.ptr[0] == 0x15 || head.ptr[0] == 0x16)) {
        (void)snprintf(call->text, sizeof call->text, "not Redis (answers TLS)");
    } else {
        (void)snprintf(call->text, sizeof call->text, "not Redis (answers \"%s\")",
                       say_clean(seen, sizeof seen, head));
    }
    finish(call, -EPROTO, call->text);
}

static void call_fail(struct redis_call *call, int error, const redisReply *reply)
{
    if (call->error == 0) {
        call->error = error;
        (void)say_clean(call->text, sizeof call->text,
                        (struct span){.ptr = reply->str, .len = reply->len});
    }
}

/* Errors that say something about the server or our access rather than about one command. */
static void note_error(struct redis_call *call, const redisReply *reply, bool greeting)
{
    static const struct {
        const char *prefix;
        int error;
    } known[] = {
        {"NOAUTH", -EACCES}, {"WRONGPASS", -EACCES}, {"NOPERM", -EACCES},
        {"DENIED", -EACCES}, {"LOADING", -EAGAIN},   {"MASTERDOWN", -EAGAIN},
    };
    struct span text = {.ptr = reply->str, .len = reply->len};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (span_starts(text, known[i].prefix)) {
            call_fail(call, known[i].error, reply);
            return;
        }
    }
    if (!greeting) {
        return;
    }
    if (call->authed && call->seen == 0) {
        /* A server without a password takes any client: "AUTH called without any password
         * configured". */
        if (strstr(reply->str, "without any password") == NULL) {
            call_fail(call, -EACCES, reply);
        }
        return;
    }
    call_fail(call, -EINVAL, reply);
}

static void take_reply(struct redis_call *call, redisReply *reply)
{
    bool greeting = call->seen < call->greeting;
    if (reply->type == REDIS_REPLY_ERROR) {
        note_error(call, reply, greeting);
    }
    call->seen++;
    if (greeting) {
        freeReplyObject(reply);
    } else {
        call->replies[call->reply_count++] = reply;
    }
}

static void on_wire_data(void *ctx, struct span bytes)
{
    struct redis_call *call = ctx;
    if (call->head_len < HEAD_BYTES) {
        size_t room = HEAD_BYTES - call->head_len;
        size_t take = bytes.len < room ? bytes.len : room;
        memcpy(call->head + call->head_len, bytes.ptr, take);
        call->head_len += take;
    }
    int code = resp_guard_feed(&call->guard, bytes);
    if (code == -EMSGSIZE) {
        finish(call, code, "its answer is too large");
        return;
    }
    if (code != 0 || redisReaderFeed(call->reader, bytes.ptr, bytes.len) != REDIS_OK) {
        finish_stranger(call);
        return;
    }
    while (call->seen < call->expected) {
        void *reply = NULL;
        if (redisReaderGetReply(call->reader, &reply) != REDIS_OK) {
            finish_stranger(call);
            return;
        }
        if (reply == NULL) {
            return;
        }
        take_reply(call, reply);
    }
    finish(call, call->error, call->text);
}

static void on_wire_ended(void *ctx, int error, const char *text)
{
    struct redis_call *call = ctx;
    if (call->error != 0) {
        /* DENIED: said once, then closed. */
        finish(call, call->error, call->text);
        return;
    }
    if (error == 0) {
        error = -ECONNRESET;
        text =
            call->head_len > 0 ? "closed in the middle of its answer" : "closed without an answer";
    }
    finish(call, error, text);
}
