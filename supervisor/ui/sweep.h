/* What a server that was killed may have left behind. */
#ifndef ROADIE_UI_SWEEP_H
#define ROADIE_UI_SWEEP_H

#include <stdbool.h>

#include "control/place.h"

/* True when a process of the stack still runs without a server, or a container of it may still exist (its
 * tombstone lies in STATE/tombstones): then a server is worth starting, which sweeps first. */
bool sweep_needed(const struct place *place);

#endif
