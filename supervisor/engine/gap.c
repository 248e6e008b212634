/* Sleep and standstill from three readings of two clocks (see gap.h). */
#include "engine/gap.h"

static const uint64_t SLEPT_NS = 2000000000; /* the two clocks are not read at the same instant */
static const uint64_t STOOD_NS = 1000000000; /* less is a busy machine */

static uint64_t offset_of(uint64_t mono_ns, uint64_t boot_ns)
{
    return boot_ns > mono_ns ? boot_ns - mono_ns : 0;
}

void gap_init(struct gap *g, uint64_t mono_ns, uint64_t boot_ns)
{
    *g = (struct gap){.offset_ns = offset_of(mono_ns, boot_ns)};
}

void gap_wait(struct gap *g, uint64_t mono_ns, int wait_ms)
{
    g->wait_began_ns = mono_ns;
    g->wait_ms = wait_ms;
}

enum gap_kind gap_look(struct gap *g, uint64_t mono_ns, uint64_t boot_ns, uint64_t *span_ms)
{
    uint64_t offset = offset_of(mono_ns, boot_ns);
    uint64_t slept = offset > g->offset_ns ? offset - g->offset_ns : 0;
    uint64_t waited = g->wait_began_ns > 0 && mono_ns > g->wait_began_ns ? mono_ns - g->wait_began_ns : 0;
    uint64_t meant = g->wait_ms > 0 ? (uint64_t)g->wait_ms * 1000000U : 0;
    g->wait_began_ns = 0;
    if (slept > SLEPT_NS) {
        g->offset_ns = offset;
        *span_ms = slept / 1000000U;
        return GAP_SLEPT;
    }
    if (g->wait_ms >= 0 && waited > meant + STOOD_NS) {
        *span_ms = (waited - meant) / 1000000U;
        return GAP_STOOD;
    }
    return GAP_NONE;
}
