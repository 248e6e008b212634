/*
 * What this room is for.      roadie port: who owns which port, with or without a running stack.
 * What it may touch.          The server's answer, else process/listeners.h.
 * Who calls it.               commands.c
 * The one invariant.          An owner that is not visible is told as such, not left out.
 */
#include <stdio.h>

#include "base/clock.h"
#include "control/protocol.h"
#include "process/listeners.h"
#include "ui/commands.h"
#include "ui/grid.h"
#include "ui/pick.h"
#include "ui/print.h"
#include "ui/target.h"

/* Like the server's answer: "listening", and its owner as far as it is visible. */
static json_t *port_look(uint16_t port, const char *service)
{
    struct listener found[LISTENERS_MAX];
    struct process_facts facts;
    json_t *owner = json_null();
    int count = listeners_find(port, found, LISTENERS_MAX);
    pid_t pid = count > 0 ? listener_owner(&found[0]) : 0;
    if (pid > 0 && process_facts(pid, &facts) == 0) {
        char since[CLOCK_RFC3339_SIZE];
        owner = json_pack("{s:i,s:s,s:s,s:s}", "pid", (int)pid, "command", facts.command, "user",
                          facts.user, "since", clock_rfc3339(facts.started_wall_ns, since));
    }
    return json_pack("{s:i,s:s,s:b,s:o}", "port", port, "service", service, "listening", count > 0,
                     "owner", owner);
}

/* No server: the definition's ports, and what the kernel says of them. */
static json_t *look(const struct spec *spec)
{
    json_t *ports = json_array();
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct spec_service *s = &spec->services[i];
        if (s->port != 0 && s->selected) {
            (void)json_array_append_new(ports, port_look(s->port, s->name));
        }
    }
    return ports;
}

static void print_table(const struct app *app, const json_t *ports)
{
    static const char *const headings[] = {"PORT", "SERVICE", "PID", "USER", "SINCE", "COMMAND"};
    struct grid g = {.columns = COUNT_OF(headings)};
    for (size_t i = 0; i < COUNT_OF(headings); i++) {
        grid_add(&g, "1", headings[i]);
    }
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const json_t *owner = json_object_get(port, "owner");
        char text[32];
        struct buf command = {0};
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)member_number(port, "port"));
        grid_add(&g, NULL, text);
        grid_add(&g, NULL, member_text(port, "service"));
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)member_number(owner, "pid"));
        grid_add(&g, NULL, member_number(owner, "pid") > 0 ? text : NULL);
        grid_add(&g, NULL, member_text(owner, "user"));
        grid_add(&g, NULL, member_text(owner, "since"));
        print_clean(app, member_text(owner, "command"), &command);
        bool unseen = member_true(port, "listening") && !json_is_object(owner);
        grid_add(&g, NULL, unseen ? "(taken by a process that is not visible to you)" : command.ptr);
        buf_fini(&command);
    }
    struct buf out = {0};
    if (g.count > g.columns) {
        grid_print(&g, app->out_colour, &out);
    }
    print_out(&out);
    buf_fini(&out);
    grid_fini(&g);
}

static int ask(struct app *app, struct target *t, json_t **ports)
{
    json_t *reply = NULL;
    int code = target_call(app, t, json_pack("{s:s}", "op", "port"), NULL, NULL, &reply);
    *ports = json_incref(json_object_get(reply, "ports"));
    json_decref(reply);
    return code;
}

/* Those that the command line means. */
static int choose(struct app *app, const json_t *ports, json_t *chosen)
{
    const char **known = arena_alloc(&app->arena, (json_array_size(ports) + 1) * sizeof *known);
    for (size_t i = 0; i < json_array_size(ports); i++) {
        known[i] = member_text(json_array_get(ports, i), "service");
    }
    int code = pick_check(app, known);
    for (size_t i = 0; i < json_array_size(ports) && code == EXIT_DONE; i++) {
        if (pick_wanted(app->args, known[i])) {
            (void)json_array_append(chosen, json_array_get(ports, i));
        }
    }
    return code;
}

int cmd_port(struct app *app, const struct args *args)
{
    (void)args;
    struct target t = {0};
    json_t *ports = NULL;
    json_t *chosen = json_array();
    int code = target_locate(app, &t);
    code = code == EXIT_DONE ? target_connect(app, &t, false) : code;
    if (code == EXIT_DONE && t.client != NULL) {
        code = ask(app, &t, &ports);
    } else if (code == EXIT_DONE) {
        code = target_load(app, &t);
        ports = code == EXIT_DONE ? look(t.spec) : NULL;
    }
    code = code == EXIT_DONE ? choose(app, ports, chosen) : code;
    if (code == EXIT_DONE && app->json) {
        print_json(app, json_pack("{s:i,s:O}", "v", 1, "ports", chosen));
    } else if (code == EXIT_DONE) {
        print_table(app, chosen);
    }
    json_decref(ports);
    json_decref(chosen);
    target_fini(&t);
    return code;
}
