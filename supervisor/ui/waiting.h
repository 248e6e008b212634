/* What `roadie wait` waits for, judged from a service's state. Pure. */
#ifndef ROADIE_UI_WAITING_H
#define ROADIE_UI_WAITING_H

#include <jansson.h>
#include <stdbool.h>

enum wait_for { WAIT_READY, WAIT_DONE, WAIT_STOPPED, WAIT_LOG };
enum wait_verdict { WAIT_PENDING, WAIT_MET, WAIT_IMPOSSIBLE };

struct wait_facts {
    const char *state;    /* by its name of INTERFACE §4 */
    bool task;
    bool was_ready;       /* its current run has been ready */
    bool wanted_down;     /* somebody stopped it */
    bool logged;          /* WAIT_LOG: the line came */
};

enum wait_verdict wait_judge(enum wait_for what, const struct wait_facts *facts);

#endif
