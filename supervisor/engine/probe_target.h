/*
 * Which listener a connection to HOST:PORT would reach, and whether it belongs to a process tree:
 * stage one of a probe. Private to the probes.
 */
#ifndef ROADIE_ENGINE_PROBE_TARGET_H
#define ROADIE_ENGINE_PROBE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "process/listeners.h"

enum { TARGET_ADDRESSES_MAX = 2, TARGET_PROVEN_MAX = 4 };

struct target {
    uint16_t port;
    bool here; /* on this machine: its listener can be looked up */
    /* What a client connects to, numeric: for localhost 127.0.0.1 and ::1. */
    char addresses[TARGET_ADDRESSES_MAX][46];
    int address_count;
    /* Sockets that were found in the tree once: they stay ours. */
    uint64_t proven[TARGET_PROVEN_MAX];
    unsigned proven_count;
};

enum target_seen {
    TARGET_NOTHING, /* nobody listens where a client would connect */
    TARGET_OURS,
    TARGET_STRANGER, /* on one of the addresses somebody else answers */
    TARGET_BLIND,    /* the system does not say */
};

struct target_view {
    enum target_seen seen;
    struct listener listener; /* ours, or the stranger's */
    char address[46];         /* where to connect: numeric */
};

void target_init(struct target *t, const char *host, uint16_t port);
/* root 0: any owner will do. */
void target_look(struct target *t, pid_t root, struct target_view *view);
/* The listeners that a connection to address reaches, as the kernel chooses: exact address, then
 * the wildcard of its family, then, for v4, the v6 wildcard. Writes indices of list; returns how
 * many. Pure. */
int target_reached(const char *address, const struct listener *list, int count, int *out);

#endif
