/*
 * What this room is for.      roadie ps
 * What it may touch.          target.h, grid.h
 * Who calls it.               commands.c
 * The one invariant.          No stack is no error: an empty table and 0.
 */
#include <stdio.h>
#include <string.h>

#include "base/numbers.h"
#include "control/protocol.h"
#include "ui/commands.h"
#include "ui/grid.h"
#include "ui/pick.h"
#include "ui/print.h"
#include "ui/state.h"
#include "ui/target.h"

static const char *const headings[] = {"SERVICE", "STATE", "UP",       "PID", "PORT",
                                       "CPU",     "RSS",   "RESTARTS", "NOTE"};

static void add_duration(struct grid *g, const json_t *service, const char *member)
{
    char text[32];
    bool known = member_number(service, member) > 0;
    grid_add(g, NULL,
             known ? format_duration(member_number(service, member), text, sizeof text) : NULL);
}

static void add_number(struct grid *g, const json_t *service, const char *member)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)member_number(service, member));
    grid_add(g, NULL, member_null(service, member) ? NULL : text);
}

static void add_port(struct grid *g, const json_t *service)
{
    uint64_t port = member_number(service, "port");
    if (port == 0) {
        port = member_number(json_array_get(json_object_get(service, "ports"), 0), "port");
    }
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)port);
    grid_add(g, NULL, port > 0 ? text : NULL);
}

/* The server's note; when it has none, what makes the state understandable. */
static void add_note(const struct app *app, struct grid *g, const json_t *service)
{
    const char *note = member_text(service, "note");
    const char *state = member_text(service, "state");
    if (note[0] == '\0' && strcmp(state, "ready") != 0 && strcmp(state, "off") != 0) {
        note = member_text(service, "cause");
    }
    struct buf text = {0};
    print_clean(app, note, &text);
    const json_t *stale = json_object_get(service, "stale");
    if (json_array_size(stale) > 0 && strstr(note, "stale") == NULL) {
        (void)buf_puts(&text, text.len > 0 ? " · stale: " : "stale: ");
        for (size_t i = 0; i < json_array_size(stale); i++) {
            const char *what = json_string_value(json_array_get(stale, i));
            (void)buf_printf(&text, "%s%s", i > 0 ? ", " : "", what != NULL ? what : "?");
        }
    }
    grid_add(g, NULL, text.ptr);
    buf_fini(&text);
}

static void add_service(const struct app *app, struct grid *g, const char *stack, const json_t *service)
{
    if (stack != NULL) {
        grid_add(g, NULL, stack);
    }
    const char *state = member_text(service, "state");
    grid_add(g, NULL, member_text(service, "name"));
    grid_add(g, state_look(state)->colour, state);
    add_duration(g, service, "uptime_ms");
    add_number(g, service, "pid");
    add_port(g, service);
    add_duration(g, service, "cpu_ms");
    char size[32];
    bool known = member_number(service, "rss_bytes") > 0;
    grid_add(g, NULL,
             known ? format_size(member_number(service, "rss_bytes"), size, sizeof size) : NULL);
    add_number(g, service, "restarts");
    add_note(app, g, service);
}

static void print_table(const struct app *app, const json_t *docs, bool all)
{
    struct grid g = {.columns = COUNT_OF(headings) + (all ? 1 : 0)};
    if (all) {
        grid_add(&g, "1", "STACK");
    }
    for (size_t i = 0; i < COUNT_OF(headings); i++) {
        grid_add(&g, "1", headings[i]);
    }
    for (size_t d = 0; d < json_array_size(docs); d++) {
        const json_t *doc = json_array_get(docs, d);
        const json_t *services = json_object_get(doc, "services");
        for (size_t i = 0; i < json_array_size(services); i++) {
            add_service(app, &g, all ? member_text(doc, "stack") : NULL, json_array_get(services, i));
        }
    }
    struct buf out = {0};
    if (g.count > g.columns) {
        grid_print(&g, app->out_colour, &out);
    }
    print_out(&out);
    buf_fini(&out);
    grid_fini(&g);
}

