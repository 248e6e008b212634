/*
 * What this room is for.      roadie events: state changes since the server started, and on.
 * What it may touch.          target.h
 * Who calls it.               commands.c
 * The one invariant.          Without -f it ends where history ends: at the answer to a question asked behind it.
 */
#include <string.h>

#include <poll.h>

#include "base/clock.h"
#include "control/protocol.h"
#include "ui/commands.h"
#include "ui/pick.h"
#include "ui/print.h"
#include "ui/state.h"
#include "ui/target.h"
#include "ui/when.h"

static void print_event(const struct app *app, const json_t *event)
{
    struct buf out = {0};
    bool state = strcmp(member_text(event, "event"), "state") == 0;
    if (!pick_wanted(app->args, member_text(event, "service")) || (app->json && !state)) {
        return;
    }
    if (app->json) {
        print_json(app, json_pack("{s:i,s:I,s:s,s:s,s:I,s:s,s:s,s:s,s:s}", "v", 1, "seq",
                                  json_integer_value(json_object_get(event, "seq")), "t",
                                  member_text(event, "t"), "service", member_text(event, "service"),
                                  "run", json_integer_value(json_object_get(event, "run")), "event",
                                  "state", "from", member_text(event, "from"), "to",
                                  member_text(event, "to"), "cause", member_text(event, "cause")));
        return;
    }
    char time[32];
    struct news_opts opts = {.name_width = 10, .colour = app->out_colour, .mask = app->redactor};
    uint64_t at = when_rfc3339(member_text(event, "t"));
    (void)buf_printf(&out, "%s ", clock_local_hms(at, time, sizeof time));
    if (news_line(&opts, event, &out)) {
        (void)buf_putc(&out, '\n');
        print_out(&out);
    }
    buf_fini(&out);
}

/* Reads what has come; true when the answer to id was there, or the server ended. */
static bool take(struct app *app, struct target *t, int id)
{
    struct fault why = {0};
    json_t *message = NULL;
    bool over = false;
    int rc;
    while ((rc = client_next(t->client, &message, &why)) == 1) {
        if (member_text(message, "event")[0] != '\0') {
            print_event(app, message);
        }
        over = over || (member_true(message, "done") &&
                        json_integer_value(json_object_get(message, "id")) == id);
        json_decref(message);
    }
    return over || rc < 0;
}

int cmd_events(struct app *app, const struct args *args)
{
    struct target t = {0};
    struct fault why = {0};
    int code = target_open(app, &t);
    if (code != EXIT_DONE) {
        target_fini(&t);
        return code;
    }
    int rc = client_send(t.client, json_pack("{s:s,s:b}", "op", "subscribe", "history", 1), &why);
    int last = rc >= 0 ? client_send(t.client, json_pack("{s:s}", "op", "ps"), &why) : rc;
    bool follow = args_flag(args, "follow");
    struct pollfd pfd = {.fd = client_fd(t.client), .events = POLLIN};
    if (last < 0) {
        code = print_fault(app, EXIT_FAILED, &why);
    }
    while (code == EXIT_DONE && !take(app, &t, follow ? -1 : last)) {
        (void)poll(&pfd, 1, -1);
    }
    target_fini(&t);
    return code;
}
