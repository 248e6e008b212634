/*
 * What this room is for.      Who holds the port.
 * What it may touch.          print.h.
 * Who calls it.               cmd_up.c, cmd_control.c
 * The one invariant.          Command lines of strangers are masked and sanitised like everything.
 */
#include "ui/conflict.h"

#include <unistd.h>

#include "ui/print.h"

static void add_part(const struct app *app, const char *before, const char *text, struct buf *out)
{
    if (text[0] != '\0') {
        (void)buf_puts(out, before);
        print_clean(app, text, out);
    }
}

void conflict_text(const struct app *app, const json_t *conflict, struct buf *out)
{
    const json_t *owner = json_object_get(conflict, "owner");
    (void)buf_puts(out, app->err_colour ? "\033[31m✗\033[0m " : "✗ ");
    print_clean(app, member_text(conflict, "service"), out);
    (void)buf_printf(out, "  port %llu is taken\n",
                     (unsigned long long)member_number(conflict, "port"));
    if (!json_is_object(owner)) {
        (void)buf_puts(out, "    by a process that is not visible to you (sudo ss -ltnp shows it)\n");
        return;
    }
    if (json_is_integer(json_object_get(owner, "pid"))) {
        (void)buf_printf(out, "    pid %llu", (unsigned long long)member_number(owner, "pid"));
        add_part(app, " ", member_text(owner, "command"), out);
        add_part(app, " · user ", member_text(owner, "user"), out);
        add_part(app, " · since ", member_text(owner, "since"), out);
        (void)buf_putc(out, '\n');
    }
    const char *const rows[][2] = {{"    container ", member_text(owner, "container")},
                                   {"    in ", member_text(owner, "directory")},
                                   {"    of the stack ", member_text(owner, "stack")}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i][1][0] != '\0') {
            add_part(app, rows[i][0], rows[i][1], out);
            (void)buf_putc(out, '\n');
        }
    }
}

int conflict_print(const struct app *app, const json_t *reply)
{
    const json_t *conflicts = json_object_get(reply, "conflicts");
    if (!app->json && json_array_size(conflicts) > 0) {
        struct buf out = {0};
        for (size_t i = 0; i < json_array_size(conflicts); i++) {
            conflict_text(app, json_array_get(conflicts, i), &out);
        }
        print_fd(STDERR_FILENO, buf_span(&out));
        buf_fini(&out);
    }
    return print_reply_error(app, reply);
}
