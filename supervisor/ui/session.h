/*
 * A foreground `up` from the moment a server is there: lines to stdout, news and board to stderr, keys,
 * signals, the way down (INTERFACE §1 "Who owns the stack", §3 `up`). Also `up --wait`, without lines.
 */
#ifndef ROADIE_UI_SESSION_H
#define ROADIE_UI_SESSION_H

#include <uv.h>

#include "ui/board.h"
#include "ui/headwatch.h"
#include "ui/logs_names.h"
#include "ui/pump.h"
#include "ui/sink.h"
#include "ui/target.h"
#include "ui/terminal.h"

enum session_stage {
    SESSION_STARTING, /* the request has not been answered */
    SESSION_RUNNING,
    SESSION_STOPPING, /* `down` was asked for */
    SESSION_KILLING,
    SESSION_DRAINING, /* the server is gone or left: what is stored is shown to its end */
    SESSION_OVER,
};

struct session_opts {
    json_t *request;   /* taken: "up" */
    bool lines;        /* show log lines and listen to keys; without: end when the request is answered */
    bool started;      /* this command started the server */
    bool timestamps;
    bool prefix;
};

/* Runs to its end. The exit code; *died_by is the signal to die by afterwards, or 0. */
int session_run(struct app *app, struct target *t, const struct session_opts *opts, int *died_by);

/* Below: shared between session.c (loop, signals, messages) and session_view.c (what is seen). */

enum { SESSION_SIGNALS = 7 };

struct session {
    struct app *app;
    struct target *t;
    const struct session_opts *opts;
    uv_loop_t loop;
    uv_poll_t control;
    uv_poll_t keys;
    uv_signal_t signals[SESSION_SIGNALS];
    uv_timer_t tick;          /* redraws the board while something is under way */
    struct headwatch head;
    bool control_open;
    bool keys_open;
    bool owns;                /* the server stops the stack when we end */
    enum session_stage stage;
    int code;
    int died_by;
    int up_id;
    int down_id;
    int detach_id;
    int ps_id;
    json_t *error;            /* a reply to report at the end, or NULL */
    bool saw_end;             /* the server said that and how it ends */
    bool told_up;
    bool gone;                /* stdout's reader went away */
    uint64_t begun_ms;        /* monotonic */
    uint64_t stop_begun_ms;
    uint64_t painted_ms;      /* monotonic time of the last redraw */
    struct sink *out;
    struct sink *err;         /* the same as out when both are the terminal */
    struct pump *pump;
    struct logs_names names;
    char *head_path;
    struct board board;
    struct painter painter;
    struct terminal terminal;
};

/* Opens sinks and names; nothing is shown yet. */
void session_view_open(struct session *s);
/* Pumps lines while there is room. True when everything readable was taken. */
bool session_lines(struct session *s);
/* A line of news to stderr (board kept below it). */
void session_say(struct session *s, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* An event of the server: JSON on stdout, or news on stderr. */
void session_show_event(struct session *s, const json_t *event);
/* The board has changed: redraws, at most ten times a second. */
void session_board(struct session *s);
/* Enter, s, ?: what they show. */
void session_rule(struct session *s);
void session_states(struct session *s);
/* Takes the board away and waits for nothing: the last thing before leaving. */
void session_view_close(struct session *s);

#endif
