/* A table of text: columns as wide as their widest cell, two blanks between them. Pure. */
#ifndef ROADIE_UI_GRID_H
#define ROADIE_UI_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/bytes.h"

enum { GRID_COLUMNS_MAX = 12 };

struct grid_cell {
    const char *text;
    const char *colour; /* SGR parameters ("32"), or NULL */
};

/* Zero-initialise with columns set; cells live in the arena. */
struct grid {
    size_t columns;
    struct grid_cell *cells; /* row by row */
    size_t count;
    struct arena arena;
};

/* Adds the next cell, left to right; text is copied, sanitised of control characters; NULL or "" is shown
 * as – (but for the last column, which stays empty). */
void grid_add(struct grid *g, const char *colour, const char *text);
/* Appends the table. Without colour the colours are left out. The last column is not padded. */
void grid_print(const struct grid *g, bool colour, struct buf *out);
void grid_fini(struct grid *g);

#endif
