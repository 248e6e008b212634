/* Splits a line into words as a shell does: blanks, '…', "…" and backslash; nothing else is
 * special. */
#ifndef ROADIE_STACK_WORDS_H
#define ROADIE_STACK_WORDS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/bytes.h"

struct word {
    struct span text; /* quotes and backslashes are gone, ${…} are as written, a quoted $ is $$ */
    unsigned *offsets; /* of each byte of text in the line */
};

struct words {
    struct word *items;
    size_t count;
    const char *error;   /* static text, or NULL */
    size_t error_offset; /* where in the line */
};

/* ${…} is kept as one piece, whatever is inside, for expand_word. In the arena. False: see error.
 */
bool words_split(struct span line, struct arena *arena, struct words *out);
/* Appends words such that words_split gives them back. */
void words_join(char *const *argv, struct buf *out);
/* The length of the ${…} that text starts with, braces inside matched; 0 when it has no end. */
size_t reference_length(struct span text);

#endif
