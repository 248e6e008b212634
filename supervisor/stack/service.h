/* Compiles sections of the effective definition into the spec. Internal to the room. */
#ifndef ROADIE_STACK_SERVICE_H
#define ROADIE_STACK_SERVICE_H

#include "stack/load.h"

/* Makes spec->services, l->sources and l->lazy from the [service] and [task] sections. */
void services_collect(struct load *l);
/* Reads every key of every service. */
void services_compile(struct load *l);
/* [stack]: everything but name and include, which were needed before. */
void stack_compile(struct load *l);
/* The standard values of every key. */
void service_defaults(struct load *l, struct spec_service *out);
/* Applies `gives` of selected services to their receivers. */
void services_apply_gifts(struct load *l);

#endif
