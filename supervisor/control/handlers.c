/* What clients may ask for: one row an operation. Long work is answered when the engine says so. */
#include "control/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/numbers.h"
#include "base/table.h"

enum { CONFLICTS_MAX = 64 };

static void finish(struct session *session, json_int_t id, int code, json_t *body)
{
    (void)json_object_set_new(body, "v", json_integer(1));
    (void)json_object_set_new(body, "id", json_integer(id));
    (void)json_object_set_new(body, "done", json_true());
    (void)json_object_set_new(body, "code", json_integer(code));
    session_send(session, body);
    json_decref(body);
}

static void finish_error(struct session *session, json_int_t id, int code, const char *message,
                         const char *hint)
{
    finish(session, id, code, json_pack("{s:o}", "error", reply_error(message, hint)));
}

static void finish_fault(struct session *session, json_int_t id, int code, const struct fault *why)
{
    finish_error(session, id, code, fault_text(why), why->hint[0] != '\0' ? why->hint : NULL);
}

static json_int_t request_id(const json_t *request)
{
    return json_integer_value(json_object_get(request, "id"));
}

/* A JSON list of texts as a NULL-terminated list in the arena; NULL when absent or empty. */
static char **texts(const json_t *request, const char *key, struct arena *arena)
{
    const json_t *array = json_object_get(request, key);
    size_t count = json_array_size(array);
    if (count == 0) {
        return NULL;
    }
    char **list = arena_alloc(arena, (count + 1) * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (text != NULL) {
            list[n++] = arena_strdup(arena, text);
        }
    }
    return list;
}

static bool flag(const json_t *request, const char *key)
{
    return json_is_true(json_object_get(request, key));
}

static uint64_t milliseconds(const json_t *request, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(request, key));
    return value > 0 ? (uint64_t)value : 0;
}

/* ---- pending replies ---- */

struct pending *pending_new(struct session *session, json_int_t id)
{
    struct pending *p = mem_calloc(1, sizeof *p);
    p->server = session->server;
    p->session = session;
    p->id = id;
    p->next = p->server->pendings;
    p->server->pendings = p;
    return p;
}

void pending_drop(struct pending *p)
{
    for (struct pending **at = &p->server->pendings; *at != NULL; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            break;
        }
    }
    mem_free(p);
}

void pending_session_gone(struct session *session)
{
    for (struct pending *p = session->server->pendings; p != NULL; p = p->next) {
        if (p->session == session) {
            p->session = NULL;
        }
    }
}

static void on_job_done(void *ctx, const struct job_result *result)
{
    struct pending *p = ctx;
    if (p->session != NULL) {
        json_t *body = json_pack("{s:o}", "services", reply_rows(result));
        if (result->code != 0) {
            (void)json_object_set_new(body, "error", reply_error(result->text, NULL));
        }
        if (result->note[0] != '\0') {
            (void)json_object_set_new(body, "note", json_string(result->note));
        }
        finish(p->session, p->id, result->code, body);
    }
    pending_drop(p);
}

/* ---- the selection and the definition ---- */

static bool list_has(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static void list_add(struct text_list *list, char *const *more)
{
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        if (list_has(list, more[i])) {
            continue;
        }
        list->items = mem_realloc(list->items, (list->count + 2) * sizeof *list->items);
        list->items[list->count++] = mem_strdup(more[i]);
        list->items[list->count] = NULL;
    }
}

static void list_cut(struct text_list *list, size_t count)
{
    while (list->count > count) {
        mem_free(list->items[--list->count]);
        list->items[list->count] = NULL;
    }
}

int server_load(struct server *s, char *const *names, json_t **error)
{
    struct spec_request request = {
        .directory = s->opts.directory,
        .file = s->opts.file,
        .project = s->opts.project,
        .profiles = s->profiles.items,
        .with = s->with.items,
        .except = s->except.items,
        .names = names,
        .env_files = s->env_files.items,
        .can_die = s->can_die.items,
        .lan = s->lan,
        .lan_address = s->lan_address[0] != '\0' ? s->lan_address : NULL,
        .environ = s->opts.environ,
    };
    struct spec *spec = NULL;
    struct problems problems = {0};
    struct fault why = {0};
    int rc = spec_load(&request, &spec, &problems, &why);
    if (rc == 0) {
        problems_fini(&problems);
        engine_load(s->engine, spec);
        return EXIT_DONE;
    }
    if (problems.count > 0) {
        json_t *list = reply_problems(&problems);
        *error = json_pack("{s:O, s:o}", "error", json_array_get(list, 0), "problems", list);
    } else {
        *error = json_pack("{s:o}", "error",
                           reply_error(fault_text(&why), why.hint[0] != '\0' ? why.hint : NULL));
    }
    problems_fini(&problems);
    return EXIT_USAGE;
}

