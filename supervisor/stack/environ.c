/*
 * What this room is for.      The environment of a service, layer by layer (see environ.h).
 * What it may touch.          base and this room; reads the env-files.
 * Who calls it.               The engine before a start; ui for env, run and exec.
 * The one invariant.          A later layer beats an earlier one, and what it hides is remembered.
 */
#include "stack/environ.h"

#include <errno.h>
#include <string.h>

#include "stack/dotenv.h"
#include "stack/secrets.h"
#include "stack/text.h"

struct builder {
    const struct spec *spec;
    struct arena *arena;
    struct env *env;
    struct problems *problems;
    bool broken;
};

static size_t position(const struct env *env, const char *name, bool *found)
{
    size_t low = 0;
    size_t high = env->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(env->items[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void hide(struct builder *b, struct env_var *var)
{
    struct env_shadow *shadows = arena_alloc(b->arena, (var->shadow_count + 1) * sizeof *shadows);
    shadows[0] = (struct env_shadow){var->source, var->at};
    if (var->shadow_count > 0) {
        memcpy(shadows + 1, var->shadows, var->shadow_count * sizeof *shadows);
    }
    var->shadows = shadows;
    var->shadow_count++;
}

static void put(struct builder *b, const char *name, const char *value, enum env_source source,
                struct origin at)
{
    struct env *env = b->env;
    bool found = false;
    size_t i = position(env, name, &found);
    if (found) {
        hide(b, &env->items[i]);
    } else {
        env->items = arena_grow(b->arena, env->items, env->count, sizeof *env->items);
        memmove(env->items + i + 1, env->items + i, (env->count - i) * sizeof *env->items);
        env->items[i] = (struct env_var){.name = name};
        env->count++;
    }
    env->items[i].value = value;
    env->items[i].source = source;
    env->items[i].at = at;
    env->items[i].secret = secret_name(name) && secret_value(span_of(value));
}

static void put_shell(struct builder *b, char *const *shell)
{
    for (; shell != NULL && *shell != NULL; shell++) {
        struct span name = {0};
        struct span value = {0};
        if (span_split(span_of(*shell), '=', &name, &value) && name.len > 0) {
            put(b, arena_copy(b->arena, name), arena_copy(b->arena, value), ENV_SHELL,
                (struct origin){0});
        }
    }
}

static const char *on_lookup(void *ctx, const char *name)
{
    const struct builder *b = ctx;
    const struct env_var *var = env_find(b->env, name);
    return var != NULL ? var->value : NULL;
}

static void complain(struct builder *b, const struct spec_env_file *file, const char *text)
{
    problems_add(b->problems, file->at.file, file->at.line, file->at.column,
                 "end it in ? if it may be missing", "env-file \"%s\": %s", file->shown, text);
    b->broken = true;
}

static void put_file(struct builder *b, const struct spec_env_file *file)
{
    struct span text = {0};
    struct dotenv parsed = {0};
    int rc = text_read(file->path, b->arena, &text, NULL);
    if (rc == -ENOENT && file->optional) {
        return;
    }
    if (rc != 0) {
        complain(b, file, strerror(-rc));
        return;
    }
    dotenv_parse(text, on_lookup, b, b->arena, &parsed);
    for (size_t i = 0; i < parsed.error_count; i++) {
        const struct dotenv_error *error = &parsed.errors[i];
        problems_add(b->problems, file->shown, error->line, error->column, NULL,
                     "%s (the text of the line is not shown)", error->what);
        b->broken = true;
    }
    for (size_t i = 0; i < parsed.count; i++) {
        const struct dotenv_item *item = &parsed.items[i];
        struct origin at = {file->shown, item->line, item->column};
        if (strchr(item->name, '=') != NULL) {
            problems_add(b->problems, at.file, at.line, at.column, NULL,
                         "a name with \"=\" in it cannot be exported");
            b->broken = true;
        } else if (item->value != NULL) {
            put(b, item->name, item->value, ENV_FILE, at);
        }
    }
}

static void put_files(struct builder *b, const struct spec_env_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_file(b, &files[i]);
    }
}

static void put_vars(struct builder *b, const struct spec_var *vars, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(b, vars[i].name, vars[i].value, ENV_DEFINITION, vars[i].at);
    }
}

static void put_port(struct builder *b, const struct spec_service *service)
{
    if (service->port > 0) {
        put(b, "PORT", arena_printf(b->arena, "%u", service->port),
            service->port_at.line > 0 ? ENV_DEFINITION : ENV_ROADIE, service->port_at);
    }
}

static void put_own(struct builder *b, const struct spec_service *service, uint32_t run)
{
    struct origin nowhere = {0};
    put(b, "ROADIE_STACK", b->spec->id, ENV_ROADIE, nowhere);
    if (service != NULL) {
        put(b, "ROADIE_SERVICE", service->name, ENV_ROADIE, nowhere);
    }
    if (run > 0) {
        put(b, "ROADIE_RUN", arena_printf(b->arena, "%u", (unsigned)run), ENV_ROADIE, nowhere);
    }
}

static int build(const struct spec *spec, const struct spec_service *service, bool in_container,
                 uint32_t run, char *const *shell, struct arena *arena, struct env *out,
                 struct problems *problems)
{
    struct builder b = {.spec = spec, .arena = arena, .env = out, .problems = problems};
    size_t own_files = spec->env_file_count - spec->env_file_cli;
    *out = (struct env){0};
    if (!in_container) {
        put_shell(&b, shell);
    }
    put_files(&b, spec->env_files, own_files);
    if (service != NULL) {
        put_files(&b, service->env_files, service->env_file_count);
    }
    if (spec->env_file_cli > 0) {
        put_files(&b, &spec->env_files[own_files], spec->env_file_cli);
    }
    if (service != NULL && !in_container) {
        put_port(&b, service);
    }
    put_vars(&b, spec->vars, spec->var_count);
    if (service != NULL) {
        put_vars(&b, service->vars, service->var_count);
    }
    put_own(&b, service, run);
    return b.broken ? -EINVAL : 0;
}

int env_build(const struct spec *spec, const struct spec_service *service, uint32_t run,
              char *const *shell, struct arena *arena, struct env *out, struct problems *problems)
{
    bool in_container = service != NULL && service->image != NULL;
    return build(spec, service, in_container, run, shell, arena, out, problems);
}

int env_build_fallback(const struct spec *spec, const struct spec_service *service, uint32_t run,
                       char *const *shell, struct arena *arena, struct env *out,
                       struct problems *problems)
{
    return build(spec, service, false, run, shell, arena, out, problems);
}

static bool is_reported(const struct problems *problems, const struct problem *mine)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *other = &problems->items[i];
        bool same_file = mine->file == NULL
                             ? other->file == NULL
                             : other->file != NULL && strcmp(mine->file, other->file) == 0;
        if (same_file && mine->line == other->line && mine->column == other->column &&
            strcmp(mine->message, other->message) == 0) {
            return true;
        }
    }
    return false;
}

