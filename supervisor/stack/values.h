/* Values of one key each, from expanded text to plain data. Internal to the room; false: reported.
 */
#ifndef ROADIE_STACK_VALUES_H
#define ROADIE_STACK_VALUES_H

#include "stack/load.h"

bool value_duration(struct load *l, const struct ini_entry *e, const char *text, uint64_t min_ms,
                    uint64_t *out);
bool value_size(struct load *l, const struct ini_entry *e, const char *text, uint64_t *out);
bool value_count(struct load *l, const struct ini_entry *e, const char *text, unsigned max,
                 unsigned *out);
bool value_bool(struct load *l, const struct ini_entry *e, const char *text, bool *out);
/* One of names (NULL-terminated); *out is its index. */
bool value_choice(struct load *l, const struct ini_entry *e, const char *text,
                  const char *const *names, int *out);
/* "TERM 10s, KILL": a ladder that does not end in KILL gets it. */
bool value_stop(struct load *l, const struct ini_entry *e, const char *text,
                struct spec_service *out);
/* "5 in 60s" or "none". */
bool value_restart_limit(struct load *l, const struct ini_entry *e, const char *text,
                         struct spec_service *out);
/* "0 3, 143". */
bool value_success_codes(struct load *l, const struct ini_entry *e, const char *text,
                         struct spec_service *out);
/* NAME=value; the value may hold references, the name may not. label is the key for messages; line
 * is the part of the entry's value that holds it. */
bool value_variable(struct load *l, int service, struct span line, struct origin at,
                    const char *label, struct spec_var *out);
/* FILE or FILE?, relative to the root. */
bool value_env_file(struct load *l, const struct ini_entry *e, const char *text,
                    struct spec_env_file *out);
/* A NULL-terminated list with one more item; the list may be NULL. */
char **list_append(struct arena *arena, char **list, const char *item);
/* The next word of a list separated by blanks or commas; false at the end. */
bool next_item(struct span *rest, struct span *item);

#endif
