/* How a state looks: symbol, colour, one line of news. Pure. */
#ifndef ROADIE_UI_STATE_H
#define ROADIE_UI_STATE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"

struct state_look {
    const char *name;
    const char *symbol; /* ✓ ✗ ● – ! */
    const char *colour; /* SGR parameters */
    bool pending;       /* something is to come: it is waited for */
};

/* The look of a state by its name of INTERFACE §4; an unknown one gets a plain look. Never NULL. */
const struct state_look *state_look(const char *name);

/* What a "state" event tells people behind the state: its text, else its cause; but not the cause of waiting,
 * starting or stopping, which says why that was begun and not what it is at. Borrowed from the event. */
const char *state_event_text(const json_t *event);

/* One line of news for an event of the server ("state" or "news"), without newline, appended to out:
 * "✓ redis    ready 0.4s PONG". name_width pads names; colour allows SGR. mask is applied to free text (may be
 * NULL). False, and nothing appended, when there is nothing to tell. */
struct redactor;
struct news_opts {
    size_t name_width;
    bool colour;
    const struct redactor *mask;
};
bool news_line(const struct news_opts *opts, const json_t *event, struct buf *out);

#endif
