/* Who listens where, whose that is, facts about processes, sums over trees, strays. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bench.h"
#include "process/listeners.h"

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)close(fd);
    return ntohs(at.sin_port);
}

static bool has_v6(void)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool works = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return works;
}

/* Starts `fx listen` below a shell and checks what is found. */
static void found_as(const char *where, const char *address, bool v6, bool loopback, bool wildcard)
{
    struct bench b;
    struct run r;
    struct listener found[LISTENERS_MAX];
    char line[128];
    char port_text[8];
    uint16_t port = free_port();
    pid_t holder = 0;
    (void)snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    (void)snprintf(line, sizeof line, BENCH_FX " listen %s %s & wait", port_text, where);
    bench_open(&b);
    assert_int_equal(listeners_find(port, found, LISTENERS_MAX), 0);
    assert_int_equal(run_start(&b, &r, WORDS("/bin/sh", "-c", line), NULL), 0);
    BENCH_UNTIL(&b, &r, run_said(&r, "listening"), 2000);
    assert_int_equal(listeners_find(port, found, LISTENERS_MAX), 1);
    assert_string_equal(found[0].address, address);
    assert_int_equal(found[0].v6, v6);
    assert_int_equal(found[0].loopback, loopback);
    assert_int_equal(found[0].wildcard, wildcard);
    assert_int_equal(found[0].port, port);
    assert_int_equal(found[0].uid, getuid());
    assert_true(found[0].inode != 0);
    assert_true(listener_in_tree(&found[0], r.shim, &holder));
    assert_true(holder != r.shim && holder != r.pid); /* the shell's child */
    assert_int_equal(listener_owner(&found[0]), holder);
    assert_true(listener_in_tree(&found[0], r.pid, NULL));
    proc_kill_tree(r.proc);
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    assert_int_equal(listeners_find(port, found, LISTENERS_MAX), 0);
    run_fini(&r);
    bench_close(&b);
}

static void test_listeners_are_found_with_their_address(void **state)
{
    (void)state;
    found_as("v4", "127.0.0.1", false, true, false);
    found_as("any", "0.0.0.0", false, false, true);
    if (has_v6()) {
        found_as("v6", "::1", true, true, false);
        found_as("dual", "::", true, false, true);
    } else {
        print_message("SKIP v6: this machine has no ::1\n");
    }
}

static void test_a_strangers_listener_is_not_in_the_tree(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    struct run stranger;
    struct listener found[LISTENERS_MAX];
    char port_text[8];
    uint16_t port = free_port();
    (void)snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    bench_open(&b);
    assert_int_equal(run_start(&b, &stranger, WORDS(BENCH_FX, "listen", port_text), NULL), 0);
    BENCH_UNTIL(&b, &stranger, run_said(&stranger, "listening"), 2000);
    assert_int_equal(run_start(&b, &r, WORDS(BENCH_FX, "say", "hello"), NULL), 0);
    BENCH_UNTIL(&b, &r, run_said(&r, "hello"), 2000);
    assert_int_equal(listeners_find(port, found, LISTENERS_MAX), 1);
    assert_false(listener_in_tree(&found[0], r.shim, NULL));
    assert_int_equal(listener_owner(&found[0]), stranger.pid);
    proc_kill_tree(r.proc);
    proc_kill_tree(stranger.proc);
    BENCH_UNTIL(&b, &r, r.gone && stranger.gone, 1000);
    run_fini(&r);
    run_fini(&stranger);
    bench_close(&b);
}

static void test_a_daemons_listener_belongs_to_its_shims_tree(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    struct listener found[LISTENERS_MAX];
    char line[160];
    uint16_t port = free_port();
    (void)snprintf(line, sizeof line, "(setsid " BENCH_FX " listen %u &) ; exec sleep 1000",
                   (unsigned)port);
    bench_open(&b);
    assert_int_equal(run_start(&b, &r, WORDS("/bin/sh", "-c", line), NULL), 0);
    BENCH_UNTIL(&b, &r, run_said(&r, "listening"), 2000);
    assert_int_equal(listeners_find(port, found, LISTENERS_MAX), 1);
    assert_true(listener_in_tree(&found[0], r.shim, NULL));
    proc_kill_tree(r.proc);
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    run_fini(&r);
    bench_close(&b);
}

