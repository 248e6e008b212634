/* Storage for what is loaded together and dropped together: a definition, one request, one plan. */
#ifndef ROADIE_BASE_ARENA_H
#define ROADIE_BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *head; /* newest first */
};

/* Zeroed, maximally aligned storage that lives until arena_fini. Never fails (see mem.h). */
void *arena_alloc(struct arena *a, size_t size);
/* Copies as a NUL-terminated string. */
char *arena_copy(struct arena *a, struct span text);
char *arena_strdup(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* Grows an arena array by one element of size bytes when count has reached a power of two; returns the
 * array (possibly moved). Pattern: items = arena_grow(a, items, count, sizeof *items); items[count++] = … */
void *arena_grow(struct arena *a, void *items, size_t count, size_t size);
void arena_fini(struct arena *a);

#endif
