/*
 * The ways out: what was asked for to stdout, all else to stderr, errors in their two shapes (INTERFACE §4).
 * Blocking; the foreground `up` has a way of its own (sink.h).
 */
#ifndef ROADIE_UI_PRINT_H
#define ROADIE_UI_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/problems.h"
#include "ui/app.h"

/* Writes all of it. A reader that went away ends the program quietly; a full disk ends it with 1. */
void print_fd(int fd, struct span bytes);
/* Writes b to stdout and empties it. */
void print_out(struct buf *b);
/* Writes one JSON document and a newline to stdout, free texts masked. doc is taken. */
void print_json(const struct app *app, json_t *doc);
/* A line to stderr, "roadie: …" left out; nothing with --quiet. */
void print_note(const struct app *app, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* Appends text from elsewhere for people: secrets masked, control characters made visible. */
void print_clean(const struct app *app, const char *text, struct buf *out);

/* Report an error in the shape that was asked for and return code. */
int print_fault(const struct app *app, int code, const struct fault *why);
int print_failure(const struct app *app, int code, const char *hint, const char *fmt, ...)
    ATTR_PRINTF(4, 5);
int print_problems(const struct app *app, int code, const struct problems *problems);
/* A reply of the server whose code is not 0. */
int print_reply_error(const struct app *app, const json_t *reply);

/* Member access that forgives absence. */
const char *member_text(const json_t *object, const char *name); /* "" when absent or null */
uint64_t member_number(const json_t *object, const char *name);  /* 0 when absent or null */
bool member_true(const json_t *object, const char *name);
bool member_null(const json_t *object, const char *name);        /* absent or null */

#endif
