/* `ready = log` patterns of one run: lines are framed from raw chunks, stripped of escapes and
 * matched. */
#ifndef ROADIE_LOGS_MATCH_H
#define ROADIE_LOGS_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/fault.h"

struct matcher;

enum { MATCH_LINE_MAX = 4096 };

/* One stream's line under construction; zero-initialise, end with buf_fini(&line.text). */
struct match_line {
    struct buf text;
};

typedef void (*match_fn)(void *ctx, unsigned pattern, const char *line);

/* patterns may be NULL or empty: *out is then NULL, which the other calls accept. */
int matcher_new(char *const *patterns, struct matcher **out, struct fault *why) ATTR_MUST_CHECK;
/* Whether a pattern still waits for its line. */
bool matcher_waits(const struct matcher *m);
/* Looks at more bytes of one stream. An unfinished line is looked at as well (a prompt has no
 * newline), but its end does not count as the end of the line for `$`. */
void matcher_feed(struct matcher *m, struct match_line *line, struct span bytes, match_fn each,
                  void *ctx);
/* The stream has ended: its unfinished line is a line. */
void matcher_end(struct matcher *m, struct match_line *line, match_fn each, void *ctx);
void matcher_free(struct matcher *m);

#endif
