/* Replaces ${…} in values (INTERFACE §5 "References in values"). Every error has the reference's
 * place. */
#ifndef ROADIE_STACK_EXPAND_H
#define ROADIE_STACK_EXPAND_H

#include "stack/load.h"
#include "stack/words.h"

/* text stands at `at`; service is an index or LOAD_NO_SERVICE. A string in the arena, or NULL after
 * every problem of it has been reported. */
const char *expand_text(struct load *l, int service, struct span text, struct origin at);
/* An entry's value likewise. */
const char *expand_entry(struct load *l, int service, const struct ini_entry *entry);
/* Splits into words, then replaces in each of them (a replaced blank splits nothing).
 * NULL-terminated list, or NULL after reporting. An empty line is an error. */
char **expand_words(struct load *l, int service, struct span line, struct origin at);

/* The port or URL of a service, whose own place in the load may not have come yet. False: reported
 * (once). */
bool expand_port(struct load *l, int service, uint16_t *port);
bool expand_url(struct load *l, int service, const char **url);

#endif
