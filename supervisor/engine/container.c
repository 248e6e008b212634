/*
 * A service that is a container, from its start to `docker run`: asks the engine first (where it is, leftovers
 * of ours are removed, somebody else's name is refused, a missing image is pulled with its progress in the
 * log), then runs the docker command in the foreground under a shim. A tombstone says that a container may
 * exist, from before `docker run` until its name is free.
 */
#include "engine/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    CONFIRM_FIRST_MS = 20,
    CONFIRM_SLOWEST_MS = 500,
    CONFIRM_SAYS_AFTER = 20,
    CONFIRM_SLACK_NS = 1000000000,
    OUTPUT_MAX = 64 * 1024,
};

static void ask_engine(struct container *c);

int container_ask(struct container *c, char *const *argv, uint64_t timeout_ms, command_fn done,
                  struct command **slot)
{
    struct engine *e = c->run->svc->engine;
    struct command_opts opts = {
        .argv = argv,
        .envp = e->opts.environ,
        .timeout_ms = timeout_ms,
        .output_max = OUTPUT_MAX,
    };
    struct fault why = {0};
    return command_start(e->opts.loop, &opts, done, c, slot, &why);
}

static void on_timer(uv_timer_t *timer)
{
    struct container *c = CONTAINER_OF(timer, struct container, timer);
    c->then(c);
}

void container_later(struct container *c, uint64_t ms, void (*then)(struct container *c))
{
    c->then = then;
    (void)uv_timer_start(&c->timer, on_timer, ms, 0);
}

void container_fail(struct container *c, const char *text)
{
    struct fault why = {0};
    (void)fault_set(&why, -EPROTO, "%s", text);
    c->phase = CONTAINER_OVER;
    c->run->name_free = true;
    run_fail(c->run, &why);
}

/* A new time to become ready in, when what was waited for so far was no work of the service. */
static void restart_deadline(struct run *run)
{
    struct svc *svc = run->svc;
    if (svc->state == SVC_STARTING) {
        svc->timer_arm++;
        (void)uv_timer_start(&svc->timer, service_on_timer, run->spec->ready_timeout_ms,
                             run->spec->ready_timeout_ms);
    }
}

/* No engine answers: the fallback, or a failure that says what to do. */
static void no_engine(struct container *c, const char *reason)
{
    struct run *run = c->run;
    struct svc *svc = run->svc;
    if (run->spec->fallback == NULL) {
        container_fail(c, reason);
        return;
    }
    (void)snprintf(svc->fallback_text, sizeof svc->fallback_text, "fallback: %s (%s)",
                   run->spec->fallback[0], reason);
    events_news(svc->engine, svc, NEWS_WARN, "%s · runs the fallback %s instead", reason,
                run->spec->fallback[0]);
    container_free(run);
    run->fallback = true;
    run->name_free = true;
    restart_deadline(run);
    struct fault why = {0};
    if (start_fallback(run, &why) != 0) {
        run_fail(run, &why);
    }
}

void container_end_early(struct container *c)
{
    struct run *run = c->run;
    c->phase = CONTAINER_OVER;
    run->name_free = true;
    run->exited = true;
    run->empty = true;
    run->exit = (struct proc_exit){.code = 0};
    if (run->log != NULL) {
        logrun_close_ends(run);
        logrun_cut(run->log);
    }
    run_check_gone(run);
}

static int write_tombstone(struct container *c, struct fault *why)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/tombstones", c->run->svc->engine->opts.state_dir);
    (void)mkdir(path, 0700);
    int fd = open(c->tombstone, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return fault_set(why, -errno, "note that a container may exist: %s", c->tombstone);
    }
    (void)close(fd);
    return 0;
}

void container_start(struct container *c)
{
    struct fault why = {0};
    char **argv = container_argv(c, &why);
    int rc = argv == NULL ? why.code : write_tombstone(c, &why);
    if (rc == 0) {
        c->phase = CONTAINER_RUNNING;
        c->tries = 0;
        rc = start_process(c->run, argv, true, &why);
    }
    if (rc != 0) {
        (void)unlink(c->tombstone);
        container_fail(c, fault_text(&why));
    }
}

static void start_pull(struct container *c)
{
    struct run *run = c->run;
    struct fault why = {0};
    char **argv = DOCKER(WORD("pull"), arena_strdup(&run->arena, run->spec->image));
    events_news(run->svc->engine, run->svc, NEWS_INFO, "image %s is not here: pulling it",
                run->spec->image);
    (void)snprintf(run->svc->answer, sizeof run->svc->answer, "pulling image %s", run->spec->image);
    c->phase = CONTAINER_PULLING;
    /* Pulling has a time of its own: the readiness deadline begins with the container. */
    (void)uv_timer_stop(&run->svc->timer);
    int rc = start_process(run, argv, false, &why);
    if (rc != 0) {
        container_fail(c, fault_text(&why));
    }
}

