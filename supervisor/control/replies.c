/* JSON of what the engine says (INTERFACE §4, protocol.h). No state of its own. */
#include "control/server.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/numbers.h"

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_string_nocheck(text);
}

static json_t *list(char *const *texts)
{
    json_t *array = json_array();
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        (void)json_array_append_new(array, json_string(texts[i]));
    }
    return array;
}

static json_t *time_or_null(uint64_t wall_ns)
{
    char text[CLOCK_RFC3339_SIZE];
    return wall_ns == 0 ? json_null() : json_string(clock_rfc3339(wall_ns, text));
}

static json_t *exit_of(const struct svc_snapshot *snap)
{
    if (!snap->exited) {
        return json_null();
    }
    return json_pack("{s:o, s:o}", "code",
                     snap->exit.signal != 0 ? json_null() : json_integer(snap->exit.code), "signal",
                     snap->exit.signal != 0 ? json_string(signal_name(snap->exit.signal)) : json_null());
}

static json_t *ready_of(const struct svc_snapshot *snap)
{
    if (snap->ready_kind == NULL) {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:I}", "kind", snap->ready_kind, "target", snap->ready_target,
                     "took_ms", (json_int_t)snap->ready_took_ms);
}

static json_t *ports_of(const struct svc_snapshot *snap)
{
    json_t *ports = json_array();
    if (snap->port != 0) {
        (void)json_array_append_new(ports,
                                    json_pack("{s:i, s:s, s:b}", "port", (int)snap->port, "host",
                                              snap->port_host, "owned", (int)snap->port_owned));
    }
    return ports;
}

static json_t *service(const struct svc_snapshot *snap)
{
    json_t *o = json_object();
    (void)json_object_set_new(o, "name", json_string(snap->name));
    (void)json_object_set_new(o, "kind", json_string(snap->is_task ? "task" : "service"));
    (void)json_object_set_new(o, "state", json_string(svc_state_name(snap->state)));
    (void)json_object_set_new(o, "desired", json_string(snap->desired_up ? "up" : "down"));
    (void)json_object_set_new(o, "pid", snap->pid > 0 ? json_integer(snap->pid) : json_null());
    (void)json_object_set_new(o, "ports", ports_of(snap));
    (void)json_object_set_new(o, "run", json_integer(snap->run));
    (void)json_object_set_new(o, "restarts", json_integer(snap->restarts));
    (void)json_object_set_new(o, "since", time_or_null(snap->since_wall_ns));
    (void)json_object_set_new(o, "uptime_ms", json_integer((json_int_t)snap->uptime_ms));
    (void)json_object_set_new(o, "ready", ready_of(snap));
    (void)json_object_set_new(o, "was_ready", json_boolean(snap->was_ready));
    (void)json_object_set_new(o, "exit", exit_of(snap));
    (void)json_object_set_new(o, "cause", json_string(snap->cause));
    (void)json_object_set_new(o, "needs", list(snap->needs));
    (void)json_object_set_new(o, "stale", list(snap->stale));
    (void)json_object_set_new(o, "note", json_string(snap->note));
    (void)json_object_set_new(o, "answer", json_string(snap->answer));
    (void)json_object_set_new(o, "selected", json_boolean(snap->selected));
    (void)json_object_set_new(o, "adopted", json_boolean(snap->adopted));
    (void)json_object_set_new(o, "port", snap->port != 0 ? json_integer(snap->port) : json_null());
    (void)json_object_set_new(o, "url", text_or_null(snap->url));
    (void)json_object_set_new(o, "container", text_or_null(snap->container));
    (void)json_object_set_new(o, "processes", json_integer(snap->usage.processes));
    (void)json_object_set_new(o, "cpu_ms", json_integer((json_int_t)snap->usage.cpu_ms));
    (void)json_object_set_new(o, "rss_bytes", json_integer((json_int_t)snap->usage.rss_bytes));
    return o;
}

json_t *reply_services(struct engine *e, bool with_usage)
{
    json_t *services = json_array();
    for (size_t i = 0; i < engine_count(e); i++) {
        struct svc_snapshot snap;
        engine_snapshot(e, i, with_usage, &snap);
        (void)json_array_append_new(services, service(&snap));
    }
    return services;
}

json_t *reply_rows(const struct job_result *result)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < result->row_count; i++) {
        (void)json_array_append_new(
            rows, json_pack("{s:s, s:s, s:I}", "name", result->rows[i].name, "state",
                            svc_state_name(result->rows[i].state), "took_ms",
                            (json_int_t)result->rows[i].took_ms));
    }
    return rows;
}

static json_t *problem(const struct problem *p)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "message", p->message, "file", text_or_null(p->file),
                     "line", p->line > 0 ? json_integer(p->line) : json_null(), "column",
                     p->line > 0 ? json_integer(p->column > 0 ? p->column : 1) : json_null(), "hint",
                     text_or_null(p->hint));
}

json_t *reply_problems(const struct problems *problems)
{
    json_t *array = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        (void)json_array_append_new(array, problem(&problems->items[i]));
    }
    return array;
}

json_t *reply_error(const char *message, const char *hint)
{
    struct problem p = {.message = message, .hint = hint};
    return problem(&p);
}

