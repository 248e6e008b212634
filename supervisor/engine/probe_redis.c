/*
 * What this room is for.      The redis kind: PONG, and not loading.
 * What it may touch.          io/redis.
 * Who calls it.               probe_ask.c
 * The one invariant.          Only a PONG passes.
 */
#include <errno.h>
#include <string.h>

#include "engine/probe_internal.h"

/* The server's errors in fewer words; others are quoted. */
static const char *short_error(const char *text)
{
    static const struct {
        const char *prefix;
        const char *words;
    } known[] = {
        {"NOAUTH", "NOAUTH: needs a password"},
        {"WRONGPASS", "WRONGPASS: wrong user or password"},
        {"DENIED", "DENIED: protected mode, takes no clients from outside"},
        {"LOADING", "LOADING"},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strncmp(text, known[i].prefix, strlen(known[i].prefix)) == 0) {
            return known[i].words;
        }
    }
    return text;
}

static void on_redis_result(void *ctx, const struct redis_result *result)
{
    struct probe *p = ctx;
    p->attempt.redis = NULL;
    const redisReply *pong = result->reply_count > 0 ? result->replies[0] : NULL;
    const redisReply *info = result->reply_count > 1 ? result->replies[1] : NULL;
    bool alive = pong != NULL && pong->type == REDIS_REPLY_STATUS && strcmp(pong->str, "PONG") == 0;
    if (!alive) {
        bool odd = result->error == 0;
        probe_settle_error(p, odd ? -EPROTO : result->error,
                           odd ? "not Redis (no PONG)" : short_error(result->error_text));
        return;
    }
    /* A user that may not ask INFO gets an error there: then the PONG, which LOADING would deny,
     * decides. */
    if (info != NULL && info->type == REDIS_REPLY_STRING &&
        strstr(info->str, "\r\nloading:1") != NULL) {
        probe_settle(p, PROBE_FAIL, "LOADING", true);
        return;
    }
    probe_settle(p, PROBE_PASS, "PONG", true);
}

int probe_ask_redis(struct probe *p, const char *address, struct fault *why)
{
    static const char *const ping[] = {"PING", NULL};
    static const char *const info[] = {"INFO", "persistence", NULL};
    static const char *const *const commands[] = {ping, info, NULL};
    struct redis_request request = {
        .url = p->opts.spec->url,
        .connect_address = address,
        .commands = commands,
        .timeout_ms = probe_timeout_ms(p),
    };
    return redis_start(p->http, &request, on_redis_result, p, &p->attempt.redis, why);
}
