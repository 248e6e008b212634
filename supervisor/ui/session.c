/*
 * What this room is for.      The life of a foreground `up`: loop, messages, signals, keys.
 * What it may touch.          The control client, the terminal; session_view.c shows.
 * Who calls it.               cmd_up.c
 * The one invariant.          However it ends, the terminal is as it was.
 */
#include "ui/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <unistd.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "control/protocol.h"
#include "ui/conflict.h"
#include "ui/print.h"
#include "ui/session_end.h"

enum { SETTLE_STEPS = 40, SETTLE_STEP_NS = 5000000 };

static const int caught[SESSION_SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};

static void on_control_readable(uv_poll_t *poll, int status, int events);
static void on_key_readable(uv_poll_t *poll, int status, int events);
static void on_signal(uv_signal_t *handle, int number);

static uint64_t mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

int session_send(struct session *s, json_t *request)
{
    struct fault why = {0};
    /* A server that has ended is noticed by reading, behind its last words. */
    return client_send(s->t->client, request, &why);
}

void session_drain(struct session *s)
{
    if (s->stage >= SESSION_DRAINING) {
        return;
    }
    s->stage = SESSION_DRAINING;
    (void)uv_timer_stop(&s->tick);
    if (s->pump != NULL) {
        logreader_refresh(pump_reader(s->pump));
        logreader_finish(pump_reader(s->pump));
    }
    headwatch_again(&s->head);
}

static void on_head_news(void *ctx)
{
    struct session *s = ctx;
    bool all = session_lines(s);
    if (s->gone && s->stage < SESSION_STOPPING) {
        session_reader_gone(s);
    }
    bool written = sink_is_empty(s->out) && sink_is_empty(s->err);
    if (s->stage == SESSION_DRAINING && all && written) {
        s->stage = SESSION_OVER;
        uv_stop(&s->loop);
    }
}

/* Asks for raw keys, and tells the server how to undo it should this process be killed. */
static void keys_open(struct session *s)
{
    if (!s->opts->lines || !s->app->err_tty || !s->app->interactive) {
        return;
    }
    if (!terminal_raw(&s->terminal)) {
        return;
    }
    json_t *state = terminal_state(&s->terminal);
    if (state != NULL) {
        (void)session_send(s, json_pack("{s:s,s:o}", "op", "terminal", "state", state));
    }
    if (!s->keys_open && uv_poll_init(&s->loop, &s->keys, STDIN_FILENO) == 0) {
        s->keys_open = true;
        (void)uv_poll_start(&s->keys, UV_READABLE, on_key_readable);
    }
}