static void print_pids(const json_t *docs)
{
    struct buf out = {0};
    for (size_t d = 0; d < json_array_size(docs); d++) {
        const json_t *services = json_object_get(json_array_get(docs, d), "services");
        for (size_t i = 0; i < json_array_size(services); i++) {
            uint64_t pid = member_number(json_array_get(services, i), "pid");
            if (pid > 0) {
                (void)buf_printf(&out, "%llu\n", (unsigned long long)pid);
            }
        }
    }
    print_out(&out);
    buf_fini(&out);
}

/* The document of INTERFACE §4 for one stack; services is taken. */
static json_t *document(const struct target *t, json_t *services)
{
    return json_pack("{s:i,s:s,s:s,s:o}", "v", 1, "stack", t->where.id, "root", t->where.root,
                     "services", services);
}

/* One stack: appends its document to docs. */
static int collect(struct app *app, struct target *t, bool with_off, json_t *docs)
{
    json_t *services = json_array();
    int code = EXIT_DONE;
    if (t->client != NULL) {
        json_t *reply = NULL;
        code = target_call(app, t, json_pack("{s:s}", "op", "ps"), NULL, NULL, &reply);
        const json_t *all = json_object_get(reply, "services");
        if (code == EXIT_DONE && args_flag(app->args, "all")) {
            pick_matching(app, all, with_off, services);
        } else if (code == EXIT_DONE) {
            code = pick_services(app, all, with_off, services);
        }
        json_decref(reply);
    }
    (void)json_array_append_new(docs, document(t, services));
    return code;
}

/* A name may be in one stack and not in another; it is wrong when no stack has it. */
static int check_names(const struct app *app, const json_t *docs)
{
    size_t found = 0;
    for (size_t d = 0; d < json_array_size(docs); d++) {
        found += json_array_size(json_object_get(json_array_get(docs, d), "services"));
    }
    if (app->args->name_count == 0 || found > 0 || json_array_size(docs) == 0) {
        return EXIT_DONE;
    }
    return print_failure(app, EXIT_USAGE, "roadie ps --all lists the services",
                         "there is no service \"%s\" in any stack", app->args->names[0]);
}

static int collect_all(struct app *app, bool with_off, json_t *docs)
{
    char **ids = place_list(&app->arena);
    for (size_t i = 0; ids[i] != NULL; i++) {
        struct target t = {.where = {.id = ids[i], .root = ""}};
        struct fault why = {0};
        if (place_of(ids[i], &app->arena, &t.place, &why) == 0 &&
            client_connect(&t.place, &t.client, &why) == 0) {
            t.where.root = member_text(client_hello(t.client), "root");
            (void)collect(app, &t, with_off, docs);
        }
        target_fini(&t);
    }
    return check_names(app, docs);
}

int cmd_ps(struct app *app, const struct args *args)
{
    bool all = args_flag(args, "all");
    bool with_off = args_flag(args, "off");
    json_t *docs = json_array();
    struct target t = {0};
    int code;
    if (all) {
        code = collect_all(app, with_off, docs);
    } else {
        code = target_locate(app, &t);
        code = code == EXIT_DONE ? target_connect(app, &t, false) : code;
        code = code == EXIT_DONE ? collect(app, &t, with_off, docs) : code;
    }
    if (code == EXIT_DONE && app->json) {
        print_json(app, all ? json_pack("{s:i,s:O}", "v", 1, "stacks", docs)
                            : json_incref(json_array_get(docs, 0)));
    } else if (code == EXIT_DONE && args_flag(args, "pids")) {
        print_pids(docs);
    } else if (code == EXIT_DONE) {
        print_table(app, docs, all);
    }
    json_decref(docs);
    target_fini(&t);
    return code;
}
