/* What a service printed last: for `why`. */
#ifndef ROADIE_UI_LAST_WORDS_H
#define ROADIE_UI_LAST_WORDS_H

#include <jansson.h>

#include "logs/view.h"

/* Appends to chain (links of INTERFACE §4) the last lines of the service's last run, and its last line that
 * names an exception. logs is the store's directory. Nothing stored: nothing appended. Texts are masked
 * and tamed; a long line is cut, which shows. */
void last_words_add(json_t *chain, const char *logs, const char *service, const struct redactor *mask);

#endif