static void on_image(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    c->command = NULL;
    char text[CAUSE_MAX];
    if (result->code == 0) {
        container_start(c);
    } else if (result->error != 0 || result->timed_out || container_unreachable(result)) {
        container_explain(result, "look for the image", text, sizeof text);
        container_fail(c, text);
    } else {
        start_pull(c);
    }
}

/* What an earlier container of this stack held may have been our port: then everything begins again. */
static bool port_taken_after_all(struct container *c)
{
    struct run *run = c->run;
    struct engine_conflict conflict = {0};
    if (conflict_find(run->svc->engine, run->svc, &conflict) != 1) {
        return false;
    }
    run->svc->again = true;
    container_end_early(c);
    return true;
}

static void ask_image(struct container *c)
{
    char *image = arena_strdup(&c->run->arena, c->run->spec->image);
    char **argv = DOCKER(WORD("image"), WORD("inspect"), WORD("--format"), WORD("{{.Id}}"), image);
    tombstones_forget(c->run->svc->engine, c->name); /* of earlier runs: the name is free */
    if (!port_taken_after_all(c) &&
        container_ask(c, argv, CONTAINER_ASK_MS, on_image, &c->command) != 0) {
        container_fail(c, "docker image inspect could not be started");
    }
}

static void on_leftover_removed(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    c->command = NULL;
    char text[CAUSE_MAX];
    if (result->error == 0 && result->code == 0) {
        ask_image(c);
    } else if (container_says(result, "already in progress") && ++c->tries < 100) {
        container_later(c, 100, ask_engine);
    } else {
        container_explain(result, "remove a leftover container", text, sizeof text);
        container_fail(c, text);
    }
}

/* `docker ps` of our name: nothing, a leftover of ours, or somebody else's. */
static void on_asked(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    struct run *run = c->run;
    c->command = NULL;
    char text[CAUSE_MAX];
    if (result->error != 0 || result->timed_out || result->code != 0) {
        container_explain(result, "ask the container engine", text, sizeof text);
        no_engine(c, text);
        return;
    }
    struct span line = span_trim(result->out);
    if (line.len == 0) {
        ask_image(c);
        return;
    }
    struct span id = {0};
    struct span label = {0};
    (void)span_split(line, '\t', &id, &label);
    if (!span_is(label, run->ref->spec->id)) {
        (void)snprintf(text, sizeof text,
                       "container name %s is taken by %.12s, which is not this stack's: docker rm -f "
                       "%.12s if it is yours",
                       c->name, id.ptr, id.ptr);
        container_fail(c, text);
        return;
    }
    if (c->tries == 0) {
        events_news(run->svc->engine, run->svc, NEWS_INFO, "removes a leftover container of this stack");
    }
    char **argv = container_removal(&run->arena, c->name,
                                    container_stack_label(&run->arena, run->ref->spec->id));
    if (container_ask(c, argv, CONTAINER_ACT_MS, on_leftover_removed, &c->command) != 0) {
        container_fail(c, "docker rm could not be started");
    }
}

static void ask_engine(struct container *c)
{
    char *filter = arena_printf(&c->run->arena, "name=^/?%s$", c->name);
    char **argv = DOCKER(WORD("ps"), WORD("-a"), WORD("--no-trunc"), WORD("--filter"), filter,
                         WORD("--format"), WORD("{{.ID}}\t{{.Label \"dev.roadie.stack\"}}"));
    if (container_ask(c, argv, CONTAINER_ASK_MS, on_asked, &c->command) != 0) {
        no_engine(c, "docker could not be started");
    }
}

/* A context is looked up by docker itself, which needs no engine for it. */
static void on_context(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    c->command = NULL;
    char text[CAUSE_MAX];
    const char *context = container_context(c->run->svc->engine->opts.environ, &c->run->arena);
    if (result->error == 0 && result->code == 0 && context != NULL &&
        container_endpoint_is_remote(context, span_trim(result->out), text, sizeof text)) {
        container_fail(c, text);
        return;
    }
    ask_engine(c); /* whatever is wrong with the context, this says it */
}

static void ask_context(struct container *c, const char *context)
{
    char **argv = DOCKER(WORD("context"), WORD("inspect"), WORD("--format"),
                         WORD("{{.Endpoints.docker.Host}}"), arena_strdup(&c->run->arena, context));
    if (container_ask(c, argv, CONTAINER_ACT_MS, on_context, &c->command) != 0) {
        no_engine(c, "docker could not be started");
    }
}

