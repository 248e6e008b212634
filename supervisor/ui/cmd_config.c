/*
 * What this room is for.      roadie config: what the definition comes to, with the origin of each line.
 * What it may touch.          stack/config.h
 * Who calls it.               commands.c
 * The one invariant.          Values are masked as everywhere, but with --reveal.
 */
#include "control/protocol.h"
#include "logs/view.h"
#include "stack/config.h"
#include "ui/commands.h"
#include "ui/print.h"
#include "ui/target.h"

struct sections {
    json_t *list;
    json_t *lines;  /* of the last section; borrowed from list */
};

static void mask(void *ctx, struct span text, struct buf *out)
{
    redactor_mask(ctx, text, out);
}

static void reveal(void *ctx, struct span text, struct buf *out)
{
    (void)ctx;
    (void)buf_append(out, text.ptr, text.len);
}

static json_t *file_of(const struct origin *at)
{
    return at->file != NULL ? json_string(at->file) : json_null();
}

static json_t *line_of(const struct origin *at)
{
    return at->line > 0 ? json_integer(at->line) : json_null();
}

static void on_line(void *ctx, const struct config_line *line)
{
    struct sections *s = ctx;
    if (line->key == NULL) {
        s->lines = json_array();
        (void)json_array_append_new(s->list,
                                    json_pack("{s:s,s:s,s:o,s:o,s:o}", "kind", line->kind, "name",
                                              line->name, "file", file_of(&line->at), "line",
                                              line_of(&line->at), "lines", s->lines));
        return;
    }
    (void)json_array_append_new(s->lines, json_pack("{s:s,s:s,s:o,s:o}", "key", line->key, "value",
                                                    line->value, "file", file_of(&line->at), "line",
                                                    line_of(&line->at)));
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
    config_mask_fn shown = args_flag(args, "reveal") ? reveal : mask;
    if (app->json) {
        struct sections s = {.list = json_array()};
        config_each(t.spec, shown, app->redactor, on_line, &s);
        print_json(app, json_pack("{s:i,s:s,s:s,s:s,s:s,s:o}", "v", 1, "stack", t.spec->id, "name",
                                  t.spec->name, "root", t.spec->root, "file", t.spec->file_shown,
                                  "sections", s.list));
    } else {
        struct buf out = {0};
        config_print(t.spec, shown, app->redactor, &out);
        print_out(&out);
        buf_fini(&out);
    }
    target_fini(&t);
    return EXIT_DONE;
}
