/*
 * What this room is for.      roadie wait
 * What it may touch.          The control client, the log store, stderr.
 * Who calls it.               commands.c
 * The one invariant.          Ends as soon as the answer is known, also when the answer is never.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/numbers.h"
#include "control/protocol.h"
#include "ui/commands.h"
#include "ui/headwatch.h"
#include "ui/pick.h"
#include "ui/print.h"
#include "ui/pump.h"
#include "ui/state.h"
#include "ui/target.h"
#include "ui/waiting.h"

struct waited {
    const char *name;
    char *state;
    char *cause;
    uint32_t run;         /* the run under way: lines of older ones do not count */
    bool task;
    bool was_ready;
    bool wanted_down;
    bool logged;
    uint64_t begun_ms;
};

struct waiting {
    struct app *app;
    struct target target;
    enum wait_for what;
    const char *what_text;
    struct waited *items;
    size_t count;
    struct pump *pump;
    struct logreader_opts reader;
    uv_loop_t loop;
    uv_poll_t control;
    uv_timer_t deadline;
    struct headwatch head;
    struct buf scratch;
    bool watching;
    bool server_gone;
    int code;             /* -1 while it goes on */
};

static uint64_t mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

static struct waited *find(struct waiting *w, const char *name)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->items[i].name, name) == 0) {
            return &w->items[i];
        }
    }
    return NULL;
}

static void set_text(char **old, const char *text)
{
    mem_free(*old);
    *old = mem_strdup(text);
}

static void finish(struct waiting *w, int code)
{
    if (w->code < 0) {
        w->code = code;
        uv_stop(&w->loop);
    }
}

/* Looks at all: over when all are met, or one can never be. */
static void judge(struct waiting *w)
{
    size_t met = 0;
    for (size_t i = 0; i < w->count && w->code < 0; i++) {
        struct waited *item = &w->items[i];
        struct wait_facts facts = {.state = w->server_gone ? "off" : item->state,
                                   .task = item->task,
                                   .was_ready = item->was_ready,
                                   .wanted_down = item->wanted_down || w->server_gone,
                                   .logged = item->logged};
        enum wait_verdict verdict = wait_judge(w->what, &facts);
        if (verdict == WAIT_IMPOSSIBLE) {
            finish(w, print_failure(w->app, EXIT_FAILED, item->cause, "%s is %s: it will not %s %s",
                                  item->name, w->server_gone ? "gone with its stack" : item->state,
                                  w->what == WAIT_LOG ? "print" : "be",
                                  w->what == WAIT_LOG ? w->what_text + strlen("log=") : w->what_text));
            return;
        }
        met += verdict == WAIT_MET ? 1 : 0;
    }
    if (met == w->count) {
        finish(w, EXIT_DONE);
    }
}

static void take_state(struct waiting *w, const json_t *event)
{
    struct waited *item = find(w, member_text(event, "service"));
    if (item == NULL || strcmp(member_text(event, "event"), "state") != 0) {
        return;
    }
    const char *to = member_text(event, "to");
    uint32_t run = (uint32_t)member_number(event, "run");
    if (run > item->run) {
        item->run = run;
        item->was_ready = false;
    }
    item->was_ready = item->was_ready || strcmp(to, "ready") == 0;
    /* stopping comes before an off that somebody wanted; a start after it makes that void. */
    bool leaving = strcmp(to, "stopping") == 0 || strcmp(to, "killing") == 0;
    bool off = strcmp(to, "off") == 0;
    item->wanted_down = leaving || (off && item->wanted_down);
    set_text(&item->state, to);
    set_text(&item->cause, member_text(event, "cause"));
    struct news_opts opts = {.colour = w->app->err_colour, .mask = w->app->redactor};
    struct buf line = {0};
    if (!w->app->quiet && !w->app->json && news_line(&opts, event, &line)) {
        (void)buf_putc(&line, '\n');
        print_fd(2, buf_span(&line));
    }
    buf_fini(&line);
}

static void take_services(struct waiting *w, const json_t *services)
{
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *service = json_array_get(services, i);
        struct waited *item = find(w, member_text(service, "name"));
        if (item != NULL) {
            set_text(&item->state, member_text(service, "state"));
            set_text(&item->cause, member_text(service, "cause"));
            item->run = (uint32_t)member_number(service, "run");
            item->task = strcmp(member_text(service, "kind"), "task") == 0;
            item->was_ready = json_is_true(json_object_get(service, "was_ready"));
            item->wanted_down = strcmp(member_text(service, "desired"), "down") == 0;
        }
    }
}

