/*
 * What this room is for.      Loads a definition from finding it to the finished spec (see spec.h).
 * What it may touch.          base and this room; reads the definition's files.
 * Who calls it.               control's server and client, ui.
 * The one invariant.          Either a whole, checked spec, or all of its problems, sorted.
 */
#include "stack/spec.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "stack/collect.h"
#include "stack/discover.h"
#include "stack/graph.h"
#include "stack/keys.h"
#include "stack/layers.h"
#include "stack/load.h"
#include "stack/procfile.h"
#include "stack/refs.h"
#include "stack/select.h"
#include "stack/service.h"
#include "stack/text.h"

/* The definition's text: the file's, or what is compiled in. */
static int read_definition(const struct discovery *found, struct arena *arena, struct span *text,
                           struct fault *why)
{
    if (found->is_builtin) {
        *text = found->builtin;
        return 0;
    }
    return text_read(found->file, arena, text, why);
}

static const char *local_path(const struct discovery *found, struct arena *arena)
{
    return path_join(arena, found->root, "roadie.local.ini");
}

/* -p, else [stack] name of roadie.local.ini, of the definition, else the directory's name. A name
 * that is none counts as not given: the load reports it. */
static const char *stack_name(const struct spec_request *request, const struct discovery *found,
                              struct span text, struct arena *arena)
{
    struct span local = {0};
    const char *name = request->project;
    if (name == NULL && !found->is_procfile) {
        if (text_read(local_path(found, arena), arena, &local, NULL) == 0) {
            name = layers_stack_name(local, arena);
        }
        if (name == NULL || !name_is_valid(span_of(name))) {
            name = layers_stack_name(text, arena);
        }
    }
    bool usable = name != NULL && name_is_valid(span_of(name));
    return usable ? arena_strdup(arena, name) : discover_name(found->root, arena);
}

int spec_locate(const struct spec_request *request, struct arena *arena, struct spec_place *out,
                struct fault *why)
{
    struct discovery found = {0};
    struct span text = {0};
    if (request->project != NULL && !name_is_valid(span_of(request->project))) {
        /* never another stack than the one that was meant */
        (void)fault_set(why, -EINVAL, "-p: \"%s\" is not a name",
                        text_quote(arena, span_of(request->project)));
        return fault_hint(why, "names are [a-z0-9][a-z0-9_-]{0,31}");
    }
    int rc = discover(request, arena, &found, why);
    if (rc != 0) {
        return rc;
    }
    (void)read_definition(&found, arena, &text,
                          NULL); /* unreadable: the directory's name will do */
    *out = (struct spec_place){.root = found.root, .file = found.file, .file_shown = found.shown};
    out->name = stack_name(request, &found, text, arena);
    out->id = discover_id(&found, out->name, arena);
    return 0;
}

/* ~/.config/roadie/NAME.ini, then roadie.local.ini beside the definition. */
static void read_overrides(struct load *l, const struct discovery *found)
{
    const char *config = ref_shell(l, SPAN_LIT("XDG_CONFIG_HOME"));
    const char *home = ref_shell(l, SPAN_LIT("HOME"));
    const char *base = NULL;
    if (config != NULL && config[0] == '/') {
        base = config;
    } else if (home != NULL && home[0] == '/') {
        base = path_join(l->arena, home, ".config");
    }
    if (base != NULL) {
        const char *path = arena_printf(l->arena, "%s/roadie/%s.ini", base, l->spec->name);
        layers_override(l, path, path);
    }
    const char *local = local_path(found, l->arena);
    if (strcmp(local, found->file) != 0) {
        layers_override(l, local, arena_printf(l->arena, "%sroadie.local.ini", found->prefix));
    }
}

/* [stack] name and -p must be names. */
static void check_name(struct load *l)
{
    for (size_t i = 0; i < l->def.count; i++) {
        const struct ini_section *section = &l->def.sections[i];
        const struct ini_entry *entry =
            strcmp(section->kind, "stack") == 0 ? load_entry(section, "name") : NULL;
        if (entry != NULL && *entry->value != '\0' && !name_is_valid(span_of(entry->value))) {
            load_problem(l, entry->value_at, "names are [a-z0-9][a-z0-9_-]{0,31}",
                         "name: \"%s\" is not a name", text_quote(l->arena, span_of(entry->value)));
        }
    }
}

static void check_project(struct load *l)
{
    const char *project = l->request->project;
    if (project != NULL && !name_is_valid(span_of(project))) {
        problems_add(l->problems, NULL, 0, 0, "names are [a-z0-9][a-z0-9_-]{0,31}",
                     "--project: \"%s\" is not a name", text_quote(l->arena, span_of(project)));
    }
}

