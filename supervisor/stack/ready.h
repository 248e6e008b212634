/* Lines of `ready` and `alive`. Internal to the room. */
#ifndef ROADIE_STACK_READY_H
#define ROADIE_STACK_READY_H

#include "stack/load.h"

/* Reads one line; false: every problem of it was reported. docket needs the service's vars and
 * needs. */
bool ready_parse(struct load *l, int service, const struct ini_entry *entry,
                 struct spec_ready *out);
/* Whether the line is of a kind that gives its service a URL. */
bool ready_has_url(struct span line);
/* That URL, in the arena: without the path for http. */
const char *ready_base_url(struct load *l, const struct spec_ready *ready);
/* A rough check of a regular expression (brackets, nothing to repeat, a backslash at the end):
 * NULL, or what is wrong and where. The engine of expressions has the last word. */
const char *regex_complaint(struct span regex, size_t *offset);

#endif
