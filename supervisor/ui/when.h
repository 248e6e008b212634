/* Points in time as people type them. Pure. */
#ifndef ROADIE_UI_WHEN_H
#define ROADIE_UI_WHEN_H

#include <stdint.h>

#include "base/bytes.h"

/* "5m" (so long before now), "12:01", "12:01:07" (the latest such local time that is not after now),
 * "2026-08-22", "2026-08-22 12:01[:07[.201]]" or with T (local time), RFC 3339 with Z or an offset, "now".
 * Wall nanoseconds. -EINVAL. */
int when_parse(struct span text, uint64_t now_wall_ns, uint64_t *out);
/* RFC 3339 only, as the server writes it; 0 when it is none. */
uint64_t when_rfc3339(const char *text);

#endif
