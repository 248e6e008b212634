/*
 * What this room is for.      roadie up: check, start a server, ask, and stay (or not).
 * What it may touch.          target.h, session.h
 * Who calls it.               commands.c
 * The one invariant.          A broken definition starts nothing.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "base/mem.h"
#include "control/protocol.h"
#include "ui/commands.h"
#include "ui/conflict.h"
#include "ui/last_words.h"
#include "ui/print.h"
#include "ui/session.h"
#include "ui/target.h"

/* The address under which a phone in the same network reaches this machine; "" when there is none. */
static void lan_address(char *out, size_t size)
{
    uv_interface_address_t *all = NULL;
    int count = 0;
    out[0] = '\0';
    if (uv_interface_addresses(&all, &count) != 0) {
        return;
    }
    for (int i = 0; i < count && out[0] == '\0'; i++) {
        bool v4 = all[i].address.address4.sin_family == AF_INET;
        if (!all[i].is_internal && v4) {
            (void)uv_ip4_name(&all[i].address.address4, out, size);
        }
    }
    uv_free_interface_addresses(all, count);
}

static void add_lan(struct app *app, const struct target *t, json_t *request)
{
    char address[64];
    lan_address(address, sizeof address);
    (void)json_object_set_new(request, "lan", json_true());
    if (address[0] == '\0') {
        print_note(app, "! lan  no network address of this machine is known");
        return;
    }
    (void)json_object_set_new(request, "lan_address", json_string(address));
    for (size_t i = 0; i < t->spec->service_count; i++) {
        const struct spec_service *s = &t->spec->services[i];
        if (s->selected && s->port != 0 && s->image == NULL) {
            print_note(app, "● %s  http://%s:%u from other devices", s->name, address, s->port);
        }
    }
}

/* An excluded dependency counts as met; that is said when it is asked for. */
static void say_excluded(const struct app *app, const struct target *t)
{
    for (size_t i = 0; i < t->spec->service_count; i++) {
        const struct spec_service *s = &t->spec->services[i];
        for (size_t n = 0; s->selected && !s->excluded && n < s->need_count; n++) {
            const struct spec_service *need = &t->spec->services[s->needs[n].service];
            if (need->excluded) {
                print_note(app, "– %s  excluded; %s, which needs it, goes on without", need->name, s->name);
            }
        }
    }
}

static int make_request(struct app *app, const struct target *t, const struct args *args, json_t *request)
{
    static const char *const flags[][2] = {{"no-deps", "no_deps"},
                                           {"no-check", "no_check"},
                                           {"fail-fast", "fail_fast"},
                                           {"kill-port", "kill_port"},
                                           {"wait", "wait"}};
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        if (args_flag(args, flags[i][0])) {
            (void)json_object_set_new(request, flags[i][1], json_true());
        }
    }
    request_selection(app, request);
    const char *from = args_text(args, "exit-code-from");
    if (from != NULL) {
        if (spec_find(t->spec, from) == NULL) {
            const char *nearest = spec_nearest(t->spec, from);
            const char *hint =
                nearest != NULL ? arena_printf(&app->arena, "did you mean \"%s\"?", nearest) : NULL;
            return print_failure(app, EXIT_USAGE, hint, "--exit-code-from: there is no service \"%s\"",
                               from);
        }
        (void)json_object_set_new(request, "exit_code_from", json_string(from));
    }
    uint64_t ms = 0;
    int code = target_duration(app, "wait-timeout", &ms);
    if (code == EXIT_DONE && args_text(args, "wait-timeout") != NULL) {
        (void)json_object_set_new(request, "timeout_ms", json_integer((json_int_t)ms));
    }
    if (args_text(args, "except") != NULL) {
        say_excluded(app, t);
    }
    if (args_flag(args, "lan")) {
        add_lan(app, t, request);
    }
    return code;
}

static void print_accepted(struct app *app, const struct target *t, const json_t *reply)
{
    const json_t *starting = json_object_get(reply, "starting");
    if (app->json) {
        json_t *list = json_is_array(starting) ? json_deep_copy(starting) : json_array();
        print_json(app, json_pack("{s:i,s:s,s:o}", "v", 1, "stack", t->where.id, "starting", list));
        return;
    }
    struct buf names = {0};
    for (size_t i = 0; i < json_array_size(starting); i++) {
        const char *name = json_string_value(json_array_get(starting, i));
        (void)buf_printf(&names, "%s%s", i > 0 ? ", " : "", name != NULL ? name : "?");
    }
    if (names.len > 0) {
        print_note(app, "● starting %s · roadie ps, roadie logs -f, roadie down", names.ptr);
    } else {
        print_note(app, "✓ everything runs already");
    }
    buf_fini(&names);
}

