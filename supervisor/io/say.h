/* Short sentences about what a peer answered: cleaned of control bytes, bounded. Pure. */
#ifndef ROADIE_IO_SAY_H
#define ROADIE_IO_SAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { SAY_MAX = 256 };

/* Copies foreign text as one printable line: runs of blanks and control bytes become one blank,
 * ill-formed UTF-8 becomes '?', trailing dots go, and what does not fit ends in "...". Returns out.
 */
const char *say_clean(char *out, size_t size, struct span foreign);
/* "no answer in 2s", "no answer in 1500ms". Returns out. */
const char *say_no_answer(char *out, size_t size, uint64_t timeout_ms);
/* A negative errno in the words used for peers: "connection refused", "connection reset", "no route
 * to host". Returns a static or strerror text. */
const char *say_errno(int error);

#endif
