/*
 * What this room is for.      roadie start, stop, restart, kill, down: one request, its progress, its results.
 * What it may touch.          target.h, board.h, stderr.
 * Who calls it.               commands.c
 * The one invariant.          Results go to stdout only as JSON; for people they are news on stderr.
 */
#include <string.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "control/protocol.h"
#include "ui/board.h"
#include "ui/commands.h"
#include "ui/conflict.h"
#include "ui/print.h"
#include "ui/state.h"
#include "ui/sweep.h"
#include "ui/target.h"
#include "ui/terminal.h"
#include "ui/volumes.h"

struct progress {
    struct app *app;
    struct board board;
    struct painter painter;
};

static uint64_t now_ms(void)
{
    return clock_wall_ns() / 1000000;
}

static void on_message(void *ctx, const json_t *message)
{
    struct progress *p = ctx;
    const json_t *progress = json_object_get(message, "progress");
    if (progress == NULL || p->app->quiet || p->app->json) {
        return;
    }
    bool news = board_progress(&p->board, progress, now_ms());
    struct buf out = {0};
    if (p->app->err_tty) {
        struct board_look look = {.colour = p->app->err_colour, .now_wall_ms = now_ms()};
        terminal_size(STDERR_FILENO, &look.columns, &look.rows);
        painter_redraw(&p->painter, &p->board, &look, &out);
    } else if (news) {
        const struct board_row *row = board_find(&p->board, member_text(progress, "name"));
        (void)buf_printf(&out, "● %s %s%s%s\n", row->name, row->state,
                         row->text[0] != '\0' ? " " : "", row->text);
    }
    print_fd(STDERR_FILENO, buf_span(&out));
    buf_fini(&out);
}

static void print_results(const struct app *app, const json_t *services)
{
    if (app->quiet) {
        return;
    }
    struct buf out = {0};
    size_t width = 0;
    for (size_t i = 0; i < json_array_size(services); i++) {
        size_t len = strlen(member_text(json_array_get(services, i), "name"));
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *service = json_array_get(services, i);
        const char *name = member_text(service, "name");
        const char *state = member_text(service, "state");
        const struct state_look *look = state_look(state);
        char took[32];
        (void)format_duration(member_number(service, "took_ms"), took, sizeof took);
        (void)buf_printf(&out, app->err_colour ? "\033[%sm%s\033[0m " : "%.0s%s ", look->colour,
                         look->symbol);
        (void)buf_printf(&out, "%-*s %s %s\n", (int)width, name, state, took);
    }
    print_fd(STDERR_FILENO, buf_span(&out));
    buf_fini(&out);
}

/* Sends a request whose reply holds "services", shows progress, prints the result. request is taken. */
static int control(struct app *app, struct target *t, json_t *request)
{
    struct progress p = {.app = app, .board = {.mask = app->redactor}};
    json_t *reply = NULL;
    struct fault why = {0};
    int rc = client_call(t->client, request, on_message, &p, 0, &reply, &why);
    struct buf out = {0};
    painter_erase(&p.painter, &out);
    print_fd(STDERR_FILENO, buf_span(&out));
    buf_fini(&out);
    board_fini(&p.board);
    if (rc != 0) {
        return print_fault(app, EXIT_FAILED, &why);
    }
    int code = (int)member_number(reply, "code");
    if (member_text(reply, "note")[0] != '\0') {
        print_note(app, "! %s", member_text(reply, "note"));
    }
    json_t *services = json_object_get(reply, "services");
    if (code != EXIT_DONE) {
        if (services != NULL && !app->json) {
            print_results(app, services);
        }
        conflict_print(app, reply);
    } else if (app->json) {
        print_json(app, json_pack("{s:i,s:o}", "v", 1, "services",
                                  services != NULL ? json_incref(services) : json_array()));
    } else if (json_array_size(services) == 0 && args_flag(app->args, "stale")) {
        print_note(app, "✓ nothing is stale");
    } else {
        print_results(app, services);
    }
    json_decref(reply);
    return code;
}

static void set_flag(json_t *request, const struct args *args, const char *option, const char *member)
{
    if (args_flag(args, option)) {
        (void)json_object_set_new(request, member, json_true());
    }
}

