/*
 * What this room is for.      Mapping the plan blob and turning its offsets into pointers, in
 * place. What it may touch.          mmap; no allocator. Who calls it.               main.c The one
 * invariant.          After plan_keep_farewell no secret of the service is mapped here any more.
 */
#include <string.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/shim/shim.h"

static char *at(void *base, uint64_t offset)
{
    return offset == 0 ? NULL : (char *)base + offset;
}

static char **vector_at(void *base, uint64_t offset)
{
    if (offset == 0) {
        return NULL;
    }
    uintptr_t *slots = (void *)((char *)base + offset);
    for (size_t i = 0; slots[i] != 0; i++) {
        slots[i] += (uintptr_t)base;
    }
    return (void *)slots;
}

bool plan_map(struct shim *s)
{
    struct stat info;
    bool sane =
        fstat(SHIM_FD_PLAN, &info) == 0 && (size_t)info.st_size >= sizeof(struct plan_header);
    void *base = sane ? system_map_private(SHIM_FD_PLAN, (size_t)info.st_size) : NULL;
    (void)close(SHIM_FD_PLAN);
    if (base == NULL) {
        return false;
    }
    const struct plan_header *header = base;
    if (header->magic != PLAN_MAGIC || header->size != (uint64_t)info.st_size) {
        return false;
    }
    s->plan = (struct shim_plan){
        .mapping = base,
        .mapping_size = (size_t)info.st_size,
        .argv = vector_at(base, header->argv),
        .envp = vector_at(base, header->envp),
        .directory = at(base, header->directory),
        .flags = header->flags,
        .umask = (mode_t)header->umask,
        .nofile_soft = header->nofile_soft,
    };
    return true;
}

bool plan_keep_farewell(struct shim *s)
{
    const struct plan_header *header = s->plan.mapping;
    if (header->farewell_size == 0) {
        return true;
    }
    char *copy = system_map_private(-1, (size_t)header->farewell_size);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, (const char *)s->plan.mapping + header->farewell_from,
           (size_t)header->farewell_size);
    s->farewell = (struct shim_farewell){
        .argv = vector_at(copy, header->farewell_argv),
        .envp = vector_at(copy, header->farewell_envp),
        .tombstone = at(copy, header->tombstone),
    };
    return true;
}

void plan_unmap(struct shim *s)
{
    (void)munmap(s->plan.mapping, s->plan.mapping_size);
    s->plan = (struct shim_plan){.flags = s->plan.flags};
}
