/* Containers that may have outlived an earlier server: each has a tombstone, worked off when a server opens. */
#include "engine/internal.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { REMOVE_TIMEOUT_MS = 30000, REMOVE_OUTPUT_MAX = 4096 };

struct removal {
    struct engine *engine;
    char *path;
    char *name;
};

static void on_removed(void *ctx, const struct command_result *result)
{
    struct removal *r = ctx;
    bool absent = result->error == 0 && !result->timed_out &&
                  (result->code == 0 ||
                   (result->err.ptr != NULL && strstr(result->err.ptr, "No such container") != NULL));
    if (absent) {
        (void)unlink(r->path);
    } else {
        events_news(r->engine, NULL, NEWS_WARN,
                    "container %s of an earlier run may still be there: the engine does not answer", r->name);
    }
    mem_free(r->path);
    mem_free(r->name);
    mem_free(r);
}

static void begin_removal(struct engine *e, const char *dir, const char *name)
{
    struct removal *r = mem_calloc(1, sizeof *r);
    struct command *command = NULL;
    struct fault why = {0};
    r->engine = e;
    r->path = mem_printf("%s/%s", dir, name);
    r->name = mem_strdup(name);
    char docker[] = "docker";
    char rm[] = "rm";
    char force[] = "-f";
    char *argv[] = {docker, rm, force, r->name, NULL};
    struct command_opts opts = {.argv = argv,
                                .envp = e->opts.environ,
                                .timeout_ms = REMOVE_TIMEOUT_MS,
                                .output_max = REMOVE_OUTPUT_MAX};
    if (command_start(e->opts.loop, &opts, on_removed, r, &command, &why) != 0) {
        mem_free(r->path);
        mem_free(r->name);
        mem_free(r);
    }
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
