/* Definition files as text: reading whole, physical lines, what a message may quote. */
#ifndef ROADIE_STACK_TEXT_H
#define ROADIE_STACK_TEXT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/problems.h"

enum { TEXT_FILE_MAX = 4 * 1024 * 1024 };

/* Reads a regular file (or a pipe such as process substitution) of at most TEXT_FILE_MAX bytes into
 * the arena. Negative errno (-EISDIR, -ENOENT, -EFBIG, …) with why. */
int text_read(const char *path, struct arena *arena, struct span *out,
              struct fault *why) ATTR_MUST_CHECK;
/* Takes the next physical line (without LF or CRLF) off rest; false at the end. */
bool text_line(struct span *rest, struct span *line);
/* Without a UTF-8 byte order mark. */
struct span text_skip_bom(struct span text);
/* Reports NUL and invalid UTF-8 in a line; true when there is none. */
bool text_check(struct span line, const char *file, unsigned number, struct problems *problems);
/* A piece of somebody's text for a message: at most 80 bytes, control characters escaped. */
const char *text_quote(struct arena *arena, struct span text);
/* The lexical join of a directory and a path: the path itself when absolute; "." and ".." resolved.
 */
const char *path_join(struct arena *arena, const char *directory, const char *path);

#endif
