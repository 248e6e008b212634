/* Time: monotonic for deadlines, wall for people, boot for noticing that the machine slept. */
#ifndef ROADIE_BASE_CLOCK_H
#define ROADIE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_mono_ns(void);
uint64_t clock_wall_ns(void);
/* Monotonic, but counting time asleep. */
uint64_t clock_boot_ns(void);

enum { CLOCK_RFC3339_SIZE = 32 };
/* "2026-08-22T12:01:07.201Z" of a wall time into out (at least CLOCK_RFC3339_SIZE); returns out. */
const char *clock_rfc3339(uint64_t wall_ns, char *out);
/* "12:01:07.201" in the local time zone; returns out. */
const char *clock_local_hms(uint64_t wall_ns, char *out, size_t size);

#endif
