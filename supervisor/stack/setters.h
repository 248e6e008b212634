/* One setter a key of [service] and [task]. Internal to the room. */
#ifndef ROADIE_STACK_SETTERS_H
#define ROADIE_STACK_SETTERS_H

#include "stack/load.h"

/* Reads one entry into its service. late: the round for what needs all services' variables and
 * needs; an entry of the other round is left alone. Problems are reported. */
void service_set(struct load *l, int service, const struct ini_entry *entry, bool late);
/* Whether the key has a setter: each key of the table must. */
bool service_key_is_known(struct span key);

#endif
