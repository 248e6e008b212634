/* The state table (see fsm.h). Rows and columns are designated; a unit test fails on any unset cell. */
#include "engine/fsm.h"

#include <stddef.h>

#define GO(state, what) {.cell = CELL_GO, .next = (state), .actions = (what)}
#define STAY {.cell = CELL_STAY}
#define BUG {.cell = CELL_BUG}

/* Columns that mean the same in every state without a run: facts of a run cannot come. */
#define NO_RUN                                                                                     \
    [EV_READY] = BUG, [EV_SICK] = BUG, [EV_WELL] = BUG, [EV_TIMEOUT] = BUG, [EV_EXITED] = BUG,     \
    [EV_GRACE_OVER] = BUG, [EV_GONE_DOWN] = BUG, [EV_GONE_AGAIN] = BUG, [EV_GONE_RETRY] = BUG,     \
    [EV_GONE_LATER] = BUG, [EV_GONE_DONE] = BUG, [EV_GONE_FINAL] = BUG

/* Columns of the beginning that only WAITING and STARTING know. */
#define NOT_BEGINNING                                                                              \
    [EV_NEEDS_MET] = BUG, [EV_NEEDS_FAILED] = BUG, [EV_SKIP] = BUG, [EV_REFUSED] = BUG,            \
    [EV_ADOPTED] = BUG

/* A stop or a kill overtook the news that nothing came to be: there is nothing to wait for. */
#define OVERTAKEN                                                                                  \
    [EV_NEEDS_MET] = BUG, [EV_NEEDS_FAILED] = BUG, [EV_SKIP] = GO(SVC_OFF, ACT_REST),              \
    [EV_REFUSED] = GO(SVC_OFF, ACT_REST), [EV_ADOPTED] = STAY

/* How a run's end moves on, the same from every state with a run. */
#define ENDS                                                                                       \
    [EV_GONE_DOWN] = GO(SVC_OFF, ACT_REST), [EV_GONE_AGAIN] = GO(SVC_WAITING, ACT_REST),           \
    [EV_GONE_RETRY] = GO(SVC_STARTING, ACT_START),                                                 \
    [EV_GONE_LATER] = GO(SVC_BACKOFF, ACT_BACKOFF), [EV_GONE_DONE] = GO(SVC_DONE, ACT_REST),       \
    [EV_GONE_FINAL] = GO(SVC_FAILED, ACT_REST)

