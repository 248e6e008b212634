/* Probes against real servers, strangers and misbehaving peers. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/probe.h"
#include "io/redis.h"
#include "peer.h"
#include "process/reaper.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

struct seen {
    bool done;         /* PASS came, or `until` */
    const char *until; /* a text that ends the wait */
    int answers;
    int passes;
    enum probe_verdict verdict;
    char text[256];
    bool listening;
    char stranger[64];
    struct probe *close_inside;
};

static void on_answer(void *ctx, const struct probe_answer *a)
{
    struct seen *s = ctx;
    s->answers++;
    s->passes += a->verdict == PROBE_PASS;
    s->verdict = a->verdict;
    s->listening = a->listening;
    (void)snprintf(s->text, sizeof s->text, "%s", a->text);
    if (a->stranger != NULL) {
        (void)snprintf(s->stranger, sizeof s->stranger, "%s", a->stranger->address);
    }
    s->done = s->until != NULL ? strstr(a->text, s->until) != NULL : a->verdict == PROBE_PASS;
    if (s->close_inside != NULL && s->done) {
        probe_close(s->close_inside);
        s->close_inside = NULL;
    }
}

static bool ask(const struct spec_ready *spec, pid_t root, uint64_t interval_ms, struct seen *s,
                unsigned ms)
{
    uv_loop_t loop;
    struct probe *p = NULL;
    struct fault why = {0};
    extern char **environ;
    struct probe_opts opts = {.spec = spec,
                              .tree_root = root,
                              .any_owner = root == 0,
                              .envp = environ,
                              .interval_ms = interval_ms};
    struct reaper *reaper = NULL;
    assert_int_equal(uv_loop_init(&loop), 0);
    if (spec->kind == READY_EXEC) {
        assert_int_equal(reaper_open(&loop, &reaper), 0);
    }
    int code = probe_open(&loop, &opts, on_answer, s, &p, &why);
    assert_string_equal(fault_text(&why), "");
    assert_int_equal(code, 0);
    bool came = peer_run(&loop, &s->done, ms);
    print_message("%s: %d %s\n", spec->text, s->verdict, s->text);
    probe_close(p);
    if (reaper != NULL) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        reaper_close(reaper);
    }
    assert_int_equal(peer_loop_close(&loop), 0);
    return came;
}

/* The root of a tree that has nothing to do with the peers. */
static struct peer bystander;

static int start_bystander(void **state)
{
    (void)state;
    peer_start(&bystander, &(struct peer_opts){.kind = PEER_SILENT});
    return 0;
}

static int stop_bystander(void **state)
{
    (void)state;
    peer_stop(&bystander);
    return 0;
}

static struct spec_ready http_spec(uint16_t port, char *url, size_t size)
{
    (void)snprintf(url, size, "http://localhost:%u/health?secret=1", (unsigned)port);
    return (struct spec_ready){
        .kind = READY_HTTP, .text = "http", .host = "localhost", .port = port, .url = url};
}

static void test_http_passes_on_the_accepted_status_and_body(void **state)
{
    (void)state;
    struct peer p;
    char url[128];
    peer_start(
        &p, &(struct peer_opts){.kind = PEER_SAY, .text = "HTTP/1.1 200 OK\r\n\r\n{\"ok\":true}"});
    struct spec_ready spec = http_spec(p.port, url, sizeof url);
    struct seen s = {0};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    assert_string_equal(s.text, "GET /health 200");
    spec.contains = "\"ok\":true";
    s = (struct seen){0};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    spec.contains = "nothing";
    s = (struct seen){.until = "without \"nothing\""};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    assert_int_equal(s.verdict, PROBE_FAIL);
    assert_true(s.listening);
    spec.contains = NULL;
    spec.statuses[0] = 204;
    spec.status_count = 1;
    s = (struct seen){.until = "GET /health 200"};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    assert_int_equal(s.verdict, PROBE_FAIL);
    peer_stop(&p);
}

static void test_429_is_alive_but_not_ready(void **state)
{
    (void)state;
    struct peer p;
    char url[128];
    peer_start(&p, &(struct peer_opts){.kind = PEER_SAY, .text = "HTTP/1.1 429 Slow\r\n\r\n"});
    struct spec_ready spec = http_spec(p.port, url, sizeof url);
    struct seen s = {.until = "429"};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    assert_int_equal(s.verdict, PROBE_FAIL);
    s = (struct seen){.until = "429"};
    assert_true(ask(&spec, p.pid, 30, &s, 3000));
    assert_int_equal(s.verdict, PROBE_PASS);
    peer_stop(&p);
}

