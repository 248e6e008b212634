/*
 * What this room is for.      roadie why: the chain of causes, as a story.
 * What it may touch.          target.h
 * Who calls it.               commands.c
 * The one invariant.          The nearest cause comes first.
 */
#include <string.h>

#include "base/clock.h"
#include "control/protocol.h"
#include "ui/commands.h"
#include "ui/last_words.h"
#include "ui/print.h"
#include "ui/state.h"
#include "ui/target.h"
#include "ui/when.h"

static void add_link(struct app *app, const json_t *link, struct buf *out)
{
    char time[32];
    uint64_t at = when_rfc3339(member_text(link, "t"));
    (void)buf_printf(out, "  %-12s  ", at != 0 ? clock_local_hms(at, time, sizeof time) : "");
    print_clean(app, member_text(link, "what"), out);
    /* The detail may be several lines: the last words of a service. */
    struct span rest = span_of(member_text(link, "detail"));
    struct span line;
    bool one = rest.len > 0 && memchr(rest.ptr, '\n', rest.len) == NULL;
    if (one) {
        (void)buf_puts(out, ": ");
        print_clean(app, rest.ptr, out);
        rest = (struct span){0};
    }
    (void)buf_putc(out, '\n');
    while (rest.len > 0) {
        (void)span_split(rest, '\n', &line, &rest);
        char *text = arena_copy(&app->arena, line);
        (void)buf_puts(out, "                  ");
        print_clean(app, text, out);
        (void)buf_putc(out, '\n');
    }
}

static void print_story(struct app *app, const json_t *reply)
{
    struct buf out = {0};
    const char *state = member_text(reply, "state");
    const struct state_look *look = state_look(state);
    const json_t *chain = json_object_get(reply, "chain");
    (void)buf_printf(&out, app->out_colour ? "\033[%sm%s\033[0m " : "%.0s%s ", look->colour,
                     look->symbol);
    (void)buf_printf(&out, "%s is %s\n", member_text(reply, "service"), state);
    for (size_t i = 0; i < json_array_size(chain); i++) {
        add_link(app, json_array_get(chain, i), &out);
    }
    print_out(&out);
    buf_fini(&out);
}

/* "needs NAME: failed" is explained by what NAME said last. */
static void add_words_of_needs(struct app *app, const struct target *t, json_t *chain)
{
    size_t links = json_array_size(chain);
    for (size_t i = 0; i < links; i++) {
        struct span name;
        struct span state;
        struct span what = span_of(member_text(json_array_get(chain, i), "what"));
        bool is_need = what.len > 6 && memcmp(what.ptr, "needs ", 6) == 0;
        if (!is_need || !span_split((struct span){what.ptr + 6, what.len - 6}, ':', &name, &state)) {
            continue;
        }
        json_t *words = json_array();
        char *service = arena_copy(&app->arena, name);
        last_words_add(words, t->place.logs, service, app->redactor);
        for (size_t w = 0; w < json_array_size(words); w++) {
            json_t *link = json_deep_copy(json_array_get(words, w));
            char *text = arena_printf(&app->arena, "%s, %s", service, member_text(link, "what"));
            (void)json_object_set_new(link, "what", json_string(text));
            (void)json_array_append_new(chain, link);
        }
        json_decref(words);
    }
}

int cmd_why(struct app *app, const struct args *args)
{
    struct target t = {0};
    json_t *reply = NULL;
    if (args->name_count == 0) {
        return print_failure(app, EXIT_USAGE, "roadie why NAME", "why: which service?");
    }
    int code = target_open(app, &t);
    if (code == EXIT_DONE) {
        code = target_call(app, &t, json_pack("{s:s,s:s}", "op", "why", "name", args->names[0]), NULL,
                           NULL, &reply);
    }
    if (code == EXIT_DONE && strcmp(member_text(reply, "state"), "ready") != 0) {
        json_t *chain = json_object_get(reply, "chain");
        add_words_of_needs(app, &t, chain);
        last_words_add(chain, t.place.logs, args->names[0], app->redactor);
    }
    if (code == EXIT_DONE && app->json) {
        json_t *chain = json_object_get(reply, "chain");
        print_json(app, json_pack("{s:i,s:s,s:s,s:o}", "v", 1, "service", member_text(reply, "service"),
                                  "state", member_text(reply, "state"), "chain",
                                  chain != NULL ? json_incref(chain) : json_array()));
    } else if (code == EXIT_DONE) {
        print_story(app, reply);
    }
    json_decref(reply);
    target_fini(&t);
    return code;
}
