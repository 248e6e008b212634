/*
 * A Redis conversation: connect, AUTH, SELECT, then a pipeline of commands, in the loop; hiredis as
 * codec over curl's CONNECT_ONLY pipe (integrations.md §3). redis:// and rediss://.
 */
#ifndef ROADIE_IO_REDIS_H
#define ROADIE_IO_REDIS_H

#include <hiredis/hiredis.h>

#include "io/http.h"

struct redis_call;

struct redis_request {
    const char *url;                    /* redis://[user][:password]@host[:port][/db] */
    const char *connect_address;        /* numeric, or NULL */
    const char *const *const *commands; /* NULL-terminated list of NULL-terminated argument lists */
    uint64_t timeout_ms;
};

struct redis_result {
    int error; /* 0 when all replies came; else as http_reply.error, -EACCES for NOAUTH,
                  WRONGPASS, NOPERM, DENIED; -EAGAIN for LOADING; -EPROTO for not Redis */
    const char
        *error_text; /* "NOAUTH Authentication required", "LOADING …", "not Redis (answers HTTP)" */
    redisReply **replies; /* one a command, valid during the callback */
    size_t reply_count;
    uint64_t took_ms;
};
typedef void (*redis_fn)(void *ctx, const struct redis_result *result);

int redis_start(struct http *h, const struct redis_request *request, redis_fn done, void *ctx,
                struct redis_call **out, struct fault *why) ATTR_MUST_CHECK;
void redis_cancel(struct redis_call *call);

#endif
