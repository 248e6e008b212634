/*
 * What this room is for.      roadie graph
 * What it may touch.          stack/graph.h, graph_art.h
 * Who calls it.               commands.c
 * The one invariant.          Needs no running stack.
 */
#include <string.h>

#include "control/protocol.h"
#include "stack/graph.h"
#include "ui/commands.h"
#include "ui/graph_art.h"
#include "ui/print.h"
#include "ui/target.h"

/* {"from": the one that needs, "to": what it needs} */
static json_t *graph_json(const struct spec *spec, const bool *include)
{
    json_t *nodes = json_array();
    json_t *edges = json_array();
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct spec_service *s = &spec->services[i];
        if (!include[i]) {
            continue;
        }
        (void)json_array_append_new(nodes, json_string(s->name));
        for (size_t j = 0; j < s->need_count; j++) {
            const struct spec_need *need = &s->needs[j];
            if (include[need->service]) {
                (void)json_array_append_new(
                    edges, json_pack("{s:s,s:s,s:s}", "from", s->name, "to",
                                     spec->services[need->service].name, "condition",
                                     need_condition_name(need->condition)));
            }
        }
    }
    return json_pack("{s:i,s:o,s:o}", "v", 1, "nodes", nodes, "edges", edges);
}

int cmd_graph(struct app *app, const struct args *args)
{
    struct target t = {0};
    const char *format = args_text(args, "format");
    format = format != NULL ? format : "ascii";
    int code = EXIT_DONE;
    if (strcmp(format, "ascii") != 0 && strcmp(format, "mermaid") != 0 && strcmp(format, "dot") != 0) {
        code = print_failure(app, EXIT_USAGE, "it is ascii, mermaid or dot", "--format %s", format);
    }
    code = code == EXIT_DONE ? target_locate(app, &t) : code;
    code = code == EXIT_DONE ? target_load(app, &t) : code;
    if (code != EXIT_DONE) {
        target_fini(&t);
        return code;
    }
    bool *include = arena_alloc(&app->arena, (t.spec->service_count + 1) * sizeof *include);
    for (size_t i = 0; i < t.spec->service_count; i++) {
        include[i] = args_flag(args, "all") || t.spec->services[i].selected;
    }
    graph_close_over_needs(t.spec, include);
    struct buf out = {0};
    if (app->json) {
        print_json(app, graph_json(t.spec, include));
    } else if (strcmp(format, "mermaid") == 0) {
        graph_draw_mermaid(t.spec, include, &out);
    } else if (strcmp(format, "dot") == 0) {
        graph_draw_dot(t.spec, include, &out);
    } else {
        graph_draw_tree(t.spec, include, app->out_colour, &out);
    }
    print_out(&out);
    buf_fini(&out);
    target_fini(&t);
    return EXIT_DONE;
}
