/*
 * From the log store to bytes for a viewer: reads lines, picks, filters, renders. The fast path of `up` and
 * `logs`: a batch of lines at a time into one buffer; writing it is the caller's.
 */
#ifndef ROADIE_UI_PUMP_H
#define ROADIE_UI_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "logs/reader.h"
#include "logs/view.h"

enum { PUMP_BATCH = 256 * 1024 };

struct pump_opts {
    struct logreader_opts reader;
    struct view_opts view;
    const char *const *order;   /* NULL-terminated: a service's place here picks its colour */
    bool json;
    const char *grep;           /* pattern or NULL */
    bool ignore_case;
    bool invert;
    /* Which run of which service (NULL: by reader.run alone). */
    bool (*wanted)(void *ctx, const struct log_line *line);
    void *ctx;
};

struct pump;

/* Texts and lists of opts are borrowed until pump_close. -EINVAL: bad pattern; -ENOENT: nothing stored. */
int pump_open(const struct pump_opts *opts, struct pump **out, struct fault *why) ATTR_MUST_CHECK;
/* Appends rendered lines to out until about max bytes are in it. 1: there may be more, 0: nothing more is
 * readable now, negative errno. */
int pump_read(struct pump *p, struct buf *out, size_t max);
/* Renders one line at a time: 1 and *seq, 0, negative errno. For callers that keep the last N. */
int pump_read_line(struct pump *p, struct buf *out, uint64_t *seq);
struct logreader *pump_reader(struct pump *p);
void pump_close(struct pump *p);

#endif
