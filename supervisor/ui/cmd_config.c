/*
 * What this room is for.      roadie config: what the definition comes to, after overrides and expansion.
 * What it may touch.          stack/spec.h
 * Who calls it.               commands.c
 * The one invariant.          The text is a valid roadie.ini; origins stand in comment lines.
 */
#include <string.h>

#include "base/numbers.h"
#include "control/protocol.h"
#include "logs/view.h"
#include "stack/secrets.h"
#include "ui/commands.h"
#include "ui/config_rows.h"
#include "ui/print.h"
#include "ui/target.h"

struct config {
    const struct app *app;
    bool reveal;
    struct buf out;
    json_t *rows;            /* of the section under way, with --json */
    struct origin last;      /* of the line before: said once */
};

static bool same_place(const struct origin *a, const struct origin *b)
{
    return a->line == b->line && a->file != NULL && b->file != NULL && strcmp(a->file, b->file) == 0;
}

static void add_origin(struct config *c, const struct origin *at)
{
    if (at->file != NULL && at->line > 0 && !same_place(at, &c->last)) {
        (void)buf_printf(&c->out, c->app->out_colour ? "\033[2m# %s:%u\033[0m\n" : "# %s:%u\n", at->file,
                         at->line);
    }
    c->last = *at;
}

/* As a value may be shown: a dollar is written twice again, so that the text reads back as it is. */
static void add_value(struct config *c, const char *value)
{
    struct buf masked = {0};
    if (c->reveal) {
        (void)buf_puts(&masked, value);
    } else {
        redactor_mask(c->app->redactor, span_of(value), &masked);
    }
    for (size_t i = 0; i < masked.len; i++) {
        if (masked.ptr[i] == '$') {
            (void)buf_putc(&c->out, '$');
        }
        (void)buf_putc(&c->out, masked.ptr[i]);
    }
    buf_fini(&masked);
}

static void on_row(void *ctx, const char *key, const char *value, const struct origin *at)
{
    struct config *c = ctx;
    if (c->rows == NULL) {
        add_origin(c, at);
        (void)buf_printf(&c->out, "%s = ", key);
        add_value(c, value);
        (void)buf_putc(&c->out, '\n');
        return;
    }
    struct buf masked = {0};
    if (c->reveal) {
        (void)buf_puts(&masked, value);
    } else {
        redactor_mask(c->app->redactor, span_of(value), &masked);
    }
    (void)json_array_append_new(
        c->rows, json_pack("{s:s,s:s,s:o,s:o}", "key", key, "value", masked.ptr != NULL ? masked.ptr : "",
                           "file", at->file != NULL ? json_string(at->file) : json_null(), "line",
                           at->line > 0 ? json_integer(at->line) : json_null()));
    buf_fini(&masked);
}

static json_t *config_json(struct config *c, const struct spec *spec)
{
    json_t *services = json_array();
    c->rows = json_array();
    config_stack_rows(spec, on_row, c);
    json_t *doc = json_pack("{s:i,s:s,s:s,s:s,s:s,s:o,s:o}", "v", 1, "stack", spec->id, "name",
                            spec->name, "root", spec->root, "file", spec->file_shown, "definition",
                            c->rows, "services", services);
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct spec_service *s = &spec->services[i];
        c->rows = json_array();
        config_service_rows(spec, s, on_row, c);
        (void)json_array_append_new(
            services, json_pack("{s:s,s:s,s:b,s:o}", "name", s->name, "kind",
                                s->kind == SPEC_TASK ? "task" : "service", "selected", s->selected,
                                "definition", c->rows));
    }
    return doc;
}

static void add_heading(struct config *c, const struct origin *at, const char *kind, const char *name,
                        const char *note)
{
    if (c->out.len > 0) {
        (void)buf_putc(&c->out, '\n');
    }
    c->last = (struct origin){0};
    add_origin(c, at);
    (void)buf_printf(&c->out, c->app->out_colour ? "\033[1m[%s%s%s]\033[0m\n" : "[%s%s%s]\n", kind,
                     name[0] != '\0' ? " " : "", name);
    if (note != NULL) {
        (void)buf_printf(&c->out, "# %s\n", note);
    }
}

int cmd_config(struct app *app, const struct args *args)
{
    struct target t = {0};
    int code = target_locate(app, &t);
    code = code == EXIT_DONE ? target_load(app, &t) : code;
    if (code != EXIT_DONE) {
        target_fini(&t);
        return code;
    }
    struct config c = {.app = app, .reveal = args_flag(args, "reveal")};
    if (app->json) {
        print_json(app, config_json(&c, t.spec));
    } else {
        struct origin file = {.file = t.spec->file_shown};
        add_heading(&c, &file, "stack", "", NULL);
        config_stack_rows(t.spec, on_row, &c);
        for (size_t i = 0; i < t.spec->service_count; i++) {
            const struct spec_service *s = &t.spec->services[i];
            add_heading(&c, &s->at, s->kind == SPEC_TASK ? "task" : "service", s->name,
                        s->selected ? NULL : "off: not part of the selection");
            config_service_rows(t.spec, s, on_row, &c);
        }
        print_out(&c.out);
    }
    buf_fini(&c.out);
    target_fini(&t);
    return EXIT_DONE;
}