struct selection_mark {
    size_t profiles;
    size_t with;
    size_t except;
    size_t env_files;
    size_t can_die;
    bool lan;
};

static struct selection_mark selection_extend(struct server *s, const json_t *request,
                                              struct arena *arena)
{
    struct selection_mark mark = {s->profiles.count,  s->with.count,    s->except.count,
                                  s->env_files.count, s->can_die.count, s->lan};
    list_add(&s->profiles, texts(request, "profiles", arena));
    list_add(&s->with, texts(request, "with", arena));
    list_add(&s->except, texts(request, "except", arena));
    list_add(&s->env_files, texts(request, "env_files", arena));
    list_add(&s->can_die, texts(request, "can_die", arena));
    s->lan = s->lan || flag(request, "lan");
    const char *address = json_string_value(json_object_get(request, "lan_address"));
    if (address != NULL) {
        (void)snprintf(s->lan_address, sizeof s->lan_address, "%s", address);
    }
    return mark;
}

static void selection_revert(struct server *s, const struct selection_mark *mark)
{
    list_cut(&s->profiles, mark->profiles);
    list_cut(&s->with, mark->with);
    list_cut(&s->except, mark->except);
    list_cut(&s->env_files, mark->env_files);
    list_cut(&s->can_die, mark->can_die);
    s->lan = mark->lan;
}

/* ---- up, start ---- */

static void finish_up_error(struct session *session, json_int_t id, int rc, struct problems *problems,
                            const struct engine_conflict *conflicts, size_t count,
                            const struct fault *why)
{
    if (rc == -EADDRINUSE) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++) {
            (void)json_array_append_new(list, reply_conflict(&conflicts[i]));
        }
        char text[512];
        (void)snprintf(text, sizeof text, "port %u of service %s is taken",
                       (unsigned)conflicts[0].listener.port, conflicts[0].service);
        finish(session, id, EXIT_CONFLICT,
               json_pack("{s:o, s:o}", "error", reply_error(text, reply_conflict_hint(&conflicts[0])),
                         "conflicts", list));
    } else if (problems->count > 0) {
        json_t *list = reply_problems(problems);
        finish(session, id, EXIT_USAGE,
               json_pack("{s:O, s:o}", "error", json_array_get(list, 0), "problems", list));
    } else {
        finish_fault(session, id, EXIT_USAGE, why);
    }
}

static json_t *starting_names(struct engine *e)
{
    json_t *names = json_array();
    for (size_t i = 0; i < engine_count(e); i++) {
        struct svc_snapshot snap;
        engine_snapshot(e, i, false, &snap);
        if (snap.desired_up && snap.state != SVC_READY) {
            (void)json_array_append_new(names, json_string(snap.name));
        }
    }
    return names;
}

/* What starts something meets a server that is on its way out. */
static bool is_stopping(struct session *session, const json_t *request)
{
    if (session->server->stopping) {
        finish_error(session, request_id(request), EXIT_FAILED, "the stack is being stopped",
                     "try again when it is down");
    }
    return session->server->stopping;
}

void handle_up(struct session *session, const json_t *request, enum job_wait wait, bool asked)
{
    struct server *s = session->server;
    if (is_stopping(session, request)) {
        return;
    }
    struct arena arena = {0};
    struct problems problems = {0};
    struct fault why = {0};
    static struct engine_conflict conflicts[CONFLICTS_MAX];
    size_t count = CONFLICTS_MAX;
    json_int_t id = request_id(request);
    char **names = texts(request, "names", &arena);
    struct selection_mark mark = selection_extend(s, request, &arena);
    json_t *error = NULL;
    int code = server_load(s, names, &error);
    if (code != EXIT_DONE) {
        selection_revert(s, &mark);
        finish(session, id, code, error);
        arena_fini(&arena);
        return;
    }
    struct engine_up_opts opts = {
        .names = names,
        .no_deps = flag(request, "no_deps"),
        .fail_fast = flag(request, "fail_fast"),
        .kill_port = flag(request, "kill_port"),
        .exit_code_from = json_string_value(json_object_get(request, "exit_code_from")),
    };
    if (!asked && up_ask_holders(session, request, wait, &opts)) {
        selection_revert(s, &mark);
        arena_fini(&arena);
        return;
    }
    bool later = wait != JOB_ACCEPTED;
    struct pending *p = later ? pending_new(session, id) : NULL;
    int rc = engine_up(s->engine, &opts, wait, milliseconds(request, "timeout_ms"),
                       later ? on_job_done : NULL, p, &problems, conflicts, &count, &why);
    if (rc != 0) {
        if (p != NULL) {
            pending_drop(p);
        }
        selection_revert(s, &mark);
        finish_up_error(session, id, rc, &problems, conflicts, count, &why);
    } else {
        s->accepted = true;
        server_watch_root(s);
        if (!later) {
            finish(session, id, EXIT_DONE, json_pack("{s:o}", "starting", starting_names(s->engine)));
        }
    }
    problems_fini(&problems);
    arena_fini(&arena);
}

