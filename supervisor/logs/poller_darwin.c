/*
 * What this room is for.      poller.h on poll(2): pipes and PTY masters alike work there.
 * What it may touch.          poll and a pipe to itself.
 * Who calls it.               pump.c.
 * The one invariant.          At most one report per arming.
 */
#include "logs/poller.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/mem.h"

struct watch {
    int fd;
    bool armed;
    void *token;
};

struct poller {
    int wake[2];
    struct watch *watches;
    struct pollfd *polls; /* scratch, one more than watches for the wake pipe */
    size_t count;
    size_t cap;
};

static int pipe_prepare(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int poller_open(struct poller **out)
{
    struct poller *p = mem_calloc(1, sizeof(*p));
    p->wake[0] = -1;
    p->wake[1] = -1;
    int code = pipe(p->wake) < 0 ? -errno : 0;
    for (int i = 0; code == 0 && i < 2; i++) {
        code = pipe_prepare(p->wake[i]);
    }
    if (code < 0) {
        poller_close(p);
        return code;
    }
    *out = p;
    return 0;
}

int poller_add(struct poller *p, int fd, void *token)
{
    if (p->count == p->cap) {
        p->cap = p->cap > 0 ? p->cap * 2 : 16;
        p->watches = mem_realloc(p->watches, p->cap * sizeof(*p->watches));
        p->polls = mem_realloc(p->polls, (p->cap + 1) * sizeof(*p->polls));
    }
    p->watches[p->count++] = (struct watch){.fd = fd, .token = token};
    return 0;
}

static struct watch *watch_find(struct poller *p, int fd)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->watches[i].fd == fd) {
            return &p->watches[i];
        }
    }
    return NULL;
}

void poller_arm(struct poller *p, int fd, void *token)
{
    struct watch *watch = watch_find(p, fd);
    if (watch != NULL) {
        watch->armed = true;
        watch->token = token;
    }
}

void poller_remove(struct poller *p, int fd)
{
    struct watch *watch = watch_find(p, fd);
    if (watch != NULL) {
        *watch = p->watches[--p->count];
    }
}

size_t poller_wait(struct poller *p, int timeout_ms, void **tokens, size_t max)
{
    struct pollfd only_wake[1];
    struct pollfd *polls = p->polls != NULL ? p->polls : only_wake;
    polls[0] = (struct pollfd){.fd = p->wake[0], .events = POLLIN};
    for (size_t i = 0; i < p->count; i++) {
        polls[i + 1] =
            (struct pollfd){.fd = p->watches[i].armed ? p->watches[i].fd : -1, .events = POLLIN};
    }
    if (poll(polls, (nfds_t)(p->count + 1), timeout_ms) <= 0) {
        return 0;
    }
    char ignored[64];
    while (polls[0].revents != 0 && read(p->wake[0], ignored, sizeof(ignored)) > 0) {
        continue;
    }
    size_t count = 0;
    for (size_t i = 0; i < p->count && count < max; i++) {
        if (p->watches[i].armed && polls[i + 1].revents != 0) {
            p->watches[i].armed = false;
            tokens[count++] = p->watches[i].token;
        }
    }
    return count;
}

void poller_wake(struct poller *p)
{
    while (write(p->wake[1], "", 1) < 0 && errno == EINTR) {
        continue;
    }
}

void poller_close(struct poller *p)
{
    if (p == NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (p->wake[i] >= 0) {
            (void)close(p->wake[i]);
        }
    }
    mem_free(p->watches);
    mem_free(p->polls);
    mem_free(p);
}
