/*
 * What this room is for.      What a foreground `up` shows.
 * What it may touch.          The sinks.
 * Who calls it.               session.c
 * The one invariant.          On a terminal the board stands below everything else, or nowhere.
 */
#include "ui/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ui/print.h"
#include "ui/state.h"

enum { REDRAW_MS = 100, TICK_MS = 1000 };

static uint64_t mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

static void on_drained(void *ctx)
{
    struct session *s = ctx;
    if (s->out != NULL && sink_error(s->out) != 0) {
        s->gone = true;
    }
    headwatch_again(&s->head);
}

void session_view_open(struct session *s)
{
    s->out = sink_open(&s->loop, STDOUT_FILENO, on_drained, s);
    bool shared = s->app->out_tty && s->app->err_tty;
    s->err = shared ? s->out : sink_open(&s->loop, STDERR_FILENO, on_drained, s);
    logs_names_read(&s->names, s->t->place.logs, s->t->spec);
    s->board.mask = s->app->redactor;
    s->board.name_width = s->names.width;
}

static bool board_allowed(const struct session *s)
{
    return s->app->err_tty && !s->app->quiet && s->stage < SESSION_DRAINING;
}

static void add_board(struct session *s, struct buf *out)
{
    if (!board_allowed(s)) {
        return;
    }
    struct board_look look = {.colour = s->app->err_colour,
                              .now_wall_ms = clock_wall_ns() / 1000000};
    terminal_size(STDERR_FILENO, &look.columns, &look.rows);
    painter_redraw(&s->painter, &s->board, &look, out);
    s->painted_ms = mono_ms();
}

/* Text to stderr, with the board moved out of its way. text is taken. */
static void put_err(struct session *s, struct buf *text)
{
    struct buf out = {0};
    painter_erase(&s->painter, &out);
    (void)buf_append(&out, text->ptr, text->len);
    buf_fini(text);
    add_board(s, &out);
    sink_put(s->err, &out);
}

void session_say(struct session *s, const char *fmt, ...)
{
    char text[1200];
    struct buf line = {0};
    if (s->app->quiet) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    print_clean(s->app, text, &line);
    (void)buf_putc(&line, '\n');
    put_err(s, &line);
}

static void on_tick(uv_timer_t *timer)
{
    struct session *s = CONTAINER_OF(timer, struct session, tick);
    session_board(s);
}

void session_board(struct session *s)
{
    bool pending = board_pending(&s->board);
    if (!board_allowed(s) || (!pending && s->painter.lines == 0)) {
        (void)uv_timer_stop(&s->tick);
        return;
    }
    uint64_t since = mono_ms() - s->painted_ms;
    if (since < REDRAW_MS) {
        (void)uv_timer_start(&s->tick, on_tick, REDRAW_MS - since, 0);
        return;
    }
    /* A terminal that stands still gets no further pictures until it has taken the last. */
    if (sink_is_empty(s->err)) {
        struct buf out = {0};
        add_board(s, &out);
        sink_put(s->err, &out);
    }
    if (pending) {
        (void)uv_timer_start(&s->tick, on_tick, TICK_MS, 0);
    }
}

/* Opens the reader as soon as there is a store. */
static bool pump_ready(struct session *s)
{
    if (s->pump != NULL) {
        return true;
    }
    struct pump_opts opts = {
        .reader = {.dir = s->t->place.logs,
                   .from = s->opts->started ? LOG_FROM_UP : LOG_FROM_END,
                   .streams = LOG_OUT | LOG_ERR,
                   .follow = true},
        .view = {.colour = s->app->out_colour,
                 .prefix = s->opts->prefix,
                 .timestamps = s->opts->timestamps,
                 .name_width = s->names.width,
                 .redactor = s->app->redactor},
        .order = s->names.all,
        .json = s->app->json,
    };
    struct fault why = {0};
    return pump_open(&opts, &s->pump, &why) == 0;
}

