/* HTTP over real and misbehaving peers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/http.h"
#include "peer.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

struct seen {
    bool done;
    int error;
    char text[256];
    long status;
    char body[256];
    size_t body_len;
    char header[128];
    struct http *close_inside;
    struct http_call *call;
};

struct fixture {
    uv_loop_t loop;
    struct http *http;
};

static int set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    assert_int_equal(uv_loop_init(&f.loop), 0);
    assert_int_equal(http_open(&f.loop, &f.http, NULL), 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_close(f->http);
    assert_int_equal(peer_loop_close(&f->loop), 0);
    return 0;
}

static void on_reply(void *ctx, const struct http_reply *reply)
{
    struct seen *s = ctx;
    assert_false(s->done);
    s->done = true;
    s->error = reply->error;
    s->status = reply->status;
    s->body_len = reply->body.len;
    (void)snprintf(s->text, sizeof s->text, "%s", reply->error_text);
    (void)snprintf(s->body, sizeof s->body, "%.*s",
                   (int)(reply->body.len < 200 ? reply->body.len : 200), reply->body.ptr);
    const char *header = http_header(s->call, "X-Test");
    (void)snprintf(s->header, sizeof s->header, "%s", header != NULL ? header : "");
    if (s->close_inside != NULL) {
        http_cancel(s->call);
        http_close(s->close_inside);
    }
}

static void get(struct fixture *f, struct seen *s, const char *url, uint64_t timeout_ms, size_t max)
{
    struct fault why = {0};
    struct http_request r = {.url = url, .timeout_ms = timeout_ms, .body_max = max};
    int code = http_start(f->http, &r, on_reply, s, &s->call, &why);
    assert_string_equal(fault_text(&why), "");
    assert_int_equal(code, 0);
    assert_false(s->done);
    assert_true(peer_run(&f->loop, &s->done, 5000));
}

static void get_peer(struct fixture *f, struct seen *s, const struct peer_opts *opts,
                     uint64_t timeout_ms)
{
    struct peer p;
    char url[128];
    peer_start(&p, opts);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/health?token=x", (unsigned)p.port);
    get(f, s, url, timeout_ms, 1024);
    peer_stop(&p);
}

static void test_a_reply_arrives_with_status_body_and_headers(void **state)
{
    struct seen s = {0};
    get_peer(*state, &s,
             &(struct peer_opts){
                 .kind = PEER_SAY,
                 .text = "HTTP/1.1 503 Sorry\r\nX-Test: yes\r\nContent-Length: 4\r\n\r\nbusy"},
             2000);
    assert_int_equal(s.error, 0);
    assert_int_equal(s.status, 503);
    assert_string_equal(s.body, "busy");
    assert_string_equal(s.header, "yes");
}

static void test_a_reply_followed_by_a_reset_is_still_read(void **state)
{
    for (int i = 0; i < 50; i++) {
        struct seen s = {0};
        get_peer(*state, &s,
                 &(struct peer_opts){.kind = PEER_SAY_RESET,
                                     .text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
                 2000);
        assert_string_equal(s.text, "");
        assert_int_equal(s.status, 200);
    }
}

struct bad_case {
    const char *name;
    struct peer_opts peer;
    int error;
    const char *text;
};

static void test_misbehaving_peers_get_one_clear_error_each(void **state)
{
    static char many[40 * 1024];
    static const char line[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    size_t len = (size_t)snprintf(many, sizeof many, "HTTP/1.1 200 OK\r\n");
    while (len + sizeof line < sizeof many) {
        len += (size_t)snprintf(many + len, sizeof many - len, "%s", line);
    }
    const struct bad_case cases[] = {
        {"silent", {.kind = PEER_SILENT}, -ETIMEDOUT, "no answer in 300ms"},
        {"close", {.kind = PEER_CLOSE}, -ECONNRESET, "closed without an answer|connection reset"},
        {"reset", {.kind = PEER_RESET}, -ECONNRESET, "connection reset"},
        {"half",
         {.kind = PEER_SAY, .text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal"},
         -ECONNRESET,
         "closed in the middle of its answer"},
        {"half head",
         {.kind = PEER_SAY, .text = "HTTP/1.1 20"},
         -ECONNRESET,
         "closed without an answer"},
        {"ssh", {.kind = PEER_SAY, .text = "SSH-2.0-OpenSSH_9.2\r\n"}, -EPROTO, "not HTTP"},
        {"garbage", {.kind = PEER_SAY, .text = "\x15\x03\x01 garbage"}, -EPROTO, "not HTTP"},
        {"drip", {.kind = PEER_DRIP, .text = many}, -ETIMEDOUT, "no answer in 300ms"},
        {"endless",
         {.kind = PEER_ENDLESS, .text = "HTTP/1.1 200 OK\r\n\r\n"},
         -EMSGSIZE,
         "body larger than 1.0k"},
        {"huge",
         {.kind = PEER_HOLD, .text = "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nx"},
         -ETIMEDOUT,
         "no answer in 300ms"},
        {"headers", {.kind = PEER_ENDLESS, .text = many}, -EMSGSIZE, "headers larger than 32k"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen s = {0};
        get_peer(*state, &s, &cases[i].peer, cases[i].error == -ETIMEDOUT ? 300 : 4500);
        print_message("%s: %d %s\n", cases[i].name, s.error, s.text);
        assert_int_equal(s.error, cases[i].error);
        assert_non_null(strstr(cases[i].text, s.text));
    }
}

static void test_a_refused_port_and_an_unknown_name_are_told_apart(void **state)
{
    struct fixture *f = *state;
    char url[128];
    struct seen s = {0};
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)peer_free_port("127.0.0.1"));
    get(f, &s, url, 2000, 1024);
    assert_int_equal(s.error, -ECONNREFUSED);
    assert_string_equal(s.text, "connection refused");
    s = (struct seen){0};
    get(f, &s, "http://no-such-name.invalid/", 2000, 1024);
    assert_int_equal(s.error, -ENOENT);
    assert_string_equal(s.text, "host name not found");
}

static void test_other_schemes_and_broken_requests_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"ftp://localhost/", "file:///etc/passwd", "localhost",   "",
                                       "http://",          "gopher://x/",        "http://[::1/"};
    struct http_call *call = NULL;
    struct seen s = {0};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct fault why = {0};
        struct http_request r = {.url = urls[i], .timeout_ms = 100, .body_max = 10};
        assert_int_equal(http_start(f->http, &r, on_reply, &s, &call, &why), -EINVAL);
        assert_true(why.text[0] != '\0');
    }
    const char *const headers[] = {"X-A: b\r\nX-C: d", NULL};
    struct http_request r = {
        .url = "http://localhost/", .timeout_ms = 100, .body_max = 1, .headers = headers};
    assert_int_equal(http_start(f->http, &r, on_reply, &s, &call, NULL), -EINVAL);
    r.headers = NULL;
    r.timeout_ms = 0;
    assert_int_equal(http_start(f->http, &r, on_reply, &s, &call, NULL), -EINVAL);
}

static void test_the_callback_may_close_the_client(void **state)
{
    struct fixture *f = *state;
    struct http *own = NULL;
    struct peer p;
    char url[128];
    peer_start(&p, &(struct peer_opts){.kind = PEER_SAY, .text = "HTTP/1.1 204 No\r\n\r\n"});
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)p.port);
    assert_int_equal(http_open(&f->loop, &own, NULL), 0);
    struct seen s = {.close_inside = own};
    struct http_request r = {.url = url, .timeout_ms = 1000, .body_max = 10};
    assert_int_equal(http_start(own, &r, on_reply, &s, &s.call, NULL), 0);
    assert_true(peer_run(&f->loop, &s.done, 5000));
    assert_int_equal(s.status, 204);
    peer_stop(&p);
}

static void test_a_cancelled_call_is_silent(void **state)
{
    struct fixture *f = *state;
    struct peer p;
    char url[128];
    peer_start(&p, &(struct peer_opts){.kind = PEER_SILENT});
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)p.port);
    struct seen s = {0};
    struct http_request r = {.url = url, .timeout_ms = 150, .body_max = 10};
    assert_int_equal(http_start(f->http, &r, on_reply, &s, &s.call, NULL), 0);
    (void)uv_run(&f->loop, UV_RUN_ONCE);
    http_cancel(s.call);
    assert_false(peer_run(&f->loop, &s.done, 300));
    peer_stop(&p);
}

static void test_a_proxy_of_the_environment_is_never_used_for_this_machine(void **state)
{
    struct fixture *f = *state;
    struct peer p;
    char url[128];
    struct seen s = {0};
    (void)setenv("http_proxy", "http://127.0.0.1:9", 1);
    (void)setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    peer_start(&p, &(struct peer_opts){.kind = PEER_SAY, .text = "HTTP/1.1 200 OK\r\n\r\n"});
    (void)snprintf(url, sizeof url, "http://localhost:%u/", (unsigned)p.port);
    get(f, &s, url, 1000, 10);
    assert_int_equal(s.status, 200);
    s = (struct seen){0};
    get(f, &s, "http://elsewhere.invalid/", 1000, 10);
    assert_int_equal(s.error, -ECONNREFUSED); /* the proxy was asked, not the name server */
    (void)unsetenv("http_proxy");
    (void)unsetenv("ALL_PROXY");
    peer_stop(&p);
}

static void test_connect_address_overrides_the_name(void **state)
{
    struct fixture *f = *state;
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (int i = 0; i < 2; i++) {
        struct peer p;
        char url[128];
        peer_start(&p, &(struct peer_opts){.kind = PEER_SAY,
                                           .address = addresses[i],
                                           .text = "HTTP/1.1 200 OK\r\n\r\n"});
        (void)snprintf(url, sizeof url, "http://elsewhere.invalid:%u/", (unsigned)p.port);
        struct seen s = {0};
        struct http_request r = {
            .url = url, .timeout_ms = 1000, .body_max = 10, .connect_address = addresses[i]};
        assert_int_equal(http_start(f->http, &r, on_reply, &s, &s.call, NULL), 0);
        assert_true(peer_run(&f->loop, &s.done, 5000));
        assert_int_equal(s.status, 200);
        peer_stop(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_reply_arrives_with_status_body_and_headers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_reply_followed_by_a_reset_is_still_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_misbehaving_peers_get_one_clear_error_each, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_port_and_an_unknown_name_are_told_apart,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_schemes_and_broken_requests_are_refused_at_once,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_callback_may_close_the_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cancelled_call_is_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_proxy_of_the_environment_is_never_used_for_this_machine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connect_address_overrides_the_name, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
