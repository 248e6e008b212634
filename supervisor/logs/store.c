/*
 * What this room is for.      The main thread's side of the store: opening, runs, answers, closing.
 * What it may touch.          pump.h's M and S members; files only before the thread runs.
 * Who calls it.               engine.
 * The one invariant.          Every logrun gets exactly one on_drained, after its last on_match.
 */
#include "logs/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "logs/channel.h"
#include "logs/pump.h"

static void on_reports(uv_async_t *async);
static void on_async_closed(uv_handle_t *handle);

static struct run_counter *counter_of(struct logstore *s, const char *service)
{
    for (struct run_counter *c = s->counters; c != NULL; c = c->next) {
        if (strcmp(c->service, service) == 0) {
            return c;
        }
    }
    struct run_counter *c = mem_calloc(1, sizeof(*c));
    c->service = mem_strdup(service);
    c->next = s->counters;
    s->counters = c;
    return c;
}

/* Looks at every service's last words; the head must be above all of them before anything is
 * mended. */
static void recover(struct logstore *s)
{
    DIR *dir = opendir(s->dir);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        struct recovery seen;
        if (!service_name_ok(entry->d_name) || recovery_look(s->dir, entry->d_name, &seen) < 0) {
            continue;
        }
        counter_of(s, entry->d_name)->last = seen.run;
        s->next_head = seen.last > s->next_head ? seen.last : s->next_head;
    }
    (void)closedir(dir);
    for (const struct run_counter *c = s->counters; c != NULL; c = c->next) {
        (void)recovery_mend(s->dir, c->service, c->last > 0 ? c->last : 1, &s->next_head);
    }
}

/* Opens DIR/NAME for the eight bytes of a number; what stands there and is no regular file is
 * removed. */
static int number_open(const char *dir, const char *name)
{
    char *path = mem_printf("%s/%s", dir, name);
    int fd = file_open(AT_FDCWD, path, O_RDWR | O_CREAT);
    if (fd == -EINVAL || fd == -ELOOP || fd == -ENXIO) {
        (void)unlink(path);
        fd = file_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL);
    }
    mem_free(path);
    return fd;
}

static int number_save(int fd, uint64_t value)
{
    int64_t got = file_write(fd, &value, sizeof(value), 0);
    return got == (int64_t)sizeof(value) ? 0 : got < 0 ? (int)got : -ENOSPC;
}

/* Reads DIR/head, recovers, writes DIR/head and DIR/up. */
static int directory_start(struct logstore *s, struct fault *why)
{
    int code = dirs_make(s->dir);
    if (code < 0) {
        return fault_set(why, code, "log directory %s", s->dir);
    }
    s->head_fd = number_open(s->dir, "head");
    if (s->head_fd < 0) {
        return fault_set(why, s->head_fd, "open %s/head", s->dir);
    }
    s->next_head = number_read(s->head_fd);
    recover(s);
    code = number_save(s->head_fd, s->next_head);
    int up_fd = number_open(s->dir, "up");
    int up_code = up_fd < 0 ? up_fd : number_save(up_fd, s->next_head);
    if (up_fd >= 0) {
        (void)close(up_fd);
    }
    code = code < 0 ? code : up_code;
    return code < 0 ? fault_set(why, code, "write %s/head", s->dir) : 0;
}

static int thread_start(struct logstore *s)
{
    /* Signals belong to the main thread; SIGXFSZ of a limited file must not kill anybody. */
    sigset_t all;
    sigset_t kept;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &kept);
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                         .stack_size = 512 * 1024};
    int code = uv_thread_create_ex(&s->thread, &options, pump_main, s);
    (void)pthread_sigmask(SIG_SETMASK, &kept, NULL);
    return code;
}

static void store_free(struct logstore *s)
{
    while (s->counters != NULL) {
        struct run_counter *c = s->counters;
        s->counters = c->next;
        mem_free(c->service);
        mem_free(c);
    }
    while (s->services != NULL) {
        struct service *service = s->services;
        s->services = service->next;
        segments_free(service->segments);
        mem_free(service);
    }
    if (s->head_fd >= 0) {
        (void)close(s->head_fd);
    }
    for (int i = 0; i < 2; i++) {
        if (s->relay[i] >= 0) {
            (void)close(s->relay[i]);
        }
    }
    poller_close(s->poller);
    uv_mutex_destroy(&s->lock);
    mem_free(s->active);
    mem_free(s->buffer);
    mem_free(s->dir);
    mem_free(s);
}

int logstore_open(uv_loop_t *loop, const char *dir, struct logstore **out, struct fault *why)
{
    struct logstore *s = mem_calloc(1, sizeof(*s));
    s->dir = mem_strdup(dir);
    s->head_fd = -1;
    if (channel_relay(s->relay) < 0) {
        s->relay[0] = -1;
        s->relay[1] = -1;
    }
    s->buffer = mem_calloc(1, PUMP_BUFFER);
    s->commands_end = &s->commands;
    s->reports_end = &s->reports;
    s->fresh_end = &s->fresh;
    if (uv_mutex_init(&s->lock) != 0) {
        abort();
    }
    int code = directory_start(s, why);
    if (code == 0) {
        code = poller_open(&s->poller);
        code = code == 0 ? 0 : fault_set(why, code, "log store");
    }
    if (code < 0) {
        store_free(s);
        return code;
    }
    atomic_store(&s->head, s->next_head);
    s->head_checked_ns = clock_mono_ns();
    code = uv_async_init(loop, &s->async, on_reports);
    if (code < 0) {
        store_free(s);
        return fault_set(why, code, "log store");
    }
    code = thread_start(s);
    if (code < 0) {
        uv_close((uv_handle_t *)&s->async, on_async_closed);
        return fault_set(why, code, "log thread");
    }
    *out = s;
    return 0;
}

