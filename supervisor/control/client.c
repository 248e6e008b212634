/* The client's end of the control socket (see client.h): blocking, one descriptor, no loop. */
#include "control/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/protocol.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: main ignores SIGPIPE */
#endif

enum { CONNECT_PATIENCE_MS = 2000, ENDING_PATIENCE_MS = 15000, CONNECT_STEP_MS = 10, BOOT_PATIENCE_MS = 15000 };

struct client {
    int fd;
    struct message_reader reader;
    json_t *hello;
    json_int_t next_id;
};

static struct client *client_new(int fd)
{
    struct client *c = mem_calloc(1, sizeof *c);
    c->fd = fd;
    c->reader.max = MESSAGE_MAX_TO_CLIENT;
    c->next_id = 1;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return c;
}

/* Waits until the descriptor is ready; -ETIMEDOUT, or 0. until_ms 0: for ever. */
static int wait_for(int fd, short events, uint64_t until_ms)
{
    for (;;) {
        int timeout = -1;
        if (until_ms > 0) {
            uint64_t now = clock_mono_ns() / 1000000U;
            if (now >= until_ms) {
                return -ETIMEDOUT;
            }
            timeout = (int)(until_ms - now);
        }
        struct pollfd p = {.fd = fd, .events = events};
        int rc = poll(&p, 1, timeout);
        if (rc > 0) {
            return 0;
        }
        if (rc < 0 && errno != EINTR) {
            return -errno;
        }
    }
}

static int read_some(struct client *c, struct fault *why)
{
    buf_reserve(&c->reader.in, FRAME_MAX);
    ssize_t len = recv(c->fd, c->reader.in.ptr + c->reader.in.len, FRAME_MAX, MSG_DONTWAIT);
    if (len > 0) {
        c->reader.in.len += (size_t)len;
        return 1;
    }
    if (len == 0) {
        return -EPIPE;
    }
    if (errno == EAGAIN || errno == EINTR) {
        return 0;
    }
    return errno == ECONNRESET ? -EPIPE : fault_set(why, -errno, "read from the server");
}

int client_next(struct client *c, json_t **out, struct fault *why)
{
    for (;;) {
        int rc = message_next(&c->reader, out, why);
        if (rc != 0) {
            return rc;
        }
        rc = read_some(c, why);
        if (rc <= 0) {
            return rc;
        }
    }
}

static int next_until(struct client *c, json_t **out, uint64_t until_ms, struct fault *why)
{
    for (;;) {
        int rc = client_next(c, out, why);
        if (rc != 0) {
            return rc;
        }
        rc = wait_for(c->fd, POLLIN, until_ms);
        if (rc != 0) {
            return rc;
        }
    }
}

static int greet(struct client *c, uint64_t until_ms, struct fault *why)
{
    json_t *message = NULL;
    int rc = next_until(c, &message, until_ms, why);
    if (rc != 1) {
        return rc;
    }
    json_t *hello = json_object_get(message, "hello");
    if (hello == NULL) {
        const char *refused = json_string_value(json_object_get(message, "refused"));
        if (refused != NULL) {
            (void)fault_set(why, -EINVAL, "%s", refused);
            rc = -ECANCELED;
        } else {
            rc = fault_set(why, -EPROTO, "the server does not greet");
        }
        json_decref(message);
        return rc;
    }
    c->hello = json_incref(hello);
    json_decref(message);
    json_int_t protocol = json_integer_value(json_object_get(c->hello, "protocol"));
    if (protocol != PROTOCOL_VERSION) {
        (void)fault_set(why, -EPROTO, "the running server (roadie %s) speaks protocol %d, this roadie %d",
                        json_string_value(json_object_get(c->hello, "version")), (int)protocol,
                        PROTOCOL_VERSION);
        return fault_hint(why, "stop the stack with the roadie that started it, then start it again");
    }
    return 0;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || fmt_into(address.sun_path, sizeof address.sun_path, "%s", path) != 0) {
        return -ENAMETOOLONG;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int rc = -errno;
        (void)close(fd);
        return rc;
    }
    return fd;
}

