/* How things stand, for ps, why and exec. Reads only. */
#include "engine/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/container.h"

size_t engine_count(const struct engine *e)
{
    return e->count;
}

long engine_find(const struct engine *e, const char *name)
{
    for (size_t i = 0; i < e->count; i++) {
        if (strcmp(e->services[i]->name, name) == 0) {
            return (long)i;
        }
    }
    return -ENOENT;
}

static const char *ready_kind_name(enum ready_kind kind)
{
    static const char *const names[] = {
        [READY_TCP] = "tcp",   [READY_HTTP] = "http",         [READY_REDIS] = "redis",
        [READY_DOCKET] = "docket", [READY_POSTGRES] = "postgres", [READY_LOG] = "log",
        [READY_EXEC] = "exec", [READY_NOTIFY] = "notify",     [READY_DELAY] = "delay",
    };
    return names[kind];
}

static char *const *need_names(struct engine *e, const struct svc *svc)
{
    char **names = arena_alloc(&e->snapshot, (svc->need_count + 1) * sizeof *names);
    for (size_t i = 0; i < svc->need_count; i++) {
        names[i] = arena_strdup(&e->snapshot, svc->needs[i].svc->name);
    }
    return names;
}

/* The parts of a definition that a running service would have to be started again for. */
static bool same_definition(const struct spec_service *a, const struct spec_service *b)
{
    if ((a->argv == NULL) != (b->argv == NULL) || a->port != b->port ||
        strcmp(a->directory, b->directory) != 0 || a->var_count != b->var_count || a->tty != b->tty) {
        return false;
    }
    for (size_t i = 0; a->argv != NULL; i++) {
        if ((a->argv[i] == NULL) != (b->argv[i] == NULL)) {
            return false;
        }
        if (a->argv[i] == NULL) {
            break;
        }
        if (strcmp(a->argv[i], b->argv[i]) != 0) {
            return false;
        }
    }
    for (size_t i = 0; i < a->var_count; i++) {
        if (strcmp(a->vars[i].name, b->vars[i].name) != 0 ||
            strcmp(a->vars[i].value, b->vars[i].value) != 0) {
            return false;
        }
    }
    const char *image_a = a->image == NULL ? "" : a->image;
    const char *image_b = b->image == NULL ? "" : b->image;
    return strcmp(image_a, image_b) == 0;
}

static char *const *stale_reasons(struct engine *e, const struct svc *svc)
{
    char **reasons = arena_alloc(&e->snapshot, 3 * sizeof *reasons);
    size_t n = 0;
    if (svc->run != NULL && !svc->run->adopted && !svc->run->fallback) {
        if (!svc->in_spec) {
            reasons[n++] = arena_strdup(&e->snapshot, "no longer in the definition");
        } else if (!same_definition(svc->run->spec, svc->spec)) {
            reasons[n++] = arena_strdup(&e->snapshot, "definition changed");
        }
    }
    return reasons;
}

static void fill_run(struct engine *e, const struct svc *svc, bool with_usage, struct svc_snapshot *out)
{
    const struct run *run = svc->run;
    uint64_t now = engine_now_ms(e);
    out->uptime_ms = now - run->begun_mono_ms;
    out->adopted = run->adopted;
    out->port_owned = run->was_ready && !run->adopted;
    out->pid = run->pid;
    if (run->container != NULL) {
        out->pid = container_pid(run);
        out->container = container_name(run);
    }
    if (with_usage && run->proc != NULL) {
        tree_usage(out->container != NULL && out->pid > 0 ? out->pid : proc_shim_pid(run->proc),
                   out->container == NULL, &out->usage);
    }
}

static void fill_ladder(const struct svc *svc, struct svc_snapshot *out)
{
    if (svc->state == SVC_KILLING) {
        out->stop_signal = "KILL";
    } else if (svc->state == SVC_STOPPING && svc->run != NULL && !svc->run->exited &&
               svc->rung < svc->run->spec->stop_count) {
        out->stop_signal = signal_name(svc->run->spec->stop[svc->rung].signal);
        out->left_ms = uv_is_active((const uv_handle_t *)&svc->timer)
                           ? uv_timer_get_due_in(&svc->timer)
                           : 0;
    }
}

