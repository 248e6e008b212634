/* See harness.h. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

void harness_init(struct harness *h)
{
    memset(h, 0, sizeof(*h));
    const char *base = getenv("TMPDIR");
    (void)snprintf(h->dir, sizeof(h->dir), "%s/roadie-logs-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(h->dir));
    (void)strcat(h->dir, "/s"); /* made by the store itself */
}

void harness_open(struct harness *h)
{
    struct fault why = {0};
    assert_int_equal(uv_loop_init(&h->loop), 0);
    int code = logstore_open(&h->loop, h->dir, &h->store, &why);
    if (code != 0) {
        fail_msg("%s", fault_text(&why));
    }
    h->is_open = true;
}

static void on_closed(void *ctx)
{
    struct harness *h = ctx;
    h->is_open = false;
}

void harness_close(struct harness *h)
{
    logstore_close(h->store, on_closed, h);
    (void)uv_run(&h->loop, UV_RUN_DEFAULT);
    assert_false(h->is_open);
    assert_int_equal(uv_loop_close(&h->loop), 0);
}

void tree_remove(const char *path)
{
    DIR *dir = opendir(path);
    for (const struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir)) {
        char inner[512];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
        struct stat st;
        if (lstat(inner, &st) == 0 && S_ISDIR(st.st_mode)) {
            tree_remove(inner);
        } else {
            (void)unlink(inner);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    (void)rmdir(path);
}

void harness_fini(struct harness *h)
{
    *strrchr(h->dir, '/') = '\0';
    tree_remove(h->dir);
}

static void on_drained(void *ctx, uint64_t lost)
{
    struct run *r = ctx;
    assert_false(r->drained);
    r->drained = true;
    r->lost = lost;
}

static void on_match(void *ctx, unsigned pattern, const char *line)
{
    struct run *r = ctx;
    assert_false(r->drained);
    assert_int_equal(r->matched_mask >> pattern & 1, 0);
    r->matched_ns = clock_mono_ns();
    r->matches++;
    r->matched_mask |= 1u << pattern;
    (void)snprintf(r->matched_line, sizeof(r->matched_line), "%s", line);
}

void run_open(struct harness *h, struct run *r, const char *service, const struct logrun_opts *more)
{
    struct fault why = {0};
    memset(r, 0, sizeof(*r));
    r->harness = h;
    struct logrun_opts opts = more != NULL ? *more : (struct logrun_opts){0};
    opts.service = service;
    opts.run = opts.run != 0 ? opts.run : logstore_next_run(h->store, service);
    opts.callbacks = (struct logrun_callbacks){.on_drained = on_drained, .on_match = on_match};
    opts.ctx = r;
    int code = logrun_open(h->store, &opts, &r->out_fd, &r->err_fd, &r->logrun, &why);
    if (code != 0) {
        fail_msg("%s", fault_text(&why));
    }
}

static void on_deadline(uv_timer_t *timer)
{
    bool *late = uv_handle_get_data((uv_handle_t *)timer);
    *late = true;
}

void wait_flag(struct harness *h, const bool *flag)
{
    uv_timer_t timer;
    bool late = false;
    assert_int_equal(uv_timer_init(&h->loop, &timer), 0);
    uv_handle_set_data((uv_handle_t *)&timer, &late);
    assert_int_equal(uv_timer_start(&timer, on_deadline, 20000, 0), 0);
    while (!*flag && !late) {
        (void)uv_run(&h->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&h->loop, UV_RUN_NOWAIT);
    assert_true(*flag);
}

void run_finish(struct run *r)
{
    if (r->out_fd >= 0) {
        (void)close(r->out_fd);
    }
    if (r->err_fd >= 0) {
        (void)close(r->err_fd);
    }
    wait_flag(r->harness, &r->drained);
}

void wait_step(struct harness *h, uint64_t *deadline_ns)
{
    const struct timespec step = {.tv_nsec = 1000000};
    *deadline_ns = *deadline_ns > 0 ? *deadline_ns : clock_mono_ns() + 20000000000u;
    assert_true(clock_mono_ns() < *deadline_ns);
    (void)uv_run(&h->loop, UV_RUN_NOWAIT);
    (void)nanosleep(&step, NULL); /* allowed: the step of a wait for a condition */
}

void wait_stored(struct harness *h, uint64_t seq)
{
    uint64_t deadline_ns = 0;
    while (logstore_head(h->store) < seq) {
        wait_step(h, &deadline_ns);
    }
}

void write_all(int fd, const void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)bytes + done, len - done);
        if (n < 0 && errno != EINTR) {
            fail_msg("write: %s", strerror(errno));
        }
        done += n > 0 ? (size_t)n : 0;
    }
}

void read_lines(const struct logreader_opts *opts, struct buf *out)
{
    struct fault why = {0};
    struct logreader *reader = NULL;
    struct log_line line;
    if (logreader_open(opts, &reader, &why) != 0) {
        fail_msg("%s", fault_text(&why));
    }
    uint64_t last = 0;
    while (logreader_next(reader, &line) == 1) {
        (void)buf_printf(out, "%s:%s:", line.service, line.stream == LOG_ERR ? "err" : "out");
        (void)buf_append(out, line.text.ptr, line.text.len);
        (void)buf_puts(out, line.partial ? "…\n" : "\n");
        assert_true(line.seq > last || line.partial);
        last = line.seq;
    }
    logreader_close(reader);
    buf_reserve(out, 0);
}

uint64_t rng_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
