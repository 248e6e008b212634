/*
 * What this room is for.      roadie logs: stored lines, followed if asked. Needs no server.
 * What it may touch.          The log store, read only; stdout.
 * Who calls it.               commands.c
 * The one invariant.          Nothing is masked less than on any other way out, but with --raw and --reveal.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "control/protocol.h"
#include "ui/commands.h"
#include "ui/headwatch.h"
#include "ui/logs_names.h"
#include "ui/pick.h"
#include "ui/print.h"
#include "ui/pump.h"
#include "ui/target.h"
#include "ui/when.h"

struct logs {
    struct app *app;
    struct target target;
    struct logs_names names;
    struct pump_opts opts;
    struct pump *pump;
    uint64_t tail;           /* the last so many lines */
    bool has_tail;
    bool follow;
    bool raw;
    enum { RUN_ANY, RUN_LAST, RUN_PREVIOUS, RUN_NUMBER } run;
    uint32_t run_number;
    struct buf out;
    struct headwatch watch;
};

static int usage(const struct logs *l, const char *hint, const char *option, const char *text)
{
    return print_failure(l->app, EXIT_USAGE, hint, "--%s %s", option, text);
}

static int read_times(struct logs *l, const struct args *args)
{
    uint64_t now = clock_wall_ns();
    const char *since = args_text(args, "since");
    const char *until = args_text(args, "until");
    if (since != NULL && when_parse(span_of(since), now, &l->opts.reader.since_wall_ns) != 0) {
        return usage(l, "a time is 12:01, 5m or 2026-08-22T12:01:00Z", "since", since);
    }
    if (until != NULL && when_parse(span_of(until), now, &l->opts.reader.until_wall_ns) != 0) {
        return usage(l, "a time is 12:01, 5m or 2026-08-22T12:01:00Z", "until", until);
    }
    if (until != NULL && l->follow) {
        return print_failure(l->app, EXIT_USAGE, NULL, "--until has an end, -f has none");
    }
    return EXIT_DONE;
}

static int read_runs(struct logs *l, const struct args *args)
{
    const char *run = args_text(args, "run");
    uint64_t number = 0;
    if (args_flag(args, "previous")) {
        l->run = RUN_PREVIOUS;
    }
    if (run != NULL && args_flag(args, "previous")) {
        return print_failure(l->app, EXIT_USAGE, NULL, "--run and -p name different runs");
    }
    if (run != NULL && strcmp(run, "last") == 0) {
        l->run = RUN_LAST;
    } else if (run != NULL) {
        if (parse_u64(span_of(run), 1, UINT32_MAX, &number) != 0) {
            return usage(l, "it is a run's number, or last", "run", run);
        }
        l->run = RUN_NUMBER;
        l->run_number = (uint32_t)number;
        l->opts.reader.run = (uint32_t)number;
    }
    return EXIT_DONE;
}

static int read_filters(struct logs *l, const struct args *args)
{
    const char *stream = args_text(args, "stream");
    const char *tail = args_text(args, "tail");
    l->opts.grep = args_text(args, "grep");
    l->opts.ignore_case = args_flag(args, "ignore-case");
    l->opts.invert = args_flag(args, "invert");
    if (l->opts.grep == NULL && (l->opts.ignore_case || l->opts.invert)) {
        return print_failure(l->app, EXIT_USAGE, NULL, "-i and -V belong to --grep");
    }
    l->opts.reader.streams = LOG_OUT | LOG_ERR;
    if (stream != NULL && strcmp(stream, "out") != 0 && strcmp(stream, "err") != 0) {
        return usage(l, "it is out or err", "stream", stream);
    }
    if (stream != NULL) {
        l->opts.reader.streams = strcmp(stream, "out") == 0 ? LOG_OUT : LOG_ERR;
    }
    if (tail != NULL && strcmp(tail, "all") != 0) {
        if (parse_u64(span_of(tail), 0, UINT32_MAX, &l->tail) != 0) {
            return usage(l, "a number of lines, or all", "tail", tail);
        }
        l->has_tail = true;
    }
    return EXIT_DONE;
}

