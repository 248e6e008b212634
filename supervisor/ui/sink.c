/*
 * What this room is for.      Writing without waiting.
 * What it may touch.          One descriptor, one thread.
 * Who calls it.               session.c
 * The one invariant.          Bytes leave in the order in which they were put.
 */
#include "ui/sink.h"

#include <errno.h>
#include <signal.h>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"

struct chunk {
    struct chunk *next;
    struct buf bytes;
};

struct sink {
    uv_async_t async;
    int fd;
    sink_fn drained;
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock;   /* guards all below */
    pthread_cond_t more;
    struct chunk *first;
    struct chunk **last;
    size_t waiting;         /* bytes, the chunk under way included */
    int error;
    bool stop;
};

static int write_all(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n >= 0) {
            bytes.ptr += n;
            bytes.len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};
            (void)poll(&pfd, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static void chunk_free(struct chunk *chunk)
{
    buf_fini(&chunk->bytes);
    mem_free(chunk);
}

static void *run(void *arg)
{
    struct sink *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->first == NULL && !s->stop) {
            (void)pthread_cond_wait(&s->more, &s->lock);
        }
        struct chunk *chunk = s->first;
        if (chunk == NULL) {
            break;
        }
        s->first = chunk->next;
        s->last = s->first == NULL ? &s->first : s->last;
        int error = s->error;
        (void)pthread_mutex_unlock(&s->lock);
        error = error == 0 ? write_all(s->fd, buf_span(&chunk->bytes)) : error;
        size_t len = chunk->bytes.len;
        chunk_free(chunk);
        (void)pthread_mutex_lock(&s->lock);
        s->waiting -= len;
        s->error = error;
        (void)uv_async_send(&s->async);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void on_async_call(uv_async_t *async)
{
    struct sink *s = CONTAINER_OF(async, struct sink, async);
    s->drained(s->ctx);
}

struct sink *sink_open(uv_loop_t *loop, int fd, sink_fn drained, void *ctx)
{
    struct sink *s = mem_calloc(1, sizeof *s);
    s->fd = fd;
    s->drained = drained;
    s->ctx = ctx;
    s->last = &s->first;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->more, NULL);
    (void)uv_async_init(loop, &s->async, on_async_call);
    /* Signals are the loop's. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    s->error = -pthread_create(&s->thread, NULL, run, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s;
}

void sink_put(struct sink *s, struct buf *b)
{
    if (b->len == 0) {
        return;
    }
    struct chunk *chunk = mem_calloc(1, sizeof *chunk);
    chunk->bytes = *b;
    *b = (struct buf){0};
    (void)pthread_mutex_lock(&s->lock);
    *s->last = chunk;
    s->last = &chunk->next;
    s->waiting += chunk->bytes.len;
    (void)pthread_cond_signal(&s->more);
    (void)pthread_mutex_unlock(&s->lock);
}

static size_t waiting_of(const struct sink *s)
{
    /* A lock of a const object: const is about the bytes, the lock is how they are looked at. */
    pthread_mutex_t *lock = &((struct sink *)(uintptr_t)s)->lock;
    (void)pthread_mutex_lock(lock);
    size_t waiting = s->waiting;
    (void)pthread_mutex_unlock(lock);
    return waiting;
}

bool sink_has_room(const struct sink *s)
{
    return waiting_of(s) < SINK_ROOM;
}

bool sink_is_empty(const struct sink *s)
{
    return waiting_of(s) == 0;
}

int sink_error(const struct sink *s)
{
    pthread_mutex_t *lock = &((struct sink *)(uintptr_t)s)->lock;
    (void)pthread_mutex_lock(lock);
    int error = s->error;
    (void)pthread_mutex_unlock(lock);
    return error;
}

static void on_async_closed(uv_handle_t *handle)
{
    struct sink *s = CONTAINER_OF((uv_async_t *)(void *)handle, struct sink, async);
    while (s->first != NULL) {
        struct chunk *chunk = s->first;
        s->first = chunk->next;
        chunk_free(chunk);
    }
    (void)pthread_mutex_destroy(&s->lock);
    (void)pthread_cond_destroy(&s->more);
    mem_free(s);
}

void sink_close(struct sink *s, bool abandon)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->stop = true;
    (void)pthread_cond_signal(&s->more);
    (void)pthread_mutex_unlock(&s->lock);
    if (abandon && !sink_is_empty(s)) {
        /* The thread hangs in write: the process ends around it, and what it uses stays. */
        (void)pthread_detach(s->thread);
        return;
    }
    (void)pthread_join(s->thread, NULL);
    uv_close((uv_handle_t *)&s->async, on_async_closed);
}