void container_begin(struct run *run)
{
    struct container *c = mem_calloc(1, sizeof *c);
    struct engine *e = run->svc->engine;
    c->run = run;
    (void)uv_timer_init(e->opts.loop, &c->timer);
    c->name = arena_printf(&run->arena, "roadie-%s-%s", run->ref->spec->id, run->svc->name);
    char *start = arena_printf(&run->arena, "%llx", (unsigned long long)run->begun_wall_ns);
    c->label = container_start_label(&run->arena, start);
    c->tombstone = arena_printf(&run->arena, "%s/tombstones/%s@%s", e->opts.state_dir, c->name, start);
    run->container = c;
    run->name_free = false;
    char text[CAUSE_MAX];
    if (container_is_remote(e->opts.environ, text, sizeof text)) {
        container_fail(c, text);
        return;
    }
    const char *context = container_context(e->opts.environ, &run->arena);
    if (context != NULL) {
        ask_context(c, context);
    } else {
        ask_engine(c);
    }
}

void container_pulled(struct run *run)
{
    struct container *c = run->container;
    if (c->stopping) {
        container_end_early(c);
        return;
    }
    if (run->exit.code == 0 && run->exit.signal == 0) {
        run->exit = (struct proc_exit){0};
        run->svc->answer[0] = '\0';
        restart_deadline(run);
        container_start(c);
        return;
    }
    c->pull_failed = true; /* why, its words say once they have all been read */
    container_fail(c, "the image could not be pulled");
}

/* Is it the container's process that this machine shows under that number? Docker Desktop's is a guest's. */
static pid_t visible_pid(const struct run *run, pid_t pid)
{
    struct process_facts facts = {0};
    if (pid <= 0 || process_facts(pid, &facts) != 0 ||
        facts.started_wall_ns + CONFIRM_SLACK_NS < run->begun_wall_ns) {
        return 0;
    }
    return pid;
}

static void confirm_again(struct container *c)
{
    container_confirm(c->run);
}

static void on_confirmed(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    struct run *run = c->run;
    c->inspect = NULL;
    if (c->stopping || run->svc->state != SVC_STARTING) {
        return;
    }
    char port[32];
    (void)snprintf(port, sizeof port, "\"HostPort\":\"%u\"", (unsigned)run->spec->port);
    const char *out = result->out.ptr != NULL ? result->out.ptr : "";
    bool runs = result->code == 0 && strncmp(out, "true ", 5) == 0;
    c->seen = c->seen || result->code == 0;
    if (runs && (run->spec->port == 0 || strstr(out, port) != NULL)) {
        c->host_pid = visible_pid(run, (pid_t)strtol(out + 5, NULL, 10));
        readiness_confirmed(run);
        return;
    }
    if (++c->confirms >= CONFIRM_SAYS_AFTER && runs) {
        (void)snprintf(run->svc->answer, sizeof run->svc->answer,
                       "something answers on port %u, but the engine does not say that it is the container's",
                       (unsigned)run->spec->port);
    }
    uint64_t wait = (uint64_t)CONFIRM_FIRST_MS * c->confirms;
    container_later(c, wait < CONFIRM_SLOWEST_MS ? wait : CONFIRM_SLOWEST_MS, confirm_again);
}

void container_confirm(struct run *run)
{
    struct container *c = run->container;
    if (c->inspect != NULL || c->stopping) {
        return;
    }
    char **argv = DOCKER(WORD("inspect"), WORD("--type"), WORD("container"), WORD("--format"),
                         WORD("{{.State.Running}} {{.State.Pid}} {{json .NetworkSettings.Ports}}"), c->name);
    (void)container_ask(c, argv, CONTAINER_ACT_MS, on_confirmed, &c->inspect);
}

pid_t container_pid(const struct run *run)
{
    return run->container->host_pid;
}

const char *container_name(const struct run *run)
{
    const struct container *c = run->container;
    return c->phase == CONTAINER_RUNNING || c->phase == CONTAINER_FREEING ? c->name : NULL;
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF((uv_timer_t *)handle, struct container, timer));
}

void container_free(struct run *run)
{
    struct container *c = run->container;
    if (c == NULL) {
        return;
    }
    if (c->command != NULL) {
        command_cancel(c->command);
    }
    if (c->inspect != NULL) {
        command_cancel(c->inspect);
    }
    if (c->env_file != NULL) {
        (void)unlink(c->env_file);
    }
    run->container = NULL;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}
