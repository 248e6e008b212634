/* Peers for tests (see peer.h). */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

/* A test that dies takes its peers along. */
static void die_with_parent(void)
{
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

union any_address {
    struct sockaddr base;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static socklen_t any_address(union any_address *a, const char *address, uint16_t port)
{
    memset(a, 0, sizeof *a);
    if (strchr(address, ':') != NULL) {
        a->six.sin6_family = AF_INET6;
        a->six.sin6_port = htons(port);
        assert_int_equal(inet_pton(AF_INET6, address, &a->six.sin6_addr), 1);
        return sizeof a->six;
    }
    a->four.sin_family = AF_INET;
    a->four.sin_port = htons(port);
    assert_int_equal(inet_pton(AF_INET, address, &a->four.sin_addr), 1);
    return sizeof a->four;
}

static void nap_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) { /* allowed: a peer that is slow */
    }
}

uint64_t peer_now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

static int bound_socket(const char *address, uint16_t port, uint16_t *out)
{
    union any_address a;
    socklen_t len = any_address(&a, address, port);
    int fd = socket(a.base.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a.base.sa_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (bind(fd, &a.base, len) != 0) {
        close(fd);
        return -1;
    }
    len = sizeof a;
    assert_int_equal(getsockname(fd, &a.base, &len), 0);
    *out = ntohs(a.base.sa_family == AF_INET6 ? a.six.sin6_port : a.four.sin_port);
    return fd;
}

uint16_t peer_free_port(const char *address)
{
    uint16_t port = 0;
    int fd = bound_socket(address, 0, &port);
    assert_true(fd >= 0);
    close(fd);
    return port;
}

static void put(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

static void answer(int fd, const struct peer_opts *o)
{
    char in[4096];
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    size_t len = o->text != NULL ? strlen(o->text) : 0;
    bool reads = o->kind != PEER_CLOSE && o->kind != PEER_RESET && o->kind != PEER_GREET;
    if (reads && recv(fd, in, sizeof in, 0) <= 0) {
        return;
    }
    if (o->kind == PEER_DRIP) {
        for (size_t i = 0; i < len; i++) {
            put(fd, o->text + i, 1);
            nap_ms(5);
        }
    } else {
        put(fd, o->text, len);
    }
    if (o->kind == PEER_ENDLESS) {
        memset(in, 'x', sizeof in);
        while (send(fd, in, sizeof in, MSG_NOSIGNAL) > 0) {
        }
    }
    if (o->kind == PEER_RESET || o->kind == PEER_SAY_RESET) {
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    if (o->kind == PEER_SILENT || o->kind == PEER_HOLD) {
        while (recv(fd, in, sizeof in, 0) > 0) {
        }
    }
}

static void serve(int fd, const struct peer_opts *o)
{
    for (;;) {
        int c = accept(fd, NULL, NULL);
        if (c < 0) {
            _exit(1);
        }
        if (o->count_file != NULL) {
            int count = open(o->count_file, O_WRONLY | O_APPEND | O_CREAT, 0600);
            (void)!write(count, "x", 1);
            close(count);
        }
        answer(c, o);
        close(c);
    }
}

void peer_start(struct peer *p, const struct peer_opts *opts)
{
    int ready[2];
    const char *address = opts->address != NULL ? opts->address : "127.0.0.1";
    int fd = bound_socket(address, opts->port, &p->port);
    assert_true(fd >= 0);
    assert_int_equal(pipe(ready), 0);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        die_with_parent();
        close(ready[0]);
        if (opts->delay_ms > 0) {
            close(ready[1]);
            nap_ms(opts->delay_ms);
        }
        (void)listen(fd, 64);
        if (opts->delay_ms == 0) {
            close(ready[1]);
        }
        serve(fd, opts);
    }
    close(ready[1]);
    char c;
    (void)!read(ready[0], &c, 1);
    close(ready[0]);
    close(fd);
}

static bool is_installed(const char *program)
{
    if (strchr(program, '/') != NULL) {
        return access(program, X_OK) == 0;
    }
    const char *path = getenv("PATH");
    for (const char *at = path; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ":");
        char file[512];
        (void)snprintf(file, sizeof file, "%.*s/%s", (int)len, at, program);
        if (access(file, X_OK) == 0) {
            return true;
        }
        at += len + (at[len] == ':' ? 1 : 0);
    }
    return false;
}

bool peer_exec(struct peer *p, const char *const *argv)
{
    char *words[64];
    size_t n = 0;
    if (!is_installed(argv[0])) {
        return false;
    }
    for (; argv[n] != NULL && n < COUNT_OF(words) - 1; n++) {
        words[n] = strdup(argv[n]);
    }
    words[n] = NULL;
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        die_with_parent();
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, 0);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        execvp(words[0], words);
        _exit(127);
    }
    while (n > 0) {
        free(words[--n]);
    }
    return true;
}

void peer_stop(struct peer *p)
{
    if (p->pid > 0) {
        (void)kill(p->pid, SIGCONT);
        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, NULL, 0);
        p->pid = 0;
    }
}

bool peer_wait_port(const char *address, uint16_t port, unsigned ms)
{
    uint64_t end = peer_now_ms() + ms;
    while (peer_now_ms() < end) {
        union any_address a;
        socklen_t len = any_address(&a, address, port);
        int fd = socket(a.base.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int rc = connect(fd, &a.base, len);
        close(fd);
        if (rc == 0) {
            return true;
        }
        nap_ms(5);
    }
    return false;
}

bool peer_redis(struct peer *p, const char *const *extra)
{
    char port[16];
    p->port = peer_free_port("127.0.0.1");
    (void)snprintf(port, sizeof port, "%u", (unsigned)p->port);
    const char *argv[40] = {"redis-server", "--port",      port, "--bind",
                            "127.0.0.1",    "--save",      "",   "--appendonly",
                            "no",           "--daemonize", "no"};
    size_t n = 11;
    for (size_t i = 0; extra != NULL && extra[i] != NULL && n < COUNT_OF(argv) - 1; i++) {
        argv[n++] = extra[i];
    }
    if (!peer_exec(p, argv)) {
        return false;
    }
    assert_true(peer_wait_port("127.0.0.1", p->port, 5000));
    return true;
}

static void on_limit(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

bool peer_run(uv_loop_t *loop, const bool *flag, unsigned ms)
{
    bool late = false;
    uv_timer_t limit;
    assert_int_equal(uv_timer_init(loop, &limit), 0);
    limit.data = &late;
    (void)uv_timer_start(&limit, on_limit, ms, 0);
    while (!*flag && !late) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&limit, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT);
    return *flag;
}

int peer_loop_close(uv_loop_t *loop)
{
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop);
}
