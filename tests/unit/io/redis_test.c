/* The Redis bridge against real servers and against what answers in their place. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/redis.h"
#include "io/redis_url.h"
#include "peer.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

struct seen {
    bool done;
    int error;
    char text[256];
    size_t replies;
    char first[128];
    int second_type;
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

static void on_result(void *ctx, const struct redis_result *r)
{
    struct seen *s = ctx;
    assert_false(s->done);
    s->done = true;
    s->error = r->error;
    s->replies = r->reply_count;
    (void)snprintf(s->text, sizeof s->text, "%s", r->error_text);
    if (r->reply_count > 0 && r->replies[0]->str != NULL) {
        (void)snprintf(s->first, sizeof s->first, "%s", r->replies[0]->str);
    }
    if (r->reply_count > 1) {
        s->second_type = r->replies[1]->type;
    }
}

static void ask(struct fixture *f, struct seen *s, const char *url, uint64_t timeout_ms)
{
    static const char *const ping[] = {"PING", NULL};
    static const char *const info[] = {"INFO", "persistence", NULL};
    static const char *const *const commands[] = {ping, info, NULL};
    struct redis_request r = {.url = url, .commands = commands, .timeout_ms = timeout_ms};
    struct redis_call *call = NULL;
    struct fault why = {0};
    *s = (struct seen){0};
    int code = redis_start(f->http, &r, on_result, s, &call, &why);
    assert_string_equal(fault_text(&why), "");
    assert_int_equal(code, 0);
    assert_true(peer_run(&f->loop, &s->done, 5000));
}

static void ask_port(struct fixture *f, struct seen *s, const char *shape_user, uint16_t port,
                     const char *db, uint64_t timeout_ms)
{
    char url[256];
    (void)snprintf(url, sizeof url, "redis://%slocalhost:%u%s", shape_user, (unsigned)port, db);
    ask(f, s, url, timeout_ms);
}

static void test_a_plain_server_answers_the_pipeline(void **state)
{
    struct peer p;
    struct seen s;
    if (!peer_redis(&p, NULL)) {
        print_message("SKIP: redis-server is not installed\n");
        skip();
    }
    ask_port(*state, &s, "", p.port, "", 2000);
    assert_int_equal(s.error, 0);
    assert_string_equal(s.first, "PONG");
    assert_int_equal(s.second_type, REDIS_REPLY_STRING);
    ask_port(*state, &s, ":unneeded@", p.port, "/3", 2000);
    assert_int_equal(s.error, 0);
    assert_string_equal(s.first, "PONG");
    assert_int_equal(s.replies, 2);
    ask_port(*state, &s, "", p.port, "/99", 2000);
    assert_int_equal(s.error, -EINVAL);
    assert_non_null(strstr(s.text, "DB index is out of range"));
    assert_int_equal(kill(p.pid, SIGSTOP), 0);
    ask_port(*state, &s, "", p.port, "", 200);
    assert_int_equal(s.error, -ETIMEDOUT);
    assert_string_equal(s.text, "no answer in 200ms");
    peer_stop(&p);
}

static void test_passwords_in_every_form(void **state)
{
    struct peer p;
    struct seen s;
    static const char *const extra[] = {
        "--requirepass", "p@ss/w:1", "--user", "bob",  "on", ">b%b",  "~*",    "+@all",
        "--user",        "eve",      "on",     ">eve", "~*", "-@all", "+ping", NULL};
    if (!peer_redis(&p, extra)) {
        print_message("SKIP: redis-server is not installed\n");
        skip();
    }
    ask_port(*state, &s, "", p.port, "", 2000);
    assert_int_equal(s.error, -EACCES);
    assert_non_null(strstr(s.text, "NOAUTH"));
    ask_port(*state, &s, ":wrong@", p.port, "", 2000);
    assert_int_equal(s.error, -EACCES);
    assert_non_null(strstr(s.text, "WRONGPASS"));
    assert_null(strstr(s.text, "wrong@"));
    ask_port(*state, &s, ":p%40ss%2Fw%3A1@", p.port, "/1", 2000);
    assert_int_equal(s.error, 0);
    assert_string_equal(s.first, "PONG");
    ask_port(*state, &s, "bob:b%b@", p.port, "", 2000);
    assert_int_equal(s.error, 0);
    ask_port(*state, &s, "eve:eve@", p.port, "", 2000);
    assert_int_equal(s.error, -EACCES);
    assert_non_null(strstr(s.text, "NOPERM"));
    assert_int_equal(s.replies, 2);
    peer_stop(&p);
}

struct bad_case {
    struct peer_opts peer;
    int error;
    const char *text;
};

static void test_what_is_not_redis_gets_one_clear_error(void **state)
{
    static char deep[40000];
    size_t len = 0;
    while (len + 5 < sizeof deep) {
        len += (size_t)snprintf(deep + len, sizeof deep - len, "*1\r\n");
    }
    const struct bad_case cases[] = {
        {{.kind = PEER_SILENT}, -ETIMEDOUT, "no answer in 300ms"},
        {{.kind = PEER_SAY}, -ECONNRESET, "closed without an answer"},
        /* whichever the kernel says first */
        {{.kind = PEER_RESET}, -ECONNRESET, "connection reset|closed without an answer"},
        {{.kind = PEER_SAY, .text = "HTTP/1.1 400 Bad Request\r\n\r\n"},
         -EPROTO,
         "not Redis (answers HTTP)"},
        {{.kind = PEER_SAY, .text = "SSH-2.0-x\r\n"}, -EPROTO, "not Redis (answers \"SSH-2.0-x\")"},
        {{.kind = PEER_SAY, .text = "\x15\x03\x01"}, -EPROTO, "not Redis (answers TLS)"},
        {{.kind = PEER_SAY, .text = "+PO"}, -ECONNRESET, "closed in the middle of its answer"},
        {{.kind = PEER_SAY, .text = "-LOADING Redis is loading the dataset in memory\r\n+OK\r\n"},
         -EAGAIN,
         "LOADING Redis is loading the dataset in memory"},
        {{.kind = PEER_GREET, .text = "-DENIED Redis is running in protected mode\r\n"},
         -EACCES,
         "DENIED Redis is running in protected mode"},
        {{.kind = PEER_HOLD, .text = "$2147483647\r\nx"}, -EMSGSIZE, "its answer is too large"},
        {{.kind = PEER_HOLD, .text = "*2147483647\r\n"}, -EMSGSIZE, "its answer is too large"},
        {{.kind = PEER_HOLD, .text = "*99999999999999999999999\r\n"},
         -EMSGSIZE,
         "its answer is too large"},
        {{.kind = PEER_ENDLESS, .text = "+"}, -EMSGSIZE, "its answer is too large"},
        {{.kind = PEER_HOLD, .text = deep},
         -EPROTO,
         "not Redis (answers \"*1 *1 *1 *1 *1 *1 *1 *1\")"},
        {{.kind = PEER_DRIP, .text = "+PONG\r\n$14\r\n\r\nloading:0\r\n x\r\n"}, 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer p;
        struct seen s;
        char url[64];
        peer_start(&p, &cases[i].peer);
        (void)snprintf(url, sizeof url, "redis://127.0.0.1:%u", (unsigned)p.port);
        ask(*state, &s, url, cases[i].error == -ETIMEDOUT ? 300 : 4500);
        peer_stop(&p);
        print_message("%zu: %d %s\n", i, s.error, s.text);
        assert_int_equal(s.error, cases[i].error);
        if (strchr(cases[i].text, '|') != NULL) {
            assert_non_null(strstr(cases[i].text, s.text));
        } else {
            assert_string_equal(s.text, cases[i].text);
        }
    }
}

