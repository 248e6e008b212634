/* Fills spec->sections at the end of a load. Internal to the room. */
#ifndef ROADIE_STACK_COLLECT_H
#define ROADIE_STACK_COLLECT_H

#include "stack/load.h"

void config_collect(struct load *l);
void config_collect_procfile(struct load *l);

#endif
