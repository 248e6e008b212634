/*
 * From raw line to what may reach a person or a machine: secrets masked, escapes sanitised, prefix
 * and colours, JSON. Pure.
 */
#ifndef ROADIE_LOGS_VIEW_H
#define ROADIE_LOGS_VIEW_H

#include "logs/reader.h"

/* Texts to mask, matched in one pass; every occurrence is masked, overlapping ones as one. */
struct redactor;
struct redactor *redactor_new(void);
/* Adds one text; name is what is shown: ‹NAME› or, for "password", ‹password›. Duplicates are fine.
 */
void redactor_add(struct redactor *r, const char *name, struct span text);
/* Reads a secrets file (what secrets_append wrote) and adds all of it; -ENOENT is fine for callers.
 * Call again to pick up what was added since; costs nothing when the file has not grown. */
int redactor_load(struct redactor *r, const char *path);
/* Appends line to out with every secret replaced. URL passwords (scheme://user:password@) that were
 * never declared are masked too. */
void redactor_mask(const struct redactor *r, struct span line, struct buf *out);
/* The same for a piece of a longer line: what stands around it is looked at, but not put out. */
void redactor_mask_piece(const struct redactor *r, struct span before, struct span piece,
                         struct span after, struct buf *out);
void redactor_free(struct redactor *r);

/* Appends to the secrets file (0600, created) what must be masked of NAME=value (stack/secrets.h
 * decides); each text once. */
struct secrets_file;
int secrets_open(const char *path, struct secrets_file **out, struct fault *why) ATTR_MUST_CHECK;
int secrets_append(struct secrets_file *f, const char *name, const char *value);
/* When the file was removed: writes what it held to path again, and goes on there. */
int secrets_remake(struct secrets_file *f, const char *path) ATTR_MUST_CHECK;
void secrets_close(struct secrets_file *f);

/* Appends text with everything removed or made visible that a terminal would act on: keeps
 * printable UTF-8, tabs, and SGR (bounded) when keep_colour; C0, C1, other escapes, bidi controls
 * as caret text or U+FFFD. */
void sanitise(struct span text, bool keep_colour, struct buf *out);
/* Appends text with every escape sequence removed (for --grep and patterns). */
void strip_escapes(struct span text, struct buf *out);

struct view_opts {
    bool colour;
    bool prefix;
    bool timestamps;
    size_t name_width;               /* of the prefix */
    const struct redactor *redactor; /* NULL: --reveal */
};
/* Appends "NAME | text\n" (or what opts say); colour_index picks the name's colour. */
void view_line(const struct view_opts *opts, const struct log_line *line, unsigned colour_index,
               struct buf *out);
/* Appends what view_line would for every line of a block (logreader_next_block). */
void view_block(const struct view_opts *opts, const struct log_line *block, unsigned colour_index,
                struct buf *out);
/* Appends the line as one JSON object and a newline (INTERFACE §4 `logs --json`). */
void view_json(const struct view_opts *opts, const struct log_line *line, struct buf *out);

#endif
