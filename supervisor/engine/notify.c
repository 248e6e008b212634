/* sd_notify: a datagram socket of the run's own; READY=1 feeds its `ready = notify`. */
#include "engine/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

struct notify {
    uv_poll_t poll;
    int fd;
    struct run *run; /* NULL once closed */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct notify *n = poll->data;
    (void)events;
    char text[4096];
    if (status < 0 || n->run == NULL) {
        return;
    }
    ssize_t len = recv(n->fd, text, sizeof text - 1, MSG_DONTWAIT);
    if (len <= 0) {
        return;
    }
    text[len] = '\0';
    for (char *line = text; line != NULL && n->run != NULL;) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (strcmp(line, "READY=1") == 0) {
            readiness_feed(n->run, READY_NOTIFY, 0, line);
        }
        line = next;
    }
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

int notify_open(struct run *run, const char **path, struct fault *why)
{
    struct notify *n = mem_calloc(1, sizeof *n);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (fmt_into(n->path, sizeof n->path, "%s/n-%s", run->svc->engine->opts.runtime_dir,
                 run->svc->name) != 0) {
        mem_free(n);
        return fault_set(why, -ENAMETOOLONG, "notify socket of %s", run->svc->name);
    }
    memcpy(address.sun_path, n->path, sizeof n->path);
    (void)unlink(n->path);
    n->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    int rc = n->fd < 0 ? -errno : 0;
    if (rc == 0) {
        (void)fcntl(n->fd, F_SETFD, FD_CLOEXEC);
        (void)fcntl(n->fd, F_SETFL, O_NONBLOCK);
        rc = bind(n->fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
    }
    if (rc == 0) {
        rc = uv_poll_init(run->svc->engine->opts.loop, &n->poll, n->fd);
    }
    if (rc != 0) {
        if (n->fd >= 0) {
            (void)close(n->fd);
        }
        rc = fault_set(why, rc, "notify socket %s", n->path);
        mem_free(n);
        return rc;
    }
    n->run = run;
    n->poll.data = n;
    (void)uv_poll_start(&n->poll, UV_READABLE, on_readable);
    run->notify = n;
    *path = n->path;
    return 0;
}

void notify_close(struct run *run)
{
    struct notify *n = run->notify;
    if (n == NULL) {
        return;
    }
    run->notify = NULL;
    n->run = NULL;
    (void)unlink(n->path);
    (void)uv_poll_stop(&n->poll);
    (void)close(n->fd);
    uv_close((uv_handle_t *)&n->poll, on_closed);
}
