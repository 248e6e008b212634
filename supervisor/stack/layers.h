/* One effective definition out of a file, what it includes, and the overrides on top. Internal. */
#ifndef ROADIE_STACK_LAYERS_H
#define ROADIE_STACK_LAYERS_H

#include "stack/load.h"

/* Reads text (shown as such; dir_shown is "" or ends in "/", prefixed to included files' names;
 * directory is where they are looked for) into l->def, includes where they are named. Sections and
 * keys are checked. */
void layers_read(struct load *l, const char *shown, struct span text, const char *directory,
                 const char *dir_shown);
/* Lays an override file over l->def (INTERFACE §1). A file that does not exist is nothing. */
void layers_override(struct load *l, const char *path, const char *shown);
/* The [stack] name of a text, or NULL; problems are of no interest. */
const char *layers_stack_name(struct span text, struct arena *arena);

#endif
