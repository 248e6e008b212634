/* Procfiles (INTERFACE §6). Internal to the room. */
#ifndef ROADIE_STACK_PROCFILE_H
#define ROADIE_STACK_PROCFILE_H

#include "stack/load.h"

/* Fills l->spec from a Procfile's text; `.env` beside it becomes an optional env-file. */
void procfile_load(struct load *l, const char *shown, struct span text);

#endif
