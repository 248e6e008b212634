/* A name server that keeps silent: nobody's loop may stand still for it. getaddrinfo is ours in
 * this program. */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "io/http.h"
#include "io/postgres.h"
#include "io/redis.h"
#include "peer.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

enum { LOOKUP_MS = 2500, DEADLINE_MS = 300, GAP_MS = 1200 /* a busy machine is no stall */ };

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
    typedef int (*real_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (name != NULL && strstr(name, "slow.invalid") != NULL) {
        struct timespec t = {.tv_sec = LOOKUP_MS / 1000,
                             .tv_nsec = (long)(LOOKUP_MS % 1000) * 1000000};
        (void)nanosleep(&t, NULL); /* allowed: a resolver that is slow */
        return EAI_NONAME;
    }
    real_fn real;
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &symbol, sizeof real);
    return real(name, service, hints, out);
}

struct seen {
    bool done;
    int error;
};

struct ticker {
    uv_timer_t timer;
    uint64_t last_ms;
    uint64_t worst_ms;
};

static void on_tick(uv_timer_t *timer)
{
    struct ticker *t = timer->data;
    uint64_t now = peer_now_ms();
    uint64_t gap = t->last_ms > 0 ? now - t->last_ms : 0;
    t->worst_ms = gap > t->worst_ms ? gap : t->worst_ms;
    t->last_ms = now;
}

static void ticker_start(struct ticker *t, uv_loop_t *loop)
{
    memset(t, 0, sizeof *t);
    assert_int_equal(uv_timer_init(loop, &t->timer), 0);
    t->timer.data = t;
    (void)uv_timer_start(&t->timer, on_tick, 5, 5);
}

static void on_http(void *ctx, const struct http_reply *reply)
{
    struct seen *s = ctx;
    s->done = true;
    s->error = reply->error;
}

static void on_postgres(void *ctx, const struct postgres_result *result)
{
    struct seen *s = ctx;
    s->done = true;
    s->error = result->error;
}

static void on_redis(void *ctx, const struct redis_result *result)
{
    struct seen *s = ctx;
    s->done = true;
    s->error = result->error;
}

static void test_a_silent_name_server_stops_nothing_but_its_request(void **state)
{
    (void)state;
    static const char *const ping[] = {"PING", NULL};
    static const char *const *const commands[] = {ping, NULL};
    uv_loop_t loop;
    struct http *h = NULL;
    struct ticker t;
    struct seen web = {0};
    struct seen cancelled = {0};
    struct seen base = {0};
    struct seen cache = {0};
    bool never = false;
    struct http_call *call = NULL;
    struct postgres_call *pg = NULL;
    struct postgres_call *pg_cancelled = NULL;
    struct redis_call *rc = NULL;
    struct http_request r = {
        .url = "http://slow.invalid/", .timeout_ms = DEADLINE_MS, .body_max = 10};
    struct postgres_request p = {
        .url = "postgres://u@slow.invalid/x", .query = "SELECT 1", .timeout_ms = DEADLINE_MS};
    struct redis_request q = {
        .url = "redis://slow.invalid", .commands = commands, .timeout_ms = DEADLINE_MS};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(http_open(&loop, &h, NULL), 0);
    ticker_start(&t, &loop);
    uint64_t from = peer_now_ms();
    assert_int_equal(http_start(h, &r, on_http, &web, &call, NULL), 0);
    assert_int_equal(http_start(h, &r, on_http, &cancelled, &call, NULL), 0);
    assert_int_equal(postgres_start(&loop, &p, on_postgres, &base, &pg, NULL), 0);
    assert_int_equal(postgres_start(&loop, &p, on_postgres, &cancelled, &pg_cancelled, NULL), 0);
    assert_int_equal(redis_start(h, &q, on_redis, &cache, &rc, NULL), 0);
    (void)peer_run(&loop, &never, 50);
    http_cancel(call);
    postgres_cancel(pg_cancelled);
    assert_true(peer_run(&loop, &web.done, 2000));
    assert_true(peer_run(&loop, &base.done, 2000));
    assert_true(peer_run(&loop, &cache.done, 2000));
    assert_in_range(peer_now_ms() - from, DEADLINE_MS - 5, DEADLINE_MS + GAP_MS);
    assert_int_equal(web.error, -ETIMEDOUT);
    assert_int_equal(base.error, -ETIMEDOUT);
    assert_int_equal(cache.error, -ETIMEDOUT);
    http_close(h);
    (void)peer_run(&loop, &never, LOOKUP_MS); /* the threads come back to nobody */
    assert_false(cancelled.done);
    print_message("longest gap of the loop: %u ms\n", (unsigned)t.worst_ms);
    assert_true(t.worst_ms < GAP_MS);
    uv_close((uv_handle_t *)&t.timer, NULL);
    assert_int_equal(peer_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_silent_name_server_stops_nothing_but_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
