/* The one table of sections and keys: the loader checks with it and `roadie help keys` prints it.
 * Pure. */
#ifndef ROADIE_STACK_KEYS_H
#define ROADIE_STACK_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

enum section_kind {
    SECTION_STACK,
    SECTION_SERVICE,
    SECTION_TASK,
    SECTION_CHECK,
    SECTION_ENVIRONMENT,
    SECTION_GUARD,
    SECTION_PROMOTION,
    SECTION_PROFILE,
    SECTION_KIND_COUNT,
};

struct section_row {
    const char *name; /* "service" */
    enum section_kind kind;
    bool free_keys; /* any key is taken verbatim */
    const char *help;
};

struct key_row {
    const char *name;
    unsigned sections;    /* bits 1 << section_kind */
    bool list;            /* may be given several times */
    bool later;           /* known, but not supported yet */
    const char *standard; /* the default as one would write it; NULL: none */
    const char *value;    /* what to write, for people: "DURATION" */
    const char *help;
};

/* The section of that kind word, or NULL. */
const struct section_row *section_find(struct span kind);
const struct section_row *section_row(enum section_kind kind);
/* The nearest section kind, or NULL. */
const char *section_nearest(struct span kind);
/* The key in that kind of section, or NULL. */
const struct key_row *key_find(enum section_kind kind, struct span name);
/* The nearest key of that kind of section, or NULL. */
const char *key_nearest(enum section_kind kind, struct span name);
/* The first kind of section that has this key, or SECTION_KIND_COUNT. */
enum section_kind key_home(struct span name);
/* The whole table, in the order to print it. */
const struct key_row *key_table(size_t *count);
/* Appends the table as text, as `roadie help keys` shows it. */
void key_table_print(struct buf *out);
/* A name by INTERFACE §5: [a-z0-9][a-z0-9_-]{0,31}. */
bool name_is_valid(struct span name);

#endif
