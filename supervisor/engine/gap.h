/*
 * Time in which nobody looked: the machine slept, or this process stood still (stopped, or starved). Pure: the clocks
 * are handed in. Called by engine.c around the loop's wait.
 */
#ifndef ROADIE_ENGINE_GAP_H
#define ROADIE_ENGINE_GAP_H

#include <stdint.h>

#include "base/attr.h"

enum gap_kind { GAP_NONE, GAP_SLEPT, GAP_STOOD };

struct gap {
    uint64_t offset_ns;     /* boot clock - monotonic clock, at the last look */
    uint64_t wait_began_ns; /* monotonic; 0: no wait is under way */
    int wait_ms;            /* how long the loop meant to wait at most; -1: no timer runs */
};

void gap_init(struct gap *g, uint64_t mono_ns, uint64_t boot_ns);
/* The loop begins to wait, for at most wait_ms (-1: for ever). */
void gap_wait(struct gap *g, uint64_t mono_ns, int wait_ms);
/* The loop has waited. GAP_SLEPT: the boot clock ran on for more than 2 s without the monotonic one. GAP_STOOD: the wait
 * took more than a second longer than was meant. *span_ms: how long. */
enum gap_kind gap_look(struct gap *g, uint64_t mono_ns, uint64_t boot_ns, uint64_t *span_ms) ATTR_MUST_CHECK;

#endif
