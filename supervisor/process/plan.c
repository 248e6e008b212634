/*
 * What this room is for.      Writing a plan into the blob that a shim maps.
 * What it may touch.          Memory of its own, host_blob_open. Holds secrets: wiped before it is
 * freed. Who calls it.               proc.c The one invariant.          Offsets only, never
 * pointers; the farewell's part stands alone and can be copied out.
 */
#include "process/plan.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "process/host.h"
#include "process/shim/protocol.h"

struct writer {
    char *base;
    size_t at;
    size_t origin; /* offsets count from here */
};

static size_t align_up(size_t n)
{
    return (n + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1);
}

static size_t vector_count(char *const *vector)
{
    size_t count = 0;
    while (vector != NULL && vector[count] != NULL) {
        count++;
    }
    return count;
}

/* Upper bound of what put_vector and put_string use. */
static size_t vector_size(char *const *vector)
{
    size_t size = 2 * sizeof(uintptr_t) + vector_count(vector) * sizeof(uintptr_t);
    for (size_t i = 0; vector != NULL && vector[i] != NULL; i++) {
        size += strlen(vector[i]) + 1;
    }
    return size;
}

static size_t string_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static uint64_t put_string(struct writer *w, const char *text)
{
    if (text == NULL) {
        return 0;
    }
    size_t from = w->at;
    size_t size = strlen(text) + 1;
    memcpy(w->base + from, text, size);
    w->at += size;
    return from - w->origin;
}

static uint64_t put_vector(struct writer *w, char *const *vector)
{
    if (vector == NULL) {
        return 0;
    }
    size_t count = vector_count(vector);
    w->at = align_up(w->at);
    size_t from = w->at;
    uintptr_t *slots = (void *)(w->base + from);
    w->at += (count + 1) * sizeof *slots;
    for (size_t i = 0; i < count; i++) {
        slots[i] = (uintptr_t)put_string(w, vector[i]);
    }
    slots[count] = 0;
    return from - w->origin;
}

static void put_farewell(struct writer *w, const struct proc_plan *plan, struct plan_header *header)
{
    char *const empty[] = {NULL};
    w->at = align_up(w->at);
    w->origin = w->at;
    w->at += sizeof(uintptr_t); /* offset 0 means none */
    header->farewell_from = w->origin;
    header->farewell_argv = put_vector(w, plan->farewell);
    header->farewell_envp =
        put_vector(w, plan->farewell_envp != NULL ? plan->farewell_envp : empty);
    header->tombstone = put_string(w, plan->tombstone);
    header->farewell_size = w->at - w->origin;
}

int plan_open(const struct proc_plan *plan)
{
    char *const empty[] = {NULL};
    char *const *envp = plan->envp != NULL ? plan->envp : empty;
    size_t cap = sizeof(struct plan_header) + vector_size(plan->argv) + vector_size(envp) +
                 string_size(plan->directory) + 4 * sizeof(uintptr_t) +
                 vector_size(plan->farewell) + vector_size(plan->farewell_envp) +
                 string_size(plan->tombstone);
    struct writer w = {.base = mem_calloc(1, cap), .at = sizeof(struct plan_header)};
    struct plan_header *header = (void *)w.base;
    *header = (struct plan_header){
        .magic = PLAN_MAGIC,
        .flags = (plan->tty ? (uint32_t)PLAN_TTY : 0) |
                 (plan->stdin_open ? (uint32_t)PLAN_STDIN_OPEN : 0),
        .nofile_soft = plan->nofile_soft,
        .umask = plan->umask,
        .argv = put_vector(&w, plan->argv),
        .envp = put_vector(&w, envp),
        .directory = put_string(&w, plan->directory),
    };
    if (plan->farewell != NULL) {
        put_farewell(&w, plan, header);
    }
    header->size = w.at;
    int fd = host_blob_open(w.base, w.at);
    mem_wipe(w.base, cap);
    mem_free(w.base);
    return fd;
}