static void test_an_endless_body_with_the_right_status_passes(void **state)
{
    (void)state;
    struct peer p;
    char url[128];
    peer_start(&p, &(struct peer_opts){.kind = PEER_ENDLESS, .text = "HTTP/1.1 200 OK\r\n\r\n"});
    struct spec_ready spec = http_spec(p.port, url, sizeof url);
    struct seen s = {0};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    spec.contains = "never there";
    s = (struct seen){.until = "body larger than"};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    peer_stop(&p);
}

static void test_a_stranger_on_either_family_is_named_and_never_connected_to(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "::1", "0.0.0.0", "::"};
    for (int i = 0; i < 4; i++) {
        struct peer p;
        char url[128];
        char count[] = "/tmp/roadie-probe-XXXXXX";
        close(mkstemp(count));
        peer_start(&p, &(struct peer_opts){.kind = PEER_SAY,
                                           .address = addresses[i],
                                           .count_file = count,
                                           .text = "HTTP/1.1 200 OK\r\n\r\n"});
        struct spec_ready spec = http_spec(p.port, url, sizeof url);
        struct seen s = {.until = "somebody else"};
        assert_true(ask(&spec, bystander.pid, 0, &s, 3000));
        assert_int_equal(s.verdict, PROBE_STRANGER);
        assert_string_equal(s.stranger, addresses[i]);
        assert_int_equal(s.answers, 1);
        peer_stop(&p);
        FILE *f = fopen(count, "re");
        assert_int_equal(fgetc(f), EOF);
        (void)fclose(f);
        (void)unlink(count);
    }
}

static void test_our_v4_listener_beside_a_stranger_on_v6_is_a_conflict(void **state)
{
    (void)state;
    struct peer ours;
    struct peer other;
    char url[128];
    peer_start(&ours, &(struct peer_opts){.kind = PEER_SAY, .text = "HTTP/1.1 200 OK\r\n\r\n"});
    peer_start(&other,
               &(struct peer_opts){.kind = PEER_SILENT, .address = "::1", .port = ours.port});
    struct spec_ready spec = http_spec(ours.port, url, sizeof url);
    struct seen s = {.until = "[::1]"};
    assert_true(ask(&spec, ours.pid, 0, &s, 3000));
    assert_int_equal(s.verdict, PROBE_STRANGER);
    spec.host = "127.0.0.1"; /* a numeric target meets only its own family */
    s = (struct seen){0};
    assert_true(ask(&spec, ours.pid, 0, &s, 3000));
    peer_stop(&other);
    peer_stop(&ours);
}

static void test_a_server_on_v6_alone_is_reached_by_localhost(void **state)
{
    (void)state;
    static const char *const addresses[] = {"::1", "::"};
    for (int i = 0; i < 2; i++) {
        struct peer p;
        char url[128];
        peer_start(&p, &(struct peer_opts){.kind = PEER_SAY,
                                           .address = addresses[i],
                                           .text = "HTTP/1.1 200 OK\r\n\r\n"});
        struct spec_ready spec = http_spec(p.port, url, sizeof url);
        struct seen s = {0};
        assert_true(ask(&spec, p.pid, 0, &s, 3000));
        peer_stop(&p);
    }
}

static void test_nothing_there_is_said_once_and_not_asked(void **state)
{
    (void)state;
    char url[128];
    char want[64];
    struct spec_ready spec = http_spec(peer_free_port("127.0.0.1"), url, sizeof url);
    struct seen s = {.until = "never"};
    assert_false(ask(&spec, getpid(), 0, &s, 300));
    (void)snprintf(want, sizeof want, "nothing listens on %u", (unsigned)spec.port);
    assert_string_equal(s.text, want);
    assert_int_equal(s.answers, 1);
    s = (struct seen){.until = "never"};
    assert_false(ask(&spec, 0, 0, &s, 300)); /* a container's port: asked all the same */
    assert_string_equal(s.text, "connection refused");
    assert_int_equal(s.answers, 1);
}

