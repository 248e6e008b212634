/*
 * What this room is for.      The log thread: waits, serves streams, flushes the index, publishes
 * the head. What it may touch.          The log thread's members of pump.h; answers go through
 * reports. Who calls it.               store.c starts it. The one invariant.          Data, then
 * index, then head, then reports; at rest it sleeps without a timeout.
 */
#include "logs/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { TOKENS_MAX = 64 };
static const uint64_t SECOND_NS = 1000000000;
static const uint64_t CUT_QUIET_NS =
    2000000000; /* a cut stream ends when nothing came for so long */
static const uint64_t CUT_LIMIT_NS =
    10000000000; /* and after so long also under a stranger who writes on */
static const uint64_t CLOSE_LIMIT_NS = 2000000000;

static void clock_update(struct logstore *s)
{
    s->now_ns = clock_mono_ns();
    s->wall_ns = clock_wall_ns();
}

void pump_report(struct logstore *s, const struct report *report)
{
    struct report *copy = mem_calloc(1, sizeof(*copy));
    *copy = *report;
    copy->next = NULL;
    *s->fresh_end = copy;
    s->fresh_end = &copy->next;
}

void pump_activate(struct logstore *s, struct stream *st)
{
    if (s->active_count == s->active_cap) {
        s->active_cap = s->active_cap > 0 ? s->active_cap * 2 : 16;
        s->active = mem_realloc(s->active, s->active_cap * sizeof(struct stream *));
    }
    s->active[s->active_count++] = st;
}

bool pump_make_room(struct logstore *s, struct segments *segments, int error)
{
    if (segments_make_room(segments, error)) {
        return true;
    }
    if (error != ENOSPC && error != EDQUOT) {
        return false;
    }
    for (struct service *service = s->services; service != NULL; service = service->next) {
        if (segments_evict(service->segments)) {
            return true;
        }
    }
    return false;
}

static struct service *service_of(struct logstore *s, const char *name, uint64_t keep_bytes)
{
    struct service *service = s->services;
    while (service != NULL && strcmp(segments_service(service->segments), name) != 0) {
        service = service->next;
    }
    if (service == NULL) {
        service = mem_calloc(1, sizeof(*service));
        service->segments = segments_new(s->dir, name, keep_bytes);
        service->next = s->services;
        s->services = service;
    }
    return service;
}

static void adopt(struct logstore *s, struct logrun *run)
{
    run->home = service_of(s, run->service, run->keep_bytes);
    segments_keep(run->home->segments, run->keep_bytes);
    run->lost_before = segments_lost(run->home->segments);
    if (matcher_waits(run->matcher) && segments_ready(run->home->segments, s->now_ns) == 0) {
        /* Somebody waits for a line: its files are made now, out of its way. */
        run->home->dirty = true;
    }
    run->next = s->live;
    s->live = run;
    for (unsigned i = 0; i < run->stream_count; i++) {
        struct stream *st = &run->streams[i];
        st->phase = STREAM_ARMED;
        if (poller_add(s->poller, st->fd, st) < 0) {
            /* Out of epoll watches: the writer gets EPIPE, and the run's end is reported. */
            stream_end(s, st);
        } else {
            poller_arm(s->poller, st->fd, st);
        }
    }
}

static void commands_run(struct logstore *s)
{
    uv_mutex_lock(&s->lock);
    struct command *command = s->commands;
    s->commands = NULL;
    s->commands_end = &s->commands;
    uv_mutex_unlock(&s->lock);
    while (command != NULL) {
        struct command *next = command->next;
        if (command->run != NULL) {
            adopt(s, command->run);
        } else {
            segments_save_run(service_of(s, command->service, 0)->segments, command->number);
        }
        mem_free(command->service);
        mem_free(command);
        command = next;
    }
}

static void cuts_look(struct logstore *s)
{
    s->cutting = 0;
    for (struct logrun *run = s->live; run != NULL; run = run->next) {
        if (!atomic_load(&run->cut)) {
            continue;
        }
        if (run->cut_due_ns == 0) {
            run->cut_due_ns = s->now_ns + CUT_QUIET_NS;
            run->cut_limit_ns = s->now_ns + CUT_LIMIT_NS;
        }
        if (s->now_ns >= run->cut_due_ns || s->now_ns >= run->cut_limit_ns) {
            for (unsigned i = 0; i < run->stream_count; i++) {
                stream_end(s, &run->streams[i]);
            }
            continue;
        }
        s->cutting++;
    }
}

/* Serves hot streams, and paced ones whose time has come. */
static void active_serve(struct logstore *s)
{
    size_t count = s->active_count;
    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct stream *st = s->active[i];
        if (st->phase == STREAM_HOT || (st->phase == STREAM_PACED && s->now_ns >= st->due_ns)) {
            stream_serve(s, st); /* may append to the list, never changes the first count entries */
        } else if (st->phase == STREAM_PACED) {
            pump_activate(s, st);
        }
    }
    s->active_count -= count;
    memmove(s->active, s->active + count, s->active_count * sizeof(struct stream *));
}

static int wait_ms(const struct logstore *s)
{
    uint64_t due_ns = UINT64_MAX;
    for (size_t i = 0; i < s->active_count; i++) {
        if (s->active[i]->phase == STREAM_HOT) {
            return 0;
        }
        due_ns = s->active[i]->due_ns < due_ns ? s->active[i]->due_ns : due_ns;
    }
    if (due_ns != UINT64_MAX) {
        return due_ns <= s->now_ns ? 0 : (int)((due_ns - s->now_ns) / 1000000 + 1);
    }
    if (s->cutting > 0) {
        return 100;
    }
    return s->lost_retry_ns > 0 ? 1000 : -1;
}

