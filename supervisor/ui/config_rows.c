/*
 * What this room is for.      Writing spec structs as the keys that made them.
 * What it may touch.          stack/spec.h, read only.
 * Who calls it.               cmd_config.c, tests
 * The one invariant.          Read again, the rows give the same spec; defaults are left out.
 */
#include "ui/config_rows.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/numbers.h"
#include "ui/graph_art.h"

struct rows {
    const struct spec *spec;
    struct origin at;       /* the section's */
    config_fn fn;
    void *ctx;
    struct buf value;
};

static void emit(struct rows *r, const char *key, const struct origin *at)
{
    r->fn(r->ctx, key, r->value.ptr != NULL ? r->value.ptr : "", at != NULL ? at : &r->at);
    buf_clear(&r->value);
}

static void emit_text(struct rows *r, const char *key, const char *text)
{
    if (text != NULL) {
        (void)buf_puts(&r->value, text);
        emit(r, key, NULL);
    }
}

static void emit_number(struct rows *r, const char *key, uint64_t number)
{
    (void)buf_printf(&r->value, "%llu", (unsigned long long)number);
    emit(r, key, NULL);
}

/* Exact, unlike format_duration: the unit that loses nothing. */
static void add_duration(struct rows *r, uint64_t ms)
{
    if (ms % 1000 != 0 || ms == 0) {
        (void)buf_printf(&r->value, "%llums", (unsigned long long)ms);
    } else if (ms % 60000 != 0) {
        (void)buf_printf(&r->value, "%llus", (unsigned long long)(ms / 1000));
    } else {
        (void)buf_printf(&r->value, "%llum", (unsigned long long)(ms / 60000));
    }
}

static void emit_duration(struct rows *r, const char *key, uint64_t ms, uint64_t standard)
{
    if (ms != standard) {
        add_duration(r, ms);
        emit(r, key, NULL);
    }
}

/* A word as the loader splits words: quoted when it has to be. */
static void add_word(struct rows *r, const char *word)
{
    if (r->value.len > 0) {
        (void)buf_putc(&r->value, ' ');
    }
    if (word[0] != '\0' && strpbrk(word, " \t'\"\\") == NULL) {
        (void)buf_puts(&r->value, word);
        return;
    }
    (void)buf_putc(&r->value, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            (void)buf_puts(&r->value, "'\\''");
        } else {
            (void)buf_putc(&r->value, *word);
        }
    }
    (void)buf_putc(&r->value, '\'');
}

static void emit_words(struct rows *r, const char *key, char *const *words)
{
    if (words == NULL) {
        return;
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        add_word(r, words[i]);
    }
    emit(r, key, NULL);
}

static void emit_list(struct rows *r, const char *key, char *const *items)
{
    for (size_t i = 0; items != NULL && items[i] != NULL; i++) {
        emit_text(r, key, items[i]);
    }
}

static const char *relative(const struct spec *spec, const char *path)
{
    size_t len = strlen(spec->root);
    if (strncmp(path, spec->root, len) != 0) {
        return path;
    }
    if (path[len] == '\0') {
        return ".";
    }
    return path[len] == '/' ? path + len + 1 : path;
}

static void emit_files(struct rows *r, const char *key, const struct spec_env_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)buf_printf(&r->value, "%s%s", relative(r->spec, files[i].path),
                         files[i].optional ? "?" : "");
        emit(r, key, &files[i].at);
    }
}

static void emit_vars(struct rows *r, const struct spec_var *vars, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)buf_printf(&r->value, "%s=%s", vars[i].name, vars[i].value);
        emit(r, "environment", &vars[i].at);
    }
}

void config_stack_rows(const struct spec *spec, config_fn fn, void *ctx)
{
    struct rows r = {.spec = spec, .at = {.file = spec->file_shown}, .fn = fn, .ctx = ctx};
    emit_text(&r, "name", spec->name);
    emit_files(&r, "env-file", spec->env_files, spec->env_file_count);
    emit_vars(&r, spec->vars, spec->var_count);
    if (spec->start_limit > 0) {
        emit_number(&r, "start-limit", spec->start_limit);
    }
    emit_duration(&r, "shutdown-timeout", spec->shutdown_timeout_ms, 30000);
    buf_fini(&r.value);
}

