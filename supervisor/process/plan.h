/* A proc_plan as one nameless file that the shim maps (layout: shim/protocol.h). Private to this room. */
#ifndef ROADIE_PROCESS_PLAN_H
#define ROADIE_PROCESS_PLAN_H

#include "process/proc.h"

/* The descriptor (caller closes), or a negative errno. The bytes are wiped from this process's memory. */
int plan_open(const struct proc_plan *plan) ATTR_MUST_CHECK;

#endif
