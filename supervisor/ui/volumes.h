/* Named volumes of a stack's containers: what `down -v` deletes. */
#ifndef ROADIE_UI_VOLUMES_H
#define ROADIE_UI_VOLUMES_H

#include "ui/app.h"
#include "ui/target.h"

/* Removes, by docker, each named volume of the loaded definition's `volume` lines (a path of the host is
 * never touched). Blocks. An exit code; one that does not exist is no failure. */
int volumes_remove(struct app *app, const struct target *t);

#endif
