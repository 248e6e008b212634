/*
 * One Postgres connection and one query, in the loop, by libpq (integrations.md §2): driver suffix
 * stripped, names resolved by uv_getaddrinfo and handed over as hostaddr, no PG* variables, own
 * deadline.
 */
#ifndef ROADIE_IO_POSTGRES_H
#define ROADIE_IO_POSTGRES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/fault.h"

struct postgres_call;

struct postgres_request {
    const char *url;
    const char *query; /* a single statement */
    uint64_t timeout_ms;
    const char *connect_address; /* numeric address instead of resolving the host; or NULL */
};

struct postgres_result {
    int error; /* 0; -ECONNREFUSED, -ETIMEDOUT, -ENOENT (name), -EACCES (password, role),
                  -ENODEV (database does not exist), -EAGAIN (starting up), -EBUSY (too many
                  connections), -EPROTO … */
    const char *error_text; /* masked: no password, no URL */
    int rows;
    int columns;
    const char *const *values; /* rows × columns, NULL for SQL null; valid during the callback */
    bool tls;
    uint64_t took_ms;
};
typedef void (*postgres_fn)(void *ctx, const struct postgres_result *result);

/* Unsets every PG* variable of this process, which libpq would mix into connections. Before the
 * first connection and before any thread. */
void postgres_forget_environment(void);

/* Callback exactly once, never before return, unless cancelled. */
int postgres_start(uv_loop_t *loop, const struct postgres_request *request, postgres_fn done,
                   void *ctx, struct postgres_call **out, struct fault *why) ATTR_MUST_CHECK;
void postgres_cancel(struct postgres_call *call);

#endif
