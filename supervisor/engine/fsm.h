/*
 * The life of a service as one pure table: state × event → next state and actions. Actions never change
 * state, only events do. Desired state is the engine's business; by the time an event gets here the engine
 * has classified it (a run that ended is GONE_DOWN, GONE_AGAIN, GONE_RETRY, GONE_DONE or GONE_FINAL) and has
 * dropped it if it was stale (older run, older timer).
 */
#ifndef ROADIE_ENGINE_FSM_H
#define ROADIE_ENGINE_FSM_H

#include <stdbool.h>

enum svc_state {
    SVC_OFF,
    SVC_WAITING,   /* wanted; dependencies, a free port or a place among the starting are missing */
    SVC_STARTING,  /* a run is under way, not ready */
    SVC_READY,
    SVC_UNHEALTHY, /* was ready, `alive` fails */
    SVC_STOPPING,  /* the ladder runs, or the first process has ended and its tree is being swept */
    SVC_KILLING,
    SVC_BACKOFF,   /* will be started again when the timer fires */
    SVC_FAILED,
    SVC_DONE,
    SVC_STATE_COUNT,
};

enum svc_event {
    EV_WANT_UP,
    EV_WANT_DOWN,
    EV_KILL,          /* KILL now, whatever the ladder says */
    EV_NEEDS_MET,
    EV_NEEDS_FAILED,  /* a dependency failed or can no longer come */
    EV_SKIP,          /* a task whose inputs have not changed */
    EV_REFUSED,       /* could not be begun: port conflict, broken env-file, no container engine */
    EV_ADOPTED,       /* somebody else's listener serves */
    EV_READY,
    EV_SICK,
    EV_WELL,
    EV_TIMEOUT,       /* not ready in time */
    EV_EXITED,        /* the first process ended; the rest is being swept */
    EV_GRACE_OVER,    /* the ladder has come to KILL */
    EV_RETRY_DUE,     /* back-off is over */
    EV_GONE_DOWN,     /* all facts hold; wanted down */
    EV_GONE_AGAIN,    /* …; to be started again from the beginning (restart) */
    EV_GONE_RETRY,    /* …; policy restarts it at once */
    EV_GONE_LATER,    /* …; policy restarts it after a delay */
    EV_GONE_DONE,     /* …; ended with success */
    EV_GONE_FINAL,    /* …; ended without, and stays so */
    SVC_EVENT_COUNT,
};

enum svc_action {
    ACT_NONE = 0,
    ACT_START = 1U << 0,        /* begin a run, arm ready-timeout */
    ACT_LADDER = 1U << 1,       /* begin the stop ladder */
    ACT_SWEEP = 1U << 2,        /* the leader is gone: disarm, stop probes; the shim sweeps */
    ACT_KILL = 1U << 3,         /* KILL the tree, remove the container */
    ACT_WATCH = 1U << 4,        /* ready: disarm ready-timeout, begin alive probes */
    ACT_BACKOFF = 1U << 5,      /* arm the restart timer */
    ACT_REST = 1U << 6,         /* nothing runs, nothing is armed */
};

enum svc_cell { CELL_UNSET, CELL_GO, CELL_STAY, CELL_BUG };

struct svc_step {
    enum svc_cell cell;
    enum svc_state next;
    unsigned actions;
};

/* Pure. CELL_BUG means that the engine posted what cannot be: it aborts with both names. */
struct svc_step svc_step(enum svc_state state, enum svc_event event);
const char *svc_state_name(enum svc_state state);
const char *svc_event_name(enum svc_event event);
/* A process may exist. */
bool svc_state_is_alive(enum svc_state state);
/* Nothing runs and nothing is pending. */
bool svc_state_is_rest(enum svc_state state);

#endif
