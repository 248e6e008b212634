/*
 * What this room is for.      Lays out tables.
 * What it may touch.          base, width.h, logs/view.h for sanitising.
 * Who calls it.               the commands that print tables
 * The one invariant.          No cell reaches a terminal with an escape of its own.
 */
#include "ui/grid.h"

#include "base/mem.h"
#include "logs/view.h"
#include "ui/width.h"

void grid_add(struct grid *g, const char *colour, const char *text)
{
    struct buf clean = {0};
    bool last = g->count % g->columns == g->columns - 1;
    if (text != NULL && text[0] != '\0') {
        sanitise(span_of(text), false, &clean);
    } else if (!last) {
        (void)buf_puts(&clean, "–");
    }
    g->cells = arena_grow(&g->arena, g->cells, g->count, sizeof *g->cells);
    g->cells[g->count++] = (struct grid_cell){
        .text = arena_copy(&g->arena, buf_span(&clean)),
        .colour = colour,
    };
    buf_fini(&clean);
}

static void print_cell(const struct grid_cell *cell, size_t pad, bool colour, struct buf *out)
{
    bool painted = colour && cell->colour != NULL && cell->text[0] != '\0';
    if (painted) {
        (void)buf_printf(out, "\033[%sm", cell->colour);
    }
    (void)buf_puts(out, cell->text);
    if (painted) {
        (void)buf_puts(out, "\033[0m");
    }
    for (size_t i = 0; i < pad; i++) {
        (void)buf_putc(out, ' ');
    }
}

void grid_print(const struct grid *g, bool colour, struct buf *out)
{
    size_t widths[GRID_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < g->count; i++) {
        size_t width = width_of(span_of(g->cells[i].text));
        size_t column = i % g->columns;
        widths[column] = width > widths[column] ? width : widths[column];
    }
    for (size_t i = 0; i < g->count; i++) {
        size_t column = i % g->columns;
        bool last = column == g->columns - 1;
        /* Blanks at the end of a line help nobody: pad only when something follows. */
        bool follows = false;
        for (size_t j = i + 1; !last && j < i + g->columns - column; j++) {
            follows = follows || (j < g->count && g->cells[j].text[0] != '\0');
        }
        size_t pad = follows ? widths[column] - width_of(span_of(g->cells[i].text)) + 2 : 0;
        print_cell(&g->cells[i], pad, colour, out);
        if (last) {
            (void)buf_putc(out, '\n');
        }
    }
}

void grid_fini(struct grid *g)
{
    arena_fini(&g->arena);
    *g = (struct grid){.columns = g->columns};
}