static void command_send(struct logstore *s, const struct command *command)
{
    struct command *copy = mem_calloc(1, sizeof(*copy));
    *copy = *command;
    copy->next = NULL;
    uv_mutex_lock(&s->lock);
    *s->commands_end = copy;
    s->commands_end = &copy->next;
    uv_mutex_unlock(&s->lock);
    poller_wake(s->poller);
}

uint32_t logstore_next_run(struct logstore *s, const char *service)
{
    struct run_counter *c = counter_of(s, service);
    c->last++;
    if (service_name_ok(service)) {
        command_send(s, &(struct command){.service = mem_strdup(service), .number = c->last});
    }
    return c->last;
}

static void logrun_free(struct logrun *run)
{
    matcher_free(run->matcher);
    mem_free(run->service);
    mem_free(run);
}

/* Makes what the child writes into. */
static int channels_make(struct logrun *run, bool tty, int child_fds[2], struct fault *why)
{
    run->stream_count = tty ? 1 : 2;
    for (unsigned i = 0; i < run->stream_count; i++) {
        struct stream *st = &run->streams[i];
        int code = tty ? channel_pty(&st->fd, &child_fds[i]) : channel_pipe(&st->fd, &child_fds[i]);
        if (code < 0) {
            while (i-- > 0) {
                (void)close(run->streams[i].fd);
                (void)close(child_fds[i]);
            }
            return fault_set(why, code, tty ? "terminal for %s" : "pipe for %s", run->service);
        }
        st->run = run;
        st->pty = tty;
        st->kind = i == 0 ? LOG_OUT : LOG_ERR;
        st->capacity = tty ? SIZE_MAX : channel_grow(st->fd, 0);
    }
    run->open_count = run->stream_count;
    return 0;
}

int logrun_open(struct logstore *s, const struct logrun_opts *opts, int *out_fd, int *err_fd,
                struct logrun **out, struct fault *why)
{
    if (!service_name_ok(opts->service)) {
        return fault_set(why, -EINVAL, "service name \"%s\"", opts->service);
    }
    struct logrun *run = mem_calloc(1, sizeof(*run));
    run->store = s;
    run->service = mem_strdup(opts->service);
    run->number = opts->run;
    run->keep_bytes = opts->keep_bytes;
    run->callbacks = opts->callbacks;
    run->ctx = opts->ctx;
    int child_fds[2] = {-1, -1};
    int code = matcher_new(opts->patterns, &run->matcher, why);
    if (code == 0) {
        code = channels_make(run, opts->tty, child_fds, why);
    }
    if (code < 0) {
        logrun_free(run);
        return code;
    }
    *out_fd = child_fds[0];
    *err_fd = child_fds[1];
    *out = run;
    command_send(s, &(struct command){.run = run});
    return 0;
}

void logrun_cut(struct logrun *r)
{
    atomic_store(&r->cut, true);
    poller_wake(r->store->poller);
}

uint64_t logstore_head(const struct logstore *s)
{
    return atomic_load(&s->head);
}

uint64_t logstore_lost(const struct logstore *s)
{
    return atomic_load(&s->lost);
}

void logstore_close(struct logstore *s, void (*closed)(void *ctx), void *ctx)
{
    s->closed = closed;
    s->closed_ctx = ctx;
    atomic_store(&s->closing, true);
    poller_wake(s->poller);
}

static void report_deliver(struct logstore *s, struct report *report)
{
    struct logrun *run = report->run;
    switch (report->kind) {
    case REPORT_MATCH:
        if (run->callbacks.on_match != NULL) {
            run->callbacks.on_match(run->ctx, report->pattern, report->line);
        }
        break;
    case REPORT_DRAINED:
        if (run->callbacks.on_drained != NULL) {
            run->callbacks.on_drained(run->ctx, report->lost);
        }
        logrun_free(run);
        break;
    case REPORT_CLOSED:
        (void)uv_thread_join(&s->thread);
        uv_close((uv_handle_t *)&s->async, on_async_closed);
        break;
    }
}

static void on_reports(uv_async_t *async)
{
    struct logstore *s = CONTAINER_OF(async, struct logstore, async);
    uv_mutex_lock(&s->lock);
    struct report *report = s->reports;
    s->reports = NULL;
    s->reports_end = &s->reports;
    uv_mutex_unlock(&s->lock);
    while (report != NULL) {
        struct report *next = report->next;
        report_deliver(s, report);
        mem_free(report->line);
        mem_free(report);
        report = next;
    }
}

static void on_async_closed(uv_handle_t *handle)
{
    struct logstore *s = CONTAINER_OF(handle, struct logstore, async);
    void (*closed)(void *ctx) = s->closed;
    void *ctx = s->closed_ctx;
    store_free(s);
    if (closed != NULL) {
        closed(ctx);
    }
}