static void nap(void)
{
    struct timespec step = {.tv_nsec = CONNECT_STEP_MS * 1000000L};
    (void)nanosleep(&step, NULL);
}

int client_connect(const struct place *place, struct client **out, struct fault *why)
{
    uint64_t began = clock_mono_ns() / 1000000U;
    uint64_t until = began + CONNECT_PATIENCE_MS;
    int last = 0;
    do {
        struct arena arena = {0};
        struct place_holder holder = {0};
        int rc = place_holder_read(place, &arena, &holder, why);
        if (rc < 0) {
            arena_fini(&arena);
            return rc;
        }
        /* Without a lock (its directory was removed) a server that answers here is still the one. */
        int fd = connect_to(rc == 0 ? place->socket : holder.socket);
        arena_fini(&arena);
        if (rc == 0 && fd < 0) {
            return -ESRCH;
        }
        if (fd >= 0) {
            struct client *c = client_new(fd);
            rc = greet(c, until + CONNECT_PATIENCE_MS, why);
            if (rc == 0) {
                *out = c;
                return 0;
            }
            client_close(c);
            if (rc == -EPROTO) {
                return rc;
            }
            fd = rc;
        }
        last = fd;
        if (last == -ENOENT) {
            until = began + ENDING_PATIENCE_MS; /* its socket is gone already: on its way out */
        }
        nap();
    } while (clock_mono_ns() / 1000000U < until);
    (void)fault_set(why, last, "a server holds %s but does not answer", place->lock);
    return fault_hint(why, "it may be stopped (kill -CONT) or hang; its pid stands in that file");
}

/* The server must outlive this terminal: a session of its own, nothing of ours but the owner's socket. */
static void become_server(const struct place *place, const struct boot_opts *opts, int owner_fd)
{
    (void)setsid();
    int null = open("/dev/null", O_RDWR);
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/server.log", place->state);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log >= 0 ? log : null, 2) < 0) {
        _exit(127);
    }
    char fd_text[16];
    (void)snprintf(fd_text, sizeof fd_text, "%d", owner_fd);
    const char *argv[16];
    size_t n = 0;
    argv[n++] = "roadie-server";
    argv[n++] = "--id";
    argv[n++] = place->id;
    argv[n++] = "--directory";
    argv[n++] = opts->directory;
    if (opts->file != NULL) {
        argv[n++] = "--file";
        argv[n++] = opts->file;
    }
    if (opts->project != NULL) {
        argv[n++] = "--project";
        argv[n++] = opts->project;
    }
    argv[n++] = opts->own ? "--owner" : "--first";
    argv[n++] = fd_text;
    argv[n] = NULL;
    char *words[16] = {NULL};
    memcpy(words, argv, sizeof words);
    (void)execv(opts->server_path, words);
    static const char text[] = "roadie: roadie-server could not be started\n";
    (void)!write(2, text, sizeof text - 1);
    _exit(127);
}

static int spawn_server(const struct place *place, const struct boot_opts *opts, int *fd,
                        struct fault *why)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        return fault_set(why, -errno, "socket for the server");
    }
    (void)fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    pid_t pid = fork();
    if (pid < 0) {
        (void)close(pair[0]);
        (void)close(pair[1]);
        return fault_set(why, -errno, "start the server");
    }
    if (pid == 0) {
        /* Twice, so that the server is not this process's child. */
        pid_t server = fork();
        if (server == 0) {
            become_server(place, opts, pair[1]);
        }
        _exit(server < 0 ? 1 : 0);
    }
    (void)close(pair[1]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    *fd = pair[0];
    return 0;
}

/* A server on its way out: waits until it has gone. True when there is none any more. */
static bool outlive(const struct place *place, struct client *c)
{
    json_t *message = NULL;
    if (!json_is_true(json_object_get(c->hello, "stopping"))) {
        return false;
    }
    while (next_until(c, &message, 0, NULL) == 1) {
        json_decref(message);
    }
    client_close(c);
    client_wait_end(place);
    return true;
}

