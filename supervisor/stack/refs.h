/* What a reference stands for. Internal to the room. */
#ifndef ROADIE_STACK_REFS_H
#define ROADIE_STACK_REFS_H

#include "stack/load.h"

/* Appends what ${name} means for that service. False: reported at `at`. */
bool ref_resolve(struct load *l, int service, struct span name, struct origin at, struct buf *out);
/* The value of NAME in the shell that asked, or NULL. */
const char *ref_shell(const struct load *l, struct span name);

#endif
