/* The Postgres bridge against a real server with TLS and SCRAM, and against what answers in its
 * place. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/probe.h"
#include "io/postgres.h"
#include "io/postgres_error.h"
#include "io/postgres_url.h"
#include "peer.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

struct seen {
    bool done;
    int error;
    char text[256];
    int rows;
    int columns;
    char first[64];
    bool second_null;
    bool tls;
    struct postgres_call *cancel_inside;
};

static struct {
    struct peer peer;
    char dir[64];
    bool runs;
} server;

static void on_result(void *ctx, const struct postgres_result *r)
{
    struct seen *s = ctx;
    assert_false(s->done);
    s->done = true;
    s->error = r->error;
    s->rows = r->rows;
    s->columns = r->columns;
    s->tls = r->tls;
    (void)snprintf(s->text, sizeof s->text, "%s", r->error_text);
    if (r->rows > 0) {
        (void)snprintf(s->first, sizeof s->first, "%s", r->values[0]);
        s->second_null = r->columns > 1 && r->values[1] == NULL;
    }
}

static void ask(struct seen *s, const char *url, const char *query, uint64_t timeout_ms)
{
    uv_loop_t loop;
    struct fault why = {0};
    struct postgres_call *call = NULL;
    struct postgres_request r = {.url = url, .query = query, .timeout_ms = timeout_ms};
    *s = (struct seen){0};
    assert_int_equal(uv_loop_init(&loop), 0);
    int code = postgres_start(&loop, &r, on_result, s, &call, &why);
    assert_string_equal(fault_text(&why), "");
    assert_int_equal(code, 0);
    assert_false(s->done);
    assert_true(peer_run(&loop, &s->done, 8000));
    assert_int_equal(peer_loop_close(&loop), 0);
    print_message("%d %s\n", s->error, s->text);
    assert_null(strstr(s->text, "s3cret"));
}

/* The server answers SELECT 1; false when there is none to be had. */
static bool need_server(void)
{
    if (server.runs) {
        return true;
    }
    char port[8];
    char url[128];
    struct seen s;
    (void)snprintf(server.dir, sizeof server.dir, "/tmp/roadie-pg-XXXXXX");
    assert_non_null(mkdtemp(server.dir));
    assert_int_equal(chmod(server.dir, 0755), 0);
    server.peer.port = peer_free_port("127.0.0.1");
    (void)snprintf(port, sizeof port, "%u", (unsigned)server.peer.port);
    const char *const argv[] = {ROADIE_POSTGRES_SERVER, server.dir, port, NULL};
    assert_true(peer_exec(&server.peer, argv));
    (void)snprintf(url, sizeof url, "postgresql://owner:s3cret%%2Fpass@127.0.0.1:%s/postgres",
                   port);
    for (uint64_t end = peer_now_ms() + 30000; peer_now_ms() < end;) {
        int status = 0;
        if (waitpid(server.peer.pid, &status, WNOHANG) == server.peer.pid) {
            server.peer.pid = 0;
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
            return false;
        }
        if (peer_wait_port("127.0.0.1", server.peer.port, 100)) {
            ask(&s, url, "SELECT 1", 3000);
            server.runs = s.error == 0;
            if (server.runs) {
                return true;
            }
        }
    }
    fail_msg("the Postgres of the test does not come up");
    return false;
}

static int stop_server(void **state)
{
    (void)state;
    if (server.peer.pid > 0) {
        (void)kill(server.peer.pid, SIGINT); /* fast shutdown: its own children end with it */
        (void)waitpid(server.peer.pid, NULL, 0);
        server.peer.pid = 0;
    }
    if (server.dir[0] != '\0') {
        struct peer rm = {0};
        const char *const argv[] = {"rm", "-rf", server.dir, NULL};
        if (peer_exec(&rm, argv)) {
            (void)waitpid(rm.pid, NULL, 0);
        }
    }
    return 0;
}

