/*
 * What this room is for.      roadie env: every variable, its source, what it shadows.
 * What it may touch.          stack/environ.h
 * Who calls it.               commands.c
 * The one invariant.          A secret's value leaves only with --reveal.
 */
#include <string.h>

#include "control/protocol.h"
#include "logs/view.h"
#include "stack/environ.h"
#include "ui/commands.h"
#include "ui/grid.h"
#include "ui/print.h"
#include "ui/target.h"

struct env_view {
    struct app *app;
    const struct spec *spec;
    const struct spec_service *service; /* NULL: the stack's own */
    const struct env *env;
    bool reveal;
};

/* The value as it may be shown, in the arena. */
static const char *shown_value(const struct env_view *v, const struct env_var *var)
{
    if (v->reveal) {
        return var->value;
    }
    struct buf masked = {0};
    redactor_mask(v->app->redactor, span_of(var->value), &masked);
    const char *text = arena_copy(&v->app->arena, buf_span(&masked));
    buf_fini(&masked);
    return text;
}

static const char *source_text(const struct env_view *v, enum env_source source,
                               const struct origin *at)
{
    if (at->file == NULL) {
        return env_source_name(source);
    }
    return at->line > 0 ? arena_printf(&v->app->arena, "%s:%u", at->file, at->line) : at->file;
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *line_or_null(unsigned line)
{
    return line > 0 ? json_integer(line) : json_null();
}

static json_t *variable_json(const struct env_view *v, const struct env_var *var)
{
    json_t *shadows = json_array();
    for (size_t i = 0; i < var->shadow_count; i++) {
        const struct env_shadow *s = &var->shadows[i];
        (void)json_array_append_new(
            shadows, json_pack("{s:s,s:o,s:o}", "source", env_source_name(s->source), "file",
                               text_or_null(s->at.file), "line", line_or_null(s->at.line)));
    }
    const char *value = shown_value(v, var);
    json_t *text = json_string(value);
    if (text == NULL) { /* not UTF-8: JSON has no way to say it exactly */
        struct buf clean = {0};
        sanitise(span_of(value), false, &clean);
        text = json_stringn(clean.ptr, clean.len);
        buf_fini(&clean);
    }
    return json_pack("{s:s,s:o,s:s,s:o,s:o,s:b,s:o}", "name", var->name, "value",
                     text != NULL ? text : json_null(), "source", env_source_name(var->source),
                     "file", text_or_null(var->at.file), "line", line_or_null(var->at.line), "secret",
                     var->secret, "shadows", shadows);
}

static void print_as_json(const struct env_view *v, const char *only)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->env->count; i++) {
        if (only == NULL || strcmp(v->env->items[i].name, only) == 0) {
            (void)json_array_append_new(list, variable_json(v, &v->env->items[i]));
        }
    }
    print_json(v->app, json_pack("{s:i,s:o,s:o}", "v", 1, "service",
                                 text_or_null(v->service != NULL ? v->service->name : NULL),
                                 "variables", list));
}

static void print_table(const struct env_view *v)
{
    struct grid g = {.columns = 3};
    grid_add(&g, "1", "VARIABLE");
    grid_add(&g, "1", "SOURCE");
    grid_add(&g, "1", "VALUE");
    for (size_t i = 0; i < v->env->count; i++) {
        const struct env_var *var = &v->env->items[i];
        grid_add(&g, NULL, var->name);
        grid_add(&g, "2", source_text(v, var->source, &var->at));
        grid_add(&g, var->secret ? "33" : NULL, shown_value(v, var));
    }
    struct buf out = {0};
    grid_print(&g, v->app->out_colour, &out);
    print_out(&out);
    buf_fini(&out);
    grid_fini(&g);
}

static int print_why(const struct env_view *v, const char *name)
{
    const struct env_var *var = env_find(v->env, name);
    if (v->app->json) {
        print_as_json(v, name);
        return var != NULL ? EXIT_DONE : EXIT_FAILED;
    }
    if (var == NULL) {
        return print_failure(v->app, EXIT_FAILED, NULL, "%s is not set for %s", name,
                           v->service != NULL ? v->service->name : "the stack");
    }
    struct buf out = {0};
    (void)buf_printf(&out, "%s=", var->name);
    sanitise(span_of(shown_value(v, var)), false, &out);
    (void)buf_printf(&out, "\n  from    %s", env_source_name(var->source));
    if (var->at.file != NULL) {
        (void)buf_printf(&out, "  %s", source_text(v, var->source, &var->at));
    }
    (void)buf_putc(&out, '\n');
    for (size_t i = 0; i < var->shadow_count; i++) {
        const struct env_shadow *s = &var->shadows[i];
        (void)buf_printf(&out, "  shadows %s", env_source_name(s->source));
        if (s->at.file != NULL) {
            (void)buf_printf(&out, "  %s", source_text(v, s->source, &s->at));
        }
        (void)buf_putc(&out, '\n');
    }
    print_out(&out);
    buf_fini(&out);
    return EXIT_DONE;
}