static int up_detached(struct app *app, struct target *t, json_t *request)
{
    json_t *reply = NULL;
    struct fault why = {0};
    if (client_call(t->client, request, NULL, NULL, 0, &reply, &why) != 0) {
        return print_fault(app, EXIT_FAILED, &why);
    }
    int code = (int)member_number(reply, "code");
    if (code != EXIT_DONE) {
        (void)conflict_print(app, reply);
    } else {
        print_accepted(app, t, reply);
    }
    json_decref(reply);
    return code;
}

/* After `up --wait --json`: what is there now, in the shape of `start`. */
static void print_states(struct app *app, struct target *t)
{
    json_t *reply = NULL;
    if (target_call(app, t, json_pack("{s:s}", "op", "ps"), NULL, NULL, &reply) == EXIT_DONE) {
        json_t *list = json_array();
        const json_t *services = json_object_get(reply, "services");
        for (size_t i = 0; i < json_array_size(services); i++) {
            const json_t *s = json_array_get(services, i);
            if (!json_is_false(json_object_get(s, "selected"))) {
                uint64_t took = member_number(json_object_get(s, "ready"), "took_ms");
                (void)json_array_append_new(
                    list, json_pack("{s:s,s:s,s:I}", "name", member_text(s, "name"), "state",
                                    member_text(s, "state"), "took_ms", (json_int_t)took));
            }
        }
        print_json(app, json_pack("{s:i,s:o}", "v", 1, "services", list));
    }
    json_decref(reply);
}

/* After an `up --wait` that failed: what those that are not well said last. */
static void tell_last_words(struct app *app, struct target *t)
{
    json_t *reply = NULL;
    (void)target_call(app, t, json_pack("{s:s}", "op", "ps"), NULL, NULL, &reply);
    const json_t *services = json_object_get(reply, "services");
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *s = json_array_get(services, i);
        const char *state = member_text(s, "state");
        if (strcmp(state, "failed") != 0 && strcmp(state, "starting") != 0) {
            continue;
        }
        json_t *words = json_array();
        last_words_add(words, t->place.logs, member_text(s, "name"), app->redactor);
        struct span line = {0};
        struct span rest = span_of(member_text(json_array_get(words, 0), "detail"));
        while (rest.len > 0) {
            (void)span_split(rest, '\n', &line, &rest);
            print_note(app, "  %s | %.*s", member_text(s, "name"), (int)line.len, line.ptr);
        }
        json_decref(words);
    }
    json_decref(reply);
}

static void die_by(int signal)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t one;
    (void)sigaction(signal, &standard, NULL);
    (void)sigemptyset(&one);
    (void)sigaddset(&one, signal);
    (void)sigprocmask(SIG_UNBLOCK, &one, NULL);
    (void)raise(signal);
}

static int up_attached(struct app *app, struct target *t, const struct args *args, json_t *request,
                       bool started)
{
    bool wait = args_flag(args, "wait");
    struct session_opts opts = {
        .request = request,
        .lines = !wait,
        .started = started,
        .timestamps = args_flag(args, "timestamps"),
        .prefix = !args_flag(args, "no-prefix"),
    };
    int died_by = 0;
    /* Waiting prints one document at its end, not a stream. */
    bool json = app->json;
    app->json = json && !wait;
    int code = session_run(app, t, &opts, &died_by);
    app->json = json;
    if (died_by != 0) {
        die_by(died_by);
    }
    if (json && wait && code == EXIT_DONE) {
        print_states(app, t);
    } else if (wait && !json && (code == EXIT_FAILED || code == EXIT_TIMEOUT)) {
        tell_last_words(app, t);
    }
    return code;
}

int cmd_up(struct app *app, const struct args *args)
{
    struct target t = {0};
    bool wait = args_flag(args, "wait");
    bool detach = args_flag(args, "detach") || wait;
    bool started = false;
    json_t *request = request_new(app, "up");
    int code = EXIT_DONE;
    if (args_text(args, "wait-timeout") != NULL && !wait) {
        code = print_failure(app, EXIT_USAGE, NULL, "--wait-timeout belongs to --wait");
    } else if (detach && args_text(args, "exit-code-from") != NULL) {
        code = print_failure(app, EXIT_USAGE, NULL, "--exit-code-from needs an up in the foreground");
    }
    code = code == EXIT_DONE ? target_locate(app, &t) : code;
    code = code == EXIT_DONE ? target_load(app, &t) : code;
    code = code == EXIT_DONE ? make_request(app, &t, args, request) : code;
    code = code == EXIT_DONE ? target_boot(app, &t, !detach, &started) : code;
    if (code == EXIT_DONE && detach && !wait) {
        code = up_detached(app, &t, json_incref(request));
    } else if (code == EXIT_DONE) {
        code = up_attached(app, &t, args, json_incref(request), started);
    }
    json_decref(request);
    target_fini(&t);
    return code;
}
