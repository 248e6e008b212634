/*
 * What this room is for.      poller.h on epoll: one-shot arming, so that a stream which is left
 * alone for a millisecond costs nothing, not even a wake-up in its writer. What it may touch. epoll
 * and an eventfd. Who calls it.               pump.c. The one invariant.          At most one
 * report per arming.
 */
#include "logs/poller.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

enum { EVENTS_MAX = 64 };

struct poller {
    int epoll_fd;
    int wake_fd;
};

int poller_open(struct poller **out)
{
    struct poller *p = mem_calloc(1, sizeof(*p));
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (p->epoll_fd < 0 || p->wake_fd < 0 ||
        epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->wake_fd, &event) < 0) {
        int code = -errno;
        poller_close(p);
        return code;
    }
    *out = p;
    return 0;
}

int poller_add(struct poller *p, int fd, void *token)
{
    struct epoll_event event = {.events = EPOLLONESHOT, .data.ptr = token};
    return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void poller_arm(struct poller *p, int fd, void *token)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = token};
    (void)epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

void poller_remove(struct poller *p, int fd)
{
    (void)epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

size_t poller_wait(struct poller *p, int timeout_ms, void **tokens, size_t max)
{
    struct epoll_event events[EVENTS_MAX];
    int want = max < EVENTS_MAX ? (int)max : EVENTS_MAX;
    int got = epoll_wait(p->epoll_fd, events, want, timeout_ms);
    size_t count = 0;
    for (int i = 0; i < got; i++) {
        if (events[i].data.ptr != NULL) {
            tokens[count++] = events[i].data.ptr;
            continue;
        }
        uint64_t ignored;
        while (read(p->wake_fd, &ignored, sizeof(ignored)) < 0 && errno == EINTR) {
            continue;
        }
    }
    return count;
}

void poller_wake(struct poller *p)
{
    uint64_t one = 1;
    while (write(p->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        continue;
    }
}

void poller_close(struct poller *p)
{
    if (p == NULL) {
        return;
    }
    if (p->epoll_fd >= 0) {
        (void)close(p->epoll_fd);
    }
    if (p->wake_fd >= 0) {
        (void)close(p->wake_fd);
    }
    mem_free(p);
}
