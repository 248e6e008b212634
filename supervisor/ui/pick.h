/* Names on the command line against names that there are: globs, and a suggestion for what fits nothing. */
#ifndef ROADIE_UI_PICK_H
#define ROADIE_UI_PICK_H

#include <jansson.h>

#include "ui/app.h"

/* Whether name is meant by the command line: no names there, or one of them (or a glob) fits. */
bool pick_wanted(const struct args *args, const char *name);
/* Appends to out (an array) those of services (of a `ps` reply) that are meant. Without names: the selected
 * ones, or all with_off. A name that fits none is reported: EXIT_USAGE. */
int pick_services(const struct app *app, const json_t *services, bool with_off, json_t *out);
/* Reports the first name on the command line that fits none of known (NULL-terminated): EXIT_USAGE. */
int pick_check(const struct app *app, const char *const *known);

/* As pick_services, but a name that fits none is no error. */
void pick_matching(const struct app *app, const json_t *services, bool with_off, json_t *out);

#endif
