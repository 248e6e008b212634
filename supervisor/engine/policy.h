/* When a run has ended: what follows. Pure; time comes in. */
#ifndef ROADIE_ENGINE_POLICY_H
#define ROADIE_ENGINE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/fsm.h"
#include "process/proc.h"
#include "stack/spec.h"

enum { POLICY_HISTORY = 64, POLICY_FRESH_AFTER_MS = 60000, POLICY_DELAY_MAX_MS = 30000 };

/* Restarts that policy has made, newest last. Zero-initialise. */
struct restart_history {
    uint64_t at_ms[POLICY_HISTORY]; /* ring */
    unsigned count;                 /* since it was last fresh */
};

/* How a run ended, as far as policy asks. */
struct run_end {
    bool wanted_up;       /* desired state when it ended */
    bool again;           /* a restart was asked for */
    bool cannot_start;    /* exec or directory failed, refused: trying again cannot help */
    bool timed_out;       /* not ready in time */
    struct proc_exit exit;
    uint64_t ready_for_ms; /* how long it had been ready; 0: never */
};

struct policy_verdict {
    enum svc_event event;  /* one of EV_GONE_… */
    uint64_t delay_ms;     /* with EV_GONE_LATER */
    bool limit_reached;    /* EV_GONE_FINAL because of restart-limit */
};

bool policy_success(const struct spec_service *spec, const struct proc_exit *exit);
/* Decides, and notes a restart in history. The first restart is immediate, the second waits restart-delay,
 * then it doubles up to 30 s; 60 s ready starts afresh (INTERFACE §5 `restart`). */
struct policy_verdict policy_decide(const struct spec_service *spec, const struct run_end *end,
                                    struct restart_history *history, uint64_t now_ms);

#endif