static void test_finding_is_cheap(void **state)
{
    (void)state;
    enum { TIMES = 2000 };
    struct listener found[LISTENERS_MAX];
    uint64_t start = clock_mono_ns();
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(listeners_find(1, found, LISTENERS_MAX), 0);
    }
    uint64_t each_us = (clock_mono_ns() - start) / TIMES / 1000;
    print_message("listeners_find: %llu us\n", (unsigned long long)each_us);
    assert_in_range(each_us, 0, 1000);
}

static void test_facts_say_who_and_what_and_where(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    struct process_facts facts;
    struct process_facts again;
    pid_t strays[8];
    char stack[] = "ROADIE_STACK=facts-test-1234";
    char service[] = "ROADIE_SERVICE=web";
    char number[] = "ROADIE_RUN=1";
    char *envp[] = {stack, service, number, NULL};
    struct proc_plan plan = run_plan();
    plan.envp = envp;
    plan.directory = "/usr";
    bench_open(&b);
    uint64_t before = clock_wall_ns();
    assert_int_equal(run_start(&b, &r, WORDS(BENCH_FX, "say", "hello", "a\tb"), &plan), 0);
    BENCH_UNTIL(&b, &r, run_said(&r, "hello"), 2000);
    assert_int_equal(process_facts(r.pid, &facts), 0);
    assert_int_equal(facts.parent, r.shim);
    assert_int_equal(facts.uid, getuid());
    assert_true(facts.user[0] != '\0');
    assert_string_equal(facts.command, BENCH_FX " say hello a?b");
    assert_string_equal(facts.directory, "/usr");
    assert_string_equal(facts.stack_id, "facts-test-1234");
    assert_string_equal(facts.service, "web");
    assert_true(facts.started_wall_ns > before - 1000000000U &&
                facts.started_wall_ns < clock_wall_ns() + 1000000000U);
    assert_int_equal(process_facts(r.pid, &again), 0);
    assert_int_equal(facts.start_time, again.start_time);
    assert_int_equal(strays_find("facts-test-1234", strays, 8), 1);
    assert_int_equal(strays[0], r.pid);
    assert_int_equal(strays_find("facts-test", strays, 8), 0);
    assert_int_equal(process_facts(r.shim, &facts), 0);
    assert_string_equal(facts.command,
                        "roadie-shim bench"); /* no word of the service's command line */
    assert_string_equal(facts.stack_id, "");
    proc_kill_tree(r.proc);
    pid_t pid = r.pid;
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    assert_int_equal(process_facts(pid, &facts), -ESRCH);
    run_fini(&r);
    bench_close(&b);
}

static void test_usage_sums_the_tree(void **state)
{
    (void)state;
    struct bench b;
    struct run r;
    struct tree_usage usage;
    bench_open(&b);
    assert_int_equal(
        run_start(&b, &r,
                  WORDS("/bin/sh", "-c", BENCH_FX " spin 100; " BENCH_FX " say ready & wait"),
                  NULL),
        0);
    BENCH_UNTIL(&b, &r, run_said(&r, "ready"), 3000);
    tree_usage(r.shim, true, &usage);
    assert_int_equal(usage.processes, 2);
    assert_in_range(usage.cpu_ms, 80, 500);
    assert_in_range(usage.rss_bytes, 100000, 50000000);
    proc_kill_tree(r.proc);
    BENCH_UNTIL(&b, &r, r.gone, 1000);
    run_fini(&r);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listeners_are_found_with_their_address),
        cmocka_unit_test(test_a_strangers_listener_is_not_in_the_tree),
        cmocka_unit_test(test_a_daemons_listener_belongs_to_its_shims_tree),
        cmocka_unit_test(test_finding_is_cheap),
        cmocka_unit_test(test_facts_say_who_and_what_and_where),
        cmocka_unit_test(test_usage_sums_the_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