int client_boot(const struct place *place, const struct boot_opts *opts, struct client **out,
                bool *started, struct fault *why)
{
    *started = false;
    int rc = client_connect(place, out, why);
    if (rc != -ESRCH && (rc != 0 || !outlive(place, *out))) {
        return rc;
    }
    rc = place_make(place, why);
    if (rc != 0) {
        return rc;
    }
    for (int attempt = 0; attempt < 3; attempt++) {
        int fd = -1;
        rc = spawn_server(place, opts, &fd, why);
        if (rc != 0) {
            return rc;
        }
        struct client *c = client_new(fd);
        rc = greet(c, clock_mono_ns() / 1000000U + BOOT_PATIENCE_MS, why);
        if (rc == 0) {
            *out = c;
            *started = true;
            return 0;
        }
        client_close(c);
        if (rc != -ECANCELED) {
            break;
        }
        /* Another `up` was quicker: its server is ours as well, unless it has just ended. */
        if (client_connect(place, out, NULL) == 0) {
            return 0;
        }
    }
    if (rc == -EPIPE || rc == -ETIMEDOUT) {
        (void)fault_set(why, rc, "the server did not start");
        (void)fault_hint(why, "%s/server.log says why", place->state);
    }
    return rc;
}

const json_t *client_hello(const struct client *c)
{
    return c->hello;
}

int client_fd(const struct client *c)
{
    return c->fd;
}

static int send_all(struct client *c, const struct buf *bytes, struct fault *why)
{
    size_t sent = 0;
    while (sent < bytes->len) {
        ssize_t len = send(c->fd, bytes->ptr + sent, bytes->len - sent, MSG_NOSIGNAL);
        if (len >= 0) {
            sent += (size_t)len;
        } else if (errno == EAGAIN) {
            (void)wait_for(c->fd, POLLOUT, 0);
        } else if (errno != EINTR) {
            return errno == EPIPE || errno == ECONNRESET ? -EPIPE
                                                         : fault_set(why, -errno, "send to the server");
        }
    }
    return 0;
}

int client_send(struct client *c, json_t *request, struct fault *why)
{
    json_int_t id = c->next_id++;
    (void)json_object_set_new(request, "id", json_integer(id));
    struct buf bytes = {0};
    message_encode(request, &bytes);
    json_decref(request);
    int rc = send_all(c, &bytes, why);
    buf_fini(&bytes);
    return rc != 0 ? rc : (int)id;
}

int client_call(struct client *c, json_t *request, client_fn each, void *ctx, int timeout_ms,
                json_t **reply, struct fault *why)
{
    uint64_t until = timeout_ms > 0 ? clock_mono_ns() / 1000000U + (uint64_t)timeout_ms : 0;
    int id = client_send(c, request, why);
    if (id < 0) {
        return id;
    }
    for (;;) {
        json_t *message = NULL;
        int rc = next_until(c, &message, until, why);
        if (rc != 1) {
            return rc;
        }
        bool ours = json_integer_value(json_object_get(message, "id")) == id;
        if (ours && json_is_true(json_object_get(message, "done"))) {
            *reply = message;
            return 0;
        }
        if (each != NULL) {
            each(ctx, message);
        }
        json_decref(message);
    }
}

void client_wait_end(const struct place *place)
{
    uint64_t until = clock_mono_ns() / 1000000U + CONNECT_PATIENCE_MS;
    struct timespec step = {.tv_nsec = 1000000L};
    for (;;) {
        struct arena arena = {0};
        struct place_holder holder = {0};
        int held = place_holder_read(place, &arena, &holder, NULL);
        arena_fini(&arena);
        if (held != 1 || clock_mono_ns() / 1000000U >= until) {
            return;
        }
        (void)nanosleep(&step, NULL);
    }
}

void client_close(struct client *c)
{
    if (c == NULL) {
        return;
    }
    (void)close(c->fd);
    message_reader_fini(&c->reader);
    json_decref(c->hello);
    mem_free(c);
}