static void test_a_hanging_server_is_listening_but_gives_no_answer(void **state)
{
    (void)state;
    struct peer p;
    char url[128];
    peer_start(&p, &(struct peer_opts){.kind = PEER_SILENT});
    struct spec_ready spec = http_spec(p.port, url, sizeof url);
    struct seen s = {.until = "listening, but no answer in 2s"};
    assert_true(ask(&spec, p.pid, 0, &s, 4000));
    assert_true(s.listening);
    peer_stop(&p);
}

static void test_tcp_passes_once_the_port_is_open(void **state)
{
    (void)state;
    struct peer p;
    peer_start(&p, &(struct peer_opts){.kind = PEER_SILENT, .delay_ms = 200});
    struct spec_ready spec = {
        .kind = READY_TCP, .text = "tcp", .host = "localhost", .port = p.port};
    struct seen s = {0};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    assert_int_equal(s.answers, 2);
    peer_stop(&p);
}

static void test_redis_is_ready_at_pong_only(void **state)
{
    (void)state;
    struct peer p;
    char url[64];
    if (!peer_redis(&p, NULL)) {
        print_message("SKIP: redis-server is not installed\n");
        skip();
    }
    (void)snprintf(url, sizeof url, "redis://localhost:%u", (unsigned)p.port);
    struct spec_ready spec = {
        .kind = READY_REDIS, .text = "redis", .host = "localhost", .port = p.port, .url = url};
    struct seen s = {0};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    assert_string_equal(s.text, "PONG");
    s = (struct seen){0};
    assert_true(ask(&spec, 0, 0, &s, 3000));
    s = (struct seen){.until = "somebody else"};
    assert_true(ask(&spec, bystander.pid, 0, &s, 3000));
    peer_stop(&p);
    static const char *const locked[] = {"--requirepass", "secret", NULL};
    assert_true(peer_redis(&p, locked));
    (void)snprintf(url, sizeof url, "redis://localhost:%u", (unsigned)p.port);
    spec.port = p.port;
    s = (struct seen){.until = "NOAUTH: needs a password"};
    assert_true(ask(&spec, p.pid, 0, &s, 3000));
    assert_int_equal(s.verdict, PROBE_FAIL);
    peer_stop(&p);
}

static void test_alive_reports_every_answer_and_the_end(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct peer p;
    char url[128];
    struct probe *probe = NULL;
    peer_start(&p, &(struct peer_opts){.kind = PEER_SAY, .text = "HTTP/1.1 200 OK\r\n\r\n"});
    struct spec_ready spec = http_spec(p.port, url, sizeof url);
    struct seen s = {.until = "nothing listens"};
    struct probe_opts opts = {.spec = &spec, .tree_root = p.pid, .interval_ms = 30};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(probe_open(&loop, &opts, on_answer, &s, &probe, NULL), 0);
    assert_false(peer_run(&loop, &s.done, 200));
    assert_true(s.passes >= 3 && s.passes <= 7);
    assert_int_equal(s.answers, s.passes);
    peer_stop(&p);
    assert_true(peer_run(&loop, &s.done, 2000));
    assert_int_equal(s.verdict, PROBE_FAIL);
    probe_close(probe);
    assert_int_equal(peer_loop_close(&loop), 0);
}

static void test_log_and_notify_are_fed_and_delay_is_a_timer(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct probe *probe = NULL;
    struct spec_ready log = {.kind = READY_LOG, .text = "log", .regex = "up"};
    struct seen s = {0};
    assert_int_equal(uv_loop_init(&loop), 0);
    struct probe_opts opts = {.spec = &log, .tree_root = 1};
    assert_int_equal(probe_open(&loop, &opts, on_answer, &s, &probe, NULL), 0);
    assert_false(peer_run(&loop, &s.done, 50));
    probe_feed(probe, "log matched");
    assert_false(s.done);
    assert_true(peer_run(&loop, &s.done, 500));
    assert_string_equal(s.text, "log matched");
    probe_feed(probe, "again");
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(s.answers, 1);
    probe_close(probe);
    assert_int_equal(peer_loop_close(&loop), 0);
    struct spec_ready delay = {.kind = READY_DELAY, .text = "delay", .delay_ms = 80};
    uint64_t from = peer_now_ms();
    s = (struct seen){0};
    assert_true(ask(&delay, 1, 0, &s, 1000));
    assert_in_range(peer_now_ms() - from, 79, 500);
}