static int add_timeout(const struct app *app, json_t *request)
{
    uint64_t ms = 0;
    int code = target_duration(app, "timeout", &ms);
    if (code == EXIT_DONE && args_text(app->args, "timeout") != NULL) {
        (void)json_object_set_new(request, "timeout_ms", json_integer((json_int_t)ms));
    }
    return code;
}

static int run_control(struct app *app, json_t *request)
{
    struct target t = {0};
    int code = add_timeout(app, request);
    code = code == EXIT_DONE ? target_open(app, &t) : code;
    if (code == EXIT_DONE) {
        code = control(app, &t, json_incref(request));
    }
    json_decref(request);
    target_fini(&t);
    return code;
}

int cmd_stop(struct app *app, const struct args *args)
{
    (void)args;
    return run_control(app, request_new(app, "stop"));
}

int cmd_restart(struct app *app, const struct args *args)
{
    json_t *request = request_new(app, "restart");
    set_flag(request, args, "deps", "deps");
    set_flag(request, args, "stale", "stale");
    set_flag(request, args, "wait", "wait");
    return run_control(app, request);
}

int cmd_kill(struct app *app, const struct args *args)
{
    const char *text = args_text(args, "signal");
    int signal = 0;
    if (args->name_count == 0) {
        return print_failure(app, EXIT_USAGE, "roadie kill NAME…", "kill: which service?");
    }
    if (text != NULL && parse_signal(span_of(text), &signal) != 0) {
        return print_failure(app, EXIT_USAGE, "TERM, HUP, USR1, 15 …", "-s %s is no signal", text);
    }
    json_t *request = request_new(app, "kill");
    if (text != NULL) {
        (void)json_object_set_new(request, "signal", json_string(signal_name(signal)));
    }
    return run_control(app, request);
}

int cmd_start(struct app *app, const struct args *args)
{
    struct target t = {0};
    bool started = false;
    json_t *request = request_new(app, "start");
    static const char *const flags[][2] = {{"wait", "wait"},
                                           {"no-deps", "no_deps"},
                                           {"no-check", "no_check"},
                                           {"kill-port", "kill_port"}};
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        set_flag(request, args, flags[i][0], flags[i][1]);
    }
    request_selection(app, request);
    int code = add_timeout(app, request);
    code = code == EXIT_DONE ? target_locate(app, &t) : code;
    code = code == EXIT_DONE ? target_load(app, &t) : code;
    code = code == EXIT_DONE ? target_boot(app, &t, false, &started) : code;
    code = code == EXIT_DONE ? control(app, &t, json_incref(request)) : code;
    json_decref(request);
    target_fini(&t);
    return code;
}

int cmd_down(struct app *app, const struct args *args)
{
    struct target t = {0};
    json_t *request = json_pack("{s:s}", "op", "down");
    bool volumes = args_flag(args, "volumes");
    int code = add_timeout(app, request);
    code = code == EXIT_DONE ? target_locate(app, &t) : code;
    if (code == EXIT_DONE && volumes) {
        /* Whose data goes is known before anything stops. */
        code = args_text(args, "stack") == NULL
                   ? target_load(app, &t)
                   : print_failure(app, EXIT_USAGE, "docker volume ls",
                                   "down -v reads the definition, and with --stack there is none");
    }
    code = code == EXIT_DONE ? target_connect(app, &t, false) : code;
    if (code == EXIT_DONE && t.client == NULL && sweep_needed(&t.place)) {
        /* A dead server left something: a new one sweeps before it answers. */
        bool started = false;
        code = target_boot(app, &t, false, &started);
    }
    if (code == EXIT_DONE && t.client != NULL) {
        code = control(app, &t, json_incref(request));
        client_wait_end(&t.place);
    } else if (code == EXIT_DONE && app->json) {
        print_json(app, json_pack("{s:i,s:[]}", "v", 1, "services"));
    } else if (code == EXIT_DONE) {
        print_note(app, "– nothing runs here");
    }
    if (code == EXIT_DONE && volumes) {
        code = volumes_remove(app, &t);
    }
    json_decref(request);
    target_fini(&t);
    return code;
}