static void check_profiles(struct load *l)
{
    for (size_t i = 0; i < l->def.count; i++) {
        const struct ini_section *section = &l->def.sections[i];
        for (size_t k = 0; strcmp(section->kind, "profile") == 0 && k < section->count; k++) {
            const struct ini_entry *entry = &section->entries[k];
            struct span rest = span_of(entry->value);
            struct span name = {0};
            struct span tail = {0};
            while (strcmp(entry->key, "services") == 0 && rest.len > 0) {
                (void)span_split(rest, ' ', &name, &tail);
                if (load_find(l, span_trim(name)) < 0) {
                    load_unknown(l, entry->value_at, span_trim(name), " in services");
                }
                rest = span_trim(tail);
            }
        }
    }
}

/* Two selected services on one port: legal (one may be a stand-in), but rarely meant. */
static void warn_ports(struct load *l)
{
    const struct spec *spec = l->spec;
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct spec_service *a = &spec->services[i];
        for (size_t k = 0; k < i; k++) {
            const struct spec_service *b = &spec->services[k];
            if (a->selected && b->selected && a->port != 0 && a->port == b->port) {
                load_warning(l, a->port_at, NULL, "port %u is also that of %s", a->port, b->name);
            }
        }
    }
}

static void add_cli_files(struct load *l, const char *start)
{
    struct spec *spec = l->spec;
    char *const *files = l->request->env_files;
    for (; files != NULL && *files != NULL; files++) {
        spec->env_files =
            arena_grow(l->arena, spec->env_files, spec->env_file_count, sizeof *spec->env_files);
        spec->env_files[spec->env_file_count++] = (struct spec_env_file){
            .path = path_join(l->arena, start, *files),
            .shown = arena_strdup(l->arena, *files),
        };
        spec->env_file_cli++;
    }
}

static void load_ini(struct load *l, const struct discovery *found, struct span text)
{
    layers_read(l, found->shown, text, l->spec->root, found->prefix);
    read_overrides(l, found);
    check_name(l);
    services_collect(l);
    stack_compile(l);
    services_compile(l);
    check_profiles(l);
    graph_check_cycles(l->spec, l->problems);
    if (l->spec->service_count == 0 && l->problems->count == 0) {
        problems_add(l->problems, found->shown, 0, 0, "write a section like [service web]",
                     "no service in it");
    }
}

static void load_all(struct load *l, const struct discovery *found, struct span text)
{
    check_project(l);
    if (found->is_procfile) {
        procfile_load(l, found->shown, text);
    } else {
        load_ini(l, found, text);
    }
    if (!found->is_procfile && l->request->can_die != NULL && l->request->can_die[0] != NULL) {
        problems_add(l->problems, NULL, 0, 0, NULL, "--can-die goes only with a Procfile");
    }
    select_services(l);
    add_cli_files(l, found->start);
    if (found->is_procfile) {
        config_collect_procfile(l);
    } else {
        config_collect(l);
    }
    services_apply_gifts(l);
    warn_ports(l);
}

int spec_load(const struct spec_request *request, struct spec **out, struct problems *problems,
              struct fault *why)
{
    struct spec *spec = mem_calloc(1, sizeof *spec);
    struct arena *arena = &spec->arena;
    struct discovery found = {0};
    struct span text = {0};
    size_t before = problems->count;
    *out = NULL;
    int rc = discover(request, arena, &found, why);
    if (rc == 0) {
        rc = read_definition(&found, arena, &text, why);
    }
    if (rc != 0) {
        spec_free(spec);
        return rc;
    }
    spec->root = found.root;
    spec->file = found.file;
    spec->file_shown = found.shown;
    spec->is_procfile = found.is_procfile;
    spec->name = stack_name(request, &found, text, arena);
    spec->id = discover_id(&found, spec->name, arena);
    struct load load = {.request = request, .spec = spec, .arena = arena, .problems = problems};
    load_all(&load, &found, text);
    problems_sort(&spec->warnings);
    if (problems->count > before) {
        problems_sort(problems);
        (void)fault_set(why, -EINVAL, "%s is broken", spec->file_shown);
        spec_free(spec);
        return -EINVAL;
    }
    *out = spec;
    return 0;
}

void spec_free(struct spec *spec)
{
    if (spec != NULL) {
        problems_fini(&spec->warnings);
        struct arena arena = spec->arena;
        arena_fini(&arena);
        mem_free(spec);
    }
}
