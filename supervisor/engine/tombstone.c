/*
 * Containers that may have outlived a run or an earlier server: each has a tombstone, NAME@START, worked off when a
 * server opens and by `down`. Only the container of that very start is removed, so a newer one is safe. Invariant:
 * a removal is in the engine's list until it has ended.
 */
#include "engine/container.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { REMOVE_TIMEOUT_MS = 10000, REMOVE_OUTPUT_MAX = 4096, PATH_SIZE = 4096 };

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
    } else if (!container_says(result, "already in progress")) {
        char text[CAUSE_MAX];
        container_explain(result, "remove it", text, sizeof text);
        events_news(r->engine, NULL, NEWS_WARN, "container %s of an earlier run may still be there: %s",
                    r->name, text);
    }
    removal_free(r);
}

static void begin_removal(struct engine *e, const char *directory, const char *entry)
{
    struct removal *r = mem_calloc(1, sizeof *r);
    struct fault why = {0};
    struct arena arena = {0};
    struct span name = {0};
    struct span start = {0};
    (void)span_split(span_of(entry), '@', &name, &start);
    r->engine = e;
    r->path = mem_printf("%s/%s", directory, entry);
    r->name = mem_printf("%.*s", (int)name.len, name.ptr);
    r->next = e->removals;
    e->removals = r;
    char *label = container_start_label(&arena, arena_copy(&arena, start));
    struct command_opts opts = {.argv = container_removal(&arena, r->name, label),
                                .envp = e->opts.environ,
                                .timeout_ms = REMOVE_TIMEOUT_MS,
                                .output_max = REMOVE_OUTPUT_MAX};
    if (command_start(e->opts.loop, &opts, on_removed, r, &r->command, &why) != 0) {
        removal_free(r);
    }
    arena_fini(&arena);
}

/* Calls each (may be NULL) for the tombstones of that container (NULL: all); how many there are. */
static size_t walk(struct engine *e, const char *container,
                   void (*each)(struct engine *e, const char *directory, const char *entry))
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/tombstones", e->opts.state_dir);
    DIR *dir = opendir(path);
    size_t count = 0;
    struct dirent *entry = NULL;
    size_t len = container == NULL ? 0 : strlen(container);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        bool matches = container == NULL || (strncmp(name, container, len) == 0 && name[len] == '@');
        if (name[0] == '.' || !matches) {
            continue;
        }
        count++;
        if (each != NULL) {
            each(e, path, name);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

void container_sweep_tombstones(struct engine *e)
{
    (void)walk(e, NULL, begin_removal);
}

void removal_forget(struct engine *e)
{
    while (e->removals != NULL) {
        command_cancel(e->removals->command);
        removal_free(e->removals);
    }
}

static void note(struct engine *e, const char *directory, const char *entry)
{
    (void)directory;
    const char *at = strchr(entry, '@');
    (void)snprintf(e->left, sizeof e->left, "%.*s", at == NULL ? (int)strlen(entry) : (int)(at - entry), entry);
}

const char *tombstones_left(struct engine *e)
{
    return walk(e, NULL, note) > 0 ? e->left : NULL;
}

bool tombstone_exists(struct engine *e, const struct svc *svc)
{
    char name[256];
    (void)snprintf(name, sizeof name, "roadie-%s-%s", svc->ref->spec->id, svc->name);
    return walk(e, name, NULL) > 0;
}

static void drop(struct engine *e, const char *directory, const char *entry)
{
    char path[PATH_SIZE + 256];
    (void)e;
    (void)snprintf(path, sizeof path, "%s/%s", directory, entry);
    (void)unlink(path);
}

void tombstones_forget(struct engine *e, const char *container)
{
    (void)walk(e, container, drop);
}
