/*
 * What this room is for.      roadie timeline: how start-up went, as bars.
 * What it may touch.          target.h
 * Who calls it.               commands.c
 * The one invariant.          All bars share one scale.
 */
#include <string.h>

#include "base/numbers.h"
#include "control/protocol.h"
#include "ui/commands.h"
#include "ui/print.h"
#include "ui/target.h"
#include "ui/terminal.h"
#include "ui/width.h"

static void add_bar(struct buf *out, const char *piece, uint64_t from, uint64_t to, uint64_t total,
                    size_t columns)
{
    size_t first = (size_t)(from * columns / total);
    size_t last = (size_t)(to * columns / total);
    for (size_t i = first; i < last || (i == first && to > from); i++) {
        (void)buf_puts(out, piece);
    }
}

static void add_row(const struct app *app, const json_t *service, size_t width, uint64_t total,
                    size_t columns, struct buf *out)
{
    const char *name = member_text(service, "name");
    uint64_t waiting = member_number(service, "waiting_ms");
    uint64_t starting = member_number(service, "starting_ms");
    bool critical = member_true(service, "critical");
    char took[32];
    (void)buf_printf(out, "%s%s ", critical ? "*" : " ", name);
    for (size_t i = width_of(span_of(name)); i < width; i++) {
        (void)buf_putc(out, ' ');
    }
    (void)buf_puts(out, app->out_colour ? "\033[2m" : "");
    add_bar(out, "·", 0, waiting, total, columns);
    (void)buf_puts(out, app->out_colour ? (critical ? "\033[0m\033[33m" : "\033[0m\033[32m") : "");
    add_bar(out, "█", waiting, waiting + starting, total, columns);
    (void)buf_puts(out, app->out_colour ? "\033[0m" : "");
    (void)buf_printf(out, " %s", format_duration(starting, took, sizeof took));
    if (waiting > 0) {
        (void)buf_printf(out, " after %s", format_duration(waiting, took, sizeof took));
    }
    (void)buf_putc(out, '\n');
}

static void print_bars(const struct app *app, const json_t *services)
{
    struct buf out = {0};
    uint64_t total = 1;
    size_t width = 0;
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *s = json_array_get(services, i);
        uint64_t end = member_number(s, "waiting_ms") + member_number(s, "starting_ms");
        size_t wide = width_of(span_of(member_text(s, "name")));
        total = end > total ? end : total;
        width = wide > width ? wide : width;
    }
    unsigned columns = 80;
    unsigned rows = 0;
    terminal_size(1, &columns, &rows);
    size_t room = columns > width + 34 ? columns - width - 26 : 10;
    for (size_t i = 0; i < json_array_size(services); i++) {
        add_row(app, json_array_get(services, i), width, total, room, &out);
    }
    if (json_array_size(services) > 0) {
        char took[32];
        (void)buf_printf(&out, "\n%s in all · * the critical path · · waiting · █ starting\n",
                         format_duration(total, took, sizeof took));
    }
    print_out(&out);
    buf_fini(&out);
}

int cmd_timeline(struct app *app, const struct args *args)
{
    (void)args;
    struct target t = {0};
    json_t *reply = NULL;
    int code = target_open(app, &t);
    if (code == EXIT_DONE) {
        code = target_call(app, &t, json_pack("{s:s}", "op", "timeline"), NULL, NULL, &reply);
    }
    json_t *services = json_object_get(reply, "services");
    if (code == EXIT_DONE && app->json) {
        print_json(app, json_pack("{s:i,s:o}", "v", 1, "services",
                                  services != NULL ? json_incref(services) : json_array()));
    } else if (code == EXIT_DONE) {
        print_bars(app, services);
    }
    json_decref(reply);
    target_fini(&t);
    return code;
}