static void session_open(struct session *s)
{
    (void)uv_loop_init(&s->loop);
    (void)uv_timer_init(&s->loop, &s->tick);
    session_view_open(s);
    for (size_t i = 0; i < SESSION_SIGNALS; i++) {
        (void)uv_signal_init(&s->loop, &s->signals[i]);
        (void)uv_signal_start(&s->signals[i], on_signal, caught[i]);
    }
    if (uv_poll_init(&s->loop, &s->control, client_fd(s->t->client)) == 0) {
        s->control_open = true;
        (void)uv_poll_start(&s->control, UV_READABLE, on_control_readable);
    }
    s->head_path = arena_printf(&s->app->arena, "%s/head", s->t->place.logs);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* The last words get a moment; a terminal that stands still gets no more than that. */
static bool sinks_settle(const struct session *s)
{
    struct timespec step = {.tv_nsec = SETTLE_STEP_NS};
    for (int i = 0; i < SETTLE_STEPS && !(sink_is_empty(s->out) && sink_is_empty(s->err)); i++) {
        (void)nanosleep(&step, NULL);
    }
    return sink_is_empty(s->out) && sink_is_empty(s->err);
}

/* True when everything was written and freed. */
static bool session_close(struct session *s)
{
    session_view_close(s);
    bool abandon = !sinks_settle(s);
    headwatch_close(&s->head);
    if (s->err != s->out) {
        sink_close(s->err, abandon);
    }
    sink_close(s->out, abandon);
    if (!abandon) {
        uv_walk(&s->loop, close_handle, NULL);
        /* A stop that was asked for ends the first of these runs at once. */
        while (uv_loop_close(&s->loop) == UV_EBUSY) {
            (void)uv_run(&s->loop, UV_RUN_DEFAULT);
        }
    }
    return !abandon;
}

int session_run(struct app *app, struct target *t, const struct session_opts *opts, int *died_by)
{
    struct session s = {.app = app, .t = t, .opts = opts, .begun_ms = mono_ms()};
    struct fault why = {0};
    s.owns = member_true(client_hello(t->client), "you_own");
    s.down_id = s.detach_id = s.ps_id = -1;
    session_open(&s);
    int rc = headwatch_open(&s.head, &s.loop, s.head_path, on_head_news, &s, &why);
    if (rc != 0) {
        json_decref(opts->request);
        (void)session_close(&s);
        return print_fault(app, EXIT_FAILED, &why);
    }
    json_t *subscribe = json_pack("{s:s,s:b}", "op", "subscribe", "history", opts->started);
    (void)session_send(&s, subscribe);
    if (!opts->started && opts->lines) {
        (void)session_lines(&s); /* an attached viewer begins here, before anything new starts */
    }
    s.up_id = session_send(&s, opts->request);
    keys_open(&s);
    on_control_readable(&s.control, 0, UV_READABLE);
    if (s.stage < SESSION_OVER) {
        (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    }
    *died_by = s.died_by;
    bool clean = session_close(&s);
    if (s.error != NULL) {
        (void)conflict_print(app, s.error);
        json_decref(s.error);
    }
    if (!clean && s.died_by == 0) {
        _exit(s.code); /* a thread still hangs in write(2): nothing may be freed under it */
    }
    return s.code;
}

static void on_reply(struct session *s, const json_t *message)
{
    int id = (int)json_integer_value(json_object_get(message, "id"));
    int code = (int)member_number(message, "code");
    if (id == s->up_id) {
        session_up_answered(s, message, code);
    } else if (id == s->down_id) {
        session_down_answered(s, message, code);
    } else if (id == s->detach_id) {
        session_detached(s);
    } else if (id == s->ps_id) {
        board_fill(&s->board, json_object_get(message, "services"), clock_wall_ns() / 1000000);
        session_board(s);
        session_told_up(s);
    }
}

static void on_message(struct session *s, const json_t *message)
{
    const json_t *progress = json_object_get(message, "progress");
    const char *event = member_text(message, "event");
    if (progress != NULL) {
        if (board_progress(&s->board, progress, clock_wall_ns() / 1000000) && !s->app->err_tty) {
            session_say(s, "● %s %s %s", member_text(progress, "name"), member_text(progress, "state"),
                        member_text(progress, "what"));
        }
        session_board(s);
    } else if (strcmp(event, "end") == 0) {
        s->saw_end = true;
        s->code = (int)member_number(message, "code");
        if (member_text(message, "text")[0] != '\0' && s->stage < SESSION_STOPPING) {
            session_say(s, "roadie | %s", member_text(message, "text"));
        }
    } else if (event[0] != '\0') {
        (void)board_event(&s->board, message, clock_wall_ns() / 1000000);
        session_show_event(s, message);
        session_told_up(s);
    } else if (member_true(message, "done")) {
        on_reply(s, message);
    }
}

static void on_control_readable(uv_poll_t *poll, int status, int events)
{
    struct session *s = CONTAINER_OF(poll, struct session, control);
    (void)status;
    (void)events;
    int rc = 1;
    while (rc == 1 && s->stage < SESSION_DRAINING) {
        json_t *message = NULL;
        struct fault why = {0};
        rc = client_next(s->t->client, &message, &why);
        if (rc == 1) {
            on_message(s, message);
            json_decref(message);
        }
    }
    if (rc < 0) {
        session_server_gone(s);
    }
    if (s->stage >= SESSION_DRAINING && s->control_open) {
        (void)uv_poll_stop(&s->control);
    }
}

static void on_key(struct session *s, char key)
{
    switch (key) {
    case 'd':
        if (s->stage == SESSION_RUNNING) {
            s->detach_id = session_send(s, json_pack("{s:s}", "op", "detach"));
        }
        break;
    case '\r':
    case '\n':
        session_rule(s);
        break;
    case 's':
        session_states(s);
        break;
    case 'r':
        if (s->stage == SESSION_RUNNING) {
            (void)session_send(s, json_pack("{s:s,s:b}", "op", "restart", "stale", 1));
        }
        break;
    case '?':
        session_say(s, "d detach (the stack goes on) · Enter a rule with the time · s states · "
                       "r restart what is stale · ^C stop");
        break;
    default:
        break;
    }
}

static void on_key_readable(uv_poll_t *poll, int status, int events)
{
    struct session *s = CONTAINER_OF(poll, struct session, keys);
    (void)events;
    char keys[64];
    /* In the background a read would stop this process. */
    if (status < 0 || !terminal_is_ours()) {
        (void)uv_poll_stop(poll);
        return;
    }
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    if (n <= 0) {
        (void)uv_poll_stop(poll);
    }
    for (ssize_t i = 0; i < n; i++) {
        on_key(s, keys[i]);
    }
}

static void on_suspend(struct session *s)
{
    struct buf out = {0};
    painter_erase(&s->painter, &out);
    print_fd(STDERR_FILENO, buf_span(&out));
    buf_fini(&out);
    terminal_restore(&s->terminal);
    (void)kill(getpid(), SIGSTOP);
}

static void on_resume(struct session *s)
{
    keys_open(s);
    if (s->keys_open) {
        (void)uv_poll_start(&s->keys, UV_READABLE, on_key_readable);
    }
    session_board(s);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct session *s = handle->loop == NULL ? NULL : CONTAINER_OF(handle->loop, struct session, loop);
    switch (number) {
    case SIGINT:
    case SIGTERM:
        session_interrupt(s, number);
        break;
    case SIGTSTP:
        on_suspend(s);
        break;
    case SIGCONT:
        on_resume(s);
        break;
    case SIGWINCH:
        session_board(s);
        break;
    default:
        /* The terminal is gone, or ^\: at once. The server sees the owner go and stops what is its own. */
        s->died_by = number;
        s->stage = SESSION_OVER;
        uv_stop(&s->loop);
        break;
    }
}
