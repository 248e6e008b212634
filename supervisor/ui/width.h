/* How many columns text takes on a terminal. Pure; a table of ranges, no locale. */
#ifndef ROADIE_UI_WIDTH_H
#define ROADIE_UI_WIDTH_H

#include <stddef.h>

#include "base/bytes.h"

/* Columns of valid UTF-8 without escapes: 0 for combining marks, 2 for wide East Asian and emoji. A byte that
 * starts no sequence counts 1. SGR colour sequences count 0. */
size_t width_of(struct span text);
/* The longest prefix (in bytes, never within a sequence) that takes at most columns. */
size_t width_fit(struct span text, size_t columns);

#endif
