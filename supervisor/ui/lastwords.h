/* What a service said last, for `why` and for the news of a failure: from the store, masked and clean. */
#ifndef ROADIE_UI_LASTWORDS_H
#define ROADIE_UI_LASTWORDS_H

#include "ui/app.h"
#include "ui/target.h"

struct lastwords {
    struct buf lines;      /* the last lines of its last run, each ended by a newline */
    struct buf exception;  /* the last line that names an error ("ModuleNotFoundError: …"), or empty */
    uint64_t wall_ns;      /* of the last line; 0: it said nothing */
};

/* Reads them; empty when nothing was stored. Free with lastwords_fini. */
void lastwords_read(const struct app *app, const struct target *t, const char *service, size_t max_lines,
                    struct lastwords *out);
/* Whether a line names an error: its first word up to a colon is one ("ValueError: …", "error: …",
 * "thread 'main' panicked at …", "fatal: …"). Pure. */
bool lastwords_names_error(struct span line);
void lastwords_fini(struct lastwords *words);

#endif
