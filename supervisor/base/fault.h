/*
 * Errors with context: a code (0 or negative errno) and a sentence that grows from the source outwards,
 * "service api: working directory: open ../api: no such file or directory". Fixed storage, no allocation.
 */
#ifndef ROADIE_BASE_FAULT_H
#define ROADIE_BASE_FAULT_H

#include "base/attr.h"

#define FAULT_TEXT_MAX 1024
#define FAULT_HINT_MAX 512

struct fault {
    int code;                  /* negative errno of the cause, 0 while nothing failed */
    char text[FAULT_TEXT_MAX]; /* outermost context first */
    char hint[FAULT_HINT_MAX]; /* the one thing that the user can do; may be empty */
};

/* Records the cause; a negative errno's text is appended as ": No such file…" unless code is -EINVAL or
 * -EPROTO, whose text says nothing. why may be NULL. Returns code, so that callers can return the call. */
int fault_set(struct fault *why, int code, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* Prepends "context: ". Returns the recorded code. */
int fault_wrap(struct fault *why, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* Sets the hint. Returns the recorded code. */
int fault_hint(struct fault *why, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* The sentence, or "" when nothing was recorded. */
const char *fault_text(const struct fault *why);

#endif