static void test_a_refused_port_is_said(void **state)
{
    struct seen s;
    ask_port(*state, &s, "", peer_free_port("127.0.0.1"), "", 1000);
    assert_int_equal(s.error, -ECONNREFUSED);
    assert_string_equal(s.text, "connection refused");
}

static void test_urls_are_read_as_redis_py_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *host;
        uint16_t port;
        unsigned db;
        const char *user;
        const char *password;
        bool tls;
        bool bad;
    } cases[] = {
        {"redis://localhost", "localhost", 6379, 0, NULL, NULL, false, false},
        {"redis://", "localhost", 6379, 0, NULL, NULL, false, false},
        {"rediss://h:1/2", "h", 1, 2, NULL, NULL, true, false},
        {"redis://:p%40w@h/0", "h", 6379, 0, NULL, "p@w", false, false},
        {"redis://u:a:b@h", "h", 6379, 0, "u", "a:b", false, false},
        {"redis://u:p@w@h:7", "h", 7, 0, "u", "p@w", false, false},
        {"redis://u@h", "h", 6379, 0, "u", NULL, false, false},
        {"redis://[::1]:6380/1", "::1", 6380, 1, NULL, NULL, false, false},
        {"redis://h?db=4&x=y", "h", 6379, 4, NULL, NULL, false, false},
        {"redis://h/1?db=4", "h", 6379, 4, NULL, NULL, false, false},
        {" redis://h ", "h", 6379, 0, NULL, NULL, false, false},
        {"localhost:6379", "", 0, 0, NULL, NULL, false, true},
        {"http://h", "", 0, 0, NULL, NULL, false, true},
        {"memory://", "", 0, 0, NULL, NULL, false, true},
        {"redis://h:99999", "", 0, 0, NULL, NULL, false, true},
        {"redis://h:x", "", 0, 0, NULL, NULL, false, true},
        {"redis://h/x", "", 0, 0, NULL, NULL, false, true},
        {"redis://:s/cret@h", "", 0, 0, NULL, NULL, false, true},
        {"", "", 0, 0, NULL, NULL, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url u;
        struct fault why = {0};
        int code = redis_url_parse(&u, cases[i].url, &why);
        print_message("%s: %d %s\n", cases[i].url, code, fault_text(&why));
        assert_int_equal(code, cases[i].bad ? -EINVAL : 0);
        if (cases[i].bad) {
            assert_null(strstr(fault_text(&why), "cret"));
        } else {
            assert_string_equal(u.host, cases[i].host);
            assert_int_equal(u.port, cases[i].port);
            assert_int_equal(u.db, cases[i].db);
            assert_int_equal(u.tls, cases[i].tls);
            assert_string_equal(u.user ? u.user : "-", cases[i].user ? cases[i].user : "-");
            assert_string_equal(u.password ? u.password : "-",
                                cases[i].password ? cases[i].password : "-");
        }
        redis_url_fini(&u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_plain_server_answers_the_pipeline, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_passwords_in_every_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_redis_gets_one_clear_error, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_port_is_said, set_up, tear_down),
        cmocka_unit_test(test_urls_are_read_as_redis_py_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