static void test_the_receiver_may_close_from_inside(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct peer p;
    char url[128];
    peer_start(&p, &(struct peer_opts){.kind = PEER_SAY, .text = "HTTP/1.1 200 OK\r\n\r\n"});
    struct spec_ready spec = http_spec(p.port, url, sizeof url);
    for (uint64_t interval = 0; interval < 2; interval++) {
        struct seen s = {0};
        struct probe_opts opts = {.spec = &spec, .tree_root = p.pid, .interval_ms = interval};
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(probe_open(&loop, &opts, on_answer, &s, &s.close_inside, NULL), 0);
        assert_true(peer_run(&loop, &s.done, 2000));
        assert_int_equal(peer_loop_close(&loop), 0);
    }
    peer_stop(&p);
}

static void on_stored(void *ctx, const struct redis_result *r)
{
    bool *done = ctx;
    assert_int_equal(r->error, 0);
    *done = true;
}

/* One heartbeat, as a docket worker writes it. */
static void beat(const char *url, const char *worker, double age_s)
{
    uv_loop_t loop;
    struct http *h = NULL;
    struct redis_call *call = NULL;
    char score[32];
    bool done = false;
    (void)snprintf(score, sizeof score, "%.6f", (double)clock_wall_ns() / 1e9 - age_s);
    const char *const zadd[] = {"ZADD", "plyr:workers", score, worker, NULL};
    const char *const *const commands[] = {zadd, NULL};
    struct redis_request r = {.url = url, .commands = commands, .timeout_ms = 2000};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(http_open(&loop, &h, NULL), 0);
    assert_int_equal(redis_start(h, &r, on_stored, &done, &call, NULL), 0);
    assert_true(peer_run(&loop, &done, 2000));
    http_close(h);
    assert_int_equal(peer_loop_close(&loop), 0);
}

static void test_docket_wants_a_fresh_worker_of_its_own_tree(void **state)
{
    (void)state;
    struct peer p;
    struct peer worker;
    char url[64];
    char host[128] = "";
    char name[160];
    if (!peer_redis(&p, NULL)) {
        print_message("SKIP: redis-server is not installed\n");
        skip();
    }
    peer_start(&worker, &(struct peer_opts){.kind = PEER_SILENT});
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    (void)snprintf(url, sizeof url, "redis://localhost:%u", (unsigned)p.port);
    struct spec_ready spec = {.kind = READY_DOCKET,
                              .text = "docket plyr",
                              .host = "localhost",
                              .port = p.port,
                              .url = url,
                              .docket = "plyr"};
    struct seen s = {.until = "no worker of docket plyr"};
    assert_true(ask(&spec, getpid(), 0, &s, 3000));
    beat(url, "elsewhere#12", 0);
    s = (struct seen){.until = "not of this service (elsewhere#12)"};
    assert_true(ask(&spec, getpid(), 0, &s, 3000));
    (void)snprintf(name, sizeof name, "%s#%d", host, (int)getppid());
    beat(url, name, 0);
    s = (struct seen){.until = "not of this service"};
    assert_true(ask(&spec, getpid(), 0, &s, 3000));
    (void)snprintf(name, sizeof name, "elsewhere#%d", (int)worker.pid);
    beat(url, name, 0);
    s = (struct seen){.until = "not of this service"};
    assert_true(ask(&spec, getpid(), 0, &s, 3000));
    (void)snprintf(name, sizeof name, "%s#%d", host, (int)worker.pid);
    beat(url, name, 16);
    s = (struct seen){.until = "last heartbeat of its worker is 16"};
    assert_true(ask(&spec, getpid(), 0, &s, 3000));
    assert_int_equal(s.verdict, PROBE_FAIL);
    beat(url, name, 14);
    s = (struct seen){0};
    assert_true(ask(&spec, getpid(), 0, &s, 3000));
    assert_non_null(strstr(s.text, name));
    s = (struct seen){0};
    assert_true(ask(&spec, 0, 0, &s, 3000));
    peer_stop(&p);
    s = (struct seen){.until = "Redis: connection refused"};
    assert_true(ask(&spec, getpid(), 0, &s, 3000));
    peer_stop(&worker);
}

