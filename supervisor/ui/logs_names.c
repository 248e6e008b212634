/*
 * What this room is for.      Names, widths and last runs for viewers.
 * What it may touch.          The log store's directory, read only.
 * Who calls it.               cmd_logs.c, session.c
 * The one invariant.          The order is stable, so a service keeps its colour.
 */
#include "ui/logs_names.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "logs/reader.h"
#include "ui/pick.h"

static bool has(const struct logs_names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++) {
        if (strcmp(n->all[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void add(struct logs_names *n, const char *name, bool counts)
{
    if (!has(n, name)) {
        n->all = arena_grow(&n->arena, n->all, n->count, sizeof *n->all);
        n->all[n->count++] = arena_strdup(&n->arena, name);
    }
    size_t len = strlen(name);
    n->width = counts && len > n->width ? len : n->width;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_stored(struct logs_names *n)
{
    size_t from = n->count;
    DIR *dir = opendir(n->dir);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct stat st;
        if (entry->d_name[0] != '.' && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
            S_ISDIR(st.st_mode)) {
            add(n, entry->d_name, true);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    if (n->count > from) {
        qsort(n->all + from, n->count - from, sizeof *n->all, by_name);
    }
}

void logs_names_read(struct logs_names *n, const char *dir, const struct spec *spec)
{
    *n = (struct logs_names){.dir = dir};
    for (size_t i = 0; spec != NULL && i < spec->service_count; i++) {
        add(n, spec->services[i].name, spec->services[i].selected);
    }
    add_stored(n);
    n->all = arena_grow(&n->arena, n->all, n->count, sizeof *n->all);
    n->all[n->count] = NULL;
}

char **logs_names_pick(struct logs_names *n, const struct args *args)
{
    char **picked = arena_alloc(&n->arena, (n->count + 1) * sizeof *picked);
    size_t count = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (pick_wanted(args, n->all[i])) {
            picked[count++] = arena_strdup(&n->arena, n->all[i]);
        }
    }
    return picked;
}

uint32_t logs_names_last_run(struct logs_names *n, const char *service)
{
    if (service != n->run_of) {
        n->run_of = service;
        n->run = logreader_last_run(n->dir, service);
    }
    return n->run;
}

void logs_names_fini(struct logs_names *n)
{
    arena_fini(&n->arena);
    *n = (struct logs_names){0};
}