static int read_from(struct logs *l, const struct args *args)
{
    const char *after = args_text(args, "after");
    bool bounded = l->run != RUN_ANY || l->opts.reader.since_wall_ns != 0;
    l->opts.reader.from = args_flag(args, "all-runs") || bounded ? LOG_FROM_START : LOG_FROM_UP;
    if (after != NULL) {
        if (parse_u64(span_of(after), 0, UINT64_MAX, &l->opts.reader.seq) != 0) {
            return usage(l, "the seq of a line of logs --json", "after", after);
        }
        l->opts.reader.from = LOG_FROM_SEQ;
    }
    if (l->follow && l->has_tail && l->tail == 0) {
        l->opts.reader.from = LOG_FROM_END;
        l->has_tail = false;
    }
    return EXIT_DONE;
}

static int read_flags(struct logs *l, const struct args *args)
{
    l->follow = args_flag(args, "follow") || args->echo;
    l->raw = args_flag(args, "raw");
    l->opts.json = l->app->json;
    l->opts.reader.follow = l->follow;
    l->opts.view = (struct view_opts){
        .colour = l->app->out_colour,
        .prefix = !args_flag(args, "no-prefix"),
        .timestamps = args_flag(args, "timestamps"),
    };
    if (l->raw && l->app->json) {
        return print_failure(l->app, EXIT_USAGE, NULL, "--raw gives bytes, --json lines: choose one");
    }
    int code = read_times(l, args);
    code = code == EXIT_DONE ? read_runs(l, args) : code;
    code = code == EXIT_DONE ? read_filters(l, args) : code;
    return code == EXIT_DONE ? read_from(l, args) : code;
}

/* -p and --run last mean another number for each service. */
static bool is_wanted_run(void *ctx, const struct log_line *line)
{
    struct logs *l = ctx;
    uint32_t last = logs_names_last_run(&l->names, line->service);
    return line->run == (l->run == RUN_LAST ? last : last - 1);
}

/* One place more than lines: the last is read into before it is known whether another line comes. */
static int write_tail(struct logs *l)
{
    uint64_t places = l->tail + 1;
    struct buf *ring = calloc(places, sizeof *ring);
    uint64_t count = 0;
    uint64_t seq = 0;
    int rc = 1;
    if (ring == NULL) {
        return print_failure(l->app, EXIT_USAGE, NULL, "-n %llu is too much to remember",
                             (unsigned long long)l->tail);
    }
    while (rc == 1) {
        struct buf *line = &ring[count % places];
        buf_clear(line);
        rc = pump_read_line(l->pump, line, &seq);
        count += rc == 1 ? 1 : 0;
    }
    for (uint64_t i = count > l->tail ? count - l->tail : 0; i < count; i++) {
        print_fd(STDOUT_FILENO, buf_span(&ring[i % places]));
    }
    for (uint64_t i = 0; i < places; i++) {
        buf_fini(&ring[i]);
    }
    free(ring);
    return rc;
}

/* A stretch of lines that the reader gave as one. */
struct stretch {
    uint64_t seq;   /* of its last line */
    uint64_t lines;
};

static uint64_t count_lines(struct span text)
{
    uint64_t count = 0;
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end; at++, count++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at == NULL) {
            break;
        }
    }
    return count;
}

/* Where nothing looks at single lines, the last N are found by counting in whole blocks; reading then begins
 * at the block that holds the first of them. */
static void seek_tail(struct logs *l)
{
    struct logreader_opts opts = l->opts.reader;
    struct logreader *r = NULL;
    struct fault why = {0};
    opts.follow = false;
    if (l->tail == 0 || l->opts.grep != NULL || l->opts.wanted != NULL ||
        logreader_open(&opts, &r, &why) != 0) {
        return;
    }
    struct buf kept = {0};
    uint64_t lines = 0;
    struct log_line line;
    bool block = false;
    while (logreader_next_block(r, &line, &block) == 1) {
        struct stretch now = {.seq = line.seq, .lines = block ? count_lines(line.text) : 1};
        struct stretch first;
        (void)buf_append(&kept, &now, sizeof now);
        lines += now.lines;
        size_t drop = 0;
        for (; drop + sizeof first < kept.len; drop += sizeof first) {
            memcpy(&first, kept.ptr + drop, sizeof first);
            if (lines - first.lines < l->tail) {
                break;
            }
            lines -= first.lines;
            l->opts.reader.from = LOG_FROM_SEQ;
            l->opts.reader.seq = first.seq;
        }
        buf_consume(&kept, drop);
    }
    buf_fini(&kept);
    logreader_close(r);
}