static bool is_counted(void *ctx, const struct log_line *line)
{
    struct waited *item = find(ctx, line->service);
    return item != NULL && !item->logged && line->run >= item->run;
}

static void read_lines(struct waiting *w)
{
    uint64_t seq = 0;
    logreader_refresh(pump_reader(w->pump));
    for (;;) {
        buf_clear(&w->scratch);
        int rc = pump_read_line(w->pump, &w->scratch, &seq);
        if (rc <= 0) {
            return;
        }
        /* Rendered with prefix and nothing else: "NAME | text". */
        struct span name;
        struct span text;
        (void)span_split(buf_span(&w->scratch), ' ', &name, &text);
        for (size_t i = 0; i < w->count; i++) {
            w->items[i].logged = w->items[i].logged || span_is(name, w->items[i].name);
        }
    }
}

static void on_head_news(void *ctx)
{
    struct waiting *w = ctx;
    struct fault why = {0};
    if (w->pump == NULL) {
        struct pump_opts opts = {.reader = w->reader, .view = {.prefix = true}, .ctx = w,
                                 .grep = w->what_text + strlen("log="), .wanted = is_counted};
        int rc = pump_open(&opts, &w->pump, &why);
        if (rc == -EINVAL) {
            finish(w, print_fault(w->app, EXIT_USAGE, &why));
        }
        if (rc != 0) {
            return;
        }
    }
    read_lines(w);
    judge(w);
}

static void on_control_readable(uv_poll_t *poll, int status, int events)
{
    struct waiting *w = CONTAINER_OF(poll, struct waiting, control);
    struct fault why = {0};
    json_t *message = NULL;
    int rc;
    (void)status;
    (void)events;
    while ((rc = client_next(w->target.client, &message, &why)) == 1) {
        take_state(w, message);
        json_decref(message);
    }
    if (rc < 0) {
        (void)uv_poll_stop(poll);
        w->server_gone = true;
    }
    if (w->pump != NULL) {
        read_lines(w); /* the last words of a service that has ended count */
    }
    judge(w);
}

static void on_deadline(uv_timer_t *timer)
{
    struct waiting *w = CONTAINER_OF(timer, struct waiting, deadline);
    struct buf names = {0};
    for (size_t i = 0; i < w->count; i++) {
        struct waited *item = &w->items[i];
        (void)buf_printf(&names, "%s%s (%s%s%s)", i > 0 ? ", " : "", item->name, item->state,
                         item->cause[0] != '\0' ? ": " : "", item->cause);
    }
    finish(w, print_failure(w->app, EXIT_TIMEOUT, NULL, "timed out waiting for %s: %s", w->what_text,
                          names.ptr));
    buf_fini(&names);
}

static int read_flags(struct waiting *w, const struct args *args, uint64_t *timeout_ms)
{
    const char *what = args_text(args, "for");
    what = what != NULL ? what : "ready";
    w->what_text = what;
    if (strcmp(what, "ready") == 0) {
        w->what = WAIT_READY;
    } else if (strcmp(what, "done") == 0) {
        w->what = WAIT_DONE;
    } else if (strcmp(what, "stopped") == 0) {
        w->what = WAIT_STOPPED;
    } else if (strncmp(what, "log=", 4) == 0 && what[4] != '\0') {
        w->what = WAIT_LOG;
    } else {
        return print_failure(w->app, EXIT_USAGE, "it is ready, done, stopped or log=RE", "--for %s", what);
    }
    const char *after = args_text(args, "after");
    w->reader = (struct logreader_opts){.from = LOG_FROM_START, .streams = LOG_OUT | LOG_ERR,
                                        .follow = true};
    if (after != NULL) {
        if (w->what != WAIT_LOG || parse_u64(span_of(after), 0, UINT64_MAX, &w->reader.seq) != 0) {
            return print_failure(w->app, EXIT_USAGE, "it narrows --for log=RE to lines behind a seq",
                               "--after %s", after);
        }
        w->reader.from = LOG_FROM_SEQ;
    }
    return target_duration(w->app, "timeout", timeout_ms);
}