bool session_lines(struct session *s)
{
    if (s->gone || !s->opts->lines || !pump_ready(s)) {
        return true;
    }
    logreader_refresh(pump_reader(s->pump));
    (void)redactor_load(s->app->redactor, s->t->place.secrets);
    int rc = 1;
    while (rc == 1 && sink_has_room(s->out)) {
        struct buf lines = {0};
        struct buf batch = {0};
        bool shared = s->out == s->err;
        rc = pump_read(s->pump, &lines, PUMP_BATCH);
        if (lines.len == 0) {
            break;
        }
        if (!shared || s->painter.lines == 0) {
            sink_put(s->out, &lines);
            continue;
        }
        painter_erase(&s->painter, &batch);
        (void)buf_append(&batch, lines.ptr, lines.len);
        add_board(s, &batch);
        buf_fini(&lines);
        sink_put(s->out, &batch);
    }
    return rc <= 0;
}

static void show_json(struct session *s, const json_t *event)
{
    if (strcmp(member_text(event, "event"), "state") != 0) {
        return;
    }
    struct buf line = {0};
    struct buf cause = {0};
    if (s->app->redactor != NULL) {
        redactor_mask(s->app->redactor, span_of(member_text(event, "cause")), &cause);
    }
    json_t *doc = json_pack("{s:i,s:I,s:s,s:s,s:I,s:s,s:s,s:s,s:s}", "v", 1, "seq",
                            json_integer_value(json_object_get(event, "seq")), "t",
                            member_text(event, "t"), "service", member_text(event, "service"), "run",
                            json_integer_value(json_object_get(event, "run")), "event", "state", "from",
                            member_text(event, "from"), "to", member_text(event, "to"), "cause",
                            cause.ptr != NULL ? cause.ptr : "");
    char *text = json_dumps(doc, JSON_COMPACT);
    (void)buf_puts(&line, text);
    (void)buf_putc(&line, '\n');
    free(text);
    json_decref(doc);
    buf_fini(&cause);
    sink_put(s->out, &line);
}

/* States that the board shows while they last are no news on a terminal. */
static bool is_board_matter(const struct session *s, const json_t *event)
{
    const char *to = member_text(event, "to");
    return board_allowed(s) && (strcmp(to, "waiting") == 0 || strcmp(to, "starting") == 0 || strcmp(to, "stopping") == 0);
}

void session_show_event(struct session *s, const json_t *event)
{
    if (s->app->json) {
        show_json(s, event);
        if (strcmp(member_text(event, "event"), "state") == 0) {
            return;
        }
    }
    struct news_opts opts = {.name_width = s->board.name_width,
                             .colour = s->app->err_colour,
                             .mask = s->app->redactor};
    struct buf line = {0};
    bool loud = strcmp(member_text(event, "level"), "error") == 0;
    if ((s->app->quiet && !loud) || is_board_matter(s, event) || !news_line(&opts, event, &line)) {
        buf_fini(&line);
        session_board(s);
        return;
    }
    (void)buf_putc(&line, '\n');
    put_err(s, &line);
    session_board(s);
}

void session_rule(struct session *s)
{
    char time[32];
    unsigned columns = 80;
    unsigned rows = 0;
    struct buf line = {0};
    terminal_size(STDERR_FILENO, &columns, &rows);
    (void)buf_printf(&line, "── %s ", clock_local_hms(clock_wall_ns(), time, sizeof time));
    for (size_t i = strlen(time) + 4; i < columns; i++) {
        (void)buf_puts(&line, "─");
    }
    (void)buf_putc(&line, '\n');
    put_err(s, &line);
}

void session_states(struct session *s)
{
    struct buf line = {0};
    for (size_t i = 0; i < s->board.count; i++) {
        const struct board_row *row = &s->board.rows[i];
        json_t *event = json_pack("{s:s,s:s,s:s,s:s}", "event", "state", "service", row->name, "to",
                                  row->state, "text", row->text);
        struct news_opts opts = {.name_width = s->board.name_width, .colour = s->app->err_colour};
        (void)news_line(&opts, event, &line);
        (void)buf_putc(&line, '\n');
        json_decref(event);
    }
    put_err(s, &line);
}

void session_view_close(struct session *s)
{
    struct buf out = {0};
    painter_erase(&s->painter, &out);
    sink_put(s->err, &out);
    terminal_restore(&s->terminal);
    board_fini(&s->board);
    pump_close(s->pump);
    s->pump = NULL;
    logs_names_fini(&s->names);
}
