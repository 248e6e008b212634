/*
 * Containers that may have outlived an earlier server: each has a tombstone, worked off when a server opens.
 * `down` waits for it; the start of a service of that name takes it over. Invariant: a removal is in the engine's
 * list until it has ended.
 */
#include "engine/container.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { REMOVE_TIMEOUT_MS = 30000, REMOVE_OUTPUT_MAX = 4096 };

struct removal {
    struct removal *next;
    struct engine *engine;
    struct command *command;
    char *path;
    char *name;
};

static void removal_free(struct removal *r)
{
    for (struct removal **at = &r->engine->removals; *at != NULL; at = &(*at)->next) {
        if (*at == r) {
            *at = r->next;
            break;
        }
    }
    engine_touch(r->engine);
    mem_free(r->path);
    mem_free(r->name);
    mem_free(r);
}

static void on_removed(void *ctx, const struct command_result *result)
{
    struct removal *r = ctx;
    if (result->error == 0 && !result->timed_out && result->code == 0) {
        (void)unlink(r->path);
    } else {
        char text[CAUSE_MAX];
        container_explain(result, "remove it", text, sizeof text);
        events_news(r->engine, NULL, NEWS_WARN, "container %s of an earlier run may still be there: %s",
                    r->name, text);
    }
    removal_free(r);
}

/* The state directory is named after the stack. */
static const char *stack_id(const struct engine *e)
{
    const char *slash = strrchr(e->opts.state_dir, '/');
    return slash == NULL ? e->opts.state_dir : slash + 1;
}

static void begin_removal(struct engine *e, const char *dir, const char *name)
{
    struct removal *r = mem_calloc(1, sizeof *r);
    struct fault why = {0};
    struct arena arena = {0};
    r->engine = e;
    r->path = mem_printf("%s/%s", dir, name);
    r->name = mem_strdup(name);
    r->next = e->removals;
    e->removals = r;
    struct command_opts opts = {.argv = container_removal(&arena, name, stack_id(e)),
                                .envp = e->opts.environ,
                                .timeout_ms = REMOVE_TIMEOUT_MS,
                                .output_max = REMOVE_OUTPUT_MAX};
    if (command_start(e->opts.loop, &opts, on_removed, r, &r->command, &why) != 0) {
        removal_free(r);
    }
    arena_fini(&arena);
}

void container_sweep_tombstones(struct engine *e)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/tombstones", e->opts.state_dir);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            begin_removal(e, path, entry->d_name);
        }
    }
    (void)closedir(dir);
}

void removal_forget(struct engine *e, const char *name)
{
    struct removal *next = NULL;
    for (struct removal *r = e->removals; r != NULL; r = next) {
        next = r->next;
        if (name == NULL || strcmp(r->name, name) == 0) {
            command_cancel(r->command);
            removal_free(r);
        }
    }
}

bool tombstones_left(const struct engine *e, char *name, size_t size)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/tombstones", e->opts.state_dir);
    DIR *dir = opendir(path);
    bool found = false;
    struct dirent *entry = NULL;
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        found = entry->d_name[0] != '.';
        if (found) {
            (void)snprintf(name, size, "%s", entry->d_name);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return found;
}

bool tombstone_exists(const struct engine *e, const struct svc *svc)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/tombstones/roadie-%s-%s", e->opts.state_dir,
                   svc->ref->spec->id, svc->name);
    return access(path, F_OK) == 0;
}