static void test_exec_passes_on_exit_0_and_quotes_its_last_line(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *text;
        enum probe_verdict verdict;
    } cases[] = {
        {"exit 0", "exit 0", PROBE_PASS},
        {"echo first >&2; printf 'not \\033[31myet\\n' >&2; exit 3", "exit 3: not [31myet",
         PROBE_FAIL},
        {"kill -TERM $$", "killed by SIGTERM", PROBE_FAIL},
        {"exec sleep 60", "no answer in 2s", PROBE_FAIL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char sh[] = "/bin/sh";
        char flag[] = "-c";
        char line[128];
        (void)snprintf(line, sizeof line, "%s", cases[i].line);
        char *argv[] = {sh, flag, line, NULL};
        struct spec_ready spec = {.kind = READY_EXEC, .text = "exec", .argv = argv};
        struct seen s = {.until = cases[i].text};
        assert_true(ask(&spec, getpid(), 0, &s, 4000));
        assert_string_equal(s.text, cases[i].text);
        assert_int_equal(s.verdict, cases[i].verdict);
    }
    char absent[] = "/nowhere/at-all";
    char *argv[] = {absent, NULL};
    struct spec_ready spec = {.kind = READY_EXEC, .text = "exec", .argv = argv};
    struct seen s = {.until = "/nowhere/at-all: "};
    assert_true(ask(&spec, getpid(), 0, &s, 4000));
    assert_int_equal(s.verdict, PROBE_FAIL);
}

static void test_a_restart_starts_afresh(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct peer p;
    struct probe *probe = NULL;
    char url[128];
    struct seen s = {0};
    bool never = false;
    peer_start(&p, &(struct peer_opts){.kind = PEER_SILENT});
    struct spec_ready spec = http_spec(p.port, url, sizeof url);
    struct probe_opts opts = {.spec = &spec, .tree_root = p.pid};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(probe_open(&loop, &opts, on_answer, &s, &probe, NULL), 0);
    for (int i = 0; i < 5; i++) {
        (void)peer_run(&loop, &never, 30);
        probe_restart(probe); /* throws the attempt under way away */
    }
    assert_int_equal(s.answers, 0);
    probe_close(probe);
    assert_int_equal(peer_loop_close(&loop), 0);
    peer_stop(&p);
}

static void test_a_probe_at_rest_wakes_nobody(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct peer p;
    struct probe *probe = NULL;
    char url[128];
    peer_start(&p, &(struct peer_opts){.kind = PEER_SAY, .text = "HTTP/1.1 200 OK\r\n\r\n"});
    struct spec_ready spec = http_spec(p.port, url, sizeof url);
    struct seen s = {0};
    struct probe_opts opts = {.spec = &spec, .tree_root = p.pid};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(probe_open(&loop, &opts, on_answer, &s, &probe, NULL), 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT),
                     0); /* returns: nothing is waited for any more */
    assert_int_equal(s.passes, 1);
    probe_close(probe);
    assert_int_equal(peer_loop_close(&loop), 0);
    peer_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_passes_on_the_accepted_status_and_body),
        cmocka_unit_test(test_429_is_alive_but_not_ready),
        cmocka_unit_test(test_an_endless_body_with_the_right_status_passes),
        cmocka_unit_test(test_a_stranger_on_either_family_is_named_and_never_connected_to),
        cmocka_unit_test(test_our_v4_listener_beside_a_stranger_on_v6_is_a_conflict),
        cmocka_unit_test(test_a_server_on_v6_alone_is_reached_by_localhost),
        cmocka_unit_test(test_nothing_there_is_said_once_and_not_asked),
        cmocka_unit_test(test_a_hanging_server_is_listening_but_gives_no_answer),
        cmocka_unit_test(test_tcp_passes_once_the_port_is_open),
        cmocka_unit_test(test_redis_is_ready_at_pong_only),
        cmocka_unit_test(test_alive_reports_every_answer_and_the_end),
        cmocka_unit_test(test_log_and_notify_are_fed_and_delay_is_a_timer),
        cmocka_unit_test(test_the_receiver_may_close_from_inside),
        cmocka_unit_test(test_docket_wants_a_fresh_worker_of_its_own_tree),
        cmocka_unit_test(test_exec_passes_on_exit_0_and_quotes_its_last_line),
        cmocka_unit_test(test_a_restart_starts_afresh),
        cmocka_unit_test(test_a_probe_at_rest_wakes_nobody),
    };
    return cmocka_run_group_tests(tests, start_bystander, stop_bystander);
}
