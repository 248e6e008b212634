/*
 * What this room is for.      From the effective sections to services, tasks and [stack] (see
 * service.h). What it may touch.          base and this room. Who calls it.               spec.c;
 * procfile.c for the defaults. The one invariant.          References are indices; every name was
 * looked up before anything is read.
 */
#include "stack/service.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

#include "base/numbers.h"
#include "stack/expand.h"
#include "stack/setters.h"
#include "stack/text.h"
#include "stack/values.h"

#define LOG_KEEP_DEFAULT (256ULL * 1024 * 1024)

void service_defaults(struct load *l, struct spec_service *out)
{
    out->volumes = list_append(l->arena, NULL, NULL);
    out->container_options = list_append(l->arena, NULL, NULL);
    out->profiles = list_append(l->arena, NULL, NULL);
    out->inputs = list_append(l->arena, NULL, NULL);
    out->stale_on = list_append(l->arena, NULL, NULL);
    out->directory = l->spec->root;
    out->ready_timeout_ms = 60000;
    out->alive_interval_ms = 10000;
    out->alive_failures = 3;
    out->alive_action = ALIVE_MARK;
    out->restart = RESTART_NO;
    out->restart_delay_ms = 500;
    out->restart_limit = 5;
    out->restart_window_ms = 60000;
    out->stop[0] = (struct spec_stop){.signal = SIGTERM, .wait_ms = 10000};
    out->stop[1] = (struct spec_stop){.signal = SIGKILL};
    out->stop_count = 2;
    out->success_codes[0] = true;
    out->log_keep = LOG_KEEP_DEFAULT;
}

static bool is_runnable(const struct ini_section *section)
{
    return strcmp(section->kind, "service") == 0 || strcmp(section->kind, "task") == 0;
}

void services_collect(struct load *l)
{
    struct spec *spec = l->spec;
    size_t most = l->def.count;
    spec->services = arena_alloc(l->arena, (most + 1) * sizeof *spec->services);
    l->sources = arena_alloc(l->arena, (most + 1) * sizeof(struct ini_section *));
    l->lazy = arena_alloc(l->arena, (most + 1) * sizeof *l->lazy);
    for (size_t i = 0; i < most; i++) {
        struct ini_section *section = &l->def.sections[i];
        if (!is_runnable(section) || section->repeated) {
            continue;
        }
        struct spec_service *service = &spec->services[spec->service_count];
        l->sources[spec->service_count++] = section;
        service_defaults(l, service);
        service->name = section->name;
        service->kind = strcmp(section->kind, "task") == 0 ? SPEC_TASK : SPEC_SERVICE;
        service->at = section->at;
    }
}