int env_check(const struct spec *spec, char *const *shell, struct problems *problems)
{
    int rc = 0;
    for (size_t i = 0; i < spec->service_count; i++) {
        struct arena arena = {0};
        struct env env = {0};
        struct problems found = {0};
        if (spec->services[i].selected &&
            env_build(spec, &spec->services[i], 0, shell, &arena, &env, &found) != 0) {
            rc = -EINVAL;
        }
        for (size_t k = 0; k < found.count; k++) {
            const struct problem *p = &found.items[k];
            if (!is_reported(problems, p)) {
                problems_add(problems, p->file, p->line, p->column, p->hint, "%s", p->message);
            }
        }
        problems_fini(&found);
        arena_fini(&arena);
    }
    problems_sort(problems);
    return rc;
}

char **env_vector(const struct env *env, struct arena *arena)
{
    char **list = arena_alloc(arena, (env->count + 1) * sizeof *list);
    for (size_t i = 0; i < env->count; i++) {
        list[i] = arena_printf(arena, "%s=%s", env->items[i].name, env->items[i].value);
    }
    return list;
}

const struct env_var *env_find(const struct env *env, const char *name)
{
    bool found = false;
    size_t i = position(env, name, &found);
    return found ? &env->items[i] : NULL;
}

const char *env_source_name(enum env_source source)
{
    static const char *const names[] = {
        [ENV_SHELL] = "shell",
        [ENV_FILE] = "file",
        [ENV_DEFINITION] = "definition",
        [ENV_ROADIE] = "roadie",
    };
    return names[source];
}