static void emit_what(struct rows *r, const struct spec_service *s)
{
    emit_text(r, "description", s->description);
    emit_text(r, "image", s->image);
    if (s->shell != NULL) {
        emit_text(r, "shell", s->shell);
    } else {
        emit_words(r, "command", s->argv);
    }
    emit_words(r, "fallback", s->fallback);
    if (strcmp(relative(r->spec, s->directory), ".") != 0) {
        emit_text(r, "directory", relative(r->spec, s->directory));
    }
    if (s->port != 0) {
        emit_number(r, "port", s->port);
    }
    if (s->container_port != 0 && s->container_port != s->port) {
        emit_number(r, "container-port", s->container_port);
    }
    emit_list(r, "volume", s->volumes);
    emit_list(r, "container-option", s->container_options);
    emit_files(r, "env-file", s->env_files, s->env_file_count);
    emit_files(r, "env-owned", s->env_owned, s->env_owned_count);
    emit_vars(r, s->vars, s->var_count);
    emit_list(r, "inputs", s->inputs);
}

static void emit_when(struct rows *r, const struct spec_service *s)
{
    for (size_t i = 0; i < s->need_count; i++) {
        (void)buf_printf(&r->value, "%s:%s", r->spec->services[s->needs[i].service].name,
                         need_condition_name(s->needs[i].condition));
        emit(r, "depends-on", &s->needs[i].at);
    }
    for (size_t i = 0; i < s->ready_count; i++) {
        emit_text(r, "ready", s->ready[i].text);
    }
    emit_duration(r, "ready-timeout", s->ready_timeout_ms, 60000);
    for (size_t i = 0; i < s->alive_count; i++) {
        emit_text(r, "alive", s->alive[i].text);
    }
    if (s->alive_count > 0) {
        emit_duration(r, "alive-interval", s->alive_interval_ms, 10000);
        if (s->alive_failures != 3) {
            emit_number(r, "alive-failures", s->alive_failures);
        }
        emit_text(r, "alive-action", s->alive_action == ALIVE_RESTART ? "restart" : NULL);
    }
    emit_list(r, "profile", s->profiles);
}

static void emit_stop(struct rows *r, const struct spec_service *s)
{
    for (size_t i = 0; i < s->stop_count; i++) {
        (void)buf_printf(&r->value, "%s%s", i > 0 ? ", " : "", signal_name(s->stop[i].signal));
        if (s->stop[i].wait_ms > 0) {
            (void)buf_putc(&r->value, ' ');
            add_duration(r, s->stop[i].wait_ms);
        }
    }
    if (strcmp(r->value.ptr != NULL ? r->value.ptr : "", "TERM 10s, KILL") != 0 && s->stop_count > 0) {
        emit(r, "stop", NULL);
    }
    buf_clear(&r->value);
}

static void emit_end(struct rows *r, const struct spec_service *s)
{
    if (s->restart != RESTART_NO) {
        emit_text(r, "restart", s->restart == RESTART_ALWAYS ? "always" : "on-failure");
        emit_duration(r, "restart-delay", s->restart_delay_ms, 500);
        if (s->restart_limit == 0) {
            emit_text(r, "restart-limit", "none");
        } else if (s->restart_limit != 5 || s->restart_window_ms != 60000) {
            (void)buf_printf(&r->value, "%u in ", s->restart_limit);
            add_duration(r, s->restart_window_ms);
            emit(r, "restart-limit", NULL);
        }
    }
    emit_stop(r, s);
    size_t codes = 0;
    for (unsigned i = 0; i < COUNT_OF(s->success_codes); i++) {
        if (s->success_codes[i]) {
            (void)buf_printf(&r->value, "%s%u", codes++ > 0 ? " " : "", i);
        }
    }
    if (codes != 1 || !s->success_codes[0]) {
        emit(r, "success-codes", NULL);
    }
    buf_clear(&r->value);
    emit_text(r, "adopt", s->adopt ? "yes" : NULL);
    emit_text(r, "tty", s->tty ? "yes" : NULL);
    emit_text(r, "stdin", s->stdin_mode == STDIN_OPEN ? "open" : NULL);
    emit_text(r, "url", s->url);
}

void config_service_rows(const struct spec *spec, const struct spec_service *service, config_fn fn,
                         void *ctx)
{
    struct rows r = {.spec = spec, .at = service->at, .fn = fn, .ctx = ctx};
    emit_what(&r, service);
    emit_when(&r, service);
    emit_end(&r, service);
    buf_fini(&r.value);
}
