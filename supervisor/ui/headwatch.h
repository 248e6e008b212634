/* Tells when the log store has more: watches its head file, at most once in a few milliseconds. */
#ifndef ROADIE_UI_HEADWATCH_H
#define ROADIE_UI_HEADWATCH_H

#include <stdbool.h>
#include <uv.h>

#include "base/fault.h"

typedef void (*headwatch_fn)(void *ctx);

/* Embedded; closes by headwatch_close, then dead once the loop has run. */
struct headwatch {
    uv_fs_event_t event;
    uv_timer_t pause;
    const char *path;    /* borrowed */
    headwatch_fn fn;
    void *ctx;
    bool open;
};

/* fn is called from the loop, for the first time at once. A path that does not exist is looked for each
 * 250 ms until it does. */
int headwatch_open(struct headwatch *w, uv_loop_t *loop, const char *path, headwatch_fn fn, void *ctx,
                   struct fault *why) ATTR_MUST_CHECK;
/* The caller has not taken everything: fn is called again as soon as the loop turns. */
void headwatch_again(struct headwatch *w);
void headwatch_close(struct headwatch *w);

#endif