/* A container's owner is the container: the process is only its engine's helper, and often not visible. */
static json_t *owner_of(const struct engine_conflict *conflict)
{
    const struct process_facts *facts = &conflict->facts;
    bool contained = conflict->container[0] != '\0';
    if (conflict->pid == 0 && !contained) {
        return json_null();
    }
    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "pid",
                     conflict->pid == 0 || contained ? json_null() : json_integer(conflict->pid), "command",
                     contained ? "" : facts->command, "user", contained ? "" : facts->user, "since",
                     contained ? json_null() : time_or_null(facts->started_wall_ns), "directory",
                     text_or_null(facts->directory), "stack", text_or_null(facts->stack_id), "container",
                     text_or_null(contained ? conflict->container : NULL));
}

const char *reply_conflict_hint(const struct engine_conflict *conflict)
{
    if (conflict->container[0] == '\0') {
        return "roadie up --kill-port ends the process that holds it";
    }
    return conflict->facts.stack_id[0] != '\0' ? "roadie down in that directory frees it"
                                               : "docker stop frees it; adopt = yes uses it";
}

json_t *reply_conflict(const struct engine_conflict *conflict)
{
    return json_pack("{s:i, s:s, s:s, s:o}", "port", (int)conflict->listener.port, "service",
                     conflict->service, "address", conflict->listener.address, "owner",
                     owner_of(conflict));
}

json_t *reply_event(const struct engine_event *event)
{
    static const char *const levels[] = {"info", "warn", "error"};
    char when[CLOCK_RFC3339_SIZE];
    (void)clock_rfc3339(event->wall_ns, when);
    json_t *o = json_pack("{s:i, s:I, s:s, s:o}", "v", 1, "seq", (json_int_t)event->seq, "t", when,
                          "service", text_or_null(event->service));
    if (!event->is_state) {
        (void)json_object_set_new(o, "event", json_string("news"));
        (void)json_object_set_new(o, "level", json_string(levels[event->level]));
        (void)json_object_set_new(o, "text", json_string(event->text));
        return o;
    }
    (void)json_object_set_new(o, "event", json_string("state"));
    (void)json_object_set_new(o, "run", json_integer(event->run));
    (void)json_object_set_new(o, "from", json_string(svc_state_name(event->from)));
    (void)json_object_set_new(o, "to", json_string(svc_state_name(event->to)));
    (void)json_object_set_new(o, "cause", json_string(event->cause));
    (void)json_object_set_new(o, "took_ms", json_integer((json_int_t)event->took_ms));
    (void)json_object_set_new(o, "text", json_string(event->text));
    return o;
}

json_t *reply_ports(struct engine *e)
{
    json_t *ports = json_array();
    for (size_t i = 0; i < engine_count(e); i++) {
        struct svc_snapshot snap;
        engine_snapshot(e, i, false, &snap);
        if (snap.port == 0) {
            continue;
        }
        struct listener found[LISTENERS_MAX];
        struct engine_conflict holder = {0};
        int count = listeners_find(snap.port, found, LISTENERS_MAX);
        for (int l = 0; l < count && holder.pid == 0; l++) {
            holder.pid = listener_owner(&found[l]);
        }
        if (holder.pid != 0 && process_facts(holder.pid, &holder.facts) != 0) {
            holder.pid = 0;
        }
        (void)json_array_append_new(
            ports, json_pack("{s:i, s:s, s:b, s:o}", "port", (int)snap.port, "service", snap.name,
                             "listening", count > 0, "owner", owner_of(&holder)));
    }
    return ports;
}

/* The critical path: from the service that was ready last, backwards along the need that was ready last. */
static void mark_critical(json_t *rows, struct engine *e, const uint64_t *ready_at)
{
    size_t count = engine_count(e);
    size_t at = count;
    for (size_t i = 0; i < count; i++) {
        if (ready_at[i] > 0 && (at == count || ready_at[i] > ready_at[at])) {
            at = i;
        }
    }
    for (size_t hops = 0; at < count && hops <= count; hops++) {
        struct svc_snapshot snap;
        engine_snapshot(e, at, false, &snap);
        (void)json_object_set_new(json_array_get(rows, at), "critical", json_true());
        size_t next = count;
        for (size_t n = 0; snap.needs[n] != NULL; n++) {
            long index = engine_find(e, snap.needs[n]);
            if (index >= 0 && ready_at[index] > 0 &&
                (next == count || ready_at[index] > ready_at[next])) {
                next = (size_t)index;
            }
        }
        at = next;
    }
}

json_t *reply_timeline(struct engine *e)
{
    json_t *rows = json_array();
    struct arena arena = {0};
    uint64_t *ready_at = arena_alloc(&arena, (engine_count(e) + 1) * sizeof *ready_at);
    for (size_t i = 0; i < engine_count(e); i++) {
        struct svc_snapshot snap;
        engine_snapshot(e, i, false, &snap);
        if (snap.started_wall_ns > 0) {
            ready_at[i] = snap.started_wall_ns + (snap.waiting_ms + snap.starting_ms) * 1000000U;
        }
        (void)json_array_append_new(
            rows, json_pack("{s:s, s:s, s:o, s:I, s:I, s:b}", "name", snap.name, "state",
                            svc_state_name(snap.state), "started", time_or_null(snap.started_wall_ns),
                            "waiting_ms", (json_int_t)snap.waiting_ms, "starting_ms",
                            (json_int_t)snap.starting_ms, "critical", 0));
    }
    mark_critical(rows, e, ready_at);
    arena_fini(&arena);
    return rows;
}
