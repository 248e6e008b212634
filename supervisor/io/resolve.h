/* A host name to numeric addresses in the loop's thread pool; a look-up that hangs can be walked
 * away from. */
#ifndef ROADIE_IO_RESOLVE_H
#define ROADIE_IO_RESOLVE_H

#include <stddef.h>
#include <uv.h>

#include "base/attr.h"

struct resolve;

enum { RESOLVE_MAX = 8, RESOLVE_SIZE = 64 };

/* error: 0, -ENOENT (no such name), -EAGAIN (no answer from the name servers), or other negative
 * errno. */
typedef void (*resolve_fn)(void *ctx, int error, char (*addresses)[RESOLVE_SIZE], size_t count);

/* Callback exactly once, never before return, unless cancelled. */
int resolve_start(uv_loop_t *loop, const char *host, resolve_fn done, void *ctx,
                  struct resolve **out) ATTR_MUST_CHECK;
/* Silent at once; the thread that is asking may go on until it has its answer. */
void resolve_cancel(struct resolve *r);

#endif
