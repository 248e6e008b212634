/* One search for every table of names (keys, commands, states, signals), with a "did you mean". */
#ifndef ROADIE_BASE_TABLE_H
#define ROADIE_BASE_TABLE_H

#include <stddef.h>

#include "base/bytes.h"

/* Tables are arrays of structs whose FIRST member is `const char *name`; stride is the struct's size. */

/* The row with exactly this name, or NULL. */
const void *table_find(const void *rows, size_t count, size_t stride, struct span name);
/* The nearest name by edit distance (at most 2, and less than half the word), or NULL. */
const char *table_nearest(const void *rows, size_t count, size_t stride, struct span name);
/* Edit distance with transpositions, capped at limit + 1. */
size_t edit_distance(struct span a, struct span b, size_t limit);

#define TABLE_FIND(rows, name) table_find((rows), COUNT_OF(rows), sizeof((rows)[0]), (name))
#define TABLE_NEAREST(rows, name) table_nearest((rows), COUNT_OF(rows), sizeof((rows)[0]), (name))

#endif