static void op_up(struct session *session, const json_t *request)
{
    handle_up(session, request, flag(request, "wait") ? JOB_READY : JOB_ACCEPTED, false);
}

static void op_start(struct session *session, const json_t *request)
{
    handle_up(session, request, flag(request, "wait") ? JOB_READY : JOB_RUNNING, false);
}

/* ---- stop, restart, kill, down ---- */

static bool has_stack(struct session *session, const json_t *request)
{
    if (engine_spec(session->server->engine) != NULL) {
        return true;
    }
    finish_error(session, request_id(request), EXIT_NO_STACK, "nothing has been started yet",
                 "roadie up");
    return false;
}

static void op_stop(struct session *session, const json_t *request)
{
    if (!has_stack(session, request)) {
        return;
    }
    struct arena arena = {0};
    struct fault why = {0};
    struct pending *p = pending_new(session, request_id(request));
    if (engine_stop(session->server->engine, texts(request, "names", &arena),
                    milliseconds(request, "timeout_ms"), on_job_done, p, &why) != 0) {
        finish_fault(session, p->id, EXIT_USAGE, &why);
        pending_drop(p);
    }
    arena_fini(&arena);
}

static char **stale_names(struct engine *e, struct arena *arena)
{
    char **names = arena_alloc(arena, (engine_count(e) + 1) * sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < engine_count(e); i++) {
        struct svc_snapshot snap;
        engine_snapshot(e, i, false, &snap);
        if (snap.stale[0] != NULL) {
            names[n++] = arena_strdup(arena, snap.name);
        }
    }
    return names;
}

static void op_restart(struct session *session, const json_t *request)
{
    struct server *s = session->server;
    if (is_stopping(session, request) || !has_stack(session, request)) {
        return;
    }
    struct arena arena = {0};
    struct fault why = {0};
    json_int_t id = request_id(request);
    char **names = texts(request, "names", &arena);
    json_t *error = NULL;
    int code = server_load(s, names, &error);
    if (code != EXIT_DONE) {
        finish(session, id, code, error);
        arena_fini(&arena);
        return;
    }
    if (flag(request, "stale")) {
        names = stale_names(s->engine, &arena);
        if (names[0] == NULL) {
            finish(session, id, EXIT_DONE, json_pack("{s:[]}", "services"));
            arena_fini(&arena);
            return;
        }
    }
    struct pending *p = pending_new(session, id);
    int rc = engine_restart(s->engine, names, flag(request, "deps"), false,
                            flag(request, "wait") ? JOB_READY : JOB_RUNNING,
                            milliseconds(request, "timeout_ms"), on_job_done, p, &why);
    if (rc != 0) {
        finish_fault(session, id, EXIT_USAGE, &why);
        pending_drop(p);
    }
    arena_fini(&arena);
}

static void op_kill(struct session *session, const json_t *request)
{
    if (!has_stack(session, request)) {
        return;
    }
    struct arena arena = {0};
    struct fault why = {0};
    json_int_t id = request_id(request);
    const char *name = json_string_value(json_object_get(request, "signal"));
    char **names = texts(request, "names", &arena);
    int signal = 0;
    if (names == NULL) {
        finish_error(session, id, EXIT_USAGE, "kill needs the name of a service", NULL);
    } else if (name != NULL && parse_signal(span_of(name), &signal) != 0) {
        finish_error(session, id, EXIT_USAGE, "no such signal", "for example TERM, HUP or USR1");
    } else {
        struct pending *p = pending_new(session, id);
        if (engine_kill(session->server->engine, names, signal, on_job_done, p, &why) != 0) {
            finish_fault(session, id, EXIT_USAGE, &why);
            pending_drop(p);
        }
    }
    arena_fini(&arena);
}

static void op_down(struct session *session, const json_t *request)
{
    struct server *s = session->server;
    struct pending *p = pending_new(session, request_id(request));
    server_begin_stop(s, 0, "down");
    engine_down(s->engine, milliseconds(request, "timeout_ms"), flag(request, "kill"), on_job_done, p);
}

/* ---- questions ---- */

static void op_ps(struct session *session, const json_t *request)
{
    finish(session, request_id(request), EXIT_DONE,
           json_pack("{s:s, s:o}", "stack", session->server->place.id, "services",
                     reply_services(session->server->engine, true)));
}

static void send_past(void *ctx, const struct engine_event *event)
{
    json_t *message = reply_event(event);
    session_send(ctx, message);
    json_decref(message);
}

