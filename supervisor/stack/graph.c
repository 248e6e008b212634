/*
 * What this room is for.      Order and closure over `depends-on` (see graph.h).
 * What it may touch.          base only; no allocation outside an arena of its own.
 * Who calls it.               spec.c, select.c, the engine's plan of starting and stopping.
 * The one invariant.          Walks end on cyclic input, too: a broken definition must not hang
 * anybody.
 */
#include "stack/graph.h"

#include <string.h>

enum colour { WHITE, GREY, BLACK };

struct frame {
    size_t service;
    size_t next; /* need to look at */
};

struct walk {
    const struct spec *spec;
    struct arena arena;
    enum colour *colours;
    struct frame *stack;
    size_t depth;
};

static void walk_init(struct walk *w, const struct spec *spec)
{
    *w = (struct walk){.spec = spec};
    w->colours = arena_alloc(&w->arena, (spec->service_count + 1) * sizeof *w->colours);
    w->stack = arena_alloc(&w->arena, (spec->service_count + 1) * sizeof *w->stack);
}

static void walk_push(struct walk *w, size_t service)
{
    w->colours[service] = GREY;
    w->stack[w->depth++] = (struct frame){service, 0};
}

static void report_cycle(struct walk *w, const struct spec_need *closing, struct problems *problems)
{
    struct buf path = {0};
    size_t from = 0;
    while (w->stack[from].service != closing->service) {
        from++;
    }
    for (size_t i = from; i < w->depth; i++) {
        (void)buf_printf(&path, "%s → ", w->spec->services[w->stack[i].service].name);
    }
    problems_add(problems, closing->at.file, closing->at.line, closing->at.column, NULL,
                 "dependency cycle: %s%s", path.ptr, w->spec->services[closing->service].name);
    buf_fini(&path);
}

/* Goes on from the top of the stack until it is empty; order may be NULL. */
static void walk_run(struct walk *w, size_t *order, size_t *count, struct problems *problems)
{
    while (w->depth > 0) {
        struct frame *top = &w->stack[w->depth - 1];
        const struct spec_service *service = &w->spec->services[top->service];
        if (top->next == service->need_count) {
            w->colours[top->service] = BLACK;
            if (order != NULL) {
                order[(*count)++] = top->service;
            }
            w->depth--;
            continue;
        }
        const struct spec_need *need = &service->needs[top->next++];
        enum colour colour = w->colours[need->service];
        if (colour == GREY && problems != NULL) {
            report_cycle(w, need, problems);
        } else if (colour == WHITE) {
            walk_push(w, need->service);
        }
    }
}

static void walk_all(const struct spec *spec, size_t *order, struct problems *problems)
{
    struct walk w;
    size_t count = 0;
    walk_init(&w, spec);
    for (size_t i = 0; i < spec->service_count; i++) {
        if (w.colours[i] == WHITE) {
            walk_push(&w, i);
            walk_run(&w, order, &count, problems);
        }
    }
    arena_fini(&w.arena);
}

void graph_check_cycles(const struct spec *spec, struct problems *problems)
{
    walk_all(spec, NULL, problems);
}

void graph_start_order(const struct spec *spec, size_t *out)
{
    walk_all(spec, out, NULL);
}

void graph_close_over_needs(const struct spec *spec, bool *include)
{
    bool grew = true;
    while (grew) {
        grew = false;
        for (size_t i = 0; i < spec->service_count; i++) {
            const struct spec_service *service = &spec->services[i];
            for (size_t k = 0; include[i] && !service->excluded && k < service->need_count; k++) {
                size_t other = service->needs[k].service;
                if (!include[other] && !spec->services[other].excluded) {
                    include[other] = true;
                    grew = true;
                }
            }
        }
    }
}

void graph_close_over_dependents(const struct spec *spec, bool *include)
{
    bool grew = true;
    while (grew) {
        grew = false;
        for (size_t i = 0; i < spec->service_count; i++) {
            const struct spec_service *service = &spec->services[i];
            for (size_t k = 0; !include[i] && k < service->need_count; k++) {
                if (include[service->needs[k].service]) {
                    include[i] = true;
                    grew = true;
                }
            }
        }
    }
}