static const char *note_of(struct engine *e, const struct svc *svc, const struct svc_snapshot *out)
{
    if (out->adopted) {
        return "adopted";
    }
    if (out->stale[0] != NULL) {
        return arena_printf(&e->snapshot, "stale: %s", out->stale[0]);
    }
    if (svc->fallback_text[0] != '\0' && svc->run != NULL) {
        return svc->fallback_text;
    }
    switch (svc->state) {
    case SVC_STARTING:
    case SVC_UNHEALTHY:
        return svc->answer;
    case SVC_WAITING:
    case SVC_BACKOFF:
    case SVC_FAILED:
    case SVC_STOPPING:
    case SVC_KILLING:
        return svc->cause;
    case SVC_OFF:
    case SVC_READY:
    case SVC_DONE:
    case SVC_STATE_COUNT:
        break;
    }
    return "";
}

void engine_snapshot(struct engine *e, size_t index, bool with_usage, struct svc_snapshot *out)
{
    const struct svc *svc = e->services[index];
    *out = (struct svc_snapshot){
        .name = svc->name,
        .is_task = svc->spec->kind == SPEC_TASK,
        .selected = svc->spec->selected,
        .state = svc->state,
        .desired_up = svc->want_up,
        .port = svc->spec->port,
        .port_host = "127.0.0.1",
        .run = svc->last_run,
        .restarts = svc->restart_count,
        .since_wall_ns = svc->state_wall_ns,
        .exited = svc->ever_exited,
        .exit = svc->last_exit,
        .cause = svc->cause,
        .answer = svc->answer,
        .needs = need_names(e, svc),
        .stale = stale_reasons(e, svc),
        .url = svc->spec->url,
        .waiting_ms = svc->waiting_ms,
        .starting_ms = svc->starting_ms,
        .started_wall_ns = svc->wait_began_wall_ns,
    };
    if (svc->run != NULL) {
        fill_run(e, svc, with_usage, out);
    }
    bool is_ready = svc->state == SVC_READY || svc->state == SVC_UNHEALTHY;
    out->was_ready = is_ready || (svc->state == SVC_DONE && svc->ready_known);
    if (is_ready && svc->run != NULL) {
        const struct spec_service *spec = svc->run->spec;
        out->ready_kind = spec->ready_count > 0 ? ready_kind_name(spec->ready[0].kind) : "started";
        out->ready_target = spec->ready_count > 0 ? spec->ready[0].text : "";
        out->ready_took_ms = svc->ready_took_ms;
    }
    fill_ladder(svc, out);
    out->note = note_of(e, svc, out);
}

int engine_environment(const struct engine *e, size_t index, char *const **envp,
                       const char **directory, const char **container)
{
    const struct run *run = e->services[index]->run;
    if (run == NULL || run->adopted || !run->started || run->exited) {
        return -ESRCH;
    }
    *envp = run->envp;
    *directory = run->spec->directory;
    *container = run->container != NULL ? container_name(run) : NULL;
    return 0;
}

void engine_why(struct engine *e, size_t index,
                void (*row)(void *ctx, uint64_t wall_ns, const char *what, const char *detail),
                void *ctx)
{
    const struct svc *svc = e->services[index];
    for (size_t i = 0; i < svc->need_count; i++) {
        const struct svc *dep = svc->needs[i].svc;
        if (dep->state != SVC_READY && dep->state != SVC_DONE) {
            char what[96];
            (void)snprintf(what, sizeof what, "needs %s: %s", dep->name, svc_state_name(dep->state));
            bool asked = dep->state == SVC_STARTING || dep->state == SVC_UNHEALTHY;
            row(ctx, dep->state_wall_ns, what,
                asked && dep->answer[0] != '\0' ? dep->answer : dep->cause);
            if (dep->ever_exited && dep->state == SVC_FAILED) {
                char how[96];
                (void)snprintf(what, sizeof what, "last exit of %s", dep->name);
                row(ctx, dep->state_wall_ns, what, proc_exit_text(&dep->last_exit, how, sizeof how));
            }
        }
    }
    unsigned known = svc->history_count < SVC_HISTORY ? svc->history_count : SVC_HISTORY;
    for (unsigned i = 0; i < known; i++) {
        const struct transition *t = &svc->history[(svc->history_count - known + i) % SVC_HISTORY];
        char what[96];
        (void)snprintf(what, sizeof what, "%s → %s", svc_state_name(t->from), svc_state_name(t->to));
        row(ctx, t->wall_ns, what, t->cause);
    }
    if (svc->state == SVC_WAITING) {
        row(ctx, svc->state_wall_ns, "waits", svc->cause);
    }
    if (svc->answer[0] != '\0') {
        row(ctx, svc->state_wall_ns, "last probe answer", svc->answer);
    }
    if (svc->ever_exited) {
        char how[96];
        row(ctx, svc->state_wall_ns, "last exit", proc_exit_text(&svc->last_exit, how, sizeof how));
    }
}
