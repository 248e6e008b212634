/*
 * What this room is for.      Answers, ^C, detaching, the last lines.
 * What it may touch.          session.h
 * Who calls it.               session.c
 * The one invariant.          Only an owner, or a person at a terminal of a stack without one, stops the stack.
 */
#include "ui/session_end.h"

#include <stdio.h>
#include <string.h>

#include <signal.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "control/protocol.h"
#include "ui/conflict.h"
#include "ui/print.h"

static uint64_t mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

static void leave_now(struct session *s)
{
    s->stage = SESSION_OVER;
    uv_stop(&s->loop);
}

/* Errors are printed when the view is closed: nothing may come between, nothing redraws over them. */
static void session_keep_error(struct session *s, const json_t *reply)
{
    json_decref(s->error);
    s->error = json_deep_copy(reply);
}

void session_up_answered(struct session *s, const json_t *reply, int code)
{
    if (code != EXIT_DONE) {
        s->code = code;
        session_keep_error(s, reply);
        session_drain(s);
        return;
    }
    if (s->stage == SESSION_STARTING) {
        s->stage = SESSION_RUNNING;
    }
    if (!s->opts->lines) {
        s->code = EXIT_DONE;
        session_drain(s);
        return;
    }
    s->ps_id = session_send(s, json_pack("{s:s}", "op", "ps"));
}

static bool is_state(const struct board_row *row, const char *state)
{
    return strcmp(row->state, state) == 0;
}

/* Nothing runs and nothing will: what ended did so by itself (a stopped service is off, and no end). */
static bool all_ended(const struct session *s, bool *failed)
{
    size_t ended = 0;
    *failed = false;
    for (size_t i = 0; i < s->board.count; i++) {
        const struct board_row *row = &s->board.rows[i];
        *failed = *failed || is_state(row, "failed");
        bool over = is_state(row, "failed") || is_state(row, "done");
        if (!over && !is_state(row, "off")) {
            return false;
        }
        ended += over ? 1 : 0;
    }
    return ended > 0;
}

void session_told_up(struct session *s)
{
    bool failed = false;
    if (s->stage != SESSION_RUNNING || s->ps_id < 0) {
        return;
    }
    if (!s->owns && all_ended(s, &failed)) {
        s->code = failed ? EXIT_FAILED : EXIT_DONE;
        session_say(s, "roadie | everything has ended; the server stays: roadie down ends it");
        session_drain(s);
        return;
    }
    size_t ready = 0;
    for (size_t i = 0; i < s->board.count; i++) {
        ready += is_state(&s->board.rows[i], "ready") ? 1 : 0;
    }
    if (s->told_up || ready == 0 || board_pending(&s->board)) {
        return;
    }
    s->told_up = true;
    char took[32];
    struct buf line = {0};
    board_summary(&s->board, &line);
    (void)format_duration(mono_ms() - s->begun_ms, took, sizeof took);
    session_say(s, s->terminal.raw ? "up in %s · %s · d detach · s states · ? keys · ^C stop"
                                   : "up in %s · %s",
                took, line.ptr);
    buf_fini(&line);
}

void session_server_gone(struct session *s)
{
    if (s->stage >= SESSION_DRAINING) {
        return;
    }
    if (!s->saw_end && s->stage < SESSION_STOPPING) {
        session_say(s, "✗ roadie-server ended without a word; what it ran is gone within half a second");
        s->code = EXIT_FAILED;
    }
    session_drain(s);
}

void session_detached(struct session *s)
{
    session_say(s, "detached: the stack goes on · roadie logs -f shows it · roadie down stops it");
    s->code = EXIT_DONE;
    s->died_by = 0;
    session_drain(s);
}

/* Whether ^C here may stop a stack that is not ours: on a terminal, when no foreground owner lives. */
static bool may_stop(struct session *s)
{
    if (s->owns) {
        return true;
    }
    struct client *fresh = NULL;
    struct fault why = {0};
    if (client_connect(&s->t->place, &fresh, &why) != 0) {
        return false;
    }
    const json_t *owner = json_object_get(client_hello(fresh), "owner");
    bool owned = json_is_object(owner);
    bool may = s->app->interactive && !owned;
    if (!may && owned) {
        session_say(s, "left; the stack belongs to the roadie up on %s (pid %llu) · roadie down stops it",
                    member_text(owner, "tty")[0] != '\0' ? member_text(owner, "tty") : "no terminal",
                    (unsigned long long)member_number(owner, "pid"));
    } else if (!may) {
        session_say(s, "left; the stack goes on · roadie down stops it");
    }
    client_close(fresh);
    return may;
}

static void say_what_remains(struct session *s)
{
    struct buf names = {0};
    for (size_t i = 0; i < s->board.count; i++) {
        const struct board_row *row = &s->board.rows[i];
        if (!is_state(row, "off") && !is_state(row, "done") && !is_state(row, "failed")) {
            (void)buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", row->name);
        }
    }
    session_say(s, "left; still there: %s · roadie down goes on with it",
                names.len > 0 ? names.ptr : "the server");
    buf_fini(&names);
}

void session_interrupt(struct session *s, int signal)
{
    s->died_by = signal;
    switch (s->stage) {
    case SESSION_STARTING:
    case SESSION_RUNNING:
        if (!s->opts->lines) {
            leave_now(s); /* `up --wait`: the stack stays */
        } else if (!may_stop(s)) {
            session_drain(s);
        } else {
            s->stage = SESSION_STOPPING;
            s->stop_begun_ms = mono_ms();
            session_say(s, "stopping (again: kill now)");
            s->down_id = session_send(s, json_pack("{s:s}", "op", "down"));
        }
        break;
    case SESSION_STOPPING:
        s->stage = SESSION_KILLING;
        session_say(s, "killing what is left (again: leave)");
        s->down_id = session_send(s, json_pack("{s:s,s:b}", "op", "down", "kill", 1));
        break;
    case SESSION_KILLING:
        leave_now(s);
        say_what_remains(s);
        break;
    case SESSION_DRAINING:
    case SESSION_OVER:
        leave_now(s);
        break;
    }
}

void session_reader_gone(struct session *s)
{
    if (!s->owns) {
        s->code = EXIT_DONE;
        session_drain(s);
        return;
    }
    s->stage = SESSION_STOPPING;
    s->stop_begun_ms = mono_ms();
    s->down_id = session_send(s, json_pack("{s:s}", "op", "down"));
}

void session_down_answered(struct session *s, const json_t *reply, int code)
{
    char took[32];
    (void)format_duration(mono_ms() - s->stop_begun_ms, took, sizeof took);
    if (code != EXIT_DONE) {
        s->code = code;
        session_keep_error(s, reply);
    } else if (!s->gone) {
        session_say(s, "stopped in %s · nothing is left · roadie logs has every line", took);
    }
    /* The server ends now; its end is what the last lines are waited for with. */
}
