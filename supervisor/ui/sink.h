/*
 * A descriptor written by a thread of its own, so that a reader that stands still never stops the loop: ^C,
 * keys and the board go on. Bounded: the loop asks for room before it makes more.
 */
#ifndef ROADIE_UI_SINK_H
#define ROADIE_UI_SINK_H

#include <stdbool.h>
#include <uv.h>

#include "base/bytes.h"

enum { SINK_ROOM = 512 * 1024 };

struct sink;
typedef void (*sink_fn)(void *ctx);

/* drained is called from the loop whenever something was written. */
struct sink *sink_open(uv_loop_t *loop, int fd, sink_fn drained, void *ctx);
/* Takes the bytes (b is empty afterwards). Never blocks, never refuses: see sink_has_room. */
void sink_put(struct sink *s, struct buf *b);
/* Whether less than SINK_ROOM bytes wait. */
bool sink_has_room(const struct sink *s);
bool sink_is_empty(const struct sink *s);
/* 0, or the negative errno that ended writing (-EPIPE: nobody reads any more); what was put is dropped then. */
int sink_error(const struct sink *s);
/* Ends the thread. With abandon, a write under way is left to the end of the process. The loop has to run
 * once more for its handle; s is dead. */
void sink_close(struct sink *s, bool abandon);

#endif
