/* Recognising terminal escape sequences and UTF-8; shared by sanitising, stripping and masking.
 * Pure. */
#ifndef ROADIE_LOGS_ESCAPE_H
#define ROADIE_LOGS_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the whole escape sequence that begins at p (p[0] is ESC), 0 when there is none that
 * is complete. A string sequence (OSC, DCS, …) ends at BEL or ST; any other control byte in it
 * makes it no sequence at all, so looking is linear over a line. *sgr: it only sets colours, within
 * bounds. */
size_t escape_length(const char *p, size_t left, bool *sgr);
/* The length of the well-formed UTF-8 sequence at p, 0 for none; its code point. */
size_t utf8_decode(const char *p, size_t left, uint32_t *code);
/* Whether a code point may reach a terminal as it is: no control, no bidi control, no zero-width
 * one. */
bool code_is_plain(uint32_t code);
/* How many bytes from p on are printable ASCII or tabs. */
size_t plain_length(const char *p, size_t left);

#endif
