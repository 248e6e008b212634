/* What is wrong with a file, all of it at once: file:line:column: message, with a hint. */
#ifndef ROADIE_BASE_PROBLEMS_H
#define ROADIE_BASE_PROBLEMS_H

#include <stddef.h>

#include "base/arena.h"

struct problem {
    const char *file; /* as users know it (relative where that is shorter); NULL when there is none */
    unsigned line;    /* from 1; 0: the file as a whole */
    unsigned column;  /* from 1, in bytes; 0 with line 0 */
    const char *message;
    const char *hint; /* may be NULL */
};

struct problems {
    struct problem *items;
    size_t count;
    size_t dropped; /* beyond PROBLEMS_MAX; said, never silent */
    struct arena arena;
};

enum { PROBLEMS_MAX = 200 };

/* Adds one; texts are copied. */
void problems_add(struct problems *p, const char *file, unsigned line, unsigned column,
                  const char *hint, const char *fmt, ...) ATTR_PRINTF(6, 7);
/* By file in order of first appearance, then line, column; stable. */
void problems_sort(struct problems *p);
/* Appends "file:line:column: message; hint\n" for each. */
void problems_print(const struct problems *p, struct buf *out);
void problems_fini(struct problems *p);

#endif