static void op_subscribe(struct session *session, const json_t *request)
{
    if (flag(request, "history")) {
        engine_history(session->server->engine, send_past, session);
    }
    session->subscribed = true;
    finish(session, request_id(request), EXIT_DONE, json_object());
}

static long find_named(struct session *session, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    struct engine *e = session->server->engine;
    long index = name == NULL ? -ENOENT : engine_find(e, name);
    if (index < 0) {
        char text[256];
        char hint[128];
        const char *nearest =
            name == NULL || engine_spec(e) == NULL ? NULL : spec_nearest(engine_spec(e), name);
        (void)snprintf(text, sizeof text, "there is no service \"%s\"", name == NULL ? "" : name);
        (void)snprintf(hint, sizeof hint, "did you mean \"%s\"?", nearest == NULL ? "" : nearest);
        finish_error(session, request_id(request), EXIT_USAGE, text, nearest == NULL ? NULL : hint);
    }
    return index;
}

static void add_why(void *ctx, uint64_t wall_ns, const char *what, const char *detail)
{
    struct engine_event when = {.wall_ns = wall_ns, .cause = "", .text = ""};
    json_t *event = reply_event(&when);
    (void)json_array_append_new(ctx, json_pack("{s:O, s:s, s:s}", "t", json_object_get(event, "t"),
                                               "what", what, "detail", detail));
    json_decref(event);
}

static void op_why(struct session *session, const json_t *request)
{
    struct engine *e = session->server->engine;
    long index = find_named(session, request);
    if (index < 0) {
        return;
    }
    struct svc_snapshot snap;
    engine_snapshot(e, (size_t)index, false, &snap);
    json_t *chain = json_array();
    engine_why(e, (size_t)index, add_why, chain);
    finish(session, request_id(request), EXIT_DONE,
           json_pack("{s:s, s:s, s:o}", "service", snap.name, "state", svc_state_name(snap.state),
                     "chain", chain));
}

static void op_env(struct session *session, const json_t *request)
{
    struct engine *e = session->server->engine;
    long index = find_named(session, request);
    if (index < 0) {
        return;
    }
    char *const *envp = NULL;
    const char *directory = NULL;
    const char *container = NULL;
    if (engine_environment(e, (size_t)index, &envp, &directory, &container) != 0) {
        finish_error(session, request_id(request), EXIT_FAILED, "the service does not run", "roadie start");
        return;
    }
    json_t *variables = json_array();
    for (size_t i = 0; envp[i] != NULL; i++) {
        const char *equals = strchr(envp[i], '=');
        if (equals != NULL) {
            (void)json_array_append_new(
                variables, json_pack("{s:s%, s:s}", "name", envp[i], (size_t)(equals - envp[i]),
                                     "value", equals + 1));
        }
    }
    finish(session, request_id(request), EXIT_DONE,
           json_pack("{s:s, s:o, s:o}", "directory", directory, "container",
                     container == NULL ? json_null() : json_string(container), "variables", variables));
}

static void op_timeline(struct session *session, const json_t *request)
{
    finish(session, request_id(request), EXIT_DONE,
           json_pack("{s:o}", "services", reply_timeline(session->server->engine)));
}

static void op_port(struct session *session, const json_t *request)
{
    finish(session, request_id(request), EXIT_DONE,
           json_pack("{s:o}", "ports", reply_ports(session->server->engine)));
}

static void op_detach(struct session *session, const json_t *request)
{
    session->owner = false;
    finish(session, request_id(request), EXIT_DONE, json_object());
}

static void op_terminal(struct session *session, const json_t *request)
{
    if (terminal_lend(session, json_object_get(request, "state")) != 0) {
        finish_error(session, request_id(request), EXIT_USAGE, "that is no state of a terminal", NULL);
        return;
    }
    finish(session, request_id(request), EXIT_DONE, json_object());
}

static const struct operation {
    const char *name;
    void (*handle)(struct session *session, const json_t *request);
} operations[] = {
    {"up", op_up},         {"start", op_start},         {"stop", op_stop},
    {"restart", op_restart}, {"kill", op_kill},         {"down", op_down},
    {"ps", op_ps},         {"subscribe", op_subscribe}, {"why", op_why},
    {"env", op_env},       {"timeline", op_timeline},   {"port", op_port},
    {"detach", op_detach}, {"terminal", op_terminal},
};

void handle_request(struct session *session, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "op"));
    if (session->server->finished) {
        return; /* the last words are on their way */
    }
    const struct operation *op = name == NULL ? NULL : TABLE_FIND(operations, span_of(name));
    if (op == NULL) {
        finish_error(session, request_id(request), EXIT_USAGE, "the server does not know this request",
                     "another version of roadie started this stack");
        return;
    }
    op->handle(session, request);
}
