/*
 * What this room is for.      Finds the definition, upwards from a directory (see discover.h).
 * What it may touch.          base; looks at directories, reads nothing.
 * Who calls it.               spec.c
 * The one invariant.          Works while the definition is broken: only names and places count.
 */
#include "stack/discover.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "stack/builtin.h"
#include "stack/text.h"

static char *real_path(const char *path, struct arena *arena)
{
    char *real = realpath(path, NULL);
    char *copy = arena_strdup(arena, real);
    int saved = errno;
    free(real);
    errno = saved;
    return copy;
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static const struct builtin *recognise(const char *root, struct arena *arena)
{
    for (size_t i = 0; i < builtin_count; i++) {
        bool all = true;
        for (const char *const *file = builtins[i].recognised_by; all && *file != NULL; file++) {
            all = exists(path_join(arena, root, *file));
        }
        if (all) {
            return &builtins[i];
        }
    }
    return NULL;
}

static void take_file(struct discovery *out, struct arena *arena, const char *name,
                      const char *prefix)
{
    out->file = path_join(arena, out->root, name);
    out->file_name = name;
    out->shown = arena_printf(arena, "%s%s", prefix, name);
    out->is_procfile = strstr(name, "Procfile") != NULL;
}

/* Whether a definition is in out->root, by the order of INTERFACE §1. */
static bool look_here(struct discovery *out, struct arena *arena, const char *prefix)
{
    if (is_file(path_join(arena, out->root, "roadie.ini"))) {
        take_file(out, arena, "roadie.ini", prefix);
        return true;
    }
    const struct builtin *builtin = recognise(out->root, arena);
    if (builtin != NULL) {
        out->is_builtin = true;
        out->builtin = (struct span){(const char *)builtin->text, builtin->len};
        out->file = arena_printf(arena, "builtin:%s", builtin->name);
        out->file_name = out->file;
        out->shown = out->file;
        return true;
    }
    if (is_file(path_join(arena, out->root, "Procfile"))) {
        take_file(out, arena, "Procfile", prefix);
        return true;
    }
    return false;
}

static int discover_named(const struct spec_request *request, const char *directory,
                          struct arena *arena, struct discovery *out, struct fault *why)
{
    const char *path = path_join(arena, directory, request->file);
    struct stat st;
    if (stat(path, &st) != 0) {
        return fault_set(why, -errno, "%s", request->file);
    }
    if (S_ISDIR(st.st_mode)) {
        return fault_set(why, -EISDIR, "%s", request->file);
    }
    const char *slash = strrchr(path, '/');
    const char *parent =
        slash == path ? "/" : arena_copy(arena, (struct span){path, (size_t)(slash - path)});
    out->root = real_path(parent, arena);
    if (out->root == NULL) {
        return fault_set(why, -errno, "%s", parent);
    }
    take_file(out, arena, arena_strdup(arena, slash + 1), "");
    out->shown = arena_strdup(arena, request->file);
    const char *last = strrchr(out->shown, '/');
    size_t prefix = last == NULL ? 0 : (size_t)(last + 1 - out->shown);
    out->prefix = arena_copy(arena, (struct span){out->shown, prefix});
    return 0;
}

int discover(const struct spec_request *request, struct arena *arena, struct discovery *out,
             struct fault *why)
{
    *out = (struct discovery){0};
    const char *start = real_path(request->directory, arena);
    if (start == NULL) {
        return fault_set(why, -errno, "%s", request->directory);
    }
    out->start = start;
    if (request->file != NULL) {
        return discover_named(request, start, arena, out, why);
    }
    const char *prefix = "";
    for (const char *at = start;; at = path_join(arena, at, "..")) {
        out->root = at;
        out->prefix = prefix;
        if (look_here(out, arena, prefix)) {
            return 0;
        }
        if (strcmp(at, "/") == 0) {
            break;
        }
        prefix = arena_printf(arena, "%s../", prefix);
    }
    (void)fault_set(why, -EINVAL,
                    "no stack definition in %s or above it (looked for roadie.ini, a checkout "
                    "that roadie knows, Procfile)",
                    start);
    (void)fault_hint(why, "write a roadie.ini, or name one with -f FILE");
    if (why != NULL) {
        why->code = -ENOENT;
    }
    return -ENOENT;
}

const char *discover_name(const char *root, struct arena *arena)
{
    const char *slash = strrchr(root, '/');
    char *name = arena_strdup(arena, slash != NULL ? slash + 1 : root);
    size_t len = 0;
    for (const char *c = name; *c != '\0' && len < 32; c++) {
        char lower = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        bool first = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
        if (first || (len > 0 && (lower == '_' || lower == '-'))) {
            name[len++] = lower;
        }
    }
    name[len] = '\0';
    return len > 0 ? name : "stack";
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    do { /* the terminating NUL counts, so that two texts cannot run into each other */
        hash = (hash ^ (unsigned char)*text) * 0x100000001B3ULL;
    } while (*text++ != '\0');
    return hash;
}

const char *discover_id(const struct discovery *found, const char *name, struct arena *arena)
{
    uint64_t hash = hash_text(hash_text(0xCBF29CE484222325ULL, found->root), found->file_name);
    hash ^= hash >> 33; /* FNV's high bits are good, its low ones less so */
    hash *= 0xFF51AFD7ED558CCDULL;
    hash ^= hash >> 33;
    return arena_printf(arena, "%s-%010llx", name, (unsigned long long)(hash & 0xFFFFFFFFFFULL));
}
