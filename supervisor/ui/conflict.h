/* Errors of `up` and `start`: a port conflict tells who holds the port and what to do. */
#ifndef ROADIE_UI_CONFLICT_H
#define ROADIE_UI_CONFLICT_H

#include <jansson.h>

#include "base/bytes.h"
#include "ui/app.h"

/* Reports a reply whose code is not 0, with its "conflicts" when it has some. Returns its code. */
int conflict_print(const struct app *app, const json_t *reply);
/* Appends one conflict as people read it. */
void conflict_text(const struct app *app, const json_t *conflict, struct buf *out);

#endif
