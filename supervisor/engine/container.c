/*
 * A service that is a container: asks the engine first (leftovers of ours are removed, somebody else's name
 * is refused, a missing image is pulled with its progress in the log), then runs the docker command in the
 * foreground under a shim. Signals are the engine's; the run is over when the container's name is free. A
 * tombstone says that a container may exist, from before `docker run` until its name is free.
 */
#include "engine/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    ASK_TIMEOUT_MS = 30000, /* a Docker Desktop machine may have to wake */
    KILL_TIMEOUT_MS = 10000,
    FREE_TRIES = 50,
    CONFIRM_TRIES = 20,
    OUTPUT_MAX = 64 * 1024,
};

static int ask(struct container *c, char *const *argv, uint64_t timeout_ms, command_fn done,
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

#define DOCKER(...) ((char *[]){(char[]){"docker"}, __VA_ARGS__, NULL})
#define WORD(text) ((char[]){text})

static void fail(struct container *c, const char *text)
{
    struct fault why = {0};
    (void)fault_set(&why, -EPROTO, "%s", text);
    c->phase = CONTAINER_OVER;
    c->run->name_free = true;
    run_fail(c->run, &why);
}

/* No engine answers: the fallback, or a failure that says what to do. */
static void no_engine(struct container *c, const char *reason)
{
    struct run *run = c->run;
    struct svc *svc = run->svc;
    if (run->spec->fallback == NULL) {
        fail(c, reason);
        return;
    }
    (void)snprintf(svc->fallback_text, sizeof svc->fallback_text, "fallback %s: %.*s",
                   run->spec->fallback[0], (int)strcspn(reason, ":("), reason);
    events_news(svc->engine, svc, NEWS_WARN, "%s · runs the fallback %s instead", reason,
                run->spec->fallback[0]);
    container_free(run);
    run->fallback = true;
    run->name_free = true;
    struct fault why = {0};
    if (start_fallback(run, &why) != 0) {
        run_fail(run, &why);
    }
}

/* The run was told to stop before any container existed. */
static bool stopped_early(struct container *c)
{
    return c->stopping;
}

static void end_early(struct container *c)
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

static void write_tombstone(struct container *c)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/tombstones", c->run->svc->engine->opts.state_dir);
    (void)mkdir(path, 0700);
    int fd = open(c->tombstone, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void start_container(struct container *c)
{
    struct fault why = {0};
    write_tombstone(c);
    c->phase = CONTAINER_RUNNING;
    int rc = start_process(c->run, container_argv(c), true, &why);
    if (rc != 0) {
        (void)unlink(c->tombstone);
        fail(c, fault_text(&why));
    }
}

static void start_pull(struct container *c)
{
    struct run *run = c->run;
    struct fault why = {0};
    char *argv[] = {WORD("docker"), WORD("pull"), arena_strdup(&run->arena, run->spec->image), NULL};
    events_news(run->svc->engine, run->svc, NEWS_INFO, "image %s is not here: pulling it",
                run->spec->image);
    c->phase = CONTAINER_PULLING;
    /* Pulling has a time of its own: the readiness deadline begins with the container. */
    (void)uv_timer_stop(&run->svc->timer);
    int rc = start_process(run, argv, false, &why);
    if (rc != 0) {
        fail(c, fault_text(&why));
    }
}

static void on_image(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    c->command = NULL;
    if (stopped_early(c)) {
        end_early(c);
    } else if (result->code == 0) {
        start_container(c);
    } else {
        start_pull(c);
    }
}

static void ask_image(struct container *c)
{
    char *image = arena_strdup(&c->run->arena, c->run->spec->image);
    char **argv = DOCKER(WORD("image"), WORD("inspect"), WORD("--format"), WORD("{{.Id}}"), image);
    int rc = ask(c, argv, ASK_TIMEOUT_MS, on_image, &c->command);
    if (rc != 0) {
        fail(c, "docker image inspect could not be started");
    }
}

static void on_leftover_removed(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    c->command = NULL;
    if (stopped_early(c)) {
        end_early(c);
    } else if (result->error == 0 && result->code == 0) {
        ask_image(c);
    } else {
        char text[CAUSE_MAX];
        container_explain(result, "remove a leftover container", text, sizeof text);
        fail(c, text);
    }
}

/* `docker ps` of our name: nothing, a leftover of ours, or somebody else's. */
static void on_asked(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    struct run *run = c->run;
    c->command = NULL;
    if (stopped_early(c)) {
        end_early(c);
        return;
    }
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
        fail(c, text);
        return;
    }
    events_news(run->svc->engine, run->svc, NEWS_INFO, "removes a leftover container of this stack");
    char *name = arena_copy(&run->arena, id);
    char **argv = DOCKER(WORD("rm"), WORD("-f"), name);
    if (ask(c, argv, KILL_TIMEOUT_MS, on_leftover_removed, &c->command) != 0) {
        fail(c, "docker rm could not be started");
    }
}

void container_begin(struct run *run)
{
    struct container *c = mem_calloc(1, sizeof *c);
    struct engine *e = run->svc->engine;
    c->run = run;
    c->name = arena_printf(&run->arena, "roadie-%s-%s", run->ref->spec->id, run->svc->name);
    c->tombstone = arena_printf(&run->arena, "%s/tombstones/%s", e->opts.state_dir, c->name);
    run->container = c;
    run->name_free = false;
    char text[CAUSE_MAX];
    if (container_is_remote(e->opts.environ, text, sizeof text)) {
        fail(c, text);
        return;
    }
    char *filter = arena_printf(&run->arena, "name=^/?%s$", c->name);
    char **argv = DOCKER(WORD("ps"), WORD("-a"), WORD("--no-trunc"), WORD("--filter"), filter,
                         WORD("--format"), WORD("{{.ID}}\t{{.Label \"dev.roadie.stack\"}}"));
    if (ask(c, argv, ASK_TIMEOUT_MS, on_asked, &c->command) != 0) {
        no_engine(c, "docker could not be started");
    }
}

static void on_removed(void *ctx, const struct command_result *result);

static void try_to_free(struct container *c)
{
    char **argv = DOCKER(WORD("rm"), WORD("-f"), c->name);
    c->phase = CONTAINER_FREEING;
    if (ask(c, argv, KILL_TIMEOUT_MS, on_removed, &c->command) != 0) {
        c->run->name_free = true;
        run_check_gone(c->run);
    }
}

static void on_removed(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    struct run *run = c->run;
    c->command = NULL;
    bool absent = result->code == 0 || container_says(result, "No such container");
    if (!absent && result->error == 0 && !result->timed_out && ++c->tries < FREE_TRIES) {
        try_to_free(c); /* "removal … is already in progress" */
        return;
    }
    if (absent) {
        (void)unlink(c->tombstone);
    } else {
        events_news(run->svc->engine, run->svc, NEWS_ERROR,
                    "container %s may still be there: the engine does not answer; the next roadie "
                    "command tries again", c->name);
    }
    run->name_free = true;
    run_check_gone(run);
}

void container_on_process_gone(struct run *run)
{
    struct container *c = run->container;
    if (c->phase == CONTAINER_PULLING) {
        if (c->stopping) {
            end_early(c);
        } else if (run->exit.code == 0) {
            run->exit = (struct proc_exit){0};
            (void)uv_timer_start(&run->svc->timer, service_on_timer, run->spec->ready_timeout_ms, 0);
            start_container(c);
        } else {
            char text[CAUSE_MAX];
            (void)snprintf(text, sizeof text, "image %s could not be pulled (see its lines above)",
                           run->spec->image);
            fail(c, text);
        }
        return;
    }
    run->exited = true;
    run->empty = true;
    if (run->log != NULL && !run->drained) {
        logrun_cut(run->log);
    }
    if (c->phase == CONTAINER_RUNNING) {
        if (c->command != NULL) {
            command_cancel(c->command);
            c->command = NULL;
        }
        try_to_free(c);
    }
}

static void on_signalled(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    c->command = NULL;
    if ((result->error != 0 || result->code != 0) && c->run->proc != NULL) {
        proc_signal(c->run->proc, SIGTERM); /* no container yet: its client must not make one */
    }
}

void container_signal(struct run *run, int sig)
{
    struct container *c = run->container;
    if (run->svc->state == SVC_STOPPING || run->svc->state == SVC_KILLING) {
        c->stopping = true;
    }
    if (c->phase == CONTAINER_PULLING && run->proc != NULL) {
        proc_signal(run->proc, sig);
        return;
    }
    if (c->phase != CONTAINER_RUNNING) {
        return; /* the answer under way sees `stopping` */
    }
    if (c->command != NULL) {
        command_cancel(c->command);
        c->command = NULL;
    }
    char *name = arena_strdup(&run->arena, signal_name(sig));
    char **argv = DOCKER(WORD("kill"), WORD("--signal"), name, c->name);
    if (ask(c, argv, KILL_TIMEOUT_MS, on_signalled, &c->command) != 0 && run->proc != NULL) {
        proc_signal(run->proc, SIGTERM);
    }
}

static void on_killed(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    (void)result;
    c->command = NULL;
    if (c->run->proc != NULL) {
        proc_kill_tree(c->run->proc);
    }
}

void container_kill(struct run *run)
{
    struct container *c = run->container;
    c->stopping = true;
    if (c->phase == CONTAINER_PULLING && run->proc != NULL) {
        proc_kill_tree(run->proc);
        return;
    }
    if (c->phase != CONTAINER_RUNNING) {
        return;
    }
    if (c->command != NULL) {
        command_cancel(c->command);
        c->command = NULL;
    }
    char **argv = DOCKER(WORD("rm"), WORD("-f"), c->name);
    if (ask(c, argv, KILL_TIMEOUT_MS, on_killed, &c->command) != 0 && run->proc != NULL) {
        proc_kill_tree(run->proc);
    }
}

static void on_confirmed(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    struct run *run = c->run;
    c->command = NULL;
    if (c->stopping || run->svc->state != SVC_STARTING) {
        return;
    }
    char port[32];
    (void)snprintf(port, sizeof port, "\"HostPort\":\"%u\"", (unsigned)run->spec->port);
    bool published = run->spec->port == 0 ||
                     (result->out.ptr != NULL && strstr(result->out.ptr, port) != NULL);
    if (result->code == 0 && published) {
        c->host_pid = (pid_t)strtol(result->out.ptr, NULL, 10);
        readiness_confirmed(run);
        return;
    }
    if (++c->confirms < CONFIRM_TRIES) {
        container_confirm(run);
        return;
    }
    (void)snprintf(run->svc->answer, sizeof run->svc->answer,
                   "something answers on port %u, but the engine does not say that it is the container's",
                   (unsigned)run->spec->port);
}

void container_confirm(struct run *run)
{
    struct container *c = run->container;
    if (c->command != NULL) {
        return;
    }
    char **argv = DOCKER(WORD("inspect"), WORD("--format"),
                         WORD("{{.State.Pid}} {{json .NetworkSettings.Ports}}"), c->name);
    (void)ask(c, argv, KILL_TIMEOUT_MS, on_confirmed, &c->command);
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

void container_free(struct run *run)
{
    struct container *c = run->container;
    if (c == NULL) {
        return;
    }
    if (c->command != NULL) {
        command_cancel(c->command);
    }
    run->container = NULL;
    mem_free(c);
}
