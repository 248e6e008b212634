/* Docker's words: the command line of a container and its environment. */
#include "engine/container.h"

#include <errno.h>
#include <fcntl.h>
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

/* What the docker client itself reads: its own value must stay, so the container's goes into a file (none of
 * these names can be a secret's). */
static bool client_needs(const char *name)
{
    static const char *const names[] = {
        "PATH",        "HOME",           "TMPDIR",        "XDG_RUNTIME_DIR",    "XDG_CONFIG_HOME",
        "LD_PRELOAD",  "LD_LIBRARY_PATH", "DOCKER_HOST",  "DOCKER_CONFIG",      "DOCKER_CONTEXT",
        "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION", "DOCKER_DEFAULT_PLATFORM"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* --env-file for what the client must not see; its lines are taken verbatim. */
static int write_env_file(struct container *c, struct fault *why)
{
    struct run *run = c->run;
    struct buf lines = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < run->env.count; i++) {
        const struct env_var *var = &run->env.items[i];
        if (!client_needs(var->name)) {
            continue;
        }
        if (strpbrk(var->value, "\r\n") != NULL) {
            rc = fault_set(why, -EINVAL, "%s: a value with a line break cannot be given to a container",
                           var->name);
        }
        (void)buf_printf(&lines, "%s=%s\n", var->name, var->value);
    }
    if (rc == 0 && lines.len > 0) {
        c->env_file = arena_printf(&run->arena, "%s/%s.env", run->svc->engine->opts.state_dir, c->name);
        (void)unlink(c->env_file);
        int fd = open(c->env_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        bool written = fd >= 0 && write(fd, lines.ptr, lines.len) == (ssize_t)lines.len;
        rc = written ? 0 : fault_set(why, errno != 0 ? -errno : -EIO, "write %s", c->env_file);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    buf_fini(&lines);
    return rc;
}

static void add_environment(struct words *w, const struct container *c)
{
    const struct run *run = c->run;
    if (c->env_file != NULL) {
        add(w, "--env-file");
        add(w, c->env_file);
    }
    for (size_t i = 0; i < run->env.count; i++) {
        if (!client_needs(run->env.items[i].name)) {
            add(w, "--env");
            add(w, run->env.items[i].name);
        }
    }
}

char **container_argv(struct container *c, struct fault *why)
{
    if (write_env_file(c, why) != 0) {
        return NULL;
    }
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
    add(&w, c->label);
    add(&w, "--label");
    add(&w, arena_printf(w.arena, "dev.roadie.service=%s", run->svc->name));
    add(&w, "--label");
    add(&w, arena_printf(w.arena, "dev.roadie.root=%s", run->ref->spec->root));
    if (spec->port != 0) {
        uint16_t inner = spec->container_port != 0 ? spec->container_port : spec->port;
        add(&w, "--publish");
        add(&w, arena_printf(w.arena, "127.0.0.1:%u:%u", (unsigned)spec->port, (unsigned)inner));
    }
    add_environment(&w, c);
    for (size_t i = 0; spec->volumes[i] != NULL; i++) {
        add(&w, "--volume");
        add(&w, spec->volumes[i]);
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
    plan->farewell = container_removal(&run->arena, c->name, c->label);
    plan->farewell_envp = e->opts.environ;
    plan->tombstone = c->tombstone;
}

char *container_stack_label(struct arena *arena, const char *stack_id)
{
    return arena_printf(arena, "dev.roadie.stack=%s", stack_id);
}

char *container_start_label(struct arena *arena, const char *start)
{
    return arena_printf(arena, "dev.roadie.start=%s", start);
}

/* Two questions in one command, so that a shim can ask them after the server's death. */
char **container_removal(struct arena *arena, const char *name, const char *label)
{
    static const char script[] =
        "ids=$(docker ps -aq --no-trunc --filter \"name=^/?$1\\$\" --filter \"label=$2\") || "
        "exit 1; [ -z \"$ids\" ] || exec docker rm -f -v $ids";
    struct words w = {.arena = arena};
    const char *const all[] = {"sh", "-c", script, "roadie", name, label, NULL};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        add(&w, all[i]);
    }
    return w.items;
}