/* A line of the section could not be read or has an unknown key: it may well have been the command. */
static bool has_broken_line(const struct load *l, const struct ini_section *section)
{
    unsigned end = UINT_MAX;
    for (size_t i = 0; i < l->spec->service_count; i++) {
        const struct origin *at = &l->sources[i]->at;
        if (strcmp(at->file, section->at.file) == 0 && at->line > section->at.line && at->line < end) {
            end = at->line;
        }
    }
    for (size_t i = 0; i < l->problems->count; i++) {
        const struct problem *p = &l->problems->items[i];
        bool here = p->file != NULL && strcmp(p->file, section->at.file) == 0 &&
                    p->line > section->at.line && p->line < end;
        static const char *const of_keys[] = {"unknown key", "expected", "bad key", "no \"=\"",
                                              "no key", "invalid UTF-8", "a NUL", "a line of",
                                              "command has", "shell has", "image has"};
        for (size_t k = 0; here && k < COUNT_OF(of_keys); k++) {
            if (strncmp(p->message, of_keys[k], strlen(of_keys[k])) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* What only the whole section can tell. */
static void check_section(struct load *l, size_t i)
{
    const struct ini_section *section = l->sources[i];
    const struct ini_entry *command = load_entry(section, "command");
    const struct ini_entry *shell = load_entry(section, "shell");
    const struct ini_entry *image = load_entry(section, "image");
    static const char *const of_images[] = {"fallback", "container-port", "volume",
                                            "container-option"};
    if (command == NULL && shell == NULL && image == NULL && !has_broken_line(l, section)) {
        load_problem(l, section->at, "add command = …", "[%s %s] has no command, shell or image",
                     section->kind, section->name);
    }
    if (command != NULL && shell != NULL) {
        const struct ini_entry *second = shell->at.line > command->at.line ? shell : command;
        load_problem(l, second->at, "keep one of them", "[%s %s] has both command and shell",
                     section->kind, section->name);
    }
    for (size_t k = 0; image == NULL && k < COUNT_OF(of_images); k++) {
        const struct ini_entry *entry = load_entry(section, of_images[k]);
        if (entry != NULL) {
            load_problem(l, entry->at, NULL, "%s goes only with image", of_images[k]);
        }
    }
    const struct ini_entry *adopt = load_entry(section, "adopt");
    if (adopt != NULL && l->spec->services[i].adopt && load_entry(section, "port") == NULL) {
        load_problem(l, adopt->at, "add port = …", "adopt needs a port to look at");
    }
}

static void finish_service(struct load *l, size_t i)
{
    struct spec_service *service = &l->spec->services[i];
    if (service->shell != NULL) {
        char **argv = list_append(l->arena, NULL, "/bin/sh");
        argv = list_append(l->arena, argv, "-c");
        service->argv = list_append(l->arena, argv, service->shell);
    }
    if (service->url == NULL && load_entry(l->sources[i], "url") == NULL) {
        (void)expand_url(l, (int)i, &service->url);
    }
}

void services_compile(struct load *l)
{
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < l->spec->service_count; i++) {
            const struct ini_section *section = l->sources[i];
            for (size_t k = 0; k < section->count; k++) {
                if (section->entries[k].value[0] != '\0') {
                    service_set(l, (int)i, &section->entries[k], round == 1);
                }
            }
        }
    }
    for (size_t i = 0; i < l->spec->service_count; i++) {
        check_section(l, i);
        finish_service(l, i);
    }
}

static void stack_limit(struct load *l, const struct ini_entry *e, const char *text)
{
    if (strcmp(text, "none") == 0) {
        l->spec->start_limit = 0;
        return;
    }
    (void)value_count(l, e, text, 100000, &l->spec->start_limit);
}

static void stack_entry(struct load *l, const struct ini_entry *e, uint64_t *log_keep)
{
    struct spec *spec = l->spec;
    if (strcmp(e->key, "environment") == 0) {
        struct spec_var var = {0};
        if (value_variable(l, LOAD_NO_SERVICE, span_of(e->value), e->value_at, e->key, &var)) {
            spec->vars = arena_grow(l->arena, spec->vars, spec->var_count, sizeof var);
            spec->vars[spec->var_count++] = var;
        }
        return;
    }
    bool early = strcmp(e->key, "name") == 0 || strcmp(e->key, "include") == 0;
    const char *text = early ? NULL : expand_entry(l, LOAD_NO_SERVICE, e);
    if (text == NULL) {
        return;
    }
    if (strcmp(e->key, "env-file") == 0) {
        struct spec_env_file file = {0};
        if (value_env_file(l, e, text, &file)) {
            spec->env_files =
                arena_grow(l->arena, spec->env_files, spec->env_file_count, sizeof file);
            spec->env_files[spec->env_file_count++] = file;
        }
    } else if (strcmp(e->key, "log-keep") == 0) {
        (void)value_size(l, e, text, log_keep);
    } else if (strcmp(e->key, "start-limit") == 0) {
        stack_limit(l, e, text);
    } else if (strcmp(e->key, "shutdown-timeout") == 0) {
        (void)value_duration(l, e, text, 1, &spec->shutdown_timeout_ms);
    }
}

void stack_compile(struct load *l)
{
    uint64_t log_keep = LOG_KEEP_DEFAULT;
    l->spec->shutdown_timeout_ms = 30000;
    for (size_t i = 0; i < l->def.count; i++) {
        const struct ini_section *section = &l->def.sections[i];
        if (strcmp(section->kind, "stack") != 0) {
            continue;
        }
        for (size_t k = 0; k < section->count; k++) {
            if (section->entries[k].value[0] != '\0') {
                stack_entry(l, &section->entries[k], &log_keep);
            }
        }
    }
    for (size_t i = 0; i < l->spec->service_count; i++) {
        l->spec->services[i].log_keep = log_keep;
    }
}

void services_apply_gifts(struct load *l)
{
    for (size_t i = 0; i < l->gift_count; i++) {
        const struct load_gift *gift = &l->gifts[i];
        const struct spec_service *giver = &l->spec->services[gift->giver];
        struct spec_service *out = &l->spec->services[gift->receiver];
        if (giver->selected && !giver->excluded) {
            out->vars = arena_grow(l->arena, out->vars, out->var_count, sizeof *out->vars);
            out->vars[out->var_count++] = gift->var;
        }
    }
}
