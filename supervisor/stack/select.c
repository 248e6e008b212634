/*
 * What this room is for.      Names, globs and profiles: which services are meant (see select.h,
 * spec.h). What it may touch.          base and this room. Who calls it.               spec.c;
 * control and ui for names on a command line. The one invariant.          A name or glob that
 * matches nothing is an error with a suggestion.
 */
#include "stack/select.h"

#include <errno.h>
#include <string.h>

#include <fnmatch.h>

#include "base/table.h"
#include "stack/graph.h"
#include "stack/text.h"

/* A list of names with the shape that table_nearest wants. */
struct name_row {
    const char *name;
};

static bool has_magic(const char *name)
{
    return strpbrk(name, "*?[") != NULL;
}

static bool matches(const struct spec_service *service, const char *pattern)
{
    return has_magic(pattern) ? fnmatch(pattern, service->name, 0) == 0
                              : strcmp(pattern, service->name) == 0;
}

const struct spec_service *spec_find(const struct spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->service_count; i++) {
        if (strcmp(spec->services[i].name, name) == 0) {
            return &spec->services[i];
        }
    }
    return NULL;
}

const char *spec_nearest(const struct spec *spec, const char *name)
{
    /* A service starts with its name, as a row of a table must. */
    return table_nearest(spec->services, spec->service_count, sizeof *spec->services,
                         span_of(name));
}

static int unknown_name(const struct spec *spec, const char *name, struct fault *why)
{
    const char *near = spec_nearest(spec, name);
    (void)fault_set(why, -EINVAL,
                    has_magic(name) ? "no service matches \"%s\"" : "there is no service \"%s\"", name);
    if (near != NULL) {
        (void)fault_hint(why, "did you mean \"%s\"?", near);
    }
    return -EINVAL;
}

int spec_match(const struct spec *spec, char *const *names, bool all_selected_only,
               struct arena *arena, size_t **out, size_t *count, struct fault *why)
{
    bool *meant = arena_alloc(arena, spec->service_count + 1);
    bool any = names != NULL && names[0] != NULL;
    for (size_t n = 0; any && names[n] != NULL; n++) {
        bool found = false;
        for (size_t i = 0; i < spec->service_count; i++) {
            if (matches(&spec->services[i], names[n])) {
                meant[i] = true;
                found = true;
            }
        }
        if (!found) {
            return unknown_name(spec, names[n], why);
        }
    }
    *out = arena_alloc(arena, (spec->service_count + 1) * sizeof **out);
    *count = 0;
    for (size_t i = 0; i < spec->service_count; i++) {
        bool all = !any && (!all_selected_only || spec->services[i].selected);
        if (meant[i] || all) {
            (*out)[(*count)++] = i;
        }
    }
    return 0;
}

/* Marks what one list of the command line names. */
static void mark_names(struct load *l, char *const *names, bool *marks)
{
    for (size_t n = 0; names != NULL && names[n] != NULL; n++) {
        bool found = false;
        for (size_t i = 0; i < l->spec->service_count; i++) {
            if (matches(&l->spec->services[i], names[n])) {
                marks[i] = true;
                found = true;
            }
        }
        if (!found) {
            struct fault why = {0};
            (void)unknown_name(l->spec, names[n], &why);
            problems_add(l->problems, NULL, 0, 0, why.hint[0] != '\0' ? why.hint : NULL, "%s",
                         why.text);
        }
    }
}

/* The names of a [profile]'s `services`. */
static bool profile_section(struct load *l, const char *profile, bool *marks)
{
    bool found = false;
    for (size_t i = 0; i < l->def.count; i++) {
        const struct ini_section *section = &l->def.sections[i];
        if (strcmp(section->kind, "profile") != 0 || strcmp(section->name, profile) != 0) {
            continue;
        }
        found = true;
        for (size_t k = 0; k < section->count; k++) {
            struct span rest = span_of(section->entries[k].value);
            struct span name = {0};
            struct span tail = {0};
            while (strcmp(section->entries[k].key, "services") == 0 && rest.len > 0) {
                (void)span_split(rest, ' ', &name, &tail);
                int service = load_find(l, span_trim(name));
                if (service >= 0) {
                    marks[service] = true;
                }
                rest = span_trim(tail);
            }
        }
    }
    return found;
}

static const char *nearest_profile(struct load *l, const char *profile)
{
    struct name_row *rows = NULL;
    size_t count = 0;
    for (size_t i = 0; i < l->spec->service_count; i++) {
        for (char **p = l->spec->services[i].profiles; *p != NULL; p++) {
            rows = arena_grow(l->arena, rows, count, sizeof *rows);
            rows[count++].name = *p;
        }
    }
    for (size_t i = 0; i < l->def.count; i++) {
        if (strcmp(l->def.sections[i].kind, "profile") == 0) {
            rows = arena_grow(l->arena, rows, count, sizeof *rows);
            rows[count++].name = l->def.sections[i].name;
        }
    }
    return table_nearest(rows, count, sizeof *rows, span_of(profile));
}

static void mark_profile(struct load *l, const char *profile, bool *marks)
{
    bool found = profile_section(l, profile, marks);
    for (size_t i = 0; i < l->spec->service_count; i++) {
        for (char **p = l->spec->services[i].profiles; *p != NULL; p++) {
            if (strcmp(*p, profile) == 0) {
                marks[i] = true;
                found = true;
            }
        }
    }
    if (!found) {
        problems_add(l->problems, NULL, 0, 0, load_did_you_mean(l, nearest_profile(l, profile)),
                     "no profile \"%s\"", profile);
    }
}

void select_services(struct load *l)
{
    const struct spec_request *request = l->request;
    struct spec *spec = l->spec;
    bool *marks = arena_alloc(l->arena, spec->service_count + 1);
    bool *out = arena_alloc(l->arena, spec->service_count + 1);
    for (size_t i = 0; i < spec->service_count; i++) {
        marks[i] = spec->services[i].profiles[0] == NULL;
    }
    for (size_t i = 0; request->profiles != NULL && request->profiles[i] != NULL; i++) {
        mark_profile(l, request->profiles[i], marks);
    }
    mark_names(l, request->with, marks);
    mark_names(l, request->names, marks);
    mark_names(l, request->except, out);
    for (size_t i = 0; i < spec->service_count; i++) {
        spec->services[i].excluded = out[i];
        marks[i] = marks[i] && !out[i];
    }
    graph_close_over_needs(spec, marks);
    for (size_t i = 0; i < spec->service_count; i++) {
        spec->services[i].selected = marks[i];
    }
}