/* Which services, and what they are now. */
static int ask(struct waiting *w)
{
    struct fault why = {0};
    json_t *reply = NULL;
    json_t *chosen = json_array();
    int rc = client_send(w->target.client, json_pack("{s:s}", "op", "subscribe"), &why);
    int code = rc < 0 ? print_fault(w->app, EXIT_FAILED, &why) : EXIT_DONE;
    if (code == EXIT_DONE) {
        code = target_call(w->app, &w->target, json_pack("{s:s}", "op", "ps"), NULL, NULL, &reply);
    }
    if (code == EXIT_DONE) {
        code = pick_services(w->app, json_object_get(reply, "services"), false, chosen);
    }
    w->count = json_array_size(chosen);
    w->items = mem_calloc(w->count + 1, sizeof *w->items);
    for (size_t i = 0; i < w->count; i++) {
        w->items[i].name = arena_strdup(&w->app->arena,
                                        member_text(json_array_get(chosen, i), "name"));
        w->items[i].begun_ms = mono_ms();
    }
    take_services(w, chosen);
    json_decref(chosen);
    json_decref(reply);
    return code;
}

static void say(const struct waiting *w)
{
    struct buf names = {0};
    for (size_t i = 0; i < w->count; i++) {
        (void)buf_printf(&names, "%s%s (%s)", i > 0 ? ", " : "", w->items[i].name, w->items[i].state);
    }
    if (!w->app->json) {
        print_note(w->app, "● waiting for %s: %s", w->what_text, names.len > 0 ? names.ptr : "nothing");
    }
    buf_fini(&names);
}

static int wait_loop(struct waiting *w, uint64_t timeout_ms)
{
    struct fault why = {0};
    const char *head = arena_printf(&w->app->arena, "%s/head", w->target.place.logs);
    (void)uv_loop_init(&w->loop);
    (void)uv_timer_init(&w->loop, &w->deadline);
    (void)uv_poll_init(&w->loop, &w->control, client_fd(w->target.client));
    (void)uv_poll_start(&w->control, UV_READABLE, on_control_readable);
    if (timeout_ms > 0) {
        (void)uv_timer_start(&w->deadline, on_deadline, timeout_ms, 0);
    }
    if (w->what == WAIT_LOG) {
        w->watching = headwatch_open(&w->head, &w->loop, head, on_head_news, w, &why) == 0;
        on_head_news(w);
    }
    on_control_readable(&w->control, 0, 0);
    if (w->code < 0) {
        (void)uv_run(&w->loop, UV_RUN_DEFAULT);
    }
    if (w->watching) {
        headwatch_close(&w->head);
    }
    uv_close((uv_handle_t *)&w->control, NULL);
    uv_close((uv_handle_t *)&w->deadline, NULL);
    /* A stop that was asked for before the loop ran ends the first of these runs at once. */
    while (uv_loop_close(&w->loop) == UV_EBUSY) {
        (void)uv_run(&w->loop, UV_RUN_DEFAULT);
    }
    return w->code;
}

static void print_result(const struct waiting *w)
{
    json_t *list = json_array();
    for (size_t i = 0; i < w->count; i++) {
        (void)json_array_append_new(
            list, json_pack("{s:s,s:s,s:I}", "name", w->items[i].name, "state", w->items[i].state,
                            "took_ms", (json_int_t)(mono_ms() - w->items[i].begun_ms)));
    }
    print_json(w->app, json_pack("{s:i,s:o}", "v", 1, "services", list));
}

int cmd_wait(struct app *app, const struct args *args)
{
    struct waiting w = {.app = app, .code = -1};
    uint64_t timeout_ms = 0;
    int code = read_flags(&w, args, &timeout_ms);
    code = code == EXIT_DONE ? target_open(app, &w.target) : code;
    w.reader.dir = w.target.place.logs;
    code = code == EXIT_DONE ? ask(&w) : code;
    if (code == EXIT_DONE) {
        say(&w);
        code = wait_loop(&w, timeout_ms);
        if (code == EXIT_DONE && app->json) {
            print_result(&w);
        }
    }
    for (size_t i = 0; i < w.count; i++) {
        mem_free(w.items[i].state);
        mem_free(w.items[i].cause);
    }
    mem_free(w.items);
    pump_close(w.pump);
    buf_fini(&w.scratch);
    target_fini(&w.target);
    return code;
}
