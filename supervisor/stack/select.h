/* Which services a request means. Internal to the room (spec_find and its sisters are in spec.h).
 */
#ifndef ROADIE_STACK_SELECT_H
#define ROADIE_STACK_SELECT_H

#include "stack/load.h"

/* Sets selected and excluded of every service from profiles, --with, --except and names, with all
 * that the selected need. Unknown names are problems without a place. */
void select_services(struct load *l);

#endif