static const struct svc_step table[SVC_STATE_COUNT][SVC_EVENT_COUNT] = {
    [SVC_OFF] = {NO_RUN, NOT_BEGINNING, [EV_WANT_UP] = GO(SVC_WAITING, ACT_NONE),
                 [EV_WANT_DOWN] = STAY, [EV_KILL] = STAY, [EV_RETRY_DUE] = BUG},
    [SVC_WAITING] = {NO_RUN, [EV_WANT_UP] = STAY, [EV_WANT_DOWN] = GO(SVC_OFF, ACT_REST),
                     [EV_KILL] = GO(SVC_OFF, ACT_REST),
                     [EV_NEEDS_MET] = GO(SVC_STARTING, ACT_START),
                     [EV_NEEDS_FAILED] = GO(SVC_FAILED, ACT_REST),
                     [EV_SKIP] = GO(SVC_DONE, ACT_REST), [EV_REFUSED] = GO(SVC_FAILED, ACT_REST),
                     [EV_ADOPTED] = BUG, [EV_RETRY_DUE] = BUG},
    [SVC_STARTING] = {ENDS, [EV_WANT_UP] = STAY, [EV_WANT_DOWN] = GO(SVC_STOPPING, ACT_LADDER),
                      [EV_KILL] = GO(SVC_KILLING, ACT_KILL), [EV_NEEDS_MET] = BUG,
                      [EV_NEEDS_FAILED] = BUG, [EV_SKIP] = GO(SVC_DONE, ACT_REST),
                      [EV_REFUSED] = GO(SVC_FAILED, ACT_REST),
                      [EV_ADOPTED] = GO(SVC_READY, ACT_WATCH),
                      [EV_READY] = GO(SVC_READY, ACT_WATCH), [EV_SICK] = BUG, [EV_WELL] = BUG,
                      [EV_TIMEOUT] = GO(SVC_STOPPING, ACT_LADDER),
                      [EV_EXITED] = GO(SVC_STOPPING, ACT_SWEEP), [EV_GRACE_OVER] = BUG,
                      [EV_RETRY_DUE] = BUG},
    [SVC_READY] = {ENDS, NOT_BEGINNING, [EV_WANT_UP] = STAY,
                   [EV_WANT_DOWN] = GO(SVC_STOPPING, ACT_LADDER),
                   [EV_KILL] = GO(SVC_KILLING, ACT_KILL), [EV_READY] = BUG,
                   [EV_SICK] = GO(SVC_UNHEALTHY, ACT_NONE), [EV_WELL] = STAY, [EV_TIMEOUT] = BUG,
                   [EV_EXITED] = GO(SVC_STOPPING, ACT_SWEEP), [EV_GRACE_OVER] = BUG,
                   [EV_RETRY_DUE] = BUG},
    [SVC_UNHEALTHY] = {ENDS, NOT_BEGINNING, [EV_WANT_UP] = STAY,
                       [EV_WANT_DOWN] = GO(SVC_STOPPING, ACT_LADDER),
                       [EV_KILL] = GO(SVC_KILLING, ACT_KILL), [EV_READY] = BUG, [EV_SICK] = STAY,
                       [EV_WELL] = GO(SVC_READY, ACT_NONE), [EV_TIMEOUT] = BUG,
                       [EV_EXITED] = GO(SVC_STOPPING, ACT_SWEEP), [EV_GRACE_OVER] = BUG,
                       [EV_RETRY_DUE] = BUG},
    [SVC_STOPPING] = {ENDS, OVERTAKEN, [EV_WANT_UP] = STAY, [EV_WANT_DOWN] = STAY,
                      [EV_KILL] = GO(SVC_KILLING, ACT_KILL), [EV_READY] = STAY, [EV_SICK] = STAY,
                      [EV_WELL] = STAY, [EV_TIMEOUT] = STAY, [EV_EXITED] = STAY,
                      [EV_GRACE_OVER] = GO(SVC_KILLING, ACT_KILL), [EV_RETRY_DUE] = BUG},
    [SVC_KILLING] = {ENDS, OVERTAKEN, [EV_WANT_UP] = STAY, [EV_WANT_DOWN] = STAY,
                     [EV_KILL] = GO(SVC_KILLING, ACT_KILL), [EV_READY] = STAY, [EV_SICK] = STAY,
                     [EV_WELL] = STAY, [EV_TIMEOUT] = STAY, [EV_EXITED] = STAY,
                     [EV_GRACE_OVER] = STAY, [EV_RETRY_DUE] = BUG},
    [SVC_BACKOFF] = {NO_RUN, NOT_BEGINNING, [EV_WANT_UP] = GO(SVC_WAITING, ACT_REST),
                     [EV_WANT_DOWN] = GO(SVC_OFF, ACT_REST), [EV_KILL] = GO(SVC_OFF, ACT_REST),
                     [EV_RETRY_DUE] = GO(SVC_STARTING, ACT_START)},
    [SVC_FAILED] = {NO_RUN, NOT_BEGINNING, [EV_WANT_UP] = GO(SVC_WAITING, ACT_NONE),
                    [EV_WANT_DOWN] = GO(SVC_OFF, ACT_REST), [EV_KILL] = GO(SVC_OFF, ACT_REST),
                    [EV_RETRY_DUE] = BUG},
    [SVC_DONE] = {NO_RUN, NOT_BEGINNING, [EV_WANT_UP] = GO(SVC_WAITING, ACT_NONE),
                  [EV_WANT_DOWN] = GO(SVC_OFF, ACT_REST), [EV_KILL] = GO(SVC_OFF, ACT_REST),
                  [EV_RETRY_DUE] = BUG},
};

struct svc_step svc_step(enum svc_state state, enum svc_event event)
{
    struct svc_step step = table[state][event];
    if (step.cell == CELL_STAY) {
        step.next = state;
    }
    return step;
}

const char *svc_state_name(enum svc_state state)
{
    static const char *const names[SVC_STATE_COUNT] = {
        [SVC_OFF] = "off",           [SVC_WAITING] = "waiting",   [SVC_STARTING] = "starting",
        [SVC_READY] = "ready",       [SVC_UNHEALTHY] = "unhealthy", [SVC_STOPPING] = "stopping",
        [SVC_KILLING] = "killing",   [SVC_BACKOFF] = "backoff",   [SVC_FAILED] = "failed",
        [SVC_DONE] = "done",
    };
    return names[state];
}

const char *svc_event_name(enum svc_event event)
{
    static const char *const names[SVC_EVENT_COUNT] = {
        [EV_WANT_UP] = "want-up",         [EV_WANT_DOWN] = "want-down",
        [EV_KILL] = "kill",               [EV_NEEDS_MET] = "needs-met",
        [EV_NEEDS_FAILED] = "needs-failed", [EV_SKIP] = "skip",
        [EV_REFUSED] = "refused",         [EV_ADOPTED] = "adopted",
        [EV_READY] = "ready",             [EV_SICK] = "sick",
        [EV_WELL] = "well",               [EV_TIMEOUT] = "timeout",
        [EV_EXITED] = "exited",           [EV_GRACE_OVER] = "grace-over",
        [EV_RETRY_DUE] = "retry-due",     [EV_GONE_DOWN] = "gone-down",
        [EV_GONE_AGAIN] = "gone-again",   [EV_GONE_RETRY] = "gone-retry",
        [EV_GONE_LATER] = "gone-later",   [EV_GONE_DONE] = "gone-done",
        [EV_GONE_FINAL] = "gone-final",
    };
    return names[event];
}

bool svc_state_is_alive(enum svc_state state)
{
    return state == SVC_STARTING || state == SVC_READY || state == SVC_UNHEALTHY ||
           state == SVC_STOPPING || state == SVC_KILLING;
}

bool svc_state_is_rest(enum svc_state state)
{
    return state == SVC_OFF || state == SVC_FAILED || state == SVC_DONE;
}
