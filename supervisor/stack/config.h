/* The effective definition for people and scripts: `roadie config`. */
#ifndef ROADIE_STACK_CONFIG_H
#define ROADIE_STACK_CONFIG_H

#include "stack/spec.h"

/* Appends text as it may be shown. The standard masking (NULL) knows the definition's own secrets;
 * ui may add those of the environment. */
typedef void (*config_mask_fn)(void *ctx, struct span text, struct buf *out);

/* One line of it, masked: for `config --json`. effective and kind never NULL; key NULL: the section
 * itself. */
struct config_line {
    const char *kind;
    const char *name;
    const char *key;
    const char *value;
    struct origin at;
};
typedef void (*config_line_fn)(void *ctx, const struct config_line *line);

void config_each(const struct spec *spec, config_mask_fn mask, void *mask_ctx, config_line_fn each,
                 void *ctx);
/* As INI that loads again in the same place: a comment line with each line's origin above it. */
void config_print(const struct spec *spec, config_mask_fn mask, void *mask_ctx, struct buf *out);

#endif