static int write_all(struct logs *l)
{
    int rc = 1;
    while (rc > 0) {
        rc = l->raw ? logreader_raw(pump_reader(l->pump), &l->out, PUMP_BATCH)
                    : pump_read(l->pump, &l->out, PUMP_BATCH);
        print_out(&l->out);
    }
    return rc;
}

static void on_head_news(void *ctx)
{
    struct logs *l = ctx;
    logreader_refresh(pump_reader(l->pump));
    if (l->opts.view.redactor != NULL) {
        (void)redactor_load(l->app->redactor, l->target.place.secrets);
    }
    (void)write_all(l);
}

static int follow(struct logs *l)
{
    uv_loop_t loop;
    struct fault why = {0};
    (void)uv_loop_init(&loop);
    int rc = headwatch_open(&l->watch, &loop, logreader_head_path(pump_reader(l->pump)), on_head_news, l,
                            &why);
    if (rc != 0) {
        (void)uv_loop_close(&loop);
        return print_fault(l->app, EXIT_FAILED, &why);
    }
    /* Ends by a signal, or when nobody reads any more. */
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    return EXIT_DONE;
}

static int choose_services(struct logs *l, const struct args *args)
{
    logs_names_read(&l->names, l->target.place.logs, l->target.spec);
    int code = pick_check(l->app, l->names.all);
    if (code != EXIT_DONE) {
        return code;
    }
    l->opts.order = l->names.all;
    l->opts.view.name_width = l->names.width;
    if (args->name_count > 0) {
        l->opts.reader.services = logs_names_pick(&l->names, args);
    }
    bool one = args->name_count > 0 && l->opts.reader.services[0] != NULL &&
               l->opts.reader.services[1] == NULL;
    if (l->raw && !one) {
        return print_failure(l->app, EXIT_USAGE, "roadie logs NAME --raw", "--raw is for one service");
    }
    if (l->run == RUN_LAST || l->run == RUN_PREVIOUS) {
        l->opts.wanted = is_wanted_run;
        l->opts.ctx = l;
    }
    if (l->raw && one && l->run != RUN_ANY && l->run != RUN_NUMBER) {
        uint32_t last = logs_names_last_run(&l->names, l->opts.reader.services[0]);
        l->opts.reader.run = l->run == RUN_LAST ? last : last - 1;
        if (l->opts.reader.run == 0) {
            return print_failure(l->app, EXIT_FAILED, NULL, "%s has no run before the last one",
                               l->opts.reader.services[0]);
        }
    }
    return EXIT_DONE;
}

static int show(struct logs *l)
{
    struct fault why = {0};
    if (l->has_tail && !l->raw) {
        seek_tail(l);
    }
    int rc = pump_open(&l->opts, &l->pump, &why);
    if (rc == -ENOENT) {
        return print_failure(l->app, EXIT_NO_STACK, "roadie up starts it",
                           "nothing was ever logged by this stack (%s)", l->target.where.id);
    }
    if (rc != 0) {
        return print_fault(l->app, rc == -EINVAL ? EXIT_USAGE : EXIT_FAILED, &why);
    }
    rc = l->has_tail && !l->raw ? write_tail(l) : write_all(l);
    if (rc < 0) {
        return print_failure(l->app, EXIT_FAILED, NULL, "reading the log store: %s", strerror(-rc));
    }
    return rc == 0 && l->follow ? follow(l) : rc;
}

int cmd_logs(struct app *app, const struct args *args)
{
    struct logs l = {.app = app};
    int code = read_flags(&l, args);
    code = code == EXIT_DONE ? target_locate(app, &l.target) : code;
    if (code == EXIT_DONE) {
        target_load_quietly(app, &l.target);
        l.opts.reader.dir = l.target.place.logs;
        l.opts.view.redactor = args_flag(args, "reveal") ? NULL : app->redactor;
        code = choose_services(&l, args);
    }
    code = code == EXIT_DONE ? show(&l) : code;
    pump_close(l.pump);
    logs_names_fini(&l.names);
    buf_fini(&l.out);
    target_fini(&l.target);
    return code;
}