/* 'single quotes', with ' as '\'' : exact in every POSIX shell. */
static void quote_sh(const char *text, struct buf *out)
{
    (void)buf_putc(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            (void)buf_puts(out, "'\\''");
        } else {
            (void)buf_putc(out, *text);
        }
    }
    (void)buf_putc(out, '\'');
}

/* Double quotes with the escapes that python-dotenv undoes. */
static void quote_dotenv(const char *text, struct buf *out)
{
    (void)buf_putc(out, '"');
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '\n':
            (void)buf_puts(out, "\\n");
            break;
        case '\r':
            (void)buf_puts(out, "\\r");
            break;
        case '"':
        case '\\':
            (void)buf_putc(out, '\\');
            (void)buf_putc(out, *text);
            break;
        default:
            (void)buf_putc(out, *text);
            break;
        }
    }
    (void)buf_putc(out, '"');
}

static void print_lines(const struct env_view *v, const char *format)
{
    struct buf out = {0};
    for (size_t i = 0; i < v->env->count; i++) {
        const struct env_var *var = &v->env->items[i];
        const char *value = shown_value(v, var);
        (void)buf_printf(&out, "%s%s=", strcmp(format, "sh") == 0 ? "export " : "", var->name);
        if (strcmp(format, "sh") == 0) {
            quote_sh(value, &out);
        } else {
            quote_dotenv(value, &out);
        }
        (void)buf_putc(&out, '\n');
    }
    print_out(&out);
    buf_fini(&out);
}

static int print_view(const struct env_view *v, const struct args *args)
{
    const char *format = args_text(args, "format");
    if (args_text(args, "why") != NULL) {
        return print_why(v, args_text(args, "why"));
    }
    if (args_flag(args, "names")) {
        struct buf out = {0};
        for (size_t i = 0; i < v->env->count; i++) {
            (void)buf_printf(&out, "%s\n", v->env->items[i].name);
        }
        print_out(&out);
        buf_fini(&out);
    } else if (v->app->json || (format != NULL && strcmp(format, "json") == 0)) {
        print_as_json(v, NULL);
    } else if (format != NULL) {
        print_lines(v, format);
    } else {
        print_table(v);
    }
    return EXIT_DONE;
}

static int check_flags(struct app *app, const struct args *args)
{
    const char *format = args_text(args, "format");
    if (args_text(args, "as") != NULL || args_flag(args, "diff")) {
        return print_failure(app, EXIT_USAGE, NULL, "env --as and --diff are not in this version yet");
    }
    if (format != NULL && strcmp(format, "dotenv") != 0 && strcmp(format, "json") != 0 &&
        strcmp(format, "sh") != 0) {
        return print_failure(app, EXIT_USAGE, "it is dotenv, json or sh", "--format %s", format);
    }
    return EXIT_DONE;
}

int cmd_env(struct app *app, const struct args *args)
{
    struct target t = {0};
    struct problems problems = {0};
    struct env env = {0};
    int code = check_flags(app, args);
    code = code == EXIT_DONE ? target_locate(app, &t) : code;
    code = code == EXIT_DONE ? target_load(app, &t) : code;
    struct env_view v = {.app = app, .spec = t.spec, .env = &env,
                         .reveal = args_flag(args, "reveal")};
    if (code == EXIT_DONE && args->name_count > 0) {
        v.service = spec_find(t.spec, args->names[0]);
        if (v.service == NULL) {
            const char *nearest = spec_nearest(t.spec, args->names[0]);
            char hint[96] = "";
            if (nearest != NULL) {
                (void)fmt_into(hint, sizeof hint, "did you mean \"%s\"?", nearest);
            }
            code = print_failure(app, EXIT_USAGE, hint, "there is no service \"%s\"", args->names[0]);
        }
    }
    if (code == EXIT_DONE &&
        env_build(t.spec, v.service, 0, app->environ, &app->arena, &env, &problems) != 0) {
        code = print_problems(app, EXIT_USAGE, &problems);
    }
    code = code == EXIT_DONE ? print_view(&v, args) : code;
    problems_fini(&problems);
    target_fini(&t);
    return code;
}
