/*
 * What this room is for.      Met, still possible, or impossible.
 * What it may touch.          Nothing.
 * Who calls it.               cmd_wait.c, tests
 * The one invariant.          A state from which nothing can come by itself is never pending.
 */
#include "ui/waiting.h"

#include <string.h>

static bool is(const struct wait_facts *facts, const char *state)
{
    return strcmp(facts->state, state) == 0;
}

enum wait_verdict wait_judge(enum wait_for what, const struct wait_facts *facts)
{
    /* off, with nobody having stopped it, is only not started yet. */
    bool over = is(facts, "failed") || is(facts, "done") || (is(facts, "off") && facts->wanted_down);
    bool met = false;
    switch (what) {
    case WAIT_READY:
        met = is(facts, "ready") || (is(facts, "done") && (facts->task || facts->was_ready));
        break;
    case WAIT_DONE:
        met = is(facts, "done");
        break;
    case WAIT_STOPPED:
        met = over || is(facts, "off");
        break;
    case WAIT_LOG:
        met = facts->logged;
        break;
    }
    return met ? WAIT_MET : over ? WAIT_IMPOSSIBLE : WAIT_PENDING;
}