#define NEED_SERVER()                                                                              \
    do {                                                                                           \
        if (!need_server()) {                                                                      \
            print_message("SKIP: Postgres (initdb, postgres) or openssl is not installed\n");      \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void url_for(char *out, size_t size, const char *host, const char *rest)
{
    (void)snprintf(out, size, "postgresql+psycopg://owner:s3cret%%2Fpass@%s:%u/%s", host,
                   (unsigned)server.peer.port, rest);
}

static void test_a_query_answers_with_rows_nulls_and_tls(void **state)
{
    (void)state;
    char url[256];
    struct seen s;
    NEED_SERVER();
    url_for(url, sizeof url, "localhost", "postgres?sslnegotiation=postgres&pool_timeout=3");
    ask(&s, url, "SELECT 42, NULL::text, 'x' UNION ALL SELECT 1, 'a', 'b'", 5000);
    assert_int_equal(s.error, 0);
    assert_int_equal(s.rows, 2);
    assert_int_equal(s.columns, 3);
    assert_string_equal(s.first, "42");
    assert_true(s.second_null);
    assert_true(s.tls);
    url_for(url, sizeof url, "127.0.0.1", "postgres?sslmode=disable");
    ask(&s, url, "SELECT repeat('x', 1000000)", 5000);
    assert_int_equal(s.error, 0);
    assert_false(s.tls);
}

static void test_certificates_are_verified_when_asked(void **state)
{
    (void)state;
    char url[256];
    char rest[160];
    struct seen s;
    NEED_SERVER();
    (void)snprintf(rest, sizeof rest,
                   "postgres?sslmode=verify-full&channel_binding=require&sslrootcert=%s/ca.crt",
                   server.dir);
    url_for(url, sizeof url, "localhost", rest);
    ask(&s, url, "SELECT 1", 5000);
    assert_int_equal(s.error, 0);
    assert_true(s.tls);
    url_for(url, sizeof url, "127.0.0.1", rest); /* not in the certificate */
    ask(&s, url, "SELECT 1", 5000);
    assert_int_equal(s.error, -EPROTO);
    assert_non_null(strstr(s.text, "does not match host name"));
    url_for(url, sizeof url, "localhost", "postgres?sslmode=verify-full");
    ask(&s, url, "SELECT 1", 5000);
    assert_int_equal(s.error, -EPROTO);
    assert_non_null(strstr(s.text, "certificate verify failed"));
}

static void test_each_refusal_has_its_class(void **state)
{
    (void)state;
    char url[256];
    struct seen s;
    NEED_SERVER();
    (void)snprintf(url, sizeof url, "postgresql://owner:wr0ng-s3cret@localhost:%u/postgres",
                   (unsigned)server.peer.port);
    ask(&s, url, "SELECT 1", 5000);
    assert_int_equal(s.error, -EACCES);
    assert_string_equal(s.text, "password authentication failed for user \"owner\"");
    (void)snprintf(url, sizeof url, "postgresql://owner@localhost:%u/postgres",
                   (unsigned)server.peer.port);
    ask(&s, url, "SELECT 1", 5000);
    assert_int_equal(s.error, -EACCES);
    assert_string_equal(s.text, "no password supplied");
    url_for(url, sizeof url, "localhost", "absent");
    ask(&s, url, "SELECT 1", 5000);
    assert_int_equal(s.error, -ENODEV);
    assert_string_equal(s.text, "database \"absent\" does not exist");
    url_for(url, sizeof url, "localhost", "postgres");
    ask(&s, url, "SELECT broken", 5000);
    assert_int_equal(s.error, -EPROTO);
    assert_string_equal(s.text, "column \"broken\" does not exist");
    ask(&s, url, "SELECT pg_sleep(5)", 300);
    assert_int_equal(s.error, -ETIMEDOUT);
    assert_string_equal(s.text, "no answer in 300ms");
    url_for(url, sizeof url, "no-such-name.invalid", "postgres");
    ask(&s, url, "SELECT 1", 5000);
    assert_true(s.error == -ENOENT || s.error == -EAGAIN);
}

static void test_full_servers_and_notices(void **state)
{
    (void)state;
    char url[256];
    struct seen s;
    struct seen many[14] = {0};
    uv_loop_t loop;
    int refused = 0;
    NEED_SERVER();
    url_for(url, sizeof url, "127.0.0.1", "postgres");
    ask(&s, url, "DO $$ BEGIN FOR i IN 1..2000 LOOP RAISE NOTICE 'flood %', i; END LOOP; END $$",
        5000);
    assert_int_equal(s.error, 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    for (int i = 0; i < 14; i++) {
        struct postgres_call *call = NULL;
        struct postgres_request r = {
            .url = url, .query = "SELECT pg_sleep(2)", .timeout_ms = 30000};
        assert_int_equal(postgres_start(&loop, &r, on_result, &many[i], &call, NULL), 0);
    }
    assert_int_equal(peer_loop_close(&loop), 0);
    for (int i = 0; i < 14; i++) {
        assert_true(many[i].done);
        assert_true(many[i].error == 0 || many[i].error == -EBUSY);
        refused += many[i].error == -EBUSY;
    }
    assert_in_range(refused, 1, 8);
}

static void test_a_cancelled_call_leaves_nothing(void **state)
{
    (void)state;
    char url[256];
    uv_loop_t loop;
    NEED_SERVER();
    url_for(url, sizeof url, "localhost", "postgres");
    for (int rounds = 0; rounds < 20; rounds++) {
        struct seen s = {0};
        struct postgres_call *call = NULL;
        struct postgres_request r = {.url = url, .query = "SELECT pg_sleep(1)", .timeout_ms = 5000};
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(postgres_start(&loop, &r, on_result, &s, &call, NULL), 0);
        assert_false(peer_run(&loop, &s.done, (unsigned)rounds));
        postgres_cancel(call);
        assert_int_equal(peer_loop_close(&loop), 0);
        assert_false(s.done);
    }
}

static void test_what_is_not_postgres_gets_one_clear_error(void **state)
{
    (void)state;
    static const struct {
        struct peer_opts peer;
        int error;
        const char *text;
    } cases[] = {
        {{.kind = PEER_SILENT}, -ETIMEDOUT, "no answer in 300ms"},
        {{.kind = PEER_SAY}, -ECONNRESET, "closed without an answer"},
        {{.kind = PEER_RESET}, -ECONNRESET, ""},
        {{.kind = PEER_SAY, .text = "HTTP/1.1 400 Bad Request\r\n\r\n"},
         -EPROTO,
         "received invalid response to SSL negotiation: H"},
        {{.kind = PEER_SAY, .text = "N"},
         -EPROTO,
         "server does not support SSL, but SSL was required"},
        {{.kind = PEER_SAY, .text = "Sgarbage"}, -EPROTO, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer p;
        struct seen s;
        char url[128];
        peer_start(&p, &cases[i].peer);
        (void)snprintf(url, sizeof url, "postgres://u:s3cret@127.0.0.1:%u/x?sslmode=require",
                       (unsigned)p.port);
        ask(&s, url, "SELECT 1", cases[i].error == -ETIMEDOUT ? 300 : 4500);
        peer_stop(&p);
        assert_int_equal(s.error, cases[i].error);
        if (cases[i].text[0] != '\0') {
            assert_string_equal(s.text, cases[i].text);
        }
    }
    struct seen s;
    char url[128];
    (void)snprintf(url, sizeof url, "postgres://u:s3cret@localhost:%u/x",
                   (unsigned)peer_free_port("127.0.0.1"));
    ask(&s, url, "SELECT 1", 1000);
    assert_int_equal(s.error, -ECONNREFUSED);
    assert_string_equal(s.text, "connection refused");
}

static void test_urls_are_cleaned_and_never_weakened(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *host; /* NULL: refused */
        const char *mode;
        const char *key;
        const char *value;
    } cases[] = {
        {"postgresql+psycopg://u:p@localhost/db", "localhost", NULL, "dbname", "db"},
        {"postgresql+asyncpg://u:p@localhost/db?ssl=true", "localhost", "require", "user", "u"},
        {"postgres://u:p@localhost/db?sslmode=disable", "localhost", "disable", "port", "5432"},
        {"postgres://u:p%40%2F@localhost:5433/db", "localhost", NULL, "password", "p@/"},
        {"postgres://u:p?w@localhost/db", "localhost", NULL, "password", "p?w"},
        {"postgres://u:p@ep-x.neon.tech/db?sslmode=require&channel_binding=require",
         "ep-x.neon.tech", "verify-full", "channel_binding", "require"},
        {"postgres://u:p@ep-x.neon.tech/db", "ep-x.neon.tech", "verify-full", NULL, NULL},
        {"postgres://u:p@ep-x.neon.tech/db?sslmode=disable", "ep-x.neon.tech", "disable", NULL,
         NULL},
        {"postgres://u:p@ep-x.neon.tech/db?sslmode=verify-ca", "ep-x.neon.tech", "verify-full",
         NULL, NULL},
        {"postgres://u:p@postgres/db?sslmode=prefer", "postgres", "prefer", NULL, NULL},
        {"postgres://u:p@10.0.0.7/db", "10.0.0.7", NULL, NULL, NULL},
        {"postgres://u:p@x/db?host=localhost", "localhost", NULL, NULL, NULL},
        {"postgres://u:p@h/"
         "db?statement_cache_size=0&load_balance_hosts=random&options=endpoint%3Dep-x",
         "h", NULL, "options", "endpoint=ep-x"},
        {"  postgres://u@h/db", "h", NULL, NULL, NULL},
        {"postgresql:///db", "", NULL, "dbname", "db"},
        {"postgresql:///db?host=/run/postgresql", "", NULL, "host", "/run/postgresql"},
        {"postgres://u:SECRET/x@h/db", NULL, NULL, NULL, NULL},
        {"postgres://u:SECRET@w@h/db", NULL, NULL, NULL, NULL},
        {"postgres://u:SECRET@h/db?sslmod=require", NULL, NULL, NULL, NULL},
        {"postgres://u:SECRET@h/db?sslmode=bogus", NULL, NULL, NULL, NULL},
        {"postgres://u:SECRET@h,i/db", NULL, NULL, NULL, NULL},
        {"postgres://u:SECRET@h/db?service=x", NULL, NULL, NULL, NULL},
        {"\"postgres://u:SECRET@h/db\"", NULL, NULL, NULL, NULL},
        {"mysql://u:SECRET@h/db", NULL, NULL, NULL, NULL},
        {"host=h password=SECRET", NULL, NULL, NULL, NULL},
        {"", NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct postgres_url u;
        struct fault why = {0};
        int code = postgres_url_parse(&u, cases[i].url, &why);
        print_message("%s: %d %s\n", cases[i].url, code, fault_text(&why));
        assert_int_equal(code, cases[i].host == NULL ? -EINVAL : 0);
        assert_null(strstr(fault_text(&why), "SECRET"));
        if (code == 0) {
            const char *mode = postgres_url_get(&u, "sslmode");
            assert_string_equal(u.host != NULL ? u.host : "", cases[i].host);
            if (cases[i].mode != NULL) {
                assert_string_equal(mode, cases[i].mode);
            }
            if (cases[i].key != NULL) {
                assert_string_equal(postgres_url_get(&u, cases[i].key), cases[i].value);
            }
            if (mode != NULL && strcmp(mode, "verify-full") == 0) {
                assert_non_null(postgres_url_get(&u, "sslrootcert"));
            }
        }
        postgres_url_fini(&u);
    }
}

static void test_errors_are_cleaned_classed_and_masked(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        int error;
        const char *text;
    } cases[] = {
        {"connection to server at \"h\", port 1 failed: FATAL:  57P03: the database system is "
         "starting up\n"
         "LOCATION:  ProcessStartupPacket, postmaster.c:2401\n",
         -EAGAIN, "the database system is starting up"},
        {"ERROR:  Couldn't connect to compute node\n", -EAGAIN,
         "ERROR: Couldn't connect to compute node"},
        {"FATAL:  XX000: bad \x1b[31mhunter22\x07 thing\n", -EPROTO,
         "bad [31m\xE2\x80\xB9password\xE2\x80\xBA thing"},
        {"", -EPROTO, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        assert_int_equal(postgres_error(cases[i].message, "hunter22", text, sizeof text),
                         cases[i].error);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_the_environment_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(setenv("PGHOST", "elsewhere", 1), 0);
    assert_int_equal(setenv("PGSSLMODE", "disable", 1), 0);
    assert_int_equal(setenv("XPGHOST", "stays", 1), 0);
    postgres_forget_environment();
    assert_null(getenv("PGHOST"));
    assert_null(getenv("PGSSLMODE"));
    assert_string_equal(getenv("XPGHOST"), "stays");
}

static void on_answer(void *ctx, const struct probe_answer *a)
{
    struct seen *s = ctx;
    (void)snprintf(s->text, sizeof s->text, "%s", a->text);
    s->done = a->verdict == PROBE_PASS || strstr(a->text, s->first) != NULL;
    s->error = (int)a->verdict;
}

static void probe(struct seen *s, const char *url, pid_t root, const char *until)
{
    uv_loop_t loop;
    struct probe *p = NULL;
    struct spec_ready spec = {.kind = READY_POSTGRES,
                              .text = "postgres",
                              .host = "localhost",
                              .port = server.peer.port,
                              .url = url};
    struct probe_opts opts = {.spec = &spec, .tree_root = root};
    *s = (struct seen){0};
    (void)snprintf(s->first, sizeof s->first, "%s", until);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(probe_open(&loop, &opts, on_answer, s, &p, NULL), 0);
    assert_true(peer_run(&loop, &s->done, 5000));
    probe_close(p);
    assert_int_equal(peer_loop_close(&loop), 0);
}

static void test_the_probe_is_ready_at_select_1_of_its_own_server(void **state)
{
    (void)state;
    char url[256];
    struct seen s;
    struct peer bystander;
    NEED_SERVER();
    url_for(url, sizeof url, "localhost", "postgres");
    probe(&s, url, server.peer.pid, "-");
    assert_int_equal(s.error, PROBE_PASS);
    assert_string_equal(s.text, "SELECT 1");
    url_for(url, sizeof url, "localhost", "absent");
    probe(&s, url, server.peer.pid, "database \"absent\" does not exist");
    assert_int_equal(s.error, PROBE_FAIL);
    peer_start(&bystander, &(struct peer_opts){.kind = PEER_SILENT});
    probe(&s, url, bystander.pid, "somebody else listens");
    assert_int_equal(s.error, PROBE_STRANGER);
    peer_stop(&bystander);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_environment_is_forgotten),
        cmocka_unit_test(test_urls_are_cleaned_and_never_weakened),
        cmocka_unit_test(test_errors_are_cleaned_classed_and_masked),
        cmocka_unit_test(test_what_is_not_postgres_gets_one_clear_error),
        cmocka_unit_test(test_a_query_answers_with_rows_nulls_and_tls),
        cmocka_unit_test(test_certificates_are_verified_when_asked),
        cmocka_unit_test(test_each_refusal_has_its_class),
        cmocka_unit_test(test_full_servers_and_notices),
        cmocka_unit_test(test_a_cancelled_call_leaves_nothing),
        cmocka_unit_test(test_the_probe_is_ready_at_select_1_of_its_own_server),
    };
    return cmocka_run_group_tests(tests, NULL, stop_server);
}
