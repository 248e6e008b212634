/* Docker's words: the command line of a container, its environment, and what its errors mean. */
#include "engine/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct words {
    struct arena *arena;
    char **items;
    size_t count;
};

static void add(struct words *w, const char *word)
{
    w->items = arena_grow(w->arena, w->items, w->count, sizeof *w->items);
    w->items[w->count++] = word == NULL ? NULL : arena_strdup(w->arena, word);
}

/* What the docker client itself reads: its own value must stay, so the container's goes on the command line
 * (none of these names can be a secret's). */
static bool client_needs(const char *name)
{
    static const char *const names[] = {"PATH",           "HOME",           "DOCKER_HOST",
                                        "DOCKER_CONFIG",  "DOCKER_CONTEXT", "DOCKER_CERT_PATH",
                                        "DOCKER_TLS_VERIFY"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_volume(struct words *w, const struct run *run, const char *volume)
{
    add(w, "--volume");
    if (volume[0] == '.') {
        add(w, arena_printf(w->arena, "%s/%s", run->ref->spec->root, volume));
    } else {
        add(w, volume);
    }
}

char **container_argv(struct container *c)
{
    struct run *run = c->run;
    const struct spec_service *spec = run->spec;
    struct words w = {.arena = &run->arena};
    static const char *const fixed[] = {"docker", "run", "--rm", "--init", "--pull", "never", "--name"};
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        add(&w, fixed[i]);
    }
    add(&w, c->name);
    add(&w, "--label");
    add(&w, arena_printf(w.arena, "dev.roadie.stack=%s", run->ref->spec->id));
    add(&w, "--label");
    add(&w, arena_printf(w.arena, "dev.roadie.service=%s", run->svc->name));
    if (spec->port != 0) {
        uint16_t inner = spec->container_port != 0 ? spec->container_port : spec->port;
        add(&w, "--publish");
        add(&w, arena_printf(w.arena, "127.0.0.1:%u:%u", (unsigned)spec->port, (unsigned)inner));
    }
    for (size_t i = 0; i < run->env.count; i++) {
        const struct env_var *var = &run->env.items[i];
        add(&w, "--env");
        add(&w, client_needs(var->name) ? arena_printf(w.arena, "%s=%s", var->name, var->value)
                                        : var->name);
    }
    for (size_t i = 0; spec->volumes[i] != NULL; i++) {
        add_volume(&w, run, spec->volumes[i]);
    }
    for (size_t i = 0; spec->container_options[i] != NULL; i++) {
        add(&w, spec->container_options[i]);
    }
    add(&w, spec->image);
    for (size_t i = 0; spec->argv != NULL && spec->argv[i] != NULL; i++) {
        add(&w, spec->argv[i]);
    }
    add(&w, NULL);
    return w.items;
}

/* The shell's environment for the client, with the container's variables in it for --env NAME. */
static char **client_environment(struct run *run)
{
    struct words w = {.arena = &run->arena};
    char *const *shell = run->svc->engine->opts.environ;
    for (size_t i = 0; shell[i] != NULL; i++) {
        const char *equals = strchr(shell[i], '=');
        char name[256];
        if (equals == NULL || (size_t)(equals - shell[i]) >= sizeof name) {
            continue;
        }
        memcpy(name, shell[i], (size_t)(equals - shell[i]));
        name[equals - shell[i]] = '\0';
        if (client_needs(name) || env_find(&run->env, name) == NULL) {
            add(&w, shell[i]);
        }
    }
    for (size_t i = 0; i < run->env.count; i++) {
        if (!client_needs(run->env.items[i].name)) {
            add(&w, arena_printf(w.arena, "%s=%s", run->env.items[i].name, run->env.items[i].value));
        }
    }
    add(&w, NULL);
    return w.items;
}

void container_plan(struct run *run, struct proc_plan *plan)
{
    struct container *c = run->container;
    struct engine *e = run->svc->engine;
    plan->envp = client_environment(run);
    if (c->phase != CONTAINER_RUNNING) {
        return;
    }
    struct words w = {.arena = &run->arena};
    add(&w, "docker");
    add(&w, "rm");
    add(&w, "-f");
    add(&w, c->name);
    add(&w, NULL);
    plan->farewell = w.items;
    plan->farewell_envp = e->opts.environ;
    plan->tombstone = c->tombstone;
}

static const char *environ_value(char *const *environ, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; environ[i] != NULL; i++) {
        if (strncmp(environ[i], name, len) == 0 && environ[i][len] == '=') {
            return environ[i] + len + 1;
        }
    }
    return NULL;
}

bool container_is_remote(char *const *environ, char *text, size_t size)
{
    const char *host = environ_value(environ, "DOCKER_HOST");
    if (host == NULL || host[0] == '\0' || strncmp(host, "unix://", 7) == 0 || host[0] == '/') {
        return false;
    }
    (void)snprintf(text, size,
                   "DOCKER_HOST names an engine on another machine: its ports would not be on this one; "
                   "unset DOCKER_HOST");
    return true;
}

bool container_says(const struct command_result *result, const char *text)
{
    return (result->err.ptr != NULL && strstr(result->err.ptr, text) != NULL) ||
           (result->out.ptr != NULL && strstr(result->out.ptr, text) != NULL);
}

void container_explain(const struct command_result *result, const char *doing, char *text, size_t size)
{
    static const struct {
        const char *says;
        const char *means;
    } known[] = {
        {"permission denied", "this user may not talk to the docker engine: sudo usermod -aG docker "
                              "$USER, then log in again"},
        {"Cannot connect to the Docker daemon", "no container engine answers: start it (sudo systemctl "
                                                "start docker, or open Docker Desktop)"},
        {"error during connect", "no container engine answers: start it (sudo systemctl start docker, "
                                 "or open Docker Desktop)"},
        {"already in use by container", "the container's name is taken: docker ps -a shows by what"},
        {"port is already allocated", "another container publishes the port: docker ps shows which"},
        {"address already in use", "another process listens on the port: roadie port shows which"},
    };
    if (result->error == -ENOENT) {
        (void)snprintf(text, size, "docker is not installed (sudo apt install docker.io)");
        return;
    }
    if (result->error != 0) {
        (void)snprintf(text, size, "docker: %s", strerror(-result->error));
        return;
    }
    if (result->timed_out) {
        (void)snprintf(text, size, "the container engine does not answer (could not %s in 30s)", doing);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (container_says(result, known[i].says)) {
            (void)snprintf(text, size, "%s", known[i].means);
            return;
        }
    }
    struct span first = {0};
    struct span rest = {0};
    (void)span_split(span_trim(result->err), '\n', &first, &rest);
    (void)snprintf(text, size, "could not %s: %.*s (exit %d)", doing, (int)first.len,
                   first.ptr == NULL ? "" : first.ptr, result->code);
}
