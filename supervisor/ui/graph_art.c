/*
 * What this room is for.      Draws the dependency graph.
 * What it may touch.          stack/spec.h, read only.
 * Who calls it.               cmd_graph.c, tests
 * The one invariant.          The graph has no cycles (the loader has refused them).
 */
#include "ui/graph_art.h"

#include "base/mem.h"
#include "ui/width.h"

struct drawing {
    const struct spec *spec;
    const bool *include;
    bool *drawn;      /* with its needs */
    bool colour;
    struct buf indent;
    size_t edge;      /* column of the conditions */
    struct buf *out;
};

const char *need_condition_name(enum need_condition condition)
{
    switch (condition) {
    case NEED_STARTED:
        return "started";
    case NEED_READY:
        return "ready";
    case NEED_DONE:
        return "done";
    }
    return "ready";
}

/* The widest line, so that conditions stand in one column. Depth is bounded by the number of services. */
static size_t widest(const struct spec *spec, const bool *include, size_t service, size_t depth)
{
    const struct spec_service *s = &spec->services[service];
    size_t most = depth * 3 + width_of(span_of(s->name));
    for (size_t i = 0; i < s->need_count; i++) {
        if (include[s->needs[i].service]) {
            size_t below = widest(spec, include, s->needs[i].service, depth + 1);
            most = below > most ? below : most;
        }
    }
    return most;
}

static void dim(const struct drawing *d, const char *text)
{
    (void)buf_printf(d->out, d->colour ? "\033[2m%s\033[0m" : "%s", text);
}

static size_t included_needs(const struct drawing *d, const struct spec_service *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->need_count; i++) {
        count += d->include[s->needs[i].service] ? 1 : 0;
    }
    return count;
}

static void draw_line(struct drawing *d, const struct spec_service *s, const struct spec_need *need,
                      const char *branch, bool again)
{
    size_t used = width_of(buf_span(&d->indent)) + width_of(span_of(branch)) +
                  width_of(span_of(s->name));
    dim(d, d->indent.ptr != NULL ? d->indent.ptr : "");
    dim(d, branch);
    (void)buf_puts(d->out, s->name);
    const char *note = again ? " …" : s->kind == SPEC_TASK ? " task" : !s->selected ? " off" : "";
    if (need != NULL || note[0] != '\0') {
        for (; used < d->edge + 2; used++) {
            (void)buf_putc(d->out, ' ');
        }
        dim(d, need != NULL ? need_condition_name(need->condition) : "");
        dim(d, need != NULL ? note : note + 1);
    }
    (void)buf_putc(d->out, '\n');
}

static void draw_needs(struct drawing *d, const struct spec_service *s)
{
    size_t left = included_needs(d, s);
    for (size_t i = 0; i < s->need_count; i++) {
        size_t index = s->needs[i].service;
        if (!d->include[index]) {
            continue;
        }
        left--;
        const struct spec_service *needed = &d->spec->services[index];
        bool again = d->drawn[index] && included_needs(d, needed) > 0;
        draw_line(d, needed, &s->needs[i], left == 0 ? "└─ " : "├─ ", again);
        if (again) {
            continue;
        }
        d->drawn[index] = true;
        size_t before = d->indent.len;
        (void)buf_puts(&d->indent, left == 0 ? "   " : "│  ");
        draw_needs(d, needed);
        d->indent.len = before;
        d->indent.ptr[before] = '\0';
    }
}

static bool is_needed(const struct spec *spec, const bool *include, size_t service)
{
    for (size_t i = 0; i < spec->service_count; i++) {
        for (size_t j = 0; include[i] && j < spec->services[i].need_count; j++) {
            if (spec->services[i].needs[j].service == service) {
                return true;
            }
        }
    }
    return false;
}

void graph_draw_tree(const struct spec *spec, const bool *include, bool colour, struct buf *out)
{
    struct drawing d = {.spec = spec, .include = include, .colour = colour, .out = out};
    d.drawn = mem_calloc(spec->service_count + 1, sizeof *d.drawn);
    for (size_t i = 0; i < spec->service_count; i++) {
        if (include[i] && !is_needed(spec, include, i)) {
            size_t most = widest(spec, include, i, 0);
            d.edge = most > d.edge ? most : d.edge;
        }
    }
    for (size_t i = 0; i < spec->service_count; i++) {
        if (include[i] && !is_needed(spec, include, i)) {
            draw_line(&d, &spec->services[i], NULL, "", false);
            d.drawn[i] = true;
            draw_needs(&d, &spec->services[i]);
        }
    }
    buf_fini(&d.indent);
    mem_free(d.drawn);
}

void graph_draw_mermaid(const struct spec *spec, const bool *include, struct buf *out)
{
    (void)buf_puts(out, "graph TD\n");
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct spec_service *s = &spec->services[i];
        if (!include[i]) {
            continue;
        }
        /* Ids are numbered: names may hold words that mermaid reserves ("end"). */
        (void)buf_printf(out, s->kind == SPEC_TASK ? "    s%zu([\"%s\"])\n" : "    s%zu[\"%s\"]\n", i,
                         s->name);
    }
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct spec_service *s = &spec->services[i];
        for (size_t j = 0; include[i] && j < s->need_count; j++) {
            if (include[s->needs[j].service]) {
                (void)buf_printf(out, "    s%zu -->|%s| s%zu\n", i,
                                 need_condition_name(s->needs[j].condition), s->needs[j].service);
            }
        }
    }
}

void graph_draw_dot(const struct spec *spec, const bool *include, struct buf *out)
{
    (void)buf_printf(out, "digraph \"%s\" {\n    rankdir=LR;\n    node [shape=box];\n", spec->name);
    for (size_t i = 0; i < spec->service_count; i++) {
        if (include[i]) {
            (void)buf_printf(out, "    \"%s\"%s;\n", spec->services[i].name,
                             spec->services[i].kind == SPEC_TASK ? " [shape=ellipse]" : "");
        }
    }
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct spec_service *s = &spec->services[i];
        for (size_t j = 0; include[i] && j < s->need_count; j++) {
            if (include[s->needs[j].service]) {
                (void)buf_printf(out, "    \"%s\" -> \"%s\" [label=\"%s\"];\n", s->name,
                                 spec->services[s->needs[j].service].name,
                                 need_condition_name(s->needs[j].condition));
            }
        }
    }
    (void)buf_puts(out, "}\n");
}