static void head_publish(struct logstore *s)
{
    if (s->next_head == atomic_load(&s->head)) {
        return;
    }
    if (s->now_ns - s->head_checked_ns > SECOND_NS) {
        struct stat st;
        s->head_checked_ns = s->now_ns;
        if (s->head_fd < 0 || fstat(s->head_fd, &st) < 0 || st.st_nlink == 0) {
            char *path = mem_printf("%s/head", s->dir);
            (void)dirs_make(s->dir);
            int fd = file_open(AT_FDCWD, path, O_RDWR | O_CREAT);
            mem_free(path);
            if (fd >= 0 && s->head_fd >= 0) {
                (void)close(s->head_fd);
            }
            s->head_fd = fd >= 0 ? fd : s->head_fd;
        }
    }
    uint64_t value = s->next_head;
    (void)file_write(s->head_fd, &value, sizeof(value), 0);
    atomic_store(&s->head, value);
}

/* A loss that nothing has told of yet is told as soon as the disk takes a record again. */
static void losses_say(struct logstore *s)
{
    if (s->lost_retry_ns == 0 || s->now_ns < s->lost_retry_ns) {
        return;
    }
    for (struct service *service = s->services; service != NULL; service = service->next) {
        struct segments *segments = service->segments;
        if (segments_unsaid(segments) > 0 && segments_ready(segments, s->now_ns) == 0) {
            const struct segment_mark mark = {
                .run = 0, .stream = LOG_OUT, .mono_ns = s->now_ns, .wall_ns = s->wall_ns};
            segments_note(segments, &mark, 0, &s->next_head);
            service->dirty = true;
        }
    }
}

static void flush(struct logstore *s)
{
    uint64_t lost = 0;
    uint64_t unsaid = 0;
    for (struct service *service = s->services; service != NULL; service = service->next) {
        if (service->dirty) {
            segments_flush(service->segments);
            service->dirty = false;
        }
        lost += segments_lost(service->segments);
        unsaid += segments_unsaid(service->segments);
    }
    atomic_store(&s->lost, lost);
    if (unsaid == 0) {
        s->lost_retry_ns = 0;
    } else if (s->now_ns >= s->lost_retry_ns) {
        s->lost_retry_ns = s->now_ns + SECOND_NS;
    }
    head_publish(s);
}

static void drained_collect(struct logstore *s)
{
    for (struct logrun **at = &s->live; *at != NULL;) {
        struct logrun *run = *at;
        if (run->open_count > 0) {
            at = &run->next;
            continue;
        }
        *at = run->next;
        run->next = s->drained;
        s->drained = run;
    }
}

/* Nothing of the log thread points to a drained run any more once its report is out. */
static void active_forget(struct logstore *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->active_count; i++) {
        if (s->active[i]->phase != STREAM_ENDED) {
            s->active[kept++] = s->active[i];
        }
    }
    s->active_count = kept;
}

static void reports_send(struct logstore *s)
{
    if (s->drained != NULL) {
        active_forget(s);
    }
    while (s->drained != NULL) {
        struct logrun *run = s->drained;
        s->drained = run->next;
        pump_report(
            s, &(struct report){.kind = REPORT_DRAINED,
                                .run = run,
                                .lost = segments_lost(run->home->segments) - run->lost_before});
        segments_rest(run->home->segments);
    }
    if (s->fresh == NULL) {
        return;
    }
    uv_mutex_lock(&s->lock);
    *s->reports_end = s->fresh;
    s->reports_end = s->fresh_end;
    uv_mutex_unlock(&s->lock);
    s->fresh = NULL;
    s->fresh_end = &s->fresh;
    (void)uv_async_send(&s->async);
}

static void pass(struct logstore *s)
{
    void *tokens[TOKENS_MAX];
    size_t count = poller_wait(s->poller, wait_ms(s), tokens, TOKENS_MAX);
    clock_update(s);
    commands_run(s);
    for (size_t i = 0; i < count; i++) {
        struct stream *st = tokens[i];
        if (st->phase == STREAM_ARMED) {
            stream_serve(s, st);
        }
    }
    active_serve(s);
    cuts_look(s);
    losses_say(s);
    drained_collect(s);
    flush(s);
    reports_send(s);
}

/* The store closes: what is in the pipes now is stored, then every stream ends. */
static void streams_finish(struct logstore *s)
{
    clock_update(s);
    uint64_t limit = s->now_ns + CLOSE_LIMIT_NS;
    for (struct logrun *run = s->live; run != NULL; run = run->next) {
        for (unsigned i = 0; i < run->stream_count; i++) {
            struct stream *st = &run->streams[i];
            st->quick = 0;
            do {
                st->last_ns = 0;
                if (st->phase != STREAM_ENDED) {
                    st->phase = STREAM_HOT;
                    stream_serve(s, st);
                }
                clock_update(s);
            } while (st->phase != STREAM_ENDED && st->last_ns != 0 && s->now_ns < limit);
            stream_end(s, st);
        }
    }
    s->active_count = 0;
    drained_collect(s);
    flush(s);
    reports_send(s);
}

void pump_main(void *store)
{
    struct logstore *s = store;
    while (!atomic_load(&s->closing)) {
        pass(s);
    }
    commands_run(s);
    streams_finish(s);
    pump_report(s, &(struct report){.kind = REPORT_CLOSED});
    reports_send(s);
}
